// What the host sees of the core.

export { run, runShare, lead, resume, follow } from "./interpreter";

export { kernelCount } from "./table";

/** Where free memory begins: all above is laid out by the host. */
export const heapBase: usize = __heap_base;
