// The reference run in a Node of its own, against dist/: one line of JSON. Arguments: dist/'s URL, options of init.

import { referenceRun } from "./reference";

const [, , url, options] = process.argv;
const downhill: typeof import("../../ts/index") = await import(url!);
const runtime = await downhill.init({ seed: 0, ...JSON.parse(options!) });
const { threads, fastMath } = runtime;
console.log(JSON.stringify({ ...(await referenceRun(downhill, runtime)), threads, fastMath, node: process.version }));
