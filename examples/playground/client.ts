// The pages' end of a worker of the playground's script that is not the Train tab's: so that races and demos do not wait for its epochs.

import type { AsideRequest, AsideReply as Reply } from "./asides";

type WithoutId<R> = R extends unknown ? Omit<R, "id"> : never;
export type Question = WithoutId<AsideRequest>;

let worker: Worker | undefined;
let count = 0;
const listeners = new Map<number, (reply: Reply) => void>();

/** Asks; `listener` hears its replies until it returns true. The worker is started when it is first needed. */
export function ask(question: Question, listener: (reply: Reply) => boolean): void {
  worker ??= start();
  const id = ++count;
  listeners.set(id, (reply) => {
    if (listener(reply)) listeners.delete(id);
  });
  worker.postMessage({ ...question, id });
}

function start(): Worker {
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  started.onmessage = ({ data }: MessageEvent<Reply>) => listeners.get(data.id)?.(data);
  started.onerror = ({ message }) => {
    started.terminate();
    worker = undefined; // the next question tries again
    const unanswered = [...listeners];
    listeners.clear();
    const why = message || "the worker's script could not be loaded";
    for (const [id, tell] of unanswered) tell({ tab: "descend", id, type: "error", message: why });
  };
  return started;
}
