// What Node has: files and worker threads.

import type { FileHandle } from "node:fs/promises";
import { createRequire } from "node:module";
import { DownhillError } from "../../errors";
import { blobSource, fetchBlob, fetchBytes } from "./fetch";
import type { AtomicFile, ByteSource, ImageRequest } from "./files";
import type { WorkerHandle } from "./worker";

/**
 * A module of Node's, for who needs it now. An `import` of it would cost each program that imports this library: of node:fs
 * a millisecond, in which its streams are loaded.
 */
export const builtin = (name: string) => createRequire("/")(name);

const fs = (): typeof import("node:fs") => builtin("node:fs");
const files = (): typeof import("node:fs/promises") => builtin("node:fs/promises");
const os = (): typeof import("node:os") => builtin("node:os");
const paths = (): typeof import("node:path") => builtin("node:path");

/** What deflate made of bytes, in base64. */
export const inflate = (text: string): Buffer =>
  (builtin("node:zlib") as typeof import("node:zlib")).inflateRawSync(Buffer.from(text, "base64"));

/** The bytes of #core/strict.js, which is deflated here: that takes 2 ms, where what a page downloads, in fewer bytes, takes 20. */
export const decodeStrict = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(inflate(text));

/** The calling thread may sleep in Atomics.wait. */
export const mayBlock = true;

/** Cores that this process may use. */
export const cores = (): number => os().availableParallelism();

/** Starts a worker on `source`, in which `port` is the way to here. It does not keep the process alive. */
export async function startWorker(source: string, _url?: string): Promise<WorkerHandle> {
  const { Worker } = await import("node:worker_threads"); // half a millisecond, which most programs can do without
  // without the flags of this process: --input-type=module would make the source a module, which has no require
  const options = { eval: true, execArgv: [] };
  const worker = new Worker(`const port = require("node:worker_threads").parentPort;${source}`, options);
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(onMessage, onEnd) {
      worker.on("message", onMessage);
      worker.on("error", (error) => onEnd(String(error)));
      worker.on("exit", (code) => onEnd(`it exited with code ${code}`));
      worker.unref(); // now: a listener for messages makes it count again
    },
    terminate: () => void worker.terminate(),
  };
}

/** Where progress is shown: standard error, so that standard output holds results only. */
export const terminal = {
  /** Whether a line can be rewritten in place. */
  get isTTY(): boolean {
    return process.stderr.isTTY === true && process.env["TERM"] !== "dumb";
  },
  get columns(): number {
    return process.stderr.columns ?? 80;
  },
  write(text: string): void {
    process.stderr.write(text);
  },
};

function failure(doing: string, path: string | URL, cause: unknown) {
  const { message, code } = cause as NodeJS.ErrnoException;
  let why = message.replace(/, \w+( '.*)?$/s, ""); // the call, and its path: that of a temporary file
  const folder = paths().dirname(String(path));
  if (doing === "write" && code === "ENOENT" && !fs().existsSync(folder))
    why = `there is no folder ${JSON.stringify(folder)}`;
  return new DownhillError("data", `cannot ${doing} ${JSON.stringify(path)}: ${why}`, { cause });
}

/** The bytes of a file, or behind a URL. */
export async function readFile(path: string | URL): Promise<Uint8Array> {
  if (path instanceof URL && path.protocol !== "file:") return fetchBytes(path);
  try {
    const { buffer, byteOffset, length } = await files().readFile(path);
    return new Uint8Array(buffer, byteOffset, length); // no Buffer: its slice() is a view
  } catch (cause) {
    throw failure("read", path, cause);
  }
}

/** A file, or what is behind a URL, to be read in parts. */
export async function openFile(path: string | URL): Promise<ByteSource> {
  if (path instanceof URL && path.protocol !== "file:") return blobSource(String(path), await fetchBlob(path));
  let file: FileHandle;
  try {
    file = await files().open(path);
  } catch (cause) {
    throw failure("read", path, cause);
  }
  const tell = (cause: unknown) => failure("read", path, cause);
  try {
    return {
      name: String(path),
      size: (await file.stat()).size,
      read: (at, length) => readAll(file, at, length).catch((cause) => Promise.reject(tell(cause))),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw tell(cause);
  }
}

/** Up to `length` bytes from `at` on: fewer where the file ends. */
async function readAll(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled);
    if (!bytesRead) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Paths of what is in a folder and its folders, from there on, with "/" between names. */
export function listTree(path: string): string[] {
  try {
    return fs()
      .readdirSync(path, { recursive: true, encoding: "utf8" })
      .map((name) => name.replaceAll("\\", "/"));
  } catch (cause) {
    throw failure("read the folder", path, cause);
  }
}

/** An image's pixels, of `channels` bytes, scaled to `width` × `height`: by sharp, which is loaded for the first one. */
export async function decodeImage({ source, width, height, channels }: ImageRequest): Promise<Uint8Array> {
  let sharp: typeof import("sharp")["default"];
  try {
    sharp = (await import("sharp")).default;
  } catch (cause) {
    const what = "dataset.fromFiles decodes images with the package sharp: npm install sharp";
    throw new DownhillError("state", what, { cause });
  }
  const input = typeof source === "string" ? source : new Uint8Array(await source.arrayBuffer());
  const image = sharp(input, { limitInputPixels: MOST_PIXELS })
    .autoOrient()
    .resize(width, height, { fit: "fill" })
    .toColourspace("srgb");
  const opaque = channels === 4 ? image.ensureAlpha() : image.flatten({ background: "#000" });
  const { buffer, byteOffset, length } = await opaque.raw({ depth: "uchar" }).toBuffer();
  return new Uint8Array(buffer, byteOffset, length);
}

/** Of an image that is decoded. */
const MOST_PIXELS = 100_000_000;

/** Names of what is in a folder. */
export async function listFolder(path: string): Promise<string[]> {
  try {
    return await files().readdir(path);
  } catch (cause) {
    throw failure("read the folder", path, cause);
  }
}

/**
 * Makes a file, and the folders on the way to it; false where there is something by its name. Like `appendFile` done at once,
 * for those who are told that all is over and whom nobody waits for.
 */
export function createFile(path: string, bytes: Uint8Array): boolean {
  try {
    fs().mkdirSync(paths().dirname(path), { recursive: true });
    fs().writeFileSync(path, bytes, { flag: "wx" });
    return true;
  } catch (cause) {
    // of mkdir's, EEXIST says that a folder's name is a file's
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST" && syscall === "open") return false;
    throw failure("write", path, cause);
  }
}

/** Writes behind what a file holds. */
export function appendFile(path: string, bytes: Uint8Array): void {
  try {
    fs().appendFileSync(path, bytes);
  } catch (cause) {
    throw failure("write", path, cause);
  }
}

/** This machine's name. */
export const hostname = (): string => os().hostname();

let writes = 0;

/**
 * Begins a file that takes the name `path` when it is whole, so that `path` holds either all of its old content or all of the
 * new, whenever the process or the machine dies: a temporary file beside it, synced, takes its name; then the folder is
 * synced. A failure leaves `path` as it was and no temporary file; one that a killed process left is swept by a later write
 * to the same path.
 */
export async function createAtomic(path: string): Promise<AtomicFile> {
  const temporary = `${path}.${process.pid}-${writes++}.tmp`;
  let file: FileHandle | undefined;
  const discard = async () => {
    await file?.close().catch(() => {});
    file = undefined;
    await files()
      .rm(temporary, { force: true })
      .catch(() => {});
  };
  const attempt = async <T>(work: () => Promise<T>) => {
    try {
      return await work();
    } catch (cause) {
      await discard();
      throw failure("write", path, cause);
    }
  };
  await attempt(async () => {
    file = await files().open(temporary, "w+");
  });
  return {
    write: (bytes, at) =>
      attempt(async () => {
        if (at === undefined) await file!.writeFile(bytes);
        else await file!.write(bytes, 0, bytes.length, at);
      }),
    read: (at, length) => attempt(() => readAll(file!, at, length)),
    async commit() {
      await attempt(async () => {
        await file!.sync();
        await file!.close();
        await files().rename(temporary, path);
        // Windows cannot open a folder; there the rename is as durable as it gets.
        if (process.platform !== "win32") await syncFolder(paths().dirname(path));
      });
      await sweep(path).catch(() => {}); // the write is done, whatever comes of that
    },
    discard,
  };
}

/** Writes a file, all or nothing: see `createAtomic`. */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const file = await createAtomic(path);
  await file.write(bytes);
  await file.commit();
}

/** Nobody writes for so long, in milliseconds: a process that looks dead may be alive on another machine or in another container. */
const STALE = 600_000;

/** Removes temporary files of `path` that nobody has written to for long and whose process has ended. */
async function sweep(path: string): Promise<void> {
  const folder = paths().dirname(path);
  const prefix = `${paths().basename(path)}.`;
  for (const name of await files().readdir(folder)) {
    const pid = name.startsWith(prefix) && /^(\d+)-\d+\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (!pid || isAlive(Number(pid))) continue;
    const file = paths().join(folder, name);
    const stale = async () => Date.now() - (await files().stat(file)).mtimeMs > STALE;
    if (await stale().catch(() => false))
      await files()
        .rm(file)
        .catch(() => {}); // another may be sweeping too
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0); // signal 0 only asks
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // another user's process may not be asked
  }
}

async function syncFolder(path: string) {
  const folder = await files().open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
