// log x, log(1 + z) and softplus, four lanes at a time.
//
//   x = 2^k · (1 + f),  √½ ≤ 1 + f < √2,  log x = k·ln 2 + f − f²/2 + f³·P(f)
//
// P is a minimax polynomial of degree 7 (relative error of the whole 6e-9); ln 2 in two parts, the first times k exact.
// Pairs of coefficients first (Estrin): with Horner's chain the loop is bound by latency.

import { expNegative4 } from "./exp";
import { negativeAbs4 } from "./exp.micro";
import { madd } from "./lanes.micro";

const enum Log {
  p7,
  p6,
  p5,
  p4,
  p3,
  p2,
  p1,
  p0,
  ln2High,
  ln2Low,
  one,
  half, // −½
  smallest, // the smallest normal number
  scale, // 2²³
  infinity,
  split, // √2 − 1
}

const LOG: usize = memory.data<f32>([
  -0.07634510099887848,
  0.1276157796382904,
  -0.13160178065299988,
  0.14201757311820984,
  -0.1662335842847824,
  0.20001226663589478,
  -0.2500081956386566,
  0.3333333134651184,
  0.693359375,
  -2.1219444e-4,
  1,
  -0.5,
  1.1754943508e-38,
  8388608,
  Infinity,
  0.41421356,
]);

function constant(slot: i32): v128 {
  return v128.load32_splat(LOG + (slot << 2));
}

/** k·ln 2 + log(1 + f). */
function logOf4(k: v128, f: v128): v128 {
  const f2 = f32x4.mul(f, f);
  const p76 = madd(constant(Log.p7), f, constant(Log.p6));
  const p54 = madd(constant(Log.p5), f, constant(Log.p4));
  const p32 = madd(constant(Log.p3), f, constant(Log.p2));
  const p10 = madd(constant(Log.p1), f, constant(Log.p0));
  const p = madd(madd(p76, f2, p54), f32x4.mul(f2, f2), madd(p32, f2, p10));
  const small = madd(k, constant(Log.ln2Low), f32x4.mul(p, f32x4.mul(f, f2)));
  return madd(k, constant(Log.ln2High), f32x4.add(f, madd(f2, constant(Log.half), small)));
}

/** log x: ≤ 2 ulp, of subnormals too; −∞ at ±0, NaN below. */
function log4(x: v128): v128 {
  // subnormals (and what is masked below) times 2²³
  const tiny = f32x4.lt(x, constant(Log.smallest));
  const bits = i32x4.sub(
    v128.bitselect(f32x4.mul(x, constant(Log.scale)), x, tiny),
    i32x4.splat(0x3f3504f3), // √½
  );
  const k = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_s(bits, 23), v128.and(tiny, i32x4.splat(23))));
  const m = i32x4.add(v128.and(bits, i32x4.splat(0x7fffff)), i32x4.splat(0x3f3504f3));
  const y = logOf4(k, f32x4.sub(m, constant(Log.one)));
  const infinity = constant(Log.infinity);
  const zero = f32x4.splat(0);
  // ∞ and NaN stay as they are; all ones is a NaN
  const upper = v128.or(v128.bitselect(y, x, f32x4.lt(x, infinity)), f32x4.lt(x, zero));
  return v128.bitselect(f32x4.neg(infinity), upper, f32x4.eq(x, zero));
}

/** log(1 + z) for 0 ≤ z ≤ 1, exact to ≤ 2 ulp however small z is. Above √2 − 1: 1 + z = 2·(1 + (z − 1)/2). */
function log1pUnit4(z: v128): v128 {
  const upper = f32x4.gt(z, constant(Log.split));
  const one = constant(Log.one);
  const f = v128.bitselect(f32x4.mul(f32x4.sub(one, z), constant(Log.half)), z, upper);
  return logOf4(v128.and(one, upper), f);
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^−|x|): ≤ 4 ulp. */
function softplus4(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), log1pUnit4(expNegative4(negativeAbs4(x))));
}

export { log1pUnit4, log4, softplus4 };
