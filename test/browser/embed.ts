// What a page that embeds the library does with it, however the page came by it.

import type * as Downhill from "../../ts/index";
import { REFERENCE_FIT, referenceData, referenceModel } from "./reference";

/** What such a page imports by name. */
export type Embedded = Parameters<typeof referenceModel>[0] &
  Pick<typeof Downhill, "digits" | "init" | "inWorker" | "weightsHash">;

export interface EmbedOptions extends Downhill.InitOptions {
  /** Train in a worker, as `inWorker` with these options gives it. */
  worker?: Downhill.WorkerOptions;
}

/** The reference run: what came of it, or the error. */
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
      await remote.fit(referenceData(), REFERENCE_FIT);
      hash = await remote.weightsHash();
      await remote.terminate();
    } else {
      await model.fit(referenceData(), REFERENCE_FIT);
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

export type EmbedResult = Awaited<ReturnType<typeof embeddedRun>>;
