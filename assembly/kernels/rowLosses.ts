// Losses of whole rows: x the prediction, t the target, both (rows, n). A NaN in t masks its row.
//
//   kullbackLeibler     L = Σⱼ tⱼ·(log tⱼ − max(log xⱼ, −100)), 0·log 0 = 0        dx = −t/max(x, 1e−12)
//   cosineSimilarity    L = 1 − x·t/(a·b), a = max(|x|, 1e−8), b = max(|t|, 1e−8)   dx = −t/(a·b) + x·(x·t)/(|x|²·a·b)
//                                                                                  (the last term where |x| > 1e−8)
//
// Rows are split over ranks. The cosine's sums are in f64, in four lanes: no square overflows.

import { ElementLoss, ElementLossBackward } from "../isa";
import { log4 } from "../math/log";
import { pointer, share, size } from "../operands";
import { sumOfLanes, sumOfRow } from "./losses";
import { lessFour, loadRest, storeRest } from "./rest.micro";

const EPSILON: f64 = 1e-8;

/** The row's weight. */
function weightOf(weights: usize, r: usize): f32 {
  return weights ? load<f32>(weights + (r << 2)) : 1;
}

function putRow(args: usize, r: usize, loss: f32, labelled: bool): void {
  const weight = weightOf(pointer(args, ElementLoss.weights), r);
  store<f32>(pointer(args, ElementLoss.rowLoss) + (r << 2), labelled ? weight * loss : 0);
  store<f32>(pointer(args, ElementLoss.rowCount) + (r << 2), labelled ? 1 : 0);
}

export function kullbackLeibler(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, ElementLoss.rows);
  const n = size(args, ElementLoss.n);
  const prediction = pointer(args, ElementLoss.prediction);
  const target = pointer(args, ElementLoss.target);
  const zero = f32x4.splat(0);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let at = (r * n) << 2;
    const total = sumOfRow(target + at, n);
    let sum = zero;
    for (let left = n; left; left = lessFour(left)) {
      const t = loadRest(target + at, left, 0);
      const log = f32x4.pmax(log4(loadRest(prediction + at, left, 1)), f32x4.splat(-100));
      const term = f32x4.mul(t, f32x4.sub(log4(t), log));
      sum = f32x4.add(sum, v128.andnot(term, f32x4.eq(t, zero)));
      at += 16;
    }
    putRow(args, r, sumOfLanes(sum), total == total);
  }
}

export function kullbackLeiblerBackward(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, ElementLossBackward.rows);
  const n = size(args, ElementLossBackward.n);
  const dprediction = pointer(args, ElementLossBackward.dprediction);
  const dRow = pointer(args, ElementLossBackward.dRow);
  const prediction = pointer(args, ElementLossBackward.prediction);
  const target = pointer(args, ElementLossBackward.target);
  const weights = pointer(args, ElementLossBackward.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let at = (r * n) << 2;
    const total = sumOfRow(target + at, n);
    if (total != total) {
      memory.fill(dprediction + at, 0, n << 2);
      continue;
    }
    const scale = f32x4.splat(-load<f32>(dRow + (r << 2)) * weightOf(weights, r));
    for (let left = n; left; left = lessFour(left)) {
      const x = f32x4.pmax(loadRest(prediction + at, left, 1), f32x4.splat(1e-12));
      storeRest(dprediction + at, f32x4.mul(scale, f32x4.div(loadRest(target + at, left, 0), x)), left);
      at += 16;
    }
  }
}

/** Σ a·b over n numbers. */
function dot(a: usize, b: usize, n: usize): f64 {
  let low = f64x2.splat(0);
  let high = low;
  for (; n; n = lessFour(n)) {
    const u = loadRest(a, n, 0);
    const v = loadRest(b, n, 0);
    low = f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(u), f64x2.promote_low_f32x4(v)));
    const upper = f64x2.promote_low_f32x4(v128.shuffle<i32>(u, u, 2, 3, 2, 3));
    high = f64x2.add(high, f64x2.mul(upper, f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3))));
    a += 16;
    b += 16;
  }
  const sum = f64x2.add(low, high);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** The length of n numbers, at least ε. */
function length(squares: f64): f64 {
  return max<f64>(sqrt<f64>(squares), EPSILON);
}

export function cosineSimilarity(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, ElementLoss.rows);
  const n = size(args, ElementLoss.n);
  const prediction = pointer(args, ElementLoss.prediction);
  const target = pointer(args, ElementLoss.target);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = prediction + ((r * n) << 2);
    const t = target + ((r * n) << 2);
    const squares = dot(t, t, n);
    const cosine = dot(x, t, n) / (length(dot(x, x, n)) * length(squares));
    putRow(args, r, <f32>(1 - cosine), squares == squares);
  }
}

export function cosineSimilarityBackward(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, ElementLossBackward.rows);
  const n = size(args, ElementLossBackward.n);
  const dprediction = pointer(args, ElementLossBackward.dprediction);
  const dRow = pointer(args, ElementLossBackward.dRow);
  const prediction = pointer(args, ElementLossBackward.prediction);
  const target = pointer(args, ElementLossBackward.target);
  const weights = pointer(args, ElementLossBackward.weights);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    let at = (r * n) << 2;
    const x = prediction + at;
    const t = target + at;
    const squares = dot(t, t, n);
    if (squares != squares) {
      memory.fill(dprediction + at, 0, n << 2);
      continue;
    }
    const own = dot(x, x, n);
    const scale = (<f64>load<f32>(dRow + (r << 2)) * <f64>weightOf(weights, r)) / (length(own) * length(squares));
    const along = f32x4.splat(<f32>(sqrt<f64>(own) > EPSILON ? (scale * dot(x, t, n)) / own : 0));
    const across = f32x4.splat(<f32>-scale);
    for (let left = n; left; left = lessFour(left)) {
      const d = f32x4.mul(across, loadRest(target + at, left, 0));
      storeRest(dprediction + at, f32x4.add(d, f32x4.mul(along, loadRest(prediction + at, left, 0))), left);
      at += 16;
    }
  }
}
