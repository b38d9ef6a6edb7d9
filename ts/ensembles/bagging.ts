// Bagging: models on bootstrap samples, which vote.

import { cores } from "#platform";
import { type Batch, isBatchSource, readFitData } from "../data/sources";
import { meanRSquared, Votes } from "../data/votes";
import { argumentError, DownhillError, wrong } from "../errors";
import { accuracy } from "../metrics/metrics";
import type { NDArray } from "../ndarray";
import {
  check,
  count,
  either,
  type Field,
  isObject,
  isRecord,
  listOf,
  oneOf,
  optional,
  or,
  readOptions,
  share,
} from "../options";
import type { Built } from "../registry";
import { nextStream, withStreams } from "../runtime/runtime";
import { type Examples, someExamples } from "../training/batch";
import { type Callback, callbackField } from "../training/callbacks";
import { readBatch, signalField } from "../training/evaluate";
import type { FitOptions } from "../training/fit";
import type { History, HistoryJSON } from "../training/history";
import type { Logs } from "../training/logs";
import { join, Model, type Prediction } from "../training/model";
import { pace } from "../training/step";
import { type Ballot, ballotsOf, cast, forLoss, judgeOf, partsOf, vote } from "./ballot";
import { bootstrap, leftOut, memberPosition, type Position } from "./bootstrap";
import { batchOf, pick } from "./examples";
import { labelledProgress } from "./progress";
import { type Job, trainAll } from "./train";

/** Options of `bagging`. */
export interface BaggingOptions {
  /** Models. */
  estimators: number;
  /** Rows of a model's sample, as a share of all; in (0, 1]. Default 1. */
  sampleFraction?: number;
  /**
   * How the models' answers become one. `"soft"` (default): the mean of their probabilities, or of the numbers that they
   * predict; `"hard"`: the share of models for which a class is the likeliest.
   */
  vote?: "soft" | "hard";
  /** Models that train at the same time, each on a worker; default `"auto"`: as many as the machine has cores. */
  parallel?: number | "auto";
}

/** Options of an ensemble's `fit`: those of a model's, and these. */
export interface BaggingFitOptions extends Omit<FitOptions, "callbacks"> {
  /** For every model, or what a function gives for the number of one. */
  callbacks?: FitOptions["callbacks"] | ((member: number) => readonly (Built | Callback)[]);
  /** Called after each epoch of each model. */
  onProgress?(progress: { member: number; epoch: number; epochs: number; logs: Logs }): unknown;
}

/** What an ensemble's `fit` resolves to. */
export class BaggingHistory {
  /** @internal */
  constructor(
    /** By model, in order; `undefined` where it failed. */
    readonly members: (History | undefined)[],
    /** The models that failed, and with what. */
    readonly failed: {
      /** Its number, from 0. */
      member: number;
      /** What its training rejected with. */
      error: unknown;
    }[],
  ) {}

  /** A copy as plain data, which `JSON.stringify` writes: histories as theirs, `null` for one that is missing; errors as their text. */
  toJSON(): BaggingHistoryJSON {
    return {
      members: this.members.map((history) => history?.toJSON() ?? null),
      failed: this.failed.map(({ member, error }) => ({ member, error: textOf(error) })),
    };
  }
}

/** An ensemble's history as plain data. */
export interface BaggingHistoryJSON {
  /** By model, in order; `historyFromJSON` makes histories of them again. */
  members: (HistoryJSON | null)[];
  /** The models that failed, and the texts of the errors. */
  failed: {
    /** Its number, from 0. */
    member: number;
    /** The error's text. */
    error: string;
  }[];
}

const textOf = (error: unknown): string => String((error as Error)?.message ?? error);

/** What `oobScore` goes by: of each output, the votes of models for rows that they were not trained on, and the targets. */
interface OutOfBag {
  votes: Votes[];
  targets: Examples;
}

/** What a fit leaves. */
interface Fitted {
  models: Model[];
  ballots: Ballot[];
  outOfBag: OutOfBag;
}

/** Models on bootstrap samples, which vote. Made by `bagging`. */
export class Bagging<P extends Prediction = NDArray> {
  readonly #makeModel: (member: number) => Model<P>;
  readonly #estimators: number;
  readonly #sampleFraction: number;
  readonly #hard: boolean;
  readonly #parallel: number;
  readonly #position: Position;
  #fitted: Fitted | undefined;
  /** Ends the `fit` under way. */
  #stop: AbortController | undefined;
  #disposed = false;

  /** @internal */
  constructor(makeModel: (member: number) => Model<P>, options: BaggingOptions) {
    if (typeof makeModel !== "function")
      throw argumentError("bagging", "a function that makes a compiled model", makeModel);
    const read = readOptions("bagging", options, {
      estimators: count(),
      sampleFraction: or(
        { expected: "a number in (0, 1]", accepts: (v) => typeof v === "number" && v > 0 && v <= 1 } as Field<number>,
        1,
      ),
      vote: or(oneOf("soft", "hard"), "soft" as "soft" | "hard"),
      parallel: or(either(count(), oneOf("auto")), "auto" as number | "auto"),
    });
    this.#makeModel = makeModel;
    this.#estimators = read.estimators;
    this.#sampleFraction = read.sampleFraction;
    this.#hard = read.vote === "hard";
    this.#parallel = read.parallel === "auto" ? cores() : read.parallel;
    this.#position = nextStream();
  }

  /** The models that the last `fit` trained; those that failed are not among them. */
  get models(): readonly Model<P>[] {
    return this.#need("models").models as unknown as Model<P>[];
  }

  /**
   * Makes all models anew and trains each on a sample of its own. `validationSplit` is taken off before samples are drawn.
   * A model that fails (its loss is not finite, its worker dies, a callback throws) does not lose the others: they vote
   * without it, one warning says so, and `failed` has the error.
   *
   * Models train on workers. Callbacks of your own run on the calling thread, where they are given the model as it was
   * made: its weights come when its training has ended, but `stopTraining` and `learningRate` count at once.
   *
   * @param data arrays, or a dataset of examples; no batches
   * @returns a promise of the models' logs; it rejects where all models fail (with their error where it is one and the
   * same), with what `makeModel` throws, and with `signal`'s reason; the ensemble is then as before
   */
  async fit(data: Batch | { arrays(): unknown }, options?: BaggingFitOptions): Promise<BaggingHistory> {
    if (options !== undefined && !isRecord(options)) throw argumentError("fit", "options as an object", options);
    const given: BaggingFitOptions = options ?? {};
    const { callbacks, onProgress, signal, validationData, validationSplit, ...rest } = given;
    const list = listOf(callbackField);
    const listOfMember = (member: number) =>
      check("fit", "callbacks", list, typeof callbacks === "function" ? callbacks(member) : (callbacks ?? []));
    const lists = Array.from({ length: this.#estimators }, (_, member) => listOfMember(member));
    const read = readOptions(
      "fit",
      { signal, validationSplit, validationData, onProgress },
      {
        signal: signalField,
        validationSplit: or(share(), 0),
        validationData: optional({ expected: "data", accepts: isObject }),
        onProgress: optional({ expected: "a function", accepts: (v: unknown) => typeof v === "function" }),
      },
    );
    const source = arraysOf("fit", data);
    const validationSource = validationData === undefined ? undefined : arraysOf("fit: validationData", validationData);
    this.#check("fit");
    if (this.#stop) throw new DownhillError("state", "fit: a fit is under way on this ensemble");
    signal?.throwIfAborted();

    const stop = new AbortController();
    this.#stop = stop;
    const abort = () => stop.abort(signal!.reason);
    signal?.addEventListener("abort", abort);
    let models: Model[] = [];
    let ballots: Ballot[] = [];
    let fitted: Fitted | undefined;
    try {
      models = this.#make();
      const { state } = models[0]!;
      const { structure } = state;
      const all = readBatch("fit", state, source);
      const kept = all.rows - Math.floor(all.rows * read.validationSplit);
      const examples = someExamples(all, 0, kept);
      const validation = validationSource
        ? readBatch("fit: validationData", state, validationSource)
        : kept < all.rows
          ? someExamples(all, kept, all.rows)
          : undefined;
      ballots = ballotsOf(models[0]!, this.#hard);
      // what is trained on is read now, whenever a model's turn comes
      const own = pick(examples, everyRow(kept));
      const ownValidation = validation && pick(validation, everyRow(validation.rows));
      const size = Math.max(1, Math.floor(this.#sampleFraction * kept + 0.5));
      const epochs = (rest.epochs as number | undefined) ?? 1;
      const samples = models.map((_, member) => bootstrap(kept, size, memberPosition(this.#position, member)));
      const jobs = models.map((model, member): Job => {
        const others = () => leftOut(kept, samples[member]!);
        const tell: Callback = { onEpochEnd: (epoch, logs) => onProgress!({ member, epoch, epochs, logs }) };
        return {
          member,
          model,
          callbacks: [...lists[member]!.map((c) => labelled(c, member, models.length)), ...(onProgress ? [tell] : [])],
          data: () => batchOf(pick(own, samples[member]!), structure),
          options: () => ({
            ...rest,
            ...(ownValidation && {
              validationData: batchOf(pick(ownValidation, everyRow(ownValidation.rows)), structure),
            }),
          }),
          inputs: () => (others().length ? batchOf(pick(own, others()), structure).x : undefined),
        };
      });
      const results = await trainAll(jobs, this.#parallel, stop.signal);

      const failed = results.flatMap((result, member) => ("error" in result ? [{ member, error: result.error }] : []));
      if (failed.length === models.length) throw failureOfAll(failed);
      if (failed.length)
        console.warn(
          `downhill: of the ensemble's ${models.length} models ${failed.length} failed: ` +
            failed.map(({ member, error }) => `${member} (${textOf(error)})`).join(", "),
        );
      const votes = ballots.map(({ size }) => new Votes(kept, size));
      results.forEach((result, member) => {
        if ("error" in result || !result.trained.prediction) return;
        partsOf(models[0]!, result.trained.prediction).forEach((part, output) => {
          cast(votes[output]!, ballots[output]!, this.#hard, part, leftOut(kept, samples[member]!));
        });
      });
      fitted = {
        models: models.filter((_, member) => !("error" in results[member]!)),
        ballots,
        outOfBag: { votes, targets: { ...own, columns: own.columns.slice(structure.inputs.length) } },
      };
      this.#free();
      this.#fitted = fitted;
      return new BaggingHistory(
        results.map((r) => ("error" in r ? undefined : r.trained.history)),
        failed,
      );
    } finally {
      this.#stop = undefined;
      signal?.removeEventListener("abort", abort);
      for (const model of models) if (!fitted?.models.includes(model)) model.dispose();
      if (!fitted) for (const { link } of ballots) link?.dispose();
    }
  }

  /** Makes the models; each has a stream of its own, which derives from the ensemble's. */
  #make(): Model[] {
    const models: Model[] = [];
    let made: unknown;
    try {
      for (let member = 0; member < this.#estimators; member++) {
        made = withStreams(memberPosition(this.#position, member), () => this.#makeModel(member));
        const is = "bagging: makeModel: expected a compiled model";
        if (!(made instanceof Model)) throw argumentError("bagging: makeModel", "a compiled model", made);
        if (models.includes(made)) throw new DownhillError("argument", `${is} of its own for each call, got one again`);
        if (!made.state.compiled) throw new DownhillError("argument", `${is}, got one that is not compiled`);
        models.push(made);
      }
      return models;
    } catch (error) {
      for (const model of models) if (model !== made) model.dispose();
      throw error;
    }
  }

  /**
   * The vote on x, of the models' shape: of a classifier probabilities, softly the mean of the models' softmax or sigmoid, or
   * the share of models that vote for a class; else the mean of the predicted numbers. Options are those of a model's
   * `predict`.
   */
  predict(x: Parameters<Model["predict"]>[0], options?: Parameters<Model["predict"]>[1]): P {
    const fitted = this.#need("predict");
    const { outputs, outputForm } = fitted.models[0]!.state.structure;
    return join(vote(fitted.models, fitted.ballots, this.#hard, x, options), outputs, outputForm) as P;
  }

  /**
   * The loss and the metrics of the vote, as the models are compiled with them; the penalty is 0. The votes go into the loss as
   * probabilities: cross-entropy is −log of the mean probability, floored at −100.
   */
  async evaluate(
    data: Parameters<Model["evaluate"]>[0],
    options?: { batchSize?: number; signal?: AbortSignal },
  ): Promise<Logs> {
    const source = readFitData("evaluate", data);
    const { batchSize, signal } = readOptions("evaluate", options, {
      batchSize: or(count(), 256),
      signal: signalField,
    });
    const fitted = this.#need("evaluate");
    const { state } = fitted.models[0]!;
    const { structure } = state;
    const examples = isBatchSource(source) ? undefined : readBatch("evaluate", state, source);
    const pause = pace();
    const judged = async (batch: Batch): Promise<Batch> => {
      const turn = pause();
      if (turn) await turn;
      if (this.#fitted !== fitted) throw new DownhillError("state", "evaluate: the ensemble was changed meanwhile");
      const votes = vote(fitted.models, fitted.ballots, this.#hard, batch.x, { batchSize });
      const arrays = votes.map((array, output) => forLoss(fitted.ballots[output]!, array));
      return { ...batch, x: join(arrays, structure.outputs, structure.outputForm) };
    };
    async function* batches(): AsyncGenerator<Batch> {
      if (!examples) {
        for await (const batch of (source as { batches(epoch: number): AsyncIterable<Batch> }).batches(0))
          yield judged(batch);
        return;
      }
      for (let row = 0; row < examples.rows; row += batchSize)
        yield judged(batchOf(someExamples(examples, row, Math.min(row + batchSize, examples.rows)), structure));
    }
    const judge = judgeOf(fitted.models[0]!, state.compiled!.config);
    try {
      return await judge.evaluate(batches(), { batchSize, ...(signal && { signal }) });
    } finally {
      judge.dispose();
      if (isBatchSource(source)) await source.close?.();
    }
  }

  /**
   * The out-of-bag score: each example of the last `fit` is judged by the vote of those models whose samples lack it
   * (about 1/e of them), an estimate of the score on new data that costs none. Of a classifier (and of a model compiled
   * with `accuracy`) the accuracy; else R² = 1 − Σ(t − ŷ)²/Σ(t − mean t)², averaged over columns. Of several outputs the mean.
   *
   * @throws DownhillError `state` before `fit`, and where every sample has every example
   */
  async oobScore(): Promise<number> {
    const fitted = this.#need("oobScore");
    const { votes, targets } = fitted.outOfBag;
    const [model] = fitted.models as [Model];
    let sum = 0;
    for (const [output, ballot] of fitted.ballots.entries()) {
      const rows = votes[output]!.counted;
      if (!rows.length)
        throw wrong("state", "oobScore", "an example that some model has not seen; train more models", "none");
      const means = votes[output]!.means(rows);
      const { data, shape } = pick(targets, rows).columns[output]!;
      if (ballot.kind === "value") sum += meanRSquared(data, means, ballot.size);
      else {
        const x = forLoss(ballot, {
          data: means,
          shape: [rows.length, ...model.state.structure.outputs[output]!.value.shape],
        });
        const metrics = [{ output: 0, metric: accuracy() }];
        const judge = judgeOf(model, { loss: [ballot.loss], lossWeights: [1], metrics }, output);
        try {
          const y = { data, shape: [rows.length, ...shape.slice(1)] } as NDArray;
          sum += (await judge.evaluate({ x, y })).accuracy!;
        } finally {
          judge.dispose();
        }
      }
    }
    return sum / fitted.ballots.length;
  }

  #check(what: string): void {
    if (this.#disposed) throw new DownhillError("state", `${what}: the ensemble has been disposed`);
  }

  #need(what: string): Fitted {
    this.#check(what);
    if (!this.#fitted) throw new DownhillError("state", `${what}: the ensemble is not trained; call fit() first`);
    return this.#fitted;
  }

  #free(): void {
    const { models, ballots } = this.#fitted ?? { models: [], ballots: [] };
    for (const model of models) model.dispose();
    for (const { link } of ballots) link?.dispose();
    this.#fitted = undefined;
  }

  /** Frees the models; a pending `fit` rejects. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#stop?.abort(new DownhillError("state", "fit: the ensemble has been disposed"));
    this.#free();
  }

  /** `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

const everyRow = (rows: number) => Uint32Array.from({ length: rows }, (_, row) => row);

/** Arrays, or a dataset's. */
function arraysOf(who: string, data: unknown): Batch {
  const source = readFitData(who, data);
  if (isBatchSource(source))
    throw argumentError(`bagging: ${who}`, "arrays or a dataset of examples, no batches", data);
  return source;
}

/** Progress bars say whose they are. */
function labelled(callback: Built | Callback, member: number, members: number): Built | Callback {
  if (!("type" in callback) || callback.type !== "progressBar") return callback;
  const label = `member ${`${member}`.padStart(`${members - 1}`.length)}: `;
  return labelledProgress({ width: callback["width"] as number, label });
}

/** The error of all where it is one, else one that names it. */
function failureOfAll(failed: BaggingHistory["failed"]): unknown {
  const { error } = failed[0]!;
  const text = (e: unknown) => (e instanceof Error ? e.message : e);
  if (failed.every((f) => f.error === error || text(f.error) === text(error))) return error;
  const code = error instanceof DownhillError ? error.code : "worker";
  return new DownhillError(code, `bagging: all ${failed.length} models failed; the first: ${text(error)}`, {
    cause: error,
  });
}

/**
 * `estimators` models, each trained on a bootstrap sample (as many rows as there are, times `sampleFraction`, drawn with
 * replacement), which vote. Their errors partly cancel: with variance v and covariance c of k models' errors the expected
 * squared error of their mean is v/k + (k − 1)·c/k. (Breiman 1996; Goodfellow, Bengio & Courville 2016, 7.11)
 *
 * Models differ in their samples, initial weights, masks and shuffles: each one's stream of random numbers derives from the
 * ensemble's and its number. They train on workers, each with a core of its own; the result depends on their number no more
 * than on the engine.
 *
 * @param makeModel makes the model of a given number, compiled
 * @example
 * const ensemble = bagging(() => {
 *   const model = sequential([dense(64, { inputShape: [64], activation: "relu" }), dense(10)]);
 *   model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
 *   return model;
 * }, { estimators: 10 });
 * await ensemble.fit(train, { epochs: 20, callbacks: [progressBar()] });
 * console.log(await ensemble.oobScore(), await ensemble.evaluate(test));
 * @throws DownhillError `argument`
 */
export function bagging<P extends Prediction = NDArray>(
  makeModel: (member: number) => Model<P>,
  options: BaggingOptions,
): Bagging<P> {
  return new Bagging(makeModel, options);
}
