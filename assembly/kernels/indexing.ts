// Rows by number.
//
//   take           y[o, j, :] = x[o, index(j), :]
//   takeBackward   dx[o, r, :] = Σ over the j with index(j) = r of dy[o, j, :]
//   oneHot         y[r, c] = [c = label r]
//
// takeBackward's workers go over all indices, each for columns of its own in whole cache lines (however often a few rows come, all
// have as much to do), or where there are few columns for rows of dx: sums are in ascending j for every nth.

import { OneHot, Take, TakeBackward } from "../isa";
import { pointer, share, shareOf, size } from "../operands";
import { addBlock } from "./wide.micro";

/** The whole number at `p`, cut to 0 … n − 1; 0 for NaN. */
function indexAt(p: usize, n: usize): usize {
  return <usize>min<i32>(max<i32>(<i32>load<f32>(p), 0), <i32>n - 1);
}

export function take(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, Take.y);
  const x = pointer(args, Take.x);
  const indices = pointer(args, Take.indices);
  const n = size(args, Take.n);
  const count = size(args, Take.count);
  const bytes = size(args, Take.inner) << 2;
  const units = size(args, Take.outer) * count;
  const to = share(units, ith + 1, nth);
  for (let unit = share(units, ith, nth); unit < to; unit++) {
    const o = unit / count;
    const index = indexAt(indices + ((unit - o * count) << 2), n);
    memory.copy(y + unit * bytes, x + (o * n + index) * bytes, bytes);
  }
}

export function takeBackward(args: usize, ith: u32, nth: u32): void {
  const dx = pointer(args, TakeBackward.dx);
  const dy = pointer(args, TakeBackward.dy);
  const indices = pointer(args, TakeBackward.indices);
  const outer = size(args, TakeBackward.outer);
  const n = size(args, TakeBackward.n);
  const count = size(args, TakeBackward.count);
  const bytes = size(args, TakeBackward.inner) << 2;
  const wide = bytes >= (<usize>nth) << 6;
  const from: usize = wide ? 0 : share(n, ith, nth);
  const to = wide ? n : share(n, ith + 1, nth);
  const left: usize = wide ? shareOf(bytes, 64, ith, nth) : 0;
  const width = wide ? shareOf(bytes, 64, ith + 1, nth) - left : bytes;
  for (let o: usize = 0; o < outer; o++) {
    for (let r = from; r < to; r++) memory.fill(dx + (o * n + r) * bytes + left, 0, width);
    for (let j: usize = 0; j < count; j++) {
      const index = indexAt(indices + (j << 2), n);
      if (index < from || index >= to) continue;
      const row = dx + (o * n + index) * bytes + left;
      addBlock(row, row, dy + (o * count + j) * bytes + left, width, 0, 0);
    }
  }
}

/** Split over rows. */
export function oneHot(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, OneHot.y);
  const present = pointer(args, OneHot.present);
  const labels = pointer(args, OneHot.labels);
  const rows = size(args, OneHot.rows);
  const bytes = size(args, OneHot.classes) << 2;
  const to = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < to; r++) {
    const label = load<i32>(labels + (r << 2));
    memory.fill(y + r * bytes, 0, bytes);
    store<f32>(y + r * bytes + (max(label, 0) << 2), 1);
    store<f32>(present + (r << 2), label < 0 ? 0 : 1);
  }
}
