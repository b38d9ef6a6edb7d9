// The training loop.

import { State, Status } from "../../assembly/isa";
import { anyLabel, countLabels } from "../data/arrays";
import { type BatchSource, isBatchSource, readFitData } from "../data/sources";
import { argumentError, DownhillError } from "../errors";
import {
  boolean,
  count,
  either,
  type Field,
  fraction,
  listOf,
  natural,
  oneOf,
  optional,
  or,
  readOptions,
} from "../options";
import { turn } from "../runtime/turn";
import { type Examples, ownExamples, splitExamples, stage, TrainingSet } from "./batch";
import {
  type Callback,
  callbackField,
  callbackStates,
  type FitPlan,
  makeCallbacks,
  resumeCallbacks,
  type StatefulCallback,
} from "./callbacks";
import { evaluateExamples, readBatch, signalField } from "./evaluate";
import { Accumulator, batchLogs, type Logs, logNames, validationName } from "./logs";
import type { Model } from "./model";
import type { Program, ProgramSpec } from "./program";
import type { ModelState } from "./state";
import { beginUpdate, outcome, Pace, programFor } from "./step";

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
  callbacks?: readonly unknown[];
  signal?: AbortSignal;
  /** The first epoch's number. Default 0. */
  initialEpoch?: number;
}

function readFitOptions(options: unknown) {
  return readOptions("fit", options, {
    epochs: or(count(), 1),
    batchSize: or(either(count(), oneOf("full")), 32 as number | "full"),
    shuffle: or(boolean(), true),
    validationData: optional({ expected: "data", accepts: (v: unknown) => typeof v === "object" && v !== null }),
    validationSplit: or(fraction(), 0),
    classWeight: optional({
      expected: "a record from class to factor",
      accepts: (v: unknown) => typeof v === "object" && v !== null && !(Symbol.iterator in v),
    } as Field<Record<string, number>>),
    accumulate: or(count(), 1),
    stepsPerEpoch: optional(count()),
    callbacks: or(listOf(callbackField), []),
    signal: signalField,
    initialEpoch: or(natural(), 0),
  });
}

/** Trains; see Model.fit. */
export async function fit(model: Model, state: ModelState, data: unknown, options: unknown): Promise<History> {
  const source = readFitData("fit", data);
  const read = readFitOptions(options);
  const { epochs, initialEpoch, signal, accumulate, stepsPerEpoch, classWeight } = read;
  const validationSplit = read.validationSplit;
  let examples: Examples | undefined;
  let validation: Examples | undefined;
  if (isBatchSource(source)) {
    if (validationSplit > 0) throw argumentError("fit", "validationSplit with arrays only", validationSplit);
    if (read.batchSize === "full") throw argumentError("fit", 'batchSize: "full" with arrays only', "full");
  } else {
    examples = readBatch("fit", state, source, classWeight);
    const held = Math.min(examples.rows - 1, Math.floor(examples.rows * validationSplit));
    if (held > 0) {
      validation = splitExamples(classWeight ? readBatch("fit", state, source) : examples, examples.rows - held)[1];
      examples = splitExamples(examples, examples.rows - held)[0];
    }
    const none = examples.labels.findIndex((targets) => !anyLabel(targets));
    if (none >= 0) throw unlabelled(state, none);
  }
  if (read.validationData !== undefined) {
    const given = readFitData("fit: validationData", read.validationData);
    if (isBatchSource(given)) throw argumentError("fit", "validationData as arrays", read.validationData);
    validation = readBatch("fit: validationData", state, given);
  }

  const compiled = state.need("fit");
  const rows = examples?.rows;
  const full = read.batchSize === "full";
  const sliced = full && rows !== undefined && rows > FULL_SLICE && !usesBatchStatistics(state);
  const batchSize = full ? (sliced ? FULL_SLICE : (rows ?? 1)) : Math.min(read.batchSize as number, rows ?? Infinity);
  const group = sliced ? Math.ceil(rows! / FULL_SLICE) : accumulate;
  const allSteps = rows === undefined ? undefined : Math.ceil(Math.ceil(rows / batchSize) / group);
  const steps = allSteps === undefined ? stepsPerEpoch : Math.min(allSteps, stepsPerEpoch ?? allSteps);
  const names = logNames(compiled);
  const plan: FitPlan = {
    epochs,
    initialEpoch,
    steps,
    batchSize: rows === undefined ? undefined : Math.min(batchSize * group, rows),
    examples: rows === undefined ? undefined : Math.min(steps! * batchSize * group, rows),
    monitors: [...names, ...(validation ? names.map(validationName) : [])],
  };
  const made = makeCallbacks(read.callbacks, plan, model);
  state.needIdle("fit");
  signal?.throwIfAborted();
  const loop = new Loop(
    model,
    state,
    made.map(({ callback }) => callback),
    signal,
  );
  if (validation) validation = ownExamples(state, validation);
  if (initialEpoch > 0) resumeCallbacks(made, state.callbackStates);
  state.fitting = true;
  state.stopTraining = false;
  try {
    if (examples) loop.open(examples, read.shuffle, batchSize, group);
    else loop.openStream(source as BatchSource, accumulate, classWeight);
    state.callbackStates = callbackStates(made);
    return await loop.train(initialEpoch, epochs, steps, validation);
  } finally {
    if (!state.disposed)
      state.callbackStates = state.callbackStates.map(({ type, state }) => {
        const known = state();
        return { type, state: () => known };
      });
    for (const { callback } of made) callback.close?.();
    loop.close();
    state.fitting = false;
    if (!examples) await (source as BatchSource).close?.();
  }
}

const unlabelled = ({ structure }: ModelState, output: number) =>
  new DownhillError("data", `fit: y: expected at least one label for ${structure.outputs[output]!.name}, got none`);

/** Whether batch normalization makes a batch more than the sum of its parts. */
function usesBatchStatistics({ structure }: ModelState): boolean {
  return structure.statistics.length > 0;
}

class Loop {
  readonly #lane;
  readonly #compiled;
  readonly #accumulator: Accumulator;
  /** The same of one group of batches. */
  readonly #sums: Accumulator;
  readonly #pace = new Pace(turn);
  #dataset: TrainingSet | undefined;
  #shuffle: ProgramSpec | undefined;
  #batchSize = 0;
  #group = 1;
  #stream: BatchSource | undefined;
  #classWeight: Readonly<Record<string, number>> | undefined;
  readonly #onBatchBegin: Callback[];
  readonly #onBatchEnd: Callback[];

  /** Counts an update in the moment in which it is done: who reads the model then finds weights and counter of one step. */
  readonly #counted = (status: Status): void => {
    if (status === Status.done) this.state.step++;
  };

  constructor(
    readonly model: Model,
    readonly state: ModelState,
    readonly callbacks: StatefulCallback[],
    readonly signal: AbortSignal | undefined,
  ) {
    this.#compiled = state.compiled!;
    this.#lane = state.lane("training");
    this.#accumulator = new Accumulator(this.#compiled, state.activities);
    this.#sums = new Accumulator(this.#compiled, state.activities);
    this.#onBatchBegin = callbacks.filter((c) => c.onBatchBegin);
    this.#onBatchEnd = callbacks.filter((c) => c.onBatchEnd);
  }

  /** Trains on arrays. */
  open(examples: Examples, shuffle: boolean, batchSize: number, group: number): void {
    this.#dataset = new TrainingSet(this.#lane, examples, shuffle);
    this.#batchSize = batchSize;
    this.#group = group;
    const { order, rows } = this.#dataset;
    if (order === undefined) return;
    this.#shuffle = { kind: "shuffle", rows, inputs: [], targets: [], training: false, accumulate: 0, order };
  }

  /** Trains on batches as they come. */
  openStream(source: BatchSource, group: number, classWeight: Readonly<Record<string, number>> | undefined): void {
    this.#stream = source;
    this.#group = group;
    this.#classWeight = classWeight;
  }

  close(): void {
    this.#dataset?.free();
  }

  async train(
    first: number,
    epochs: number,
    steps: number | undefined,
    validation: Examples | undefined,
  ): Promise<History> {
    const { model, state } = this;
    const history: History = { epochs: [] };
    await this.#each((c) => c.onTrainBegin?.({}, model));
    state.lastWeights = undefined;
    let last: Logs | undefined;
    for (let epoch = first; epoch < epochs && !state.stopTraining; epoch++) {
      await this.#each((c) => c.onEpochBegin?.(epoch, {}, model));
      this.#accumulator.reset();
      const ended = await (this.#dataset ? this.#arrays(epoch, steps!) : this.#batches(epoch, steps));
      const logs = this.#accumulator.logs();
      const none = this.#accumulator.unlabelled();
      if (steps === undefined && !state.stopTraining && ended && none >= 0) throw unlabelled(state, none);
      if (!ended) {
        // the loss was not finite and a callback ends training for that: the figures say so
        logs.loss = logs.dataLoss = Number.NaN;
        state.stopTraining = true;
      }
      if (validation) {
        const found = await evaluateExamples(state, validation, 256, this.signal);
        for (const [name, value] of Object.entries(found)) logs[validationName(name)] = value;
      }
      state.epoch = epoch + 1;
      last = logs;
      history.epochs.push(logs);
      await this.#each((c) => c.onEpochEnd?.(epoch, logs, model));
      await this.#each((c) => c.afterEpoch?.());
      this.#check();
    }
    await this.#each((c) => c.onTrainEnd?.(last ?? {}, model));
    return history;
  }

  /** Awaits the callbacks one after another; any of them may have disposed of the model. */
  async #each(call: (callback: StatefulCallback) => unknown): Promise<void> {
    for (const callback of this.callbacks) {
      await call(callback);
      this.state.check();
    }
  }

  #check(): void {
    this.state.check();
    this.signal?.throwIfAborted();
  }

  /** An epoch over arrays; false where the loss was not finite and that ends training. */
  async #arrays(epoch: number, steps: number): Promise<boolean> {
    const { state } = this;
    const lane = this.#lane;
    const dataset = this.#dataset!;
    if (this.#shuffle) {
      lane.set(State.epoch, epoch);
      state.prepare(lane);
      state.runtime.run(state.program(lane, this.#shuffle).all);
    }
    const batch = this.#batchSize;
    const group = this.#group;
    let row = 0;
    for (let step = 0; step < steps; step++) {
      for (const c of this.#onBatchBegin) {
        await c.onBatchBegin!(step, {}, this.model);
        state.check();
      }
      beginUpdate(state, lane);
      const start = row;
      const end = Math.min(dataset.rows, start + batch * group);
      if (group > 1) this.#beginGroup((output) => dataset.labels(output, start, end - start));
      while (row < end) {
        const count = Math.min(batch, end - row);
        dataset.load(row, count);
        lane.set(State.row, row - start);
        row += count;
        const program = programFor(state, lane, "train", dataset.examples, count, true, group > 1 ? end - start : 0);
        const ok = await this.#run(program, row === end, epoch, step, dataset.examples);
        if (!ok) return false;
        this.#add(count);
      }
      await this.#updated(step);
      if (state.stopTraining) break;
    }
    return true;
  }

  /** Gradients of a group add up to those of one batch: each slice divides by the labels of all. */
  #beginGroup(labels: (output: number) => number): void {
    const { structure, runtime, statistics } = this.state;
    const lane = this.#lane;
    runtime.heap.clear(this.#compiled.gradients, structure.parameterFloats * 4);
    const copy = statistics + structure.statisticFloats * 4;
    runtime.heap.u8.copyWithin(copy, statistics, copy);
    lane.set(State.statistics, copy);
    for (let output = 0; output < this.#compiled.losses.length; output++)
      lane.setReal(State.denominators + output, labels(output));
  }

  /** Runs a batch: all of its spans but `update` where more batches of the group follow. */
  async #run(program: Program, last: boolean, epoch: number, step: number, examples: Examples): Promise<boolean> {
    const { state } = this;
    const { runtime } = state;
    const lane = this.#lane;
    const ranges = last ? program.slices : program.gradientSlices;
    const update = last ? ranges.at(-1) : undefined;
    let status = Status.done;
    for (const range of ranges) {
      const ran = runtime.runAsync(range, range === update ? this.#counted : undefined);
      status = typeof ran === "number" ? ran : await ran;
      if (status !== Status.done || range === update) break;
      const pause = this.#pace.pause();
      if (pause) {
        await pause;
        this.#check();
      }
    }
    const who = `fit: epoch ${epoch}, batch ${step}`;
    if (outcome(lane, status, who, examples) === "done") return true;
    if (this.callbacks.some((c) => c.endsOnNaN)) return false;
    throw new DownhillError(
      "numeric",
      `${who}: the loss is ${lane.reported(0)}; the weights are those of the step before`,
    );
  }

  /** Takes in what the lane reports of a batch. */
  #add(rows: number): void {
    this.#accumulator.add(this.#lane, rows);
    if (this.#group > 1) this.#sums.add(this.#lane, rows);
  }

  /** After an update. */
  async #updated(step: number): Promise<void> {
    if (this.#onBatchEnd.length) {
      const logs = this.#group > 1 ? this.#sums.logs() : batchLogs(this.#lane, this.#compiled, this.state.activities);
      for (const c of this.#onBatchEnd) {
        await c.onBatchEnd!(step, logs, this.model);
        this.state.check();
      }
    }
    this.#sums.reset();
    const pause = this.#pace.pause();
    if (pause) await pause;
    this.#check();
  }

  /** An epoch over batches as they come. */
  async #batches(epoch: number, steps: number | undefined): Promise<boolean> {
    const { state } = this;
    const lane = this.#lane;
    let group: Examples[] = [];
    let step = 0;
    const update = async (): Promise<boolean> => {
      for (const c of this.#onBatchBegin) {
        await c.onBatchBegin!(step, {}, this.model);
        state.check();
      }
      beginUpdate(state, lane);
      const all = this.#group > 1 ? group.reduce((sum, { rows }) => sum + rows, 0) : 0;
      if (all) this.#beginGroup((output) => group.reduce((sum, e) => sum + labelsOf(e, output), 0));
      let row = 0;
      for (const [i, examples] of group.entries()) {
        lane.set(State.row, row);
        row += examples.rows;
        stage(lane, examples, 0, examples.rows);
        const program = programFor(state, lane, "train", examples, examples.rows, true, all);
        if (!(await this.#run(program, i === group.length - 1, epoch, step, examples))) return false;
        this.#add(examples.rows);
      }
      group = [];
      await this.#updated(step++);
      return true;
    };
    for await (const batch of this.#stream!.batches(epoch)) {
      this.#check();
      const examples = readBatch("fit", state, batch, this.#classWeight);
      // who gives batches of a group may fill one buffer again and again
      group.push(this.#group > 1 ? ownExamples(state, examples) : examples);
      if (group.length === this.#group && !(await update())) return false;
      if (state.stopTraining || (steps !== undefined && step >= steps)) return true;
    }
    if (group.length && !(await update())) return false;
    if (step === 0) throw new DownhillError("data", `fit: epoch ${epoch}: expected at least one batch, got none`);
    return true;
  }
}

function labelsOf({ labels, rows }: Examples, output: number): number {
  return countLabels(labels[output]!, undefined, 0, rows);
}
