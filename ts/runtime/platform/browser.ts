// What a page or a web worker has.

import type { WorkerHandle } from "./worker";

/** A page's main thread may not sleep in Atomics.wait; a worker may. */
export const mayBlock = typeof window === "undefined";

export const cores = (): number => navigator.hardwareConcurrency ?? 1;

/** Starts a worker on `source`, from a Blob or, where a Content-Security-Policy forbids that, from `url`. */
export function startWorker(source: string, url?: string): WorkerHandle {
  const own = url ?? URL.createObjectURL(new Blob([`const port = self;${source}`], { type: "text/javascript" }));
  const worker = new Worker(own);
  if (!url) setTimeout(() => URL.revokeObjectURL(own), 10_000);
  return {
    post: (message) => worker.postMessage(message),
    listen(onMessage, onEnd) {
      worker.onmessage = ({ data }) => onMessage(data);
      worker.onerror = (event) => onEnd(event.message || "it could not be started");
      worker.onmessageerror = () => onEnd("a message could not be read");
    },
    terminate: () => worker.terminate(),
  };
}
