// e^x, e^x − 1 and what is made of them, four lanes at a time.
//
//   k = round(x/ln 2),  r = x − k·ln 2 (ln 2 in two parts, the first times k is exact),  e^x = 2^k · e^r
//
// e^r and (e^r − 1 − r)/r² are minimax polynomials on |r| ≤ ½ ln 2, of relative error 3e-9 and 1e-8. Adding 1.5·2²³ + b
// rounds x/ln 2 to k and leaves k + b in the low bits, where b biases what will be an exponent.
//
// Constants are splatted from memory where they are used: one instruction in every engine (v128.const takes three), as
// fast as holding them in locals, and callers need hold none. pmin and pmax return their first operand where one is NaN:
// so NaNs come through.

import { madd } from "./lanes.micro";

const enum Exp {
  high, // e^high is ∞
  low, // e^low is 0
  log2e,
  round2, // 1.5·2²³ + 2·127
  ln2High,
  ln2Low,
  e6,
  e5,
  e4,
  e3,
  e2,
  one,
  minus, // −0: the sign bit
  round1, // 1.5·2²³ + 127
  floor, // e^floor − 1 is −1
  m4,
  m3,
  m2,
  m1,
  m0,
  ceiling, // tanh of its half is 1
  two,
}

const EXP: usize = memory.data<f32>([
  88.8, -104, 1.44269504088896341, 12583166, -0.693359375, 2.12194440e-4, 0.0013814468402415514, 0.0083687799051404,
  0.04166839271783829, 0.1666651964187622, 0.4999999403953552, 1, -0.0, 12583039, -25, 0.0013882513158023357,
  0.008366580121219158, 0.04166720062494278, 0.1666654348373413, 0.4999999701976776, 18.1, 2,
]);

// @ts-ignore: decorator
@inline
function constant(slot: i32): v128 {
  return v128.load32_splat(EXP + (slot << 2));
}

/** e^x where low ≤ x ≤ high, or NaN: 2^k in two factors, of exponents ⌊k/2⌋ and the rest, so that a subnormal is rounded once. */
// @ts-ignore: decorator
@inline
function expWithin4(x: v128): v128 {
  const shifted = madd(x, constant(Exp.log2e), constant(Exp.round2));
  const k = f32x4.sub(shifted, constant(Exp.round2));
  const r = madd(k, constant(Exp.ln2Low), madd(k, constant(Exp.ln2High), x));
  const r2 = f32x4.mul(r, r);
  const p65 = madd(constant(Exp.e6), r, constant(Exp.e5));
  const p43 = madd(constant(Exp.e4), r, constant(Exp.e3));
  const p21 = madd(constant(Exp.e2), r2, r);
  const p = f32x4.add(madd(madd(p65, r2, p43), f32x4.mul(r, r2), p21), constant(Exp.one));
  const half = i32x4.shr_s(shifted, 1);
  return f32x4.mul(f32x4.mul(p, i32x4.shl(half, 23)), i32x4.shl(i32x4.sub(shifted, half), 23));
}

/** e^x where |2^k| is normal: (2^k − 1) + 2^k·(e^r − 1), so that nothing is lost near 0. */
// @ts-ignore: decorator
@inline
function expm1Within4(x: v128): v128 {
  const shifted = madd(x, constant(Exp.log2e), constant(Exp.round1));
  const k = f32x4.sub(shifted, constant(Exp.round1));
  const r = madd(k, constant(Exp.ln2Low), madd(k, constant(Exp.ln2High), x));
  const r2 = f32x4.mul(r, r);
  const q43 = madd(constant(Exp.m4), r, constant(Exp.m3));
  const q21 = madd(constant(Exp.m2), r, constant(Exp.m1));
  const q = madd(madd(madd(q43, r2, q21), r, constant(Exp.m0)), r2, r);
  const scale = i32x4.shl(shifted, 23);
  return madd(q, scale, f32x4.sub(scale, constant(Exp.one)));
}

/** e^x: ≤ 2 ulp, subnormal results too. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  return expWithin4(f32x4.pmax(f32x4.pmin(x, constant(Exp.high)), constant(Exp.low)));
}

/** e^x for x ≤ 0: ≤ 2 ulp. */
// @ts-ignore: decorator
@inline
export function expNegative4(x: v128): v128 {
  return expWithin4(f32x4.pmax(x, constant(Exp.low)));
}

/** e^x − 1 for x ≤ 0; any number where x > 0. */
// @ts-ignore: decorator
@inline
export function expm1Negative4(x: v128): v128 {
  return expm1Within4(f32x4.pmax(x, constant(Exp.floor)));
}

/** −|x| */
// @ts-ignore: decorator
@inline
export function negativeAbs4(x: v128): v128 {
  return v128.or(x, constant(Exp.minus));
}

/** 1/(1 + e^−x): ≤ 4 ulp, subnormal results too. With z = e^−|x|: z/(1 + z) where x < 0, else 1/(1 + z). */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const z = expNegative4(negativeAbs4(x));
  const one = constant(Exp.one);
  return f32x4.div(v128.bitselect(z, one, i32x4.shr_s(x, 31)), f32x4.add(z, one));
}

/** tanh x = e/(e + 2), e = e^2|x| − 1, with the sign of x: ≤ 4 ulp. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const a = f32x4.abs(x);
  const e = expm1Within4(f32x4.pmin(f32x4.add(a, a), constant(Exp.ceiling)));
  return v128.or(f32x4.div(e, f32x4.add(e, constant(Exp.two))), v128.and(x, constant(Exp.minus)));
}
