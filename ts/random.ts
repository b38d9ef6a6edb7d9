// downhill/random: the core's own random numbers.

import { argumentError } from "./errors";
import { defaultRuntime } from "./runtime/runtime";

const isWord = (v: unknown) => Number.isSafeInteger(v) && (v as number) >= 0 && (v as number) < 2 ** 32;

function words(what: string, value: ArrayLike<number>, length: number): number[] {
  const list = Array.from(value ?? []);
  if (list.length !== length || !list.every(isWord))
    throw argumentError("philox4x32", `${what} as ${length} words of 32 bits`, value);
  return list;
}

/**
 * Philox4x32-10: four random words for a counter and a key. (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")
 *
 * @param counter four 32-bit words @param key two 32-bit words
 * @example philox4x32([0, 0, 0, 0], [0, 0]) // 6627e8d5 e169c58d bc57ac4c 9b00dbd8
 */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>): Uint32Array {
  const [c0, c1, c2, c3] = words("counter", counter, 4) as [number, number, number, number];
  const [k0, k1] = words("key", key, 2) as [number, number];
  const { core, heap } = defaultRuntime();
  const at = heap.allocate(16, "philox4x32");
  try {
    core.philox4x32(at, c0, c1, c2, c3, k0, k1);
    return heap.u32.slice(at >>> 2, (at >>> 2) + 4);
  } finally {
    heap.free(at);
  }
}
