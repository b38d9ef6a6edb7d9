// A model's parameters and moving statistics: by `layer/parameter`, and as blocks.

import type { NDArray } from "../ndarray";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

export type Weights = Record<string, NDArray>;

/** Addresses of two blocks of a model's layout. */
interface Blocks {
  readonly parameters: number;
  readonly statistics: number;
}

/** Where an entry lies in memory. */
const addressIn = (blocks: Blocks, entry: Entry): number =>
  (entry.spec.statistic ? blocks.statistics : blocks.parameters) + entry.offset * 4;

/** Copies of entries' numbers at `address`. */
export const readEntries = (
  { runtime }: ModelState,
  entries: readonly Entry[],
  address: (entry: Entry) => number,
): Weights =>
  Object.fromEntries(
    entries.map((entry) => [
      entry.key,
      { data: runtime.heap.readFloats(address(entry), entry.size), shape: [...entry.shape] },
    ]),
  );

/** Puts the numbers that `weights` has for entries at `address`. */
export function writeEntries(
  { runtime }: ModelState,
  entries: readonly Entry[],
  weights: Readonly<Record<string, { data: ArrayLike<number> }>>,
  address: (entry: Entry) => number,
): void {
  for (const entry of entries)
    if (weights[entry.key]) runtime.heap.f32.set(weights[entry.key]!.data, address(entry) >>> 2);
}

/** Copies of all parameters and statistics, of those in force or of those in `from`. */
export const copyWeights = (state: ModelState, from: Blocks = state): Weights =>
  readEntries(state, state.structure.entries, (entry) => addressIn(from, entry));

/** Puts numbers for all of them in force, or into `to`. */
export const putWeights = (
  state: ModelState,
  weights: Record<string, { data: ArrayLike<number> }>,
  to: Blocks = state,
): void => writeEntries(state, state.structure.entries, weights, (entry) => addressIn(to, entry));

/** A copy of the parameters and statistics in linear memory, as blocks of their layout: taking it is one pass. */
export class Snapshot implements Blocks {
  readonly parameters: number;
  readonly statistics: number;

  /** @throws DownhillError `memory` */
  constructor(
    readonly state: ModelState,
    who: string,
  ) {
    const { parameterFloats, statisticFloats } = state.structure;
    this.parameters = state.runtime.heap.allocate((parameterFloats + statisticFloats) * 4, who);
    this.statistics = this.parameters + parameterFloats * 4;
  }

  /** Copies the weights in force. */
  take(): void {
    this.#copy(this.state, this);
  }

  /** Puts the copy in force. */
  restore(): void {
    this.#copy(this, this.state);
  }

  #copy(from: Blocks, to: Blocks): void {
    const { runtime, structure } = this.state;
    const { f32 } = runtime.heap;
    const copy = (a: number, b: number, floats: number) => f32.copyWithin(b >>> 2, a >>> 2, (a >>> 2) + floats);
    copy(from.parameters, to.parameters, structure.parameterFloats);
    copy(from.statistics, to.statistics, structure.statisticFloats);
  }

  free(): void {
    this.state.runtime.heap.free(this.parameters);
  }
}
