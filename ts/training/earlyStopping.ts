import { boolean, finite, natural, nonNegative, optional, or, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "./callbacks";
import type { Logs } from "./logs";
import { improvement, type Mode, modeOption } from "./monitor";
import { copyWeights, goOn, putWeights, type Snapshot, snapshotOf, type Weights } from "./weights";

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
>("callback", {
  type: "earlyStopping",
  options: () => ({
    monitor: or(text(), "valLoss"),
    patience: or(natural(), 0),
    minDelta: or(nonNegative(), 0),
    mode: modeOption(),
    baseline: optional(finite()),
    restoreBestWeights: or(boolean(), false),
  }),
  create({ monitor, patience, minDelta, mode, baseline, restoreBestWeights }, plan, model) {
    const improves = improvement("earlyStopping", monitor, mode, plan);
    let known: Known = { wait: 0, stopped: false };
    let resumed = false;
    /** The best weights, once there are any; before, those of the fit that is resumed. */
    let best: Snapshot | undefined;
    let taken = false;
    let earlier: Weights | undefined;
    return {
      onTrainBegin() {
        const { state } = model;
        if (restoreBestWeights) best = snapshotOf(state, "earlyStopping");
        if (best && earlier) {
          putWeights(state, earlier, best.at);
          taken = true;
        }
        if (resumed) goOn(state);
        if (known.stopped) model.stopTraining = true;
      },
      onEpochEnd(epoch: number, logs: Logs) {
        const value = logs[monitor]!;
        const better = improves(value, known.best, minDelta);
        if (best && (better || !taken)) {
          best.take();
          taken = true;
        }
        known.wait++;
        if (better) {
          known.best = value;
          if (baseline === undefined || improves(value, baseline, minDelta)) known.wait = 0;
        } else if (known.wait >= patience && epoch > 0) known.stopped = model.stopTraining = true;
      },
      onTrainEnd() {
        const { state } = model;
        if (!best || !taken) return;
        state.lastWeights ??= copyWeights(state);
        best.restore();
      },
      getState() {
        const weights = taken ? copyWeights(model.state, best?.at) : earlier;
        return { ...known, ...(weights && { weights }) };
      },
      setState({ weights, ...rest }: Known & { weights?: Weights }) {
        known = rest;
        earlier = restoreBestWeights ? weights : undefined;
        resumed = true;
      },
      close: () => best?.free(),
    };
  },
});

/** What a file keeps, beside the weights that go with the best figure. */
interface Known {
  best?: number;
  wait: number;
  stopped: boolean;
}
