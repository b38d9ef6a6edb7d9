// Fills a parameter with its first numbers.

import { Op } from "../../assembly/isa";
import { defineOp, type Op as OpOf, type Shape } from "../graph/graph";
import { randomNumbers } from "./work";

export interface InitializeAttributes {
  opcode: Op;
  a: number;
  b: number;
  /** The `op` word of the Philox counter. */
  op: number;
}

/** [rows, columns] that an orthogonal matrix is made in. */
const matrixOf = (shape: Shape, size: number) => {
  const columns = shape.at(-1) ?? 1;
  return { rows: size / columns, columns };
};

/** Input: the parameter. */
export const initialize: OpOf<InitializeAttributes> = /* @__PURE__ */ defineOp<InitializeAttributes>({
  name: "initialize",
  effect: true,
  shape: () => [],
  gradient: null,
  workspace: ({ inputs: [y], attributes: { opcode } }) => (opcode === Op.orthogonal ? y!.bytes : 0),
  lower(tape, { inputs: [y], attributes: { opcode, a, b, op } }) {
    const work = randomNumbers(4 * y!.size);
    if (opcode === Op.fill) tape.push(opcode, [y!], [], [y!.size], [a], work);
    else if (opcode === Op.orthogonal) {
      const { rows, columns } = matrixOf(y!.shape, y!.size);
      tape.push(opcode, [y!, tape.workspace(y!.bytes)], [], [rows, columns, op], [a], work, false);
    } else tape.push(opcode, [y!], [], [y!.size, op], [a, b], work);
  },
});
