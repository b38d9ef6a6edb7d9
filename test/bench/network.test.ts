// Plain JavaScript's networks (bench/js/network.ts): gradients are those of finite differences, for layers of every kind.
// That whole workloads compute what PyTorch's do is told by `npm run bench:peers`, cell by cell.

import { expect, test } from "vitest";
import { createNetwork } from "../../bench/js/network";
import { type Layer, numbersOf, resolve, type Workload } from "../../bench/workloads";

const conv = (
  name: string,
  filters: number,
  kernelSize: number,
  strides: number,
  padding: "same" | "valid",
): Layer => ({
  name,
  type: "conv2d",
  filters,
  kernelSize,
  strides,
  padding,
  useBias: padding === "valid",
});

const residual: Layer[] = [
  conv("conv_1", 4, 3, 1, "same"),
  { name: "norm_1", type: "batchNorm" },
  { name: "relu_1", type: "relu" },
  conv("conv_2", 6, 3, 2, "same"),
  { name: "norm_2", type: "batchNorm" },
  { ...conv("conv_3", 6, 1, 2, "same"), inputs: ["relu_1"] },
  { name: "add_1", type: "add", inputs: ["norm_2", "conv_3"] },
  { name: "relu_2", type: "relu" },
  { name: "pool_1", type: "globalAveragePool2d" },
  { name: "dense_1", type: "dense", units: 3 },
];
const pooled: Layer[] = [
  conv("conv_1", 5, 3, 1, "valid"),
  { name: "relu_1", type: "relu" },
  { name: "pool_1", type: "maxPool2d", poolSize: 2 },
  { name: "flatten_1", type: "flatten" },
  { name: "dense_1", type: "dense", units: 3, l2: 0.1 },
];
const recurrent: Layer[] = [
  { name: "lstm_1", type: "lstm", units: 4 },
  { name: "dense_1", type: "dense", units: 3 },
];

test.each([
  ["convolutions, batch norm, a shortcut", [7, 6, 3], residual],
  ["max pooling with a row left over, L2", [7, 7, 1], pooled],
  ["LSTM", [5, 3], recurrent],
] as const)("%s", (_, inputShape, layers) => {
  const workload: Workload = {
    id: "W8", // its random numbers
    what: "",
    inputShape: [...inputShape],
    layers: [...layers],
    loss: "softmaxCrossEntropy",
    optimizer: { type: "sgd", learningRate: 0, momentum: 0 },
    batch: 4,
    batches: 2,
  };
  const resolved = resolve(workload);
  const network = createNetwork(resolved);
  const { x, y, ...weights } = numbersOf(resolved);
  for (const [key, { data }] of Object.entries(weights)) network.parameters[key]!.set(data);
  const images = x!.data.slice(0, x!.data.length / 2) as Float32Array;
  const labels = y!.data.slice(0, 4) as Int32Array;
  const decay = Object.fromEntries(layers.map((layer) => [layer.name, layer.type === "dense" ? (layer.l2 ?? 0) : 0]));
  const penalty = (key: string, w: number) => (key.endsWith("kernel") ? (decay[key.split("/")[0]!]! * w * w) / 2 : 0);
  network.step(images, labels);
  const gradients = Object.entries(network.gradients).map(([key, gradient]) => [key, gradient.slice()] as const);
  const h = 1 / 2048; // small: kinks of ReLU and max pooling are near
  for (const [key, gradient] of gradients) {
    const parameter = network.parameters[key]!;
    for (let i = 0; i < gradient.length; i += 1 + (gradient.length >> 5)) {
      const w = parameter[i]!;
      const at = (value: number) => {
        parameter[i] = value;
        return network.step(images, labels) + penalty(key, value);
      };
      const difference = (at(w + h) - at(w - h)) / (2 * h);
      parameter[i] = w;
      expect(Math.abs(difference - gradient[i]!), `${key}[${i}]`).toBeLessThan(4e-3);
    }
  }
});
