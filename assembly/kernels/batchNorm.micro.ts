// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.

import { BatchNormBackward, BatchNormForward } from "../isa";
import { pointer } from "../operands";
import { loadLanes, multiplyAdd, storeLanes } from "./lanes.micro";

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
  if (!relu) return dy;
  return v128.and(dy, f32x4.gt(normalized(centred, scale, beta), f32x4.splat(0)));
}

/** y of the rows x … end, a multiple of four, in their first `wide` bytes, a multiple of 32. */
// @ts-ignore: decorator
@inline
export function forwardRows(args: usize, x: usize, end: usize, rowBytes: usize, wide: usize, relu: bool): void {
  const shift = pointer(args, BatchNormForward.y) - pointer(args, BatchNormForward.x);
  const mean = pointer(args, BatchNormForward.mean);
  const inverseStd = pointer(args, BatchNormForward.inverseStd);
  const gamma = pointer(args, BatchNormForward.gamma);
  const beta = pointer(args, BatchNormForward.beta);
  for (; x < end; x += rowBytes << 2) {
    for (let c: usize = 0; c < wide; c += 32) {
      forwardLanes(x + c, rowBytes, shift, mean + c, inverseStd + c, gamma + c, beta + c, true, relu, true);
      const d = c + 16;
      forwardLanes(x + d, rowBytes, shift, mean + d, inverseStd + d, gamma + d, beta + d, true, relu, true);
    }
  }
}

/** y of one vector of channels: of the row at x, or of four. */
// @ts-ignore: decorator
@inline
export function forwardLanes(
  x: usize, rowBytes: usize, shift: usize,
  mean: usize, inverseStd: usize, gamma: usize, beta: usize,
  whole: bool, relu: bool, four: bool,
): void {
  const m = loadLanes(mean, whole);
  const scale = f32x4.mul(loadLanes(gamma, whole), loadLanes(inverseStd, whole));
  const b = loadLanes(beta, whole);
  forwardRow(x, shift, m, scale, b, whole, relu);
  if (!four) return;
  const x1 = x + rowBytes;
  const x2 = x1 + rowBytes;
  forwardRow(x1, shift, m, scale, b, whole, relu);
  forwardRow(x2, shift, m, scale, b, whole, relu);
  forwardRow(x2 + rowBytes, shift, m, scale, b, whole, relu);
}

// @ts-ignore: decorator
@inline
function forwardRow(x: usize, shift: usize, mean: v128, scale: v128, beta: v128, whole: bool, relu: bool): void {
  const y = normalized(f32x4.sub(loadLanes(x, whole), mean), scale, beta);
  storeLanes(x + shift, relu ? f32x4.pmax(y, f32x4.splat(0)) : y, whole);
}

/** dx of the rows dy … end, a multiple of four, in their first `wide` bytes, a multiple of 32. */
// @ts-ignore: decorator
@inline
export function backwardRows(args: usize, dy: usize, end: usize, rowBytes: usize, wide: usize, relu: bool): void {
  const xShift = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const dxShift = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const mean = pointer(args, BatchNormBackward.mean);
  const beta = pointer(args, BatchNormBackward.beta);
  const scale = pointer(args, BatchNormBackward.coefficients);
  const slope = scale + rowBytes;
  const offset = slope + rowBytes;
  for (; dy < end; dy += rowBytes << 2) {
    for (let c: usize = 0; c < wide; c += 32) {
      backwardLanes(dy + c, rowBytes, xShift, dxShift, mean + c, beta + c, scale + c, slope + c, offset + c, true, relu, true);
      const d = c + 16;
      backwardLanes(dy + d, rowBytes, xShift, dxShift, mean + d, beta + d, scale + d, slope + d, offset + d, true, relu, true);
    }
  }
}

/** dx of one vector of channels: of the row at dy, or of four. */
// @ts-ignore: decorator
@inline
export function backwardLanes(
  dy: usize, rowBytes: usize, xShift: usize, dxShift: usize,
  mean: usize, beta: usize, scale: usize, slope: usize, offset: usize,
  whole: bool, relu: bool, four: bool,
): void {
  const m = loadLanes(mean, whole);
  const b = relu ? loadLanes(beta, whole) : m;
  const s = loadLanes(scale, whole);
  const l = loadLanes(slope, whole);
  const o = loadLanes(offset, whole);
  backwardRow(dy, xShift, dxShift, m, b, s, l, o, whole, relu);
  if (!four) return;
  const dy1 = dy + rowBytes;
  const dy2 = dy1 + rowBytes;
  backwardRow(dy1, xShift, dxShift, m, b, s, l, o, whole, relu);
  backwardRow(dy2, xShift, dxShift, m, b, s, l, o, whole, relu);
  backwardRow(dy2 + rowBytes, xShift, dxShift, m, b, s, l, o, whole, relu);
}

/** scale·(g + (slope·(x − mean) + offset)): slope = −dγ·s/rows, offset = −dβ/rows. */
// @ts-ignore: decorator
@inline
function backwardRow(
  dy: usize, xShift: usize, dxShift: usize,
  mean: v128, beta: v128, scale: v128, slope: v128, offset: v128,
  whole: bool, relu: bool,
): void {
  const centred = f32x4.sub(loadLanes(dy + xShift, whole), mean);
  const g = masked(loadLanes(dy, whole), centred, scale, beta, relu);
  storeLanes(dy + dxShift, f32x4.mul(scale, f32x4.add(g, multiplyAdd(slope, centred, offset))), whole);
}

/** Stores (k − origin + s/rows, q − s²/rows), never below 0; returns where the difference has kept its digits. */
// @ts-ignore: decorator
@inline
export function storeMoments(
  out: usize,
  k: v128,
  s: v128,
  q: v128,
  origin: usize,
  rowBytes: usize,
  perRow: v128,
  whole: bool,
): v128 {
  const mean = f32x4.mul(s, perRow);
  const m2 = f32x4.pmax(f32x4.sub(q, f32x4.mul(s, mean)), f32x4.splat(0));
  storeLanes(out, f32x4.add(f32x4.sub(k, loadLanes(origin, whole)), mean), whole);
  storeLanes(out + rowBytes, m2, whole);
  return f32x4.le(q, f32x4.mul(m2, f32x4.splat(8)));
}
