// Noise of training. It is a function of counters, drawn again in the backward pass, never stored.

import { ExtensionOp, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import type { DropoutAttributes } from "./dropout";
import { randomNumbers, streaming } from "./work";

export interface GaussianAttributes {
  /** Standard deviation of the noise. */
  deviation: number;
  /** y = x·(1 + deviation·z); else y = x + deviation·z. */
  multiplied: boolean;
  /** The `op` word of the Philox counter. */
  op: number;
}

/** x: (batch, …). */
export const gaussian: OpOf<GaussianAttributes> = /* @__PURE__ */ defineOp<GaussianAttributes>({
  name: "gaussian",
  shape: ([x]) => [x!],
  gradient: (dy, { attributes }) => [attributes.multiplied ? gaussian([dy], attributes) : dy],
  inPlace: [0],
  lower(tape, { inputs, outputs: [y], attributes: { deviation, multiplied, op } }) {
    const sizes = [y!.size, y!.size / y!.shape[0]!, op, +multiplied];
    tape.push(extended(ExtensionOp.gaussian), [y!], inputs, sizes, [deviation], randomNumbers(5 * y!.size));
  },
});

/** Whole channels dropped, the others divided by 1 − rate. x: (batch, …, channels). */
export const spatialDropout: OpOf<DropoutAttributes> = /* @__PURE__ */ defineOp<DropoutAttributes>({
  name: "spatialDropout",
  shape([x], _, who) {
    if (x!.length < 2) throw shapeError(who, "input", "[n, …, c]", x!);
    return [x!];
  },
  gradient: (dy, { attributes }) => [spatialDropout([dy], attributes)],
  inPlace: [0],
  workspace: ({ inputs: [x] }) => x!.shape[0]! * x!.shape.at(-1)! * 4,
  lower(tape, { inputs, outputs: [y], attributes: { rate, op } }) {
    const [batch, channels] = [y!.shape[0]!, y!.shape.at(-1)!];
    const n = batch * channels;
    const rows = y!.size / channels;
    const mask = tape.workspace();
    tape.push(Op.fill, [mask], [], [n], [1], streaming(n));
    tape.push(Op.dropout, [mask], [mask], [n, channels, op], [rate], randomNumbers(n / 2));
    const sizes = [rows, rows / batch, channels];
    tape.push(extended(ExtensionOp.scaleChannels), [y!], [inputs[0]!, mask], sizes, [], streaming(2 * y!.size));
  },
});
