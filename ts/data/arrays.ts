// Reading what users give as arrays: nested numbers, typed arrays, NDArrays. The only loops over elements are here and in
// the loaders.

import { argumentError, DownhillError, shapeError, show } from "../errors";
import { type Shape, sizeOf } from "../graph/graph";
import type { NDArray, NumberArray } from "../ndarray";

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

const isNDArray = (value: unknown): value is NDArray<NumberArray> =>
  typeof value === "object" && value !== null && "data" in value && "shape" in value;

/** A typed array and its shape; `shape` undefined where a flat typed array implies it. */
export function readArray(who: string, value: unknown): { data: NumberArray; shape: Shape | undefined } {
  if (isNumberArray(value)) {
    checkAttached(who, value);
    return { data: value, shape: undefined };
  }
  if (Array.isArray(value)) return readNested(who, value);
  if (!isNDArray(value)) throw argumentError(who, "an array: { data, shape }, a typed array or nested numbers", value);
  const { data, shape } = value;
  if (!isNumberArray(data)) throw argumentError(who, "data as a typed array of numbers", data);
  if (!Array.isArray(shape) || !shape.every((d) => Number.isSafeInteger(d) && d >= 0))
    throw new DownhillError("shape", `${who}: expected shape to be a list of integers ≥ 0, got ${show(shape)}`);
  checkAttached(who, data);
  if (sizeOf(shape) !== data.length)
    throw new DownhillError(
      "shape",
      `${who}: expected ${sizeOf(shape)} numbers for shape [${shape.join(", ")}], got ${data.length}`,
    );
  return { data, shape: [...shape] };
}

function checkAttached(who: string, data: NumberArray): void {
  if ((data.buffer as { detached?: boolean }).detached)
    throw new DownhillError("shape", `${who}: expected an array with content, got a detached buffer`);
}

/** Nested arrays as floats, row-major. */
function readNested(who: string, value: readonly unknown[]): { data: Float32Array; shape: Shape } {
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0)
      throw new DownhillError("shape", `${who}: expected at least one number, got an empty array`);
    if (shape.length > 16) throw new DownhillError("shape", `${who}: expected at most 16 axes, got more`);
  }
  const data = newFloats(who, sizeOf(shape));
  let at = 0;
  const visit = (level: readonly unknown[], axis: number, where: string) => {
    if (level.length !== shape[axis])
      throw new DownhillError(
        "shape",
        `${who}: expected ${shape[axis]} items in ${where || "it"}, got ${level.length} (ragged)`,
      );
    for (let i = 0; i < level.length; i++) {
      const item = level[i];
      if (axis + 1 < shape.length) {
        if (!Array.isArray(item)) throw raggedOrData(who, item, `${where}[${i}]`, "a list");
        visit(item, axis + 1, `${where}[${i}]`);
      } else {
        if (typeof item !== "number") throw raggedOrData(who, item, `${where}[${i}]`, "a number");
        data[at++] = item;
      }
    }
  };
  visit(value, 0, "");
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

function raggedOrData(who: string, item: unknown, where: string, expected: string): DownhillError {
  const ragged = Array.isArray(item) || (expected === "a list" && typeof item === "number");
  return new DownhillError(ragged ? "shape" : "data", `${who}${where}: expected ${expected}, got ${show(item)}`);
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
  const expected = `[${["n", ...rowShape].join(", ")}]`;
  if (shape === undefined) {
    if (data.length === 0 || data.length % size !== 0)
      throw new DownhillError(
        "shape",
        `${who}: expected input of shape ${expected} or a multiple of ${size} numbers, got ${data.length}`,
      );
    return { data, rows: data.length / size };
  }
  if (shape.length !== rowShape.length + 1 || rowShape.some((d, i) => d !== shape[i + 1]))
    throw shapeError(who, "input", expected, shape);
  if (shape[0] === 0)
    throw new DownhillError("shape", `${who}: expected at least one example, got shape [${shape.join(", ")}]`);
  return { data, rows: shape[0]! };
}

/** The first number that is not finite as float32, or −1. */
export function firstNotFinite(data: NumberArray): number {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return -1;
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (!(x - x === 0 && Math.abs(x) < 3.4028235677973366e38)) return i;
  }
  return -1;
}

/** Throws `data` at the first number that is not finite. */
export function checkFinite(who: string, data: NumberArray, rowSize: number): void {
  const at = firstNotFinite(data);
  if (at >= 0)
    throw new DownhillError(
      "data",
      `${who}: expected finite numbers, got ${data[at]} in example ${Math.floor(at / rowSize)}, position ${at % rowSize}`,
    );
}

/** Class numbers or elements as 32-bit rows, and how many of the labels of each row count. */
export interface Targets {
  data: Int32Array | Float32Array;
  /** Class numbers, not rows of numbers. */
  index: boolean;
  /** Of one example. */
  shape: Shape;
  rows: number;
  /** Whether every label is there. */
  complete: boolean;
  /** Whether labels are counted by element, not by row. */
  elementwise: boolean;
}

/** Class numbers [n] or [n, 1], or rows of probabilities [n, classes]; n, the examples, tells which where it is flat. */
export function readClasses(who: string, value: unknown, classes: number, n: number): Targets {
  const { data, shape } = readArray(who, value);
  const dims = shape ?? (data.length === n * classes ? [n, classes] : [data.length]);
  if (dims[0] === 0 || data.length === 0)
    throw new DownhillError("shape", `${who}: expected at least one label, got none`);
  if (dims.length === 2 && dims[1] === classes && classes > 1) {
    const floats = data instanceof Float32Array ? data : Float32Array.from(data);
    let complete = true;
    for (let i = 0; i < floats.length; i++) {
      const t = floats[i]!;
      if (t !== t) complete = false;
      else if (!(t >= 0 && t <= 1 + 1e-6)) throw badLabel(who, Math.floor(i / classes), "a probability in [0, 1]", t);
    }
    return { data: floats, index: false, shape: [classes], rows: dims[0]!, complete, elementwise: false };
  }
  if (!(dims.length === 1 || (dims.length === 2 && dims[1] === 1)))
    throw shapeError(who, "labels", `[n], [n, 1] or [n, ${classes}]`, dims);
  const labels = new Int32Array(data.length);
  let complete = true;
  for (let i = 0; i < data.length; i++) {
    const label = data[i]!;
    if (label === -1 || label !== label) {
      labels[i] = -1;
      complete = false;
    } else if (Number.isInteger(label) && label >= 0 && label < classes) labels[i] = label;
    else throw badLabel(who, i, `a class number in 0 … ${classes - 1} (or −1: not labelled)`, label);
  }
  return { data: labels, index: true, shape: [], rows: dims[0]!, complete, elementwise: false };
}

/** Puts class numbers in the place of others, as many and all there; false where that is not what came. */
export function refillClasses({ data }: Targets, given: Int32Array, classes: number): boolean {
  for (let i = 0; i < given.length; i++) {
    const label = given[i]!;
    if (!(label >= 0 && label < classes)) return false;
    data[i] = label;
  }
  return true;
}

/** Whether all of these targets are there and in their range. */
export function allElements(given: Float32Array, range: readonly [number, number] | undefined): boolean {
  const [low, high] = range ?? [-3.4028234663852886e38, 3.4028234663852886e38];
  for (let i = 0; i < given.length; i++) if (!(given[i]! >= low && given[i]! <= high)) return false;
  return true;
}

function badLabel(who: string, row: number, expected: string, got: number): DownhillError {
  return new DownhillError("data", `${who}: expected ${expected} for example ${row}, got ${got}`);
}

/** One target an element, of the prediction's shape; [n] is taken for [n, 1]. NaN: not labelled. */
export function readElements(
  who: string,
  value: unknown,
  rowShape: Shape,
  range: readonly [number, number] | undefined,
): Targets {
  const { data, shape } = readArray(who, value);
  const one = sizeOf(rowShape) === 1;
  const { rows } =
    one && shape?.length === 1 ? { rows: shape[0]! } : readRows(who, shape ? { data, shape } : data, rowShape);
  if (rows === 0) throw new DownhillError("shape", `${who}: expected at least one target, got none`);
  const floats = data instanceof Float32Array ? data : Float32Array.from(data);
  const size = sizeOf(rowShape);
  let complete = true;
  for (let i = 0; i < floats.length; i++) {
    const t = floats[i]!;
    if (t !== t) complete = false;
    else if (range ? !(t >= range[0] && t <= range[1]) : t - t !== 0)
      throw badLabel(
        who,
        Math.floor(i / size),
        range ? `a target in [${range[0]}, ${range[1]}]` : "a finite target",
        t,
      );
  }
  return { data: floats, index: false, shape: rowShape, rows, complete, elementwise: true };
}

/** Labels that count among the `count` rows of `indices`, or without these from row `first` on. */
export function countLabels(targets: Targets, indices: Uint32Array | undefined, first: number, count: number): number {
  const { data, index, shape, complete, elementwise } = targets;
  const size = sizeOf(shape);
  if (complete) return elementwise ? count * size : count;
  let labelled = 0;
  for (let r = 0; r < count; r++) {
    const row = indices ? indices[r]! : first + r;
    let present = 0;
    for (let j = row * size; j < (row + 1) * size; j++) present += +isLabel(data[j]!, index);
    labelled += elementwise ? present : +(present === size);
  }
  return labelled;
}

/** −1 as a class number and NaN stand for what is not labelled. */
const isLabel = (label: number, index: boolean): boolean => (index ? label !== -1 : label === label);

/** Whether any label counts. */
export function anyLabel({ data, index, complete }: Targets): boolean {
  return complete || (data as Float32Array).some((label) => isLabel(label, index));
}

/** Factors ≥ 0, one an example. */
export function readWeights(who: string, value: unknown, rows: number): Float32Array {
  const { data, shape } = readArray(who, value);
  if (data.length !== rows || (shape && shape.length !== 1 && !(shape.length === 2 && shape[1] === 1)))
    throw shapeError(who, "weights", [rows], shape ?? [data.length]);
  const weights = Float32Array.from(data);
  for (let i = 0; i < rows; i++) {
    const w = weights[i]!;
    if (!(w >= 0 && w - w === 0))
      throw new DownhillError("data", `${who}: expected a weight ≥ 0 for example ${i}, got ${data[i]}`);
  }
  return weights;
}

/** Weights times each example's class's factor. */
export function weighClasses(
  who: string,
  classWeight: Readonly<Record<string, number>>,
  { data, index, shape, rows }: Targets,
  weights: Float32Array | undefined,
  classes: number,
): Float32Array {
  const factors = new Float32Array(classes).fill(1);
  for (const [key, factor] of Object.entries(classWeight)) {
    const c = Number(key);
    if (!(Number.isInteger(c) && c >= 0 && c < classes && String(c) === key))
      throw argumentError(who, `classes in 0 … ${classes - 1}`, key);
    if (!(typeof factor === "number" && factor >= 0 && Number.isFinite(factor)))
      throw argumentError(who, `a factor ≥ 0 for class ${key}`, factor);
    factors[c] = factor;
  }
  const out = new Float32Array(rows);
  const width = index ? 1 : sizeOf(shape);
  for (let i = 0; i < rows; i++) {
    let c = index || width === 1 ? data[i]! : 0;
    if (!index && width > 1) for (let j = 1; j < width; j++) if (data[i * width + j]! > data[i * width + c]!) c = j;
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
  const at = firstNotFinite(read.data);
  if (at >= 0)
    throw new DownhillError("data", `${who}: expected finite numbers, got ${read.data[at]} at position ${at}`);
  return Float32Array.from(read.data);
}
