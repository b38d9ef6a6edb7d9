// The ops that definitions of a user's own are written in: functions of opaque tensors and numbers, checked, on the ops of
// ts/ops. Of an object, and not one by one, for that is how `call` is given them.

import { argumentError, shapeError, wrong } from "../errors";
import { type Graph, sameShape, sizeOf, Tensor } from "../graph/graph";
import type { NestedArray } from "../ndarray";
import * as activations from "../ops/activations";
import * as arithmetic from "../ops/arithmetic";
import { batchMatmul } from "../ops/batchMatmul";
import { biasAdd } from "../ops/bias";
import { affine, reshape as reshapeOp } from "../ops/elementwise";
import { matmul as matmul2d } from "../ops/gemm";
import { take } from "../ops/indexing";
import { largest } from "../ops/largest";
import * as layout from "../ops/layout";
import * as reductions from "../ops/reductions";
import { broadcastShape } from "../ops/strides";
import { boolean, type Field, isRecord, optional, or, readOptions } from "../options";

/** An array of a computation that is being described: only its shape is known. The first axis is the batch. */
export interface Value {
  /** Its sizes; the first one is the batch's. */
  readonly shape: readonly number[];
}

/** What most ops take; lists of numbers are constants, short ones. */
export type Operand = Value | number | NestedArray;

/** Axes of a reduction, and whether they stay, with size 1. */
export interface AxisOptions {
  /** One axis or several. Default all. */
  axis?: number | readonly number[] | undefined;
  /** Default false. */
  keepDims?: boolean | undefined;
}

/**
 * An axis, as a number or by name.
 * @inline
 */
type Axis = number | { axis?: number | undefined };
/** @inline */
type Unary = (x: Value) => Value;
/** @inline */
type Binary = (a: Operand, b: Operand) => Value;
/** @inline */
type Reduction = (
  x: Value,
  axis?: number | readonly number[] | AxisOptions,
  keepDims?: boolean | { keepDims?: boolean | undefined },
) => Value;
/** @inline */
type AlongAxis = (x: Value, axis?: Axis) => Value;

/**
 * The ops that `defineLayer`, `defineLoss` and `defineMetric` give to `call`. Operands broadcast as in NumPy; axes count from 0,
 * and negative ones from the end; comparisons give 1 and 0. Each has a gradient but comparisons and `sign`.
 */
export interface Ops {
  /** a + b. */
  add: Binary;
  /** a − b. */
  subtract: Binary;
  /** a·b, element by element. */
  multiply: Binary;
  /** a/b. */
  divide: Binary;
  /** a^b; NaN where a < 0 and b is not whole. */
  pow: Binary;
  /** The larger; equals share the gradient. */
  maximum: Binary;
  /** The smaller; equals share the gradient. */
  minimum: Binary;
  /** 1 where a > b, else 0. No gradient. */
  greater: Binary;
  /** 1 where a ≥ b, else 0. No gradient. */
  greaterEqual: Binary;
  /** 1 where a < b, else 0. No gradient. */
  less: Binary;
  /** 1 where a ≤ b, else 0. No gradient. */
  lessEqual: Binary;
  /** 1 where a = b, else 0. No gradient. */
  equal: Binary;
  /** 1 where a ≠ b, else 0. No gradient. */
  notEqual: Binary;
  /** −x. */
  negate: Unary;
  /** eˣ. */
  exp: Unary;
  /** The natural logarithm; −∞ at 0, NaN below. */
  log: Unary;
  /** √x; NaN below 0. */
  sqrt: Unary;
  /** |x|; gradient 0 at 0. */
  abs: Unary;
  /** −1, 0 or 1. No gradient. */
  sign: Unary;
  /** The sine, of radians. */
  sin: Unary;
  /** The cosine, of radians. */
  cos: Unary;
  /** a where the condition is not 0, else b; the gradient is that of the one chosen. */
  where(condition: Operand, a: Operand, b: Operand): Value;
  /** min(max(x, low), high); the gradient passes from low to high, both included. */
  clip(x: Value, low: Operand, high: Operand): Value;
  /** Over one axis, several, or all; `keepDims` leaves axes of size 1: `sum(x, -1, true)` or `sum(x, { axis: -1, keepDims: true })`. */
  sum: Reduction;
  /** As `sum`, divided by how many there are. */
  mean: Reduction;
  /** The largest, over axes as in `sum`; equals share the gradient. */
  max: Reduction;
  /** The smallest, over axes as in `sum`; equals share the gradient. */
  min: Reduction;
  /** (…, m, k)·(…, k, n), the leading axes broadcast; a vector counts as a row of a, a column of b. */
  matmul(a: Value, b: Value): Value;
  /** One size may be −1. */
  reshape(x: Value, shape: readonly number[]): Value;
  /** Axis i of the result is axis axes[i] of x; by default all in reverse. */
  transpose(x: Value, axes?: readonly number[]): Value;
  /** From `begin` on (negative: from the end), `size` along each axis; −1, or nothing: all that is left. */
  slice(x: Value, begin: readonly number[], size?: readonly number[]): Value;
  /** By default along the last axis. */
  concat(list: readonly Value[], axis?: Axis): Value;
  /** Entries of x along an axis (default 0), by number: a list, or a tensor of whole numbers, which are cut to 0 … n − 1. */
  gather(x: Value, indices: Value | readonly number[], axis?: Axis): Value;
  /** x, a constant for the gradient. */
  stopGradient: Unary;
  /** max(0, x); gradient 0 at 0. */
  relu: Unary;
  /** x where x > 0, else negativeSlope·x; 0.01. */
  leakyRelu(x: Value, negativeSlope?: number): Value;
  /** x where x > 0, else alpha·(eˣ − 1); alpha 1. */
  elu(x: Value, alpha?: number): Value;
  /** 1.0507·(x where x > 0, else 1.6733·(eˣ − 1)). */
  selu: Unary;
  /** x·Φ(x), Φ the normal distribution function. */
  gelu: Unary;
  /** x·σ(x). */
  silu: Unary;
  /** σ(x) = 1/(1 + e⁻ˣ). */
  sigmoid: Unary;
  /** The hyperbolic tangent. */
  tanh: Unary;
  /** log(1 + eˣ). */
  softplus: Unary;
  /** By default along the last axis. */
  softmax: AlongAxis;
  /** log softmax, by default along the last axis, without ever taking the log of a small number. */
  logSoftmax: AlongAxis;
}

const whoOf = (graph: Graph, name: string) => (graph.layer ? `${graph.layer}: ${name}` : name);

/** The tensor that was given; throws in the name of op `name`. */
function tensor(name: string, value: unknown): Tensor {
  if (value instanceof Tensor) return value;
  throw argumentError(`ops.${name}`, "a tensor", value);
}

/** Numbers that a list as an operand may have: each is a node. */
const MOST = 1024;

/** The constant that a number or a nested list of numbers is; undefined for what is neither. */
function constantOf(graph: Graph, value: unknown, left = { count: MOST }): Tensor | undefined {
  if (typeof value === "number")
    return Number.isNaN(value) || left.count-- <= 0
      ? undefined
      : graph.apply(arithmetic.constant, [], { value, shape: [] })[0]!;
  if (!Array.isArray(value) || !value.length) return undefined;
  const parts: Tensor[] = [];
  for (const item of value) {
    const part = constantOf(graph, item, left);
    if (!part || (parts.length && !sameShape(part.shape, parts[0]!.shape))) return undefined;
    parts.push(part);
  }
  const to = [1, ...parts[0]!.shape];
  return layout.concat(
    parts.map((part) => reshapeOp([part], { to })),
    { axis: 0 },
  );
}

/** The tensors that were given, numbers among them as constants; there is at least one tensor. */
function operands(name: string, values: readonly unknown[]): Tensor[] {
  const first = values.find((value) => value instanceof Tensor);
  if (!first) throw argumentError(`ops.${name}`, "at least one tensor", values[0]);
  const { graph } = first;
  return values.map((value) => {
    if (value instanceof Tensor && value.graph === graph) return value;
    const constant = constantOf(graph, value);
    if (constant) return constant;
    const got = value instanceof Tensor ? `one of another call` : value;
    throw argumentError(whoOf(graph, name), "a tensor of this call, a number or a short list of numbers", got);
  });
}

const elementwise =
  (name: string, op: (inputs: [Tensor, Tensor]) => Tensor): Binary =>
  (a, b) =>
    op(operands(name, [a, b]) as [Tensor, Tensor]);

const unary =
  (name: string, op: (inputs: [Tensor]) => Tensor): Unary =>
  (x) =>
    op([tensor(name, x)]);

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const scaled = (x: Tensor, scale: number, offset = 0) => affine([x], { scale, offset });

/** Whether b is a vector along the last axis of a, as a bias is: a sum that a matrix product may take in. */
const isBias = (a: Tensor, b: Tensor) => a.shape.length > 1 && b.shape.length === 1 && b.size === a.shape.at(-1);

function add(a: Operand, b: Operand): Value {
  if (isNumber(a) && b instanceof Tensor) return scaled(b, 1, a);
  if (isNumber(b) && a instanceof Tensor) return scaled(a, 1, b);
  const [x, y] = operands("add", [a, b]) as [Tensor, Tensor];
  if (isBias(x, y)) return biasAdd([x, y]);
  return isBias(y, x) ? biasAdd([y, x]) : arithmetic.add([x, y]);
}

function subtract(a: Operand, b: Operand): Value {
  if (isNumber(a) && b instanceof Tensor) return scaled(b, -1, a);
  if (isNumber(b) && a instanceof Tensor) return scaled(a, 1, -b);
  return arithmetic.subtract(operands("subtract", [a, b]));
}

function multiply(a: Operand, b: Operand): Value {
  if (isNumber(a) && b instanceof Tensor) return scaled(b, a);
  if (isNumber(b) && a instanceof Tensor) return scaled(a, b);
  return arithmetic.multiply(operands("multiply", [a, b]));
}

/** By products where the exponent is a small number. */
function pow(a: Operand, b: Operand): Value {
  if (a instanceof Tensor) {
    const square = () => arithmetic.multiply([a, a]);
    if (b === 1) return a;
    if (b === 2) return square();
    if (b === 3) return arithmetic.multiply([square(), a]);
    if (b === 4) return pow(square(), 2);
    if (b === 0.5) return arithmetic.sqrt([a]);
  }
  return arithmetic.pow(operands("pow", [a, b]));
}

function where(condition: Operand, a: Operand, b: Operand): Value {
  const [c, x, y] = operands("where", [condition, a, b]) as [Tensor, Tensor, Tensor];
  return arithmetic.add([arithmetic.keep([x, c]), arithmetic.drop([y, c])]);
}

function clip(x: Value, low: Operand, high: Operand): Value {
  const t = tensor("clip", x);
  if (typeof low !== "number" || typeof high !== "number") return primitives.minimum(primitives.maximum(t, low), high);
  if (!(low <= high)) throw argumentError(whoOf(t.graph, "clip"), "low ≤ high", [low, high]);
  return arithmetic.clip([t], { low, high });
}

/** An axis of x, counted from 0. */
function axisOf(name: string, x: Tensor, axis: unknown, rank = x.shape.length): number {
  const at = (axis as number) + ((axis as number) < 0 ? rank : 0);
  if (Number.isInteger(axis) && at >= 0 && at < rank) return at;
  throw argumentError(whoOf(x.graph, name), `an axis in ${-rank} … ${rank - 1}`, axis);
}

const axesField: Field<number | readonly number[]> = {
  expected: "an axis or a list of axes",
  accepts: (v) => [v].flat().every(Number.isInteger),
};
const axisField = optional(axesField as Field<number>);

/** An axis that is given as a number or as `{ axis }`. */
const named = (x: Tensor, name: string, given: unknown, fallback: number): unknown =>
  (isRecord(given) ? readOptions(whoOf(x.graph, name), given, { axis: axisField }).axis : given) ?? fallback;

/** Runs of adjacent axes, one after another, the last one first, so that what is left keeps its numbers. */
function reduced(
  name: string,
  value: Value,
  given: unknown,
  keep: unknown,
  op: (inputs: [Tensor], axes: reductions.AxesAttributes) => Tensor,
): Tensor {
  const x = tensor(name, value);
  const options = isRecord(given) ? given : { axis: given, ...(isRecord(keep) ? keep : { keepDims: keep }) };
  const schema = { axis: optional(axesField), keepDims: or(boolean(), false) };
  const { axis, keepDims } = readOptions(whoOf(x.graph, name), options, schema);
  const axes = new Set(axis === undefined ? x.shape.keys() : [axis].flat().map((a: unknown) => axisOf(name, x, a)));
  let y = x;
  for (let to = x.shape.length; to > 0; to--) {
    let from = to;
    while (axes.has(from - 1)) from--;
    if (from === to) continue;
    y = op([y], { from, to });
    to = from;
  }
  return keepDims ? reshapeOp([y], { to: x.shape.map((d, a) => (axes.has(a) ? 1 : d)) }) : y;
}

const sum: Reduction = (x, axis, keepDims) => reduced("sum", x, axis, keepDims, reductions.sum);
const max: Reduction = (x, axis, keepDims) => reduced("max", x, axis, keepDims, largest);

const mean: Reduction = (x, axis, keepDims) => {
  const y = reduced("mean", x, axis, keepDims, reductions.sum);
  return scaled(y, y.size / sizeOf(x.shape));
};

function matmul(first: Value, second: Value): Value {
  const a = tensor("matmul", first);
  const b = tensor("matmul", second);
  const who = whoOf(a.graph, "matmul");
  if (!a.shape.length || !b.shape.length) throw shapeError(who, "matrices", "[…, m, k] and […, k, n]", a.shape);
  const [k] = a.shape.slice(-1) as [number];
  if (a.shape.length === 1 || b.shape.length === 1) {
    const x = a.shape.length === 1 ? reshapeOp([a], { to: [1, k] }) : a;
    const y = b.shape.length === 1 ? reshapeOp([b], { to: [b.size, 1] }) : b;
    const product = matmul(x, y) as Tensor;
    const rows = product.shape.slice(0, a.shape.length === 1 ? -2 : -1);
    return reshapeOp([product], { to: b.shape.length === 1 ? rows : [...rows, product.shape.at(-1)!] });
  }
  const [rows, n] = b.shape.slice(-2) as [number, number];
  if (rows !== k) throw shapeError(who, "a second operand", ["…", k, "n"], b.shape);
  const m = a.shape.at(-2)!;
  if (b.shape.length === 2) {
    const flat = a.shape.length === 2 ? a : reshapeOp([a], { to: [a.size / k, k] });
    const y = matmul2d(flat, b);
    return a.shape.length === 2 ? y : reshapeOp([y], { to: [...a.shape.slice(0, -1), n] });
  }
  const lead = broadcastShape(who, a.shape.slice(0, -2), b.shape.slice(0, -2));
  /** As one list of matrices: as many as `lead` says, or one for all. */
  const list = (x: Tensor): Tensor => {
    const matrix = x.shape.slice(-2);
    const own = sizeOf(x.shape.slice(0, -2));
    const all = own === 1 || own === sizeOf(lead) ? x : reductions.broadcastTo([x], { to: [...lead, ...matrix] });
    return reshapeOp([all], { to: [all.size / sizeOf(matrix), ...matrix] });
  };
  return reshapeOp([batchMatmul([list(a), list(b)])], { to: [...lead, m, n] });
}

/** A list of whole numbers; throws `argument`. */
function integers(who: string, what: string, value: unknown, lowest: number): readonly number[] {
  if (Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= lowest)) return value;
  throw argumentError(who, `${what}, whole numbers${lowest > -Infinity ? ` ≥ ${lowest}` : ""},`, value);
}

function reshape(value: Value, shape: readonly number[]): Value {
  const x = tensor("reshape", value);
  const who = whoOf(x.graph, "reshape");
  const known = integers(who, "a shape", shape, -1).filter((d) => d !== -1);
  const free = shape.length - known.length;
  const rest = x.size / sizeOf(known);
  if (free > 1 || known.includes(0) || (free ? !Number.isInteger(rest) : rest !== 1))
    throw shapeError(who, `an input for [${shape.join(", ")}]`, `of ${sizeOf(known)} elements`, x.shape);
  return reshapeOp([x], { to: shape.map((d) => (d === -1 ? rest : d)) });
}

function transpose(value: Value, axes?: readonly number[]): Value {
  const x = tensor("transpose", value);
  const who = whoOf(x.graph, "transpose");
  const rank = x.shape.length;
  if (axes && !Array.isArray(axes)) throw argumentError(who, "axes as a list", axes);
  const order = (axes ?? [...x.shape.keys()].reverse()).map((axis) => axisOf("transpose", x, axis));
  if (order.length !== rank || new Set(order).size !== rank)
    throw argumentError(who, `each of ${rank} axes once`, axes);
  return layout.transpose([x], { axes: order });
}

function slice(value: Value, begin: readonly number[], size?: readonly number[]): Value {
  const x = tensor("slice", value);
  const who = whoOf(x.graph, "slice");
  const { shape } = x;
  const starts = integers(who, "begin", begin, -Infinity);
  const sizes = integers(who, "size", size ?? [], -1);
  const from = shape.map((d, axis) => (starts[axis] ?? 0) + ((starts[axis] ?? 0) < 0 ? d : 0));
  const counts = shape.map((d, axis) => ((sizes[axis] ?? -1) < 0 ? d - from[axis]! : sizes[axis]!));
  const within = shape.every((d, axis) => from[axis]! >= 0 && counts[axis]! > 0 && from[axis]! + counts[axis]! <= d);
  if (!within || starts.length > shape.length || sizes.length > shape.length)
    throw wrong("shape", who, `a part of [${shape.join(", ")}]`, `[${counts.join(", ")}] from [${from.join(", ")}] on`);
  return layout.slice([x], { begin: from, size: counts });
}

function concat(list: readonly Value[], axis?: Axis): Value {
  if (!Array.isArray(list) || !list.length) throw argumentError("ops.concat", "a list of tensors", list);
  const inputs = operands("concat", list);
  return layout.concat(inputs, { axis: axisOf("concat", inputs[0]!, named(inputs[0]!, "concat", axis, -1)) });
}

function gather(value: Value, indices: Value | readonly number[], axis?: Axis): Value {
  const x = tensor("gather", value);
  const along = axisOf("gather", x, named(x, "gather", axis, 0));
  if (!Array.isArray(indices)) return take(operands("gather", [x, indices]), { axis: along });
  const n = x.shape[along]!;
  const who = whoOf(x.graph, "gather");
  if (!indices.length || integers(who, "indices", indices, 0).some((i) => i >= n))
    throw argumentError(who, `indices in 0 … ${n - 1}`, indices);
  const begin = x.shape.map(() => 0);
  const size = [...x.shape];
  size[along] = 1;
  return concat(
    indices.map((i: number) => layout.slice([x], { begin: begin.map((_, a) => (a === along ? i : 0)), size })),
    along,
  );
}

/** An op of the last axis along any. */
const along =
  (name: string, op: (x: Tensor) => Value): AlongAxis =>
  (value, axis) => {
    const x = tensor(name, value);
    const last = x.shape.length - 1;
    const at = axisOf(name, x, named(x, name, axis, -1));
    if (at === last) return op(x);
    const swap = [...x.shape.keys()];
    [swap[at], swap[last]] = [last, at];
    return transpose(op(transpose(x, swap) as Tensor), swap);
  };

function logSoftmax(x: Tensor): Value {
  const shifted = subtract(x, layout.stopGradient([max(x, -1, true) as Tensor]));
  return subtract(shifted, arithmetic.log([sum(arithmetic.exp([shifted as Tensor]), -1, true) as Tensor]));
}

const less: Binary = (a, b) => primitives.greater(b, a);
const lessEqual: Binary = (a, b) => primitives.greaterEqual(b, a);
const notEqual: Binary = (a, b) => subtract(1, primitives.equal(a, b));
const negate: Unary = (x) => arithmetic.negate(tensor("negate", x));
const min: Reduction = (x, axis, keepDims) => negate(max(negate(x), axis, keepDims));

/** @internal */
export const primitives: Ops = {
  add,
  subtract,
  multiply,
  divide: /* @__PURE__ */ elementwise("divide", arithmetic.divide),
  pow,
  maximum: /* @__PURE__ */ elementwise("maximum", arithmetic.maximum),
  minimum: /* @__PURE__ */ elementwise("minimum", arithmetic.minimum),
  greater: /* @__PURE__ */ elementwise("greater", arithmetic.greater),
  greaterEqual: /* @__PURE__ */ elementwise("greaterEqual", arithmetic.greaterEqual),
  less,
  lessEqual,
  equal: /* @__PURE__ */ elementwise("equal", arithmetic.equal),
  notEqual,
  negate,
  exp: /* @__PURE__ */ unary("exp", arithmetic.exp),
  log: /* @__PURE__ */ unary("log", arithmetic.log),
  sqrt: /* @__PURE__ */ unary("sqrt", arithmetic.sqrt),
  abs: /* @__PURE__ */ unary("abs", arithmetic.abs),
  sign: /* @__PURE__ */ unary("sign", arithmetic.sign),
  sin: /* @__PURE__ */ unary("sin", arithmetic.sin),
  cos: /* @__PURE__ */ unary("cos", arithmetic.cos),
  where,
  clip,
  sum,
  mean,
  max,
  min,
  matmul,
  reshape,
  transpose,
  slice,
  concat,
  gather,
  stopGradient: /* @__PURE__ */ unary("stopGradient", layout.stopGradient),
  relu: /* @__PURE__ */ unary("relu", activations.relu),
  leakyRelu: (x, alpha = 0.01) => activations.leakyRelu([tensor("leakyRelu", x)], { alpha }),
  elu: (x, alpha = 1) => activations.elu([tensor("elu", x)], { alpha }),
  selu: /* @__PURE__ */ unary("selu", activations.selu),
  gelu: /* @__PURE__ */ unary("gelu", activations.gelu),
  silu: /* @__PURE__ */ unary("silu", activations.silu),
  sigmoid: /* @__PURE__ */ unary("sigmoid", activations.sigmoid),
  tanh: /* @__PURE__ */ unary("tanh", activations.tanh),
  softplus: /* @__PURE__ */ unary("softplus", activations.softplus),
  softmax: /* @__PURE__ */ along("softmax", (x) => activations.softmax([x])),
  logSoftmax: /* @__PURE__ */ along("logSoftmax", logSoftmax),
};
