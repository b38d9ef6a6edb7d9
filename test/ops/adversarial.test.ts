import { expect, test } from "vitest";
import { Base, State } from "../../assembly/isa";
import { Graph } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import * as ops from "../../ts/ops/adversarial";
import { BUILDS } from "../support/builds";
import { checkCoverage, checkOp, numbers, type Reals } from "../support/checkOp";
import { Core } from "../support/core";
import { philox } from "../support/philox";
import { runGraph } from "../support/runGraph";

const OP = 5;
const counters = { seed: 3, stream: 2, step: 7, pass: 1 };
const f = Math.fround;
const [low, high] = [f(-0.9), f(1.1)];
const SHAPES = [
  [1, 1],
  [3, 5],
  [65, 17],
  [2, 1025],
  [5, 3, 2, 7],
];

const norm = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const box = (v: number, to: readonly number[]) => Math.min(Math.max(v, to[0]!), to[1]!);

/** The word of an element: rows begin on blocks of four. */
function word(row: number, i: number, n: number): number {
  return philox(
    [row * Math.ceil(n / 4) + (i >> 2), OP, counters.step, counters.pass],
    [counters.seed, counters.stream],
  )[i % 4]!;
}

for (const clip of [
  [low, high],
  [-Infinity, Infinity],
] as const)
  for (const firstRow of [0, 3])
    checkOp(ops.attackStart, {
      title: `inf, clip [${clip}], from row ${firstRow} of the call on`,
      attributes: { norm: "inf" as const, epsilon: 0.25, low: clip[0], high: clip[1], op: OP },
      cases: SHAPES.map((x) => ({ x })),
      constants: ["x"],
      prepare({ state }) {
        state.u32.set([counters.seed, counters.stream, counters.step, counters.pass], State.seed);
        state.u32[State.row] = firstRow;
      },
      reference({ x }, shapes) {
        const n = x.length / shapes.x[0]!;
        return x.map((v, e) => {
          const u = -0.25 + 0.5 * ((word(firstRow + Math.floor(e / n), e % n, n) >>> 8) / 2 ** 24);
          return box(v + u, clip);
        });
      },
    });

/** Runs attackStart in the l2 ball about 0 and gives its rows. */
function starts(rows: number, n: number, epsilon: number, build = BUILDS[0]!): Float32Array[] {
  const core = new Core(build);
  core.state.u32.set([counters.seed, counters.stream, counters.step, counters.pass], State.seed);
  const graph = new Graph();
  const x = graph.leaf([rows, n], "x", {
    base: Base.absolute,
    offset: core.floats(new Float32Array(rows * n)).address,
  });
  const y = ops.attackStart([x], { norm: "l2", epsilon, low: -Infinity, high: Infinity, op: OP });
  graph.kept.add(y);
  const { read } = runGraph(core, graph, plan(graph, 1));
  const all = new Float32Array(read(y).buffer);
  return Array.from({ length: rows }, (_, r) => all.subarray(r * n, (r + 1) * n));
}

test("l2: the distance is epsilon·v^(1/n), v of the row's own block", () => {
  for (const build of BUILDS)
    for (const n of [1, 2, 5, 64])
      starts(7, n, 0.5, build).forEach((row, r) => {
        const [first] = philox([r, OP + 1, counters.step, counters.pass], [counters.seed, counters.stream]);
        const want = 0.5 * ((first! + 0.5) / 2 ** 32) ** (1 / n);
        expect(norm(row) / want).toBeCloseTo(1, 5);
      });
});

test("l2: directions have mean 0 and no preferred axis (|z| < 3.29 each, p = 0.001)", () => {
  const rows = starts(4000, 3, 1);
  for (let axis = 0; axis < 3; axis++) {
    const units = rows.map((row) => row[axis]! / norm(row)); // variance 1/3; of its square 4/45
    const mean = units.reduce((sum, v) => sum + v, 0) / units.length;
    const square = units.reduce((sum, v) => sum + v * v, 0) / units.length;
    expect(Math.abs(mean) / Math.sqrt(1 / 3 / units.length)).toBeLessThan(3.29);
    expect(Math.abs(square - 1 / 3) / Math.sqrt(4 / 45 / units.length)).toBeLessThan(3.29);
  }
});

// the same table in both balls: that l2 starts have equal bits on 1, 2 and 3 threads, whatever they are
checkOp(ops.attackStart, {
  title: "l2",
  attributes: { norm: "l2" as const, epsilon: 0.25, low: -Infinity, high: Infinity, op: OP },
  cases: SHAPES.map((x) => ({ x })),
  constants: ["x"],
  reference: ({ x }) => [Array.from(x, () => undefined)],
});

const [N3, N8, N9] = [3, 8, 9].map((seed) => numbers(4096, seed)) as [Float32Array, Float32Array, Float32Array];
const X = (i: number) => N3[i % 4096]!;
/** x̃ within 0.3 of x. */
const NEAR = (i: number) => X(i) + 0.15 * N8[i % 4096]!;
const G = (i: number) => (i % 7 === 3 ? 0 : N9[i % 4096]!);

function stepped(
  name: "inf" | "l2",
  epsilon: number,
  s: number,
  clip: readonly number[],
  from: Reals,
  g: Reals,
  x: Reals,
  rows: number,
) {
  const n = x.length / rows;
  const y = new Float64Array(x.length);
  for (let r = 0; r < rows; r++) {
    const part = (v: Reals) => v.subarray(r * n, (r + 1) * n);
    const length = norm(part(g));
    const delta = part(from).map((v, i) => {
      const slope = part(g)[i]!;
      const step = name === "inf" ? s * Math.sign(slope) : length > 0 ? (s * slope) / length : 0;
      return v + step - part(x)[i]!;
    });
    const scale = Math.min(1, epsilon / norm(delta));
    for (let i = 0; i < n; i++) {
      const d = name === "inf" ? box(delta[i]!, [-epsilon, epsilon]) : delta[i]! * scale;
      y[r * n + i] = box(part(x)[i]! + d, clip);
    }
  }
  return y;
}

for (const name of ["inf", "l2"] as const)
  for (const [epsilon, stepSize] of [
    [0.25, 0.125],
    [4, 0.5],
  ] as const)
    for (const clip of [
      [low, high],
      [-Infinity, Infinity],
    ] as const)
      checkOp(ops.attackStep, {
        title: `${name}, epsilon ${epsilon}, step ${stepSize}, clip [${clip}]`,
        attributes: { norm: name, epsilon, stepSize, low: clip[0], high: clip[1] },
        cases: SHAPES.map((shape) => ({ from: shape, g: shape, x: shape })),
        values: { from: NEAR, g: G, x: X },
        constants: ["from", "g", "x"],
        tolerance: 1e-6,
        reference: ({ from, g, x }, shapes) => stepped(name, epsilon, stepSize, clip, from, g, x, shapes.x[0]!),
      });

checkOp(ops.attackStep, {
  title: "l2, a gradient of 0 and one that is not finite: no step",
  attributes: { norm: "l2" as const, epsilon: 8, stepSize: 1, low: -Infinity, high: Infinity },
  cases: [{ from: [2, 5], g: { shape: [2, 5], values: [0, 0, 0, 0, 0, 1, Infinity, 1, 1, 1] }, x: [2, 5] }],
  constants: ["from", "g", "x"],
  reference: ({ from }) => from,
});

checkOp(ops.constantLike, {
  attributes: { value: -1.5 },
  cases: [{ x: [1] }, { x: [65] }, { x: [3, 7] }],
  constants: ["x"],
  reference: ({ x }) => x.map(() => -1.5),
});

checkCoverage(ops);
