// tied: c·½‖w⁽ᴬ⁾ − w⁽ᴮ⁾‖², and jointly.

import { describe, expect, it } from "vitest";
import {
  adam,
  batchNorm,
  dense,
  earlyStopping,
  functional,
  init,
  input,
  jointly,
  l2,
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
  swa,
  tied,
  weightsHash,
} from "../../ts/index";
import { any, bitsOf, rejected, thrown, weightBits } from "../support/contract";
import { examples } from "../support/examples";
import "../support/everyTeam";

const { x, y } = examples();
const other = examples(203, 12, 9);

/** Two layers of one shape in one model. */
function twins(options: object = {}, seed = 3) {
  setSeed(seed);
  const model = sequential([dense(12, { inputShape: [12] }), relu(), dense(12), relu(), dense(3)]);
  model.compile({ optimizer: sgd({ learningRate: 0.05 }), loss: softmaxCrossEntropy(), ...options });
  return model;
}
const one = (seed: number, options: object = {}): Model<NDArray> => {
  setSeed(seed);
  const model = sequential([dense(8, { inputShape: [12] }), relu(), dense(3)]);
  model.compile({ optimizer: sgd({ learningRate: 0.05 }), loss: softmaxCrossEntropy(), ...options });
  return model;
};

const distance = (a: NDArray, b: NDArray) => Math.max(...a.data.map((v, i) => Math.abs(v - b.data[i]!)));
const squares = (a: NDArray, b: NDArray) => a.data.reduce((sum, v, i) => sum + (v - b.data[i]!) ** 2, 0);

describe("tied", () => {
  it("adds c·½‖a − b‖² and its gradient, over kernel and bias", () => {
    const c = 0.75;
    const [plain, model] = [twins(), twins({ penalties: [tied("dense_1", "dense_2", c)] })];
    plain.trainOnBatch(x, y); // biases differ
    model.setWeights(plain.getWeights());
    const w = model.getWeights();
    const [g, t] = [plain, model].map((m) => m.gradients(x, y));
    let sum = 0;
    for (const name of ["kernel", "bias"]) {
      const [a, b] = [w[`dense_1/${name}`]!, w[`dense_2/${name}`]!];
      sum += squares(a, b);
      for (const [layer, sign] of [
        ["dense_1", 1],
        ["dense_2", -1],
      ] as const)
        a.data.forEach((v, i) => {
          const want = g!.parameters[`${layer}/${name}`]!.data[i]! + sign * c * (v - b.data[i]!);
          expect(t!.parameters[`${layer}/${name}`]!.data[i]).toBeCloseTo(want, 6);
        });
    }
    expect(bitsOf(t!.parameters["dense_3/kernel"]!)).toEqual(bitsOf(g!.parameters["dense_3/kernel"]!));
    expect(t!.loss - g!.loss).toBeCloseTo((c / 2) * sum, 5);
    const logs = model.testOnBatch(x, y);
    expect(logs.penalty).toBeCloseTo((c / 2) * sum, 5);
    expect(logs.loss).toBeCloseTo(logs.dataLoss + logs.penalty, 6);
  });

  it("makes of gradients and applyGradients a step, bit for bit; and adds up over a group of batches", async () => {
    const make = () => twins({ penalties: [tied("dense_1", "dense_2", 0.3)], clipNorm: 0.5, weightNoise: 0.05 });
    const [a, b] = [make(), make()];
    for (let i = 0; i < 3; i++) {
      a.applyGradients(a.gradients(x, y).parameters);
      b.trainOnBatch(x, y);
      expect(weightBits(a)).toEqual(weightBits(b));
    }
    const [whole, parts] = [
      twins({ penalties: [tied("dense_1", "dense_2", 0.3)] }),
      twins({ penalties: [tied("dense_1", "dense_2", 0.3)] }),
    ];
    const w = await whole.fit({ x, y }, { batchSize: 203, shuffle: false, epochs: 2 });
    const p = await parts.fit({ x, y }, { batchSize: 29, accumulate: 7, shuffle: false, epochs: 2 });
    w.epochs.forEach((logs, i) => {
      expect(p.epochs[i]!.penalty).toBeCloseTo(logs.penalty, 5);
      expect(p.epochs[i]!.loss).toBeCloseTo(logs.loss, 5);
    });
    for (const [key, array] of Object.entries(whole.getWeights()))
      expect(distance(array, parts.getWeights()[key]!)).toBeLessThan(1e-5);
  });

  it.each([
    ["sgd", sgd({ learningRate: 0.05 })],
    ["sgd with momentum", sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true })],
    ["adam", adam()],
    ["adam, fast", adam({ learningRate: 0.01 })],
  ])("at c = 10⁶ the two agree to 1e-3, and the rest is learned: %s", async (_, optimizer) => {
    const model = twins({ optimizer, penalties: [tied("dense_1", "dense_2", 1e6)], metrics: ["accuracy"] });
    const { epochs } = await model.fit({ x, y }, { epochs: 150, batchSize: 32 });
    const w = model.getWeights();
    expect(distance(w["dense_1/kernel"]!, w["dense_2/kernel"]!)).toBeLessThan(1e-3);
    expect(distance(w["dense_1/bias"]!, w["dense_2/bias"]!)).toBeLessThan(1e-3);
    expect(epochs.at(-1)!["accuracy"]).toBeGreaterThan(0.8);
  });

  it.each([
    ["a chain", [0, 1, 2]],
    ["a ring", [0, 1, 2, 3, 0]],
    ["a star", [1, 0, 2, 0, 3]],
  ])("layers in several ties all agree at c = 10⁶: %s", async (_, path) => {
    const names = ["dense_1", "dense_2", "dense_3", "dense_4"];
    const penalties = path.slice(1).map((to, i) => tied(names[path[i]!]!, names[to]!, 1e6));
    setSeed(3);
    const model = sequential([dense(12, { inputShape: [12] }), dense(12), dense(12), dense(12), dense(3)]);
    model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), penalties });
    await model.fit({ x, y }, { epochs: 20, batchSize: 32 });
    const w = model.getWeights();
    for (const layer of path)
      for (const name of ["kernel", "bias"])
        expect(distance(w[`${names[layer]}/${name}`]!, w[`${names[path[0]!]}/${name}`]!)).toBeLessThan(1e-3);
    expect(model.testOnBatch(x, y).penalty).toBeLessThan(1);
  });

  it("takes names, a model's layers and the layers themselves", () => {
    setSeed(3);
    const [a, b] = [dense(4, { inputShape: [12] }), dense(4)];
    const v = input([12]);
    const model = functional({ inputs: v, outputs: dense(3)(b(dense(12)(v))) });
    expect(model.layers.map(({ name }) => name)).toEqual(["dense_1", "dense_2", "dense_3"]);
    const hidden = sequential([a, relu(), dense(12), b, dense(3)]);
    const loss = softmaxCrossEntropy();
    const penalties = [
      [tied("dense_1", "dense_3", 0.5)],
      [tied(hidden.getLayer("dense_1"), "dense_3", 0.5)],
      [tied(a, hidden.getLayer("dense_3"), 0.5)],
      [tied(a, b, 0.5)],
    ];
    const losses = penalties.map((penalties) => {
      hidden.compile({ optimizer: sgd(), loss, penalties });
      return hidden.testOnBatch(x, y).penalty;
    });
    expect(losses[0]).toBeGreaterThan(0);
    expect(new Set(losses).size).toBe(1);
  });

  it("to a model that is compiled apart counts its weights as constants, as they are at each step", () => {
    const b = one(2);
    const c = 0.5;
    const a = one(1, { penalties: [tied("dense_1", b.getLayer("dense_1"), c)] });
    const plain = one(1);
    for (let step = 0; step < 2; step++) {
      const [wa, wb] = [a.getWeights()["dense_1/kernel"]!, b.getWeights()["dense_1/kernel"]!];
      const before = weightBits(b);
      const [g, t] = [plain, a].map((m) => m.gradients(x, y).parameters["dense_1/kernel"]!);
      wa.data.forEach((v, i) => {
        expect(t!.data[i]).toBeCloseTo(g!.data[i]! + c * (v - wb.data[i]!), 6);
      });
      a.trainOnBatch(x, y);
      plain.setWeights(a.getWeights());
      expect(weightBits(b)).toEqual(before);
      b.trainOnBatch(x, y); // and the next step sees what it has become
    }
    // either of them, c = 10⁶
    const far = one(5, {
      penalties: [tied(b.getLayer("dense_1"), "dense_1", 1e6)],
      optimizer: sgd({ learningRate: 0.01 }),
    });
    for (let i = 0; i < 20; i++) far.trainOnBatch(x, y);
    expect(distance(far.getWeights()["dense_1/kernel"]!, b.getWeights()["dense_1/kernel"]!)).toBeLessThan(1e-3);
  });

  it("keeps the other model's last weights where that one is disposed of, and gives them back", () => {
    const used = () => init0.memory().used;
    const b = one(2);
    const a = one(1, { penalties: [tied("dense_1", b.getLayer("dense_1"), 1)] });
    const init0 = a.state.runtime;
    const penalty = a.testOnBatch(x, y).penalty;
    b.dispose();
    const filler = one(3); // takes what would be free
    filler.trainOnBatch(x, y);
    expect(a.testOnBatch(x, y).penalty).toBe(penalty);
    a.trainOnBatch(x, y);
    filler.dispose();
    const before = used();
    const bytes = b.state.structure.parameterFloats * 4;
    a.compile({ optimizer: sgd({ learningRate: 0.05 }), loss: softmaxCrossEntropy() });
    expect(used()).toBeLessThanOrEqual(before - bytes);
    a.dispose();
  });

  it("keeps them from compile on, where the model is compiled, and no longer where that fails", () => {
    const a = one(1);
    const { runtime } = a.state;
    a.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    const before = runtime.memory().used;
    const penalties = (b: Model, more: string) => ({
      optimizer: sgd(),
      loss: softmaxCrossEntropy(),
      penalties: [tied("dense_1", b.getLayer("dense_1"), 1), ...(more ? [tied("dense_1", more, 1)] : [])],
    });
    const b = one(2);
    thrown("argument", () => a.compile(penalties(b, "dense_9")), /dense_9/);
    b.dispose();
    expect(runtime.memory().used).toBe(before);
    const c = one(2);
    const w = c.getWeights();
    a.compile(penalties(c, ""));
    c.dispose(); // before the first step
    const v = a.getWeights();
    const sum = ["kernel", "bias"].reduce((s, name) => s + squares(v[`dense_1/${name}`]!, w[`dense_1/${name}`]!), 0);
    expect(a.trainOnBatch(x, y).penalty).toBeCloseTo(sum / 2, 4);
    a.dispose();
    expect(runtime.memory().used).toBeLessThan(before);
  });

  it("goes into a file by its names, and to another model refuses to", async () => {
    const model = twins({ penalties: [tied("dense_1", "dense_2", 0.5)] });
    await model.fit({ x, y }, { epochs: 1 });
    const bytes = await saveModel(model);
    const loaded = await loadModel(bytes);
    expect(await saveModel(loaded)).toEqual(bytes);
    for (const m of [model, loaded]) m.trainOnBatch(x, y);
    expect(weightBits(loaded)).toEqual(weightBits(model));
    const a = one(1, { penalties: [tied("dense_1", one(2).getLayer("dense_1"), 0)] });
    await rejected("state", saveModel(a), /dense_1 is tied to dense_1 of sequential/);
  });

  it("has the same bits on 1, 2 and 3 threads", async () => {
    const hashes: string[] = [];
    for (const threads of [1, 2, 3]) {
      const runtime = await init({ threads, seed: 1 });
      const model = sequential([dense(150, { inputShape: [12] }), relu(), dense(150), relu(), dense(150), dense(3)]);
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), penalties: [tied("dense_2", "dense_3", 10)] });
      await model.fit({ x, y }, { epochs: 2, batchSize: 64 });
      hashes.push(await weightsHash(model));
      runtime.dispose();
    }
    expect(new Set(hashes).size).toBe(1);
    await init({ threads: 1, seed: 0 });
  });

  it("refuses what does not fit, and leaves the earlier compile in force", async () => {
    for (const c of [-1, Number.NaN, Infinity, "1", undefined]) thrown("argument", () => tied("a", "b", any(c)));
    for (const layer of ["", 1, null, {}, dense, adam()]) thrown("argument", () => tied(any(layer), "b", 1));
    const model = twins();
    const compile = (...penalties: unknown[]) =>
      model.compile(any({ optimizer: sgd({ learningRate: 0.5 }), loss: softmaxCrossEntropy(), penalties }));
    const used = model.state.runtime.memory().used;
    thrown("argument", () => compile(tied("dense_1", "dense_9", 1)), /dense_9/);
    thrown("argument", () => compile(tied("dense_1", "dense_1", 1)), /dense_1/);
    thrown("argument", () => compile(tied("dense_1", "relu_1", 1)), /dense_1.*relu_1/);
    thrown(
      "shape",
      () => compile(tied("dense_1", "dense_2", 1), tied("dense_1", "dense_3", 1)),
      /dense_1 and dense_3.*\[12, 12\].*\[12, 3\]/,
    );
    thrown("argument", () => compile(l2(1)));
    thrown("argument", () => compile(tied));
    const elsewhere = await init({ seed: 0 });
    const foreign = one(1);
    thrown("argument", () => compile(tied("dense_1", foreign.getLayer("dense_1"), 1)), /runtime/);
    elsewhere.dispose();
    expect(model.learningRate).toBe(0.05);
    expect(model.state.runtime.memory().used).toBe(used);
    await init({ threads: 1, seed: 0 });
    expect(structuredClone(tied("a", "b", 1))).toEqual({ type: "tied", a: "a", b: "b", c: 1 });
  });
});

describe("jointly", () => {
  it("resumes from what its models have learnt meanwhile, not from weights set aside before, and they likewise", async () => {
    const [a, b] = [one(1), one(2)];
    const joint = jointly({ a, b });
    const still = sgd({ learningRate: 0 });
    joint.compile({ optimizer: still, loss: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() } });
    const data = { x: { a: x, b: x }, y: { a: y, b: y } };
    const callbacks = [earlyStopping({ monitor: "loss", patience: 9, restoreBestWeights: true })];
    await joint.fit(data, { epochs: 2, callbacks });
    a.trainOnBatch(x, y);
    const trained = weightBits(a);
    await joint.fit(data, { initialEpoch: 2, epochs: 3, callbacks: [swa({ startEpoch: 9 }), ...callbacks] });
    const best = joint.state.lastWeights!;
    expect(bitsOf(best["a_dense_1/kernel"]!)).toEqual(trained["dense_1/kernel"]);

    b.setWeights(a.getWeights());
    expect(joint.state.lastWeights).toBeUndefined();
    await a.fit({ x, y }, { epochs: 1, callbacks });
    expect(a.state.lastWeights).toBeDefined();
    joint.trainOnBatch(data.x, data.y);
    expect(a.state.lastWeights).toBeUndefined();
  });

  const models = () => {
    setSeed(11);
    const a = sequential([dense(8, { inputShape: [12] }), batchNorm(), relu(), dense(3)], { name: "first" });
    const b = sequential([dense(8, { inputShape: [12] }), relu(), dense(1)]);
    return { a, b };
  };
  const t = { data: other.x.data.filter((_, i) => i % 12 === 0), shape: [203, 1] };
  const data = { x: { a: x, b: other.x }, y: { a: y, b: t } };
  const losses = { a: softmaxCrossEntropy(), b: meanSquaredError() };

  it("trains both, each as it would alone, and both see its weights", async () => {
    const { a, b } = models();
    const alone = models();
    const before = { a: weightBits(a), b: weightBits(b) };
    a.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    const evaluated = await a.evaluate({ x, y });
    const joint = jointly({ a, b });
    expect(weightBits(a)).toEqual(before.a);
    expect(weightBits(b)).toEqual(before.b);
    expect(await a.evaluate({ x, y })).toEqual(evaluated);
    expect(joint.layers.map(({ name }) => name)).toEqual([
      "a_dense_1",
      "a_batchNorm_1",
      "a_relu_1",
      "a_dense_2",
      "b_dense_1",
      "b_relu_1",
      "b_dense_2",
    ]);
    joint.compile({
      optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }),
      loss: losses,
      metrics: { a: ["accuracy"] },
    });
    const { epochs } = await joint.fit(data, { epochs: 3, batchSize: 32, shuffle: false, accumulate: 2 });
    expect(Object.keys(epochs[0]!)).toEqual(expect.arrayContaining(["aLoss", "bLoss", "aAccuracy"]));
    for (const [model, loss, d] of [
      [alone.a, losses.a, { x, y }],
      [alone.b, losses.b, { x: other.x, y: t }],
    ] as const) {
      model.compile({ optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }), loss });
      await model.fit(d, { epochs: 3, batchSize: 32, shuffle: false, accumulate: 2 });
    }
    expect(weightBits(a)).toEqual(weightBits(alone.a));
    expect(weightBits(b)).toEqual(weightBits(alone.b));
    const predicted = joint.predict(data.x);
    expect(predicted.a).toEqual(a.predict(x));
    expect(predicted.b).toEqual(b.predict(other.x));
    // and what one of them learns the joint model has
    a.trainOnBatch(x, y);
    expect(bitsOf(joint.getWeights()["a_dense_1/kernel"]!)).toEqual(bitsOf(a.getWeights()["dense_1/kernel"]!));
    expect(bitsOf(joint.getWeights()["a_batchNorm_1/movingMean"]!)).toEqual(
      bitsOf(a.getWeights()["batchNorm_1/movingMean"]!),
    );
    expect(joint.predict(data.x).a).toEqual(a.predict(x));
  });

  it("at c = 10⁶ ties of two input distributions agree to 1e-3", async () => {
    const [a, b] = [one(1), one(2)];
    const joint = jointly({ a, b });
    joint.compile({
      optimizer: adam({ learningRate: 0.01 }),
      loss: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() },
      penalties: [
        tied(a.getLayer("dense_1"), b.getLayer("dense_1"), 1e6),
        tied("a_dense_2", joint.getLayer("b_dense_2"), 1e6),
      ],
    });
    const { epochs } = await joint.fit({ x: { a: x, b: other.x }, y: { a: y, b: other.y } }, { epochs: 60 });
    expect(epochs.at(-1)!.dataLoss).toBeLessThan(epochs[0]!.dataLoss * 0.8);
    const [wa, wb] = [a.getWeights(), b.getWeights()];
    for (const key of Object.keys(wa)) expect(distance(wa[key]!, wb[key]!)).toBeLessThan(1e-3);
  });

  it("is an ordinary model in a file, and its layers freeze with the models'", async () => {
    const { a, b } = models();
    const joint = jointly({ a, b });
    joint.compile({ optimizer: sgd(), loss: losses });
    a.getLayer("dense_1").trainable = false;
    expect(joint.getLayer("a_dense_1").trainable).toBe(false);
    const before = weightBits(a);
    joint.trainOnBatch(any(data.x), any(data.y));
    expect(weightBits(a)["dense_1/kernel"]).toEqual(before["dense_1/kernel"]);
    expect(weightBits(a)["dense_2/kernel"]).not.toEqual(before["dense_2/kernel"]);
    const loaded = await loadModel(await saveModel(joint as never));
    expect(loaded.getLayer("a_dense_1").trainable).toBe(false);
    expect(weightBits(loaded)).toEqual(weightBits(joint as never));
  });

  it.each(["joint first", "models first"])("memory: %s", (order) => {
    const runtime = one(0).state.runtime;
    const before = runtime.memory().used;
    const { a, b } = models();
    b.compile({ optimizer: sgd(), loss: meanSquaredError() });
    b.trainOnBatch(other.x, t);
    const joint = jointly({ a, b });
    joint.compile({ optimizer: sgd(), loss: losses });
    joint.trainOnBatch(any(data.x), any(data.y));
    const weights = weightBits(a);
    if (order === "joint first") {
      joint.dispose();
      expect(weightBits(a)).toEqual(weights);
      b.trainOnBatch(other.x, t);
      a.dispose();
      b.trainOnBatch(other.x, t);
      b.dispose();
    } else {
      a.dispose();
      b.dispose();
      joint.trainOnBatch(any(data.x), any(data.y));
      thrown("state", () => a.predict(x));
      joint.dispose();
    }
    expect(runtime.memory().used).toBe(before);
  });

  it("moves the weights that another model's tie reads", () => {
    const { a, b } = models();
    const c = one(4, { penalties: [tied("dense_1", a.getLayer("dense_1"), 1)] });
    const { penalty } = c.testOnBatch(x, y);
    c.gradients(x, y);
    const joint = jointly({ a, b });
    const filler = one(6); // takes what has become free
    expect(c.testOnBatch(x, y).penalty).toBe(penalty);
    joint.dispose();
    a.dispose();
    b.dispose();
    expect(c.testOnBatch(x, y).penalty).toBe(penalty);
    c.dispose();
    filler.dispose();
  });

  it("a fit of the one is a fit of the other", async () => {
    const { a, b } = models();
    a.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    b.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const joint = jointly({ a, b });
    joint.compile({ optimizer: sgd(), loss: losses });
    const fit = joint.fit(data, {
      epochs: 2,
      callbacks: [{ onEpochEnd: () => new Promise((done) => setTimeout(done, 5)) }],
    });
    thrown("state", () => a.trainOnBatch(x, y));
    thrown("state", () => b.setWeights(b.getWeights()));
    await rejected("state", a.fit({ x, y }));
    await fit;
    const both = Promise.all([a.fit({ x, y }), b.fit({ x: other.x, y: t })]);
    thrown("state", () => joint.trainOnBatch(any(data.x), any(data.y)));
    await both;
    joint.trainOnBatch(any(data.x), any(data.y));
  });

  it("names several inputs and outputs by the key and their own names", () => {
    const [u, v] = [input([2]), input([3])];
    const a = functional({ inputs: { u, v }, outputs: [dense(1)(u), dense(2)(v)] });
    const b = sequential([dense(2, { inputShape: [2] })]);
    const joint = jointly({ a, b });
    const p = joint.predict(any({ a_u: [[1, 2]], a_v: [[1, 2, 3]], b: [[1, 2]] }));
    expect(Object.keys(p)).toEqual(["a_dense_1", "a_dense_2", "b"]);
    // models that share layers and even calls are two: each has parameters of its own
    const shared = dense(2);
    const h = shared(u);
    const [c, d] = [functional({ inputs: u, outputs: h }), functional({ inputs: u, outputs: h })];
    const both = jointly({ c, d });
    const q = both.predict(any({ c: [[1, 2]], d: [[1, 2]] }));
    expect(q.c).toEqual(c.predict([[1, 2]]));
    expect(q.d).toEqual(d.predict([[1, 2]]));
    expect(q.c).not.toEqual(q.d);
  });

  it("refuses models that cannot be joined", async () => {
    const { a, b } = models();
    for (const bad of [a, [a, b], { a }, { a, b: 1 }, { a, b: a }, { a, "x/y": b }, null, undefined])
      thrown("argument", () => jointly(any(bad)));
    const runtime = await init({ seed: 0 });
    const far = one(1);
    thrown("argument", () => jointly({ a, far }), /runtime/);
    runtime.dispose();
    await init({ threads: 1, seed: 0 });
    const c = one(1);
    const d = one(2);
    const fit = c.fit({ x, y });
    thrown("state", () => jointly({ c, d }));
    await fit;
    const e = one(3);
    e.dispose();
    thrown("state", () => jointly({ c, e }));
    const joint = jointly({ c, d });
    thrown("argument", () => jointly({ c, b: one(4) }), /joined/);
    thrown("argument", () => jointly({ joint, b: one(4) }), /joined/);
  });
});
