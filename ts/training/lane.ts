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
  #arena = 0;
  #arenaBytes = 0;
  #staging = 0;
  #stagingBytes = 0;
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
    const reportBytes = (REPORT_HEAD + reportEntries * 4) * 4;
    this.state = heap.allocate(stateBytes + reportBytes, name);
    this.report = this.state + stateBytes;
    heap.clear(this.state, stateBytes + reportBytes);
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
    return this.#arenaBytes;
  }

  /** Makes the arena at least that large, for `who`. Its content does not outlive a run. */
  reserve(bytes: number, who = this.name): void {
    if (bytes <= this.#arenaBytes) return;
    const { heap } = this.runtime;
    heap.free(this.#arena);
    this.#arena = this.#arenaBytes = 0;
    this.changes++; // where the next line throws, programs have no arena until they are asked for again
    this.#arena = heap.allocate(bytes, who);
    this.#arenaBytes = bytes;
    this.set(State.arena, this.#arena);
  }

  /** A place of at least that many bytes for batches on their way in. */
  stage(bytes: number): number {
    if (bytes > this.#stagingBytes) {
      const { heap } = this.runtime;
      heap.free(this.#staging);
      this.#staging = this.#stagingBytes = 0; // where the next line throws, the place may soon be another's
      this.#staging = heap.allocate(bytes, this.name);
      this.#stagingBytes = bytes;
    }
    return this.#staging;
  }

  /** The program of that key, made if it is not there. */
  program(key: string, make: () => Program): Program {
    let program = this.#programs.get(key);
    if (program) this.#programs.delete(key);
    else {
      program = make();
      this.changes++;
      for (const [old, { tape }] of this.#programs) {
        if (this.#programs.size < PROGRAMS) break;
        this.runtime.heap.free(tape);
        this.#programs.delete(old);
      }
    }
    this.#programs.set(key, program);
    this.reserve(program.arenaBytes);
    return program;
  }

  /** Forgets its programs: what they were built for has changed. */
  forget(): void {
    this.changes++;
    for (const { tape } of this.#programs.values()) this.runtime.heap.free(tape);
    this.#programs.clear();
  }

  free(): void {
    this.forget();
    for (const region of [this.#arena, this.#staging, this.state]) this.runtime.heap.free(region);
  }
}
