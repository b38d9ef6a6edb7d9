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
const addressIn = ({ parameters, statistics }: Blocks, { spec, offset }: Entry): number =>
  (spec.statistic ? statistics : parameters) + offset * 4;

/** Copies of the numbers of all parameters and statistics, or of `entries`: of those in force or of those in `from`. */
export const copyWeights = (
  state: ModelState,
  from: Blocks = state,
  entries: readonly Entry[] = state.structure.entries,
): Weights =>
  Object.fromEntries(
    entries.map((entry) => [
      entry.key,
      { data: state.runtime.heap.readFloats(addressIn(from, entry), entry.size), shape: [...entry.shape] },
    ]),
  );

/** Puts the numbers that `weights` has in force, or into `to`. */
export function putWeights(
  state: ModelState,
  weights: Readonly<Record<string, { data: ArrayLike<number> }>>,
  to: Blocks = state,
): void {
  for (const entry of state.structure.entries)
    if (weights[entry.key]) state.runtime.heap.f32.set(weights[entry.key]!.data, addressIn(to, entry) >>> 2);
}

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
