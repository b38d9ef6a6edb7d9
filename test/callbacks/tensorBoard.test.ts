// tensorBoard: what its files hold, read by the tests' own decoder.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Histogram } from "../../ts/formats/events";
import {
  type Callback,
  dense,
  earlyStopping,
  type Logs,
  linearDecay,
  loadModel,
  type Model,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  tensorBoard,
  terminateOnNaN,
} from "../../ts/index";
import { type Event, readEvents } from "../support/events";
import { examples } from "../support/examples";

const data = examples();
const make = (learningRate: Parameters<typeof sgd>[0] = { learningRate: 0.1 }) => {
  setSeed(1);
  const model = sequential([dense(5, { inputShape: [12], activation: "relu" }), dense(3)]);
  model.compile({ optimizer: sgd(learningRate), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return model;
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-tensorBoard-"));
});
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

let folders = 0;
const newFolder = () => join(root, `${folders++}`);
const filesIn = async (folder: string) => (await readdir(folder)).sort();
/** All events of a folder's files but their headers. */
async function eventsIn(folder: string): Promise<Event[]> {
  const found: Event[] = [];
  for (const file of await filesIn(folder)) {
    const [first, ...rest] = readEvents(await readFile(join(folder, file)));
    expect(first).toMatchObject({ version: "brain.Event:2" });
    found.push(...rest);
  }
  return found;
}
const read = async (folder: string) => (await eventsIn(folder)).map(({ step, values }) => ({ step, values }));
/** Figures as an event holds them. */
const figures = (logs: Record<string, number>, kind = "epoch_") =>
  Object.fromEntries(Object.entries(logs).map(([name, value]) => [kind + name, Math.fround(value)]));

test("an epoch's figures are those of the history, the validation data's in a folder of their own", async () => {
  const logDir = newFolder();
  const rates: number[] = [];
  const seen: number[] = [];
  const look: Callback = {
    async onEpochEnd(_epoch, _logs, model) {
      rates.push(model.learningRate);
      seen.push((await read(join(logDir, "train"))).length); // it is there when the next callback runs
    },
  };
  const before = Date.now() / 1000;
  const { epochs } = await make({ learningRate: linearDecay({ initial: 0.2, final: 0, steps: 40 }) }).fit(data, {
    epochs: 3,
    validationSplit: 0.25,
    callbacks: [tensorBoard({ logDir }), look],
  });
  expect(seen).toEqual([1, 2, 3]);
  const part = (logs: Logs, val: boolean) =>
    Object.fromEntries(
      ["loss", "dataLoss", "penalty", "accuracy"].map((name) => [
        name,
        logs[val ? `val${name[0]!.toUpperCase()}${name.slice(1)}` : name]!,
      ]),
    );
  expect(await read(join(logDir, "train"))).toEqual(
    epochs.map((logs, step) => ({ step, values: figures({ ...part(logs, false), learning_rate: rates[step]! }) })),
  );
  expect(await read(join(logDir, "validation"))).toEqual(
    epochs.map((logs, step) => ({ step, values: figures(part(logs, true)) })),
  );
  const [file, ...more] = await filesIn(join(logDir, "train"));
  expect(more).toEqual([]);
  const [, seconds] = /^events\.out\.tfevents\.(\d{10})\.(.*)$/.exec(file!)!;
  expect(file).toBe(`events.out.tfevents.${seconds}.${hostname()}`);
  for (const { time } of await eventsIn(join(logDir, "train"))) {
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now() / 1000);
  }
  expect(Number(seconds)).toBeGreaterThanOrEqual(Math.floor(before));
});

test("without validation data there is no folder for it; what callbacks write into the logs goes along", async () => {
  const logDir = newFolder();
  const more: Callback = {
    onEpochEnd(_epoch, logs) {
      logs["valuation"] = 0.5;
      Object.assign(logs, { note: "no number" });
    },
  };
  await make().fit(data, { callbacks: [more, tensorBoard({ logDir })] });
  expect(await readdir(logDir)).toEqual(["train"]);
  const [{ values }] = (await read(join(logDir, "train"))) as [Event];
  expect(Object.keys(values)).toEqual(
    ["loss", "dataLoss", "penalty", "accuracy", "valuation", "learning_rate"].map((name) => `epoch_${name}`),
  );
});

test.each([
  ["batch", 1],
  [3, 3],
] as const)("updateFreq %s: figures of updates", async (updateFreq, every) => {
  const logDir = newFolder();
  const batches: Logs[] = [];
  const look: Callback = { onBatchEnd: (_step, logs) => void batches.push(logs) };
  await make().fit(data, { epochs: 2, callbacks: [look, tensorBoard({ logDir, updateFreq })] });
  const found = (await read(join(logDir, "train"))).filter(({ values }) => "batch_loss" in values);
  const expected = batches.map((logs, step) => ({ step, values: figures(logs, "batch_") }));
  expect(batches.length).toBeGreaterThan(12);
  expect(found).toEqual(expected.filter(({ step }) => step % every === 0));
});

test("an epoch that takes long is written as it goes", async () => {
  const logDir = newFolder();
  let now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => now);
  const counts: number[] = [];
  const look: Callback = {
    async onBatchEnd() {
      now += 700;
      counts.push((await eventsIn(join(logDir, "train"))).length);
    },
  };
  await make().fit(data, { callbacks: [tensorBoard({ logDir, updateFreq: "batch" }), look] });
  expect(counts).toEqual([0, 0, 0, 4, 4, 4, 7]);
});

test("histogramFreq: histograms of the weights", async () => {
  const logDir = newFolder();
  const weights: ReturnType<Model["getWeights"]>[] = [];
  const look: Callback = { onEpochEnd: (_epoch, _logs, model) => void weights.push(model.getWeights()) };
  await make().fit(data, { epochs: 4, callbacks: [tensorBoard({ logDir, histogramFreq: 2 }), look] });
  const events = await read(join(logDir, "train"));
  events.forEach(({ values }, epoch) => {
    const tags = Object.keys(values).filter((tag) => tag.endsWith("/histogram"));
    expect(tags).toEqual(epoch % 2 ? [] : Object.keys(weights[epoch]!).map((key) => `${key}/histogram`));
    for (const tag of tags) {
      const { data } = weights[epoch]![tag.replace("/histogram", "")]!;
      const { min, max, num, sum, sumSquares, limits, counts } = values[tag] as Histogram;
      expect({ min, max, num }).toEqual({ min: Math.min(...data), max: Math.max(...data), num: data.length });
      expect(sum).toBeCloseTo(
        data.reduce((total, x) => total + x, 0),
        5,
      );
      expect(sumSquares).toBeCloseTo(
        data.reduce((total, x) => total + x * x, 0),
        5,
      );
      expect(counts.reduce((total, n) => total + n, 0)).toBe(data.length);
      expect([limits.length, limits.at(-1)]).toEqual([counts.length, max]);
    }
  });
});

test("training that is resumed goes on where it was, in a file of its own", async () => {
  const [logDir, once] = [newFolder(), newFolder()];
  const fit = { validationSplit: 0.25, callbacks: [tensorBoard({ logDir: once, updateFreq: 2, histogramFreq: 2 })] };
  await make().fit(data, { ...fit, epochs: 5 });
  fit.callbacks = [tensorBoard({ logDir, updateFreq: 2, histogramFreq: 2 })];
  const model = make();
  await model.fit(data, { ...fit, epochs: 3 });
  const loaded = await loadModel(await saveModel(model));
  await loaded.fit(data, { ...fit, initialEpoch: loaded.epoch, epochs: 5 });
  for (const folder of ["train", "validation"]) {
    expect((await filesIn(join(logDir, folder))).length).toBe(2);
    expect(await read(join(logDir, folder))).toEqual(await read(join(once, folder)));
  }
  // without what an earlier one knew, by the model's updates
  const [other, late] = [make(), newFolder()];
  await other.fit(data, { epochs: 3, validationSplit: 0.25 });
  await other.fit(data, {
    ...fit,
    callbacks: [tensorBoard({ logDir: late, updateFreq: 2 })],
    initialEpoch: 3,
    epochs: 4,
  });
  const [first] = await read(join(late, "train"));
  expect(first).toEqual((await read(join(once, "train"))).find(({ step }) => step === first!.step));
  expect(first!.step).toBeGreaterThan(other.state.step / 2);
});

test("a fit that begins anew counts anew; two of one second have a file each", async () => {
  const logDir = newFolder();
  vi.spyOn(Date, "now").mockReturnValue(1795802400_500);
  const model = make();
  const callbacks = [tensorBoard({ logDir, updateFreq: 100 })];
  for (let i = 0; i < 3; i++) await model.fit(data, { callbacks });
  const name = `events.out.tfevents.1795802400.${hostname()}`;
  expect(await filesIn(join(logDir, "train"))).toEqual([name, `${name}.1`, `${name}.2`]);
  const events = await eventsIn(join(logDir, "train"));
  expect(events.map(({ step, time }) => [step, time])).toEqual(Array(6).fill([0, 1795802400.5]));
});

test("what early stopping trains a second time goes on behind the first", async () => {
  const logDir = newFolder();
  const { epochs } = await make().fit(data, {
    epochs: 3,
    validationSplit: 0.25,
    callbacks: [earlyStopping({ patience: 5, retrain: "sameSteps" }), tensorBoard({ logDir, updateFreq: "batch" })],
  });
  expect(epochs.length).toBeGreaterThan(3);
  const events = await read(join(logDir, "train"));
  const stepsOf = (tag: string) => events.flatMap(({ step, values }) => (tag in values ? [step] : []));
  for (const tag of ["epoch_loss", "batch_loss"]) expect(stepsOf(tag)).toEqual(Array.from(stepsOf(tag), (_, i) => i));
  expect(stepsOf("epoch_loss").length).toBe(epochs.length);
});

test("a loss that is not finite is written as it is", async () => {
  const logDir = newFolder();
  await make({ learningRate: 1e30 }).fit(data, { epochs: 3, callbacks: [terminateOnNaN(), tensorBoard({ logDir })] });
  expect((await read(join(logDir, "train"))).at(-1)!.values["epoch_loss"]).toBeNaN();
});

test("of an epoch that is not finished there is what was recorded", async () => {
  const logDir = newFolder();
  const losses: number[] = [];
  const stop: Callback = {
    onBatchEnd(step, logs) {
      losses.push(logs.loss);
      if (step === 4) throw new Error("enough");
    },
  };
  const fit = make().fit(data, { callbacks: [tensorBoard({ logDir, updateFreq: "batch" }), stop] });
  await expect(fit).rejects.toThrow("enough");
  const events = await read(join(logDir, "train"));
  expect(events.map(({ values }) => values["batch_loss"])).toEqual(losses.map(Math.fround));
});

describe("what is wrong", () => {
  test("options", () => {
    for (const options of [
      { logDir: "" },
      { logDir: 5 },
      { histogramFreq: -1 },
      { histogramFreq: 1.5 },
      { histogramFreq: true },
      { updateFreq: 0 },
      { updateFreq: "step" },
      { updateFreq: "3" },
      { logdir: "logs" },
      "logs",
    ])
      expect(() => tensorBoard(options as never)).toThrow(expect.objectContaining({ code: "argument" }));
    expect(() => tensorBoard({ updateFreq: "step" as never })).toThrow(
      'tensorBoard: updateFreq must be "epoch" or "batch" or a positive integer, got the string "step"',
    );
    expect(tensorBoard()).toEqual({ type: "tensorBoard", logDir: "logs", histogramFreq: 0, updateFreq: "epoch" });
  });

  test("a folder that cannot be made, before the first step", async () => {
    const file = newFolder();
    await writeFile(file, "a file");
    for (const logDir of [file, join(file, "logs"), `${root}/\0`]) {
      const model = make();
      await expect(model.fit(data, { callbacks: [tensorBoard({ logDir })] })).rejects.toMatchObject({
        name: "DownhillError",
        code: "data",
        message: expect.stringMatching(/^cannot write ".*events\.out\.tfevents/),
      });
      expect(model.state.step).toBe(0);
    }
    // a name that only validation's folder has
    const logDir = newFolder();
    await make().fit(data, { callbacks: [tensorBoard({ logDir })] });
    await writeFile(join(logDir, "validation"), "a file");
    const fit = { validationSplit: 0.25, callbacks: [tensorBoard({ logDir })] };
    await expect(make().fit(data, fit)).rejects.toMatchObject({ code: "data" });
  });

  test("a folder that goes away while training", async () => {
    const logDir = newFolder();
    const remove: Callback = { onEpochBegin: (epoch) => (epoch === 1 ? rm(logDir, { recursive: true }) : undefined) };
    const model = make();
    await expect(model.fit(data, { epochs: 3, callbacks: [remove, tensorBoard({ logDir })] })).rejects.toMatchObject({
      code: "data",
    });
    expect(model.epoch).toBe(2);
  });

  test("what a file says that it knew", async () => {
    const logDir = newFolder();
    const model = make();
    await model.fit(data, { callbacks: [tensorBoard({ logDir, updateFreq: "batch" })] });
    for (const state of [undefined, 5, {}, { updates: -1 }, { updates: "5" }]) {
      model.state.callbackStates = () => [{ type: "tensorBoard", state }];
      const fit = { initialEpoch: 1, epochs: 2, callbacks: [tensorBoard({ logDir, updateFreq: "batch" as const })] };
      await expect(model.fit(data, fit)).rejects.toMatchObject({ code: "format" });
    }
  });
});
