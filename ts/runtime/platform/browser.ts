// What a page or a web worker has: workers, and no files but addresses to read from.

import { DownhillError } from "../../errors";
import { unpack } from "../unpack";
import { blobSource, fetchBlob, fetchBytes } from "./fetch";
import type { AtomicFile, ByteSource, ImageRequest } from "./files";
import type { WorkerHandle } from "./worker";

/** The bytes of #core/strict.js, which is packed here. */
export const decodeStrict: (text: string) => Uint8Array<ArrayBuffer> = unpack;

/** Whether this thread may sleep in Atomics.wait: a page's main thread may not, a worker may. */
export const mayBlock: boolean = /* @__PURE__ */ (() => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1); // the word is not 1: it returns at once, or throws
    return true;
  } catch {
    return false;
  }
})();

export const cores = (): number => navigator.hardwareConcurrency ?? 1;

/** Starts a worker on `source`, from a Blob or, where a Content-Security-Policy forbids that, from `url`. */
export async function startWorker(source: string, url?: string): Promise<WorkerHandle> {
  const own = url ?? URL.createObjectURL(new Blob([`const port = self;${source}`], { type: "text/javascript" }));
  const failure = `no worker starts from ${url ?? "a blob: URL; where a Content-Security-Policy forbids that, set workerUrl"}`;
  let worker: Worker;
  try {
    worker = new Worker(own);
  } catch (cause) {
    throw new DownhillError("worker", failure, { cause });
  }
  if (!url) setTimeout(() => URL.revokeObjectURL(own), 10_000);
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(onMessage, onEnd) {
      worker.onmessage = ({ data }) => onMessage(data);
      worker.onerror = (event) => onEnd(event.message || failure);
      worker.onmessageerror = () => onEnd("a message could not be read");
    },
    terminate: () => worker.terminate(),
  };
}

/** Where progress is shown: the console, which writes whole lines and never rewrites one. */
export const terminal = {
  isTTY: false,
  columns: 80,
  write(text: string): void {
    console.log(text.replace(/\n$/, ""));
  },
};

/** The bytes behind an address. */
export const readFile = (url: string | URL): Promise<Uint8Array> => fetchBytes(url);

/** What is behind an address, to be read in parts. */
export const openFile = async (url: string | URL): Promise<ByteSource> => blobSource(String(url), await fetchBlob(url));

/** An image's pixels, of `channels` bytes, scaled to `width` × `height`. */
export async function decodeImage(request: ImageRequest): Promise<Uint8Array> {
  const { decode } = await import("./canvas"); // only who has images needs it
  return decode(request);
}

const needsNode = (what: string, path: string) =>
  new DownhillError("data", `cannot ${what} ${JSON.stringify(path)}: that needs Node, a page has no files`);

export async function listFolder(path: string): Promise<string[]> {
  throw needsNode("read the folder", path);
}

export function listTree(path: string): string[] {
  throw needsNode("read the folder", path);
}

export async function createAtomic(path: string): Promise<AtomicFile> {
  throw needsNode("write", path);
}

export async function writeFileAtomic(path: string, _bytes: Uint8Array): Promise<void> {
  throw needsNode("write", path);
}

export function createFile(path: string, _bytes: Uint8Array): boolean {
  throw needsNode("write", path);
}

export function appendFile(path: string, _bytes: Uint8Array): void {
  throw needsNode("write", path);
}

export const hostname = (): string => globalThis.location?.hostname ?? "";
