// ONNX's operators whose windows move over images [n, c, h, w] and sequences [n, c, t].

import { conv1d, conv2d, conv2dTranspose, depthwiseConv2d } from "../../../layers/convolution";
import { paddedPool2d } from "../../../layers/imported";
import type { Layer, Symbolic } from "../../../layers/layer";
import { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "../../../layers/pooling";
import { upSampling2d, zeroPadding2d } from "../../../layers/resizing";
import { reshape } from "../../../layers/shape";
import { padsOf } from "../../../layers/window";
import { type Constant, transposed } from "./constants";
import type { Node } from "./graph";
import { channelsLast, inOrder, type Lowering, NotCovered, type Value } from "./lowering";

type Pair = readonly [number, number];
type Pads = readonly [top: number, bottom: number, left: number, right: number];

interface Window {
  size: Pair;
  strides: Pair;
  dilation: Pair;
  pads: Pads;
}

const ZEROS: Pads = [0, 0, 0, 0];

/** Both or, of a sequence, 1 (or another) and the one. */
const pairFrom = (list: readonly number[], rank: number, one = 1): Pair =>
  (rank === 3 ? [one, list[0]!] : list) as readonly number[] as Pair;

/** Images, or sequences as images of one row. */
function imageOf(lowering: Lowering, x: Value): Symbolic {
  const { length: rank } = x.shape;
  if (rank !== 3 && rank !== 4) throw new NotCovered(`its input has ${rank} axes, not 3 or 4`);
  const at = lowering.arrange(x, channelsLast(rank));
  return rank === 4 ? at : reshape([1, ...at.shape])(at);
}

/** What images became, as a value of ONNX's rank. */
function ofRank(lowering: Lowering, image: Symbolic, rank: number): Value {
  const [h, w, c] = image.shape as [number, number, number];
  if (rank === 4) return lowering.newValue(image, [Number.NaN, c, h, w], [0, 2, 3, 1]);
  return lowering.newValue(reshape([w, c])(image), [Number.NaN, c, w], [0, 2, 1]);
}

/** Sizes, strides and the like, and how far a window reaches: the kernels count in 32 bits. */
const MOST = 2 ** 20;
const MOST_REACH = 2 ** 30;

/** A list of the window's, one number an axis. */
function axesList(node: Node, name: string, rank: number, fallback: number, least: number, times = 1): number[] {
  const list = node.ints(name) ?? new Array<number>((rank - 2) * times).fill(fallback);
  if (list.length !== (rank - 2) * times || list.some((v) => v < least || v > MOST))
    throw new NotCovered(`${name} are [${list.join(", ")}]`);
  return list;
}

/** The window of a node over images of that size. */
function windowOf(node: Node, rank: number, image: Pair, kernel?: readonly number[]): Window {
  const given = node.ints("kernel_shape") ?? kernel;
  if (
    !given ||
    given.length !== rank - 2 ||
    (kernel && given.join() !== kernel.join()) ||
    given.some((k) => k < 1 || k > MOST)
  )
    throw new NotCovered(`kernel_shape is [${(given ?? []).join(", ")}]`);
  const size = pairFrom(given, rank);
  const strides = pairFrom(axesList(node, "strides", rank, 1, 1), rank);
  const dilation = pairFrom(axesList(node, "dilations", rank, 1, 1), rank);
  if (size.some((k, i) => k * dilation[i]! > MOST_REACH))
    throw new NotCovered(`kernel_shape is [${given.join(", ")}], dilations [${dilation.join(", ")}]`);
  const auto = node.text("auto_pad", "NOTSET");
  let pads = ZEROS;
  if (auto === "NOTSET") {
    const list = axesList(node, "pads", rank, 0, 0, 2);
    const [top, left] = pairFrom(list, rank, 0);
    const [bottom, right] = pairFrom(list.slice(rank - 2), rank, 0);
    pads = [top, bottom, left, right];
  } else if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    const [top, bottom, left, right] = padsOf("same", image, size, strides, dilation);
    pads = auto === "SAME_UPPER" ? [top, bottom, left, right] : [bottom, top, right, left];
  } else if (auto !== "VALID") throw new NotCovered(`auto_pad is ${auto}`);
  return { size, strides, dilation, pads };
}

const areZero = (pads: Pads) => pads.every((pad) => pad === 0);

/** Whether `"same"` pads an image as the window does. */
const isSame = ({ size, strides, dilation, pads }: Window, image: Pair): boolean =>
  padsOf("same", image, size, strides, dilation).join() === pads.join();

const padded = (image: Symbolic, [top, bottom, left, right]: Pads): Symbolic =>
  zeroPadding2d([
    [top, bottom],
    [left, right],
  ])(image);

/** A layer's kernel [kh, kw, in, out] of ONNX's [out, in, kh, kw] (of a transposed convolution in and out are the other way round). */
const kernelOf = (weights: Constant) => () => {
  const [out, inputs, ...window] = weights.shape as [number, number, ...number[]];
  const axes = window.length === 1 ? [2, 1, 0] : [2, 3, 1, 0];
  return transposed(weights.read(), [out, inputs, ...window], axes);
};

/** The kernel, of that rank, and the bias of a convolution. */
function weightsOf(lowering: Lowering, node: Node, rank: number, filters: (weights: Constant) => number) {
  const weights = lowering.needConstant(node, 1);
  if (weights.shape.length !== rank || !weights.size)
    throw new NotCovered(`its weights have shape [${weights.shape.join(", ")}]`);
  return { weights, ...lowering.biasOf(node, 2, filters(weights), rank, 1) };
}

export function conv(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const rank = x.shape.length;
  const image = imageOf(lowering, x);
  const [h, w, channels] = image.shape as [number, number, number];
  const { weights, bias, useBias, biasName } = weightsOf(lowering, node, rank, ({ shape }) => shape[0]!);
  const [filters, perGroup, ...kernel] = weights.shape as [number, number, ...number[]];
  const groups = node.int("group", 1);
  if (groups < 1 || perGroup * groups !== channels || filters % groups)
    throw new NotCovered(
      `its weights [${weights.shape.join(", ")}] and group ${groups} do not fit ${channels} channels`,
    );
  const window = windowOf(node, rank, [h, w], kernel);
  const same = !areZero(window.pads) && isSame(window, [h, w]);
  const from = same || areZero(window.pads) ? image : padded(image, window.pads);
  const padding = same ? ("same" as const) : ("valid" as const);
  const depthwise = groups > 1 && groups === channels && rank === 4;
  const options = { padding, useBias };
  const make = (): Layer => {
    const named = lowering.nameOf(node.inputs[1]!);
    const { strides, dilation } = window;
    const layer = depthwise
      ? depthwiseConv2d(window.size, {
          ...options,
          ...named,
          strides,
          dilationRate: dilation,
          depthMultiplier: filters / groups,
        })
      : rank === 4
        ? conv2d(filters, window.size, { ...options, ...named, strides, dilationRate: dilation, groups })
        : conv1d(filters, window.size[1], {
            ...options,
            ...named,
            strides: strides[1],
            dilationRate: dilation[1],
            groups,
          });
    return lowering.give(layer, { kernel: kernelOf(weights), ...bias });
  };
  const { size, strides, dilation } = window;
  const layer = lowering.share([node.op, size, strides, dilation, groups, options, node.inputs[1], biasName], make);
  if (rank === 4) return ofRank(lowering, layer(from), 4);
  const y = layer(from === image ? lowering.arrange(x, [0, 2, 1]) : reshape(from.shape.slice(1))(from));
  return lowering.newValue(y, [Number.NaN, y.shape[1]!, y.shape[0]!], [0, 2, 1]);
}

/** A layer that leaves rows and columns off the sides of an image: a depthwise convolution that is fixed and has one 1 in its kernel. */
function cropped(lowering: Lowering, image: Symbolic, [top, bottom, left, right]: Pads): Symbolic {
  const size: Pair = [top + bottom + 1, left + right + 1];
  const channels = image.shape[2]!;
  const layer = depthwiseConv2d(size, { useBias: false, trainable: false });
  const kernel = () =>
    new Float32Array(size[0] * size[1] * channels).fill(
      1,
      (top * size[1] + left) * channels,
      (top * size[1] + left + 1) * channels,
    );
  return lowering.give(layer, { kernel })(image);
}

/** Rows and columns more than a crop is worth. */
const MAX_CROP = 64;

export function convTranspose(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const rank = x.shape.length;
  const image = imageOf(lowering, x);
  const [h, w, channels] = image.shape as [number, number, number];
  const { weights, bias, useBias, biasName } = weightsOf(lowering, node, rank, ({ shape }) => shape[1]!);
  const [inputs, filters, ...kernel] = weights.shape as [number, number, ...number[]];
  if (node.int("group", 1) !== 1) throw new NotCovered(`group is ${node.int("group", 1)}`);
  if (inputs !== channels)
    throw new NotCovered(`its weights [${weights.shape.join(", ")}] do not fit ${channels} channels`);
  if (node.has("output_shape")) throw new NotCovered("output_shape");
  const auto = node.text("auto_pad", "NOTSET");
  if (auto !== "NOTSET" && auto !== "VALID") throw new NotCovered(`auto_pad is ${auto}`);
  const { size, strides, dilation, pads } = windowOf(node, rank, [h, w], kernel);
  const further = pairFrom(axesList(node, "output_padding", rank, 0, 0), rank, 0);
  const along = [h, w].map((length, i) => {
    const reach = (size[i]! - 1) * dilation[i]! + 1;
    const valid = length * strides[i]! + Math.max(reach - strides[i]!, 0);
    const out = (length - 1) * strides[i]! + reach + further[i]! - pads[2 * i]! - pads[2 * i + 1]!;
    return { out, crop: [pads[2 * i]!, valid - out - pads[2 * i]!] as const, same: length * strides[i]! };
  });
  const [rows, columns] = along as [(typeof along)[0], (typeof along)[0]];
  const whole: Pair = [rows.same, columns.same];
  const same =
    along.every(({ out, same }) => out === same) &&
    [0, 2].every((side) => padsOf("same", whole, size, strides, dilation)[side] === pads[side]);
  const crop: Pads = [...rows.crop, ...columns.crop];
  if (along.some(({ out }) => out < 1) || (!same && crop.some((c) => c < 0 || c > MAX_CROP)))
    throw new NotCovered(`pads [${pads.join(", ")}] and output_padding [${further.join(", ")}]`);
  const options = { padding: same ? ("same" as const) : ("valid" as const), useBias };
  const make = (): Layer => {
    const named = lowering.nameOf(node.inputs[1]!);
    const layer = conv2dTranspose(filters, size, { ...options, ...named, strides, dilationRate: dilation });
    return lowering.give(layer, { kernel: kernelOf(weights), ...bias });
  };
  const layer = lowering.share([node.op, size, strides, dilation, options, node.inputs[1], biasName], make);
  const y = layer(image);
  return ofRank(lowering, same || areZero(crop) ? y : cropped(lowering, y, crop), rank);
}

const pool =
  (kind: "max" | "average") =>
  (lowering: Lowering, node: Node): Value => {
    const x = lowering.value(node, 0);
    const rank = x.shape.length;
    let image = imageOf(lowering, x);
    const [h, w] = image.shape as [number, number, number];
    const given = windowOf(node, rank, [h, w]);
    const { size, strides, dilation } = given;
    const pads = node.int("ceil_mode", 0) ? ceiled([h, w], given) : given.pads;
    const window = { ...given, pads };
    const counted = kind === "average" && node.int("count_include_pad", 0);
    if (counted && pads.join() !== given.pads.join()) throw new NotCovered("ceil_mode and count_include_pad");
    if (pads.some((pad, i) => pad >= size[i >> 1]!)) throw new NotCovered(`pads are [${pads.join(", ")}]`);
    if (dilation.some((d) => d !== 1)) throw new NotCovered(`dilations are [${dilation.join(", ")}]`);
    if (node.int("storage_order", 0)) throw new NotCovered("storage_order");
    const layer = kind === "max" ? maxPool2d : averagePool2d;
    if (areZero(pads)) image = layer(size, { strides })(image);
    else if (counted) image = layer(size, { strides })(padded(image, pads));
    else if (isSame(window, [h, w])) image = layer(size, { strides, padding: "same" })(image);
    else image = paddedPool2d(size, { strides, pads, average: kind === "average" })(image);
    return ofRank(lowering, image, rank);
  };

/** Pads with what `ceil_mode` adds: of a last window that begins within the image or its padding the part that is beyond. */
function ceiled(image: Pair, { size, strides, pads }: Window): Pads {
  const more = [0, 1].map((i) => {
    const rest = image[i]! + pads[2 * i]! + pads[2 * i + 1]! - size[i]!;
    const windows = Math.ceil(rest / strides[i]!);
    const begins = windows * strides[i]! < image[i]! + pads[2 * i]!;
    return begins ? windows * strides[i]! - rest : 0;
  });
  return [pads[0], pads[1] + more[0]!, pads[2], pads[3] + more[1]!];
}

export const maxPool = /* @__PURE__ */ pool("max");
export const averagePool = /* @__PURE__ */ pool("average");

/** The mean or the largest over axes, whatever axes there are: they become the rows of an image, the others its channels. */
export function reduced(
  lowering: Lowering,
  x: Value,
  over: readonly number[],
  kind: "mean" | "max",
  keep: boolean,
): Value {
  const rank = x.shape.length;
  const batch = x.axes[0]!;
  if (over.includes(batch)) throw new NotCovered("it reduces the batch");
  const others = inOrder(rank).filter((axis) => axis !== batch && !over.includes(axis));
  const sizes = others.map((axis) => x.shape[axis]!);
  const layer = kind === "mean" ? globalAveragePool2d : globalMaxPool2d;
  const spatial = rank === 4 && over.length === 2;
  const at = lowering.arrange(x, [batch, ...over, ...others]);
  const rows = over.reduce((product, axis) => product * x.shape[axis]!, 1);
  const channels = sizes.reduce((product, size) => product * size, 1);
  const y = layer()(spatial ? at : reshape([rows, 1, channels])(at));
  const z = sizes.length === 1 ? y : reshape(sizes)(y);
  const shape = x.shape.map((size, axis) => (over.includes(axis) ? 1 : size));
  const kept = lowering.newValue(z, shape, [batch, ...others]);
  return keep ? kept : withoutAxes(kept, over);
}

/** The value without those axes, each of size 1. */
export function withoutAxes(x: Value, axes: readonly number[]): Value {
  const left = inOrder(x.shape.length).filter((axis) => !axes.includes(axis));
  return {
    ...x,
    shape: left.map((axis) => x.shape[axis]!),
    axes: x.axes.filter((axis) => left.includes(axis)).map((axis) => left.indexOf(axis)),
    arranged: new Map(),
    ...(x.axes.some((axis) => axes.includes(axis)) && {
      at: reshape(
        x.axes
          .filter((axis) => left.includes(axis))
          .slice(1)
          .map((axis) => x.shape[axis]!),
      )(x.at),
    }),
  };
}

const globalPool =
  (kind: "mean" | "max") =>
  (lowering: Lowering, node: Node): Value => {
    const x = lowering.value(node, 0);
    if (x.shape.length < 3) throw new NotCovered(`its input has ${x.shape.length} axes`);
    return reduced(lowering, x, inOrder(x.shape.length).slice(2), kind, true);
  };

export const globalAveragePool = /* @__PURE__ */ globalPool("mean");
export const globalMaxPool = /* @__PURE__ */ globalPool("max");

export function pad(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const rank = x.shape.length;
  const mode = node.text("mode", "constant");
  if (mode !== "constant") throw new NotCovered(`mode is ${mode}`);
  const list = lowering.opset < 11 ? node.ints("pads") : lowering.integers(node, 1);
  const value = lowering.opset < 11 ? node.float("value", 0) : Number(lowering.constant(node, 2)?.read()[0] ?? 0);
  const some = lowering.integers(node, 3)?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? inOrder(rank);
  if (value !== 0) throw new NotCovered(`its value is ${value}`);
  if (
    list?.length !== 2 * some.length ||
    some.some((axis) => !(axis >= 0 && axis < rank)) ||
    list.some((p) => !(p >= 0))
  )
    throw new NotCovered(`pads are [${(list ?? []).join(", ")}]`);
  const before = inOrder(rank).map((axis) => (some.includes(axis) ? list[some.indexOf(axis)]! : 0));
  const after = inOrder(rank).map((axis) => (some.includes(axis) ? list[some.length + some.indexOf(axis)]! : 0));
  const along = inOrder(rank).filter((axis) => before[axis] || after[axis]);
  if (!along.length) return x;
  const batch = x.axes[0]!;
  if (along.length > 2 || along.includes(batch)) throw new NotCovered(`pads are [${list.join(", ")}]`);
  // the axes that are padded become an image's rows and columns, or where one is, its columns
  const others = inOrder(rank).filter((axis) => axis !== batch && !along.includes(axis));
  const at = lowering.arrange(x, [batch, ...along, ...others]);
  const sizes = along.map((axis) => x.shape[axis]!);
  const channels = others.reduce((product, axis) => product * x.shape[axis]!, 1);
  const isImage = at.shape.length === 3 && along.length === 2;
  const image = isImage ? at : reshape([...(along.length === 1 ? [1] : []), ...sizes, channels])(at);
  const [last, first] = [along.at(-1)!, along.length === 2 ? along[0]! : undefined];
  const pads: Pads = [
    first === undefined ? 0 : before[first]!,
    first === undefined ? 0 : after[first]!,
    before[last]!,
    after[last]!,
  ];
  const shape = x.shape.map((size, axis) => size + before[axis]! + after[axis]!);
  const y = padded(image, pads);
  const z = isImage ? y : reshape([...along, ...others].map((axis) => shape[axis]!))(y);
  return lowering.newValue(z, shape, [batch, ...along, ...others], {
    whole: x.whole,
  });
}

/** Enlarged images: by what factors, and how. */
function enlarged(
  lowering: Lowering,
  x: Value,
  scales: readonly number[],
  interpolation: "nearest" | "bilinear",
): Value {
  const rank = x.shape.length;
  if (
    scales.length !== rank ||
    scales[0] !== 1 ||
    scales[1] !== 1 ||
    scales.some((s) => !Number.isSafeInteger(s) || s < 1)
  )
    throw new NotCovered(`scales are [${scales.join(", ")}]`);
  const size = pairFrom(scales.slice(2), rank);
  const image = imageOf(lowering, x);
  const y = size.join() === "1,1" ? image : upSampling2d(size, { interpolation })(image);
  return ofRank(lowering, y, rank);
}

const modeOf = (node: Node): "nearest" | "bilinear" => {
  const mode = node.text("mode", "nearest");
  if (mode !== "nearest" && mode !== "linear") throw new NotCovered(`mode is ${mode}`);
  return mode === "linear" ? "bilinear" : "nearest";
};

export function upsample(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const interpolation = modeOf(node);
  if (interpolation === "bilinear") throw new NotCovered("mode is linear (from corner to corner)");
  const scales = lowering.opset < 9 ? (node.floats("scales") ?? []) : Array.from(lowering.needConstant(node, 1).read());
  return enlarged(lowering, x, scales, interpolation);
}

export function resize(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const interpolation = modeOf(node);
  if (lowering.opset < 11 && interpolation === "bilinear")
    throw new NotCovered("mode is linear (from corner to corner)");
  if (node.has("axes")) throw new NotCovered("axes");
  if (node.int("antialias", 0)) throw new NotCovered("antialias");
  if (node.int("exclude_outside", 0)) throw new NotCovered("exclude_outside");
  const given = lowering.constant(node, lowering.opset < 11 ? 1 : 2);
  const sizes = lowering.integers(node, 3);
  const scales = given?.size
    ? Array.from(given.read())
    : sizes?.map((size, axis) => (axis ? size / x.shape[axis]! : 1));
  const coordinates = node.text("coordinate_transformation_mode", lowering.opset < 11 ? "asymmetric" : "half_pixel");
  const rounding = node.text("nearest_mode", lowering.opset < 11 ? "floor" : "round_prefer_floor");
  const y = enlarged(lowering, x, scales ?? [], interpolation);
  const centred = coordinates === "half_pixel" || coordinates === "pytorch_half_pixel";
  const most = Math.max(...scales!);
  const right =
    interpolation === "bilinear"
      ? centred
      : (centred && rounding.startsWith("round_")) ||
        (coordinates === "asymmetric" && (rounding === "floor" || (rounding === "round_prefer_floor" && most <= 2)));
  if (!right) throw new NotCovered(`coordinate_transformation_mode is ${coordinates}, nearest_mode ${rounding}`);
  return y;
}
