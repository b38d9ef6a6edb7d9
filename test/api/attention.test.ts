// Attention and embeddings as a user meets them: names and shapes, errors, files, equal bits, and that they learn.

import { afterEach, describe, expect, it } from "vitest";
import {
  adam,
  add,
  constant,
  defineMetric,
  dense,
  embedding,
  functional,
  init,
  input,
  type Layer,
  type Logs,
  l2,
  layerNorm,
  loadModel,
  type Model,
  meanSquaredError,
  multiHeadAttention,
  type NDArray,
  positionEmbedding,
  type Runtime,
  reshape,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  topKAccuracy,
  weightsHash,
} from "../../ts/index";
import "../support/builds"; // relaxed SIMD on Node 20
import { any, bitsOf, floats, rejected, thrown, weightBits } from "../support/contract";
import "../support/everyTeam";

const sequences = (n: number, t: number, c: number, seed = 1): NDArray => ({
  data: floats(n * t * c, seed),
  shape: [n, t, c],
});
const shapesOf = (model: Model<never> | Model) =>
  Object.fromEntries(Object.entries(any(model).getWeights()).map(([key, w]) => [key, [...any(w).shape]]));

/** y of multiHeadAttention for one head and no biases, in float64. */
function oneHead(x: NDArray, weights: Record<string, NDArray>, causal: boolean): Float64Array {
  const [n, t, c] = x.shape as [number, number, number];
  const d = weights["multiHeadAttention_1/query/kernel"]!.shape[2]!;
  const product = (a: ArrayLike<number>, rows: number, k: number, b: ArrayLike<number>, columns: number) =>
    Float64Array.from({ length: rows * columns }, (_, at) => {
      const [i, j] = [Math.floor(at / columns), at % columns];
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[p * columns + j]!;
      return sum;
    });
  const kernel = (name: string) => weights[`multiHeadAttention_1/${name}/kernel`]!.data;
  const [q, k, v] = ["query", "key", "value"].map((name) => product(x.data, n * t, c, kernel(name), d)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const y = new Float64Array(n * t * d);
  for (let g = 0; g < n; g++)
    for (let i = 0; i < t; i++) {
      const scores = Array.from({ length: causal ? i + 1 : t }, (_, j) => {
        let dot = 0;
        for (let p = 0; p < d; p++) dot += q[(g * t + i) * d + p]! * k[(g * t + j) * d + p]!;
        return Math.exp(dot / Math.sqrt(d));
      });
      const sum = scores.reduce((a, b) => a + b);
      scores.forEach((e, j) => {
        for (let p = 0; p < d; p++) y[(g * t + i) * d + p]! += (e / sum) * v[(g * t + j) * d + p]!;
      });
    }
  return product(y, n * t, d, kernel("output"), c);
}

describe("multiHeadAttention", () => {
  it("names and shapes of its parameters", () => {
    using model = sequential([multiHeadAttention(3, 4, { inputShape: [5, 6] })]);
    const name = (key: string) => `multiHeadAttention_1/${key}`;
    expect(shapesOf(model)).toEqual({
      [name("query/kernel")]: [6, 3, 4],
      [name("query/bias")]: [3, 4],
      [name("key/kernel")]: [6, 3, 4],
      [name("key/bias")]: [3, 4],
      [name("value/kernel")]: [6, 3, 4],
      [name("value/bias")]: [3, 4],
      [name("output/kernel")]: [3, 4, 6],
      [name("output/bias")]: [6],
    });
  });

  it("query, value and key may have widths of their own; valueDim; no biases", () => {
    const [q, v, k] = [input([5, 6]), input([7, 3]), input([7, 2])];
    const y = multiHeadAttention(2, 4, { valueDim: 3, useBias: false })([q, v, k]);
    expect(y.shape).toEqual([5, 6]);
    using model = functional({ inputs: [q, v, k], outputs: y });
    expect(shapesOf(model)).toEqual({
      "multiHeadAttention_1/query/kernel": [6, 2, 4],
      "multiHeadAttention_1/key/kernel": [2, 2, 4],
      "multiHeadAttention_1/value/kernel": [3, 2, 3],
      "multiHeadAttention_1/output/kernel": [2, 3, 6],
    });
  });

  it("initializers take kernels for matrices", () => {
    using model = sequential([multiHeadAttention(8, 16, { inputShape: [2, 64] })]);
    const weights = model.getWeights();
    for (const [name, limit] of [
      ["query", Math.sqrt(6 / (64 + 128))],
      ["output", Math.sqrt(6 / (128 + 64))],
    ] as const) {
      const most = Math.max(...weights[`multiHeadAttention_1/${name}/kernel`]!.data.map(Math.abs));
      expect(most).toBeLessThanOrEqual(limit * 1.0001);
      expect(most).toBeGreaterThan(0.99 * limit);
    }
  });

  it.each([false, true])("one head by hand, causal %s", (causal) => {
    setSeed(2);
    using model = sequential([multiHeadAttention(1, 5, { causal, useBias: false, inputShape: [4, 3] })]);
    const x = sequences(3, 4, 3);
    const expected = oneHead(x, model.getWeights(), causal);
    model.predict(x).data.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i]!, 5);
    });
  });

  it("one input is query, value and key; the value is the key", () => {
    const x = input([4, 6]);
    const layer = multiHeadAttention(2, 3);
    const outputs = [layer(x), layer([x, x]), layer([x, x, x])];
    using model = functional({ inputs: x, outputs });
    const [a, b, c] = model.predict(sequences(2, 4, 6)) as unknown as NDArray[];
    expect(bitsOf(b!)).toEqual(bitsOf(a!));
    expect(bitsOf(c!)).toEqual(bitsOf(a!));
  });

  it("causal: what comes later changes nothing before", () => {
    setSeed(3);
    using model = sequential([multiHeadAttention(2, 8, { causal: true, inputShape: [9, 4] })]);
    const x = sequences(1, 9, 4);
    const y = model.predict(x);
    const changed = { ...x, data: x.data.map((v, i) => (i < 5 * 4 ? v : -3 * v)) };
    const z = model.predict(changed);
    expect(z.data.slice(0, 20)).toEqual(y.data.slice(0, 20));
    expect(z.data.slice(20)).not.toEqual(y.data.slice(20));
  });

  it("dropout acts in training alone, and its mean is what prediction gives", () => {
    setSeed(4);
    using model = sequential([multiHeadAttention(2, 4, { dropout: 0.4, inputShape: [6, 4] })]);
    const x = sequences(2, 6, 4);
    const y = model.predict(x);
    expect(model.predict(x)).toEqual(y);
    const samples = model.predict(x, { training: true, samples: 400 });
    y.data.forEach((v, i) => {
      let mean = 0;
      for (let s = 0; s < 400; s++) mean += samples.data[s * y.data.length + i]! / 400;
      expect(Math.abs(mean - v)).toBeLessThan(0.1);
    });
  });

  it("the gradient passes through dropout's own mask", () => {
    setSeed(4);
    using model = sequential([multiHeadAttention(2, 4, { dropout: 0.5, inputShape: [6, 4] })]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const [x, y] = [sequences(2, 6, 4), sequences(2, 6, 4, 5)];
    const { parameters, loss } = model.gradients(x, y);
    const weights = model.getWeights();
    const key = "multiHeadAttention_1/value/kernel";
    const g = parameters[key]!.data;
    const norm = Math.hypot(...g);
    const at = (h: number) => {
      model.setWeights({
        ...weights,
        [key]: { ...weights[key]!, data: weights[key]!.data.map((w, i) => w + (h * g[i]!) / norm) },
      });
      return model.gradients(x, y).loss; // the same step: the same mask
    };
    expect(at(0)).toBe(loss);
    expect((at(1e-2) - at(-1e-2)) / 2e-2).toBeCloseTo(norm, 3);
  });

  it("errors", () => {
    const make = multiHeadAttention as (...args: unknown[]) => Layer;
    thrown("argument", () => make(), "multiHeadAttention: heads must be a positive integer, got undefined");
    thrown("argument", () => make(2), "multiHeadAttention: keyDim must be a positive integer, got undefined");
    for (const bad of [0, -1, 1.5, "4", Number.NaN]) {
      thrown("argument", () => make(bad, 4), /heads/);
      thrown("argument", () => make(4, bad), /keyDim/);
      thrown("argument", () => make(4, 4, { valueDim: bad }), /valueDim/);
    }
    for (const bad of [1, -0.1, "half"]) thrown("argument", () => make(2, 4, { dropout: bad }), /dropout/);
    thrown("argument", () => make(2, 4, { causal: 1 }), /causal must be true or false, got 1/);
    thrown("argument", () => make(2, 4, { activation: "relu" }), /unknown option "activation"/);
    thrown("argument", () => make(2, 4, { kernelInitialiser: constant(1) }), /did you mean kernelInitializer\?/);
    thrown("shape", () => make(2, 4)(input([4])), /of shape \[n, t, in\], got \[n, 4\]/);
    const x = input([4, 6]);
    thrown("argument", () => make(2, 4)([x, x, x, x]), /one input, \[query, value\] or \[query, value, key\], got 4/);
    thrown("argument", () => make(2, 4)([]), /one input, \[query, value\] or \[query, value, key\], got 0/);
    thrown("shape", () => make(2, 4)([x, input([5, 6]), input([4, 6])]), /key of shape \[n, 5, 6\], got \[n, 4, 6\]/);
    const shared = make(2, 4, { name: "shared" });
    const [a, b] = [input([4, 6]), input([4, 5])];
    thrown(
      "shape",
      () => functional({ inputs: [a, b], outputs: [shared(a), shared(b)] }).getWeights(),
      /shared: expected query of shape \[n, t, 6\], got \[n, 4, 5\]/,
    );
  });
});

describe("embedding", () => {
  const made = (options: object = {}) => {
    const model = sequential([embedding(7, 3, { inputShape: [2, 4], ...options })]);
    model.compile({ optimizer: adam({ learningRate: 0.1 }), loss: meanSquaredError() });
    return model;
  };
  const ids = { data: Int32Array.from({ length: 24 }, (_, i) => (i * 5) % 7), shape: [3, 2, 4] };
  const target = { data: floats(72), shape: [3, 2, 4, 3] };

  it("its table: uniform in ±0.05; initializer, regularizer", () => {
    setSeed(1);
    using model = sequential([embedding(400, 5, { inputShape: [2] })]);
    const { data, shape } = model.getWeights()["embedding_1/embeddings"]!;
    expect(shape).toEqual([400, 5]);
    const most = Math.max(...data.map(Math.abs));
    expect(most).toBeLessThanOrEqual(0.05);
    expect(most).toBeGreaterThan(0.049);
    using penalised = made({ embeddingsInitializer: constant(0.5), embeddingsRegularizer: l2(1) });
    expect(penalised.testOnBatch(ids, target)["penalty"]).toBeCloseTo(0.5 * 21 * 0.25, 5);
  });

  it("ids of any numbers, nested too, of an example that is one number", () => {
    using model = sequential([embedding(4, 2, { inputShape: [] })]);
    const table = model.getWeights()["embedding_1/embeddings"]!.data;
    for (const x of [[3, 0], new Uint8Array([3, 0]), new Float64Array([3, 0]), new Int32Array([3, 0])])
      expect([...model.predict(x).data]).toEqual([...table.slice(6), ...table.slice(0, 2)]);
  });

  it("rows whose number does not come keep their bits under SGD", () => {
    using model = sequential([embedding(5, 2, { inputShape: [3] })]);
    model.compile({ optimizer: sgd({ learningRate: 1 }), loss: meanSquaredError() });
    const before = model.getWeights()["embedding_1/embeddings"]!.data;
    model.trainOnBatch([[0, 3, 3]], { data: floats(6), shape: [1, 3, 2] });
    const after = model.getWeights()["embedding_1/embeddings"]!.data;
    expect([0, 1, 2, 3, 4].filter((r) => before[2 * r] !== after[2 * r])).toEqual([0, 3]);
  });

  it("numbers that are none of its rows are data errors, which name layer, value and place, and change nothing", async () => {
    for (const bad of [-1, 7, 1.5, Number.NaN, Infinity]) {
      using model = made();
      using other = made();
      other.setWeights(model.getWeights());
      const x = { data: Float32Array.from(ids.data), shape: ids.shape };
      model.trainOnBatch(x, target);
      other.trainOnBatch(x, target);
      const wrong = { data: x.data.map((v, i) => (i === 13 ? bad : v)), shape: x.shape };
      const text = new RegExp(
        `: x: embedding_1: expected a whole number in \\[0, 6\\] in row 1, column 5, got ${bad}$`,
      );
      thrown("data", () => model.trainOnBatch(wrong, target), text);
      thrown("data", () => model.predict(wrong), text);
      thrown("data", () => model.testOnBatch(wrong, target), text);
      thrown("data", () => model.gradients(wrong, target), text);
      const finite = Number.isFinite(bad) ? text : /expected a finite number in row 1, column 5/;
      await rejected("data", model.fit({ x: wrong, y: target }), finite);
      await rejected("data", model.evaluate({ x: wrong, y: target }), finite);
      await rejected("data", model.fit([{ x: wrong, y: target }]), finite);
      model.trainOnBatch(x, target);
      other.trainOnBatch(x, target);
      expect(weightBits(model)).toEqual(weightBits(other));
    }
  });

  it("each layer that reads an input checks it", () => {
    const x = input([2]);
    using model = functional({ inputs: x, outputs: [embedding(9, 2)(x), embedding(5, 2)(x)] });
    thrown(
      "data",
      () => model.predict([[0, 6]]),
      /embedding_2: expected a whole number in \[0, 4\] in row 0, column 1, got 6/,
    );
  });

  it("behind another layer numbers are cut to its rows", () => {
    using model = sequential([reshape([2], { inputShape: [2, 1] }), embedding(3, 1)]);
    const table = model.getWeights()["embedding_1/embeddings"]!.data;
    expect([...model.predict([[[-4], [9.5]]]).data]).toEqual([table[0], table[2]]);
  });

  it("errors", () => {
    const make = embedding as (...args: unknown[]) => Layer;
    thrown("argument", () => make(), "embedding: inputDim must be a positive integer, got undefined");
    thrown("argument", () => make(5), "embedding: outputDim must be a positive integer, got undefined");
    for (const bad of [0, -1, 1.5, "4"]) thrown("argument", () => make(bad, 4), /inputDim/);
    thrown("argument", () => make(4, 4, { embeddingInitializer: constant(1) }), /did you mean embeddingsInitializer\?/);
    thrown("argument", () => make(4, 4, { embeddingsRegularizer: constant(1) }), /must be a regularizer/);
  });
});

describe("positionEmbedding", () => {
  it("adds a row of its table to each position", () => {
    using model = sequential([positionEmbedding({ inputShape: [3, 2] })]);
    const table = model.getWeights()["positionEmbedding_1/embeddings"]!;
    expect(table.shape).toEqual([3, 2]);
    const x = sequences(4, 3, 2);
    expect([...model.predict(x).data]).toEqual([...x.data].map((v, i) => Math.fround(v + table.data[i % 6]!)));
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const { parameters, inputs } = model.gradients(x, sequences(4, 3, 2, 3));
    const dx = (inputs as NDArray).data;
    parameters["positionEmbedding_1/embeddings"]!.data.forEach((g, i) => {
      expect(g).toBeCloseTo(
        [0, 1, 2, 3].reduce((sum, r) => sum + dx[6 * r + i]!, 0),
        6,
      );
    });
  });

  it("errors", () => {
    thrown("shape", () => positionEmbedding()(input([4])), /of shape \[n, t, c\], got \[n, 4\]/);
    const shared = positionEmbedding();
    const [a, b] = [input([3, 2]), input([4, 2])];
    thrown("shape", () => functional({ inputs: [a, b], outputs: [shared(a), shared(b)] }).getWeights(), /\[n, 3, 2\]/);
  });
});

/** Reads [n, 8] numbers in [0, 5) and predicts one at each step. */
function transformer(runtime?: Runtime): Model<NDArray> {
  const ids = input([8]);
  let x = positionEmbedding()(embedding(5, 24)(ids));
  x = add()([x, multiHeadAttention(3, 8, { causal: true, dropout: 0.1 })(layerNorm()(x))]);
  x = add()([x, dense(24)(dense(48, { activation: "gelu" })(layerNorm()(x)))]);
  const model = functional({ inputs: ids, outputs: dense(5)(x) }, runtime && { runtime });
  model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return any(model);
}

/** Each step's class is the number four steps before, −1 at the first four. */
function recall(n: number) {
  const x = {
    data: Int32Array.from({ length: 8 * n }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 16) % 5),
    shape: [n, 8],
  };
  return { x, y: { data: x.data.map((_, i) => (i % 8 < 4 ? -1 : x.data[i - 4]!)), shape: [n, 8] } };
}

describe("a class for each step", () => {
  it("loss and accuracy are means over all labelled steps", async () => {
    using model = sequential([dense(3, { inputShape: [4, 2] })]);
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    const x = sequences(5, 4, 2);
    const y = { data: Int32Array.from({ length: 20 }, (_, i) => (i % 3 === 2 ? -1 : i % 3)), shape: [5, 4] };
    const logits = model.predict(x).data;
    let [loss, right, count] = [0, 0, 0];
    y.data.forEach((c, i) => {
      if (c < 0) return;
      const row = [...logits.slice(3 * i, 3 * i + 3)];
      loss += Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - row[c]!;
      right += +(row.indexOf(Math.max(...row)) === c);
      count++;
    });
    for (const batchSize of [1, 2, 5]) {
      const logs = await model.evaluate({ x, y }, { batchSize });
      expect(logs.loss).toBeCloseTo(loss / count, 5);
      expect(logs["accuracy"]).toBeCloseTo(right / count, 6);
    }
    const column = { data: y.data, shape: [5, 4, 1] };
    expect(model.testOnBatch(x, column)).toEqual(model.testOnBatch(x, y));
    // slices of a full batch add up to one step on all of it
    const whole = model.gradients(x, y).parameters["dense_1/kernel"]!.data;
    const before = model.getWeights()["dense_1/kernel"]!.data;
    await model.fit({ x, y }, { batchSize: 2, accumulate: 3, shuffle: false });
    model.getWeights()["dense_1/kernel"]!.data.forEach((w, i) => {
      expect(w).toBeCloseTo(before[i]! - 0.01 * whole[i]!, 6);
    });
  });

  it("weights of sequences, of steps and of classes: Σ w·L over all labelled steps, accuracy over Σ w", async () => {
    using model = sequential([dense(3, { inputShape: [4, 2] })]);
    const own = defineMetric({ type: "surprise", call: (t, p, ops) => ops.sum(ops.multiply(t, ops.softmax(p)), -1) });
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy(), metrics: ["accuracy", own()] });
    const x = sequences(5, 4, 2);
    const y = { data: Int32Array.from({ length: 20 }, (_, i) => (i % 3 === 2 ? -1 : i % 3)), shape: [5, 4] };
    const logits = model.predict(x).data;
    const wanted = (weightOf: (step: number) => number) => {
      let [loss, right, share, count, sum] = [0, 0, 0, 0, 0];
      y.data.forEach((c, i) => {
        if (c < 0) return;
        const row = [...logits.slice(3 * i, 3 * i + 3)];
        const p = Math.exp(row[c]!) / row.reduce((total, v) => total + Math.exp(v), 0);
        const w = weightOf(i);
        loss -= w * Math.log(p);
        right += w * +(row.indexOf(Math.max(...row)) === c);
        share += w * p;
        sum += w;
        count++;
      });
      return [loss / count, right / sum, share / sum] as const;
    };
    const holds = (logs: Logs, [loss, accuracy, surprise]: readonly [number, number, number]) => {
      expect(logs.loss).toBeCloseTo(loss, 5);
      expect(logs["accuracy"]).toBeCloseTo(accuracy, 5);
      expect(logs["surprise"]).toBeCloseTo(surprise, 5);
    };
    const byRow = [0.5, 2, 0, 1, 3];
    const byStep = Float32Array.from({ length: 20 }, (_, i) => (i % 7) / 2);
    for (const batchSize of [2, 5]) {
      holds(
        await model.evaluate({ x, y, sampleWeight: byRow }, { batchSize }),
        wanted((i) => byRow[i >> 2]!),
      );
      const sampleWeight = { data: byStep, shape: [5, 4] };
      holds(
        await model.evaluate({ x, y, sampleWeight }, { batchSize }),
        wanted((i) => byStep[i]!),
      );
    }
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: softmaxCrossEntropy(), metrics: ["accuracy", own()] });
    const fit = { batchSize: 3, classWeight: { 0: 0.25, 1: 3 } };
    const { epochs } = await model.fit({ x, y, sampleWeight: byRow }, fit);
    holds(
      epochs[0]!,
      wanted((i) => byRow[i >> 2]! * [0.25, 3, 1][y.data[i]!]!),
    );
  });

  it("metrics of one's own see unit vectors for each step", () => {
    using model = sequential([dense(3, { inputShape: [4, 2] })]);
    const right = defineMetric({
      type: "stepsRight",
      call: (t, p, ops) => ops.sum(ops.multiply(t, ops.softmax(p)), -1),
    });
    const all = defineMetric({ type: "meanRight", call: (t, p, ops) => ops.mean(ops.multiply(t, p)) });
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy(), metrics: [right(), all()] });
    const x = sequences(2, 4, 2);
    const y = [0, 2, -1, 1, 1, -1, -1, 2];
    const logits = model.predict(x).data;
    const shares = y.flatMap((c, i) => {
      const row = [...logits.slice(3 * i, 3 * i + 3)].map(Math.exp);
      return c < 0 ? [] : [row[c]! / row.reduce((a, b) => a + b)];
    });
    const logs = model.testOnBatch(x, { data: Int32Array.from(y), shape: [2, 4] });
    expect(logs["stepsRight"]).toBeCloseTo(shares.reduce((a, b) => a + b) / shares.length, 6);
    expect(logs["meanRight"]).toBe(0); // no row is labelled at all steps
  });

  it("errors", () => {
    using model = sequential([dense(3, { inputShape: [4, 2] })]);
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    const x = sequences(2, 4, 2);
    const soft = { data: new Float32Array(24).fill(1 / 3), shape: [2, 4, 3] };
    thrown(
      "shape",
      () => model.trainOnBatch(x, soft),
      /^trainOnBatch: y: expected targets of shape \[n, 4\], got \[2, 4, 3\]/,
    );
    thrown("shape", () => model.trainOnBatch(x, new Int32Array(2)), /targets of shape \[n, 4\], got \[2\]/);
    const y = { data: new Int32Array(8), shape: [2, 4] };
    thrown(
      "data",
      () => model.trainOnBatch(x, { ...y, data: y.data.map((_, i) => (i === 6 ? 3 : 0)) }),
      /row 1, column 2, got 3/,
    );
    for (const shape of [[8], [4, 2], [2, 4, 1]])
      thrown(
        "shape",
        () => model.trainOnBatch(x, y, { sampleWeight: { data: new Float32Array(8), shape } }),
        /^trainOnBatch: sampleWeight: expected weights of shape \[2\], got/,
      );
    const weights = [
      [1, 1, 1, 1],
      [1, 1, -1, 1],
    ];
    thrown(
      "data",
      () => model.trainOnBatch(x, y, { sampleWeight: weights }),
      /^trainOnBatch: sampleWeight: expected a weight ≥ 0 in row 1, column 2, got -1/,
    );
    thrown(
      "argument",
      () => model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy(), metrics: [topKAccuracy()] }),
      /predictions of shape \[n, classes\] for topKAccuracy, got \[n, 4, 3\]/,
    );
  });

  it("a small transformer learns to look four steps back", { timeout: 60_000 }, async () => {
    setSeed(1);
    using model = transformer();
    await model.fit(recall(600), { epochs: 12, batchSize: 32 });
    expect((await model.evaluate(recall(100)))["accuracy"]).toBeGreaterThan(0.95);
  });
});

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
      const model = transformer(runtime);
      const { epochs } = await model.fit(recall(70), { epochs: 2, batchSize: 32 });
      found.push([weightBits(model), epochs, bitsOf(model.predict(recall(70).x))]);
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
    setSeed(0);
  });

  it("a file goes on to the bit, and is the same when it is written again", async () => {
    setSeed(3);
    using whole = transformer();
    setSeed(3);
    using part = transformer();
    await whole.fit(recall(40), { epochs: 4, batchSize: 16 });
    await part.fit(recall(40), { epochs: 2, batchSize: 16 });
    const bytes = await saveModel(part);
    using loaded = await loadModel(bytes);
    expect(await saveModel(loaded)).toEqual(bytes);
    expect(loaded.config).toEqual(part.config);
    await loaded.fit(recall(40), { initialEpoch: loaded.epoch, epochs: 4, batchSize: 16 });
    expect(await weightsHash(loaded)).toBe(await weightsHash(whole));
    thrown(
      "data",
      () => loaded.predict([[0, 1, 2, 3, 4, 5, 0, 0]]),
      /embedding_1: expected a whole number in \[0, 4\]/,
    );
  });
});
