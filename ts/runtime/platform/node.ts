// What Node has: files and worker threads.

import { open, readFile as read, readdir, rename, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { DownhillError } from "../../errors";
import { fetchBytes } from "./fetch";
import type { WorkerHandle } from "./worker";

/** The calling thread may sleep in Atomics.wait. */
export const mayBlock = true;

/** Cores that this process may use. */
export const cores = (): number => availableParallelism();

/** Starts a worker on `source`, in which `port` is the way to here. It does not keep the process alive. */
export function startWorker(source: string, _url?: string): WorkerHandle {
  // without the flags of this process: --input-type=module would make the source a module, which has no require
  const options = { eval: true, execArgv: [] };
  const worker = new Worker(`const port = require("node:worker_threads").parentPort;${source}`, options);
  return {
    post: (message) => worker.postMessage(message),
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

let writes = 0;

/**
 * Writes a file so that `path` holds either all of its old content or all of the new, whenever the process or the
 * machine dies: a temporary file beside it, synced, takes its name; then the folder is synced. A failure leaves `path`
 * as it was and no temporary file.
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
