// A model's parameters and moving statistics: by `layer/parameter`, and as blocks.

import type { NDArray } from "../ndarray";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

/** Arrays by `layer/parameter`. */
export type Weights = Record<string, NDArray>;

/** Where an entry lies among the weights in force, or in a copy of the parameters, and the statistics behind them, at `base`. */
const addressIn = (base: number, { structure, parameters, statistics }: ModelState, { spec, offset }: Entry): number =>
  offset * 4 + (!spec.statistic ? base : base === parameters ? statistics : base + structure.parameterFloats * 4);

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
  const { heap } = state.runtime;
  const { parameterFloats, statisticFloats } = state.structure;
  const at = heap.allocate((parameterFloats + statisticFloats) * 4, who);
  const behind = at + parameterFloats * 4;
  return {
    at,
    take() {
      heap.copy(state.mean, at, parameterFloats);
      heap.copy(state.statistics, behind, statisticFloats);
    },
    restore() {
      heap.copy(at, state.parameters, parameterFloats);
      heap.copy(behind, state.statistics, statisticFloats);
    },
    free: () => heap.free(at),
  };
}
