import * as ops from "../../ts/ops/layout";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";

type Shape = readonly number[];
const product = (shape: Shape) => shape.reduce((p, d) => p * d, 1);
/** The element at `index`. */
const at = (x: Reals, shape: Shape, index: Shape) => x[index.reduce((a, i, axis) => a * shape[axis]! + i, 0)]!;
/** f of every index of `shape`. */
const build = (shape: Shape, f: (index: number[]) => number) =>
  Array.from({ length: product(shape) }, (_, i) => {
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return f(index);
  });

for (const [axes, shapes] of [
  [[0], [[1], [9]]],
  [
    [1, 0],
    [
      [1, 1],
      [3, 5],
      [65, 33],
    ],
  ],
  [
    [0, 2, 1],
    [
      [2, 3, 4],
      [5, 17, 6],
    ],
  ],
  [[2, 0, 1, 3], [[2, 3, 4, 5]]],
  [[0, 1, 2], [[2, 3, 4]]],
] as const)
  checkOp(ops.transpose, {
    title: `[${axes}]`,
    attributes: { axes },
    cases: (shapes as readonly Shape[]).map((x) => ({ x })),
    shapes: ({ x }) => [axes.map((axis) => x[axis]!)],
    tolerance: 0,
    reference: ({ x }, { x: shape }) =>
      build(
        axes.map((axis) => shape[axis]!),
        (index) =>
          at(
            x,
            shape,
            shape.map((_, axis) => index[(axes as Shape).indexOf(axis)]!),
          ),
      ),
  });

for (const [begin, size, x] of [
  [[0], [1], [5]],
  [[2], [3], [5]],
  [
    [0, 1],
    [7, 2],
    [7, 4],
  ],
  [
    [3, 0],
    [2, 4],
    [7, 4],
  ],
  [
    [1, 0, 2],
    [1, 3, 1],
    [2, 3, 4],
  ],
] as const) {
  checkOp(ops.slice, {
    title: `[${size}] from [${begin}]`,
    attributes: { begin, size },
    cases: [{ x }],
    shapes: () => [size],
    tolerance: 0,
    reference: ({ x: v }) =>
      build(size, (index) =>
        at(
          v,
          x,
          index.map((i, axis) => i + begin[axis]!),
        ),
      ),
  });
  checkOp(ops.pad, {
    title: `[${size}] at [${begin}]`,
    attributes: { begin, to: x },
    cases: [{ x: size }],
    shapes: () => [x],
    tolerance: 0,
    reference: ({ x: v }) =>
      build(x, (index) => {
        const own = index.map((i, axis) => i - begin[axis]!);
        return own.every((i, axis) => i >= 0 && i < size[axis]!) ? at(v, size, own) : 0;
      }),
  });
}

for (const [axis, a, b, c] of [
  [0, [2], [3], [1]],
  [0, [2, 3], [1, 3], [4, 3]],
  [1, [4, 3], [4, 5], [4, 1]],
  [1, [2, 2, 3], [2, 1, 3], [2, 7, 3]],
] as const) {
  const shape = a.map((d, k) => (k === axis ? d + (b as Shape)[k]! + (c as Shape)[k]! : d));
  checkOp(ops.concat, {
    title: `along ${axis}`,
    attributes: { axis },
    cases: [{ a, b, c }],
    shapes: () => [shape],
    tolerance: 0,
    reference: (x) =>
      build(shape, (index) => {
        let i = index[axis]!;
        for (const [values, own] of [
          [x.a, a],
          [x.b, b],
          [x.c, c],
        ] as [Reals, Shape][]) {
          if (i < own[axis]!)
            return at(
              values,
              own,
              index.map((v, k) => (k === axis ? i : v)),
            );
          i -= own[axis]!;
        }
        return Number.NaN;
      }),
    wrong: [[{ a: [2, 3, 4], b: [2, 3, 5], c: [1, 1, 1] }, /expected what is joined of shape/]],
  });
}

checkOp(ops.stopGradient, { cases: [{ x: [3, 5] }], tolerance: 0, reference: ({ x }) => x });
checkCoverage(ops);
