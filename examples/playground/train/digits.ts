// The digits, a script of their own (examples/build.js), which the worker loads when a run first wants them.

export { digits } from "downhill";
