// Inverted dropout: y = x · mask/(1 − rate). The mask is drawn again in the backward pass, never stored.

import { Op } from "../../assembly/isa";
import { defineOp, type Op as OpOf } from "../graph/graph";
import { randomNumbers } from "./work";

export interface DropoutAttributes {
  rate: number;
  /** The `op` word of the Philox counter. */
  op: number;
}

/** x: (batch, …). */
export const dropout: OpOf<DropoutAttributes> = /* @__PURE__ */ defineOp<DropoutAttributes>({
  name: "dropout",
  shape: ([x]) => [x!],
  gradient: (dy, { attributes }) => [dropout([dy], attributes)],
  inPlace: [0],
  lower(tape, { inputs, outputs: [y], attributes: { rate, op } }) {
    const rowElements = y!.size / y!.shape[0]!;
    tape.push(Op.dropout, [y!], inputs, [y!.size, rowElements, op], [rate], randomNumbers(y!.size / 2));
  },
});
