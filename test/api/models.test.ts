// Models: how they are put together, what their parts are called, when they are there.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  accuracy,
  adam,
  batchNorm,
  dense,
  functional,
  init,
  input,
  meanSquaredError,
  relu,
  type Symbolic,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, classifier, floats, labels, rejected, thrown, weightBits } from "../support/contract";

const first = { inputShape: [4] };

describe("names", () => {
  it("are non-empty strings without a slash", () => {
    for (const name of ["", "a/b", "/", 3, null]) {
      thrown("argument", () => dense(3, { name: any(name) }));
      thrown("argument", () => input([3], { name: any(name) }));
      thrown("argument", () => sequential([], { name: any(name) }));
    }
    const x = input([3]);
    thrown("argument", () => functional({ inputs: x, outputs: { "a/b": dense(1)(x) } }));
    thrown("argument", () => functional({ inputs: x, outputs: { "": dense(1)(x) } }));
  });
  it("are unique in a model", () => {
    thrown("argument", () => sequential([dense(3, { ...first, name: "a" }), dense(3, { name: "a" })]));
    const open = sequential([dense(3, { ...first, name: "a" })]);
    thrown("argument", () => open.add(dense(3, { name: "a" })));
    open.add(dense(2, { name: "b" }));
    expect(open.predict(floats(4)).shape).toEqual([1, 2]);
    const [p, q] = [input([2], { name: "p" }), input([2], { name: "p" })];
    thrown("argument", () => functional({ inputs: [p, q], outputs: [dense(1)(p), dense(1)(q)] }));
    const shared = dense(4, { ...first, name: "a" });
    expect(sequential([shared, shared]).layers.length).toBe(1);
  });
  it("automatic ones are the factory's name and a number from 1, counted in each model in the order of first calls", () => {
    for (let i = 0; i < 2; i++) {
      const model = sequential([dense(3, first), relu(), batchNorm(), dense(2), relu()]);
      expect(model.layers.map((l) => l.name)).toEqual(["dense_1", "relu_1", "batchNorm_1", "dense_2", "relu_2"]);
    }
    const x = input([3]);
    const [a, b] = [dense(2), dense(5)];
    const late = b(x);
    expect(functional({ inputs: x, outputs: [a(x), late] }).layers.map((l) => [l.name, any(l.config).units])).toEqual([
      ["dense_1", 5],
      ["dense_2", 2],
    ]);
  });
  it("automatic ones skip those taken", () => {
    const model = sequential([
      dense(3, first),
      dense(3, { name: "dense_1" }),
      dense(3),
      dense(3, { name: "dense_3" }),
      dense(3),
    ]);
    expect(model.layers.map((l) => l.name)).toEqual(["dense_2", "dense_1", "dense_4", "dense_3", "dense_5"]);
  });
  it("keys of weights are layer/parameter", () => {
    const model = sequential([dense(3, first), batchNorm(), dense(2, { name: "head", useBias: false })]);
    expect(Object.keys(model.getWeights()).sort()).toEqual(
      [
        "batchNorm_1/beta",
        "batchNorm_1/gamma",
        "batchNorm_1/movingMean",
        "batchNorm_1/movingVariance",
        "dense_1/bias",
        "dense_1/kernel",
        "head/kernel",
      ].sort(),
    );
    expect(model.getWeights()["dense_1/kernel"]!.shape).toEqual([4, 3]);
    expect(model.countParams()).toBe(15 + 12 + 6);
  });
});

describe("sequential", () => {
  it("the first layer needs inputShape", () => {
    thrown("argument", () => sequential([dense(3)]), /dense.*inputShape/);
    thrown("argument", () => sequential().add(relu()));
  });
  it("without layers, the first call that needs the model throws state; dispose does not", async () => {
    const calls: ((m: any) => unknown)[] = [
      (m) => m.predict([[1]]),
      (m) => m.getWeights(),
      (m) => m.summary(),
      (m) => m.countParams(),
      (m) => m.layers,
      (m) => m.compile({ optimizer: sgd(), loss: meanSquaredError() }),
    ];
    for (const call of calls) thrown("state", () => call(sequential()));
    await rejected("state", sequential().fit({ x: [[1]], y: [[1]] }));
    sequential().dispose();
  });
  it(".add until the first call that needs the model", () => {
    const model = sequential().add(dense(8, first)).add(relu()).add(dense(3));
    setSeed(0);
    expect(model.predict(floats(8)).shape).toEqual([2, 3]);
    thrown("state", () => model.add(dense(2)));
    const x = input([3]);
    thrown("state", () => functional({ inputs: x, outputs: relu()(x) }).add(relu()));
  });
  it(".add and a list give the same model", () => {
    setSeed(4);
    const a = sequential([dense(8, first), relu(), dense(3)]);
    setSeed(4);
    const b = sequential().add(dense(8, first)).add(relu()).add(dense(3));
    expect(weightBits(b)).toEqual(weightBits(a));
  });
  it("a failed .add leaves the model as it was", () => {
    const model = sequential();
    thrown("shape", () => model.add(dense(3, { inputShape: [] })));
    thrown("argument", () => model.add(dense(3)));
    model.add(dense(3, first));
    thrown("argument", () => model.add(any("x")));
    expect(model.predict(floats(4)).shape).toEqual([1, 3]);
  });
});

describe("functional", () => {
  const x = () => input([4]);
  it("predict follows the form of outputs", () => {
    const a = x();
    const [p, q] = [dense(2), dense(3)];
    expect(functional({ inputs: a, outputs: p(a) }).predict(floats(8)).shape).toEqual([2, 2]);
    expect(
      functional({ inputs: a, outputs: [p(a)] })
        .predict(floats(8))
        .map((o) => o.shape),
    ).toEqual([[2, 2]]);
    expect(
      functional({ inputs: a, outputs: [p(a), q(a)] })
        .predict(floats(8))
        .map((o) => o.shape),
    ).toEqual([
      [2, 2],
      [2, 3],
    ]);
    const named = functional({ inputs: { a }, outputs: { u: p(a), v: q(a) } }).predict({ a: floats(8) });
    expect([named.u.shape, named.v.shape]).toEqual([
      [2, 2],
      [2, 3],
    ]);
    expect(Object.keys(named)).toEqual(["u", "v"]);
    // an input itself may be an output
    expect([...functional({ inputs: a, outputs: [a, relu()(a)] }).predict([[1, -2, 3, 4]])[0]!.data]).toEqual([
      1, -2, 3, 4,
    ]);
  });
  it("records must fit the names", async () => {
    const a = x();
    const b = input([2]);
    const model = functional({ inputs: { a, b }, outputs: { u: dense(2)(a), v: dense(1)(b) } });
    const good = { a: floats(8), b: floats(4) };
    const y = { u: [0, 1], v: [[1], [2]] };
    const loss = { u: softmaxCrossEntropy(), v: meanSquaredError() };
    for (const bad of [
      { u: loss.u },
      { ...loss, w: loss.v },
      loss.u,
      [loss.u],
      [loss.v, loss.u, loss.u],
      { u: loss.u, v: adam() },
      { u: loss.u, v: undefined },
    ])
      thrown("argument", () => model.compile({ optimizer: sgd(), loss: any(bad) }));
    for (const metrics of [{ w: ["accuracy"] }, ["accuracy"], { u: "accuracy" }])
      thrown("argument", () => model.compile({ optimizer: sgd(), loss, metrics: any(metrics) }));
    for (const lossWeights of [{ u: 1 }, { u: 1, v: -1 }, [1], 2, { u: 1, v: 1, w: 1 }])
      thrown("argument", () => model.compile({ optimizer: sgd(), loss, lossWeights: any(lossWeights) }));
    model.compile({ optimizer: sgd(), loss, lossWeights: { u: 2, v: 0.5 }, metrics: { u: ["accuracy"] } });
    for (const bad of [
      floats(8),
      [floats(8), floats(4)],
      { a: good.a },
      { ...good, c: good.a },
      { a: good.a, b: undefined },
      { data: floats(8), shape: [2, 4] },
      { ...good, constructor: 1 },
    ]) {
      thrown("argument", () => model.predict(any(bad)));
      await rejected("argument", model.fit({ x: any(bad), y }));
    }
    for (const bad of [y.u, { u: y.u }, { ...y, w: y.u }, [y.u, y.v]])
      thrown("argument", () => model.trainOnBatch(good, any(bad)));
    const logs = model.trainOnBatch(good, y);
    expect(Object.keys(logs).sort()).toEqual(["dataLoss", "loss", "penalty", "uAccuracy", "uLoss", "vLoss"]);
    expect(logs.loss).toBeCloseTo(2 * logs["uLoss"]! + 0.5 * logs["vLoss"]!, 5);
    thrown("shape", () => model.predict({ a: floats(8), b: floats(6) }));
  });
  it("an output without one label is data in fit and counts 0 in trainOnBatch", async () => {
    const a = x();
    const model = functional({ inputs: a, outputs: { u: dense(2)(a), v: dense(1)(a) } });
    model.compile({ optimizer: sgd(), loss: { u: softmaxCrossEntropy(), v: meanSquaredError() } });
    const y = { u: [-1, -1, -1, 1], v: [[1], [2], [3], [Number.NaN]] };
    await model.fit({ x: floats(16), y }, { batchSize: 2 });
    const before = weightBits(any(model));
    await rejected("data", model.fit({ x: floats(16), y: { ...y, u: [-1, -1, -1, -1] } }));
    // what is held out does not count
    await rejected("data", model.fit({ x: floats(16), y }, { validationSplit: 0.25 }));
    expect(weightBits(any(model))).toEqual(before);
    const one = { x: floats(16), y: { ...y, u: [-1, -1, -1, -1] } };
    await rejected("data", model.fit(any([one, one])));
    const logs = model.trainOnBatch(floats(16), { ...y, u: [-1, -1, -1, -1] });
    expect(logs["uLoss"]).toBe(0);
  });
  it("outputs depend on the listed inputs only; repeated inputs are refused", () => {
    const [a, b] = [x(), x()];
    thrown("argument", () => functional({ inputs: a, outputs: dense(1)(b) }));
    thrown("argument", () => functional({ inputs: [a, a], outputs: dense(1)(a) }));
    thrown("argument", () => functional({ inputs: { p: a, q: a }, outputs: dense(1)(a) }));
    thrown("argument", () => functional({ inputs: dense(1)(a), outputs: dense(1)(a) }));
    for (const bad of [undefined, null, [], {}, [1], "x", relu(), [[a]], { a: 1 }]) {
      thrown("argument", () => functional({ inputs: any(bad), outputs: dense(1)(a) }));
      thrown("argument", () => functional({ inputs: a, outputs: any(bad) }));
    }
    for (const bad of [undefined, null, 3, { inputs: a }, { inputs: a, outputs: a, x: 1 }, []])
      thrown("argument", () => functional(any(bad)));
    for (const bad of [3, null, undefined, [[1, 2]], relu(), [a, b], []]) thrown("argument", () => dense(2)(any(bad)));
  });
  it("a layer called twice shares its parameters and sums their gradients", () => {
    setSeed(1);
    const [a, b] = [x(), x()];
    const shared = dense(1);
    const model = functional({ inputs: [a, b], outputs: [shared(a), shared(b)] });
    model.compile({ optimizer: sgd(), loss: [meanSquaredError(), meanSquaredError()] });
    expect(Object.keys(model.getWeights())).toEqual(["dense_1/kernel", "dense_1/bias"]);
    const [u, v] = [floats(4, 1), floats(4, 2)];
    const both = model.gradients([u, v], [[[1]], [[2]]]).parameters["dense_1/bias"]!.data[0]!;
    const [p, q] = model.predict([u, v]);
    expect(both).toBeCloseTo(2 * (p!.data[0]! - 1) + 2 * (q!.data[0]! - 2), 4);
  });
  it("a shared layer called on inputs that do not fit it: named, with both shapes", () => {
    const [a, b] = [input([512]), input([784])];
    const [one, two] = [dense(3), dense(3)];
    const outputs = [one(a), two(a), two(b)];
    thrown(
      "shape",
      () => functional({ inputs: [a, b], outputs }),
      "dense_2: expected input of shape [n, 512], got [n, 784]",
    );
  });
  it("more inputs or outputs than the core has places for are refused", () => {
    const heads = (n: number) => {
      const a = x();
      return functional({ inputs: a, outputs: Array.from({ length: n }, () => dense(1)(a)) });
    };
    const model = heads(8);
    model.compile({ optimizer: sgd(), loss: Array.from({ length: 8 }, () => meanSquaredError()) });
    model.trainOnBatch(
      floats(4),
      Array.from({ length: 8 }, () => [[1]]),
    );
    thrown("argument", () => heads(9));
    const many = Array.from({ length: 40 }, () => input([1]));
    thrown("argument", () =>
      functional({ inputs: many, outputs: many.map((m) => relu()(m)).slice(0, 1) as Symbolic[] }),
    );
  });
});

describe("parts of a model", () => {
  it("getLayer", () => {
    const model = classifier();
    expect(model.getLayer("dense_2").config).toMatchObject({ type: "dense", units: 3 });
    for (const name of ["dense_3", "constructor", "", undefined, 0])
      thrown("argument", () => model.getLayer(any(name)));
  });
  it("layer.trainable counts from the next step", () => {
    const model = classifier();
    model.trainOnBatch(floats(8), [0, 1]);
    model.getLayer("dense_1").trainable = false;
    const before = weightBits(model);
    model.trainOnBatch(floats(8), [0, 1]);
    const after = weightBits(model);
    expect(after["dense_1/kernel"]).toEqual(before["dense_1/kernel"]);
    expect(after["dense_2/kernel"]).not.toEqual(before["dense_2/kernel"]);
    model.getLayer("dense_1").trainable = true;
    model.trainOnBatch(floats(8), [0, 1]);
    expect(weightBits(model)["dense_1/kernel"]).not.toEqual(after["dense_1/kernel"]);
  });
  it("model.config is the caller's own: what is written into it does not reach the layers", () => {
    const model = sequential([dense(3, { inputShape: [2] })]);
    const [layer] = model.config.layers;
    Object.assign(layer!.config, { units: 7 });
    expect(model.config.layers[0]!.config).toMatchObject({ units: 3 });
    expect(model.predict([[1, 2]]).shape).toEqual([1, 3]);
  });

  it("model.config tells what is trainable now", () => {
    const model = sequential([dense(3, { ...first, trainable: false }), dense(2)]);
    model.layers[0]!.trainable = true;
    model.layers[1]!.trainable = false;
    const [a, b] = model.config.layers;
    expect([a!.config["trainable"] ?? true, b!.config["trainable"]]).toEqual([true, false]);
  });
  it("summary: names, shapes, counts and planned bytes", () => {
    const model = classifier();
    model.trainOnBatch(floats(8), [0, 1]);
    const text = model.summary();
    for (const part of ["dense_1", "relu_1", "dropout_1", "dense_2", "[n, 8]", "[n, 3]", "67"])
      expect(text).toContain(part);
    expect(text).toMatch(/\d+ B|KiB/);
  });
  it("summary: the bytes of parameters and statistics are those that the runtime gave", async () => {
    using runtime = await init();
    const model = sequential([batchNorm({ inputShape: [10] })], { runtime });
    const text = model.summary(); // makes the model
    const lane = sequential([relu({ inputShape: [10] })], { runtime });
    const before = runtime.memory().used;
    lane.summary();
    const nothing = runtime.memory().used - before - 64; // a region has 64 bytes at least
    expect(text).toContain(`memory: ${before - nothing} B parameters and statistics`);
  });
  it("before compile, predict, weights and summary work; what needs a loss throws state", async () => {
    const model = sequential([dense(3, first)]);
    model.predict(floats(4));
    model.setWeights(model.getWeights());
    model.summary();
    for (const call of [
      () => model.trainOnBatch(floats(4), [1]),
      () => model.testOnBatch(floats(4), [1]),
      () => model.gradients(floats(4), [1]),
      () => model.applyGradients({}),
      () => model.learningRate,
    ])
      thrown("state", call);
    await rejected("state", model.fit({ x: floats(4), y: [1] }));
    await rejected("state", model.evaluate({ x: floats(4), y: [1] }));
  });
});

describe("arguments before state", () => {
  const disposed = () => {
    const model = classifier();
    model.trainOnBatch(floats(4), [1]);
    model.dispose();
    return model;
  };
  it.each([
    ["not compiled", () => sequential([dense(3, first)])],
    ["disposed", disposed],
  ])("%s", async (_, make) => {
    const m = make();
    const x = floats(4);
    thrown("argument", () => m.trainOnBatch(any("x"), [1]));
    thrown("shape", () => m.trainOnBatch(floats(5), [1]));
    thrown("argument", () => m.trainOnBatch(x, any("y")));
    thrown("argument", () => m.trainOnBatch(x, [1], any({ weights: 1 })));
    thrown("argument", () => m.testOnBatch(any("x"), [1]));
    thrown("argument", () => m.gradients(any(5), [1]));
    thrown("argument", () => m.gradients(x, [1], any({ train: 1 })));
    thrown("argument", () => m.applyGradients(any({ nothing: [1] })));
    thrown("argument", () => m.setWeights({}));
    thrown("argument", () => m.predict(any("x")));
    thrown("argument", () => m.predict(x, any({ batchsize: 3 })));
    thrown("argument", () => {
      m.learningRate = -1;
    });
    thrown("argument", () => m.compile(any({})));
    thrown("argument", () => m.getLayer("nothing"));
    await rejected("argument", m.fit(any(3)));
    await rejected("argument", m.fit({ x: any("x"), y: [1] }));
    await rejected("shape", m.fit({ x: floats(5), y: [1] }));
    await rejected("argument", m.fit({ x, y: [1] }, any({ epoch: 3 })));
    await rejected("argument", m.fit({ x, y: [1] }, any({ callbacks: [3] })));
    await rejected("argument", m.evaluate({ x: any("x"), y: [1] }));
    await rejected("argument", m.evaluate(any(null)));
  });
  it("while a fit is under way", async () => {
    const m = classifier();
    const fit = m.fit({ x: floats(4000), y: labels(1000, 3) }, { epochs: 30, batchSize: 4 });
    await rejected("shape", m.fit({ x: floats(5), y: [1] }));
    await rejected("argument", m.fit({ x: floats(4), y: [1] }, any({ callbacks: [3] })));
    thrown("data", () => m.trainOnBatch(floats(4), [7]));
    thrown("argument", () => m.setWeights({}));
    thrown("argument", () => m.compile(any({})));
    await rejected("state", m.fit({ x: floats(4), y: [1] }));
    thrown("state", () => m.trainOnBatch(floats(4), [1]));
    thrown("state", () => m.setWeights(m.getWeights()));
    thrown("state", () => m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() }));
    thrown("state", () => m.applyGradients({}));
    await fit;
    m.trainOnBatch(floats(4), [1]);
  });
});

describe("setWeights takes exactly the model's keys, all or nothing", () => {
  it("refuses what does not fit and changes nothing", () => {
    const m = classifier();
    const weights = m.getWeights();
    const before = weightBits(m);
    const kernel = weights["dense_1/kernel"]!;
    const { "dense_1/bias": _, ...less } = weights;
    const zero = Object.fromEntries(
      Object.entries(weights).map(([k, w]) => [k, { ...w, data: w.data.slice().fill(0) }]),
    );
    thrown("argument", () => m.setWeights(less));
    thrown("argument", () => m.setWeights({ ...weights, extra: kernel }));
    thrown("argument", () => m.setWeights({ ...weights, constructor: kernel }));
    for (const bad of [null, undefined, [], "x", 3]) thrown("argument", () => m.setWeights(any(bad)));
    thrown("shape", () => m.setWeights({ ...zero, "dense_2/bias": { data: new Float32Array(4), shape: [4] } }));
    thrown("shape", () => m.setWeights({ ...zero, "dense_2/kernel": { data: new Float32Array(24), shape: [3, 8] } }));
    for (const value of [Number.NaN, Infinity])
      thrown("data", () =>
        m.setWeights({ ...zero, "dense_2/bias": { data: Float32Array.of(1, value, 1), shape: [3] } }),
      );
    expect(weightBits(m)).toEqual(before);
    m.setWeights(zero);
    expect(m.predict(floats(4)).data).toEqual(new Float32Array(3));
  });
});

describe("a failed compile leaves the earlier one in force", () => {
  it("with its optimizer state", () => {
    const twins = [classifier(), classifier()];
    for (const m of twins) m.trainOnBatch(floats(8), [0, 1]);
    const [m] = twins as [any, any];
    for (const bad of [
      {},
      { optimizer: sgd() },
      { optimizer: "x", loss: softmaxCrossEntropy() },
      { optimizer: adam({ decayFilter: ["x/y"] }), loss: softmaxCrossEntropy() },
      undefined,
      null,
    ])
      thrown("argument", () => m.compile(bad));
    for (const t of twins) t.trainOnBatch(floats(8), [0, 1]);
    expect(weightBits(twins[0]!)).toEqual(weightBits(twins[1]!));
    accuracy();
  });
});
