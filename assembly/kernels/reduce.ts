// Σ and max along an axis.
//
//   y[o, c, i] = Σ or max of x[o, k, i] over the k of chunk c
//
// Where inner is 1 a chunk is summed in 16 lanes, element k in lane k mod 16, which are added in a fixed tree; else row by
// row, ascending. Chunks are of shapes alone (ts/ops/reductions.ts), one worker a chunk: the bits do not depend on nth.

import { Reduce, ReduceKind } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { addBlock, largestOf, maximumBlock, sumOf } from "./wide.micro";

export function reduce(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, Reduce.y);
  const x = pointer(args, Reduce.x);
  const largest = size(args, Reduce.kind) == ReduceKind.max;
  const n = size(args, Reduce.n);
  const inner = size(args, Reduce.inner);
  const chunk = size(args, Reduce.chunk);
  const bytes = inner << 2;
  const chunks = ceilDiv(n, chunk);
  const units = size(args, Reduce.outer) * chunks;
  const to = share(units, ith + 1, nth);
  for (let unit = share(units, ith, nth); unit < to; unit++) {
    const o = unit / chunks;
    const first = (unit - o * chunks) * chunk;
    const count = min(chunk, n - first);
    const from = x + (o * n + first) * bytes;
    const into = y + unit * bytes;
    if (inner == 1) store<f32>(into, largest ? largestOf(from, count) : sumOf(from, count));
    else {
      memory.copy(into, from, bytes);
      for (let k: usize = 1; k < count; k++) {
        if (largest) maximumBlock(into, into, from + k * bytes, bytes, 0, 0);
        else addBlock(into, into, from + k * bytes, bytes, 0, 0);
      }
    }
  }
}
