// A model's parameters and moving statistics: by `layer/parameter`, and as blocks.

import type { NDArray } from "../ndarray";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

export type Weights = Record<string, NDArray>;

/** Where an entry lies in a copy of the parameters, and the statistics behind them, that begins at `base`. */
const addressIn = (base: number, { structure }: ModelState, { spec, offset }: Entry): number =>
  base + (offset + (spec.statistic ? structure.parameterFloats : 0)) * 4;

/** Copies of the numbers of all parameters and statistics, or of `entries`: of those in force or of those at `from`. */
export const copyWeights = (
  state: ModelState,
  from = state.parameters,
  entries: readonly Entry[] = state.structure.entries,
): Weights =>
  Object.fromEntries(
    entries.map((entry) => [
      entry.key,
      {
        data: state.runtime.heap.readFloats(addressIn(from, state, entry), entry.size),
        shape: [...entry.shape],
      },
    ]),
  );

/** Puts the numbers that `weights` has in force, or where they belong at `to`. */
export function putWeights(
  state: ModelState,
  weights: Readonly<Record<string, { data: ArrayLike<number> }>>,
  to = state.parameters,
): void {
  for (const entry of state.structure.entries)
    if (weights[entry.key]) state.runtime.heap.f32.set(weights[entry.key]!.data, addressIn(to, state, entry) >>> 2);
}

/** Puts the last weights in force again, where a callback has set them aside. */
export function goOn(state: ModelState): void {
  if (state.lastWeights) putWeights(state, state.lastWeights);
  state.lastWeights = undefined;
}

/** A place for a copy of the parameters and statistics in linear memory: taking it is one pass. */
export interface Snapshot {
  readonly at: number;
  /** Copies the weights that evaluation runs at. */
  take(): void;
  /** Puts the copy in force. */
  restore(): void;
  free(): void;
}

/** @throws DownhillError `memory` */
export function snapshotOf(state: ModelState, who: string): Snapshot {
  const { parameters, statistics, runtime, structure } = state;
  const { heap } = runtime;
  const bytes = statistics - parameters + structure.statisticFloats * 4;
  const at = heap.allocate(bytes, who);
  const copy = (from: number, to: number, size = bytes) => {
    heap.u8.copyWithin(to, from, from + size);
  };
  return {
    at,
    take() {
      copy(parameters, at);
      copy(state.mean, at, statistics - parameters);
    },
    restore: () => copy(at, parameters),
    free: () => heap.free(at),
  };
}
