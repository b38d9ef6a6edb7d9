// A whole training step of a multilayer perceptron in plain JavaScript: what downhill's steps are compared with.
//
//   forward    zₗ = aₗ₋₁ · Wₗ + bₗ,  aₗ = f(zₗ)  (the last layer is linear)
//   loss       mean squared error over all elements, or softmax cross-entropy of class labels
//   backward   dWₗ = aₗ₋₁ᵀ · dzₗ,  dbₗ = Σ rows of dzₗ,  daₗ₋₁ = dzₗ · Wₗᵀ,  dzₗ₋₁ = daₗ₋₁ · f′(zₗ₋₁)
//   update     Adam or momentum, over all parameters as one array
//
// Made for its sizes, as one would write it by hand: parameters, gradients and slots are one typed array each, every
// buffer exists before the first step, nothing is allocated in a step. Products go to the form that is fastest for their
// size (bench/js/gemm.ts): rows (axpy) for one row, the 4 × 4 register tile for small ones, packed panels for the rest.

import { type Gemm, gemmPacked, gemmRows, gemmTile } from "./gemm";
import { gemv } from "./gemv";
import { adam, momentum } from "./optimizers";
import { softmaxCrossEntropy } from "./softmaxCrossEntropy";

export interface MlpOptions {
  sizes: number[]; // input, hidden …, output
  batch: number;
  activation: "relu" | "tanh";
  loss: "meanSquaredError" | "softmaxCrossEntropy";
  optimizer: "adam" | "momentum";
  learningRate?: number;
}

export interface Mlp {
  /** All parameters: of each layer the kernel (in, out), then the bias (out). Written to in place. */
  readonly parameters: Float32Array;
  /** The gradient of the last step, laid out like the parameters. */
  readonly gradients: Float32Array;
  /** Of each layer its kernel and bias, as views of `parameters`. */
  readonly layers: { kernel: Float32Array; bias: Float32Array }[];
  /** The last layer's output (batch, out) for x (batch, in): a view that the next call overwrites. */
  forward(x: Float32Array): Float32Array;
  /** The loss and, in `gradients`, its gradient. y: (batch, out), or class labels (batch). */
  lossAndGradient(x: Float32Array, y: Float32Array | Int32Array): number;
  /** One training step; returns the loss before it. */
  step(x: Float32Array, y: Float32Array | Int32Array): number;
}

/** Glorot-uniform kernels from a fixed sequence, zero biases. */
export function createMlp({ sizes, batch, activation, loss, optimizer, learningRate }: MlpOptions): Mlp {
  const depth = sizes.length - 1;
  const kernelAt: number[] = [];
  const biasAt: number[] = [];
  let count = 0;
  for (let l = 0; l < depth; l++) {
    kernelAt.push(count);
    count += sizes[l]! * sizes[l + 1]!;
    biasAt.push(count);
    count += sizes[l + 1]!;
  }
  const parameters = new Float32Array(count);
  const gradients = new Float32Array(count);
  const slot0 = new Float32Array(count);
  const slot1 = new Float32Array(count);
  const views = (block: Float32Array) =>
    kernelAt.map((at, l) => ({
      kernel: block.subarray(at, biasAt[l]!),
      bias: block.subarray(biasAt[l]!, biasAt[l]! + sizes[l + 1]!),
    }));
  const layers = views(parameters);
  const dlayers = views(gradients);
  const outputs = sizes.slice(1).map((n) => new Float32Array(batch * n));
  const doutputs = sizes.slice(1).map((n) => new Float32Array(batch * n));

  let random = 12345;
  for (let l = 0; l < depth; l++) {
    const kernel = layers[l]!.kernel;
    const limit = Math.sqrt(6 / (sizes[l]! + sizes[l + 1]!));
    for (let i = 0; i < kernel.length; i++) {
      random = (Math.imul(random, 1664525) + 1013904223) | 0;
      kernel[i] = (random / 2147483648) * limit;
    }
  }

  const product = (m: number, n: number, k: number): Gemm =>
    m === 1 ? gemmRows : m * n * k < 32_768 || n < 4 ? gemmTile : gemmPacked;
  const forwards = layers.map((_, l) => product(batch, sizes[l + 1]!, sizes[l]!));
  const dkernels = layers.map((_, l) => product(sizes[l]!, sizes[l + 1]!, batch));
  const dinputs = layers.map((_, l) => product(batch, sizes[l]!, sizes[l + 1]!));
  let steps = 0;

  function forward(x: Float32Array): Float32Array {
    let input = x;
    for (let l = 0; l < depth; l++) {
      const k = sizes[l]!;
      const n = sizes[l + 1]!;
      const output = outputs[l]!;
      const { kernel, bias } = layers[l]!;
      if (batch === 1) gemv(output, input, kernel, k, n);
      else forwards[l]!(output, input, kernel, batch, n, k, false, false);
      biasAndActivation(output, bias, l === depth - 1 ? "linear" : activation);
      input = output;
    }
    return input;
  }

  function lossAndGradient(x: Float32Array, y: Float32Array | Int32Array): number {
    const output = forward(x);
    const doutput = doutputs[depth - 1]!;
    const value =
      loss === "softmaxCrossEntropy"
        ? softmaxCrossEntropy(doutput, output, y as Int32Array, batch, sizes[depth]!)
        : meanSquaredError(doutput, output, y as Float32Array);
    for (let l = depth - 1; l >= 0; l--) {
      const k = sizes[l]!;
      const n = sizes[l + 1]!;
      const dz = doutputs[l]!;
      if (l < depth - 1) activationBackward(dz, outputs[l]!, activation);
      const input = l === 0 ? x : outputs[l - 1]!;
      dkernels[l]!(dlayers[l]!.kernel, input, dz, k, n, batch, true, false);
      columnSums(dlayers[l]!.bias, dz);
      if (l > 0) dinputs[l]!(doutputs[l - 1]!, dz, layers[l]!.kernel, batch, k, n, false, true);
    }
    return value;
  }

  function step(x: Float32Array, y: Float32Array | Int32Array): number {
    const value = lossAndGradient(x, y);
    steps++;
    if (optimizer === "adam") adam(parameters, gradients, slot0, slot1, steps, learningRate);
    else momentum(parameters, gradients, slot0, learningRate);
    return value;
  }

  return { parameters, gradients, layers, forward, lossAndGradient, step };
}

function biasAndActivation(z: Float32Array, bias: Float32Array, activation: "linear" | "relu" | "tanh"): void {
  const n = bias.length;
  const size = z.length;
  if (activation === "relu") {
    for (let at = 0; at < size; at += n)
      for (let j = 0; j < n; j++) {
        const v = z[at + j]! + bias[j]!;
        z[at + j] = Math.max(v, 0);
      }
  } else if (activation === "tanh") {
    for (let at = 0; at < size; at += n) for (let j = 0; j < n; j++) z[at + j] = Math.tanh(z[at + j]! + bias[j]!);
  } else {
    for (let at = 0; at < size; at += n) for (let j = 0; j < n; j++) z[at + j] = z[at + j]! + bias[j]!;
  }
}

/** dz = da · f′, f′ taken from f's output a. */
function activationBackward(dz: Float32Array, a: Float32Array, activation: "relu" | "tanh"): void {
  const n = dz.length;
  if (activation === "relu") {
    for (let i = 0; i < n; i++) if (!(a[i]! > 0)) dz[i] = 0;
  } else {
    for (let i = 0; i < n; i++) dz[i] = dz[i]! * (1 - a[i]! * a[i]!);
  }
}

/** Mean over all elements of (p − y)²; its gradient to dp. */
function meanSquaredError(dp: Float32Array, p: Float32Array, y: Float32Array): number {
  const n = p.length;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const d = p[i]! - y[i]!;
    sum += d * d;
    dp[i] = (2 * d) / n;
  }
  return sum / n;
}

function columnSums(sums: Float32Array, x: Float32Array): void {
  const n = sums.length;
  sums.fill(0);
  for (let at = 0; at < x.length; at += n) for (let j = 0; j < n; j++) sums[j] = sums[j]! + x[at + j]!;
}
