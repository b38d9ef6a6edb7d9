// The caller's side of a worker (protocol.ts).

import { startWorker } from "#platform";
import type { Batch, BatchSource } from "../data/sources";
import { DownhillError } from "../errors";
import { isObject } from "../options";
import { definitionOf, isBuilt } from "../registry";
import { loadModule } from "../runtime/core";
import type { WorkerHandle } from "../runtime/platform/worker";
import type { Runtime } from "../runtime/runtime";
import {
  type CallbackDefinition,
  type FitFigures,
  type FitPlan,
  HANDLERS,
  type StatefulCallback,
} from "../training/callbacks";
import type { Model } from "../training/model";
import {
  type CallbackEvent,
  type CallerCallback,
  compacted,
  type FromWorker,
  type Question,
  type SentError,
  type StartOptions,
  type Streamed,
  type ToWorker,
} from "./protocol";

/** How long a worker has to start, in milliseconds. */
const START_BOUND = 20_000;

/** What a call has beside its arguments. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Buffers among the arguments that go over to the worker. */
  transfer?: ArrayBuffer[];
  /** Of `fit`: callbacks, of which each runs where it can. */
  callbacks?: readonly unknown[];
  /** What callbacks that run here are given as the model. */
  model?: unknown;
  /** Called after each of their handlers; what it sends is done before training goes on. */
  afterHandler?: () => void;
  /** Data that stay here. */
  stream?: BatchSource | undefined;
}

interface Pending extends CallOptions {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  made: Map<number, StatefulCallback>;
  iterator?: AsyncIterator<Batch> | Iterator<Batch>;
  thrown?: unknown;
}

/** A worker that holds a model. */
export class WorkerClient {
  /** Why it can be called no more, once that is so. */
  ended: DownhillError | undefined;
  readonly #worker: WorkerHandle;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #alive: ReturnType<typeof setInterval> | undefined;

  private constructor(worker: WorkerHandle) {
    this.#worker = worker;
    worker.listen(
      (message) => void this.#take(message as FromWorker),
      (why) => this.#end(new DownhillError("worker", `the worker died: ${why}`)),
    );
  }

  /** A worker with a runtime of its own, like `runtime`; rejects with `worker` where none can be had. */
  static async start(runtime: Runtime, threads: number, workerUrl = runtime.workerUrl): Promise<WorkerClient> {
    const { fastMath, heap } = runtime;
    const [{ default: source }, module] = await Promise.all([
      import("#core/worker.js"),
      loadModule({ fastMath, shared: threads > 1 }),
    ]);
    let client: WorkerClient | undefined;
    try {
      client = new WorkerClient(await startWorker(source, workerUrl));
      const late = setTimeout(() => client!.#end(new DownhillError("worker", "it did not start in time")), START_BOUND);
      const options: StartOptions = { module, threads, fastMath, maxMemory: heap.max, workerUrl };
      await client.call("start", [options]).finally(() => clearTimeout(late));
      return client;
    } catch (cause) {
      client?.terminate();
      throw new DownhillError("worker", `no worker can be had: ${(cause as Error).message}`, { cause });
    }
  }

  /** Calls a method of host.ts. */
  call(method: string, args: unknown[], options: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (this.ended) throw this.ended;
      signal?.throwIfAborted();
      const call = this.#calls++;
      if (options.callbacks)
        args = [args[0], { ...(args[1] as object), callbacks: sentCallbacks(call, options.callbacks) }];
      try {
        this.#post({ call, method, args }, options.transfer);
      } catch (cause) {
        const name = method === "method" ? args[0] : method;
        const why = (cause as Error).message;
        throw new DownhillError("argument", `${name}: expected arguments that can be sent to a worker (${why})`, {
          cause,
        });
      }
      const abort = () => this.#post({ abort: call });
      signal?.addEventListener("abort", abort);
      const done = (settle: (value: never) => void) => (value: unknown) => {
        signal?.removeEventListener("abort", abort);
        this.#pending.delete(call);
        this.#watch();
        for (const callback of pending.made.values()) callback.close?.();
        settle(value as never);
      };
      const pending: Pending = { ...options, resolve: done(resolve), reject: done(reject), made: new Map() };
      this.#pending.set(call, pending);
      this.#watch();
    });
  }

  /** The same without an answer to wait for; nothing once the worker has ended. */
  tell(method: string, ...args: unknown[]): void {
    this.call(method, args).catch(() => {});
  }

  /** Ends the worker; calls that have no answer yet reject. */
  terminate(): void {
    this.#end(new DownhillError("state", "the worker has been terminated"));
  }

  #end(error: DownhillError): void {
    if (this.ended) return;
    this.ended = error;
    this.#worker.terminate();
    for (const pending of [...this.#pending.values()])
      pending.reject(pending.signal?.aborted ? pending.signal.reason : error);
  }

  #post(message: ToWorker, transfer?: ArrayBuffer[]): void {
    if (this.ended) return;
    const moved = new Set(transfer);
    const compact = compacted(message, moved);
    this.#worker.post(compact, [...moved]);
  }

  /** A worker keeps no process alive; a call that waits for an answer does. */
  #watch(): void {
    if (this.#pending.size) this.#alive ??= setInterval(() => {}, 1 << 30);
    else {
      clearInterval(this.#alive);
      this.#alive = undefined;
    }
  }

  async #take(message: FromWorker): Promise<void> {
    const pending = this.#pending.get(message.call);
    if (!pending) return;
    if ("value" in message) pending.resolve(message.value);
    else if ("thrown" in message) pending.reject(pending.thrown);
    else if ("error" in message)
      pending.reject(pending.signal?.aborted ? pending.signal.reason : errorOf(message.error));
    else {
      const { ask: reply, question } = message;
      try {
        const value = await answerTo(pending, question);
        if (reply !== undefined) this.#post({ reply, value });
      } catch (error) {
        pending.thrown = error;
        if (reply !== undefined) this.#post({ reply, thrown: true });
      }
    }
  }
}

async function answerTo(pending: Pending, question: Question): Promise<unknown> {
  if ("callback" in question) return runHandlers(pending, question.callback, question.events, question.figures);
  if ("close" in question) return pending.stream!.close?.();
  const { epoch, want } = question;
  if (want === "first") {
    const batches = pending.stream!.batches(epoch);
    pending.iterator =
      Symbol.asyncIterator in batches
        ? batches[Symbol.asyncIterator]()
        : (batches as Iterable<Batch>)[Symbol.iterator]();
  }
  if (want === "end") return void (await pending.iterator!.return?.());
  const { done, value } = await pending.iterator!.next();
  return done ? undefined : value;
}

async function runHandlers(
  pending: Pending,
  at: number,
  events: CallbackEvent[],
  figures: FitFigures,
): Promise<unknown> {
  let callback = pending.made.get(at);
  if (!callback) {
    const given = pending.callbacks![at];
    const plan: FitPlan = { ...figures, options: {}, together: undefined };
    callback = isBuilt("callback", given)
      ? definitionOf<CallbackDefinition>("callback", given).create(given, plan, pending.model as Model)
      : (given as StatefulCallback);
    pending.made.set(at, callback);
  }
  for (const { handler, args, time } of events) {
    if (isBuilt("callback", pending.callbacks![at])) callback.time = time;
    await (callback[handler as "onTrainBegin"] as ((...args: unknown[]) => unknown) | undefined)?.(
      ...args,
      pending.model,
    );
    pending.afterHandler?.();
  }
  return events[0]!.args.at(-1); // the logs, into which a callback may have written
}

/** What a call's list of callbacks is for the worker: what factories made goes over, all else stays here. */
const sentCallbacks = (call: number, callbacks: readonly unknown[]): unknown[] =>
  callbacks.map((given, at): unknown => {
    const isOfType = isBuilt("callback", given);
    const shows = isOfType && definitionOf<CallbackDefinition>("callback", given).shows === true;
    if (isOfType && !shows && !holdsFunction(given)) return given;
    const handlers = HANDLERS.filter(
      (handler) => isOfType || typeof (given as StatefulCallback)[handler] === "function",
    );
    return { type: "caller", call, at, handlers, shows } satisfies CallerCallback;
  });

const holdsFunction = (value: unknown): boolean =>
  typeof value === "function" ||
  (isObject(value) && !ArrayBuffer.isView(value) && Object.values(value).some(holdsFunction));

function errorOf({ name, code, message, stack, cause }: SentError): Error {
  const options = cause && { cause: errorOf(cause) };
  const error = code ? new DownhillError(code, message, options) : new Error(message, options);
  return Object.assign(error, { name, ...(stack && { stack }) });
}

/** In the place of data that stay here. */
export const streamed: Streamed = { streamed: true };
