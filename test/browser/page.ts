// What a page does for the tests, which call `globalThis.page` from outside.

import type * as Downhill from "../../ts/index";
import { baggingRun, REFERENCE_FIT, referenceData, referenceModel, referenceRun } from "./reference";

type Library = typeof Downhill;

const library = (): Promise<Library> => import(new URL("/dist/downhill.js", location.href).href);

/** Runs `work` while a timer and a message come again and again: the longest time between two of either, in ms. */
async function longestGap(work: () => Promise<unknown>): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  let longest = 0;
  let running = true;
  const ticker = (again: () => void) => {
    let last = performance.now();
    again();
    return () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      if (running) again();
    };
  };
  port1.onmessage = ticker(() => port2.postMessage(0));
  const timer = ticker(() => setTimeout(() => timer(), 0));
  await work();
  running = false;
  await new Promise((resolve) => setTimeout(resolve, 20));
  port1.close();
  return longest;
}

/** What `work` returns, and what it warns of. */
async function heard<T>(work: () => Promise<T>): Promise<T & { warnings: string[] }> {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (...args) => warnings.push(args.join(" "));
  try {
    return { ...(await work()), warnings };
  } finally {
    console.warn = warn;
  }
}

/** MLP 784-512-512-10 and as many rows of bytes: what a page trains while it is watched. */
function bytesModel({ sequential, dense, adam, softmaxCrossEntropy }: Library, runtime?: Downhill.Runtime) {
  const model = sequential(
    [dense(512, { inputShape: [784], activation: "relu" }), dense(512, { activation: "relu" }), dense(10)],
    runtime && { runtime },
  );
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return model;
}

const bytes = (rows: number) => ({
  x: { data: new Uint8Array(rows * 784).map((_, i) => (i * 7919) % 251), shape: [rows, 784] },
  y: new Int32Array(rows).map((_, i) => i % 10),
});

const api = {
  /** An ensemble on so many workers. */
  bagging: async (parallel: number) => {
    const downhill = await library();
    return heard(() => baggingRun(downhill, parallel));
  },

  /** The reference run in a worker, and what a callback of the page's saw. */
  async worker(threads: number) {
    const downhill = await library();
    const { inWorker }: Pick<Library, "inWorker"> = await import(new URL("/dist/worker.js", location.href).href);
    downhill.setSeed(0);
    const model = referenceModel(downhill);
    return heard(async () => {
      const remote = await inWorker(model, { threads });
      const epochs: number[] = [];
      const onEpochEnd = (epoch: number) => void epochs.push(epoch);
      await remote.fit(referenceData(), { ...REFERENCE_FIT, callbacks: [{ onEpochEnd }] });
      const hash = await remote.weightsHash();
      await remote.terminate();
      model.dispose();
      return { hash, epochs };
    });
  },

  /** The reference run on a runtime with these options. */
  async reference(options: Downhill.InitOptions) {
    const downhill = await library();
    const warnings: string[] = [];
    const warn = console.warn;
    console.warn = (...args) => warnings.push(args.join(" "));
    const runtime = await downhill.init({ seed: 0, ...options });
    console.warn = warn;
    const { threads, fastMath, features } = runtime;
    const { hash, loss } = await referenceRun(downhill, runtime);
    runtime.dispose();
    return { hash, loss, threads, fastMath, features, warnings };
  },

  /**
   * A whole training of ~0.3 s, from the model's first step to its last, validation and a callback a step: the longest time
   * between two turns of the page, in ms. Of `busy` ms of the page's own the ruler has to show.
   */
  async turns(where: "page" | "worker", threads: number, busy = 0) {
    const downhill = await library();
    const runtime = await downhill.init({ threads });
    const model = bytesModel(downhill, runtime);
    const [data, validationData] = [bytes(2048), bytes(512)];
    let steps = 0;
    const onBatchEnd = () => {
      for (const end = performance.now() + (++steps === 20 ? busy : 0); performance.now() < end; );
    };
    const options = { epochs: 2, batchSize: 128, validationData, callbacks: [{ onBatchEnd }] };
    const remote = where === "worker" ? await downhill.inWorker(model) : model;
    const longest = await longestGap(() => remote.fit(data, options));
    if (remote !== model) await (remote as Downhill.RemoteModel).terminate();
    runtime.dispose();
    return { longest, steps };
  },

  /** Starts a training without end in a worker. */
  async endless(threads: number) {
    const downhill = await library();
    const remote = await downhill.inWorker(bytesModel(downhill), { threads });
    let steps = 0;
    const onBatchEnd = () => void steps++;
    const ended = remote.fit(bytes(2048), { epochs: 1e6, callbacks: [{ onBatchEnd }] }).then(String, String);
    while (steps < 10) await new Promise((resolve) => setTimeout(resolve, 10));
    Object.assign(globalThis, {
      async terminate() {
        const begin = performance.now();
        void remote.terminate();
        const error = await ended;
        return { error, ms: performance.now() - begin };
      },
    });
    return { steps };
  },
};

export type PageApi = typeof api;
Object.assign(globalThis, { page: api });
