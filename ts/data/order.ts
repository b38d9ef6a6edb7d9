// Which elements are read, and in which order: numbers alone, drawn by Philox.

import { philoxWords } from "../runtime/philox";

/** A step of an order: it keeps, repeats or moves elements. */
export type Step = { kind: "shuffle" | "bootstrap"; seed: number } | { kind: "range"; from: number; to: number };

/** Which elements are read, in which order. */
export class Order {
  constructor(
    /** Elements to choose from. */
    readonly base: number,
    readonly steps: readonly Step[] = [],
  ) {}

  get size(): number {
    let size = this.base;
    for (const step of this.steps) if (step.kind === "range") size = step.to - step.from;
    return size;
  }

  with(step: Step): Order {
    return new Order(this.base, [...this.steps, step]);
  }

  /** Element numbers. What steps choose is the same in each epoch; shuffles after the last choice are drawn anew. */
  indices(epoch: number): Uint32Array {
    let indices = Uint32Array.from({ length: this.base }, (_, i) => i);
    const chosen = this.steps.findLastIndex(({ kind }) => kind !== "shuffle");
    this.steps.forEach((step, at) => {
      if (step.kind === "range") indices = indices.subarray(step.from, step.to);
      else {
        const draw = numbers(step.seed, at, at > chosen ? epoch : 0, indices.length);
        if (step.kind === "bootstrap") indices = indices.map((_, i) => indices[draw(i, indices.length)]!);
        else permute(indices, draw);
      }
    });
    return indices;
  }
}

type Draw = (i: number, n: number) => number;

/** Fisher and Yates, from the end. */
export function permute(indices: Uint32Array, draw: Draw): void {
  for (let i = indices.length - 1; i > 0; i--) {
    const j = draw(i, i + 1);
    [indices[i], indices[j]] = [indices[j]!, indices[i]!];
  }
}

/** Philox integers: the i-th in [0, n). */
export function numbers(seed: number, at: number, epoch: number, length: number): Draw {
  const words = philoxWords(length, at, epoch, seed, seed / 2 ** 32);
  return (i, n) => Math.floor((words[i]! / 2 ** 32) * n);
}
