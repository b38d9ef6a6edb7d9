// What holds a parameter to its constraint after a step: w in place, unless its row of the segment table is frozen.

import { ExtensionOp } from "../../assembly/isa";
import { defineEffect, type Op as OpOf, type Shape, sizeOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

export interface NormConstraintAttributes {
  /** w's row of the segment table. */
  row: number;
  /** The axes of w over which a norm is taken, each once. */
  axes: readonly number[];
  low: number;
  high: number;
  rate: number;
}

/** The axes of a shape as runs, kept and reduced in turn, the last one kept: so many as there are. */
export function runsOf(shape: Shape, axes: readonly number[]): number[] {
  const runs = [1];
  let reduced = false;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (axes.includes(axis) !== reduced) {
      reduced = !reduced;
      runs.unshift(1);
    }
    runs[0]! *= shape[axis]!;
  }
  return runs;
}

/** w ← w·(rate·min(max(n, low), high) + (1 − rate)·n)/(1e-7 + n), n = √Σ w² over the axes. Inputs w, segments. */
export const normConstraint: OpOf<NormConstraintAttributes> = /* @__PURE__ */ defineEffect<NormConstraintAttributes>(
  "normConstraint",
  (tape, { inputs: [w, segments], attributes: { row, axes, low, high, rate } }) => {
    const runs = runsOf(w!.shape, axes);
    const sizes = [row, ...Array<number>(5 - runs.length).fill(1), ...runs];
    tape.push(
      extended(ExtensionOp.normConstraint),
      [w!],
      [segments!],
      sizes,
      [low, high, rate],
      streaming(3 * w!.size),
    );
  },
);

/** w ← max(w, 0). Inputs w, segments. */
export const nonNegative: OpOf<{ row: number }> = /* @__PURE__ */ defineEffect<{ row: number }>(
  "nonNegative",
  (tape, { inputs: [w, segments], attributes: { row } }) =>
    tape.push(
      extended(ExtensionOp.nonNegative),
      [w!],
      [segments!],
      [row, sizeOf(w!.shape)],
      [],
      streaming(2 * w!.size),
    ),
);
