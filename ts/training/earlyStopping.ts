import { boolean, type Field, finite, natural, nonNegative, optional, or, readOptions, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition, FitPlan, StatefulCallback } from "./callbacks";
import type { Logs } from "./logs";
import type { Model } from "./model";
import { type Mode, Monitor, modeOption } from "./monitor";
import {
  type PackedWeights,
  packWeights,
  Snapshot,
  unpackWeights,
  type WeightsText,
  weightsFromText,
  weightsToText,
} from "./snapshot";

/** Options of `earlyStopping`. */
export interface EarlyStoppingOptions {
  /** A figure of the epochs' logs. Default `"valLoss"`. */
  monitor?: string;
  /** Epochs without improvement that are borne. Default 0. */
  patience?: number;
  /** What counts as improvement, ≥ 0. Default 0. */
  minDelta?: number;
  /** Whether less or more is better. Default `"auto"`: by the monitor's name. */
  mode?: Mode;
  /** Patience begins anew only at figures better than this one. */
  baseline?: number;
  /** At the end the weights and moving statistics of the best epoch are put in force. Default false. */
  restoreBestWeights?: boolean;
}

interface Config {
  monitor: string;
  patience: number;
  minDelta: number;
  mode: Mode;
  baseline?: number;
  restoreBestWeights: boolean;
}

/**
 * Ends training when the monitored figure has not improved for `patience` epochs (Keras's semantics). Training that is
 * resumed (`initialEpoch`) goes on as if it had not been interrupted: what was best, how long it has been waiting, and
 * where `restoreBestWeights` put the best weights in force, the last ones; once stopped it stays so.
 *
 * @example model.fit(data, { validationSplit: 0.1, callbacks: [earlyStopping({ patience: 3, restoreBestWeights: true })] })
 * @throws DownhillError `argument`; in `fit`, before the first step, where the logs will not have the monitor
 */
export const earlyStopping: (options?: EarlyStoppingOptions) => Built = /* @__PURE__ */ factory<
  [options?: EarlyStoppingOptions],
  CallbackDefinition<Config>
>(["callback"], {
  type: "earlyStopping",
  options: () => ({
    monitor: or(text(), "valLoss"),
    patience: or(natural(), 0),
    minDelta: or(nonNegative(), 0),
    mode: modeOption(),
    baseline: optional(finite()),
    restoreBestWeights: or(boolean(), false),
  }),
  create: (config, plan, model) => new EarlyStopping(config, plan, model),
});

class EarlyStopping implements StatefulCallback {
  readonly #monitor: Monitor;
  #best: number | undefined;
  #wait = 0;
  #stopped = false;
  #resumed = false;
  /** The best weights of the fit that is resumed. */
  #earlier: PackedWeights | undefined;
  #snapshot: Snapshot | undefined;
  #taken = false;

  constructor(
    readonly config: Config,
    plan: FitPlan,
    readonly model: Model,
  ) {
    this.#monitor = new Monitor("earlyStopping", config.monitor, config.mode, plan);
  }

  onTrainBegin(): void {
    const { state } = this.model;
    if (this.config.restoreBestWeights) this.#snapshot = new Snapshot(state, "earlyStopping");
    if (this.#earlier) {
      unpackWeights(state, this.#snapshot!, this.#earlier);
      this.#taken = true;
    }
    if (this.#resumed && state.lastWeights) unpackWeights(state, state, state.lastWeights);
    if (this.#stopped) this.model.stopTraining = true;
  }

  onEpochEnd(epoch: number, logs: Logs): void {
    const { minDelta, baseline, patience } = this.config;
    const value = this.#monitor.of(logs);
    if (!this.#taken) this.#take();
    this.#wait++;
    if (this.#monitor.improves(value, this.#best, minDelta)) {
      this.#best = value;
      this.#take();
      if (baseline === undefined || this.#monitor.improves(value, baseline, minDelta)) this.#wait = 0;
    } else if (this.#wait >= patience && epoch > 0) {
      this.#stopped = true;
      this.model.stopTraining = true;
    }
  }

  #take(): void {
    this.#snapshot?.take();
    this.#taken = true;
  }

  onTrainEnd(): void {
    if (!this.#snapshot || !this.#taken) return;
    const { state } = this.model;
    state.lastWeights = packWeights(state, state);
    this.#snapshot.restore();
  }

  getState(): State {
    const snapshot = this.#taken ? this.#snapshot : undefined;
    return {
      ...(this.#best !== undefined && { best: this.#best }),
      wait: this.#wait,
      stopped: this.#stopped,
      ...(snapshot && { weights: weightsToText(packWeights(this.model.state, snapshot)) }),
    };
  }

  setState(given: unknown): void {
    const { best, wait, stopped, weights } = readOptions("earlyStopping: its state", given, {
      best: optional(finite()),
      wait: natural(),
      stopped: boolean(),
      weights: optional({
        expected: "an object",
        accepts: (v) => typeof v === "object" && v !== null,
      } as Field<object>),
    });
    if (weights && this.config.restoreBestWeights)
      this.#earlier = weightsFromText("earlyStopping: its state", this.model.state, weights);
    this.#best = best;
    this.#wait = wait;
    this.#stopped = stopped;
    this.#resumed = true;
  }

  close(): void {
    this.#snapshot?.free();
  }
}

interface State {
  best?: number;
  wait: number;
  stopped: boolean;
  weights?: WeightsText;
}
