// Dropout's mask in plain JavaScript: the contract in assembly/kernels/dropout.ts.

import { philox } from "./philox";

/** Bits an element takes, and the rate in force. */
export function quantised(rate: number): { bits: number; q: number; rate: number } {
  const f32 = Math.fround;
  const bits = [1, 2, 4, 8, 16].find((b) => b === 16 || Number.isInteger(f32(rate) * 2 ** b))!;
  const q = Math.min(Math.round(f32(rate) * 2 ** bits), 2 ** bits - 1);
  return { bits, q, rate: q / 2 ** bits };
}

/** Whether an element of random op `op` is kept. */
export function kept(
  element: number,
  rate: number,
  op: number,
  { seed, stream, step, pass }: { seed: number; stream: number; step: number; pass: number },
): boolean {
  const { bits, q } = quantised(rate);
  const groupSize = 1024 / bits;
  const group = Math.floor(element / groupSize);
  const [field, v, lane] = [Math.floor((element % groupSize) / 32), Math.floor((element % 32) / 4), element % 4];
  const block = philox([8 * group + 2 * (v >> 1) + (lane & 1), op, step, pass], [seed, stream]);
  const number = block[2 * (lane >> 1) + (v & 1)]!;
  return Math.floor(number / 2 ** (32 - bits * (field + 1))) % 2 ** bits >= q;
}
