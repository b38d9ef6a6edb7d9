// The gradient of a tie between two parameters; its value is an activity penalty's.

import { ExtensionOp } from "../../assembly/isa";
import { defineOp, type Op as OpOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

export interface TieAttributes {
  coefficient: number;
  /** How many sides of ties the two layers are: a step goes no further than 1/(movers·learning rate) lets it. */
  movers: number;
  /** The part of the tie that falls to this batch of a group. */
  share: number;
}

/** share · min(coefficient, 1/(movers·learning rate)) · h. Input h = a − b. */
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
