// What a page that embeds the library does with it, however the page came by it.

import type * as Downhill from "../../ts/index";
import { baggingRun, REFERENCE_FIT, referenceData, referenceModel } from "./reference";

/** What such a page imports by name. */
export type Embedded = Parameters<typeof referenceModel>[0] &
  Pick<typeof Downhill, "digits" | "init" | "inWorker" | "weightsHash">;

export interface EmbedOptions extends Downhill.InitOptions {
  /** Train in a worker, as `inWorker` with these options gives it. */
  worker?: Downhill.WorkerOptions;
}

/** Few steps: of which bits come of many, engines.test.ts says. */
const FIT = { ...REFERENCE_FIT, epochs: 2 };

/** The beginning of the reference run: what came of it, or the error. */
export async function embeddedRun(library: Embedded, { worker, ...options }: EmbedOptions = {}) {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (...args) => warnings.push(args.join(" "));
  try {
    const runtime = await library.init({ seed: 0, ...options });
    const { threads, fastMath } = runtime;
    const model = referenceModel(library, runtime);
    let hash: string;
    if (worker) {
      const remote = await library.inWorker(model, worker);
      await remote.fit(referenceData(), FIT);
      hash = await remote.weightsHash();
      await remote.terminate();
    } else {
      await model.fit(referenceData(), FIT);
      hash = await library.weightsHash(model);
    }
    runtime.dispose();
    return { hash, threads, fastMath, images: library.digits().train.x.shape[0], warnings };
  } catch (error) {
    return { error: String(error), warnings };
  } finally {
    console.warn = warn;
  }
}

/** An ensemble on two workers, on a runtime that knows where their script is. */
export async function bagged(library: Embedded & Parameters<typeof baggingRun>[0]) {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (...args) => warnings.push(args.join(" "));
  const runtime = await library.init({ workerUrl: "dist/worker.classic.js" });
  const got = await baggingRun(library, 2);
  runtime.dispose();
  console.warn = warn;
  return { ...got, warnings };
}

export type EmbedResult = Awaited<ReturnType<typeof embeddedRun>>;
