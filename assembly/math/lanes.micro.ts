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
