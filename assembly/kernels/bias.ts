// Bias along the last axis of a row-major (m, n) matrix.
//
//   forward    y[i,j] = x[i,j] + b[j]
//   backward   dx = dy (aliased by the planner),  db[j] = Σᵢ dy[i,j]
//
// db is summed in chunks of chunkRows rows, one worker a chunk, then over the partials in chunk order. Each sum is the
// chain s ← s + x over ascending rows: shapes alone decide the bits. Rows are walked whole, four at a time.

import { BiasAdd, ColumnSums, ReduceRows } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { ceilDiv, pointer, share, shareOf, size } from "../operands";
import { addBlock } from "./wide.micro";

/** y[i, :] = x[i, :] + b. Split over rows. */
export function biasAdd(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, BiasAdd.y);
  const x = pointer(args, BiasAdd.x);
  const b = pointer(args, BiasAdd.b);
  const m = size(args, BiasAdd.m);
  const bytes = size(args, BiasAdd.n) << 2;
  const to = share(m, ith + 1, nth);
  for (let i = share(m, ith, nth); i < to; i++) addBlock(y + i * bytes, x + i * bytes, b, bytes, 0, 0);
}

/** y[j] = Σᵢ x[i, j] over `rows` rows of `bytes` bytes, `stride` bytes apart. */
function sumRows(y: usize, x: usize, rows: usize, bytes: usize, stride: usize): void {
  memory.fill(y, 0, bytes);
  for (; rows >= 4; rows -= 4) {
    const x1 = x + stride;
    const x2 = x1 + stride;
    const x3 = x2 + stride;
    for (let j: usize = 0; j < bytes; j += 16) {
      const left = bytes - j;
      let s = f32x4.add(load4(y + j, left), load4(x + j, left));
      s = f32x4.add(s, load4(x1 + j, left));
      s = f32x4.add(s, load4(x2 + j, left));
      store4(y + j, f32x4.add(s, load4(x3 + j, left)), left);
    }
    x = x3 + stride;
  }
  for (; rows > 0; rows--) {
    addBlock(y, y, x, bytes, 0, 0);
    x += stride;
  }
}

/** partials[c, :] = column sums of the c-th chunk of rows of x. Split over chunks. */
export function columnSums(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, ColumnSums.partials);
  const x = pointer(args, ColumnSums.x);
  const m = size(args, ColumnSums.m);
  const bytes = size(args, ColumnSums.n) << 2;
  const chunkRows = size(args, ColumnSums.chunkRows);
  const chunks = ceilDiv(m, chunkRows);
  const to = share(chunks, ith + 1, nth);
  for (let c = share(chunks, ith, nth); c < to; c++) {
    const row = c * chunkRows;
    sumRows(partials + c * bytes, x + row * bytes, min(chunkRows, m - row), bytes, bytes);
  }
}

/** y[j] = Σ over chunks, in chunk order, of partials[chunk, j]. Split over j. */
export function reduceRows(args: usize, ith: u32, nth: u32): void {
  const n = size(args, ReduceRows.n);
  const from = shareOf(n, 16, ith, nth) << 2;
  const bytes = (shareOf(n, 16, ith + 1, nth) << 2) - from;
  const y = pointer(args, ReduceRows.y) + from;
  sumRows(y, pointer(args, ReduceRows.partials) + from, size(args, ReduceRows.chunks), bytes, n << 2);
}
