// What a page does for the tests, which call `globalThis.page` from outside.

import type * as Downhill from "../../ts/index";
import { baggingRun, REFERENCE_FIT, referenceData, referenceModel, referenceRun } from "./reference";

type Library = typeof Downhill;

const library = (): Promise<Library> => import(new URL("/dist/downhill.js", location.href).href);

/** Runs `work` while a timer and a message come again and again: the longest time between two of either, in ms. */
async function gaps<T>(work: () => Promise<T>): Promise<{ longest: number; late: number }> {
  const { port1, port2 } = new MessageChannel();
  const times: number[] = [];
  let running = true;
  const ticker = (again: () => void) => {
    let last = performance.now();
    again();
    return () => {
      const now = performance.now();
      times.push(now - last);
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
  return { longest: Math.max(...times), late: times.filter((ms) => ms > 50).length / times.length };
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

const api = {
  /** An ensemble on so many workers. */
  bagging: async (parallel: number) => {
    const downhill = await library();
    return heard(() => baggingRun(downhill, parallel));
  },

  /** The reference run in a worker; how often the page had its turn meanwhile, and what a callback of its own saw. */
  async worker(threads: number) {
    const downhill = await library();
    const { inWorker }: Pick<Library, "inWorker"> = await import(new URL("/dist/worker.js", location.href).href);
    downhill.setSeed(0);
    const model = referenceModel(downhill);
    return heard(async () => {
      const remote = await inWorker(model, { threads });
      const epochs: number[] = [];
      const onEpochEnd = (epoch: number) => void epochs.push(epoch);
      let hash = "";
      const paces = await gaps(async () => {
        await remote.fit(referenceData(), { ...REFERENCE_FIT, callbacks: [{ onEpochEnd }] });
        hash = await remote.weightsHash();
      });
      await remote.terminate();
      model.dispose();
      return { hash, epochs, ...paces };
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

  /** MLP 784-512-512-10, batch 128: milliseconds a step of fit, and how long the page waits for its turn meanwhile. */
  async mlp(threads: number, steps: number) {
    const { init, sequential, dense, adam, softmaxCrossEntropy } = await library();
    const runtime = await init({ threads });
    const model = sequential(
      [dense(512, { inputShape: [784], activation: "relu" }), dense(512, { activation: "relu" }), dense(10)],
      { runtime },
    );
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    const x = { data: new Uint8Array(2048 * 784).map((_, i) => (i * 7919) % 251), shape: [2048, 784] };
    const y = new Int32Array(2048).map((_, i) => i % 10);
    const train = (stepsPerEpoch: number) => model.fit({ x, y }, { batchSize: 128, stepsPerEpoch });
    await train(8); // builds the program; the engine compiles
    let ms = Infinity;
    const paces = await gaps(async () => {
      for (let left = steps; left > 0; left -= 8) {
        const begin = performance.now();
        await train(8);
        ms = Math.min(ms, (performance.now() - begin) / 8);
      }
    });
    runtime.dispose();
    return { ms, ...paces };
  },
};

export type PageApi = typeof api;
Object.assign(globalThis, { page: api });
