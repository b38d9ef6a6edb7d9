import { writeFileAtomic } from "#platform";
import { sayWho } from "../data/files";
import { argumentError } from "../errors";
import { boolean, optional, or, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";
import type { Logs } from "../training/logs";
import { encodeModel } from "../training/modelFile";
import { improvement, type Mode, modeOption } from "./monitor";

/** Options of `modelCheckpoint`. */
export interface ModelCheckpointOptions {
  /**
   * The file. With `{epoch}`, the epochs that the model in it was trained for, or a name of the epoch's logs such as
   * `{valLoss}`, in four digits, in it: a file for each.
   */
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

/** What a path may name. */
const NAMED = /\{(\w*)\}/g;

/**
 * Saves the model after each epoch, as `saveModel` does, with what all callbacks know of that epoch. The file is replaced
 * as a whole: whenever the process dies, `path` holds one epoch or another. Training goes on from it by
 * `fit({ initialEpoch: model.epoch, … })`, to the bit.
 *
 * @example modelCheckpoint({ path: "best-{epoch}-{valLoss}.safetensors", saveBestOnly: true }) // best-12-0.0314.safetensors
 * @throws DownhillError `argument`; in `fit` `data` where the file cannot be written
 */
export const modelCheckpoint: (options: ModelCheckpointOptions) => Built = /* @__PURE__ */ factory<
  [options: ModelCheckpointOptions],
  CallbackDefinition<Config>
>("callback", {
  type: "modelCheckpoint",
  options: () => ({
    path: text(),
    monitor: optional(text()),
    mode: modeOption(),
    saveBestOnly: or(boolean(), false),
  }),
  create({ path, monitor, mode, saveBestOnly }, plan, model) {
    const watched = monitor ?? "valLoss";
    const improves =
      saveBestOnly || monitor !== undefined ? improvement("modelCheckpoint", watched, mode, plan) : undefined;
    for (const [braced, name] of path.matchAll(NAMED))
      if (name !== "epoch" && !plan.monitors.includes(name!))
        throw argumentError("modelCheckpoint", `path to name epoch, ${plan.monitors.join(", ")} in braces`, braced);
    const fileOf = (logs: Partial<Logs>) =>
      path.replace(NAMED, (_, name: string) =>
        name === "epoch" ? `${model.epoch}` : `${Number(Number(logs[name]).toPrecision(4))}`,
      );
    let latest: Partial<Logs> = {};
    let known: { best?: number } = {};
    let due = true;
    return {
      onEpochEnd(_epoch: number, logs: Logs) {
        latest = logs;
        if (!saveBestOnly) return;
        const value = logs[watched]!;
        due = improves!(value, known.best, 0);
        if (due) known.best = value;
      },
      async afterEpoch() {
        if (due) await sayWho("modelCheckpoint", writeFileAtomic(fileOf(latest), encodeModel(model)));
      },
      getState: () => ({ ...known }),
      setState(state: { best?: number }) {
        known = { ...state };
      },
    };
  },
});
