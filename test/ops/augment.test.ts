import { Adjustment, FillMode, Movement, State } from "../../assembly/isa";
import * as ops from "../../ts/ops/augment";
import {
  about,
  between,
  erasedBox,
  type Fill,
  type Matrix,
  mixOf,
  resampled,
  times,
  units,
} from "../support/augmentation";
import { checkCoverage, checkOp } from "../support/checkOp";
import type { Core } from "../support/core";

const OP = 0xa0000003;
const position = { seed: 9, stream: 4, step: 3, pass: 1 };
const FIRST = 5;

/** Numbers are drawn at this position; the first row is row 5 of its batch. */
function prepare({ state }: Core): void {
  state.u32[State.seed] = position.seed;
  state.u32[State.stream] = position.stream;
  state.u32[State.step] = position.step;
  state.u32[State.pass] = position.pass;
  state.u32[State.row] = FIRST;
}

const numbersOf = (row: number, n = 0) => units((n || 1) * (FIRST + row), OP, position) as [number, number, number];

const rowsOf = (x: ArrayLike<number>, rows: number): Float64Array[] => {
  const size = x.length / rows;
  return Array.from({ length: rows }, (_, r) => Float64Array.from(x).subarray(r * size, (r + 1) * size));
};

const [H, W] = [5, 8];
const movements: [
  Movement,
  [number, number],
  [number, number],
  (p: number, q: number, u: number, v: number) => Matrix,
][] = [
  [Movement.translate, [-1, 2], [-3, 3], (p, q) => about([1, 0, 0, 1], H, W, [p, q])],
  [Movement.step, [-2, 3], [-1, 2], (p, q) => about([1, 0, 0, 1], H, W, [Math.floor(p), Math.floor(q)])],
  [
    Movement.rotate,
    [-0.5, 0.75],
    [0, 0],
    (p) => {
      const turn = 2 * Math.PI * p;
      return about([Math.cos(turn), -Math.sin(turn), Math.sin(turn), Math.cos(turn)], H, W);
    },
  ],
  [Movement.zoom, [-0.5, 0.5], [0, 1], (p, q) => about([1 + q, 0, 0, 1 + p], H, W)],
  [Movement.zoomAlike, [-0.5, 2], [5, 5], (p) => about([1 + p, 0, 0, 1 + p], H, W)],
  [Movement.shear, [-0.5, 0.5], [-1, 1], (p, q) => about([1, -q, -p, 1], H, W)],
  [Movement.flip, [0, 0.25], [0, 0.5], (_p, _q, u, v) => about([v < 0.5 ? -1 : 1, 0, 0, u < 0.25 ? -1 : 1], H, W)],
];

for (const [kind, y, x, movement] of movements)
  checkOp(ops.augmentMatrices, {
    title: `movement ${kind}`,
    attributes: ({ before }) => ({ kind, y, x, op: OP, shape: [before?.[0] ?? 17, H, W] }),
    cases: [{ before: null }, { before: [1, 6] }, { before: [33, 6] }],
    prepare,
    shapes: ({ before }) => [[before?.[0] ?? 17, 6]],
    reference: ({ before }) => {
      const rows = before ? before.length / 6 : 17;
      return Array.from({ length: rows }, (_, r) => {
        const [u, v] = numbersOf(r);
        const m = movement(between(y, u), between(x, v), u, v);
        return before ? times([...before.subarray(6 * r, 6 * r + 6)] as Matrix, m) : m;
      }).flat();
    },
  });

const fills: [Fill, FillMode][] = [
  ["constant", FillMode.constant],
  ["nearest", FillMode.nearest],
  ["reflect", FillMode.reflect],
  ["wrap", FillMode.wrap],
];

for (const [fill, fillMode] of fills)
  checkOp(ops.resample, {
    title: fill,
    attributes: { fillMode, fillValue: -3 },
    cases: [
      { x: [1, 1, 1], matrices: [1, 6] }, // one pixel
      { x: [3, 5, 8], matrices: [3, 6] },
      { x: [7, 4, 3, 2], matrices: [7, 6] },
      { x: [33, 9, 9, 3], matrices: [33, 6] },
    ],
    values: {
      // multiples of 1/64, so that places between pixels are exact in float32
      matrices: (i) => (i % 6 === 2 || i % 6 === 5 ? ((i * 37) % 512) / 16 - 16 : (((i * 53) % 160) - 80) / 64),
    },
    reference: ({ x, matrices }, { x: [rows, h, w, c = 1] }) => {
      const m = rowsOf(matrices, rows!);
      return rowsOf(x, rows!).flatMap((image, r) => resampled(image, [h!, w!, c], m[r]!, fill, -3));
    },
  });

const images = [{ x: [1, 1, 1] }, { x: [3, 5, 8] }, { x: [7, 4, 3, 2] }, { x: [33, 9, 9, 3] }];

for (const probability of [0, 0.6, 1])
  checkOp(ops.erase, {
    title: `probability ${probability}`,
    attributes: { op: OP, probability, area: [0.125, 0.75], ratio: [0.25, 4], fillValue: 2.5 },
    cases: images,
    prepare,
    reference: ({ x }, { x: [rows, h, w, c = 1] }) =>
      rowsOf(x, rows!).flatMap((image, r) => {
        const box = erasedBox(FIRST + r, OP, position, h!, w!, probability, [0.125, 0.75], [0.25, 4]);
        return [...image].map((v, i) => {
          const [row, column] = [Math.floor(i / (w! * c)), Math.floor(i / c) % w!];
          return box && row >= box[0] && row < box[2] && column >= box[1] && column < box[3] ? 2.5 : v;
        });
      }),
  });

for (const [kind, limits] of [
  [Adjustment.brightness, [-Infinity, Infinity]],
  [Adjustment.brightness, [-0.5, 1.5]],
  [Adjustment.contrast, [-Infinity, Infinity]],
  [Adjustment.contrast, [-0.5, 1.5]],
] as const)
  checkOp(ops.adjust, {
    title: `adjustment ${kind} within ${limits}`,
    attributes: { kind, op: OP, amount: [-0.5, 0.75], limits },
    cases: [...images, { x: [4, 6] }, { x: [3, 2, 2, 2, 2] }], // no images: one channel
    prepare,
    reference: ({ x }, { x: { length, 0: rows, 3: c = 1 } }) =>
      rowsOf(x, rows!).flatMap((image, r) => {
        const f = between([-0.5, 0.75], numbersOf(r)[0]);
        const channels = length === 5 ? 1 : c;
        const means = Array.from({ length: channels }, (_, k) => {
          const values = [...image].filter((_, i) => i % channels === k);
          return values.reduce((sum, v) => sum + v, 0) / values.length;
        });
        return [...image].map((v, i) => {
          const mean = means[i % channels]!;
          const y = kind === Adjustment.brightness ? v + f : (1 + f) * (v - mean) + mean;
          return Math.min(Math.max(y, limits[0]), limits[1]);
        });
      }),
  });

for (const rows of [1, 2, 33])
  for (const alpha of [0.01, 0.2, 1, 7])
    for (const box of [false, true])
      checkOp(ops.mixDraw, {
        title: `${rows} rows, alpha ${alpha}, ${box ? "boxes" : "no boxes"}`,
        attributes: { op: OP, alpha: Math.fround(alpha), box, shape: [rows, 6, 9] },
        cases: [{}],
        prepare,
        tolerance: 1e-6,
        shapes: () => [[rows], [rows], [rows], ...(box ? [[rows, 4]] : [])],
        reference: () => {
          const drawn = Array.from({ length: rows }, (_, r) =>
            mixOf(r, rows, OP, position, Math.fround(alpha), box && [6, 9], FIRST),
          );
          const results: ArrayLike<number>[] = [
            drawn.map(({ share }) => share),
            drawn.map(({ partner }) => partner),
            drawn.map(({ winner }) => winner),
          ];
          if (box) results.push(drawn.flatMap((d) => d.box));
          return results;
        },
      });

const boxOf = (r: number) => [r % 3, r % 2, (r % 3) + (r % 4), (r % 2) + 2];

checkOp(ops.mixRows, {
  cases: [
    { x: [1, 4, 5], shares: [1], partners: { shape: [1], values: [0] }, boxes: null },
    { x: [3, 7], shares: [3], partners: { shape: [3], values: [1, 2, 0] }, boxes: null },
    {
      x: [5, 6, 4, 3],
      shares: [5],
      partners: { shape: [5], values: [1, 2, 4, 2, 0] },
      boxes: { shape: [5, 4], values: [0, 1, 2, 3, 4].flatMap(boxOf) },
    },
  ],
  reference: ({ x, shares }, { x: [rows, , w, c = 1], boxes }) => {
    const partners = rows === 1 ? [0] : rows === 3 ? [1, 2, 0] : [1, 2, 4, 2, 0];
    const list = rowsOf(x, rows!);
    return list.flatMap((row, r) =>
      [...row].map((v, i) => {
        const other = list[partners[r]!]![i]!;
        if (!boxes) return shares[r]! * v + (1 - shares[r]!) * other;
        const [top, left, bottom, right] = boxOf(r) as [number, number, number, number];
        const [line, column] = [Math.floor(i / (w! * c)), Math.floor(i / c) % w!];
        return line >= top && line < bottom && column >= left && column < right ? other : v;
      }),
    );
  },
});

checkCoverage(ops);
