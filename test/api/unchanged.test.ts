// Bad calls, and losses that are not finite: what they must not change.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import * as d from "../../ts/index";
import {
  adam,
  batchNorm,
  dense,
  type Model,
  meanSquaredError,
  type NDArray,
  sequential,
  setSeed,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, classifier, floats, labels, rejected, thrown, weightBits, withNorm } from "../support/contract";

const X = floats(32);
const Y = labels(8, 3);

/** Trains two equal models; what `disturb` does to the first may not show. */
async function undisturbed(disturb: (model: any) => unknown, make: () => Model<NDArray> = classifier): Promise<void> {
  const [a, b] = [make(), make()];
  for (let i = 0; i < 6; i++) {
    await disturb(a);
    expect(a.trainOnBatch(X, Y), `step ${i}`).toEqual(b.trainOnBatch(X, Y));
    expect(weightBits(a)).toEqual(weightBits(b));
  }
  await disturb(a);
  const data = { x: floats(80), y: labels(20, 3) };
  expect(await a.fit(data, { batchSize: 8, epochs: 2 })).toEqual(await b.fit(data, { batchSize: 8, epochs: 2 }));
  expect(weightBits(a)).toEqual(weightBits(b));
}

describe("a bad call changes nothing: weights, optimizer state and random numbers go on", () => {
  it.each([
    ["trainOnBatch: NaN in x", (m) => thrown("data", () => m.trainOnBatch(floats(32).fill(Number.NaN, 3, 4), Y))],
    ["trainOnBatch: shapes", (m) => thrown("shape", () => m.trainOnBatch(floats(28), Y))],
    ["trainOnBatch: labels", (m) => thrown("data", () => m.trainOnBatch(X, Y.slice().fill(3, 7)))],
    [
      "trainOnBatch: weights",
      (m) => thrown("data", () => m.trainOnBatch(X, Y, { sampleWeight: new Float32Array(8).fill(-1) })),
    ],
    ["trainOnBatch: kinds", (m) => thrown("argument", () => m.trainOnBatch("x", Y))],
    ["trainOnBatch: options", (m) => thrown("argument", () => m.trainOnBatch(X, Y, { sampleWeights: [1] }))],
    ["profile: NaN", (m) => thrown("data", () => m.profile(floats(32).fill(Number.NaN, 3, 4), Y))],
    ["gradients: NaN", (m) => thrown("data", () => m.gradients(floats(32).fill(Number.NaN, 3, 4), Y))],
    [
      "applyGradients",
      (m) => {
        thrown("argument", () => m.applyGradients({ nothing: [1] }));
        thrown("shape", () => m.applyGradients({ "dense_1/kernel": [[1]] }));
        thrown("data", () => m.applyGradients({ "dense_2/bias": [1, Number.NaN, 0] }));
        thrown("argument", () =>
          m.applyGradients({ "dense_2/bias": [1, 2, 3], "batchNorm_1/movingMean": new Float32Array(8) }),
        );
        thrown("argument", () => m.applyGradients(undefined));
      },
    ],
    ["compile", (m) => thrown("argument", () => m.compile({ optimizer: adam, loss: softmaxCrossEntropy() }))],
    [
      "learningRate",
      (m) => {
        for (const v of [-1, Number.NaN, "1", Infinity, undefined])
          thrown("argument", () => {
            m.learningRate = v;
          });
      },
    ],
    ["predict", (m) => thrown("shape", () => m.predict([[1]]))],
    [
      "fit",
      async (m) => {
        await rejected("data", m.fit({ x: floats(32).fill(Number.NaN, 3, 4), y: Y }));
        await rejected("argument", m.fit({ x: X, y: Y }, { epochs: 0.5 }));
        await rejected("argument", m.fit({ x: X, y: Y }, { callbacks: [{}] }));
        await rejected("data", m.fit({ x: X, y: Y.slice().fill(-1) }));
        await rejected("shape", m.fit({ x: X, y: Y }, { validationData: { x: [[1]], y: [1] } }));
      },
    ],
    [
      "each option of compile",
      (m) => {
        const compile = (options: object) => () =>
          m.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), ...options });
        for (const options of [
          { clipNorm: 0 },
          { clipValue: Number.NaN },
          { ema: 1 },
          { weightNoise: -1 },
          { lossWeights: -1 },
          { lossWeights: Number.NaN },
          { metrics: [d.rSquared()] },
          { adversarial: { attack: d.fgsm({ epsilon: 0.1 }), weight: 2 } },
          { adversarial: { attack: d.fgsm, weight: 0.5 } },
          { penalties: [d.tied("dense_1", "nowhere", 1)] },
          { penalties: [d.l2(1)] },
          { optimizer: adam({ weightDecay: 1, decayFilter: ["nowhere/kernel"] }) },
        ])
          thrown("argument", compile(options));
        thrown("shape", compile({ penalties: [d.tied("dense_1", "dense_2", 1)] }));
      },
    ],
    [
      "each method of a model that is there",
      async (m) => {
        const data = { x: X, y: Y };
        thrown("argument", () => d.prune(m, { sparsity: 1 }));
        thrown("argument", () => d.prune(m, { sparsity: 0.5, layers: ["nowhere"] }));
        thrown("argument", () => d.attack(m, X, Y, any(d.pgd)));
        thrown("data", () => d.attack(m, X.slice().fill(Number.NaN), Y, d.pgd({ epsilon: 0.1 })));
        thrown("shape", () => d.attack(m, X.slice(4), Y, d.fgsm({ epsilon: 0.1 })));
        thrown("argument", () => d.hessianSpectrum(m, data, { iterations: 0 }));
        thrown("argument", () => d.conditionNumber(m, data, { tolerance: Number.NaN }));
        thrown("data", () => d.isSaddle(m, { x: X, y: Y.slice().fill(9) }));
        thrown("state", () => d.gradientReport(m));
        thrown("argument", () => d.jointly({ m }));
        thrown("argument", () => m.getLayer("nowhere"));
        thrown("argument", () => m.predict(X, { training: true, samples: 0 }));
        for (const callbacks of [
          [d.earlyStopping({ monitor: "nothing" })],
          [d.reduceLROnPlateau({ monitor: "valLoss" })],
          [d.swa],
          [d.gradientMonitor({ every: 2 }), 5],
        ])
          await rejected("argument", m.fit(data, { callbacks }));
        await rejected("argument", m.fit(data, { augment: [d.mixup] }));
        await rejected("shape", m.fit(data, { augment: [d.randomRotate()] }));
        for (const batchSize of [0, "all", 1.5, Number.NaN]) await rejected("argument", m.fit(data, { batchSize }));
        for (const classWeight of [{ 5: 1 }, { 0: -1 }]) await rejected("argument", m.fit(data, { classWeight }));
      },
    ],
    ["evaluate", async (m) => void (await rejected("data", m.evaluate({ x: floats(32).fill(Infinity), y: Y })))],
  ] as [string, (m: any) => unknown][])("%s", async (_, disturb) => {
    await undisturbed(disturb, withNorm);
  });
  it.each([
    [
      "reading calls",
      async (m) => {
        m.predict(X);
        m.predict(X, { training: true });
        m.testOnBatch(X, Y);
        m.getWeights();
        m.summary();
        m.countParams();
        void m.learningRate;
        void m.config;
        m.gradients(X, Y);
        m.gradients(X.slice(4), Y.slice(1), { training: false });
        await m.evaluate({ x: X, y: Y });
      },
    ],
    ["setWeights of what is there", (m) => m.setWeights(m.getWeights())],
    ["fit of no epoch", (m) => m.fit({ x: X, y: Y }, { initialEpoch: 3, epochs: 3 })],
    [
      "an aborted fit",
      async (m) => {
        const reason = new Error("mine");
        expect(await m.fit({ x: X, y: Y }, { signal: AbortSignal.abort(reason) }).catch((e: unknown) => e)).toBe(
          reason,
        );
        expect(await m.evaluate({ x: X, y: Y }, { signal: AbortSignal.abort(reason) }).catch((e: unknown) => e)).toBe(
          reason,
        );
      },
    ],
  ] as [string, (m: any) => unknown][])("%s change nothing", async (_, disturb) => {
    await undisturbed(disturb, withNorm);
  });
});

describe("a loss that is not finite", () => {
  const broken = () => {
    setSeed(2);
    const model = sequential([dense(4, { inputShape: [2] }), batchNorm(), dense(1)]);
    model.compile({ optimizer: adam(), loss: meanSquaredError() });
    return model;
  };
  const good = [
    [
      [1, 2],
      [3, 5],
    ],
    [[1], [2]],
  ] as const;
  const bad = [[[1], [3e38]]][0]!;
  it("trainOnBatch throws numeric and updates nothing", () => {
    const [a, b] = [broken(), broken()];
    for (let i = 0; i < 3; i++) {
      thrown("numeric", () => a.trainOnBatch(good[0], bad));
      expect(a.trainOnBatch(...good)).toEqual(b.trainOnBatch(...good));
      expect(weightBits(a)).toEqual(weightBits(b));
    }
  });
  it("fit rejects naming epoch and batch, weights at the last finished step", async () => {
    const x = floats(8);
    const y = [[1], [2], [3e38], [1]];
    const [a, b] = [broken(), broken()];
    await rejected("numeric", a.fit({ x, y }, { batchSize: 2, shuffle: false }), /epoch 0.*batch 1/);
    b.trainOnBatch(x.slice(0, 4), [[1], [2]]);
    expect(weightBits(a)).toEqual(weightBits(b));
    expect(a.trainOnBatch(...good)).toEqual(b.trainOnBatch(...good));
  });
  it("in any batch of a group, nothing of the group is updated", async () => {
    for (const bad of [0, 1, 2]) {
      const y = [[1], [2], [1], [2], [1], [2]];
      y[2 * bad] = [3e38];
      const m = broken();
      const before = weightBits(m);
      await rejected(
        "numeric",
        m.fit({ x: floats(12), y }, { batchSize: 2, accumulate: 3, shuffle: false }),
        /epoch 0/,
      );
      const batches = [0, 1, 2].map((i) => ({ x: floats(12).slice(4 * i, 4 * i + 4), y: y.slice(2 * i, 2 * i + 2) }));
      await rejected("numeric", m.fit(any(batches), { accumulate: 3 }));
      expect(weightBits(m)).toEqual(before);
    }
  });
});
