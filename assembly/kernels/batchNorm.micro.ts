// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.

import { BatchNormBackward } from "../isa";
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

/** dx of 8 channels from byte c of the rows dy … end. */
// @ts-ignore: decorator
@inline
export function backwardStrip8(args: usize, dy: usize, end: usize, rowBytes: usize, c: usize, relu: bool): void {
  const dxShift = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const xShift = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const mean = pointer(args, BatchNormBackward.mean) + c;
  const inverseStd = pointer(args, BatchNormBackward.inverseStd) + c;
  const gamma = pointer(args, BatchNormBackward.gamma) + c;
  const beta = pointer(args, BatchNormBackward.beta) + c;
  const dgamma = pointer(args, BatchNormBackward.dgamma) + c;
  const dbeta = pointer(args, BatchNormBackward.dbeta) + c;
  const m0 = v128.load(mean);
  const m1 = v128.load(mean, 16);
  const s0 = scaleAt(gamma, inverseStd, 0);
  const s1 = scaleAt(gamma, inverseStd, 16);
  const b0 = v128.load(beta);
  const b1 = v128.load(beta, 16);
  const slope0 = f32x4.mul(perRow(args, dgamma, true), v128.load(inverseStd));
  const slope1 = f32x4.mul(perRow(args, dgamma + 16, true), v128.load(inverseStd, 16));
  const offset0 = perRow(args, dbeta, true);
  const offset1 = perRow(args, dbeta + 16, true);
  for (; dy < end; dy += rowBytes) {
    const x = dy + xShift;
    const dx = dy + dxShift;
    const d0 = f32x4.sub(v128.load(x), m0);
    v128.store(dx, inputGradient(masked(v128.load(dy), d0, s0, b0, relu), d0, s0, slope0, offset0));
    const d1 = f32x4.sub(v128.load(x, 16), m1);
    v128.store(dx, inputGradient(masked(v128.load(dy, 16), d1, s1, b1, relu), d1, s1, slope1, offset1), 16);
  }
}
