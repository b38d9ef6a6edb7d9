// The thread team: workers that walk the same tape over one shared memory (assembly/team.ts). Rank 0 is the caller.
//
// A call cannot hang: at a barrier the leader waits for its patience, then comes back `stalled`. An asynchronous caller
// lets the event loop have its turn, which tells it whether a worker has died, and waits on; a synchronous one cannot see
// that, so it waits for a bound and then gives the team up. Waits are counted, not read off the clock: a machine that
// stood still for a while has killed nobody.
//
// The team runs one range at a time. While an asynchronous one is in flight, whoever calls the team next, or reads what it
// writes, has to `settle` it first.

import { cores, mayBlock, startWorker } from "#platform";
import { Status, Team as Word } from "../../assembly/isa";
import { DownhillError } from "../errors";
import type { Core } from "./core";
import type { Memory } from "./memory";
import type { WorkerHandle } from "./platform/worker";
import { turn } from "./turn";

/** How long the leader waits at a barrier before it looks up, in milliseconds; where it may not sleep, it spins. */
const PATIENCE = mayBlock ? 40 : 1;

/**
 * Looks at a word before a rank sleeps. It takes 12 to 100 µs to wake one, so with a core for each rank they look for 130 µs:
 * what lies between two shares of a step is shorter. Where ranks share cores, who waits has to make room.
 */
const LOOKS = 400_000;
const LOOKS_OF_MANY = 5_000;

/** How long a call waits at one barrier, beyond any instruction's own time, in milliseconds. */
const BOUND = 2000;

/** How long workers have to start, in milliseconds. */
const START_BOUND = 20_000;

/** An asynchronous run that has not ended. */
interface Flight {
  status: Status;
  bound: number;
  landed: ((status: Status) => void) | undefined;
}

export class Team {
  /** Why the team is dead, once it is. */
  failure: DownhillError | undefined;
  readonly #workers: WorkerHandle[];
  #flight: Flight | undefined;

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
    memory.u32[(address >>> 2) + Word.looks] = threads > cores() ? LOOKS_OF_MANY : LOOKS;
    const { default: sourceFor } = await import("./worker");
    const source = sourceFor(Word.start, Word.poison, Word.generation);
    const workers: WorkerHandle[] = [];
    const team = new Team(threads, core, memory, address, workers);
    try {
      const starts = Array.from({ length: threads - 1 }, () => startWorker(source, workerUrl));
      for (const start of await Promise.allSettled(starts)) if (start.status === "fulfilled") workers.push(start.value);
      await Promise.all(starts); // if one has failed, the others are stopped
      await Promise.all(workers.map((worker, i) => team.#ready(worker, i + 1, module)));
    } catch (error) {
      team.#stop();
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

  /** Ends the team for `error`: whoever waits is woken, whoever calls gets it. */
  poison(error: DownhillError): void {
    if (this.failure) return;
    this.failure = error;
    this.#stop();
  }

  /** Stops the workers. */
  end(): void {
    this.poison(new DownhillError("state", "the runtime has been disposed"));
  }

  #stop(): void {
    const words = this.memory.i32;
    const base = this.address >>> 2;
    Atomics.store(words, base + Word.poison, 1);
    Atomics.notify(words, base + Word.generation);
    Atomics.notify(words, base + Word.start);
    for (const worker of this.#workers) worker.terminate();
  }

  #check(): void {
    if (this.failure) throw this.failure;
  }

  /** Calls the core; a trap of rank 0 leaves the others at a barrier for ever. */
  #call(run: () => Status): Status {
    let status: Status;
    try {
      status = run();
    } catch (cause) {
      this.poison(new DownhillError("worker", "the calling thread of the team died", { cause }));
      return Status.poisoned;
    }
    if (status === Status.poisoned) this.poison(new DownhillError("worker", "a worker of the thread team died"));
    return status;
  }

  #lead(from: number, to: number): Status {
    this.#check();
    return this.#call(() => this.core.lead(this.address, from, to, this.threads));
  }

  #resume(): Status {
    return this.#call(() => this.core.resume(this.address, this.threads));
  }

  /** Waits for a stalled run to end, for `bound` at each barrier. */
  #wait(status: Status, bound: number): Status {
    for (let left = waits(bound); status === Status.stalled; left--) {
      if (left === 0) {
        this.poison(new DownhillError("worker", "a worker of the thread team does not answer"));
        return Status.poisoned;
      }
      const before = this.#generation();
      status = this.#resume();
      if (before !== this.#generation()) left = waits(bound);
    }
    return status;
  }

  #generation(): number {
    return Atomics.load(this.memory.i32, (this.address >>> 2) + Word.generation);
  }

  /** Runs instructions on the team and returns when all are done. `bound`: their own time, estimated, in milliseconds. */
  run(from: number, to: number, bound: number): Status {
    this.settle();
    const status = this.#wait(this.#lead(from, to), bound);
    this.#check();
    return status;
  }

  /**
   * The same; while a barrier keeps the leader waiting, the event loop runs. `landed` is called as soon as the run has
   * ended, whoever waited for it.
   */
  async runAsync(from: number, to: number, bound: number, landed?: (status: Status) => void): Promise<Status> {
    this.settle();
    const flight: Flight = { status: this.#lead(from, to), bound, landed };
    this.#flight = flight;
    let before = this.#generation();
    for (let left = turns(bound); flight.status === Status.stalled && !this.failure; left--) {
      if (left === 0) this.poison(new DownhillError("worker", "a worker of the thread team does not answer"));
      await turn();
      if (flight.status === Status.stalled && !this.failure) flight.status = this.#resume();
      if (before === this.#generation()) continue;
      before = this.#generation();
      left = turns(bound);
    }
    this.#land(flight);
    this.#check();
    return flight.status;
  }

  /** Waits for the run in flight, if there is one. A team that dies of it says so at the next call. */
  settle(): void {
    const flight = this.#flight;
    if (!flight) return;
    flight.status = this.#wait(flight.status, flight.bound);
    this.#land(flight);
  }

  #land(flight: Flight): void {
    if (this.#flight !== flight) return;
    this.#flight = undefined;
    if (!this.failure) flight.landed?.(flight.status);
  }
}

/** Waits of PATIENCE that a synchronous call has at one barrier. */
const waits = (bound: number) => Math.ceil((BOUND + bound) / PATIENCE);

/** The same where the event loop tells of workers that die: a last resort. */
const turns = (bound: number) => 10 * waits(bound);
