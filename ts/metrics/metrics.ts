// Metrics: a weighted mean over examples, Σwᵢ·mᵢ / Σwᵢ, or a figure made of sums over all of them.

import { AccuracyKind, LabelKind } from "../../assembly/isa";
import { argumentError } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import type { LossDefinition, LossInputs, TargetKind } from "../losses/losses";
import * as ops from "../ops/losses";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/** A loss, which says what prediction and targets are. */
export interface OutputLoss {
  definition: LossDefinition;
  config: Built;
}

/** What a metric sees: the loss's inputs, the loss, and its place in the report. */
export interface MetricInputs extends LossInputs {
  loss: OutputLoss;
  report: Tensor;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface MetricDefinition<C = any> extends Definition {
  /** Σ value and Σ weight, one of each a row; or nothing, where `sums` are written into the report. */
  call(inputs: MetricInputs, config: C): Tensor[] | undefined;
  /**
   * The entries, of four floats, that it has in the report for predictions of that shape; default 1. Of a metric that is no
   * mean they are sums over the batch's examples, so that adding them up over batches gives those of all. Throws where it
   * does not go with the loss.
   */
  entries?(shape: Shape, loss: OutputLoss): number;
  /** The figure that such sums make. */
  result?(sums: Float32Array | Float64Array, config: C): number;
}

/** @internal */
export const metricDefinition = (config: Built): MetricDefinition => definitionOf<MetricDefinition>("metric", config);

/**
 * The share of right predictions. Classes: the largest output against the label, ties to the first; a two-class output is
 * cut at 0 (logits) or 0.5 (probabilities), elementwise.
 */
export const accuracy: () => Built = /* @__PURE__ */ factory<[], MetricDefinition>("metric", {
  type: "accuracy",
  call: (inputs) =>
    ops.accuracy([inputs.prediction, inputs.target, inputs.weights], { kind: decisionOf(inputs) }).node!.outputs,
});

/** How predictions are told right from wrong: as one of several classes, or element by element. */
export function decisionOf({ prediction, kind, loss: { definition, config } }: MetricInputs): AccuracyKind {
  const width = prediction.size / prediction.shape[0]!;
  const predictionKind = definition.prediction(config);
  const { targets } = definition;
  const elementwise = targets === "element" || (targets === "either" && kind === LabelKind.rows);
  if (!elementwise || (predictionKind === "values" && width > 1))
    return kind === LabelKind.index ? AccuracyKind.index : AccuracyKind.rows;
  return predictionKind === "logits" ? AccuracyKind.binaryLogits : AccuracyKind.binaryProbabilities;
}

/** Throws where a metric does not go with what the loss takes. */
export function needTargets(who: string, { definition, config }: OutputLoss, ...kinds: TargetKind[]): void {
  if (definition.targets !== "either" && !kinds.includes(definition.targets))
    throw argumentError("compile", `a loss that ${who} goes with`, config);
}
