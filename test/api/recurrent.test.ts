// Recurrent layers as a user meets them: names and shapes, errors, files, equal bits, and that they learn.

import { afterEach, describe, expect, it } from "vitest";
import {
  activation,
  adam,
  bidirectional,
  constant,
  dense,
  dropout,
  functional,
  gru,
  init,
  input,
  type Layer,
  l2,
  loadModel,
  lstm,
  type Model,
  meanSquaredError,
  type NDArray,
  ones,
  type Runtime,
  saveModel,
  sequential,
  setSeed,
  sgd,
  simpleRnn,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import "../support/builds"; // relaxed SIMD on Node 20
import { any, bitsOf, floats, labels, thrown, weightBits } from "../support/contract";
import "../support/everyTeam";

const cells = { simpleRnn, lstm, gru };
const GATES = { simpleRnn: 1, lstm: 4, gru: 3 };
const names = ["simpleRnn", "lstm", "gru"] as const;

const sequences = (n: number, steps: number, features: number, seed = 1): NDArray => ({
  data: floats(n * steps * features, seed),
  shape: [n, steps, features],
});
const shapesOf = (model: Model<never> | Model) =>
  Object.fromEntries(Object.entries(any(model).getWeights()).map(([key, w]) => [key, [...any(w).shape]]));

describe("parameters", () => {
  it.each(names)("%s: names and shapes", (name) => {
    using model = sequential([cells[name](5, { inputShape: [7, 3] })]);
    const width = 5 * GATES[name];
    expect(shapesOf(model)).toEqual({
      [`${name}_1/kernel`]: [3, width],
      [`${name}_1/recurrentKernel`]: [5, width],
      [`${name}_1/bias`]: [width],
      ...(name === "gru" ? { "gru_1/recurrentBias": [width] } : {}),
    });
  });

  it.each(names)("%s without biases, and two directions", (name) => {
    using model = sequential([bidirectional(cells[name](2, { useBias: false }), { inputShape: [4, 3] })]);
    expect(Object.keys(model.getWeights())).toEqual(
      ["forward/kernel", "forward/recurrentKernel", "backward/kernel", "backward/recurrentKernel"].map(
        (key) => `bidirectional_1/${key}`,
      ),
    );
  });

  it("recurrent kernels are orthogonal at first, biases 0; both directions are drawn apart", () => {
    using model = sequential([bidirectional(simpleRnn(6, { inputShape: [4, 3] }))]);
    const weights = model.getWeights();
    for (const direction of ["forward", "backward"]) {
      const { data } = weights[`bidirectional_1/${direction}/recurrentKernel`]!;
      for (let i = 0; i < 6; i++)
        for (let j = 0; j < 6; j++) {
          let dot = 0;
          for (let k = 0; k < 6; k++) dot += data[6 * i + k]! * data[6 * j + k]!;
          expect(dot).toBeCloseTo(i === j ? 1 : 0, 5);
        }
      expect([...weights[`bidirectional_1/${direction}/bias`]!.data]).toEqual([0, 0, 0, 0, 0, 0]);
    }
    const [a, b] = ["forward", "backward"].map((key) => bitsOf(weights[`bidirectional_1/${key}/kernel`]!));
    expect(a).not.toEqual(b);
  });

  it("initializers and regularizers go where they are named", () => {
    const options = {
      recurrentInitializer: constant(0.5),
      biasInitializer: ones(),
      recurrentRegularizer: l2(1),
      inputShape: [3, 2],
    };
    using model = sequential([gru(2, options)]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const weights = model.getWeights();
    expect(new Set(weights["gru_1/recurrentKernel"]!.data)).toEqual(new Set([0.5]));
    expect(new Set([...weights["gru_1/bias"]!.data, ...weights["gru_1/recurrentBias"]!.data])).toEqual(new Set([1]));
    const logs = model.testOnBatch(sequences(2, 3, 2), { data: floats(4), shape: [2, 2] });
    expect(logs["penalty"]).toBeCloseTo(0.5 * 12 * 0.25, 6);
  });
});

describe("shapes", () => {
  it.each(names)("%s: the last state, or all; the last of all is the last", (name) => {
    setSeed(1);
    using all = sequential([cells[name](4, { inputShape: [6, 3], returnSequences: true })]);
    using last = sequential([cells[name](4, { inputShape: [6, 3] })]);
    last.setWeights(all.getWeights());
    const x = sequences(5, 6, 3);
    const [states, state] = [all.predict(x), last.predict(x)];
    expect([states.shape, state.shape]).toEqual([
      [5, 6, 4],
      [5, 4],
    ]);
    for (let i = 0; i < 5; i++)
      expect(state.data.slice(4 * i, 4 * i + 4)).toEqual(states.data.slice((6 * i + 5) * 4, (6 * i + 6) * 4));
  });

  it.each(names)("bidirectional %s: the backward half is the forward one over the reverse", (name) => {
    const [n, steps, u] = [3, 5, 2];
    using both = sequential([bidirectional(cells[name](u, { returnSequences: true }), { inputShape: [steps, 3] })]);
    using last = sequential([bidirectional(cells[name](u), { inputShape: [steps, 3] })]);
    using one = sequential([cells[name](u, { inputShape: [steps, 3], returnSequences: true })]);
    last.setWeights(both.getWeights());
    one.setWeights(
      Object.fromEntries(
        Object.entries(both.getWeights())
          .filter(([key]) => key.includes("backward"))
          .map(([key, w]) => [key.replace("bidirectional_1/backward", `${name}_1`), w]),
      ),
    );
    const x = sequences(n, steps, 3);
    const reversed = { data: new Float32Array(x.data.length), shape: x.shape };
    for (let i = 0; i < n; i++)
      for (let t = 0; t < steps; t++)
        reversed.data.set(x.data.slice((i * steps + t) * 3, (i * steps + t + 1) * 3), (i * steps + steps - 1 - t) * 3);
    const [y, z, ends] = [both.predict(x), one.predict(reversed), last.predict(x)];
    expect([y.shape, ends.shape]).toEqual([
      [n, steps, 2 * u],
      [n, 2 * u],
    ]);
    for (let i = 0; i < n; i++)
      for (let t = 0; t < steps; t++) {
        const row = (i * steps + t) * 2 * u;
        const mirrored = (i * steps + steps - 1 - t) * u;
        expect(y.data.slice(row + u, row + 2 * u)).toEqual(z.data.slice(mirrored, mirrored + u));
      }
    for (let i = 0; i < n; i++) {
      const first = i * steps * 2 * u;
      const end = first + (steps - 1) * 2 * u;
      expect([...ends.data.slice(2 * u * i, 2 * u * (i + 1))]).toEqual([
        ...y.data.slice(end, end + u),
        ...y.data.slice(first + u, first + 2 * u),
      ]);
    }
  });

  it("a shared layer sums the gradients of its calls", () => {
    const a = input([3, 2]);
    const b = input([5, 2]); // another length
    const shared = gru(4);
    const h = [shared(a), shared(b)];
    using model = functional({ inputs: [a, b], outputs: h });
    model.compile({ optimizer: sgd(), loss: [meanSquaredError(), meanSquaredError()] });
    const target = { data: new Float32Array(8), shape: [2, 4] };
    const x = [sequences(2, 3, 2), sequences(2, 5, 2, 3)];
    const { parameters } = model.gradients(any(x), any([target, target]));
    const apart = [0, 1].map((i) => {
      using one = sequential([gru(4, { inputShape: [[3, 5][i]!, 2] })]);
      one.compile({ optimizer: sgd(), loss: meanSquaredError() });
      one.setWeights(model.getWeights());
      return one.gradients(x[i]!, target).parameters["gru_1/recurrentKernel"]!.data;
    });
    const sum = parameters["gru_1/recurrentKernel"]!.data;
    sum.forEach((v, i) => {
      expect(v).toBeCloseTo(apart[0]![i]! + apart[1]![i]!, 6);
    });
  });
});

describe("errors", () => {
  it.each(names)("%s: options", (name) => {
    const make = cells[name] as (...args: unknown[]) => Layer;
    thrown("argument", () => make(), `${name}: units must be a positive integer, got undefined`);
    for (const units of [0, -1, 1.5, "4", Number.NaN]) thrown("argument", () => make(units), /units/);
    thrown("argument", () => make(3, { returnSequence: true }), /did you mean returnSequences\?/);
    thrown("argument", () => make(3, { recurentInitializer: ones() }), /did you mean recurrentInitializer\?/);
    thrown("argument", () => make(3, { returnSequences: 1 }), /returnSequences must be true or false, got 1/);
    thrown("argument", () => make(3, { recurrentInitializer: l2(1) }), /recurrentInitializer must be an initializer/);
    thrown("argument", () => make(3, { recurrentRegularizer: "l2" }), /recurrentRegularizer must be a regularizer/);
    thrown("argument", () => make(3, { recurrentConstraint: l2(1) }), /recurrentConstraint must be a constraint/);
    thrown("argument", () => make(3, { activation: "softmax" }), /activation must be "tanh"/);
  });

  it("shapes: rank and features", () => {
    for (const make of [() => lstm(3), () => bidirectional(lstm(3))]) {
      thrown("shape", () => sequential([dense(4, { inputShape: [5] }), make()]), /of shape \[n, T, in\], got \[n, 4\]/);
      thrown("shape", () => make()(input([4, 3, 2])), /of shape \[n, T, in\], got \[n, 4, 3, 2\]/);
    }
    const shared = lstm(3, { name: "shared" });
    const [a, b] = [input([4, 2]), input([4, 5])];
    thrown(
      "shape",
      () => functional({ inputs: [a, b], outputs: [shared(a), shared(b)] }).getWeights(),
      /shared: expected input of shape \[n, T, 2\], got \[n, 4, 5\]/,
    );
    using model = sequential([gru(3, { inputShape: [4, 2] })]);
    thrown("shape", () => model.predict(sequences(2, 5, 2)), /\[n, 4, 2\], got \[2, 5, 2\]/);
  });

  it("bidirectional takes recurrent layers only", () => {
    const make = bidirectional as (...args: unknown[]) => Layer;
    for (const [value, came] of [
      [dense(3), "dense()"],
      [lstm, "a factory; call it: lstm()"],
      [undefined, "undefined"],
      ["lstm", 'the string "lstm"'],
      [bidirectional(lstm(2)), "bidirectional()"],
      [l2(1), "l2()"],
      [{ type: "constructor" }, "constructor()"],
    ])
      thrown(
        "argument",
        () => make(value),
        `bidirectional: layer must be a recurrent layer such as lstm(32), got ${came}`,
      );
    thrown("argument", () => make(lstm(2), { returnSequences: true }), /unknown option "returnSequences"/);
    thrown("argument", () => make(lstm(2), {}, 1), /at most 2 arguments/);
  });

  it("configs are plain and can be cloned; the wrapper takes the layer's common options where it has none", () => {
    const inner = gru(2, { inputShape: [3, 1], trainable: false, activityRegularizer: l2(0.1), name: "inner" });
    const layer = bidirectional(inner);
    expect(structuredClone(layer.config)).toEqual(layer.config);
    expect(layer.config).toMatchObject({
      type: "bidirectional",
      layer: { type: "gru", units: 2 },
      inputShape: [3, 1],
      trainable: false,
      activityRegularizer: { type: "l2", c: 0.1 },
      name: "inner",
    });
    expect(bidirectional(inner, { name: "own", trainable: true }).config).toMatchObject({
      name: "own",
      trainable: true,
    });
    expect(lstm(3).config).toMatchObject({ recurrentInitializer: { type: "orthogonal" }, returnSequences: false });
  });
});

/** All cells, stacked, dropout between, two directions. */
function stack(runtime?: Runtime): Model<NDArray> {
  const model = sequential(
    [
      bidirectional(lstm(9, { returnSequences: true }), { inputShape: [11, 3] }),
      dropout(0.3),
      gru(10, { returnSequences: true, kernelRegularizer: l2(1e-3) }),
      simpleRnn(12, { activation: "relu", returnSequences: true, activityRegularizer: l2(1e-3) }),
      bidirectional(simpleRnn(6)),
      dense(3),
    ],
    runtime && { runtime },
  );
  model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), clipNorm: 1 });
  return model;
}
const data = () => ({ x: sequences(70, 11, 3), y: labels(70, 3) });

describe("bits", () => {
  const runtimes: Runtime[] = [];
  afterEach(() => {
    for (const runtime of runtimes.splice(0)) runtime.dispose();
  });

  it.each([false, true])("are the same on 1, 2 and 3 threads, fastMath %s", async (fastMath) => {
    const found: unknown[] = [];
    for (const threads of [1, 2, 3]) {
      const runtime = await init({ threads, fastMath, seed: 5 });
      runtimes.push(runtime);
      const model = stack(runtime);
      const { epochs } = await model.fit(data(), { epochs: 3, batchSize: 32 });
      found.push([weightBits(model), epochs.map(({ loss }) => loss), [...model.predict(data().x).data]]);
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
    setSeed(0);
  });

  it("a file goes on to the bit, and is the same when it is written again", async () => {
    setSeed(3);
    using whole = stack();
    setSeed(3);
    using part = stack();
    await whole.fit(data(), { epochs: 4, batchSize: 16 });
    await part.fit(data(), { epochs: 2, batchSize: 16 });
    const bytes = await saveModel(part);
    using loaded = await loadModel(bytes);
    expect(await saveModel(loaded)).toEqual(bytes);
    expect(loaded.config).toEqual(part.config);
    await loaded.fit(data(), { initialEpoch: loaded.epoch, epochs: 4, batchSize: 16 });
    expect(await weightsHash(loaded)).toBe(await weightsHash(whole));
  });

  it("accumulated batches have the gradient of all", () => {
    setSeed(3);
    using model = sequential([gru(5, { inputShape: [6, 2] }), dense(1)]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const x = sequences(8, 6, 2);
    const y = { data: floats(8, 4), shape: [8, 1] };
    const all = model.gradients(x, y).parameters;
    const parts = [0, 1].map(
      (i) =>
        model.gradients(
          { data: x.data.slice(48 * i, 48 * i + 48), shape: [4, 6, 2] },
          { data: y.data.slice(4 * i, 4 * i + 4), shape: [4, 1] },
        ).parameters,
    );
    for (const [key, g] of Object.entries(all))
      g.data.forEach((v, i) => {
        expect(v).toBeCloseTo((parts[0]![key]!.data[i]! + parts[1]![key]!.data[i]!) / 2, 6);
      });
  });
});

describe("gradients over many steps", () => {
  /** h₁₀₀ of a linear net of one unit, recurrent weight r: dL/dx₁ is r⁹⁹ times what it is at the last step. */
  const linear = (r: number, options = {}) => {
    const model = sequential([
      simpleRnn(1, {
        activation: "linear",
        useBias: false,
        inputShape: [100, 1],
        kernelInitializer: ones(),
        recurrentInitializer: constant(r),
      }),
    ]);
    model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: meanSquaredError(), ...options });
    return model;
  };
  const x = sequences(1, 100, 1);

  it("vanish and explode as powers of the recurrent weight", () => {
    for (const r of [0.5, 1, 1.25]) {
      using model = linear(r);
      const { inputs } = model.gradients(x, { data: Float32Array.of(0), shape: [1, 1] });
      const { data } = inputs as NDArray;
      expect(data[0]! / data[99]!).toBeCloseTo(r ** 99, -Math.floor(Math.log10(r ** 99)) + 4);
    }
  });

  it("clipNorm holds the step over all parameters together", () => {
    const y = { data: Float32Array.of(0), shape: [1, 1] };
    const norm = (record: Record<string, { data: Float32Array }>) =>
      Math.sqrt(Object.values(record).reduce((sum, { data }) => data.reduce((s, v) => s + v * v, sum), 0));
    using free = linear(1.15);
    const gradients = free.gradients(x, y).parameters;
    const exploded = norm(gradients);
    expect(exploded).toBeGreaterThan(1e12);
    using model = linear(1.15, { clipNorm: 0.5 });
    const before = model.getWeights();
    model.trainOnBatch(x, y);
    const moved = Object.fromEntries(
      Object.entries(model.getWeights()).map(([key, { data }]) => [
        key,
        { data: data.map((v, i) => (before[key]!.data[i]! - v) / 0.1) },
      ]),
    );
    expect(norm(moved)).toBeCloseTo(0.5, 5);
    // one factor for all: the direction stays
    for (const [key, { data }] of Object.entries(moved))
      expect(data[0]! / 0.5).toBeCloseTo(gradients[key]!.data[0]! / exploded, 5);
  });
});

/** Sequences of pairs (a number in [0, 1), a mark); the target is the sum of the two marked numbers. Variance 1/6. */
function adding(n: number, steps: number, seed: number) {
  let s = seed;
  const next = () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
  const x = sequences(n, steps, 2);
  const y = { data: new Float32Array(n), shape: [n, 1] };
  for (let i = 0; i < n; i++) {
    const row = x.data.subarray(i * steps * 2, (i + 1) * steps * 2);
    row.forEach((_, k) => {
      row[k] = k % 2 ? 0 : next();
    });
    for (const half of [0, 1]) {
      const t = Math.floor(((half + next()) * steps) / 2);
      row[2 * t + 1] = 1;
      y.data[i]! += row[2 * t]!;
    }
  }
  return { x, y };
}

it("a GRU learns the adding problem over 50 steps", { timeout: 60_000 }, async () => {
  setSeed(1);
  using model = sequential([gru(24, { inputShape: [50, 2] }), dense(1)]);
  model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: meanSquaredError(), clipNorm: 1 });
  await model.fit(adding(4000, 50, 1), { epochs: 4 });
  const { loss } = await model.evaluate(adding(500, 50, 2));
  expect(loss).toBeLessThan(0.01); // the mean alone has 0.167
});

it("1,000 steps of a batch of 32 are built, and trained on, in seconds", { timeout: 60_000 }, () => {
  using model = sequential([lstm(32, { inputShape: [1000, 2], returnSequences: true }), gru(8), dense(1)]);
  model.compile({ optimizer: adam(), loss: meanSquaredError(), clipNorm: 1 });
  const x = sequences(32, 1000, 2);
  const y = { data: floats(32), shape: [32, 1] };
  const start = performance.now();
  expect(Number.isFinite(model.trainOnBatch(x, y).loss)).toBe(true);
  expect(performance.now() - start).toBeLessThan(10_000); // 0.2 s where nobody else has the machine (bench/recurrentProbe.js)
});

it("activation layers may stand behind sequences", () => {
  using model = sequential([gru(3, { inputShape: [4, 2], returnSequences: true }), activation("relu"), dense(2)]);
  expect(model.predict(sequences(2, 4, 2)).shape).toEqual([2, 4, 2]);
});
