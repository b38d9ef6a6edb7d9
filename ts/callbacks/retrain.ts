// The second step of early stopping: training on training and validation rows together. Loaded where it is asked for.
//
//   sameSteps   from the weights with which the fit began, empty optimizer slots and update 0, for as many updates as the best
//               epoch had come after (Goodfellow, Bengio & Courville 2016, algorithm 7.2)
//   continue    from the best weights, the optimizer as it is, until the objective on the validation rows (class weights aside) is no
//               greater than it was on the training rows with these weights; at most as many epochs as there have been (algorithm 7.3)
//
// It imports types alone: a bundler that has to share code between this file and a page's entry would take what is shared out
// of the entry, which costs the entry 2.7 KB.

import type { Batch } from "../data/sources";
import type { NDArray } from "../ndarray";
import type { Examples } from "../training/batch";
import type { FitPlan, Handler, StatefulCallback } from "../training/callbacks";
import type { FitOptions } from "../training/fit";
import type { History } from "../training/history";
import type { Logs } from "../training/logs";
import type { Model } from "../training/model";
import type { ModelState } from "../training/state";
import type { Form, Port } from "../training/structure";
import type { Snapshot } from "../training/weights";

/** What early stopping has a second training done by. */
export interface SecondTraining {
  /** Notes that weights and figures are the best ones so far. */
  better(): void;
  /** Trains on all rows; its epochs go behind those of `history`. */
  train(history: Pick<History, "epochs">, callbacks: readonly StatefulCallback[]): Promise<void>;
  /** Of the weights that it begins with; to be freed in the end. */
  snapshot: Snapshot;
}

/** `rows`: those that `fit` was given, and those validated on. The first training begins now. */
export function secondTraining(
  model: Model,
  how: "sameSteps" | "continue",
  plan: FitPlan,
  rows: readonly Examples[],
  snapshot: Snapshot,
): SecondTraining {
  const { state } = model;
  const from = state.step;
  let updates = 0;
  snapshot.take(); // of a moving average (`ema`) that there is already, the average
  return {
    snapshot,
    better() {
      updates = state.step - from;
      if (how === "continue") snapshot.take();
    },
    async train(history, callbacks) {
      if (!updates) return;
      snapshot.restore();
      if (how === "sameSteps") restart(state);
      state.beginMean();
      await train(model, how, plan, rows, updates, history, callbacks);
    },
  };
}

async function train(
  model: Model,
  how: "sameSteps" | "continue",
  plan: FitPlan,
  rows: readonly Examples[],
  updates: number,
  history: Pick<History, "epochs">,
  callbacks: readonly StatefulCallback[],
): Promise<void> {
  const { state } = model;
  const { options } = plan;
  const signal = options["signal"] as AbortSignal | undefined;
  const trained = history.epochs.length;
  const [given, other] = rows as readonly [Examples, Examples];
  const kept = given.rows - Math.floor(given.rows * (options["validationSplit"] as number));
  const training: Part = [given, 0, kept];
  const validation = whole(other);
  // rows split off are among those given, unless others are validated on
  const all = options["validationData"] ? [whole(given), validation] : [whole(given)];
  let goal = -Infinity;
  let epochs = updates; // at least one update an epoch
  let initialEpoch = 0;
  if (how === "continue") {
    const objective = async (part: Part) => (await model.evaluate(together(state, [part]), signal && { signal })).loss;
    goal = await objective(training);
    if ((await objective(validation)) <= goal) return;
    initialEpoch = trained;
    epochs = 2 * trained;
  }

  const others = callbacks.filter(({ type }) => type !== "earlyStopping");
  const tell = async (handler: Handler, ...args: unknown[]) => {
    for (const other of others) await (other[handler] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
  };
  const { callbackStates, stopTraining } = state;
  const told: StatefulCallback = {
    onTrainBegin() {
      state.callbackStates = callbackStates; // a file keeps what the fit's own callbacks know
    },
    onEpochBegin: (...args) => tell("onEpochBegin", ...args),
    async onEpochEnd(epoch, logs: Logs, model) {
      logs["retraining"] = 1;
      if (how === "continue" && logs["valLoss"]! <= goal) state.stopTraining = true;
      await tell("onEpochEnd", epoch, logs, model);
    },
    onBatchBegin: (...args) => tell("onBatchBegin", ...args),
    onBatchEnd(...args) {
      if (how === "sameSteps" && state.step >= updates) state.stopTraining = true;
      return tell("onBatchEnd", ...args);
    },
    afterEpoch: () => tell("afterEpoch"),
    endsOnNaN: others.some(({ endsOnNaN }) => endsOnNaN),
  };
  state.fitting = false; // fit sets it at once
  try {
    const found = await model.fit(together(state, all), {
      ...options,
      epochs,
      initialEpoch,
      validationSplit: 0,
      validationData: how === "continue" ? together(state, [validation]) : undefined,
      callbacks: [told],
    } as FitOptions);
    history.epochs.push(...found.epochs);
  } finally {
    if (!state.disposed) Object.assign(state, { fitting: true, callbackStates, stopTraining });
  }
}

/** Empty optimizer slots, update 0, the rate that the model was compiled with. */
function restart(state: ModelState): void {
  const { plan, slots, config } = state.compiled!;
  const { heap } = state.runtime;
  const floats = state.structure.parameterFloats;
  for (const at of slots) if (at) heap.f32.fill(plan.initial, at >>> 2, (at >>> 2) + floats);
  state.step = 0;
  state.learningRate = config.optimizer["learningRate"] as number;
}

/** Examples, and which of their rows: from one up to another. */
type Part = [examples: Examples, from: number, to: number];

const whole = (examples: Examples): Part => [examples, 0, examples.rows];

const product = (shape: readonly number[]) => shape.reduce((size, d) => size * d, 1);

/** The rows of all parts as `fit` takes them. */
function together(state: ModelState, parts: readonly Part[]): Batch {
  const { inputs, outputs, inputForm, outputForm } = state.structure;
  /** One array of those that `of` finds in the parts. */
  const joined = (of: (examples: Examples) => Numbers, shape: readonly number[]): NDArray => {
    const size = product(shape);
    const arrays = parts.map(([examples, from, to]) => of(examples).subarray(from * size, to * size));
    const kind = arrays[0]!.constructor as Float32ArrayConstructor;
    const length = arrays.reduce((sum, array) => sum + array.length, 0);
    const data = new (arrays.every((array) => array instanceof kind) ? kind : Float32Array)(length);
    let at = 0;
    for (const array of arrays) {
      data.set(array, at);
      at += array.length;
    }
    return { data, shape: [length / size, ...shape] };
  };
  const x = inputs.map(({ value }, i) => joined(({ columns }) => columns[i]!.data, value.shape));
  const y = outputs.map((_, output) => {
    // where some are class numbers and others rows of probabilities, they become rows
    const shapes = parts.map(([{ targets }]) => targets[output]!.shape);
    const shape = shapes.find(({ length }) => length) ?? [];
    return joined(({ columns, targets }) => {
      const { data } = columns[inputs.length + output]!;
      return targets[output]!.shape.length < shape.length ? oneHot(data, shape[0]!) : data;
    }, shape);
  });
  const weights = outputs.map((_, output) => {
    const columnOf = ({ columns, targets }: Examples) => {
      const before = targets.slice(0, output).filter(({ weighted }) => weighted).length;
      return targets[output]!.weighted ? columns[inputs.length + outputs.length + before]! : undefined;
    };
    const first = parts.map(([examples]) => columnOf(examples)).find((column) => column);
    if (!first) return undefined;
    const steps = first.size > 1 ? parts[0]![0].targets[output]!.shape : []; // of a sequence
    return joined(
      (examples) => columnOf(examples)?.data ?? new Float32Array(examples.rows * first.size).fill(1),
      steps,
    );
  });
  return {
    x: given(x, inputs, inputForm),
    y: given(y, outputs, outputForm),
    sampleWeight: outputForm === "record" && weights.some(Boolean) ? given(weights, outputs, "record") : weights[0],
  };
}

type Numbers = Float32Array | Uint8Array | Int32Array;

function oneHot(labels: Numbers, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => {
    if (label < 0) rows.fill(Number.NaN, i * classes, (i + 1) * classes);
    else rows[i * classes + label] = 1;
  });
  return rows;
}

/** An array for each port, in the form in which `fit` takes them. */
function given<T>(arrays: T[], ports: readonly Port[], form: Form): T | T[] | Record<string, T> {
  if (form === "one") return arrays[0]!;
  return form === "list" ? arrays : Object.fromEntries(ports.map(({ name }, i) => [name, arrays[i]!]));
}
