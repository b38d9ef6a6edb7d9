// Callbacks: what `fit` calls as it goes. A factory's result is plain data; what it does is made when a fit begins.

import { argumentError } from "../errors";
import { type Built, type Definition, definitionOf, isBuilt } from "../registry";
import type { Logs } from "./logs";
import type { Model } from "./model";

/** Methods that `fit` calls; each may be async and is awaited. Epochs and steps count from 0. */
export interface Callback {
  onTrainBegin?(logs: Partial<Logs>, model: Model): unknown;
  onTrainEnd?(logs: Partial<Logs>, model: Model): unknown;
  onEpochBegin?(epoch: number, logs: Partial<Logs>, model: Model): unknown;
  onEpochEnd?(epoch: number, logs: Logs, model: Model): unknown;
  onBatchBegin?(step: number, logs: Partial<Logs>, model: Model): unknown;
  onBatchEnd?(step: number, logs: Logs, model: Model): unknown;
}

/** What a callback factory's behaviour is told when a fit begins. */
export interface FitPlan {
  epochs: number;
  initialEpoch: number;
  /** Updates an epoch, where it is known. */
  steps: number | undefined;
  /** Examples an update, where it is known. */
  batchSize: number | undefined;
  /** Names that the epochs' logs will have. */
  monitors: string[];
}

/** A callback with a state that a file keeps. */
export interface StatefulCallback extends Callback {
  /** Plain data. */
  getState?(): unknown;
  setState?(state: unknown): void;
  /** Ends training where the loss is not finite, in the place of an error. */
  endsOnNaN?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface CallbackDefinition<C = any> extends Definition {
  create(config: C, plan: FitPlan, model: Model): StatefulCallback;
}

const HANDLERS = ["onTrainBegin", "onTrainEnd", "onEpochBegin", "onEpochEnd", "onBatchBegin", "onBatchEnd"] as const;

/** Checks a list of callbacks and makes what factories describe. */
export function makeCallbacks(
  given: unknown,
  plan: FitPlan,
  model: Model,
): { type: string; callback: StatefulCallback }[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw argumentError("fit", "callbacks as a list", given);
  return given.map((item) => {
    if (isBuilt("callback", item))
      return {
        type: item.type,
        callback: definitionOf<CallbackDefinition>("callback", item as Built).create(item, plan, model),
      };
    const own = typeof item === "object" && item !== null && !("type" in item);
    if (!own || !HANDLERS.some((h) => typeof (item as Callback)[h] === "function"))
      throw argumentError("fit", `callbacks such as earlyStopping() or objects with ${HANDLERS.join(", ")}`, item);
    return { type: "", callback: item as StatefulCallback };
  });
}
