import { describe, expect, test } from "vitest";
import {
  adam,
  batchNorm,
  type Callback,
  DownhillError,
  dense,
  dropout,
  type FitOptions,
  functional,
  input,
  loadModel,
  type Model,
  meanSquaredError,
  type NDArray,
  relu,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { compiledNet, examples } from "../support/training";

const data = examples();
const { x, y } = data;
const rows = (from: number, to: number) => ({
  x: { data: x.data.subarray(from * 12, to * 12), shape: [to - from, 12] },
  y: y.subarray(from, to),
});

async function hashAfter(
  fitted: unknown,
  options: FitOptions,
  make: () => Model<NDArray> = compiledNet,
): Promise<string> {
  const model = make();
  await model.fit(fitted as never, options);
  const hash = await weightsHash(model);
  model.dispose();
  return hash;
}

/** Largest difference between two models' weights, over the largest weight. */
function distance(a: Model<NDArray>, b: Model<NDArray>): number {
  const other = b.getWeights();
  let difference = 0;
  let largest = 0;
  for (const [key, { data }] of Object.entries(a.getWeights()))
    data.forEach((v, i) => {
      difference = Math.max(difference, Math.abs(v - other[key]!.data[i]!));
      largest = Math.max(largest, Math.abs(v));
    });
  return difference / largest;
}

const linear = (learningRate: number) => {
  setSeed(1);
  const model = sequential([dense(1, { inputShape: [2] })]);
  model.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError() });
  return model;
};
const points = {
  x: [
    [1, 2],
    [0, -1],
    [2, 2],
    [-1, 3],
    [0.5, 0.5],
  ],
  y: [1, 2, -1, 0, 3],
};

/** Gradient descent on a linear model, by hand, in float64. */
function descend(model: Model<NDArray>, learningRate: number, batches: number[][], weights = [1, 1, 1, 1, 1]) {
  const w = [...model.getWeights()["dense_1/kernel"]!.data];
  let b = model.getWeights()["dense_1/bias"]!.data[0]!;
  let sum = 0;
  let count = 0;
  for (const batch of batches) {
    const d = [0, 0, 0];
    for (const i of batch) {
      const [x0, x1] = points.x[i]! as [number, number];
      const error = w[0]! * x0 + w[1]! * x1 + b - points.y[i]!;
      sum += weights[i]! * error * error;
      count++;
      [x0, x1, 1].forEach((v, k) => {
        d[k]! += (2 * weights[i]! * error * v) / batch.length;
      });
    }
    w[0]! -= learningRate * d[0]!;
    w[1]! -= learningRate * d[1]!;
    b -= learningRate * d[2]!;
  }
  return { loss: sum / count, weights: [...w, b] };
}

const flat = (model: Model<NDArray>) => Object.values(model.getWeights()).flatMap(({ data }) => [...data]);
const close = (got: number[], expected: number[]) => {
  expect(got.length).toBe(expected.length);
  for (const [i, v] of expected.entries()) expect(got[i]).toBeCloseTo(v, 5);
};

describe("means", () => {
  test("the last batch counts by its own size, in the update and in the logs", async () => {
    const model = linear(0.05);
    const expected = descend(model, 0.05, [[0, 1], [2, 3], [4]]);
    const { epochs } = await model.fit(points, { batchSize: 2, shuffle: false });
    close(flat(model), expected.weights);
    expect(epochs[0]!.loss).toBeCloseTo(expected.loss, 5);
  });

  test("sampleWeight: Σwᵢ·Lᵢ over the number of examples", async () => {
    const model = linear(0.05);
    const sampleWeight = [2, 0, 1, 0.5, 3];
    const expected = descend(
      model,
      0.05,
      [
        [0, 1, 2],
        [3, 4],
      ],
      sampleWeight,
    );
    const { epochs } = await model.fit({ ...points, sampleWeight }, { batchSize: 3, shuffle: false });
    close(flat(model), expected.weights);
    expect(epochs[0]!.loss).toBeCloseTo(expected.loss, 5);
  });

  test("classWeight is a sampleWeight by class, and multiplies one", async () => {
    const factors = [0.5, 1, 3];
    const sampleWeight = Float32Array.from(y, (c) => factors[c]!);
    expect(await hashAfter(data, { classWeight: { 0: 0.5, 2: 3 } })).toBe(
      await hashAfter({ ...data, sampleWeight }, {}),
    );
    const twos = new Float32Array(y.length).fill(2);
    expect(await hashAfter({ ...data, sampleWeight: twos }, { classWeight: { 0: 0.25, 1: 0.5, 2: 1.5 } })).toBe(
      await hashAfter({ ...data, sampleWeight }, {}),
    );
  });

  test("validation data are not weighted by class", async () => {
    const [a, b] = [compiledNet(), compiledNet()];
    const one = await a.fit(data, { validationSplit: 0.25, classWeight: { 1: 7 } });
    const evaluated = await a.evaluate(rows(153, 203));
    expect(one.epochs[0]!.valLoss).toBe(evaluated.loss);
    expect(one.epochs[0]!.valAccuracy).toBe(evaluated.accuracy);
    await b.fit(rows(0, 153), { classWeight: { 1: 7 } });
    expect(await weightsHash(a)).toBe(await weightsHash(b));
  });
});

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

describe("validationSplit", () => {
  test("takes the last ⌊n·f⌋ rows, before shuffling", async () => {
    const [a, b] = [compiledNet(), compiledNet()];
    const one = await a.fit(data, { epochs: 2, validationSplit: 0.3 });
    const two = await b.fit(rows(0, 143), { epochs: 2, validationData: rows(143, 203) });
    expect(one).toEqual(two);
    expect(await weightsHash(a)).toBe(await weightsHash(b));
  });

  test("none where that is no row; out of [0, 1) an error", async () => {
    const model = compiledNet();
    const { epochs } = await model.fit(data, { validationSplit: 0.004 });
    expect(epochs[0]!.valLoss).toBeUndefined();
    for (const f of [1, -0.1, Number.NaN, "0.1"])
      await expect(model.fit(data, { validationSplit: f as number })).rejects.toMatchObject({ code: "argument" });
  });
});

describe("the same training, however it is cut", () => {
  test("fit to a, then to b, equals fit to b", async () => {
    const whole = compiledNet();
    const all = await whole.fit(data, { epochs: 5, validationSplit: 0.1 });
    for (const a of [1, 3]) {
      const model = compiledNet();
      const first = await model.fit(data, { epochs: a, validationSplit: 0.1 });
      const rest = await model.fit(data, { initialEpoch: a, epochs: 5, validationSplit: 0.1 });
      expect([...first.epochs, ...rest.epochs]).toEqual(all.epochs);
      expect(await weightsHash(model)).toBe(await weightsHash(whole));
    }
  });

  test("what only reads in between changes nothing", async () => {
    const whole = compiledNet();
    await whole.fit(data, { epochs: 4 });
    const model = compiledNet();
    const read = async () => {
      model.predict(x);
      model.predict(x, { training: true, batchSize: 50 });
      model.testOnBatch(x, y);
      await model.evaluate(data);
      model.getWeights();
      model.summary();
      model.countParams();
      await saveModel(model);
      await weightsHash(model);
      void model.learningRate;
      void model.config;
    };
    await read();
    model.gradients(x, y);
    await model.fit(data, { epochs: 2, callbacks: [{ onBatchEnd: read }] });
    await read();
    model.gradients(x, y);
    await model.fit(data, { initialEpoch: 2, epochs: 4 });
    expect(await weightsHash(model)).toBe(await weightsHash(whole));
  });

  test("two models that fit at once get the bits that each gets alone", async () => {
    const alone = await hashAfter(data, { epochs: 3 });
    const models = [compiledNet(), compiledNet()];
    await Promise.all(
      models.map((m) =>
        m.fit(data, { epochs: 3, callbacks: [{ onBatchEnd: () => new Promise((r) => setTimeout(r)) }] }),
      ),
    );
    for (const m of models) expect(await weightsHash(m)).toBe(alone);
  });

  test("a failed call in between changes nothing", async () => {
    const whole = await hashAfter(data, { epochs: 2 });
    const model = compiledNet();
    await model.fit(data, { epochs: 1 });
    const bad: (() => unknown)[] = [
      () => model.trainOnBatch([[1]], [0]),
      () => model.trainOnBatch(new Float32Array(12).fill(Number.NaN), [0]),
      () => model.setWeights({}),
      () => model.compile({ optimizer: "adam" as never, loss: softmaxCrossEntropy() }),
      () => model.applyGradients({ none: x }),
    ];
    for (const call of bad) expect(call).toThrow(DownhillError);
    await expect(model.fit(data, { epochs: 2, batchSize: 0 })).rejects.toBeInstanceOf(DownhillError);
    await expect(model.fit({ x, y: y.subarray(1) }, { epochs: 2 })).rejects.toMatchObject({ code: "shape" });
    await model.fit(data, { initialEpoch: 1, epochs: 2 });
    expect(await weightsHash(model)).toBe(whole);
  });
});

describe("ends", () => {
  const afterSteps = async (steps: number) => {
    const model = compiledNet();
    await model.fit(data, { stepsPerEpoch: steps });
    return weightsHash(model);
  };

  test("an aborted fit rejects with the reason, weights at the last finished step", async () => {
    const model = compiledNet();
    const controller = new AbortController();
    const reason = new Error("enough");
    const callbacks: Callback[] = [{ onBatchEnd: (step) => void (step === 2 && controller.abort(reason)) }];
    await expect(model.fit(data, { epochs: 9, signal: controller.signal, callbacks })).rejects.toBe(reason);
    expect(model.state.step).toBe(3);
    expect(await weightsHash(model)).toBe(await afterSteps(3));
    await expect(model.fit(data, { signal: controller.signal })).rejects.toBe(reason);
    expect(model.state.step).toBe(3);
    await expect(model.evaluate(data, { signal: controller.signal })).rejects.toBe(reason);
    await model.fit(data, { epochs: 1 }); // it can go on
  });

  test("a timer's abort comes through: the event loop has its turn", async () => {
    const model = compiledNet();
    const signal = AbortSignal.timeout(30);
    const error = await model.fit(data, { epochs: 1_000_000, signal }).catch((e: unknown) => e);
    expect(error).toBe(signal.reason);
  });

  test("a callback's throw rejects, weights at the last finished step", async () => {
    const model = compiledNet();
    const error = new Error("own");
    const thrower: Callback = {
      async onBatchEnd(step) {
        if (step === 1) throw error;
      },
    };
    await expect(model.fit(data, { callbacks: [thrower] })).rejects.toBe(error);
    expect(await weightsHash(model)).toBe(await afterSteps(2));
  });

  test("stopTraining ends after this update", async () => {
    const model = compiledNet();
    const stopper: Callback = {
      onBatchEnd(step, _logs, m) {
        m.stopTraining = step === 1;
      },
    };
    const { epochs } = await model.fit(data, { epochs: 5, callbacks: [stopper] });
    expect(epochs.length).toBe(1);
    expect(model.state.step).toBe(2);
  });

  test("dispose makes it reject with state", async () => {
    const model = compiledNet();
    const fitted = model.fit(data, { epochs: 1000 });
    setTimeout(() => model.dispose(), 5);
    await expect(fitted).rejects.toMatchObject({ code: "state" });
    expect(() => model.predict(x)).toThrow(expect.objectContaining({ code: "state" }));
  });

  test("dispose from any callback, and while a batch is awaited", async () => {
    for (const handler of ["onTrainBegin", "onEpochBegin", "onBatchBegin", "onBatchEnd", "onEpochEnd", "onTrainEnd"]) {
      const model = compiledNet();
      const { runtime } = model.state;
      const used = runtime.memory().used;
      const disposer: Callback = { [handler]: () => model.dispose() };
      const seen = { ...disposer, [handler]: () => expect(model.state.disposed).toBe(false) };
      const fitted = model.fit(data, { epochs: 2, validationSplit: 0.1, callbacks: [seen, disposer, seen] });
      await expect(fitted, handler).rejects.toMatchObject({ code: "state" });
      expect(runtime.memory().used).toBeLessThan(used);
    }
    for (const call of ["fit", "evaluate"] as const) {
      const model = compiledNet();
      const stream = async function* () {
        yield rows(0, 32);
        model.dispose();
        yield rows(32, 64);
      };
      await expect(model[call](stream()), call).rejects.toMatchObject({ code: "state" });
    }
  });
});

test("while a fit is pending, reading works and writing throws state", async () => {
  const model = compiledNet();
  let looked = 0;
  const look: Callback = {
    async onBatchEnd(step) {
      if (step !== 3) return;
      looked++;
      const hash = await weightsHash(model);
      const loaded = await loadModel(await saveModel(model));
      expect(await weightsHash(loaded)).toBe(hash);
      expect(model.predict(x)).toEqual(loaded.predict(x));
      expect(await model.evaluate(data)).toEqual(await loaded.evaluate(data));
      expect(model.getWeights()).toEqual(loaded.getWeights());
      const state = expect.objectContaining({ code: "state" });
      expect(() => model.trainOnBatch(x, y)).toThrow(state);
      expect(() => model.setWeights(model.getWeights())).toThrow(state);
      expect(() => model.applyGradients({})).toThrow(state);
      expect(() => model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() })).toThrow(state);
      await expect(model.fit(data)).rejects.toMatchObject({ code: "state" });
      expect(await weightsHash(model)).toBe(hash);
    },
  };
  await model.fit(data, { epochs: 2, callbacks: [look] });
  expect(looked).toBe(2);
  expect(await weightsHash(model)).toBe(await hashAfter(data, { epochs: 2 }));
});

test("an evaluation is of the model as it was compiled when it began", async () => {
  const model = compiledNet();
  const recompile = async function* () {
    yield data;
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    yield data;
  };
  await expect(model.evaluate(recompile())).rejects.toMatchObject({ code: "state" });
  expect(Object.keys(await model.evaluate(data))).toEqual(["loss", "dataLoss", "penalty"]);
});

test("callbacks are called in their order, counted from 0, and awaited", async () => {
  const model = compiledNet();
  const calls: string[] = [];
  const note =
    (name: string) =>
    async (...args: unknown[]) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(args.at(-1)).toBe(model);
      calls.push(typeof args[0] === "number" ? `${name} ${args[0]}` : name);
    };
  const callback = Object.fromEntries(
    ["onTrainBegin", "onTrainEnd", "onEpochBegin", "onEpochEnd", "onBatchBegin", "onBatchEnd"].map((n) => [n, note(n)]),
  );
  await model.fit(data, { initialEpoch: 1, epochs: 3, batchSize: 128, callbacks: [callback] });
  const epoch = (e: number) => [
    `onEpochBegin ${e}`,
    ...[0, 1].flatMap((s) => [`onBatchBegin ${s}`, `onBatchEnd ${s}`]),
    `onEpochEnd ${e}`,
  ];
  expect(calls).toEqual(["onTrainBegin", ...epoch(1), ...epoch(2), "onTrainEnd"]);
});

describe("several inputs and outputs", () => {
  const build = () => {
    setSeed(2);
    const left = input([12]);
    const right = input([12]);
    const shared = dense(6, { activation: "relu" });
    const model = functional({
      inputs: { left, right },
      outputs: { kind: dense(3)(shared(left)), size: dense(1)(shared(right)) },
    });
    model.compile({
      optimizer: sgd({ learningRate: 0.05 }),
      loss: { size: meanSquaredError(), kind: softmaxCrossEntropy() },
      lossWeights: { kind: 1, size: 0.25 },
      metrics: { kind: ["accuracy"] },
    });
    return model;
  };
  const both = { x: { left: x, right: x }, y: { kind: y, size: Float32Array.from(y) } };

  test("losses by name add up, weighted", async () => {
    const model = build();
    const { epochs } = await model.fit(both, { epochs: 3, validationSplit: 0.2 });
    const last = epochs[2]!;
    expect(last.loss).toBeCloseTo(last.kindLoss! + 0.25 * last.sizeLoss!, 5);
    expect(last.valLoss).toBeCloseTo(last.valKindLoss! + 0.25 * last.valSizeLoss!, 5);
    expect(last.loss).toBeLessThan(epochs[0]!.loss);
    expect(last.valKindAccuracy).toBeGreaterThan(0);
    const predicted = model.predict(both.x);
    expect(Object.keys(predicted)).toEqual(["kind", "size"]);
    expect([predicted.kind.shape, predicted.size.shape]).toEqual([
      [203, 3],
      [203, 1],
    ]);
  });

  test("sample weights by output: 0 for one leaves its head alone", async () => {
    const model = build();
    const before = model.getWeights();
    await model.fit({ ...both, sampleWeight: { size: new Float32Array(203), kind: new Float32Array(203).fill(1) } });
    const after = model.getWeights();
    const [kind, size] = ["dense_2/kernel", "dense_3/kernel"];
    const heads = { [kind!]: before[kind!]!.shape[1], [size!]: before[size!]!.shape[1] };
    for (const [key, width] of Object.entries(heads)) {
      if (width === 1) expect(after[key]).toEqual(before[key]);
      else expect(after[key]).not.toEqual(before[key]);
    }
  });

  test("records that do not fit", async () => {
    const model = build();
    const bad: [unknown, string][] = [
      [{ x: { left: x }, y: both.y }, "argument"],
      [{ x: { ...both.x, other: x }, y: both.y }, "argument"],
      [{ x: both.x, y }, "argument"],
      [{ x: { left: x, right: rows(0, 5).x }, y: both.y }, "shape"],
      [{ x: both.x, y: { kind: y, size: [1, 2] } }, "shape"],
    ];
    for (const [fitted, code] of bad) await expect(model.fit(fitted as never)).rejects.toMatchObject({ code });
  });
});

test("as many inputs and outputs as there is room for, and no more", async () => {
  const make = (inputs: number, outputs: number) => {
    const values = Array.from({ length: inputs }, () => input([2]));
    return functional({ inputs: values, outputs: Array.from({ length: outputs }, (_, i) => dense(1)(values[i]!)) });
  };
  expect(() => make(17, 1)).toThrow(expect.objectContaining({ code: "argument" }));
  expect(() => make(9, 9)).toThrow(expect.objectContaining({ code: "argument" }));
  const model = make(16, 8);
  model.compile({ optimizer: sgd(), loss: Array(8).fill(meanSquaredError()) });
  const five = { x: Array(16).fill(points.x), y: Array(8).fill(points.y), sampleWeight: [1, 1, 1, 1, 1] };
  const { epochs } = await model.fit(five, { epochs: 2, batchSize: 2, accumulate: 2 });
  expect(epochs[1]!.loss).toBeLessThan(epochs[0]!.loss);
});

describe("frozen layers", () => {
  test("keep their weights and statistics, from the next step on", async () => {
    const model = compiledNet();
    await model.fit(data);
    const before = model.getWeights();
    for (const name of ["dense_1", "batchNorm_1"]) model.getLayer(name).trainable = false;
    await model.fit(data, { initialEpoch: 1, epochs: 2 });
    const after = model.getWeights();
    for (const key of Object.keys(before)) {
      if (/^(dense_1|batchNorm_1)\//.test(key)) expect(after[key], key).toEqual(before[key]);
      else expect(after[key], key).not.toEqual(before[key]);
    }
    model.getLayer("dense_1").trainable = true;
    await model.fit(data, { initialEpoch: 2, epochs: 3 });
    expect(model.getWeights()["dense_1/kernel"]).not.toEqual(before["dense_1/kernel"]);
  });
});

test("a model without parameters is trained too: nothing to clip, nothing to update", () => {
  const model = sequential([relu({ inputShape: [3] })]);
  model.compile({ optimizer: adam(), loss: meanSquaredError(), clipNorm: 1, clipValue: 1 });
  expect(model.trainOnBatch(Float32Array.of(-1, 2, 3), new Float32Array(3)).loss).toBeCloseTo(13 / 3, 6);
  model.dispose();
});
