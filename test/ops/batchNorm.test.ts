import { BATCH_NORM_NEAR } from "../../assembly/isa";
import * as ops from "../../ts/ops/batchNorm";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";

const epsilon = Math.fround(1e-3);
const SHAPES = [
  [1, 4],
  [2, 1],
  [3, 5],
  [17, 7],
  [65, 63],
  [1025, 3],
  [65, 512], // three chunks of rows, the last of one
  [9, 1025],
  [2, 3, 3, 8],
];

/** γ·(x − μ)/√(σ² + ε) + β */
function normalize(x: Reals, gamma: Reals, beta: Reals, mean: Reals, variance: Reals, relu = false): Float64Array {
  const n = mean.length;
  return x.map((v, i) => {
    const c = i % n;
    const y = (gamma[c]! * (v - mean[c]!)) / Math.sqrt(variance[c]! + epsilon) + beta[c]!;
    return relu ? Math.max(0, y) : y;
  });
}

function moments(x: Reals, n: number): [mean: Float64Array, variance: Float64Array] {
  const rows = x.length / n;
  const [mean, variance] = [new Float64Array(n), new Float64Array(n)];
  x.forEach((v, i) => {
    mean[i % n]! += v / rows;
  });
  x.forEach((v, i) => {
    variance[i % n]! += (v - mean[i % n]!) ** 2 / rows;
  });
  return [mean, variance];
}

/** Pivot, scale, shift and inverseStd of each channel. */
function coefficients(gamma: Reals, beta: Reals, mean: Reals, variance: Reals): Float64Array {
  const inverseStd = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  const pivot = mean.map((m, c) => (Math.abs(m * inverseStd[c]!) > BATCH_NORM_NEAR ? m : 0));
  const scale = gamma.map((g, c) => g * inverseStd[c]!);
  const shift = beta.map((b, c) => b - (mean[c]! - pivot[c]!) * scale[c]!);
  return Float64Array.of(...pivot, ...scale, ...shift, ...inverseStd);
}
const wrong = [[{ x: [4, 3], gamma: [4], beta: [3] }, /expected gamma of shape \[3\], got \[4\]/]] as const;

for (const relu of [false, true])
  checkOp(ops.batchNorm, {
    title: relu ? "relu" : "",
    attributes: { epsilon, ...(relu && { relu }) },
    differentiated: !relu,
    cases: SHAPES.map((x) => ({ x, gamma: [x.at(-1)!], beta: [x.at(-1)!] })),
    shapes: ({ x, gamma }) => [x, gamma, gamma, [4, ...gamma]],
    tolerance: 5e-6,
    gradientTolerance: 5e-5,
    reference({ x, gamma, beta }) {
      const [mean, variance] = moments(x, gamma.length);
      return [
        normalize(x, gamma, beta, mean, variance, relu),
        mean,
        variance,
        coefficients(gamma, beta, mean, variance),
      ];
    },
    wrong,
  });

for (const relu of [false, true])
  checkOp(ops.batchNormInference, {
    title: relu ? "relu" : "",
    attributes: { epsilon, ...(relu && { relu }) },
    differentiated: !relu,
    cases: SHAPES.map((x) => {
      const n = [x.at(-1)!];
      return { x, gamma: n, beta: n, movingMean: n, movingVariance: n };
    }),
    values: { movingVariance: (i) => 0.25 + (i % 7) },
    constants: ["movingMean", "movingVariance"],
    shapes: ({ x, gamma }) => [x, [4, ...gamma]],
    tolerance: 5e-6,
    reference: ({ x, gamma, beta, movingMean, movingVariance }) => [
      normalize(x, gamma, beta, movingMean, movingVariance, relu),
      coefficients(gamma, beta, movingMean, movingVariance),
    ],
    wrong: [
      [{ x: [4, 3], gamma: [4], beta: [3], movingMean: [3], movingVariance: [3] }, /expected gamma of shape \[3\]/],
    ],
  });

checkOp(ops.movingAverage, {
  attributes: { momentum: 0.75 },
  cases: [1, 3, 17, 65, 1025].map((n) => ({ moving: [n], value: [n] })),
  writes: ["moving"],
  reference: ({ moving, value }) => moving.map((m, i) => 0.75 * m + 0.25 * value[i]!),
});

checkCoverage(ops);
