// What several models say of the same examples, made into one answer.

import { regressionErrors } from "./scores";

/** What a model's output is a vote for: one of the classes, yes or no by element, or a number. */
export type VoteKind = "class" | "element" | "value";

/** Sums votes and counts them, row by row. */
export class Votes {
  readonly #sums: Float64Array;
  readonly #counts: Uint32Array;

  /** `width`: numbers a row. */
  constructor(
    readonly rows: number,
    readonly width: number,
  ) {
    this.#sums = new Float64Array(rows * width);
    this.#counts = new Uint32Array(rows);
  }

  /** Takes in a vote for each row, or for those numbered in `at`. */
  add(values: Float32Array, at?: Uint32Array): void {
    const { width } = this;
    for (let r = 0; r * width < values.length; r++) {
      const row = at ? at[r]! : r;
      for (let j = 0; j < width; j++) this.#sums[row * width + j]! += values[r * width + j]!;
      this.#counts[row]!++;
    }
  }

  /** The rows that have votes. */
  get counted(): Uint32Array {
    return Uint32Array.from({ length: this.rows }, (_, r) => r).filter((r) => this.#counts[r]! > 0);
  }

  /** The means of those rows. */
  means(rows = this.counted): Float32Array {
    const { width } = this;
    const means = new Float32Array(rows.length * width);
    rows.forEach((row, r) => {
      for (let j = 0; j < width; j++) means[r * width + j] = this.#sums[row * width + j]! / this.#counts[row]!;
    });
    return means;
  }
}

/** 1 for the likeliest class of each row (ties go to the first), or for each element over ½; else 0. */
export function hardVotes(values: Float32Array, width: number, kind: VoteKind): Float32Array {
  if (kind === "element") return values.map((p) => +(p > 0.5));
  const votes = new Float32Array(values.length);
  for (let from = 0; from < values.length; from += width) {
    let best = from;
    for (let j = from + 1; j < from + width; j++) if (values[j]! > values[best]!) best = j;
    votes[best] = 1;
  }
  return votes;
}

/** As low as logarithms go: PyTorch's floor in binary cross-entropy. */
const FLOOR = -100;

/** Logits of which the softmax ("class") or the sigmoid ("element") is p. */
export function logitsOf(p: Float32Array, kind: VoteKind, log: (x: number) => number): Float32Array {
  const floored = (x: number) => Math.max(FLOOR, log(x));
  return p.map(kind === "class" ? floored : (x) => floored(x) - floored(1 - x));
}

/** R² of each column of `width`, averaged; rows in which a target is not labelled are left out. */
export function meanRSquared(targets: ArrayLike<number>, predicted: Float32Array, width: number): number {
  let sum = 0;
  for (let j = 0; j < width; j++) {
    const [t, p]: [number[], number[]] = [[], []];
    for (let i = j; i < predicted.length; i += width)
      if (!Number.isNaN(targets[i])) {
        t.push(targets[i]!);
        p.push(predicted[i]!);
      }
    sum += regressionErrors(Float32Array.from(t), Float32Array.from(p)).rSquared / width;
  }
  return sum;
}
