// Pooling, upsampling and padding as layers; their numbers are held against PyTorch's in test/oracle/pooling.test.ts.

import { describe, expect, it, test } from "vitest";
import {
  adam,
  averagePool2d,
  conv2d,
  dense,
  digits,
  flatten,
  functional,
  globalAveragePool2d,
  globalMaxPool2d,
  input,
  type Layer,
  l2,
  loadModel,
  type Model,
  maxPool2d,
  meanSquaredError,
  type NDArray,
  relu,
  reshape,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  upSampling2d,
  zeroPadding2d,
} from "../../ts/index";
import { any, floats, thrown } from "../support/contract";

const outShape = (layer: Layer, ...shape: number[]) => layer(input(shape)).shape;

test("sizes of outputs", () => {
  for (const pool of [maxPool2d, averagePool2d]) {
    expect(outShape(pool(2), 11, 8, 3)).toEqual([5, 4, 3]);
    expect(outShape(pool(2, { padding: "same" }), 11, 8, 3)).toEqual([6, 4, 3]);
    expect(outShape(pool([3, 2], { strides: [1, 3] }), 11, 8, 3)).toEqual([9, 3, 3]);
    expect(outShape(pool(3, { strides: 2, padding: "same" }), 11, 8, 3)).toEqual([6, 4, 3]);
    expect(outShape(pool(20, { padding: "same" }), 11, 8, 3)).toEqual([1, 1, 3]);
  }
  expect(outShape(globalAveragePool2d(), 11, 8, 3)).toEqual([3]);
  expect(outShape(globalMaxPool2d(), 11, 8, 3)).toEqual([3]);
  expect(outShape(upSampling2d(3), 2, 5, 4)).toEqual([6, 15, 4]);
  expect(outShape(upSampling2d([1, 2]), 2, 5, 4)).toEqual([2, 10, 4]);
  expect(outShape(zeroPadding2d(0), 2, 5, 4)).toEqual([2, 5, 4]);
  expect(outShape(zeroPadding2d(2), 2, 5, 4)).toEqual([6, 9, 4]);
  expect(outShape(zeroPadding2d([1, 3]), 2, 5, 4)).toEqual([4, 11, 4]);
  const all = zeroPadding2d([
    [1, 2],
    [3, 4],
  ]);
  expect(outShape(all, 2, 5, 4)).toEqual([5, 12, 4]);
});

test("shapes that do not fit", () => {
  const images = "expected input of shape [n, h, w, c], got [n, 4, 4]";
  for (const [name, layer] of Object.entries({
    maxPool2d: maxPool2d(2),
    averagePool2d: averagePool2d(2),
    globalAveragePool2d: globalAveragePool2d(),
    globalMaxPool2d: globalMaxPool2d(),
    upSampling2d: upSampling2d(2),
    zeroPadding2d: zeroPadding2d(1),
  }))
    thrown("shape", () => outShape(layer, 4, 4), `${name}: ${images}`);
  for (const pool of [maxPool2d, averagePool2d])
    thrown(
      "shape",
      () => outShape(pool([2, 5], { name: "p" }), 8, 4, 1),
      "p: expected a window no larger than the input, [8, 4], got [2, 5]",
    );
});

test("options that are none", () => {
  for (const make of [
    () => maxPool2d(any(undefined)),
    () => maxPool2d(0),
    () => maxPool2d(any("2")),
    () => maxPool2d(any([2])),
    () => maxPool2d(2, { strides: 0 }),
    () => maxPool2d(2, { padding: any("SAME") }),
    () => averagePool2d(1.5),
    () => averagePool2d(2, any({ dilationRate: 2 })),
    () => globalAveragePool2d(any({ poolSize: 2 })),
    () => globalMaxPool2d(any(2)),
    () => upSampling2d(any([2, 2, 2])),
    () => upSampling2d(2, { interpolation: any("cubic") }),
    () => zeroPadding2d(-1),
    () => zeroPadding2d(any([1])),
    () => zeroPadding2d(any([[1, 2], 3])),
    () => zeroPadding2d(any([[1, 2, 3], [1, 2]])), // biome-ignore format: one line
    () => zeroPadding2d(any("same")),
  ])
    thrown("argument", make, /^(maxPool2d|averagePool2d|global(Max|Average)Pool2d|upSampling2d|zeroPadding2d): /);
  thrown(
    "argument",
    () => zeroPadding2d(any([0.5, 1])),
    "zeroPadding2d: padding must be an integer ≥ 0, a pair of them, or [[top, bottom], [left, right]], got [0.5, 1]",
  );
});

test("lists given later changed do not change the layer", () => {
  const [size, top] = [[2, 2] as [number, number], [1, 1] as [number, number]];
  const layers = [maxPool2d(size, { strides: size }), zeroPadding2d([top, [0, 0]]), upSampling2d(size)];
  size[0] = 3;
  top[0] = 4;
  expect(layers.map((layer) => outShape(layer, 8, 8, 1))).toEqual([
    [4, 4, 1],
    [10, 8, 1],
    [16, 16, 1],
  ]);
});

const images: NDArray = { data: floats(6 * 9 * 7 * 4), shape: [6, 9, 7, 4] };

describe("a ReLU that others read too", () => {
  /** conv → ReLU → max pool, and the ReLU's output through a head of its own; or the pool's argument made anew. */
  function model(shared: boolean): Model {
    setSeed(3);
    const x = input([9, 7, 4]);
    const h = conv2d(5, 3, { name: "c" })(x);
    const active = relu()(h);
    const pooled = maxPool2d(2)(shared ? active : upSampling2d(1)(active));
    const joined = [globalAveragePool2d()(active), flatten()(pooled)].map((v, i) => dense(3, { name: `d${i}` })(v));
    const made = functional({ inputs: x, outputs: joined });
    made.compile(any({ optimizer: sgd(), loss: [meanSquaredError(), meanSquaredError()] }));
    return any(made);
  }

  it("has the same gradients", () => {
    using shared = model(true);
    using apart = model(false);
    const y = [1, 2].map((seed) => ({ data: floats(18, seed), shape: [6, 3] }));
    const [a, b] = [shared, apart].map((m) => m.gradients(any(images), any(y)));
    expect(a!.loss).toBe(b!.loss);
    expect(Object.keys(a!.parameters)).toEqual(Object.keys(b!.parameters));
    for (const [key, { data }] of Object.entries(a!.parameters)) {
      const other = b!.parameters[key]!.data;
      data.forEach((v, i) => {
        expect(v).toBeCloseTo(other[i]!, 6);
      });
    }
  });

  it("has its penalty and its output", () => {
    setSeed(3);
    const layers = () => [
      conv2d(5, 3, { activation: "relu", activityRegularizer: l2(0.1), inputShape: [9, 7, 4] }),
      maxPool2d(3, { strides: 1 }),
    ];
    using model = sequential([...layers(), flatten(), dense(3)]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const { penalty } = model.testOnBatch(images, { data: floats(18), shape: [6, 3] });
    using first = sequential([layers()[0]!]);
    first.setWeights({
      "conv2d_1/kernel": model.getWeights()["conv2d_1/kernel"]!,
      "conv2d_1/bias": model.getWeights()["conv2d_1/bias"]!,
    });
    const squares = first.predict(images).data.reduce((sum, v) => sum + v * v, 0);
    expect(penalty).toBeCloseTo((0.05 * squares) / 6, 4);
  });
});

test("a file has the layers as they were", async () => {
  using model = sequential([
    zeroPadding2d([[1, 0], [2, 3]], { inputShape: [9, 7, 4] }), // biome-ignore format: one line
    maxPool2d([2, 3], { strides: 1, padding: "same" }),
    averagePool2d(3, { strides: [1, 2] }),
    upSampling2d([2, 1]),
    conv2d(6, 3, { activation: "relu" }),
    maxPool2d(2),
    reshape([-1, 1, 6]),
    globalMaxPool2d(),
    dense(2),
  ]);
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  const y: NDArray = { data: floats(12), shape: [6, 2] };
  model.trainOnBatch(images, y);
  const bytes = await saveModel(model as Model);
  const loaded = (await loadModel(bytes)) as Model<NDArray>;
  expect(loaded.config).toEqual(model.config);
  expect(await saveModel(loaded as Model)).toEqual(bytes);
  expect(loaded.predict(images)).toEqual(model.predict(images));
  expect(loaded.trainOnBatch(images, y)).toEqual(model.trainOnBatch(images, y));
});

test("a small net with pooling learns digits", async () => {
  setSeed(0);
  const { train, test } = digits();
  using model = sequential([
    reshape([8, 8, 1], { inputShape: train.x.shape.slice(1) }),
    conv2d(16, 3, { padding: "same", activation: "relu" }),
    maxPool2d(2),
    conv2d(32, 3, { padding: "same", activation: "relu" }),
    globalAveragePool2d(),
    dense(10),
  ]);
  model.compile({ optimizer: adam({ learningRate: 1e-2 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  await model.fit(train, { epochs: 12, batchSize: 32 });
  expect((await model.evaluate(test))["accuracy"]).toBeGreaterThan(0.9);
});
