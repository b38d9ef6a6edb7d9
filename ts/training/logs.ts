// What a step or an epoch reports.

import { type Lane, REPORT_HEAD } from "./lane";
import type { Compiled, ModelState } from "./state";

/** Named figures: `loss`, `dataLoss`, `penalty`, metrics, and after an epoch the same of the validation data (`valLoss`, …). */
export type Logs = {
  /** `dataLoss` + `penalty`. */
  loss: number;
  /** The losses, times their weights. */
  dataLoss: number;
  /** Of weights and activities. */
  penalty: number;
} & Record<string, number>;

/** `figure(i)`: of the report's i-th entry, losses first, then activity penalties, then metrics; `sums`, which begin at `from`, are all of it. */
function logsOf(
  { losses, lossWeights, activities, metrics }: Compiled,
  loss: number,
  dataLoss: number,
  penalty: number,
  figure: (i: number) => number,
  sums: Float32Array | Float64Array,
  from = 0,
): Logs {
  const logs: Logs = { loss, dataLoss, penalty };
  if (losses.length > 1) for (let i = 0; i < losses.length; i++) logs[`${losses[i]!.name}Loss`] = figure(i);
  const first = lossWeights.length + activities;
  for (let i = 0; i < metrics.length; i++) {
    const { name, definition, config, at, entries } = metrics[i]!;
    const begin = from + entryOf(first + at);
    logs[name] = definition.result?.(sums.subarray(begin, begin + 4 * entries), config) ?? figure(first + at);
  }
  return logs;
}

/** Where the i-th entry lies in the report. */
const entryOf = (i: number): number => REPORT_HEAD + 4 * i;

/** Sums reports of batches into means over all their examples. Nothing is allocated by batch. */
export class Accumulator {
  readonly #compiled: Compiled;
  readonly #weights: readonly number[];
  /** Of the reports, float by float: of an entry Σ value is the second and Σ count the third. */
  readonly #sums: Float64Array;
  /** Of the weights' penalties, times rows. */
  #penalties = 0;
  #rows = 0;

  /** `weights`: of the means that make up the data loss. */
  constructor({ compiled }: ModelState, weights = compiled!.lossWeights) {
    this.#compiled = compiled!;
    this.#weights = weights;
    const { lossWeights, activities, entries } = this.#compiled;
    this.#sums = new Float64Array(entryOf(lossWeights.length + activities + entries));
  }

  /** Takes in what the lane reports of `rows` examples. */
  add(lane: Lane, rows: number): void {
    const sums = this.#sums;
    const { f32 } = lane.runtime.heap;
    const report = lane.report >>> 2;
    for (let i = 0; i < sums.length; i++) sums[i]! += f32[report + i]!;
    this.#penalties += lane.reported(3) * rows;
    this.#rows += rows;
  }

  /** The means so far. */
  logs(): Logs {
    const sum = (i: number, word: number) => this.#sums[entryOf(i) + word]!;
    const mean = (i: number) => (sum(i, 2) > 0 ? sum(i, 1) / sum(i, 2) : 0);
    const dataLoss = this.#weights.reduce((total, weight, i) => total + weight * mean(i), 0);
    const { lossWeights, activities } = this.#compiled;
    let penalties = this.#penalties;
    for (let i = 0; i < activities; i++) penalties += sum(lossWeights.length + i, 1);
    const penalty = this.#rows > 0 ? penalties / this.#rows : 0;
    return logsOf(this.#compiled, dataLoss + penalty, dataLoss, penalty, mean, this.#sums);
  }

  /** The first output without one label so far, or −1. */
  unlabelled(): number {
    return this.#compiled.losses.findIndex((_, i) => !(this.#sums[entryOf(i) + 2]! > 0));
  }

  reset(): void {
    this.#sums.fill(0);
    this.#penalties = this.#rows = 0;
  }
}

/** The names of the figures that a compiled model reports. */
export const logNames = (compiled: Compiled): string[] =>
  Object.keys(logsOf(compiled, 0, 0, 0, () => 0, new Float32Array()));

export const capital = (name: string): string => name[0]!.toUpperCase() + name.slice(1);

/** The same figures of the validation data. */
export const validationName = (name: string): string => `val${capital(name)}`;

/** The last batch's figures. */
export function batchLogs(lane: Lane, { compiled }: ModelState): Logs {
  const { f32 } = lane.runtime.heap;
  const at = lane.report >>> 2;
  return logsOf(compiled!, f32[at]!, f32[at + 1]!, f32[at + 2]!, (i) => f32[at + entryOf(i)]!, f32, at);
}
