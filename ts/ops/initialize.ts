// Fills a parameter with its first numbers.

import { ExtensionOp, Op } from "../../assembly/isa";
import { defineEffect } from "../graph/graph";
import { randomNumbers } from "./work";

/** An instruction of the extension: whose factory was called has it. */
const ORTHOGONAL = ExtensionOp.orthogonal as number as Op;

export interface InitializeAttributes {
  opcode: Op;
  a: number;
  b: number;
  /** The `op` word of the Philox counter. */
  op: number;
}

/** Input: the parameter. */
export const initialize = /* @__PURE__ */ defineEffect<InitializeAttributes>(
  "initialize",
  (tape, { inputs: [y], attributes: { opcode, a, b, op } }) => {
    const { shape, size } = y!;
    const work = randomNumbers(4 * size);
    if (opcode === Op.fill) tape.push(opcode, [y!], [], [size], [a], work);
    else if (opcode === ORTHOGONAL) {
      const columns = shape.at(-1) ?? 1;
      tape.push(opcode, [y!, tape.workspace()], [], [size / columns, columns, op], [a], work, false);
    } else tape.push(opcode, [y!], [], [size, op], [a, b], work);
  },
  ({ inputs: [y], attributes: { opcode } }) => (opcode === ORTHOGONAL ? y!.bytes : 0),
);
