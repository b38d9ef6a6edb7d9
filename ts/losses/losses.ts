// Losses. With weights wᵢ the mean is Σwᵢ·Lᵢ over the number of labelled examples; a label of NaN, or −1 as a class
// number, is not labelled and left out.

import type { LabelKind } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import * as ops from "../ops/losses";
import { boolean, fraction, or } from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/** How a loss reads its targets: class numbers (or rows of probabilities), or one target an element. */
export type TargetKind = "class" | "element";

/** What a loss sees. */
export interface LossInputs {
  prediction: Tensor;
  target: Tensor;
  weights: Tensor | null;
  kind: LabelKind;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface LossDefinition<C = any> extends Definition {
  targets: TargetKind;
  /** One target an element, or where there are several outputs an example, class numbers: as they come. */
  orClasses?: boolean;
  /** Targets lie in [lowest, highest]. */
  range?: readonly [number, number];
  /** What the prediction is: decides where `accuracy` cuts. */
  prediction(config: C): "logits" | "probabilities" | "values";
  /** One number a row and its count of labels. */
  call(inputs: LossInputs, config: C): Tensor[];
}

const loss = <Args extends unknown[]>(definition: LossDefinition) => factory<Args, LossDefinition>("loss", definition);

/** @internal */
export const lossDefinition = (config: Built): LossDefinition => definitionOf<LossDefinition>("loss", config);

/**
 * L = −Σⱼ tⱼ·log softmax(ŷ)ⱼ, ŷ logits. Targets are class numbers [n] or [n, 1], or rows of probabilities [n, classes].
 * `labelSmoothing` s mixes the target with the uniform distribution: (1 − s)·t + s/classes.
 */
export const softmaxCrossEntropy: (options?: { labelSmoothing?: number }) => Built = /* @__PURE__ */ loss({
  type: "softmaxCrossEntropy",
  options: () => ({ labelSmoothing: or(fraction(), 0) }),
  targets: "class",
  prediction: () => "logits",
  call: ({ prediction, target, weights, kind }, { labelSmoothing: smoothing }) =>
    ops.softmaxCrossEntropy([prediction, target, weights], { kind, smoothing }).node!.outputs,
});

/**
 * L = −t·log p − (1 − t)·log(1 − p), the mean over all elements. `fromLogits` (default): p = σ(ŷ); else p = ŷ, and the logs
 * are floored at −100, as in PyTorch. Targets lie in [0, 1].
 */
export const binaryCrossEntropy: (options?: { fromLogits?: boolean }) => Built = /* @__PURE__ */ loss({
  type: "binaryCrossEntropy",
  options: () => ({ fromLogits: or(boolean(), true) }),
  targets: "element",
  range: [0, 1],
  prediction: ({ fromLogits }) => (fromLogits ? "logits" : "probabilities"),
  call: ({ prediction, target, weights }, { fromLogits }) =>
    ops.binaryCrossEntropy([prediction, target, weights], { option: +fromLogits }).node!.outputs,
});

/** L = (ŷ − t)², the mean over all elements. */
export const meanSquaredError: () => Built = /* @__PURE__ */ loss<[]>({
  type: "meanSquaredError",
  targets: "element",
  prediction: () => "values",
  call: ({ prediction, target, weights }) =>
    ops.meanSquaredError([prediction, target, weights], { option: 0 }).node!.outputs,
});
