// x^y, four lanes at a time, in float64 two at a time: y·log x in float32 would lose what it is large by.
//
//   x = 2^k·(1 + f),  √½ ≤ 1 + f < √2,  log x = k·ln 2 + 2·(s + s³/3 + s⁵/5 + …),  s = f/(2 + f)
//   t = y·log x = n·ln 2 + r,  |r| ≤ ½·ln 2,  x^y = 2^n·e^r
//
// ≤ 1 ulp but for what lies between two floats. Where x is no normal positive number or y is not finite: pow64, lane by lane.

import { pow64 } from "./scalars";

const enum Real {
  l6, // 2/13
  l5,
  l4,
  l3,
  l2,
  l1,
  two,
  e8, // 1/8!
  e7,
  e6,
  e5,
  e4,
  e3,
  half,
  one,
  high, // e^high is ∞ in float32
  low, // e^low is 0
}

const REALS: usize = memory.data<f64>([
  0.15384615384615385, 0.18181818181818182, 0.2222222222222222, 0.2857142857142857, 0.4, 0.6666666666666666, 2,
  2.48015873015873e-5, 1.984126984126984e-4, 0.001388888888888889, 0.008333333333333333, 0.041666666666666664,
  0.16666666666666666, 0.5, 1, 89, -105,
]);

function real2(slot: i32): v128 {
  return v128.load64_splat(REALS + (slot << 3));
}

/** a·b + c */
function add2(a: v128, b: v128, c: v128): v128 {
  return f64x2.add(f64x2.mul(a, b), c);
}

/** t = y·(k·ln 2 + log(1 + f)), cut to where e^t is a float: of two lanes, k, f and y in float64. */
function exponent2(k: v128, f: v128, y: v128): v128 {
  const s = f64x2.div(f, f64x2.add(f, real2(Real.two)));
  const z = f64x2.mul(s, s);
  let p = add2(real2(Real.l6), z, real2(Real.l5));
  p = add2(p, z, real2(Real.l4));
  p = add2(p, z, real2(Real.l3));
  p = add2(p, z, real2(Real.l2));
  p = add2(p, z, real2(Real.l1));
  p = add2(p, z, real2(Real.two));
  const t = f64x2.mul(y, add2(k, f64x2.splat(Math.LN2), f64x2.mul(s, p)));
  return f64x2.pmax(f64x2.pmin(t, real2(Real.high)), real2(Real.low));
}

/** e^(t − n·ln 2) */
function power2(t: v128, n: v128): v128 {
  const r = f64x2.sub(t, f64x2.mul(n, f64x2.splat(Math.LN2)));
  let p = add2(real2(Real.e8), r, real2(Real.e7));
  p = add2(p, r, real2(Real.e6));
  p = add2(p, r, real2(Real.e5));
  p = add2(p, r, real2(Real.e4));
  p = add2(p, r, real2(Real.e3));
  p = add2(p, r, real2(Real.half));
  p = add2(p, r, real2(Real.one));
  return add2(p, r, real2(Real.one));
}

/** The upper two lanes, below. */
function upper(v: v128): v128 {
  return v128.shuffle<f32>(v, v, 2, 3, 0, 1);
}

/** Where x^y is had from logarithms. */
function usual4(x: v128, y: v128): v128 {
  const infinity = f32x4.splat(Infinity);
  const normal = v128.and(f32x4.ge(x, f32x4.splat(1.1754943508e-38)), f32x4.lt(x, infinity));
  return v128.and(normal, f32x4.lt(f32x4.abs(y), infinity));
}

/** x^y where `usual4`; anything elsewhere. */
function powUsual4(x: v128, y: v128): v128 {
  const bits = i32x4.sub(x, i32x4.splat(0x3f3504f3)); // √½
  const k = i32x4.shr_s(bits, 23);
  const m = i32x4.add(v128.and(bits, i32x4.splat(0x7fffff)), i32x4.splat(0x3f3504f3));
  const f = f32x4.sub(m, f32x4.splat(1)); // exact
  const t0 = exponent2(f64x2.convert_low_i32x4_s(k), f64x2.promote_low_f32x4(f), f64x2.promote_low_f32x4(y));
  const t1 = exponent2(
    f64x2.convert_low_i32x4_s(upper(k)),
    f64x2.promote_low_f32x4(upper(f)),
    f64x2.promote_low_f32x4(upper(y)),
  );
  const n0 = f64x2.nearest(f64x2.mul(t0, f64x2.splat(Math.LOG2E)));
  const n1 = f64x2.nearest(f64x2.mul(t1, f64x2.splat(Math.LOG2E)));
  // 2^n in two factors, so that a subnormal is rounded once
  const p = v128.shuffle<f32>(
    f32x4.demote_f64x2_zero(power2(t0, n0)),
    f32x4.demote_f64x2_zero(power2(t1, n1)),
    0,
    1,
    4,
    5,
  );
  const n = v128.shuffle<i32>(i32x4.trunc_sat_f64x2_s_zero(n0), i32x4.trunc_sat_f64x2_s_zero(n1), 0, 1, 4, 5);
  const half = i32x4.shr_s(n, 1);
  const bias = i32x4.splat(127);
  const first = i32x4.shl(i32x4.add(half, bias), 23);
  return f32x4.mul(f32x4.mul(p, first), i32x4.shl(i32x4.add(i32x4.sub(n, half), bias), 23));
}

/** x^y. A lane's bits do not depend on its neighbours. */
function pow4(x: v128, y: v128): v128 {
  const usual = usual4(x, y);
  let r = powUsual4(x, y);
  if (i32x4.all_true(usual)) return r;
  if (!i32x4.extract_lane(usual, 0))
    r = f32x4.replace_lane(r, 0, <f32>pow64(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0)));
  if (!i32x4.extract_lane(usual, 1))
    r = f32x4.replace_lane(r, 1, <f32>pow64(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1)));
  if (!i32x4.extract_lane(usual, 2))
    r = f32x4.replace_lane(r, 2, <f32>pow64(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2)));
  if (!i32x4.extract_lane(usual, 3))
    r = f32x4.replace_lane(r, 3, <f32>pow64(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3)));
  return r;
}

export { pow4 };
