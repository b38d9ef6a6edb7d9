// downhill/worker: a model in a worker, behind the same methods.

import { cores } from "#platform";
import { isBatchSource, readFitData } from "../data/sources";
import { argumentError, wrong } from "../errors";
import { check, count, either, isObject, isRecord, listOf, oneOf, optional, readOptions, text } from "../options";
import { detectFeatures, noThreads } from "../runtime/runtime";
import { callbackField } from "../training/callbacks";
import { signalField } from "../training/evaluate";
import type { FitOptions } from "../training/fit";
import { History } from "../training/history";
import type { Logs } from "../training/logs";
import { Model, type ModelConfig, type Prediction } from "../training/model";
import { encodeModel } from "../training/modelFile";
import { type CallOptions, streamed, WorkerClient } from "./client";
import { buffersIn } from "./protocol";

/** Options of `inWorker`. */
export interface WorkerOptions {
  /** Threads of the worker's runtime; `"auto"` takes the machine's cores. Default: as many as the model's own has. */
  threads?: number | "auto";
  /** As `init`'s, of which it is the default. */
  workerUrl?: string;
}

const transferred = new WeakSet<object>();

/**
 * The same data; the call of a remote model that they are given to takes their buffers over instead of copying them, and they are
 * empty here afterwards. (As Comlink's function of that name.)
 *
 * @param data an array, or `{ x, y }` and other objects that hold arrays
 * @example await remote.fit(transfer(train), { epochs: 10 });
 */
export function transfer<T extends object>(data: T): T {
  if (!isObject(data)) throw argumentError("transfer", "an array or an object that holds arrays", data);
  transferred.add(data);
  return data;
}

/** The buffers of arguments that `transfer` has had. */
const buffersOf = (args: readonly unknown[]): ArrayBuffer[] =>
  buffersIn(args.filter((arg) => isObject(arg) && transferred.has(arg)));

/** What a model's method takes, and a promise of what it gives. */
type Remote<K extends keyof Model> = Model[K] extends (...args: infer A) => infer R
  ? (...args: A) => Promise<Awaited<R>>
  : never;

/**
 * A model in a worker. Its methods are a model's, each a promise; its properties too: `await remote.learningRate`. Calls are
 * begun in the order in which they were made.
 */
export class RemoteModel<P extends Prediction = Prediction> {
  readonly #client: WorkerClient;

  /** @internal */
  constructor(client: WorkerClient) {
    this.#client = client;
  }

  #method<T>(name: string, args: unknown[]): Promise<T> {
    return this.#client.call("method", [name, ...args], { transfer: buffersOf(args) }) as Promise<T>;
  }

  #get<T>(name: string): Promise<T> {
    return this.#client.call("get", [name]) as Promise<T>;
  }

  /**
   * Trains, as a model's `fit`. Callbacks of factories run in the worker, but those that show progress; your own run here, and are given this object
   * as the model. Training waits for them. Datasets and iterables stay here too: batches go over one by one.
   */
  async fit(data: Parameters<Model["fit"]>[0], options?: FitOptions): Promise<History> {
    const { params, epochs } = (await this.#long("fit", data, options)) as History;
    return new History(params, epochs);
  }

  /** Means of loss and metrics over all examples. Datasets and iterables stay here: batches go over one by one. */
  async evaluate(
    data: Parameters<Model["evaluate"]>[0],
    options?: { batchSize?: number; signal?: AbortSignal },
  ): Promise<Logs> {
    return (await this.#long("evaluate", data, options)) as Logs;
  }

  async #long(method: "fit" | "evaluate", data: unknown, options: object | undefined): Promise<unknown> {
    const source = readFitData(method, data);
    if (options !== undefined && !isRecord(options)) throw argumentError(method, "options as an object", options);
    const { signal, callbacks, validationData, ...rest } = (options ?? {}) as FitOptions;
    if (signal !== undefined) check(method, "signal", signalField, signal);
    if (callbacks !== undefined) check(method, "callbacks", listOf(callbackField), callbacks);
    // a dataset's arrays
    const validation =
      validationData === undefined ? undefined : readFitData(`${method}: validationData`, validationData);
    if (validation && isBatchSource(validation))
      throw argumentError(
        method,
        "validationData as arrays, such as await data.toArrays(), of a model in a worker",
        validationData,
      );
    const stream = isBatchSource(source) ? source : undefined;
    const call: CallOptions = {
      signal,
      callbacks,
      model: this,
      stream,
      transfer: stream ? [] : buffersOf([data, validationData]),
    };
    return this.#client.call(
      method,
      [stream ? streamed : source, { ...rest, ...(validation && { validationData: validation }) }],
      call,
    );
  }

  /** As a model's `predict`: the outputs for x. */
  predict: (...args: Parameters<Model["predict"]>) => Promise<P> = (...args) => this.#method("predict", args);
  /** As a model's: one update on one batch; its logs. */
  trainOnBatch: Remote<"trainOnBatch"> = (...args) => this.#method("trainOnBatch", args);
  /** As a model's: the logs of one batch; changes nothing. */
  testOnBatch: Remote<"testOnBatch"> = (...args) => this.#method("testOnBatch", args);
  /** As a model's: the gradients of the whole objective on one batch; changes nothing. */
  gradients: Remote<"gradients"> = (...args) => this.#method("gradients", args);
  /** As a model's: where the time of a training step goes, in the worker. A second or more, in which it answers nothing else. */
  profile: Remote<"profile"> = (...args) => this.#method("profile", args);
  /** As a model's: one update with the given gradients. */
  applyGradients: Remote<"applyGradients"> = (...args) => this.#method("applyGradients", args);
  /** As a model's: copies of all parameters and moving statistics, by `layer/parameter`. */
  getWeights: Remote<"getWeights"> = (...args) => this.#method("getWeights", args);
  /** As a model's: sets all parameters and moving statistics; all or nothing. */
  setWeights: Remote<"setWeights"> = (...args) => this.#method("setWeights", args);
  /** As a model's: sets optimizer, losses and metrics; training begins anew. */
  compile: Remote<"compile"> = (...args) => this.#method("compile", args);
  /** As a model's: the number of parameters, moving statistics included. */
  countParams: Remote<"countParams"> = (...args) => this.#method("countParams", args);
  /** As a model's: a table of the layers. */
  summary: Remote<"summary"> = (...args) => this.#method("summary", args);

  /** The model as the bytes of a file, as `saveModel` gives them; `loadModel` makes a model here of them. */
  async saveModel(): Promise<Uint8Array> {
    return (await this.#client.call("saveModel", [])) as Uint8Array;
  }

  /** As the function of that name. */
  async weightsHash(): Promise<string> {
    return (await this.#client.call("weightsHash", [])) as string;
  }

  /** The model's name. */
  get name(): Promise<string> {
    return this.#get("name");
  }

  /** Epochs done. */
  get epoch(): Promise<number> {
    return this.#get("epoch");
  }

  /** The architecture as plain data. */
  get config(): Promise<ModelConfig> {
    return this.#get("config");
  }

  /** The notes that go into files. */
  get metadata(): Promise<Record<string, string>> {
    return this.#get("metadata");
  }

  /** What can be said of the layers, in order. */
  get layers(): Promise<
    readonly {
      /** Unique in the model. */
      name: string;
      /** The factory's name. */
      type: string;
      /** Whether training changes its parameters; `setTrainable` sets it. */
      trainable: boolean;
    }[]
  > {
    return this.#client.call("layers", []) as never;
  }

  /** Freezes or frees a layer; counts from the next step. */
  async setTrainable(layer: string, trainable: boolean): Promise<void> {
    await this.#client.call("trainable", [layer, trainable]);
  }

  /** The learning rate of the next update. */
  get learningRate(): Promise<number> {
    return this.#get("learningRate");
  }

  /** Told at once, of the next update on; a schedule ends. */
  set learningRate(rate: number) {
    this.#client.tell("set", "learningRate", rate);
  }

  /** Whether `fit` ends after this update. */
  get stopTraining(): Promise<boolean> {
    return this.#get("stopTraining");
  }

  /** Told at once: `true` ends `fit` after this update. */
  set stopTraining(stop: boolean) {
    this.#client.tell("set", "stopTraining", stop);
  }

  /** Ends the worker, whatever it does; calls that have no answer yet reject with `state`. */
  async terminate(): Promise<void> {
    this.#client.terminate();
  }

  /** Ends the worker, for `using`. */
  [Symbol.dispose](): void {
    this.#client.terminate();
  }
}

/**
 * A copy of the model, its optimizer and its position in a worker (a Web Worker, in Node a worker thread): the page stays
 * free while it trains. What it computes has the same bits. The model given stays as it is.
 *
 * @example
 * const remote = await inWorker(model);
 * await remote.fit(train, { epochs: 10, callbacks: [{ onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss) }] });
 * console.log(await remote.evaluate(test));
 * await remote.terminate();
 * @throws DownhillError `argument` also for models with layers, losses or metrics of your own, which a worker does not
 * know; `worker` where no worker can be had
 */
export async function inWorker<P extends Prediction>(
  model: Model<P>,
  options?: WorkerOptions,
): Promise<RemoteModel<P>> {
  if (!(model instanceof Model)) throw argumentError("inWorker", "a model", model);
  const { threads: given, workerUrl } = readOptions("inWorker", options, {
    threads: optional(either(count(), oneOf("auto"))),
    workerUrl: optional(text()),
  });
  const bytes = encodeModel(model as unknown as Model);
  const { runtime } = model.state;
  const start = (threads: number) => WorkerClient.start(runtime, threads, workerUrl);
  let threads = given === "auto" ? cores() : (given ?? runtime.threads);
  const features = detectFeatures();
  let lacks: string | undefined;
  if (threads > 1 && !features.threads) {
    lacks = noThreads(features);
    threads = 1;
  }
  let client: WorkerClient;
  try {
    client = await start(threads);
  } catch (error) {
    if (threads === 1) throw error;
    lacks = (error as Error).message;
    client = await start(1);
  }
  if (lacks) console.warn(`downhill: going on without threads (${lacks})`);
  try {
    await client.call("load", [bytes], { transfer: buffersIn(bytes) });
  } catch (error) {
    client.terminate();
    const own = /^unknown (\w+ "[^"]*")/.exec((error as Error).message)?.[1];
    if (!own) throw error;
    throw wrong("argument", "inWorker", "layers, losses and metrics of the library's own", `the ${own}`);
  }
  return new RemoteModel<P>(client);
}
