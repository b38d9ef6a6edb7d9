// The training loop.

import { State, Status } from "../../assembly/isa";
import type { AugmentationDefinition } from "../augment/augmentation";
import { type Batch, type BatchSource, isBatchSource, readFitData } from "../data/sources";
import { argumentError, wrong } from "../errors";
import type { Tensor } from "../graph/graph";
import { shuffle } from "../ops/shuffle";
import {
  boolean,
  count,
  either,
  field,
  isObject,
  listOf,
  natural,
  oneOf,
  optional,
  or,
  readOptions,
  share,
} from "../options";
import { type Built, built, definitionOf } from "../registry";
import { countLabels, type Examples, ownExamples, point, type Residence, reside, someExamples, stage } from "./batch";
import {
  type Callback,
  callbackField,
  callbackStates,
  type FitPlan,
  type Handler,
  makeCallbacks,
  resumeCallbacks,
} from "./callbacks";
import { evaluateBatches, evaluation, readBatch, signalField } from "./evaluate";
import { History } from "./history";
import { Accumulator, batchLogs, logNames, validationName } from "./logs";
import type { Model } from "./model";
import { BARE } from "./program";
import type { ModelState } from "./state";
import { beginUpdate, numericError, outcome, pace, programFor } from "./step";

/** Rows in a slice of batch gradient descent. */
const FULL_SLICE = 1024;

/** Options of `fit`. */
export interface FitOptions {
  /** Where training ends, counted from 0. Default 1. */
  epochs?: number;
  /** Examples a batch, or `"full"`: batch gradient descent. Default 32. */
  batchSize?: number | "full";
  /** A new order each epoch. Default true. */
  shuffle?: boolean;
  /** Examples that are only evaluated, after each epoch: all that `evaluate` takes, if it begins anew each time. */
  validationData?: unknown;
  /** The share of the examples, taken from the end before shuffling, that are only evaluated. In [0, 1). */
  validationSplit?: number;
  /** From class to factor ≥ 0. */
  classWeight?: Readonly<Record<string, number>>;
  /**
   * Augmentations, in this order, of each batch on its way into the model (one of one input): `[randomRotate(), mixup()]`. Neither
   * validation nor any other call has them.
   */
  augment?: readonly Built[];
  /** Batches an update. Default 1. */
  accumulate?: number;
  /** Updates an epoch; default: all examples once. */
  stepsPerEpoch?: number;
  /** What is called as training goes: `earlyStopping(…)`, or objects of your own. */
  callbacks?: readonly (Built | Callback)[];
  /** Ends training: `fit` rejects with its reason, weights at the last finished step. */
  signal?: AbortSignal;
  /** The first epoch's number: epochs `initialEpoch` … `epochs` − 1 are trained. Default 0. */
  initialEpoch?: number;
}

/** Rows of examples whose gradients are had at once. */
interface Part {
  examples: Examples;
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
    validationData: optional(field("data", isObject)),
    validationSplit: or(share(), 0),
    classWeight: optional(
      field<Record<string, number>>("a record from class to factor", (v) => isObject(v) && !(Symbol.iterator in v)),
    ),
    augment: or(listOf(built("augmentation", "randomFlip()")), []),
    accumulate: or(count(), 1),
    stepsPerEpoch: optional(count()),
    callbacks: or(listOf(callbackField), []),
    signal: signalField,
    initialEpoch: or(natural(), 0),
  });
  const { epochs, initialEpoch, signal, stepsPerEpoch, classWeight, validationSplit } = read;
  const full = read.batchSize === "full";
  const [first] = read.augment;
  const augment =
    first && definitionOf<AugmentationDefinition>("augmentation", first).pipeline(read.augment, state.structure);
  let stream: BatchSource | undefined;
  let examples: Examples | undefined;
  let validation: Examples | undefined;
  if (isBatchSource(source)) {
    if (validationSplit > 0) throw argumentError("fit", "validationSplit with arrays only", validationSplit);
    if (full) throw argumentError("fit", 'batchSize: "full" with arrays only', "full");
    stream = source;
  } else {
    const all = readBatch("fit", state, source, classWeight);
    const kept = all.rows - Math.floor(all.rows * validationSplit);
    examples = someExamples(all, 0, kept);
    if (kept < all.rows) validation = someExamples(classWeight ? readBatch("fit", state, source) : all, kept, all.rows);
    needLabels(all.targets.findIndex((_, output) => !countLabels(all, output, 0, kept)));
  }
  let validationStream: BatchSource | undefined;
  if (read.validationData !== undefined) {
    const given = readFitData("fit: validationData", read.validationData);
    validation = undefined;
    if (isBatchSource(given)) {
      if ("next" in (read.validationData as object) && epochs - initialEpoch > 1)
        throw argumentError("fit", "validationData that begin anew in each epoch", read.validationData);
      validationStream = given;
    } else validation = readBatch("fit: validationData", state, given);
  }
  if (validation) validation = ownExamples(state, validation);

  const compiled = state.need("fit");
  const { structure, runtime } = state;
  const rows = examples?.rows ?? Infinity;
  // batch normalization makes a batch more than the sum of its parts
  const sliced = full && rows > FULL_SLICE && !structure.statistics.length;
  const batchSize = sliced ? FULL_SLICE : Math.min(full ? rows : (read.batchSize as number), rows);
  const group = sliced ? Math.ceil(rows / FULL_SLICE) : read.accumulate;
  /** Infinity: as many as come. */
  const steps = Math.min(Math.ceil(rows / (batchSize * group)), stepsPerEpoch ?? Infinity);
  const names = logNames(compiled);
  const params = {
    epochs,
    initialEpoch,
    steps: steps < Infinity ? steps : undefined,
    batchSize: examples && Math.min(batchSize * group, rows),
    examples: examples && Math.min(steps * batchSize * group, rows),
  };
  const plan: FitPlan = {
    ...params,
    monitors: [...names, ...(validation || validationStream ? names.map(validationName) : [])],
    options: read,
    together:
      examples && validation && (() => [ownExamples(state, readBatch("fit", state, source as Batch)), validation!]),
  };
  const callbacks = makeCallbacks(read.callbacks, plan, model);
  state.needIdle("fit");
  signal?.throwIfAborted();
  if (initialEpoch > 0) resumeCallbacks(callbacks, state.callbackStates());

  const lane = state.lane("training");
  let held: Residence = { region: 0, order: 0, whole: false };
  const accumulator = new Accumulator(state);
  /** The same of one group of batches. */
  const sums = new Accumulator(state);
  const pause = pace();
  const check = () => {
    state.check();
    signal?.throwIfAborted();
  };
  const watched = callbacks.some((c) => c.onBatchBegin || c.onBatchEnd);
  const history = new History(params);
  /** Batches of the update that comes next. */
  let parts: Part[];
  let step: number;
  /** Whether the loss was not finite in this epoch and a callback ends training for that. */
  let diverged = false;
  state.fitting = true;
  state.stopTraining = false;
  try {
    if (examples) held = reside(lane, examples, read.shuffle);
    plan.data = stream ?? { examples: examples!, batchSize, ...held, arrange };
    state.callbackStates = () => callbackStates(callbacks);
    await each("onTrainBegin", {}, model);
    if (state.lastWeights) state.beginMean();
    for (let epoch = initialEpoch; epoch < epochs && !state.stopTraining; epoch++) {
      await each("onEpochBegin", epoch, {}, model);
      accumulator.reset();
      await train(epoch);
      const logs = accumulator.logs();
      if (steps === Infinity && !state.stopTraining) needLabels(accumulator.unlabelled());
      if (diverged) logs.loss = logs.dataLoss = Number.NaN;
      const found = validationStream
        ? await evaluateBatches("fit: validationData", state, validationStream, 256, signal)
        : validation && (await evaluation(state, 256, signal)(validation));
      for (const name in found) logs[validationName(name)] = found[name]!;
      state.epoch = epoch + 1;
      history.epochs.push(logs);
      await each("onEpochEnd", epoch, logs, model);
      await each("afterEpoch");
      check();
    }
    await each("afterTraining", history, callbacks);
    await each("onTrainEnd", history.epochs.at(-1) ?? {}, model);
    return history;
  } finally {
    if (!state.disposed) state.keepCallbackStates();
    for (const callback of callbacks) callback.close?.();
    runtime.heap.free(held.region);
    state.fitting = false;
    await stream?.close?.();
  }

  /** Throws where there is an output without one label. */
  function needLabels(unlabelled: number): void {
    const output = state.structure.outputs[unlabelled];
    if (output) throw wrong("data", "fit: y", `at least one label for ${output.name}`, "none");
  }

  /** Awaits the callbacks one after another; any of them may have disposed of the model. */
  async function each(handler: Handler, ...args: unknown[]): Promise<void> {
    for (const callback of callbacks) {
      await (callback[handler] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
      state.check();
    }
  }

  /** Puts the rows into an epoch's order. */
  function arrange(epoch: number): void {
    const { order } = held;
    if (!order) return;
    lane.set(State.epoch, epoch);
    state.prepare(lane);
    const write = (region: Tensor) => shuffle([region]);
    runtime.run(state.program(lane, { ...BARE, kind: "region", rows, order, write }).all);
  }

  /** An epoch over arrays or over batches as they come. */
  async function train(epoch: number): Promise<void> {
    check(); // each await, one of nothing too, lets others have a turn
    step = 0;
    parts = [];
    diverged = false;
    if (examples) {
      arrange(epoch);
      for (let first = 0; first < rows; first += batchSize) {
        parts.push({ examples, first, rows: Math.min(batchSize, rows - first) });
        if (parts.length < group) continue;
        await update(epoch);
        if (state.stopTraining || step >= steps) return;
      }
    } else
      for await (const batch of stream!.batches(epoch)) {
        check();
        const examples = readBatch("fit", state, batch, classWeight);
        // who gives batches of a group may fill one buffer again and again
        parts.push({ examples: group > 1 ? ownExamples(state, examples) : examples, first: 0, rows: examples.rows });
        if (parts.length < group) continue;
        await update(epoch);
        if (state.stopTraining || step >= steps) return;
      }
    if (parts.length) await update(epoch);
    else if (!step) throw wrong("data", `fit: epoch ${epoch}`, "at least one batch", "none");
  }

  /** Counts an update in the moment in which it is done: who reads the model then finds weights and counter of one step. */
  function counted(status: Status): void {
    if (status === Status.done) state.step++;
  }

  /** An update on the gradients of all parts. */
  async function update(epoch: number): Promise<void> {
    if (watched) await each("onBatchBegin", step, {}, model);
    check();
    beginUpdate(state);
    const { order, whole } = held;
    const many = parts.length > 1;
    const all = parts.reduce((sum, { rows }) => sum + rows, 0);
    if (many) {
      // the parts' gradients add up to those of one batch: each divides by the labels of all
      runtime.heap.clear(compiled.gradients, structure.parameterFloats * 4);
      // and move a copy of the statistics, which the update puts in force
      const { statistics, statisticsCopy } = state;
      runtime.heap.copy(statistics, statisticsCopy, structure.statisticFloats);
      lane.set(State.statistics, statisticsCopy);
      const indices = order ? runtime.heap.u32.subarray(order >>> 2) : undefined;
      compiled.losses.forEach((_, output) => {
        const labels = parts.reduce(
          (sum, { examples, first, rows }) => sum + countLabels(examples, output, first, rows, indices),
          0,
        );
        lane.setReal(State.denominators + output, labels);
      });
    }
    let row = 0;
    for (const { examples, first, rows } of parts) {
      if (whole) point(lane, order, first, rows);
      else stage(lane, examples, first, rows, order);
      lane.set(State.row, row);
      row += rows;
      const program = programFor(state, lane, "train", examples, rows, true, many ? all : 0, augment);
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
        if (!callbacks.some((c) => c.endsOnNaN)) throw numericError(who, lane);
        diverged = state.stopTraining = true;
        return;
      }
      accumulator.add(lane, rows);
      if (group > 1) sums.add(lane, rows);
    }
    if (watched) await each("onBatchEnd", step, group > 1 ? sums.logs() : batchLogs(lane, state), model);
    if (group > 1) sums.reset();
    parts = [];
    step++;
    const turn = pause();
    if (turn) await turn;
    check();
  }
}
