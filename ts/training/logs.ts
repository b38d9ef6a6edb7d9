// What a step or an epoch reports.

import { type Lane, REPORT_HEAD } from "./lane";
import type { Compiled, ModelState } from "./state";

/** Named figures: `loss`, `dataLoss`, `penalty`, metrics, and after an epoch the same of the validation data (`valLoss`, …). */
export type Logs = { loss: number; dataLoss: number; penalty: number } & Record<string, number>;

/** `figure(i)`: of the i-th loss, then of the metrics. */
function logsOf(
  { losses, metrics }: Compiled,
  loss: number,
  dataLoss: number,
  penalty: number,
  figure: (i: number) => number,
): Logs {
  const logs: Logs = { loss, dataLoss, penalty };
  if (losses.length > 1) for (let i = 0; i < losses.length; i++) logs[`${losses[i]!.name}Loss`] = figure(i);
  for (let i = 0; i < metrics.length; i++) logs[metrics[i]!.name] = figure(losses.length + i);
  return logs;
}

/** Where the i-th loss's or metric's entry lies in the report: activity penalties are between them. */
const entryOf = (losses: number, activities: number, i: number): number =>
  REPORT_HEAD + 4 * (i < losses ? i : i + activities);

/** Sums reports of batches into means over all their examples. Nothing is allocated by batch. */
export class Accumulator {
  readonly compiled: Compiled;
  readonly #activities: number;
  /** Σ value and Σ count, for each loss and metric. */
  readonly #sums: Float64Array;
  /** Of the weights' penalties, times rows; and of the activities' penalties. */
  #penalties = 0;
  #activity = 0;
  rows = 0;

  constructor({ compiled, activities }: ModelState) {
    this.compiled = compiled!;
    this.#activities = activities;
    this.#sums = new Float64Array(2 * (compiled!.losses.length + compiled!.metrics.length));
  }

  /** Takes in what the lane reports of `rows` examples. */
  add(lane: Lane, rows: number): void {
    const sums = this.#sums;
    const losses = this.compiled.losses.length;
    for (let i = 0; i < sums.length; i += 2) {
      const entry = entryOf(losses, this.#activities, i / 2);
      sums[i]! += lane.reported(entry + 1);
      sums[i + 1]! += lane.reported(entry + 2);
    }
    this.#penalties += lane.reported(3) * rows;
    for (let i = 0; i < this.#activities; i++) this.#activity += lane.reported(entryOf(losses, 0, losses + i) + 1);
    this.rows += rows;
  }

  /** The means so far. */
  logs(): Logs {
    const mean = (i: number) => (this.#sums[2 * i + 1]! > 0 ? this.#sums[2 * i]! / this.#sums[2 * i + 1]! : 0);
    const dataLoss = this.compiled.losses.reduce((sum, { weight }, i) => sum + weight * mean(i), 0);
    const penalty = this.rows > 0 ? (this.#penalties + this.#activity) / this.rows : 0;
    return logsOf(this.compiled, dataLoss + penalty, dataLoss, penalty, mean);
  }

  /** The first output without one label so far, or −1. */
  unlabelled(): number {
    return this.compiled.losses.findIndex((_, i) => !(this.#sums[2 * i + 1]! > 0));
  }

  reset(): void {
    this.#sums.fill(0);
    this.#penalties = this.#activity = this.rows = 0;
  }
}

/** The names of the figures that a compiled model reports. */
export const logNames = (compiled: Compiled): string[] => Object.keys(logsOf(compiled, 0, 0, 0, () => 0));

export const capital = (name: string): string => name[0]!.toUpperCase() + name.slice(1);

/** The same figures of the validation data. */
export const validationName = (name: string): string => `val${capital(name)}`;

/** The last batch's figures. */
export const batchLogs = (lane: Lane, { compiled, activities }: ModelState): Logs =>
  logsOf(compiled!, lane.reported(0), lane.reported(1), lane.reported(2), (i) =>
    lane.reported(entryOf(compiled!.losses.length, activities, i)),
  );
