// Losses, a row at a time, and their means.
//
//   softmaxCrossEntropy      L = Σⱼ tⱼ·(log Σ exp(x) − xⱼ); t = one-hot or the target row, smoothed: (1 − s)·t + s/classes
//                            dx = exp(x − log Σ exp(x))·Σt − t
//   binaryCrossEntropy       from logits         l = max(x, 0) − x·t + log(1 + exp(−|x|))             dx = σ(x) − t
//                            from probabilities  l = −t·max(log p, −100) − (1 − t)·max(log(1 − p), −100)
//                                                dp = (p − t)/max(p·(1 − p), 1e−12)
//   meanSquaredError         l = (x − t)²                                                              dx = 2·(x − t)
//
// Rows are split over ranks. A row is summed in four lanes, lane j taking elements j, j + 4, …; then (0 + 1) + (2 + 3).

import {
  ElementLoss,
  ElementLossBackward,
  LabelKind,
  MeanLoss,
  MeanLossBackward,
  SoftmaxCrossEntropy,
  SoftmaxCrossEntropyBackward,
  State,
} from "../isa";
import { expNegative4, sigmoid4 } from "../math/exp";
import { negativeAbs4 } from "../math/exp.micro";
import { loadPart } from "../math/lanes";
import { load4, store4 } from "../math/lanes.micro";
import { log1pUnit4, log4 } from "../math/log";
import { pointer, real, share, size, stateReal } from "../operands";

/** (l0 + l1) + (l2 + l3) */
function sumOfLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** All ones in the lanes that the first `bytes` bytes hold. */
function lanesWithin(bytes: usize): v128 {
  return i32x4.gt_s(i32x4.splat(<i32>min(bytes, 16)), i32x4(0, 4, 8, 12));
}

/** log x of one number. */
function log1(x: f32): f32 {
  return f32x4.extract_lane(log4(f32x4.splat(x)), 0);
}

/** The end of a row, fewer than four floats; −∞ in the other lanes. */
function logitsEnd(x: usize, bytes: usize): v128 {
  return v128.bitselect(loadPart(x, bytes), f32x4.splat(-Infinity), lanesWithin(bytes));
}

/** The greatest of a row's numbers, in all lanes. NaN may be passed over: the row's sum of exponentials is then NaN. */
function greatest(x: usize, bytes: usize): v128 {
  let m = f32x4.splat(-Infinity);
  for (; bytes >= 16; bytes -= 16) {
    m = f32x4.pmax(m, v128.load(x));
    x += 16;
  }
  if (bytes) m = f32x4.pmax(m, logitsEnd(x, bytes));
  m = f32x4.pmax(m, v128.shuffle<i32>(m, m, 2, 3, 0, 1));
  return f32x4.pmax(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2));
}

/** Σ exp(x − m) over a row, m its greatest number. */
function sumOfExponentials(x: usize, bytes: usize, m: v128): f32 {
  let sum = f32x4.splat(0);
  for (const end = x + bytes; x < end; x += 16) {
    const v = end - x >= 16 ? v128.load(x) : logitsEnd(x, end - x);
    sum = f32x4.add(sum, expNegative4(f32x4.sub(v, m)));
  }
  return sumOfLanes(sum);
}

/** Σ x over a row. */
function sumOfRow(x: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0);
  for (const end = x + bytes; x < end; x += 16) sum = f32x4.add(sum, load4(x, end - x));
  return sumOfLanes(sum);
}

export function softmaxCrossEntropy(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, SoftmaxCrossEntropy.rows);
  const classes = size(args, SoftmaxCrossEntropy.classes);
  const kind = size(args, SoftmaxCrossEntropy.kind);
  const smoothing = real(args, SoftmaxCrossEntropy.smoothing);
  const rowLoss = pointer(args, SoftmaxCrossEntropy.rowLoss);
  const rowCount = pointer(args, SoftmaxCrossEntropy.rowCount);
  const rowLogSum = pointer(args, SoftmaxCrossEntropy.rowLogSum);
  const logits = pointer(args, SoftmaxCrossEntropy.logits);
  const labels = pointer(args, SoftmaxCrossEntropy.labels);
  const weights = pointer(args, SoftmaxCrossEntropy.weights);
  const bytes = classes << 2;
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = logits + r * bytes;
    const m = greatest(x, bytes);
    const logSum = log1(sumOfExponentials(x, bytes, m));
    let labelled: bool;
    let loss: f32;
    if (kind == LabelKind.index) {
      const label = load<u32>(labels + (r << 2));
      labelled = <usize>label < classes;
      loss = labelled ? indexLoss(x, label, classes, f32x4.extract_lane(m, 0), logSum, smoothing) : 0;
    } else {
      const t = labels + r * bytes;
      const sum = sumOfRow(t, bytes);
      labelled = sum == sum;
      loss = rowsLoss(x, t, classes, m, logSum, smoothing);
    }
    if (weights) loss *= load<f32>(weights + (r << 2));
    store<f32>(rowLoss + (r << 2), labelled ? loss : 0);
    store<f32>(rowCount + (r << 2), labelled ? 1 : 0);
    store<f32>(rowLogSum + (r << 2), logSum);
  }
}

/** (1 − s)·(log Σ − x[label]) + s·mean(log Σ − x), x and log Σ less the maximum m. */
function indexLoss(x: usize, label: u32, classes: usize, m: f32, logSum: f32, smoothing: f32): f32 {
  const loss = logSum - (load<f32>(x + ((<usize>label) << 2)) - m);
  if (smoothing == 0) return loss;
  let sum: f32 = 0;
  for (let j: usize = 0; j < classes; j++) sum += logSum - (load<f32>(x + (j << 2)) - m);
  return (1 - smoothing) * loss + (smoothing / <f32>classes) * sum;
}

/** Σ t·(log Σ − x), t smoothed. */
function rowsLoss(x: usize, t: usize, classes: usize, m: v128, logSum: f32, smoothing: f32): f32 {
  const log = f32x4.splat(logSum);
  const scale = f32x4.splat(1 - smoothing);
  const shift = f32x4.splat(smoothing / <f32>classes);
  let sum = f32x4.splat(0);
  for (const end = x + (classes << 2); x < end; x += 16) {
    const target = f32x4.add(f32x4.mul(load4(t, end - x), scale), shift);
    const term = f32x4.mul(target, f32x4.sub(log, f32x4.sub(load4(x, end - x), m)));
    sum = f32x4.add(sum, v128.and(term, lanesWithin(end - x)));
    t += 16;
  }
  return sumOfLanes(sum);
}

export function softmaxCrossEntropyBackward(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, SoftmaxCrossEntropyBackward.rows);
  const classes = size(args, SoftmaxCrossEntropyBackward.classes);
  const kind = size(args, SoftmaxCrossEntropyBackward.kind);
  const smoothing = real(args, SoftmaxCrossEntropyBackward.smoothing);
  const dlogits = pointer(args, SoftmaxCrossEntropyBackward.dlogits);
  const dRow = pointer(args, SoftmaxCrossEntropyBackward.dRow);
  const logits = pointer(args, SoftmaxCrossEntropyBackward.logits);
  const labels = pointer(args, SoftmaxCrossEntropyBackward.labels);
  const weights = pointer(args, SoftmaxCrossEntropyBackward.weights);
  const rowLogSum = pointer(args, SoftmaxCrossEntropyBackward.rowLogSum);
  const bytes = classes << 2;
  const shift = smoothing / <f32>classes;
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const dx = dlogits + r * bytes;
    const x = logits + r * bytes;
    let scale = load<f32>(dRow + (r << 2));
    if (weights) scale *= load<f32>(weights + (r << 2));
    const logSum = load<f32>(rowLogSum + (r << 2));
    if (kind == LabelKind.index) {
      const label = load<u32>(labels + (r << 2));
      if (<usize>label < classes) {
        softmaxLess(dx, x, 0, bytes, logSum, scale, 1, 0, shift);
        const p = dx + ((<usize>label) << 2);
        store<f32>(p, load<f32>(p) - scale * (1 - smoothing));
      } else memory.fill(dx, 0, bytes);
    } else {
      const t = labels + r * bytes;
      const sum = sumOfRow(t, bytes);
      if (sum == sum) {
        softmaxLess(dx, x, t, bytes, logSum, scale, sum * (1 - smoothing) + smoothing, 1 - smoothing, shift);
      } else memory.fill(dx, 0, bytes);
    }
  }
}

/** dx = scale·(total·softmax(x) − (factor·t + shift)); without t, t = 0. */
function softmaxLess(
  dx: usize,
  x: usize,
  t: usize,
  bytes: usize,
  logSum: f32,
  scale: f32,
  total: f32,
  factor: f32,
  shift: f32,
): void {
  const m = greatest(x, bytes);
  const log = f32x4.splat(logSum);
  const end = x + bytes;
  while (x < end) {
    const softmax = expNegative4(f32x4.sub(f32x4.sub(load4(x, end - x), m), log));
    let target = f32x4.splat(shift);
    if (t) {
      target = f32x4.add(f32x4.mul(load4(t, end - x), f32x4.splat(factor)), target);
      t += 16;
    }
    const d = f32x4.sub(f32x4.mul(softmax, f32x4.splat(total)), target);
    store4(dx, f32x4.mul(d, f32x4.splat(scale)), end - x);
    x += 16;
    dx += 16;
  }
}

/** The elementwise losses. */
enum Kind {
  squared,
  logits,
  probabilities,
}

/** l of four elements. */
function elementLoss(x: v128, t: v128, kind: Kind): v128 {
  if (kind == Kind.squared) {
    const d = f32x4.sub(x, t);
    return f32x4.mul(d, d);
  }
  if (kind == Kind.logits) {
    const linear = f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), f32x4.mul(x, t));
    return f32x4.add(linear, log1pUnit4(expNegative4(negativeAbs4(x))));
  }
  const floor = f32x4.splat(-100);
  const one = f32x4.splat(1);
  const hit = f32x4.mul(t, f32x4.pmax(log4(x), floor));
  return f32x4.sub(f32x4.mul(f32x4.sub(t, one), f32x4.pmax(log4(f32x4.sub(one, x)), floor)), hit);
}

/** ∂l/∂x of four elements. */
function elementGradient(x: v128, t: v128, kind: Kind): v128 {
  const p = kind == Kind.logits ? sigmoid4(x) : x;
  const d = f32x4.sub(p, t);
  if (kind == Kind.logits) return d;
  if (kind == Kind.squared) return f32x4.add(d, d);
  return f32x4.div(d, f32x4.pmax(f32x4.mul(x, f32x4.sub(f32x4.splat(1), x)), f32x4.splat(1e-12)));
}

function elementLosses(args: usize, ith: u32, nth: u32, kind: Kind): void {
  const rows = size(args, ElementLoss.rows);
  const bytes = size(args, ElementLoss.n) << 2;
  const rowLoss = pointer(args, ElementLoss.rowLoss);
  const rowCount = pointer(args, ElementLoss.rowCount);
  const prediction = pointer(args, ElementLoss.prediction);
  const target = pointer(args, ElementLoss.target);
  const weights = pointer(args, ElementLoss.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let sum = f32x4.splat(0);
    let count = f32x4.splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const t = load4(target + r * bytes + i, bytes - i);
      const labelled = v128.and(f32x4.eq(t, t), lanesWithin(bytes - i));
      const l = elementLoss(load4(prediction + r * bytes + i, bytes - i), t, kind);
      sum = f32x4.add(sum, v128.and(l, labelled));
      count = i32x4.sub(count, labelled);
    }
    const weight: f32 = weights ? load<f32>(weights + (r << 2)) : 1;
    const labelled = sumOfLanes(f32x4.convert_i32x4_s(count));
    store<f32>(rowLoss + (r << 2), labelled > 0 ? weight * sumOfLanes(sum) : 0);
    store<f32>(rowCount + (r << 2), labelled);
  }
}

function elementGradients(args: usize, ith: u32, nth: u32, kind: Kind): void {
  const rows = size(args, ElementLossBackward.rows);
  const bytes = size(args, ElementLossBackward.n) << 2;
  const dprediction = pointer(args, ElementLossBackward.dprediction);
  const dRow = pointer(args, ElementLossBackward.dRow);
  const prediction = pointer(args, ElementLossBackward.prediction);
  const target = pointer(args, ElementLossBackward.target);
  const weights = pointer(args, ElementLossBackward.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let scale = load<f32>(dRow + (r << 2));
    if (weights) scale *= load<f32>(weights + (r << 2));
    for (let i: usize = 0; i < bytes; i += 16) {
      const at = r * bytes + i;
      const t = load4(target + at, bytes - i);
      const d = elementGradient(load4(prediction + at, bytes - i), t, kind);
      store4(dprediction + at, v128.and(f32x4.mul(d, f32x4.splat(scale)), f32x4.eq(t, t)), bytes - i);
    }
  }
}

export function binaryCrossEntropy(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, size(args, ElementLoss.option) ? Kind.logits : Kind.probabilities);
}

export function binaryCrossEntropyBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, size(args, ElementLossBackward.option) ? Kind.logits : Kind.probabilities);
}

export function meanSquaredError(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, Kind.squared);
}

export function meanSquaredErrorBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, Kind.squared);
}

/** What output `output` divides by: a denominator that is not 0, else its own count. */
function denominator(args: usize, output: usize, count: f32): f32 {
  if (output >= 8) return count;
  const given = stateReal(args, State.denominators + <i32>output);
  return given == 0 ? count : given;
}

/** On rank 0; sums in float64, in ascending order. */
export function meanLoss(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const result = pointer(args, MeanLoss.result);
  const rowLoss = pointer(args, MeanLoss.rowLoss);
  const rowCount = pointer(args, MeanLoss.rowCount);
  const bytes = size(args, MeanLoss.rows) << 2;
  let loss: f64 = 0;
  let count: f64 = 0;
  for (let i: usize = 0; i < bytes; i += 4) {
    loss += <f64>load<f32>(rowLoss + i);
    count += <f64>load<f32>(rowCount + i);
  }
  const by = <f64>denominator(args, size(args, MeanLoss.output), <f32>count);
  store<f32>(result, loss == 0 && by == 0 ? 0 : <f32>(loss / by));
  store<f32>(result, <f32>loss, 4);
  store<f32>(result, <f32>count, 8);
}

/** Split over rows. */
export function meanLossBackward(args: usize, ith: u32, nth: u32): void {
  const dRow = pointer(args, MeanLossBackward.dRow);
  const result = pointer(args, MeanLossBackward.result);
  const rows = size(args, MeanLossBackward.rows);
  const count = denominator(args, size(args, MeanLossBackward.output), load<f32>(result, 8));
  const value: f32 = count == 0 ? 0 : load<f32>(result, 12) / count;
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) store<f32>(dRow + (r << 2), value);
}
