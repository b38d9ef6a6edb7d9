import * as ops from "../../ts/ops/attention";
import { checkCoverage, checkOp } from "../support/checkOp";

const SIZES = [
  { n: 1, t: 1, s: 1, heads: 1, d: 1 },
  { n: 2, t: 3, s: 5, heads: 2, d: 3 },
  { n: 3, t: 6, s: 6, heads: 4, d: 1 },
  { n: 2, t: 19, s: 17, heads: 3, d: 9 },
];

checkOp(ops.scores, {
  title: "a·bᵀ of each head",
  attributes: ({ a }) => ({ heads: SIZES.find((c) => c.t === a[1])!.heads }),
  cases: SIZES.map(({ n, t, s, heads, d }) => ({ a: [n, t, heads * d], b: [n, s, heads * d] })),
  shapes: ({ a, b }) => [[a[0]!, SIZES.find((c) => c.t === a[1])!.heads, a[1]!, b[1]!]],
  tolerance: 4e-6,
  reference({ a, b }, shapes) {
    const { n, t, s, heads, d } = SIZES.find((c) => c.t === shapes.a[1])!;
    return Float64Array.from({ length: n * heads * t * s }, (_, at) => {
      const [g, h, i, j] = [
        Math.floor(at / (heads * t * s)),
        Math.floor(at / (t * s)) % heads,
        Math.floor(at / s) % t,
        at % s,
      ];
      let sum = 0;
      for (let p = h * d; p < (h + 1) * d; p++)
        sum += a[(g * t + i) * heads * d + p]! * b[(g * s + j) * heads * d + p]!;
      return sum;
    });
  },
  wrong: [[{ a: [2, 3, 6], b: [2, 3, 5] }, /expected keys of shape \[n, s, 6\], got \[n, 3, 5\]/]],
});

for (const transposed of [false, true])
  checkOp(ops.combine, {
    title: `${transposed ? "wᵀ" : "w"}·x of each head`,
    attributes: ({ w }) => ({ heads: w[1]!, transposed }),
    cases: SIZES.map(({ n, t, s, heads, d }) => ({ w: [n, heads, t, s], x: [n, transposed ? t : s, heads * d] })),
    shapes: ({ w, x }) => [[w[0]!, transposed ? w[3]! : w[2]!, x[2]!]],
    tolerance: 4e-6,
    reference({ w, x }, shapes) {
      const [n, heads, t, s] = shapes.w as [number, number, number, number];
      const width = shapes.x[2]!;
      const [rows, depth] = transposed ? [s, t] : [t, s];
      return Float64Array.from({ length: n * rows * width }, (_, at) => {
        const [g, i, c] = [Math.floor(at / (rows * width)), Math.floor(at / width) % rows, at % width];
        const matrix = (g * heads + Math.floor(c / (width / heads))) * t * s;
        let sum = 0;
        for (let p = 0; p < depth; p++)
          sum += w[matrix + (transposed ? p * s + i : i * s + p)]! * x[(g * depth + p) * width + c]!;
        return sum;
      });
    },
    wrong: [[{ w: [2, 1, 3, 4], x: [2, 5, 4] }, /expected values of shape \[n, [34], H·d\], got \[n, 5, 4\]/]],
  });

for (const causal of [false, true])
  for (const scale of [1, 0.25])
    checkOp(ops.attentionWeights, {
      title: `${causal ? "causal, " : ""}scale ${scale}`,
      attributes: { causal, scale },
      cases: [{ x: [1, 1] }, { x: [3, 4, 5] }, { x: [2, 3, 7, 7] }, { x: [2, 9, 4] }, { x: [1, 2, 5, 33] }],
      tolerance: 2e-6,
      reference({ x }, shapes) {
        const [t, n] = shapes.x.slice(-2) as [number, number];
        return Float64Array.from(x, (v, at) => {
          const i = Math.floor(at / n);
          const seen = causal ? Math.min(n, (i % t) + 1) : n;
          if (at % n >= seen) return 0;
          const row = [...x.subarray(i * n, i * n + seen)];
          return Math.exp(scale * v) / row.reduce((sum, u) => sum + Math.exp(scale * u), 0);
        });
      },
    });

checkOp(ops.attentionWeights, {
  title: "far apart: what is below e⁻⁸⁰ of the greatest is 0; NaN and ∞ stay in their row",
  attributes: { causal: false, scale: 1 },
  cases: [{ x: { shape: [3, 5], values: [500, 400, 500, -1e30, 499, 1, Number.NaN, 0, 0, 0, 1, 0, Infinity, 0, 0] } }],
  differentiated: false,
  tolerance: 1e-6,
  reference() {
    const e = Math.exp(-1);
    const first = [1, 0, 1, 0, e].map((v) => v / (2 + e));
    return [...first, ...Array<number>(10).fill(Number.NaN)];
  },
});

checkCoverage(ops);
