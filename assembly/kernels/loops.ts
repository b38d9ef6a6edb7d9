// Elementwise instructions. What the table of kernels holds of them are their blocks, loops over some bytes of their
// arrays: they share one reading of operands, and a block, reached through the table once a share, has an optimised
// body of its own.

import { Binary, ExtensionOp, Op, Unary } from "../isa";
import { pointer, real, shareOf, size } from "../operands";

/** How many inputs opcode `op` has where it is elementwise; else 0. */
export function elementInputs(op: u32): u32 {
  if (op - <u32>Op.add < <u32>(Op.affine - Op.add)) return 2;
  if (op == Op.affine) return 1;
  if (op >= <u32>Op.count) return op < <u32>ExtensionOp.exp ? 2 : op <= <u32>ExtensionOp.clip ? 1 : 0;
  return op - <u32>Op.relu <= <u32>(Op.softplusBackward - Op.relu) ? 1 + ((op - <u32>Op.relu) & 1) : 0;
}

/**
 * Runs the block of opcode `op` of so many inputs, at function-table index `block`: y[…] = f(a[…], b[…]) over `bytes` bytes; y may be a or b,
 * unary ones leave b alone. Shares are whole cache lines.
 */
export function elementwise(op: u32, inputs: u32, block: u32, args: usize, ith: u32, nth: u32): void {
  let b: usize = 0;
  let slot: i32 = Unary.n;
  if (inputs == 2) {
    b = pointer(args, Binary.b);
    slot = Binary.n;
  }
  const n = size(args, slot);
  let alpha: f32 = 0;
  let beta: f32 = 0;
  if (op >= <u32>Op.affine && (inputs == 1 || op < <u32>Op.count)) alpha = real(args, slot + 1);
  if (op >= <u32>Op.elu) beta = 1;
  if (op == Op.affine || op >= <u32>ExtensionOp.exp) beta = real(args, Unary.beta);
  const from = shareOf(n, 16, ith, nth) << 2;
  const bytes = (shareOf(n, 16, ith + 1, nth) << 2) - from;
  const y = pointer(args, Unary.y) + from;
  const a = pointer(args, Unary.x) + from;
  if (bytes) call_indirect<void>(block, y, a, b + from, bytes, alpha, beta);
}
