// An elementwise instruction of two inputs, one or both of them broadcast.
//
//   y[i] = a[i·stridesA] ∘ b[i·stridesB],   i = (i₀, …, i_{rank−1}), strides 0 along what is broadcast
//
// Along the last axis an input's elements follow one another, or there is one for all: of that one a piece of the
// workspace is filled. So each piece of a row is a call of ∘'s own block.
//
// Split over (row, piece of the row).

import { BROADCAST_PIECE, Broadcast } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";

/** Where row `row` of an operand begins, in floats: of the axes before the last, whose strides begin in slot `strides`. */
export function rowOffset(args: usize, dims: i32, strides: i32, rank: usize, row: usize): usize {
  let offset: usize = 0;
  for (let axis = <i32>rank - 2; axis >= 0; axis--) {
    const rest = axis ? row / size(args, dims + axis) : 0;
    offset += (row - (axis ? rest * size(args, dims + axis) : 0)) * size(args, strides + axis);
    row = rest;
  }
  return offset;
}

/** The product of the sizes of all axes but the last. */
export function rowsOf(args: usize, dims: i32, rank: usize): usize {
  let rows: usize = 1;
  for (let axis = <i32>rank - 2; axis >= 0; axis--) rows *= size(args, dims + axis);
  return rows;
}

/** n floats of value v at p. */
export function splat(p: usize, v: f32, n: usize): void {
  for (const end = p + (n << 2); p < end; p += 4) store<f32>(p, v);
}

export function broadcast(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, Broadcast.y);
  const workspace = pointer(args, Broadcast.workspace) + ith * (BROADCAST_PIECE << 2);
  const a = pointer(args, Broadcast.a);
  const b = pointer(args, Broadcast.b);
  const block = <u32>size(args, Broadcast.op) + 1; // interpreter.ts
  const rank = size(args, Broadcast.rank);
  const n = size(args, Broadcast.dims + <i32>rank - 1);
  const oneA = !size(args, Broadcast.stridesA + <i32>rank - 1);
  const oneB = !size(args, Broadcast.stridesB + <i32>rank - 1);
  const pieces = ceilDiv(n, BROADCAST_PIECE);
  const units = rowsOf(args, Broadcast.dims, rank) * pieces;
  const to = share(units, ith + 1, nth);
  let row: usize = -1;
  let rowA: usize = 0;
  let rowB: usize = 0;
  for (let unit = share(units, ith, nth); unit < to; unit++) {
    const r = unit / pieces;
    const from = (unit - r * pieces) * BROADCAST_PIECE;
    if (r != row) {
      row = r;
      rowA = a + (rowOffset(args, Broadcast.dims, Broadcast.stridesA, rank, row) << 2);
      rowB = b + (rowOffset(args, Broadcast.dims, Broadcast.stridesB, rank, row) << 2);
      if (oneA || oneB) splat(workspace, load<f32>(oneA ? rowA : rowB), min(n, BROADCAST_PIECE));
    }
    call_indirect<void>(
      block,
      y + ((row * n + from) << 2),
      oneA ? workspace : rowA + (from << 2),
      oneB ? workspace : rowB + (from << 2),
      min<usize>(BROADCAST_PIECE, n - from) << 2,
      <f32>0,
      <f32>0,
    );
  }
}
