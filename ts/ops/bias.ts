// y = x + b along the last axis; its gradient, a sum over rows.

import { Op, ROW_CHUNK } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf, type Tensor } from "../graph/graph";
import { streaming } from "./work";

type None = Record<never, never>;

/** Rows that a row-chunked reduction over `columns` columns takes at a time; shapes alone decide. */
export const chunkRowsOf = (columns: number): number => Math.max(1, Math.floor(ROW_CHUNK / columns));

/** y = x + b, b broadcast along the last axis. x: (…, n), b: (n). */
export const biasAdd: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "biasAdd",
  shape([x, b], _, who) {
    if (b!.length !== 1 || b![0] !== x!.at(-1)) throw shapeError(who, "bias", [x!.at(-1)!], b!);
    return [x!];
  },
  gradient: (dy) => [dy, columnSums([dy], {})],
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
  workspace: ({ inputs: [x] }) => partialBytes(x!),
  lower(tape, { inputs: [x], outputs: [y] }) {
    const n = y!.size;
    const m = x!.size / n;
    const chunkRows = chunkRowsOf(n);
    const chunks = Math.ceil(m / chunkRows);
    const partials = tape.workspace(chunks * n * 4);
    tape.push(Op.columnSums, [partials], [x!], [m, n, chunkRows], [], streaming(m * n));
    tape.push(Op.reduceRows, [y!], [partials], [chunks, n], [], streaming(chunks * n));
  },
});

function partialBytes(x: Tensor): number {
  const n = x.shape.at(-1)!;
  return Math.ceil(x.size / n / chunkRowsOf(n)) * n * 4;
}
