// The format npy of NumPy (https://numpy.org/neps/nep-0001-npy-format.html):
//
//   0x93, "NUMPY", major, minor; N, uint16 (version 1) or uint32 (2, 3); N bytes of header; the elements
//   header = {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, spaces, line feed
//
// The header is a dict as Python writes it. It is read by a grammar of just that; nothing in a file is evaluated.

import { DownhillError, show } from "../errors";
import type { NDArray, NumberArray } from "../ndarray";
import { floatsOfHalves } from "./halves";
import { permute } from "./permute";

/** What is read of a file: float64 stays, other floats are float32; uint8 and bool are bytes; integers are int32. */
export type NpyArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** An error of the content of a file. */
export const damaged = (who: string, expected: string, got: unknown, cause?: unknown) =>
  new DownhillError("format", `${who}: expected ${expected}, got ${typeof got === "string" ? got : show(got)}`, {
    cause,
  });

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Magic number, version and the longer length. */
export const NPY_START = 12;
/** Bytes that a header may have: NumPy itself refuses more than 10,000. */
const MAX_HEADER = 65_536;
/** Axes that NumPy allows. */
const MAX_RANK = 64;
/** Files begin their elements at a multiple of so many bytes. */
const ALIGNMENT = 64;
/** Digits that a count of rows has room for, so that it can be set when all are written. */
const ROWS_DIGITS = 21;

type Kind = "f" | "i" | "u" | "b";
const WIDTHS: Record<Kind, readonly number[]> = { f: [2, 4, 8], i: [1, 2, 4, 8], u: [1, 2, 4, 8], b: [1] };

/** The type of elements. */
export interface NpyType {
  kind: Kind;
  /** Bytes. */
  width: number;
  littleEndian: boolean;
}

/** What a header says. */
export interface NpyHeader {
  type: NpyType;
  /** Whether the first axis varies fastest. */
  fortran: boolean;
  shape: number[];
  /** Elements. */
  count: number;
  /** Where they begin. */
  start: number;
  /** Where they end: the file's size. */
  end: number;
}

/** Where the header ends; `first`: NPY_START bytes or, of a shorter file, all. */
export function readStart(who: string, first: Uint8Array): number {
  if (first.length < 10 || MAGIC.some((byte, i) => first[i] !== byte))
    throw damaged(
      who,
      "an npy file, which begins with \\x93NUMPY",
      first[0] === 0x50 && first[1] === 0x4b ? "a zip archive, which npz reads" : "other bytes",
    );
  const [major, minor] = [first[6]!, first[7]!];
  if (major < 1 || major > 3 || minor !== 0) throw damaged(who, "version 1.0, 2.0 or 3.0", `${major}.${minor}`);
  const view = new DataView(first.buffer, first.byteOffset, first.length);
  if (major > 1 && first.length < NPY_START) throw damaged(who, "a header", "the end of the file");
  const size = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (size > MAX_HEADER) throw damaged(who, `a header of at most ${MAX_HEADER} bytes`, size);
  return (major === 1 ? 10 : NPY_START) + size;
}

/** The header; `bytes`: up to where it ends. */
export function readHeader(who: string, bytes: Uint8Array): NpyHeader {
  const latin = bytes[6] !== 3;
  const text = new TextDecoder(latin ? "latin1" : "utf-8", { ignoreBOM: true }).decode(
    bytes.subarray(latin && bytes[6] === 1 ? 10 : NPY_START),
  );
  const { descr, fortran_order: fortran, shape } = parseDict(who, text);
  const type = readType(who, descr as string);
  const count = (shape as number[]).reduce((a, b) => a * b, 1);
  const start = bytes.length;
  const end = start + count * type.width;
  if (!Number.isSafeInteger(end)) throw damaged(who, "sizes that fit a file", `shape ${show(shape)}`);
  return { type, fortran: fortran as boolean, shape: shape as number[], count, start, end };
}

/** Throws where a file of `size` bytes is not what its header says. */
export function checkSize(who: string, { shape, end }: NpyHeader, size: number): void {
  if (size !== end) throw damaged(who, `${end} bytes for shape [${shape.join(", ")}]`, `${size}`);
}

const TOKEN = /\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(True|False)|(\d+)L?|([{}():,[\]]))/y;
const VALUES = { descr: "the name of a type", fortran_order: "True or False", shape: "a tuple of sizes" };
type Key = keyof typeof VALUES;

/** Python's dict of the three keys, each once, in any order. */
function parseDict(who: string, text: string): Record<Key, unknown> {
  let at = 0;
  const next = (): string | number | boolean | { mark: string } => {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw damaged(who, "a header as NumPy writes it", text.slice(at, at + 20));
    at = TOKEN.lastIndex;
    const [, single, double, truth, digits, mark] = match;
    if (truth) return truth === "True";
    if (digits) return Number(digits);
    return mark ? { mark } : (single ?? double)!;
  };
  const isMark = (token: unknown, mark: string) => (token as { mark?: string }).mark === mark;
  const shown = (token: unknown) => (token as { mark?: string }).mark ?? show(token);
  const need = (expected: string, token: unknown, holds: boolean) => {
    if (!holds) throw damaged(who, `${expected} in the header`, shown(token));
  };
  const readShape = () => {
    const sizes: number[] = [];
    let token = next();
    need(VALUES.shape, token, isMark(token, "("));
    for (token = next(); !isMark(token, ")"); token = next()) {
      need("a size", token, Number.isSafeInteger(token));
      sizes.push(token as number);
      need(`at most ${MAX_RANK} axes`, "more", sizes.length <= MAX_RANK);
      token = next();
      if (isMark(token, ")") && sizes.length > 1) break;
      need('","', token, isMark(token, ","));
    }
    return sizes;
  };
  const dict: Partial<Record<Key, unknown>> = {};
  let token = next();
  need("a dict", token, isMark(token, "{"));
  for (token = next(); !isMark(token, "}"); token = next()) {
    const key = token as Key;
    need("descr, fortran_order and shape", token, typeof token === "string" && Object.hasOwn(VALUES, token));
    need("each key once", token, !Object.hasOwn(dict, key));
    token = next();
    need('":"', token, isMark(token, ":"));
    if (key === "shape") dict[key] = readShape();
    else {
      const value = next();
      if (key === "descr" && (isMark(value, "[") || isMark(value, "(")))
        throw damaged(who, "numbers of one type", "a structured type");
      need(VALUES[key], value, typeof value === (key === "descr" ? "string" : "boolean"));
      dict[key] = value;
    }
    token = next();
    if (isMark(token, "}")) break;
    need('"," or "}"', token, isMark(token, ","));
  }
  for (const key of Object.keys(VALUES))
    if (!Object.hasOwn(dict, key)) throw damaged(who, `a header with ${key}`, "none");
  if (text.slice(at).trim()) throw damaged(who, "the end of the header", text.slice(at).trim().slice(0, 20));
  return dict as Record<Key, unknown>;
}

function readType(who: string, descr: string): NpyType {
  const [, order, kind, digits] = /^([<>|])([a-zA-Z])(\d*)$/.exec(descr) ?? [];
  const width = Number(digits);
  if (kind === "O") throw damaged(who, "numbers", "Python objects, which are never evaluated");
  if (!kind || !WIDTHS[kind as Kind]?.includes(width) || (order === "|" && width > 1))
    throw damaged(who, "elements of type f2, f4, f8, i1 … i8, u1 … u8 or b1", show(descr));
  return { kind: kind as Kind, width, littleEndian: order !== ">" };
}

const VIEWS = {
  f4: Float32Array,
  f8: Float64Array,
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  i8: BigInt64Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  u8: BigUint64Array,
};

/** Elements as arrays that the caller owns. Throws `data` at the first integer that int32 cannot hold. */
export function decodeElements(who: string, bytes: Uint8Array, { kind, width, littleEndian }: NpyType): NpyArray {
  if (kind === "u" && width === 1) return bytes.slice();
  if (kind === "b") return bytes.map((byte) => +(byte !== 0));
  const copy = bytes.slice();
  if (!littleEndian) swapBytes(copy, width);
  const type = VIEWS[`${kind}${width}` as keyof typeof VIEWS];
  if (kind === "f" && width === 2) return floatsOfHalves(copy);
  const view = new type(copy.buffer, 0, copy.length / width);
  if (view instanceof Float32Array || view instanceof Float64Array || view instanceof Int32Array) return view;
  const numbers = new Int32Array(view.length);
  for (let i = 0; i < view.length; i++) {
    const value = view[i]!;
    numbers[i] = Number(value);
    // biome-ignore lint/suspicious/noDoubleEquals: a bigint equals a number
    if (numbers[i] != value)
      throw new DownhillError("data", `${who}: expected integers in int32's range, got ${value} as element ${i}`);
  }
  return numbers;
}

/** The bytes of each element in the other order. */
export function swapBytes(bytes: Uint8Array, width: number): void {
  for (let begin = 0; begin < bytes.length; begin += width)
    for (let i = begin, j = begin + width - 1; i < j; i++, j--) [bytes[i], bytes[j]] = [bytes[j]!, bytes[i]!];
}

/** Elements of which the first axis varies fastest, in the order in which the last does. */
export function toRowMajor<T extends NpyArray>(data: T, shape: readonly number[]): T {
  if (shape.filter((size) => size > 1).length < 2) return data;
  const axes = shape.map((_, axis) => shape.length - 1 - axis);
  return permute(data.slice() as T, data, [...shape].reverse(), axes);
}

/** The types that are written, by their arrays: `<f4`. */
function describe(data: NumberArray): string {
  const kind =
    data instanceof Float32Array || data instanceof Float64Array ? "f" : /^U/.test(data.constructor.name) ? "u" : "i";
  const width = data.BYTES_PER_ELEMENT;
  return `${width > 1 ? "<" : "|"}${kind}${width}`;
}

/** A header for elements such as `data`. Of equal length for every number of rows. */
export function encodeHeader({ data, shape }: NDArray<NumberArray>): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${describe(data)}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const spare = shape.length ? ROWS_DIGITS - String(shape[0]).length : 0;
  const length = Math.ceil((10 + text.length + spare + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(length).fill(0x20);
  bytes.set([...MAGIC, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[length - 1] = 0x0a;
  return bytes;
}

/** The bytes of an array's elements, little-endian. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: NumberArray) =>
  new Uint8Array(buffer, byteOffset, byteLength);
