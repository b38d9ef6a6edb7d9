// Each operator that importOnnx takes, in its forms and opsets, against onnxruntime; and what it does not take, by name.

import { expect, test } from "vitest";
import { DataType } from "../../../ts/formats/onnx/messages";
import { importOnnx, type NDArray } from "../../../ts/index";
import { random } from "../../support/mutations";
import {
  type Attribute,
  difference,
  type FileSpec,
  floats,
  int64s,
  node,
  onnxFile,
  reference,
} from "../../support/onnxFiles";

type Case = Omit<FileSpec, "inputs"> & { inputs?: FileSpec["inputs"]; tolerance?: number };

/** One node on x: its other inputs by name, which are constants. */
const one = (
  op: string,
  shape: number[],
  constants: NonNullable<FileSpec["constants"]> = {},
  attributes: Record<string, Attribute> = {},
  opset = 17,
): Case => ({
  nodes: [node(op, ["x", ...Object.keys(constants)], "y", attributes)],
  inputs: { x: ["n", ...shape] },
  constants,
  opset,
});

const conv = (shape: number[], w: number[], attributes: Record<string, Attribute> = {}, bias = true) =>
  one("Conv", shape, { w: floats(w), ...(bias && { b: floats([w[0]!]) }) }, attributes);
const transposed = (shape: number[], w: number[], attributes: Record<string, Attribute> = {}) =>
  one("ConvTranspose", shape, { w: floats(w), b: floats([w[1]!]) }, attributes);
const bn = (shape: number[], opset: number, attributes = {}) => {
  const c = [shape[0]!];
  const constants = { g: floats(c), b: floats([c[0]!]), m: floats(c), v: floats(c, "positive") };
  return one("BatchNormalization", shape, constants, attributes, opset);
};
const both = (op: string, opset = 17): Case => ({
  nodes: [node(op, ["x", "z"], "y")],
  inputs: { x: ["n", 3, 4, 5], z: ["n", 3, 4, 5] },
  opset,
});
const broadcast = (op: string, a: number[], b: number[]): Case => ({
  nodes: [node(op, ["x", "z"], "y")],
  inputs: { x: ["n", ...a], z: ["n", ...b] },
});
const resize = (shape: number[], scales: number[], attributes: Record<string, Attribute>): Case => ({
  ...one("Resize", shape, {}, attributes),
  nodes: [node("Resize", ["x", "", "scales"], "y", attributes)],
  constants: { scales: floats([scales.length], scales) },
});
const image = [3, 6, 7];

const cases: Record<string, Case> = {
  Gemm: one("Gemm", [5], { w: floats([5, 4]), b: floats([4]) }),
  "Gemm transB alpha beta": one(
    "Gemm",
    [5],
    { w: floats([4, 5]), b: floats([1, 4]) },
    { transB: 1, alpha: { f: 0.5 }, beta: { f: 2 } },
  ),
  "Gemm scalar bias": one("Gemm", [5], { w: floats([5, 4]), b: floats([1], [0.5]) }),
  "Gemm without bias": one("Gemm", [5], { w: floats([5, 4]) }, {}, 11),
  "Gemm of rows": {
    nodes: [
      node("Reshape", ["x", "to"], "r"),
      node("Gemm", ["r", "w", "b"], "g"),
      node("Softmax", ["g"], "s"),
      node("Reshape", ["s", "back"], "y"),
    ],
    inputs: { x: ["n", 3, 5] },
    constants: { w: floats([5, 4]), b: floats([4]), to: int64s([-1, 5]), back: int64s([-1, 3, 4]) },
  },
  MatMul: one("MatMul", [5], { w: floats([5, 4]) }),
  "MatMul of three axes": one("MatMul", [3, 5], { w: floats([5, 4]) }),
  "MatMul of four axes": one("MatMul", [2, 3, 5], { w: floats([5, 4]) }),
  "MatMul and Add": {
    nodes: [node("MatMul", ["x", "w"], "h"), node("Add", ["b", "h"], "y")],
    inputs: { x: ["n", 5] },
    constants: { w: floats([5, 4]), b: floats([4]) },
  },
  "MatMul and Add, read twice": {
    nodes: [node("MatMul", ["x", "w"], "h"), node("Add", ["b", "h"], "s"), node("Mul", ["s", "h"], "y")],
    inputs: { x: ["n", 5] },
    constants: { w: floats([5, 4]), b: floats([4]) },
  },
  Conv: conv(image, [4, 3, 3, 3]),
  "Conv pads": conv(image, [4, 3, 3, 3], { pads: [1, 1, 1, 1] }),
  "Conv pads, strides": conv(image, [4, 3, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }),
  "Conv uneven pads": conv(image, [4, 3, 3, 2], { pads: [0, 2, 1, 0], strides: [2, 1] }),
  "Conv SAME_UPPER": conv(image, [4, 3, 3, 3], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
  "Conv SAME_LOWER": conv(image, [4, 3, 2, 2], { auto_pad: "SAME_LOWER", strides: [2, 2] }),
  "Conv VALID": conv(image, [4, 3, 3, 3], { auto_pad: "VALID" }),
  "Conv dilations": conv(image, [4, 3, 2, 3], { dilations: [2, 2], pads: [2, 2, 2, 2] }),
  "Conv group": conv([4, 5, 5], [6, 2, 3, 3], { group: 2 }),
  "Conv depthwise": conv([4, 5, 5], [8, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1], strides: [2, 2] }, false),
  "Conv of sequences": conv([3, 9], [4, 3, 3], { pads: [1, 1] }),
  "Conv of sequences, uneven pads": conv([3, 9], [4, 3, 3], { pads: [2, 0], strides: [2], dilations: [2] }),
  "Conv of sequences, group": conv([4, 9], [4, 1, 3], { group: 4 }, false),
  "Conv and Add": {
    nodes: [node("Conv", ["x", "w"], "h"), node("Add", ["h", "b"], "y")],
    inputs: { x: ["n", ...image] },
    constants: { w: floats([4, 3, 3, 3]), b: floats([4, 1, 1]) },
  },
  ConvTranspose: transposed([3, 4, 5], [3, 2, 3, 3]),
  "ConvTranspose strides": transposed([3, 4, 5], [3, 2, 3, 3], { strides: [2, 2] }),
  "ConvTranspose pads": transposed([3, 4, 5], [3, 2, 4, 4], { strides: [2, 2], pads: [1, 1, 1, 1] }),
  "ConvTranspose output_padding": transposed([3, 4, 5], [3, 2, 3, 3], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
  }),
  "ConvTranspose small kernel": transposed([3, 4, 5], [3, 2, 2, 2], { strides: [3, 3], output_padding: [1, 1] }),
  "ConvTranspose dilations": transposed([3, 4, 5], [3, 2, 3, 2], { dilations: [2, 1], pads: [1, 0, 2, 1] }),
  "ConvTranspose of sequences": transposed([3, 5], [3, 2, 4], { strides: [2], pads: [1, 1] }),
  "BatchNormalization of images": bn([3, 4, 5], 15),
  "BatchNormalization of sequences": bn([3, 4], 9, { epsilon: { f: 1e-3 } }),
  "BatchNormalization of rows": bn([6], 7),
  LayerNormalization: one("LayerNormalization", [3, 6], { g: floats([6]), b: floats([6]) }, { epsilon: { f: 1e-3 } }),
  "LayerNormalization of several axes": one("LayerNormalization", [2, 3, 4], { g: floats([3, 4]) }, { axis: 2 }),
  InstanceNormalization: one("InstanceNormalization", image, { g: floats([3]), b: floats([3]) }),
  "GroupNormalization a channel": one(
    "GroupNormalization",
    [4, 3, 3],
    { g: floats([4]), b: floats([4]) },
    { num_groups: 2 },
    21,
  ),
  MaxPool: one("MaxPool", image, {}, { kernel_shape: [2, 2] }),
  "MaxPool strides": one("MaxPool", image, {}, { kernel_shape: [3, 2], strides: [1, 2] }),
  "MaxPool pads": one("MaxPool", image, {}, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  "MaxPool ceil_mode": one("MaxPool", [3, 7, 8], {}, { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  "MaxPool ceil_mode, no last window": one(
    "MaxPool",
    [3, 5, 6],
    {},
    { kernel_shape: [1, 2], strides: [3, 2], pads: [0, 1, 0, 0], ceil_mode: 1 },
  ),
  "MaxPool ceil_mode, pads": {
    nodes: [
      node("Relu", ["x"], "h"),
      node("MaxPool", ["h"], "y", { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0], ceil_mode: 1 }),
    ],
    inputs: { x: ["n", 3, 8, 7] },
  },
  "AveragePool ceil_mode": one("AveragePool", [3, 7, 8], {}, { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  "MaxPool SAME_UPPER": one("MaxPool", image, {}, { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" }),
  "MaxPool after Relu, uneven pads": {
    nodes: [
      node("Relu", ["x"], "h"),
      node("MaxPool", ["h"], "y", { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 2, 1, 0] }),
    ],
    inputs: { x: ["n", ...image] },
  },
  "MaxPool of sequences": one("MaxPool", [3, 9], {}, { kernel_shape: [3], strides: [2], pads: [1, 1] }),
  AveragePool: one("AveragePool", image, {}, { kernel_shape: [2, 3], strides: [2, 2] }),
  "AveragePool count_include_pad": one(
    "AveragePool",
    image,
    {},
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 1 },
  ),
  "AveragePool pads": one("AveragePool", image, {}, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  "AveragePool SAME_UPPER": one(
    "AveragePool",
    image,
    {},
    { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" },
  ),
  GlobalAveragePool: one("GlobalAveragePool", image),
  GlobalMaxPool: one("GlobalMaxPool", image),
  "GlobalMaxPool of sequences": one("GlobalMaxPool", [3, 8]),
  Relu: one("Relu", [7]),
  LeakyRelu: one("LeakyRelu", image, {}, { alpha: { f: 0.3 } }),
  PRelu: one("PRelu", image, { s: floats([3, 1, 1]) }),
  "PRelu one slope": one("PRelu", image, { s: floats([1], [0.2]) }),
  Elu: one("Elu", [7], {}, { alpha: { f: 0.7 } }),
  Selu: one("Selu", [7]),
  Gelu: one("Gelu", [7], {}, {}, 20),
  "Gelu tanh": one("Gelu", [7], {}, { approximate: "tanh" }, 20),
  Sigmoid: one("Sigmoid", [7]),
  HardSigmoid: one("HardSigmoid", [7], {}, { alpha: { f: 0.8 }, beta: { f: 0.4 } }),
  HardSwish: one("HardSwish", [7]),
  Mish: one("Mish", [7], {}, {}, 18),
  Tanh: one("Tanh", [7]),
  Softplus: one("Softplus", [7]),
  "Softmax of rows": one("Softmax", [7]),
  "Softmax of channels": one("Softmax", image, {}, { axis: 1 }),
  "Softmax of rows of an image": one("Softmax", image, {}, { axis: 2 }),
  "Softmax before 13, by default": one("Softmax", [2, 3, 4], {}, {}, 11),
  "Softmax before 13, from axis 2": one("Softmax", [2, 3, 4], {}, { axis: 2 }, 11),
  "LogSoftmax of rows": one("LogSoftmax", [7]),
  "LogSoftmax of channels": one("LogSoftmax", image, {}, { axis: 1 }),
  "LogSoftmax before 13": one("LogSoftmax", [2, 3, 4], {}, {}, 11),
  "Softmax before 13, last": one("Softmax", [2, 3], {}, { axis: -1 }, 11),
  Flatten: one("Flatten", image),
  "Flatten from the end": one("Flatten", [1, 6], {}, { axis: 2 }),
  Reshape: one("Reshape", image, { to: int64s([0, 7, -1]) }),
  "Reshape with −1 for the batch": one("Reshape", image, { to: int64s([-1, 6, 21]) }),
  Transpose: one("Transpose", image, {}, { perm: [0, 3, 1, 2] }),
  "Squeeze before 13": one("Squeeze", [1, 5, 1], {}, { axes: [1, -1] }, 11),
  Squeeze: one("Squeeze", [1, 5, 1], { a: int64s([3]) }),
  "Unsqueeze before 13": one("Unsqueeze", [5], {}, { axes: [1, 3] }, 11),
  Unsqueeze: one("Unsqueeze", [5], { a: int64s([-1, 1]) }),
  "Pad before 11": one("Pad", image, {}, { pads: [0, 0, 1, 2, 0, 0, 0, 1] }, 10),
  Pad: one("Pad", image, { p: int64s([0, 0, 0, 2, 0, 0, 1, 0]) }),
  "Pad of channels": one("Pad", image, { p: int64s([0, 1, 0, 0, 0, 2, 0, 0]) }),
  "Resize nearest, asymmetric": resize(image, [1, 1, 2, 3], {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  }),
  "Resize nearest, half_pixel": resize(image, [1, 1, 3, 2], { mode: "nearest" }),
  "Resize linear": resize(image, [1, 1, 2, 3], {
    mode: "linear",
    coordinate_transformation_mode: "pytorch_half_pixel",
  }),
  "Resize to sizes": {
    nodes: [node("Resize", ["x", "", "", "to"], "y", { mode: "linear" })],
    inputs: { x: [2, ...image] },
    constants: { to: int64s([2, 3, 12, 14]) },
  },
  "Upsample 9": one("Upsample", image, { s: floats([4], [1, 1, 2, 2]) }, {}, 9),
  "Resize 10": one("Resize", image, { s: floats([4], [1, 1, 2, 2]) }, {}, 10),
  Add: both("Add"),
  Sub: both("Sub"),
  Mul: both("Mul"),
  Max: both("Max"),
  Min: both("Min"),
  Sum: both("Sum"),
  Mean: both("Mean"),
  "Max of three": { nodes: [node("Max", ["x", "z", "x"], "y")], inputs: { x: ["n", 4], z: ["n", 4] } },
  "Mul of a gate": broadcast("Mul", [3, 4, 5], [3, 1, 1]),
  "Add of a map": broadcast("Add", [3, 4, 5], [1, 4, 5]),
  "Sub both ways": broadcast("Sub", [1, 4, 1], [3, 1, 5]),
  "Max with a number": one("Max", [7], { c: floats([], [0.25]) }),
  "Min with a number": one("Min", image, { c: floats([1], [0.25]) }),
  "Add a number": one("Add", [7], { c: floats([], [0.3]) }),
  "number − x": {
    nodes: [node("Sub", ["c", "x"], "y")],
    inputs: { x: ["n", 7] },
    constants: { c: floats([1, 1], [0.3]) },
  },
  "Div by a number": one("Div", [7], { c: floats([1], [255]) }),
  "Sub channels": one("Sub", image, { c: floats([1, 3, 1, 1]) }),
  "Div by channels": one("Div", image, { c: floats([3, 1, 1], "positive") }),
  "channels − x": {
    nodes: [node("Sub", ["c", "x"], "y")],
    inputs: { x: ["n", ...image] },
    constants: { c: floats([3, 1, 1]) },
  },
  "Mul columns": one("Mul", image, { c: floats([7]) }),
  "Add positions": one("Add", [4, 6], { c: floats([4, 6]) }),
  "Add an image": one("Add", image, { c: floats([1, ...image]) }),
  Pow: one("Pow", [7], { c: floats([], [2]) }),
  "Pow 3": one("Pow", [7], { c: floats([1], [3]) }),
  Neg: one("Neg", [7]),
  Abs: one("Abs", [7]),
  "Clip 11": one("Clip", [7], { a: floats([], [-0.3]), b: floats([], [0.4]) }, {}, 11),
  "Clip 6": one("Clip", [7], {}, { min: { f: 0 }, max: { f: 0.5 } }, 10),
  "Clip below": { ...one("Clip", [7], { a: floats([], [-0.2]) }, {}, 13) },
  "Clip above": {
    nodes: [node("Clip", ["x", "", "b"], "y")],
    inputs: { x: ["n", 7] },
    constants: { b: floats([], [0.2]) },
  },
  // exactly: x − low + low has lost the numbers that are small beside low
  "Clip to what float16 holds": one("Clip", [7], { a: floats([], [-65504]), b: floats([], [65504]) }),
  "Clip to one number": one("Clip", [7], { a: floats([], [0.5]), b: floats([], [0.5]) }),
  "Max with a large number": one("Max", [7], { c: floats([], [-1e9]) }),
  "Min with a large number": one("Min", [7], { c: floats([], [1e9]) }),
  "Concat channels": {
    nodes: [node("Concat", ["x", "z"], "y", { axis: 1 })],
    inputs: { x: ["n", 3, 4, 5], z: ["n", 2, 4, 5] },
  },
  "Concat columns": {
    nodes: [node("Concat", ["x", "z", "x"], "y", { axis: -1 })],
    inputs: { x: ["n", 3, 4], z: ["n", 3, 2] },
  },
  "Concat after convolutions": {
    nodes: [
      node("Conv", ["x", "w"], "a"),
      node("Conv", ["x", "v"], "b"),
      node("Concat", ["a", "b"], "c", { axis: 1 }),
      node("Flatten", ["c"], "y"),
    ],
    inputs: { x: ["n", ...image] },
    constants: { w: floats([4, 3, 3, 3]), v: floats([2, 3, 3, 3]) },
  },
  "Dropout 7": one("Dropout", [7], {}, { ratio: { f: 0.4 } }, 7),
  "Dropout 13": one("Dropout", [7], { r: floats([], [0.4]) }, {}, 13),
  Identity: one("Identity", [7]),
  Cast: { ...one("Cast", [7], {}, { to: DataType.float }), type: DataType.int64 },
  "Constant and Cast": {
    nodes: [
      node("Constant", [], "c", { value: { t: int64s([3], []) } }),
      node("Cast", ["c"], "f", { to: DataType.float }),
      node("Mul", ["x", "f"], "y"),
    ],
    inputs: { x: ["n", 7] },
  },
  "ReduceMean of an image": one("ReduceMean", image, {}, { axes: [2, 3], keepdims: 0 }),
  "ReduceMean 18": one("ReduceMean", image, { a: int64s([-1, -2]) }, {}, 18),
  "ReduceMean of steps": one("ReduceMean", [5, 4], {}, { axes: [1], keepdims: 0 }),
  "ReduceMean of channels": one("ReduceMean", image, {}, { axes: [1] }),
  "ReduceMean of all but the batch": one("ReduceMean", image, {}, { axes: [1, 2, 3] }),
  ReduceMax: one("ReduceMax", image, {}, { axes: [-1], keepdims: 0 }),
  ReduceSum: one("ReduceSum", image, { a: int64s([2, 3]) }),
  Gather: {
    nodes: [node("Gather", ["table", "x"], "y")],
    inputs: { x: ["n", 5] },
    constants: { table: floats([9, 4]) },
    type: DataType.int64,
  },
  Expand: one("Expand", [1, 4], { to: int64s([1, 3, 4]) }),
  "Gather one place": one("Gather", [5, 4], { i: int64s([-1], []) }, { axis: 1 }),
  "Gather one channel, kept": one("Gather", image, { i: int64s([2]) }, { axis: 1 }),
  "Slice 9": one("Slice", image, {}, { starts: [1, -3], ends: [3, 100], axes: [1, 3] }, 9),
  Slice: one("Slice", image, { s: int64s([0, 1]), e: int64s([2 ** 53 - 1, -1]), a: int64s([0, 2]), t: int64s([1, 1]) }),
  "Split and Concat": {
    nodes: [
      node("Split", ["x"], ["a", "b", "c"], { axis: 1 }),
      node("Relu", ["b"], "r"),
      node("Concat", ["a", "r", "c"], "y", { axis: 1 }),
    ],
    inputs: { x: ["n", 6, 4] },
    opset: 12,
  },
  "Split of sizes": {
    nodes: [node("Split", ["x", "sizes"], ["a", "b"], { axis: -1 }), node("Concat", ["b", "a"], "y", { axis: -1 })],
    inputs: { x: ["n", 6, 4] },
    constants: { sizes: int64s([1, 3]) },
  },
  "Split and Concat of all": {
    nodes: [node("Split", ["x"], ["a", "b"], { axis: 1 }), node("Concat", ["a", "b"], "y", { axis: 1 })],
    inputs: { x: ["n", 6, 4] },
    opset: 12,
  },
  "LSTM both ways, both outputs": {
    nodes: [
      node("Transpose", ["x"], "t", { perm: [1, 0, 2] }),
      node("LSTM", ["t", "w", "r", "b"], ["all", "last"], { hidden_size: 4, direction: "bidirectional" }),
      node("Transpose", ["all"], "p", { perm: [2, 0, 1, 3] }),
      node("Flatten", ["p"], "f"),
      node("Transpose", ["last"], "q", { perm: [1, 0, 2] }),
      node("Flatten", ["q"], "g"),
      node("Concat", ["f", "g"], "y", { axis: 1 }),
    ],
    inputs: { x: ["n", 5, 3] },
    constants: { w: floats([2, 16, 3]), r: floats([2, 16, 4]), b: floats([2, 32]) },
  },
  "GRU without bias": {
    nodes: [
      node("Transpose", ["x"], "t", { perm: [1, 0, 2] }),
      node("GRU", ["t", "w", "r"], ["", "last"], { hidden_size: 4, linear_before_reset: 1 }),
      node("Squeeze", ["last", "zero"], "y"),
    ],
    inputs: { x: ["n", 5, 3] },
    constants: { w: floats([1, 12, 3]), r: floats([1, 12, 4]), zero: int64s([0]) },
  },
  "Shape, Gather, Concat, Reshape": {
    nodes: [
      node("Shape", ["x"], "s"),
      node("Gather", ["s", "zero"], "n"),
      node("Unsqueeze", ["n", "axes"], "n1"),
      node("Concat", ["n1", "minus"], "to", { axis: 0 }),
      node("Reshape", ["x", "to"], "y"),
    ],
    inputs: { x: ["n", ...image] },
    constants: { zero: int64s([0], []), axes: int64s([0]), minus: int64s([-1]) },
  },
  "Shape, Slice, Mul": {
    nodes: [
      node("Shape", ["x"], "s"),
      node("Slice", ["s", "one", "all"], "hw"),
      node("Slice", ["s", "zero", "one"], "n"),
      node("Gather", ["hw", "first"], "h"),
      node("Mul", ["h", "h"], "hh"),
      node("Div", ["hh", "h"], "d"),
      node("Concat", ["n", "minus", "d"], "to", { axis: 0 }),
      node("Reshape", ["x", "to"], "y"),
    ],
    inputs: { x: ["n", ...image] },
    constants: {
      one: int64s([1]),
      all: int64s([2 ** 53 - 1]),
      zero: int64s([0]),
      first: int64s([1]),
      minus: int64s([-1]),
    },
  },
  "Conv, Flatten, BatchNormalization, Gemm": {
    nodes: [
      node("Conv", ["x", "w"], "a"),
      node("Flatten", ["a"], "f"),
      node("BatchNormalization", ["f", "g", "h", "h", "v"], "b"),
      node("Relu", ["b"], "r"),
      node("Gemm", ["r", "k"], "y", { transB: 1 }),
    ],
    inputs: { x: ["n", 2, 4, 5] },
    constants: {
      w: floats([3, 2, 3, 3]),
      g: floats([18]),
      h: floats([18]),
      v: floats([18], "positive"),
      k: floats([2, 18]),
    },
  },
  "Conv, Flatten, Softmax": {
    nodes: [node("Conv", ["x", "w"], "a"), node("Flatten", ["a"], "f"), node("Softmax", ["f"], "y")],
    inputs: { x: ["n", 2, 4, 5] },
    constants: { w: floats([3, 2, 3, 3]) },
  },
  "channels shuffled": {
    nodes: [
      node("Conv", ["x", "w"], "a"),
      node("Reshape", ["a", "split"], "b"),
      node("Transpose", ["b"], "c", { perm: [0, 2, 1, 3, 4] }),
      node("Reshape", ["c", "join"], "d"),
      node("Conv", ["d", "v"], "y"),
    ],
    inputs: { x: ["n", 2, 4, 5] },
    constants: {
      w: floats([4, 2, 1, 1]),
      v: floats([2, 4, 3, 3]),
      split: int64s([-1, 2, 2, 4, 5]),
      join: int64s([-1, 4, 4, 5]),
    },
  },
  "nodes in disorder, one that no output needs": {
    nodes: [node("Relu", ["h"], "y"), node("Erf", ["h"], "unused"), node("Neg", ["x"], "h")],
    inputs: { x: ["n", 4] },
  },
  // as PyTorch writes F.pad: pairs, turned round
  "constants cut backwards": {
    nodes: [
      node("Reshape", ["pairs", "two"], "r"),
      node("Slice", ["r", "from", "to", "zero", "back"], "s"),
      node("Transpose", ["s"], "t"),
      node("Reshape", ["t", "flat"], "p"),
      node("Pad", ["x", "p"], "y"),
    ],
    inputs: { x: ["n", ...image] },
    constants: {
      pairs: int64s([1, 2, 0, 3, 0, 0, 0, 0]),
      two: int64s([-1, 2]),
      from: int64s([-1]),
      to: int64s([-(2 ** 53) + 1]),
      zero: int64s([0]),
      back: int64s([-1]),
      flat: int64s([-1]),
    },
  },
  "weights cut along two axes": {
    nodes: [node("Slice", ["w", "from", "to", "axes", "steps"], "v"), node("MatMul", ["x", "v"], "y")],
    inputs: { x: ["n", 3] },
    constants: {
      w: floats([7, 6]),
      from: int64s([-1, -100]),
      to: int64s([1, 100]),
      axes: int64s([0, -1]),
      steps: int64s([-2, 3]),
    },
  },
  "weights expanded": {
    nodes: [node("Expand", ["w", "to"], "v"), node("MatMul", ["x", "v"], "y")],
    inputs: { x: ["n", 3] },
    constants: { w: floats([3, 1]), to: int64s([1, 4]) },
  },
  "GRU from zeros of the file's batch, as PyTorch writes it without dynamic axes": {
    nodes: [
      node("Shape", ["x"], "s"),
      node("Gather", ["s", "zero"], "n"),
      node("Concat", ["one", "n", "four"], "to", { axis: 0 }),
      node("Expand", ["state", "to"], "h"),
      node("Transpose", ["x"], "t", { perm: [1, 0, 2] }),
      node("GRU", ["t", "w", "r", "", "", "h"], ["", "last"], { hidden_size: 4, linear_before_reset: 1 }),
      node("Squeeze", ["last", "zero"], "y"),
    ],
    inputs: { x: [2, 5, 3] },
    constants: {
      w: floats([1, 12, 3]),
      r: floats([1, 12, 4]),
      state: floats([1, 2, 4], new Array(8).fill(0)),
      zero: int64s([0]),
      one: int64s([1]),
      four: int64s([4]),
    },
  },
  "weights transposed": {
    nodes: [node("Transpose", ["w"], "t", { perm: [1, 0] }), node("MatMul", ["x", "t"], "y")],
    inputs: { x: ["n", 5] },
    constants: { w: floats([4, 5]) },
  },
};

for (const [name, spec] of Object.entries(cases))
  test(name, async () => {
    const bytes = onnxFile({ inputs: {}, ...spec });
    const model = importOnnx(bytes);
    const rand = random(name.length);
    for (const rows of [1, 2]) {
      const inputs = Object.entries(spec.inputs ?? {}).map(([key, [batch, ...sizes]]) => {
        const shape = [typeof batch === "number" ? batch : rows, ...(sizes as number[])];
        const count = shape.reduce((a, b) => a * b, 1);
        const whole = spec.type === DataType.int64;
        const data = Float32Array.from({ length: count }, () => (whole ? rand(9) : rand(4001) / 1000 - 2));
        return [key, { data, shape }] as const;
      });
      const expected = (await reference(bytes, Object.fromEntries(inputs), spec.type === DataType.int64))["y"]!;
      const given = inputs.length === 1 ? inputs[0]![1] : Object.fromEntries(inputs);
      const y = model.predict(given as NDArray) as NDArray;
      expect(y.shape).toEqual(expected.shape);
      expect(difference(y.data, expected.data)).toBeLessThan(1e-5);
    }
    model.dispose();
  });
