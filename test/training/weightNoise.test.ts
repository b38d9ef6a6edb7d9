// compile's weightNoise: a step's passes at w + ε, the update at w.

import { describe, expect, it } from "vitest";
import {
  adam,
  batchNorm,
  dense,
  init,
  l2,
  meanSquaredError,
  relu,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { any, thrown, weightBits } from "../support/contract";
import { examples } from "../support/examples";
import "../support/everyTeam";

const data = examples();

/** y = w·x + b at w = 2, b = −1, of which every step shows the noise: x = 1 and x = −1, targets y. */
function line(weightNoise: number, learningRate = 0) {
  setSeed(1);
  const model = sequential([dense(1, { inputShape: [1] })]);
  const weights = () =>
    model.setWeights({
      "dense_1/kernel": { data: Float32Array.of(2), shape: [1, 1] },
      "dense_1/bias": { data: Float32Array.of(-1), shape: [1] },
    });
  weights();
  model.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError(), weightNoise });
  return { model, weights };
}
const x = [[1], [-1]];
const y = [[1], [-3]];

describe("weightNoise", () => {
  it("moves the gradient to that of w + ε, and the update is of w", () => {
    const { model } = line(0.5, 0.125);
    const before = model.getWeights();
    const { parameters, loss } = model.gradients(x, y);
    // at w + ε: ŷ − y = ±ε_w + ε_b, so L = ε_w² + ε_b² and its gradient is 2·ε
    const [w, b] = [parameters["dense_1/kernel"]!.data[0]! / 2, parameters["dense_1/bias"]!.data[0]! / 2];
    expect(Math.abs(w)).toBeGreaterThan(0.01);
    expect(w).not.toBeCloseTo(b, 3);
    expect(loss).toBeCloseTo(w * w + b * b, 5);
    expect(model.trainOnBatch(x, y).loss).toBe(loss);
    const after = model.getWeights();
    for (const key of Object.keys(before))
      expect(after[key]!.data[0]).toBeCloseTo(before[key]!.data[0]! - 0.125 * parameters[key]!.data[0]!, 6);
  });

  it("is drawn anew each step, from N(0, σ²) (|z| < 3.29, p = 0.001)", () => {
    const sigma = 0.25;
    const { model } = line(sigma);
    const drawn: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const { parameters } = model.gradients(x, y);
      for (const { data } of Object.values(parameters)) drawn.push(data[0]! / 2);
      model.trainOnBatch(x, y); // learning rate 0: w stays
    }
    const n = drawn.length;
    expect(new Set(drawn).size).toBeGreaterThan(0.99 * n);
    const mean = drawn.reduce((sum, v) => sum + v / n, 0);
    const variance = drawn.reduce((sum, v) => sum + (v * v) / n, 0);
    expect(Math.abs(mean) / (sigma / Math.sqrt(n))).toBeLessThan(3.29);
    expect(Math.abs(variance / sigma ** 2 - 1) / Math.sqrt(2 / n)).toBeLessThan(3.29);
    const beyond = drawn.filter((v) => Math.abs(v) > 1.959964 * sigma).length / n;
    expect(Math.abs(beyond - 0.05) / Math.sqrt((0.05 * 0.95) / n)).toBeLessThan(3.29);
  });

  it("is not there in evaluation, prediction, penalties and gradients without training; 0 is none", () => {
    const net = (weightNoise?: number) => {
      setSeed(3);
      const model = sequential([
        dense(9, { inputShape: [12], kernelRegularizer: l2(0.1) }),
        batchNorm(),
        relu(),
        dense(3),
      ]);
      model.compile({
        optimizer: sgd(),
        loss: softmaxCrossEntropy(),
        ...(weightNoise !== undefined && { weightNoise }),
      });
      return model;
    };
    const [plain, none, noisy] = [net(), net(0), net(0.3)];
    expect(noisy.testOnBatch(data.x, data.y)).toEqual(plain.testOnBatch(data.x, data.y));
    expect(noisy.predict(data.x)).toEqual(plain.predict(data.x));
    const gradients = (model: typeof plain, training: boolean) => model.gradients(data.x, data.y, { training });
    expect(gradients(noisy, false)).toEqual(gradients(plain, false));
    expect(gradients(noisy, true).loss).not.toBe(gradients(plain, true).loss);
    const logs = [plain, none, noisy].map((model) => model.trainOnBatch(data.x, data.y));
    expect(logs[2]!.penalty).toBe(logs[0]!.penalty);
    expect(logs[2]!.dataLoss).not.toBe(logs[0]!.dataLoss);
    expect(logs[1]).toEqual(logs[0]);
    expect(weightBits(none)).toEqual(weightBits(plain));
    const moving = "batchNorm_1/movingVariance"; // of the pass that was made, at w + ε
    expect(weightBits(noisy)[moving]).not.toEqual(weightBits(plain)[moving]);
  });

  it("is one for all batches of a group", async () => {
    const fit = async (batchSize: number, accumulate: number) => {
      const { model } = line(0.5, 0.1);
      const { epochs } = await model.fit(
        { x: [...x, ...x, ...x], y: [...y, ...y, ...y] },
        { batchSize, accumulate, shuffle: false },
      );
      return { ...model.getWeights(), loss: epochs[0]!.loss };
    };
    const [whole, parts] = [await fit(6, 1), await fit(2, 3)];
    expect(parts.loss).toBeCloseTo(whole.loss, 6);
    for (const key of ["dense_1/kernel", "dense_1/bias"] as const)
      expect(any(parts)[key].data[0]).toBeCloseTo(any(whole)[key].data[0], 6);
  });

  it("has the same bits on 1, 2 and 3 threads, other ones for another seed", async () => {
    const hashes: string[] = [];
    for (const [threads, seed] of [
      [1, 5],
      [2, 5],
      [3, 5],
      [1, 6],
    ] as const) {
      const runtime = await init({ threads, seed });
      const net = sequential([dense(300, { inputShape: [12] }), relu(), dense(200), relu(), dense(3)]);
      net.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), weightNoise: 0.1 });
      await net.fit(data, { batchSize: 64, epochs: 2 });
      hashes.push(await weightsHash(net));
      runtime.dispose();
    }
    expect(new Set(hashes.slice(0, 3)).size).toBe(1);
    expect(hashes[3]).not.toBe(hashes[0]);
    await init({ threads: 1, seed: 0 });
  });

  it("refuses what is no number ≥ 0", () => {
    for (const weightNoise of [-1, Number.NaN, Infinity, "0.1", [0.1]])
      thrown("argument", () => line(any(weightNoise)));
  });
});
