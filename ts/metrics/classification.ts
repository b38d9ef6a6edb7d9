// Metrics of classes beside accuracy. All but topKAccuracy are made of sums over all examples: the figure of an epoch is that
// of its examples together, not a mean of batches' figures.

import { Score } from "../../assembly/isa";
import { wrong } from "../errors";
import { type Shape, sizeOf } from "../graph/graph";
import * as ops from "../ops/metrics";
import { count, oneOf, or } from "../options";
import { type Built, factory } from "../registry";
import { decisionOf, type MetricDefinition, type MetricInputs, needTargets, type OutputLoss } from "./metrics";

/** Throws where each step of a sequence has a class of its own. */
function needOneClass(who: string, shape: Shape, { definition }: OutputLoss): void {
  if (definition.targets === "class" && shape.length > 1)
    throw wrong("argument", "compile", `predictions of shape [n, classes] for ${who}`, `[n, ${shape.join(", ")}]`);
}

/** The share of examples whose class is among the k largest outputs (default 5); equal outputs: the first is the larger one. */
export const topKAccuracy: (options?: { k?: number }) => Built = /* @__PURE__ */ factory<
  [options?: { k?: number }],
  MetricDefinition<{ k: number }>
>("metric", {
  type: "topKAccuracy",
  options: () => ({ k: or(count(), 5) }),
  entries(shape, loss) {
    needTargets("topKAccuracy", loss, "class", "row");
    needOneClass("topKAccuracy", shape, loss);
    return 1;
  },
  call: (inputs, { k }) =>
    ops.topKAccuracy([inputs.prediction, inputs.target, inputs.weights], { kind: decisionOf(inputs), k }).node!.outputs,
});

/** How figures of several classes become one: their mean, or the figure of all counts together. */
export type Average = "macro" | "micro";

/** Options of `precision`, `recall` and `f1`. */
export interface AverageOptions {
  /** Default `"macro"`. */
  average?: Average;
}

/** A metric of true positives, predicted and actual positives: hits/among, of which `among` makes the divisor. */
const ratio = (type: string, among: (predicted: number, actual: number) => number) =>
  factory<[options?: AverageOptions], MetricDefinition<{ average: Average }>>("metric", {
    type,
    options: () => ({ average: or(oneOf("macro", "micro"), "macro" as Average) }),
    call(inputs) {
      const { prediction, target, weights, report } = inputs;
      ops.confusion([prediction, target, weights, report], { kind: decisionOf(inputs) });
      return undefined;
    },
    entries(shape, loss) {
      needOneClass(type, shape, loss);
      return Math.ceil((3 * sizeOf(shape)) / 4);
    },
    result(sums, { average }) {
      let total = 0;
      let classes = 0;
      let hits = 0;
      let all = 0;
      for (let at = 0; at + 3 <= sums.length; at += 3) {
        const [hit, predicted, actual] = [sums[at]!, sums[at + 1]!, sums[at + 2]!];
        if (!(predicted + actual > 0)) continue; // a class that does not occur
        const divisor = among(predicted, actual);
        total += divisor && hit / divisor;
        classes++;
        hits += hit;
        all += divisor;
      }
      return average === "macro" ? classes && total / classes : all && hits / all;
    },
  });

/**
 * TP/(TP + FP): the share of what is predicted to be of a class that is. One output with a binary loss has one class, cut at
 * 0 (logits) or 0.5; several such outputs are a class each; else the class is the largest output. Over classes it is the
 * mean of those that occur (`average: "macro"`) or of all counts together (`"micro"`). 0/0 = 0.
 */
export const precision: (options?: AverageOptions) => Built = /* @__PURE__ */ ratio("precision", (p) => p);

/** TP/(TP + FN): the share of a class that is predicted to be. Classes and averages as in `precision`. */
export const recall: (options?: AverageOptions) => Built = /* @__PURE__ */ ratio("recall", (_, actual) => actual);

/** 2·TP/(2·TP + FP + FN), the harmonic mean of precision and recall. Classes and averages as in `precision`. */
export const f1: (options?: AverageOptions) => Built = /* @__PURE__ */ ratio("f1", (p, actual) => (p + actual) / 2);

/** Bins of one output's scores. */
const BINS = 4096;

/** Floats of one output's bins, of false and of true labels. */
const HALF = 3 * BINS;

/** A variance that rounding alone may show: then scores count as equal where their places in a bin differ by less than its root. */
const ROUNDING = 1e-7;

/**
 * How likely the true label has the larger score, of such as are in one bin, from both kinds' Σ w, Σ w·u, Σ w·u²: 0, ½ or 1
 * where each is at one place; else as of two normal distributions, Φ(t) taken as ½ + ½·t/√(t² + π/2).
 */
function ordered(sums: Float32Array | Float64Array, no: number, yes: number): number {
  const mean = (at: number) => sums[at + 1]! / sums[at]!;
  const variance = (at: number) => Math.max(0, sums[at + 2]! / sums[at]! - mean(at) * mean(at)) + ROUNDING;
  const d = mean(yes) - mean(no);
  return 0.5 + (0.5 * d) / Math.sqrt(d * d + (Math.PI / 2) * (variance(no) + variance(yes)));
}

/** What a score is of. */
function scoreOf({ loss: { definition, config } }: MetricInputs): Score {
  const kind = definition.prediction(config);
  if (kind === "probabilities") return Score.probability;
  return kind === "logits" && definition.targets === "class" ? Score.softmax : Score.value;
}

/**
 * The area under the ROC curve: how likely an example of the class has a larger score than one that is not of it, equal
 * scores counting half. Several classes, or outputs with a binary loss: each against the rest, the mean of those that have
 * examples of both kinds; 0 where none has.
 *
 * Scores are counted in 4,096 bins of s/(1 + |s|), s the logit, with the mean and variance of their places in a bin. A pair in
 * different bins is counted exactly, and so is one that is alone in its bin; among more of one bin the share of pairs in
 * order is that of normal distributions. So it is off by less than Σ pₙ·qₙ, p and q the shares of the two kinds in bin n;
 * measured on normal scores, 100 to 100,000 of them, by at most 5·10⁻⁵.
 */
export const auc: () => Built = /* @__PURE__ */ factory<[], MetricDefinition>("metric", {
  type: "auc",
  call(inputs) {
    const { prediction, target, weights, report } = inputs;
    const attributes = { kind: decisionOf(inputs), score: scoreOf(inputs), bins: BINS };
    ops.scoreHistogram([prediction, target, weights, report], attributes);
    return undefined;
  },
  entries(shape, loss) {
    needOneClass("auc", shape, loss);
    return (2 * HALF * sizeOf(shape)) / 4;
  },
  result(sums) {
    let total = 0;
    let columns = 0;
    for (let at = 0; at < sums.length; at += 2 * HALF) {
      let below = 0;
      let positives = 0;
      let pairs = 0;
      for (let no = at; no < at + HALF; no += 3) {
        const yes = no + HALF;
        if (sums[yes]! > 0) pairs += sums[yes]! * (below + (sums[no]! > 0 ? sums[no]! * ordered(sums, no, yes) : 0));
        below += sums[no]!;
        positives += sums[yes]!;
      }
      if (!(below > 0 && positives > 0)) continue;
      total += pairs / (below * positives);
      columns++;
    }
    return columns && total / columns;
  },
});
