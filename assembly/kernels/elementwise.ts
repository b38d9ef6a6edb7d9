// y = x and y = y + x. Split over elements.

import { Accumulate, Copy } from "../isa";
import { pointer, shareOf, size } from "../operands";
import { addBlock } from "./wide.micro";

/** y = x. */
export function copy(args: usize, ith: u32, nth: u32): void {
  const n = size(args, Copy.n);
  const from = shareOf(n, 16, ith, nth) << 2;
  const to = shareOf(n, 16, ith + 1, nth) << 2;
  memory.copy(pointer(args, Copy.y) + from, pointer(args, Copy.x) + from, to - from);
}

/** y = y + x. */
export function accumulate(args: usize, ith: u32, nth: u32): void {
  const n = size(args, Accumulate.n);
  const from = shareOf(n, 16, ith, nth) << 2;
  const to = shareOf(n, 16, ith + 1, nth) << 2;
  const y = pointer(args, Accumulate.y) + from;
  addBlock(y, y, pointer(args, Accumulate.x) + from, to - from, 0, 0);
}
