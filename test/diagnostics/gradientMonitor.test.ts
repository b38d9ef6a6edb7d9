// What gradientMonitor records: norms against `gradients()`, dead units against activations; thinning, files, resuming.

import { describe, expect, test } from "vitest";
import {
  batchNorm,
  constant,
  DownhillError,
  dense,
  gradientMonitor,
  gradientReport,
  init,
  loadModel,
  type Model,
  meanSquaredError,
  relu,
  saveModel,
  sequential,
  setSeed,
  sgd,
} from "../../ts/index";
import "../support/everyTeam";

const n = 24;
const x = Array.from({ length: n }, (_, r) => Array.from({ length: 5 }, (_, i) => ((r * 7 + i * 13) % 11) / 5 - 1));
const y = x.map((row) => row.reduce((a, b) => a + b * b, 0));
const norm = (list: Iterable<number>) => Math.sqrt([...list].reduce((s, v) => s + v * v, 0));

function net() {
  setSeed(2);
  const model = sequential([
    dense(6, { inputShape: [5], activation: "relu" }),
    dense(7, { useBias: false }),
    batchNorm(),
    relu(),
    dense(1),
  ]);
  model.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: meanSquaredError() });
  return model;
}

describe("a record", () => {
  test("has the norms of gradients and weights, layer by layer", async () => {
    const model = net();
    const before = model.gradients(x, y).parameters;
    await model.fit({ x, y }, { batchSize: "full", shuffle: false, callbacks: [gradientMonitor()] });
    const { steps, layers } = gradientReport(model as Model);
    expect(steps).toEqual([0]);
    expect(Object.keys(layers)).toEqual(["dense_1", "dense_2", "batchNorm_1", "dense_3"]);
    const after = model.getWeights();
    for (const [name, { gradientNorm, weightNorm, vanishing, exploding }] of Object.entries(layers)) {
      const of = (record: typeof after) =>
        norm(
          Object.keys(before)
            .filter((key) => key.startsWith(`${name}/`))
            .flatMap((key) => [...record[key]!.data]),
        );
      expect(gradientNorm[0]! / of(before)).toBeCloseTo(1, 4);
      expect(weightNorm[0]! / of(after)).toBeCloseTo(1, 4);
      expect([vanishing, exploding]).toEqual([0, 0]);
    }
  });

  test("has the share of ReLUs that are 0 for the whole batch, behind batch norm too", async () => {
    const model = net();
    const weights = model.getWeights();
    const bias = weights["dense_1/bias"]!.data;
    bias[1] = bias[4] = -100; // two of six
    weights["batchNorm_1/beta"]!.data[3] = -100; // one of seven
    model.setWeights(weights);
    await model.fit({ x, y }, { batchSize: "full", callbacks: [gradientMonitor()] });
    const { layers } = gradientReport(model as Model);
    expect(layers["dense_1"]!.dead).toEqual([0.333333]);
    expect(layers["batchNorm_1"]!.dead).toEqual([0.142857]);
    expect(layers["dense_2"]!.dead).toBeUndefined();
    expect(layers["dense_3"]!.dead).toBeUndefined();
  });

  test("tells what vanishes and what explodes", async () => {
    const model = sequential([
      dense(4, {
        inputShape: [5],
        activation: "sigmoid",
        kernelInitializer: constant(-60),
        biasInitializer: constant(-60),
      }),
      dense(1, { kernelInitializer: constant(500) }),
    ]);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
    await model.fit(
      { x: x.map((r) => r.map(Math.abs)), y: y.map((v) => v * 1e4) },
      { epochs: 2, callbacks: [gradientMonitor()] },
    );
    const { layers } = gradientReport(model as Model);
    expect(layers["dense_1"]!.vanishing).toBe(1);
    expect(layers["dense_1"]!.exploding).toBe(0);
    expect(layers["dense_2"]!.exploding).toBe(1);
  });
});

test("records every so many updates, and thins out beyond its limit", async () => {
  const model = net();
  await model.fit({ x, y }, { batchSize: 8, epochs: 4, callbacks: [gradientMonitor({ every: 3 })] });
  expect(gradientReport(model as Model).steps).toEqual([0, 3, 6, 9]);
  await model.fit({ x, y }, { batchSize: 8, epochs: 10, callbacks: [gradientMonitor({ limit: 4 })] });
  const { steps, layers } = gradientReport(model as Model);
  expect(steps.length).toBeLessThanOrEqual(4);
  expect(steps.every((step, i) => i === 0 || step - steps[i - 1]! === steps[1]! - steps[0]!)).toBe(true);
  for (const { gradientNorm, weightNorm } of Object.values(layers))
    expect([gradientNorm.length, weightNorm.length]).toEqual([steps.length, steps.length]);
});

test("goes into a file, and training resumed from it goes on recording", async () => {
  const model = net();
  const callbacks = [gradientMonitor({ every: 2 })];
  await model.fit({ x, y }, { batchSize: 8, epochs: 4, callbacks });
  const half = net();
  await half.fit({ x, y }, { batchSize: 8, epochs: 2, callbacks });
  const loaded = await loadModel(await saveModel(half as Model));
  expect(gradientReport(loaded)).toEqual(gradientReport(half as Model));
  await loaded.fit({ x, y }, { batchSize: 8, epochs: 4, initialEpoch: 2, callbacks });
  expect(gradientReport(loaded)).toEqual(gradientReport(model as Model));
});

test("has the layers in the model's order, from a file, too", async () => {
  const model = sequential([dense(2, { inputShape: [x[0]!.length], name: "z" }), dense(1, { name: "a" })]);
  model.compile({ optimizer: sgd(), loss: meanSquaredError() });
  await model.fit({ x, y: x.map(() => [1]) }, { callbacks: [gradientMonitor()] });
  for (const m of [model, await loadModel(await saveModel(model))] as Model[])
    expect(Object.keys(gradientReport(m).layers)).toEqual(["z", "a"]);
});

test("changes nothing of the training, and is the same on 1, 2 and 3 threads", async () => {
  const reports = [];
  for (const threads of [1, 2, 3]) {
    const runtime = await init({ threads });
    const model = net();
    await model.fit({ x, y }, { epochs: 3, callbacks: [gradientMonitor()] });
    const plain = net();
    await plain.fit({ x, y }, { epochs: 3 });
    expect(model.predict(x)).toEqual(plain.predict(x));
    reports.push(gradientReport(model as Model));
    runtime.dispose();
  }
  await init();
  expect(reports[1]).toEqual(reports[0]);
  expect(reports[2]).toEqual(reports[0]);
});

test("refuses what it cannot do", async () => {
  expect(() => gradientMonitor({ every: 0 })).toThrow(/^gradientMonitor: every must be a positive integer, got 0$/);
  expect(() => gradientMonitor({ limit: 1 })).toThrow(/^gradientMonitor: limit must be an integer ≥ 2, got 1$/);
  expect(() => gradientMonitor({ vanishing: -1 })).toThrow(/vanishing must be a number > 0/);
  expect(() => gradientReport({} as never)).toThrow(/^gradientReport: expected a model/);
  const model = net();
  expect(() => gradientReport(model as Model)).toThrow(
    /^gradientReport: expected a fit with gradientMonitor\(\) before, got none$/,
  );
  expect(() => gradientReport(model as Model)).toThrow(DownhillError);
  await model.fit({ x, y });
  expect(() => gradientReport(model as Model)).toThrow(/got none/);
});
