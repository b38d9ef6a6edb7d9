import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bootstrap, leftOut, memberPosition } from "../../ts/ensembles/bootstrap";
import {
  accuracy,
  adam,
  type Bagging,
  type BaggingOptions,
  bagging,
  batchNorm,
  binaryCrossEntropy,
  type Callback,
  DownhillError,
  dataset,
  dense,
  dropout,
  earlyStopping,
  functional,
  init,
  input,
  type Model,
  meanSquaredError,
  type NDArray,
  relu,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { layerFactory } from "../../ts/layers/layer";
import { withStreams } from "../../ts/runtime/runtime";
import { examples } from "../support/training";

const ROWS = 120;
const data = examples(ROWS);
const { x, y } = data;
const SEED = 11;
/** Of the first ensemble after setSeed(SEED). */
const position = { seed: SEED, stream: 0 };

function makeModel(): Model<NDArray> {
  const model = sequential([dense(9, { inputShape: [12] }), batchNorm(), relu(), dropout(0.3), dense(3)]);
  model.compile({ optimizer: adam({ learningRate: 0.02 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return model;
}

function linear(learningRate = 0.05): Model<NDArray> {
  const model = sequential([dense(1, { inputShape: [12] })]);
  model.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError() });
  return model;
}

const open: { dispose(): void }[] = [];
function ensemble<P extends NDArray = NDArray>(
  options: Partial<BaggingOptions> = {},
  make: (i: number) => Model<P> = makeModel as never,
): Bagging<P> {
  setSeed(SEED);
  const made = bagging(make, { estimators: 4, ...options });
  open.push(made);
  return made;
}

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(console, "warn").mockImplementation((text) => void warnings.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const one of open.splice(0)) one.dispose();
});

const hashes = (trained: Bagging) => Promise.all(trained.models.map((model) => weightsHash(model)));

const take = (rows: Uint32Array) => ({
  x: {
    data: Float32Array.from([...rows].flatMap((r) => [...x.data.subarray(r * 12, (r + 1) * 12)])),
    shape: [rows.length, 12],
  },
  y: Int32Array.from(rows, (r) => y[r]!),
});

/** Softmax of rows, by hand. */
const softmax = ({ data, shape }: NDArray): number[][] =>
  Array.from({ length: shape[0]! }, (_, r) => {
    const row = [...data.subarray(r * shape[1]!, (r + 1) * shape[1]!)];
    const e = row.map((v) => Math.exp(v - Math.max(...row)));
    const sum = e.reduce((a, b) => a + b);
    return e.map((v) => v / sum);
  });
const rowsOf = ({ data, shape }: NDArray): number[][] =>
  Array.from({ length: shape[0]! }, (_, r) => [...data.subarray(r * shape[1]!, (r + 1) * shape[1]!)]);
const argmax = (row: number[]) => row.indexOf(Math.max(...row));
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe("training", () => {
  test("the models are the same on one worker, on two, on four, and on none", async () => {
    const all: string[][] = [];
    for (const parallel of [1, 2, 4]) {
      const trained = ensemble({ parallel });
      await trained.fit(data, { epochs: 3, batchSize: 16 });
      all.push(await hashes(trained));
    }
    expect(all[1]).toEqual(all[0]);
    expect(all[2]).toEqual(all[0]);
    expect(new Set(all[0]).size).toBe(4);
    // by hand, on this thread: a model of the member's stream, on its sample
    for (const member of [0, 3]) {
      const own = memberPosition(position, member);
      const model = withStreams(own, makeModel);
      await model.fit(take(bootstrap(ROWS, ROWS, own)), { epochs: 3, batchSize: 16 });
      expect(await weightsHash(model)).toBe(all[0]![member]);
      model.dispose();
    }
    expect(warnings).toEqual([]);
  });

  test("models differ in initial weights, masks and samples; each trains in the model that makeModel returned", async () => {
    const made: Model<NDArray>[] = [];
    const before: string[] = [];
    const masks: string[] = [];
    const trained = ensemble({ estimators: 3 }, (i) => {
      expect(i).toBe(made.length);
      const model = makeModel();
      made.push(model);
      before.push(model.getWeights()["dense_1/kernel"]!.data.join());
      const masked = sequential([dropout(0.5, { inputShape: [64] })]);
      masks.push(masked.predict(new Float32Array(64).fill(1), { training: true }).data.join());
      masked.dispose();
      return model;
    });
    const { members, failed } = await trained.fit(data, { epochs: 2 });
    expect(new Set(before).size).toBe(3);
    expect(new Set(masks).size).toBe(3);
    expect(trained.models).toEqual(made);
    expect(made.map((m) => m.epoch)).toEqual([2, 2, 2]);
    expect(members.map((h) => h?.epochs.length)).toEqual([2, 2, 2]);
    expect(new Set(members.map((h) => h!.epochs[0]!.loss)).size).toBe(3);
    expect(failed).toEqual([]);
  });

  test("models that are built beside an ensemble have the streams that they would have without its models", async () => {
    setSeed(SEED);
    const first = bagging(makeModel, { estimators: 2 });
    open.push(first);
    await first.fit(data);
    first.predict(x);
    await first.evaluate(data);
    const after = linear();
    setSeed(SEED);
    sequential([dense(1, { inputShape: [12] })]); // the ensemble has a stream of its own
    const plain = linear();
    expect(await weightsHash(after)).toBe(await weightsHash(plain));
    for (const model of [after, plain]) model.dispose();
  });

  test("samples differ even where makeModel sets the seed", async () => {
    const trained = ensemble({ estimators: 2 }, () => {
      setSeed(1);
      return makeModel();
    });
    const { members } = await trained.fit(data, { shuffle: false });
    expect(members[0]!.epochs).not.toEqual(members[1]!.epochs);
  });

  test("fit again begins anew and ends with the same models", async () => {
    const trained = ensemble({ estimators: 2 });
    await trained.fit(data, { epochs: 2 });
    const first = await hashes(trained);
    const [old] = trained.models;
    await trained.fit(data, { epochs: 2 });
    expect(await hashes(trained)).toEqual(first);
    expect(() => old!.predict(x)).toThrow(expect.objectContaining({ code: "state" }));
  });

  test("sampleFraction: so many rows; the rest is out of the bag", async () => {
    const trained = ensemble({ estimators: 2, sampleFraction: 0.25 });
    const steps: number[] = [];
    await trained.fit(data, { batchSize: 10, callbacks: () => [{ onBatchEnd: (step) => void steps.push(step) }] });
    expect(steps.sort()).toEqual([0, 0, 1, 1, 2, 2]); // 30 rows
  });

  test("a model's own optimizer goes on from where the worker left it", async () => {
    const trained = ensemble({ estimators: 1 });
    await trained.fit(data, { epochs: 2 });
    const own = memberPosition(position, 0);
    const sample = take(bootstrap(ROWS, ROWS, own));
    const model = withStreams(own, makeModel);
    await model.fit(sample, { epochs: 4 });
    await trained.models[0]!.fit(sample, { initialEpoch: 2, epochs: 4 });
    expect(await weightsHash(trained.models[0]!)).toBe(await weightsHash(model));
    model.dispose();
  });

  test("validationSplit comes off before the samples are drawn; earlyStopping works in the worker", async () => {
    const trained = ensemble({ estimators: 2 });
    const { members } = await trained.fit(data, {
      epochs: 200,
      validationSplit: 0.25,
      callbacks: [earlyStopping({ monitor: "valLoss", patience: 2, restoreBestWeights: true })],
    });
    for (const [member, history] of members.entries()) {
      expect(history!.epochs.length).toBeLessThan(200);
      const losses = history!.epochs.map((logs) => logs["valLoss"]!);
      const held = { x: { data: x.data.subarray(90 * 12), shape: [30, 12] }, y: y.subarray(90) };
      expect((await trained.models[member]!.evaluate(held)).loss).toBe(Math.min(...losses));
    }
  });

  test("a dataset of examples; weights; validation data; class weights", async () => {
    const sampleWeight = new Float32Array(ROWS).fill(0.5);
    const trained = ensemble({ estimators: 1 });
    await trained.fit(dataset({ x, y, sampleWeight }).shuffle(1), { validationData: data, classWeight: { 1: 2 } });
    const own = memberPosition(position, 0);
    const model = withStreams(own, makeModel);
    const order = dataset({ x, y: new Float32Array(ROWS).map((_, i) => i) })
      .shuffle(1)
      .arrays() as { y: Float32Array };
    const rows = bootstrap(ROWS, ROWS, own).map((r) => order.y[r]!);
    const options = { validationData: data, classWeight: { 1: 2 } };
    const { epochs } = await model.fit({ ...take(rows), sampleWeight }, options);
    expect(await weightsHash(trained.models[0]!)).toBe(await weightsHash(model));
    expect(epochs[0]).toHaveProperty("valLoss");
    model.dispose();
  });

  test("models of a runtime with threads have the same bits", async () => {
    const alone = ensemble({ estimators: 2 });
    await alone.fit(data, { epochs: 2 });
    for (const threads of [2, 3]) {
      const runtime = await init({ threads });
      try {
        const trained = ensemble({ estimators: 2 });
        await trained.fit(data, { epochs: 2 });
        expect(await hashes(trained)).toEqual(await hashes(alone));
      } finally {
        runtime.dispose();
      }
    }
  });
});

describe("votes", () => {
  test("soft: the mean of the models' probabilities", async () => {
    const trained = ensemble();
    await trained.fit(data, { epochs: 3 });
    const parts = trained.models.map((model) => softmax(model.predict(x)));
    const vote = trained.predict(x);
    expect(vote.shape).toEqual([ROWS, 3]);
    rowsOf(vote).forEach((row, r) => {
      row.forEach((p, c) => {
        expect(p).toBeCloseTo(mean(parts.map((part) => part[r]![c]!)), 5);
      });
    });
  });

  test("hard: the share of models for which a class is the likeliest", async () => {
    const trained = ensemble({ vote: "hard" });
    await trained.fit(data, { epochs: 3 });
    const choices = trained.models.map((model) => rowsOf(model.predict(x)).map(argmax));
    rowsOf(trained.predict(x)).forEach((row, r) => {
      expect(row).toEqual([0, 1, 2].map((c) => choices.filter((choice) => choice[r] === c).length / 4));
    });
  });

  test("evaluate: accuracy of the vote, −log of the mean probability", async () => {
    for (const vote of ["soft", "hard"] as const) {
      const trained = ensemble({ vote });
      await trained.fit(data, { epochs: 3 });
      const rows = rowsOf(trained.predict(x));
      const logs = await trained.evaluate(data, { batchSize: 50 });
      expect(logs.accuracy).toBeCloseTo(mean(rows.map((row, r) => +(argmax(row) === y[r]))), 6);
      expect(logs.loss).toBeCloseTo(mean(rows.map((row, r) => Math.min(100, -Math.log(row[y[r]!]!)))), 4);
      expect(logs.penalty).toBe(0);
      expect(await trained.evaluate(dataset(data).batch(50))).toEqual(logs);
    }
  });

  test("regression: the mean, its squared error, R² out of the bag", async () => {
    const t = Float32Array.from({ length: ROWS }, (_, r) => 2 * x.data[r * 12]! - x.data[r * 12 + 1]!);
    const trained = ensemble({ estimators: 6 }, () => linear());
    await trained.fit({ x, y: t }, { epochs: 30 });
    const parts = trained.models.map((model) => model.predict(x).data);
    const vote = trained.predict(x).data;
    vote.forEach((v, r) => {
      expect(v).toBeCloseTo(mean(parts.map((part) => part[r]!)), 5);
    });
    const { loss } = await trained.evaluate({ x, y: t });
    expect(loss).toBeCloseTo(mean([...vote].map((v, r) => (v - t[r]!) ** 2)), 5);
    expect(await trained.oobScore()).toBeGreaterThan(0.9);
  });

  test("two classes on one logit", async () => {
    const t = Float32Array.from({ length: ROWS }, (_, r) => +(x.data[r * 12]! > x.data[r * 12 + 1]!));
    const make = () => {
      const model = sequential([dense(1, { inputShape: [12] })]);
      model.compile({ optimizer: adam({ learningRate: 0.1 }), loss: binaryCrossEntropy(), metrics: ["accuracy"] });
      return model;
    };
    for (const vote of ["soft", "hard"] as const) {
      const trained = ensemble({ vote, estimators: 3 }, make);
      await trained.fit({ x, y: t }, { epochs: 20 });
      const parts = trained.models.map((model) => [...model.predict(x).data].map((z) => 1 / (1 + Math.exp(-z))));
      const votes = [...trained.predict(x).data];
      votes.forEach((p, r) => {
        const each = parts.map((part) => (vote === "hard" ? +(part[r]! > 0.5) : part[r]!));
        expect(p).toBeCloseTo(mean(each), 5);
      });
      const { accuracy, loss } = await trained.evaluate({ x, y: t });
      expect(accuracy).toBeCloseTo(mean(votes.map((p, r) => +(p > 0.5 === (t[r] === 1)))), 6);
      expect(loss).toBeCloseTo(mean(votes.map((p, r) => Math.min(100, -Math.log(t[r] ? p : 1 - p)))), 4);
      expect(await trained.oobScore()).toBeGreaterThan(0.8);
    }
  });

  test("several outputs: a record of votes", async () => {
    const make = () => {
      const i = input([12]);
      const h = dense(8, { activation: "relu" })(i);
      const model = functional({ inputs: i, outputs: { kind: dense(3)(h), value: dense(1)(h) } });
      model.compile({
        optimizer: adam({ learningRate: 0.02 }),
        loss: { kind: softmaxCrossEntropy(), value: meanSquaredError() },
        metrics: { kind: ["accuracy"] },
      });
      return model;
    };
    setSeed(SEED);
    const trained = bagging(make, { estimators: 3 });
    open.push(trained);
    const value = Float32Array.from({ length: ROWS }, (_, r) => x.data[r * 12]!);
    await trained.fit({ x, y: { kind: y, value } } as never, { epochs: 20 });
    const vote = trained.predict(x);
    const parts = trained.models.map((model) => model.predict(x));
    expect(vote.value.data[5]).toBeCloseTo(mean(parts.map((p) => p.value.data[5]!)), 5);
    expect(vote.kind.data[5]).toBeCloseTo(mean(parts.map((p) => softmax(p.kind)[1]![2]!)), 5);
    const logs = await trained.evaluate({ x, y: { kind: y, value } } as never);
    expect(Object.keys(logs)).toEqual(["loss", "dataLoss", "penalty", "kindLoss", "valueLoss", "kindAccuracy"]);
    expect(await trained.oobScore()).toBeGreaterThan(0.3);
  });

  test("out-of-bag score: each example by the vote of the models that have not seen it", async () => {
    for (const vote of ["soft", "hard"] as const) {
      const trained = ensemble({ estimators: 7, vote });
      await trained.fit(data, { epochs: 3 });
      const lacks = trained.models.map((_, i) => leftOut(ROWS, bootstrap(ROWS, ROWS, memberPosition(position, i))));
      const parts = trained.models.map((model) => softmax(model.predict(x)));
      const right: number[] = [];
      for (let r = 0; r < ROWS; r++) {
        const of = parts.filter((_, i) => lacks[i]!.includes(r)).map((part) => part[r]!);
        const votes = of.map((row) => (vote === "hard" ? row.map((_, c) => +(c === argmax(row))) : row));
        if (votes.length) right.push(+(argmax([0, 1, 2].map((c) => mean(votes.map((v) => v[c]!)))) === y[r]));
      }
      expect(right.length).toBeGreaterThan(100);
      expect(await trained.oobScore()).toBeCloseTo(mean(right), 6);
    }
  });
});

/** The model at `at` cannot be trained. */
const oneFails = (at: number) => (i: number) => (i === at ? linear(1e30) : linear());
const t = Float32Array.from({ length: ROWS }, (_, r) => x.data[r * 12]!);

describe("failures", () => {
  test("a model that fails does not lose the others", async () => {
    const trained = ensemble({}, oneFails(1));
    const { members, failed } = await trained.fit({ x, y: t }, { epochs: 3 });
    expect(failed).toEqual([{ member: 1, error: expect.objectContaining({ code: "numeric" }) }]);
    expect(failed[0]!.error).toBeInstanceOf(DownhillError);
    expect(members.map((history) => history?.epochs.length)).toEqual([3, undefined, 3, 3]);
    expect(trained.models).toHaveLength(3);
    expect(trained.predict(x).shape).toEqual([ROWS, 1]);
    expect(Number.isFinite(await trained.oobScore())).toBe(true);
    expect(warnings).toEqual([expect.stringMatching(/of the ensemble's 4 models 1 failed: 1 \(fit: epoch 0, batch/)]);
  });

  test("where all fail fit rejects with their error, and the ensemble is as before", async () => {
    let rate = 0.05;
    const trained = ensemble({ estimators: 2 }, () => linear(rate));
    await trained.fit({ x, y: t });
    const before = trained.predict(x);
    rate = 1e30;
    await expect(trained.fit({ x, y: t }, { epochs: 3 })).rejects.toMatchObject({ code: "numeric" });
    expect(trained.predict(x)).toEqual(before);
    // options that no model takes
    await expect(trained.fit({ x, y: t }, { epoch: 3 } as never)).rejects.toMatchObject({
      code: "argument",
      message: 'fit: unknown option "epoch"; did you mean epochs?',
    });
    expect(trained.predict(x)).toEqual(before);
  });

  test("a worker that dies is that model's failure; the next models get another", async () => {
    const trained = ensemble({ parallel: 1 }, () => linear(0.001));
    const threads: { terminate(): unknown }[] = [];
    const started = (worker: { terminate(): unknown }) => void threads.push(worker);
    process.on("worker", started);
    const dies: Callback = {
      onEpochEnd(epoch) {
        if (epoch === 3) return threads.at(-1)!.terminate();
      },
    };
    const { failed, members } = await trained.fit(
      { x, y: t },
      { epochs: 30, callbacks: (member) => (member === 1 ? [dies] : []) },
    );
    process.off("worker", started);
    expect(threads).toHaveLength(2);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({
      member: 1,
      error: { code: "worker", message: expect.stringMatching(/the worker died/) },
    });
    expect(members.map((history) => history?.epochs.length)).toEqual([30, undefined, 30, 30]);
  });

  test("a callback that throws is its model's failure, with what it threw", async () => {
    const mine = new TypeError("mine");
    const throws: Callback = {
      onEpochEnd() {
        throw mine;
      },
    };
    const trained = ensemble({}, () => linear());
    const { failed } = await trained.fit({ x, y: t }, { callbacks: (member) => (member === 2 ? [throws] : []) });
    expect(failed).toHaveLength(1);
    expect(failed[0]!.member).toBe(2);
    expect(failed[0]!.error).toBe(mine);
    await expect(trained.fit({ x, y: t }, { callbacks: [throws] })).rejects.toBe(mine);
  });

  test("what makeModel throws comes back unchanged, and what it returns is checked", async () => {
    const mine = new RangeError("mine");
    const bad = ensemble({}, (i) => {
      if (i === 2) throw mine;
      return linear();
    });
    await expect(bad.fit({ x, y: t })).rejects.toBe(mine);
    const model = linear();
    open.push(model);
    const uncompiled = sequential([dense(1, { inputShape: [12] })]);
    for (const make of [() => 5, () => undefined, () => uncompiled, () => model, async () => linear()])
      await expect(ensemble({}, make as never).fit({ x, y: t })).rejects.toMatchObject({
        code: "argument",
        message: expect.stringMatching(/^bagging: makeModel: expected a compiled model/),
      });
    for (const own of [model, uncompiled]) expect(own.predict(x).shape).toEqual([ROWS, 1]); // as they were
  });

  test("abort: fit rejects with the reason, in the middle of training, and the ensemble is as before", async () => {
    const trained = ensemble({ estimators: 3, parallel: 2 }, () => linear());
    const abort = new AbortController();
    const reason = new Error("enough");
    const pending = trained.fit(
      { x, y: t },
      { epochs: 1e6, signal: abort.signal, onProgress: ({ epoch }) => void (epoch === 5 && abort.abort(reason)) },
    );
    await expect(pending).rejects.toBe(reason);
    expect(() => trained.predict(x)).toThrow(expect.objectContaining({ code: "state" }));
    await expect(trained.fit({ x, y: t }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await trained.fit({ x, y: t });
    expect(trained.models).toHaveLength(3);
  });

  test("state: before fit, a second fit, disposed", async () => {
    const trained = ensemble({ estimators: 2 }, () => linear());
    const state = expect.objectContaining({ code: "state" });
    expect(() => trained.predict(x)).toThrow(state);
    await expect(trained.evaluate({ x, y: t })).rejects.toMatchObject({ code: "state" });
    await expect(trained.oobScore()).rejects.toMatchObject({ code: "state" });
    const pending = trained.fit({ x, y: t }, { epochs: 1e6 });
    await expect(trained.fit({ x, y: t })).rejects.toMatchObject({ code: "state" });
    setTimeout(() => trained.dispose(), 100);
    await expect(pending).rejects.toMatchObject({ code: "state" });
    trained.dispose();
    expect(() => trained.predict(x)).toThrow(state);
    await expect(trained.fit({ x, y: t })).rejects.toMatchObject({ code: "state" });
  });

  test("arguments", async () => {
    const bad: [unknown, unknown, RegExp][] = [
      [5, { estimators: 2 }, /expected a function that makes a compiled model, got 5/],
      [linear, undefined, /estimators must be a positive integer, got undefined/],
      [linear, { estimators: 0 }, /estimators must be a positive integer, got 0/],
      [linear, { estimators: 2.5 }, /got 2.5/],
      [linear, { estimators: "3" }, /got the string "3"/],
      [linear, { estimators: 2, sampleFraction: 0 }, /sampleFraction must be a number in \(0, 1\], got 0/],
      [linear, { estimators: 2, sampleFraction: 1.1 }, /got 1.1/],
      [linear, { estimators: 2, sampleFraction: Number.NaN }, /got NaN/],
      [linear, { estimators: 2, vote: "mean" }, /vote must be "soft" or "hard", got the string "mean"/],
      [linear, { estimators: 2, parallel: 0 }, /parallel must be a positive integer or "auto", got 0/],
      [linear, { estimators: 2, paralel: 1 }, /did you mean parallel/],
    ];
    for (const [make, options, message] of bad) {
      const call = () => bagging(make as never, options as never);
      expect(call).toThrow(expect.objectContaining({ code: "argument", message: expect.stringMatching(message) }));
    }
    const trained = ensemble({ estimators: 2 }, () => linear());
    const rejects = async (given: unknown, options: unknown, code: string, message: RegExp) =>
      expect(trained.fit(given as never, options as never)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    await rejects([{ x, y: t }], {}, "argument", /arrays or a dataset of examples/);
    await rejects(dataset({ x, y: t }).batch(4), {}, "argument", /arrays or a dataset of examples/);
    await rejects({ x, y: t.subarray(1) }, {}, "shape", /targets/);
    await rejects({ x, y: t }, { callbacks: [5] }, "argument", /callbacks/);
    await rejects({ x, y: t }, { signal: 5 }, "argument", /signal/);
    await rejects({ x, y: t }, { onProgress: 5 }, "argument", /onProgress/);
    await rejects({ x, y: t }, { validationSplit: 1 }, "argument", /validationSplit/);
    await rejects({ x, y: t }, { epochs: -1 }, "argument", /epochs must be a positive integer, got -1/);
    await expect(ensemble({ vote: "hard" }, () => linear()).fit({ x, y: t })).rejects.toMatchObject({
      code: "argument",
      message: expect.stringMatching(/vote: "soft" where numbers are predicted/),
    });
    expect(warnings).toEqual([]);
  });
});

test("a layer that a worker does not know: trained on this thread, with one warning and the same callbacks", async () => {
  const mine = layerFactory({ type: "mine", call: ([x]) => x! });
  const make = () => {
    const model = sequential([mine({ inputShape: [12] } as never), dense(1)]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    return model;
  };
  const trained = ensemble({ estimators: 3 }, make);
  const seen: string[] = [];
  const { failed } = await trained.fit(
    { x, y: t },
    {
      epochs: 2,
      onProgress: ({ member, epoch, epochs }) => void seen.push(`${member} ${epoch}/${epochs}`),
    },
  );
  expect(failed).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/bagging trains on the calling thread \(.*unknown layer "mine"/)]);
  expect(seen.sort()).toEqual(["0 0/2", "0 1/2", "1 0/2", "1 1/2", "2 0/2", "2 1/2"]);
  expect(await trained.oobScore()).toBeLessThan(1);
});

test("a user's callback runs here: it sees each epoch in order, and may end its model's training or set its rate", async () => {
  const epochs: number[][] = [[], []];
  const trained = ensemble({ estimators: 2 }, () => linear());
  const { members } = await trained.fit(
    { x, y: t },
    {
      epochs: 6,
      callbacks: (member) => [
        {
          async onEpochEnd(epoch, logs, model) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            epochs[member]!.push(epoch);
            expect(logs.loss).toBeGreaterThan(0);
            if (member === 0 && epoch === 2) model.stopTraining = true;
            if (member === 1 && epoch === 1) model.learningRate = 0;
          },
        },
      ],
    },
  );
  expect(epochs).toEqual([
    [0, 1, 2],
    [0, 1, 2, 3, 4, 5],
  ]);
  expect(members[0]!.epochs).toHaveLength(3);
  const losses = members[1]!.epochs.map((logs) => logs.loss);
  expect(losses[3]).toBeCloseTo(losses[2]!, 6);
  expect(losses[1]).not.toBeCloseTo(losses[2]!, 3);
  expect(trained.models[1]!.learningRate).toBe(0);
  expect(trained.models[0]!.stopTraining).toBe(false);
});

test("memory stays flat over twenty ensembles", async () => {
  const runtime = await init();
  const used: number[] = [];
  for (let i = 0; i < 20; i++) {
    const trained = bagging(makeModel, { estimators: 2 });
    await trained.fit(data);
    trained.predict(x);
    await trained.evaluate(data);
    await trained.oobScore();
    trained.dispose();
    used.push(runtime.memory().used);
  }
  expect(new Set(used).size).toBe(1);
  runtime.dispose();
});

test("accuracy() in the metrics makes a classifier of numbers", async () => {
  const make = () => {
    const model = sequential([dense(3, { inputShape: [12] })]);
    model.compile({ optimizer: adam({ learningRate: 0.02 }), loss: meanSquaredError(), metrics: [accuracy()] });
    return model;
  };
  const hot = { data: Float32Array.from([...y].flatMap((c) => [0, 1, 2].map((k) => +(k === c)))), shape: [ROWS, 3] };
  const trained = ensemble({ estimators: 3, vote: "hard" }, make);
  await trained.fit({ x, y: hot }, { epochs: 20 });
  const [row] = rowsOf(trained.predict(x));
  expect(row!.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  expect(await trained.oobScore()).toBeGreaterThan(0.4);
});
