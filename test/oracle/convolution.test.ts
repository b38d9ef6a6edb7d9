// Outputs and gradients of layers with convolutions, against PyTorch's (convolution.py).

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

interface Case {
  layer: [string, ...unknown[]];
  x: Nested;
  weights: Record<string, Nested>;
  target: Nested;
  y: Nested;
  loss: number;
  dx: Nested;
  gradients: Record<string, Nested>;
}

const { cases } = fixture<{ cases: Case[] }>("convolution");

test.each(cases.map((c) => [`${JSON.stringify(c.layer)} of [${array(c.x).shape}]`, c] as const))("%s", (_, c) => {
  const [type, ...args] = c.layer;
  const x = array(c.x);
  const options = { ...(args.pop() as object), inputShape: x.shape.slice(1) };
  using model = sequential([layer([type, ...args, options] as FactoryCall)]);
  model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
  const named = (record: Record<string, Nested>) =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [`${type}_1/${key}`, value]));
  expect(Object.keys(model.getWeights())).toEqual(Object.keys(named(c.weights)));
  model.setWeights(arrays(named(c.weights)));
  const y = model.predict(x);
  expect(y.shape).toEqual(array(c.y).shape);
  const tolerance = { absolute: 2e-6, relative: 5e-6 };
  expectClose("y", y.data, c.y, tolerance);
  const { loss, inputs, parameters } = model.gradients(x, array(c.target));
  expectClose("loss", [loss], [c.loss], { relative: 5e-6 });
  expectClose("dx", (inputs as NDArray).data, c.dx, tolerance);
  expectRecords("gradient of", parameters, named(c.gradients), tolerance);
});
