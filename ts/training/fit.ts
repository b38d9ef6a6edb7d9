// The training loop.

import { State, Status } from "../../assembly/isa";
import { anyLabel } from "../data/arrays";
import { isBatchSource, readFitData } from "../data/sources";
import { argumentError, type DownhillError, wrong } from "../errors";
import {
  boolean,
  count,
  either,
  type Field,
  fraction,
  isObject,
  listOf,
  natural,
  oneOf,
  optional,
  or,
  readOptions,
} from "../options";
import type { Built } from "../registry";
import { type Examples, ownExamples, splitExamples, TrainingSet } from "./batch";
import {
  type Callback,
  callbackField,
  callbackStates,
  type FitPlan,
  type Handler,
  makeCallbacks,
  resumeCallbacks,
} from "./callbacks";
import { evaluateExamples, readBatch, signalField } from "./evaluate";
import { Accumulator, batchLogs, type Logs, logNames, validationName } from "./logs";
import type { Model } from "./model";
import { BARE } from "./program";
import type { ModelState } from "./state";
import { beginUpdate, numericError, outcome, pace, programFor } from "./step";

/** Rows in a slice of batch gradient descent. */
const FULL_SLICE = 1024;

/** What `fit` resolves to. */
export interface History {
  /** The logs of each epoch, in order. */
  epochs: Logs[];
}

/** Options of `fit`. */
export interface FitOptions {
  /** Where training ends, counted from 0. Default 1. */
  epochs?: number;
  /** Examples a batch, or `"full"`: batch gradient descent. Default 32. */
  batchSize?: number | "full";
  /** A new order each epoch. Default true. */
  shuffle?: boolean;
  /** Examples that are only evaluated, after each epoch. */
  validationData?: unknown;
  /** The share of the examples, taken from the end before shuffling, that are only evaluated. In [0, 1). */
  validationSplit?: number;
  /** From class to factor ≥ 0. */
  classWeight?: Readonly<Record<string, number>>;
  /** Batches an update. Default 1. */
  accumulate?: number;
  /** Updates an epoch; default: all examples once. */
  stepsPerEpoch?: number;
  callbacks?: readonly (Built | Callback)[];
  signal?: AbortSignal;
  /** The first epoch's number: epochs `initialEpoch` … `epochs` − 1 are trained. Default 0. */
  initialEpoch?: number;
}

/** Rows of examples whose gradients are had at once. */
interface Part {
  set: TrainingSet;
  first: number;
  rows: number;
}

/** Trains; see Model.fit. */
export async function fit(model: Model, state: ModelState, data: unknown, options: unknown): Promise<History> {
  const source = readFitData("fit", data);
  const read = readOptions("fit", options, {
    epochs: or(count(), 1),
    batchSize: or(either(count(), oneOf("full")), 32 as number | "full"),
    shuffle: or(boolean(), true),
    validationData: optional({ expected: "data", accepts: isObject }),
    validationSplit: or(fraction(), 0),
    classWeight: optional({
      expected: "a record from class to factor",
      accepts: (v) => isObject(v) && !(Symbol.iterator in v),
    } as Field<Record<string, number>>),
    accumulate: or(count(), 1),
    stepsPerEpoch: optional(count()),
    callbacks: or(listOf(callbackField), []),
    signal: signalField,
    initialEpoch: or(natural(), 0),
  });
  const { epochs, initialEpoch, signal, stepsPerEpoch, classWeight, validationSplit } = read;
  const stream = isBatchSource(source) ? source : undefined;
  const full = read.batchSize === "full";
  let examples: Examples | undefined;
  let validation: Examples | undefined;
  if (isBatchSource(source)) {
    if (validationSplit > 0) throw argumentError("fit", "validationSplit with arrays only", validationSplit);
    if (full) throw argumentError("fit", 'batchSize: "full" with arrays only', "full");
  } else {
    examples = readBatch("fit", state, source, classWeight);
    const held = Math.min(examples.rows - 1, Math.floor(examples.rows * validationSplit));
    if (held > 0) {
      validation = splitExamples(classWeight ? readBatch("fit", state, source) : examples, examples.rows - held)[1];
      examples = splitExamples(examples, examples.rows - held)[0];
    }
    const none = examples.targets.findIndex((targets) => !anyLabel(targets));
    if (none >= 0) throw unlabelled(none);
  }
  if (read.validationData !== undefined) {
    const given = readFitData("fit: validationData", read.validationData);
    if (isBatchSource(given)) throw argumentError("fit", "validationData as arrays", read.validationData);
    validation = readBatch("fit: validationData", state, given);
  }

  const compiled = state.need("fit");
  const { structure, runtime } = state;
  const rows = examples?.rows ?? Infinity;
  // batch normalization makes a batch more than the sum of its parts
  const sliced = full && rows > FULL_SLICE && !structure.statistics.length;
  const batchSize = sliced ? FULL_SLICE : Math.min(full ? rows : (read.batchSize as number), rows);
  const group = sliced ? Math.ceil(rows / FULL_SLICE) : read.accumulate;
  const allSteps = Math.ceil(Math.ceil(rows / batchSize) / group);
  /** Infinity: as many as come. */
  const steps = Math.min(allSteps, stepsPerEpoch ?? Infinity);
  const names = logNames(compiled);
  const plan: FitPlan = {
    epochs,
    initialEpoch,
    steps: steps < Infinity ? steps : undefined,
    batchSize: examples && Math.min(batchSize * group, rows),
    examples: examples && Math.min(steps * batchSize * group, rows),
    monitors: [...names, ...(validation ? names.map(validationName) : [])],
  };
  const callbacks = makeCallbacks(read.callbacks, plan, model);
  state.needIdle("fit");
  signal?.throwIfAborted();
  if (validation) validation = ownExamples(state, validation);
  if (initialEpoch > 0) resumeCallbacks(callbacks, state.callbackStates());

  const lane = state.lane("training");
  const set = examples && new TrainingSet(lane, examples);
  const accumulator = new Accumulator(state);
  /** The same of one group of batches. */
  const sums = new Accumulator(state);
  const pause = pace();
  const check = () => {
    state.check();
    signal?.throwIfAborted();
  };
  const watched = callbacks.some((c) => c.onBatchBegin || c.onBatchEnd);
  const history: History = { epochs: [] };
  state.fitting = true;
  state.stopTraining = false;
  try {
    set?.reside(read.shuffle);
    state.callbackStates = () => callbackStates(callbacks);
    await each("onTrainBegin", {}, model);
    state.lastWeights = undefined;
    for (let epoch = initialEpoch; epoch < epochs && !state.stopTraining; epoch++) {
      await each("onEpochBegin", epoch, {}, model);
      accumulator.reset();
      const ended = await (set ? overArrays(epoch, set) : overStream(epoch));
      const logs = accumulator.logs();
      const none = accumulator.unlabelled();
      if (steps === Infinity && !state.stopTraining && ended && none >= 0) throw unlabelled(none);
      if (!ended) {
        // the loss was not finite and a callback ends training for that: the figures say so
        logs.loss = logs.dataLoss = Number.NaN;
        state.stopTraining = true;
      }
      if (validation) {
        const found = await evaluateExamples(state, validation, 256, signal);
        for (const [name, value] of Object.entries(found)) logs[validationName(name)] = value;
      }
      state.epoch = epoch + 1;
      history.epochs.push(logs);
      await each("onEpochEnd", epoch, logs, model);
      await each("afterEpoch");
      check();
    }
    await each("onTrainEnd", history.epochs.at(-1) ?? {}, model);
    return history;
  } finally {
    if (!state.disposed) {
      const known = state.callbackStates(); // an earlier fit's, where this one had no room to begin
      state.callbackStates = () => known;
    }
    for (const callback of callbacks) callback.close?.();
    set?.free();
    state.fitting = false;
    await stream?.close?.();
  }

  function unlabelled(output: number): DownhillError {
    const { name } = state.structure.outputs[output]!;
    return wrong("data", "fit: y", `at least one label for ${name}`, "none");
  }

  /** Awaits the callbacks one after another; any of them may have disposed of the model. */
  async function each(handler: Handler, ...args: unknown[]): Promise<void> {
    for (const callback of callbacks) {
      await (callback[handler] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
      state.check();
    }
  }

  /** An epoch over arrays; false where the loss was not finite and that ends training. */
  async function overArrays(epoch: number, set: TrainingSet): Promise<boolean> {
    if (set.order) {
      lane.set(State.epoch, epoch);
      state.prepare(lane);
      runtime.run(state.program(lane, { ...BARE, kind: "shuffle", rows, order: set.order }).all);
    }
    let row = 0;
    for (let step = 0; step < steps; step++) {
      const parts: Part[] = [];
      for (; parts.length < group && row < rows; row += batchSize)
        parts.push({ set, first: row, rows: Math.min(batchSize, rows - row) });
      if (!(await update(epoch, step, parts))) return false;
      if (state.stopTraining) break;
    }
    return true;
  }

  /** An epoch over batches as they come. */
  async function overStream(epoch: number): Promise<boolean> {
    let parts: Part[] = [];
    let step = 0;
    for await (const batch of stream!.batches(epoch)) {
      check();
      const examples = readBatch("fit", state, batch, classWeight);
      // who gives batches of a group may fill one buffer again and again
      const set = new TrainingSet(lane, group > 1 ? ownExamples(state, examples) : examples);
      parts.push({ set, first: 0, rows: examples.rows });
      if (parts.length === group) {
        if (!(await update(epoch, step++, parts))) return false;
        parts = [];
      }
      if (state.stopTraining || step >= steps) return true;
    }
    if (parts.length && !(await update(epoch, step++, parts))) return false;
    if (!step) throw wrong("data", `fit: epoch ${epoch}`, "at least one batch", "none");
    return true;
  }

  /** Counts an update in the moment in which it is done: who reads the model then finds weights and counter of one step. */
  function counted(status: Status): void {
    if (status === Status.done) state.step++;
  }

  /** An update on the gradients of all parts; false where the loss was not finite and that ends training. */
  async function update(epoch: number, step: number, parts: Part[]): Promise<boolean> {
    if (watched) await each("onBatchBegin", step, {}, model);
    beginUpdate(state);
    const many = parts.length > 1;
    const all = parts.reduce((sum, { rows }) => sum + rows, 0);
    if (many) {
      // the parts' gradients add up to those of one batch: each divides by the labels of all
      runtime.heap.clear(compiled.gradients, structure.parameterFloats * 4);
      // and move a copy of the statistics, which the update puts in force
      const copy = state.statistics + structure.statisticFloats * 4;
      runtime.heap.u8.copyWithin(copy, state.statistics, copy);
      lane.set(State.statistics, copy);
      compiled.losses.forEach((_, output) => {
        const labels = parts.reduce((sum, { set, first, rows }) => sum + set.labels(output, first, rows), 0);
        lane.setReal(State.denominators + output, labels);
      });
    }
    let row = 0;
    for (const { set, first, rows } of parts) {
      const { examples } = set;
      set.load(first, rows);
      lane.set(State.row, row);
      row += rows;
      const program = programFor(state, lane, "train", examples, rows, true, many ? all : 0);
      // all of its spans but `update` where more parts follow
      const ranges = row === all ? program.slices : program.gradientSlices;
      const last = row === all ? ranges.at(-1) : undefined;
      let status = Status.done;
      for (const range of ranges) {
        const ran = runtime.runAsync(range, range === last ? counted : undefined);
        status = typeof ran === "number" ? ran : await ran;
        if (status !== Status.done || range === last) break;
        const turn = pause();
        if (turn) {
          await turn;
          check();
        }
      }
      const who = `fit: epoch ${epoch}, batch ${step}`;
      if (!outcome(lane, status, who, examples)) {
        if (callbacks.some((c) => c.endsOnNaN)) return false;
        throw numericError(who, lane);
      }
      accumulator.add(lane, rows);
      if (group > 1) sums.add(lane, rows);
    }
    if (watched) await each("onBatchEnd", step, group > 1 ? sums.logs() : batchLogs(lane, state), model);
    if (group > 1) sums.reset();
    const turn = pause();
    if (turn) await turn;
    check();
    return true;
  }
}
