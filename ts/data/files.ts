// Where files come from and go to, for all that reads or writes one.

import { createAtomic, openFile, readFile, writeFileAtomic } from "#platform";
import { argumentError, DownhillError } from "../errors";
import { isObject } from "../options";
import { blobSource } from "../runtime/platform/fetch";
import type { AtomicFile, ByteSource } from "../runtime/platform/files";

/** Where a file's bytes go: a path, a function, or an object with `save`. */
export type SaveTarget = string | ((bytes: Uint8Array) => unknown) | { save(bytes: Uint8Array): unknown };

/** Where they come from: a path (in a page an address), a URL, bytes, a File or Blob, or an object with `load`. */
export type LoadSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | { arrayBuffer(): Promise<ArrayBuffer> }
  | { load(): Uint8Array | Promise<Uint8Array> };

/** Bytes that one array may take: the default of `maxMemory`. */
export const MOST_BYTES = 2 ** 30;

/** All bytes of a source. */
export async function readSource(who: string, source: unknown): Promise<Uint8Array> {
  if (typeof source === "string" || source instanceof URL) return readFile(source);
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (isObject(source)) {
    if ("arrayBuffer" in source && typeof source.arrayBuffer === "function")
      return new Uint8Array(await source.arrayBuffer());
    if ("load" in source && typeof source.load === "function") {
      const bytes: unknown = await source.load();
      if (bytes instanceof Uint8Array) return bytes;
      throw argumentError(who, "load() to give a Uint8Array", bytes);
    }
  }
  throw argumentError(who, "a path, a URL, bytes, a Blob or an object with load()", source);
}

/** A source to be read in parts. Of what has no parts it holds all bytes. */
export async function openSource(who: string, source: unknown): Promise<ByteSource> {
  if (typeof source === "string" || source instanceof URL) return openFile(source);
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

/** Throws where `target` is none. */
export function checkTarget(who: string, target: unknown): asserts target is SaveTarget | undefined {
  const object = isObject(target) && "save" in target && typeof target.save === "function";
  if (target !== undefined && typeof target !== "string" && typeof target !== "function" && !object)
    throw argumentError(who, "target as a path, a function or an object with save(bytes)", target);
}

/** Brings a file's bytes to its target. */
export async function saveBytes(bytes: Uint8Array, target: SaveTarget | undefined): Promise<Uint8Array> {
  if (typeof target === "string") await writeFileAtomic(target, bytes);
  else if (typeof target === "function") await target(bytes);
  else await target?.save(bytes);
  return bytes;
}

/**
 * Writes files under other names, and gives them theirs when all are whole. Whatever fails, `paths` hold what they held.
 * Those of `scratch` are for the time of the work only.
 */
export async function writeFiles(
  paths: readonly string[],
  work: (files: AtomicFile[], scratch: (path: string) => Promise<AtomicFile>) => Promise<void>,
): Promise<void> {
  const files: AtomicFile[] = [];
  const scratch: AtomicFile[] = [];
  try {
    for (const path of paths) files.push(await createAtomic(path));
    await work(files, async (path) => {
      const file = await createAtomic(path);
      scratch.push(file);
      return file;
    });
    for (const file of files) await file.commit();
  } catch (error) {
    for (const file of files) await file.discard();
    throw error;
  } finally {
    for (const file of scratch) await file.discard();
  }
}
