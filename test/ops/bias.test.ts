import * as ops from "../../ts/ops/bias";
import { checkCoverage, checkOp } from "../support/checkOp";

checkOp(ops.biasAdd, {
  cases: [
    { x: [1, 4], b: [4] }, // one row
    { x: [5, 13], b: [13] }, // a tail after the last whole vector; rows do not divide among workers
    { x: [1025, 3], b: [3] }, // many short rows
    { x: [9, 1025], b: [1025] }, // more than one chunk of rows in the bias's gradient
    { x: [63, 1], b: [1] },
    { x: [17, 512], b: [512] }, // one row more than a whole chunk
    { x: [2, 3, 3, 8], b: [8] }, // NHWC
  ],
  reference: ({ x, b }) => x.map((xi, i) => xi + b[i % b.length]!),
  wrong: [
    [{ x: [2, 3], b: [4] }, /expected bias of shape \[3\], got \[4\]/],
    [{ x: [2, 3], b: [2, 3] }, /expected bias of shape \[3\], got \[2, 3\]/],
  ],
});

checkOp(ops.columnSums, {
  cases: [{ x: [1, 1] }, { x: [5, 13] }, { x: [1025, 3] }, { x: [65, 1025] }, { x: [2, 3, 3, 8] }],
  shapes: ({ x }) => [[x.at(-1)!]],
  reference: ({ x }, shapes) => columnSums(x, shapes.x.at(-1)!),
});

function columnSums(x: Float64Array, n: number): Float64Array {
  const y = new Float64Array(n);
  x.forEach((v, i) => {
    y[i % n]! += v;
  });
  return y;
}

checkCoverage(ops);
