// The thread team: workers that walk the same tape over one shared memory (assembly/team.ts). Rank 0 is the caller.
//
// A call cannot hang: at a barrier the leader waits for its patience, then comes back `stalled`. An asynchronous caller
// lets the event loop tell it whether a worker has died, and waits on; a synchronous one cannot see that, so it waits
// for a bound and then gives the team up.

import { mayBlock, startWorker } from "#platform";
import { Status, Team as Word } from "../../assembly/isa";
import { DownhillError } from "../errors";
import type { Core } from "./core";
import type { Memory } from "./memory";
import type { WorkerHandle } from "./platform/worker";
import { turn } from "./turn";

/** How long the leader sleeps at a barrier before it looks up, in milliseconds. */
const PATIENCE = 40;

/** How long a synchronous call waits at one barrier, beyond any instruction's own time, in milliseconds. */
const BOUND = 2000;

/** How long workers have to start, in milliseconds. */
const START_BOUND = 20_000;

export class Team {
  /** Why the team is dead, once it is. */
  failure: DownhillError | undefined;
  readonly #workers: WorkerHandle[];
  #ending = false;

  private constructor(
    readonly threads: number,
    readonly core: Core,
    readonly memory: Memory,
    readonly address: number,
    workers: WorkerHandle[],
  ) {
    this.#workers = workers;
  }

  /** Starts `threads` − 1 workers; rejects with `worker` where they cannot be started. */
  static async start(
    threads: number,
    module: WebAssembly.Module,
    core: Core,
    memory: Memory,
    workerUrl?: string,
  ): Promise<Team> {
    const address = memory.allocate(Word.words * 4, "init");
    memory.clear(address, Word.words * 4);
    memory.u32[(address >>> 2) + Word.patience] = mayBlock ? PATIENCE : 0;
    const { default: source } = await import("./worker");
    const workers: WorkerHandle[] = [];
    const team = new Team(threads, core, memory, address, workers);
    try {
      await Promise.all(
        Array.from({ length: threads - 1 }, (_, i) => {
          const worker = startWorker(source, workerUrl);
          workers.push(worker);
          return team.#ready(worker, i + 1, module);
        }),
      );
    } catch (error) {
      team.end();
      throw error;
    }
    return team;
  }

  #ready(worker: WorkerHandle, ith: number, module: WebAssembly.Module): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => fail("it did not start in time"), START_BOUND);
      const fail = (why: string) => {
        clearTimeout(late);
        const error = new DownhillError("worker", `worker ${ith} of the thread team died: ${why}`);
        this.poison(error);
        reject(error);
      };
      worker.listen((message) => {
        if (message !== "ready") return fail(String(message));
        clearTimeout(late);
        resolve();
      }, fail);
      try {
        const memory = this.memory.raw;
        worker.post({ module, memory, team: this.address, ith, nth: this.threads });
      } catch (cause) {
        fail(`the shared memory could not be sent to it (${cause})`);
      }
    });
  }

  /** Ends the team: whoever waits is woken, whoever calls gets `error`. */
  poison(error: DownhillError): void {
    if (this.#ending || this.failure) return;
    this.failure = error;
    this.#wake();
  }

  #wake(): void {
    const words = this.memory.i32;
    const base = this.address >>> 2;
    Atomics.store(words, base + Word.poison, 1);
    Atomics.notify(words, base + Word.generation);
    Atomics.notify(words, base + Word.start);
  }

  /** Stops the workers. */
  end(): void {
    this.#ending = true;
    this.#wake();
    for (const worker of this.#workers) worker.terminate();
  }

  #check(): void {
    if (this.failure) throw this.failure;
  }

  #finished(status: Status): Status {
    if (status === Status.poisoned) {
      this.poison(new DownhillError("worker", "a worker of the thread team died"));
      throw this.failure;
    }
    return status;
  }

  #giveUp(): never {
    this.poison(new DownhillError("worker", "a worker of the thread team does not answer"));
    throw this.failure;
  }

  /** Runs instructions on the team and returns when all are done. `bound`: their own time, estimated, in milliseconds. */
  run(from: number, to: number, bound: number): Status {
    this.#check();
    let status = this.core.lead(this.address, from, to, this.threads);
    // waits are counted, not read off the clock: a machine that stood still for a while has killed nobody
    for (let left = waits(bound); status === Status.stalled; left--) {
      if (left === 0) this.#giveUp();
      const before = this.#generation();
      status = this.core.resume(this.address, this.threads);
      if (before !== this.#generation()) left = waits(bound);
    }
    return this.#finished(status);
  }

  #generation(): number {
    return Atomics.load(this.memory.i32, (this.address >>> 2) + Word.generation);
  }

  /** The same; while a barrier keeps the leader waiting, the event loop runs, and tells if a worker has died. */
  async runAsync(from: number, to: number): Promise<Status> {
    this.#check();
    let status = this.core.lead(this.address, from, to, this.threads);
    while (status === Status.stalled) {
      await turn();
      this.#check();
      status = this.core.resume(this.address, this.threads);
    }
    return this.#finished(status);
  }
}

/** Waits of PATIENCE that a synchronous call has at one barrier. */
const waits = (bound: number) => Math.ceil((BOUND + bound) / PATIENCE);
