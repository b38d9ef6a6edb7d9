// Metrics beside accuracy: one number a row, or sums that are added up over batches.

import { type AccuracyKind, ExtensionOp, type Score } from "../../assembly/isa";
import { defineEffect, defineOp, type Op as OpOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming, transcendental } from "./work";

export interface TopKAttributes {
  kind: AccuracyKind;
  k: number;
}

// in functions: see losses.ts

/** Inputs prediction, labels, weights or null; outputs rowCorrect, rowWeight. */
export const topKAccuracy: OpOf<TopKAttributes> = /* @__PURE__ */ (() =>
  defineOp<TopKAttributes>({
    name: "topKAccuracy",
    shape: ([prediction]) => [[prediction![0]!], [prediction![0]!]],
    gradient: null,
    lower(tape, { inputs, outputs, attributes: { kind, k } }) {
      const x = inputs[0]!;
      const rows = x.shape[0]!;
      const sizes = [rows, x.size / rows, kind, k];
      tape.push(extended(ExtensionOp.topKAccuracy), outputs, inputs, sizes, [], streaming(x.size));
    },
  }))();

export interface ConfusionAttributes {
  kind: AccuracyKind;
}

/** Inputs prediction, labels, weights or null, sums (3 a class, as far as it has room). */
export const confusion: OpOf<ConfusionAttributes> = /* @__PURE__ */ (() =>
  defineEffect<ConfusionAttributes>(
    "confusion",
    (tape, { inputs: [x, labels, weights, sums], attributes: { kind } }) => {
      const rows = x!.shape[0]!;
      const sizes = [rows, x!.size / rows, kind];
      const operands = [x!, labels!, weights!];
      tape.push(extended(ExtensionOp.confusion), [sums!, tape.workspace()], operands, sizes, [], x!.size, false);
    },
    ({ inputs: [x] }) => (x!.size / x!.shape[0]!) * 24,
  ))();

/** Inputs prediction, targets, weights or null, sums (8 a column). */
export const squareSums: OpOf<Record<never, never>> = /* @__PURE__ */ (() =>
  defineEffect<Record<never, never>>(
    "squareSums",
    (tape, { inputs: [x, target, weights, sums] }) => {
      const rows = x!.shape[0]!;
      const sizes = [rows, x!.size / rows];
      const operands = [x!, target!, weights!];
      tape.push(extended(ExtensionOp.squareSums), [sums!, tape.workspace()], operands, sizes, [], 4 * x!.size, false);
    },
    ({ inputs: [x] }) => (x!.size / x!.shape[0]!) * 32,
  ))();

export interface HistogramAttributes {
  kind: AccuracyKind;
  score: Score;
  bins: number;
}

/** Inputs prediction, labels, weights or null, sums (2 · bins · 3 a column). */
export const scoreHistogram: OpOf<HistogramAttributes> = /* @__PURE__ */ (() =>
  defineEffect<HistogramAttributes>(
    "scoreHistogram",
    (tape, { inputs: [x, labels, weights, sums], attributes: { kind, score, bins } }) => {
      const rows = x!.shape[0]!;
      const sizes = [rows, x!.size / rows, kind, score, bins];
      const work = streaming(sums!.size) + 20 * transcendental(x!.size);
      tape.push(extended(ExtensionOp.scoreHistogram), [sums!], [x!, labels!, weights!], sizes, [], work, false);
    },
  ))();
