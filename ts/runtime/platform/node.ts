// What Node has: files and worker threads.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { WorkerHandle } from "./worker";

/** The calling thread may sleep in Atomics.wait. */
export const mayBlock = true;

/** Cores that this process may use. */
export const cores = (): number => availableParallelism();

/** Starts a worker on `source`, in which `port` is the way to here. It does not keep the process alive. */
export function startWorker(source: string, _url?: string): WorkerHandle {
  const worker = new Worker(`const port = require("node:worker_threads").parentPort;${source}`, { eval: true });
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    listen(onMessage, onEnd) {
      worker.on("message", onMessage);
      worker.on("error", (error) => onEnd(String(error)));
      worker.on("exit", (code) => onEnd(`it exited with code ${code}`));
    },
    terminate: () => void worker.terminate(),
  };
}
