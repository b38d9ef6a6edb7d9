/** (1 − u)·a + u·b: a where u is 0, b where it is 1. */
// @ts-ignore: decorator
@inline
export function meanOf(a: v128, b: v128, u: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.sub(f32x4.splat(1), u), a), f32x4.mul(u, b));
}
