// Functions written in primitive ops, against PyTorch's (primitives.py): broadcasting, reductions, matrices, layout.

import { expect, test } from "vitest";
import { defineLayer, meanSquaredError, type NDArray, type Ops, sequential, sgd, type Value } from "../../ts/index";
import { array, arrays, expectClose, expectRecords, fixture, type Nested } from "../support/oracle";

interface Case {
  name: string;
  x: Nested;
  weights: Record<string, Nested>;
  target: Nested;
  y: Nested;
  loss: number;
  dx: Nested;
  gradients: Record<string, Nested>;
}

const { cases } = fixture<{ cases: Case[] }>("primitives");

type Call = (x: Value, w: Record<string, Value>, ops: Ops) => Value;
const CALLS: Record<string, Call> = {
  swiglu: (x, { gate, value, out }, ops) =>
    ops.matmul(ops.multiply(ops.silu(ops.matmul(x, gate!)), ops.matmul(x, value!)), out!),
  broadcasting: (x, { row, column, one }, ops) =>
    ops.divide(ops.multiply(ops.subtract(x, row!), column!), ops.add(ops.pow(one!, 2), 1)),
  normalized(x, { scale, shift }, ops) {
    const centred = ops.subtract(x, ops.mean(x, -1, true));
    const deviation = ops.sqrt(ops.add(ops.mean(ops.pow(centred, 2), -1, true), 1e-3));
    return ops.add(ops.multiply(ops.divide(centred, deviation), scale!), shift!);
  },
  attention(x, { q, k, v }, ops) {
    const scores = ops.matmul(ops.matmul(x, q!), ops.transpose(ops.matmul(x, k!), [0, 2, 1]));
    return ops.matmul(ops.softmax(ops.divide(scores, 2)), ops.matmul(x, v!));
  },
  matrices: (x, { w }, ops) => ops.matmul(x, w!),
  extremes: (x, { w }, ops) =>
    ops.concat([ops.maximum(x, w!), ops.max(x, 1, true), ops.min(ops.multiply(x, w!), [-1], true)]),
  choice: (x, { w }, ops) => ops.add(ops.where(ops.greater(x, w!), ops.sin(x), ops.cos(w!)), ops.clip(x, -0.5, 0.5)),
  powers: (x, { w }, ops) => ops.add(ops.pow(ops.add(ops.abs(x), 0.25), w!), ops.log(ops.add(ops.pow(x, 2), 1))),
  parts(x, { w }, ops) {
    const square = ops.transpose(ops.reshape(ops.slice(x, [0, 0], [-1, 4]), [-1, 2, 2]), [0, 2, 1]);
    return ops.concat(
      [
        ops.slice(x, [0, -2]),
        ops.reshape(square, [-1, 4]),
        ops.add(ops.slice(x, [0, 1], [-1, 2]), ops.mean(ops.gather(w!, [2, 0, 2, 1]), 0)),
      ],
      1,
    );
  },
  logSoftmax: (x, { w }, ops) => ops.logSoftmax(ops.multiply(ops.multiply(x, w!), 10)),
  constants: (x, { w }, ops) =>
    ops.add(ops.multiply(x, ops.stopGradient(ops.multiply(x, w!))), ops.divide(1, ops.add(2, ops.sigmoid(x)))),
};

test.each(cases)("$name", ({ name, x, weights, target, y, loss, dx, gradients }) => {
  const layer = defineLayer({
    type: name,
    parameters: () =>
      Object.fromEntries(Object.entries(arrays(weights)).map(([key, { shape }]) => [key, { shape: [...shape] }])),
    call: CALLS[name]!,
  });
  const input = array(x);
  const model = sequential([layer({ name: "f", inputShape: input.shape.slice(1) })]);
  model.compile({ optimizer: sgd(), loss: meanSquaredError() });
  model.setWeights(arrays(Object.fromEntries(Object.entries(weights).map(([key, w]) => [`f/${key}`, w]))));
  expectClose("y", (model.predict(input) as NDArray).data, y);
  const got = model.gradients(input, array(target));
  expect(got.loss).toBeCloseTo(loss, 5);
  expectClose("dx", (got.inputs as NDArray).data, dx, { absolute: 2e-6, relative: 2e-5 });
  expectRecords(
    "gradients",
    got.parameters,
    Object.fromEntries(Object.entries(gradients).map(([key, w]) => [`f/${key}`, w])),
    { absolute: 3e-6, relative: 2e-5 },
  );
});
