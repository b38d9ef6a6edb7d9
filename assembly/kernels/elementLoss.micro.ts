// Elementwise losses of four elements, of x (prediction) and t (target): see losses.ts.

import { exp4, expNegative4 } from "../math/exp";
import { negativeAbs4, sigmoid4 } from "../math/exp.micro";
import { log1pUnit4, log4 } from "../math/log";

/** The elementwise losses. */
export const enum Kind {
  squared,
  logits,
  probabilities,
  absolute,
  huber,
  hinge,
  rate, // poisson
  logRate,
}

/** l of four elements. */
// @ts-ignore: decorator
@inline
export function elementLoss(x: v128, t: v128, kind: Kind, delta: f32): v128 {
  if (kind == Kind.squared) {
    const d = f32x4.sub(x, t);
    return f32x4.mul(d, d);
  }
  if (kind == Kind.logits) {
    const linear = f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), f32x4.mul(x, t));
    return f32x4.add(linear, log1pUnit4(expNegative4(negativeAbs4(x))));
  }
  if (kind == Kind.absolute) return f32x4.abs(f32x4.sub(x, t));
  if (kind == Kind.huber) {
    const a = f32x4.abs(f32x4.sub(x, t));
    const m = f32x4.pmin(a, f32x4.splat(delta));
    return f32x4.mul(m, f32x4.sub(a, f32x4.mul(m, f32x4.splat(0.5))));
  }
  if (kind == Kind.hinge) return f32x4.pmax(f32x4.sub(f32x4.splat(1), f32x4.mul(t, x)), f32x4.splat(0));
  if (kind == Kind.rate) return f32x4.sub(x, f32x4.mul(t, log4(f32x4.add(x, f32x4.splat(1e-8)))));
  if (kind == Kind.logRate) return f32x4.sub(exp4(x), f32x4.mul(t, x));
  const floor = f32x4.splat(-100);
  const one = f32x4.splat(1);
  const hit = f32x4.mul(t, f32x4.pmax(log4(x), floor));
  return f32x4.sub(f32x4.mul(f32x4.sub(t, one), f32x4.pmax(log4(f32x4.sub(one, x)), floor)), hit);
}

/** ∂l/∂x of four elements. */
// @ts-ignore: decorator
@inline
export function elementGradient(x: v128, t: v128, kind: Kind, delta: f32): v128 {
  const one = f32x4.splat(1);
  if (kind == Kind.hinge) return v128.and(f32x4.neg(t), f32x4.lt(f32x4.mul(t, x), one));
  if (kind == Kind.rate) return f32x4.sub(one, f32x4.div(t, f32x4.add(x, f32x4.splat(1e-8))));
  if (kind == Kind.logRate) return f32x4.sub(exp4(x), t);
  const p = kind == Kind.logits ? sigmoid4(x) : x;
  const d = f32x4.sub(p, t);
  if (kind == Kind.logits) return d;
  if (kind == Kind.squared) return f32x4.add(d, d);
  if (kind == Kind.huber) return f32x4.pmax(f32x4.pmin(d, f32x4.splat(delta)), f32x4.splat(-delta));
  if (kind == Kind.absolute) {
    const sign = v128.and(d, i32x4.splat(0x80000000));
    return v128.or(v128.and(one, f32x4.ne(d, f32x4.splat(0))), sign);
  }
  return f32x4.div(d, f32x4.pmax(f32x4.mul(x, f32x4.sub(one, x)), f32x4.splat(1e-12)));
}
