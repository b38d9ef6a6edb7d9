// What each op that computes predictions is in ONNX (https://onnx.ai/onnx/operators/). By name: no op is carried that a model has
// not. Which ops have to be here a test holds against ts/ops.

import type { Attributes, Node, Tensor } from "../../../graph/graph";
import { type Constant, type Exporter, type OnnxAttribute, product } from "./exporter";

/** Appends what a node of ours is, and says which value is its output 0. */
type Translation = (to: Exporter, node: Node, inputs: Tensor[], y: Tensor, attributes: Attributes) => void;

/** y = f(x), y = a ∘ b, element by element. */
const elementwise =
  (opType: string, attributes: (given: Attributes) => Record<string, OnnxAttribute> = () => ({})): Translation =>
  (to, _, inputs, y, given) =>
    to.alike(inputs, y, (names) => to.add(opType, names, attributes(given)));

/** [a ∘ b] as 1 and 0. */
const comparison =
  (opType: string): Translation =>
  (to, _, inputs, y) =>
    to.alike(inputs, y, (names) => to.cast(to.add(opType, names)));

/** a where b is not 0, else 0; or the other way round. */
const chosen =
  (kept: boolean): Translation =>
  (to, _, inputs, y) =>
    to.alike(inputs, y, ([a, b]) => {
      const isZero = to.add("Equal", [b!, to.real(0)]);
      return to.add("Where", kept ? [isZero, to.real(0), a!] : [isZero, a!, to.real(0)]);
    });

/** y = x ∘ b, b one a channel. */
const channelwise =
  (opType: string): Translation =>
  (to, _, [x, b], y) => {
    const first = to.isFirst(x!);
    const operands = first ? [to.first(x!), to.channels(b!, x!.shape.length)] : [to.last(x!), to.last(b!)];
    to.set(y, to.add(opType, operands), first);
  };

/** x·scale, for numbers that are not 1. */
const times = (to: Exporter, x: string, scale: number) => (scale === 1 ? x : to.add("Mul", [x, to.real(scale)]));
const plus = (to: Exporter, x: string, offset: number) => (offset === 0 ? x : to.add("Add", [x, to.real(offset)]));

/** x·Φ(x), or its tanh form; from version 20 on ONNX has both. */
function gelu(to: Exporter, x: string, tanh: boolean): string {
  if (to.opset >= 20) return to.add("Gelu", [x], { approximate: tanh ? "tanh" : "none" });
  const half = times(to, x, 0.5);
  const inner = tanh
    ? times(to, to.add("Add", [x, times(to, to.add("Mul", [to.add("Mul", [x, x]), x]), 0.044715)]), 0.7978845608028654)
    : times(to, x, Math.sqrt(0.5));
  return to.add("Mul", [half, plus(to, to.add(tanh ? "Tanh" : "Erf", [inner]), 1)]);
}

/** Reductions over axes that go. */
const reduction =
  (opType: string): Translation =>
  (to, _, [x], y, { from, to: end }) => {
    const axes = Array.from({ length: end - from }, (_, i) => from + i);
    to.set(y, to.add(opType, [to.last(x!), to.integers(axes)], { keepdims: 0 }));
  };

/** [top, bottom, left, right] as ONNX has it. */
const padsOf = ([top, bottom, left, right]: readonly number[]) => [top!, left!, bottom!, right!];

/** Pooling of images, of what of a window lies within (padding that does not count is ONNX's default); where a window is the whole image, of all of it. */
const pooling =
  (opType: string, global: string): Translation =>
  (to, _, [x], y, { poolSize, strides, pads }) => {
    const [, h, w] = x!.shape;
    const all = poolSize[0] === h && poolSize[1] === w && !pads.some((p: number) => p);
    const windows = { kernel_shape: poolSize, strides, pads: padsOf(pads) };
    to.set(y, all ? to.add(global, [to.first(x!)]) : to.add(opType, [to.first(x!)], windows), true);
  };

/** Enlarging by whole numbers. */
function resized(to: Exporter, x: Tensor, scale: readonly number[], linear: boolean): string {
  const mode: Record<string, string> = linear
    ? { mode: "linear", coordinate_transformation_mode: "half_pixel" }
    : { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  return to.add("Resize", [to.first(x), "", to.reals([1, 1, ...scale])], mode);
}

/** Where each gate of ONNX stands among ours: i o f c in i f g o, z r h in r z n. */
const GATES: Record<string, readonly number[]> = { simpleRnn: [0], lstm: [0, 3, 1, 2], gru: [1, 0, 2] };

/** Columns [rows, g·u] by gate as ONNX has them, [1, g·u, rows]; of a bias, [1, g·u]. */
function gates(to: Exporter, t: Tensor, order: readonly number[]): Constant {
  const { name, data, dims } = to.constant(t)!;
  const width = dims.at(-1)!;
  const rows = product(dims) / width;
  const units = width / order.length;
  const y = new Float32Array(data.length);
  order.forEach((gate, to) => {
    for (let unit = 0; unit < units; unit++)
      for (let row = 0; row < rows; row++)
        y[(to * units + unit) * rows + row] = data[row * width + gate * units + unit]!;
  });
  return { name, data: y, dims: dims.length === 1 ? [1, width] : [1, width, rows] };
}

const ACTIVATIONS: Record<string, string> = { tanh: "Tanh", relu: "Relu", sigmoid: "Sigmoid", linear: "Affine" };

/** Inputs x [T, n, in], kernel, bias, recurrent kernel and bias. */
function recurrent(to: Exporter, node: Node, y: Tensor): void {
  const { cell, activation = "tanh", sequences, reverse } = node.attributes;
  const [x, kernel, bias, recurrentKernel, recurrentBias] = node.inputs;
  const order = GATES[cell]!;
  const units = recurrentKernel!.shape[0]!;
  const inputs = [x!, kernel!, recurrentKernel!].map((t, i) =>
    i ? to.weights(gates(to, t, order), "gates") : to.last(t),
  );
  if (bias) {
    // both biases side by side: of W and of R
    const [own, other] = [bias, recurrentBias].map((t) => t && gates(to, t, order));
    const width = own!.data.length;
    const data = new Float32Array(2 * width);
    data.set(own!.data);
    if (other) data.set(other.data, width);
    inputs.push(to.weights({ name: own!.name, data, dims: [1, 2 * width] }, "gates"));
  }
  const attributes: Record<string, OnnxAttribute> = {
    hidden_size: units,
    direction: reverse ? "reverse" : "forward",
    ...(cell === "gru" && { linear_before_reset: 1 }),
    ...(cell === "simpleRnn" && { activations: [ACTIVATIONS[activation]!] }),
    ...(activation === "linear" && { activation_alpha: { reals: [1] }, activation_beta: { reals: [0] } }),
  };
  const opType = { simpleRnn: "RNN", lstm: "LSTM", gru: "GRU" }[cell as "gru"];
  // Y is [T, 1, n, u], its last state [1, n, u]
  const states = to.add(opType, inputs, attributes, sequences ? 1 : 2);
  to.set(y, to.add("Squeeze", [states, to.integers([sequences ? 1 : 0])]));
}

/** Heads side by side (n, t, H·d) as (n, H, t, d), or with its last two axes changed. */
function heads(to: Exporter, x: Tensor, count: number, perm = [0, 2, 1, 3]): string {
  const [n, t, width] = to.dims(x) as [number, number, number];
  return to.add("Transpose", [to.reshaped(x, [n, t, count, width / count])], { perm });
}

/** y = γ·(x − μ)/√(σ² + ε) + β of groups of channels of each example. Groups are instance normalization's channels. */
function grouped(to: Exporter, [x, gamma, beta]: Tensor[], y: Tensor, count: number, epsilon: number): void {
  const rank = x!.shape.length;
  const [n, ...rest] = to.order(to.dims(x!), rank > 2) as [number, ...number[]];
  const own = rank > 2 ? to.first(x!) : to.last(x!);
  const groups = to.reshape(own, [n, count, product(rest) / count]);
  const [ones, zeros] = [1, 0].map((value) => to.reals(Array.from({ length: count }, () => value)));
  const normal = to.reshape(to.add("InstanceNormalization", [groups, ones!, zeros!], { epsilon: { reals: epsilon } }), [
    n,
    ...rest,
  ]);
  const scaled = to.add("Mul", [normal, to.channels(gamma!, rank)]);
  to.set(y, to.add("Add", [scaled, to.channels(beta!, rank)]), rank > 2);
}

/** Throws where of axis 0, if it counts examples, something is left out or added. */
function needAllExamples(to: Exporter, node: Node): void {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!].map((t) => to.dims(t)[0]);
  if ((x! < 0 || y! < 0) && (x !== y || node.attributes.begin[0]))
    throw to.source.refused(`${node.layer}: ${node.op.name}`, "all examples", "a part of the batch");
}

/** By the ops' names. In a function: else all of it would stay in every bundle. */
export const translations = (): Readonly<Record<string, Translation>> => ({
  // arithmetic
  constant: (to, _node, _inputs, y, { value }) => to.setNumbers(y, new Float32Array(y.size).fill(value)),
  affine: (to, _, inputs, y, { scale, offset }) =>
    to.alike(inputs, y, ([x]) => {
      const scaled = scale === -1 ? to.add("Neg", [x!]) : times(to, x!, scale);
      return plus(to, scaled, offset);
    }),
  add: elementwise("Add"),
  subtract: elementwise("Sub"),
  multiply: elementwise("Mul"),
  divide: elementwise("Div"),
  pow: elementwise("Pow"),
  maximum: elementwise("Max"),
  minimum: elementwise("Min"),
  greater: comparison("Greater"),
  greaterEqual: comparison("GreaterOrEqual"),
  equal: comparison("Equal"),
  keep: chosen(true),
  drop: chosen(false),
  exp: elementwise("Exp"),
  log: elementwise("Log"),
  sqrt: elementwise("Sqrt"),
  abs: elementwise("Abs"),
  sign: elementwise("Sign"),
  sin: elementwise("Sin"),
  cos: elementwise("Cos"),
  clip: (to, _, inputs, y, { low, high }) =>
    to.alike(inputs, y, ([x]) => to.add("Clip", [x!, to.real(low), to.real(high)])),
  sum: reduction("ReduceSum"),
  largest: reduction("ReduceMax"),

  // activations
  relu: elementwise("Relu"),
  leakyRelu: elementwise("LeakyRelu", ({ alpha = 0.01 }) => ({ alpha: { reals: alpha } })),
  elu: elementwise("Elu", ({ alpha = 1 }) => ({ alpha: { reals: alpha } })),
  selu: elementwise("Selu"),
  gelu: (to, _, inputs, y) => to.alike(inputs, y, ([x]) => gelu(to, x!, false)),
  geluTanh: (to, _, inputs, y) => to.alike(inputs, y, ([x]) => gelu(to, x!, true)),
  silu: (to, _, inputs, y) => to.alike(inputs, y, ([x]) => to.add("Mul", [x!, to.add("Sigmoid", [x!])])),
  sigmoid: elementwise("Sigmoid"),
  tanh: elementwise("Tanh"),
  softplus: elementwise("Softplus"),
  softmax: (to, _, inputs, y) =>
    to.alike(inputs, y, (names, first) => to.add("Softmax", names, { axis: first ? 1 : -1 })),
  prelu: channelwise("PRelu"),

  // products of matrices
  gemm: (to, _, [a, b], y) => to.set(y, to.add("Gemm", [to.last(a!), to.last(b!), ...to.takeBias(y)])),
  batchMatmul: (to, _, [a, b], y) => to.set(y, to.add("MatMul", [to.last(a!), to.last(b!)])),
  biasAdd(to, node, inputs, y, attributes) {
    if (to.isAbsorbed(node)) to.alias(y, inputs[0]!);
    else channelwise("Add")(to, node, inputs, y, attributes);
  },

  // convolution and pooling
  conv2d(to, _, [x, kernel], y, { strides, dilation, groups, pads }) {
    const [kh, kw] = kernel!.shape;
    const operands = [to.first(x!), to.transposed(kernel!, [3, 2, 0, 1]), ...to.takeBias(y)];
    const geometry = { kernel_shape: [kh!, kw!], strides, dilations: dilation, group: groups, pads: padsOf(pads) };
    to.set(y, to.add("Conv", operands, geometry), true);
  },
  conv2dTranspose(to, _, [x, kernel], y, { strides, dilation, groups, pads, size }) {
    const kernelShape = kernel!.shape.slice(0, 2);
    const operands = [to.first(x!), to.transposed(kernel!, [3, 2, 0, 1]), ...to.takeBias(y)];
    // what of the output no window reaches
    const beyond = [0, 1].map((i) => {
      const reach = (kernelShape[i]! - 1) * dilation[i] + 1;
      return size[i] - ((x!.shape[i + 1]! - 1) * strides[i] + reach - pads[2 * i] - pads[2 * i + 1]);
    });
    const geometry = { kernel_shape: kernelShape, strides, dilations: dilation, group: groups, pads: padsOf(pads) };
    to.set(y, to.add("ConvTranspose", operands, { ...geometry, output_padding: beyond }), true);
  },
  maxPool2d: pooling("MaxPool", "GlobalMaxPool"),
  averagePool2d: pooling("AveragePool", "GlobalAveragePool"),
  // at inference it is what repeats pixels
  spread2d: (to, _, [x], y, { poolSize }) => to.set(y, resized(to, x!, poolSize, false), true),
  bilinear: (to, _, [x], y, { scale }) => to.set(y, resized(to, x!, scale, true), true),

  // normalization
  batchNormInference(to, _, [x, ...statistics], y, { epsilon }) {
    const dims = to.dims(x!);
    const channels = dims.at(-1)!;
    const normal = (name: string) =>
      to.add("BatchNormalization", [name, ...statistics.map((t) => to.last(t))], { epsilon: { reals: epsilon } });
    if (to.isFirst(x!)) to.set(y, normal(to.first(x!)), true);
    else if (dims.length === 2) to.set(y, normal(to.last(x!)));
    else to.set(y, to.reshape(normal(to.reshaped(x!, [product(dims) / channels, channels])), dims));
  },
  groupNorm(to, _, inputs, y, { groups: count, epsilon }) {
    const [x, gamma, beta] = inputs as [Tensor, Tensor, Tensor];
    if (count > 1 || x.shape.length > 2) return grouped(to, inputs, y, count, epsilon);
    const operands = [to.last(x), to.last(gamma), to.last(beta)];
    to.set(y, to.add("LayerNormalization", operands, { axis: -1, epsilon: { reals: epsilon } }));
  },

  // sequences
  recurrent: (to, node, _, y) => recurrent(to, node, y),
  scores(to, _, [a, b], y, { heads: count }) {
    to.set(y, to.add("MatMul", [heads(to, a!, count), heads(to, b!, count, [0, 2, 3, 1])]));
  },
  attentionWeights(to, _, [x], y, { scale, causal }) {
    const [steps, n] = y.shape.slice(-2) as [number, number];
    let scores = times(to, to.last(x!), scale);
    if (causal) {
      const data = Float32Array.from({ length: steps * n }, (_, i) => (i % n > Math.floor(i / n) ? -Infinity : 0));
      scores = to.add("Add", [scores, to.weights({ name: `${to.layer}/mask`, key: "mask", data, dims: [steps, n] })]);
    }
    to.set(y, to.add("Softmax", [scores], { axis: -1 }));
  },
  combine(to, _, [w, x], y, { heads: count }) {
    const product = to.add("MatMul", [to.last(w!), heads(to, x!, count)]);
    to.set(y, to.reshape(to.add("Transpose", [product], { perm: [0, 2, 1, 3] }), to.dims(y)));
  },
  take: (to, _, [x, indices], y, { axis }) =>
    to.set(y, to.add("Gather", [to.last(x!), to.whole(indices!, x!.shape[axis]!)], { axis })),

  // where elements lie
  reshape: (to, _, [x], y) => to.view(y, x!),
  stopGradient: (to, _, [x], y) => to.alias(y, x!),
  transpose: (to, _, [x], y, { axes }) => to.set(y, to.transposed(x!, axes)),
  slice(to, node, inputs, y, { begin }) {
    needAllExamples(to, node);
    to.alike(inputs, y, ([x], first) => {
      const axes = [...y.shape.keys()].filter((axis) => y.shape[axis] !== inputs[0]!.shape[axis]);
      if (!axes.length) return x!;
      const ends = axes.map((axis) => begin[axis] + y.shape[axis]);
      const where = [axes.map((axis) => begin[axis]), ends, axes.map((axis) => to.axis(axis, y.shape.length, first))];
      return to.add("Slice", [x!, ...where.map((list) => to.integers(list))]);
    });
  },
  pad(to, node, inputs, y, { begin }) {
    needAllExamples(to, node);
    to.alike(inputs, y, ([x], first) => {
      const end = begin.map((from: number, axis: number) => y.shape[axis]! - from - inputs[0]!.shape[axis]!);
      return to.add("Pad", [x!, to.integers([...to.order<number>(begin, first), ...to.order<number>(end, first)])]);
    });
  },
  concat(to, _, inputs, y, { axis }) {
    // a list of numbers as an operand
    const numbers = inputs.map((x) => to.constant(x));
    if (axis === 0 && numbers.every((x) => x?.key)) {
      const data = new Float32Array(y.size);
      let at = 0;
      for (const x of numbers) {
        data.set(x!.data, at);
        at += x!.data.length;
      }
      return to.setNumbers(y, data);
    }
    to.alike(inputs, y, (names, first) => to.add("Concat", names, { axis: to.axis(axis, y.shape.length, first) }));
  },
  broadcastTo(to, _, [x], y) {
    const own = to.dims(x!);
    const dims = to.dims(y);
    // a size of 1 leaves the input's own
    const wanted = dims.map((d, axis) => (d === own[axis - dims.length + own.length] ? 1 : d));
    to.set(y, to.add("Expand", [to.last(x!), to.shape(wanted)]));
  },
});
