// The ends of rows without calls (a call in a loop makes V8 spill every vector around it). What is left of a row, one to
// three floats, lies in lanes 0 and 1 (a pair, if there is one) and lane 2 (a single one, if there is one).

/** Four floats at `p`, or the `n` that are left, with `fill` in the lanes between. */
// @ts-ignore: decorator
@inline
export function loadRest(p: usize, n: usize, fill: f32): v128 {
  if (n >= 4) return v128.load(p);
  let v = f32x4.splat(fill);
  if (n & 2) v = v128.load_lane<u64>(p, v, 0);
  if (n & 1) v = v128.load_lane<u32>(p + ((n & 2) << 2), v, 2);
  return v;
}

/** Stores four floats at `p`, or the `n` that are left. */
// @ts-ignore: decorator
@inline
export function storeRest(p: usize, v: v128, n: usize): void {
  if (n >= 4) {
    v128.store(p, v);
    return;
  }
  if (n & 2) v128.store_lane<u64>(p, v, 0);
  if (n & 1) v128.store_lane<u32>(p + ((n & 2) << 2), v, 2);
}

/** What is left after four. */
// @ts-ignore: decorator
@inline
export function lessFour(n: usize): usize {
  return n > 4 ? n - 4 : 0;
}
