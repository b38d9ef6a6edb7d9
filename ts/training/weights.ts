// A model's parameters and moving statistics, by `layer/parameter`.

import type { NDArray } from "../ndarray";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

export type Weights = Record<string, NDArray>;

/** Where an entry lies in memory. */
const addressIn = (state: ModelState, entry: Entry): number =>
  (entry.spec.statistic ? state.statistics : state.parameters) + entry.offset * 4;

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

/** Copies of all parameters and statistics. */
export const copyWeights = (state: ModelState): Weights =>
  readEntries(state, state.structure.entries, (entry) => addressIn(state, entry));

/** Puts numbers for all of them in force. */
export const putWeights = (state: ModelState, weights: Record<string, { data: ArrayLike<number> }>): void =>
  writeEntries(state, state.structure.entries, weights, (entry) => addressIn(state, entry));
