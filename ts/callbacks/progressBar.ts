// A line that says how training goes: rewritten in place on a terminal, else one line an epoch.

import { terminal } from "#platform";
import { count, or } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition, FitPlan, StatefulCallback } from "../training/callbacks";
import type { Logs } from "../training/logs";

/** Milliseconds between two writings of the live line. */
const INTERVAL = 100;
/** Where the bar would have less room than this, figures are written shorter. */
const NARROWEST = 8;
/** Parts of the loss, and a mark, that the line leaves out. */
const PARTS = ["dataLoss", "penalty", "valDataLoss", "valPenalty", "retraining"];

/** Options of `progressBar`. */
export interface ProgressBarOptions {
  /** Characters of the bar, where the terminal has room for it. Default 24. */
  width?: number;
}

/** Sums of a running epoch, each batch by its examples. */
class Means {
  readonly #sums = new Map<string, number>();
  #weight = 0;

  add(logs: Logs, weight: number): void {
    for (const name in logs) this.#sums.set(name, (this.#sums.get(name) ?? 0) + weight * logs[name]!);
    this.#weight += weight;
  }

  logs(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([name, sum]) => [name, sum / this.#weight]));
  }

  reset(): void {
    this.#sums.clear();
    this.#weight = 0;
  }
}

/** @internal */
export class Progress implements StatefulCallback {
  time?: number;
  readonly #width: number;
  readonly #plan: FitPlan;
  readonly #out: typeof terminal;
  readonly #means = new Means();
  #validation: Record<string, number> = {};
  #began = 0;
  #epochBegan = 0;
  #written = 0;
  /** The cursor stands behind the live line. */
  #open = false;
  #epoch: number;
  /** Updates and examples of this epoch, and milliseconds that they took. */
  #step = 0;
  #examples = 0;
  #elapsed = 0;

  constructor(width: number, plan: FitPlan, out = terminal) {
    this.#width = width;
    this.#plan = plan;
    this.#out = out;
    this.#epoch = plan.initialEpoch;
  }

  #now(): number {
    return this.time ?? performance.now();
  }

  onTrainBegin(): void {
    this.#began = this.#now();
  }

  onEpochBegin(epoch: number): void {
    this.#epoch = epoch;
    this.#step = this.#examples = this.#elapsed = 0;
    this.#means.reset();
    this.#epochBegan = this.#now();
  }

  onBatchEnd(step: number, logs: Logs): void {
    const { batchSize, examples } = this.#plan;
    const done = batchSize === undefined ? 0 : Math.min(examples ?? Infinity, (step + 1) * batchSize);
    this.#means.add(logs, Math.max(1, done - this.#examples));
    this.#step = step + 1;
    this.#examples = done;
    const now = this.#now();
    this.#elapsed = now - this.#epochBegan;
    if (this.#out.isTTY && now - this.#written >= INTERVAL) this.#live(this.#means.logs(), this.#left(now));
  }

  onEpochEnd(_epoch: number, logs: Logs): void {
    const now = this.#now();
    this.#validation = Object.fromEntries(Object.entries(logs).filter(([name]) => name.startsWith("val")));
    this.#step = this.#plan.steps ?? this.#step;
    if (this.#out.isTTY) this.#live(logs, this.#left(now));
    else {
      const parts = [this.#count(), ...this.#figures(logs), this.#rate(), this.#left(now)];
      this.#out.write(`${parts.filter(Boolean).join("  ")}\n`);
    }
  }

  onTrainEnd(logs: Partial<Logs>): void {
    if (this.#open) this.#live(logs as Logs, `in ${duration(this.#now() - this.#began)}`);
  }

  /** However the fit ends, what is written next begins a line. */
  close(): void {
    if (this.#open) this.#out.write("\n");
    this.#open = false;
  }

  #live(logs: Record<string, number>, time: string): void {
    this.#written = this.#now();
    this.#open = true;
    const head = this.#count();
    const columns = this.#out.columns - 1;
    const room = columns - head.length - 2;
    const figures = this.#figures({ ...this.#validation, ...logs });
    const rate = this.#rate();
    let tail = [...figures, rate, time].filter(Boolean).join("  ");
    if (room - tail.length - 2 < NARROWEST) tail = shorter(tail);
    // what does not fit is left out, not cut
    for (const parts = [...figures, time]; tail.length > room && parts.length; parts.pop())
      tail = shorter(parts.filter(Boolean).join("  "));
    const width = Math.min(this.#width, room - tail.length - 2);
    const bar = width > 0 ? `  ${this.#bar(width)}` : "";
    this.#out.write(`\r\x1b[K${`${head}${bar}  ${tail}`.slice(0, columns)}`);
  }

  #count(): string {
    const { epochs, steps } = this.#plan;
    const epoch = `epoch ${`${this.#epoch + 1}`.padStart(`${epochs}`.length)}/${epochs}`;
    return steps === undefined ? `${epoch}  step ${this.#step}` : epoch;
  }

  /** The share of all epochs that is done; where an epoch's steps are not known, by whole epochs. */
  #share(): number {
    const { epochs, initialEpoch, steps } = this.#plan;
    const done = this.#epoch - initialEpoch + (steps === undefined ? 0 : this.#step / steps);
    return Math.min(1, done / (epochs - initialEpoch)); // early stopping may train a second time
  }

  #bar(width: number): string {
    const filled = Math.floor(this.#share() * width);
    return "━".repeat(filled) + "─".repeat(width - filled);
  }

  #figures(logs: Record<string, number>): string[] {
    const training: string[] = [];
    const validation: string[] = [];
    for (const [name, value] of Object.entries(logs)) {
      if (PARTS.includes(name)) continue;
      if (name.startsWith("val")) validation.push(figure(name, value));
      else training.push(`${name} ${figure(name, value)}`);
    }
    if (validation.length) training.push(`validation ${validation.join(", ")}`);
    return training;
  }

  #rate(): string {
    if (this.#elapsed === 0) return "";
    const known = this.#plan.examples !== undefined;
    const rate = (1000 * (known ? this.#examples : this.#step)) / this.#elapsed;
    return `${thousands(rate)} ${known ? "examples" : "updates"}/s`;
  }

  #left(now: number): string {
    const share = this.#share();
    return share > 0 ? `${duration(((now - this.#began) * (1 - share)) / share)} left` : "";
  }
}

/** The same figures for a narrow terminal. */
const shorter = (text: string): string =>
  text
    .replace("accuracy", "acc")
    .replace("validation", "val")
    .replace(/ (examples|updates)\/s/, "/s")
    .replace(/ %/g, "%")
    .replace(/ {2}/g, " ");

/** Accuracies as percentages, all else with four digits. */
function figure(name: string, value: number): string {
  if (/accuracy$/i.test(name)) return `${(100 * value).toFixed(1)} %`;
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

/** 45210.4 → "45,210" */
function thousands(value: number): string {
  return Math.floor(value + 0.5)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "0:07", "12:34", "1:02:03" */
function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000 + 0.5);
  const two = (n: number) => `${n}`.padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/**
 * Shows how a fit goes: epoch, bar, the epoch's loss and metrics so far, those of the validation data, examples a second,
 * time left. On a terminal one line that is rewritten at most ten times a second (on standard error, so standard output
 * stays free for results); elsewhere one line an epoch, in a page on the console.
 *
 * @example await model.fit(train, { epochs: 20, validationSplit: 0.1, callbacks: [progressBar()] });
 */
export const progressBar: (options?: ProgressBarOptions) => Built = /* @__PURE__ */ factory<
  [options?: ProgressBarOptions],
  CallbackDefinition<Required<ProgressBarOptions>>
>("callback", {
  type: "progressBar",
  options: () => ({ width: or(count(), 24) }),
  shows: true,
  create: ({ width }, plan) => new Progress(width, plan),
});
