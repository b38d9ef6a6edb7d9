// Elementwise instructions. What the table of kernels holds of them are their blocks, loops over some bytes of their
// arrays: they share one reading of operands, and a block, reached through the table once a share, has an optimised
// body of its own.

import { Binary, Op, Unary } from "../isa";
import { pointer, real, shareOf, size } from "../operands";

/** Whether opcode `op` has a block. */
export function isElementwise(op: u32): bool {
  return op - <u32>Op.add <= <u32>(Op.softplusBackward - Op.add);
}

/**
 * Runs the block of opcode `op`, at function-table index `block`: y[…] = f(a[…], b[…]) over `bytes` bytes; y may be a or b,
 * unary ones leave b alone. Shares are whole cache lines.
 */
export function elementwise(op: u32, block: u32, args: usize, ith: u32, nth: u32): void {
  let b: usize = 0;
  let slot: i32 = Unary.n;
  // from relu on each has its derivative, of two inputs, behind it
  if (op < <u32>Op.affine || (op >= <u32>Op.relu && ((op - Op.relu) & 1) != 0)) {
    b = pointer(args, Binary.b);
    slot = Binary.n;
  }
  const n = size(args, slot);
  let alpha: f32 = 0;
  let beta: f32 = 0;
  if (op >= <u32>Op.affine) alpha = real(args, slot + 1);
  if (op == Op.affine) beta = real(args, Unary.beta);
  if (op >= <u32>Op.elu) beta = 1;
  const from = shareOf(n, 16, ith, nth) << 2;
  const bytes = (shareOf(n, 16, ith + 1, nth) << 2) - from;
  const y = pointer(args, Unary.y) + from;
  const a = pointer(args, Unary.x) + from;
  if (bytes) call_indirect<void>(block, y, a, b + from, bytes, alpha, beta);
}
