// Functions in float64 that Math has not.

const { abs, exp, sqrt, sign, PI } = Math;

/** erf: its Taylor series, or a continued fraction of erfc. */
export function erf(x: number): number {
  const t = abs(x);
  if (t > 6) return sign(x);
  if (t < 2.5) {
    let term = x;
    let sum = x;
    for (let k = 1; abs(term) > 1e-17 * abs(sum); k++) {
      term *= (-x * x) / k;
      sum += term / (2 * k + 1);
    }
    return (2 / sqrt(PI)) * sum;
  }
  let f = t;
  for (let k = 60; k > 0; k--) f = t + k / 2 / f;
  return sign(x) * (1 - exp(-t * t) / f / sqrt(PI));
}

/** 1/(1 + e^−x) */
export const sigmoid = (x: number) => (x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)));
