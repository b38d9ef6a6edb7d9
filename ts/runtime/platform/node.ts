// What Node has: files and worker threads.

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { open, readFile as read, readdir, rename, rm, stat } from "node:fs/promises";
import { availableParallelism, hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { DownhillError } from "../../errors";
import { fetchBytes } from "./fetch";
import type { WorkerHandle } from "./worker";

/** The bytes of #core/strict.js, which is base64 here: at once, where what a page downloads, in fewer bytes, takes 20 ms. */
export const decodeStrict = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, "base64"));

/** The calling thread may sleep in Atomics.wait. */
export const mayBlock = true;

/** Cores that this process may use. */
export const cores = (): number => availableParallelism();

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

const failure = (doing: string, path: string | URL, cause: unknown) =>
  new DownhillError("data", `cannot ${doing} ${JSON.stringify(path)}: ${(cause as Error).message}`, { cause });

/** The bytes of a file, or behind a URL. */
export async function readFile(path: string | URL): Promise<Uint8Array> {
  if (path instanceof URL && path.protocol !== "file:") return fetchBytes(path);
  try {
    const { buffer, byteOffset, length } = await read(path);
    return new Uint8Array(buffer, byteOffset, length); // no Buffer: its slice() is a view
  } catch (cause) {
    throw failure("read", path, cause);
  }
}

/** Names of what is in a folder. */
export async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
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
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes, { flag: "wx" });
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
    appendFileSync(path, bytes);
  } catch (cause) {
    throw failure("write", path, cause);
  }
}

/** This machine's name. */
export { hostname };

let writes = 0;

/**
 * Writes a file so that `path` holds either all of its old content or all of the new, whenever the process or the
 * machine dies: a temporary file beside it, synced, takes its name; then the folder is synced. A failure leaves `path`
 * as it was and no temporary file; one that a killed process left is swept by a later write to the same path.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}-${writes++}.tmp`;
  try {
    await sync(temporary, "w", bytes);
    await rename(temporary, path);
    // Windows cannot open a folder; there the rename is as durable as it gets.
    if (process.platform !== "win32") await sync(dirname(path), "r");
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw failure("write", path, cause);
  }
  await sweep(path).catch(() => {}); // the write is done, whatever comes of that
}

/** Nobody writes for so long, in milliseconds: a process that looks dead may be alive on another machine or in another container. */
const STALE = 600_000;

/** Removes temporary files of `path` that nobody has written to for long and whose process has ended. */
async function sweep(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(prefix) && /^(\d+)-\d+\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (!pid || isAlive(Number(pid))) continue;
    const file = join(folder, name);
    const stale = async () => Date.now() - (await stat(file)).mtimeMs > STALE;
    if (await stale().catch(() => false)) await rm(file).catch(() => {}); // another may be sweeping too
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0); // signal 0 only asks
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // another user's process may not be asked
  }
}

async function sync(path: string, flags: string, bytes?: Uint8Array) {
  const file = await open(path, flags);
  try {
    if (bytes) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
