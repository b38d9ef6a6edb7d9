// What the host sees of the core.

export { run, runShare, lead, resume, follow } from "./interpreter";

export { kernelCount } from "./table";

export { cos64, exp64, log64, pow64, sin64 } from "./math/scalars";

/** Where free memory begins: all above is laid out by the host. */
export const heapBase: usize = __heap_base;
