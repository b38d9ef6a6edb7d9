// sin x and cos x, four lanes at a time.
//
//   n = round(|x|·2/π),  r = |x| − n·π/2 in float64 (π/2 in two parts, the first of 33 bits),  |r| ≤ π/4
//
// then a minimax polynomial of sin r or cos r by the parity of n (4e-9, 1e-10), and a sign by its second bit.
// ≤ 2 ulp for |x| < 1.6e6 (n < 2²⁰). Beyond, the argument is known to |x|·2⁻⁵²: the error is that and no more up to 2⁵⁰;
// r is kept in ±π/4, so results stay in [−1, 1]. NaN for ±∞.

import { madd } from "./lanes.micro";

const enum Real {
  twoOverPi,
  round, // 1.5·2⁵²: n stands in the low word
  high,
  low,
}

const REALS: usize = memory.data<f64>([
  0.6366197723675814, 6755399441055744, 1.5707963267341256, 6.077100506506192e-11,
]);

const enum Trig {
  limit, // π/4
  s2,
  s1,
  s0,
  c2,
  c1,
  c0,
  half, // −½
  one,
  minus, // −0: the sign bit
}

const TRIG: usize = memory.data<f32>([
  0.785399, -0.0001951463200384751, 0.008332155644893646, -0.16666655242443085, 2.443241282890085e-5,
  -0.0013887309469282627, 0.04166664555668831, -0.5, 1, -0.0,
]);

function constant(slot: i32): v128 {
  return v128.load32_splat(TRIG + (slot << 2));
}

function real2(slot: i32): v128 {
  return v128.load64_splat(REALS + (slot << 3));
}

/** sin(x + quarters·π/2), but for the sign: that is `sign` times the one by quadrant. */
function wave4(x: v128, quarters: i32, sign: v128): v128 {
  const a = f32x4.abs(x);
  const a0 = f64x2.promote_low_f32x4(a);
  const a1 = f64x2.promote_low_f32x4(v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  const round = real2(Real.round);
  const shifted0 = f64x2.add(f64x2.mul(a0, real2(Real.twoOverPi)), round);
  const shifted1 = f64x2.add(f64x2.mul(a1, real2(Real.twoOverPi)), round);
  const n0 = f64x2.sub(shifted0, round);
  const n1 = f64x2.sub(shifted1, round);
  const r0 = f64x2.sub(f64x2.sub(a0, f64x2.mul(n0, real2(Real.high))), f64x2.mul(n0, real2(Real.low)));
  const r1 = f64x2.sub(f64x2.sub(a1, f64x2.mul(n1, real2(Real.high))), f64x2.mul(n1, real2(Real.low)));
  const limit = constant(Trig.limit);
  let r = v128.shuffle<f32>(f32x4.demote_f64x2_zero(r0), f32x4.demote_f64x2_zero(r1), 0, 1, 4, 5);
  r = f32x4.pmax(f32x4.pmin(r, limit), f32x4.neg(limit));
  const n = i32x4.add(v128.shuffle<i32>(shifted0, shifted1, 0, 2, 4, 6), i32x4.splat(quarters));

  const square = f32x4.mul(r, r);
  const s = madd(
    madd(madd(constant(Trig.s2), square, constant(Trig.s1)), square, constant(Trig.s0)),
    f32x4.mul(square, r),
    r,
  );
  let c = madd(madd(constant(Trig.c2), square, constant(Trig.c1)), square, constant(Trig.c0));
  c = f32x4.add(madd(c, f32x4.mul(square, square), f32x4.mul(square, constant(Trig.half))), constant(Trig.one));
  const y = v128.bitselect(c, s, i32x4.shr_s(i32x4.shl(n, 31), 31));
  return v128.xor(y, v128.xor(sign, i32x4.shl(i32x4.shr_u(n, 1), 31)));
}

/** sin x: odd, so that −0 stays. */
function sin4(x: v128): v128 {
  return wave4(x, 0, v128.and(x, constant(Trig.minus)));
}

/** cos x. */
function cos4(x: v128): v128 {
  return wave4(x, 1, i32x4.splat(0));
}

export { cos4, sin4 };
