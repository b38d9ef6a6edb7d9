// Attention's weights: softmax of scaled scores over the rows of a (rows, n) matrix. A causal row sees what is not behind
// its own position: the first m = 1 + (row mod steps) columns; else m = n. Split over rows; a NaN makes its whole row NaN.
//
//   forward    y[j] = exp(scale·(x[j] − max x)) / Σ exp(scale·(x − max x))      j < m, behind that 0
//   backward   dx[j] = scale·y[j]·(dy[j] − Σ dy·y)                              j < m, behind that 0
//
// Sums run in four lanes over ascending j, then (0 + 2) + (1 + 3). Exponentials below e⁻⁸⁰ count as 0, as in losses.ts:
// subnormal numbers are slow, here and in the products behind.

import { AttentionWeights, AttentionWeightsBackward } from "../isa";
import { expNegative4 } from "../math/exp.micro";
import { sum4 } from "../math/lanes.micro";
import { pointer, real, share, size } from "../operands";
import { greatest } from "./losses";
import { lessFour, loadRest, storeRest } from "./rest.micro";

/** The columns that row `row` sees. */
function seen(row: usize, n: usize, steps: usize): usize {
  return steps ? min(n, (row % steps) + 1) : n;
}

/** y = softmax(scale·x) of m numbers. */
function weightsRow(y: usize, x: usize, m: usize, scale: f32): void {
  const most = f32x4.splat(greatest(x, m));
  const scales = f32x4.splat(scale);
  const least = f32x4.splat(-80);
  let sum = f32x4.splat(0);
  let to = y;
  for (let left = m; left; left = lessFour(left)) {
    const d = f32x4.mul(f32x4.sub(loadRest(x, left, -Infinity), most), scales);
    const e = v128.andnot(expNegative4(f32x4.pmax(d, least)), f32x4.lt(d, least)); // NaN stays
    sum = f32x4.add(sum, e);
    storeRest(to, e, left);
    x += 16;
    to += 16;
  }
  const share = f32x4.splat(<f32>1 / sum4(sum));
  for (let left = m; left; left = lessFour(left)) {
    storeRest(y, f32x4.mul(loadRest(y, left, 0), share), left);
    y += 16;
  }
}

/** y = softmax(scale·x). */
export function attentionWeights(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, AttentionWeights.y);
  const x = pointer(args, AttentionWeights.x);
  const rows = size(args, AttentionWeights.rows);
  const n = size(args, AttentionWeights.n);
  const steps = size(args, AttentionWeights.steps);
  const scale = real(args, AttentionWeights.scale);
  const to = share(rows, ith + 1, nth);
  for (let i = share(rows, ith, nth); i < to; i++) {
    const m = seen(i, n, steps);
    const at = i * (n << 2);
    weightsRow(y + at, x + at, m, scale);
    memory.fill(y + at + (m << 2), 0, (n - m) << 2);
  }
}

/** dx = scale·y·(dy − Σ dy·y) of m numbers. */
function weightsBackwardRow(dx: usize, dy: usize, y: usize, m: usize, scale: f32): void {
  let sum = f32x4.splat(0);
  for (let j: usize = 0, left = m; left; left = lessFour(left)) {
    sum = f32x4.add(sum, f32x4.mul(loadRest(dy + j, left, 0), loadRest(y + j, left, 0)));
    j += 16;
  }
  const dot = f32x4.splat(sum4(sum));
  const scales = f32x4.splat(scale);
  for (let j: usize = 0, left = m; left; left = lessFour(left)) {
    const d = f32x4.sub(loadRest(dy + j, left, 0), dot);
    storeRest(dx + j, f32x4.mul(f32x4.mul(loadRest(y + j, left, 0), scales), d), left);
    j += 16;
  }
}

/** dx = scale·y·(dy − Σ dy·y). */
export function attentionWeightsBackward(args: usize, ith: u32, nth: u32): void {
  const dx = pointer(args, AttentionWeightsBackward.dx);
  const dy = pointer(args, AttentionWeightsBackward.dy);
  const y = pointer(args, AttentionWeightsBackward.y);
  const rows = size(args, AttentionWeightsBackward.rows);
  const n = size(args, AttentionWeightsBackward.n);
  const steps = size(args, AttentionWeightsBackward.steps);
  const scale = real(args, AttentionWeightsBackward.scale);
  const to = share(rows, ith + 1, nth);
  for (let i = share(rows, ith, nth); i < to; i++) {
    const m = seen(i, n, steps);
    const at = i * (n << 2);
    weightsBackwardRow(dx + at, dy + at, y + at, m, scale);
    memory.fill(dx + at + (m << 2), 0, (n - m) << 2);
  }
}
