import * as ops from "../../ts/ops/arithmetic";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";

type Shape = readonly number[];

/** a ∘ b, broadcast as in NumPy, and the shape of it. */
const shapeOf = (a: Shape, b: Shape): number[] => {
  const rank = Math.max(a.length, b.length);
  const at = (s: Shape, axis: number) => s[axis - (rank - s.length)] ?? 1;
  return Array.from({ length: rank }, (_, axis) => Math.max(at(a, axis), at(b, axis)));
};

const broadcast =
  (f: (a: number, b: number) => number) =>
  ({ a, b }: { a: Reals; b: Reals }, shapes: { a: Shape; b: Shape }) => {
    const to = shapeOf(shapes.a, shapes.b);
    const place = (shape: Shape, index: number[]) =>
      shape.reduce((at, d, axis) => at * d + (d === 1 ? 0 : index[axis + to.length - shape.length]!), 0);
    return Float64Array.from({ length: to.reduce((p, d) => p * d, 1) }, (_, i) => {
      let rest = i;
      const index = to.map(() => 0);
      for (let axis = to.length - 1; axis >= 0; axis--) {
        index[axis] = rest % to[axis]!;
        rest = Math.floor(rest / to[axis]!);
      }
      return f(a[place(shapes.a, index)]!, b[place(shapes.b, index)]!);
    });
  };

const PAIRS: (readonly [Shape, Shape])[] = [
  [[1], [1]],
  [[17], [17]],
  [
    [5, 13],
    [5, 13],
  ],
  [[12003], [12003]],
  [[7, 5], [5]], // a row
  [[5], [7, 5]],
  [
    [7, 5],
    [7, 1],
  ], // a column
  [
    [3, 1],
    [1, 4],
  ],
  [[2500], [1]], // pieces of a row
  [[], [9]],
  [
    [2, 1, 3, 1],
    [5, 1, 4],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
];
const cases = PAIRS.map(([a, b]) => ({ a, b }));
const common = {
  cases,
  shapes: ({ a, b }: { a: Shape; b: Shape }) => [shapeOf(a, b)],
  gradientTolerance: 2e-5,
  wrong: [
    [{ a: [2, 3], b: [2] }, /expected a second operand that broadcasts with one of shape \[2, 3\], got \[2\]/],
    [{ a: [2, 1, 1, 1, 1, 1, 1], b: [2] }, /expected at most 6 axes, got/],
  ] as const,
};
const positive = (i: number) => 0.2 + ((i * 37) % 23) / 11;

checkOp(ops.add, { ...common, reference: broadcast((a, b) => a + b) });
checkOp(ops.subtract, { ...common, reference: broadcast((a, b) => a - b) });
checkOp(ops.multiply, { ...common, reference: broadcast((a, b) => a * b) });
checkOp(ops.divide, { ...common, tolerance: 3e-6, gradientTolerance: 2e-4, reference: broadcast((a, b) => a / b) });
checkOp(ops.pow, { ...common, values: { a: positive }, reference: broadcast((a, b) => a ** b) });
checkOp(ops.pow, {
  title: "of negative numbers and 0",
  cases: [{ a: { shape: [4], values: [-2, -1.5, 0, 0] }, b: { shape: [4], values: [3, 2, 2, 1] } }],
  constants: [],
  differentiated: false,
  reference: ({ a, b }) => a.map((v, i) => v ** b[i]!),
});
checkOp(ops.maximum, { ...common, reference: broadcast(Math.max) });
checkOp(ops.minimum, { ...common, reference: broadcast(Math.min) });
checkOp(ops.maximum, {
  title: "of equals and NaN",
  cases: [{ a: { shape: [3], values: [1, NaN, 2] }, b: { shape: [3], values: [1, 2, NaN] } }],
  differentiated: false,
  reference: () => [1, NaN, NaN],
});
const digit = (i: number) => (i % 3) - 1;
const mask = { ...common, values: { a: digit, b: (i: number) => ((i * 5) % 4) - 1 } };
checkOp(ops.greater, { ...mask, reference: broadcast((a, b) => +(a > b)) });
checkOp(ops.greaterEqual, { ...mask, reference: broadcast((a, b) => +(a >= b)) });
checkOp(ops.equal, { ...mask, reference: broadcast((a, b) => +(a === b)) });
const kept = { ...common, values: { b: digit }, constants: ["b"] as const };
checkOp(ops.keep, { ...kept, reference: broadcast((a, b) => (b ? a : 0)) });
checkOp(ops.drop, { ...kept, reference: broadcast((a, b) => (b ? 0 : a)) });
checkOp(ops.keep, {
  title: "whatever the others are",
  cases: [{ a: { shape: [4], values: [NaN, Infinity, 3, 4] }, b: { shape: [4], values: [0, 0, 1, NaN] } }],
  differentiated: false,
  reference: () => [0, 0, 3, 4],
});

const sizes = [{ x: [1] }, { x: [17] }, { x: [5, 13] }, { x: [1025] }, { x: [12003] }];
checkOp(ops.exp, { cases: sizes, reference: ({ x }) => x.map(Math.exp) });
checkOp(ops.log, { cases: sizes, values: { x: positive }, reference: ({ x }) => x.map(Math.log) });
checkOp(ops.sqrt, { cases: sizes, values: { x: positive }, reference: ({ x }) => x.map(Math.sqrt) });
checkOp(ops.abs, { cases: sizes, reference: ({ x }) => x.map(Math.abs) });
checkOp(ops.sign, { cases: sizes, reference: ({ x }) => x.map(Math.sign) });
checkOp(ops.sin, { cases: sizes, reference: ({ x }) => x.map(Math.sin) });
checkOp(ops.cos, { cases: sizes, reference: ({ x }) => x.map(Math.cos) });
checkOp(ops.clip, {
  cases: sizes,
  attributes: { low: -0.53, high: 1.21 },
  reference: ({ x }) => x.map((v) => Math.min(Math.max(v, -0.53), 1.21)),
});
checkOp(ops.clip, {
  title: "on one side",
  cases: [{ x: { shape: [3], values: [-2, 5, NaN] } }],
  attributes: { low: 0, high: Infinity },
  differentiated: false,
  reference: () => [0, 5, NaN],
});
checkCoverage({ ...ops, constant: undefined }); // constant has no inputs: test/oracle/primitives.test.ts runs it
