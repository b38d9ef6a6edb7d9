// A tie between two parameters: its gradient, or where that is too large for a step, its proximal step. Its value is an
// activity penalty's.

import { ExtensionOp } from "../../assembly/isa";
import { defineEffect, defineOp, type Op as OpOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

export interface TieStepAttributes {
  coefficient: number;
  /** How many sides of ties the two layers are; 0 in a gradient that is to have the tie in any case. */
  movers: number;
}

export interface TieAttributes extends TieStepAttributes {
  /** The part of the tie that falls to this batch of a group. */
  share: number;
}

/** share · coefficient · h, or 0 where movers·learning rate·coefficient > 1. Input h = a − b. */
export const tieBackward: OpOf<TieAttributes> = /* @__PURE__ */ (() =>
  defineOp<TieAttributes>({
    name: "tieBackward",
    shape: ([h]) => [h!],
    gradient: null,
    lower(tape, { inputs, outputs, attributes: { coefficient, movers, share } }) {
      const n = outputs[0]!.size;
      tape.push(
        extended(ExtensionOp.tieBackward),
        outputs,
        inputs,
        [n, movers],
        [coefficient, share],
        streaming(2 * n),
      );
    },
  }))();

/**
 * The proximal step, where the gradient leaves the tie out. Inputs a, b, and the rows of the segment table that are theirs, of b
 * null where it is a constant.
 */
export const tieStep: OpOf<TieStepAttributes> = /* @__PURE__ */ (() =>
  defineEffect<TieStepAttributes>("tieStep", (tape, { inputs: [a, b, ...segments], attributes }) => {
    const { coefficient, movers } = attributes;
    const [outputs, constants] = segments[1] ? [[a!, b!], []] : [[a!], [b!]];
    const opcode = extended(ExtensionOp.tieStep);
    tape.push(opcode, outputs, [...constants, ...segments], [a!.size, movers], [coefficient], streaming(4 * a!.size));
  }))();
