// test/formats/tfjs/*: models that TF.js 4.22 made, as it writes them (model.json, weights.bin), with inputs and its outputs
// (values.json). Run by hand, where TF.js is installed, which the tests do not need:
//
//   node test/oracle/tfjsModels.mjs bench/peers/node_modules
//
// Weights are seeded numbers, statistics of batch normalization other than 0 and 1.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(`${resolve(process.argv[2] ?? "bench/peers/node_modules")}/from.js`);
const tf = require("@tensorflow/tfjs");
await tf.setBackend("cpu");
const l = tf.layers;
const OUT = fileURLToPath(new URL("../formats/tfjs/", import.meta.url));

let state = 1;
/** Uniform in [0, 1). */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const draw = (shape, low = -1, high = 1) => {
  const n = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: n }, () => low + (high - low) * random()),
    shape,
  );
};
const ids = (shape, count) => {
  const n = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: n }, () => Math.floor(random() * count)),
    shape,
  );
};

function fill(model) {
  for (const w of model.weights) {
    const scale =
      1.2 /
      Math.sqrt(
        Math.max(
          1,
          w.shape.slice(0, -1).reduce((a, b) => a * b, 1),
        ),
      );
    const positive = /variance|gamma/.test(w.name);
    w.write(positive ? draw(w.shape, 0.5, 1.5) : draw(w.shape, -scale, scale)); // under its constraint
  }
}

const round = (x) => Array.from(x.dataSync(), (v) => +v.toPrecision(9));
const values = (xs) => [xs].flat().map((x) => ({ shape: x.shape, data: round(x) }));

async function artifactsOf(model) {
  let found;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      found = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  return found;
}

function put(name, json, shards, inputs, outputs) {
  mkdirSync(OUT + name, { recursive: true });
  writeFileSync(`${OUT}${name}/model.json`, `${JSON.stringify(json)}\n`);
  for (const [path, bytes] of Object.entries(shards)) writeFileSync(`${OUT}${name}/${path}`, bytes);
  writeFileSync(
    `${OUT}${name}/values.json`,
    `${JSON.stringify({ inputs: values(inputs), outputs: values(outputs) })}\n`,
  );
  console.log(
    name,
    JSON.stringify(json).length,
    Object.values(shards).map((b) => b.length),
    values(outputs).map((o) => o.shape),
  );
}

const jsonOf = (
  { modelTopology, format, generatedBy, convertedBy, trainingConfig, weightSpecs },
  paths = ["weights.bin"],
) => ({
  format,
  generatedBy,
  convertedBy,
  modelTopology,
  ...(trainingConfig && { trainingConfig }),
  weightsManifest: [{ paths, weights: weightSpecs }],
});

async function model(name, made, inputs, { shards = 1, compile = false } = {}) {
  fill(made);
  if (compile) made.compile({ optimizer: tf.train.adam(0.01), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const found = await artifactsOf(made);
  // Keras writes it, and TF.js reads it, but does not write it
  for (const { class_name, config } of found.modelTopology.config.layers)
    if (class_name === "SeparableConv2D") config.depth_multiplier = made.getLayer(config.name).depthMultiplier;
  const bytes = Buffer.from(
    found.weightData instanceof ArrayBuffer
      ? found.weightData
      : Buffer.concat(found.weightData.map((b) => Buffer.from(b))),
  );
  const paths = Array.from({ length: shards }, (_, i) =>
    shards === 1 ? "weights.bin" : `group1-shard${i + 1}of${shards}.bin`,
  );
  const size = Math.ceil(bytes.length / shards) | 1; // a shard may end within a number
  put(
    name,
    jsonOf(found, paths),
    Object.fromEntries(paths.map((p, i) => [p, bytes.subarray(i * size, (i + 1) * size)])),
    inputs,
    made.predict(inputs),
  );
  return { found, bytes, made };
}

const { l1, l2, l1l2 } = tf.regularizers;

// Dense layers, activations, noise; regularizers, constraints and initializers of each kind.
const mlp = await model(
  "mlp",
  tf.sequential({
    name: "mlp",
    layers: [
      l.dense({
        units: 8,
        inputShape: [6],
        activation: "relu",
        kernelRegularizer: l2({ l2: 0.02 }),
        kernelConstraint: tf.constraints.maxNorm({ maxValue: 3, axis: 0 }),
        kernelInitializer: "heNormal",
      }),
      l.batchNormalization({ momentum: 0.8, epsilon: 0.01 }),
      l.dropout({ rate: 0.3 }),
      l.dense({
        units: 7,
        activation: "tanh",
        useBias: false,
        kernelRegularizer: l1({ l1: 0.01 }),
        kernelConstraint: "nonNeg",
        trainable: false,
      }),
      l.leakyReLU({ alpha: 0.2 }),
      l.gaussianNoise({ stddev: 0.1 }),
      l.dense({
        units: 8,
        activation: "selu",
        kernelRegularizer: l1l2({ l1: 0.01, l2: 0.02 }),
        kernelConstraint: "unitNorm",
        kernelInitializer: tf.initializers.randomNormal({ stddev: 0.2 }),
      }),
      l.alphaDropout({ rate: 0.1 }),
      l.elu(),
      l.gaussianDropout({ rate: 0.1 }),
      l.dense({ units: 6, activation: "softplus", biasRegularizer: l2({ l2: 0.1 }) }),
      l.prelu(),
      l.dense({
        units: 6,
        activation: "sigmoid",
        kernelConstraint: tf.constraints.minMaxNorm({ minValue: 0.1, maxValue: 2, rate: 0.5, axis: 0 }),
      }),
      l.layerNormalization({ epsilon: 0.01 }),
      l.dense({ units: 6, activation: "elu" }),
      l.activation({ activation: "swish" }),
      l.dense({ units: 6, activation: "gelu" }),
      l.activation({ activation: "relu6" }),
      l.activation({ activation: "hardSigmoid" }),
      l.batchNormalization({ scale: false, center: false }),
      l.dense({ units: 4, activation: "linear" }),
      l.softmax(),
    ],
  }),
  draw([5, 6], -2, 2),
  { compile: true },
);

await model(
  "cnn",
  tf.sequential({
    name: "cnn",
    layers: [
      l.rescaling({ scale: 0.5, offset: -0.25, inputShape: [11, 10, 2] }),
      l.conv2d({ filters: 4, kernelSize: 3, padding: "same", strides: 2, activation: "relu" }),
      l.batchNormalization(),
      l.zeroPadding2d({
        padding: [
          [1, 0],
          [2, 1],
        ],
      }),
      l.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, activation: "tanh" }),
      l.reLU({ maxValue: 0.5 }),
      l.separableConv2d({ filters: 5, kernelSize: 3, padding: "same", depthMultiplier: 2 }),
      l.prelu({ sharedAxes: [1, 2] }),
      l.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: "same" }),
      l.conv2dTranspose({ filters: 4, kernelSize: [2, 3], strides: [1, 2] }),
      l.maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
      l.conv2d({ filters: 4, kernelSize: [2, 3], dilationRate: 2, padding: "same", useBias: false }),
      l.upSampling2d({ size: [2, 1] }),
      l.averagePooling2d({ poolSize: [3, 2], strides: [2, 2], padding: "same" }),
      l.reLU(),
      l.maxPooling2d({ poolSize: 2 }),
      l.flatten(),
      l.dense({ units: 5 }),
    ],
  }),
  draw([3, 11, 10, 2]),
  { shards: 3 },
);

{
  const a = tf.input({ shape: [6], name: "a" });
  const b = tf.input({ shape: [6], name: "b" });
  const shared = l.dense({ units: 6, activation: "tanh", name: "shared" });
  const [ha, hb] = [shared.apply(a), shared.apply(b)];
  const sum = l.add().apply([ha, hb, a]);
  const product = l.multiply().apply([ha, hb]);
  const mean = l.average().apply([a, hb, product]);
  const most = l.maximum().apply([ha, mean]);
  const side = l.concatenate().apply([sum, most]);
  const first = l.dense({ units: 3, name: "first" }).apply(side);
  const second = l.dense({ units: 2, activation: "softmax", name: "second" }).apply(l.reLU().apply(product));
  await model("branches", tf.model({ inputs: [a, b], outputs: [first, second], name: "branches" }), [
    draw([4, 6]),
    draw([4, 6]),
  ]);
}

{
  const x = tf.input({ shape: [7] });
  let h = l.embedding({ inputDim: 11, outputDim: 5 }).apply(x);
  h = l.conv1d({ filters: 6, kernelSize: 3, padding: "same", activation: "tanh" }).apply(h);
  h = l.spatialDropout1d({ rate: 0.2 }).apply(h);
  const pooled = l
    .concatenate({ axis: 1 })
    .apply([
      l.maxPooling1d({ poolSize: 2 }).apply(h),
      l.averagePooling1d({ poolSize: 3, strides: 2, padding: "same" }).apply(h),
    ]);
  h = l.simpleRNN({ units: 5, returnSequences: true }).apply(h);
  h = l.lstm({ units: 4, returnSequences: true, recurrentActivation: "sigmoid" }).apply(h);
  h = l
    .bidirectional({
      layer: l.lstm({ units: 3, returnSequences: true, recurrentActivation: "sigmoid" }),
      mergeMode: "concat",
    })
    .apply(h);
  const last = l
    .bidirectional({ layer: l.simpleRNN({ units: 3, activation: "relu", useBias: false }), mergeMode: "concat" })
    .apply(h);
  const mean = l.globalAveragePooling1d().apply(pooled);
  const most = l.globalMaxPooling1d().apply(h);
  h = l.concatenate({ axis: -1 }).apply([last, mean, most]);
  await model(
    "sequence",
    tf.model({ inputs: x, outputs: l.dense({ units: 3 }).apply(h), name: "sequence" }),
    ids([4, 7], 11),
  );
}

{
  const block = tf.sequential({
    name: "block",
    layers: [
      l.dense({ units: 6, inputShape: [6], activation: "relu", name: "inner" }),
      l.dense({ units: 6, name: "outer" }),
    ],
  });
  const x = tf.input({ shape: [12] });
  const y = tf.input({ shape: [6] });
  const inside = tf.model({
    inputs: y,
    outputs: l.add().apply([y, l.dense({ units: 6, name: "inner2" }).apply(y)]),
    name: "inside",
  });
  let h = l.permute({ dims: [2, 1] }).apply(l.reshape({ targetShape: [2, 6] }).apply(x));
  h = l.reshape({ targetShape: [2, -1, 2] }).apply(h);
  h = l
    .concatenate()
    .apply([
      l.globalAveragePooling2d({ dataFormat: "channelsLast" }).apply(h),
      l.globalMaxPooling2d({ dataFormat: "channelsLast" }).apply(h),
    ]);
  h = l.dense({ units: 6, name: "before" }).apply(h);
  h = block.apply(block.apply(h));
  h = inside.apply(h);
  await model("nested", tf.model({ inputs: x, outputs: h, name: "nested" }), draw([3, 12]));
}

{
  const inner = tf.sequential({ name: "first", layers: [l.dense({ units: 5, inputShape: [4], activation: "tanh" })] });
  await model(
    "stacked",
    tf.sequential({ name: "stacked", layers: [inner, l.batchNormalization(), l.dense({ units: 2 })] }),
    draw([3, 4]),
  );
}

// What `tensorflowjs_converter --quantize_…` writes: the same numbers in 8 or 16 bits. TF.js reads it, and its outputs are kept.
{
  const { found, made } = mlp;
  // TF.js holds weights to their constraints when it loads them, Keras and we do not: rounded ones would be others there
  for (const { config } of found.modelTopology.config.layers)
    for (const key of Object.keys(config)) if (key.endsWith("_constraint")) config[key] = null;
  const kinds = ["uint8", "uint16", "float16"];
  const parts = [];
  const specs = made.weights.map((w, i) => {
    const dtype = kinds[i % 3];
    const data = w.val.dataSync();
    const quantization = { dtype, original_dtype: "float32" };
    if (dtype === "float16") parts.push(Buffer.from(Uint16Array.from(data, half).buffer));
    else {
      const [low, high] = [Math.min(...data), Math.max(...data)];
      const levels = dtype === "uint8" ? 255 : 65535;
      quantization.min = low;
      quantization.scale = (high - low) / levels || 1;
      const q = Array.from(data, (v) => Math.round((v - low) / quantization.scale));
      parts.push(Buffer.from((dtype === "uint8" ? Uint8Array : Uint16Array).from(q).buffer));
    }
    return { name: found.weightSpecs[i].name, shape: w.shape, dtype: "float32", quantization };
  });
  const bytes = Buffer.concat(parts);
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const loaded = await tf.loadLayersModel(
    tf.io.fromMemory({ modelTopology: found.modelTopology, weightSpecs: specs, weightData }),
  );
  const x = draw([5, 6], -2, 2);
  put(
    "quantized",
    jsonOf({ ...found, trainingConfig: undefined, weightSpecs: specs }),
    { "weights.bin": bytes },
    x,
    loaded.predict(x),
  );
}

/** The bits of the nearest half (normal ones and zero; what is smaller becomes zero). */
function half(v) {
  const bits = new Uint32Array(Float32Array.of(v).buffer)[0];
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  if (exponent <= 0) return sign;
  const rounded = ((exponent << 23) | (bits & 0x7fffff)) + 0x1000;
  return sign | (rounded >>> 13);
}

// What `tensorflowjs_converter` makes of a Keras 2 model in HDF5: its spellings, which TF.js reads, and its weights' names.
{
  const keras = (class_name, config) => ({ class_name, config });
  const floats = (config) => ({ trainable: true, dtype: "float32", ...config });
  const init = { kernel_initializer: keras("GlorotUniform", { seed: null }), bias_initializer: keras("Zeros", {}) };
  const plain = {
    ...init,
    use_bias: true,
    kernel_regularizer: null,
    bias_regularizer: null,
    activity_regularizer: null,
    kernel_constraint: null,
    bias_constraint: null,
  };
  const window = { data_format: "channels_last", padding: "same", strides: [1, 1] };
  const layers = [
    keras("InputLayer", {
      batch_input_shape: [null, 8, 8, 3],
      dtype: "float32",
      sparse: false,
      ragged: false,
      name: "input_1",
    }),
    keras(
      "Conv2D",
      floats({
        ...plain,
        ...window,
        name: "conv2d",
        filters: 4,
        kernel_size: [3, 3],
        dilation_rate: [1, 1],
        groups: 1,
        activation: "relu",
        kernel_regularizer: keras("L1L2", { l1: 0, l2: 0.01 }),
      }),
    ),
    keras(
      "BatchNormalization",
      floats({
        name: "batch_normalization",
        axis: [3],
        momentum: 0.99,
        epsilon: 0.001,
        center: true,
        scale: true,
        beta_initializer: keras("Zeros", {}),
        gamma_initializer: keras("Ones", {}),
        moving_mean_initializer: keras("Zeros", {}),
        moving_variance_initializer: keras("Ones", {}),
        beta_regularizer: null,
        gamma_regularizer: null,
        beta_constraint: null,
        gamma_constraint: null,
      }),
    ),
    keras(
      "MaxPooling2D",
      floats({ ...window, name: "max_pooling2d", pool_size: [2, 2], strides: [2, 2], padding: "valid" }),
    ),
    keras(
      "DepthwiseConv2D",
      floats({
        ...window,
        name: "depthwise_conv2d",
        kernel_size: [3, 3],
        dilation_rate: [1, 1],
        groups: 1,
        activation: "linear",
        use_bias: true,
        depth_multiplier: 1,
        depthwise_initializer: keras("GlorotUniform", { seed: null }),
        depthwise_regularizer: null,
        depthwise_constraint: null,
        bias_initializer: keras("Zeros", {}),
        bias_regularizer: null,
        bias_constraint: null,
        activity_regularizer: null,
      }),
    ),
    keras("ReLU", floats({ name: "re_lu", max_value: 6, negative_slope: 0, threshold: 0 })),
    keras("Reshape", floats({ name: "reshape", target_shape: [16, 4] })),
    keras(
      "LSTM",
      floats({
        ...init,
        name: "lstm",
        return_sequences: false,
        return_state: false,
        go_backwards: false,
        stateful: false,
        unroll: false,
        time_major: false,
        units: 5,
        activation: "tanh",
        recurrent_activation: "sigmoid",
        use_bias: true,
        recurrent_initializer: keras("Orthogonal", { gain: 1, seed: null }),
        unit_forget_bias: true,
        kernel_regularizer: null,
        recurrent_regularizer: null,
        bias_regularizer: null,
        activity_regularizer: null,
        kernel_constraint: null,
        recurrent_constraint: null,
        bias_constraint: null,
        dropout: 0,
        recurrent_dropout: 0,
        implementation: 2,
      }),
    ),
    keras("Dropout", floats({ name: "dropout", rate: 0.5, noise_shape: null, seed: null })),
    keras("Dense", floats({ ...plain, name: "dense", units: 3, activation: "softmax" })),
  ];
  const modelTopology = {
    keras_version: "2.15.0",
    backend: "tensorflow",
    model_config: keras("Sequential", { name: "sequential", layers }),
  };
  const named = [
    ["conv2d/kernel", [3, 3, 3, 4]],
    ["conv2d/bias", [4]],
    ["batch_normalization/gamma", [4]],
    ["batch_normalization/beta", [4]],
    ["batch_normalization/moving_mean", [4]],
    ["batch_normalization/moving_variance", [4]],
    ["depthwise_conv2d/depthwise_kernel", [3, 3, 4, 1]],
    ["depthwise_conv2d/bias", [4]],
    ["lstm/lstm_cell/kernel", [4, 20]],
    ["lstm/lstm_cell/recurrent_kernel", [5, 20]],
    ["lstm/lstm_cell/bias", [20]],
    ["dense/kernel", [5, 3]],
    ["dense/bias", [3]],
  ];
  const weightSpecs = named.map(([name, shape]) => ({ name, shape, dtype: "float32" }));
  const bytes = Buffer.concat(
    named.map(([name, shape]) =>
      Buffer.from(
        draw(shape, /gamma|variance/.test(name) ? 0.5 : -0.7, /gamma|variance/.test(name) ? 1.5 : 0.7)
          .dataSync()
          .slice().buffer,
      ),
    ),
  );
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const loaded = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  const x = draw([3, 8, 8, 3]);
  put(
    "keras2",
    jsonOf({
      format: "layers-model",
      generatedBy: "keras v2.15.0",
      convertedBy: "TensorFlow.js Converter v4.22.0",
      modelTopology,
      weightSpecs,
    }),
    { "weights.bin": bytes },
    x,
    loaded.predict(x),
  );
}

// TF.js's own defaults: gates that are hard sigmoids, a GRU whose reset gate stands before the product
{
  const made = tf.sequential();
  made.add(l.lstm({ units: 5, returnSequences: true, inputShape: [6, 3] }));
  made.add(l.bidirectional({ layer: l.gru({ units: 3, returnSequences: true }), mergeMode: "concat" }));
  made.add(
    l.bidirectional({ layer: l.lstm({ units: 2, returnSequences: true, useBias: false }), mergeMode: "concat" }),
  );
  made.add(l.lstm({ units: 4, recurrentActivation: "sigmoid", activation: "relu", returnSequences: true }));
  made.add(l.gru({ units: 3, recurrentActivation: "sigmoid" }));
  await model("gates", made, draw([3, 6, 3], -2, 2));
}
