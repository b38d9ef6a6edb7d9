// float64 exp, log, pow, cos for the host's scalars: the same bits in every engine, which Math's own are not.
// Small rather than perfect: within about 1e-15 relative (exp, log), 1e-15 absolute (cos to |x| ≈ 10⁶); pow within
// 2e-16·(1 + |y·log x|). Polynomials of fdlibm.

const LN2_HIGH: f64 = 0.6931471803691238; // 33 bits: times k exact
const LN2_LOW: f64 = 1.9082149292705877e-10;

/** The bits of √½. */
const ROOT_HALF: i64 = reinterpret<i64>(Math.SQRT1_2);

/** 2^k, −1022 ≤ k ≤ 1023. */
function power2(k: i64): f64 {
  return reinterpret<f64>((k + 1023) << 52);
}

/** e^x = 2^k · e^r; e^r = 1 + 2r/(2 − r + r²·(…)), a Padé-like form. */
export function exp64(x: f64): f64 {
  x = min<f64>(max<f64>(x, -746), 710);
  const k = nearest(x * Math.LOG2E);
  const low = k * LN2_LOW;
  const high = x - k * LN2_HIGH;
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (0.16666666666666602 +
        t *
          (-0.0027777777777015593 +
            t * (6.613756321437934e-5 + t * (-1.6533902205465252e-6 + t * 4.1381367970572385e-8))));
  const y = 1 + ((r * c) / (2 - c) - low + high);
  const half = <i64>k >> 1;
  return y * power2(half) * power2(<i64>k - half);
}

/** log x = k·ln 2 + log(1 + f), √½ ≤ 1 + f < √2; log(1 + f) from s = f/(2 + f). −∞ at 0, NaN below. */
export function log64(x: f64): f64 {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  let k: i64 = 0;
  if (x < 2.2250738585072014e-308) {
    k = -54;
    x *= 18014398509481984; // 2⁵⁴
  }
  const bits = reinterpret<i64>(x) - ROOT_HALF;
  k += bits >> 52;
  const f = reinterpret<f64>((bits & 0xfffffffffffff) + ROOT_HALF) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w =
    z *
    (0.6666666666666735 +
      z *
        (0.3999999999940942 +
          z *
            (0.2857142874366239 +
              z *
                (0.22222198432149784 +
                  z * (0.1818357216161805 + z * (0.15313837699209373 + z * 0.14798198605116586))))));
  const square = 0.5 * f * f;
  return <f64>k * LN2_HIGH - (square - (s * (square + w) + <f64>k * LN2_LOW) - f);
}

/** base to the power of exponent, by squaring. */
export function power(base: f64, exponent: u32): f64 {
  let result: f64 = 1;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

/** x^y: by squaring for whole |y| ≤ 32, else e^(y·log|x|); NaN where x < 0 and y is not whole. */
export function pow64(x: f64, y: f64): f64 {
  const whole = nearest(y) === y;
  if (whole && abs(y) <= 32) {
    const p = power(x, <u32>abs(y));
    return y < 0 ? 1 / p : p;
  }
  const p = exp64(y * log64(abs(x)));
  if (x >= 0) return p;
  return whole ? (y * 0.5 === nearest(y * 0.5) ? p : -p) : NaN;
}

/** cos x: x = n·π/2 + r, then cos r or −sin r by the parity of n, and a sign by its second bit; NaN where |x| is beyond about 10¹⁵. */
export function cos64(x: f64): f64 {
  const n = nearest(x * 0.6366197723675814);
  const r = x - n * 1.5707963267341256 - n * 6.077100506506192e-11;
  if (!(abs(r) < 1)) return NaN;
  const quadrant = <i64>n + 1;
  const z = r * r;
  const y =
    quadrant & 1
      ? 1 -
        0.5 * z +
        z *
          z *
          (0.0416666666666666 +
            z *
              (-0.001388888888887411 +
                z *
                  (2.480158728947673e-5 +
                    z * (-2.7557314351390663e-7 + z * (2.087572321298175e-9 + z * -1.1359647557788195e-11)))))
      : r +
        r *
          z *
          (-0.16666666666666632 +
            z *
              (0.00833333333332249 +
                z *
                  (-0.0001984126982985795 +
                    z * (2.7557313707070068e-6 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)))));
  return quadrant & 2 ? -y : y;
}
