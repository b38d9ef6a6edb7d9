// Means of weights over time: `ema` of compile, the callback `swa`.

import { describe, expect, test } from "vitest";
import {
  adam,
  averagedWeights,
  batchNorm,
  type Callback,
  cosineDecay,
  dense,
  dropout,
  earlyStopping,
  init,
  linearDecay,
  loadModel,
  type Model,
  meanSquaredError,
  type NDArray,
  type Runtime,
  relu,
  rmsprop,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  swa,
  weightsHash,
} from "../../ts/index";
import { any, bitsOf, floats, labels, rejected, thrown, weightBits } from "../support/contract";
import "../support/everyTeam";

const x = { data: floats(60 * 4), shape: [60, 4] };
const y = labels(60, 3);

function net(options: { ema?: number; runtime?: Runtime; width?: number } = {}) {
  setSeed(2);
  const { runtime, ema, width = 9 } = options;
  const model = sequential(
    [dense(width, { inputShape: [4] }), batchNorm(), relu(), dropout(0.2), dense(3)],
    runtime ? { runtime } : {},
  );
  model.compile({
    optimizer: adam({ learningRate: cosineDecay({ initial: 0.05, steps: 40 }) }),
    loss: softmaxCrossEntropy(),
    metrics: ["accuracy"],
    ...(ema && { ema }),
  });
  return model;
}

const bits = (weights: Record<string, NDArray>) =>
  Object.fromEntries(Object.entries(weights).map(([key, w]) => [key, bitsOf(w)]));
const averaged = (model: Model<never> | Model | Model<NDArray>) => bits(averagedWeights(any(model)));

describe("ema", () => {
  test("mean ← d·mean + (1 − d)·θ, from the θ that the first update starts from", () => {
    using model = net({ ema: 0.75 });
    let want = Object.fromEntries(Object.entries(model.getWeights()).map(([k, w]) => [k, [...w.data]]));
    expect(averaged(model)).toEqual(weightBits(any(model)));
    for (let step = 0; step < 6; step++) {
      model.trainOnBatch(x, y);
      const now = model.getWeights();
      want = Object.fromEntries(
        Object.entries(want).map(([key, mean]) => [
          key,
          mean.map((m, i) => (key.includes("moving") ? now[key]!.data[i]! : 0.75 * m + 0.25 * now[key]!.data[i]!)),
        ]),
      );
      const got = averagedWeights(any(model));
      for (const [key, mean] of Object.entries(want))
        mean.forEach((m, i) => {
          expect(got[key]!.data[i]).toBeCloseTo(m, 6);
        });
    }
  });

  test("evaluate, predict, testOnBatch and validation run at the mean; training and getWeights at θ", async () => {
    using model = net({ ema: 0.9 });
    using plain = net();
    const { epochs } = await model.fit({ x, y }, { epochs: 3, batchSize: 16, validationData: { x, y } });
    await plain.fit({ x, y }, { epochs: 3, batchSize: 16 });
    expect(weightBits(any(model))).toEqual(weightBits(any(plain)));
    expect(await weightsHash(model)).toBe(await weightsHash(plain));
    plain.setWeights(averagedWeights(any(model)));
    expect(averaged(plain)).not.toEqual(weightBits(any(model)));
    const logs = await model.evaluate({ x, y });
    expect(logs).toEqual(await plain.evaluate({ x, y }));
    expect([epochs[2]!.valLoss, epochs[2]!.valAccuracy]).toEqual([logs.loss, logs.accuracy]);
    expect(model.predict(x)).toEqual(plain.predict(x));
    expect(model.testOnBatch(x, y)).toEqual(plain.testOnBatch(x, y));
  });

  test("setWeights begins it anew, and of the mean puts it in force", () => {
    using model = net({ ema: 0.9 });
    for (let step = 0; step < 3; step++) model.trainOnBatch(x, y);
    const mean = averagedWeights(any(model));
    model.setWeights(mean);
    expect(weightBits(any(model))).toEqual(bits(mean));
    expect(averaged(model)).toEqual(bits(mean));
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    expect(averaged(model)).toEqual(bits(mean));
  });

  test("a file keeps it: training goes on to the bit", async () => {
    using model = net({ ema: 0.9 });
    await model.fit({ x, y }, { epochs: 2, batchSize: 16 });
    const bytes = await saveModel(model);
    using again = await loadModel(bytes);
    expect(Buffer.compare(bytes, await saveModel(again))).toBe(0);
    expect(again.predict(x)).toEqual(model.predict(x));
    for (const m of [model, again] as Model[]) await m.fit({ x, y }, { epochs: 4, initialEpoch: 2, batchSize: 16 });
    expect(averaged(again)).toEqual(averaged(model));
    expect(await saveModel(again)).toEqual(await saveModel(model));
  });

  test("beside the mean of gradients that a centred RMSProp has", async () => {
    using model = net();
    model.compile({
      optimizer: rmsprop({ centered: true, momentum: 0.5 }),
      loss: softmaxCrossEntropy(),
      ema: 0.9,
    });
    model.trainOnBatch(x, y);
    const bytes = await saveModel(model);
    using again = await loadModel(bytes);
    expect(Buffer.compare(bytes, await saveModel(again))).toBe(0);
    for (const m of [model, again] as Model[]) m.trainOnBatch(x, y);
    expect(averaged(again)).toEqual(averaged(model));
    expect(await weightsHash(again)).toBe(await weightsHash(model));
  });

  test("a failed step and a bad call change nothing", () => {
    using model = net({ ema: 0.9 });
    model.trainOnBatch(x, y);
    const before = averaged(model);
    thrown("numeric", () => model.trainOnBatch({ data: x.data.map((v) => v * 3e38), shape: x.shape }, y));
    for (const ema of [0, 1, -0.5, 2, Number.NaN, "0.9", true])
      thrown(
        "argument",
        () => model.compile(any({ optimizer: adam(), loss: softmaxCrossEntropy(), ema })),
        /compile: ema must be a number in \(0, 1\)/,
      );
    thrown("argument", () => averagedWeights(any({})), /averagedWeights: expected a model/);
    expect(averaged(model)).toEqual(before);
  });

  const callbacks = () => [earlyStopping({ patience: 9, monitor: "valLoss", restoreBestWeights: true })];
  const data = { x, y };
  const options = { batchSize: 16, validationSplit: 0.25 };

  test("earlyStopping restores the weights that were evaluated", async () => {
    using model = net({ ema: 0.9 });
    const { epochs } = await model.fit(data, { ...options, epochs: 8, callbacks: callbacks() });
    const best = Math.min(...epochs.map((logs) => logs.valLoss!));
    const validation = { x: { data: x.data.slice(45 * 4), shape: [15, 4] }, y: y.slice(45) };
    expect((await model.evaluate(validation)).loss).toBe(best);
    using again = await loadModel(await saveModel(model));
    expect((await again.evaluate(validation)).loss).toBe(best);
    // what comes then begins the mean at them
    model.trainOnBatch(x, y);
    expect(averaged(model)).toEqual(weightBits(any(model)));
  });

  test("and resumed training goes on from the last ones, with the mean as it was", async () => {
    using whole = net({ ema: 0.9 });
    await whole.fit(data, { ...options, epochs: 6, callbacks: callbacks() });
    using first = net({ ema: 0.9 });
    await first.fit(data, { ...options, epochs: 3, callbacks: callbacks() });
    using loaded = await loadModel(await saveModel(first));
    for (const m of [first, loaded] as Model[]) {
      await m.fit(data, { ...options, initialEpoch: 3, epochs: 6, callbacks: callbacks() });
      expect(await saveModel(m)).toEqual(await saveModel(whole));
    }
  });

  test("stands in files beside every slot of the optimizer's, whatever these are called", async () => {
    using model = sequential([dense(2, { inputShape: [4] })]);
    const optimizer = rmsprop({ centered: true, momentum: 0.5 });
    model.compile({ optimizer, loss: meanSquaredError(), ema: 0.9 });
    const step = (m: Model<never> | Model) => (m as Model).trainOnBatch(x, floats(60 * 2));
    for (let i = 0; i < 3; i++) step(model);
    using loaded = await loadModel(await saveModel(model));
    expect(averaged(loaded as Model)).toEqual(averaged(model));
    for (const m of [model, loaded]) step(m as Model);
    expect(await saveModel(loaded)).toEqual(await saveModel(model));
  });
});

describe("swa", () => {
  /** Notes the weights at the ends of epochs. */
  const noting = (seen: Record<string, NDArray>[]): Callback => ({
    onEpochEnd: (_epoch, _logs, model) => seen.push(model.getWeights()),
  });
  const BATCH = 16;

  test("the mean of the weights at the epochs' ends", async () => {
    using model = net();
    const seen: Record<string, NDArray>[] = [];
    await model.fit(
      { x, y },
      { epochs: 8, batchSize: BATCH, callbacks: [noting(seen), swa({ startEpoch: 3, every: 2 })] },
    );
    const got = model.getWeights();
    for (const key of Object.keys(got).filter((k) => !k.includes("moving")))
      got[key]!.data.forEach((v, i) => {
        expect(v).toBeCloseTo([3, 5, 7].reduce((sum, e) => sum + seen[e]![key]!.data[i]!, 0) / 3, 6);
      });
  });

  test("batch normalization's statistics are those of the training data's batches, at the mean", async () => {
    using model = net();
    await model.fit({ x, y }, { epochs: 4, batchSize: BATCH, shuffle: false, callbacks: [swa({ startEpoch: 1 })] });
    const weights = model.getWeights();
    const kernel = weights["dense_1/kernel"]!.data;
    const bias = weights["dense_1/bias"]!.data;
    for (let unit = 0; unit < 9; unit++) {
      let [mean, variance] = [0, 0];
      const borders = [0, 16, 32, 48, 60];
      for (let b = 0; b < 4; b++) {
        const values = [];
        for (let row = borders[b]!; row < borders[b + 1]!; row++)
          values.push([0, 1, 2, 3].reduce((sum, i) => sum + x.data[row * 4 + i]! * kernel[i * 9 + unit]!, bias[unit]!));
        const m = values.reduce((s, v) => s + v, 0) / values.length;
        mean += m / 4;
        variance += values.reduce((s, v) => s + (v - m) ** 2, 0) / values.length / 4;
      }
      expect(weights["batchNorm_1/movingMean"]!.data[unit]).toBeCloseTo(mean, 5);
      expect(weights["batchNorm_1/movingVariance"]!.data[unit]).toBeCloseTo(variance, 5);
    }
  });

  test("batches that come one by one, in groups, and after a stop are seen once", async () => {
    using model = net();
    let opened = 0;
    const batches = {
      *[Symbol.iterator]() {
        opened++;
        for (let b = 0; b < 3; b++)
          yield { x: { data: x.data.slice(b * 80, b * 80 + 80), shape: [20, 4] }, y: y.slice(b * 20, b * 20 + 20) };
      },
    };
    const stop: Callback = {
      onEpochEnd: (epoch, _logs, m) => {
        m.stopTraining = epoch === 1;
      },
    };
    await model.fit(batches, { epochs: 9, accumulate: 2, callbacks: [stop, swa({ startEpoch: 1 })] });
    expect(opened).toBe(3); // two epochs and the pass
    expect(model.stopTraining).toBe(true);
    using same = net();
    await same.fit(
      { x, y },
      { epochs: 2, batchSize: 20, shuffle: false, accumulate: 2, callbacks: [swa({ startEpoch: 1 })] },
    );
    expect(weightBits(any(same))).toEqual(weightBits(any(model)));
  });

  test("training itself is as without it; frozen layers and their statistics stay to the bit", async () => {
    const train = async (callbacks: ReturnType<typeof swa>[]) => {
      const model = net();
      model.trainOnBatch(x, y);
      model.getLayer("batchNorm_1").trainable = false;
      model.getLayer("dense_1").trainable = false;
      const { epochs } = await model.fit({ x, y }, { epochs: 5, batchSize: BATCH, callbacks });
      return { epochs, weights: weightBits(any(model)) };
    };
    const [plain, mean] = [await train([]), await train([swa({ startEpoch: 1 })])];
    expect(mean.epochs).toEqual(plain.epochs);
    for (const key of Object.keys(plain.weights))
      if (key.startsWith("dense_2")) expect(mean.weights[key]).not.toEqual(plain.weights[key]);
      else expect(mean.weights[key]).toEqual(plain.weights[key]);
  });

  test("a rate of its own from startEpoch on; before startEpoch nothing is put in force", async () => {
    using model = sequential([dense(3, { inputShape: [4] })]);
    const rates: number[] = [];
    const compile = () =>
      model.compile({
        optimizer: sgd({ learningRate: linearDecay({ initial: 0.5, final: 0.1, steps: 4 }) }),
        loss: softmaxCrossEntropy(),
      });
    const notes: Callback = { onEpochBegin: (_e, _l, m) => rates.push(m.learningRate) };
    const fit = (callbacks: unknown[]) =>
      model.fit({ x, y }, { epochs: 4, batchSize: "full", callbacks: any(callbacks) });
    compile();
    await fit([swa({ startEpoch: 2, learningRate: 0.25 }), notes]);
    expect(rates).toEqual([0.5, 0.4, 0.25, 0.25].map((r) => expect.closeTo(r, 12)));
    compile();
    const seen: Record<string, NDArray>[] = [];
    await fit([swa({ startEpoch: 9 }), noting(seen)]);
    expect(weightBits(any(model))).toEqual(bits(seen.at(-1)!));
  });

  test("fit to an epoch, then on, is fit to the end, also from a file", async () => {
    const callbacks = () => [swa({ startEpoch: 2, every: 2 })];
    using whole = net();
    await whole.fit({ x, y }, { epochs: 7, batchSize: BATCH, callbacks: callbacks() });
    using first = net();
    await first.fit({ x, y }, { epochs: 5, batchSize: BATCH, callbacks: callbacks() });
    const bytes = await saveModel(first);
    using loaded = await loadModel(bytes);
    expect(Buffer.compare(bytes, await saveModel(loaded))).toBe(0);
    for (const m of [first, loaded] as Model[]) {
      await m.fit({ x, y }, { initialEpoch: 5, epochs: 7, batchSize: BATCH, callbacks: callbacks() });
      expect(await saveModel(m)).toEqual(await saveModel(whole));
    }
  });

  test("resumed where earlyStopping ends training before its first epoch: as it was", async () => {
    using model = net();
    const data = { x, y };
    const callbacks = [swa({ startEpoch: 0 }), earlyStopping({ monitor: "accuracy", mode: "min", patience: 1 })];
    const { epochs } = await model.fit(data, { epochs: 20, batchSize: BATCH, callbacks });
    expect(epochs.length).toBeLessThan(20);
    const bytes = await saveModel(model);
    using runtime = await init(); // in whose memory is no order of rows from before
    using again = await loadModel(bytes, { runtime });
    await again.fit(data, { initialEpoch: epochs.length, epochs: 20, batchSize: BATCH, callbacks });
    expect(Buffer.compare(await saveModel(again), bytes)).toBe(0);
  });

  test("with ema: evaluated are the weights that it has put in force", async () => {
    using model = net({ ema: 0.9 });
    await model.fit({ x, y }, { epochs: 4, batchSize: BATCH, callbacks: [swa({ startEpoch: 1 })] });
    using plain = net();
    plain.setWeights(model.getWeights());
    expect(model.predict(x)).toEqual(plain.predict(x));
  });

  test("behind earlyStopping's second training the pass is over the fit's own rows", async () => {
    using model = sequential([batchNorm({ inputShape: [4] }), dense(3)]);
    model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy() });
    const callbacks = [swa({ startEpoch: 0 }), earlyStopping({ retrain: "sameSteps" })];
    await model.fit({ x, y }, { epochs: 2, batchSize: "full", shuffle: false, validationSplit: 0.5, callbacks });
    const column = Array.from({ length: 30 }, (_, row) => x.data[row * 4]!);
    const mean = column.reduce((sum, v) => sum + v / 30, 0);
    expect(model.getWeights()["batchNorm_1/movingMean"]!.data[0]).toBeCloseTo(mean, 6);
  });

  test("a model that is disposed of during the pass, or a fit that is aborted, rejects", async () => {
    const model = net();
    const dispose: Callback = { onTrainEnd: () => setTimeout(() => model.dispose()) };
    const callbacks = [dispose, swa({ startEpoch: 0 })];
    const big = { x: { data: floats(4 * 200_000), shape: [200_000, 4] }, y: labels(200_000, 3) };
    await rejected("state", model.fit(big, { epochs: 1, batchSize: 1000, callbacks }));

    // and one that is aborted with the reason, at the weights that it had trained
    const [aborted, plain] = [net(), net()];
    const controller = new AbortController();
    const abort: Callback = { onTrainEnd: () => setTimeout(() => controller.abort("enough")) };
    const options = { epochs: 1, batchSize: 1000 };
    const fit = aborted.fit(big, { ...options, signal: controller.signal, callbacks: [abort, swa({ startEpoch: 0 })] });
    await expect(fit).rejects.toBe("enough");
    await plain.fit(big, options);
    expect(weightBits(any(aborted))).toEqual(weightBits(any(plain)));
  });

  test("the same bits on 1, 2 and 3 threads", async () => {
    const trained = async (threads: number) => {
      using runtime = await init({ threads });
      const model = net({ runtime, width: 3000 });
      const callbacks = [swa({ startEpoch: 0 })];
      await model.fit({ x, y }, { epochs: 3, batchSize: 32, callbacks });
      return await weightsHash(model);
    };
    const one = await trained(1);
    expect(await trained(2)).toBe(one);
    expect(await trained(3)).toBe(one);
  });

  test("bad arguments", async () => {
    thrown("argument", () => swa(any({})), /swa: startEpoch must be an integer ≥ 0, got undefined/);
    thrown("argument", () => swa({ startEpoch: -1 }));
    thrown("argument", () => swa({ startEpoch: 1, every: 0 }));
    thrown("argument", () => swa({ startEpoch: 1, learningRate: -1 }));
    using model = net();
    await rejected("argument", model.fit({ x, y }, { callbacks: any([swa]) }));
  });
});
