// The objective: loss = dataLoss + penalty in whatever reports it, the penalty being what its definition says; and several
// tasks, of which some examples have labels and some not.

import { describe, expect, test } from "vitest";
import {
  type Callback,
  dense,
  type FitOptions,
  functional,
  input,
  type Logs,
  l1,
  l1l2,
  l2,
  type Model,
  meanSquaredError,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { examples } from "../support/training";

const { x, y } = examples(60);

/** Penalties of every kind: on a kernel, a bias, with exact zeros, on outputs. */
function penalised() {
  setSeed(6);
  const model = sequential([
    dense(8, {
      inputShape: [12],
      activation: "tanh",
      kernelRegularizer: l2(0.02),
      biasRegularizer: l1(0.03),
      activityRegularizer: l1l2({ l1: 0.01, l2: 0.04 }),
    }),
    dense(3, { kernelRegularizer: l1(0.005, { proximal: true }) }),
  ]);
  model.compile({ optimizer: sgd({ learningRate: 0.05 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return model;
}

const sum = (values: Iterable<number>, f: (v: number) => number) => [...values].reduce((s, v) => s + f(v), 0);

/** What the weights' penalties are, and the activities' on examples. */
function penaltyOf(model: Model<NDArray>, inputs = x): number {
  const w = model.getWeights();
  const of = (key: string) => w[key]!.data;
  const weights =
    0.01 * sum(of("dense_1/kernel"), (v) => v * v) +
    0.03 * sum(of("dense_1/bias"), Math.abs) +
    0.005 * sum(of("dense_2/kernel"), Math.abs);
  const rows = inputs.shape[0]!;
  let activity = 0;
  for (let r = 0; r < rows; r++)
    for (let j = 0; j < 8; j++) {
      let h = of("dense_1/bias")[j]!;
      for (let i = 0; i < 12; i++) h += inputs.data[r * 12 + i]! * of("dense_1/kernel")[i * 8 + j]!;
      h = Math.tanh(h);
      activity += 0.01 * Math.abs(h) + 0.02 * h * h;
    }
  return weights + activity / rows;
}

function expectSum(logs: Logs): void {
  for (const val of ["", "val"]) {
    const [loss, dataLoss, penalty] = val
      ? [logs["valLoss"], logs["valDataLoss"], logs["valPenalty"]]
      : [logs.loss, logs.dataLoss, logs.penalty];
    if (loss === undefined) continue;
    expect(penalty).toBeGreaterThan(0);
    expect(Math.abs(loss - dataLoss! - penalty!)).toBeLessThan(2e-7 * loss);
  }
}

describe("loss = dataLoss + penalty", () => {
  const cases: [string, FitOptions][] = [
    ["batches", { batchSize: 16 }],
    ["one by one", { batchSize: 1 }],
    ["all at once", { batchSize: "full" }],
    ["several batches an update", { batchSize: 7, accumulate: 3 }],
    ["weighted classes", { batchSize: 16, classWeight: { 1: 3 } }],
  ];
  for (const [name, options] of cases)
    test(`fit, ${name}: epochs, their batches, validation data`, async () => {
      const batches: Logs[] = [];
      const look: Callback = { onBatchEnd: (_step, logs) => void batches.push(logs) };
      const model = penalised();
      const { epochs } = await model.fit({ x, y }, { epochs: 3, validationSplit: 0.2, callbacks: [look], ...options });
      for (const logs of [...epochs, ...batches]) expectSum(logs);
      const last = { data: x.data.subarray(48 * 12), shape: [12, 12] };
      expect(epochs[2]!["valPenalty"]).toBeCloseTo(penaltyOf(model, last), 6);
    });

  test("at rate 0 an epoch's penalty is that of the weights and of all its examples", async () => {
    const model = penalised();
    model.learningRate = 0;
    for (const options of [{ batchSize: 7 }, { batchSize: 7, accumulate: 3 }, { batchSize: "full" as const }]) {
      const { epochs } = await model.fit({ x, y }, options);
      expect(epochs[0]!.penalty).toBeCloseTo(penaltyOf(model), 6);
    }
  });

  test("evaluate, trainOnBatch, testOnBatch, gradients", async () => {
    const model = penalised();
    const logs = await model.evaluate({ x, y }, { batchSize: 7 });
    expectSum(logs);
    expect(logs.penalty).toBeCloseTo(penaltyOf(model), 6);
    const one = model.testOnBatch(x, y);
    expectSum(one);
    expect(one.penalty).toBeCloseTo(penaltyOf(model), 6);
    expect(model.gradients(x, y).loss).toBeCloseTo(one.loss, 6);
    const before = penaltyOf(model);
    const trained = model.trainOnBatch(x, y);
    expectSum(trained);
    expect(trained.penalty).toBeCloseTo(before, 6); // of the weights before the step
  });

  test("without penalties loss is dataLoss", async () => {
    const model = sequential([dense(3, { inputShape: [12] })]);
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    const { epochs } = await model.fit({ x, y }, { validationSplit: 0.2 });
    for (const logs of [epochs[0]!, await model.evaluate({ x, y }), model.trainOnBatch(x, y)]) {
      expect(logs.penalty).toBe(0);
      expect(logs.loss).toBe(logs.dataLoss);
    }
  });
});

describe("several tasks", () => {
  const make = (lossWeights = { c: 1, v: 0.5 }) => {
    setSeed(8);
    const a = input([12]);
    const h = dense(8, { activation: "tanh", name: "trunk" })(a);
    const outputs = { c: dense(3, { name: "head_c" })(h), v: dense(2, { name: "head_v" })(h) };
    const model = functional({ inputs: a, outputs });
    const loss = { c: softmaxCrossEntropy(), v: meanSquaredError() };
    model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss, lossWeights });
    return model as unknown as Model;
  };
  const values = { data: Float32Array.from({ length: 120 }, (_, i) => ((i * 7) % 5) - 2), shape: [60, 2] };
  const none = new Int32Array(60).fill(-1);
  const missing = { data: new Float32Array(120).fill(Number.NaN), shape: [60, 2] };
  /** Which layers a step has changed. */
  const changed = (model: Model, targets: object) => {
    const before = model.getWeights();
    model.trainOnBatch(x, targets as never);
    const after = model.getWeights();
    const keys = Object.keys(before).filter((key) => before[key]!.data.some((v, i) => v !== after[key]!.data[i]));
    return [...new Set(keys.map((key) => key.split("/")[0]))];
  };

  test("a batch without labels of a task trains the other head and the trunk, as that task alone would", () => {
    expect(changed(make(), { c: y, v: values })).toEqual(["trunk", "head_c", "head_v"]);
    expect(changed(make(), { c: none, v: values })).toEqual(["trunk", "head_v"]);
    expect(changed(make(), { c: y, v: missing })).toEqual(["trunk", "head_c"]);
    expect(changed(make(), { c: none, v: missing })).toEqual([]);
    const [partial, alone] = [make(), make({ c: 0, v: 0.5 })];
    partial.trainOnBatch(x, { c: none, v: values } as never);
    alone.trainOnBatch(x, { c: y, v: values } as never);
    expect(partial.getWeights()).toEqual(alone.getWeights());
  });

  test("losses are means over what is labelled; loss is their weighted sum", async () => {
    const model = make();
    const some = y.map((c, i) => (i < 20 ? c : -1));
    const few = { data: values.data.map((t, i) => (i >= 60 && i % 2 ? Number.NaN : t)), shape: [60, 2] };
    const logs = await model.evaluate({ x, y: { c: some, v: few } }, { batchSize: 16 });
    const { c, v } = model.predict(x) as unknown as Record<"c" | "v", NDArray>;
    let cross = 0;
    for (let r = 0; r < 20; r++) {
      const row = [...c.data.subarray(3 * r, 3 * r + 3)];
      cross += Math.log(sum(row, Math.exp)) - row[y[r]!]!;
    }
    let squares = 0;
    let count = 0;
    few.data.forEach((t, i) => {
      if (Number.isNaN(t)) return;
      squares += (v.data[i]! - t) ** 2;
      count++;
    });
    expect(logs["cLoss"]).toBeCloseTo(cross / 20, 5);
    expect(logs["vLoss"]).toBeCloseTo(squares / count, 5);
    expect(logs.loss).toBeCloseTo(logs["cLoss"]! + 0.5 * logs["vLoss"]!, 6);
  });

  test("each example may have the labels of one task", async () => {
    const model = make();
    const c = y.map((label, i) => (i % 2 ? label : -1));
    const v = { data: values.data.map((t, i) => (i % 4 < 2 ? t : Number.NaN)), shape: [60, 2] };
    const { epochs } = await model.fit({ x, y: { c, v } }, { epochs: 40, batchSize: 10 });
    expect(epochs[39]!["cLoss"]).toBeLessThan(0.8 * epochs[0]!["cLoss"]!);
    expect(epochs[39]!["vLoss"]).toBeLessThan(0.8 * epochs[0]!["vLoss"]!);
    await expect(model.fit({ x, y: { c: none, v } })).rejects.toMatchObject({ code: "data" });
  });
});
