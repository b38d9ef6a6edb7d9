// How fit cuts examples into batches: accumulated, full, streamed, last ones.

import { describe, expect, test } from "vitest";
import {
  adam,
  batchNorm,
  dense,
  dropout,
  type Model,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { data, distance, hashAfter, rows, x, y } from "../support/fitting";
import { compiledNet, examples } from "../support/training";

describe("batches", () => {
  const plain =
    (make = () => [dense(17, { inputShape: [12], activation: "tanh" }), dropout(0.4), dense(3)]) =>
    () => {
      setSeed(5);
      const model = sequential(make());
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), clipNorm: 0.5 });
      return model;
    };

  test("accumulated batches equal one big batch, masks included", async () => {
    const [a, b] = [plain()(), plain()()];
    await a.fit(data, { epochs: 2, batchSize: 8, accumulate: 5 });
    await b.fit(data, { epochs: 2, batchSize: 40 });
    expect(a.state.step).toBe(b.state.step);
    expect(distance(a, b)).toBeLessThan(2e-6);
  });

  describe("moving statistics and accumulate", () => {
    const net = () => {
      setSeed(5);
      const model = sequential([batchNorm({ inputShape: [12], momentum: 0.7 }), dense(3)]);
      model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy() });
      return model;
    };
    const statistics = (model: Model<NDArray>) =>
      ["movingMean", "movingVariance"].map((key) => [...model.getWeights()[`batchNorm_1/${key}`]!.data]);
    /** Every batch moves them, in the order of the rows. */
    const expected = (epochs: number, batch: number) => {
      const mean = new Array<number>(12).fill(0);
      const variance = new Array<number>(12).fill(1);
      for (let epoch = 0; epoch < epochs; epoch++)
        for (let row = 0; row < 203; row += batch)
          for (let c = 0; c < 12; c++) {
            const values = Array.from({ length: Math.min(batch, 203 - row) }, (_, r) => x.data[(row + r) * 12 + c]!);
            const m = values.reduce((sum, v) => sum + v, 0) / values.length;
            const v = values.reduce((sum, v) => sum + (v - m) ** 2, 0) / values.length;
            mean[c] = 0.7 * mean[c]! + 0.3 * m;
            variance[c] = 0.7 * variance[c]! + 0.3 * v;
          }
      return [mean, variance];
    };

    test.each([1, 2, 3, 7, 100])("every one of %i batches an update moves them", async (accumulate) => {
      const model = net();
      await model.fit(data, { epochs: 2, batchSize: 29, shuffle: false, accumulate });
      const want = expected(2, 29);
      statistics(model).forEach((got, i) => {
        got.forEach((value, c) => {
          expect(Math.abs(value - want[i]![c]!)).toBeLessThan(1e-6);
        });
      });
    });

    test("a list of batches does as arrays do, also where the last update has one batch", async () => {
      const list = Array.from({ length: 7 }, (_, i) => rows(29 * i, 29 * i + 29));
      const [a, b] = [net(), net()];
      await a.fit(data, { batchSize: 29, shuffle: false, accumulate: 3 });
      await b.fit(list, { accumulate: 3 });
      expect(await weightsHash(a)).toBe(await weightsHash(b));
    });

    test("a batch whose loss is not finite takes back those of the batches before it", async () => {
      const model = net();
      const bad = x.data.slice();
      bad.fill(3e38, 4 * 29 * 12, 5 * 29 * 12); // the 5th batch, the 2nd of the 2nd update: its variance overflows
      const first = net();
      await first.fit(rows(0, 3 * 29), { batchSize: 29, shuffle: false, accumulate: 3 });
      const failing = model.fit({ x: { ...x, data: bad }, y }, { batchSize: 29, shuffle: false, accumulate: 3 });
      await expect(failing).rejects.toMatchObject({ code: "numeric" });
      expect(model.state.step).toBe(1);
      expect(await weightsHash(model)).toBe(await weightsHash(first));
      model.trainOnBatch(x, y); // and what comes after writes the model's own
      first.trainOnBatch(x, y);
      expect(await weightsHash(model)).toBe(await weightsHash(first));
    });
  });

  test('"full" is one update an epoch, also where it is accumulated over slices', async () => {
    const many = examples(2100);
    const [a, b] = [plain()(), plain()()];
    await a.fit(many, { epochs: 3, batchSize: "full" });
    await b.fit(many, { epochs: 3, batchSize: 5000 });
    expect([a.state.step, b.state.step]).toEqual([3, 3]);
    expect(distance(a, b)).toBeLessThan(2e-6);
  });

  test("with batch statistics it is one batch", async () => {
    const make = plain(() => [dense(7, { inputShape: [12] }), batchNorm(), dense(3)]);
    const many = examples(2100);
    expect(await hashAfter(many, { batchSize: "full" }, make)).toBe(await hashAfter(many, { batchSize: 2100 }, make));
  });

  test("more examples a batch than there are means all of them", async () => {
    expect(await hashAfter(data, { batchSize: 10_000 })).toBe(await hashAfter(data, { batchSize: 203 }));
  });

  test("stepsPerEpoch", async () => {
    const model = compiledNet();
    await model.fit(data, { epochs: 2, stepsPerEpoch: 3 });
    expect(model.state.step).toBe(6);
  });

  test("iterables of batches, plain and async, equal arrays in their order", async () => {
    const batch = (i: number) => rows(32 * i, Math.min(203, 32 * i + 32));
    const list = Array.from({ length: 7 }, (_, i) => batch(i));
    const stream = {
      async *[Symbol.asyncIterator]() {
        for (const b of list) yield b;
      },
    };
    const whole = await hashAfter(data, { epochs: 2, shuffle: false });
    expect(await hashAfter(list, { epochs: 2 })).toBe(whole);
    expect(await hashAfter(stream, { epochs: 2 })).toBe(whole);
    const [a, b] = [compiledNet(), compiledNet()];
    await a.fit(list, { accumulate: 2 });
    expect(a.state.step).toBe(4);
    const validated = await b.fit(stream, { validationData: data, stepsPerEpoch: 2 });
    expect(b.state.step).toBe(2);
    expect(validated.epochs[0]!.valLoss).toBeGreaterThan(0);
  });

  test("an iterable that is used up, or wrong", async () => {
    const once = (function* () {
      yield rows(0, 32);
    })();
    const model = compiledNet();
    await expect(model.fit(once, { epochs: 2 })).rejects.toMatchObject({
      code: "data",
      message: expect.stringContaining("epoch 1"),
    });
    await expect(model.fit([{ x }] as never)).rejects.toMatchObject({ code: "argument" });
    await expect(model.fit([rows(0, 8)], { validationSplit: 0.5 })).rejects.toMatchObject({ code: "argument" });
    const error = new Error("own");
    const failing = (function* () {
      yield rows(0, 32);
      throw error;
    })();
    await expect(model.fit(failing)).rejects.toBe(error);
  });
});
