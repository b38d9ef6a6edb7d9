// Elementwise losses of four elements, of x (prediction) and t (target): see losses.ts.

import { expNegative4 } from "../math/exp";
import { negativeAbs4, sigmoid4 } from "../math/exp.micro";
import { log1pUnit4, log4 } from "../math/log";

/** The elementwise losses. */
export const enum Kind {
  squared,
  logits,
  probabilities,
}

/** l of four elements. */
// @ts-ignore: decorator
@inline
export function elementLoss(x: v128, t: v128, kind: Kind): v128 {
  if (kind == Kind.squared) {
    const d = f32x4.sub(x, t);
    return f32x4.mul(d, d);
  }
  if (kind == Kind.logits) {
    const linear = f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), f32x4.mul(x, t));
    return f32x4.add(linear, log1pUnit4(expNegative4(negativeAbs4(x))));
  }
  const floor = f32x4.splat(-100);
  const one = f32x4.splat(1);
  const hit = f32x4.mul(t, f32x4.pmax(log4(x), floor));
  return f32x4.sub(f32x4.mul(f32x4.sub(t, one), f32x4.pmax(log4(f32x4.sub(one, x)), floor)), hit);
}

/** ∂l/∂x of four elements. */
// @ts-ignore: decorator
@inline
export function elementGradient(x: v128, t: v128, kind: Kind): v128 {
  const p = kind == Kind.logits ? sigmoid4(x) : x;
  const d = f32x4.sub(p, t);
  if (kind == Kind.logits) return d;
  if (kind == Kind.squared) return f32x4.add(d, d);
  return f32x4.div(d, f32x4.pmax(f32x4.mul(x, f32x4.sub(f32x4.splat(1), x)), f32x4.splat(1e-12)));
}
