// The training steps that downhill and its peers are timed on: one description, one set of batches and starting weights.
//
//   W1    MLP 2-16-16-1, tanh, mean squared error, batch 32, Adam
//   W2    MLP 784-512-512-10, ReLU, softmax cross-entropy, batch 128, Adam
//   W3    W2 with batch norm before each ReLU, dropout 0.5 after it, L2 1e-4 on kernels
//   W4    CNN on 28 × 28 × 1: two 3 × 3 convolutions (32, 64; `valid`) with ReLU and 2 × 2 max pooling, dense 128, 10; batch 64, Adam
//   W5    MLP 64-32-10, batch 16, momentum           W6   the same, batch 1
//   W7a   W2's forward pass at batch 1               W7b  at batch 128
//   W8    ResNet-8 on 32 × 32 × 3, batch 32, momentum: batch norm behind each convolution, those of the shortcuts too
//   W9    LSTM(64) over 28 steps of 28, its last step → dense 10, batch 64, Adam
//
// A workload is plain data: a list of layers in the public API's words, each of which reads the one before it unless
// `inputs` names others. `resolve` adds the shapes, `numbersOf` makes batches and weights, `writeWorkload` (peers/files.ts) writes both,
// and every competitor, in whichever language, reads these two files:
//
//   W2.json           the workload, each layer with `input`, `output` (without the batch) and `parameters`
//   W2.safetensors    x [batches, batch, …], y [batches, batch] (int32 classes) or [batches, batch, …], and the weights by
//                     `layer/parameter`, kernels [in, out], [kh, kw, in, out], images NHWC
//
// All numbers are Philox's (key: seed and workload; counter: position and tensor), so they are the same wherever they are
// made. An image of class c is noise plus a faint pattern[c]: a loss falls as fast as a model can tell patterns. The second
// half of the examples has the first half's images again, one in four with a label drawn anew: who learns all by heart still
// has a loss. (Otherwise it goes to 0 within seconds, gradients and Adam's slots go into the denormal numbers, and what is
// timed from there on is how a CPU deals with these.)

import { philox4x32 } from "downhill/random";

/** A layer of the public API with its options; what is required by position there is named here. */
export type Layer = { name: string; inputs?: string[] } & (
  | { type: "dense"; units: number; l2?: number }
  | {
      type: "conv2d";
      filters: number;
      kernelSize: number;
      strides: number;
      padding: "valid" | "same";
      useBias: boolean;
    }
  | { type: "maxPool2d"; poolSize: number }
  | { type: "lstm"; units: number }
  | { type: "dropout"; rate: number }
  | { type: "relu" | "tanh" | "batchNorm" | "flatten" | "globalAveragePool2d" | "add" }
);

export interface Workload {
  id: string;
  what: string;
  inputShape: number[];
  layers: Layer[];
  loss: "softmaxCrossEntropy" | "meanSquaredError";
  optimizer: { type: "adam"; learningRate: number } | { type: "sgd"; learningRate: number; momentum: number };
  batch: number;
  /** How many batches are gone through in turn. */
  batches: number;
  /** Only the forward pass is timed. */
  inference?: boolean;
}

export type Resolved = Omit<Workload, "layers"> & {
  layers: (Layer & { inputs: string[]; input: number[]; output: number[]; parameters: Record<string, number[]> })[];
};

const adam = { type: "adam", learningRate: 1e-3 } as const;
const momentum = { type: "sgd", learningRate: 0.01, momentum: 0.9 } as const;

/** dense_1, activation, dense_2, …: the last one is linear. */
function mlp(units: number[], activation: "relu" | "tanh"): Layer[] {
  return units.flatMap((n, i): Layer[] => {
    const dense: Layer = { name: `dense_${i + 1}`, type: "dense", units: n };
    return i < units.length - 1 ? [dense, { name: `${activation}_${i + 1}`, type: activation }] : [dense];
  });
}

function regularizedMlp(): Layer[] {
  const l2 = 1e-4;
  const block = (i: number): Layer[] => [
    { name: `dense_${i}`, type: "dense", units: 512, l2 },
    { name: `batchNorm_${i}`, type: "batchNorm" },
    { name: `relu_${i}`, type: "relu" },
    { name: `dropout_${i}`, type: "dropout", rate: 0.5 },
  ];
  return [...block(1), ...block(2), { name: "dense_3", type: "dense", units: 10, l2 }];
}

function cnn(): Layer[] {
  const block = (i: number, filters: number): Layer[] => [
    { name: `conv2d_${i}`, type: "conv2d", filters, kernelSize: 3, strides: 1, padding: "valid", useBias: true },
    { name: `relu_${i}`, type: "relu" },
    { name: `maxPool2d_${i}`, type: "maxPool2d", poolSize: 2 },
  ];
  return [
    ...block(1, 32),
    ...block(2, 64),
    { name: "flatten_1", type: "flatten" },
    { name: "dense_1", type: "dense", units: 128 },
    { name: "relu_3", type: "relu" },
    { name: "dense_2", type: "dense", units: 10 },
  ];
}

function resNet8(): Layer[] {
  const layers: Layer[] = [];
  let count = 0;
  /** A convolution without bias and its batch norm; returns the latter's name. */
  function conv(from: string | undefined, filters: number, kernelSize: number, strides: number): string {
    const name = `conv2d_${++count}`;
    const inputs = from === undefined ? {} : { inputs: [from] };
    layers.push({ name, ...inputs, type: "conv2d", filters, kernelSize, strides, padding: "same", useBias: false });
    layers.push({ name: `batchNorm_${count}`, type: "batchNorm" });
    return `batchNorm_${count}`;
  }
  function relu(name: string): string {
    layers.push({ name, type: "relu" });
    return name;
  }
  conv(undefined, 16, 3, 1);
  let x = relu("relu_0");
  for (const [i, filters] of [16, 32, 64].entries()) {
    const strides = i === 0 ? 1 : 2;
    conv(x, filters, 3, strides);
    const y = conv(relu(`relu_${i + 1}a`), filters, 3, 1);
    const shortcut = i === 0 ? x : conv(x, filters, 1, strides);
    layers.push({ name: `add_${i + 1}`, type: "add", inputs: [y, shortcut] });
    x = relu(`relu_${i + 1}b`);
  }
  layers.push(
    { name: "globalAveragePool2d_1", type: "globalAveragePool2d" },
    { name: "dense_1", type: "dense", units: 10 },
  );
  return layers;
}

const W2 = {
  inputShape: [784],
  layers: mlp([512, 512, 10], "relu"),
  loss: "softmaxCrossEntropy",
  optimizer: adam,
} satisfies Partial<Workload>;

const W5 = {
  inputShape: [64],
  layers: mlp([32, 10], "relu"),
  loss: "softmaxCrossEntropy",
  optimizer: momentum,
} satisfies Partial<Workload>;

export const workloads: readonly Workload[] = [
  {
    id: "W1",
    what: "MLP 2-16-16-1 tanh, MSE, batch 32, Adam",
    inputShape: [2],
    layers: mlp([16, 16, 1], "tanh"),
    loss: "meanSquaredError",
    optimizer: adam,
    batch: 32,
    batches: 8,
  },
  { id: "W2", what: "MLP 784-512-512-10, batch 128, Adam", ...W2, batch: 128, batches: 4 },
  {
    id: "W3",
    what: "W2 + batch norm, dropout 0.5, L2",
    ...W2,
    layers: regularizedMlp(),
    batch: 128,
    batches: 4,
  },
  {
    id: "W4",
    what: "CNN 28×28×1, batch 64, Adam",
    inputShape: [28, 28, 1],
    layers: cnn(),
    loss: "softmaxCrossEntropy",
    optimizer: adam,
    batch: 64,
    batches: 4,
  },
  { id: "W5", what: "MLP 64-32-10, batch 16, momentum", ...W5, batch: 16, batches: 64 },
  { id: "W6", what: "MLP 64-32-10, batch 1, momentum", ...W5, batch: 1, batches: 256 },
  { id: "W7a", what: "W2's forward, batch 1", ...W2, batch: 1, batches: 8, inference: true },
  { id: "W7b", what: "W2's forward, batch 128", ...W2, batch: 128, batches: 4, inference: true },
  {
    id: "W8",
    what: "ResNet-8, 32×32×3, batch 32, momentum",
    inputShape: [32, 32, 3],
    layers: resNet8(),
    loss: "softmaxCrossEntropy",
    optimizer: momentum,
    batch: 32,
    batches: 4,
  },
  {
    id: "W9",
    what: "LSTM(64), 28 steps of 28, batch 64, Adam",
    inputShape: [28, 28],
    layers: [
      { name: "lstm_1", type: "lstm", units: 64 },
      { name: "dense_1", type: "dense", units: 10 },
    ],
    loss: "softmaxCrossEntropy",
    optimizer: adam,
    batch: 64,
    batches: 4,
  },
];

/** The layer's output and parameters for its (first) input. Shapes are without the batch. */
function shapesOf(layer: Layer, input: number[]): { output: number[]; parameters: Record<string, number[]> } {
  const channels = input.at(-1)!;
  switch (layer.type) {
    case "dense":
      return { output: [layer.units], parameters: { kernel: [channels, layer.units], bias: [layer.units] } };
    case "conv2d": {
      const { filters, kernelSize: k, strides, padding, useBias } = layer;
      const size = (n: number) => Math.ceil((padding === "same" ? n : n - k + 1) / strides);
      const kernel = [k, k, channels, filters];
      return {
        output: [size(input[0]!), size(input[1]!), filters],
        parameters: useBias ? { kernel, bias: [filters] } : { kernel },
      };
    }
    case "maxPool2d": {
      const size = (n: number) => Math.floor(n / layer.poolSize);
      return { output: [size(input[0]!), size(input[1]!), channels], parameters: {} };
    }
    case "lstm": {
      const { units } = layer;
      const gates = 4 * units; // i f g o
      return {
        output: [units],
        parameters: { kernel: [channels, gates], recurrentKernel: [units, gates], bias: [gates] },
      };
    }
    case "batchNorm":
      return { output: input, parameters: { gamma: [channels], beta: [channels] } };
    case "flatten":
      return { output: [input.reduce((a, b) => a * b)], parameters: {} };
    case "globalAveragePool2d":
      return { output: [channels], parameters: {} };
    default:
      return { output: input, parameters: {} };
  }
}

/** The workload with every layer's inputs, shapes and parameters. */
export function resolve(workload: Workload): Resolved {
  const outputs = new Map([["input", workload.inputShape]]);
  let before = "input";
  const layers = workload.layers.map((layer) => {
    const inputs = layer.inputs ?? [before];
    const input = outputs.get(inputs[0]!)!;
    const shapes = shapesOf(layer, input);
    outputs.set(layer.name, shapes.output);
    before = layer.name;
    return { ...layer, inputs, input, ...shapes };
  });
  return { ...workload, layers };
}

export interface Numbers {
  data: Float32Array | Int32Array;
  shape: number[];
}

const SEED = 5;
const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** Batches and starting weights: x, y, `layer/parameter`. Kernels are Glorot-uniform, all else zeros and ones. */
export function numbersOf(workload: Resolved): Record<string, Numbers> {
  const { inputShape, layers, loss, batch, batches } = workload;
  const key = [SEED, workloads.findIndex(({ id }) => id === workload.id)];
  let tensor = 0;

  /** `n` numbers, uniform in (−1, 1). */
  function uniform(n: number): Float32Array {
    const result = new Float32Array(n);
    for (let i = 0; i < n; i += 4) {
      const words = philox4x32([i >>> 2, tensor, 0, 0], key);
      for (let j = i; j < Math.min(i + 4, n); j++) result[j] = (words[j - i]! + 0.5) / 2 ** 31 - 1;
    }
    tensor++;
    return result;
  }

  const rows = batches * batch;
  const width = sizeOf(inputShape);
  const x = uniform(rows * width);
  const result: Record<string, Numbers> = {};
  if (loss === "softmaxCrossEntropy") {
    const classes = layers.at(-1)!.output[0]!;
    const patterns = uniform(classes * width);
    const y = Int32Array.from(uniform(rows), (u) => Math.floor(((u + 1) / 2) * classes));
    const faint = 4 / Math.sqrt(width);
    for (let i = 0; i < x.length; i++)
      x[i] = x[i]! + faint * patterns[y[Math.floor(i / width)]! * width + (i % width)]!;
    const half = rows / 2;
    x.copyWithin(half * width, 0, half * width);
    for (let i = 0; i < half; i++) if (i % 4 !== 0) y[half + i] = y[i]!;
    result["y"] = { data: y, shape: [batches, batch] };
  } else {
    const y = Float32Array.from({ length: rows }, (_, i) => x[2 * i]! * x[2 * i + 1]!); // as XOR: not linear
    result["y"] = { data: y, shape: [batches, batch, 1] };
  }
  result["x"] = { data: x, shape: [batches, batch, ...inputShape] };

  for (const { name, parameters } of layers)
    for (const [parameter, shape] of Object.entries(parameters)) {
      const data = new Float32Array(sizeOf(shape));
      if (parameter === "gamma") data.fill(1);
      else if (parameter.toLowerCase().endsWith("kernel")) {
        const taps = sizeOf(shape.slice(0, -2));
        const limit = Math.sqrt(6 / (taps * (shape.at(-2)! + shape.at(-1)!)));
        data.set(uniform(data.length).map((u) => u * limit));
      }
      result[`${name}/${parameter}`] = { data, shape };
    }
  return result;
}
