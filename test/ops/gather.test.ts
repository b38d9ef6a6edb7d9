import { describe } from "vitest";
import { SourceType, State } from "../../assembly/isa";
import * as ops from "../../ts/ops/gather";
import { checkCoverage, checkOp, numbers } from "../support/checkOp";

const ROWS = 23; // in the source
const SLOT = 3;
const SHAPES = [
  [1, 1],
  [3, 5],
  [7, 64],
  [17, 63],
  [5, 1025],
  [65, 2, 3],
];

/** Rows `first` … of the source, or of a list of rows; rows past `count` repeat the last. */
interface Batch {
  title: string;
  indices?: number[];
  first: number;
  count?: number;
}

const BATCHES: Batch[] = [
  { title: "in order", first: 2 },
  { title: "by row numbers", first: 1, indices: Array.from({ length: 80 }, (_, i) => (i * 7 + 3) % ROWS) },
  { title: "with fewer rows than the program has", first: 0, count: 2 },
];

function source(type: SourceType, n: number): Float32Array | Uint8Array {
  if (type === SourceType.uint8) return Uint8Array.from({ length: n }, (_, i) => (i * 37) % 256);
  const values = numbers(n, 5);
  if (type === SourceType.raw32) values[1] = Number.NaN; // a label that is not there
  return values;
}

for (const [name, type] of Object.entries({
  float32: SourceType.float32,
  uint8: SourceType.uint8,
  raw32: SourceType.raw32,
}))
  for (const rescaled of type === SourceType.raw32 ? [false] : [false, true])
    for (const { title, indices, first, count } of BATCHES)
      for (const shape of SHAPES) {
        const rows = shape[0]!;
        const size = shape.slice(1).reduce((a, b) => a * b, 1);
        const real = Math.min(count ?? rows, rows);
        const [scale, offset] = rescaled ? [Math.fround(1 / 255), -0.5] : [1, 0];
        const data = source(type, (ROWS + rows + 2) * size);
        describe(`[${shape}]`, () => {
          checkOp(ops.gatherOp, {
            title: `${name}${rescaled ? ", rescaled" : ""}, ${title}`,
            attributes: { slot: SLOT, shape, type, ...(rescaled && { scale, offset }) },
            cases: [{}],
            shapes: () => [shape],
            prepare(core) {
              const buffer = core.buffer(Math.ceil(data.byteLength / 4));
              if (data instanceof Uint8Array) buffer.u8.set(data);
              else buffer.f32.set(data);
              core.state.u32[State.sources + SLOT] = buffer.address;
              core.state.u32[State.indices] = indices ? core.ints(indices).address : 0;
              core.state.u32[State.firstRow] = first;
              core.state.u32[State.rowCount] = real;
            },
            reference: () =>
              Float64Array.from({ length: rows * size }, (_, i) => {
                const r = first + Math.min(Math.floor(i / size), real - 1);
                return data[(indices?.[r] ?? r) * size + (i % size)]! * scale + offset;
              }),
          });
        });
      }

checkCoverage(ops);
