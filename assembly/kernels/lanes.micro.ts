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
