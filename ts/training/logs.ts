// What a step or an epoch reports.

import type { Lane } from "./lane";
import { REPORT_HEAD } from "./lane";
import type { Compiled } from "./state";

/** Named figures: `loss`, `dataLoss`, `penalty`, metrics, and after an epoch the same of the validation data (`valLoss`, …). */
export type Logs = { loss: number; dataLoss: number; penalty: number } & Record<string, number>;

/** Sums reports of batches into means over all their examples. Nothing is allocated by batch. */
export class Accumulator {
  readonly compiled: Compiled;
  readonly #activities: number;
  /** Σ value and Σ count, for each loss and metric. */
  readonly #sums: Float64Array;
  /** Of the weights' penalties, times rows; and of the activities' penalties. */
  #weights = 0;
  #activity = 0;
  rows = 0;

  constructor(compiled: Compiled, activities: number) {
    this.compiled = compiled;
    this.#activities = activities;
    this.#sums = new Float64Array(2 * (compiled.losses.length + compiled.metrics.length));
  }

  /** Takes in what the lane reports of `rows` examples. */
  add(lane: Lane, rows: number): void {
    const { losses, metrics } = this.compiled;
    for (let i = 0; i < losses.length + metrics.length; i++) {
      const entry = REPORT_HEAD + 4 * (i < losses.length ? i : i + this.#activities);
      this.#sums[2 * i]! += lane.reported(entry + 1);
      this.#sums[2 * i + 1]! += lane.reported(entry + 2);
    }
    this.#weights += lane.reported(3) * rows;
    for (let i = 0; i < this.#activities; i++)
      this.#activity += lane.reported(REPORT_HEAD + 4 * (losses.length + i) + 1);
    this.rows += rows;
  }

  /** The means so far. */
  logs(): Logs {
    const { losses, metrics } = this.compiled;
    const mean = (i: number) => (this.#sums[2 * i + 1]! > 0 ? this.#sums[2 * i]! / this.#sums[2 * i + 1]! : 0);
    const dataLoss = losses.reduce((sum, { weight }, i) => sum + weight * mean(i), 0);
    const penalty = this.rows > 0 ? (this.#weights + this.#activity) / this.rows : 0;
    const logs: Logs = { loss: dataLoss + penalty, dataLoss, penalty };
    if (losses.length > 1) for (const [i, { name }] of losses.entries()) logs[`${name}Loss`] = mean(i);
    for (const [i, { name }] of metrics.entries()) logs[name] = mean(losses.length + i);
    return logs;
  }

  /** The first output without one label so far, or −1. */
  unlabelled(): number {
    return this.compiled.losses.findIndex((_, i) => !(this.#sums[2 * i + 1]! > 0));
  }

  reset(): void {
    this.#sums.fill(0);
    this.#weights = this.#activity = this.rows = 0;
  }
}

/** The names of the figures that a compiled model reports. */
export function logNames({ losses, metrics }: Compiled): string[] {
  const names = ["loss", "dataLoss", "penalty"];
  if (losses.length > 1) names.push(...losses.map(({ name }) => `${name}Loss`));
  return [...names, ...metrics.map(({ name }) => name)];
}

/** The same figures of the validation data. */
export const validationName = (name: string): string => `val${name[0]!.toUpperCase()}${name.slice(1)}`;

/** The last batch's figures. */
export function batchLogs(lane: Lane, compiled: Compiled, activities: number): Logs {
  const { losses, metrics } = compiled;
  const logs: Logs = { loss: lane.reported(0), dataLoss: lane.reported(1), penalty: lane.reported(2) };
  if (losses.length > 1)
    for (const [i, { name }] of losses.entries()) logs[`${name}Loss`] = lane.reported(REPORT_HEAD + 4 * i);
  for (let i = 0; i < metrics.length; i++)
    logs[metrics[i]!.name] = lane.reported(REPORT_HEAD + 4 * (losses.length + activities + i));
  return logs;
}
