// Reading what users give as arrays: nested numbers, typed arrays, NDArrays. The only loops over elements are here and in
// the loaders.

import { LabelKind } from "../../assembly/isa";
import { argumentError, DownhillError, shapeError, show, wrong } from "../errors";
import { type Shape, sameShape, sizeOf } from "../graph/graph";
import type { NDArray, NumberArray } from "../ndarray";
import { isObject, natural, nonNegative } from "../options";

/** What the core takes: floats, or bytes that count as 0 … 255. */
export type CoreArray = Float32Array | Uint8Array;

/** Rows of `rowShape`. */
export interface Rows<T> {
  data: T;
  rows: number;
}

const isNumberArray = (value: unknown): value is NumberArray =>
  ArrayBuffer.isView(value) &&
  !(value instanceof DataView) &&
  !(value instanceof BigInt64Array) &&
  !(value instanceof BigUint64Array);

export const isNDArray = (value: unknown): value is NDArray<NumberArray> =>
  isObject(value) && "data" in value && "shape" in value;

/** A typed array and its shape; `shape` undefined where a flat typed array implies it. */
export function readArray(who: string, value: unknown): { data: NumberArray; shape: Shape | undefined } {
  if (Array.isArray(value)) return readNested(who, value);
  const flat = isNumberArray(value);
  if (!flat && !isNDArray(value))
    throw argumentError(who, "an array: { data, shape }, a typed array or nested numbers", value);
  const data = flat ? value : value.data;
  const shape = flat ? undefined : value.shape;
  if (!isNumberArray(data)) throw argumentError(who, "data as a typed array of numbers", data);
  if (!flat && !(Array.isArray(shape) && shape.every(natural().accepts)))
    throw wrong("shape", who, "shape to be a list of integers ≥ 0", show(shape));
  if ((data.buffer as { detached?: boolean }).detached)
    throw wrong("shape", who, "an array with content", "a detached buffer");
  if (shape && sizeOf(shape) !== data.length)
    throw wrong("shape", who, `${sizeOf(shape)} numbers for shape [${shape.join(", ")}]`, data.length);
  return { data, shape: shape && [...shape] };
}

/** Nested arrays as floats, row-major. */
function readNested(who: string, value: readonly unknown[]): { data: Float32Array; shape: Shape } {
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0) throw wrong("shape", who, "at least one number", "an empty array");
    if (shape.length > 16) throw wrong("shape", who, "at most 16 axes", "more");
  }
  const data = newFloats(who, sizeOf(shape));
  let at = 0;
  const path: number[] = [];
  const visit = (level: readonly unknown[], axis: number) => {
    const size = shape[axis + 1];
    for (let i = 0; i < level.length; i++) {
      const item = level[i];
      path[axis] = i;
      if (size === undefined ? typeof item !== "number" : !(Array.isArray(item) && item.length === size))
        throw wrong(
          Array.isArray(item) || (size && typeof item === "number") ? "shape" : "data", // ragged, or no number at all
          `${who}[${path.slice(0, axis + 1).join("][")}]`,
          size === undefined ? "a number" : `a list of ${size}`,
          show(item),
        );
      if (size === undefined) data[at++] = item as number;
      else visit(item as unknown[], axis + 1);
    }
  };
  visit(value, 0);
  return { data, shape };
}

/** As many floats, or a `memory` error. */
export function newFloats(who: string, size: number): Float32Array {
  try {
    return new Float32Array(size);
  } catch (cause) {
    throw new DownhillError("memory", `${who}: needs ${size * 4} bytes`, { cause });
  }
}

/** The same numbers as the core takes them. */
export function toCore(data: NumberArray): CoreArray {
  if (data instanceof Float32Array || data instanceof Uint8Array) return data;
  if (data instanceof Uint8ClampedArray) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  return Float32Array.from(data);
}

/** Examples of shape `rowShape`: [n, …rowShape], or a flat typed array of n · size numbers. */
export function readRows(who: string, value: unknown, rowShape: Shape): Rows<NumberArray> {
  const { data, shape } = readArray(who, value);
  const size = sizeOf(rowShape);
  const dims = shape ?? (data.length % size ? [data.length] : [data.length / size, ...rowShape]);
  if (!sameShape(dims.slice(1), rowShape) || !dims.length) throw shapeError(who, "input", ["n", ...rowShape], dims);
  if (!dims[0]) throw wrong("shape", who, "at least one example", "none");
  return { data, rows: dims[0] };
}

const FLOAT_MAX = 3.4028234663852886e38;

/** Throws `data` at the first number that is not finite as float32. */
export function checkFinite(who: string, data: NumberArray, rowSize: number): void {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return;
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (!(x - x === 0 && Math.abs(x) < 3.4028235677973366e38)) throw badNumber(who, i, rowSize, "a finite number", x);
  }
}

const badNumber = (who: string, at: number, rowSize: number, expected: string, got: number) =>
  wrong("data", who, `${expected} in row ${Math.floor(at / rowSize)}, column ${at % rowSize}`, got);

/** Class numbers or elements as 32-bit rows, and how many of the labels of each row count. */
export interface Targets {
  data: Int32Array | Float32Array;
  kind: LabelKind;
  /** Of one example. */
  shape: Shape;
  /** Labels lie in [low, high]. */
  low: number;
  high: number;
  /** Whether every label is there. */
  complete: boolean;
  /** Whether labels are counted by element, not by row. */
  elementwise: boolean;
  /** Whether weights go with them. */
  weighted: boolean;
}

/**
 * Targets of `n` examples: class numbers [n] or [n, 1], or rows of probabilities [n, classes], where `elementwise` is
 * false; else one target an element, of the prediction's shape, [n] being taken for [n, 1]. NaN, and −1 as a class
 * number: not labelled.
 */
export function readTargets(
  who: string,
  value: unknown,
  n: number,
  prediction: Shape,
  elementwise: boolean,
  range?: readonly [number, number],
): Targets {
  const { data: given, shape: dims } = readArray(who, value);
  const classes = prediction.at(-1) ?? 1;
  const rowShape = elementwise ? prediction : [classes];
  const size = sizeOf(rowShape);
  const got = dims ?? (given.length === n * size ? [n, ...rowShape] : [given.length]);
  const of = (row: Shape) => got.length > 0 && sameShape(got.slice(1), row);
  const index = !elementwise && !(classes > 1 && of(rowShape));
  if (!(of(rowShape) || ((index || size === 1) && (of([]) || of([1])))))
    throw shapeError(who, "targets", elementwise ? ["n", ...rowShape] : `[n], [n, 1] or [n, ${classes}]`, got);
  if (got[0] !== n) throw wrong("shape", who, `${n} targets, one for each example`, got[0]);

  const [low, most] = index ? [0, classes - 1] : elementwise ? (range ?? [-FLOAT_MAX, FLOAT_MAX]) : [0, 1];
  const high = elementwise || index ? most : most + 1e-6; // probabilities are rounded
  const data = index ? new Int32Array(given) : given instanceof Float32Array ? given : Float32Array.from(given);
  let complete = true;
  for (let i = 0; i < data.length; i++) {
    const t = index ? given[i]! : data[i]!;
    if (t !== t || (index && t === -1)) {
      complete = false;
      if (index) data[i] = -1;
    } else if (!(t >= low && t <= high && (!index || Number.isInteger(t)))) {
      const among = most === FLOAT_MAX ? "a finite target" : `a ${index ? "class" : "target"} in [${low}, ${most}]`;
      const expected = index ? `${among} (or -1: not labelled)` : among;
      throw badNumber(who, i, index ? 1 : size, expected, t);
    }
  }
  return {
    data,
    kind: index ? LabelKind.index : LabelKind.rows,
    shape: index ? [] : rowShape,
    low,
    high,
    complete,
    elementwise,
    weighted: false,
  };
}

/** Whether all labels lie in the range of what was read before. */
export function allWithin(data: Int32Array | Float32Array, { low, high }: Targets): boolean {
  for (let i = 0; i < data.length; i++) if (!(data[i]! >= low && data[i]! <= high)) return false;
  return true;
}

/** Labels that count among the `count` rows of `indices`, or without these from row `first` on. */
export function countLabels(targets: Targets, indices: Uint32Array | undefined, first: number, count: number): number {
  const { data, kind, shape, complete, elementwise } = targets;
  const size = sizeOf(shape);
  if (complete) return elementwise ? count * size : count;
  let labelled = 0;
  for (let r = 0; r < count; r++) {
    const row = indices ? indices[r]! : first + r;
    let present = 0;
    for (let j = row * size; j < (row + 1) * size; j++) present += +isLabel(data[j]!, kind);
    labelled += elementwise ? present : +(present === size);
  }
  return labelled;
}

/** −1 as a class number and NaN stand for what is not labelled. */
const isLabel = (label: number, kind: LabelKind): boolean =>
  kind === LabelKind.index ? label !== -1 : label === label;

/** Whether any label counts. */
export function anyLabel({ data, kind, complete }: Targets): boolean {
  return complete || (data as Float32Array).some((label) => isLabel(label, kind));
}

/** Factors ≥ 0, one an example. */
export function readWeights(who: string, value: unknown, rows: number): Float32Array {
  const { data, shape } = readArray(who, value);
  if (data.length !== rows || (shape && shape.length !== 1 && !(shape.length === 2 && shape[1] === 1)))
    throw shapeError(who, "weights", [rows], shape ?? [data.length]);
  const weights = Float32Array.from(data);
  for (let i = 0; i < rows; i++)
    if (!(weights[i]! >= 0 && weights[i]! <= FLOAT_MAX)) throw badNumber(who, i, 1, "a weight ≥ 0", data[i]!);
  return weights;
}

/** Weights times each example's class's factor. */
export function weighClasses(
  who: string,
  classWeight: Readonly<Record<string, number>>,
  { data }: Targets,
  rows: number,
  weights: Float32Array | undefined,
  classes: number,
): Float32Array {
  const factors = new Float32Array(classes).fill(1);
  for (const [key, factor] of Object.entries(classWeight)) {
    if (!Object.hasOwn(factors, key)) throw argumentError(who, `classes in 0 … ${classes - 1}`, key);
    if (!nonNegative().accepts(factor)) throw argumentError(who, `a factor ≥ 0 for class ${key}`, factor);
    factors[Number(key)] = factor;
  }
  const width = data.length / rows;
  const out = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    let c = width > 1 ? 0 : data[i]!;
    for (let j = 1; j < width; j++) if (data[i * width + j]! > data[i * width + c]!) c = j;
    out[i] = (weights ? weights[i]! : 1) * (factors[c] ?? 1);
  }
  return out;
}

/** Some rows of an array, in the order of `indices`. */
export function takeRows<T extends NumberArray>(data: T, rowSize: number, indices: ArrayLike<number>): T {
  const out = new (data.constructor as new (length: number) => T)(indices.length * rowSize);
  for (let r = 0; r < indices.length; r++) {
    const from = indices[r]! * rowSize;
    out.set(data.subarray(from, from + rowSize) as never, r * rowSize);
  }
  return out;
}

/** Exactly `shape` finite numbers, as floats. */
export function readNumbers(who: string, value: unknown, shape: Shape): Float32Array {
  const read = readArray(who, value);
  if (read.shape ? read.shape.join() !== shape.join() : read.data.length !== sizeOf(shape))
    throw shapeError(who, "an array", shape, read.shape ?? [read.data.length]);
  checkFinite(who, read.data, read.data.length);
  return Float32Array.from(read.data);
}
