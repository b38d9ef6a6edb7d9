// Layers, losses and metrics of a user's own: what they mean, and what is said of bad ones.

import { describe, expect, test } from "vitest";
import {
  adam,
  constant,
  DownhillError,
  defineLayer,
  defineLoss,
  defineMetric,
  dense,
  type Layer,
  l2,
  loadModel,
  meanSquaredError,
  type Ops,
  ones,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  type Value,
  weightsHash,
} from "../../ts/index";

const x = [
  [1, -2, 0.5],
  [0.25, 3, -1],
  [-1, 0.5, 2],
  [2, 1, -0.5],
];
const y = [
  [1, 0],
  [0, 1],
  [0, 1],
  [1, 0],
];

/** A linear model of fixed weights. */
function linear(units = 2) {
  return sequential([
    dense(units, { inputShape: [3], name: "d", kernelInitializer: constant(0.5), biasInitializer: ones() }),
  ]);
}

const squared = defineLoss({
  type: "squared",
  call: (yTrue, yPred, ops) => ops.pow(ops.subtract(yPred, yTrue), 2),
});
const absolute = defineMetric({
  type: "absolute",
  call: (yTrue, yPred, ops) => ops.abs(ops.subtract(yPred, yTrue)),
});

describe("a loss", () => {
  const logsOf = (loss: never, targets: unknown, sampleWeight?: number[]) => {
    const model = linear();
    model.compile({ optimizer: sgd(), loss, metrics: [absolute()] });
    const logs = model.testOnBatch(x, targets as number[][], sampleWeight && { sampleWeight });
    const gradients = model.gradients(x, targets as number[][]).parameters["d/kernel"]!.data;
    return { ...logs, absolute: logs["absolute"]!, gradients };
  };
  const same = (loss: unknown, other: unknown, targets: unknown, sampleWeight?: number[]) => {
    const [a, b] = [loss, other].map((l) => logsOf(l as never, targets, sampleWeight));
    expect(a!.loss).toBeCloseTo(b!.loss, 5);
    expect(a!.absolute).toBeCloseTo(b!.absolute, 5);
    for (let i = 0; i < 6; i++) expect(a!.gradients[i]).toBeCloseTo(b!.gradients[i]!, 5);
  };

  test("of elements is averaged over what is labelled, as a built-in one is", () => {
    same(squared(), meanSquaredError(), y);
    same(squared(), meanSquaredError(), y, [1, 0, 2, 0.5]);
    same(squared(), meanSquaredError(), [
      [1, NaN],
      [0, 1],
      [NaN, NaN],
      [1, 0],
    ]);
    same(
      squared(),
      meanSquaredError(),
      [
        [1, NaN],
        [0, 1],
        [NaN, NaN],
        [1, 0],
      ],
      [1, 0, 2, 0.5],
    );
    same(squared(), meanSquaredError(), [
      [NaN, NaN],
      [NaN, NaN],
      [NaN, NaN],
      [NaN, NaN],
    ]);
  });

  const crossEntropy = (reduce: (v: Value, ops: Ops) => Value) =>
    defineLoss({
      type: "crossEntropy",
      call: (yTrue, yPred, ops) => reduce(ops.negate(ops.multiply(yTrue, ops.logSoftmax(yPred))), ops),
    });
  const rows = crossEntropy((v, ops) => ops.sum(v, 1));

  test("of examples is averaged over them; class numbers come as rows", () => {
    same(rows(), softmaxCrossEntropy(), y);
    same(rows(), softmaxCrossEntropy(), [0, 1, 1, 0]);
    same(rows(), softmaxCrossEntropy(), [0, 1, -1, 0]);
    same(rows(), softmaxCrossEntropy(), [0, 1, -1, 0], [1, 0, 2, 0.5]);
    same(rows(), softmaxCrossEntropy(), [-1, -1, -1, -1]);
  });

  test("of rows, in parts that one update adds up, counts the rows that are labelled", async () => {
    const byRow = defineLoss({
      type: "byRow",
      call: (t, p, ops) => ops.mean(ops.pow(ops.subtract(t, p), 2), { axis: -1 }),
    });
    const ends: number[][] = [];
    for (const accumulate of [1, 3]) {
      setSeed(1);
      const model = sequential([dense(2, { inputShape: [2] })]);
      model.compile({ optimizer: sgd({ learningRate: 0.5 }), loss: byRow() });
      const rows = [1, 2, 3, 4, 5, 6].map((v) => [v / 6, 1 - v / 9]);
      const y = rows.map(([a], i) => (i % 2 ? [a!, Number.NaN] : [a!, 1]));
      await model.fit({ x: rows, y }, { batchSize: 6 / accumulate, accumulate, shuffle: false });
      ends.push([...model.getWeights()["dense_1/kernel"]!.data]);
    }
    ends[0]!.forEach((w, i) => {
      expect(ends[1]![i]).toBeCloseTo(w, 6);
    });
  });

  test("may be one number", () => {
    const one = crossEntropy((v, ops) => ops.divide(ops.sum(v), v.shape[0]!));
    same(one(), softmaxCrossEntropy(), y);
    same(one(), softmaxCrossEntropy(), [0, 1, 1, 0]);
  });

  test("has accuracy count classes, and where it says so logits", () => {
    for (const [prediction, targets, want] of [
      [undefined, [0, 1, 1, 0], 0.5],
      ["logits", [0, 1, 1, 0], 0.5],
    ] as const) {
      const loss = defineLoss({ type: "mine", ...(prediction && { prediction }), call: (_, p, ops) => ops.sum(p, 1) });
      const model = linear();
      model.compile({ optimizer: sgd(), loss: loss(), metrics: ["accuracy"] });
      expect(model.testOnBatch(x, [...targets])["accuracy"]).toBe(want); // equal outputs: class 0
    }
  });

  test("shows a missing label as 0, and leaves out what comes of it", () => {
    const seen = defineLoss({ type: "seen", call: (t, p, ops) => ops.multiply(ops.add(t, 1), ops.pow(p, 2)) });
    const model = linear();
    model.compile({ optimizer: sgd(), loss: seen() });
    const targets = [
      [1, Number.NaN],
      [0, 1],
      [0, 0],
      [Number.NaN, Number.NaN],
    ];
    const p = model.predict(x).data;
    const terms = targets.flat().map((t, i) => (Number.isNaN(t) ? 0 : (t + 1) * p[i]! ** 2));
    expect(model.testOnBatch(x, targets).loss).toBeCloseTo(terms.reduce((a, b) => a + b) / 5, 4);
  });
});

describe("a metric", () => {
  test("is a mean over examples, with weights, of what is labelled", () => {
    const confidence = defineMetric({ type: "confidence", call: (_, p, ops) => ops.max(ops.softmax(p), -1) });
    const model = linear(1);
    model.compile({ optimizer: sgd(), loss: meanSquaredError(), metrics: [absolute(), confidence()] });
    const predicted = [...model.predict(x).data];
    const weights = [1, 0, 2, 0.5];
    const targets = [1, 2, NaN, 4];
    const logs = model.testOnBatch(x, targets, { sampleWeight: weights });
    const terms = targets.map((t, i) => (Number.isNaN(t) ? 0 : weights[i]! * Math.abs(predicted[i]! - t)));
    expect(logs["absolute"]).toBeCloseTo(terms.reduce((a, b) => a + b) / 1.5, 5);
    expect(logs["confidence"]).toBeCloseTo(1, 6);
  });
});

const scale = defineLayer({
  type: "scale",
  options: { by: 2, names: ["a"], extra: null, deep: { on: true } },
  parameters: ([width], { by }) => ({
    factor: { shape: [width!], initializer: constant(by), regularizer: l2(0.1) },
    fixed: { shape: [], initializer: constant(3), trainable: false },
  }),
  call: (v, { factor, fixed }, ops, { training, options }) => {
    const y = ops.multiply(ops.multiply(v, factor), fixed);
    return training && options.by > 4 ? ops.negate(y) : y;
  },
});

describe("a layer", () => {
  const build = (layer: Layer) => {
    const model = sequential([layer]);
    model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: meanSquaredError() });
    return model;
  };

  test("has options, parameters of all kinds, and is told whether it trains", () => {
    const model = build(scale({ by: 5, inputShape: [3], name: "s" }));
    expect(model.layers[0]!.config).toEqual({
      type: "scale",
      by: 5,
      names: ["a"],
      extra: null,
      deep: { on: true },
      name: "s",
      inputShape: [3],
    });
    expect([...model.predict([[1, 2, 3]]).data]).toEqual([15, 30, 45]);
    expect([...model.predict([[1, 2, 3]], { training: true }).data]).toEqual([-15, -30, -45]);
    const { parameters } = model.gradients([[1, 2, 3]], [[0, 0, 0]]);
    expect(Object.keys(parameters)).toEqual(["s/factor"]);
    expect(model.trainOnBatch([[1, 2, 3]], [[0, 0, 0]])["penalty"]).toBeCloseTo((0.1 * 75) / 2, 4);
    expect([...model.getWeights()["s/fixed"]!.data]).toEqual([3]);
    expect(model.countParams()).toBe(4);
  });

  test("goes into a file and comes back with custom, and not without", async () => {
    const model = sequential([scale({ inputShape: [3], deep: { list: [1, "a", null] } }), dense(2)]);
    model.compile({ optimizer: adam(), loss: squared(), metrics: [absolute()] });
    model.trainOnBatch(x, y);
    const bytes = await saveModel(model);
    const loaded = await loadModel(bytes, { custom: [scale, squared, absolute] });
    expect(await weightsHash(loaded)).toBe(await weightsHash(model));
    expect(await saveModel(loaded)).toEqual(bytes);
    expect(loaded.trainOnBatch(x, y)).toEqual(model.trainOnBatch(x, y));
    expect(loaded.layers[0]!.config).toEqual(model.layers[0]!.config);
    await expect(loadModel(bytes, { custom: [scale, squared()] })).rejects.toThrow(
      "loadModel: custom: expected what defineLayer, defineLoss or defineMetric returned, not called, got squared()",
    );
    await expect(loadModel(bytes, { custom: scale as never })).rejects.toThrow("loadModel: custom must be a list");
  });

  test("keeps its own definition where another one has its type", () => {
    const times = (units: number) =>
      defineLayer({
        type: "times",
        parameters: ([width]) => ({ w: [width, units] }),
        call: (v, { w }, ops) => ops.add(ops.multiply(ops.matmul(v, w), 0), units),
      });
    const [three, five] = [times(3)({ inputShape: [2] }), times(5)()];
    const model = sequential([three, five]);
    expect(Object.values(model.getWeights()).map(({ shape }) => shape)).toEqual([
      [2, 3],
      [3, 5],
    ]);
    expect([...sequential([three]).predict([[1, 1]]).data]).toEqual([3, 3, 3]);
    const scaled = (by: number) => defineLoss({ type: "scaled", call: (_, p, ops) => ops.multiply(p, by) })();
    const value = (by: number) => defineMetric({ type: "value", call: (_, p, ops) => ops.multiply(p, by) })();
    const [loss, metric] = [scaled(2), value(3)];
    scaled(10);
    value(10);
    const one = sequential([times(7)({ inputShape: [1] })]);
    one.compile({ optimizer: sgd(), loss, metrics: [metric] });
    expect(one.testOnBatch([[1]], [[0, 0, 0, 0, 0, 0, 0]])).toMatchObject({ loss: 14, value: 21 });
  });

  const layerOf = (call: (v: Value, p: Record<string, Value>, ops: Ops) => unknown) =>
    defineLayer({ type: "mine", call: call as never })({ inputShape: [3], name: "m" });

  test.each<[string, (v: Value, p: Record<string, Value>, ops: Ops) => unknown, RegExp]>([
    ["nothing", () => undefined, /^m: expected call to return a tensor made by its ops, got undefined$/],
    ["a number", () => 3, /^m: expected call to return a tensor made by its ops, got 3$/],
    [
      "shapes that do not fit",
      (v, _, ops) => ops.add(v, ops.slice(v, [0, 1])),
      /^m: expected a second operand that broadcasts with one of shape \[1, 3\], got \[1, 2\]$/,
    ],
    [
      "matrices that do not fit",
      (v, _, ops) => ops.matmul(v, ops.transpose(v, [0, 1])),
      /^m: matmul: expected a second operand of shape \[…, 3, n\], got \[1, 3\]$/,
    ],
    [
      "a string",
      (v, _, ops) => ops.add(v, "1" as never),
      /^m: add: expected a tensor of this call, a number or a short list of numbers, got "1"$/,
    ],
    ["no tensor", (_, __, ops) => ops.add(1, 2), /^ops.add: expected at least one tensor, got 1$/],
    ["an axis", (v, _, ops) => ops.sum(v, 2), /^m: sum: expected an axis in -2 … 1, got 2$/],
    [
      "an option",
      (v, _, ops) => ops.sum(v, { axes: 1 } as never),
      /^m: sum: unknown option "axes"; did you mean axis\?$/,
    ],
    [
      "axes",
      (v, _, ops) => ops.transpose(v, { axes: [1, 0] } as never),
      /^m: transpose: expected axes as a list, got /,
    ],
    [
      "a shape",
      (v, _, ops) => ops.reshape(v, [-1, 2]),
      /^m: reshape: expected an input for \[-1, 2\] of shape of 2 elements, got \[1, 3\]$/,
    ],
    ["bounds", (v, _, ops) => ops.clip(v, 1, 0), /^m: clip: expected low ≤ high, got \[1, 0\]$/],
    [
      "a part",
      (v, _, ops) => ops.slice(v, [0, 2], [1, 2]),
      /^m: slice: expected a part of \[1, 3\], got \[1, 2\] from \[0, 2\] on$/,
    ],
    [
      "another batch",
      (v, _, ops) => ops.concat([v, v], 0),
      /^m: expected call to return one row for each of 1 examples, got \[2, 3\]$/,
    ],
    ["axes", (v, _, ops) => ops.transpose(v, [0, 0]), /^m: transpose: expected each of 2 axes once, got \[0, 0\]$/],
    ["an index", (v, _, ops) => ops.gather(v, [3], 1), /^m: gather: expected indices in 0 … 2, got \[3\]$/],
  ])("that gives %s is refused in its name", (_, call, message) => {
    expect(() => sequential([layerOf(call)]).summary()).toThrow(message);
    expect(() => sequential([layerOf(call)]).summary()).toThrow(DownhillError);
  });

  test("of another call's tensor is refused", () => {
    let kept: Value | undefined;
    const keep = (v: Value) => {
      kept ??= v;
      return kept;
    };
    expect(() => sequential([layerOf(keep)]).predict(x)).toThrow(
      /^m: expected call to return a tensor made by its ops, got one of another call$/,
    );
  });

  test("throws its own errors unchanged", () => {
    const error = new RangeError("mine");
    expect(() =>
      sequential([
        layerOf(() => {
          throw error;
        }),
      ]).summary(),
    ).toThrow(error);
  });
});

test.each<[string, () => unknown, RegExp]>([
  [
    "a built-in layer's type",
    () => defineLayer({ type: "dense", call: (v) => v }),
    /^defineLayer: expected a type that the library does not have, got "dense"$/,
  ],
  ["a built-in loss's type", () => defineLoss({ type: "huber", call: (v) => v }), /^defineLoss: expected a type/],
  ["a metric that logs have", () => defineMetric({ type: "loss", call: (v) => v }), /^defineMetric: expected a type/],
  ["no type", () => defineLayer({ call: (v: Value) => v } as never), /^defineLayer: type must be a non-empty string/],
  ["no call", () => defineLoss({ type: "a" } as never), /^defineLoss: call must be a function, got undefined$/],
  [
    "an unknown property",
    () => defineLoss({ type: "a", call: (v: Value) => v, cal: 1 } as never),
    /unknown option "cal"; did you mean call\?/,
  ],
  [
    "a default that is not plain",
    () => defineLayer({ type: "a", options: { f: () => 1 }, call: (v) => v }),
    /^defineLayer: expected a plain default for f/,
  ],
  [
    "an option that every layer has",
    () => defineLayer({ type: "a", options: { name: "x" }, call: (v) => v }),
    /^defineLayer: expected options other than/,
  ],
  [
    "an option of another kind",
    () => scale({ by: "2" as never }),
    /^scale: by must be a finite number, got the string "2"$/,
  ],
  ["an unknown option", () => scale({ bye: 2 } as never), /^scale: unknown option "bye"; did you mean by\?$/],
  ["an option that is not plain", () => scale({ extra: [Number.NaN] }), /^scale: extra must be a plain value/],
  [
    "a parameter without a shape",
    () =>
      defineLayer({ type: "a", parameters: () => ({ w: {} as never }), call: (v) => v })({ inputShape: [1] }) &&
      sequential([
        defineLayer({ type: "a", parameters: () => ({ w: {} as never }), call: (v) => v })({ inputShape: [1] }),
      ]).summary(),
    /^a: parameter w: shape must be a list of positive integers/,
  ],
])("%s is refused", (_, make, message) => {
  expect(make).toThrow(message);
  expect(make).toThrow(DownhillError);
});
