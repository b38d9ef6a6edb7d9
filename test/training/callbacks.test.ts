import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Callback,
  DownhillError,
  dense,
  earlyStopping,
  type History,
  init,
  loadModel,
  meanSquaredError,
  modelCheckpoint,
  sequential,
  sgd,
  terminateOnNaN,
  weightsHash,
} from "../../ts/index";
import { compiledNet, examples } from "../support/training";

const { x, y } = examples(60);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-callbacks-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Gives the epochs' logs a figure of the test's own choosing, before later callbacks see it. */
const figures = (values: number[]): Callback => ({
  onEpochEnd(epoch, logs) {
    logs.valLoss = values[epoch]!;
  },
});

async function stopsAfter(values: number[], options: Parameters<typeof earlyStopping>[0] = {}): Promise<number> {
  const model = compiledNet();
  const callbacks = [figures(values), earlyStopping(options)];
  const { epochs } = await model.fit({ x, y }, { epochs: values.length, validationSplit: 0.2, callbacks });
  model.dispose();
  return epochs.length;
}

describe("earlyStopping ends as Keras's does", () => {
  const cases: [string, number[], Parameters<typeof earlyStopping>[0], number][] = [
    ["patience 0: after the first epoch that is not better", [3, 2, 2, 1], {}, 3],
    ["patience 2: after the second in a row", [3, 4, 2, 3, 3, 1, 0], { patience: 2 }, 5],
    ["it goes on while there is improvement", [5, 4, 3, 2], { patience: 1 }, 4],
    ["minDelta: improvement by less is none", [3, 2.95, 2.91, 2], { minDelta: 0.1, patience: 1 }, 2],
    ["minDelta counts from the best, not from the last", [3, 2.95, 2.89, 2.8], { minDelta: 0.1, patience: 2 }, 4],
    ["mode max", [1, 2, 2, 3], { mode: "max" }, 3],
    ["baseline: patience begins anew only below it", [5, 4, 3, 2, 1, 0.5], { baseline: 1, patience: 3 }, 6],
    [
      "baseline: figures that improve but stay above it wear patience out",
      [5, 4, 4, 4],
      { baseline: 1, patience: 3 },
      3,
    ],
    ["a figure that is not finite is no improvement", [Number.NaN, Number.NaN, 1], { patience: 1 }, 2],
  ];
  for (const [name, values, options, length] of cases)
    test(name, async () => expect(await stopsAfter(values, options)).toBe(length));
});

test("while a fit runs, the best weights are a block of the runtime's memory; every improved epoch writes over it", async () => {
  const runtime = await init();
  const used = async (restoreBestWeights: boolean) => {
    const model = compiledNet();
    const before = runtime.memory().used;
    const seen: number[] = [];
    const watch: Callback = { onEpochEnd: () => void seen.push(runtime.memory().used) };
    const callbacks = [figures([4, 3, 2, 1]), earlyStopping({ patience: 9, restoreBestWeights }), watch];
    await model.fit({ x, y }, { epochs: 4, validationSplit: 0.2, callbacks });
    // what the model keeps for the next fit stays, the block does not
    const after = runtime.memory().used;
    model.dispose();
    return { seen, after: after - before };
  };
  const [plain, best] = [await used(false), await used(true)];
  expect(new Set(best.seen).size).toBe(1);
  const floats = 12 * 17 + 17 + 4 * 17 + 17 * 3 + 3;
  const more = best.seen[3]! - plain.seen[3]!;
  expect(more).toBeGreaterThanOrEqual(4 * floats);
  expect(more).toBeLessThan(2 * 4 * floats);
  expect(best.after).toBe(plain.after);
  runtime.dispose();
});

test("restoreBestWeights puts the best epoch's weights and statistics in force", async () => {
  const values = [3, 1, 2, 2, 2];
  const run = (epochs: number, restoreBestWeights: boolean) => {
    const model = compiledNet();
    const callbacks = [figures(values), earlyStopping({ patience: 9, restoreBestWeights })];
    return model.fit({ x, y }, { epochs, validationSplit: 0.2, callbacks }).then(() => weightsHash(model));
  };
  expect(await run(5, true)).toBe(await run(2, false));
  expect(await run(5, false)).not.toBe(await run(2, false));
});

test("after restored weights: training goes on from the last ones, unless the user has set others", async () => {
  const values = [3, 1, 2, 2, 2, 2];
  const options = (epochs: number, initialEpoch = 0) => ({
    epochs,
    initialEpoch,
    validationSplit: 0.2,
    callbacks: [figures(values), earlyStopping({ patience: 9, restoreBestWeights: true })],
  });
  const whole = compiledNet();
  await whole.fit({ x, y }, options(6));
  const best = await weightsHash(whole);
  const resumed = compiledNet();
  await resumed.fit({ x, y }, options(4));
  expect(await weightsHash(resumed)).toBe(best);
  await resumed.fit({ x, y }, options(6, 4));
  expect(resumed.state.lastWeights).toEqual(whole.state.lastWeights);

  const changed = compiledNet();
  await changed.fit({ x, y }, options(4));
  const own = changed.getWeights();
  changed.setWeights(own);
  let first: string | undefined;
  const look: Callback = {
    async onBatchBegin(_step, _logs, model) {
      first ??= await weightsHash(model);
    },
  };
  const { callbacks, ...rest } = options(6, 4);
  await changed.fit({ x, y }, { ...rest, callbacks: [...callbacks, look] });
  expect(first).toBe(best);
});

test("once stopped, a resumed fit stays so; a new fit begins anew", async () => {
  const values = [3, 4, 5, 6];
  const model = compiledNet();
  const callbacks = () => [figures(values), earlyStopping()];
  const fit = (options: object): Promise<History> =>
    model.fit({ x, y }, { epochs: 4, validationSplit: 0.2, callbacks: callbacks(), ...options });
  expect((await fit({})).epochs.length).toBe(2);
  expect((await fit({ initialEpoch: 2 })).epochs.length).toBe(0);
  expect((await fit({})).epochs.length).toBe(2);
});

test("a fit whose data find no room leaves what the callbacks of the one before it know", async () => {
  using runtime = await init({ maxMemory: 1 << 20 });
  const model = sequential([dense(1, { inputShape: [1] })], { runtime });
  model.compile({ optimizer: sgd(), loss: meanSquaredError() });
  const fit = (rows: number) =>
    model.fit(
      { x: new Float32Array(rows), y: new Float32Array(rows) },
      { epochs: 3, callbacks: [earlyStopping({ monitor: "loss", patience: 9 })] },
    );
  await fit(8);
  const known = model.state.callbackStates();
  await expect(fit(300_000)).rejects.toMatchObject({ code: "memory" });
  expect(model.state.callbackStates()).toEqual(known);
});

test("states find their callbacks by type, wherever these stand", async () => {
  const run = async (cut: number | undefined) => {
    const model = compiledNet();
    const options = { batchSize: 16, validationSplit: 0.2 };
    const stop = () => earlyStopping({ patience: 3 });
    const other = () => earlyStopping({ monitor: "valAccuracy", patience: 2, restoreBestWeights: true });
    if (cut) await model.fit({ x, y }, { ...options, epochs: cut, callbacks: [stop(), terminateOnNaN(), other()] });
    await model.fit(
      { x, y },
      { ...options, initialEpoch: cut ?? 0, epochs: 12, callbacks: [{ onEpochEnd() {} }, stop(), other()] },
    );
    return weightsHash(model);
  };
  const whole = await run(undefined);
  for (const cut of [1, 3, 5]) expect(await run(cut)).toBe(whole);
});

test("no memory is kept by snapshots, however the fit ends", async () => {
  const model = compiledNet();
  await model.fit({ x, y }, { validationSplit: 0.2 });
  const { runtime } = model.state;
  const before = runtime.memory().used;
  const stop = () => earlyStopping({ restoreBestWeights: true });
  await model.fit({ x, y }, { epochs: 2, validationSplit: 0.2, callbacks: [stop()] });
  const error = new Error("own");
  const thrower: Callback = {
    onEpochEnd() {
      throw error;
    },
  };
  await expect(model.fit({ x, y }, { epochs: 2, validationSplit: 0.2, callbacks: [stop(), thrower] })).rejects.toBe(
    error,
  );
  expect(runtime.memory().used).toBe(before);
});

describe("what is wrong is said before the first step", () => {
  const cases: [string, () => unknown, string][] = [
    [
      "a monitor without validation data",
      () => earlyStopping(),
      "loss, dataLoss, penalty, accuracy (there is no validation data)",
    ],
    ["a monitor that no metric gives", () => earlyStopping({ monitor: "acc" }), '"acc"'],
    ["modelCheckpoint's monitor", () => modelCheckpoint({ path: join(folder, "a"), saveBestOnly: true }), "valLoss"],
  ];
  for (const [name, make, text] of cases)
    test(name, async () => {
      const model = compiledNet();
      const before = await weightsHash(model);
      await expect(model.fit({ x, y }, { callbacks: [make() as Callback] })).rejects.toMatchObject({
        code: "argument",
        message: expect.stringContaining(text),
      });
      expect(await weightsHash(model)).toBe(before);
      expect(model.state.step).toBe(0);
    });

  test("factories' options", () => {
    const wrong = [
      () => earlyStopping({ patience: -1 }),
      () => earlyStopping({ patience: 1.5 }),
      () => earlyStopping({ minDelta: -1 }),
      () => earlyStopping({ mode: "least" as never }),
      () => earlyStopping({ baseline: "1" as never }),
      () => earlyStopping({ restoreBestWeight: true } as never),
      () => modelCheckpoint({} as never),
      () => modelCheckpoint({ path: 5 as never }),
      () => terminateOnNaN(),
    ];
    for (const call of wrong.slice(0, -1)) expect(call).toThrow(DownhillError);
    expect(wrong.at(-1)!()).toEqual({ type: "terminateOnNaN" });
    expect(structuredClone(earlyStopping({ monitor: "loss" }))).toEqual(earlyStopping({ monitor: "loss" }));
  });
});

describe("modelCheckpoint", () => {
  test("saves after each epoch, with what all callbacks know of it", async () => {
    const path = join(folder, "each");
    const options = { epochs: 6, validationSplit: 0.2, batchSize: 16 };
    const stop = () => earlyStopping({ patience: 2, restoreBestWeights: true, monitor: "loss" });
    const whole = compiledNet();
    await whole.fit({ x, y }, { ...options, callbacks: [stop()] });
    for (const at of [1, 4]) {
      const model = compiledNet();
      const stopper: Callback = {
        onEpochBegin(epoch) {
          if (epoch === at) throw new Error("killed");
        },
      };
      // the checkpoint stands before the callback whose state it saves
      const callbacks = [modelCheckpoint({ path }), stopper, stop()];
      await expect(model.fit({ x, y }, { ...options, callbacks })).rejects.toThrow("killed");
      const loaded = await loadModel(path);
      expect(loaded.epoch).toBe(at);
      await loaded.fit({ x, y }, { ...options, initialEpoch: at, callbacks: [modelCheckpoint({ path }), stop()] });
      expect(await weightsHash(loaded)).toBe(await weightsHash(whole));
    }
    expect(await readdir(folder)).toEqual(["each"]);
  });

  test("saveBestOnly: the file is the best epoch's, over a resumed fit too", async () => {
    const path = join(folder, "best");
    const values = [3, 1, 2, 0.5, 4];
    const saved: number[] = [];
    const model = compiledNet();
    const options = (initialEpoch: number, epochs: number) => ({
      initialEpoch,
      epochs,
      validationSplit: 0.2,
      callbacks: [figures(values), modelCheckpoint({ path, saveBestOnly: true })],
    });
    for (let epoch = 0; epoch < 5; epoch++) {
      await model.fit({ x, y }, options(epoch, epoch + 1));
      saved.push((await loadModel(path)).epoch);
    }
    expect(saved).toEqual([1, 2, 2, 4, 4]);
  });

  test("{epoch} and names of logs in the path: a file for each", async () => {
    const root = join(folder, "named");
    await mkdir(root);
    const path = join(root, "{epoch}-{valLoss}-{loss}");
    const callbacks = [figures([3, 1.23456789, 2, 1e-9]), modelCheckpoint({ path, saveBestOnly: true })];
    const model = compiledNet();
    const { epochs } = await model.fit({ x, y }, { epochs: 4, validationSplit: 0.2, callbacks });
    const loss = (epoch: number) => Number(epochs[epoch]!["loss"]!.toPrecision(4));
    expect((await readdir(root)).sort()).toEqual([`1-3-${loss(0)}`, `2-1.235-${loss(1)}`, `4-1e-9-${loss(3)}`]);
    expect((await loadModel(join(root, `2-1.235-${loss(1)}`))).epoch).toBe(2);
    await model.fit(
      { x, y },
      { epochs: 5, initialEpoch: 4, callbacks: [modelCheckpoint({ path: join(root, "{epoch}") })] },
    );
    expect(await readdir(root)).toContain("5");
    for (const name of ["{epochs}", "{valLoss}", "{}"])
      await expect(
        model.fit({ x, y }, { epochs: 6, callbacks: [modelCheckpoint({ path: join(root, name) })] }),
      ).rejects.toMatchObject({ code: "argument", message: expect.stringContaining(`in braces, got "${name}"`) });
  });

  test("a path that cannot be written is a data error", async () => {
    const model = compiledNet();
    await expect(
      model.fit({ x, y }, { callbacks: [modelCheckpoint({ path: join(folder, "none", "a") })] }),
    ).rejects.toMatchObject({
      code: "data",
      message: expect.stringMatching(/^modelCheckpoint: cannot write ".*none.a": there is no folder ".*none"$/),
    });
  });
});

describe("a loss that is not finite", () => {
  const data = { x: [[1], [2], [3], [4]], y: [1, 2, 3, 4] };
  const diverging = () => {
    const model = sequential([dense(1, { inputShape: [1] })]);
    model.compile({ optimizer: sgd({ learningRate: 1e30 }), loss: meanSquaredError() });
    return model;
  };

  test("rejects naming epoch and batch, weights those of the step before", async () => {
    const one = diverging();
    const options = { batchSize: 1, shuffle: false };
    await one.fit(data, { ...options, stepsPerEpoch: 1 });
    const model = diverging();
    model.setWeights(one.getWeights());
    await expect(model.fit(data, options)).rejects.toMatchObject({
      code: "numeric",
      message: expect.stringMatching(/^fit: epoch 0, batch \d: the loss is (Infinity|NaN)/),
    });
    expect(model.state.step).toBe(0);
    expect(await weightsHash(model)).toBe(await weightsHash(one));
  });

  test("terminateOnNaN ends training in its place", async () => {
    const model = diverging();
    const { epochs } = await model.fit(data, { epochs: 5, batchSize: 1, callbacks: [terminateOnNaN()] });
    expect(epochs.length).toBe(1);
    expect(epochs[0]!.loss).toBeNaN();
    expect(model.stopTraining).toBe(true);
    expect(Object.values(model.getWeights()).every(({ data }) => data.every(Number.isFinite))).toBe(true);
  });
});
