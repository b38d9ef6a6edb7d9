// The numbers of assembly/kernels/noise.ts and random.ts in float64: AS241's quantile of Philox's words.

import { philox } from "./philox";

/** −Φ⁻¹(p), 0 < p ≤ ½: Wichura's PPND7, whose error is below 1e-7. */
function upperQuantile(p: number): number {
  const cubic = (x: number, [a, b, c, d]: readonly [number, number, number, number]) => ((a * x + b) * x + c) * x + d;
  const q = 0.5 - p;
  if (q <= 0.425) {
    const r = 0.180625 - q * q;
    const top = cubic(r, [59.10937472, 159.29113202, 50.434271938, 3.3871327179]);
    return (q * top) / cubic(r, [67.1875636, 78.757757664, 17.895169469, 1]);
  }
  const s = Math.sqrt(-Math.log(p)) - 1.6;
  const top = cubic(s, [0.17023821103, 1.3067284816, 2.75681539, 1.4234372777]);
  return top / cubic(s, [0, 0.12021132975, 0.7370016425, 1]);
}

/** The standard normal number of an element of random op `op`. */
export function normalOf(
  element: number,
  op: number,
  { seed, stream, step, pass }: { seed: number; stream: number; step: number; pass: number },
): number {
  const word = philox([Math.floor(element / 4), op, step, pass], [seed, stream])[element % 4]!;
  // the core rounds the lower 31 bits to 24
  const z = upperQuantile(0.5 * Math.fround(Math.fround(Math.fround(word % 2 ** 31) + 0.5) * 2 ** -31));
  return word >= 2 ** 31 ? -z : z;
}
