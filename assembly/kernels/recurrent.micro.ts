// What recurrent cells share.

import { load4 } from "../math/lanes.micro";

/** The vector at `p` + `at`, of which `left` bytes exist; 0 where `p` is absent. */
// @ts-ignore: decorator
@inline
export function given4(p: usize, at: usize, left: usize): v128 {
  return p ? load4(p + at, left) : f32x4.splat(0);
}

/** d·y·(1 − y): through a sigmoid. */
// @ts-ignore: decorator
@inline
export function throughSigmoid4(d: v128, y: v128): v128 {
  return f32x4.mul(f32x4.mul(d, y), f32x4.sub(f32x4.splat(1), y));
}

/** d·(1 − y²): through a tanh. */
// @ts-ignore: decorator
@inline
export function throughTanh4(d: v128, y: v128): v128 {
  return f32x4.mul(d, f32x4.sub(f32x4.splat(1), f32x4.mul(y, y)));
}
