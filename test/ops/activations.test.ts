import * as ops from "../../ts/ops/activations";
import { checkCoverage, checkOp } from "../support/checkOp";
import { erf, sigmoid } from "../support/functions";

const { exp, expm1, log1p, max, PI, sqrt, tanh } = Math;
const cases = [
  { x: [1] },
  { x: [3] },
  { x: [7, 5] },
  { x: [17] },
  { x: [63] },
  { x: [65] },
  { x: [1025] },
  { x: [4099] },
];
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

const FUNCTIONS: [op: typeof ops.relu, f: (x: number) => number, alpha?: number][] = [
  [ops.relu, (x) => max(0, x)],
  [ops.leakyRelu, (x) => (x > 0 ? x : 0.125 * x), 0.125],
  [ops.elu, (x) => (x > 0 ? x : 0.75 * expm1(x)), 0.75],
  [ops.selu, (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1(x))],
  [ops.gelu, (x) => (x / 2) * (1 + erf(x / sqrt(2)))],
  [ops.geluTanh, (x) => (x / 2) * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x ** 3)))],
  [ops.silu, (x) => x * sigmoid(x)],
  [ops.sigmoid, sigmoid],
  [ops.tanh, tanh],
  [ops.softplus, (x) => max(x, 0) + log1p(exp(-Math.abs(x)))],
];

for (const [op, f, alpha] of FUNCTIONS)
  checkOp(op, {
    cases,
    attributes: alpha === undefined ? {} : { alpha },
    reference: ({ x }) => x.map(f),
  });

checkOp(ops.softmax, {
  cases: [
    { x: [1, 1] },
    { x: [3, 2] },
    { x: [5, 7] },
    { x: [65, 17] },
    { x: [2, 3, 10] },
    { x: [3, 1025] },
    { x: [1025, 3] },
  ],
  reference({ x }, shapes) {
    const n = shapes.x.at(-1)!;
    const y = x.map(exp);
    const sums = Array.from({ length: y.length / n }, (_, r) => y.subarray(r * n, (r + 1) * n).reduce((a, b) => a + b));
    return y.map((v, i) => v / sums[Math.floor(i / n)]!);
  },
});

checkCoverage(ops);
