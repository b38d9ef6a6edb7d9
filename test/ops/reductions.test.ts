import { expect, test } from "vitest";
import { Graph } from "../../ts/graph/graph";
import * as largest from "../../ts/ops/largest";
import * as ops from "../../ts/ops/reductions";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";
import { leaf } from "../support/graphs";

type Shape = readonly number[];
const product = (shape: Shape) => shape.reduce((p, d) => p * d, 1);

const reduced = (from: number, to: number) => ({
  shapes: ({ x }: { x: Shape }) => [[...x.slice(0, from), ...x.slice(to)]],
  /** The numbers behind each element of the result. */
  groups(x: Reals, shape: Shape) {
    const [outer, n, inner] = [shape.slice(0, from), shape.slice(from, to), shape.slice(to)].map(product);
    return Array.from({ length: outer! * inner! }, (_, i) =>
      Array.from({ length: n! }, (_, k) => x[(Math.floor(i / inner!) * n! + k) * inner! + (i % inner!)]!),
    );
  },
});

for (const [from, to, shapes] of [
  [0, 1, [[1], [3], [17], [40000], [65, 3], [2100, 9], [7, 2, 3]]],
  [
    1,
    2,
    [
      [1, 1],
      [9, 5],
      [5, 1025],
      [3, 7, 4],
      [2, 3000, 3],
    ],
  ],
  [
    0,
    2,
    [
      [4, 5],
      [2, 3, 6],
      [130, 140],
    ],
  ],
  [
    1,
    3,
    [
      [2, 3, 4],
      [3, 2, 2, 5],
    ],
  ],
] as const) {
  const { shapes: out, groups } = reduced(from, to);
  const common = {
    title: `over axes ${from} … ${to - 1}`,
    attributes: { from, to },
    cases: (shapes as readonly Shape[]).map((x) => ({ x })),
    shapes: out,
  };
  checkOp(ops.sum, {
    ...common,
    // of the terms, not of their sum, which cancels
    tolerance: 2e-5,
    reference: ({ x }, { x: shape }) => groups(x, shape).map((g) => g.reduce((a, b) => a + b)),
  });
  checkOp(largest.largest, {
    ...common,
    reference: ({ x }, { x: shape }) => groups(x, shape).map((g) => g.reduce((a, b) => Math.max(a, b))),
  });
}

checkOp(largest.largest, {
  title: "of NaN is NaN",
  attributes: { from: 1, to: 2 },
  cases: [{ x: { shape: [2, 5], values: [1, 2, NaN, 3, 4, 5, 6, 7, 8, NaN] } }],
  shapes: () => [[2]],
  differentiated: false,
  reference: () => [NaN, NaN],
});

for (const [x, to] of [
  [[], [5]],
  [[5], [3, 5]],
  [
    [3, 1],
    [3, 70],
  ],
  [
    [2, 1, 3],
    [4, 2, 2, 3],
  ],
  [
    [4, 1],
    [4, 9000],
  ],
] as const)
  checkOp(ops.broadcastTo, {
    title: `to [${to}]`,
    attributes: { to },
    cases: [{ x }],
    shapes: () => [to],
    tolerance: 0,
    gradientTolerance: 2e-5,
    reference({ x: values }) {
      const rank = to.length;
      return Array.from({ length: product(to) }, (_, i) => {
        let at = 0;
        let scale = 1;
        let rest = i;
        for (let axis = rank - 1; axis >= 0; axis--) {
          const d = (x as Shape)[axis - (rank - x.length)] ?? 1;
          if (d > 1) at += (rest % to[axis]!) * scale;
          scale *= d;
          rest = Math.floor(rest / to[axis]!);
        }
        return values[at]!;
      });
    },
    wrong: [[{ x: [7, 7] }, /broadcasts/]],
  });

checkCoverage({ ...ops, ...largest });

test("sumTo: an operand that was not repeated gets the gradient as it is", () => {
  const x = leaf(new Graph(), [2, 3]);
  expect(ops.sumTo(x, [2, 3])).toBe(x);
  expect(ops.sumTo(x, [1, 3]).shape).toEqual([1, 3]);
  expect(ops.sumTo(x, []).shape).toEqual([]);
});
