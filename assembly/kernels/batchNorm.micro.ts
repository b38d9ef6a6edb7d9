// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.

import { BatchNormBackward, BatchNormBackwardSums } from "../isa";
import { pointer, share, size } from "../operands";
import { scaleAt } from "./batchNorm";
import { loadLanes, storeLanes } from "./lanes.micro";

/** gamma·inverseStd·(x − mean) + beta, with scale = gamma·inverseStd and centred = x − mean. */
// @ts-ignore: decorator
@inline
export function normalized(centred: v128, scale: v128, beta: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(centred, scale, beta);
  return f32x4.add(f32x4.mul(centred, scale), beta);
}

/** dy, or where `relu`, dy · [normalized > 0]. */
// @ts-ignore: decorator
@inline
export function masked(dy: v128, centred: v128, scale: v128, beta: v128, relu: bool): v128 {
  if (relu) return v128.and(dy, f32x4.gt(normalized(centred, scale, beta), f32x4.splat(0)));
  return dy;
}

/** The same; four betas stand at `beta`. */
// @ts-ignore: decorator
@inline
export function maskedAt(dy: v128, centred: v128, scale: v128, beta: usize, relu: bool): v128 {
  if (relu) return masked(dy, centred, scale, v128.load(beta), true);
  return dy;
}

/** c + a·b */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/** scale · (g − (perRow + centred·slope)): slope = dgamma·inverseStd/rows, perRow = dbeta/rows. */
// @ts-ignore: decorator
@inline
export function inputGradient(g: v128, centred: v128, scale: v128, slope: v128, perRow: v128): v128 {
  return f32x4.mul(scale, f32x4.sub(f32x4.sub(g, perRow), f32x4.mul(centred, slope)));
}

/**
 * (Σ g·x̂, Σ g) of 16 channels from byte c of the rows dy … end. The mean (and with ReLU beta) is loaded again in each row:
 * registers hold the sums, and loads are not what these loops wait for.
 */
// @ts-ignore: decorator
@inline
export function sumsStrip16(
  args: usize, out: usize, dy: usize, end: usize, shift: usize, rowBytes: usize, c: usize, relu: bool,
): void {
  const mean = pointer(args, BatchNormBackwardSums.mean) + c;
  const inverseStd = pointer(args, BatchNormBackwardSums.inverseStd) + c;
  const gamma = pointer(args, BatchNormBackwardSums.gamma) + c;
  const beta = pointer(args, BatchNormBackwardSums.beta) + c;
  const s0 = scaleAt(gamma, inverseStd, 0);
  const s1 = scaleAt(gamma, inverseStd, 16);
  const s2 = scaleAt(gamma, inverseStd, 32);
  const s3 = scaleAt(gamma, inverseStd, 48);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  for (; dy < end; dy += rowBytes) {
    const x = dy + shift;
    const d0 = f32x4.sub(v128.load(x), v128.load(mean));
    const g0 = maskedAt(v128.load(dy), d0, s0, beta, relu);
    a0 = multiplyAdd(d0, g0, a0);
    b0 = f32x4.add(b0, g0);
    const d1 = f32x4.sub(v128.load(x, 16), v128.load(mean, 16));
    const g1 = maskedAt(v128.load(dy, 16), d1, s1, beta + 16, relu);
    a1 = multiplyAdd(d1, g1, a1);
    b1 = f32x4.add(b1, g1);
    const d2 = f32x4.sub(v128.load(x, 32), v128.load(mean, 32));
    const g2 = maskedAt(v128.load(dy, 32), d2, s2, beta + 32, relu);
    a2 = multiplyAdd(d2, g2, a2);
    b2 = f32x4.add(b2, g2);
    const d3 = f32x4.sub(v128.load(x, 48), v128.load(mean, 48));
    const g3 = maskedAt(v128.load(dy, 48), d3, s3, beta + 48, relu);
    a3 = multiplyAdd(d3, g3, a3);
    b3 = f32x4.add(b3, g3);
  }
  v128.store(out, f32x4.mul(a0, v128.load(inverseStd)));
  v128.store(out, f32x4.mul(a1, v128.load(inverseStd, 16)), 16);
  v128.store(out, f32x4.mul(a2, v128.load(inverseStd, 32)), 32);
  v128.store(out, f32x4.mul(a3, v128.load(inverseStd, 48)), 48);
  v128.store(out + rowBytes, b0);
  v128.store(out + rowBytes, b1, 16);
  v128.store(out + rowBytes, b2, 32);
  v128.store(out + rowBytes, b3, 48);
}

/** y of one vector of channels in the rows at x, x + stride, …: all four loaded before any is stored. */
// @ts-ignore: decorator
@inline
export function forwardLanes(
  x0: usize, stride: usize, shift: usize,
  mean: usize, inverseStd: usize, gamma: usize, beta: usize, floor: v128, whole: bool,
): void {
  const x1 = x0 + stride;
  const x2 = x1 + stride;
  const x3 = x2 + stride;
  const m = loadLanes(mean, whole);
  const scale = f32x4.mul(loadLanes(gamma, whole), loadLanes(inverseStd, whole));
  const b = loadLanes(beta, whole);
  const y0 = f32x4.pmax(normalized(f32x4.sub(loadLanes(x0, whole), m), scale, b), floor);
  const y1 = f32x4.pmax(normalized(f32x4.sub(loadLanes(x1, whole), m), scale, b), floor);
  const y2 = f32x4.pmax(normalized(f32x4.sub(loadLanes(x2, whole), m), scale, b), floor);
  const y3 = f32x4.pmax(normalized(f32x4.sub(loadLanes(x3, whole), m), scale, b), floor);
  storeLanes(x0 + shift, y0, whole);
  storeLanes(x1 + shift, y1, whole);
  storeLanes(x2 + shift, y2, whole);
  storeLanes(x3 + shift, y3, whole);
}

/** dx of one vector of channels in the rows at dy, dy + stride, …: all four loaded before any is stored. */
// @ts-ignore: decorator
@inline
export function backwardLanes(
  dy0: usize, stride: usize, xShift: usize, dxShift: usize,
  mean: usize, inverseStd: usize, gamma: usize, beta: usize, dgamma: usize, dbeta: usize, perRow: v128,
  whole: bool, relu: bool,
): void {
  const dy1 = dy0 + stride;
  const dy2 = dy1 + stride;
  const dy3 = dy2 + stride;
  const m = loadLanes(mean, whole);
  const s = loadLanes(inverseStd, whole);
  const scale = f32x4.mul(loadLanes(gamma, whole), s);
  const b = loadLanes(beta, whole);
  const slope = f32x4.mul(f32x4.mul(loadLanes(dgamma, whole), perRow), s);
  const offset = f32x4.mul(loadLanes(dbeta, whole), perRow);
  const d0 = f32x4.sub(loadLanes(dy0 + xShift, whole), m);
  const dx0 = inputGradient(masked(loadLanes(dy0, whole), d0, scale, b, relu), d0, scale, slope, offset);
  const d1 = f32x4.sub(loadLanes(dy1 + xShift, whole), m);
  const dx1 = inputGradient(masked(loadLanes(dy1, whole), d1, scale, b, relu), d1, scale, slope, offset);
  const d2 = f32x4.sub(loadLanes(dy2 + xShift, whole), m);
  const dx2 = inputGradient(masked(loadLanes(dy2, whole), d2, scale, b, relu), d2, scale, slope, offset);
  const d3 = f32x4.sub(loadLanes(dy3 + xShift, whole), m);
  const dx3 = inputGradient(masked(loadLanes(dy3, whole), d3, scale, b, relu), d3, scale, slope, offset);
  storeLanes(dy0 + dxShift, dx0, whole);
  storeLanes(dy1 + dxShift, dx1, whole);
  storeLanes(dy2 + dxShift, dx2, whole);
  storeLanes(dy3 + dxShift, dx3, whole);
}

/** Rank ith's rows of dx. `relu` is tested a vector: a loop of its own was not faster, and 1 KB more. */
// @ts-ignore: decorator
@inline
export function backwardRows(args: usize, ith: u32, nth: u32, relu: bool): void {
  const dy = pointer(args, BatchNormBackward.dy); // (rows, channels)
  const xShift = pointer(args, BatchNormBackward.x) - dy;
  const dxShift = pointer(args, BatchNormBackward.dx) - dy;
  const mean = pointer(args, BatchNormBackward.mean);
  const inverseStd = pointer(args, BatchNormBackward.inverseStd);
  const gamma = pointer(args, BatchNormBackward.gamma);
  const beta = pointer(args, BatchNormBackward.beta);
  const rows = size(args, BatchNormBackward.rows);
  const rowBytes = size(args, BatchNormBackward.channels) << 2;
  // frozen statistics give nothing back to the rows: gamma stands in for the sums, times 0
  const frozen = size(args, BatchNormBackward.frozen) != 0;
  const dgamma = frozen ? gamma : pointer(args, BatchNormBackward.dgamma);
  const dbeta = frozen ? gamma : pointer(args, BatchNormBackward.dbeta);
  const perRow = f32x4.splat(frozen ? 0 : <f32>1 / <f32>rows);
  const end = dy + share(rows, ith + 1, nth) * rowBytes;
  for (let row = dy + share(rows, ith, nth) * rowBytes; row < end; ) {
    const four = row + (rowBytes << 2) <= end;
    const stride = four ? rowBytes : 0;
    let c: usize = 0;
    for (; c + 16 <= rowBytes; c += 16)
      backwardLanes(
        row + c, stride, xShift, dxShift,
        mean + c, inverseStd + c, gamma + c, beta + c, dgamma + c, dbeta + c, perRow, true, relu);
    for (; c < rowBytes; c += 4)
      backwardLanes(
        row + c, stride, xShift, dxShift,
        mean + c, inverseStd + c, gamma + c, beta + c, dgamma + c, dbeta + c, perRow, false, relu);
    row += four ? rowBytes << 2 : rowBytes;
  }
}
