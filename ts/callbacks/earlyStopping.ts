import { argumentError } from "../errors";
import { boolean, finite, natural, nonNegative, oneOf, optional, or, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";
import type { Logs } from "../training/logs";
import { copyWeights, goOn, putWeights, type Snapshot, snapshotOf, type Weights } from "../training/weights";
import { improvement, type Mode, modeOption } from "./monitor";
import type { SecondTraining } from "./retrain";

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
  /**
   * What to do with the validation rows at the end: train on them too, `"sameSteps"`: anew, for as many updates as the best
   * epoch had come after, or `"continue"`: from the best weights. The weights are then those of this second training,
   * whatever `restoreBestWeights` says.
   */
  retrain?: Retrain;
}

/**
 * See `EarlyStoppingOptions`.
 * @inline
 */
type Retrain = "sameSteps" | "continue";

interface Config {
  monitor: string;
  patience: number;
  minDelta: number;
  mode: Mode;
  baseline?: number;
  restoreBestWeights: boolean;
  retrain?: Retrain;
}

/**
 * Ends training when the monitored figure has not improved for `patience` epochs (Keras's semantics). Training that is
 * resumed (`initialEpoch`) goes on as if it had not been interrupted: what was best, how long it has been waiting, and
 * where `restoreBestWeights` put the best weights in force, the last ones; once stopped it stays so.
 *
 * `retrain` trains a second time, on training and validation rows together (Goodfellow, Bengio & Courville 2016, 7.8),
 * however the first training ended. `"sameSteps"` begins with the weights with which the fit began and an empty optimizer,
 * counts epochs from 0, and ends after as many updates as the best epoch had come after. `"continue"` goes on from the
 * best weights until the objective on the validation rows is no greater than the objective was on the training rows with
 * these weights, but for no more epochs than there have been. Its epochs follow in the history, with `retraining: 1`. It
 * needs validation rows and examples as arrays, and cannot be resumed: `initialEpoch` must be 0.
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
    retrain: optional(oneOf("sameSteps", "continue")),
  }),
  create({ monitor, patience, minDelta, mode, baseline, restoreBestWeights, retrain: how }, plan, model) {
    const improves = improvement("earlyStopping", monitor, mode, plan);
    const rows = how && !plan.initialEpoch && plan.together?.();
    if (how && !rows)
      throw argumentError("earlyStopping", "retrain with arrays, validation data and initialEpoch 0", how);
    let known: Known = { wait: 0, stopped: false };
    let resumed = false;
    /** The best weights, once there are any; before, those of the fit that is resumed. */
    let best: Snapshot | undefined;
    let taken = false;
    let earlier: Weights | undefined;
    let second: SecondTraining | undefined;
    return {
      async onTrainBegin() {
        const { state } = model;
        if (restoreBestWeights) best = snapshotOf(state, "earlyStopping");
        if (rows)
          second = (await import("./retrain")).secondTraining(
            model,
            how!,
            plan,
            rows,
            snapshotOf(state, "earlyStopping"),
          );
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
          second?.better();
          known.best = value;
          if (baseline === undefined || improves(value, baseline, minDelta)) known.wait = 0;
        } else if (known.wait >= patience && epoch > 0) known.stopped = model.stopTraining = true;
      },
      afterTraining: (...args) => second?.train(...args),
      onTrainEnd() {
        const { state } = model;
        if (!best || !taken || second) return;
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
      close() {
        best?.free();
        second?.snapshot.free();
      },
    };
  },
});

/** What a file keeps, beside the weights that go with the best figure. */
interface Known {
  best?: number;
  wait: number;
  stopped: boolean;
}
