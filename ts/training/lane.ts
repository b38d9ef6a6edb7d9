// A lane: what one kind of work of a model runs on. It has a state block, a report, an activation arena and a place where
// batches are put; training, evaluation and prediction have one each, so that they may take turns.

import { State } from "../../assembly/isa";
import { roundUp } from "../runtime/memory";
import type { Runtime } from "../runtime/runtime";
import type { Program } from "./program";

/** Programs that a lane keeps; the least recently used goes. */
const PROGRAMS = 8;

/** Floats of the report: the objective's head, then four for each loss, activity penalty and metric. */
export const REPORT_HEAD = 4;

export class Lane {
  readonly state: number;
  readonly report: number;
  readonly #arena = { at: 0 };
  readonly #staging = { at: 0 };
  readonly #programs = new Map<string, Program>();
  /** Counts programs made and dropped: what was found before still holds while it stays. */
  changes = 0;

  constructor(
    readonly runtime: Runtime,
    readonly name: string,
    reportEntries: number,
  ) {
    const { heap } = runtime;
    const stateBytes = roundUp(State.words * 4);
    const bytes = stateBytes + (REPORT_HEAD + reportEntries * 4) * 4;
    this.state = heap.allocate(bytes, name);
    this.report = this.state + stateBytes;
    heap.clear(this.state, bytes);
  }

  /** Sets a word of the state block. */
  set(word: State, value: number): void {
    this.runtime.heap.u32[(this.state >>> 2) + word] = value;
  }

  /** Sets a real of the state block. */
  setReal(word: State, value: number): void {
    this.runtime.heap.f32[(this.state >>> 2) + word] = value;
  }

  get(word: State): number {
    return this.runtime.heap.u32[(this.state >>> 2) + word]!;
  }

  /** A float of the report. */
  reported(index: number): number {
    return this.runtime.heap.f32[(this.report >>> 2) + index]!;
  }

  get arenaBytes(): number {
    return this.runtime.heap.sizeOf(this.#arena.at);
  }

  /** Makes the arena at least that large, for `who`. Its content does not outlive a run. */
  reserve(bytes: number, who = this.name): void {
    this.#fit(this.#arena, bytes, who);
    this.set(State.arena, this.#arena.at);
  }

  /** A place of at least that many bytes for batches on their way in. */
  stage(bytes: number): number {
    this.#fit(this.#staging, bytes, this.name);
    return this.#staging.at;
  }

  #fit(region: { at: number }, bytes: number, who: string): void {
    const { heap } = this.runtime;
    if (bytes <= heap.sizeOf(region.at)) return;
    heap.free(region.at);
    region.at = 0;
    this.changes++; // where the next line throws, the place may soon be another's: programs have none until they are asked for again
    region.at = heap.allocate(bytes, who);
  }

  /** The program of that key, made if it is not there. */
  program(key: string, make: () => Program): Program {
    let program = this.#programs.get(key);
    if (program) this.#programs.delete(key);
    else {
      program = make();
      this.forget(PROGRAMS - 1);
    }
    this.#programs.set(key, program);
    this.reserve(program.arenaBytes);
    return program;
  }

  /** Forgets its programs but the `left` ones used last. */
  forget(left = 0): void {
    this.changes++;
    for (const [key, { tape }] of this.#programs)
      if (this.#programs.size > left) {
        this.runtime.heap.free(tape);
        this.#programs.delete(key);
      }
  }

  free(): void {
    this.forget();
    this.runtime.heap.free(this.#arena.at, this.#staging.at, this.state);
  }
}
