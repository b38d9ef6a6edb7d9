// Metrics of predicted values, and the one that is a loss too.

import { sizeOf } from "../graph/graph";
import type { LossDefinition } from "../losses/losses";
import { multiply } from "../ops/elementwise";
import * as losses from "../ops/losses";
import { squareSums } from "../ops/metrics";
import { type Built, enroll, factory } from "../registry";
import { type MetricDefinition, needTargets } from "./metrics";

const definition: MetricDefinition = {
  type: "meanAbsoluteError",
  entries(_, loss) {
    needTargets("meanAbsoluteError", loss, "element", "row");
    return 1;
  },
  call({ prediction, target, weights }) {
    const [sum, count] = losses.meanAbsoluteError([prediction, target, weights], { option: 0 }).node!.outputs;
    return [sum!, weights ? multiply([count!, weights]) : count!];
  },
};

/** @internal What `enroll` makes known of it as a metric. */
export const absoluteErrorMetric = { family: "metric", definition };

/** L = |ŷ − t|, the mean over all elements; its gradient is 0 where ŷ = t. A loss, and a metric. */
export const meanAbsoluteError: () => Built = /* @__PURE__ */ factory<[], LossDefinition>(
  "loss",
  {
    type: "meanAbsoluteError",
    targets: "element",
    prediction: () => "values",
    call: ({ prediction, target, weights }) =>
      losses.meanAbsoluteError([prediction, target, weights], { option: 0 }).node!.outputs,
  },
  (config) => {
    enroll(absoluteErrorMetric);
    return config;
  },
);

/** Of each column, where it holds to a few parts in 10¹⁴, Σ w·(t − t̄)² is more than nothing. */
const NOTHING = 1e-13;

/**
 * R² = 1 − Σ w·(t − ŷ)² / Σ w·(t − t̄)², the share of the targets' variance that the predictions explain, over all examples
 * together; the mean over the columns of an output. Of a column whose targets are all the same it is 1 where they are met
 * exactly, else 0 (as scikit-learn has it); columns without a label are left out.
 */
export const rSquared: () => Built = /* @__PURE__ */ factory<[], MetricDefinition>("metric", {
  type: "rSquared",
  call({ prediction, target, weights, report }) {
    squareSums([prediction, target, weights, report]);
    return undefined;
  },
  entries(shape, loss) {
    needTargets("rSquared", loss, "element", "row");
    return 2 * sizeOf(shape);
  },
  result(sums) {
    let total = 0;
    let columns = 0;
    for (let at = 0; at < sums.length; at += 8) {
      const [weight, first, second, residual] = [0, 2, 4, 6].map((i) => sums[at + i]! + sums[at + i + 1]!) as [
        number,
        number,
        number,
        number,
      ];
      if (!(weight > 0)) continue;
      const variance = second - (first * first) / weight;
      total += variance > NOTHING * second ? 1 - residual / variance : +(residual === 0);
      columns++;
    }
    return columns && total / columns;
  },
});
