// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.

import { BatchNormBackward, BatchNormBackwardSums } from "../isa";
import { pointer } from "../operands";
import { perRow, scaleAt } from "./batchNorm";

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

/** dx of 16 channels from byte c of the rows dy … end. */
// @ts-ignore: decorator
@inline
export function backwardStrip16(args: usize, dy: usize, end: usize, rowBytes: usize, c: usize, relu: bool): void {
  const dxShift = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const xShift = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const mean = pointer(args, BatchNormBackward.mean) + c;
  const inverseStd = pointer(args, BatchNormBackward.inverseStd) + c;
  const gamma = pointer(args, BatchNormBackward.gamma) + c;
  const beta = pointer(args, BatchNormBackward.beta) + c;
  const dgamma = pointer(args, BatchNormBackward.dgamma) + c;
  const dbeta = pointer(args, BatchNormBackward.dbeta) + c;
  const s0 = scaleAt(gamma, inverseStd, 0);
  const s1 = scaleAt(gamma, inverseStd, 16);
  const s2 = scaleAt(gamma, inverseStd, 32);
  const s3 = scaleAt(gamma, inverseStd, 48);
  const slope0 = f32x4.mul(perRow(args, dgamma, true), v128.load(inverseStd));
  const slope1 = f32x4.mul(perRow(args, dgamma + 16, true), v128.load(inverseStd, 16));
  const slope2 = f32x4.mul(perRow(args, dgamma + 32, true), v128.load(inverseStd, 32));
  const slope3 = f32x4.mul(perRow(args, dgamma + 48, true), v128.load(inverseStd, 48));
  const offset0 = perRow(args, dbeta, true);
  const offset1 = perRow(args, dbeta + 16, true);
  const offset2 = perRow(args, dbeta + 32, true);
  const offset3 = perRow(args, dbeta + 48, true);
  for (; dy < end; dy += rowBytes) {
    const x = dy + xShift;
    const dx = dy + dxShift;
    const d0 = f32x4.sub(v128.load(x), v128.load(mean));
    v128.store(dx, inputGradient(maskedAt(v128.load(dy), d0, s0, beta, relu), d0, s0, slope0, offset0));
    const d1 = f32x4.sub(v128.load(x, 16), v128.load(mean, 16));
    v128.store(dx, inputGradient(maskedAt(v128.load(dy, 16), d1, s1, beta + 16, relu), d1, s1, slope1, offset1), 16);
    const d2 = f32x4.sub(v128.load(x, 32), v128.load(mean, 32));
    v128.store(dx, inputGradient(maskedAt(v128.load(dy, 32), d2, s2, beta + 32, relu), d2, s2, slope2, offset2), 32);
    const d3 = f32x4.sub(v128.load(x, 48), v128.load(mean, 48));
    v128.store(dx, inputGradient(maskedAt(v128.load(dy, 48), d3, s3, beta + 48, relu), d3, s3, slope3, offset3), 48);
  }
}
