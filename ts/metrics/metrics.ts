// Metrics: a weighted mean over examples, Σwᵢ·mᵢ / Σwᵢ.

import { AccuracyKind, LabelKind } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { LossInputs } from "../losses/losses";
import * as ops from "../ops/losses";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/** What a metric sees: the loss's inputs, and what the prediction is. */
export interface MetricInputs extends LossInputs {
  predictionKind: "logits" | "probabilities" | "values";
  /** Whether targets are one an element, not classes. */
  elements: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface MetricDefinition<C = any> extends Definition {
  /** Σ value and Σ weight, one of each a row. */
  call(inputs: MetricInputs, config: C): Tensor[];
}

/** @internal */
export const metricDefinition = (config: Built): MetricDefinition => definitionOf<MetricDefinition>("metric", config);

/**
 * The share of right predictions. Classes: the largest output against the label, ties to the first; a two-class output is
 * cut at 0 (logits) or 0.5 (probabilities), elementwise.
 */
export const accuracy: () => Built = /* @__PURE__ */ factory<[], MetricDefinition>("metric", {
  type: "accuracy",
  call({ prediction, target, weights, kind, predictionKind, elements }) {
    const width = prediction.size / prediction.shape[0]!;
    const oneOf = elements && !(predictionKind === "values" && width > 1);
    const how = !oneOf
      ? kind === LabelKind.index
        ? AccuracyKind.index
        : AccuracyKind.rows
      : predictionKind === "logits"
        ? AccuracyKind.binaryLogits
        : AccuracyKind.binaryProbabilities;
    return ops.accuracy([prediction, target, weights], { kind: how }).node!.outputs;
  },
});
