// What the host sees of the core.

export { follow, lead, resume, run, runShare } from "./interpreter";
export { cos64, exp64, log64, pow64 } from "./math/scalars";
export { philox4x32 } from "./random/philox";
export { kernelCount } from "./table";

/** Where free memory begins: all above is laid out by the host. */
export const heapBase: usize = __heap_base;
