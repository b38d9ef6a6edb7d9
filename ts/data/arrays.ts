// Reading what users give as arrays: nested numbers, typed arrays, NDArrays. The only loops over elements are here and in
// the loaders.

import { LabelKind } from "../../assembly/isa";
import { argumentError, DownhillError, shapeError, show, wrong } from "../errors";
import { type Shape, sameShape, sizeOf } from "../graph/graph";
import type { NDArray, NumberArray } from "../ndarray";
import { isObject, natural, nonNegative } from "../options";

/** What the core takes: floats, or bytes that count as 0 … 255. */
export type CoreArray = Float32Array | Uint8Array;

const isNumberArray = (value: unknown): value is NumberArray =>
  ArrayBuffer.isView(value) &&
  !(value instanceof DataView) &&
  !(value instanceof BigInt64Array) &&
  !(value instanceof BigUint64Array);

export const isNDArray = (value: unknown): value is NDArray<NumberArray> =>
  isObject(value) && "data" in value && "shape" in value;

/**
 * A typed array and its shape. That of a flat typed array is `implied` where this is of as many numbers; undefined where
 * nothing is implied.
 */
export function readArray(who: string, value: unknown, implied: Shape): { data: NumberArray; shape: Shape };
export function readArray(who: string, value: unknown): { data: NumberArray; shape: Shape | undefined };
export function readArray(who: string, value: unknown, implied?: Shape) {
  if (Array.isArray(value)) return readNested(who, value);
  const flat = isNumberArray(value);
  const array = flat ? { data: value, shape: [value.length] } : value;
  if (!isNDArray(array)) throw argumentError(who, "an array: { data, shape }, a typed array or nested numbers", value);
  const { data, shape } = array;
  if (!isNumberArray(data)) throw argumentError(who, "data as a typed array of numbers", data);
  if (!(Array.isArray(shape) && shape.every(natural().accepts)))
    throw wrong("shape", who, "shape to be a list of integers ≥ 0", show(shape));
  if ((data.buffer as { detached?: boolean }).detached)
    throw wrong("shape", who, "an array with content", "a detached buffer");
  if (sizeOf(shape) !== data.length)
    throw wrong("shape", who, `${sizeOf(shape)} numbers for shape [${shape.join(", ")}]`, data.length);
  if (!flat) return { data, shape: [...shape] };
  return { data, shape: implied && (sizeOf(implied) === data.length ? implied : shape) };
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
  let filled = 0;
  const path: number[] = [];
  const visit = (level: readonly unknown[], axis: number) => {
    const size = shape[axis + 1];
    for (let i = 0; i < level.length; i++) {
      const item = level[i];
      path[axis] = i;
      if (size === undefined ? typeof item !== "number" : !(Array.isArray(item) && item.length === size))
        throw wrong(
          Array.isArray(item) || typeof item === "number" ? "shape" : "data", // ragged, or no number at all
          `${who}[${path.slice(0, axis + 1).join("][")}]`,
          size === undefined ? "a number" : `a list of ${size}`,
          show(item),
        );
      if (size === undefined) data[filled++] = item as number;
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
export function readRows(who: string, value: unknown, rowShape: Shape): { data: NumberArray; shape: Shape } {
  const rows = Math.floor(((value as NumberArray | null)?.length ?? 0) / sizeOf(rowShape));
  const read = readArray(who, value, [rows, ...rowShape]);
  const { shape } = read;
  if (!sameShape(shape.slice(1), rowShape) || !shape.length) throw shapeError(who, "input", ["n", ...rowShape], shape);
  if (!shape[0]) throw wrong("shape", who, "at least one example", "none");
  return read;
}

/** Throws `data` at the first number that is not finite as float32. */
export function checkFinite(who: string, data: NumberArray, rowSize: number): void {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(Math.fround(data[i]!))) throw badNumber(who, i, rowSize, "a finite number", data[i]!);
  }
}

/** What one target may be. */
export interface TargetRule {
  expected: string;
  accepts(target: number): boolean;
}

const anyTarget: TargetRule = { expected: "a finite target", accepts: (t) => Number.isFinite(t) };

/** The error of a number in a row of `rowSize`. */
export const badNumber = (who: string, at: number, rowSize: number, expected: string, got: number) =>
  wrong("data", who, `${expected} in row ${Math.floor(at / rowSize)}, column ${at % rowSize}`, got);

/** What targets are, beside their numbers. */
export interface Targets {
  kind: LabelKind;
  /** Of one example. */
  shape: Shape;
  /** Whether a number is a label: NaN, and −1 as a class number, is none. */
  accepts: TargetRule["accepts"];
  /** Whether every label is there. */
  complete: boolean;
  /** Whether labels are counted by element, not by row. */
  elementwise: boolean;
  /** Whether weights go with them. */
  weighted: boolean;
}

/** The axes of a sequence's steps, of which each has a class number. */
export const stepsOf = ({ kind, shape }: Pick<Targets, "kind" | "shape">): Shape =>
  kind === LabelKind.index ? shape : [];

/** Targets as they were read: class numbers or elements, and the shape of the array. */
interface ReadTargets {
  data: Int32Array | Float32Array;
  shape: Shape;
  targets: Targets;
}

/**
 * Targets of `n` examples: class numbers [n] or [n, 1] (of sequences [n, t] or [n, t, 1]), or rows of probabilities
 * [n, classes], where they are of that kind; else one target an element, of the prediction's shape, [n] being taken for
 * [n, 1]; of "either" kind class numbers, where such come for several classes. NaN, and −1 as a class number: not labelled.
 * `rule`: as a loss has it.
 */
export function readTargets(
  who: string,
  value: unknown,
  n: number,
  prediction: Shape,
  kindOfTargets: "class" | "element" | "row" | "either",
  rule: TargetRule = anyTarget,
): ReadTargets {
  const classes = prediction.at(-1) ?? 1;
  const size = sizeOf(prediction);
  const { data: given, shape: got } = readArray(who, value, [n, ...prediction]);
  const of = (row: Shape) => got.length > 0 && sameShape(got.slice(1), row);
  const lead = prediction.slice(0, -1);
  const numbered = of(lead) || of([...lead, 1]);
  const byClass = kindOfTargets === "class" || (kindOfTargets === "either" && !lead.length && classes > 1 && numbered);
  const whole = of(prediction) && !(byClass && lead.length); // of sequences class numbers alone are taken
  const index = byClass && !(classes > 1 && whole);
  if (!(whole || ((index || size === 1) && numbered))) {
    const expected =
      byClass && !lead.length ? `[n], [n, 1] or [n, ${classes}]` : ["n", ...(byClass ? lead : prediction)];
    const hint =
      byClass && lead.length && got.length < 2 ? `[${got}] (one class an example: flatten() the output)` : got;
    throw shapeError(who, "targets", expected, hint);
  }
  if (got[0] !== n) throw wrong("shape", who, `${n} targets, one for each example`, got[0]);

  const { expected, accepts } = index
    ? {
        expected: `a class in [0, ${classes - 1}] (or -1: not labelled)`,
        accepts: (t: number) => t >= 0 && t < classes && t % 1 === 0,
      }
    : byClass
      ? { expected: "a target in [0, 1]", accepts: (t: number) => t >= 0 && t <= 1 + 1e-6 } // they are rounded
      : rule;
  const shape = index ? lead : prediction;
  const data = index ? new Int32Array(given) : given instanceof Float32Array ? given : Float32Array.from(given);
  let complete = true;
  for (let i = 0; i < data.length; i++) {
    const t = index ? given[i]! : data[i]!;
    if (t !== t || (index && t === -1)) {
      complete = false;
      if (index) data[i] = -1;
    } else if (!accepts(t)) throw badNumber(who, i, sizeOf(shape), expected, t);
  }
  const kind = index ? LabelKind.index : LabelKind.rows;
  return {
    data,
    shape: got,
    targets: {
      kind,
      shape,
      accepts,
      complete,
      elementwise: index ? lead.length > 0 : !byClass && kindOfTargets !== "row",
      weighted: false,
    },
  };
}

/** Whether all are labels such as were read before. */
export function allWithin(data: ArrayLike<number>, { accepts }: Targets): boolean {
  for (let i = 0; i < data.length; i++) if (!accepts(data[i]!)) return false;
  return true;
}

/** Factors ≥ 0, one an example, or one for each of its `steps` where labels are of these. */
export function readWeights(who: string, value: unknown, rows: number, steps: Shape): Float32Array {
  const { data, shape } = readArray(who, value, [rows]);
  const size = sizeOf(steps);
  const byStep = size > 1 && sameShape(shape, [rows, ...steps]);
  // [n] or [n, 1]
  if (!byStep && (data.length !== rows || shape[0] !== rows || shape.length > 2))
    throw shapeError(who, "weights", [rows], shape);
  const each = byStep ? 1 : size;
  const weights = new Float32Array(rows * size);
  for (let i = 0; i < data.length; i++) {
    weights.fill(data[i]!, i * each, (i + 1) * each);
    if (!(data[i]! >= 0 && weights[i * each]! < Infinity))
      throw badNumber(who, i, data.length / rows, "a weight ≥ 0", data[i]!);
  }
  return weights;
}

/** Weights times the factor of each row's class. */
export function weighClasses(
  who: string,
  classWeight: Readonly<Record<string, number>>,
  data: ArrayLike<number>,
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
    out[i] = (weights?.[i] ?? 1) * (factors[c] ?? 1);
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
  const read = readArray(who, value, shape);
  if (!sameShape(read.shape, shape)) throw shapeError(who, "an array", shape, read.shape);
  checkFinite(who, read.data, read.data.length);
  return Float32Array.from(read.data);
}
