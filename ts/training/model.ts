// The model as users see it.

import { State } from "../../assembly/isa";
import { readNumbers } from "../data/arrays";
import type { Arrays, Batch } from "../data/sources";
import { argumentError, wrong } from "../errors";
import { type Shape, sizeOf } from "../graph/graph";
import type { Layer } from "../layers/layer";
import { isLayer, Symbolic } from "../layers/layer";
import type { NDArray } from "../ndarray";
import { boolean, check, field, isRecord, name as nameField, nonNegative, optional, or, readOptions } from "../options";
import type { Built } from "../registry";
import { defaultRuntime, nextStream, Runtime } from "../runtime/runtime";
import { type Examples, readExamples, refill } from "./batch";
import {
  anything,
  type CompileOptions,
  compile,
  readCompileOptions,
  warnOfProbabilities,
  writeSegments,
} from "./compile";
import { addressOf, evaluate, predict } from "./evaluate";
import { type FitOptions, fit } from "./fit";
import type { History } from "./history";
import { batchLogs, type Logs } from "./logs";
import { type Profile, profile } from "./profile";
import { BARE } from "./program";
import { disposedError, ModelState } from "./state";
import { beginUpdate, learningRate, numericError, programFor, runStaged } from "./step";
import {
  checkKeys,
  type Entry,
  type Form,
  type ModelLayer,
  type NamedPorts,
  nameTwice,
  type Port,
  structureOf,
} from "./structure";
import { floatsOf, summaryOf } from "./summary";
import { copyWeights, putWeights } from "./weights";

/** What a model predicts: an array, or for several outputs a list or record of them. */
export type Prediction = NDArray | NDArray[] | Record<string, NDArray>;

/** What `gradients` returns. */
export interface Gradients {
  /** The objective, penalties included. */
  loss: number;
  /** By `layer/parameter`, each of its parameter's shape. */
  parameters: Record<string, NDArray>;
  /** Of the inputs, in the form in which the model takes them. */
  inputs: Prediction;
}

const finalizers = /* @__PURE__ */ new FinalizationRegistry<ModelState>((state) => state.dispose());

/**
 * A network of layers that trains and predicts. Made by `sequential` or `functional`.
 *
 * In TypeScript `P` is what it predicts: `Model<NDArray>` has one output; `Model` alone, which `loadModel` gives, has any.
 */
export class Model<P extends Prediction = Prediction> {
  /** @internal Made when the model is first needed. */
  #state: ModelState | undefined;
  #disposed = false;
  readonly #make: () => ModelState;
  readonly #append: ((layer: unknown) => void) | undefined;

  /** @internal `append` adds a layer to what `make` will make. */
  constructor(make: () => ModelState, append?: (layer: unknown) => void) {
    this.#make = make;
    this.#append = append;
  }

  /** @internal */
  get state(): ModelState {
    if (!this.#state) {
      if (this.#disposed) throw disposedError("model");
      this.#state = this.#make();
      finalizers.register(this, this.#state, this);
    }
    return this.#state;
  }

  /** Adds a layer to a sequential model, until the first call that needs the model. */
  add(layer: Layer): this {
    if (!this.#append || this.#state || this.#disposed)
      throw wrong("state", "add", "a sequential model not in use yet", this.#append ? "a used one" : "another");
    this.#append(layer);
    return this;
  }

  /** As it was given, else `"sequential"` or `"functional"`. */
  get name(): string {
    return this.state.name;
  }

  /** In the order in which they were first called; a layer that is called twice is one. */
  get layers(): readonly ModelLayer[] {
    return this.state.structure.layers;
  }

  /**
   * The layer of that name.
   *
   * @throws DownhillError `argument` where no layer has that name
   */
  getLayer(name: string): ModelLayer {
    const layer = this.layers.find((l) => l.name === name);
    if (!layer) throw argumentError("getLayer", `one of ${this.layers.map((l) => l.name).join(", ")}`, name);
    return layer;
  }

  /** The learning rate of the next update; setting it ends a schedule. */
  get learningRate(): number {
    this.state.need("learningRate");
    return learningRate(this.state);
  }

  /** Of the next update on; a schedule ends. */
  set learningRate(rate: number) {
    check("model", "learningRate", nonNegative(), rate);
    this.state.need("learningRate");
    this.state.learningRate = rate;
  }

  /** Epochs done: `fit({ initialEpoch: model.epoch, epochs })` goes on from here. */
  get epoch(): number {
    return this.state.epoch;
  }

  /** Set by callbacks: `fit` ends after this update. */
  get stopTraining(): boolean {
    return this.state.stopTraining;
  }

  /** `true` ends `fit` after this update; a new `fit` begins with `false`. */
  set stopTraining(stop: boolean) {
    this.state.stopTraining = stop;
  }

  /**
   * Sets the optimizer, the losses and the metrics. Training begins anew: update 0, empty slots.
   *
   * @throws DownhillError `argument`; then the earlier configuration stays in force
   */
  compile(options: CompileOptions): void {
    const { state } = this;
    const config = readCompileOptions(state, options);
    state.needIdle("compile");
    compile(state, config);
    warnOfProbabilities(state);
  }

  /**
   * Trains for `epochs` − `initialEpoch` epochs, in slices between which the event loop runs.
   *
   * @returns a promise of the epochs' logs and what the fit was asked for; it rejects with `signal`'s reason when aborted, with `numeric` where a loss is
   * not finite, and the weights are then those of the last finished step
   */
  async fit(
    data: Batch | { arrays(): unknown } | Iterable<Batch> | AsyncIterable<Batch>,
    options?: FitOptions,
  ): Promise<History> {
    return fit(this as unknown as Model, this.state, data, options);
  }

  /** Means of loss and metrics over all examples, with moving statistics and without random masks. */
  async evaluate(
    data: Batch | { arrays(): unknown } | Iterable<Batch> | AsyncIterable<Batch>,
    options?: { batchSize?: number; signal?: AbortSignal },
  ): Promise<Logs> {
    return await evaluate(this.state, data, options); // awaited: else the model may be collected meanwhile
  }

  /**
   * The outputs for x, [n, …]. `training`: with random masks and batch statistics, of each `batchSize` rows.
   *
   * `samples` and `training`: Monte-Carlo inference (Gal & Ghahramani 2016), [samples, n, …], each sample of masks of its
   * own, whatever `batchSize` is. Their mean is the prediction, their spread tells how sure it is. Batch norm layers that
   * are to keep their moving statistics are frozen (`trainable = false`). Without `training` all samples are the same.
   *
   * @example model.predict(x, { training: true, samples: 30 })
   */
  predict(x: Arrays, options?: { batchSize?: number; training?: boolean; samples?: number }): P {
    const { state } = this;
    return join(predict(state, x, options), state.structure.outputs, state.structure.outputForm) as P;
  }

  /** One update on one batch; returns its logs. */
  trainOnBatch(x: Arrays, y: Arrays, options?: { sampleWeight?: Arrays }): Logs {
    const { state } = this;
    const last = options === undefined ? state.lastBatch : undefined;
    const again = last !== undefined && refill(last.examples, state.structure, x, y);
    const examples = again ? last.examples : this.#readBatch("trainOnBatch", x, y, options);
    state.needIdle("trainOnBatch");
    const lane = beginUpdate(state);
    const known = again && last === state.lastBatch && last.changes === lane.changes;
    const program = known ? last.program : programFor(state, lane, "train", examples, examples.rows, true);
    if (!known) state.lastBatch = { examples, program, changes: lane.changes };
    if (!runStaged(state, lane, program, examples, "trainOnBatch")) throw numericError("trainOnBatch", lane);
    state.updated();
    return batchLogs(lane, state);
  }

  /** The logs of one batch, as `evaluate` would have them; changes nothing. */
  testOnBatch(x: Arrays, y: Arrays, options?: { sampleWeight?: Arrays }): Logs {
    const { state } = this;
    const examples = this.#readBatch("testOnBatch", x, y, options);
    const lane = state.lane("prediction"); // an evaluation may be within a batch
    state.prepare(lane);
    const program = programFor(state, lane, "evaluate", examples, examples.rows, false);
    runStaged(state, lane, program, examples, "testOnBatch");
    return batchLogs(lane, state);
  }

  #readBatch(who: string, x: unknown, y: unknown, options: { sampleWeight?: unknown } | undefined): Examples {
    return readExamples(who, this.state, x, y, readOptions(who, options, { sampleWeight: optional(anything) }));
  }

  /**
   * The gradients of the whole objective (data loss, penalties, activity penalties) on one batch; changes nothing.
   * `training` (default true): with batch statistics and random masks.
   */
  gradients(x: Arrays, y: Arrays, options?: { training?: boolean }): Gradients {
    const { state } = this;
    const { training } = readOptions("gradients", options, { training: or(boolean(), true) });
    const examples = this.#readBatch("gradients", x, y, undefined);
    state.needIdle("gradients");
    const { structure, runtime, compiled } = state;
    const lane = beginUpdate(state);
    const program = programFor(state, lane, "gradients", examples, examples.rows, training);
    runStaged(state, lane, program, examples, "gradients");
    const inputs = program.results.map((g, i) => {
      const shape = [examples.rows, ...structure.inputs[i]!.value.shape];
      const data = g ? runtime.heap.readFloats(addressOf(lane, g.place!), g.size) : new Float32Array(sizeOf(shape));
      return { data, shape };
    });
    return {
      loss: lane.reported(0),
      parameters: copyWeights(state, compiled!.gradients, structure.parameters),
      inputs: join(inputs, structure.inputs, structure.inputForm),
    };
  }

  /**
   * One update with the given gradients, penalties already in them: clipping, weight decay, the optimizer's step.
   * Parameters left out stay as they are.
   */
  applyGradients(gradients: Record<string, NDArray>): void {
    const { state } = this;
    const { structure, runtime } = state;
    const read = readRecord("applyGradients", gradients, structure.parameters, false);
    const compiled = state.need("applyGradients");
    state.needIdle("applyGradients");
    const lane = beginUpdate(state);
    lane.setReal(State.penaltyScale, 0);
    runtime.heap.clear(compiled.gradients, structure.parameterFloats * 4);
    putWeights(state, read, compiled.gradients);
    writeSegments(state, read);
    state.forgetTrainable();
    runtime.run(state.program(lane, { ...BARE, kind: "apply" }).all);
    state.updated();
  }

  /**
   * Times a training step on one batch, and each of its instructions: milliseconds, GFLOP/s or GB/s, and the share of
   * what this machine reaches in the same run. Takes a second, or the time of 17 steps; changes nothing of the model.
   *
   * @example console.log(profileText(model.profile(x, y)))
   * @throws DownhillError as `trainOnBatch`; `memory` where there is no room for working sets to hold it against
   */
  profile(x: Arrays, y: Arrays): Profile {
    const examples = this.#readBatch("profile", x, y, undefined);
    return profile(this.state, examples, () => this.trainOnBatch(x, y));
  }

  /** Copies of all parameters and moving statistics, by `layer/parameter`. */
  getWeights(): Record<string, NDArray> {
    this.state.check();
    return copyWeights(this.state);
  }

  /**
   * Sets all parameters and moving statistics; takes exactly the model's keys, all or nothing. Pruned weights stay 0, and
   * an exponential moving average begins anew.
   */
  setWeights(weights: Record<string, NDArray>): void {
    const { state } = this;
    const read = readRecord("setWeights", weights, state.structure.entries, true);
    state.needIdle("setWeights");
    putWeights(state, read);
    state.mask?.hold();
    state.beginMean();
  }

  /** The number of parameters, moving statistics included. */
  countParams(): number {
    this.state.check();
    return floatsOf(this.state.structure.entries);
  }

  /** A table of the layers, their shapes and parameters, and the bytes planned. */
  summary(): string {
    this.state.check();
    return summaryOf(this.state);
  }

  /** Notes that `saveModel` writes into the file and `loadModel` brings back: names of classes, where the data came from. */
  get metadata(): Record<string, string> {
    return this.state.metadata;
  }

  /** The architecture as plain data: what a file keeps and a worker is sent. */
  get config(): ModelConfig {
    return configOf(this.state);
  }

  /** Frees the model's memory; a pending `fit` rejects. A second call does nothing. */
  dispose(): void {
    finalizers.unregister(this);
    this.#disposed = true;
    this.#state?.dispose();
  }

  /** `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** An array for each port, in the form in which they were given. */
export function join<T>(arrays: T[], ports: Port[], form: Form): T | T[] | Record<string, T> {
  if (form === "one") return arrays[0]!;
  if (form === "list") return arrays;
  return Object.fromEntries(ports.map(({ name }, i) => [name, arrays[i]!]));
}

/** Arrays by key, checked against the entries. */
function readRecord(
  who: string,
  record: unknown,
  entries: Entry[],
  all: boolean,
): Record<string, { data: Float32Array }> {
  if (!isRecord(record)) throw argumentError(who, "a record from layer/parameter to array", record);
  checkKeys(who, "keys of the model", Object.keys(record), entries);
  const read: Record<string, { data: Float32Array }> = {};
  for (const { key, shape } of entries)
    if (Object.hasOwn(record, key)) read[key] = { data: readNumbers(`${who}: ${key}`, record[key], shape) };
    else if (all) throw argumentError(who, `an array for ${key}`, undefined);
  return read;
}

/** A model's architecture as plain data. */
export interface ModelConfig {
  /** The model's. */
  name: string;
  /** In order. */
  inputs: {
    /** Its name. */
    name: string;
    /** Of one example. */
    shape: Shape;
  }[];
  /** Whether inputs are given as one, a list or a record. */
  inputForm: Form;
  /** The same of outputs. */
  outputForm: Form;
  /** In the order in which they were first called. */
  layers: {
    /** Its name. */
    name: string;
    /** What its factory was given. */
    config: Built;
  }[];
  /** Which layer is called on which values; values are numbered, inputs first, then the calls' outputs. */
  calls: {
    /** Its number. */
    layer: number;
    /** Numbers of values. */
    inputs: number[];
  }[];
  /** In order. */
  outputs: {
    /** Its name. */
    name: string;
    /** The number of its value. */
    value: number;
  }[];
}

function configOf({ name, structure }: ModelState): ModelConfig {
  const { inputs, outputs, layers, calls, inputForm, outputForm } = structure;
  const values = [...inputs.map(({ value }) => value), ...calls.map(({ call }) => call.output)];
  return {
    name,
    inputs: inputs.map(({ name, value }) => ({ name, shape: [...value.shape] })),
    inputForm,
    outputForm,
    layers: layers.map(({ name, config, trainable }) => ({
      name,
      config: { ...config, ...(trainable !== (config["trainable"] !== false) && { trainable }) },
    })),
    calls: calls.map(({ call, layer }) => ({
      layer: layers.indexOf(layer),
      inputs: call.inputs.map((x) => values.indexOf(x)),
    })),
    outputs: outputs.map(({ name, value }) => ({ name, value: values.indexOf(value) })),
  };
}

/** Options of `sequential` and `functional`. */
export interface ModelOptions {
  /** Default `"sequential"` or `"functional"`. */
  name?: string;
  /** What `init` resolved to. Default: the runtime of the last `init`, else one of a single thread. */
  runtime?: Runtime;
}

export const modelOptions = {
  name: optional(nameField()),
  runtime: optional(field<Runtime>("what init() resolved to", (v) => v instanceof Runtime)),
};

/**
 * A stack of layers.
 *
 * @param layers the first one needs `inputShape`
 * @example sequential([dense(64, { inputShape: [784], activation: "relu" }), dense(10)])
 * @throws DownhillError `argument`, `shape`, `memory`
 */
export function sequential(layers: readonly Layer[] = [], options?: ModelOptions): Model<NDArray> {
  const { name = "sequential", runtime = defaultRuntime() } = readOptions("sequential", options, modelOptions);
  if (!Array.isArray(layers)) throw argumentError("sequential", "a list such as [dense(10)]", layers);
  let inputs: Symbolic | undefined;
  let outputs: Symbolic | undefined;
  const named = new Map<unknown, Layer>();
  const append = (layer: unknown) => {
    if (!isLayer(layer)) throw argumentError("sequential", "layers such as dense(10)", layer);
    const { name, type, inputShape } = layer.config as { name?: string; type: string; inputShape?: Shape };
    if (name !== undefined && (named.get(name) ?? layer) !== layer) throw nameTwice(name);
    if (!outputs && !inputShape)
      throw argumentError(name ?? type, "inputShape on the first layer of sequential", undefined);
    const value = outputs ?? new Symbolic([...inputShape!], undefined, "");
    outputs = layer(value);
    inputs ??= value;
    named.set(name, layer);
  };
  for (const layer of layers) append(layer);
  const position = nextStream();
  return new Model(() => {
    if (!outputs) throw wrong("state", name, "at least one layer", "none");
    return new ModelState(name, structureOf(onePort(inputs!), onePort(outputs)), runtime, position);
  }, append);
}

const onePort = (value: Symbolic): NamedPorts => ({ form: "one", keys: [], values: [value] });
