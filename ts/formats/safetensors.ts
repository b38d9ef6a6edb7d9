// The safetensors format (https://github.com/huggingface/safetensors#format):
//
//   N, uint64; N bytes of JSON, from "{" on, padded with spaces; the tensors' bytes
//   JSON = { "__metadata__": { key: text, … }, name: { "dtype": "F32", "shape": […], "data_offsets": [begin, end] }, … }
//
// Little-endian, row-major. Offsets count from the end of the JSON; the ranges cover the rest of the file, without gap
// or overlap.

import { argumentError, DownhillError, show } from "../errors";
import type { NDArray } from "../ndarray";
import { measureJson } from "./json";

/** What a file holds. */
export interface Safetensors<T = Float32Array> {
  tensors: Record<string, NDArray<T>>;
  metadata: Record<string, string>;
}

/** Bytes of JSON, the format's own limit. */
const MAX_HEADER = 100_000_000;
/** Colons, commas and opening brackets in the JSON: what bounds the objects that it unfolds to. */
const MAX_MARKS = 2_000_000;
/** File, tensor, shape. */
const MAX_DEPTH = 3;
const MAX_RANK = 32;

const METADATA = "__metadata__";
const DTYPES = { F32: Float32Array, I32: Int32Array, U8: Uint8Array };
const WIDTHS = { F32: 4, I32: 4, U8: 1 };
type Data = Float32Array | Int32Array | Uint8Array;

/** The bytes of a file. Equal content gives equal bytes: names are sorted, by UTF-16 code units. */
export function encodeSafetensors(tensors: Record<string, NDArray>, metadata: Record<string, string>): Uint8Array {
  if (Object.hasOwn(tensors, METADATA))
    throw argumentError("safetensors", `a tensor's name, not ${METADATA}`, METADATA);
  const names = Object.keys(tensors).sort();
  const keys = Object.keys(metadata).sort();
  // Written by hand: an object would move "1" to the front and lose "__proto__".
  const member = (key: string, value: unknown) => `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  const members = keys.length ? [`"${METADATA}":{${keys.map((key) => member(key, metadata[key])).join(",")}}`] : [];
  let length = 0;
  for (const name of names) {
    const { data, shape } = tensors[name]!;
    const begin = length;
    length += data.byteLength;
    members.push(member(name, { dtype: "F32", shape, data_offsets: [begin, length] }));
  }
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const start = 8 + Math.ceil(json.length / 8) * 8;
  if (start - 8 > MAX_HEADER)
    throw new DownhillError(
      "memory",
      `safetensors: expected names and metadata of at most ${MAX_HEADER} bytes, got ${start - 8}`,
    );
  const bytes = new Uint8Array(start + length).fill(0x20, 8, start);
  new DataView(bytes.buffer).setUint32(0, start - 8, true);
  bytes.set(json, 8);
  let at = start;
  for (const name of names) {
    const { data } = tensors[name]!;
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * What a file holds; the arrays are copies. Tensors may be F32, I32 and U8. Every file that is not exactly of the format
 * is a `format` error, in time and memory that its own size bounds. The records have no prototype: any name is only a
 * name. `accept` throws where a file with such metadata is not the caller's, before the tensors are looked at.
 */
export function decodeSafetensors(bytes: Uint8Array, accept?: Accept): Safetensors<Data> {
  const { entries, metadata } = openSafetensors(bytes, WIDTHS, accept);
  const tensors: Record<string, NDArray<Data>> = Object.create(null);
  for (const { name, dtype, shape, count, bytes } of entries) {
    const data = new DTYPES[dtype as keyof typeof DTYPES](count);
    new Uint8Array(data.buffer).set(bytes);
    tensors[name] = { data, shape };
  }
  return { tensors, metadata };
}

/** A tensor of a file: `count` numbers, and the file's own bytes of them. */
export interface StoredTensor {
  name: string;
  dtype: string;
  shape: number[];
  count: number;
  bytes: Uint8Array;
}

type Accept = (metadata: Record<string, string>) => void;

/** The tensors of a file, in the order of their bytes, and its metadata; nothing is copied. `widths`: bytes of each dtype that it may have. */
export function openSafetensors(
  bytes: Uint8Array,
  widths: Readonly<Record<string, number>>,
  accept?: Accept,
): { entries: StoredTensor[]; metadata: Record<string, string> } {
  if (bytes.length < 8) throw damaged("at least 8 bytes", bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const size = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  const most = Math.min(bytes.length - 8, MAX_HEADER);
  if (size > most)
    throw damaged(
      `a safetensors file, whose first 8 bytes tell the length of its header, here at most ${most} bytes`,
      size,
    );
  const { header, colons } = parseHeader(new Uint8Array(bytes.subarray(8, 8 + size)));
  const body = bytes.subarray(8 + size);

  const metadata: Record<string, string> = Object.create(null);
  const given = Object.entries(header).map(([name, value]) => {
    const who = name === METADATA ? METADATA : `tensor ${show(name)}`;
    if (!isObject(value)) throw damaged(`${who} to be an object`, value);
    return { name, who, value };
  });
  for (const [key, text] of given
    .filter(({ name }) => name === METADATA)
    .flatMap(({ value }) => Object.entries(value))) {
    if (typeof text !== "string") throw damaged(`${METADATA} ${show(key)} to be a string`, text);
    metadata[key] = text;
  }
  accept?.(metadata);
  const members = given.reduce((sum, { value }) => sum + 1 + Object.keys(value).length, 0);
  const infos = given
    .filter(({ name }) => name !== METADATA)
    .map(({ name, who, value }) => ({ name, info: readInfo(who, value, widths) }));
  if (members !== colons) throw damaged("every name once", "a name twice");

  infos.sort((a, b) => a.info.begin - b.info.begin || a.info.end - b.info.end);
  let at = 0;
  for (const { name, info } of infos) {
    if (info.begin !== at || info.end > body.length)
      throw damaged(`tensor ${show(name)} to begin at ${at} and end by ${body.length}`, [info.begin, info.end]);
    at = info.end;
  }
  if (at !== body.length) throw damaged(`${at} bytes of tensors`, body.length);
  const entries = infos.map(({ name, info: { dtype, shape, count, begin, end } }) => {
    return { name, dtype, shape, count, bytes: body.subarray(begin, end) };
  });
  return { entries, metadata };
}

const damaged = (expected: string, got: unknown, cause?: unknown) =>
  new DownhillError("format", `safetensors: expected ${expected}, got ${show(got)}`, { cause });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);

interface Info {
  dtype: string;
  shape: number[];
  count: number;
  begin: number;
  end: number;
}

function readInfo(who: string, value: Record<string, unknown>, widths: Readonly<Record<string, number>>): Info {
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  const [other] = Object.keys(rest);
  if (other !== undefined) throw damaged(`${who} to have dtype, shape and data_offsets`, other);
  if (typeof dtype !== "string" || !Object.hasOwn(widths, dtype))
    throw damaged(`${who} to be of dtype ${Object.keys(widths).join(", ")}`, dtype);
  if (!isCounts(shape) || shape.length > MAX_RANK)
    throw damaged(`${who} to have a shape of at most ${MAX_RANK} integers ≥ 0`, shape);
  if (!isCounts(offsets) || offsets.length !== 2) throw damaged(`${who} to have two data_offsets`, offsets);
  const [begin, end] = offsets as [number, number];
  const count = shape.reduce((a, b) => a * b, 1); // beyond 2^53 inexact, but then no file's size
  const width = widths[dtype]!;
  if (count * width !== end - begin)
    throw damaged(`${who}, ${dtype} of shape ${show(shape)}, to have ${count * width} bytes`, offsets);
  return { dtype, shape, count, begin, end };
}

/** Parses the JSON once its nesting and size are known to be bounded. Its colons count its names, repeated ones too. */
function parseHeader(bytes: Uint8Array) {
  if (!bytes.length) throw damaged("a header of at least 2 bytes", 0);
  if (bytes[0] !== 0x7b) throw damaged('a header that begins with "{"', `byte ${bytes[0]}`);
  const { depth, marks, colons } = measureJson(bytes);
  if (depth > MAX_DEPTH) throw damaged(`a header nested at most ${MAX_DEPTH} deep`, depth);
  if (marks + colons > MAX_MARKS) throw damaged(`a header of at most ${MAX_MARKS} values`, marks + colons);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw damaged("a header of JSON in UTF-8", (cause as Error).message, cause);
  }
  return { header: header as Record<string, unknown>, colons };
}
