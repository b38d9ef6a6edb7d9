import { describe, expect, test } from "vitest";
import {
  adam,
  DownhillError,
  dense,
  functional,
  input,
  meanSquaredError,
  relu,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { close, data, descend, flat, hashAfter, linear, points, rows, x, y } from "../support/fitting";
import { compiledNet } from "../support/training";

describe("means", () => {
  test.each([
    [1, [[0], [1], [2], [3], [4]]],
    [2, [[0, 1], [2, 3], [4]]],
    ["full", [[0, 1, 2, 3, 4]]],
  ] as const)(
    "batchSize %s: the last batch counts by its own size, in the update and in the logs",
    async (batchSize, batches) => {
      const model = linear(0.05);
      const expected = descend(
        model,
        0.05,
        batches.map((batch) => [...batch]),
      );
      const { epochs } = await model.fit(points, { batchSize, shuffle: false });
      close(flat(model), expected.weights);
      expect(epochs[0]!.loss).toBeCloseTo(expected.loss, 5);
    },
  );

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
