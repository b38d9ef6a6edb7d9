/**
 * Eigenvalues of a symmetric tridiagonal matrix, ascending, and of each the last component of its vector (of length 1), by the
 * QL method with implicit shifts. (Wilkinson 1968; EISPACK's tql2, of whose vectors only the last row is kept)
 *
 * @param diagonal n numbers @param off the n − 1 beside them
 */
export function tridiagonal(diagonal: readonly number[], off: readonly number[]): { values: number[]; last: number[] } {
  const n = diagonal.length;
  const d = [...diagonal];
  const e = [...off, 0];
  const z: number[] = d.map((_, i) => (i === n - 1 ? 1 : 0));
  for (let l = 0; l < n; l++)
    for (let turn = 0; turn < 100; turn++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      const half = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      const root = Math.sqrt(half * half + 1);
      let g = d[m]! - d[l]! + e[l]! / (half + (half < 0 ? -root : root));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        const r = Math.sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        const t = (d[i]! - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        const y = z[i + 1]!;
        z[i + 1] = s * z[i]! + c * y;
        z[i] = c * z[i]! - s * y;
      }
      if (i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[m] = 0;
    }
  const order = d.map((_, i) => i).sort((a, b) => d[a]! - d[b]!);
  return { values: order.map((i) => d[i]!), last: order.map((i) => z[i]!) };
}
