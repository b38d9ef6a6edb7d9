// The tab's end of its worker: a second instance of the playground's one, so that a race does not wait for the Train tab's epochs.

import type { DescendReply, DescendRequest, LandscapeMap, Track } from "./protocol";
import type { DescendSettings } from "./settings";

export interface Client {
  map(settings: DescendSettings, columns: number, rows: number): Promise<LandscapeMap>;
  race(settings: DescendSettings): Promise<Track[]>;
}

/** Starts the worker. */
export function connect(): Client {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const waiting = new Map<number, { resolve(reply: DescendReply): void; reject(error: Error): void }>();
  let count = 0;
  worker.onmessage = ({ data }: MessageEvent<DescendReply>) => {
    const { resolve, reject } = waiting.get(data.id)!;
    waiting.delete(data.id);
    if (data.type === "error") reject(new Error(data.message));
    else resolve(data);
  };
  // biome-ignore lint/suspicious/noExplicitAny: a reply has the type of its request
  const ask = (request: object): Promise<any> =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ tab: "descend", id, ...request } as DescendRequest);
    });
  return {
    map: async ({ landscape, condition }, columns, rows) =>
      (await ask({ type: "map", landscape, condition, columns, rows })).map,
    race: async (settings) => (await ask({ type: "race", settings })).tracks,
  };
}
