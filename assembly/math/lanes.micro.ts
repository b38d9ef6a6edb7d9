// Vectors of four floats at the ends of arrays, and multiply-add. A lane's bits never depend on its neighbours, so the
// padded last vector gives what a whole one would.

import { loadPart, storePart } from "./lanes";

/** The vector at `p`, of which `left` > 0 bytes exist; lanes past the end are 0. */
// @ts-ignore: decorator
@inline
export function load4(p: usize, left: usize): v128 {
  return left >= 16 ? v128.load(p) : loadPart(p, left);
}

/** Stores at `p` as much of `v` as `left` > 0 bytes hold. */
// @ts-ignore: decorator
@inline
export function store4(p: usize, v: v128, left: usize): void {
  if (left >= 16) v128.store(p, v);
  else storePart(p, v, left);
}

/** a·b + c: rounded twice in the strict build, as the CPU likes with fastMath. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Lanes 4, 3, 2, 1, … of ones, then zeros: read at 16 − left it masks the lanes past the end. */
const MASKS: usize = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0]);

/** v with the lanes past `left` > 0 bytes made 0. */
// @ts-ignore: decorator
@inline
export function mask4(v: v128, left: usize): v128 {
  return left >= 16 ? v : v128.and(v, v128.load(MASKS + 16 - left));
}

/** (v0 + v2) + (v1 + v3) */
// @ts-ignore: decorator
@inline
export function sum4(v: v128): f32 {
  v = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1);
}
