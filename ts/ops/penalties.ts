// The terms of the objective beside the data loss, and their sum.

import { Op, REDUCE_CHUNK } from "../../assembly/isa";
import { defineOp, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import { streaming } from "./work";

const chunksOf = (floats: number) => Math.ceil(floats / REDUCE_CHUNK);
const none = (): Shape[] => [];

export interface ActivityAttributes {
  l1: number;
  l2: number;
  /** Examples that the penalty is averaged over; default: the batch. */
  rows?: number | undefined;
}

/** (l1·Σ|h| + l2·½Σh²)/rows. Inputs h and the report's entry. */
export const activityPenalty: OpOf<ActivityAttributes> = /* @__PURE__ */ defineOp<ActivityAttributes>({
  name: "activityPenalty",
  effect: true,
  shape: none,
  gradient: null,
  workspace: ({ inputs: [h] }) => chunksOf(h!.size) * 8,
  lower(tape, { inputs: [h, result], attributes: { l1, l2, rows = h!.shape[0]! } }) {
    const chunks = chunksOf(h!.size);
    const partials = tape.workspace(chunks * 8);
    tape.push(Op.activityPenalty, [partials], [h!], [h!.size], [l1, l2], streaming(h!.size));
    tape.push(Op.activityPenaltyReduce, [result!], [partials], [chunks, rows], [], chunks, false);
  },
});

/** (l1·sign(h) + l2·h)/rows. */
export const activityPenaltyBackward: OpOf<ActivityAttributes> = /* @__PURE__ */ defineOp<ActivityAttributes>({
  name: "activityPenaltyBackward",
  shape: ([h]) => [h!],
  gradient: null,
  lower(tape, { inputs: [h], outputs: [dh], attributes: { l1, l2, rows = h!.shape[0]! } }) {
    tape.push(Op.activityPenaltyBackward, [dh!], [null, h!], [h!.size, rows], [l1, l2], streaming(2 * h!.size));
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
export const objective: OpOf<ObjectiveAttributes> = /* @__PURE__ */ defineOp<ObjectiveAttributes>({
  name: "objective",
  effect: true,
  shape: none,
  gradient: null,
  workspace: ({ inputs: [, , , parameters] }) => (parameters ? chunksOf(parameters.size) * 8 : 0),
  lower(tape, { inputs, attributes: { lossCount, activityCount } }) {
    const [head, losses, activities, parameters, segments] = inputs as (Tensor | null)[];
    let partials = null;
    let chunks = 0;
    if (parameters) {
      chunks = chunksOf(parameters.size);
      partials = tape.workspace(chunks * 8);
      const sizes = [segments!.shape[0]!, parameters.size];
      tape.push(Op.penaltySums, [partials], [parameters, segments!], sizes, [], streaming(parameters.size));
    }
    const sizes = [lossCount, activityCount, chunks];
    tape.push(Op.objective, [head!], [losses!, activities!, partials], sizes, [], 20 + chunks, false);
  },
});

/** gradients += the penalties' gradient. Inputs gradients, parameters, segments. */
export const penaltyGradient: OpOf<Record<never, never>> = /* @__PURE__ */ defineOp<Record<never, never>>({
  name: "penaltyGradient",
  effect: true,
  shape: none,
  gradient: null,
  lower(tape, { inputs: [gradients, parameters, segments] }) {
    const sizes = [segments!.shape[0]!, parameters!.size];
    tape.push(Op.penaltyGradient, [gradients!], [parameters!, segments!], sizes, [], streaming(3 * parameters!.size));
  },
});
