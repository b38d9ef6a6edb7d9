// TF.js Layers models. The files and their outputs are TF.js 4.22's own: test/oracle/tfjsModels.mjs.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as d from "../../ts/index";
import { any, thrown, weightBits } from "../support/contract";

const at = (path: string) => new URL(`tfjs/${path}`, import.meta.url);
const NAMES = readdirSync(at("."));

type Any = ReturnType<typeof any>;

interface Values {
  inputs: { shape: number[]; data: number[] }[];
  outputs: { shape: number[]; data: number[] }[];
}

const textOf = (name: string) => readFileSync(at(`${name}/model.json`), "utf8");
const jsonOf = (name: string) => JSON.parse(textOf(name));
const valuesOf = (name: string): Values => JSON.parse(readFileSync(at(`${name}/values.json`), "utf8"));
const pathsOf = (name: string): string[] => jsonOf(name).weightsManifest[0].paths;
const shardsOf = (name: string): Uint8Array[] =>
  pathsOf(name).map((path) => new Uint8Array(readFileSync(at(`${name}/${path}`))));
const imported = (name: string, options?: Parameters<typeof d.importTfjs>[2]) =>
  d.importTfjs(jsonOf(name), shardsOf(name), options);

const array = ({ shape, data }: { shape: number[]; data: number[] }) => ({ shape, data: Float32Array.from(data) });

/** The largest difference to TF.js's outputs. */
function difference(model: d.Model, { inputs, outputs }: Values): number {
  const xs = inputs.map(array);
  const ys = [model.predict(any(xs.length === 1 ? xs[0] : xs))].flat() as d.NDArray[];
  expect(ys.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
  return Math.max(...ys.flatMap((y, i) => outputs[i]!.data.map((v, j) => Math.abs(v - y.data[j]!))));
}

/** model.json of a Sequential model of those layers, float32 weights of zeros, and their bytes. */
function sequentialOf(
  layers: [string, object][],
  weights: Record<string, number[]> = {},
  shape: unknown[] = [null, 4],
) {
  const specs = Object.entries(weights).map(([name, shape]) => ({ name, shape, dtype: "float32" }));
  const first = { class_name: "InputLayer", config: { name: "x", batch_input_shape: shape } };
  const rest = layers.map(([class_name, config], i) => ({ class_name, config: { name: `l${i}`, ...config } }));
  const size = specs.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  const json = {
    format: "layers-model",
    modelTopology: { class_name: "Sequential", config: { name: "s", layers: [first, ...rest] } },
    weightsManifest: [{ paths: ["w"], weights: specs }],
  };
  return [json, new Uint8Array(size)] as const;
}
const dense = { units: 3, activation: "linear", use_bias: true };
const denseWeights = { "l0/kernel": [4, 3], "l0/bias": [3] };

describe.each(NAMES)("%s", (name) => {
  test("predicts as TF.js does", () => {
    expect(difference(imported(name), valuesOf(name))).toBeLessThan(1e-5);
  });

  test("is trained on, and goes through a file", async () => {
    const model = imported(name);
    const { inputs, outputs } = valuesOf(name);
    const [xs, ys] = [
      inputs.map(array),
      outputs.map(({ shape, data }) => ({ shape, data: Float32Array.from(data, (v) => v / 2) })),
    ];
    const one = (list: unknown[]) => any(list.length === 1 ? list[0] : list);
    const losses = ys.map(() => d.meanSquaredError());
    model.compile({ optimizer: d.adam({ learningRate: 0.003 }), loss: one(losses) });
    const first = model.testOnBatch(one(xs), one(ys))["loss"]!;
    for (let step = 0; step < 20; step++) model.trainOnBatch(one(xs), one(ys));
    expect(model.testOnBatch(one(xs), one(ys))["loss"]).toBeLessThan(first);
    const loaded = await d.loadModel(await d.saveModel(model));
    expect(weightBits(loaded)).toEqual(weightBits(model));
  });
});

describe("what is given", () => {
  const bits = weightBits(imported("cnn"));

  test("model.json is an object, a text or bytes", () => {
    const bytes = new TextEncoder().encode(textOf("cnn"));
    for (const json of [textOf("cnn"), bytes, bytes.buffer, readFileSync(at("cnn/model.json"))])
      expect(weightBits(d.importTfjs(any(json), shardsOf("cnn")))).toEqual(bits);
  });

  test("shards are a list, a record by path, or all in one", () => {
    const [list, paths] = [shardsOf("cnn"), pathsOf("cnn")];
    const buffers = paths.map((path) => readFileSync(at(`cnn/${path}`)));
    const record = Object.fromEntries(paths.map((path, i) => [path, list[i]!]).reverse());
    const all = new Uint8Array(Buffer.concat(list));
    for (const shards of [list, buffers, record, all, all.buffer, Buffer.concat(list)])
      expect(weightBits(d.importTfjs(jsonOf("cnn"), any(shards)))).toEqual(bits);
  });

  test("Buffers, which are views of a pool, with quantized weights", () => {
    const model = d.importTfjs(jsonOf("quantized"), readFileSync(at("quantized/weights.bin")));
    expect(difference(model, valuesOf("quantized"))).toBeLessThan(1e-5);
  });

  test("a name and a runtime", async () => {
    const runtime = await d.init();
    const model = imported("mlp", { name: "mine", runtime });
    expect([model.name, imported("mlp").name]).toEqual(["mine", "mlp"]);
    runtime.dispose();
    thrown("state", () => model.predict(array(valuesOf("mlp").inputs[0]!)));
  });

  test("what else is given is an argument error", () => {
    const [json, shards] = [jsonOf("cnn"), shardsOf("cnn")];
    thrown(
      "argument",
      () => d.importTfjs(any(3), shards),
      "importTfjs: modelJson: expected the content of model.json as an object, text or bytes, got 3",
    );
    thrown("argument", () => any(d.importTfjs)(), /^importTfjs: modelJson: expected .*, got undefined$/);
    thrown("argument", () => d.importTfjs(Promise.resolve(json), shards), /^importTfjs: modelJson: expected/);
    thrown("format", () => d.importTfjs("model.json", shards), /the content of model.json, in JSON, got .*model\.json/);
    thrown(
      "argument",
      () => any(d.importTfjs)(json),
      'importTfjs: shards: expected bytes, a list of bytes or a record of them by path ("group1-shard1of3.bin", ' +
        '"group1-shard2of3.bin", "group1-shard3of3.bin"), got undefined',
    );
    thrown(
      "argument",
      () => d.importTfjs(json, shards.slice(1)),
      "importTfjs: shards: expected 3, as the manifest has paths, got 2",
    );
    thrown("argument", () => d.importTfjs(json, any([...shards.slice(1), [1, 2]])), /shards: expected bytes/);
    thrown("argument", () => d.importTfjs(json, { w: shards[0]! }), /bytes of "group1-shard1of3.bin", got undefined/);
    thrown("argument", () => d.importTfjs(json, shards, any({ nmae: "x" })), /did you mean name/);
  });
});

test("regularizers, constraints, initializers and trainable are taken over; Keras's l2(c) is c·Σw², ours c·½Σw²", () => {
  const configs = imported("mlp").layers.map(({ config }) => config);
  const [first, norm] = configs;
  expect(first).toMatchObject({
    kernelRegularizer: d.l1l2({ l1: 0, l2: 0.04 }),
    kernelConstraint: d.maxNorm({ maxValue: 3 }),
    kernelInitializer: d.varianceScaling({ scale: 2 }),
  });
  expect(norm).toMatchObject({ epsilon: 0.01, momentum: 0.8 });
  expect(configs[3]).toMatchObject({ trainable: false, kernelConstraint: d.nonNeg() });
  expect(imported("keras2").getLayer("conv2d").config).toMatchObject({
    kernelRegularizer: d.l1l2({ l1: 0, l2: 0.02 }),
  });
  expect(() => imported("mlp").learningRate).toThrow(/not compiled/);
});

test("its bits are the same on 1, 2 and 3 threads", async () => {
  const found: unknown[] = [];
  for (const threads of [1, 2, 3]) {
    const runtime = await d.init({ threads });
    const model = imported("cnn", { runtime });
    const y = model.predict(array(valuesOf("cnn").inputs[0]!)) as d.NDArray;
    found.push([...new Uint32Array(y.data.buffer)]);
    runtime.dispose();
  }
  expect(found[1]).toEqual(found[0]);
  expect(found[2]).toEqual(found[0]);
  await d.init();
});

describe("Keras 3", () => {
  const dtype = { module: "keras", class_name: "DTypePolicy", config: { name: "float32" }, registered_name: null };

  /** The same model in its spelling: batch_shape, dtype objects, modules, calls as args and kwargs. */
  function keras3(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(keras3);
    if (typeof value !== "object" || value === null) return value;
    const item = Object.fromEntries(Object.entries(value).map(([key, v]) => [key, keras3(v)])) as Record<string, Any>;
    if ("batch_input_shape" in item) {
      item["batch_shape"] = item["batch_input_shape"];
      item["batch_input_shape"] = undefined;
    }
    if (item["dtype"] === "float32") item["dtype"] = dtype;
    if (item["class_name"] === "L1L2") Object.assign(item, { class_name: "L2", config: { l2: item["config"].l2 } });
    if (item["class_name"] === "Model") item["class_name"] = "Functional";
    if ("class_name" in item) Object.assign(item, { module: "keras.layers", registered_name: null, build_config: {} });
    if (Array.isArray(item["inbound_nodes"]))
      item["inbound_nodes"] = item["inbound_nodes"].map((node: [string, number, number][]) => {
        const tensors = node.map(([layer, index, tensor]) => ({
          class_name: "__keras_tensor__",
          config: { shape: [null], dtype: "float32", keras_history: [layer, index, tensor] },
        }));
        return { args: [tensors.length > 1 ? tensors : tensors[0]], kwargs: { mask: null } };
      });
    if (Array.isArray(item["input_layers"]) && item["input_layers"].length === 1)
      item["input_layers"] = item["input_layers"][0];
    return item;
  }

  test.each(["keras2", "branches", "sequence", "nested", "cnn"])("%s", (name) => {
    const { weightsManifest, modelTopology, ...rest } = jsonOf(name);
    const model_config = keras3(modelTopology.model_config ?? modelTopology);
    // an object, which JSON.stringify makes a text of: what is undefined is left out
    const json = {
      ...rest,
      weightsManifest,
      modelTopology: { keras_version: "3.3.3", backend: "tensorflow", model_config },
    };
    expect(difference(d.importTfjs(json, shardsOf(name)), valuesOf(name))).toBeLessThan(1e-5);
  });

  test("hard_sigmoid is another", () => {
    const [json] = sequentialOf([["Activation", { activation: "hard_sigmoid" }]]);
    const x = Float32Array.of(-4, -1, 2, 5);
    const of = (keras_version: string) => {
      const modelTopology = { ...json.modelTopology, keras_version };
      return (
        d.importTfjs({ ...json, modelTopology }, new Uint8Array()).predict({ data: x, shape: [1, 4] }) as d.NDArray
      ).data;
    };
    expect([...of("2.15.0")]).toEqual([0, 0.3, 0.9, 1].map((v) => expect.closeTo(v, 6)));
    expect([...of("3.0.0")]).toEqual([0, 1 / 3, 5 / 6, 1].map((v) => expect.closeTo(v, 6)));
  });

  test("relu6, and a ReLU with a largest value, by its name, however large", () => {
    const x = { data: Float32Array.of(-1, 1e-3, 7, 2e6), shape: [1, 4] };
    const of = (...layers: [string, object][]) => {
      const model = d.importTfjs(sequentialOf(layers)[0], new Uint8Array());
      return [model.layers.at(-1)!.name, [...(model.predict(x) as d.NDArray).data]];
    };
    const activityRegularizer = { class_name: "L1L2", config: { l1: 0.1, l2: 0 } };
    expect(of(["Activation", { activation: "relu6" }])[1]).toEqual([0, Math.fround(1e-3), 6, 6]);
    expect(of(["ReLU", { max_value: 1e6, activity_regularizer: activityRegularizer }])).toEqual([
      "l0",
      [0, Math.fround(1e-3), 7, 1e6],
    ]);
    for (const [config, text] of [
      [{ max_value: -1 }, /l0 \(ReLU\): max_value -1/],
      [{ max_value: 6, negative_slope: 0.1 }, /max_value 6 with negative_slope 0.1/],
      [{ max_value: "6" }, /l0 \(ReLU\): high must be a finite number, got the string "6"/],
    ] as const)
      thrown("format", () => d.importTfjs(sequentialOf([["ReLU", config]])[0], new Uint8Array()), text);
  });

  test("a GRU with reset_after, which TF.js has not: by its formula, in float64", () => {
    const [T, inputs, units] = [5, 3, 4];
    const config = { units, activation: "tanh", recurrent_activation: "sigmoid", use_bias: true, reset_after: true };
    const shapes = {
      "l0/gru_cell/kernel": [inputs, 3 * units],
      "l0/gru_cell/recurrent_kernel": [units, 3 * units],
      "l0/gru_cell/bias": [2, 3 * units],
    };
    const [json, bytes] = sequentialOf([["GRU", { ...config, return_sequences: true }]], shapes, [null, T, inputs]);
    const w = Float32Array.from({ length: bytes.length / 4 }, (_, i) => Math.sin(i * 1.7) * 0.6);
    const [kernel, rest] = [w.subarray(0, inputs * 3 * units), w.subarray(inputs * 3 * units)];
    const [recurrent, bias] = [rest.subarray(0, units * 3 * units), rest.subarray(units * 3 * units)];
    const x = Float32Array.from({ length: T * inputs }, (_, i) => Math.cos(i * 2.3));
    const y = d.importTfjs(json, new Uint8Array(w.buffer)).predict({ data: x, shape: [1, T, inputs] }) as d.NDArray;

    const σ = (v: number) => 1 / (1 + Math.exp(-v));
    const column = (m: Float32Array, v: ArrayLike<number>, j: number) =>
      Array.from(v).reduce((sum, vi, i) => sum + vi * m[i * 3 * units + j]!, 0);
    let h = new Array(units).fill(0);
    for (let t = 0; t < T; t++) {
      const xt = x.subarray(t * inputs, (t + 1) * inputs);
      const given = (gate: number, k: number) => column(kernel, xt, gate * units + k) + bias[gate * units + k]!;
      const before = (gate: number, k: number) =>
        column(recurrent, h, gate * units + k) + bias[(3 + gate) * units + k]!;
      h = h.map((hk, k) => {
        const z = σ(given(0, k) + before(0, k));
        const r = σ(given(1, k) + before(1, k));
        return z * hk + (1 - z) * Math.tanh(given(2, k) + r * before(2, k));
      });
      for (const [k, hk] of h.entries()) expect(y.data[t * units + k]).toBeCloseTo(hk, 5);
    }
  });
});

describe("what is not covered", () => {
  test("is named, layer by layer, in one error", () => {
    const [json, bytes] = sequentialOf([
      ["Dense", { ...dense, activation: "mish", kernel_regularizer: { class_name: "Own", config: {} } }],
      ["Cropping2D", { cropping: 1 }],
      ["LSTM", { units: 2, activation: "tanh", recurrent_activation: "hard_sigmoid", dropout: 0.1, stateful: true }],
      ["GRU", { units: 2, activation: "tanh", recurrent_activation: "hard_sigmoid", reset_after: true }],
      ["Conv2D", { filters: 2, kernel_size: [3, 3], data_format: "channels_first", padding: "causal" }],
      ["Dense", { units: -1, new_in_keras_9: 3 }],
      ["Bidirectional", { merge_mode: "sum", layer: { class_name: "ConvLSTM2D", config: {} } }],
      ["UpSampling2D", { size: [2, 2], interpolation: "bilinear" }],
      ["Embedding", { input_dim: 3, output_dim: 2, mask_zero: true }],
      ["constructor", {}],
    ]);
    thrown(
      "format",
      () => d.importTfjs(json, bytes),
      `importTfjs: expected what downhill has, got
  l0 (Dense): activation "mish"
  l0 (Dense): kernel_regularizer Own
  l1 (Cropping2D): no layer of downhill's
  l2 (LSTM): stateful true
  l2 (LSTM): dropout 0.1
  l3 (GRU): recurrent_activation "hard_sigmoid" with reset_after
  l4 (Conv2D): data_format "channels_first"
  l4 (Conv2D): padding must be "valid" or "same", got the string "causal"
  l5 (Dense): units must be a positive integer, got -1
  l5 (Dense): new_in_keras_9 3
  l6 (Bidirectional): merge_mode "sum"
  l6 (Bidirectional): layer ConvLSTM2D
  l7 (UpSampling2D): interpolation "bilinear"
  l8 (Embedding): mask_zero true
  l9 (constructor): no layer of downhill's`,
    );
  });

  test.each<[string, [string, object][], unknown[], RegExp]>([
    [
      "another axis",
      [["BatchNormalization", { axis: 1 }]],
      [null, 4, 4, 2],
      /l0 \(BatchNormalization\): axis 1 of 4 axes/,
    ],
    [
      "an alpha each",
      [["PReLU", { shared_axes: null }]],
      [null, 4, 2],
      /l0 \(PReLU\): shared_axes \[\], where one .* \[1\]/,
    ],
    [
      "shapes",
      [
        ["Flatten", {}],
        ["Conv2D", { filters: 1, kernel_size: 2 }],
      ],
      [null, 4, 4, 2],
      /l1 \(Conv2D\): l1: expected input of/,
    ],
    ["no sequence", [["MaxPooling1D", { pool_size: [2] }]], [null, 4, 4, 2], /l0 \(MaxPooling1D\): an input of 4 axes/],
    [
      "sizes that are open",
      [["Flatten", {}]],
      [null, null, 2],
      /sizes for all axes but the batch, got \[null, null, 2\]/,
    ],
  ])("%s", (_, layers, shape, text) => {
    const [json, bytes] = sequentialOf(layers, {}, shape);
    thrown("format", () => d.importTfjs(json, bytes), text);
  });

  test("a graph model", () => {
    thrown("format", () => d.importTfjs({ format: "graph-model", modelTopology: {} }, []), /graph-model has no layers/);
  });
});

describe("weights", () => {
  const withSpecs = (change: (specs: Any[]) => unknown, extra = 0) => {
    const [json, bytes] = sequentialOf([["Dense", dense]], denseWeights);
    change(json.weightsManifest[0]!.weights);
    return () => d.importTfjs(json, new Uint8Array(bytes.length + extra));
  };

  test("missing, of another shape or dtype, of no layer: all are named", () => {
    thrown(
      "format",
      withSpecs((w) => {
        w[0].name = "other/kernel";
      }),
      `importTfjs: expected the weights of its layers, got
  l0 (Dense): no weight kernel
  "other/kernel": a weight of no layer`,
    );
    thrown(
      "format",
      withSpecs((w) => {
        w[0].shape = [3, 4];
        w[1].dtype = "int32";
      }),
      `importTfjs: expected the weights of its layers, got
  l0 (Dense): "l0/kernel" of shape [3, 4], not [4, 3]
  l0 (Dense): "l0/bias" of dtype int32, not float32`,
    );
    thrown(
      "format",
      withSpecs((w) => w.push({ ...w[0], name: "a/l0/kernel" }, { ...w[0], name: "l0/kernel" }), 96),
      /l0 \(Dense\): more than one weight/,
    );
  });

  test("numbers that are not finite", () => {
    const [json, bytes] = sequentialOf([["Dense", dense]], denseWeights);
    new Float32Array(bytes.buffer)[3] = Number.NaN;
    thrown("format", () => d.importTfjs(json, bytes), /l0 \(Dense\): "l0\/kernel" is not finite/);
  });

  test("an optimizer's and random numbers' are left out", () => {
    const apart = { dtype: "float32", shape: [2], name: "Adam/m", group: "optimizer" };
    const seeds = { dtype: "int32", shape: [2], name: "seed_generator/state" };
    expect(withSpecs((w) => w.push(apart, seeds), 16)().countParams()).toBe(15);
  });

  test("bytes that are too few or too many", () => {
    thrown(
      "format",
      withSpecs(() => {}, 4),
      "importTfjs: expected 60 bytes of weights, got 64",
    );
    thrown(
      "format",
      withSpecs(() => {}, -1),
      'importTfjs: expected 12 bytes of "l0/bias", float32 [3], got 11',
    );
    thrown(
      "format",
      withSpecs((w) => {
        w[0].shape = [2 ** 40, 2 ** 40, 8];
      }),
      /bytes of "l0\/kernel"/,
    );
    thrown(
      "format",
      withSpecs((w) => {
        w[0].dtype = "string";
      }),
      /a dtype of float32/,
    );
    thrown(
      "format",
      withSpecs((w) => {
        w[0].quantization = { dtype: "uint8", scale: "1", min: 0 };
      }),
      /a scale and a min/,
    );
  });
});

describe("hostile files", () => {
  let runtime: d.Runtime;
  beforeAll(async () => {
    runtime = await d.init({ maxMemory: 2 ** 24 });
  });
  afterAll(() => runtime.dispose());

  const nestedIn = (depth: number) => {
    let layer: Any = { class_name: "Dense", config: { ...dense, units: 4, name: "d" } };
    for (let i = 0; i < depth; i++) {
      const call = (name: string, node: number) => [[[name, node, 0]]];
      layer.inbound_nodes = [...call("x", 0), ...call("m", 0)];
      layer = { ...layer, name: "m", config: { ...layer.config, name: "m" } };
      const x = {
        name: "x",
        class_name: "InputLayer",
        config: { batch_input_shape: [null, 4], name: "x" },
        inbound_nodes: [],
      };
      const config = { name: "m", layers: [x, layer], input_layers: [["x", 0, 0]], output_layers: [["m", 1, 0]] };
      layer = { class_name: "Functional", config };
    }
    return { modelTopology: layer, weightsManifest: [] };
  };

  test("a model in a model in a model, each called twice, ends", () => {
    const start = performance.now();
    thrown("format", () => d.importTfjs(nestedIn(15), []), /at most 50000 layers and calls/);
    thrown("format", () => d.importTfjs(nestedIn(30), []), /nested at most 64 deep/);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test("it holds itself, nests without end, is no JSON", () => {
    const cyclic: Any = {};
    cyclic.modelTopology = cyclic;
    let deep: Any = {};
    for (let i = 0; i < 100_000; i++) deep = { modelTopology: deep };
    for (const json of [
      cyclic,
      deep,
      "",
      "null",
      "[]",
      "{",
      "\ud800",
      new Uint8Array([0xff, 0x7b]),
      { modelTopology: 1n },
    ])
      thrown("format", () => d.importTfjs(json, []));
  });

  test("layers that wait for each other, and names of prototypes", () => {
    const layer = (name: string, from: string) => ({
      name,
      class_name: "Flatten",
      config: { name },
      inbound_nodes: [[[from, 0, 0]]],
    });
    const x = {
      name: "x",
      class_name: "InputLayer",
      config: { batch_input_shape: [null, 4], name: "x" },
      inbound_nodes: [],
    };
    const of = (layers: unknown[], output: string) => ({
      modelTopology: {
        class_name: "Model",
        config: { layers, input_layers: [["x", 0, 0]], output_layers: [[output, 0, 0]] },
      },
      weightsManifest: [],
    });
    thrown(
      "format",
      () => d.importTfjs(of([x, layer("a", "b"), layer("b", "a")], "a"), []),
      /output 0 of call 0 of "a"/,
    );
    thrown("format", () => d.importTfjs(of([x, layer("a", "x")], "__proto__"), []), /of "__proto__"/);
    const model = d.importTfjs(of([x, layer("__proto__", "x"), layer("a/b", "__proto__")], "a/b"), []);
    expect(model.layers.map(({ name }) => name)).toEqual(["__proto__", "a_b"]);
  });

  test("an embedding of 2⁵² numbers is refused before anything is allocated", () => {
    const [json, bytes] = sequentialOf([["Embedding", { input_dim: 2 ** 26, output_dim: 2 ** 26 }]], {
      "l0/embeddings": [1, 1],
    });
    thrown("format", () => d.importTfjs(json, bytes, { runtime }), /of shape \[1, 1\], not \[67108864, 67108864\]/);
    expect(runtime.memory().used).toBeLessThan(2 ** 20);
  });

  test("a norm of 2³² features without weights of its own is a memory error", () => {
    const norm = { scale: false, center: false };
    const [json, bytes] = sequentialOf([["LayerNormalization", norm]], {}, [null, 2 ** 32 - 1]);
    thrown("memory", () => d.importTfjs(json, bytes, { runtime }));
  });

  test("objects that are no texts do not get into texts", () => {
    const odd = JSON.parse('{"constructor":{"name":{"toString":1}},"toString":1}');
    const [json, bytes] = sequentialOf([
      ["Dense", { ...dense, activation: odd, units: odd, more: odd }],
      ["Softmax", { axis: odd }],
    ]);
    thrown("format", () => d.importTfjs(json, bytes), /l0 \(Dense\): more/);
  });
});
