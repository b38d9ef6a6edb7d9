import * as ops from "../../ts/ops/groupNorm";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";

const epsilon = Math.fround(1e-3);

/** y = γ·(x − μ)/√(σ² + ε) + β over each sample's groups of channels. */
function normalize(x: Reals, gamma: Reals, beta: Reals, samples: number, groups: number): Float64Array {
  const channels = gamma.length;
  const setOf = (i: number) =>
    Math.floor((i * samples) / x.length) * groups + Math.floor(((i % channels) * groups) / channels);
  const n = x.length / samples / groups;
  const mean = new Float64Array(samples * groups);
  const variance = new Float64Array(samples * groups);
  x.forEach((v, i) => {
    mean[setOf(i)]! += v / n;
  });
  x.forEach((v, i) => {
    variance[setOf(i)]! += (v - mean[setOf(i)]!) ** 2 / n;
  });
  return x.map((v, i) => {
    const h = (v - mean[setOf(i)]!) / Math.sqrt(variance[setOf(i)]! + epsilon);
    return gamma[i % channels]! * h + beta[i % channels]!;
  });
}

const CASES: [groups: number, shapes: number[][]][] = [
  // rows: layer normalization
  [
    1,
    [
      [1, 4],
      [2, 1],
      [3, 5],
      [17, 7],
      [65, 63],
      [1025, 3],
      [65, 512],
      [9, 1025],
      [2, 3, 3, 8],
      [3, 2, 300],
    ],
  ],
  [
    2,
    [
      [3, 4],
      [2, 5, 6],
      [2, 3, 3, 8],
      [33, 512],
    ],
  ],
  [
    3,
    [
      [2, 3],
      [4, 3, 2, 9],
      [1, 40, 40, 12],
    ],
  ],
  [8, [[2, 3, 3, 8]]], // instance normalization
];
const title = (groups: number) => `${groups} groups`;

for (const [groups, shapes] of CASES)
  checkOp(ops.groupNorm, {
    title: title(groups),
    attributes: { groups, epsilon },
    cases: shapes.map((x) => ({ x, gamma: [x.at(-1)!], beta: [x.at(-1)!] })),
    shapes: ({ x }) => [x, [x[0]!, groups, 3]],
    tolerance: 5e-6,
    gradientTolerance: 5e-5,
    reference: ({ x, gamma, beta }, shapes) => [
      normalize(x, gamma, beta, shapes.x[0]!, groups),
      Array.from({ length: shapes.x[0]! * groups * 3 }, () => undefined), // a pivot, a factor, an offset: many are right
    ],
    wrong: [
      [{ x: [4, groups * 2], gamma: [groups * 2 + 1], beta: [groups * 2] }, /expected gamma of shape/],
      ...(groups > 1
        ? ([[{ x: [4, groups + 1], gamma: [groups + 1], beta: [groups + 1] }, /a multiple of/]] as const)
        : ([[{ x: [4], gamma: [4], beta: [4] }, /expected input of shape \[n, …, c\], got \[4\]/]] as const)),
    ],
  });

// numbers that lie far from 0, and are what float32 holds, are normalized as well as others
for (const offset of [100, 1e4])
  checkOp(ops.groupNorm, {
    title: `mean ${offset}`,
    attributes: { groups: 2, epsilon },
    cases: [
      { x: [5, 4, 12], gamma: [12], beta: [12] },
      { x: [3, 2, 600], gamma: [600], beta: [600] },
    ],
    values: { x: (i) => offset + ((i * 37) % 101) / 64 },
    shapes: ({ x }) => [x, [x[0]!, 2, 3]],
    tolerance: 5e-6,
    gradientTolerance: 1e-4,
    reference: ({ x, gamma, beta }, shapes) => [
      normalize(x, gamma, beta, shapes.x[0]!, 2),
      Array.from({ length: shapes.x[0]! * 6 }, () => undefined),
    ],
  });

checkCoverage(ops);
