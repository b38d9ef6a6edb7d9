// Objectives of several terms, against PyTorch's (objectives.py): heads with loss weights, a layer that is called twice,
// penalties on outputs and parameters.

import { expect, test } from "vitest";
import {
  binaryCrossEntropy,
  dense,
  functional,
  input,
  l1l2,
  meanSquaredError,
  type NDArray,
  relu,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { arrays, expectClose, expectRecords, fixture, type Nested } from "../support/oracle";

type Coefficients = [l1: number, l2: number];

interface Options {
  lossWeights?: number[];
  weighted?: boolean;
  activity?: Record<string, Coefficients>;
  kernels?: Coefficients;
  biases?: Coefficients;
}

const { weights, x, y, sampleWeight, cases } = fixture<{
  weights: Record<string, Nested>;
  x: Record<string, Nested>;
  y: Record<string, Nested>;
  sampleWeight: Record<string, Nested>;
  cases: {
    options: Options;
    logs: Record<string, number>;
    gradients: Record<string, Nested>;
    inputs: Record<string, Nested>;
  }[];
}>("objectives");

const regularizer = ([l1, l2]: Coefficients) => l1l2({ l1, l2 });

function modelOf({ lossWeights, activity = {}, kernels, biases }: Options) {
  const layer = (name: string, units: number, options: object = {}) =>
    dense(units, {
      name,
      ...options,
      ...(activity[name] && { activityRegularizer: regularizer(activity[name]) }),
      ...(kernels && { kernelRegularizer: regularizer(kernels) }),
      ...(biases && { biasRegularizer: regularizer(biases) }),
    });
  const [a, b] = [input([5]), input([5])];
  const shared = layer("shared", 4, { activation: "tanh" });
  const h = relu()(layer("left", 6)(shared(a)));
  const outputs = { class: layer("class", 3)(h), value: layer("value", 2)(h), bit: layer("bit", 1)(shared(b)) };
  const model = functional({ inputs: { a, b }, outputs });
  model.compile({
    optimizer: sgd({ learningRate: 1 }),
    loss: { class: softmaxCrossEntropy(), value: meanSquaredError(), bit: binaryCrossEntropy() },
    ...(lossWeights && { lossWeights }),
  });
  model.setWeights(arrays(weights));
  return model;
}

const [inputs, targets, factors] = [arrays(x), arrays(y), arrays(sampleWeight)];

for (const { options, logs, gradients, inputs: dx } of cases)
  test(JSON.stringify(options), () => {
    using model = modelOf(options);
    const given = options.weighted ? { sampleWeight: factors } : {};
    if (!options.weighted) {
      const got = model.gradients(inputs, targets);
      expectClose("loss", [got.loss], [logs["loss"]!]);
      expectRecords("gradient of", got.parameters, gradients);
      expectRecords("gradient of", got.inputs as Record<string, NDArray>, dx);
    }
    for (const seen of [model.testOnBatch(inputs, targets, given), model.trainOnBatch(inputs, targets, given)]) {
      expect(Object.keys(seen).sort()).toEqual(Object.keys(logs).sort());
      for (const [key, value] of Object.entries(logs)) expectClose(key, [seen[key]!], [value]);
    }
    // a step of rate 1 takes the gradient away
    const before = arrays(weights);
    for (const [key, after] of Object.entries(model.getWeights())) {
      const step = after.data.map((w, i) => before[key]!.data[i]! - w);
      expectClose(`step of ${key}`, step, gradients[key]!, { absolute: 2e-6, relative: 1e-5 });
    }
  });

test("evaluate, in batches, says what one batch does", async () => {
  const { options, logs } = cases.at(-1)!;
  using model = modelOf(options);
  for (const batchSize of [7, 3]) {
    const seen = await model.evaluate({ x: inputs, y: targets }, { batchSize });
    for (const [key, value] of Object.entries(logs)) expectClose(key, [seen[key]!], [value]);
  }
});

test.each([1, 2, 3, 7])("a step accumulated over batches of %i is the step of one batch", async (batchSize) => {
  for (const { options, gradients, logs } of cases) {
    using model = modelOf(options);
    const data = { x: inputs, y: targets, ...(options.weighted && { sampleWeight: factors }) };
    const { epochs } = await model.fit(data, { batchSize, accumulate: Math.ceil(7 / batchSize) });
    for (const [key, value] of Object.entries(logs)) expectClose(key, [epochs[0]![key]!], [value]);
    const before = arrays(weights);
    for (const [key, after] of Object.entries(model.getWeights())) {
      const step = after.data.map((w, i) => before[key]!.data[i]! - w);
      expectClose(`step of ${key}`, step, gradients[key]!, { absolute: 2e-6, relative: 1e-5 });
    }
  }
});
