// NumPy's archives of arrays: zip files of npy files, read and written by zip.js.

import type { Entry, FileEntry, Reader as ZipReaderBase } from "@zip.js/zip.js";
import { argumentError, DownhillError, show } from "../errors";
import type { ArrayLike, NDArray } from "../ndarray";
import { boolean, count, field, isRecord, optional, or, readOptions } from "../options";
import type { AtomicFile, ByteSource } from "../runtime/platform/files";
import {
  checkTarget,
  type LoadSource,
  MOST_BYTES,
  memoryFile,
  nameSource,
  openSource,
  type SaveTarget,
  saveBytes,
  Taker,
  withSource,
  writeFiles,
} from "./files";
import { elementsOf, encodeNpy, NpyWriter } from "./npy";
import { checkSize, damaged, decodeElements, NPY_START, type NpyArray, readHeader, readStart } from "./npyFormat";
import { loadZip } from "./packages";
import { batchesOf, type Columns, Rows, sameRows } from "./rows";

/** On this thread, by the platform's own streams. */
const HERE = { useWebWorkers: false, useCompressionStream: true };

/** Bytes that DEFLATE makes of one, at most. */
const MOST_INFLATED = 1032;
/** Entries of an archive. */
const MOST_ENTRIES = 65_536;

/** Options of `npz`. */
export interface NpzOptions {
  /** Bytes that all arrays may take, as they are in the archive. Default 2^30, 1 GiB. */
  maxBytes?: number;
}

/**
 * Reads an archive of arrays that NumPy saved (`numpy.savez`, `numpy.savez_compressed`). For the arrays see `npy`.
 *
 * @param source a path (in a page an address), a `URL`, bytes, a `File` or `Blob`, or an object with `load()`
 * @returns a promise of a record from name to array, in the archive's order
 * @example const { x, y } = await npz("train.npz");
 * @throws DownhillError `data` where the source cannot be read or an integer does not fit int32, `format` where it is damaged,
 * `memory` where the arrays would take more than `maxBytes`; sizes are checked before anything is unpacked
 */
export async function npz(source: LoadSource, options?: NpzOptions): Promise<Record<string, NDArray<NpyArray>>> {
  const { maxBytes } = readOptions("npz", options, { maxBytes: or(count(), MOST_BYTES) });
  return withSource("npz", source, async (opened) => {
    const who = nameSource("npz", opened);
    const members = await readMembers(who, opened);
    const total = members.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0);
    if (total > maxBytes)
      throw new DownhillError(
        "memory",
        `${who}: expected arrays of at most ${maxBytes} bytes (maxBytes), got ${total}`,
      );
    const arrays: Record<string, NDArray<NpyArray>> = Object.create(null);
    for (const { name, entry } of members) {
      const member = `${who}: ${name}`;
      const { header, take, end, close } = await openMember(member, entry);
      try {
        const bytes = await take(header.end - header.start);
        await end();
        arrays[name] = { data: elementsOf(member, header, bytes), shape: header.shape };
      } finally {
        await close();
      }
    }
    return arrays;
  });
}

interface Member {
  /** Of the array: without `.npy`. */
  name: string;
  entry: FileEntry;
}

/** Throws where there is no archive; NumPy goes by the same two bytes. */
async function checkStart(who: string, source: ByteSource): Promise<void> {
  const start = await source.read(0, 2);
  if (start[0] === 0x50 && start[1] === 0x4b) return;
  const got = start[0] === 0x93 && start[1] === 0x4e ? "an npy file, which npy reads" : `${source.size} other bytes`;
  throw damaged(who, "a zip archive of arrays, which begins with PK", got);
}

/** The arrays in an archive. Nothing is unpacked yet. */
async function readMembers(who: string, source: ByteSource): Promise<Member[]> {
  await checkStart(who, source);
  const zip = await loadZip();
  class Source extends zip.Reader<ByteSource> {
    override async init() {
      this.size = source.size;
    }
    override readUint8Array(at: number, length: number) {
      return source.read(at, length);
    }
  }
  const reader = new zip.ZipReader(new Source(source) as ZipReaderBase<ByteSource>, { ...HERE, checkSignature: true });
  const members: Member[] = [];
  const names = new Set<string>();
  const unzip = unzipping(who);
  const entries = unzip(() => reader.getEntriesGenerator({ strictness: "balanced" }))!;
  for (;;) {
    const { done, value: entry } = await unzip(() => entries.next());
    if (done) break;
    const file = entry as Entry;
    if (members.length === MOST_ENTRIES) throw damaged(who, `at most ${MOST_ENTRIES} entries`, "more");
    if (file.directory || !file.filename.endsWith(".npy")) throw damaged(who, "arrays, *.npy", file.filename);
    const name = file.filename.slice(0, -4);
    if (names.has(name)) throw damaged(who, "every name once", name);
    names.add(name);
    const { compressionMethod: method, compressedSize: packed, uncompressedSize: size, encrypted } = file;
    if (encrypted || (method !== 0 && method !== 8))
      throw damaged(`${who}: ${name}`, "stored or deflated bytes", "others");
    if (packed > source.size || (method === 0 ? packed !== size : size > packed * MOST_INFLATED))
      throw damaged(`${who}: ${name}`, `what ${packed} bytes can hold`, `a size of ${size}`);
    members.push({ name, entry: file });
  }
  if (!members.length) throw damaged(who, "at least one array", "none");
  return members;
}

const broken = (who: string, cause: unknown) =>
  damaged(who, "a zip archive that is whole", `a damaged one: ${(cause as Error | undefined)?.message}`, cause);

/** What zip.js throws at a file's content becomes a `format` error. */
function unzipping(who: string) {
  const tell = (error: unknown): never => {
    if (error instanceof DownhillError) throw error;
    throw broken(who, error);
  };
  return <T>(work: () => T): T => {
    try {
      const result = work();
      return (result instanceof Promise ? result.catch(tell) : result) as T;
    } catch (error) {
      return tell(error);
    }
  };
}

/** A member that is unpacked as it is read. */
async function openMember(who: string, entry: FileEntry) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const aborter = new AbortController();
  let failure: unknown;
  const unpacked = entry
    .getData(writable, { ...HERE, checkSignature: true, signal: aborter.signal })
    .catch((error: unknown) => {
      failure = error;
      return writable.abort(error).catch(() => {});
    });
  const tell = (cause: unknown) => (cause instanceof DownhillError ? cause : broken(who, failure ?? cause));
  const taker = new Taker(readable, tell);
  const take = async (size: number) => {
    const bytes = await taker.take(size);
    if (bytes.length < size) throw damaged(who, `${size} more bytes`, bytes.length);
    return bytes;
  };
  /** Throws where the member does not end here, or its sum is wrong. */
  const end = async () => {
    if (!(await taker.ends())) throw damaged(who, "the end of the array", "more bytes");
    await unpacked;
    if (failure) throw tell(failure);
  };
  const close = async () => {
    aborter.abort();
    await taker.cancel();
    await unpacked;
  };
  try {
    const first = await taker.take(NPY_START);
    const start = readStart(who, first);
    const bytes = new Uint8Array(start);
    bytes.set(first.subarray(0, start));
    bytes.set(await take(Math.max(0, start - first.length)), first.length);
    const header = readHeader(who, bytes);
    checkSize(who, header, entry.uncompressedSize);
    return { header, take, end, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Options of `npzRows`. */
export interface NpzRowsOptions<K extends string = string> {
  /** Rows of a batch; the last may have fewer. Default 1024. */
  rows?: number;
  /** Which arrays of the archive, by the names that they are to have. Default: all, by their own. */
  arrays?: Record<K, string>;
}

/**
 * The rows of arrays in an archive that NumPy saved, some at a time: of archives that are larger than memory. Each batch is a
 * record of arrays [rows, …]; `{ x, y }` is what `fit` takes. They are unpacked side by side, as they are read.
 *
 * @example const data = await npzRows("mnist.npz", { arrays: { x: "x_train", y: "y_train" }, rows: 256 });
 * await model.fit(data.shuffle(8192), { epochs: 5 });
 * @throws DownhillError as `npz`; `format` for an array in `fortran_order`; `shape` where there are no rows or not equally many
 */
export async function npzRows<K extends string = string>(
  source: LoadSource,
  options?: NpzRowsOptions<K>,
): Promise<Rows<Record<K, NDArray<NpyArray>>>> {
  const { rows, arrays } = readOptions("npzRows", options, {
    rows: or(count(), 1024),
    arrays: optional(
      field<Record<string, string>>(
        "a record of names",
        (v) => isRecord(v) && Object.keys(v).length > 0 && Object.values(v).every((name) => typeof name === "string"),
      ),
    ),
  });
  const choose = (who: string, members: Member[]): [string, Member][] =>
    arrays
      ? Object.entries(arrays).map(([name, inside]) => {
          const member = members.find((m) => m.name === inside);
          if (!member) throw argumentError(who, `arrays to name some of ${show(members.map((m) => m.name))}`, inside);
          return [name, member];
        })
      : members.map((member) => [member.name, member]);
  const size = await withSource("npzRows", source, async (opened) => {
    const who = nameSource("npzRows", opened);
    const shapes: Record<string, number[]> = {};
    for (const [name, member] of choose(who, await readMembers(who, opened))) {
      const { header, close } = await openMember(`${who}: ${member.name}`, member.entry);
      await close();
      if (header.fortran && header.shape.length > 1)
        throw damaged(`${who}: ${member.name}`, "an array in row-major order, to be read by rows", "fortran_order");
      shapes[name] = header.shape;
      const batch = (Math.min(rows, header.shape[0] ?? 0) * (header.end - header.start)) / (header.shape[0] || 1);
      if (batch > MOST_BYTES)
        throw new DownhillError("memory", `${who}: expected batches of at most ${MOST_BYTES} bytes, got ${batch}`);
    }
    return sameRows(who, shapes);
  });
  async function* read(): AsyncGenerator<Columns> {
    const opened = await openSource("npzRows", source);
    const who = nameSource("npzRows", opened);
    const open: { name: string; who: string; member: Awaited<ReturnType<typeof openMember>> }[] = [];
    try {
      for (const [name, { name: inside, entry }] of choose(who, await readMembers(who, opened)))
        open.push({ name, who: `${who}: ${inside}`, member: await openMember(`${who}: ${inside}`, entry) });
      for (let at = 0; at < size; at += rows) {
        const n = Math.min(rows, size - at);
        const columns: Columns = {};
        for (const { name, who, member } of open) {
          const { type, shape, start, end } = member.header;
          const bytes = await member.take(((end - start) / shape[0]!) * n);
          if (at + n === size) await member.end();
          columns[name] = {
            data: decodeElements(`${who}: rows from ${at} on`, bytes, type),
            shape: [n, ...shape.slice(1)],
          };
        }
        yield columns;
      }
    } finally {
      for (const { member } of open) await member.close();
      await opened.close();
    }
  }
  return new Rows({ size, rows, read }) as Rows<Record<K, NDArray<NpyArray>>>;
}

/** Options of `saveNpz`. */
export interface SaveNpzOptions {
  /** Deflated, as `numpy.savez_compressed` does. Default false. */
  compress?: boolean;
}

/** Records of arrays of rows as they come: `Rows`, a dataset of batches, a generator. */
export type RecordBatches =
  | Iterable<Record<string, ArrayLike>>
  | AsyncIterable<Record<string, ArrayLike>>
  | {
      /** As a dataset's. */
      arrays(): unknown;
    };

/**
 * Writes arrays as an archive such as `numpy.load` reads. Saving twice gives the same bytes.
 *
 * @param arrays a record from name to array; or, for what is larger than memory, an (async) iterable of records of arrays of
 * rows, [n, …]: `npzRows`, a dataset of batches, a generator of { x, y }. These are written as they come, and need a path
 * @param target a path, written atomically; or a function, or an object with `save`, which is given the bytes
 * @returns a promise of the bytes; of an iterable of nothing
 * @example await saveNpz({ x, y }, "train.npz", { compress: true });
 * @throws DownhillError `data` where the path cannot be written, `argument`, `shape`
 */
export function saveNpz(
  arrays: Record<string, ArrayLike>,
  target?: SaveTarget,
  options?: SaveNpzOptions,
): Promise<Uint8Array>;
export function saveNpz(batches: RecordBatches, path: string, options?: SaveNpzOptions): Promise<undefined>;
export async function saveNpz(
  given: Record<string, ArrayLike> | RecordBatches,
  target?: SaveTarget,
  options?: SaveNpzOptions,
): Promise<Uint8Array | undefined> {
  checkTarget("saveNpz", target);
  const { compress } = readOptions("saveNpz", options, { compress: or(boolean(), false) });
  const batches = batchesOf(given);
  if (batches) {
    if (typeof target !== "string") throw argumentError("saveNpz", "a path for rows as they come", target);
    await writeFiles("saveNpz", [target], ([file], scratch) => writeBatches(batches, file!, compress, scratch));
    return undefined;
  }
  if (!isRecord(given) || !Object.keys(given).length)
    throw argumentError("saveNpz", "a record of at least one array, or batches of records", given);
  const file = memoryFile();
  const archive = await openArchive(compress, (bytes) => file.write(bytes));
  for (const [name, array] of Object.entries(given)) {
    const bytes = encodeNpy(`saveNpz: ${checkName(name)}`, array);
    await archive.add(name, bytes.length, [bytes]);
  }
  await archive.close();
  return saveBytes("saveNpz", file.bytes(), target);
}

/** A name, which may have "/" within, as weights have. */
function checkName(name: string): string {
  if (!name || /[\\\0]|^\/|(^|\/)\.\.?(\/|$)/.test(name))
    throw argumentError("saveNpz", 'names without "\\", and without "." and ".." between "/"', name);
  return name;
}

/** Each array goes into a file of its own first: how many rows there are stands in its header, in front of them. */
async function writeBatches(
  batches: Iterable<unknown> | AsyncIterable<unknown>,
  file: AtomicFile,
  compress: boolean,
  scratch: () => Promise<AtomicFile>,
): Promise<void> {
  const writers = new Map<string, NpyWriter>();
  let names: string | undefined;
  for await (const batch of batches) {
    if (!isRecord(batch)) throw argumentError("saveNpz", "records of arrays", batch);
    const arrays = Object.entries(batch).filter(([, array]) => array !== undefined);
    const keys = arrays.map(([name]) => name).join(", ");
    names ??= keys;
    if (keys !== names) throw argumentError("saveNpz", `arrays ${names} each time`, keys);
    for (const [name, array] of arrays) {
      let writer = writers.get(name);
      if (!writer) {
        writer = new NpyWriter(`saveNpz: ${checkName(name)}`, await scratch());
        writers.set(name, writer);
      }
      await writer.write(array);
    }
  }
  if (!writers.size) throw new DownhillError("data", "saveNpz: expected at least one batch, got none");
  const archive = await openArchive(compress, (bytes) => file.write(bytes));
  for (const [name, writer] of writers) {
    await writer.end();
    await archive.add(name, writer.size, partsOf(writer));
  }
  await archive.close();
}

async function* partsOf({ file, size }: NpyWriter): AsyncGenerator<Uint8Array> {
  const part = 1 << 18;
  for (let at = 0; at < size; at += part) yield file.read(at, Math.min(part, size - at));
}

/** An archive that goes to `write` as it is made. */
async function openArchive(compress: boolean, write: (bytes: Uint8Array) => Promise<void>) {
  const zip = await loadZip();
  const writer = new zip.ZipWriter(new WritableStream<Uint8Array>({ write }), {
    ...HERE,
    level: compress ? 6 : 0,
    lastModDate: new Date(1980, 0, 1), // zip's beginning of time, as NumPy has it
    extendedTimestamp: false,
    keepOrder: true,
  });
  return {
    async add(name: string, size: number, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
      const iterator =
        Symbol.asyncIterator in parts
          ? parts[Symbol.asyncIterator]()
          : (parts as Iterable<Uint8Array>)[Symbol.iterator]();
      const readable = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      });
      await writer.add(`${name}.npy`, readable, { zip64: size > 2 ** 32 - 2 ** 20 });
    },
    close: () => writer.close(),
  };
}
