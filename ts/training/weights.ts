// A model's parameters and moving statistics, by `layer/parameter`.

import type { NDArray } from "../ndarray";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

export type Weights = Record<string, NDArray>;

/** Where an entry lies in memory. */
const addressIn = (state: ModelState, entry: Entry): number =>
  (entry.spec.statistic ? state.statistics : state.parameters) + entry.offset * 4;

/** Copies of all of them. */
export function copyWeights(state: ModelState): Weights {
  const weights: Weights = {};
  for (const layer of state.structure.layers)
    for (const entry of layer.entries)
      weights[entry.key] = {
        data: state.runtime.heap.readFloats(addressIn(state, entry), entry.size),
        shape: [...entry.shape],
      };
  return weights;
}

/** Puts numbers for all of them in force. */
export function putWeights(state: ModelState, weights: Record<string, { data: ArrayLike<number> }>): void {
  const { parameters, statistics } = state.structure;
  for (const entry of [...parameters, ...statistics])
    state.runtime.heap.f32.set(weights[entry.key]!.data, addressIn(state, entry) >>> 2);
}
