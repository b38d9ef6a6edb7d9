// Layers with convolutions; their numbers are held against PyTorch's in test/oracle/convolution.test.ts.

import { afterAll, expect, test } from "vitest";
import {
  adam,
  batchNorm,
  conv1d,
  conv2d,
  conv2dTranspose,
  dense,
  depthwiseConv2d,
  digits,
  explain,
  flatten,
  functional,
  glorotUniform,
  init,
  input,
  type Layer,
  l2,
  loadModel,
  type Model,
  maxNorm,
  maxPool2d,
  meanSquaredError,
  type NDArray,
  relu,
  reshape,
  saveModel,
  separableConv2d,
  sequential,
  setSeed,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import "../support/builds"; // Node 20 gets its relaxed SIMD
import { any, floats, thrown } from "../support/contract";
import "../support/everyTeam";

afterAll(() => init());

const shapes = (model: { getWeights(): Record<string, NDArray> }) =>
  Object.fromEntries(Object.entries(model.getWeights()).map(([key, { shape }]) => [key, shape]));

const outShape = (layer: Layer, ...shape: number[]) => layer(input(shape)).shape;

test("names and shapes of the parameters", () => {
  using model = sequential([
    conv2d(12, [3, 2], { groups: 2, inputShape: [9, 8, 4] }),
    depthwiseConv2d(3, { depthMultiplier: 2 }),
    separableConv2d(6, 2, { depthMultiplier: 3 }),
    conv2dTranspose(5, [2, 4]),
    conv2d(2, 1, { useBias: false }),
    reshape([-1, 2]),
    conv1d(4, 3, { groups: 2 }),
  ]);
  expect(shapes(model)).toEqual({
    "conv2d_1/kernel": [3, 2, 2, 12],
    "conv2d_1/bias": [12],
    "depthwiseConv2d_1/kernel": [3, 3, 12, 2],
    "depthwiseConv2d_1/bias": [24],
    "separableConv2d_1/depthwiseKernel": [2, 2, 24, 3],
    "separableConv2d_1/pointwiseKernel": [1, 1, 72, 6],
    "separableConv2d_1/bias": [6],
    "conv2dTranspose_1/kernel": [2, 4, 5, 6],
    "conv2dTranspose_1/bias": [5],
    "conv2d_2/kernel": [1, 1, 5, 2],
    "conv1d_1/kernel": [3, 1, 4],
    "conv1d_1/bias": [4],
  });
});

test("configs have their defaults", () => {
  expect(conv2d(8, 3).config).toMatchObject({
    ...{ type: "conv2d", filters: 8, kernelSize: 3, strides: 1, padding: "valid", dilationRate: 1, groups: 1 },
    ...{ useBias: true, kernelInitializer: { type: "glorotUniform" }, biasInitializer: { type: "zeros" } },
  });
  expect(conv1d(8, 3, { strides: 2 }).config).toMatchObject({ type: "conv1d", strides: 2, groups: 1 });
  expect(depthwiseConv2d([3, 1]).config).toMatchObject({ kernelSize: [3, 1], depthMultiplier: 1 });
});

test("sizes of outputs: valid and same, strides and dilation", () => {
  for (const [options, h, w] of [
    [{}, 8, 5],
    [{ padding: "same" }, 10, 7],
    [{ strides: 2 }, 4, 3],
    [{ strides: [3, 1], padding: "same" }, 4, 7],
    [{ dilationRate: 2 }, 6, 3],
    [{ dilationRate: [1, 3], strides: 2 }, 4, 1],
  ] as const) {
    expect(outShape(conv2d(5, 3, options), 10, 7, 2)).toEqual([h, w, 5]);
    expect(outShape(depthwiseConv2d(3, options), 10, 7, 2)).toEqual([h, w, 2]);
    expect(outShape(separableConv2d(5, 3, options), 10, 7, 2)).toEqual([h, w, 5]);
  }
  expect(outShape(conv1d(5, 4, { strides: 2 }), 11, 3)).toEqual([4, 5]);
  expect(outShape(conv1d(5, 4, { strides: 2, padding: "same" }), 11, 3)).toEqual([6, 5]);
});

// Keras's deconv_output_length
test.each([
  [{}, 7, 6],
  [{ strides: 2 }, 11, 9],
  [{ strides: 2, padding: "same" }, 10, 8],
  [{ strides: [4, 5] }, 20, 20], // windows that do not touch
  [{ dilationRate: 2 }, 9, 8],
] as const)("a transposed convolution of 3 × 3, %o, makes [5, 4] [%i, %i]", (options, h, w) => {
  expect(outShape(conv2dTranspose(2, 3, options), 5, 4, 3)).toEqual([h, w, 2]);
});

test("glorotUniform of a kernel: fans are the receptive field times channels, as Keras has them", () => {
  setSeed(1);
  const largest = (layer: Layer) => {
    using model = sequential([layer]);
    const [kernel] = Object.values(model.getWeights()) as [NDArray];
    return Math.max(...kernel.data.map(Math.abs));
  };
  const inputShape = [8, 8, 16];
  for (const [layer, fanIn, fanOut] of [
    [conv2d(32, 3, { inputShape }), 9 * 16, 9 * 32],
    [conv2d(32, 3, { groups: 4, inputShape }), 9 * 4, 9 * 32],
    [depthwiseConv2d(3, { depthMultiplier: 8, inputShape }), 9 * 16, 9 * 8],
    [conv2dTranspose(32, 3, { inputShape }), 9 * 32, 9 * 16],
  ] as const) {
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    expect(largest(layer)).toBeLessThanOrEqual(limit);
    expect(largest(layer)).toBeGreaterThan(0.97 * limit);
  }
});

test("shapes that do not fit", () => {
  const called =
    (layer: Layer, ...shape: number[]) =>
    () =>
      layer(input(shape));
  thrown("shape", called(conv2d(2, 3), 4, 4), "conv2d: expected input of shape [n, h, w, c], got [n, 4, 4]");
  thrown("shape", called(conv2d(2, 3), 2, 4, 1), /conv2d: .* window .* input, \[2, 4\], got \[3, 3\]/);
  thrown("shape", called(conv2d(2, 2, { dilationRate: 4 }), 4, 9, 1), /window .* input, \[4, 9\], got \[5, 5\]/);
  thrown("shape", called(conv2d(4, 3, { groups: 2 }), 5, 5, 3), /conv2d: .* divisible by groups \(2\), got 3/);
  thrown("shape", called(conv2d(3, 3, { groups: 2, name: "c" }), 5, 5, 4), /c: .* divisible by groups \(2\), got 3/);
  thrown("shape", called(conv1d(2, 3), 4, 4, 1), "conv1d: expected input of shape [n, t, c], got [n, 4, 4, 1]");
  thrown("shape", called(conv1d(2, 5), 4, 1), "conv1d: expected a window no larger than the input, 4, got 5");
  thrown("shape", called(conv1d(2, 3, { dilationRate: 2 }), 4, 1), /no larger than the input, 4, got 5/);
  thrown("shape", called(conv1d(2, 3, { groups: 2 }), 8, 3), /divisible by groups/);
  thrown("shape", called(depthwiseConv2d(3), 2, 2, 1), /depthwiseConv2d: .* window/);
  thrown(
    "shape",
    called(depthwiseConv2d(3), 9),
    /depthwiseConv2d: expected input of shape \[n, h, w, c\], got \[n, 9\]/,
  );
  thrown("shape", called(separableConv2d(3, 3), 2, 2, 1), /separableConv2d: .* window/);
  thrown("shape", called(conv2dTranspose(3, 3), 2, 2), /conv2dTranspose: expected input of shape \[n, h, w, c\]/);
  // the parameters are those of the first call
  const shared = conv2d(2, 3, { name: "shared" });
  const x = input([9, 9, 3]);
  const twice = () => functional({ inputs: x, outputs: shared(shared(x)) });
  thrown("shape", twice, "shared: expected input of shape [n, h, w, 3], got [n, 7, 7, 2]");
});

test("options that are none", () => {
  for (const make of [
    () => conv2d(any(0), 3),
    () => conv2d(any("8"), 3),
    () => conv2d(8, any(0)),
    () => conv2d(8, any([3])),
    () => conv2d(8, any([3, 3, 3])),
    () => conv2d(8, any([3, 0.5])),
    () => conv2d(8, 3, { strides: any(-1) }),
    () => conv2d(8, 3, { padding: any("SAME") }),
    () => conv2d(8, 3, { padding: any(1) }),
    () => conv2d(8, 3, { dilationRate: any([2]) }),
    () => conv2d(8, 3, { groups: any([1, 1]) }),
    () => conv2d(8, 3, any({ dilation: 2 })),
    () => conv2d(8, 3, { dilationRate: 2 ** 32 }), // beyond what the core counts with
    () => conv1d(8, any([3])),
    () => conv1d(8, 3, { strides: any([2, 2]) }),
    () => depthwiseConv2d(3, { depthMultiplier: 0 }),
    () => depthwiseConv2d(3, any({ groups: 2 })),
    () => separableConv2d(8, 3, any({ filters: 3 })),
    () => conv2dTranspose(8, 3, any({ groups: 2 })),
  ])
    thrown("argument", make, /^(conv1d|conv2d|depthwiseConv2d|separableConv2d|conv2dTranspose): /);
  thrown(
    "argument",
    () => conv2d(8, 3, { strides: any("2") }),
    'conv2d: strides must be a positive integer or a pair of them, got the string "2"',
  );
});

/** With every layer of the family. */
function everything(): Model<NDArray> {
  setSeed(4);
  const model = sequential([
    conv2d(16, 3, { padding: "same", activation: "relu", kernelRegularizer: l2(1e-3), inputShape: [12, 11, 3] }),
    depthwiseConv2d(3, { strides: 2, padding: "same", depthMultiplier: 2 }),
    batchNorm(),
    relu(),
    separableConv2d(24, 3, { dilationRate: 2, padding: "same", kernelConstraint: maxNorm() }),
    conv2d(20, 3, { groups: 4, strides: 2, kernelInitializer: glorotUniform() }),
    conv2dTranspose(6, 3, { strides: 2, padding: "same", activation: "tanh" }),
    reshape([-1, 6]),
    conv1d(9, 5, { strides: 2, activation: "relu", biasRegularizer: l2(0.1) }),
    flatten(),
    dense(5),
  ]);
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  return model;
}

test("steps have the same bits on 1, 2 and 3 threads, and after a file", async () => {
  const x: NDArray = { data: floats(37 * 12 * 11 * 3), shape: [37, 12, 11, 3] };
  const y: NDArray = { data: floats(37 * 5, 2), shape: [37, 5] };
  const hashes: string[] = [];
  const losses: number[] = [];
  for (const threads of [1, 2, 3]) {
    const runtime = await init({ threads });
    const model = everything();
    for (let i = 0; i < 3; i++) losses.push(model.trainOnBatch(x, y).loss);
    const bytes = await saveModel(model as Model);
    const loaded = (await loadModel(bytes, { runtime })) as Model<NDArray>;
    expect(await saveModel(loaded as Model)).toEqual(bytes);
    expect(loaded.predict(x)).toEqual(model.predict(x));
    for (const m of [model, loaded]) m.trainOnBatch(x, y);
    hashes.push(await weightsHash(model as Model), await weightsHash(loaded as Model));
    runtime.dispose();
  }
  expect(new Set(hashes).size).toBe(1);
  expect(losses[2]!).toBeLessThan(losses[0]!);
});

test("a small net of convolutions learns digits", async () => {
  setSeed(0);
  const { train, test } = digits();
  using model = sequential([
    reshape([8, 8, 1], { inputShape: train.x.shape.slice(1) }),
    conv2d(16, 3, { padding: "same", activation: "relu" }),
    conv2d(32, 3, { strides: 2, padding: "same", activation: "relu" }),
    separableConv2d(32, 3, { activation: "relu" }),
    flatten(),
    dense(10),
  ]);
  model.compile({ optimizer: adam({ learningRate: 5e-3 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  await model.fit(train, { epochs: 10, batchSize: 32 });
  expect((await model.evaluate(test))["accuracy"]).toBeGreaterThan(0.95);
});

/** A net whose convolutions have a ReLU and a 2×2 pooling behind them. */
function pooled(algorithm?: "auto" | "direct" | "winograd2" | "winograd4"): Model<NDArray> {
  setSeed(3);
  const model = sequential([
    conv2d(8, 3, { ...(algorithm && { algorithm }), padding: "same", activation: "relu", inputShape: [12, 10, 8] }),
    maxPool2d(2),
    conv2d(12, 3, { ...(algorithm && { algorithm }), activation: "relu" }),
    maxPool2d(2),
    flatten(),
    dense(2),
  ]);
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  return model;
}

test("`algorithm` is how sums are computed, not what they are", async () => {
  const x: NDArray = { data: floats(9 * 12 * 10 * 8), shape: [9, 12, 10, 8] };
  const y: NDArray = { data: floats(9 * 2, 2), shape: [9, 2] };
  const results = new Map<string, number[]>();
  for (const algorithm of [undefined, "auto", "direct", "winograd2", "winograd4"] as const) {
    const hashes = new Set<string>();
    for (const threads of [1, 2, 3]) {
      const runtime = await init({ threads });
      const model = pooled(algorithm);
      const losses = [1, 2, 3].map(() => model.trainOnBatch(x, y).loss);
      const predicted = model.predict(x);
      results.set(`${algorithm}`, [...losses, ...predicted.data]);
      const one = model.predict({ data: x.data.slice(0, 12 * 10 * 8), shape: [1, 12, 10, 8] });
      expect(one.data).toEqual(predicted.data.slice(0, 2)); // whatever the batch
      const loaded = (await loadModel(await saveModel(model as Model), { runtime })) as Model<NDArray>;
      expect(loaded.predict(x)).toEqual(predicted);
      hashes.add(await weightsHash(model as Model));
      runtime.dispose();
    }
    expect(hashes.size).toBe(1);
  }
  const direct = results.get("direct")!;
  expect(results.get("auto")).toEqual(results.get("undefined"));
  for (const [algorithm, tolerance] of [
    ["auto", 1e-5],
    ["winograd2", 1e-5],
    ["winograd4", 1e-4],
  ] as const) {
    const got = results.get(algorithm)!;
    expect(got).not.toEqual(direct);
    expect(Math.max(...got.map((v, i) => Math.abs(v - direct[i]!)))).toBeLessThan(tolerance);
  }
  thrown("argument", () => conv2d(8, 3, { algorithm: "fft" as "auto" }), /"auto" or "direct" or "winograd2" or/);
});

test.each([
  [false, 16, "winograd2"],
  [true, 16, "winograd4"],
  [true, 9, "winograd2"], // tiles of 4×4 would lie far beyond it
] as const)("`auto` with fastMath %s, images of %i: %s", async (fastMath, side, algorithm) => {
  const runtime = await init({ fastMath });
  const x: NDArray = { data: floats(3 * side * side * 8), shape: [3, side, side, 8] };
  const of = (named: "auto" | "direct" | "winograd2" | "winograd4") => {
    setSeed(4);
    const layer = conv2d(8, 3, { padding: "same", inputShape: [side, side, 8], algorithm: named });
    return sequential([layer]).predict(x).data;
  };
  const found = of("auto");
  expect(found).toEqual(of(algorithm));
  expect(found).not.toEqual(of(algorithm === "winograd2" ? "winograd4" : "winograd2"));
  runtime.dispose();
});

/** Convolutions of each way, batch normalization behind them. `apart`: their own outputs are the model's too. */
function normalizing(apart = false): Model {
  setSeed(3);
  const x = input([16, 16, 3]);
  const convolutions = [
    conv2d(16, 3, { padding: "same" }), // few channels
    conv2d(16, 3, { padding: "same", useBias: false }), // Winograd
    conv2d(20, 3, { strides: 2 }),
    depthwiseConv2d(3, { padding: "same" }),
    conv2d(9, 1), // a product: not taken in
  ];
  const made: (typeof x)[] = [];
  let y = x;
  convolutions.forEach((convolution, i) => {
    const sums = convolution(y);
    made.push(sums);
    y = relu()(batchNorm()(sums));
    if (i === 1) y = maxPool2d(2)(y);
  });
  y = dense(3)(flatten()(y));
  return functional({ inputs: x, outputs: apart ? [y, ...made] : [y] }) as unknown as Model;
}

test("convolutions take in batch normalization at inference", async () => {
  const x: NDArray = { data: floats(7 * 16 * 16 * 3), shape: [7, 16, 16, 3] };
  const y: NDArray = { data: floats(7 * 3, 2), shape: [7, 3] };
  const predictions = new Set<string>();
  for (const threads of [1, 2, 3]) {
    const runtime = await init({ threads });
    const model = normalizing();
    model.compile({ optimizer: adam(), loss: meanSquaredError() });
    for (let step = 0; step < 5; step++) model.trainOnBatch(x, y);
    const weights = model.getWeights();
    const hash = await weightsHash(model);
    const [whole, byOne] = [256, 1].map((batchSize) => (model.predict(x, { batchSize }) as unknown as NDArray[])[0]!);
    expect(byOne).toEqual(whole);
    expect(await weightsHash(model)).toBe(hash);
    predictions.add(String([...whole!.data]));

    const apart = normalizing(true);
    apart.setWeights(weights);
    const [wanted] = apart.predict(x) as unknown as NDArray[];
    wanted!.data.forEach((v, i) => {
      expect(Math.abs(v - whole!.data[i]!)).toBeLessThan(1e-5);
    });

    const text = explain(model, { program: "predict" });
    expect(text.match(/\+ batch norm \+ relu/g)!.length).toBeGreaterThanOrEqual(3);
    expect(text).toMatch(/conv2d_2 +conv2d 3\/3 \+ batch norm \+ max pool \+ relu/);
    expect(text.match(/batchNormInference 2\/2/g)).toHaveLength(1);
    expect(explain(apart, { program: "predict" })).not.toContain("+ batch norm");
    runtime.dispose();
  }
  expect(predictions.size).toBe(1);
});

test("but not where gradients read what they make", () => {
  const model = normalizing();
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  for (const layer of model.layers) if (layer.type === "batchNorm") layer.trainable = false;
  const text = explain(model, { program: "train" });
  expect(text).toMatch(/batchNormInference 2\/2 \+ relu/);
  expect(text).not.toContain("+ batch norm");
});
