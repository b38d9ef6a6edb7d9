// Models from ONNX files that PyTorch wrote: they predict what PyTorch and onnxruntime compute.

import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { DataType, type Draft, type TensorProto } from "../../../ts/formats/onnx/messages";
import {
  batchNorm,
  conv2d,
  dense,
  flatten,
  importOnnx,
  leakyRelu,
  loadModel,
  maxPool2d,
  type NDArray,
  relu,
  saveModel,
  sequential,
  sgd,
  softmaxCrossEntropy,
  zeroPadding2d,
} from "../../../ts/index";
import { random } from "../../support/mutations";
import { floats, node, onnxFile } from "../../support/onnxFiles";

type Values = { shape: number[]; data: number[] };
const folder = new URL("fixtures/", import.meta.url);
const fileOf = (name: string) => readFileSync(new URL(`${name}.onnx`, folder));
const cases: Record<string, { inputs: Record<string, Values>; y: Values }> = JSON.parse(
  readFileSync(new URL("outputs.json", folder), "utf8"),
);

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));
};

const arraysOf = (inputs: Record<string, Values>, rows: number) =>
  Object.entries(inputs).map(([name, { shape, data }]): [string, NDArray] => [
    name,
    { data: Float32Array.from(data.slice(0, (data.length / shape[0]!) * rows)), shape: [rows, ...shape.slice(1)] },
  ]);

for (const [name, { inputs, y }] of Object.entries(cases))
  test(`${name}: as PyTorch and onnxruntime`, async () => {
    const bytes = fileOf(name);
    const model = importOnnx(bytes);
    const session = await InferenceSession.create(bytes);
    const predict = (arrays: [string, NDArray][]) =>
      model.predict((arrays.length === 1 ? arrays[0]![1] : Object.fromEntries(arrays)) as NDArray) as NDArray;
    const whole = predict(arraysOf(inputs, 2));
    expect(whole.shape).toEqual(y.shape);
    expect(largest(whole.data, y.data)).toBeLessThan(1e-5);
    for (const rows of name === "cnnFixed" ? [1] : [1, 2]) {
      const arrays = arraysOf(inputs, rows);
      const feeds = Object.fromEntries(
        arrays.map(([key, { data, shape }]) => [
          key,
          name === "words"
            ? new Tensor("int64", BigInt64Array.from(data, BigInt), shape as number[])
            : new Tensor("float32", data, shape as number[]),
        ]),
      );
      const reference = (await session.run(feeds))["y"]!;
      const mine = predict(arrays);
      expect(mine.shape).toEqual(reference.dims);
      expect(largest(mine.data, reference.data as Float32Array)).toBeLessThan(1e-5);
    }
    model.dispose();
  });

/** Numbers [n, c, h, w] as [n, h, w, c]. */
function lastChannels({ data, shape }: NDArray): NDArray {
  const [n, c, h, w] = shape as [number, number, number, number];
  const at = (i: number, k: number, p: number) => data[(i * c + k) * h * w + p]!;
  const moved = Float32Array.from(data, (_, i) => at(Math.floor(i / (c * h * w)), i % c, Math.floor(i / c) % (h * w)));
  return { data: moved, shape: [n, h, w, c] };
}

test("layers are called as PyTorch's modules, and have their parameters", () => {
  const model = importOnnx(fileOf("cnnTraining"), { name: "net" });
  expect(model.name).toBe("net");
  const weights = model.getWeights();
  expect(Object.keys(weights)).toEqual([
    ...["conv1/kernel", "bn1/gamma", "bn1/beta", "bn1/movingMean", "bn1/movingVariance"],
    ...["conv2/kernel", "conv2/bias", "bn2/gamma", "bn2/beta", "bn2/movingMean", "bn2/movingVariance"],
    ...["fc/kernel", "fc/bias"],
  ]);
  expect(weights["conv1/kernel"]!.shape).toEqual([3, 3, 2, 4]);
  expect(model.layers.map(({ type }) => type)).toEqual([
    ...["permute", "conv2d", "batchNorm", "relu", "maxPool2d", "zeroPadding2d", "conv2d", "batchNorm", "leakyRelu"],
    ...["reshape", "dense"],
  ]);
});

const byHand = () =>
  sequential([
    conv2d(4, 3, { padding: "same", useBias: false, name: "conv1", inputShape: [8, 10, 2] }),
    batchNorm({ name: "bn1" }),
    relu(),
    maxPool2d(2),
    zeroPadding2d(1),
    conv2d(6, 3, { strides: 2, name: "conv2" }),
    batchNorm({ name: "bn2" }),
    leakyRelu({ negativeSlope: 0.1 }),
    flatten(),
    dense(5, { name: "fc" }),
  ]);

test("it can be trained on: gradients are those of the same net built by hand, and the loss falls", async () => {
  const model = importOnnx(fileOf("cnnTraining"));
  const own = byHand();
  own.setWeights(model.getWeights());
  const rand = random(1);
  const x = { data: Float32Array.from({ length: 12 * 160 }, () => rand(2001) / 1000 - 1), shape: [12, 2, 8, 10] };
  const y = Int32Array.from({ length: 12 }, () => rand(5));
  const options = () => ({
    optimizer: sgd({ learningRate: 0.05 }),
    loss: softmaxCrossEntropy(),
  });
  own.compile(options());
  model.compile(options());
  const mine = model.gradients(x, y);
  const theirs = own.gradients(lastChannels(x), y);
  expect(mine.loss).toBeCloseTo(theirs.loss, 6);
  for (const [key, { data }] of Object.entries(theirs.parameters))
    expect(largest(mine.parameters[key]!.data, data), key).toBeLessThan(1e-6);
  const { epochs } = await model.fit({ x, y }, { epochs: 12, batchSize: 4 });
  expect(epochs.at(-1)!.loss).toBeLessThan(0.6 * epochs[0]!.loss!);
  expect(model.getWeights()["bn1/movingMean"]!.data).not.toEqual(own.getWeights()["bn1/movingMean"]!.data);
  const again = await loadModel(await saveModel(model));
  expect(again.predict(x)).toEqual(model.predict(x));
});

test('with layout "nhwc" images come and go as elsewhere here', () => {
  const { inputs } = cases["cnn"]!;
  const [[, x]] = arraysOf(inputs, 2) as [[string, NDArray]];
  const model = importOnnx(fileOf("cnn"), { layout: "nhwc" });
  expect(model.layers[0]!.type).toBe("conv2d");
  expect(model.predict(lastChannels(x))).toEqual(importOnnx(fileOf("cnn")).predict(x));
  const up = importOnnx(fileOf("up"), { layout: "nhwc" });
  const [[, z]] = arraysOf(cases["up"]!.inputs, 2) as [[string, NDArray]];
  expect(up.predict(lastChannels(z))).toEqual(lastChannels(importOnnx(fileOf("up")).predict(z) as NDArray));
});

test("a module that is called twice is one layer, whose gradients add up", () => {
  const model = importOnnx(fileOf("twice"));
  expect(Object.keys(model.getWeights())).toEqual(["one/kernel", "one/bias", "head/kernel", "head/bias"]);
  expect(model.getLayer("one").calls.length).toBe(2);
});

test("float16, bfloat16, double and lists of numbers become float32", () => {
  const x = Float32Array.of(1, 2, 4, 8);
  const tensors: Record<string, Omit<Draft<TensorProto>, "name">> = {
    float16: {
      dataType: DataType.float16,
      rawData: new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001).buffer),
    },
    "float16 in a list": { dataType: DataType.float16, int32Data: [0x3c00, 0xc000, 0x3555, 0x0001] },
    bfloat16: {
      dataType: DataType.bfloat16,
      rawData: new Uint8Array(Uint16Array.of(0x3f80, 0xc000, 0x3eab, 0).buffer),
    },
    double: { dataType: DataType.double, doubleData: [1, -2, 1 / 3, 0] },
    float: { dataType: DataType.float, floatData: [1, -2, 1 / 3, 0] },
  };
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = onnxFile({
      nodes: [node("MatMul", ["x", "w"], "y")],
      inputs: { x: ["n", 4] },
      constants: { w: { ...tensor, dims: [4, 1] } },
    });
    const [y] = (importOnnx(bytes).predict({ data: x, shape: [1, 4] }) as NDArray).data;
    expect(Math.abs(y! + 3 - 4 / 3), name).toBeLessThan(name === "bfloat16" ? 4e-3 : 4e-4);
  }
});

test("several outputs are a record, by the file's names", () => {
  const bytes = onnxFile({
    nodes: [node("Relu", ["a"], "x/1"), node("Add", ["a", "b"], "sum"), node("Identity", ["b"], "same")],
    inputs: { a: [1, 3], b: [1, 3] },
    outputs: ["x/1", "sum", "same"],
  });
  const rows = (...data: number[]) => ({ data: Float32Array.from(data), shape: [2, 3] });
  const y = importOnnx(bytes).predict({ a: rows(1, -2, 3, 0, 0, 0), b: rows(1, 1, 1, 2, 2, 2) } as never) as unknown;
  expect(y).toEqual({ "x.1": rows(1, 0, 3, 0, 0, 0), sum: rows(2, -1, 4, 2, 2, 2), same: rows(1, 1, 1, 2, 2, 2) });
});

test("sizes that are open are named; inputShapes gives them", () => {
  const bytes = onnxFile({
    nodes: [node("Conv", ["x", "w"], "h"), node("GlobalAveragePool", ["h"], "y")],
    inputs: { x: ["batch", 3, "height", "width"] },
    constants: { w: floats([2, 3, 3, 3]) },
  });
  expect(() => importOnnx(bytes)).toThrow(
    'importOnnx: expected sizes that are fixed, beside the batch, got input "x" of shape [batch, 3, height, width]; give the sizes of an example in the option inputShapes',
  );
  const model = importOnnx(bytes, { inputShapes: { x: [3, 9, 7] } });
  expect((model.predict({ data: new Float32Array(189), shape: [1, 3, 9, 7] }) as NDArray).shape).toEqual([1, 2, 1, 1]);
  for (const [inputShapes, text] of [
    [{ z: [3, 9, 7] }, /names of inputs \(x\), got "z"/],
    [{ x: [4, 9, 7] }, /sizes that fit \[3, height, width\], got \[4, 9, 7\]/],
    [{ x: [3, 9] }, /sizes that fit/],
    [{ x: [3, 9, 0] }, /inputShapes must be a record of shapes/],
  ] as const)
    expect(() => importOnnx(bytes, { inputShapes: inputShapes as never })).toThrow(
      expect.objectContaining({ code: "argument", message: expect.stringMatching(text) }),
    );
});
