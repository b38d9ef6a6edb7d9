import { writeFileAtomic } from "#platform";
import { boolean, finite, optional, or, readOptions, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition, FitPlan, StatefulCallback } from "./callbacks";
import type { Logs } from "./logs";
import type { Model } from "./model";
import { encodeModel } from "./modelFile";
import { type Mode, Monitor, modeOption } from "./monitor";

/** Options of `modelCheckpoint`. */
export interface ModelCheckpointOptions {
  /** The file. */
  path: string;
  /** What `saveBestOnly` goes by. Default `"valLoss"`. */
  monitor?: string;
  /** Whether less or more is better. Default `"auto"`: by the monitor's name. */
  mode?: Mode;
  /** Save only after epochs that are better than all before. Default false. */
  saveBestOnly?: boolean;
}

interface Config {
  path: string;
  monitor?: string;
  mode: Mode;
  saveBestOnly: boolean;
}

/**
 * Saves the model after each epoch, as `saveModel` does, with what all callbacks know of that epoch. The file is replaced
 * as a whole: whenever the process dies, `path` holds one epoch or another. Training goes on from it by
 * `fit({ initialEpoch: model.epoch, … })`, to the bit.
 *
 * @throws DownhillError `argument`; in `fit` `data` where the file cannot be written
 */
export const modelCheckpoint: (options: ModelCheckpointOptions) => Built = /* @__PURE__ */ factory<
  [options: ModelCheckpointOptions],
  CallbackDefinition<Config>
>(["callback"], {
  type: "modelCheckpoint",
  options: () => ({
    path: text(),
    monitor: optional(text()),
    mode: modeOption(),
    saveBestOnly: or(boolean(), false),
  }),
  create: (config, plan, model) => new ModelCheckpoint(config, plan, model),
});

class ModelCheckpoint implements StatefulCallback {
  readonly #monitor: Monitor | undefined;
  #best: number | undefined;
  #due = true;

  constructor(
    readonly config: Config,
    plan: FitPlan,
    readonly model: Model,
  ) {
    const { monitor, mode, saveBestOnly } = config;
    if (saveBestOnly || monitor !== undefined)
      this.#monitor = new Monitor("modelCheckpoint", monitor ?? "valLoss", mode, plan);
  }

  onEpochEnd(_epoch: number, logs: Logs): void {
    if (!this.config.saveBestOnly) return;
    const value = this.#monitor!.of(logs);
    this.#due = this.#monitor!.improves(value, this.#best, 0);
    if (this.#due) this.#best = value;
  }

  async afterEpoch(): Promise<void> {
    if (this.#due) await writeFileAtomic(this.config.path, encodeModel(this.model));
  }

  getState() {
    return this.#best === undefined ? {} : { best: this.#best };
  }

  setState(given: unknown): void {
    this.#best = readOptions("modelCheckpoint: its state", given, { best: optional(finite()) }).best;
  }
}
