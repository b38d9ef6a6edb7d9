// Penalties on weights: what they add to the objective and to the gradient, on what, and the proximal mode's zeros.

import { describe, expect, test } from "vitest";
import {
  adam,
  adamw,
  batchNorm,
  dense,
  init,
  l1,
  l1l2,
  l2,
  loadModel,
  relu,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, floats, labels, thrown, weightBits } from "../support/contract";
import "../support/everyTeam";

const X = floats(32);
const Y = labels(8, 3);

type Built = ReturnType<typeof l2>;

function net(kernelRegularizer?: Built, optimizer = sgd({ learningRate: 0.25 })) {
  setSeed(4);
  const options = kernelRegularizer ? { kernelRegularizer } : {};
  const model = sequential([dense(6, { inputShape: [4], ...options }), batchNorm(), relu(), dense(3)]);
  model.compile({ optimizer, loss: softmaxCrossEntropy() });
  return model;
}

describe.each<[string, Built, (w: number) => number, (w: number) => number]>([
  ["l2", l2(0.5), (w) => 0.25 * w * w, (w) => 0.5 * w],
  ["l1", l1(0.5), (w) => 0.5 * Math.abs(w), (w) => 0.5 * Math.sign(w)],
  ["l1l2", l1l2({ l1: 0.25, l2: 0.5 }), (w) => 0.25 * Math.abs(w) + 0.25 * w * w, (w) => 0.25 * Math.sign(w) + 0.5 * w],
])("%s", (_, regularizer, penalty, slope) => {
  test("is added to the objective, its slope to the gradient, of the one kernel that has it", () => {
    using model = net(regularizer);
    using plain = net();
    const kernel = any(model.getWeights());
    kernel["dense_1/kernel"].data[3] = 0;
    for (const m of [model, plain]) m.setWeights(kernel);
    const logs = model.testOnBatch(X, Y);
    const sum = [...kernel["dense_1/kernel"].data].reduce((s, w) => s + penalty(w), 0);
    expect(logs.penalty).toBeCloseTo(sum, 5);
    expect(logs.loss).toBeCloseTo(logs.dataLoss + sum, 5);
    const [g, bare] = [model.gradients(X, Y).parameters, plain.gradients(X, Y).parameters];
    for (const key of Object.keys(g))
      g[key]!.data.forEach((v, i) => {
        const own = key === "dense_1/kernel" ? slope(kernel[key].data[i]) : 0;
        expect(v, `${key} ${i}`).toBeCloseTo(bare[key]!.data[i]! + own, 6);
      });
  });
});

test("biases and batch norm's parameters are penalised where that is asked", () => {
  const model = sequential([
    dense(6, { inputShape: [4], biasRegularizer: l2(2) }),
    batchNorm({ gammaRegularizer: l2(2), betaRegularizer: l1(2) }),
  ]);
  model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
  expect(model.testOnBatch(X, labels(8, 6)).penalty).toBeCloseTo(6, 6); // gamma is 1, bias and beta are 0
});

describe("proximal l1", () => {
  const c = 0.3;
  test("soft-thresholds the step's result by learning rate · c: exact zeros", () => {
    for (const optimizer of [() => sgd({ learningRate: 0.25 }), () => adam({ learningRate: 0.25 })]) {
      using model = net(l1(c, { proximal: true }), optimizer());
      using plain = net(undefined, optimizer());
      model.trainOnBatch(X, Y);
      plain.trainOnBatch(X, Y);
      const [a, b] = [model.getWeights(), plain.getWeights()];
      let zeros = 0;
      for (const key of Object.keys(a))
        a[key]!.data.forEach((v, i) => {
          const w = b[key]!.data[i]!;
          if (key !== "dense_1/kernel") expect(v).toBe(w);
          else if (Math.abs(w) <= 0.25 * c) {
            expect(v).toBe(0);
            zeros++;
          } else expect(v).toBeCloseTo(w - 0.25 * c * Math.sign(w), 6);
        });
      expect(zeros).toBeGreaterThan(0);
    }
  });

  test("c·‖w‖₁ is in the objective; its gradient is not", () => {
    using model = net(l1(c, { proximal: true }));
    using plain = net();
    const sum = model.getWeights()["dense_1/kernel"]!.data.reduce((s, w) => s + c * Math.abs(w), 0);
    expect(model.testOnBatch(X, Y).penalty).toBeCloseTo(sum, 5);
    expect(model.gradients(X, Y).parameters).toEqual(plain.gradients(X, Y).parameters);
  });
});

test("weight decay acts on every parameter, or on kernels, or on those that are named; decoupled in AdamW", () => {
  const zero = (model: ReturnType<typeof net>) =>
    Object.fromEntries(
      Object.entries(model.gradients(X, Y).parameters).map(([k, g]) => [k, { ...g, data: g.data.map(() => 0) }]),
    );
  const shrunk = (options: object) => {
    using model = net(undefined, adamw({ learningRate: 0.5, weightDecay: 0.5, ...options }));
    const before = any(model.getWeights());
    for (const key of ["dense_1/bias", "dense_2/bias", "batchNorm_1/beta"]) before[key].data.fill(1);
    model.setWeights(before);
    model.applyGradients(zero(model));
    return Object.entries(model.getWeights())
      .filter(
        ([key, w]) => !key.includes("moving") && w.data.every((v, i) => v === Math.fround(0.75 * before[key].data[i])),
      )
      .map(([key]) => key);
  };
  const parameters = ["dense_1/kernel", "dense_1/bias", "batchNorm_1/gamma", "batchNorm_1/beta"];
  expect(shrunk({})).toEqual([...parameters, "dense_2/kernel", "dense_2/bias"]);
  expect(shrunk({ decayKernelsOnly: true })).toEqual(["dense_1/kernel", "dense_2/kernel"]);
  expect(shrunk({ decayFilter: ["dense_1/bias"] })).toEqual(["dense_1/bias"]);
});

test("the same bits on 1, 2 and 3 threads, and from a file", async () => {
  const trained = async (threads: number) => {
    using runtime = await init({ threads });
    setSeed(5);
    const model = sequential(
      [
        dense(150, { inputShape: [120], kernelRegularizer: l1(1e-3, { proximal: true }) }),
        dense(130, { kernelRegularizer: l1l2({ l1: 1e-3, l2: 1e-2 }), biasRegularizer: l2(0.1) }),
        dense(3, { kernelRegularizer: l1(1e-3) }),
      ],
      { runtime },
    );
    model.compile({ optimizer: adamw({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), clipNorm: 1 });
    const x = { data: floats(64 * 120), shape: [64, 120] };
    model.trainOnBatch(x, labels(64, 3));
    const again = await loadModel(await saveModel(model));
    for (const m of [model, again]) for (let step = 0; step < 3; step++) m.trainOnBatch(x, labels(64, 3));
    expect(weightBits(any(again))).toEqual(weightBits(any(model)));
    return weightBits(any(model));
  };
  const one = await trained(1);
  expect(await trained(2)).toEqual(one);
  expect(await trained(3)).toEqual(one);
});

test("bad arguments", () => {
  for (const c of [-1, Number.NaN, "1", undefined]) {
    thrown("argument", () => l2(any(c)), /l2: c must be a number ≥ 0/);
    thrown("argument", () => l1(any(c)), /l1: c must be a number ≥ 0/);
  }
  thrown("argument", () => l1l2({ l1: -1 }));
  thrown("argument", () => adamw({ weightDecay: -1 }));
});
