// Value and gradients of every loss, against PyTorch's (losses.py).

import { expect, test } from "vitest";
import { dense, sequential, sgd } from "../../ts/index";
import type { ActivationName } from "../../ts/layers/activation";
import { array, arrays, build, expectClose, expectRecords, fixture, flat, type Nested } from "../support/oracle";

interface Case {
  loss: string;
  options: object;
  x: Nested[];
  kernel: Nested[][];
  bias: Nested;
  y: Nested;
  weight: number[] | null;
  activation: ActivationName | null;
  value: number;
  gradients: Record<string, Nested>;
  dx: Nested;
}

const { cases } = fixture<{ cases: Case[] }>("losses");

function modelOf({ loss, options, x, kernel, bias, activation }: Case) {
  const inputShape = array(x).shape.slice(1);
  const model = sequential([dense(kernel[0]!.length, { inputShape, activation: activation ?? "linear" })]);
  model.compile({ optimizer: sgd({ learningRate: 1 }), loss: build([loss, options]) });
  model.setWeights(arrays({ "dense_1/kernel": kernel, "dense_1/bias": bias }));
  return model;
}

const title = ({ loss, options, y, weight, x }: Case) => {
  const labels = flat(y);
  const missing = labels.filter((t) => Number.isNaN(t) || t === -1).length;
  return `${loss} ${JSON.stringify(options)} labels [${array(y).shape}], ${missing} missing${weight ? ", weighted" : ""}, x[0] = ${flat(x)[0]}`;
};

for (const c of cases)
  test(title(c), () => {
    const { x, y, weight, value, gradients, dx, kernel, bias } = c;
    using model = modelOf(c);
    const [inputs, labels] = [array(x), array(y)];
    const options = weight ? { sampleWeight: weight } : {};
    expectClose("value", [model.testOnBatch(inputs, labels, options).loss], [value]);

    if (!weight) {
      const got = model.gradients(inputs, labels);
      expectClose("value", [got.loss], [value]);
      expectRecords("gradient of", got.parameters, gradients);
      expectRecords("gradient of", { x: got.inputs as never }, { x: dx });
    }
    // a step of rate 1 takes the gradient away
    const { loss } = model.trainOnBatch(inputs, labels, options);
    expectClose("value", [loss], [value]);
    const before = arrays({ "dense_1/kernel": kernel, "dense_1/bias": bias });
    for (const [key, after] of Object.entries(model.getWeights())) {
      const step = after.data.map((w, i) => before[key]!.data[i]! - w);
      expectClose(`step of ${key}`, step, gradients[key]!, { absolute: 2e-6, relative: 1e-5 });
    }
  });

test("a fixture of every loss", () => {
  expect([...new Set(cases.map((c) => c.loss))]).toEqual([
    "softmaxCrossEntropy",
    "binaryCrossEntropy",
    "meanSquaredError",
    "meanAbsoluteError",
    "huber",
    "cosineSimilarity",
    "hinge",
    "poisson",
    "kullbackLeibler",
  ]);
});
