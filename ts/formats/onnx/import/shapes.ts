// ONNX's operators that move numbers and change shapes; most only rename axes.

import { slice } from "../../../layers/imported";
import type { Symbolic } from "../../../layers/layer";
import { concatenate } from "../../../layers/merge";
import { reshape } from "../../../layers/shape";
import { DataType } from "../messages";
import { productOf } from "./constants";
import { affine, shapeText } from "./elementwise";
import type { Node } from "./graph";
import { gather as embedded } from "./layers";
import { inOrder, isWide, type Lowering, NotCovered, type Value } from "./lowering";
import { reduced, withoutAxes } from "./windows";

export const identity = (lowering: Lowering, node: Node): Value => lowering.value(node, 0, true);

/** To another type: floating-point numbers are all the same to us. */
export function cast(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const to = node.int("to", 0);
  const floating = [DataType.float, DataType.double, DataType.float16, DataType.bfloat16] as number[];
  if (floating.includes(to)) return { ...x, whole: false };

  // what an embedding reads is cut to whole numbers there
  const y = node.outputs[0]!;
  const indices = lowering.readersOf(y).every(({ op, inputs }) => op === "Gather" && inputs[0] !== y);
  if ((to !== DataType.int64 && to !== DataType.int32) || (!x.whole && !indices)) throw new NotCovered(`to is ${to}`);
  return x;
}

/** An axis of x that a node names. */
export function axisOf(x: Value, axis: number): number {
  const rank = x.shape.length;
  if (!(axis >= -rank && axis < rank)) throw new NotCovered(`axis ${axis} of ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

export function transpose(lowering: Lowering, node: Node): Value {
  const x = lowering.settle(lowering.value(node, 0));
  const rank = x.shape.length;
  const order = node.ints("perm") ?? inOrder(rank).reverse();
  if (order.length !== rank || inOrder(rank).some((axis) => !order.includes(axis)))
    throw new NotCovered(`perm is [${order.join(", ")}]`);
  const axes = x.axes.map((axis) => order.indexOf(axis));
  return { ...x, shape: order.map((axis) => x.shape[axis]!), axes, arranged: new Map() };
}

/** The axes of a node, an attribute or, later, an input. */
function axesOf(lowering: Lowering, node: Node, from: number): number[] | undefined {
  return lowering.opset < from ? node.ints("axes") : lowering.integers(node, 1);
}

export function squeeze(lowering: Lowering, node: Node): Value {
  const x = lowering.settle(lowering.value(node, 0));
  const given = axesOf(lowering, node, 13);
  const axes =
    given?.map((axis) => axisOf(x, axis)) ?? inOrder(x.shape.length).filter((axis) => !isWide(x.shape[axis]));
  if (axes.some((axis) => isWide(x.shape[axis])))
    throw new NotCovered(`axes are [${axes.join(", ")}] of ${shapeText(x)}`);
  return withoutAxes(x, axes);
}

export function unsqueeze(lowering: Lowering, node: Node): Value {
  const x = lowering.settle(lowering.value(node, 0));
  const given = axesOf(lowering, node, 13);
  const rank = x.shape.length + (given?.length ?? 0);
  const axes = (given ?? []).map((axis) => (axis < 0 ? axis + rank : axis));
  if (!given || rank > 8 || new Set(axes).size < axes.length || axes.some((axis) => !(axis >= 0 && axis < rank)))
    throw new NotCovered(`axes are [${(given ?? []).join(", ")}]`);
  const old = inOrder(rank).filter((axis) => !axes.includes(axis));
  const shape = inOrder(rank).map((axis) => (axes.includes(axis) ? 1 : x.shape[old.indexOf(axis)]!));
  return { ...x, shape, axes: x.axes.map((axis) => old[axis]!), arranged: new Map() };
}

/** x under another shape of as many numbers, the batch its first axis before and after. */
function reshaped(lowering: Lowering, x: Value, sizes: readonly number[], rows = 1): Value {
  if (x.axes[0] !== 0) throw new NotCovered(`the batch is axis ${x.axes[0]}`);
  if (x.rows || rows > 1) return asRows(lowering, x, sizes, rows);
  const shape = [Number.NaN, ...sizes];
  const { axes } = x;
  const wide = axes.filter((axis) => isWide(x.shape[axis]));
  const old = x.shape.slice(1).filter(isWide);
  // the same sizes but for some of 1: axes are renamed
  if (!x.flattened && sizes.filter(isWide).join() === old.join()) {
    const names = [0, ...inOrder(shape.length).filter((axis) => axis && isWide(shape[axis]))];
    const before = [0, ...inOrder(x.shape.length).filter((axis) => axis && isWide(x.shape[axis]))];
    const at = lowering.arrange(x, wide);
    return { ...x, at, shape, axes: wide.map((axis) => names[before.indexOf(axis)]!), arranged: new Map() };
  }
  if (sizes.length === 1 && x.flattened) return x;
  const ordered = [...wide].sort((a, b) => a - b);
  if (!x.flattened && sizes.length === 1 && wide.join() !== ordered.join()) {
    // what reads it may take the numbers as they stand
    const image = ordered.slice(1).map((axis) => x.shape[axis]!);
    const order = wide.slice(1).map((axis) => ordered.indexOf(axis) - 1);
    return lowering.like(x, reshape([...sizes])(x.at), {
      shape,
      axes: [0, 1],
      flattened: { sizes: image, order },
    });
  }
  const at: Symbolic = lowering.arrange(x, ordered);
  const same = at.shape.join() === sizes.join();
  return lowering.like(x, same ? at : reshape([...sizes])(at), {
    shape,
    axes: inOrder(shape.length),
    flattened: undefined,
  });
}

/** Of a value whose batch is another axis than the first: what stands before it and what behind it, each under a shape of its own. */
function reshapedRound(lowering: Lowering, x: Value, given: readonly number[], keep: boolean): Value {
  const batch = x.axes[0]!;
  const sizes = given.map((d, axis) => (d === 0 && keep ? (x.shape[axis] ?? 0) : d));
  const at = sizes.findIndex(Number.isNaN);
  const before = inOrder(batch);
  const behind = inOrder(x.shape.length).slice(batch + 1);
  const parts = [before, behind].map((axes, i) => {
    const total = productOf(axes.map((axis) => x.shape[axis]!));
    const to = i ? sizes.slice(at + 1) : sizes.slice(0, Math.max(at, 0));
    const fixed = productOf(to.filter((d) => d !== -1));
    const open = to.filter((d) => d === -1).length;
    const fits =
      at >= 0 && open < 2 && to.every((d) => d > 0 || d === -1) && (open ? total % fixed === 0 : total === fixed);
    if (!fits) throw new NotCovered(`its shape [${given.join(", ")}] for ${shapeText(x)}`);
    return to.map((d) => (d === -1 ? total / fixed : d));
  });
  const all = parts.flat();
  const from = lowering.arrange(x, [batch, ...before, ...behind]);
  const shape = [...parts[0]!, Number.NaN, ...parts[1]!];
  const axes = [at, ...inOrder(shape.length).filter((axis) => axis !== at)];
  return lowering.newValue(from.shape.join() === all.join() ? from : reshape(all)(from), shape, axes, {
    whole: x.whole,
  });
}

/** Rows put in the batch's place, [n·rows, …], or out of it: the numbers stand as they are. */
function asRows(lowering: Lowering, x: Value, sizes: readonly number[], rows: number): Value {
  const at = lowering.arrange(x, inOrder(x.shape.length));
  const shape = [Number.NaN, ...sizes];
  const to = rows > 1 ? [rows, ...sizes] : sizes;
  const y = at.shape.join() === to.join() ? at : reshape([...to])(at);
  return lowering.newValue(y, shape, inOrder(shape.length), { whole: x.whole, ...(rows > 1 && { rows }) });
}

export function flatten(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const axis = node.int("axis", 1);
  const at = axis === x.shape.length ? axis : axisOf(x, axis);
  if (x.shape.slice(1, at).some(isWide) || at === 0) throw new NotCovered(`axis is ${axis}`);
  return reshaped(lowering, x, [productOf(x.shape.slice(1))]);
}

/**
 * To a constant shape, whose first size is the batch's: what Shape told, −1, 0, or the number that the file has for it. With −1 it
 * may take in rows of each example.
 */
export function reshapeTo(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const given = lowering.integers(node, 1);
  if (x.axes[0] !== 0 && given && !x.rows) return reshapedRound(lowering, x, given, !node.int("allowzero", 0));
  const text = () =>
    `its shape [${(given ?? []).map((d) => (Number.isNaN(d) ? "n" : d)).join(", ")}] for ${shapeText(x)}`;
  if (!given?.length || given.length > 8 || x.axes[0] !== 0) throw new NotCovered(text());
  const keep = !node.int("allowzero", 0);
  const sizes = given.map((d, axis) => (d === 0 && keep ? (x.shape[axis] ?? 0) : d));
  const total = productOf(x.shape.slice(1)) * (x.rows ?? 1); // numbers of an example
  const [first, ...others] = sizes as [number, ...number[]];
  const open = others.filter((d) => d === -1).length;
  const fixed = productOf(others.filter((d) => d !== -1));
  // 0 keeps the batch as it is
  const before = given[0] === 0 ? (x.rows ?? 1) : 1;
  const rows = open ? before : first === -1 ? total / fixed : before;
  const isBatch = Number.isNaN(first) || first === lowering.batch || (first === -1 && !open);
  const each = total / rows;
  if (
    !isBatch ||
    open > 1 ||
    others.some((d) => !(d > 0 || d === -1)) ||
    rows % 1 ||
    (open ? each % fixed : fixed !== each)
  )
    throw new NotCovered(text());
  return reshaped(
    lowering,
    x,
    others.map((d) => (d === -1 ? each / fixed : d)),
    rows,
  );
}

export function expandTo(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0);
  const given = lowering.integers(node, 1);
  if (!given || given.length > x.shape.length) throw new NotCovered("its shape");
  const aligned = new Array<number>(x.shape.length - given.length).fill(1).concat(given);
  const shape = x.shape.map((size, axis) => (size === 1 ? aligned[axis]! : size));
  const fits = shape.every((size, axis) => Object.is(size, aligned[axis]) || aligned[axis] === 1);
  if (!fits || shape.some((size) => size < 1))
    throw new NotCovered(`its shape [${given.join(", ")}] for ${shapeText(x)}`);
  return lowering.expand(x, shape);
}

export function concat(lowering: Lowering, node: Node): Value {
  const values = node.inputs.map((_, i) => lowering.settle(lowering.value(node, i)));
  const [first] = values;
  if (!first) throw new NotCovered("no inputs");
  if (values.length === 1) return first;
  if (!node.has("axis")) throw new NotCovered("no axis");
  const axis = axisOf(first, node.int("axis", 0));
  const rank = first.shape.length;
  const like = (x: Value) => `${x.shape.map((size, a) => (a === axis ? 0 : size))}`;
  if (values.some((x) => x.shape.length !== rank || like(x) !== like(first) || x.axes[0] !== first.axes[0]))
    throw new NotCovered(`inputs of shapes ${values.map(shapeText).join(", ")}`);
  if (axis === first.axes[0]) throw new NotCovered("its axis is the batch");
  const full =
    values.find((x) => x.axes.length === rank && x.axes.at(-1) !== rank - 1) ??
    values.find((x) => x.axes.length === rank);
  const axes = full?.axes ?? [first.axes[0]!, ...inOrder(rank).filter((a) => a !== first.axes[0])];
  const parts = values.map((x) => lowering.arrange(x, axes));
  const k = axes.indexOf(axis);
  const at = wholeOf(parts, k - 1) ?? concatenate({ axis: k })(parts);
  const along = values.reduce((sum, x) => sum + x.shape[axis]!, 0);
  const shape = first.shape.map((size, a) => (a === axis ? along : size));
  return lowering.newValue(at, shape, axes);
}

/** What has been cut along an axis of an example into exactly these parts. */
function wholeOf(parts: readonly Symbolic[], axis: number): Symbolic | undefined {
  let from = 0;
  const source = parts[0]!.call?.inputs[0];
  for (const { call, shape } of parts) {
    const begin = call?.layer.config["begin"] as readonly number[] | undefined;
    if (call?.layer.config.type !== "importedSlice" || call.inputs[0] !== source) return undefined;
    if (begin!.some((at, k) => at !== (k === axis ? from : 0))) return undefined;
    from += shape[axis]!;
  }
  const [first] = parts;
  return source!.shape.every((size, k) => size === (k === axis ? from : first!.shape[k])) ? source : undefined;
}

/** `size` numbers along an axis from `from` on. */
function sliced(lowering: Lowering, x: Value, axis: number, from: number, size: number): Value {
  if (axis === x.axes[0]) throw new NotCovered("its axis is the batch");
  const length = x.shape[axis]!;
  if (!(from >= 0 && size > 0 && from + size <= length))
    throw new NotCovered(`numbers ${from} to ${from + size} of ${length}`);
  const settled = lowering.settle(x);
  if (size === length) return settled;
  const sizes = settled.axes.slice(1).map((a) => (a === axis ? size : settled.shape[a]!));
  const at = slice(
    settled.axes.slice(1).map((a) => (a === axis ? from : 0)),
    sizes,
  )(settled.at);
  return lowering.like(settled, at, { shape: settled.shape.map((s, a) => (a === axis ? size : s)) });
}

/** Parts along axes, by steps of 1. */
export function sliceOperator(lowering: Lowering, node: Node): Value {
  const old = lowering.opset < 10;
  const list = (i: number, name: string) => (old ? node.ints(name) : lowering.integers(node, i));
  const [starts, ends, steps] = [list(1, "starts"), list(2, "ends"), old ? undefined : lowering.integers(node, 4)];
  let x = lowering.value(node, 0);
  const axes = list(3, "axes") ?? inOrder(starts?.length ?? 0);
  if (!starts || ends?.length !== starts.length || axes.length !== starts.length)
    throw new NotCovered("starts and ends");
  if (steps?.some((step) => step !== 1)) throw new NotCovered(`steps are [${steps.join(", ")}]`);
  for (const [i, given] of axes.entries()) {
    const axis = axisOf(x, given);
    const length = x.shape[axis]!;
    const [from, to] = [starts[i]!, ends[i]!].map((at) => Math.min(Math.max(at < 0 ? at + length : at, 0), length)) as [
      number,
      number,
    ];
    // of the batch only all
    if (axis !== x.axes[0] || starts[i] !== 0 || ends[i]! < 2 ** 31 - 1) x = sliced(lowering, x, axis, from, to - from);
  }
  return x;
}

/** Into parts along an axis, of given sizes or of one. */
export function split(lowering: Lowering, node: Node): Value[] {
  const x = lowering.value(node, 0);
  const axis = axisOf(x, node.int("axis", 0));
  const length = x.shape[axis]!;
  const parts = node.int("num_outputs", node.outputs.length);
  const given = lowering.opset < 13 ? node.ints("split") : lowering.integers(node, 1);
  const each = Math.ceil(length / parts);
  const sizes = given ?? node.outputs.map((_, i) => Math.min(each, length - i * each));
  if (parts !== node.outputs.length || sizes.length !== parts || sizes.reduce((a, b) => a + b, 0) !== length)
    throw new NotCovered(`parts [${sizes.join(", ")}] of ${shapeText(x)}`);
  let from = 0;
  return sizes.map((size) => {
    from += size;
    return sliced(lowering, x, axis, from - size, size);
  });
}

/** What stands at one place of an axis; or rows of a constant table, by number: an embedding. */
export function gatherOperator(lowering: Lowering, node: Node): Value {
  if (lowering.constants.has(node.inputs[0] ?? "")) return embedded(lowering, node);
  const x = lowering.value(node, 0);
  const at = lowering.needConstant(node, 1);
  const axis = axisOf(x, node.int("axis", 0));
  const [index] = Array.from(at.size === 1 ? at.read() : []);
  if (index === undefined || at.shape.length > 1) throw new NotCovered(`indices of shape [${at.shape.join(", ")}]`);
  const y = sliced(lowering, x, axis, index < 0 ? index + x.shape[axis]! : index, 1);
  return at.shape.length ? y : withoutAxes(y, [axis]);
}

/** Means, the largest or sums over axes. */
export const reduce =
  (kind: "mean" | "max" | "sum") =>
  (lowering: Lowering, node: Node): Value => {
    const x = lowering.value(node, 0);
    const given = axesOf(lowering, node, kind === "sum" ? 13 : 18);
    if (!given?.length) {
      if (given && node.int("noop_with_empty_axes", 0)) return x;
      throw new NotCovered("it reduces all axes");
    }
    const over = [...new Set(given.map((axis) => axisOf(x, axis)))].sort((a, b) => a - b);
    const y = reduced(lowering, x, over, kind === "max" ? "max" : "mean", node.int("keepdims", 1) !== 0);
    return kind === "sum" ? lowering.like(y, affine(y.at, productOf(over.map((axis) => x.shape[axis]!)), 0)) : y;
  };
