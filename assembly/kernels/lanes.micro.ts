// One vector of four floats, or the single float that a tail needs (its other lanes are 0 and are not stored).

// @ts-ignore: decorator
@inline
export function loadLanes(p: usize, whole: bool): v128 {
  if (whole) return v128.load(p);
  return v128.load_zero<f32>(p);
}

// @ts-ignore: decorator
@inline
export function storeLanes(p: usize, value: v128, whole: bool): void {
  if (whole) v128.store(p, value);
  else v128.store_lane<f32>(p, value, 0);
}

/** c + a·b, rounded once where fastMath may. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}
