// Training of models side by side: each on a worker with a core of its own, which is sent the model's file, its data and
// its options, and sends back the trained file. A file carries all that training goes by (weights, optimizer, seed, stream,
// step), so where a model trains makes no difference.
//
// Samples go over as buffers of their own, not shared: each model has other rows, and its worker copies them into its own
// memory anyway. What cannot go to a worker (a type that only this thread knows, a platform without workers) trains here,
// one model after another.

import type { Batch } from "../data/sources";
import { DownhillError } from "../errors";
import type { NDArray } from "../ndarray";
import { History } from "../training/history";
import type { Model } from "../training/model";
import { encodeModel, restoreModel } from "../training/modelFile";
import { WorkerClient } from "../worker/client";
import { buffersIn } from "../worker/protocol";

/** A model to be trained. */
export interface Job {
  member: number;
  model: Model;
  /** Examples to train on; made when its turn comes. */
  data(): Batch;
  /** Options of `fit` but callbacks and signal; made when its turn comes. */
  options(): Record<string, unknown>;
  callbacks: readonly unknown[];
  /** Inputs to predict once it is trained. */
  inputs(): unknown;
}

export interface Trained {
  history: History;
  /** For the job's inputs. */
  prediction: unknown;
}

/** Trains all of them, `parallel` at a time; rejects only where `signal` is aborted. */
export async function trainAll(
  jobs: readonly Job[],
  parallel: number,
  signal: AbortSignal,
): Promise<({ trained: Trained } | { error: unknown })[]> {
  const results: ({ trained: Trained } | { error: unknown })[] = [];
  const clients = new Set<WorkerClient>();
  const stop = () => {
    for (const client of clients) client.terminate();
  };
  let next = 0;
  let warned = false;
  let turn: Promise<unknown> = Promise.resolve();
  const here = (job: Job, why: unknown): Promise<Trained> => {
    if (!warned) console.warn(`downhill: bagging trains on the calling thread (${(why as Error).message})`);
    warned = true;
    const trained = turn.then(() => trainHere(job, signal));
    turn = trained.catch(() => {});
    return trained;
  };

  async function work(): Promise<void> {
    let client: WorkerClient | undefined;
    for (let job = jobs[next++]; job && !signal.aborted; job = jobs[next++]) {
      try {
        let cannot: unknown;
        if (!client || client.ended) {
          client = undefined;
          try {
            client = await WorkerClient.start(job.model.state.runtime, 1);
            clients.add(client);
            signal.throwIfAborted();
          } catch (error) {
            signal.throwIfAborted();
            cannot = error;
          }
        }
        if (client) cannot = await refusal(client, job.model);
        const trained = await (client && !cannot ? trainThere(client, job, signal) : here(job, cannot));
        results[job.member] = { trained };
      } catch (error) {
        results[job.member] = { error };
      }
    }
  }

  signal.addEventListener("abort", stop);
  try {
    await Promise.all(Array.from({ length: Math.min(parallel, jobs.length) }, work));
    signal.throwIfAborted();
    return results;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Gives the worker the model; why it cannot have it, where that is so. */
async function refusal(client: WorkerClient, model: Model): Promise<unknown> {
  try {
    const bytes = encodeModel(model);
    await client.call("load", [bytes], { transfer: buffersIn(bytes) });
    return undefined;
  } catch (error) {
    const { code } = error as DownhillError;
    if (error instanceof DownhillError && code !== "argument" && code !== "format") throw error;
    return error;
  }
}

async function trainThere(client: WorkerClient, job: Job, signal: AbortSignal): Promise<Trained> {
  const { model, callbacks } = job;
  const data = job.data();
  const { state } = model;
  const before = state.learningRate;
  const { params, epochs } = (await client.call("fit", [data, job.options()], {
    signal,
    callbacks,
    model,
    transfer: buffersIn(data),
    afterHandler() {
      if (state.stopTraining) client.tell("set", "stopTraining", true);
      if (state.learningRate !== before) client.tell("set", "learningRate", state.learningRate);
      state.stopTraining = false;
      state.learningRate = before;
    },
  })) as History;
  const inputs = job.inputs();
  const prediction =
    inputs && (await client.call("method", ["predict", inputs], { signal, transfer: buffersIn(inputs) }));
  restoreModel(model as Model<never>, (await client.call("saveModel", [], { signal })) as Uint8Array);
  return { history: new History(params, epochs), prediction };
}

async function trainHere(job: Job, signal: AbortSignal): Promise<Trained> {
  signal.throwIfAborted();
  const { model } = job;
  const callbacks = job.callbacks as never;
  const history = await model.fit(job.data(), { ...job.options(), callbacks, signal });
  const inputs = job.inputs();
  return { history, prediction: inputs && model.predict(inputs as NDArray) };
}
