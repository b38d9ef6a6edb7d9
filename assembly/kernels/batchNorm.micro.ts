// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.

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

/** y of 16 channels of the rows x … end. */
// @ts-ignore: decorator
@inline
export function forward16(
  x: usize, end: usize, shift: usize, rowBytes: usize,
  mean: usize, inverseStd: usize, gamma: usize, beta: usize, relu: bool,
): void {
  const m0 = v128.load(mean);
  const m1 = v128.load(mean, 16);
  const m2 = v128.load(mean, 32);
  const m3 = v128.load(mean, 48);
  const s0 = scaleAt(gamma, inverseStd, 0);
  const s1 = scaleAt(gamma, inverseStd, 16);
  const s2 = scaleAt(gamma, inverseStd, 32);
  const s3 = scaleAt(gamma, inverseStd, 48);
  const b0 = v128.load(beta);
  const b1 = v128.load(beta, 16);
  const b2 = v128.load(beta, 32);
  const b3 = v128.load(beta, 48);
  const floor = f32x4.splat(0);
  for (; x < end; x += rowBytes) {
    const y = x + shift;
    const y0 = normalized(f32x4.sub(v128.load(x), m0), s0, b0);
    v128.store(y, relu ? f32x4.pmax(y0, floor) : y0);
    const y1 = normalized(f32x4.sub(v128.load(x, 16), m1), s1, b1);
    v128.store(y, relu ? f32x4.pmax(y1, floor) : y1, 16);
    const y2 = normalized(f32x4.sub(v128.load(x, 32), m2), s2, b2);
    v128.store(y, relu ? f32x4.pmax(y2, floor) : y2, 32);
    const y3 = normalized(f32x4.sub(v128.load(x, 48), m3), s3, b3);
    v128.store(y, relu ? f32x4.pmax(y3, floor) : y3, 48);
  }
}

/** scale·g + slope·(x − centre) */
// @ts-ignore: decorator
@inline
export function inputGradient(g: v128, x: v128, scale: v128, slope: v128, centre: v128): v128 {
  return multiplyAdd(scale, g, f32x4.mul(slope, f32x4.sub(x, centre)));
}

/** scale · (g − (perRow + centred·slope)): slope = dgamma·inverseStd/rows, perRow = dbeta/rows. */
// @ts-ignore: decorator
@inline
export function centredGradient(g: v128, centred: v128, scale: v128, slope: v128, perRow: v128): v128 {
  return f32x4.mul(scale, f32x4.sub(f32x4.sub(g, perRow), f32x4.mul(centred, slope)));
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
  const dx0 = centredGradient(masked(loadLanes(dy0, whole), d0, scale, b, relu), d0, scale, slope, offset);
  const d1 = f32x4.sub(loadLanes(dy1 + xShift, whole), m);
  const dx1 = centredGradient(masked(loadLanes(dy1, whole), d1, scale, b, relu), d1, scale, slope, offset);
  const d2 = f32x4.sub(loadLanes(dy2 + xShift, whole), m);
  const dx2 = centredGradient(masked(loadLanes(dy2, whole), d2, scale, b, relu), d2, scale, slope, offset);
  const d3 = f32x4.sub(loadLanes(dy3 + xShift, whole), m);
  const dx3 = centredGradient(masked(loadLanes(dy3, whole), d3, scale, b, relu), d3, scale, slope, offset);
  storeLanes(dy0 + dxShift, dx0, whole);
  storeLanes(dy1 + dxShift, dx1, whole);
  storeLanes(dy2 + dxShift, dx2, whole);
  storeLanes(dy3 + dxShift, dx3, whole);
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

/** gamma · inverseStd */
// @ts-ignore: decorator
@inline
export function scaleAt(gamma: usize, inverseStd: usize, c: usize): v128 {
  return f32x4.mul(v128.load(gamma + c), v128.load(inverseStd + c));
}

/**
 * −scale·s·dγ/rows, kept away from 0 by what does not show beside the rest. `constants`: 2⁻²⁴, 1e-37 and −0, four of each,
 * in memory: V8 would build them again in every strip.
 */
// @ts-ignore: decorator
@inline
export function slopeOf(
  scalePerRow: v128, inverseStd: v128, dgamma: v128, offset: v128, constants: usize,
): v128 {
  const sign = v128.load(constants, 32);
  const slope = v128.xor(f32x4.mul(scalePerRow, f32x4.mul(inverseStd, dgamma)), sign);
  const least = f32x4.mul(v128.andnot(offset, sign), f32x4.mul(inverseStd, v128.load(constants)));
  const size = f32x4.pmax(v128.andnot(slope, sign), f32x4.add(least, v128.load(constants, 16)));
  return v128.or(size, v128.and(slope, sign));
}
