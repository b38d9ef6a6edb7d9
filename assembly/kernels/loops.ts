// How elementwise kernels share one reading of operands. A kernel hands over its block: a loop over some bytes of its
// arrays. The block is reached through the function table, once a share, and has an optimised body of its own.

import { Binary, Unary, UnaryBackward } from "../isa";
import { pointer, real, shareOf, size } from "../operands";

/** y[…] = f(a[…], b[…]) over `bytes` bytes; y may be a or b. Unary ones leave b alone. */
export type Block = (y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32) => void;

/** Elements of a cache line: shares are whole lines. */
const LINE: usize = 16;

/** Rank `ith`'s share of n elements. */
export function runBlock(
  block: Block,
  y: usize,
  a: usize,
  b: usize,
  n: usize,
  alpha: f32,
  beta: f32,
  ith: u32,
  nth: u32,
): void {
  const from = shareOf(n, LINE, ith, nth) << 2;
  const to = shareOf(n, LINE, ith + 1, nth) << 2;
  if (to > from) call_indirect<void>(block.index, y + from, a + from, b + from, to - from, alpha, beta);
}

/** Unary: y = f(x). */
export function unary(args: usize, ith: u32, nth: u32, block: Block): void {
  unaryWith(args, ith, nth, block, real(args, Unary.alpha), real(args, Unary.beta));
}

/** Unary with reals of the kernel's own. */
export function unaryWith(args: usize, ith: u32, nth: u32, block: Block, alpha: f32, beta: f32): void {
  runBlock(block, pointer(args, Unary.y), pointer(args, Unary.x), 0, size(args, Unary.n), alpha, beta, ith, nth);
}

/** UnaryBackward: dx = f(dy, v). */
export function backward(args: usize, ith: u32, nth: u32, block: Block): void {
  backwardWith(args, ith, nth, block, real(args, UnaryBackward.alpha), 0);
}

/** UnaryBackward with reals of the kernel's own. */
export function backwardWith(args: usize, ith: u32, nth: u32, block: Block, alpha: f32, beta: f32): void {
  const dx = pointer(args, UnaryBackward.dx);
  const dy = pointer(args, UnaryBackward.dy);
  const v = pointer(args, UnaryBackward.v);
  runBlock(block, dx, dy, v, size(args, UnaryBackward.n), alpha, beta, ith, nth);
}

/** Binary: y = f(a, b). */
export function binary(args: usize, ith: u32, nth: u32, block: Block): void {
  const y = pointer(args, Binary.y);
  const a = pointer(args, Binary.a);
  const b = pointer(args, Binary.b);
  runBlock(block, y, a, b, size(args, Binary.n), 0, 0, ith, nth);
}
