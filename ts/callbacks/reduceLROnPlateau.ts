import { type Field, natural, nonNegative, or, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";
import type { Logs } from "../training/logs";
import { improvement, type Mode, modeOption } from "./monitor";

/** Options of `reduceLROnPlateau`. */
export interface ReduceLROnPlateauOptions {
  /** A figure of the epochs' logs. Default `"valLoss"`. */
  monitor?: string;
  /** What the rate is multiplied by, in (0, 1). Default 0.1. */
  factor?: number;
  /** Epochs without improvement that are borne; one more, and the rate is reduced. Default 10. */
  patience?: number;
  /** What counts as improvement, ≥ 0. Default 1e-4. */
  minDelta?: number;
  /** Whether less or more is better. Default `"auto"`: by the monitor's name. */
  mode?: Mode;
  /** Epochs after a reduction in which nothing is counted. Default 0. */
  cooldown?: number;
  /** The rate is never reduced below it, ≥ 0. Default 0. */
  minLearningRate?: number;
}

const factorField: Field<number> = {
  expected: "a number in (0, 1)",
  accepts: (v) => typeof v === "number" && v > 0 && v < 1,
};

/** A reduction by less is none. */
const SMALLEST = 1e-8;

interface Known {
  best?: number;
  wait: number;
  cooldown: number;
}

/**
 * Multiplies the learning rate by `factor` where the monitored figure has not improved by more than `minDelta` for more than
 * `patience` epochs: PyTorch's ReduceLROnPlateau with `threshold_mode="abs"`, under Keras's names. Where the optimizer has
 * a schedule, the first reduction ends it. Resumed training goes on as if it had not been interrupted.
 *
 * @example model.fit(data, { validationSplit: 0.1, callbacks: [reduceLROnPlateau({ factor: 0.5, patience: 3 })] })
 * @throws DownhillError `argument`; in `fit`, before the first step, where the logs will not have the monitor
 */
export const reduceLROnPlateau: (options?: ReduceLROnPlateauOptions) => Built = /* @__PURE__ */ factory<
  [options?: ReduceLROnPlateauOptions],
  CallbackDefinition<Required<ReduceLROnPlateauOptions>>
>("callback", {
  type: "reduceLROnPlateau",
  options: () => ({
    monitor: or(text(), "valLoss"),
    factor: or(factorField, 0.1),
    patience: or(natural(), 10),
    minDelta: or(nonNegative(), 1e-4),
    mode: modeOption(),
    cooldown: or(natural(), 0),
    minLearningRate: or(nonNegative(), 0),
  }),
  create({ monitor, factor, patience, minDelta, mode, cooldown, minLearningRate }, plan, model) {
    const improves = improvement("reduceLROnPlateau", monitor, mode, plan);
    let known: Known = { wait: 0, cooldown: 0 };
    return {
      onEpochEnd(_epoch: number, logs: Logs) {
        const value = logs[monitor];
        if (value === undefined) return; // a second training has no validation data
        if (improves(value, known.best, minDelta)) {
          known.best = value;
          known.wait = 0;
        } else known.wait++;
        if (known.cooldown > 0) {
          known.cooldown--;
          known.wait = 0;
        }
        if (known.wait <= patience) return;
        const rate = model.learningRate;
        const reduced = Math.max(rate * factor, minLearningRate);
        if (rate - reduced > SMALLEST) model.learningRate = reduced;
        known.cooldown = cooldown;
        known.wait = 0;
      },
      getState: () => ({ ...known }),
      setState(state: Known) {
        known = { ...state };
      },
    };
  },
});
