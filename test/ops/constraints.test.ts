import { expect, test } from "vitest";
import * as ops from "../../ts/ops/constraints";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";
import { row as segmentRow, segmentWords } from "../support/segments";

/** The second row is w's; the first, of another parameter, is frozen. */
const table = (frozen = false) => {
  const rows = [segmentRow(0, 4, { frozen: true }), segmentRow(16, 4, { frozen })];
  return { shape: [rows.length, 8], words: segmentWords(rows) };
};

/** Keras's formula, by index arithmetic. */
function constrained(w: Reals, shape: readonly number[], axes: readonly number[], of: (n: number) => number): number[] {
  const groupOf = (i: number) => {
    let key = 0;
    let rest = i;
    const places: number[] = [];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      places[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    shape.forEach((size, axis) => {
      key = key * size + (axes.includes(axis) ? 0 : places[axis]!);
    });
    return key;
  };
  const squares = new Map<number, number>();
  w.forEach((v, i) => {
    squares.set(groupOf(i), (squares.get(groupOf(i)) ?? 0) + v * v);
  });
  return [...w].map((v, i) => {
    const n = Math.sqrt(squares.get(groupOf(i))!);
    return (v * of(n)) / (1e-7 + n);
  });
}

const LIMITS = [
  { title: "at most 2", low: 0, high: 2, rate: 1 },
  { title: "1", low: 1, high: 1, rate: 1 },
  { title: "half of the way to [2, 3]", low: 2, high: 3, rate: 0.5 },
];
const CASES: [shape: number[], axes: number[]][] = [
  [[5], [0]],
  [[7, 3], [0]], // a unit's incoming weights; fewer columns than a vector
  [[61, 37], [0]], // whole lines of columns and a tail
  [[61, 37], [1]], // along rows
  [
    [9, 4],
    [0, 1],
  ], // all of it
  [[9, 4], []], // each weight alone
  [
    [3, 3, 4, 19],
    [0, 1, 2],
  ], // a convolution's filters
  [[3, 3, 4, 19], [3]],
  [
    [3, 5, 4, 6],
    [0, 2],
  ], // two runs of reduced axes, the last one kept
  [
    [3, 5, 4, 6],
    [1, 3],
  ], // and not
];

for (const { title, low, high, rate } of LIMITS)
  for (const [shape, axes] of CASES)
    checkOp(ops.normConstraint, {
      title: `${title}, axes ${axes}`,
      attributes: { row: 1, axes, low, high, rate },
      cases: [{ w: shape, segments: table() }],
      writes: ["w"],
      reference: ({ w }) =>
        constrained(w, shape, axes, (n) => rate * Math.min(Math.max(n, low), high) + (1 - rate) * n),
    });

checkOp(ops.normConstraint, {
  title: "frozen",
  attributes: { row: 1, axes: [0], low: 1, high: 1, rate: 1 },
  cases: [{ w: [7, 3], segments: table(true) }],
  writes: ["w"],
  reference: ({ w }) => w,
});

checkOp(ops.normConstraint, {
  title: "zeros stay zeros",
  attributes: { row: 1, axes: [0], low: 1, high: 1, rate: 1 },
  cases: [{ w: { shape: [2, 3], values: [3, 0, 0, 4, 0, -2] }, segments: table() }],
  writes: ["w"],
  reference: () => [0.6, 0, 0, 0.8, 0, -1],
});

for (const frozen of [false, true])
  checkOp(ops.nonNegative, {
    title: frozen ? "frozen" : "",
    attributes: { row: 1 },
    cases: [1, 3, 17, 1025].map((n) => ({ w: [n], segments: table(frozen) })),
    writes: ["w"],
    reference: ({ w }) => (frozen ? w : w.map((v) => Math.max(v, 0))),
  });

test("runs of axes: kept and reduced in turn, the last one kept", () => {
  expect(ops.runsOf([3, 5], [0])).toEqual([3, 5]);
  expect(ops.runsOf([3, 5], [1])).toEqual([3, 5, 1]);
  expect(ops.runsOf([2, 3, 4, 5], [0, 1, 2])).toEqual([24, 5]);
  expect(ops.runsOf([2, 3, 4, 5], [1, 3])).toEqual([2, 3, 4, 5, 1]);
  expect(ops.runsOf([2, 3], [])).toEqual([6]);
});

checkCoverage(ops);
