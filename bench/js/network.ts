// A whole training step of any of the benchmark's networks (bench/workloads.ts) in plain JavaScript.
//
// Parameters, gradients and slots are one typed array each; every buffer exists before the first step, nothing is allocated in
// one. ReLU and dropout work in place, bias is added where its layer's output is. Each layer is two functions made for its
// sizes: `forward` writes its output, `backward` the gradients of its parameters and of its inputs. Multilayer perceptrons
// without anything else go to mlp.ts, which fuses more.

import type { Resolved } from "../workloads";
import { createBatchNorm } from "./batchNorm";
import { createConv } from "./conv";
import { createDropout } from "./dropout";
import { gemmPacked, gemmTile } from "./gemm";
import { createLstm } from "./lstm";
import { createMaxPool } from "./maxPool";
import { adam, momentum } from "./optimizers";
import { softmaxCrossEntropy } from "./softmaxCrossEntropy";

type Spec = Resolved["layers"][number];
type Parameters = Record<string, Float32Array>;

/** A tensor and its gradient. */
interface Node {
  y: Float32Array;
  dy: Float32Array;
  readers: number;
  /** Readers whose gradient `dy` has, in this step. */
  summed: number;
}

interface Step {
  forward(): void;
  backward(): void;
}

export interface Network {
  /** `layer/parameter`: views of one array, to be written to before the first step. */
  readonly parameters: Parameters;
  /** The gradient of the last step, by the same keys. */
  readonly gradients: Parameters;
  /** One training step; returns the loss before it, without penalties. */
  step(x: Float32Array, y: Int32Array): number;
}

const IN_PLACE = ["relu", "dropout", "flatten"];
const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

export function createNetwork(workload: Resolved): Network {
  const { layers, batch, inputShape, optimizer } = workload;
  const entries = layers.flatMap(({ name, parameters }) =>
    Object.entries(parameters).map(([parameter, shape]) => [`${name}/${parameter}`, sizeOf(shape)] as const),
  );
  const count = entries.reduce((sum, [, size]) => sum + size, 0);
  const [weights, gradients, slot0, slot1] = [0, 1, 2, 3].map(() => new Float32Array(count)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const viewsOf = (block: Float32Array): Parameters => {
    let end = 0;
    return Object.fromEntries(
      entries.map(([key, size]) => {
        end += size;
        return [key, block.subarray(end - size, end)];
      }),
    );
  };
  const parameters = viewsOf(weights);
  const dparameters = viewsOf(gradients);
  const ofLayer = (all: Parameters, { name, parameters: own }: Spec): Parameters =>
    Object.fromEntries(Object.keys(own).map((parameter) => [parameter, all[`${name}/${parameter}`]!]));

  const input: Node = {
    y: new Float32Array(batch * sizeOf(inputShape)),
    dy: new Float32Array(0),
    readers: 0,
    summed: 0,
  };
  const nodes = new Map([["input", input]]);
  for (const { name, type, inputs, output } of layers) {
    const from = inputs.map((name) => nodes.get(name)!);
    if (IN_PLACE.includes(type)) nodes.set(name, { ...from[0]!, readers: 0 });
    else {
      const size = batch * sizeOf(output);
      nodes.set(name, { y: new Float32Array(size), dy: new Float32Array(size), readers: 0, summed: 0 });
      for (const node of from) node.readers++;
    }
  }
  const all = [...nodes.values()];
  const steps = layers.map((spec) => {
    const from = spec.inputs.map((name) => nodes.get(name)!);
    const [own, down] = [parameters, dparameters].map((every) => ofLayer(every, spec)) as [Parameters, Parameters];
    return stepOf(spec, batch, nodes.get(spec.name)!, from, own, down, from[0] === input);
  });
  const output = nodes.get(layers.at(-1)!.name)!;
  const classes = layers.at(-1)!.output[0]!;
  const decayed = layers.flatMap((spec) =>
    spec.type === "dense" && spec.l2 ? [{ name: spec.name, l2: spec.l2 }] : [],
  );
  let updates = 0;
  if (workload.loss !== "softmaxCrossEntropy") throw new Error(`plain JavaScript has no ${workload.loss} here`);

  return {
    parameters,
    gradients: dparameters,
    step(x, y) {
      input.y.set(x);
      for (let i = 0; i < all.length; i++) all[i]!.summed = 0;
      for (let i = 0; i < steps.length; i++) steps[i]!.forward();
      const loss = softmaxCrossEntropy(output.dy, output.y, y, batch, classes);
      for (let i = steps.length - 1; i >= 0; i--) steps[i]!.backward();
      for (const { name, l2 } of decayed) {
        const w = parameters[`${name}/kernel`]!;
        const dw = dparameters[`${name}/kernel`]!;
        for (let i = 0; i < w.length; i++) dw[i] = dw[i]! + l2 * w[i]!;
      }
      updates++;
      if (optimizer.type === "adam") adam(weights, gradients, slot0, slot1, updates, optimizer.learningRate);
      else momentum(weights, gradients, slot0, optimizer.learningRate, optimizer.momentum);
      return loss;
    },
  };
}

/** Where a reader of `node` writes its gradient: the node's own, unless there are more readers. */
const partOf = (node: Node): Float32Array => (node.readers > 1 ? new Float32Array(node.dy.length) : node.dy);

function sumUp(node: Node, dx: Float32Array): void {
  const { dy } = node;
  if (dx === dy) return;
  if (node.summed++ === 0) dy.set(dx);
  else for (let i = 0; i < dy.length; i++) dy[i] = dy[i]! + dx[i]!;
}

function addBias(z: Float32Array, bias: Float32Array): void {
  const n = bias.length;
  for (let at = 0; at < z.length; at += n) for (let j = 0; j < n; j++) z[at + j] = z[at + j]! + bias[j]!;
}

function columnSums(sums: Float32Array, x: Float32Array): void {
  const n = sums.length;
  sums.fill(0);
  for (let at = 0; at < x.length; at += n) for (let j = 0; j < n; j++) sums[j] = sums[j]! + x[at + j]!;
}

/** `first`: nobody needs the gradient of its input. */
function stepOf(
  spec: Spec,
  batch: number,
  node: Node,
  inputs: Node[],
  own: Parameters,
  down: Parameters,
  first: boolean,
): Step {
  const { y, dy } = node;
  const from = inputs[0]!;
  const channels = spec.output.at(-1)!;
  switch (spec.type) {
    case "dense": {
      const k = spec.input[0]!;
      const product = batch * channels * k < 32_768 ? gemmTile : gemmPacked;
      return {
        forward() {
          product(y, from.y, own["kernel"]!, batch, channels, k, false, false);
          addBias(y, own["bias"]!);
        },
        backward() {
          product(down["kernel"]!, from.y, dy, k, channels, batch, true, false);
          columnSums(down["bias"]!, dy);
          if (!first) product(from.dy, dy, own["kernel"]!, batch, k, channels, false, true);
        },
      };
    }
    case "conv2d": {
      const { kernelSize: kernel, strides: stride, padding } = spec;
      const [inH, inW, inC] = spec.input as [number, number, number];
      const [outH, outW, outC] = spec.output as [number, number, number];
      const before = (size: number, out: number) =>
        padding === "same" ? Math.floor(Math.max(0, (out - 1) * stride + kernel - size) / 2) : 0;
      const [padTop, padLeft] = [before(inH, outH), before(inW, outW)];
      const conv = createConv({ batch, inH, inW, inC, outH, outW, outC, kernel, stride, padTop, padLeft });
      const dx = first ? undefined : partOf(from);
      return {
        forward() {
          conv.forward(y, from.y, own["kernel"]!);
          if (own["bias"]) addBias(y, own["bias"]);
        },
        backward() {
          conv.backward(dx, down["kernel"]!, dy, own["kernel"]!);
          if (down["bias"]) columnSums(down["bias"], dy);
          if (dx) sumUp(from, dx);
        },
      };
    }
    case "maxPool2d": {
      const [inH, inW] = spec.input as [number, number];
      const pool = createMaxPool(batch, inH, inW, channels, spec.poolSize);
      return { forward: () => pool.forward(y, from.y), backward: () => pool.backward(from.dy, dy) };
    }
    case "batchNorm": {
      const norm = createBatchNorm(y.length / channels, channels);
      return {
        forward: () => norm.forward(y, from.y, own["gamma"]!, own["beta"]!),
        backward: () => norm.backward(from.dy, down["gamma"]!, down["beta"]!, dy, from.y, own["gamma"]!),
      };
    }
    case "lstm": {
      const [steps, width] = spec.input as [number, number];
      const lstm = createLstm(batch, steps, width, spec.units);
      type Lstm = Parameters & { kernel: Float32Array; recurrentKernel: Float32Array; bias: Float32Array };
      return {
        forward: () => lstm.forward(y, from.y, own as Lstm),
        backward: () => lstm.backward(down as Lstm, dy, own as Lstm),
      };
    }
    case "relu":
      return {
        forward() {
          for (let i = 0; i < y.length; i++) y[i] = Math.max(y[i]!, 0);
        },
        backward() {
          for (let i = 0; i < y.length; i++) if (!(y[i]! > 0)) dy[i] = 0;
        },
      };
    case "dropout": {
      const { rate } = spec;
      const dropout = createDropout();
      const scale = 1 / (1 - rate);
      return {
        forward() {
          if (rate > 0) dropout.apply(y, y, rate);
        },
        backward() {
          // what was dropped is 0, and behind a ReLU whatever is 0 has no gradient
          if (rate > 0) for (let i = 0; i < y.length; i++) dy[i] = y[i]! > 0 ? dy[i]! * scale : 0;
        },
      };
    }
    case "flatten":
      return { forward() {}, backward() {} };
    case "globalAveragePool2d": {
      const pixels = spec.input[0]! * spec.input[1]!;
      return {
        forward() {
          y.fill(0);
          for (let n = 0; n < batch; n++)
            for (let p = 0; p < pixels; p++)
              for (let c = 0; c < channels; c++)
                y[n * channels + c] = y[n * channels + c]! + from.y[(n * pixels + p) * channels + c]! / pixels;
        },
        backward() {
          for (let n = 0; n < batch; n++)
            for (let p = 0; p < pixels; p++)
              for (let c = 0; c < channels; c++)
                from.dy[(n * pixels + p) * channels + c] = dy[n * channels + c]! / pixels;
        },
      };
    }
    case "add": {
      const other = inputs[1]!;
      return {
        forward() {
          for (let i = 0; i < y.length; i++) y[i] = from.y[i]! + other.y[i]!;
        },
        backward() {
          sumUp(from, dy);
          sumUp(other, dy);
        },
      };
    }
    default:
      throw new Error(`plain JavaScript has no ${spec.type}`);
  }
}
