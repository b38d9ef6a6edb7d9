import * as ops from "../../ts/ops/activations";
import { checkCoverage, checkOp } from "../support/checkOp";
import { erf, sigmoid } from "../support/functions";

const { exp, expm1, log1p, max, PI, sqrt, tanh } = Math;
const cases = [{ x: [1] }, { x: [3] }, { x: [7, 5] }, { x: [17] }, { x: [63] }, { x: [65] }, { x: [1025] }, { x: [5000] }];
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

const FUNCTIONS: [keyof typeof ops, (x: number) => number, number?][] = [
  ["relu", (x) => max(0, x)],
  ["leakyRelu", (x) => (x > 0 ? x : 0.125 * x), 0.125],
  ["elu", (x) => (x > 0 ? x : 0.75 * expm1(x)), 0.75],
  ["selu", (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1(x))],
  ["gelu", (x) => (x / 2) * (1 + erf(x / sqrt(2)))],
  ["geluTanh", (x) => (x / 2) * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x ** 3)))],
  ["silu", (x) => x * sigmoid(x)],
  ["sigmoid", sigmoid],
  ["tanh", tanh],
  ["softplus", (x) => max(x, 0) + log1p(exp(-Math.abs(x)))],
];

for (const [name, f, alpha] of FUNCTIONS)
  checkOp(ops[name] as typeof ops.relu, {
    cases,
    attributes: alpha === undefined ? {} : { alpha },
    reference: ({ x }) => x.map(f),
  });

checkOp(ops.softmax, {
  cases: [{ x: [1, 1] }, { x: [3, 2] }, { x: [5, 7] }, { x: [65, 17] }, { x: [2, 3, 10] }, { x: [3, 1025] }, { x: [4099, 3] }],
  reference({ x }, shapes) {
    const n = shapes.x.at(-1)!;
    const y = x.map(exp);
    return y.map((v, i) => v / y.subarray(i - (i % n), i - (i % n) + n).reduce((a, b) => a + b));
  },
});

checkCoverage(ops);
