// Where files come from and go to, for all that reads or writes one.

import { createAtomic, openFile, readFile, writeFileAtomic } from "#platform";
import { argumentError, DownhillError } from "../errors";
import { isObject } from "../options";
import { blobSource } from "../runtime/platform/fetch";
import type { AtomicFile, ByteSource } from "../runtime/platform/files";

/** Where a file's bytes go: a path, a function, or an object with `save`. */
export type SaveTarget =
  | string
  | ((bytes: Uint8Array) => unknown)
  | {
      /** Is given the bytes, and awaited. */
      save(bytes: Uint8Array): unknown;
    };

/** Where they come from: a path (in a page an address), a URL, bytes, a File or Blob, or an object with `load`. */
export type LoadSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | {
      /** As a Blob's. */
      arrayBuffer(): Promise<ArrayBuffer>;
    }
  | {
      /** Gives the bytes. */
      load(): Uint8Array | Promise<Uint8Array>;
    };

/** Bytes that one array may take: the default of `maxMemory`. */
export const MOST_BYTES = 2 ** 30;

/** No Buffer of Node's, whose slice() is a view. */
const plain = ({ buffer, byteOffset, length }: Uint8Array) => new Uint8Array(buffer, byteOffset, length);

/** The same work on a file, whose failure says for whom: `npy: cannot read "x.npy": …`. */
export const sayWho = <T>(who: string, work: Promise<T>): Promise<T> =>
  work.catch(({ code, message, cause }) => Promise.reject(new DownhillError(code, `${who}: ${message}`, { cause })));

/** All bytes of a source. */
export async function readSource(who: string, source: unknown): Promise<Uint8Array> {
  if (typeof source === "string" || source instanceof URL) return sayWho(who, readFile(source));
  if (source instanceof Uint8Array) return plain(source);
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (isObject(source)) {
    if ("arrayBuffer" in source && typeof source.arrayBuffer === "function")
      return new Uint8Array(await source.arrayBuffer());
    if ("load" in source && typeof source.load === "function") {
      const bytes: unknown = await source.load();
      if (bytes instanceof Uint8Array) return plain(bytes);
      throw argumentError(who, "load() to give a Uint8Array", bytes);
    }
  }
  throw argumentError(who, "a path, a URL, bytes, a Blob or an object with load()", source);
}

/** A source to be read in parts. Of what has no parts it holds all bytes. */
export async function openSource(who: string, source: unknown): Promise<ByteSource> {
  if (typeof source === "string" || source instanceof URL) {
    const opened = await sayWho(who, openFile(source));
    return { ...opened, read: (at, length) => sayWho(who, opened.read(at, length)) };
  }
  if (source instanceof Blob) return blobSource((source as File).name ?? "", source);
  const bytes = await readSource(who, source);
  return {
    name: "",
    size: bytes.length,
    read: async (at, length) => bytes.subarray(at, at + length),
    close() {},
  };
}

/** Calls `use` with the opened source, and closes it. */
export async function withSource<T>(who: string, source: unknown, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const opened = await openSource(who, source);
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** `who: name`, where the source has one. */
export const nameSource = (who: string, { name }: ByteSource) => (name ? `${who}: ${name}` : who);

/** Exactly `length` bytes; throws `format` where the source ends. */
export async function readExactly(who: string, source: ByteSource, at: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(at, length);
  if (bytes.length !== length)
    throw new DownhillError("format", `${who}: expected ${length} bytes from ${at} on, got ${bytes.length}`);
  return bytes;
}

/** The source's bytes as a stream, read as it is asked. */
export function streamSource(source: ByteSource, chunk = 1 << 18): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        const bytes = await source.read(at, chunk);
        at += bytes.length;
        if (bytes.length) controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Takes bytes off a stream, as many as are wanted. What fails is thrown as `tell` tells it. */
export class Taker {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #tell: (cause: unknown) => unknown;
  #held: Uint8Array[] = [];
  #length = 0;

  constructor(stream: ReadableStream<Uint8Array>, tell: (cause: unknown) => unknown) {
    this.#reader = stream.getReader();
    this.#tell = tell;
  }

  /** Reads until so many bytes are held, or the stream ends. */
  async #hold(size: number): Promise<boolean> {
    while (this.#length < size) {
      const { done, value } = await this.#reader.read().catch((cause) => Promise.reject(this.#tell(cause)));
      if (done) return false;
      this.#held.push(value);
      this.#length += value.length;
    }
    return true;
  }

  /** The next `size` bytes: fewer where the stream ends. */
  async take(size: number): Promise<Uint8Array> {
    await this.#hold(size);
    const taken = new Uint8Array(Math.min(size, this.#length));
    let filled = 0;
    let used = 0;
    while (filled < taken.length) {
      const first = this.#held[used]!;
      const part = first.subarray(0, taken.length - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === first.length) used++;
      else this.#held[used] = first.subarray(part.length);
    }
    this.#held.splice(0, used);
    this.#length -= filled;
    return taken;
  }

  /** Whether the stream ends here. */
  async ends(): Promise<boolean> {
    return !(await this.#hold(1));
  }

  async cancel(): Promise<void> {
    this.#held = [];
    await this.#reader.cancel().catch(() => {});
  }
}

/** Throws where `target` is none. */
export function checkTarget(who: string, target: unknown): asserts target is SaveTarget | undefined {
  const object = isObject(target) && "save" in target && typeof target.save === "function";
  if (target !== undefined && typeof target !== "string" && typeof target !== "function" && !object)
    throw argumentError(who, "target as a path, a function or an object with save(bytes)", target);
}

/** Brings a file's bytes to its target. */
export async function saveBytes(who: string, bytes: Uint8Array, target: SaveTarget | undefined): Promise<Uint8Array> {
  if (typeof target === "string") await sayWho(who, writeFileAtomic(target, bytes));
  else if (typeof target === "function") await target(bytes);
  else await target?.save(bytes);
  return bytes;
}

/** A file in memory. */
export function memoryFile(): Pick<AtomicFile, "write"> & { bytes(): Uint8Array } {
  const parts: Uint8Array[] = [];
  let first: Uint8Array | undefined;
  const bytes = () => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    if (first) whole.set(first);
    return whole;
  };
  return {
    async write(part, at) {
      if (at === undefined) parts.push(part.slice());
      else first = part; // a header
    },
    bytes,
  };
}

/**
 * Writes files under other names, and gives them theirs when all are whole. Whatever fails before, `paths` hold what they
 * held. `scratch` makes files beside the first one, for the time of the work.
 */
export async function writeFiles(
  who: string,
  paths: readonly string[],
  work: (files: AtomicFile[], scratch: () => Promise<AtomicFile>) => Promise<void>,
): Promise<void> {
  const files: AtomicFile[] = [];
  const others: AtomicFile[] = [];
  const create = async (list: AtomicFile[], path: string) => {
    const file = await sayWho(who, createAtomic(path));
    list.push(file);
    return file;
  };
  try {
    for (const path of paths) await create(files, path);
    await work(files, () => create(others, paths[0]!));
    for (const file of files) await sayWho(who, file.commit());
  } catch (error) {
    for (const file of files) await file.discard();
    throw error;
  } finally {
    for (const file of others) await file.discard();
  }
}
