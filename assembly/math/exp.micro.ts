// e^x and e^x − 1 for four lanes.
//
//   k = round(x/ln 2),  r = x − k·ln 2 (ln 2 in two parts, the first times k is exact),  e^x = 2^k · e^r
//
// e^r is a polynomial of degree 6 (minimax, relative error 3e-9 on |r| ≤ ½ ln 2). Adding 1.5·2²³ + 254 rounds x/ln 2 and
// leaves k + 254 in the low bits; 2^k is multiplied in as two halves, whose exponents ⌊(k + 254)/2⌋ and the rest stand
// there biased: so subnormal results are rounded once, and overflow is ∞.
//
// Constants are splatted from memory: one instruction each in every engine, where v128.const takes three.

import { madd } from "./lanes.micro";

const enum Exp {
  high,
  low,
  log2e,
  round,
  ln2High,
  ln2Low,
  c6,
  c5,
  c4,
  c3,
  c2,
  one,
}

const EXP: usize = memory.data<f32>([
  88.8, -104, 1.44269504088896341, 12583166, -0.693359375, 2.12194440e-4, 0.0013814468402415514, 0.0083687799051404,
  0.04166839271783829, 0.1666651964187622, 0.4999999403953552, 1,
]);

// @ts-ignore: decorator
@inline
function constant(slot: i32): v128 {
  return v128.load32_splat(EXP + (slot << 2));
}

/** e^x: ≤ 2 ulp, subnormal results too; NaN stays NaN (pmin and pmax return their first operand then). */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, constant(Exp.high)), constant(Exp.low));
  const shifted = madd(x, constant(Exp.log2e), constant(Exp.round));
  const k = f32x4.sub(shifted, constant(Exp.round));
  const r = madd(k, constant(Exp.ln2Low), madd(k, constant(Exp.ln2High), x));
  let p = madd(constant(Exp.c6), r, constant(Exp.c5));
  p = madd(p, r, constant(Exp.c4));
  p = madd(p, r, constant(Exp.c3));
  p = madd(p, r, constant(Exp.c2));
  p = madd(p, r, constant(Exp.one));
  p = madd(p, r, constant(Exp.one));
  const half = i32x4.shr_s(shifted, 1);
  return f32x4.mul(f32x4.mul(p, i32x4.shl(half, 23)), i32x4.shl(i32x4.sub(shifted, half), 23));
}
