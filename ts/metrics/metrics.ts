// Metrics: a weighted mean over examples, Σwᵢ·mᵢ / Σwᵢ.

import { AccuracyKind, LabelKind } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { LossDefinition, LossInputs } from "../losses/losses";
import * as ops from "../ops/losses";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/** What a metric sees: the loss's inputs, and the loss, which says what prediction and targets are. */
export interface MetricInputs extends LossInputs {
  loss: { definition: LossDefinition; config: Built };
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
  call({ prediction, target, weights, kind, loss: { definition, config } }) {
    const width = prediction.size / prediction.shape[0]!;
    const predictionKind = definition.prediction(config);
    const oneOf =
      definition.targets === "element" && kind === LabelKind.rows && !(predictionKind === "values" && width > 1);
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
