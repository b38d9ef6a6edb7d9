// fit: its options, its order, its callbacks.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import { type Model, type NDArray, sequential, sgd, softmaxCrossEntropy } from "../../ts/index";
import { any, classifier, floats, labels, rejected, thrown, weightBits, withNorm } from "../support/contract";

const X = floats(32);
const Y = labels(8, 3);

describe("fit", () => {
  const data = () => ({ x: floats(80), y: labels(20, 3) });
  it("options", async () => {
    const m = classifier();
    for (const bad of [
      { epochs: "3" },
      { epochs: 2.5 },
      { epochs: 3n },
      { epochs: -1 },
      { epochs: 0 },
      { batchSize: 0 },
      { batchSize: "Full" },
      { batchSize: 1.5 },
      { shuffle: 1 },
      { validationSplit: 1 },
      { validationSplit: -0.1 },
      { validationSplit: "0.5" },
      { accumulate: 0 },
      { stepsPerEpoch: 0 },
      { initialEpoch: -1 },
      { initialEpoch: 0.5 },
      { signal: {} },
      { signal: new AbortController() },
      { callbacks: {} },
      { validationData: 3 },
      { validationData: {} },
      { epoch: 3 },
      { constructor: 1 },
      { classWeight: { 3: 1 } },
      { classWeight: { "-1": 1 } },
      { classWeight: { 0: -1 } },
      { classWeight: { 0: Number.NaN } },
      { classWeight: { x: 1 } },
      { classWeight: { constructor: 1 } },
      { classWeight: 2 },
      { classWeight: new Map([[0, 1]]) },
      { classWeight: { "": 2 } },
      { classWeight: { "0x1": 2 } },
      { classWeight: { " 1": 2 } },
      null,
      3,
      [],
    ])
      await rejected("argument", m.fit(data(), any(bad)));
    for (const bad of [
      undefined,
      null,
      3,
      "x",
      {},
      { x: floats(4) },
      { y: [1] },
      { ...data(), z: 1 },
      { ...data(), constructor: 1 },
      Promise.resolve(data()),
      () => data(),
    ])
      await rejected("argument", m.fit(any(bad)));
    for (const bad of [[], [3], [{ x: floats(4) }], "batches"])
      await m.fit(any(bad)).then(
        () => expect.unreachable(),
        (e: any) => expect(["argument", "data"]).toContain(e.code),
      );
    await m.fit(data(), { epochs: undefined, batchSize: undefined } as never);
    await m.fit(Object.freeze(data()), Object.freeze({ epochs: 1 }));
  });
  it("never throws synchronously", async () => {
    const m = classifier();
    const promises = [
      m.fit(any(undefined), any(3)),
      m.evaluate(any(undefined), any(3)),
      any(sequential()).fit(),
      any(sequential()).evaluate(),
    ];
    for (const p of promises) {
      expect(p).toBeInstanceOf(Promise);
      await p.then(
        () => expect.unreachable(),
        () => {},
      );
    }
  });
  it("a batchSize over the number of examples means all of them; full is the same", async () => {
    const runs = [];
    for (const batchSize of [20, 21, 1000, "full"] as const) {
      const m = classifier();
      const history = await m.fit(data(), { batchSize, epochs: 2, shuffle: false });
      runs.push([history, weightBits(m)]);
    }
    for (const run of runs) expect(run).toEqual(runs[0]);
  });
  it("without shuffling, fit is trainOnBatch over the batches in order", async () => {
    const [a, b] = [withNorm(), withNorm()];
    const { x, y } = data();
    await a.fit({ x, y }, { batchSize: 8, shuffle: false, epochs: 2 });
    for (let epoch = 0; epoch < 2; epoch++)
      for (const [from, to] of [
        [0, 8],
        [8, 16],
        [16, 20],
      ] as const)
        b.trainOnBatch(x.slice(from * 4, to * 4), y.slice(from, to));
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("validationSplit takes the last ⌊n·f⌋ rows, before shuffling; ⌊n·f⌋ = 0 is none", async () => {
    const { x, y } = data();
    const [a, b, c, d] = [classifier(), classifier(), classifier(), classifier()];
    const split = await a.fit({ x, y }, { validationSplit: 0.26, batchSize: 4, epochs: 2 });
    const given = await b.fit(
      { x: x.slice(0, 60), y: y.slice(0, 15) },
      { validationData: { x: x.slice(60), y: y.slice(15) }, batchSize: 4, epochs: 2 },
    );
    expect(split).toEqual(given);
    expect(weightBits(a)).toEqual(weightBits(b));
    expect(Object.keys(split.epochs[0]!)).toEqual([
      "loss",
      "dataLoss",
      "penalty",
      "accuracy",
      "valLoss",
      "valDataLoss",
      "valPenalty",
      "valAccuracy",
    ]);
    expect(await c.fit({ x, y }, { validationSplit: 0.04 })).toEqual(await d.fit({ x, y }));
    await classifier().fit({ x: x.slice(0, 12), y: y.slice(0, 3) }, { validationSplit: 0.9999999999999999 });
  });
  it("to epoch a and from there to b equals to b, bit for bit, reading calls between", async () => {
    const [a, b] = [withNorm(), withNorm()];
    const whole = await a.fit(data(), { epochs: 5, batchSize: 8 });
    const one = await b.fit(data(), { epochs: 2, batchSize: 8 });
    b.predict(X, { training: true });
    b.gradients(X, Y);
    await b.evaluate(data());
    const two = await b.fit(data(), { initialEpoch: 2, epochs: 5, batchSize: 8 });
    expect([...one.epochs, ...two.epochs]).toEqual(whole.epochs);
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("shuffles anew at each epoch", async () => {
    const orders: number[][] = [[], [], []];
    let epoch = 0;
    const m = classifier(7, { rate: 0 });
    m.learningRate = 0;
    const log = {
      onEpochBegin(k: number) {
        epoch = k;
      },
      onBatchEnd: (_: number, logs: any) => void orders[epoch]!.push(logs.loss),
    };
    await m.fit(data(), { epochs: 3, batchSize: 1, callbacks: [log] });
    const sorted = orders.map((order) => [...order].sort());
    expect(sorted[1]).toEqual(sorted[0]);
    expect(sorted[2]).toEqual(sorted[0]);
    expect(orders[0]).not.toEqual(orders[1]);
    expect(orders[1]).not.toEqual(orders[2]);
  });
  it("sampleWeight and classWeight multiply", async () => {
    const y = labels(20, 3);
    const factors = [1, 2, 0];
    const [a, b] = [classifier(), classifier()];
    const sampleWeight = floats(20).map(Math.abs);
    await a.fit({ x: floats(80), y, sampleWeight }, { classWeight: { 0: 1, 1: 2, 2: 0 }, batchSize: 8 });
    await b.fit({ x: floats(80), y, sampleWeight: sampleWeight.map((w, i) => w * factors[y[i]!]!) }, { batchSize: 8 });
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("accumulate: the update of several batches is that of one, up to rounding", async () => {
    const [a, b] = [classifier(7, { rate: 0 }), classifier(7, { rate: 0 })];
    await a.fit(data(), { batchSize: 5, accumulate: 4, shuffle: false });
    await b.fit(data(), { batchSize: 20, shuffle: false });
    const [p, q] = [a.getWeights(), b.getWeights()];
    for (const key of Object.keys(p)) p[key]!.data.forEach((v, i) => void expect(v).toBeCloseTo(q[key]!.data[i]!, 4));
  });
  it("callbacks: order, arguments, awaited; a throw rejects with it, weights at the last finished step", async () => {
    const m = classifier();
    const seen: unknown[] = [];
    const log =
      (name: string) =>
      async (...args: any[]) => {
        await null;
        seen.push(args.at(-1) === m ? [name, ...(args.length > 2 ? [args[0]] : [])] : "?");
      };
    await m.fit(data(), {
      batchSize: 10,
      epochs: 2,
      callbacks: [
        {
          onTrainBegin: log("tb"),
          onTrainEnd: log("te"),
          onEpochBegin: log("eb"),
          onEpochEnd: log("ee"),
          onBatchBegin: log("bb"),
          onBatchEnd: log("be"),
        },
      ],
    });
    const epoch = (k: number) => [
      ["eb", k],
      ["bb", 0],
      ["be", 0],
      ["bb", 1],
      ["be", 1],
      ["ee", k],
    ];
    expect(seen).toEqual([["tb"], ...epoch(0), ...epoch(1), ["te"]]);
    for (const handler of ["onTrainBegin", "onTrainEnd", "onEpochBegin", "onEpochEnd", "onBatchBegin", "onBatchEnd"]) {
      const mine = new Error(handler);
      const [a, b] = [classifier(), classifier()];
      expect(
        await a
          .fit(data(), {
            batchSize: 10,
            shuffle: false,
            callbacks: [
              {
                [handler]() {
                  throw mine;
                },
              },
            ],
          })
          .catch((e: unknown) => e),
      ).toBe(mine);
      const steps = { onBatchEnd: 1, onEpochEnd: 2, onTrainEnd: 2 }[handler] ?? 0;
      for (let i = 0; i < steps; i++)
        b.trainOnBatch(data().x.slice(40 * i, 40 * i + 40), data().y.slice(10 * i, 10 * i + 10));
      expect(weightBits(a)).toEqual(weightBits(b));
      expect(a.trainOnBatch(X, Y)).toEqual(b.trainOnBatch(X, Y));
    }
  });
  it("calls on the model from a callback: reading works, the others throw state", async () => {
    const m = classifier();
    const checks: Record<string, any> = {};
    for (const handler of ["onTrainBegin", "onEpochBegin", "onBatchBegin", "onBatchEnd", "onEpochEnd", "onTrainEnd"])
      checks[handler] = async () => {
        m.predict(X);
        m.getWeights();
        m.testOnBatch(X, Y);
        await m.evaluate(data());
        thrown("state", () => m.trainOnBatch(X, Y));
        thrown("state", () => m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() }));
        await rejected("state", m.fit(data()));
      };
    const history = await m.fit(data(), { callbacks: [checks], batchSize: 8 });
    expect(history).toEqual(await classifier().fit(data(), { batchSize: 8 }));
  });
  it("dispose from any callback makes fit reject with state and harms no other model", async () => {
    for (const handler of ["onTrainBegin", "onEpochBegin", "onBatchBegin", "onBatchEnd", "onEpochEnd", "onTrainEnd"]) {
      const m = classifier();
      let other: Model<NDArray> | undefined;
      let before: unknown;
      await rejected(
        "state",
        m.fit(data(), {
          batchSize: 8,
          validationSplit: 0.2,
          callbacks: [
            {
              [handler]() {
                m.dispose();
                if (other) return;
                other = withNorm();
                other.trainOnBatch(X, Y);
                before = weightBits(other);
              },
            },
          ],
        }),
      );
      expect(weightBits(other!), handler).toEqual(before);
      const twin = withNorm();
      twin.trainOnBatch(X, Y);
      expect(other!.trainOnBatch(X, Y)).toEqual(twin.trainOnBatch(X, Y));
      other!.dispose();
      twin.dispose();
    }
  });
  it("stopTraining ends after this update", async () => {
    const m = classifier();
    let steps = 0;
    const history = await m.fit(data(), {
      batchSize: 4,
      epochs: 9,
      callbacks: [
        {
          onBatchEnd(step: number, _: unknown, model: any) {
            steps++;
            if (step === 2) model.stopTraining = true;
          },
        },
      ],
    });
    expect([steps, history.epochs.length]).toEqual([3, 1]);
    expect((await m.fit(data(), { epochs: 2 })).epochs.length).toBe(2);
  });
  it("abort in the midst: rejects with the reason, weights at the last finished step", async () => {
    const reason = { mine: true };
    const abort = new AbortController();
    const [a, b] = [classifier(), classifier()];
    const { x, y } = data();
    expect(
      await a
        .fit(
          { x, y },
          {
            shuffle: false,
            batchSize: 4,
            signal: abort.signal,
            callbacks: [{ onBatchEnd: (step: number) => step === 1 && abort.abort(reason) }],
          },
        )
        .catch((e: unknown) => e),
    ).toBe(reason);
    for (const i of [0, 1]) b.trainOnBatch(x.slice(16 * i, 16 * i + 16), y.slice(4 * i, 4 * i + 4));
    expect(weightBits(a)).toEqual(weightBits(b));
    expect(a.trainOnBatch(X, Y)).toEqual(b.trainOnBatch(X, Y));
  });
});
