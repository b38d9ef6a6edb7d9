// earlyStopping({ retrain }): the second training, on training and validation rows together.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  adam,
  averagedWeights,
  type Callback,
  dense,
  dropout,
  earlyStopping,
  type FitOptions,
  functional,
  init,
  input,
  loadModel,
  type Model,
  meanSquaredError,
  modelCheckpoint,
  progressBar,
  reduceLROnPlateau,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { compiledNet, examples } from "../support/training";
import "../support/everyTeam";

const { x, y } = examples(60);

/** Gives the first training's logs a validation loss of the test's own choosing. */
const figures = (values: number[]): Callback => ({
  onEpochEnd(epoch, logs) {
    if (!logs["retraining"]) logs["valLoss"] = values[epoch]!;
  },
});

const options = (values: number[], retrain: "sameSteps" | "continue", more: FitOptions = {}) => ({
  epochs: values.length,
  batchSize: 16,
  validationSplit: 0.2,
  ...more,
  callbacks: [figures(values), earlyStopping({ patience: 2, retrain }), ...(more.callbacks ?? [])],
});

describe("sameSteps", () => {
  test("is a training from the first weights on all rows, of the best epoch's number of updates", async () => {
    // best after the second epoch: 2 · 3 updates; over all rows an epoch has 4
    const model = compiledNet();
    const { epochs } = await model.fit({ x, y }, options([3, 1, 2, 2, 0], "sameSteps"));
    expect(epochs.map((logs) => logs["retraining"])).toEqual([undefined, undefined, undefined, undefined, 1, 1]);
    expect(epochs.map((logs) => "valLoss" in logs)).toEqual([true, true, true, true, false, false]);
    expect(model.state.step).toBe(6);
    expect(model.epoch).toBe(2);

    const plain = compiledNet();
    const first = await plain.fit({ x, y }, { epochs: 1, batchSize: 16 });
    const second = await plain.fit({ x, y }, { epochs: 2, initialEpoch: 1, batchSize: 16, stepsPerEpoch: 2 });
    expect(await weightsHash(model)).toBe(await weightsHash(plain));
    const { retraining, ...logs } = epochs[4]!;
    expect(retraining).toBe(1);
    expect(logs).toEqual(first.epochs[0]);
    expect(epochs[5]).toMatchObject(second.epochs[0]!);
  });

  test("a rate that a callback has reduced is the compiled one again; monitors that are missing count for nothing", async () => {
    const rates: number[] = [];
    const look: Callback = { onBatchBegin: (_step, _logs, model) => void rates.push(model.learningRate) };
    const model = sequential([dense(1, { inputShape: [12] })]);
    model.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: meanSquaredError() });
    const callbacks = [reduceLROnPlateau({ patience: 0, factor: 0.5 }), look];
    await model.fit({ x, y: Float32Array.from(y) }, options([3, 4, 1, 2, 2], "sameSteps", { callbacks }));
    expect(rates.slice(0, 3)).toEqual([0.01, 0.01, 0.01]);
    expect(rates.slice(6, 9)).toEqual([0.005, 0.005, 0.005]);
    expect(rates.slice(15)).toEqual(new Array(9).fill(0.01));
  });

  test("a moving average begins anew", async () => {
    const make = () => {
      setSeed(9);
      const model = sequential([dense(8, { inputShape: [12], activation: "tanh" }), dense(3)]);
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), ema: 0.9 });
      return model;
    };
    const [model, plain] = [make(), make()];
    await model.fit({ x, y }, options([3, 1, 2, 2], "sameSteps"));
    await plain.fit({ x, y }, { epochs: 1, batchSize: 16 });
    await plain.fit({ x, y }, { epochs: 2, initialEpoch: 1, batchSize: 16, stepsPerEpoch: 2 });
    expect(await weightsHash(model)).toBe(await weightsHash(plain));
    expect(averagedWeights(model)).toEqual(averagedWeights(plain));
  });

  test("epochs may end before patience does; restoreBestWeights gives way", async () => {
    const run = async (restoreBestWeights: boolean) => {
      const model = compiledNet();
      const stop = earlyStopping({ patience: 9, retrain: "sameSteps", restoreBestWeights });
      const callbacks = [figures([3, 2, 4]), stop];
      const { epochs } = await model.fit({ x, y }, { epochs: 3, batchSize: 16, validationSplit: 0.2, callbacks });
      expect(model.state.lastWeights).toBeUndefined();
      return [epochs.length, model.state.step, await weightsHash(model)];
    };
    const [length, step] = await run(true);
    expect([length, step]).toEqual([5, 6]);
    expect(await run(true)).toEqual(await run(false));
  });
});

describe("continue", () => {
  const net = () => {
    setSeed(5);
    const model = sequential([dense(16, { inputShape: [12], activation: "relu" }), dense(3)]);
    model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy() });
    return model;
  };

  test("goes on from the best weights until the validation rows' objective is the training rows'", async () => {
    const best = net();
    const training = { x: { data: x.data.subarray(0, 48 * 12), shape: [48, 12] }, y: y.subarray(0, 48) };
    const validation = { x: { data: x.data.subarray(48 * 12), shape: [12, 12] }, y: y.subarray(48) };
    const stop = () => earlyStopping({ patience: 3, restoreBestWeights: true });
    const plain = await best.fit(training, { epochs: 60, validationData: validation, callbacks: [stop()] });
    const goal = (await best.evaluate(training)).loss;
    expect((await best.evaluate(validation)).loss).toBeGreaterThan(goal);

    for (const data of [{ validationSplit: 0.2 }, { validationData: validation }]) {
      const model = net();
      let began: string | undefined;
      const look: Callback = {
        async onEpochBegin(epoch, _logs, model) {
          if (epoch === plain.epochs.length) began = await weightsHash(model);
        },
      };
      const callbacks = [earlyStopping({ patience: 3, retrain: "continue" }), look];
      const given = "validationSplit" in data ? { x, y } : training;
      const { epochs } = await model.fit(given, { epochs: 60, ...data, callbacks });
      expect(epochs.slice(0, plain.epochs.length)).toEqual(plain.epochs);
      expect(began).toBe(await weightsHash(best));
      const more = epochs.slice(plain.epochs.length);
      expect(more.length).toBeGreaterThan(0);
      expect(more.every((logs) => logs["retraining"] === 1)).toBe(true);
      for (const logs of more.slice(0, -1)) expect(logs["valLoss"]).toBeGreaterThan(goal);
      if (more.length < plain.epochs.length) expect(more.at(-1)!["valLoss"]).toBeLessThanOrEqual(goal);
      expect(model.epoch).toBe(epochs.length);
    }
  });

  test("ends after as many epochs as there have been; does nothing where the goal is reached", async () => {
    const model = net();
    model.learningRate = 0;
    const frozen = { epochs: 3, validationSplit: 0.2, callbacks: [earlyStopping({ retrain: "continue" })] };
    const { epochs } = await model.fit({ x, y }, frozen);
    expect([2, 4]).toContain(epochs.length); // by which of the two losses is the larger one
    // validated on what it is trained on
    const same = net();
    const callbacks = [earlyStopping({ retrain: "continue" })];
    const done = await same.fit({ x, y }, { epochs: 2, validationData: { x, y }, callbacks });
    expect(done.epochs.some((logs) => logs["retraining"])).toBe(false);
  });
});

test.each(["sameSteps", "continue"] as const)("%s: equal bits on 1, 2 and 3 threads", async (retrain) => {
  const results = [];
  for (const threads of [1, 2, 3]) {
    using runtime = await init({ threads });
    setSeed(2);
    const model = sequential([dense(65, { inputShape: [12], activation: "relu" }), dropout(0.3), dense(3)], {
      runtime,
    });
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    const { epochs } = await model.fit({ x, y }, options([3, 1, 2, 2], retrain));
    results.push([epochs, await weightsHash(model)]);
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test("several outputs, weights for some rows, class numbers with rows of probabilities, bytes with floats", async () => {
  const make = () => {
    setSeed(4);
    const a = input([12]);
    const h = dense(8, { activation: "tanh" })(a);
    const model = functional({ inputs: a, outputs: { c: dense(3)(h), v: dense(1)(h) } });
    model.compile({ optimizer: sgd(), loss: { c: softmaxCrossEntropy(), v: meanSquaredError() } });
    return model as unknown as Model;
  };
  const bytes = Uint8Array.from({ length: 720 }, (_, i) => (i * 37) % 7);
  const v = Float32Array.from(y, (c) => c / 2);
  const training = { x: { data: bytes.slice(0, 480), shape: [40, 12] }, y: { c: y.slice(0, 40), v: v.slice(0, 40) } };
  const rows = Array.from(y.slice(40), (c) => [0, 1, 2].map((j) => (c === j ? 1 : 0)));
  const validationData = {
    x: { data: Float32Array.from(bytes.slice(480)), shape: [20, 12] },
    y: { c: rows, v: v.slice(40) },
    sampleWeight: { v: new Float32Array(20).fill(2) },
  };
  const model = make();
  const callbacks = [figures([1, 2, 3]), earlyStopping({ retrain: "sameSteps" })];
  await model.fit(training, { epochs: 3, batchSize: 10, shuffle: false, validationData, callbacks });
  const plain = make();
  const all = {
    x: { data: Float32Array.from(bytes), shape: [60, 12] },
    y: { c: Array.from(y, (c) => [0, 1, 2].map((j) => (c === j ? 1 : 0))), v },
    sampleWeight: { v: Float32Array.from(y, (_, i) => (i < 40 ? 1 : 2)) },
  };
  await plain.fit(all, { batchSize: 10, shuffle: false, stepsPerEpoch: 4 });
  expect(await weightsHash(model)).toBe(await weightsHash(plain));
});

test.each([{ sampleWeight: Float32Array.from({ length: 12 }, (_, i) => i % 3) }, { classWeight: { 0: 2, 1: 0.5 } }])(
  "weights of sequences, %o",
  async ({ sampleWeight, classWeight }) => {
    const sequences = {
      x: { data: x.data.subarray(0, 96), shape: [12, 4, 2] },
      y: { data: new Int32Array(48).map((_, i) => i % 3), shape: [12, 4] },
    };
    const given = { ...sequences, ...(sampleWeight && { sampleWeight }) };
    const make = () => {
      setSeed(3);
      const model = sequential([dense(3, { inputShape: [4, 2] })]);
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
      return model;
    };
    const model = make();
    const more = classWeight && { classWeight };
    await model.fit(given, options([2, 1, 2, 2], "sameSteps", { batchSize: 4, ...more }));
    const plain = make(); // two epochs of three updates
    await plain.fit(given, { epochs: 2, batchSize: 4, ...more });
    expect(await weightsHash(model)).toBe(await weightsHash(plain));
  },
);

test("rows are those that fit was called with, class weights count, other callbacks see it, files go on from it", async () => {
  const mine = { x: { data: x.data.slice(), shape: [60, 12] }, y: y.slice() };
  const seen: string[] = [];
  const look: Callback = {
    onTrainBegin: () => void mine.x.data.fill(9),
    onEpochEnd: (epoch, logs) => void seen.push(`${epoch}${logs["retraining"] ? "'" : ""}`),
    onTrainEnd: () => void seen.push("end"),
  };
  const folder = await mkdtemp(join(tmpdir(), "downhill-retrain-"));
  const path = join(folder, "model");
  const classWeight = { 0: 2, 1: 0.5 };
  const model = compiledNet();
  const callbacks = [look, progressBar(), modelCheckpoint({ path: path })];
  await model.fit(mine, options([3, 1, 2, 2], "sameSteps", { classWeight, callbacks }));
  expect(seen).toEqual(["0", "1", "2", "3", "0'", "1'", "end"]);
  const plain = compiledNet();
  await plain.fit({ x, y }, { epochs: 1, batchSize: 16, classWeight });
  await plain.fit({ x, y }, { epochs: 2, initialEpoch: 1, batchSize: 16, stepsPerEpoch: 2, classWeight });
  expect(await weightsHash(model)).toBe(await weightsHash(plain));
  const loaded = await loadModel(path);
  const next = { epochs: 4, initialEpoch: 2, batchSize: 16 };
  await loaded.fit({ x, y }, next);
  await plain.fit({ x, y }, next);
  expect(await weightsHash(loaded)).toBe(await weightsHash(plain));
  await rm(folder, { recursive: true });
});

test("frees what it took, also where it is aborted in the second training; the model can go on", async () => {
  const model = compiledNet();
  const used: number[] = [];
  for (let run = 0; run < 3; run++) {
    const abort = new AbortController();
    const stop: Callback = {
      onEpochEnd(_epoch, logs) {
        if (logs["retraining"] && run) abort.abort(new Error("enough"));
      },
    };
    const { signal } = abort;
    const fitted = model.fit({ x, y }, options([3, 1, 2, 2], "sameSteps", { callbacks: [stop], signal }));
    if (run) await expect(fitted).rejects.toThrow("enough");
    else await fitted;
    model.trainOnBatch(x, y);
    used.push(model.state.runtime.memory().used);
  }
  expect(used[2]).toBe(used[1]);
});

test("what it cannot do is said before the first step", async () => {
  const model = compiledNet();
  const before = await weightsHash(model);
  const retrain = "sameSteps" as const;
  const stop = [earlyStopping({ retrain, monitor: "loss" })];
  const batches = { [Symbol.iterator]: () => [{ x, y }][Symbol.iterator]() };
  const calls = [
    () => model.fit({ x, y }, { callbacks: stop }),
    () => model.fit(batches, { callbacks: stop, validationData: { x, y } }),
    () => model.fit({ x, y }, { callbacks: stop, validationSplit: 0.2, initialEpoch: 1, epochs: 2 }),
  ];
  for (const call of calls)
    await expect(call()).rejects.toMatchObject({ code: "argument", message: expect.stringContaining("retrain") });
  expect(await weightsHash(model)).toBe(before);
  expect(() => earlyStopping({ retrain: "again" as never })).toThrow('retrain must be "sameSteps" or "continue"');
});
