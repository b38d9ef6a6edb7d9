// The queue of trainings: each in a worker thread of its own, a bounded number at once, the rest waiting in the database.
//
// A training is checkpointed at epochs' ends. Started again, the service goes on with what was queued or under way, each training
// from its checkpoint, and gets the bits that it would have got without a break.
//
// A training may be what the process dies of. So each start is counted before it trains, and given back where it ends otherwise; who has had too many
// between two checkpoints has failed. From the second on a training runs alone: another one is not counted for it.

import { randomBytes } from "node:crypto";
import { DownhillError, earlyStopping, loadModel, type NDArray } from "downhill";
import { inWorker, transfer } from "downhill/worker";
import type { Config } from "./config";
import { busy, notFound, ServiceError, unprocessable, wrongState } from "./errors";
import { buildModel, compileModel, finalFile, parametersOf, type Spec } from "./network";
import { type Entry, type EpochLogs, type Logs, STATES, type State, Store, type Summary } from "./store";
import type { Table } from "./table";

/** What the rest of the service is told of: an epoch done, or a model in another state (`undefined`: deleted). */
export type Event = { id: string } & ({ epoch: number; logs: Logs } | { state: State | undefined });

/** For how long events are gathered, in milliseconds. */
const GATHER = 20;
/** A checkpoint may take this share of the time. */
const CHECKPOINT_SHARE = 0.1;
/** After so many milliseconds trainings are tried again that the disk did not take. */
const RETRY = 5_000;
/** A timer's longest time, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Why a training ends before its time. */
class Ending extends Error {
  constructor(
    readonly state: State,
    message: string,
  ) {
    super(message);
  }
}

/** A training under way. */
interface Run {
  abort: AbortController;
  /** Resolves when nothing of it is left. */
  done: Promise<void>;
  /** Epochs that no checkpoint has. */
  epochs: EpochLogs[];
  epoch: number;
  logs: Logs | undefined;
  /** It has crashed before, and has come to no checkpoint since. */
  suspect: boolean;
  /** It has been counted as a crash that may happen. */
  counted: boolean;
}

export class Trainings {
  readonly #store: Store;
  readonly #runs = new Map<string, Run>();
  readonly #finished = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>;
  #epochs = 0;
  #stopping = false;
  #events: Event[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** Opens the data folder and goes on with what is to be done. `tell` is told of events, in order. */
  constructor(
    private readonly config: Config,
    private readonly tell: (events: Event[]) => void,
  ) {
    this.#store = new Store(config.data);
    this.#next();
  }

  /** Throws where there is no room for another. */
  async checkRoom(): Promise<void> {
    this.#checkRoom();
  }

  #checkRoom(): void {
    const { maxQueue, maxModels } = this.config;
    const counts = this.#counts();
    const all = STATES.reduce((sum, state) => sum + counts[state], 0);
    if (this.#stopping) throw new ServiceError(503, "stopping", "the service is being stopped");
    if (counts.queued >= maxQueue && !this.#free)
      throw busy(`expected at most ${maxQueue} trainings to wait, got one more`);
    if (all >= maxModels) throw wrongState(`expected at most ${maxModels} models, got one more; delete some`);
  }

  /** Puts a training into the queue; what has been returned from here is durable. */
  async create(table: Table, spec: Spec): Promise<Entry> {
    this.#checkRoom();
    const { facts, x, y } = table;
    const { maxParameters } = this.config;
    const parameters = parametersOf(spec, facts);
    if (parameters > maxParameters)
      throw unprocessable(`hiddenLayers: expected a model of at most ${maxParameters} parameters, got ${parameters}`);
    try {
      const model = buildModel(spec, facts);
      try {
        compileModel(model, spec, facts);
      } finally {
        model.dispose();
      }
    } catch (error) {
      if (error instanceof DownhillError) throw unprocessable(error.message);
      throw error;
    }
    const id = randomBytes(8).toString("hex");
    const entry = { id, created: Date.now(), spec, facts, parameters } as Entry;
    this.#store.create(entry, { x: bytesOf(x), y: bytesOf(y) });
    this.#emit({ id, state: "queued" });
    this.#next();
    return this.get(id);
  }

  async list(limit: number, after?: string): Promise<Summary[]> {
    if (after !== undefined) this.#need(after);
    return this.#store.list(limit, after).map((entry) => this.#current(entry));
  }

  /** A model, with the logs of its last epoch. */
  async get(id: string): Promise<Entry & { logs?: Logs }> {
    const entry = this.#current(this.#need(id));
    const logs = this.#runs.get(id)?.logs ?? this.#store.epochs(id, entry.epoch - 1).at(-1)?.logs;
    return { ...entry, ...(logs && { logs }) };
  }

  /**
   * The logs of the epochs behind `after`, the last checkpoint's and later ones, and the state that the model is in. What `tell` has been
   * told by then is older.
   */
  async epochs(id: string, after: number): Promise<{ epochs: EpochLogs[]; state: State }> {
    this.#flush();
    const { state } = this.#current(this.#need(id));
    const later = this.#runs.get(id)?.epochs.filter(({ epoch }) => epoch > after) ?? [];
    return { epochs: [...this.#store.epochs(id, after), ...later], state };
  }

  async cancel(id: string): Promise<Entry> {
    const { state } = this.#need(id);
    if (state !== "queued" && state !== "training")
      throw wrongState(`expected a training that is queued or under way, got one that is ${state}`);
    await this.#end(id);
    const ended = await this.get(id);
    if (ended.state === "cancelled") return ended;
    throw wrongState(`expected a training that is queued or under way, got one that is ${ended.state} by now`);
  }

  async remove(id: string): Promise<void> {
    const { state } = this.#need(id);
    if (state === "queued" || state === "training") await this.#end(id);
    this.#store.remove(id);
    this.#emit({ id, state: undefined });
  }

  /** The .safetensors file of a model that has been trained. */
  async file(id: string): Promise<Uint8Array> {
    const { state, error } = this.#need(id);
    const bytes = this.#store.file(id, "model");
    if (!bytes)
      throw wrongState(`expected a model that is trained, got one that is ${state}${error ? ` (${error})` : ""}`);
    return bytes;
  }

  /** Figures for metrics. */
  async figures() {
    return { states: this.#counts(), finished: { ...this.#finished }, epochs: this.#epochs };
  }

  /**
   * Ends trainings with a checkpoint of the last epoch that ends in time, and closes the database. Nothing may be called
   * afterwards.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    for (const [id, run] of this.#runs) this.#uncount(id, run);
    const runs = [...this.#runs.values()];
    const late = setTimeout(() => {
      for (const { abort } of runs) abort.abort(new Ending("queued", "late"));
    }, this.config.stop);
    await Promise.all(runs.map(({ done }) => done));
    clearTimeout(late);
    this.#flush();
    this.#store.close();
  }

  get #free(): boolean {
    return this.#runs.size < this.config.trainings;
  }

  #need(id: string): Entry {
    const entry = this.#store.get(id);
    if (!entry) throw notFound(id);
    return entry;
  }

  /** An entry as it is now: ahead of the last checkpoint, or, where it was under way in a process before, queued. */
  #current<T extends Pick<Entry, "id" | "epoch" | "state">>(entry: T): T {
    const run = this.#runs.get(entry.id);
    const state = entry.state === "training" && !run ? "queued" : entry.state;
    return { ...entry, state, epoch: run?.epoch ?? entry.epoch };
  }

  #counts(): Record<State, number> {
    const counts = this.#store.counts();
    const waiting = Math.max(0, counts.training - this.#runs.size);
    return { ...counts, queued: counts.queued + waiting, training: counts.training - waiting };
  }

  #emit(event: Event): void {
    this.#events.push(event);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#events.length) this.tell(this.#events);
    this.#events = [];
  }

  /** Starts what has waited longest, as long as there is room. */
  #next(): void {
    try {
      for (const { id, crashes } of this.#store.unfinished(this.config.trainings)) {
        if (this.#stopping || !this.#free) return;
        if (this.#runs.has(id)) continue;
        if (crashes >= this.config.maxCrashes) {
          this.#finish(id, "failed", this.#need(id).seconds, [], { error: crashed(crashes) });
          this.#next();
          return;
        }
        const alone = crashes > 1 || [...this.#runs.values()].some(({ suspect }) => suspect);
        if (alone && this.#runs.size > 0) return;
        this.#run(id);
      }
    } catch (error) {
      this.#later(error as Error);
    }
  }

  /** The disk does not take what is to be written: trainings go on when it does. */
  #later(error: Error): void {
    console.error(`trainings wait: ${error.message}`);
    if (this.#stopping) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#next(), RETRY);
  }

  /** What may happen to a training from here on is no crash of its. */
  #uncount(id: string, run: Run): void {
    if (!run.counted) return;
    run.counted = false;
    try {
      this.#store.countCrash(id, -1);
    } catch (error) {
      console.error(`training ${id}: ${(error as Error).message}`);
    }
  }

  /** Cancels what is queued or under way. */
  async #end(id: string): Promise<void> {
    const run = this.#runs.get(id);
    if (!run) return this.#finish(id, "cancelled", this.#need(id).seconds, [], {});
    run.abort.abort(new Ending("cancelled", "cancelled"));
    await run.done;
  }

  #finish(id: string, state: State, seconds: number, epochs: EpochLogs[], how: Parameters<Store["finish"]>[4]): void {
    this.#store.finish(id, state, seconds, epochs, how);
    this.#finished[state]++;
    this.#emit({ id, state });
  }

  #run(id: string): void {
    const entry = this.#store.get(id)!;
    if (entry.state !== "training") this.#store.setState(id, "training");
    const run: Run = {
      abort: new AbortController(),
      done: Promise.resolve(),
      epochs: [],
      epoch: entry.epoch,
      logs: undefined,
      suspect: entry.crashes > 1,
      counted: false,
    };
    this.#runs.set(id, run);
    this.#emit({ id, state: "training" });
    const begin = performance.now();
    const seconds = () => entry.seconds + (performance.now() - begin) / 1000;
    const { signal } = run.abort;
    let waits: Error | undefined;
    run.done = this.#train(entry, run, seconds)
      .catch((error: Error) => {
        const why = error instanceof Ending ? error : signal.reason instanceof Ending ? signal.reason : undefined;
        if (why?.state === "queued") return; // the next start goes on
        if (error instanceof ServiceError) throw error;
        const how = why?.state === "cancelled" ? {} : { error: error.message };
        this.#finish(id, why?.state ?? "failed", seconds(), run.epochs, how);
      })
      .catch((error: Error) => {
        waits = error;
        this.#uncount(id, run);
        this.#emit({ id, state: "queued" });
      })
      .finally(() => {
        this.#runs.delete(id);
        if (waits) this.#later(waits);
        else this.#next();
      });
  }

  async #train(entry: Entry, run: Run, seconds: () => number): Promise<void> {
    const { id, spec, facts } = entry;
    const { epochs, batchSize, validationSplit, earlyStopping: stopping, maxSeconds } = spec;
    const { signal } = run.abort;
    const store = this.#store;
    const checkpoint = store.file(id, "checkpoint");
    const model = checkpoint ? await loadModel(checkpoint) : buildModel(spec, facts);
    if (!checkpoint) compileModel(model as ReturnType<typeof buildModel>, spec, facts);
    const initialEpoch = model.epoch;
    run.epoch = initialEpoch;
    const remote = await inWorker(model).finally(() => model.dispose());
    const left = Math.max(0, maxSeconds - seconds());
    const limit = setTimeout(
      () =>
        run.abort.abort(new Ending("failed", `expected a training of at most ${maxSeconds} seconds, got a longer one`)),
      Math.min(left * 1000, LONGEST),
    );
    const save = async () => {
      const bytes = await remote.saveModel();
      store.checkpoint(id, bytes, seconds(), run.epochs, run.counted ? 1 : 0);
      run.epochs = [];
      if (!run.suspect) return;
      run.suspect = false;
      this.#next();
    };
    // who has crashed before is checkpointed as soon as there is something
    let saved = entry.crashes > 0 ? Number.NEGATIVE_INFINITY : performance.now();
    let cost = 0;
    try {
      if (!this.#stopping) {
        store.countCrash(id, 1);
        run.counted = true;
      }
      await remote.fit(transfer(tableOf(entry, store)), {
        epochs,
        initialEpoch,
        batchSize,
        validationSplit,
        signal,
        callbacks: [
          ...(stopping ? [earlyStopping(stopping)] : []),
          {
            onEpochEnd: async (index, given) => {
              const epoch = index + 1;
              const logs = { ...given } as Logs;
              run.epochs.push({ epoch, logs });
              Object.assign(run, { epoch, logs });
              this.#epochs++;
              this.#emit({ id, epoch, logs });
              const begin = performance.now();
              const due = Math.max(this.config.checkpoint * 1000, cost / CHECKPOINT_SHARE);
              if (!this.#stopping && begin - saved < due) return;
              try {
                await save();
              } catch (error) {
                if (!(error instanceof ServiceError)) throw error;
                console.error(`training ${id}: ${error.message}`); // it goes on, and the next checkpoint may be taken
              }
              saved = performance.now();
              cost = saved - begin;
              if (this.#stopping) throw new Ending("queued", "stopped");
            },
          },
        ],
      });
      clearTimeout(limit);
      const weights = (await remote.getWeights()) as Record<string, NDArray>;
      const file = await finalFile(spec, facts, weights);
      const weightsHash = await remote.weightsHash();
      signal.throwIfAborted();
      this.#finish(id, "trained", seconds(), run.epochs, { model: file, weightsHash });
    } finally {
      clearTimeout(limit);
      await remote.terminate();
    }
  }
}

const crashed = (times: number) =>
  `expected a training that comes to a checkpoint, got ${times} ends of the service's process before`;

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** What a training is given, as the database has it. */
function tableOf({ id, facts }: Entry, store: Store): { x: NDArray; y: NDArray<Float32Array> | NDArray<Int32Array> } {
  const rows = facts.rows.training + facts.rows.validation;
  const x = new Float32Array(store.file(id, "x")!.slice().buffer);
  const y = store.file(id, "y")!.slice().buffer;
  return {
    x: { data: x, shape: [rows, facts.width] },
    y: facts.classes ? { data: new Int32Array(y), shape: [rows] } : { data: new Float32Array(y), shape: [rows, 1] },
  };
}
