// Accuracy, a row at a time.
//
//   index, rows    rowCorrect = w · [argmax prediction = class], rowWeight = w; equal values: the first is the greatest
//   binary kinds   rowCorrect = w · number of j with [prediction > cut] = [target > ½], rowWeight = w · number labelled
//
// Both are 0 where there is no label: class −1, a NaN in a target row, in the binary kinds no target that is a number.
// A NaN among predictions is never right. Rows are split over ranks.

import { Accuracy, AccuracyKind } from "../isa";
import { pointer, share, size } from "../operands";

export function accuracy(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, Accuracy.rows);
  const n = size(args, Accuracy.n);
  const kind = <i32>size(args, Accuracy.kind);
  const rowCorrect = pointer(args, Accuracy.rowCorrect);
  const rowWeight = pointer(args, Accuracy.rowWeight);
  const prediction = pointer(args, Accuracy.prediction);
  const labels = pointer(args, Accuracy.labels);
  const weights = pointer(args, Accuracy.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = prediction + r * (n << 2);
    const t = labels + r * (n << 2);
    let correct: u32 = 0;
    let labelled: u32 = 0;
    if (kind >= AccuracyKind.binaryLogits) {
      const cut: f32 = kind == AccuracyKind.binaryLogits ? 0 : 0.5;
      for (let j: usize = 0; j < n << 2; j += 4) {
        const target = load<f32>(t + j);
        const p = load<f32>(x + j);
        const known = u32(target == target);
        labelled += known;
        correct += known & u32(p == p && p > cut == target > 0.5);
      }
    } else {
      const label = kind == AccuracyKind.index ? <usize>load<u32>(labels + (r << 2)) : indexOfGreatest(t, n);
      labelled = u32(label < n);
      correct = labelled & u32(label == indexOfGreatest(x, n));
    }
    const weight: f32 = weights ? load<f32>(weights + (r << 2)) : 1;
    store<f32>(rowCorrect + (r << 2), correct ? weight * <f32>correct : 0);
    store<f32>(rowWeight + (r << 2), labelled ? weight * <f32>labelled : 0);
  }
}

/** Where the first of the greatest of n numbers stands; n where one is NaN. */
export function indexOfGreatest(x: usize, n: usize): usize {
  let best = load<f32>(x);
  let index: usize = 0;
  for (let j: usize = 0; j < n; j++) {
    const value = load<f32>(x + (j << 2));
    if (value != value) return n;
    if (value > best) {
      best = value;
      index = j;
    }
  }
  return index;
}
