// The weights of a TF.js model: model.json's `weightsManifest` says which numbers lie where in the shards.
//
//   [{ "paths": ["group1-shard1of2.bin", …], "weights": [{ "name": …, "shape": […], "dtype": "float32", "quantization": … }, …] }, …]
//
// A group's shards, one behind the other, are its weights, one behind the other; a shard may end within a number. Little-endian.

import { floatsOfHalves } from "../../data/halves";
import { argumentError, DownhillError, show, wrong } from "../../errors";
import { isRecord } from "../../options";

/** The bytes that a manifest speaks of: all of them, a list in the manifest's order, or by path. */
export type Shards =
  | Uint8Array
  | ArrayBuffer
  | readonly (Uint8Array | ArrayBuffer)[]
  | Readonly<Record<string, Uint8Array | ArrayBuffer>>;

/** A weight in its shards. */
export interface StoredWeight {
  name: string;
  shape: number[];
  dtype: string;
  /** Of the optimizer, not of a layer. */
  apart: boolean;
  quantization: { dtype: string; scale: number; min: number } | undefined;
  bytes: Uint8Array;
}

const WIDTHS: Readonly<Record<string, number>> = {
  ...{ float32: 4, int32: 4, uint32: 4, uint8: 1, int8: 1, bool: 1, uint16: 2, int16: 2, float16: 2 },
  ...{ complex64: 8, float64: 8, int64: 8, uint64: 8 },
};
const QUANTIZED = ["uint8", "uint16", "float16"];

const damaged = (expected: string, got: unknown) =>
  new DownhillError("format", `importTfjs: expected ${expected}, got ${show(got)}`);

/** The weights that a manifest lists. @throws DownhillError `format`, `argument` for shards that are none or of another number */
export function readShards(manifest: unknown, shards: unknown): StoredWeight[] {
  if (!Array.isArray(manifest)) throw damaged("a weightsManifest, a list", manifest);
  const groups = manifest.map((group: unknown) => {
    const { paths, weights } = isRecord(group) ? group : {};
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === "string"))
      throw damaged("the paths of a group of weights", paths);
    if (!Array.isArray(weights)) throw damaged("the weights of a group, a list", weights);
    return { paths: paths as string[], weights: weights.map(readSpec) };
  });
  const all = groups.flatMap(({ paths }) => paths);
  const parts = partsOf(shards, all);
  const found: StoredWeight[] = [];
  let [first, at] = [0, 0];
  for (const { paths, weights } of groups) {
    const bytes = parts ? joined(parts.slice(first, first + paths.length)) : bytesOf(shards)!;
    if (parts) at = 0;
    first += paths.length;
    for (const { size, ...weight } of weights) {
      if (size > bytes.length - at)
        throw damaged(
          `${size} bytes of ${show(weight.name)}, ${weight.dtype} ${show(weight.shape)}`,
          bytes.length - at,
        );
      found.push({ ...weight, bytes: bytes.subarray(at, at + size) });
      at += size;
    }
    if (at !== bytes.length && (parts || first === all.length)) throw damaged(`${at} bytes of weights`, bytes.length);
  }
  return found;
}

/** The bytes of each path; nothing, where they are given in one. */
function partsOf(shards: unknown, paths: string[]): Uint8Array[] | undefined {
  if (bytesOf(shards)) return undefined;
  const bad = (got: unknown) =>
    argumentError(
      "importTfjs: shards",
      `bytes, a list of bytes or a record of them by path (${paths.map(show).join(", ").slice(0, 200)})`,
      got,
    );
  if (Array.isArray(shards)) {
    if (shards.length !== paths.length)
      throw wrong("argument", "importTfjs: shards", `${paths.length}, as the manifest has paths`, shards.length);
    return shards.map((part) => bytesOf(part) ?? raise(bad(part)));
  }
  if (!isRecord(shards) || ArrayBuffer.isView(shards)) throw bad(shards);
  return paths.map((path) => {
    const part = Object.hasOwn(shards, path) ? shards[path] : undefined;
    return (
      bytesOf(part) ??
      raise(part === undefined ? argumentError("importTfjs: shards", `bytes of ${show(path)}`, part) : bad(part))
    );
  });
}

function raise(error: Error): never {
  throw error;
}

const bytesOf = (given: unknown): Uint8Array | undefined =>
  given instanceof Uint8Array ? given : given instanceof ArrayBuffer ? new Uint8Array(given) : undefined;

function joined(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const MAX_RANK = 8;

function readSpec(given: unknown): Omit<StoredWeight, "bytes"> & { size: number } {
  const { name, shape, dtype, group, quantization } = isRecord(given) ? given : {};
  if (typeof name !== "string") throw damaged("a weight's name", name);
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every((d) => Number.isSafeInteger(d) && d >= 0))
    throw damaged(`${show(name)} to have a shape`, shape);
  if (typeof dtype !== "string" || !Object.hasOwn(WIDTHS, dtype))
    throw damaged(`${show(name)} to be of a dtype of ${Object.keys(WIDTHS).join(", ")}`, dtype);
  const levels = quantization === undefined ? undefined : readQuantization(name, quantization);
  const size = shape.reduce((a: number, b: number) => a * b, 1) * WIDTHS[levels?.dtype ?? dtype]!;
  return { name, shape: shape as number[], dtype, apart: group === "optimizer", quantization: levels, size };
}

function readQuantization(name: string, given: unknown): StoredWeight["quantization"] {
  const { dtype, scale = 1, min = 0 } = isRecord(given) ? given : {};
  if (typeof dtype !== "string" || !QUANTIZED.includes(dtype))
    throw damaged(`${show(name)} to be quantized as ${QUANTIZED.join(", ")}`, dtype);
  const isNumber = (v: unknown) => typeof v === "number" && Number.isFinite(v);
  if (!isNumber(scale) || !isNumber(min)) throw damaged(`${show(name)} to have a scale and a min`, [scale, min]);
  return { dtype, scale: scale as number, min: min as number };
}

/** The numbers of a weight: a copy. Quantized ones are q·scale + min. */
export function floatsOf({ quantization, bytes }: StoredWeight): Float32Array {
  const { dtype, scale, min } = quantization ?? {};
  if (dtype === "float16") return floatsOfHalves(bytes);
  if (dtype === "uint8") return Float32Array.from(bytes, (q) => q * scale! + min!);
  const copy = new Uint8Array(bytes).buffer; // slice() of Node's Buffer is no copy
  return dtype ? Float32Array.from(new Uint16Array(copy), (q) => q * scale! + min!) : new Float32Array(copy);
}
