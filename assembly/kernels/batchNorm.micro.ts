// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.

import { BatchNormBackward, BatchNormBackwardSums, BatchNormForward } from "../isa";
import { pointer, size } from "../operands";
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
  if (!relu) return dy;
  return v128.and(dy, f32x4.gt(normalized(centred, scale, beta), f32x4.splat(0)));
}

/** c + a·b */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/** y of 16 channels from byte c of the rows that begin in begin … end (bytes from x). */
// @ts-ignore: decorator
@inline
export function forward16(args: usize, c: usize, begin: usize, end: usize, rowBytes: usize, relu: bool): void {
  const x = pointer(args, BatchNormForward.x); // (rows, channels)
  const shift = pointer(args, BatchNormForward.y) - x; // (rows, channels)
  const mean = pointer(args, BatchNormForward.mean) + c;
  const inverseStd = pointer(args, BatchNormForward.inverseStd) + c;
  const gamma = pointer(args, BatchNormForward.gamma) + c;
  const beta = pointer(args, BatchNormForward.beta) + c;
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
  const stop = x + end;
  for (let p = x + begin + c; p < stop; p += rowBytes) {
    const y = p + shift;
    const y0 = normalized(f32x4.sub(v128.load(p), m0), s0, b0);
    v128.store(y, relu ? f32x4.pmax(y0, floor) : y0);
    const y1 = normalized(f32x4.sub(v128.load(p, 16), m1), s1, b1);
    v128.store(y, relu ? f32x4.pmax(y1, floor) : y1, 16);
    const y2 = normalized(f32x4.sub(v128.load(p, 32), m2), s2, b2);
    v128.store(y, relu ? f32x4.pmax(y2, floor) : y2, 32);
    const y3 = normalized(f32x4.sub(v128.load(p, 48), m3), s3, b3);
    v128.store(y, relu ? f32x4.pmax(y3, floor) : y3, 48);
  }
}

/** The same of 4 channels, or of one. */
// @ts-ignore: decorator
@inline
export function forwardLanes(
  args: usize, c: usize, begin: usize, end: usize, rowBytes: usize, whole: bool, relu: bool,
): void {
  const x = pointer(args, BatchNormForward.x);
  const shift = pointer(args, BatchNormForward.y) - x;
  const mean = loadLanes(pointer(args, BatchNormForward.mean) + c, whole);
  const inverseStd = loadLanes(pointer(args, BatchNormForward.inverseStd) + c, whole);
  const scale = f32x4.mul(loadLanes(pointer(args, BatchNormForward.gamma) + c, whole), inverseStd);
  const beta = loadLanes(pointer(args, BatchNormForward.beta) + c, whole);
  const floor = f32x4.splat(relu ? 0 : -Infinity);
  const stop = x + end;
  for (let p = x + begin + c; p < stop; p += rowBytes) {
    const y = normalized(f32x4.sub(loadLanes(p, whole), mean), scale, beta);
    storeLanes(p + shift, f32x4.pmax(y, floor), whole);
  }
}

/** scale·g + slope·(x − centre) */
// @ts-ignore: decorator
@inline
export function inputGradient(g: v128, x: v128, scale: v128, slope: v128, centre: v128): v128 {
  return multiplyAdd(scale, g, f32x4.mul(slope, f32x4.sub(x, centre)));
}

/**
 * dx of 16 channels from byte c of the rows that begin in begin … end (bytes from dy).
 *
 *   dx = scale·g + slope·(x − centre),  slope = −scale·s·dγ/rows,  centre = mean + (scale·dβ/rows)/slope
 *
 * An addition less than with three terms, and no less exact: slope·(mean − centre) is −scale·dβ/rows to a rounding,
 * however small the slope.
 */
// @ts-ignore: decorator
@inline
export function backward16(args: usize, c: usize, begin: usize, end: usize, rowBytes: usize): void {
  const dy = pointer(args, BatchNormBackward.dy); // (rows, channels)
  const xShift = pointer(args, BatchNormBackward.x) - dy;
  const dxShift = pointer(args, BatchNormBackward.dx) - dy;
  const mean = pointer(args, BatchNormBackward.mean) + c;
  const inverseStd = pointer(args, BatchNormBackward.inverseStd) + c;
  const gamma = pointer(args, BatchNormBackward.gamma) + c;
  const dgamma = sumsOf(args, BatchNormBackward.dgamma) + c;
  const dbeta = sumsOf(args, BatchNormBackward.dbeta) + c;
  const perRow = perRowOf(args);
  const s0 = scaleAt(gamma, inverseStd, 0);
  const s1 = scaleAt(gamma, inverseStd, 16);
  const s2 = scaleAt(gamma, inverseStd, 32);
  const s3 = scaleAt(gamma, inverseStd, 48);
  const o0 = f32x4.mul(f32x4.mul(s0, perRow), v128.load(dbeta));
  const o1 = f32x4.mul(f32x4.mul(s1, perRow), v128.load(dbeta, 16));
  const o2 = f32x4.mul(f32x4.mul(s2, perRow), v128.load(dbeta, 32));
  const o3 = f32x4.mul(f32x4.mul(s3, perRow), v128.load(dbeta, 48));
  const l0 = slopeOf(s0, perRow, v128.load(inverseStd), v128.load(dgamma), o0);
  const l1 = slopeOf(s1, perRow, v128.load(inverseStd, 16), v128.load(dgamma, 16), o1);
  const l2 = slopeOf(s2, perRow, v128.load(inverseStd, 32), v128.load(dgamma, 32), o2);
  const l3 = slopeOf(s3, perRow, v128.load(inverseStd, 48), v128.load(dgamma, 48), o3);
  const m0 = f32x4.add(v128.load(mean), f32x4.div(o0, l0));
  const m1 = f32x4.add(v128.load(mean, 16), f32x4.div(o1, l1));
  const m2 = f32x4.add(v128.load(mean, 32), f32x4.div(o2, l2));
  const m3 = f32x4.add(v128.load(mean, 48), f32x4.div(o3, l3));
  const stop = dy + end;
  for (let p = dy + begin + c; p < stop; p += rowBytes) {
    const x = p + xShift;
    const dx = p + dxShift;
    v128.store(dx, inputGradient(v128.load(p), v128.load(x), s0, l0, m0));
    v128.store(dx, inputGradient(v128.load(p, 16), v128.load(x, 16), s1, l1, m1), 16);
    v128.store(dx, inputGradient(v128.load(p, 32), v128.load(x, 32), s2, l2, m2), 32);
    v128.store(dx, inputGradient(v128.load(p, 48), v128.load(x, 48), s3, l3, m3), 48);
  }
}

/** The same of 4 channels, or of one. */
// @ts-ignore: decorator
@inline
export function backwardLanes(
  args: usize, c: usize, begin: usize, end: usize, rowBytes: usize, whole: bool, relu: bool,
): void {
  const dy = pointer(args, BatchNormBackward.dy);
  const xShift = pointer(args, BatchNormBackward.x) - dy;
  const dxShift = pointer(args, BatchNormBackward.dx) - dy;
  const mean = loadLanes(pointer(args, BatchNormBackward.mean) + c, whole);
  const inverseStd = loadLanes(pointer(args, BatchNormBackward.inverseStd) + c, whole);
  const scale = f32x4.mul(loadLanes(pointer(args, BatchNormBackward.gamma) + c, whole), inverseStd);
  const beta = loadLanes(pointer(args, BatchNormBackward.beta) + c, whole);
  const perRow = perRowOf(args);
  const dgamma = loadLanes(sumsOf(args, BatchNormBackward.dgamma) + c, whole);
  const dbeta = loadLanes(sumsOf(args, BatchNormBackward.dbeta) + c, whole);
  const offset = f32x4.mul(f32x4.mul(scale, perRow), dbeta);
  const slope = slopeOf(scale, perRow, inverseStd, dgamma, offset);
  const centre = f32x4.add(mean, f32x4.div(offset, slope));
  const stop = dy + end;
  for (let p = dy + begin + c; p < stop; p += rowBytes) {
    const x = loadLanes(p + xShift, whole);
    const g = masked(loadLanes(p, whole), f32x4.sub(x, mean), scale, beta, relu);
    storeLanes(p + dxShift, inputGradient(g, x, scale, slope, centre), whole);
  }
}

/** gamma · inverseStd */
// @ts-ignore: decorator
@inline
function scaleAt(gamma: usize, inverseStd: usize, c: usize): v128 {
  return f32x4.mul(v128.load(gamma + c), v128.load(inverseStd + c));
}

/** 1/rows; 0 where the statistics are frozen, which then give nothing back to the rows. */
function perRowOf(args: usize): v128 {
  return f32x4.splat(size(args, BatchNormBackward.frozen) ? 0 : <f32>1 / <f32>size(args, BatchNormBackward.rows));
}

/** dgamma or dbeta; gamma stands in for them where the statistics are frozen. */
function sumsOf(args: usize, slot: i32): usize {
  return pointer(args, size(args, BatchNormBackward.frozen) ? BatchNormBackward.gamma : slot);
}

/** −scale·s·dγ/rows, kept away from 0 by what does not show beside the rest. */
// @ts-ignore: decorator
@inline
function slopeOf(scale: v128, perRow: v128, inverseStd: v128, dgamma: v128, offset: v128): v128 {
  const slope = f32x4.mul(f32x4.mul(scale, perRow), f32x4.mul(inverseStd, dgamma));
  const least = f32x4.mul(f32x4.abs(offset), f32x4.splat(5.9604644775390625e-8));
  const size = f32x4.pmax(f32x4.abs(slope), f32x4.add(f32x4.mul(least, inverseStd), f32x4.splat(1e-37)));
  return v128.bitselect(f32x4.neg(slope), size, i32x4.splat(0x80000000));
}
