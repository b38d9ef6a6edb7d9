import { describe, expect, test } from "vitest";
import {
  adam,
  averagedWeights,
  batchNorm,
  dense,
  earlyStopping,
  init,
  jointly,
  loadModel,
  type Model,
  maxNorm,
  prune,
  type Runtime,
  relu,
  saveModel,
  sequential,
  setSeed,
  softmaxCrossEntropy,
  swa,
  weightsHash,
} from "../../ts/index";
import { any, floats, labels, thrown, weightBits } from "../support/contract";
import "../support/everyTeam";

const x = { data: floats(60 * 4), shape: [60, 4] };
const y = labels(60, 3);

function net(runtime?: Runtime) {
  setSeed(2);
  const model = sequential(
    [
      dense(9, { inputShape: [4], kernelConstraint: maxNorm() }),
      batchNorm(),
      relu(),
      dense(7, { name: "middle" }),
      dense(3),
    ],
    runtime ? { runtime } : {},
  );
  model.compile({ optimizer: adam({ learningRate: 0.02 }), loss: softmaxCrossEntropy(), ema: 0.8 });
  return model;
}

const KERNELS = ["dense_1/kernel", "middle/kernel", "dense_2/kernel"];
const zeros = (model: Model, key: string) => [...model.getWeights()[key]!.data].filter((v) => Object.is(v, 0)).length;
const allZeros = (model: Model) => KERNELS.reduce((sum, key) => sum + zeros(model, key), 0);
const TOTAL = 36 + 63 + 21;

describe("counts", () => {
  test.each([0, 0.1, 0.5, 0.77, 0.99])("sparsity %d: round(sparsity·n), the smallest of all kernels", (sparsity) => {
    using model = any(net());
    const before = model.getWeights();
    const pruned = prune(model, { sparsity });
    const count = Math.round(sparsity * TOTAL);
    expect(allZeros(model)).toBe(count);
    expect(pruned.sparsity).toBeCloseTo(count / TOTAL, 12);
    const after = model.getWeights();
    const sizes = KERNELS.flatMap((key) => [...before[key].data].map(Math.abs)).sort((a, b) => a - b);
    for (const key of KERNELS) {
      after[key].data.forEach((v: number, i: number) => {
        const w = before[key].data[i];
        expect(v).toBe(Math.abs(w) <= (sizes[count - 1] ?? -1) ? 0 : w);
      });
      const name = key.split("/")[0]!;
      expect(pruned.layers[name]).toEqual({ pruned: zeros(model, key), total: before[key].data.length });
    }
    for (const key of Object.keys(before)) if (!KERNELS.includes(key)) expect(after[key]).toEqual(before[key]);
  });

  test("by layer, and only the named ones", () => {
    using model = any(net());
    prune(model, { sparsity: 0.5, scope: "layer" });
    expect(KERNELS.map((key) => zeros(model, key))).toEqual([18, 32, 11]);
    const { layers } = prune(model, { sparsity: 0.9, layers: ["middle"] });
    expect(layers).toEqual({ middle: { pruned: 57, total: 63 } });
    expect(KERNELS.map((key) => zeros(model, key))).toEqual([18, 57, 11]);
  });

  test("of equal weights the first", () => {
    using model = sequential([dense(3, { inputShape: [2] })]);
    model.setWeights({
      "dense_1/kernel": { data: Float32Array.of(1, -1, 1, 2, 1, 1), shape: [2, 3] },
      "dense_1/bias": { data: new Float32Array(3), shape: [3] },
    });
    prune(model, { sparsity: 0.5 });
    expect([...model.getWeights()["dense_1/kernel"]!.data]).toEqual([0, 0, 0, 2, 1, 1]);
  });

  test("again with more keeps what was pruned; with 0 frees all", () => {
    using model = any(net());
    prune(model, { sparsity: 0.5 });
    const first = model.getWeights();
    model.trainOnBatch(x, y);
    prune(model, { sparsity: 0.8 });
    const second = model.getWeights();
    expect(allZeros(model)).toBe(96);
    for (const key of KERNELS)
      first[key].data.forEach((v: number, i: number) => {
        if (v === 0) expect(second[key].data[i]).toBe(0);
      });
    prune(model, { sparsity: 0 });
    model.trainOnBatch(x, y);
    expect(zeros(model, "dense_2/kernel")).toBe(0);
    expect(allZeros(model)).toBeLessThan(20); // what units have that are dead for now
  });
});

describe("zeros stay zeros", () => {
  const ways: Record<string, (model: Model) => unknown> = {
    fit: (m) => m.fit({ x, y }, { epochs: 2, batchSize: 16 }),
    "fit, batches in groups": (m) => m.fit({ x, y }, { epochs: 2, batchSize: 16, accumulate: 2 }),
    "the best weights": (m) =>
      m.fit(
        { x, y },
        { epochs: 3, validationSplit: 0.2, callbacks: [earlyStopping({ patience: 3, restoreBestWeights: true })] },
      ),
    swa: (m) => m.fit({ x, y }, { epochs: 3, callbacks: [swa({ startEpoch: 1 })] }),
    trainOnBatch: (m) => m.trainOnBatch(x, y),
    applyGradients: (m) => m.applyGradients(m.gradients(x, y).parameters),
    "compile, then a step": (m) => {
      m.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
      m.trainOnBatch(x, y);
    },
    setWeights: (m) => m.setWeights(any(net()).getWeights()),
    "a frozen layer": (m) => {
      m.getLayer("middle").trainable = false;
      m.trainOnBatch(x, y);
    },
  };
  test.each(Object.entries(ways))("%s", async (_, go) => {
    using model = any(net());
    model.trainOnBatch(x, y); // a program that knows of no mask
    prune(model, { sparsity: 0.6 });
    const pruned = KERNELS.map((key) => [...model.getWeights()[key].data].map((v) => v === 0));
    const before = await weightsHash(model);
    await go(model);
    expect(await weightsHash(model)).not.toBe(before);
    KERNELS.forEach((key, k) => {
      const now = model.getWeights()[key].data as Float32Array;
      expect([...now].map((v) => Object.is(v, 0))).toEqual(pruned[k]);
      const mean = averagedWeights(any(model))[key]!.data;
      expect(mean.filter((_, i) => pruned[k]![i]).every((v) => v === 0)).toBe(true);
    });
  });
});

test("a file keeps the mask: the same bytes again, and the same bits from there on", async () => {
  using model = any(net());
  await model.fit({ x, y }, { epochs: 1 });
  prune(model, { sparsity: 0.7 });
  await model.fit({ x, y }, { epochs: 2, initialEpoch: 1 });
  const bytes = await saveModel(model);
  using again = any(await loadModel(bytes));
  expect(Buffer.compare(bytes, await saveModel(again))).toBe(0);
  for (const m of [model, again]) await m.fit({ x, y }, { epochs: 4, initialEpoch: 2 });
  expect(allZeros(again)).toBe(84);
  expect(await weightsHash(again)).toBe(await weightsHash(model));
  expect(await again.evaluate({ x, y })).toEqual(await model.evaluate({ x, y }));
});

test("the same bits on 1, 2 and 3 threads", async () => {
  const trained = async (threads: number) => {
    using runtime = await init({ threads });
    setSeed(3);
    const model = sequential([dense(300, { inputShape: [120] }), relu(), dense(200), dense(3)], { runtime });
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    prune(model, { sparsity: 0.9 });
    for (let step = 0; step < 3; step++)
      model.trainOnBatch({ data: floats(64 * 120), shape: [64, 120] }, labels(64, 3));
    return weightBits(model);
  };
  const one = await trained(1);
  expect(await trained(2)).toEqual(one);
  expect(await trained(3)).toEqual(one);
});

test("memory: a model that is disposed of gives its mask back", async () => {
  using runtime = await init({ threads: 1 });
  const once = () => {
    const model = net(runtime);
    prune(model, { sparsity: 0.5 });
    model.dispose();
  };
  once();
  const { used } = runtime.memory();
  once();
  expect(runtime.memory().used).toBe(used);
});

test("bad calls change nothing", async () => {
  using model = any(net());
  const before = await saveModel(model);
  for (const sparsity of [1, -0.1, Number.NaN, "half", undefined])
    thrown("argument", () => prune(model, any({ sparsity })), /prune: sparsity must be a number in \[0, 1\)/);
  thrown("argument", () => prune(any(prune), { sparsity: 0.5 }), /prune: expected a model/);
  thrown(
    "argument",
    () => prune(model, { sparsity: 0.5, layers: ["dense_9"] }),
    /\(dense_1, middle, dense_2\), got "dense_9"/,
  );
  thrown("argument", () => prune(model, { sparsity: 0.5, layers: ["batchNorm_1"] }));
  thrown("argument", () => prune(model, any({ sparsity: 0.5, scope: "all" })));
  const pending = model.fit({ x, y }, { epochs: 1 });
  thrown("state", () => prune(model, { sparsity: 0.5 }));
  await pending;
  model.setWeights(any(await loadModel(before)).getWeights());
  expect(allZeros(model)).toBe(0);
  model.dispose();
  thrown("state", () => prune(model, { sparsity: 0.5 }));
});

test("joint models and pruned ones do not go together", () => {
  const [a, b, c] = [net(), net(), net()];
  const both = jointly({ a, b });
  thrown("state", () => prune(any(a), { sparsity: 0.5 }), /not joined/);
  thrown("state", () => prune(any(both), { sparsity: 0.5 }), /not joined/);
  prune(any(c), { sparsity: 0.5 });
  thrown("argument", () => jointly({ c, d: net() }), /jointly: c: expected a model that is not pruned/);
});
