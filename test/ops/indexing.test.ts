import * as ops from "../../ts/ops/indexing";
import { checkCoverage, checkOp } from "../support/checkOp";

for (const [axis, x, indices] of [
  [0, [5], [7]],
  [0, [6, 3], [4]],
  [0, [9, 17], [40]],
  [0, [5, 131], [30]], // columns in cache lines, for each of three threads
  [1, [3, 5], [2, 2]],
  [1, [2, 4, 3], [5]],
] as const)
  checkOp(ops.take, {
    title: `along ${axis}`,
    attributes: { axis },
    cases: [{ x, indices }],
    values: { indices: (i) => ((i * 7) % 11) % x[axis]! },
    constants: ["indices"],
    tolerance: 0,
    shapes: () => [[...x.slice(0, axis), ...indices, ...x.slice(axis + 1)]],
    reference({ x: values, indices: at }) {
      const product = (shape: readonly number[]) => shape.reduce((p, d) => p * d, 1);
      const inner = product(x.slice(axis + 1));
      return Array.from({ length: product(x.slice(0, axis)) * at.length * inner }, (_, i) => {
        const [o, j] = [Math.floor(i / (at.length * inner)), Math.floor(i / inner) % at.length];
        return values[(o * x[axis]! + at[j]!) * inner + (i % inner)]!;
      });
    },
  });

checkOp(ops.take, {
  title: "cuts indices to 0 … n − 1",
  attributes: { axis: 0 },
  cases: [{ x: { shape: [3], values: [10, 20, 30] }, indices: { shape: [6], values: [-1, 7, 1.9, NaN, Infinity, 2] } }],
  constants: ["indices"],
  differentiated: false,
  shapes: () => [[6]],
  reference: () => [10, 30, 20, 10, 30, 30],
});

checkOp(ops.oneHot, {
  attributes: { classes: 4 },
  integers: ["labels"],
  cases: [{ labels: { shape: [6], values: [0, 3, -1, 2, 1, 1] } }],
  shapes: () => [[6, 4], [6]],
  reference: ({ labels }) => [
    [...labels].flatMap((c) => [0, 1, 2, 3].map((k) => +(k === Math.max(c, 0)))),
    labels.map((c) => +(c >= 0)),
  ],
});

checkOp(ops.oneHot, {
  title: "of sequences",
  attributes: { classes: 3 },
  integers: ["labels"],
  cases: [{ labels: { shape: [2, 3], values: [0, 2, -1, 2, 1, 1] } }],
  shapes: () => [
    [2, 3, 3],
    [2, 3],
  ],
  reference: ({ labels }) => [
    [...labels].flatMap((c) => [0, 1, 2].map((k) => +(k === Math.max(c, 0)))),
    labels.map((c) => +(c >= 0)),
  ],
});

checkCoverage(ops);
