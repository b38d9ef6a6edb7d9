// The ops as `call` is given them: each against a reference in float64, values and gradients.

import { expect, test } from "vitest";
import { primitives } from "../../ts/custom/primitives";
import {
  defineLayer,
  defineLoss,
  type Model,
  type NDArray,
  type Ops,
  sequential,
  sgd,
  type Value,
} from "../../ts/index";
import { erf } from "../support/functions";

const { abs, exp, log, max, min, sin, cos, tanh, sqrt, sign } = Math;
const [ROWS, WIDTH] = [4, 4]; // 4 rows: `predict` fills up 3
const X = Array.from({ length: ROWS * WIDTH }, (_, i) => Math.fround(((i * 7) % 16) / 7 - 1.13));
type Rows = number[][];

/** From x [n, 4] what `call` gives, and the same of rows of numbers. */
type Case = readonly [call: (x: Value, ops: Ops) => Value, reference: (x: Rows) => number[] | Rows];

/** Element by element. */
const each =
  (f: (v: number, i: number) => number) =>
  (x: Rows): Rows =>
    x.map((row) => row.map(f));
const rows =
  (f: (row: number[]) => number[]) =>
  (x: Rows): Rows =>
    x.map(f);
const sum = (list: number[]) => list.reduce((a, b) => a + b);
const softmax = (row: number[]) => row.map((v) => exp(v) / sum(row.map(exp)));
const two = (x: Value, ops: Ops) => [ops.slice(x, [0, 0], [-1, 2]), ops.slice(x, [0, 2])] as const;
/** The two halves of a row, as one operand each. */
const halves = (name: "add" | "subtract" | "multiply" | "divide" | "maximum" | "minimum") => (x: Value, ops: Ops) =>
  ops[name](...two(x, ops));
const pairs =
  (f: (a: number, b: number) => number) =>
  (x: Rows): Rows =>
    x.map(([a, b, c, d]) => [f(a!, c!), f(b!, d!)]);
/** A mask of x times x, so that there is a gradient. */
const mask = (name: "greater" | "greaterEqual" | "less" | "lessEqual" | "equal" | "notEqual") => (x: Value, ops: Ops) =>
  ops.multiply(ops[name](x, X[5]!), x);
const shapes = (x: Value, ops: Ops) => ops.reshape(x, [-1, 2, 2]);

const CASES: Record<keyof Ops, Case | Case[]> = {
  add: [
    [halves("add"), pairs((a, b) => a + b)],
    [(x, ops) => ops.add(2, ops.add(x, 0.5)), each((v) => v + 2.5)],
    [(x, ops) => ops.add(x, [1, 2, 3, 4]), each((v, i) => v + i + 1)],
    [(x, ops) => ops.add([[5, 6, 7, 8]], x), each((v, i) => v + i + 5)],
  ],
  subtract: [
    [halves("subtract"), pairs((a, b) => a - b)],
    [(x, ops) => ops.subtract(2, ops.subtract(x, 0.5)), each((v) => 2.5 - v)],
  ],
  multiply: [
    [halves("multiply"), pairs((a, b) => a * b)],
    [(x, ops) => ops.multiply(2, ops.multiply(x, 0.5)), each((v) => v)],
  ],
  divide: [
    [halves("divide"), pairs((a, b) => a / b)],
    [(x, ops) => ops.divide(3, ops.divide(x, 0.5)), each((v) => 1.5 / v)],
  ],
  pow: [0.5, 1, 2, 3, 4, 1.5, -1, 0].map(
    (p): Case => [(x, ops) => ops.pow(ops.add(x, 2), p), each((v) => (v + 2) ** p)],
  ),
  maximum: [
    [halves("maximum"), pairs(max)],
    [(x, ops) => ops.maximum(0.1, x), each((v) => max(v, 0.1))],
  ],
  minimum: [
    [halves("minimum"), pairs(min)],
    [(x, ops) => ops.minimum(x, 0.1), each((v) => min(v, 0.1))],
  ],
  greater: [mask("greater"), each((v) => (v > X[5]! ? v : 0))],
  greaterEqual: [mask("greaterEqual"), each((v) => (v >= X[5]! ? v : 0))],
  less: [mask("less"), each((v) => (v < X[5]! ? v : 0))],
  lessEqual: [mask("lessEqual"), each((v) => (v <= X[5]! ? v : 0))],
  equal: [mask("equal"), each((v) => (v === X[5]! ? v : 0))],
  notEqual: [mask("notEqual"), each((v) => (v !== X[5]! ? v : 0))],
  negate: [(x, ops) => ops.negate(x), each((v) => -v)],
  exp: [(x, ops) => ops.exp(x), each(exp)],
  log: [(x, ops) => ops.log(ops.add(x, 2)), each((v) => log(v + 2))],
  sqrt: [(x, ops) => ops.sqrt(ops.add(x, 2)), each((v) => sqrt(v + 2))],
  abs: [(x, ops) => ops.abs(x), each(abs)],
  sign: [(x, ops) => ops.multiply(ops.sign(x), x), each((v) => sign(v) * v)],
  sin: [(x, ops) => ops.sin(x), each(sin)],
  cos: [(x, ops) => ops.cos(x), each(cos)],
  where: [
    [(x, ops) => ops.where(ops.greater(x, 0), ops.multiply(x, 2), 7), each((v) => (v > 0 ? 2 * v : 7))],
    // what is not chosen has no part in the gradient, be it infinite
    [(x, ops) => ops.where(ops.greater(x, 0), ops.log(x), x), each((v) => (v > 0 ? log(v) : v))],
  ],
  clip: [
    [(x, ops) => ops.clip(x, -0.5, 0.5), each((v) => max(-0.5, min(v, 0.5)))],
    [(x, ops) => ops.clip(x, ops.multiply(ops.stopGradient(x), 0), 0.5), each((v) => max(0, min(v, 0.5)))],
  ],
  sum: [
    [(x, ops) => ops.multiply(ops.sum(x), x), (x) => each((v) => v * sum(x.flat()))(x)],
    [(x, ops) => ops.sum(x, -1), (x) => x.map(sum)],
    [(x, ops) => ops.sum(shapes(x, ops), [1, 2], true), (x) => x.map(sum)],
    [(x, ops) => ops.sum(shapes(x, ops), 1), rows(([a, b, c, d]) => [a! + c!, b! + d!])],
    [(x, ops) => ops.multiply(ops.sum(x, { axis: -1, keepDims: true }), x), rows((r) => r.map((v) => v * sum(r)))],
    [(x, ops) => ops.multiply(ops.sum(x, -1, { keepDims: true }), x), rows((r) => r.map((v) => v * sum(r)))],
    [(x, ops) => ops.multiply(ops.sum(x, {}), x), (x) => each((v) => v * sum(x.flat()))(x)],
  ],
  mean: [
    [(x, ops) => ops.mean(x, [1]), (x) => x.map((row) => sum(row) / WIDTH)],
    [(x, ops) => ops.mean(x, { axis: [-1] }), (x) => x.map((row) => sum(row) / WIDTH)],
  ],
  max: [(x, ops) => ops.max(x, 1), (x) => x.map((row) => max(...row))],
  min: [(x, ops) => ops.min(shapes(x, ops), [2, 1]), (x) => x.map((row) => min(...row))],
  matmul: [
    [
      (x, ops) => ops.matmul(shapes(x, ops), shapes(x, ops)),
      rows(([a, b, c, d]) => [a! * a! + b! * c!, a! * b! + b! * d!, c! * a! + d! * c!, c! * b! + d! * d!]),
    ],
    [
      (x, ops) => ops.matmul(x, ops.sum(x, 0)),
      (x) => x.map((row) => sum(row.map((v, i) => v * sum(x.map((r) => r[i]!))))),
    ],
    [
      (x, ops) => ops.multiply(x, ops.matmul(ops.sum(x, 0), ops.sum(x, 0))),
      (x) => each((v) => v * sum(x[0]!.map((_, i) => sum(x.map((r) => r[i]!)) ** 2)))(x),
    ],
  ],
  reshape: [(x, ops) => ops.reshape(shapes(x, ops), [x.shape[0]!, -1]), (x) => x],
  transpose: [
    [(x, ops) => ops.transpose(shapes(x, ops), [0, 2, 1]), rows(([a, b, c, d]) => [a!, c!, b!, d!])],
    [(x, ops) => ops.transpose(ops.transpose(x)), (x) => x],
  ],
  slice: [(x, ops) => ops.slice(x, [0, -3], [-1, 2]), rows((row) => row.slice(1, 3))],
  concat: [
    [(x, ops) => ops.concat([...two(x, ops)].reverse()), rows(([a, b, c, d]) => [c!, d!, a!, b!])],
    [(x, ops) => ops.concat([...two(x, ops)].reverse(), { axis: 1 }), rows(([a, b, c, d]) => [c!, d!, a!, b!])],
  ],
  gather: [
    [(x, ops) => ops.gather(x, [3, 0, 3], 1), rows((row) => [row[3]!, row[0]!, row[3]!])],
    [(x, ops) => ops.gather(x, [3, 0], { axis: -1 }), rows((row) => [row[3]!, row[0]!])],
    // 0, 1, 2, … by the sign of x
    [
      (x, ops) => ops.gather(x, ops.greater(ops.sum(x, 0), 0), -1),
      (x) => x.map((row) => x[0]!.map((_, i) => row[sum(x.map((r) => r[i]!)) > 0 ? 1 : 0]!)),
    ],
  ],
  stopGradient: [(x, ops) => ops.add(x, ops.subtract(ops.stopGradient(x), ops.stopGradient(x))), (x) => x],
  relu: [(x, ops) => ops.relu(x), each((v) => max(v, 0))],
  leakyRelu: [
    [(x, ops) => ops.leakyRelu(x), each((v) => (v > 0 ? v : 0.01 * v))],
    [(x, ops) => ops.leakyRelu(x, 0.3), each((v) => (v > 0 ? v : 0.3 * v))],
  ],
  elu: [
    [(x, ops) => ops.elu(x), each((v) => (v > 0 ? v : exp(v) - 1))],
    [(x, ops) => ops.elu(x, 2), each((v) => (v > 0 ? v : 2 * (exp(v) - 1)))],
  ],
  selu: [(x, ops) => ops.selu(x), each((v) => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * (exp(v) - 1)))],
  gelu: [(x, ops) => ops.gelu(x), each((v) => (v / 2) * (1 + erf(v / sqrt(2))))],
  silu: [(x, ops) => ops.silu(x), each((v) => v / (1 + exp(-v)))],
  sigmoid: [(x, ops) => ops.sigmoid(x), each((v) => 1 / (1 + exp(-v)))],
  tanh: [(x, ops) => ops.tanh(x), each(tanh)],
  softplus: [(x, ops) => ops.softplus(x), each((v) => log(1 + exp(v)))],
  softmax: [
    [(x, ops) => ops.softmax(x), rows(softmax)],
    [(x, ops) => ops.softmax(x, { axis: -1 }), rows(softmax)],
    [
      (x, ops) => ops.softmax(shapes(x, ops), 1),
      rows(([a, b, c, d]) => {
        const [p, q] = [softmax([a!, c!]), softmax([b!, d!])];
        return [p[0]!, q[0]!, p[1]!, q[1]!];
      }),
    ],
  ],
  logSoftmax: [
    [(x, ops) => ops.logSoftmax(x), rows((row) => softmax(row).map(log))],
    [(x, ops) => ops.logSoftmax(x, 1), rows((row) => softmax(row).map(log))],
  ],
};

const isCase = (value: Case | Case[]): value is Case => typeof value[0] === "function";
const list = Object.entries(CASES).flatMap(([name, cases]) =>
  (isCase(cases) ? [cases] : cases).map((c, i) => [`${name}${i ? ` (${i})` : ""}`, ...c] as const),
);

test("every op is here", () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(primitives).sort());
});

const squares = defineLoss({ type: "squares", call: (_, p, ops) => ops.sum(ops.multiply(p, p)) });

test.each(list)("%s", (name, call, reference) => {
  const layer = defineLayer({ type: "mine", call: (x, _, ops) => call(x, ops) });
  const x = Array.from({ length: ROWS }, (_, r) => X.slice(r * WIDTH, (r + 1) * WIDTH));
  const model = sequential([layer({ inputShape: [WIDTH] })]);
  const numbersOf = (given: Rows) => reference(given).flat() as number[];
  const { data, shape } = model.predict(x) as NDArray;
  const want = numbersOf(x);
  expect(data.length).toBe(want.length);
  want.forEach((w, i) => {
    expect(abs(data[i]! - w), `${name}[${i}]`).toBeLessThan(3e-6 * (1 + abs(w)));
  });

  model.compile({ optimizer: sgd(), loss: squares() });
  const target = { data: new Float32Array(data.length), shape };
  const { inputs } = (model as Model).gradients({ data: Float32Array.from(X), shape: [ROWS, WIDTH] }, target);
  const objective = (given: Rows) => sum(numbersOf(given).map((v) => v * v));
  X.forEach((_, i) => {
    if (name.startsWith("stopGradient")) return; // whose differences are not its gradient
    const moved = (h: number) => objective(x.map((row, r) => row.map((v, c) => (r * WIDTH + c === i ? v + h : v))));
    // a kink: at X[5], which masks compare with
    if (i === 5 && /^(greater|less|equal|notEqual)/.test(name)) return;
    const slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
    expect(abs((inputs as NDArray).data[i]! - slope), `d ${name}[${i}]`).toBeLessThan(1e-4 * (1 + abs(slope)));
  });
});
