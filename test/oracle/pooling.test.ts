// Outputs and gradients of pooling and the like, against PyTorch's (pooling.py). Of layers that are built in another order
// than they stand, too.

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
  layers: FactoryCall[];
  x: Nested;
  weights: Record<string, Nested>;
  target: Nested;
  y: Nested;
  dx: Nested;
  gradients: Record<string, Nested>;
}

const { cases } = fixture<{ cases: Case[] }>("pooling");

test.each(cases.map((c) => [`${JSON.stringify(c.layers)} of [${array(c.x).shape}]`, c] as const))("%s", (_, c) => {
  const x = array(c.x);
  const [first, ...rest] = c.layers as [FactoryCall, ...FactoryCall[]];
  const [type, ...args] = first;
  const own = typeof args.at(-1) === "object" && !Array.isArray(args.at(-1)) ? (args.pop() as object) : {};
  const start = layer([type, ...args, { ...own, inputShape: x.shape.slice(1) }] as FactoryCall);
  using model = sequential([start, ...rest.map(layer)]);
  model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
  model.setWeights(arrays(c.weights));
  const y = model.predict(x);
  expect(y.shape).toEqual(array(c.y).shape);
  const tolerance = { absolute: 2e-6, relative: 5e-6 };
  expectClose("y", y.data, c.y, tolerance);
  const { inputs, parameters } = model.gradients(x, array(c.target));
  expectClose("dx", (inputs as NDArray).data, c.dx, tolerance);
  expectRecords("gradient of", parameters, c.gradients, tolerance);
});
