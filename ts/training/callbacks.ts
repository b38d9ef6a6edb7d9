// Callbacks: what `fit` calls as it goes. A factory's result is plain data; what it does is made when a fit begins.

import type { BatchSource } from "../data/sources";
import { field, isObject } from "../options";
import { type Built, type Definition, definitionOf, isBuilt } from "../registry";
import type { Examples, Residence } from "./batch";
import type { Logs } from "./logs";
import type { Model } from "./model";

/** Methods that `fit` calls; each may be async and is awaited. Epochs and steps count from 0. */
export interface Callback {
  /** Before the first epoch; the logs are empty. */
  onTrainBegin?(logs: Partial<Logs>, model: Model): unknown;
  /** After the last epoch, with its logs; not where `fit` rejects. */
  onTrainEnd?(logs: Partial<Logs>, model: Model): unknown;
  /** Before an epoch; the logs are empty. */
  onEpochBegin?(epoch: number, logs: Partial<Logs>, model: Model): unknown;
  /** After an epoch and its validation. What is written into the logs, callbacks that come later and the history have. */
  onEpochEnd?(epoch: number, logs: Logs, model: Model): unknown;
  /** Before an update, counted from 0 in each epoch; the logs are empty. */
  onBatchBegin?(step: number, logs: Partial<Logs>, model: Model): unknown;
  /** After an update, with the logs of its batch or batches. */
  onBatchEnd?(step: number, logs: Logs, model: Model): unknown;
}

/** What a callback factory's behaviour is told when a fit begins. */
export interface FitFigures {
  epochs: number;
  initialEpoch: number;
  /** Updates an epoch, where it is known. */
  steps: number | undefined;
  /** Examples an update, where it is known. */
  batchSize: number | undefined;
  /** Examples an epoch, where it is known. */
  examples: number | undefined;
  /** Names that the epochs' logs will have. */
  monitors: string[];
}

/** The same, and what is in this thread only. */
export interface FitPlan extends FitFigures {
  /** As `fit` was given them, with defaults. */
  options: Readonly<Record<string, unknown>>;
  /** Copies of the examples that `fit` was given, without class weights, and of those validated on, where both are arrays. */
  together: (() => Examples[]) | undefined;
  /** What is trained on, from `onTrainBegin` on: batches as they come, or examples, where they lie, and who puts them into an epoch's order. */
  data?: BatchSource | ({ examples: Examples; batchSize: number; arrange(epoch: number): void } & Residence);
}

/** What a factory's callback may do beyond a user's own. */
export interface StatefulCallback extends Callback {
  /** The type that made it; none for a user's own. */
  type?: string;
  /** Plain data (and weights, by key, as `weights`) that a file keeps: what the callback knows after the last finished epoch. */
  getState?(): unknown;
  /** What an earlier fit's callback of this type knew; given before `onTrainBegin` where training is resumed. */
  // biome-ignore lint/suspicious/noExplicitAny: what getState gave
  setState?(state: any): void;
  /** After the last epoch, before `onTrainEnd`: training may go on in another way; its epochs go into the history. */
  afterTraining?(history: { epochs: Logs[] }, callbacks: readonly StatefulCallback[]): unknown;
  /** After every callback's `onEpochEnd`: what saves the model then sees what all of them know. */
  afterEpoch?(): unknown;
  /** The fit is over, however it ended. */
  close?(): void;
  /** When that happened what it is told of, in milliseconds; set before a handler is called where it is told later. */
  time?: number;
  /** Ends training where the loss is not finite, in the place of an error. */
  endsOnNaN?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface CallbackDefinition<C = any> extends Definition {
  /** It shows how training goes, and nothing else: of a model in a worker it runs with the caller, who is not waited for. */
  shows?: boolean;
  create(config: C, plan: FitPlan, model: Model): StatefulCallback;
}

export type Handler = keyof Callback | "afterEpoch" | "afterTraining";

export const HANDLERS = [
  "onTrainBegin",
  "onTrainEnd",
  "onEpochBegin",
  "onEpochEnd",
  "onBatchBegin",
  "onBatchEnd",
] as const;

/** What a list of callbacks holds: what factories made, or objects with handlers. */
export const callbackField = /* @__PURE__ */ field<Built | Callback>(
  "a callback such as earlyStopping() or an object with onEpochEnd or the like",
  (v) =>
    isBuilt("callback", v) ||
    (isObject(v) && !("type" in v) && HANDLERS.some((h) => typeof (v as Callback)[h] === "function")),
);

/** Makes what factories describe. */
export const makeCallbacks = (given: readonly unknown[], plan: FitPlan, model: Model): StatefulCallback[] =>
  given.map((item) => {
    if (!isBuilt("callback", item)) return item as Callback;
    const callback = definitionOf<CallbackDefinition>("callback", item).create(item, plan, model);
    callback.type = item.type;
    return callback;
  });

/** What a callback of that type knows. */
export interface CallbackState {
  type: string;
  state: unknown;
}

/** What callbacks know, as of now. */
export const callbackStates = (callbacks: readonly StatefulCallback[]): CallbackState[] =>
  callbacks.flatMap((c) => (c.type && c.getState ? { type: c.type, state: c.getState() } : []));

/** Gives callbacks what those of an earlier fit knew: the k-th of a type takes what the k-th of that type left. */
export function resumeCallbacks(callbacks: readonly StatefulCallback[], states: readonly CallbackState[]): void {
  const left = [...states];
  for (const callback of callbacks) {
    const at = left.findIndex(({ type }) => type === callback.type);
    if (at >= 0) callback.setState?.(left.splice(at, 1)[0]!.state);
  }
}
