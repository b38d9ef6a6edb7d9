// float64 exp, log, pow, sin, cos for the host's scalars: the same bits in every engine, which Math's own are not.
// Small rather than perfect: within about 1e-15 relative (exp, log), 1e-15 absolute (sin, cos to |x| ≈ 10⁶); pow within
// 2e-16·(1 + |y·log x|). Polynomials of fdlibm.

const LN2_HIGH: f64 = 6.9314718036912381649e-1; // 33 bits: times k exact
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** 2^k, −1022 ≤ k ≤ 1023. */
function power2(k: i64): f64 {
  return reinterpret<f64>((k + 1023) << 52);
}

/** e^x = 2^k · e^r; e^r = 1 + 2r/(2 − r + r²·(…)), a Padé-like form. */
export function exp64(x: f64): f64 {
  x = min<f64>(max<f64>(x, -746), 710);
  const k = nearest(x * 1.442695040888963387);
  const low = k * LN2_LOW;
  const high = x - k * LN2_HIGH;
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  const y = 1 + ((r * c) / (2 - c) - low + high);
  const half = <i64>k >> 1;
  return y * power2(half) * power2(<i64>k - half);
}

/** log x = k·ln 2 + log(1 + f), √½ ≤ 1 + f < √2; log(1 + f) from s = f/(2 + f). −∞ at 0, NaN below. */
export function log64(x: f64): f64 {
  if (!(x > 0)) return x == 0 ? -Infinity : NaN;
  if (x == Infinity) return x;
  let k: i64 = 0;
  if (x < 2.2250738585072014e-308) {
    k = -54;
    x *= 18014398509481984; // 2⁵⁴
  }
  const bits = reinterpret<i64>(x) - 0x3fe6a09e667f3bcd; // √½
  k += bits >> 52;
  const f = reinterpret<f64>((bits & 0xfffffffffffff) + 0x3fe6a09e667f3bcd) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w =
    z *
    (6.66666666666673513e-1 +
      z *
        (3.999999999940941908e-1 +
          z *
            (2.857142874366239149e-1 +
              z *
                (2.222219843214978396e-1 +
                  z * (1.818357216161805012e-1 + z * (1.531383769920937332e-1 + z * 1.479819860511658591e-1))))));
  const square = 0.5 * f * f;
  return <f64>k * LN2_HIGH - (square - (s * (square + w) + <f64>k * LN2_LOW) - f);
}

/** x^y: by squaring for whole |y| ≤ 32, else e^(y·log|x|); NaN where x < 0 and y is not whole. */
export function pow64(x: f64, y: f64): f64 {
  const whole = nearest(y) == y;
  if (whole && abs(y) <= 32) {
    let p: f64 = 1;
    for (let n = <u32>abs(y); n != 0; n >>= 1) {
      if (n & 1) p *= x;
      x *= x;
    }
    return y < 0 ? 1 / p : p;
  }
  const p = exp64(y * log64(abs(x)));
  if (x >= 0) return p;
  return whole ? (y * 0.5 == nearest(y * 0.5) ? p : -p) : NaN;
}

/** sin(x + quarters·π/2): x = n·π/2 + r, then sin r or cos r by the parity of n, and a sign by its second bit. */
function wave64(x: f64, quarters: i64): f64 {
  const n = nearest(x * 0.63661977236758134308);
  const r = x - n * 1.57079632673412561417 - n * 6.07710050650619224932e-11;
  if (!(abs(r) < 1)) return NaN;
  const quadrant = <i64>n + quarters;
  const z = r * r;
  const y =
    quadrant & 1
      ? 1 -
        0.5 * z +
        z *
          z *
          (4.16666666666666019037e-2 +
            z *
              (-1.38888888888741095749e-3 +
                z *
                  (2.48015872894767294178e-5 +
                    z *
                      (-2.75573143513906633035e-7 + z * (2.0875723212981748279e-9 + z * -1.13596475577881948265e-11)))))
      : r +
        r *
          z *
          (-1.66666666666666324348e-1 +
            z *
              (8.33333333332248946124e-3 +
                z *
                  (-1.98412698298579493134e-4 +
                    z *
                      (2.75573137070700676789e-6 +
                        z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)))));
  return quadrant & 2 ? -y : y;
}

/** sin x; NaN where |x| is beyond about 10¹⁵. */
export function sin64(x: f64): f64 {
  return wave64(x, 0);
}

/** cos x; NaN where |x| is beyond about 10¹⁵. */
export function cos64(x: f64): f64 {
  return wave64(x, 1);
}
