// y = x > 0 ? x : alpha[channel]·x, alpha learned.

import { ExtensionOp, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import { rowChunks } from "./bias";
import { streaming } from "./work";

type None = Record<never, never>;

/** Inputs dy, x (…, n), alpha (n); outputs dx and dalpha. */
const preluBackward: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "preluBackward",
  shape: ([dy, , alpha]) => [dy!, alpha!],
  gradient: null,
  workspace: ({ inputs: [dy] }) => rowChunks(dy!).bytes,
  lower(tape, { inputs, outputs: [dx, dalpha] }) {
    const { n, rows, chunkRows, chunks } = rowChunks(dx!);
    const partials = tape.workspace();
    tape.push(
      extended(ExtensionOp.preluBackward),
      [dx!, partials],
      inputs,
      [rows, n, chunkRows],
      [],
      streaming(4 * dx!.size),
    );
    tape.push(Op.reduceRows, [dalpha!], [partials], [chunks, n], [], streaming(chunks * n));
  },
});

/** Inputs x (…, n) and alpha (n). */
export const prelu: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "prelu",
  shape([x, alpha], _, who) {
    if (alpha!.length !== 1 || alpha![0] !== x!.at(-1)) throw shapeError(who, "alpha", [x!.at(-1)!], alpha!);
    return [x!];
  },
  gradient(dy, { inputs: [x, alpha] }) {
    const [dx, dalpha] = preluBackward([dy, x!, alpha!]).node!.outputs;
    return [dx!, dalpha!];
  },
  lower(tape, { inputs, outputs: [y] }) {
    const n = y!.shape.at(-1)!;
    tape.push(extended(ExtensionOp.prelu), [y!], inputs, [y!.size / n, n], [], streaming(2 * y!.size));
  },
});
