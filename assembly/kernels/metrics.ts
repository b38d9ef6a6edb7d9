// Metrics beside accuracy (accuracy.ts). topKAccuracy has a number a row, its rows split over ranks. The others are sums from
// which the figure of all batches together is made: on rank 0, in ascending order of rows, in f64 where numbers of
// different sizes meet.
//
//   confusion        of each class Σ w where it is predicted and true, predicted, true
//   squareSums       of each column Σ w, Σ w·t, Σ w·t², Σ w·(t − x)²
//   scoreHistogram   of each column Σ w, Σ w·u, Σ w·u² of false and of true labels, by bins of the score s: z = (s/(1 + |s|) + 1)/2
//                    · bins, bin ⌊z⌋, u = z − ⌊z⌋ − ½
//
// What is not labelled is left out, as in accuracy.ts.

import { AccuracyKind, Confusion, Score, ScoreHistogram, SquareSums, TopKAccuracy } from "../isa";
import { exp64, log64 } from "../math/scalars";
import { pointer, share, size } from "../operands";
import { indexOfGreatest } from "./accuracy";
import { greatest } from "./losses";

function weightOf(weights: usize, r: usize): f64 {
  return weights ? load<f32>(weights + (r << 2)) : 1;
}

/** The class of row r, n where it has none. */
function classOf(labels: usize, r: usize, n: usize, kind: AccuracyKind): usize {
  if (kind == AccuracyKind.index) return min<usize>(load<u32>(labels + (r << 2)), n);
  return indexOfGreatest(labels + ((r * n) << 2), n);
}

/** Equal numbers: the first is the greater one. A NaN among the predictions is never right. */
export function topKAccuracy(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, TopKAccuracy.rows);
  const n = size(args, TopKAccuracy.n);
  const kind = <AccuracyKind>size(args, TopKAccuracy.kind);
  const k = size(args, TopKAccuracy.k);
  const rowCorrect = pointer(args, TopKAccuracy.rowCorrect);
  const rowWeight = pointer(args, TopKAccuracy.rowWeight);
  const prediction = pointer(args, TopKAccuracy.prediction);
  const labels = pointer(args, TopKAccuracy.labels);
  const weights = pointer(args, TopKAccuracy.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = prediction + ((r * n) << 2);
    const label = classOf(labels, r, n, kind);
    const weight = label < n ? <f32>weightOf(weights, r) : 0;
    store<f32>(rowCorrect + (r << 2), label < n && rankOf(x, n, label) < k ? weight : 0);
    store<f32>(rowWeight + (r << 2), weight);
  }
}

/** How many of n numbers come before number `index`; −1 as usize where one is NaN. */
function rankOf(x: usize, n: usize, index: usize): usize {
  const own = load<f32>(x + (index << 2));
  let before: usize = 0;
  for (let j: usize = 0; j < n; j++) {
    const value = load<f32>(x + (j << 2));
    if (value != value) return -1;
    before += usize(value > own) + (usize(value == own) & usize(j < index));
  }
  return before;
}

/** y[slot] += value, f64. */
function add(y: usize, slot: usize, value: f64): void {
  store<f64>(y + (slot << 3), load<f64>(y + (slot << 3)) + value);
}

export function confusion(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const rows = size(args, Confusion.rows);
  const n = size(args, Confusion.n);
  const kind = <AccuracyKind>size(args, Confusion.kind);
  const sums = pointer(args, Confusion.sums);
  const totals = pointer(args, Confusion.workspace);
  const prediction = pointer(args, Confusion.prediction);
  const labels = pointer(args, Confusion.labels);
  const weights = pointer(args, Confusion.weights);
  const cut: f32 = kind == AccuracyKind.binaryLogits ? 0 : 0.5;
  memory.fill(totals, 0, n * 24);
  for (let r: usize = 0; r < rows; r++) {
    const weight = weightOf(weights, r);
    const x = prediction + ((r * n) << 2);
    if (kind >= AccuracyKind.binaryLogits) {
      for (let j: usize = 0; j < n; j++) {
        const t = load<f32>(labels + ((r * n + j) << 2));
        if (t != t) continue;
        const predicted = load<f32>(x + (j << 2)) > cut;
        const real = t > 0.5;
        if (predicted && real) add(totals, 3 * j, weight);
        if (predicted) add(totals, 3 * j + 1, weight);
        if (real) add(totals, 3 * j + 2, weight);
      }
    } else {
      const label = classOf(labels, r, n, kind);
      if (label >= n) continue;
      const predicted = indexOfGreatest(x, n);
      if (predicted == label) add(totals, 3 * label, weight);
      if (predicted < n) add(totals, 3 * predicted + 1, weight);
      add(totals, 3 * label + 2, weight);
    }
  }
  for (let i: usize = 0; i < 3 * n; i++) store<f32>(sums + (i << 2), <f32>load<f64>(totals + (i << 3)));
}

export function squareSums(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const rows = size(args, SquareSums.rows);
  const n = size(args, SquareSums.n);
  const sums = pointer(args, SquareSums.sums);
  const totals = pointer(args, SquareSums.workspace);
  const weights = pointer(args, SquareSums.weights);
  let prediction = pointer(args, SquareSums.prediction);
  let target = pointer(args, SquareSums.target);
  memory.fill(totals, 0, n << 5);
  for (let r: usize = 0; r < rows; r++) {
    const weight = weightOf(weights, r);
    for (let j: usize = 0; j < n; j++) {
      const t = <f64>load<f32>(target);
      const d = t - <f64>load<f32>(prediction);
      target += 4;
      prediction += 4;
      if (t != t) continue;
      add(totals, 4 * j, weight);
      add(totals, 4 * j + 1, weight * t);
      add(totals, 4 * j + 2, weight * t * t);
      add(totals, 4 * j + 3, weight * d * d);
    }
  }
  for (let i: usize = 0; i < 4 * n; i++) {
    const total = load<f64>(totals + (i << 3));
    const high = <f32>total;
    store<f32>(sums + (i << 3), high);
    store<f32>(sums + (i << 3), <f32>(total - <f64>high), 4);
  }
}

export function scoreHistogram(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const rows = size(args, ScoreHistogram.rows);
  const n = size(args, ScoreHistogram.n);
  const kind = <AccuracyKind>size(args, ScoreHistogram.kind);
  const score = <Score>size(args, ScoreHistogram.score);
  const bins = size(args, ScoreHistogram.bins);
  const sums = pointer(args, ScoreHistogram.sums);
  const prediction = pointer(args, ScoreHistogram.prediction);
  const labels = pointer(args, ScoreHistogram.labels);
  const weights = pointer(args, ScoreHistogram.weights);
  const binary = kind >= AccuracyKind.binaryLogits;
  memory.fill(sums, 0, n * bins * 24);
  for (let r: usize = 0; r < rows; r++) {
    const weight = <f32>weightOf(weights, r);
    const x = prediction + ((r * n) << 2);
    const label: usize = binary ? 0 : classOf(labels, r, n, kind);
    if (label >= n) continue;
    const most = score == Score.softmax ? greatest(x, n) : 0;
    const all = score == Score.softmax ? exponentials(x, n, most, n) : 0;
    for (let j: usize = 0; j < n; j++) {
      const t = binary ? load<f32>(labels + ((r * n + j) << 2)) : <f32>u32(j == label);
      if (t != t) continue;
      let s = <f64>load<f32>(x + (j << 2));
      if (score == Score.probability) s = log64(s) - log64(1 - s);
      else if (score == Score.softmax) {
        s -= most;
        let others = all - exp64(s);
        if (others < 0.5 * all) others = exponentials(x, n, most, j); // what cancels is summed anew
        s -= log64(others);
      }
      s = max<f64>(min<f64>(s, 1e300), -1e300);
      const z = ((s / (1 + abs<f64>(s)) + 1) / 2) * <f64>bins;
      const bin = min<usize>(<usize>(<u32>z), bins - 1);
      const u = <f32>(z - <f64>bin - 0.5);
      const at = sums + ((2 * j + usize(t > 0.5)) * bins + bin) * 12;
      store<f32>(at, load<f32>(at) + weight);
      store<f32>(at, load<f32>(at, 4) + weight * u, 4);
      store<f32>(at, load<f32>(at, 8) + weight * u * u, 8);
    }
  }
}

/** Σ exp(x − most) over n numbers but number `without`. */
function exponentials(x: usize, n: usize, most: f32, without: usize): f64 {
  let sum: f64 = 0;
  for (let j: usize = 0; j < n; j++) if (j != without) sum += exp64(<f64>load<f32>(x + (j << 2)) - <f64>most);
  return sum;
}
