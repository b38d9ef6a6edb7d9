// Random words for the host, of the core's own generator.

import { defaultRuntime } from "./runtime";

/** The second key word of a model's random numbers: its stream, a seed's high word mixed in. */
export const streamWord = (seed: number, stream: number): number => stream ^ Math.imul(seed / 2 ** 32, 0x9e3779b9);

/** At least `length` words: those of the counters (0, c1, c2, 0), (1, c1, c2, 0), … under the key (k0, k1). */
export function philoxWords(length: number, c1: number, c2: number, k0: number, k1: number): Uint32Array {
  const { core, heap } = defaultRuntime();
  const words = new Uint32Array(Math.ceil(length / 4) * 4);
  const at = heap.allocate(16, "random numbers");
  for (let i = 0; i < words.length; i += 4) {
    core.philox4x32(at, i / 4, c1, c2, 0, k0, k1);
    words.set(heap.u32.subarray(at >>> 2, (at >>> 2) + 4), i);
  }
  heap.free(at);
  return words;
}
