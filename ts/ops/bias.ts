// y = x + b along the last axis; its gradient, a sum over rows.

import { Op, ROW_CHUNK } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf, type Tensor } from "../graph/graph";
import { streaming } from "./work";

type None = Record<never, never>;

/** How a reduction over all rows of x (…, n) is cut into chunks of rows; shapes alone decide. `bytes`: of one f32 for each of n in each chunk. */
export function rowChunks({ shape, size }: Tensor) {
  const n = shape.at(-1)!;
  const rows = size / n;
  const chunkRows = Math.max(1, Math.floor(ROW_CHUNK / n));
  const chunks = Math.ceil(rows / chunkRows);
  return { n, rows, chunkRows, chunks, bytes: chunks * n * 4 };
}

/** y = x + b, b broadcast along the last axis. x: (…, n), b: (n). */
export const biasAdd: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "biasAdd",
  shape([x, b], _, who) {
    if (b!.length !== 1 || b![0] !== x!.at(-1)) throw shapeError(who, "bias", [x!.at(-1)!], b!);
    return [x!];
  },
  gradient: (dy) => [dy, columnSums([dy])],
  inPlace: [0],
  lower(tape, { inputs: [x, b], outputs: [y] }) {
    tape.push(Op.biasAdd, [y!], [x!, b!], [y!.size / b!.size, b!.size], [], streaming(2 * y!.size));
  },
});

/** y[j] = Σ over all rows of x[·, j]. x: (…, n), y: (n). */
export const columnSums: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "columnSums",
  shape: ([x]) => [[x!.at(-1)!]],
  gradient: null,
  workspace: ({ inputs: [x] }) => rowChunks(x!).bytes,
  lower(tape, { inputs: [x], outputs: [y] }) {
    const { n, rows, chunkRows, chunks } = rowChunks(x!);
    const partials = tape.workspace();
    tape.push(Op.columnSums, [partials], [x!], [rows, n, chunkRows], [], streaming(x!.size));
    tape.push(Op.reduceRows, [y!], [partials], [chunks, n], [], streaming(chunks * n));
  },
});
