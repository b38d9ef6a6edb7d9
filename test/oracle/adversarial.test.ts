// Attacks and the objective of adversarial training, against PyTorch's (adversarial.py).

import { expect, test } from "vitest";
import {
  attack,
  dense,
  type Model,
  meanSquaredError,
  type NDArray,
  sequential,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import {
  array,
  arrays,
  build,
  expectClose,
  expectRecords,
  type FactoryCall,
  fixture,
  type Nested,
} from "../support/oracle";

interface Case {
  kind: "class" | "value";
  attack: FactoryCall;
  weight: number;
  moved: Nested;
  loss: number;
  gradients: Record<string, Nested>;
  inputs: Nested;
}

const { weights, x, labels, values, cases } = fixture<{
  weights: Record<string, Nested>;
  x: Nested;
  labels: number[];
  values: Nested;
  cases: Case[];
}>("adversarial");

const y = { class: Int32Array.from(labels), value: array(values) };

function net({ kind, attack, weight }: Case): Model<NDArray> {
  const model = sequential([
    dense(5, { name: "hidden", inputShape: [6], activation: "tanh" }),
    dense(3, { name: "out" }),
  ]);
  model.setWeights(arrays(weights));
  model.compile({
    optimizer: sgd(),
    loss: kind === "class" ? softmaxCrossEntropy() : meanSquaredError(),
    adversarial: { attack: build(attack), weight },
  });
  return model;
}

test.each(cases.map((c) => [`${c.kind} ${JSON.stringify(c.attack)}`, c] as const))("attack: %s", (_, c) => {
  const model = net(c);
  const moved = attack(model, array(x), y[c.kind], build(c.attack));
  expect(moved.shape).toEqual([5, 6]);
  expectClose("moved", moved.data, c.moved, { absolute: 2e-6 });
  model.dispose();
});

test.each(cases.map((c) => [`${c.kind} ${JSON.stringify(c.attack)}`, c] as const))("objective: %s", (_, c) => {
  const model = net(c);
  const { loss, parameters, inputs } = model.gradients(array(x), y[c.kind]);
  expectClose("loss", [loss], [c.loss], { absolute: 2e-6 });
  expectRecords("gradients", parameters, c.gradients, { absolute: 2e-6 });
  expectClose("inputs", (inputs as NDArray).data, c.inputs, { absolute: 2e-6 });
  const logs = model.trainOnBatch(array(x), y[c.kind]);
  expectClose("logs", [logs.loss, logs.dataLoss], [c.loss, c.loss], { absolute: 2e-6 });
  model.dispose();
});
