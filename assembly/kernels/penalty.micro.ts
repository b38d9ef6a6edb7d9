// The penalties' arithmetic: optimizer steps, the gradient's norm and penaltyGradient must agree on it to the bit.

/** value ≥ 0 with w's sign. */
// @ts-ignore: decorator
@inline
export function withSign(value: v128, w: v128): v128 {
  return v128.or(value, v128.and(w, i32x4.splat(0x80000000)));
}

/** l1·sign(w) + l2·w, sign(0) = 0 */
// @ts-ignore: decorator
@inline
export function penaltySlope(w: v128, l1: v128, l2: v128): v128 {
  return f32x4.add(v128.and(withSign(l1, w), f32x4.ne(w, f32x4.splat(0))), f32x4.mul(l2, w));
}

/** g + l1·sign(w) + l2·w, cut to ±clip; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function penalized(g: v128, w: v128, l1: v128, l2: v128, clip: v128): v128 {
  return f32x4.pmax(f32x4.pmin(f32x4.add(g, penaltySlope(w, l1, l2)), clip), f32x4.neg(clip));
}

/** sign(w)·max(|w| − threshold, 0) */
// @ts-ignore: decorator
@inline
export function shrunk(w: v128, threshold: v128): v128 {
  const value = f32x4.pmax(f32x4.sub(f32x4.abs(w), threshold), f32x4.splat(0));
  return v128.and(withSign(value, w), f32x4.ne(value, f32x4.splat(0)));
}
