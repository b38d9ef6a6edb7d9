// gradients and applyGradients: the two halves of a step.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  adam,
  dense,
  dropout,
  functional,
  input,
  l1,
  l2,
  meanSquaredError,
  relu,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, floats, labels, weightBits } from "../support/contract";

const X = floats(32);
const Y = labels(8, 3);

describe("gradients and applyGradients", () => {
  const make = (optimizer = adam({ learningRate: 0.01, weightDecay: 0.01 })) => {
    setSeed(3);
    const m = sequential([
      dense(8, { inputShape: [4], kernelRegularizer: l2(0.01), activityRegularizer: l1(0.02) }),
      relu(),
      dropout(0.3),
      dense(3, { biasRegularizer: l1(0.1, { proximal: true }) }),
    ]);
    m.compile({ optimizer, loss: softmaxCrossEntropy(), clipNorm: 0.5, clipValue: 0.2 });
    return m;
  };
  it.each([
    ["adam", adam({ learningRate: 0.01, weightDecay: 0.01 })],
    ["sgd", sgd({ momentum: 0.9, nesterov: true })],
  ])("make trainOnBatch, bit for bit: %s", (_, optimizer) => {
    const [a, b] = [make(optimizer), make(optimizer)];
    for (let i = 0; i < 5; i++) {
      const x = floats(32, i);
      const { loss, parameters, inputs } = a.gradients(x, Y);
      a.applyGradients(parameters);
      expect(b.trainOnBatch(x, Y).loss).toBe(loss);
      expect(any(inputs).shape).toEqual([8, 4]);
      expect(weightBits(a)).toEqual(weightBits(b));
    }
  });
  it("parameters left out stay, also with momentum and decay", () => {
    const m = make();
    m.trainOnBatch(X, Y);
    const before = weightBits(m);
    m.applyGradients({ "dense_2/bias": { data: Float32Array.of(1, 2, 3), shape: [3] } });
    const after = weightBits(m);
    for (const key of Object.keys(before))
      key === "dense_2/bias" ? expect(after[key]).not.toEqual(before[key]) : expect(after[key]).toEqual(before[key]);
    m.trainOnBatch(X, Y);
    expect(weightBits(m)["dense_1/kernel"]).not.toEqual(before["dense_1/kernel"]);
  });
  it("inputs follow the form of inputs", () => {
    const [a, b] = [input([2]), input([3])];
    const m = functional({
      inputs: { a, b },
      outputs: dense(1)(dense(2)(a)) as never,
      ...({} as object),
    } as never) as any;
    m.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const { inputs } = m.gradients({ a: [[1, 2]], b: [[1, 2, 3]] }, [[1]]);
    expect(inputs.a.shape).toEqual([1, 2]);
    expect([...inputs.b.data]).toEqual([0, 0, 0]);
  });
});
