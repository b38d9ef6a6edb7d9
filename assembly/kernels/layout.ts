// Copies between layouts: transposing, slicing, joining, repeating.
//
//   y[offsetY + i·stridesY] = x[offsetX + i·stridesX],   i = (i₀, …, i_{rank−1})
//
// Split over rows, the axes before the last; where there are few, over pieces of the last axis.

import { StridedCopy } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { rowOffset, rowsOf, splat } from "./broadcast";

const PIECE: usize = 4096;

export function stridedCopy(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, StridedCopy.y) + (size(args, StridedCopy.offsetY) << 2);
  const x = pointer(args, StridedCopy.x) + (size(args, StridedCopy.offsetX) << 2);
  const rank = size(args, StridedCopy.rank);
  const last = <i32>rank - 1;
  const n = size(args, StridedCopy.dims + last);
  const stepY = size(args, StridedCopy.stridesY + last) << 2;
  const stepX = size(args, StridedCopy.stridesX + last) << 2;
  const pieces = ceilDiv(n, PIECE);
  const units = rowsOf(args, StridedCopy.dims, rank) * pieces;
  const to = share(units, ith + 1, nth);
  for (let unit = share(units, ith, nth); unit < to; unit++) {
    const row = unit / pieces;
    const first = (unit - row * pieces) * PIECE;
    const count = min(PIECE, n - first);
    let p = y + (rowOffset(args, StridedCopy.dims, StridedCopy.stridesY, rank, row) << 2) + first * stepY;
    let q = x + (rowOffset(args, StridedCopy.dims, StridedCopy.stridesX, rank, row) << 2) + first * stepX;
    if (stepY == 4 && stepX == 4) memory.copy(p, q, count << 2);
    else if (stepY == 4 && stepX == 0) splat(p, load<f32>(q), count);
    else
      for (let i: usize = 0; i < count; i++) {
        store<f32>(p, load<f32>(q));
        p += stepY;
        q += stepX;
      }
  }
}
