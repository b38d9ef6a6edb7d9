// erf x, four lanes at a time: ≤ 4 ulp. (Polynomials: N. Juffa, "erff", maximal error 1 ulp with fused multiply-add.)
//
//   |x| ≤ 0.9277   x + x·P(x²)
//   beyond         sign(x)·(1 − e^(−t − t·Q(t))),  t = min(|x|, 4)

import { expNegative4 } from "./exp";
import { madd } from "./lanes.micro";

const enum Erf {
  p5,
  p4,
  p3,
  p2,
  p1,
  p0,
  q6,
  q5,
  q4,
  q3,
  q2,
  q1,
  q0,
  split,
  limit,
  one,
  minus,
}

const ERF: usize = memory.data<f32>([
  -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1, -1.7285347e-5,
  3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1, 0.927734375, 4, 1, -0.0,
]);

function constant(slot: i32): v128 {
  return v128.load32_splat(ERF + (slot << 2));
}

/** erf x. */
function erf4(x: v128): v128 {
  const square = f32x4.mul(x, x);
  let p = madd(constant(Erf.p5), square, constant(Erf.p4));
  p = madd(p, square, constant(Erf.p3));
  p = madd(p, square, constant(Erf.p2));
  p = madd(p, square, constant(Erf.p1));
  p = madd(p, square, constant(Erf.p0));
  p = madd(p, x, x);
  const t = f32x4.pmin(f32x4.abs(x), constant(Erf.limit));
  const t2 = f32x4.mul(t, t);
  const q65 = madd(constant(Erf.q6), t, constant(Erf.q5));
  const q43 = madd(constant(Erf.q4), t, constant(Erf.q3));
  const q21 = madd(constant(Erf.q2), t, constant(Erf.q1));
  let q = madd(madd(madd(q65, t2, q43), t2, q21), t, constant(Erf.q0));
  q = f32x4.sub(constant(Erf.one), expNegative4(madd(q, t, f32x4.neg(t))));
  q = v128.or(q, v128.and(x, constant(Erf.minus)));
  return v128.bitselect(q, p, f32x4.gt(t, constant(Erf.split)));
}

export { erf4 };
