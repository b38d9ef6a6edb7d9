import { expect, test } from "vitest";
import { Graph } from "../../ts/graph/graph";
import * as ops from "../../ts/ops/timeMajor";
import { checkCoverage, checkOp } from "../support/checkOp";
import { leaf } from "../support/graphs";

checkOp(ops.swapMajor, {
  cases: [{ x: [1, 1, 1] }, { x: [3, 5, 7] }, { x: [17, 2, 16] }, { x: [1, 9, 3] }, { x: [65, 33, 1] }],
  shapes: ({ x: [a, b, c] }) => [[b!, a!, c!]],
  reference({ x }, { x: [a, b, c] }) {
    return x.map((_, at) => {
      const [i, j, k] = [Math.floor(at / (a! * c!)), Math.floor(at / c!) % a!, at % c!];
      return x[(j * b! + i) * c! + k]!;
    });
  },
  wrong: [[{ x: [4, 3] }, /expected input of shape \[n, T, in\], got \[4, 3\]/]],
});

checkOp(ops.joinDirections, {
  cases: [
    [1, 1],
    [5, 13],
    [1, 1, 1],
    [3, 5, 7],
    [9, 2, 16],
    [4, 17, 3],
  ].map((x) => ({ forward: x, backward: x })),
  shapes: ({ forward }) => {
    const [n, u] = forward.slice(-2) as [number, number];
    return [forward.length === 3 ? [n, forward[0]!, 2 * u] : [n, 2 * u]];
  },
  reference({ forward, backward }, { forward: shape }) {
    const [n, u] = shape.slice(-2) as [number, number];
    const steps = shape.length === 3 ? shape[0]! : 1;
    return Float64Array.from({ length: 2 * forward.length }, (_, at) => {
      const [row, half, k] = [Math.floor(at / (2 * u)), Math.floor(at / u) % 2, at % u];
      const [i, t] = [Math.floor(row / steps), row % steps];
      return [forward, backward][half]![(t * n + i) * u + k]!;
    });
  },
  wrong: [[{ forward: [4, 3], backward: [4, 2] }, /expected backward of shape \[4, 3\], got \[4, 2\]/]],
});

test("swapping what was swapped is what there was", () => {
  const x = leaf(new Graph(), [3, 4, 5]);
  expect(ops.swapped(ops.swapped(x))).toBe(x);
});

checkCoverage(ops);
