// Outputs, gradients and moving statistics of layers, against PyTorch's (layers.py).

import { expect, test } from "vitest";
import { meanSquaredError, type NDArray, sequential, sgd } from "../../ts/index";
import {
  array,
  arrays,
  expectClose,
  expectRecords,
  type FactoryCall,
  fixture,
  layer,
  type Nested,
} from "../support/oracle";

interface Pass {
  y: Nested;
  loss: number;
  dx: Nested;
  gradients: Record<string, Nested>;
}

interface Case {
  layers: FactoryCall[];
  x: Nested;
  weights: Record<string, Nested>;
  target: Nested;
  training: Pass;
  inference: Pass;
  /** Moving statistics after a step. */
  moved: Record<string, Nested>;
  /** What float32 must be allowed beside the usual. */
  absolute: number;
}

const { cases } = fixture<{ cases: Case[] }>("layers");

const show = ({ layers, x }: Case) =>
  `${layers.map(([name, ...args]) => `${name}(${JSON.stringify(args).slice(1, -1)})`).join(" ")} of [${array(x).shape}]`;

for (const c of cases)
  test(show(c), () => {
    using model = sequential(c.layers.map(layer));
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
    model.setWeights(arrays(c.weights));
    const [x, target] = [array(c.x), array(c.target)];
    const tolerance = { absolute: 1e-6 + c.absolute, relative: 1e-5 };
    for (const training of [true, false]) {
      const { y, loss, dx, gradients } = training ? c.training : c.inference;
      const mode = training ? "training" : "inference";
      const predicted = model.predict(x, { training });
      expect(predicted.shape).toEqual(array(y).shape);
      expectClose(`${mode}: y`, predicted.data, y, tolerance);
      const got = model.gradients(x, target, { training });
      expectClose(`${mode}: loss`, [got.loss], [loss]);
      const inputs = got.inputs as NDArray;
      expect(inputs.shape).toEqual(x.shape);
      expectClose(`${mode}: dx`, inputs.data, dx, tolerance);
      expect(Object.keys(got.parameters)).toEqual(Object.keys(gradients));
      for (const [key, expected] of Object.entries(gradients))
        expectClose(`${mode}: gradient of ${key}`, got.parameters[key]!.data, expected, tolerance);
    }
    expectRecords("untouched", model.getWeights(), c.weights);
    const { loss } = model.trainOnBatch(x, target);
    expectClose("loss of a step", [loss], [c.training.loss]);
    expectRecords("after a step", model.getWeights(), { ...c.weights, ...c.moved });
  });
