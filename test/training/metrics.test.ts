// What only a fit shows of losses and metrics: one factory for two families, figures of whole epochs, threads, files, errors.

import { describe, expect, test } from "vitest";
import {
  auc,
  binaryCrossEntropy,
  cosineSimilarity,
  dense,
  f1,
  hinge,
  huber,
  init,
  kullbackLeibler,
  loadModel,
  meanAbsoluteError,
  meanSquaredError,
  poisson,
  precision,
  recall,
  rSquared,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  topKAccuracy,
  weightsHash,
} from "../../ts/index";
import { examples } from "../support/training";
import "../support/everyTeam";

const { x, y } = examples(60);
const one = { data: Float32Array.from(y, (c) => +(c > 0)), shape: [60, 1] };

function net(loss: { type: string }, metrics: readonly unknown[], units = 3) {
  setSeed(3);
  // where predictions must be > 0
  const activation = /poisson|kull/.test(loss.type) ? "softplus" : "linear";
  const model = sequential([dense(8, { inputShape: [12], activation: "tanh" }), dense(units, { activation })]);
  model.compile({
    optimizer: sgd({ learningRate: 0.1 }),
    loss: loss as ReturnType<typeof huber>,
    metrics: metrics as never,
  });
  return model;
}

test("meanAbsoluteError is a loss and a metric: one and the same figure", async () => {
  const model = net(meanAbsoluteError(), [meanAbsoluteError(), "accuracy"], 1);
  const { epochs } = await model.fit({ x, y: one }, { epochs: 2, batchSize: 16 });
  for (const { loss, meanAbsoluteError: metric } of epochs) expect(metric).toBeCloseTo(loss, 6);
  const logs = await model.evaluate({ x, y: one });
  expect(logs["meanAbsoluteError"]).toBeCloseTo(logs.loss, 6);
  // weights: losses over the number of labels, metrics over the weights
  const sampleWeight = new Float32Array(60).fill(0.5);
  const weighted = await model.evaluate({ x, y: one, sampleWeight });
  expect(weighted.loss).toBeCloseTo(logs.loss / 2, 6);
  expect(weighted["meanAbsoluteError"]).toBeCloseTo(logs.loss, 6);
});

test("an epoch's figures are those of its examples together, not a mean of batches' figures", async () => {
  const metrics = () => [precision(), recall(), f1(), auc(), topKAccuracy({ k: 2 }), f1({ average: "micro" })];
  const model = net(softmaxCrossEntropy(), metrics());
  const whole = await model.evaluate({ x, y });
  const parts = await model.evaluate({ x, y }, { batchSize: 7 });
  for (const name of Object.keys(whole)) expect(parts[name]).toBeCloseTo(whole[name]!, 6);
  // training at rate 0: the same, also where batches are accumulated
  const frozen = net(softmaxCrossEntropy(), metrics());
  frozen.learningRate = 0;
  const { epochs } = await frozen.fit({ x, y }, { batchSize: 7, accumulate: 2, validationData: { x, y } });
  for (const name of Object.keys(whole)) {
    expect(epochs[0]![name]).toBeCloseTo(whole[name]!, 6);
    expect(epochs[0]![`val${name[0]!.toUpperCase()}${name.slice(1)}`]).toBeCloseTo(whole[name]!, 6);
  }
});

const rows = { data: Float32Array.from({ length: 180 }, (_, i) => +(i % 3 === y[Math.floor(i / 3)]!)), shape: [60, 3] };
const LOSSES = {
  meanAbsoluteError: [meanAbsoluteError(), rows],
  huber: [huber({ delta: 0.5 }), rows],
  hinge: [hinge(), { data: rows.data.map((t) => 2 * t - 1), shape: rows.shape }],
  poisson: [poisson({ fromLog: true }), rows],
  kullbackLeibler: [kullbackLeibler(), rows],
  cosineSimilarity: [cosineSimilarity(), rows],
} as const;

describe.each(Object.entries(LOSSES))("%s", (type, [loss, targets]) => {
  const make = (options?: object) => {
    setSeed(3);
    const activation = type === "kullbackLeibler" ? "softmax" : "linear";
    const model = sequential([dense(8, { inputShape: [12], activation: "tanh" }), dense(3, { activation })], options);
    const metrics = ["accuracy" as const, precision(), auc()];
    model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss, metrics });
    return model;
  };

  test("falls, and has the same bits on 1, 2 and 3 threads", async () => {
    const results = [];
    for (const threads of [1, 2, 3]) {
      using runtime = await init({ threads });
      const { epochs } = await make({ runtime }).fit({ x, y: targets }, { epochs: 8, batchSize: 16 });
      expect(epochs[7]!.loss).toBeLessThan(epochs[0]!.loss);
      const model = make({ runtime });
      await model.fit({ x, y: targets }, { epochs: 3, batchSize: 16 });
      results.push([epochs, await weightsHash(model)]);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test("goes into a file and comes back", async () => {
    const model = make();
    await model.fit({ x, y: targets }, { batchSize: 16 });
    const loaded = await loadModel(await saveModel(model));
    const again = { epochs: 3, initialEpoch: 1, batchSize: 16 };
    const [a, b] = [await model.fit({ x, y: targets }, again), await loaded.fit({ x, y: targets }, again)];
    expect(b).toEqual(a);
  });
});

test("metrics go into a file: meanAbsoluteError too, of a model with another loss", async () => {
  const model = net(meanSquaredError(), [meanAbsoluteError(), rSquared()], 1);
  const loaded = await loadModel(await saveModel(model));
  expect(loaded.testOnBatch(x, one)).toEqual(model.testOnBatch(x, one));
});

describe("targets that a loss does not take", () => {
  const cases: [{ type: string }, number, RegExp][] = [
    [hinge(), 0, /expected -1 or 1 in row 1, column 0, got 0/],
    [hinge(), 0.5, /expected -1 or 1 in row 1, column 0, got 0.5/],
    [hinge(), 2, /expected -1 or 1 in row 1, column 0, got 2/],
    [poisson(), -1, /expected a finite target ≥ 0 in row 1, column 0, got -1/],
    [poisson(), Infinity, /expected a finite target ≥ 0 in row 1, column 0, got Infinity/],
    [kullbackLeibler(), -0.5, /expected a finite target ≥ 0 in row 1, column 0, got -0.5/],
    [huber(), Infinity, /expected a finite target in row 1, column 0, got Infinity/],
    [cosineSimilarity(), Infinity, /expected a finite target in row 1, column 0, got Infinity/],
  ];
  for (const [loss, bad, message] of cases)
    test(`${loss.type}: ${bad}`, async () => {
      const model = net(loss, [], 1);
      const good = { data: new Float32Array(60).fill(1), shape: [60, 1] };
      model.trainOnBatch(x, good);
      const before = await weightsHash(model);
      const wrong = { data: good.data.slice().fill(bad, 1, 2), shape: good.shape };
      // after a good batch of the same kind too
      expect(() => model.trainOnBatch(x, wrong)).toThrow(message);
      await expect(model.fit({ x, y: wrong })).rejects.toMatchObject({ code: "data" });
      expect(await weightsHash(model)).toBe(before);
    });
});

test("what is wrong is said when it is called", () => {
  const wrong = [
    () => huber({ delta: 0 }),
    () => huber({ delta: Number.NaN }),
    () => poisson({ fromLog: 1 as never }),
    () => topKAccuracy({ k: 0 }),
    () => topKAccuracy({ k: 1.5 }),
    () => precision({ average: "weighted" as never }),
    () => f1({ averages: "macro" } as never),
    () => net(meanSquaredError(), [topKAccuracy()]),
    () => net(softmaxCrossEntropy(), [meanAbsoluteError()]),
    () => net(softmaxCrossEntropy(), [rSquared()]),
    () => net(precision(), []),
    () => net(huber(), [huber()]),
  ];
  for (const call of wrong) expect(call).toThrow(expect.objectContaining({ code: "argument" }));
  expect(() => net(softmaxCrossEntropy(), [rSquared()])).toThrow(
    "compile: expected a loss that rSquared goes with, got softmaxCrossEntropy()",
  );
});

test("nothing to count: 0, and no division by it", () => {
  const nothing = { data: new Float32Array(60).fill(Number.NaN), shape: [60, 1] };
  const metrics = [precision(), recall(), f1(), auc(), rSquared(), meanAbsoluteError()];
  const logs = net(binaryCrossEntropy(), metrics, 1).testOnBatch(x, nothing);
  expect(Object.values(logs)).toEqual(new Array(9).fill(0));
  const same = { data: new Float32Array(60).fill(3), shape: [60, 1] };
  expect(net(meanSquaredError(), [rSquared()], 1).testOnBatch(x, same)["rSquared"]).toBe(0);
});
