// Ten steps under each optimizer, alone, with clipping and with penalties, against PyTorch's (optimizers.py).

import { expect, test } from "vitest";
import { dense, l1l2, sequential, softmaxCrossEntropy } from "../../ts/index";
import { array, arrays, build, expectClose, fixture, type Nested } from "../support/oracle";

interface Run {
  optimizer: string;
  options: Record<string, unknown>;
  extras: { clipNorm?: number; clipValue?: number; l1?: number; l2?: number };
  losses: number[];
  /** After each step, all of them in the order of `initial`. */
  weights: number[][];
}

const { initial, x, y, runs } = fixture<{
  initial: Record<string, Nested>;
  x: Nested[];
  y: number[][];
  runs: Run[];
}>("optimizers");

function mlp({ clipNorm, clipValue, l1 = 0, l2 = 0 }: Run["extras"], optimizer: string, options: object) {
  const kernelRegularizer = l1l2({ l1, l2 });
  const model = sequential([
    dense(5, { inputShape: [3], activation: "tanh", kernelRegularizer }),
    dense(3, { kernelRegularizer }),
  ]);
  model.compile({
    optimizer: build([optimizer, options]),
    loss: softmaxCrossEntropy(),
    ...(clipNorm && { clipNorm }),
    ...(clipValue && { clipValue }),
  });
  model.setWeights(arrays(initial));
  return model;
}

const show = (value: object) => JSON.stringify(value).replaceAll('"', "");

test.each(runs)("$optimizer $options $extras", ({ optimizer, options, extras, losses, weights }) => {
  using model = mlp(extras, optimizer, options);
  for (const [step, expected] of losses.entries()) {
    const logs = model.trainOnBatch(array(x[step]!), y[step]!);
    expect(Math.abs(logs.loss - expected), `${show(options)}: loss of step ${step}`).toBeLessThan(1e-5);
    const now = model.getWeights();
    const all = Object.keys(initial).flatMap((key) => [...now[key]!.data]);
    expectClose(`weights after step ${step}`, all, weights[step]!, { absolute: 1e-6, relative: 1e-4 });
  }
});

test("gradients, then applyGradients, is a step", () => {
  const extras = { l1: 0.02, l2: 0.1, clipValue: 0.06, clipNorm: 0.2 };
  for (const [optimizer, options] of [
    ["sgd", { momentum: 0.9, weightDecay: 0.05 }],
    ["adamw", { learningRate: 0.05 }],
  ] as const) {
    using one = mlp(extras, optimizer, options);
    using two = mlp(extras, optimizer, options);
    for (const [step, batch] of x.entries()) {
      const { loss } = one.trainOnBatch(array(batch), y[step]!);
      const { loss: same, parameters } = two.gradients(array(batch), y[step]!);
      two.applyGradients(parameters);
      expect(same).toBeCloseTo(loss, 6);
    }
    const [a, b] = [one.getWeights(), two.getWeights()];
    for (const key of Object.keys(initial)) expectClose(key, b[key]!.data, [...a[key]!.data]);
  }
});
