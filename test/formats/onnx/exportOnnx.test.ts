// exportOnnx: whole models, its options, what the file says of itself, and what it refuses.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { version } from "../../../package.json";
import { readModel } from "../../../ts/formats/onnx/messages";
import * as d from "../../../ts/index";
import { any, floats, labels, rejected } from "../../support/contract";
import { agrees, distance, inputsFor, predicted, run, scramble, TOLERANCE } from "../../support/onnx";

/** The MNIST CNN of the examples, smaller. */
function cnn() {
  const model = d.sequential([
    d.rescaling({ scale: 1 / 255, inputShape: [28, 28, 1] }),
    d.conv2d(8, 3, { padding: "same", activation: "relu" }),
    d.conv2d(8, 3, { useBias: false }),
    d.batchNorm(),
    d.relu(),
    d.maxPool2d(2),
    d.dropout(0.25),
    d.conv2d(16, 3, { padding: "same", strides: 2, activation: "relu" }),
    d.flatten(),
    d.dense(32, { activation: "relu" }),
    d.dropout(0.5),
    d.dense(10),
  ]);
  scramble(model);
  return model;
}
const mlp = () => d.sequential([d.dense(8, { inputShape: [4], activation: "relu" }), d.dense(3)]);
const bytesOf = (n: number, seed?: number) => Uint8Array.from(floats(n, seed), (v) => Math.floor((v + 1) * 127.9));
const graphOf = async (model: d.Model, options?: d.ExportOnnxOptions) =>
  readModel(await d.exportOnnx(model, options)).graph!;
const opsOf = async (model: d.Model, options?: d.ExportOnnxOptions) =>
  (await graphOf(model, options)).node.map(({ opType }) => opType);

describe("models", () => {
  test("a convolutional net has a Transpose at its entrance and one before it is flat", async () => {
    const model = cnn();
    expect(await agrees(model)).toBeLessThan(TOLERANCE);
    const ops = await opsOf(model);
    expect(ops.filter((op) => op === "Transpose")).toHaveLength(2);
    expect(ops).toEqual(
      "Mul Transpose Conv Relu Conv BatchNormalization MaxPool Relu Conv Relu Transpose Flatten Gemm Relu Gemm".split(
        " ",
      ),
    );
  });

  test("a residual net", async () => {
    const x = d.input([8, 8, 3]);
    const block = (h: d.Symbolic, strides: number) => {
      const inner = d.batchNorm()(
        d.conv2d(8, 3, { padding: "same" })(d.relu()(d.conv2d(8, 3, { padding: "same", strides })(h))),
      );
      return d.relu()(d.add()([inner, strides === 1 ? h : d.conv2d(8, 1, { strides })(h)]));
    };
    const h = block(block(d.conv2d(8, 3, { padding: "same" })(x), 1), 2);
    const model = d.functional({ inputs: x, outputs: d.dense(4)(d.globalAveragePool2d()(h)) });
    scramble(model);
    await agrees(model);
    expect((await opsOf(model)).filter((op) => op === "Transpose")).toHaveLength(1);
  });

  test("several inputs and outputs, by name; a layer that is called twice has its weights once", async () => {
    const [left, right] = [d.input([6]), d.input([6], { name: "other" })];
    const shared = d.dense(5, { activation: "tanh" });
    const both = d.concatenate()([shared(left), shared(right)]);
    const model = d.functional({
      inputs: { left, right },
      outputs: { classes: d.dense(4)(both), size: d.dense(1)(both), hidden: both, again: both },
    });
    scramble(model);
    await agrees(model);
    const { input, output, initializer } = await graphOf(model);
    expect(input.map(({ name }) => name)).toEqual(["left", "right"]);
    expect(output.map(({ name }) => name)).toEqual(["classes", "size", "hidden", "again"]);
    expect(initializer.map(({ name }) => name).sort()).toEqual([
      ...["dense_1/bias", "dense_1/kernel", "dense_2/bias", "dense_2/kernel", "dense_3/bias", "dense_3/kernel"],
    ]);
  });

  test("lists of inputs and outputs have the names that the model gives them", async () => {
    const [a, b] = [d.input([3]), d.input([3], { name: "second" })];
    const model = d.functional({ inputs: [a, b], outputs: [d.add({ name: "sum" })([a, b]), d.dense(2)(b)] });
    await agrees(model);
    const { input, output } = await graphOf(model);
    expect(input.map(({ name }) => name)).toEqual(["input_1", "second"]);
    expect(output.map(({ name }) => name)).toEqual(["sum", "dense_1"]);
  });

  test("what comes out as it goes in, under the input's own name", async () => {
    const x = d.input([3]);
    const model = d.functional({ inputs: { x }, outputs: { x, y: x, x_output: d.dense(2)(x) } });
    const { output } = await graphOf(model);
    expect(output.map(({ name }) => name)).toEqual(["x_output", "y", "x_output_2"]);
    const found = await run(await d.exportOnnx(model), inputsFor(model, 2));
    expect(found["y"]!.data).toEqual(floats(6, 11));
    expect(found["x_output"]!.data).toEqual(floats(6, 11));
  });

  test("an input that nothing is made of is asked for all the same", async () => {
    const [a, b] = [d.input([3]), d.input([2])];
    const model = d.functional({ inputs: { b, a }, outputs: d.dense(2)(a) });
    await agrees(model);
    expect((await graphOf(model)).input.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  test("what another than a bias reads keeps to itself", async () => {
    const x = d.input([6, 6, 2]);
    const h = d.conv2d(4, 3, { useBias: false })(x);
    const conv = d.conv2d(4, 3, { activation: "relu" })(x);
    const model = d.functional({ inputs: x, outputs: [h, d.maxPool2d(2)(h), conv, d.maxPool2d(2)(conv)] });
    scramble(model);
    await agrees(model);
  });

  test("joined ones", async () => {
    const joint = d.jointly({ a: mlp(), b: cnn() });
    scramble(joint);
    await agrees(joint);
  });

  test("a transformer", async () => {
    const x = d.input([6], { name: "words" });
    let h = d.positionEmbedding()(d.embedding(20, 8)(x));
    for (let i = 0; i < 2; i++) {
      h = d.add()([h, d.multiHeadAttention(2, 4, { causal: true })(d.layerNorm()(h))]);
      h = d.add()([h, d.dense(8)(d.gelu()(d.dense(16)(d.layerNorm()(h))))]);
    }
    const model = d.functional({ inputs: x, outputs: d.dense(20)(h) });
    scramble(model);
    const ids = (n: number, seed?: number) => floats(n, seed).map((v) => Math.floor((v + 1) * 9.99));
    await agrees(model, {}, ids);
    const feeds = inputsFor(model, 3, ids);
    const expected = predicted(model, feeds)["dense_5"]!;
    for (const type of ["int64", "int32"] as const) {
      const bytes = await d.exportOnnx(model, { inputType: type });
      const words = { words: { ...feeds["words"]!, data: Int32Array.from(feeds["words"]!.data) } };
      expect(distance(expected, (await run(bytes, words, { words: type }))["dense_5"]!)).toBeLessThan(TOLERANCE);
      expect(await opsOf(model, { inputType: type })).not.toContain("Cast");
    }
  });

  test("pruned ones keep their zeros", async () => {
    const model = mlp();
    d.prune(model, { sparsity: 0.5 });
    await agrees(model);
    const { initializer } = await graphOf(model);
    const kernel = initializer.find(({ name }) => name === "dense_1/kernel")!;
    const numbers = new Float32Array(kernel.rawData!.slice().buffer);
    expect([...numbers]).toEqual([...model.getWeights()["dense_1/kernel"]!.data]);
    expect(numbers.filter((v) => v === 0).length).toBeGreaterThan(4);
  });

  test("at the weights that predict takes: the mean over time", async () => {
    const model = mlp();
    model.compile({ optimizer: d.sgd({ learningRate: 0.5 }), loss: d.softmaxCrossEntropy(), ema: 0.9 });
    for (let step = 0; step < 5; step++) model.trainOnBatch({ data: floats(32), shape: [8, 4] }, labels(8, 3));
    await agrees(model);
  });

  test("trained ones, and while a fit is pending", async () => {
    const model = d.sequential([d.dense(16, { inputShape: [4] }), d.batchNorm(), d.relu(), d.dropout(0.4), d.dense(3)]);
    model.compile({ optimizer: d.adam({ learningRate: 0.01 }), loss: d.softmaxCrossEntropy() });
    const data = { x: { data: floats(400), shape: [100, 4] }, y: labels(100, 3) };
    const early = model.fit(data, { epochs: 3 });
    const pending = await d.exportOnnx(model);
    await early;
    await agrees(model);
    expect(pending).not.toEqual(await d.exportOnnx(model));
  });

  test("saved and loaded ones give the same bytes, and so does a second call", async () => {
    const model = cnn();
    const bytes = await d.exportOnnx(model);
    expect(await d.exportOnnx(model)).toEqual(bytes);
    expect(await d.exportOnnx(await d.loadModel(await d.saveModel(model)))).toEqual(bytes);
  });

  test("exporting changes nothing of the model", async () => {
    const model = cnn();
    model.compile({ optimizer: d.adam(), loss: d.softmaxCrossEntropy() });
    const before = await d.saveModel(model);
    await d.exportOnnx(model);
    expect(await d.saveModel(model)).toEqual(before);
  });
});

describe("layers of one's own", () => {
  /** A layer without parameters, exported behind a dense layer; returns its ops. */
  async function tried(call: Parameters<typeof d.defineLayer>[0]["call"], inputShape = [4, 6]): Promise<string[]> {
    const layer = d.defineLayer({ type: `onnx${count++}`, call: any(call) });
    const model = d.sequential([d.dense(6, { inputShape }), layer()]);
    scramble(model);
    await agrees(model);
    return (await opsOf(model)) as string[];
  }
  let count = 0;

  test("are exported by the ops that they are written in", async () => {
    const swiglu = d.defineLayer({
      type: "onnxSwiglu",
      options: { units: 8 },
      parameters: (shape, { units }) => {
        const n = shape.at(-1)!;
        return { gate: [n, units], value: [n, units], scale: [units], all: [1] };
      },
      call: (x, { gate, value, scale, all }, ops) =>
        ops.add(ops.multiply(ops.multiply(ops.silu(ops.matmul(x, gate)), ops.matmul(x, value)), scale), all),
    });
    const model = d.sequential([swiglu({ inputShape: [5] }), d.dense(3)]);
    scramble(model);
    await agrees(model);
    const deep = d.sequential([d.conv2d(5, 2, { inputShape: [4, 4, 2] }), swiglu(), d.conv2d(2, 2)]);
    scramble(any(deep));
    await agrees(any(deep));
  });

  const positive = (x: d.Value, ops: d.Ops) => ops.add(ops.abs(x), 0.1);
  const CALLS: Record<string, (x: d.Value, ops: d.Ops) => d.Value> = {
    arithmetic: (x, ops) => ops.divide(ops.subtract(ops.multiply(x, 3), ops.add(1, x)), positive(x, ops)),
    "with lists of numbers": (x, ops) => ops.multiply(ops.add(x, [1, 2, 3, 4, 5, 6]), [[2], [1], [0], [-1]]),
    "with lists of numbers, one axis fewer": (x, ops) =>
      ops.add(ops.multiply([[1], [2], [3], [4]], x), ops.subtract(1, x)),
    powers: (x, ops) => ops.add(ops.pow(x, 2), ops.add(ops.pow(positive(x, ops), 1.5), ops.pow(2, x))),
    comparisons: (x, ops) =>
      [ops.greater, ops.greaterEqual, ops.less, ops.lessEqual, ops.equal, ops.notEqual].reduce(
        (sum: d.Value, op, i) => ops.add(ops.multiply(sum, 2), op(x, i - 2.5)),
        ops.maximum(x, ops.minimum(0.5, x)),
      ),
    functions: (x, ops) =>
      [ops.exp, ops.sin, ops.cos, ops.abs, ops.sign, ops.negate, (v: d.Value) => ops.log(positive(v, ops))].reduce(
        (sum: d.Value, op) => ops.add(sum, op(x)),
        ops.sqrt(positive(x, ops)),
      ),
    choices: (x, ops) => ops.where(ops.greater(x, 0), ops.clip(x, -0.5, 0.5), ops.clip(x, -1, x)),
    sums: (x, ops) => ops.add(ops.sum(x, -1, true), ops.add(ops.mean(x, [1, 2], true), ops.max(x, 1, true))),
    "sums that lose axes": (x, ops) => ops.add(ops.sum(x, 1), ops.min(x, 1)),
    "products of matrices": (x, ops) => ops.matmul(ops.matmul(x, ops.transpose(x, [0, 2, 1])), x),
    "products with vectors": (x, ops) =>
      ops.matmul(
        x,
        ops.reshape(ops.slice(ops.add(ops.multiply(x, 0), [1, 2, 3, 4, 5, 6]), [0, 0], [-1, 1]), [-1, 6, 1]),
      ),
    parts: (x, ops) =>
      ops.concat(
        [ops.slice(x, [0, 1], [-1, 2]), ops.slice(x, [0, 0, 0], [-1, -1, 3]) && ops.slice(x, [0, 0], [-1, 2])],
        1,
      ),
    "parts side by side": (x, ops) => ops.concat([ops.slice(x, [0, 0, 1], [-1, -1, 2]), ops.slice(x, [0, 0, -2])]),
    "numbered entries": (x, ops) => ops.gather(x, [2, 0, 1, 1], 1),
    "entries by computed numbers": (x, ops) => ops.gather(ops.sum(x, [0, 1]), ops.multiply(x, 5)),
    shapes: (x, ops) => ops.reshape(ops.transpose(ops.reshape(x, [x.shape[0]! * 4, 2, 3]), [0, 2, 1]), [-1, 4, 6]),
    activations: (x, ops) =>
      [ops.relu, ops.leakyRelu, ops.elu, ops.selu, ops.gelu, ops.silu, ops.sigmoid, ops.tanh, ops.softplus].reduce(
        (sum: d.Value, op) => ops.add(sum, op(x)),
        ops.stopGradient(x),
      ),
    "softmax along axes": (x, ops) => ops.add(ops.softmax(x, 1), ops.logSoftmax(x)),
  };
  test.each(Object.entries(CALLS).filter(([name]) => name !== "entries by computed numbers"))("%s", async (_, call) => {
    await tried((x, _p, ops) => call(x, ops));
  });

  test("entries of a table by computed numbers: they are cut", async () => {
    const layer = d.defineLayer({
      type: "onnxTable",
      parameters: () => ({ table: [3, 2] }),
      call: (x, { table }, ops) => ops.gather(table, ops.multiply(x, 4)),
    });
    const model = d.sequential([d.dense(5, { inputShape: [4] }), layer()]);
    scramble(model);
    await agrees(model);
  });

  test("a parameter that is repeated for each example", async () => {
    const layer = d.defineLayer({
      type: "onnxHeads",
      parameters: () => ({ kernel: [3, 6, 2] }),
      // [n, 1, 4, 6]·[3, 6, 2]: of the parameter there is one for each example
      call: (x, { kernel }, ops) => ops.matmul(ops.reshape(x, [-1, 1, 4, 6]), kernel),
    });
    const model = d.sequential([d.dense(6, { inputShape: [4, 6] }), layer()]);
    scramble(model);
    await agrees(model);
  });

  test("on images, where channels come first", async () => {
    const layer = d.defineLayer({
      type: "onnxImages",
      parameters: ([, , c]) => ({ scale: [1, 1, c!] }),
      call: (x, { scale }, ops) => {
        const padded = ops.concat([x, ops.slice(x, [0, 1, 1], [-1, 1, -1]) && ops.slice(x, [0, 1], [-1, 1])], 1);
        return ops.concat([ops.multiply(padded, scale), ops.slice(padded, [0, 0, 0, 1], [-1, -1, -1, 2])]);
      },
    });
    const model = d.sequential([d.conv2d(4, 2, { inputShape: [4, 4, 2] }), layer(), d.conv2d(2, 2)]);
    scramble(model);
    await agrees(model);
    expect((await opsOf(model)).filter((op) => op === "Transpose")).toHaveLength(2);
  });

  test("that need the number of examples are refused, by name", async () => {
    const make = (call: (x: d.Value, ops: d.Ops) => d.Value) => {
      const layer = d.defineLayer({ type: `onnxBatch${count++}`, call: (x, _p, ops) => call(x, ops) });
      return any(d.sequential([layer({ name: "mixing", inputShape: [4] })]));
    };
    const scaled = make((x, ops) => ops.subtract(x, ops.mean(x, 0)));
    await rejected(
      "argument",
      d.exportOnnx(scaled),
      /^exportOnnx: mixing: expected ops that are the same .*, got "affine"$/,
    );
    const looped = make((x, ops) => (x.shape[0]! > 2 ? ops.exp(x) : x));
    await rejected("argument", d.exportOnnx(looped), /^exportOnnx: mixing: expected ops that are the same/);
    const shifted = make((x, ops) => ops.add(x, ops.slice(x, [0], [1])));
    await rejected("argument", d.exportOnnx(shifted), /^exportOnnx: mixing: slice: expected all examples/);
    const squared = make((x, ops) => ops.matmul(ops.matmul(x, ops.transpose(x)), x));
    expect((await d.exportOnnx(squared)).length).toBeGreaterThan(0); // products do not mind
  });
});

describe("options", () => {
  test("softmax: of all outputs, or of some", async () => {
    const model = mlp();
    const feeds = inputsFor(model, 4);
    const logits = predicted(model, feeds)["dense_2"]!;
    const { dense_2: found } = await run(await d.exportOnnx(model, { softmax: true }), feeds);
    const expected = new Float32Array(12);
    for (let row = 0; row < 4; row++) {
      const e = [0, 1, 2].map((j) => Math.exp(logits.data[3 * row + j]!));
      e.forEach((v, j) => {
        expected[3 * row + j] = v / (e[0]! + e[1]! + e[2]!);
      });
    }
    expect(distance({ data: expected, shape: [4, 3] }, found!)).toBeLessThan(TOLERANCE);

    const x = d.input([4]);
    const heads = d.functional({ inputs: x, outputs: { a: d.dense(3)(x), b: d.dense(1)(x) } });
    expect((await opsOf(any(heads), { softmax: ["a"] })).filter((op) => op === "Softmax")).toHaveLength(1);
    expect(await opsOf(any(heads), { softmax: false })).toEqual(["Gemm", "Gemm"]);
    await rejected(
      "argument",
      d.exportOnnx(any(heads), { softmax: true }),
      /softmax of b: expected at least two logits, got one/,
    );
    await rejected(
      "argument",
      d.exportOnnx(any(heads), { softmax: ["c"] }),
      /softmax: expected names of "a", "b", got "c"/,
    );
    const done = d.sequential([d.dense(3, { inputShape: [4], activation: "softmax" })]);
    await rejected(
      "argument",
      d.exportOnnx(any(done), { softmax: true }),
      /expected logits, got what softmax\(\) made/,
    );
  });

  test("inputType: bytes of images as they are", async () => {
    const model = cnn();
    const bytes = await d.exportOnnx(model, { inputType: "uint8" });
    for (const n of [1, 3]) {
      const feeds = inputsFor(model, n, any(bytesOf));
      const expected = predicted(model, feeds)["dense_2"]!;
      const found = await run(bytes, feeds, { input_1: "uint8" });
      expect(distance(expected, found["dense_2"]!)).toBeLessThan(TOLERANCE);
    }
    const named = await d.exportOnnx(model, { inputType: { input_1: "uint8" } });
    expect(named).toEqual(bytes);
    await rejected(
      "argument",
      d.exportOnnx(model, { inputType: { x: "uint8" } }),
      /inputType: expected names of "input_1", got "x"/,
    );
    await rejected(
      "argument",
      d.exportOnnx(model, { inputType: any("float64") }),
      /inputType must be "float32" or "uint8"/,
    );
  });

  test.each([18, 19, 20, 21, 22, 23, 24, 25, 26])("opset %d", async (opset) => {
    const model = d.sequential([
      d.conv2d(8, 3, { inputShape: [8, 8, 2] }),
      d.groupNorm(2),
      d.gelu(),
      d.averagePool2d(3, { strides: 2, padding: "same" }),
      d.upSampling2d(2),
      d.zeroPadding2d(1),
      d.batchNorm(),
      d.gelu({ approximate: true }),
      d.maxPool2d(2),
      d.reshape([4, -1]),
      d.layerNorm(),
      d.multiHeadAttention(2, 3, { causal: true }),
      d.lstm(6, { returnSequences: true }),
      d.gru(6),
      d.softplus(),
      d.dense(3),
    ]);
    scramble(model);
    await agrees(model, { opset });
    const { opsetImport, irVersion } = readModel(await d.exportOnnx(model, { opset }));
    expect(opsetImport).toEqual([{ domain: "", version: opset }]);
    // as onnx.helper.VERSION_TABLE has it
    expect(irVersion).toBe([8, 9, 9, 10, 10, 11, 12, 13, 13][opset - 18]);
  });

  test("what the file says of itself", async () => {
    const model = d.sequential([d.dense(3, { inputShape: [4] })], { name: "iris" });
    model.metadata["species"] = "setosa, versicolor, virginica";
    model.metadata["data"] = "iris.csv";
    const file = readModel(await d.exportOnnx(model));
    expect(file).toMatchObject({
      irVersion: 9,
      producerName: "downhill",
      producerVersion: version,
      opsetImport: [{ version: 20 }],
      metadataProps: [
        { key: "data", value: "iris.csv" },
        { key: "species", value: "setosa, versicolor, virginica" },
      ],
    });
    const { name, input, output, initializer } = file.graph!;
    const shape = (size: number) => ({
      tensorType: { elemType: 1, shape: { dim: [{ dimParam: "batch" }, { dimValue: size }] } },
    });
    expect(name).toBe("iris");
    expect(input).toEqual([{ name: "input_1", type: shape(4) }]);
    expect(output).toEqual([{ name: "dense_1", type: shape(3) }]);
    expect(initializer.every(({ rawData, floatData }) => rawData && !floatData.length)).toBe(true);
    expect((await graphOf(model, { name: "flowers" })).name).toBe("flowers");
  });

  test("target: a path, written at once or not at all; a function; an object", async () => {
    const model = any(mlp());
    const folder = mkdtempSync(join(tmpdir(), "onnx-"));
    try {
      const path = join(folder, "model.onnx");
      const bytes = await d.exportOnnx(model, { target: path });
      expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
      expect(readdirSync(folder)).toEqual(["model.onnx"]);
      const given: Uint8Array[] = [];
      await d.exportOnnx(model, { target: (b) => given.push(b) });
      await d.exportOnnx(model, { target: { save: async (b) => given.push(b) } });
      expect(given).toEqual([bytes, bytes]);
      await rejected("data", d.exportOnnx(model, { target: join(folder, "none", "model.onnx") }), /cannot write/);
      expect(readdirSync(folder)).toEqual(["model.onnx"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("that are wrong are refused", async () => {
    const model = any(mlp());
    await rejected("argument", d.exportOnnx(any("model")), /^exportOnnx: expected a model, got "model"$/);
    await rejected("argument", d.exportOnnx(model, any("model.onnx")), /options as an object/);
    await rejected("argument", d.exportOnnx(model, any({ opsets: 20 })), /did you mean opset/);
    await rejected("argument", d.exportOnnx(model, any({ target: 5 })), /target as a path/);
    await rejected("argument", d.exportOnnx(model, any({ softmax: "yes" })), /softmax must be/);
    for (const opset of [17, 27, 20.5, "20"])
      await rejected("argument", d.exportOnnx(model, any({ opset })), /18 … 26/);
    model.dispose();
    await rejected("state", d.exportOnnx(model), /disposed/);
  });
});
