// NumPy's arrays: read whole or by rows, written.

import { argumentError, DownhillError, show } from "../errors";
import type { ArrayLike, NDArray, NumberArray } from "../ndarray";
import { count, isRecord, or, readOptions } from "../options";
import type { AtomicFile, ByteSource } from "../runtime/platform/files";
import { readArray } from "./arrays";
import {
  checkTarget,
  type LoadSource,
  MOST_BYTES,
  nameSource,
  openSource,
  readExactly,
  readSource,
  type SaveTarget,
  saveBytes,
  withSource,
  writeFiles,
} from "./files";
import {
  bytesOf,
  checkSize,
  decodeElements,
  encodeHeader,
  NPY_START,
  type NpyArray,
  type NpyHeader,
  readHeader,
  readStart,
  toRowMajor,
} from "./npyFormat";
import { batchesOf, type Columns, Rows, sameRows } from "./rows";

/**
 * Reads an array that NumPy saved (`numpy.save`), versions 1.0 to 3.0, either byte order, row-major or `fortran_order`.
 * float16 and float32 come as `Float32Array`, float64 as `Float64Array`, uint8 and bool (0, 1) as `Uint8Array`, all other
 * integers as `Int32Array`. Pickled objects, structured types, strings and complex numbers are `format` errors: nothing in a
 * file is evaluated.
 *
 * @param source a path (in a page an address), a `URL`, bytes, a `File` or `Blob`, or an object with `load()`
 * @returns a promise of the array, row-major
 * @example const x = await npy("x.npy"); // { data, shape }
 * @throws DownhillError `data` where the source cannot be read or an integer does not fit int32, `format` where it is damaged
 */
export async function npy(source: LoadSource): Promise<NDArray<NpyArray>> {
  const bytes = await readSource("npy", source);
  const who = typeof source === "string" || source instanceof URL ? `npy: ${source}` : "npy";
  return decodeNpy(who, bytes);
}

/** The array in the bytes of a whole file. */
export function decodeNpy(who: string, bytes: Uint8Array): NDArray<NpyArray> {
  const start = readStart(who, bytes.subarray(0, NPY_START));
  if (start > bytes.length)
    throw new DownhillError("format", `${who}: expected a header of ${start} bytes, got ${bytes.length}`);
  const header = readHeader(who, bytes.subarray(0, start));
  checkSize(who, header, bytes.length);
  return { data: elementsOf(who, header, bytes.subarray(start)), shape: header.shape };
}

/** All elements of a file. */
export function elementsOf(who: string, { type, fortran, shape }: NpyHeader, bytes: Uint8Array): NpyArray {
  const data = decodeElements(who, bytes, type);
  return fortran ? toRowMajor(data, shape) : data;
}

/** One file, or several of equally many rows, by name. */
export type RowSources = LoadSource | Record<string, LoadSource>;

/** Options of `npyRows`. */
export interface NpyRowsOptions {
  /** Rows of a batch; the last may have fewer. Default 1024. */
  rows?: number;
}

/**
 * The rows of arrays that NumPy saved, some at a time: of files that are larger than memory. Of one source each batch is an
 * array [rows, …]; of a record of them a record of arrays, such as `fit` takes. See `npy` for sources and types. Of a
 * file in `fortran_order` a row's elements are far apart: it is read, too, and slowly where rows are wide.
 *
 * @example const data = await npyRows({ x: "x.npy", y: "y.npy" }, { rows: 256 });
 * await model.fit(data.shuffle(8192), { epochs: 5 });
 * for await (const { data, shape } of await npyRows("x.npy")) console.log(shape);
 * @throws DownhillError as `npy`; `shape` where there are no rows or not equally many; while it is read `data` where an
 * integer does not fit int32
 */
export function npyRows(source: LoadSource, options?: NpyRowsOptions): Promise<Rows<NDArray<NpyArray>>>;
export function npyRows<K extends string>(
  sources: Record<K, LoadSource>,
  options?: NpyRowsOptions,
): Promise<Rows<Record<K, NDArray<NpyArray>>>>;
export async function npyRows(given: RowSources, options?: NpyRowsOptions): Promise<Rows<unknown>> {
  const { rows } = readOptions("npyRows", options, { rows: or(count(), 1024) });
  const many = isRecord(given) && Object.getPrototypeOf(given) === Object.prototype && !("load" in given);
  const sources: Record<string, unknown> = many ? given : { rows: given };
  if (!Object.keys(sources).length) throw argumentError("npyRows", "at least one source", given);
  const headers: Record<string, NpyHeader> = {};
  for (const [name, source] of Object.entries(sources))
    headers[name] = await withSource("npyRows", source, (opened) => headerOf(nameSource("npyRows", opened), opened));
  const size = sameRows("npyRows", Object.fromEntries(Object.entries(headers).map(([name, h]) => [name, h.shape])));
  async function* read(): AsyncGenerator<Columns> {
    const opened: ByteSource[] = [];
    try {
      for (const source of Object.values(sources)) opened.push(await openSource("npyRows", source));
      for (let at = 0; at < size; at += rows) {
        const n = Math.min(rows, size - at);
        const columns: Columns = {};
        for (const [i, [name, header]] of Object.entries(headers).entries())
          columns[name] = await readRows(nameSource("npyRows", opened[i]!), opened[i]!, header, at, n);
        yield columns;
      }
    } finally {
      for (const source of opened) await source.close();
    }
  }
  return new Rows({ size, rows, read }, many ? undefined : ({ rows }) => rows);
}

/** The header of a file whose size is right. */
async function headerOf(who: string, source: ByteSource): Promise<NpyHeader> {
  const start = readStart(who, await source.read(0, NPY_START));
  const header = readHeader(who, await readExactly(who, source, 0, start));
  checkSize(who, header, source.size);
  return header;
}

async function readRows(
  who: string,
  source: ByteSource,
  { type, fortran, shape, start }: NpyHeader,
  at: number,
  n: number,
) {
  const [all, ...row] = shape as [number, ...number[]];
  const size = row.reduce((a, b) => a * b, 1);
  const length = n * size * type.width;
  if (length > MOST_BYTES)
    throw new DownhillError("memory", `${who}: expected batches of at most ${MOST_BYTES} bytes, got ${length}`);
  const part = [n, ...row];
  const where = `${who}: rows from ${at} on`;
  if (!fortran || size === 1) {
    const bytes = await readExactly(who, source, start + at * size * type.width, length);
    return { data: decodeElements(where, bytes, type), shape: part };
  }
  const bytes = new Uint8Array(length);
  const run = n * type.width;
  for (let column = 0; column < size; column++)
    bytes.set(await readExactly(who, source, start + (column * all + at) * type.width, run), column * run);
  return { data: toRowMajor(decodeElements(where, bytes, type), part), shape: part };
}

/** Arrays of rows as they come: `Rows`, a list, a generator. */
export type ArrayBatches = Iterable<ArrayLike> | AsyncIterable<ArrayLike>;

/**
 * Writes an array such as `numpy.load` reads: float32, float64 and integers of 8, 16 or 32 bits as they are, nested numbers as
 * float32, row-major, little-endian.
 *
 * @param array an array, or for what is larger than memory an (async) iterable of arrays of rows, [n, …], such as `npyRows`
 * gives; it is written as it comes, and needs a path
 * @param target a path, written atomically; or a function, or an object with `save`, which is given the bytes
 * @returns a promise of the bytes; of an iterable of nothing
 * @example await saveNpy(model.predict(x), "logits.npy");
 * await saveNpy((await npyRows("x.npy")).map(({ data, shape }) => ({ data: data.map((v) => v / 255), shape })), "scaled.npy");
 * @throws DownhillError `data` where the path cannot be written, `argument`, `shape`
 */
export function saveNpy(array: ArrayLike, target?: SaveTarget): Promise<Uint8Array>;
export function saveNpy(batches: ArrayBatches, path: string): Promise<undefined>;
export async function saveNpy(given: ArrayLike | ArrayBatches, target?: SaveTarget): Promise<Uint8Array | undefined> {
  checkTarget("saveNpy", target);
  const batches = batchesOf(given);
  if (!batches) return saveBytes("saveNpy", encodeNpy("saveNpy", given), target);
  if (typeof target !== "string") throw argumentError("saveNpy", "a path for rows as they come", target);
  await writeFiles("saveNpy", [target], async ([file]) => {
    const writer = new NpyWriter("saveNpy", file!);
    for await (const batch of batches) await writer.write(batch);
    await writer.end();
  });
  return undefined;
}

/** A whole file. */
export function encodeNpy(who: string, given: unknown): Uint8Array {
  const { data, shape } = readArray(who, given);
  const array = { data, shape: shape ?? [data.length] };
  const header = encodeHeader(array);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(bytesOf(data), header.length);
  return bytes;
}

/** Writes rows as they come; their number is set at the end. */
export class NpyWriter {
  #first: NDArray<NumberArray> | undefined;
  #rows = 0;
  /** Bytes written. */
  size = 0;

  constructor(
    readonly who: string,
    readonly file: AtomicFile,
  ) {}

  async write(given: unknown): Promise<void> {
    const { who } = this;
    const { data, shape = [data.length] } = readArray(who, given);
    if (!shape.length) throw new DownhillError("shape", `${who}: expected rows, got a single number`);
    const array = { data, shape };
    const row = shape.slice(1);
    if (!this.#first) {
      this.#first = { data: data.slice(0, 0), shape: [0, ...row] };
      await this.#add(encodeHeader(array));
    }
    const { data: like, shape: first } = this.#first;
    if (row.join() !== first.slice(1).join())
      throw new DownhillError("shape", `${who}: expected rows of shape ${show(first.slice(1))}, got ${show(row)}`);
    if (data.constructor !== like.constructor) throw argumentError(who, `a ${like.constructor.name} each time`, data);
    this.#rows += shape[0]!;
    await this.#add(bytesOf(data));
  }

  async #add(bytes: Uint8Array): Promise<void> {
    await this.file.write(bytes);
    this.size += bytes.length;
  }

  async end(): Promise<void> {
    if (!this.#first) throw new DownhillError("data", `${this.who}: expected at least one batch, got none`);
    const { data, shape } = this.#first;
    await this.file.write(encodeHeader({ data, shape: [this.#rows, ...shape.slice(1)] }), 0);
  }
}
