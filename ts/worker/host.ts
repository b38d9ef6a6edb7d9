// What runs in a worker: one model, whose methods the caller calls by message (protocol.ts). build.worker.js makes one
// script of this file and all that it imports, loadModel's table of types included.

import { DownhillError, wrong } from "../errors";
import { enrollAll } from "../formats/model";
import { boolean, listOf, natural, text } from "../options";
import { enroll, factory } from "../registry";
import { type Runtime, runtimeOn } from "../runtime/runtime";
import type { CallbackDefinition } from "../training/callbacks";
import type { History } from "../training/history";
import type { Model } from "../training/model";
import { decodeModel, encodeModel } from "../training/modelFile";
import { weightsHash } from "../training/weightsHash";
import {
  buffersIn,
  type CallbackEvent,
  type CallerCallback,
  type FromWorker,
  type Question,
  type SentError,
  type StartOptions,
  type Streamed,
  type ToWorker,
} from "./protocol";

/** The way to the caller; the platform has put it there (startWorker). */
declare const port: {
  onmessage: (event: { data: ToWorker }) => void;
  postMessage(message: FromWorker, transfer?: ArrayBuffer[]): void;
};

/** How long events that nobody waits for are gathered, in milliseconds. */
const GATHER = 50;

let runtime: Runtime;
let loaded: Model | undefined;

function model(): Model {
  if (!loaded) throw wrong("state", "worker", "a model", "none");
  return loaded;
}

/** The user's own code, which runs with the caller, threw. */
class Thrown extends Error {}

let asked = 0;
const open = new Map<number, { resolve(value: unknown): void; reject(error: Thrown): void }>();

function ask(call: number, question: Question): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const number = asked++;
    open.set(number, { resolve, reject });
    port.postMessage({ call, ask: number, question });
  });
}

/** Callbacks that stay with the caller. */
const caller = factory<[CallerCallback], CallbackDefinition<CallerCallback>>("callback", {
  type: "caller",
  options: () => ({ call: natural(), at: natural(), handlers: listOf(text()), shows: boolean() }),
  create({ call, at, handlers, shows }, { epochs, initialEpoch, steps, batchSize, examples, monitors }) {
    const figures = { epochs, initialEpoch, steps, batchSize, examples, monitors };
    let events: CallbackEvent[] = [];
    let sent = performance.now();
    const tell = (handler: string, args: unknown[]): unknown => {
      const time = performance.now();
      const event = { handler, args: args.slice(0, -1), time }; // without the model
      // what a callback writes into the logs, later ones and the history have
      if (!shows)
        return ask(call, { callback: at, events: [event], figures }).then((logs) => Object.assign(args.at(-2)!, logs));
      events.push(event);
      if (handler.startsWith("onBatch") && time - sent < GATHER) return;
      port.postMessage({ call, ask: undefined, question: { callback: at, events, figures } });
      events = [];
      sent = time;
      return;
    };
    return Object.fromEntries(handlers.map((handler) => [handler, (...args: unknown[]) => tell(handler, args)]));
  },
});

/** The caller's batches in the place of data. */
const streamOf = (call: number) => ({
  arrays: () => ({
    batches: (epoch: number) => batches(call, epoch),
    close: () => ask(call, { close: true }),
  }),
});

async function* batches(call: number, epoch: number): AsyncGenerator<unknown> {
  let ended = false;
  try {
    for (let want: "first" | "next" = "first"; ; want = "next") {
      const batch = await ask(call, { epoch, want });
      ended = batch === undefined;
      if (ended) return;
      yield batch;
    }
  } finally {
    if (!ended) await ask(call, { epoch, want: "end" });
  }
}

const aborts = new Map<number, AbortController>();

/** `fit` or `evaluate` with what stays with the caller put in its place. */
async function long(call: number, method: "fit" | "evaluate", data: unknown, options: unknown): Promise<unknown> {
  const abort = new AbortController();
  aborts.set(call, abort);
  const given = (data as Partial<Streamed> | null)?.streamed === true ? streamOf(call) : data;
  try {
    return await model()[method](given as never, { ...(options as object), signal: abort.signal } as never);
  } finally {
    aborts.delete(call);
  }
}

const methods: Record<string, (call: number, ...args: never[]) => unknown> = {
  async start(_, { module, threads, fastMath, maxMemory, workerUrl }: StartOptions) {
    // what was relative to the page is relative to this script here
    runtime = await runtimeOn(module, threads, fastMath, maxMemory, workerUrl && globalThis.location?.href);
    enrollAll();
    enroll(caller);
  },
  async load(_, bytes: Uint8Array) {
    loaded?.dispose();
    loaded = undefined;
    loaded = decodeModel(bytes, runtime);
  },
  async fit(call, data, options) {
    const { params, epochs } = (await long(call, "fit", data, options)) as History;
    return { params, epochs };
  },
  evaluate: (call, data, options) => long(call, "evaluate", data, options),
  get: (_, name: keyof Model) => model()[name],
  set(_, name: "learningRate" | "stopTraining", value: never) {
    model()[name] = value;
  },
  trainable(_, name: string, trainable: boolean) {
    model().getLayer(name).trainable = trainable;
  },
  layers: () => model().layers.map(({ name, type, trainable }) => ({ name, type, trainable })),
  saveModel: () => encodeModel(model()),
  weightsHash: () => weightsHash(model()),
  /** Any other method of the model's. */
  method: (_, name: string, ...args) => {
    const method: unknown = model()[name as keyof Model];
    if (typeof method !== "function") throw wrong("argument", "worker", "a method of a model", name);
    return method.apply(model(), args);
  },
};

function sentError(error: unknown, depth = 4): SentError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack, cause } = error;
  const code = error instanceof DownhillError ? error.code : undefined;
  return { name, code, message, stack, cause: cause && depth ? sentError(cause, depth - 1) : undefined };
}

async function answer(call: number, method: string, args: unknown[]): Promise<void> {
  try {
    const value = await methods[method]!(call, ...(args as never[]));
    port.postMessage({ call, value }, buffersIn(value));
  } catch (error) {
    port.postMessage(error instanceof Thrown ? { call, thrown: true } : { call, error: sentError(error) });
  }
}

port.onmessage = ({ data }) => {
  if ("reply" in data) {
    const { resolve, reject } = open.get(data.reply)!;
    open.delete(data.reply);
    if (data.thrown) reject(new Thrown());
    else resolve(data.value);
  } else if ("abort" in data) aborts.get(data.abort)?.abort();
  else void answer(data.call, data.method, data.args);
};
