// Losses. With weights wᵢ the mean is Σwᵢ·Lᵢ over the number of labelled examples; a label of NaN, or −1 as a class
// number, is not labelled and left out.

import type { LabelKind } from "../../assembly/isa";
import type { TargetRule } from "../data/arrays";
import type { Shape, Tensor } from "../graph/graph";
import * as ops from "../ops/losses";
import { boolean, fraction, or, positive } from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/**
 * How a loss reads its targets: class numbers (or rows of probabilities), one target an element, or the same where a row is
 * labelled as a whole or not at all; or class numbers or one target an element, as they come.
 */
export type TargetKind = "class" | "element" | "row" | "either";

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
  /** Of `"either"`: whether rows of that shape are labelled as a whole or not at all. */
  byRow?(shape: Shape, config: C): boolean;
  /** What a target may be, where not every finite number may. */
  rule?: TargetRule;
  /** What the prediction is: decides where `accuracy` cuts. */
  prediction(config: C): "logits" | "probabilities" | "values";
  /** One number a row and its count of labels. */
  call(inputs: LossInputs, config: C): Tensor[];
}

const loss = <Args extends unknown[]>(definition: LossDefinition) => factory<Args, LossDefinition>("loss", definition);

/** @internal */
export const lossDefinition = (config: Built): LossDefinition => definitionOf<LossDefinition>("loss", config);

/**
 * L = −Σⱼ tⱼ·log softmax(ŷ)ⱼ, ŷ logits. Targets are class numbers [n] or [n, 1], or rows of probabilities [n, classes]. Of logits
 * [n, t, classes] (a class for each step of a sequence) they are class numbers [n, t]: the mean is over all steps that are
 * labelled, `accuracy` too; sample weights are of sequences, [n], or of their steps, [n, t].
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
  rule: { expected: "a target in [0, 1]", accepts: (t) => t >= 0 && t <= 1 },
  prediction: ({ fromLogits }) => (fromLogits ? "logits" : "probabilities"),
  call: ({ prediction, target, weights }, { fromLogits }) =>
    ops.binaryCrossEntropy([prediction, target, weights], { option: +fromLogits }).node!.outputs,
});

const counts: TargetRule = { expected: "a finite target ≥ 0", accepts: (t) => t >= 0 && t < Infinity };

/** L = (ŷ − t)², the mean over all elements. */
export const meanSquaredError: () => Built = /* @__PURE__ */ loss<[]>({
  type: "meanSquaredError",
  targets: "element",
  prediction: () => "values",
  call: ({ prediction, target, weights }) =>
    ops.meanSquaredError([prediction, target, weights], { option: 0 }).node!.outputs,
});

/**
 * Squared near 0, absolute beyond: L = ½d² where |d| = |ŷ − t| < δ, else δ·(|d| − ½δ), the mean over all elements.
 * `delta` δ > 0, default 1. (Huber 1964)
 */
export const huber: (options?: { delta?: number }) => Built = /* @__PURE__ */ loss({
  type: "huber",
  options: () => ({ delta: or(positive(), 1) }),
  targets: "element",
  prediction: () => "values",
  call: ({ prediction, target, weights }, { delta }) =>
    ops.huber([prediction, target, weights], { option: delta }).node!.outputs,
});

/** L = max(0, 1 − t·ŷ), the mean over all elements. Targets are −1 or 1. (Cortes & Vapnik 1995) */
export const hinge: () => Built = /* @__PURE__ */ loss<[]>({
  type: "hinge",
  targets: "element",
  rule: { expected: "-1 or 1", accepts: (t) => t === 1 || t === -1 },
  prediction: () => "logits",
  call: ({ prediction, target, weights }) => ops.hinge([prediction, target, weights], { option: 0 }).node!.outputs,
});

/**
 * The negative log-likelihood of counts t without what does not depend on ŷ: L = ŷ − t·log(ŷ + 10⁻⁸), ŷ the rate;
 * `fromLog`: L = exp(ŷ) − t·ŷ, ŷ its logarithm. The mean over all elements. Targets are ≥ 0. (PyTorch's PoissonNLLLoss)
 */
export const poisson: (options?: { fromLog?: boolean }) => Built = /* @__PURE__ */ loss({
  type: "poisson",
  options: () => ({ fromLog: or(boolean(), false) }),
  targets: "element",
  rule: counts,
  prediction: () => "values",
  call: ({ prediction, target, weights }, { fromLog }) =>
    ops.poisson([prediction, target, weights], { option: +fromLog }).node!.outputs,
});

/**
 * L = Σⱼ tⱼ·log(tⱼ/ŷⱼ) of a row, 0·log 0 = 0; ŷ [n, classes] probabilities, log ŷ floored at −100. Targets are ≥ 0; one NaN
 * masks its row. (Kullback & Leibler 1951)
 */
export const kullbackLeibler: () => Built = /* @__PURE__ */ loss<[]>({
  type: "kullbackLeibler",
  targets: "row",
  rule: counts,
  prediction: () => "probabilities",
  call: ({ prediction, target, weights }) =>
    ops.kullbackLeibler([prediction, target, weights], { option: 0 }).node!.outputs,
});

/**
 * L = 1 − ŷ·t/(max(‖ŷ‖, ε)·max(‖t‖, ε)) of a row, ε = 10⁻⁸; ŷ [n, size]. 0 where both point the same way, 2 where they are
 * opposed. One NaN among the targets masks its row.
 */
export const cosineSimilarity: () => Built = /* @__PURE__ */ loss<[]>({
  type: "cosineSimilarity",
  targets: "row",
  prediction: () => "values",
  call: ({ prediction, target, weights }) =>
    ops.cosineSimilarity([prediction, target, weights], { option: 0 }).node!.outputs,
});
