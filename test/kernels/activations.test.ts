// Forward beside backward, PyTorch's formulas in float64. The backward kernels get the float32 output where they read
// one, so the reference does too.

import { describe, expect, test } from "vitest";
import { ExtensionOp, Op } from "../../assembly/isa";
import { Core } from "../support/core";
import { BUILDS, bits, checkElementwise, expectClose, numbers } from "../support/elementwise";
import { erf, sigmoid } from "../support/functions";

const { exp, expm1, log1p, tanh, sqrt, PI, fround } = Math;
const SCALE = 1.0507009873554805;
const ALPHA = 1.6732632423543772;

interface Activation {
  forward: number;
  backward: number;
  f: (x: number) => number;
  /** f′ of the input, or of the output where the kernel reads that. */
  derivative: (v: number) => number;
  reads: "input" | "output";
  reals?: number[];
  tolerance?: number;
  /** f(−∞) and f(∞), where they are numbers. */
  ends: [number, number];
}

const phi = (x: number) => exp((-x * x) / 2) / sqrt(2 * PI);
const normal = (x: number) => 0.5 + 0.5 * erf(x / Math.SQRT2);
const geluArgument = (x: number) => sqrt(8 / PI) * (x + 0.044715 * x ** 3);
const geluSlope = (x: number) => sqrt(8 / PI) * (1 + 3 * 0.044715 * x * x);
const gate = (x: number, u: number, slope: number) => sigmoid(u) + x * sigmoid(u) * (1 - sigmoid(u)) * slope;

const ACTIVATIONS: Record<string, Activation> = {
  relu: {
    forward: Op.relu,
    backward: Op.reluBackward,
    f: (x) => Math.max(x, 0),
    derivative: (y) => (y > 0 ? 1 : 0),
    reads: "output",
    ends: [0, Infinity],
  },
  leakyRelu: {
    forward: Op.leakyRelu,
    backward: Op.leakyReluBackward,
    f: (x) => (x > 0 ? x : fround(0.1) * x),
    derivative: (y) => (y > 0 ? 1 : fround(0.1)),
    reads: "output",
    reals: [0.1, 7], // the second belongs to other unary ops
    ends: [-Infinity, Infinity],
  },
  elu: {
    forward: Op.elu,
    backward: Op.eluBackward,
    f: (x) => (x > 0 ? x : fround(1.3) * expm1(x)),
    derivative: (y) => (y > 0 ? 1 : y + fround(1.3)),
    reads: "output",
    reals: [1.3, 7],
    ends: [-fround(1.3), Infinity],
  },
  selu: {
    forward: Op.selu,
    backward: Op.seluBackward,
    f: (x) => (x > 0 ? SCALE * x : SCALE * ALPHA * expm1(x)),
    derivative: (y) => (y > 0 ? SCALE : y + SCALE * ALPHA),
    reads: "output",
    ends: [-SCALE * ALPHA, Infinity],
  },
  gelu: {
    forward: Op.gelu,
    backward: Op.geluBackward,
    f: (x) => x * normal(x),
    derivative: (x) => normal(x) + x * phi(x),
    reads: "input",
    ends: [NaN, Infinity],
  },
  geluTanh: {
    forward: Op.geluTanh,
    backward: Op.geluTanhBackward,
    f: (x) => 0.5 * x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x ** 3))),
    derivative: (x) => gate(x, geluArgument(x), geluSlope(x)),
    reads: "input",
    ends: [NaN, Infinity],
  },
  silu: {
    forward: Op.silu,
    backward: Op.siluBackward,
    f: (x) => x * sigmoid(x),
    derivative: (x) => gate(x, x, 1),
    reads: "input",
    ends: [NaN, Infinity],
  },
  sigmoid: {
    forward: Op.sigmoid,
    backward: Op.sigmoidBackward,
    f: sigmoid,
    derivative: (y) => y * (1 - y),
    reads: "output",
    ends: [0, 1],
  },
  tanh: {
    forward: Op.tanh,
    backward: Op.tanhBackward,
    f: tanh,
    derivative: (y) => 1 - y * y,
    reads: "output",
    ends: [-1, 1],
  },
  softplus: {
    forward: Op.softplus,
    backward: Op.softplusBackward,
    f: (x) => Math.max(x, 0) + log1p(exp(-Math.abs(x))),
    derivative: (y) => -expm1(-y),
    reads: "output",
    ends: [0, Infinity],
  },
};

/** One instruction on some numbers. */
function apply(op: number, inputs: number[][], reals: number[] = [0, 0], build = BUILDS[0]!): number[] {
  const core = new Core(build);
  const n = inputs[0]!.length;
  const y = core.buffer(n);
  core.runShares(core.instruction(op, [y, ...inputs.map((x) => core.floats(x))], [n], reals));
  core.checkGuards();
  return [...y.f32];
}

for (const [name, a] of Object.entries(ACTIVATIONS))
  describe(name, () => {
    const tolerance = a.tolerance ?? 5e-7;
    test("forward", () =>
      checkElementwise(a.forward, (n) => [numbers(n, n, 6)], a.f as never, { reals: a.reals ?? [3, 4], tolerance }));

    test(`backward, from the ${a.reads}`, () =>
      checkElementwise(
        a.backward,
        (n) => {
          const x = numbers(n, n, 6);
          return [numbers(n, 2), a.reads === "input" ? x : x.map(a.f)];
        },
        (dy, v) => dy! * a.derivative(v!),
        { reals: [a.reals?.[0] ?? 3], tolerance: 4 * tolerance },
      ));

    test("the derivative is that of the function", () => {
      for (const x of numbers(200, 7, 5)) {
        const h = 1e-5;
        const difference = (a.f(x + h) - a.f(x - h)) / (2 * h);
        expect(Math.abs(a.derivative(a.reads === "input" ? x : a.f(x)) - difference)).toBeLessThan(1e-7);
      }
    });

    test("NaN comes through in every lane; ±∞", () => {
      for (const build of BUILDS) {
        for (let lane = 0; lane < 21; lane++) {
          const x = new Array(21).fill(1);
          x[lane] = NaN;
          const nan = apply(a.forward, [x], a.reals, build).map(Number.isNaN);
          expect(nan).toEqual(x.map(Number.isNaN));
          expect(apply(a.backward, [x, new Array(21).fill(0.5)], a.reals, build).map(Number.isNaN)).toEqual(nan);
        }
        expectClose(apply(a.forward, [[-Infinity, Infinity]], a.reals, build), a.ends, 1e-6);
      }
    });
  });

/** The largest relative error of an op over xs. */
function relative(op: number, xs: number[], f: (x: number) => number, reals?: number[]): number {
  const x = [...Float32Array.from(xs)];
  return apply(op, [x], reals).reduce((worst, y, i) => Math.max(worst, Math.abs(y / f(x[i]!) - 1)), 0);
}

test("small results keep their digits: elu and selu near 0, softplus, sigmoid and silu far below it", () => {
  const near = Array.from({ length: 1000 }, (_, i) => -(10 ** (-i / 40)));
  const far = Array.from({ length: 800 }, (_, i) => -i / 10);
  expect(relative(Op.elu, near, expm1, [1, 0])).toBeLessThan(3e-7);
  expect(relative(Op.selu, near, (x) => SCALE * ALPHA * expm1(x))).toBeLessThan(4e-7);
  expect(relative(Op.softplus, far, (x) => log1p(exp(x)))).toBeLessThan(4e-7);
  expect(relative(Op.sigmoid, far, sigmoid)).toBeLessThan(4e-7);
  expect(relative(Op.silu, far.slice(1), (x) => x * sigmoid(x))).toBeLessThan(5e-7);
  const y = near.map((x) => fround(-x));
  const dx = apply(Op.softplusBackward, [y.map(() => 1), y]);
  expect(dx.reduce((worst, d, i) => Math.max(worst, Math.abs(d / -expm1(-y[i]!) - 1)), 0)).toBeLessThan(3e-7);
});

test("zeros: relu and leakyRelu keep −0, and their gradient there is the negative side's", () => {
  for (const op of [Op.relu, Op.leakyRelu, Op.elu, Op.tanh, Op.gelu, Op.silu])
    expect(apply(op, [[0, -0]], [0.5, 0])).toEqual([0, -0]);
  expect(
    apply(Op.reluBackward, [
      [3, 3],
      [0, -0],
    ]),
  ).toEqual([0, 0]);
  expect(
    apply(
      Op.leakyReluBackward,
      [
        [3, 3],
        [0, -0],
      ],
      [0.5],
    ),
  ).toEqual([1.5, 1.5]);
});

const SHAPES = [
  [1, 1],
  [3, 5],
  [5, 16],
  [65, 10],
  [1025, 3],
] as const;

test("prelu: y = x > 0 ? x : alpha[c]·x; backward: dx, and the chunks' sums of dy·min(x, 0) bit for bit", () => {
  for (const build of BUILDS)
    for (const [rows, channels] of SHAPES)
      for (const chunkRows of [1, 7, 64]) {
        const n = rows * channels;
        const [x, dy, alpha] = [numbers(n, n), numbers(n, 3), numbers(channels, 5)];
        const slope = (i: number) => (x[i]! > 0 ? 1 : alpha[i % channels]!);
        const chunks = Math.ceil(rows / chunkRows);
        const sums = new Float32Array(chunks * channels);
        for (let i = 0; i < n; i++) {
          const at = Math.floor(Math.floor(i / channels) / chunkRows) * channels + (i % channels);
          sums[at] = sums[at]! + fround(dy[i]! * Math.min(x[i]!, 0));
        }
        for (const workers of [1, 2, 3])
          for (const inPlace of [false, true]) {
            const core = new Core(build);
            const [a, g] = [core.floats(alpha), core.floats(dy)];
            const input = core.floats(x);
            const dx = inPlace ? g : core.buffer(n);
            const partials = core.buffer(chunks * channels);
            const sizes = [rows, channels, chunkRows];
            core.runShares(core.instruction(ExtensionOp.preluBackward, [dx, partials, g, input, a], sizes), workers);
            expect(bits(dx.f32)).toEqual(bits(dy.map((v, i) => v * slope(i))));
            expect(bits(partials.f32)).toEqual(bits(sums));
            const y = inPlace ? input : core.buffer(n);
            core.runShares(core.instruction(ExtensionOp.prelu, [y, input, a], [rows, channels]), workers);
            expect(bits(y.f32)).toEqual(bits(x.map((v, i) => v * slope(i))));
            core.checkGuards();
          }
      }
});
