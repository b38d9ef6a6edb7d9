// Constants of an ONNX graph: initializers, and what is computed of shapes and other constants.

import { floatsOfBrains, floatsOfHalves } from "../../../data/halves";
import { permute } from "../../../data/permute";
import { DownhillError, show } from "../../../errors";
import { DataType, type TensorProto } from "../messages";

/** A tensor that is known. Its numbers are read when they are needed: a large one is not held twice. */
export interface Constant {
  readonly shape: readonly number[];
  readonly size: number;
  /** Whole numbers; of these NaN stands for the batch's size, which is not known. */
  readonly whole: boolean;
  /** The numbers, row-major. */
  read(): ArrayLike<number>;
  /** All are 0, and how many depends on the batch: it cannot be read. */
  readonly zeros?: boolean;
  /** How many constants are read through: bounded, for each is a call. */
  readonly depth: number;
}

export const damaged = (expected: string, got: string): DownhillError =>
  new DownhillError("format", `importOnnx: expected ${expected}, got ${got}`);

export const productOf = (sizes: readonly number[]): number => sizes.reduce((product, size) => product * size, 1);

/** A constant of numbers that are there. */
export const constantOf = (shape: readonly number[], numbers: ArrayLike<number>, whole: boolean): Constant => ({
  shape,
  size: numbers.length,
  whole,
  read: () => numbers,
  depth: 0,
});

/** The one number of a constant of one element; undefined of others. */
export const scalarOf = (constant: Constant | undefined): number | undefined =>
  constant?.size === 1 ? constant.read()[0] : undefined;

/** How types of data lie in memory; the lists that hold them where they are not raw; whether they are whole numbers. */
type Layout = readonly [bytes: number, from: (bytes: ArrayBuffer) => ArrayLike<number>, list: List, whole: boolean];
type List = "floatData" | "int32Data" | "int64Data" | "doubleData";

const layouts = (): Record<number, Layout> => ({
  [DataType.float]: [4, (b) => new Float32Array(b), "floatData", false],
  [DataType.double]: [8, (b) => new Float64Array(b), "doubleData", false],
  [DataType.float16]: [2, (b) => floatsOfHalves(new Uint8Array(b)), "int32Data", false],
  [DataType.bfloat16]: [2, (b) => floatsOfBrains(new Uint8Array(b)), "int32Data", false],
  [DataType.int8]: [1, (b) => new Int8Array(b), "int32Data", true],
  [DataType.uint8]: [1, (b) => new Uint8Array(b), "int32Data", true],
  [DataType.int16]: [2, (b) => new Int16Array(b), "int32Data", true],
  [DataType.uint16]: [2, (b) => new Uint16Array(b), "int32Data", true],
  [DataType.int32]: [4, (b) => new Int32Array(b), "int32Data", true],
  [DataType.bool]: [1, (b) => new Uint8Array(b), "int32Data", true],
  [DataType.int64]: [8, (b) => Float64Array.from(new BigInt64Array(b), Number), "int64Data", true],
});

/** Whether numbers of that type of data are taken. */
export const isNumeric = (type: number | undefined): boolean => type !== undefined && type in layouts();

/** Whether they are whole. */
export const isWhole = (type: number | undefined): boolean => layouts()[type ?? 0]?.[3] ?? false;

const MAX_RANK = 32;

/**
 * What a tensor of a file says, checked: its numbers are as many as its sizes need, and lie in it.
 *
 * @throws DownhillError `format`
 */
export function readTensor(tensor: TensorProto, who: string): Constant {
  const { dims, dataType, rawData, externalData, dataLocation, segment } = tensor;
  const type = Object.keys(DataType).find((key) => DataType[key as keyof typeof DataType] === dataType) ?? dataType;
  if (externalData.length || dataLocation)
    throw damaged(
      `${who} to be in the file`,
      `data in another file (${show(externalData[0]?.value ?? "")}); save the model with all data inside`,
    );
  if (segment) throw damaged(`${who} whole`, "a segment");
  const layout = layouts()[dataType ?? 0];
  if (!layout)
    throw damaged(
      `${who} of a type of numbers (float, float16, bfloat16, double, int8 … int64, uint8, uint16, bool)`,
      `${type}`,
    );
  if (dims.length > MAX_RANK || !dims.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw damaged(`${who} to have at most ${MAX_RANK} sizes ≥ 0`, show(dims));
  const size = productOf(dims); // beyond 2^53 inexact, but then no file's size
  const [width, from, list, whole] = layout;
  const given = tensor[list];
  if (rawData ? rawData.length !== size * width : given.length !== size)
    throw damaged(
      `${who}, ${type} of shape ${show(dims)}, to have ${rawData ? `${size * width} bytes` : `${size} numbers`}`,
      `${rawData ? rawData.length : given.length}`,
    );
  const read = rawData
    ? () => from(rawData.slice().buffer)
    : dataType === DataType.float16 || dataType === DataType.bfloat16
      ? () => from(Uint16Array.from(given).buffer)
      : () => given;
  return { shape: dims, size, whole, read, depth: 0 };
}

const MAX_DEPTH = 64;

/** A constant made of another one when it is read. */
export function derived(
  of: Constant,
  shape: readonly number[],
  read: (numbers: ArrayLike<number>) => ArrayLike<number>,
  whole = of.whole,
): Constant | undefined {
  const depth = of.depth + 1;
  return depth > MAX_DEPTH ? undefined : { shape, size: of.size, whole, depth, read: () => read(of.read()) };
}

/** Row-major numbers of that shape with their axes in another order: axis k of the result is axis axes[k]. */
export const transposed = (
  x: ArrayLike<number>,
  shape: readonly number[],
  axes: readonly number[],
): Float32Array | Float64Array =>
  permute(x instanceof Float32Array ? new Float32Array(x.length) : new Float64Array(x.length), x, shape, axes);
