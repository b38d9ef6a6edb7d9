// The terms of the objective beside the data loss, and their sum.

import { Op, REDUCE_CHUNK } from "../../assembly/isa";
import { defineEffect, defineOp, type Op as OpOf, type Tensor } from "../graph/graph";
import { streaming } from "./work";

/** The chunks that a sum over all of x is cut into, each with a partial sum of 8 bytes. */
export const sumChunks = (x: Tensor): number => Math.ceil(x.size / REDUCE_CHUNK);

export interface ActivityAttributes {
  l1: number;
  l2: number;
  /** Examples that the penalty is averaged over; default: the batch. */
  rows?: number | undefined;
}

/** (l1·Σ|h| + l2·½Σh²)/rows. Inputs h and the report's entry. */
export const activityPenalty = /* @__PURE__ */ defineEffect<ActivityAttributes>(
  "activityPenalty",
  (tape, { inputs: [h, result], attributes: { l1, l2, rows = h!.shape[0]! } }) => {
    const chunks = sumChunks(h!);
    const partials = tape.workspace();
    tape.push(Op.activityPenalty, [partials], [h!], [h!.size], [l1, l2], streaming(h!.size));
    tape.push(Op.activityPenaltyReduce, [result!], [partials], [chunks, rows], [], chunks, false);
  },
  ({ inputs: [h] }) => sumChunks(h!) * 8,
);

/** (l1·sign(h) + l2·h)/rows. */
export const activityPenaltyBackward: OpOf<ActivityAttributes> = /* @__PURE__ */ defineOp<ActivityAttributes>({
  name: "activityPenaltyBackward",
  shape: ([h]) => [h!],
  gradient: null,
  lower(tape, { inputs: [h], outputs: [dh], attributes: { l1, l2, rows = h!.shape[0]! } }) {
    tape.push(Op.activityPenaltyBackward, [dh!], [h!], [h!.size, rows], [l1, l2], streaming(2 * h!.size));
  },
});

export interface ObjectiveAttributes {
  lossCount: number;
  activityCount: number;
}

/**
 * [loss, dataLoss, penalty] = Σ weight·mean + penalties; stops the step where the loss is not finite. Inputs: the
 * report's head, its losses, its activity penalties or null, and for weight penalties parameters and segments, or null.
 */
export const objective = /* @__PURE__ */ defineEffect<ObjectiveAttributes>(
  "objective",
  (tape, { inputs, attributes: { lossCount, activityCount } }) => {
    const [head, losses, activities, parameters, segments] = inputs as (Tensor | null)[];
    let partials = null;
    let chunks = 0;
    if (parameters) {
      chunks = sumChunks(parameters);
      partials = tape.workspace();
      const sizes = [segments!.shape[0]!, parameters.size];
      tape.push(Op.penaltySums, [partials], [parameters, segments!], sizes, [], streaming(parameters.size));
    }
    const sizes = [lossCount, activityCount, chunks];
    tape.push(Op.objective, [head!], [losses!, activities!, partials], sizes, [], 20 + chunks, false);
  },
  ({ inputs: [, , , parameters] }) => (parameters ? sumChunks(parameters) * 8 : 0),
);

/** gradients += the penalties' gradient. Inputs gradients, parameters, segments. */
export const penaltyGradient = /* @__PURE__ */ defineEffect<Record<never, never>>(
  "penaltyGradient",
  (tape, { inputs: [gradients, parameters, segments] }) => {
    const sizes = [segments!.shape[0]!, parameters!.size];
    tape.push(Op.penaltyGradient, [gradients!], [parameters!, segments!], sizes, [], streaming(3 * parameters!.size));
  },
);
