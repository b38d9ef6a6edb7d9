// The core that a page embeds: what an MLP needs. The other kernels are the extension (extension.ts).

export { run } from "./interpreter";
export { kernelCount } from "./kernels";
export { philox4x32 } from "./random/philox";

/** Bytes behind the core's own data that the extension's have. */
const EXTENSION_DATA: usize = 8192;

/** Where free memory begins: all above is laid out by the host. */
export const heapBase: usize = __heap_base + EXTENSION_DATA;
