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

/** The same; four means, scales … stand at `mean`, `beta`. */
// @ts-ignore: decorator
@inline
export function maskedAt(dy: v128, x: v128, mean: usize, scale: v128, beta: usize, relu: bool): v128 {
  if (relu) return masked(dy, f32x4.sub(x, v128.load(mean)), scale, v128.load(beta), true);
  return dy;
}

/** c + a·b */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/**
 * (Σ g·x̂, Σ g) of 16 channels from byte c of the rows dy … end. With ReLU the mean and beta are loaded again in each row:
 * registers hold the sums.
 */
// @ts-ignore: decorator
@inline
export function sums16(
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
  const m0 = v128.load(mean);
  const m1 = v128.load(mean, 16);
  const m2 = v128.load(mean, 32);
  const m3 = v128.load(mean, 48);
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
    const d0 = f32x4.sub(v128.load(x), relu ? v128.load(mean) : m0);
    const g0 = relu ? masked(v128.load(dy), d0, s0, v128.load(beta), true) : v128.load(dy);
    a0 = multiplyAdd(d0, g0, a0);
    b0 = f32x4.add(b0, g0);
    const d1 = f32x4.sub(v128.load(x, 16), relu ? v128.load(mean, 16) : m1);
    const g1 = relu ? masked(v128.load(dy, 16), d1, s1, v128.load(beta, 16), true) : v128.load(dy, 16);
    a1 = multiplyAdd(d1, g1, a1);
    b1 = f32x4.add(b1, g1);
    const d2 = f32x4.sub(v128.load(x, 32), relu ? v128.load(mean, 32) : m2);
    const g2 = relu ? masked(v128.load(dy, 32), d2, s2, v128.load(beta, 32), true) : v128.load(dy, 32);
    a2 = multiplyAdd(d2, g2, a2);
    b2 = f32x4.add(b2, g2);
    const d3 = f32x4.sub(v128.load(x, 48), relu ? v128.load(mean, 48) : m3);
    const g3 = relu ? masked(v128.load(dy, 48), d3, s3, v128.load(beta, 48), true) : v128.load(dy, 48);
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
export function backward16(args: usize, c: usize, begin: usize, end: usize, rowBytes: usize, relu: bool): void {
  const dy = pointer(args, BatchNormBackward.dy); // (rows, channels)
  const xShift = pointer(args, BatchNormBackward.x) - dy;
  const dxShift = pointer(args, BatchNormBackward.dx) - dy;
  const mean = pointer(args, BatchNormBackward.mean) + c;
  const inverseStd = pointer(args, BatchNormBackward.inverseStd) + c;
  const gamma = pointer(args, BatchNormBackward.gamma) + c;
  const beta = pointer(args, BatchNormBackward.beta) + c;
  const s0 = scaleAt(gamma, inverseStd, 0);
  const s1 = scaleAt(gamma, inverseStd, 16);
  const s2 = scaleAt(gamma, inverseStd, 32);
  const s3 = scaleAt(gamma, inverseStd, 48);
  const l0 = slopeAt(args, c, s0, true);
  const l1 = slopeAt(args, c + 16, s1, true);
  const l2 = slopeAt(args, c + 32, s2, true);
  const l3 = slopeAt(args, c + 48, s3, true);
  const m0 = centreAt(args, c, s0, l0, true);
  const m1 = centreAt(args, c + 16, s1, l1, true);
  const m2 = centreAt(args, c + 32, s2, l2, true);
  const m3 = centreAt(args, c + 48, s3, l3, true);
  const stop = dy + end;
  for (let p = dy + begin + c; p < stop; p += rowBytes) {
    const x = p + xShift;
    const dx = p + dxShift;
    const x0 = v128.load(x);
    v128.store(dx, inputGradient(maskedAt(v128.load(p), x0, mean, s0, beta, relu), x0, s0, l0, m0));
    const x1 = v128.load(x, 16);
    v128.store(dx, inputGradient(maskedAt(v128.load(p, 16), x1, mean + 16, s1, beta + 16, relu), x1, s1, l1, m1), 16);
    const x2 = v128.load(x, 32);
    v128.store(dx, inputGradient(maskedAt(v128.load(p, 32), x2, mean + 32, s2, beta + 32, relu), x2, s2, l2, m2), 32);
    const x3 = v128.load(x, 48);
    v128.store(dx, inputGradient(maskedAt(v128.load(p, 48), x3, mean + 48, s3, beta + 48, relu), x3, s3, l3, m3), 48);
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
  const slope = slopeAt(args, c, scale, whole);
  const centre = centreAt(args, c, scale, slope, whole);
  const stop = dy + end;
  for (let p = dy + begin + c; p < stop; p += rowBytes) {
    const x = loadLanes(p + xShift, whole);
    const g = masked(loadLanes(p, whole), f32x4.sub(x, mean), scale, beta, relu);
    storeLanes(p + dxShift, inputGradient(g, x, scale, slope, centre), whole);
  }
}

/** gamma · inverseStd */
function scaleAt(gamma: usize, inverseStd: usize, c: usize): v128 {
  return f32x4.mul(v128.load(gamma + c), v128.load(inverseStd + c));
}

/** 1/rows; 0 where the statistics are frozen, which then give nothing back to the rows. */
function perRowOf(args: usize): v128 {
  return f32x4.splat(size(args, BatchNormBackward.frozen) ? 0 : <f32>1 / <f32>size(args, BatchNormBackward.rows));
}

/** What stands at byte c of dgamma or dbeta; gamma stands in for them where the statistics are frozen. */
function sumAt(args: usize, slot: i32, c: usize, whole: bool): v128 {
  const frozen = size(args, BatchNormBackward.frozen) != 0;
  return loadLanes(pointer(args, frozen ? BatchNormBackward.gamma : slot) + c, whole);
}

/** −scale·s·dγ/rows, kept away from 0 by what does not show beside the rest. */
function slopeAt(args: usize, c: usize, scale: v128, whole: bool): v128 {
  const inverseStd = loadLanes(pointer(args, BatchNormBackward.inverseStd) + c, whole);
  const perRow = f32x4.mul(f32x4.mul(scale, perRowOf(args)), inverseStd);
  const slope = f32x4.neg(f32x4.mul(perRow, sumAt(args, BatchNormBackward.dgamma, c, whole)));
  const offset = f32x4.abs(f32x4.mul(perRow, sumAt(args, BatchNormBackward.dbeta, c, whole)));
  const least = f32x4.add(f32x4.mul(offset, f32x4.splat(5.9604644775390625e-8)), f32x4.splat(1e-37));
  return v128.bitselect(slope, f32x4.pmax(f32x4.abs(slope), least), i32x4.splat(0x80000000));
}

/** mean + scale·dβ/rows/slope */
function centreAt(args: usize, c: usize, scale: v128, slope: v128, whole: bool): v128 {
  const offset = f32x4.mul(f32x4.mul(scale, perRowOf(args)), sumAt(args, BatchNormBackward.dbeta, c, whole));
  return f32x4.add(loadLanes(pointer(args, BatchNormBackward.mean) + c, whole), f32x4.div(offset, slope));
}
