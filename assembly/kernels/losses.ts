// Losses, a row at a time, and their means.
//
//   softmaxCrossEntropy      L = Σⱼ tⱼ·(log Σ exp(x) − xⱼ); t = one-hot or the target row, smoothed: (1 − s)·t + s/classes
//                            dx = exp(x)/Σ exp(x) · Σt − t
//   binaryCrossEntropy       from logits         l = max(x, 0) − x·t + log(1 + exp(−|x|))             dx = σ(x) − t
//                            from probabilities  l = −t·max(log p, −100) − (1 − t)·max(log(1 − p), −100)
//                                                dp = (p − t)/max(p·(1 − p), 1e−12)
//   meanSquaredError         l = (x − t)²                                                              dx = 2·(x − t)
//   meanAbsoluteError        l = |x − t|                                                               dx = sign(x − t), 0 at 0
//   huber                    l = ½d² where |d| = |x − t| < δ, else δ·(|d| − ½δ)                         dx = d within ±δ
//   hinge                    l = max(0, 1 − t·x)                                                       dx = −t where l > 0
//   poisson                  l = x − t·log(x + 1e−8);  from the log  exp(x) − t·x                      dx = 1 − t/(x + 1e−8);  exp(x) − t
//
// Rows are split over ranks. A row is summed in four lanes, lane j taking elements j, j + 4, …; then (0 + 1) + (2 + 3); then
// what whole vectors leave over. All exponentials are of numbers less the row's maximum.

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
import { expNegative4 } from "../math/exp.micro";
import { log4 } from "../math/log";
import { pointer, real, share, size, stateReal } from "../operands";
import { elementGradient, elementLoss, Kind } from "./elementLoss.micro";
import { lessFour, loadRest, storeRest } from "./rest.micro";

/** (l0 + l1) + (l2 + l3) */
function sumOfLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** The greatest of n numbers. NaN may be passed over: the row's sum of exponentials is then NaN. */
export function greatest(x: usize, n: usize): f32 {
  let m = f32x4.splat(-Infinity);
  for (; n; n = lessFour(n)) {
    m = f32x4.pmax(m, loadRest(x, n, -Infinity));
    x += 16;
  }
  m = f32x4.pmax(m, v128.shuffle<i32>(m, m, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2)), 0);
}

/**
 * Σ exp(x − m) over n numbers, none greater than m; the exponentials go to `to`, which may be x, or be 0. Those below e⁻⁸⁰
 * count as 0: subnormal numbers cost the processor 30 ns each, here and in every product that their gradients enter.
 */
function exponentials(to: usize, x: usize, n: usize, m: f32): f32 {
  const most = f32x4.splat(m);
  const least = f32x4.splat(-80);
  let sum = f32x4.splat(0);
  for (; n; n = lessFour(n)) {
    const d = f32x4.sub(loadRest(x, n, -Infinity), most);
    const e = v128.andnot(expNegative4(f32x4.pmax(d, least)), f32x4.lt(d, least)); // NaN stays
    sum = f32x4.add(sum, e);
    if (to) {
      storeRest(to, e, n);
      to += 16;
    }
    x += 16;
  }
  return sumOfLanes(sum);
}

/** Σ x over n numbers. */
export function sumOfRow(x: usize, n: usize): f32 {
  let sum = f32x4.splat(0);
  for (; n; n = lessFour(n)) {
    sum = f32x4.add(sum, loadRest(x, n, 0));
    x += 16;
  }
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
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = logits + r * (classes << 2);
    const m = greatest(x, classes);
    const logSum = f32x4.extract_lane(log4(f32x4.splat(exponentials(0, x, classes, m))), 0);
    let labelled: bool;
    let loss: f32;
    if (kind == LabelKind.index) {
      const label = <usize>load<u32>(labels + (r << 2));
      labelled = label < classes;
      loss = labelled ? logSum - (load<f32>(x + (label << 2)) - m) : 0;
    } else {
      const t = labels + r * (classes << 2);
      const sum = sumOfRow(t, classes);
      labelled = sum == sum;
      loss = rowsLoss(x, t, classes, m, logSum);
    }
    if (smoothing != 0) loss = (1 - smoothing) * loss + (smoothing / <f32>classes) * rowsLoss(x, 0, classes, m, logSum);
    if (weights) loss *= load<f32>(weights + (r << 2));
    store<f32>(rowLoss + (r << 2), labelled ? loss : 0);
    store<f32>(rowCount + (r << 2), labelled ? 1 : 0);
    store<f32>(rowLogSum + (r << 2), m + logSum);
  }
}

/** Σ t·(log Σ − x), x and log Σ less the maximum m; without t, t = 1. */
function rowsLoss(x: usize, t: usize, n: usize, m: f32, logSum: f32): f32 {
  const most = f32x4.splat(m);
  const log = f32x4.splat(logSum);
  let sums = f32x4.splat(0);
  for (; n >= 4; n -= 4) {
    let term = f32x4.sub(log, f32x4.sub(v128.load(x), most));
    if (t) {
      term = f32x4.mul(term, v128.load(t));
      t += 16;
    }
    sums = f32x4.add(sums, term);
    x += 16;
  }
  let sum = sumOfLanes(sums);
  for (const end = x + (n << 2); x < end; x += 4) {
    let term = logSum - (load<f32>(x) - m);
    if (t) {
      term *= load<f32>(t);
      t += 4;
    }
    sum += term;
  }
  return sum;
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
  const bytes = classes << 2;
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const dx = dlogits + r * bytes;
    const x = logits + r * bytes;
    let scale = load<f32>(dRow + (r << 2));
    if (weights) scale *= load<f32>(weights + (r << 2));
    const factor = scale * (1 - smoothing);
    const shift = scale * (smoothing / <f32>classes);
    const sum = exponentials(dx, x, classes, greatest(x, classes));
    if (kind == LabelKind.index) {
      const label = <usize>load<u32>(labels + (r << 2));
      if (label < classes) {
        combine(dx, 0, classes, scale / sum, 0, shift);
        const p = dx + (label << 2);
        store<f32>(p, load<f32>(p) - factor);
      } else memory.fill(dx, 0, bytes);
    } else {
      const t = labels + r * bytes;
      const total = sumOfRow(t, classes);
      if (total == total) combine(dx, t, classes, (total * factor + scale * smoothing) / sum, factor, shift);
      else memory.fill(dx, 0, bytes);
    }
  }
}

/** y = scale·y − (factor·t + shift), n numbers; without t, t = 0. */
function combine(y: usize, t: usize, n: usize, scale: f32, factor: f32, shift: f32): void {
  const scales = f32x4.splat(scale);
  const factors = f32x4.splat(factor);
  const shifts = f32x4.splat(shift);
  for (; n; n = lessFour(n)) {
    let target = shifts;
    if (t) {
      target = f32x4.add(f32x4.mul(loadRest(t, n, 0), factors), target);
      t += 16;
    }
    storeRest(y, f32x4.sub(f32x4.mul(loadRest(y, n, 0), scales), target), n);
    y += 16;
  }
}

function elementLosses(args: usize, ith: u32, nth: u32, kind: Kind, delta: f32): void {
  const rows = size(args, ElementLoss.rows);
  const n = size(args, ElementLoss.n);
  const rowLoss = pointer(args, ElementLoss.rowLoss);
  const rowCount = pointer(args, ElementLoss.rowCount);
  const prediction = pointer(args, ElementLoss.prediction);
  const target = pointer(args, ElementLoss.target);
  const weights = pointer(args, ElementLoss.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let sum = f32x4.splat(0);
    let count = f32x4.splat(0);
    let at = (r * n) << 2;
    for (let left = n; left; left = lessFour(left)) {
      const t = loadRest(target + at, left, NaN);
      const labelled = f32x4.eq(t, t);
      const l = elementLoss(loadRest(prediction + at, left, 0), t, kind, delta);
      sum = f32x4.add(sum, v128.and(l, labelled));
      count = i32x4.sub(count, labelled);
      at += 16;
    }
    const weight: f32 = weights ? load<f32>(weights + (r << 2)) : 1;
    const labelled = sumOfLanes(f32x4.convert_i32x4_s(count));
    store<f32>(rowLoss + (r << 2), labelled > 0 ? weight * sumOfLanes(sum) : 0);
    store<f32>(rowCount + (r << 2), labelled);
  }
}

function elementGradients(args: usize, ith: u32, nth: u32, kind: Kind, delta: f32): void {
  const rows = size(args, ElementLossBackward.rows);
  const n = size(args, ElementLossBackward.n);
  const dprediction = pointer(args, ElementLossBackward.dprediction);
  const dRow = pointer(args, ElementLossBackward.dRow);
  const prediction = pointer(args, ElementLossBackward.prediction);
  const target = pointer(args, ElementLossBackward.target);
  const weights = pointer(args, ElementLossBackward.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let scale = load<f32>(dRow + (r << 2));
    if (weights) scale *= load<f32>(weights + (r << 2));
    let at = (r * n) << 2;
    for (let left = n; left; left = lessFour(left)) {
      const t = loadRest(target + at, left, 0);
      const d = elementGradient(loadRest(prediction + at, left, 0), t, kind, delta);
      storeRest(dprediction + at, v128.and(f32x4.mul(d, f32x4.splat(scale)), f32x4.eq(t, t)), left);
      at += 16;
    }
  }
}

/** An option of two values (ElementLossBackward has it in the same slot): the first kind where it is set, else the second. */
function kindOf(args: usize, set: Kind, not: Kind): Kind {
  return size(args, ElementLoss.option) ? set : not;
}

export function binaryCrossEntropy(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, kindOf(args, Kind.logits, Kind.probabilities), 0);
}

export function binaryCrossEntropyBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, kindOf(args, Kind.logits, Kind.probabilities), 0);
}

export function meanSquaredError(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, Kind.squared, 0);
}

export function meanSquaredErrorBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, Kind.squared, 0);
}

export function meanAbsoluteError(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, Kind.absolute, 0);
}

export function meanAbsoluteErrorBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, Kind.absolute, 0);
}

export function huber(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, Kind.huber, real(args, ElementLoss.option));
}

export function huberBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, Kind.huber, real(args, ElementLossBackward.option));
}

export function hinge(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, Kind.hinge, 0);
}

export function hingeBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, Kind.hinge, 0);
}

export function poisson(args: usize, ith: u32, nth: u32): void {
  elementLosses(args, ith, nth, kindOf(args, Kind.logRate, Kind.rate), 0);
}

export function poissonBackward(args: usize, ith: u32, nth: u32): void {
  elementGradients(args, ith, nth, kindOf(args, Kind.logRate, Kind.rate), 0);
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

export { sumOfLanes };
