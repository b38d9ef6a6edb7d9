import * as ops from "../../ts/ops/elementwise";
import { checkCoverage, checkOp } from "../support/checkOp";

const CASES = [1, 3, 5, 7, 17, 63, 65, 1025, 12003].map((n) => ({ a: [n], b: [n] }));
const wrong = [
  [{ a: [2, 3], b: [3, 2] }, /expected a second input of shape \[2, 3\], got \[3, 2\]/],
  [{ a: [6], b: [2, 3] }, /expected a second input of shape \[6\], got \[2, 3\]/],
] as const;

checkOp(ops.add, { cases: CASES, wrong, reference: ({ a, b }) => a.map((v, i) => v + b[i]!) });
checkOp(ops.subtract, { cases: CASES, wrong, reference: ({ a, b }) => a.map((v, i) => v - b[i]!) });
checkOp(ops.multiply, { cases: CASES, wrong, reference: ({ a, b }) => a.map((v, i) => v * b[i]!) });

checkOp(ops.affine, {
  cases: [{ x: [1] }, { x: [17] }, { x: [5, 13] }, { x: [1025] }],
  attributes: { scale: -0.375, offset: 2.5 },
  reference: ({ x }) => x.map((v) => -0.375 * v + 2.5),
});

checkOp(ops.reshape, {
  cases: [{ x: [2, 3, 5] }, { x: [65, 17] }],
  attributes: ({ x }) => ({ to: [x.at(-1)!, x.slice(0, -1).reduce((p, d) => p * d, 1)] }),
  shapes: ({ x }) => [[x.at(-1)!, x.slice(0, -1).reduce((p, d) => p * d, 1)]],
  reference: ({ x }) => x,
});

checkOp(ops.reshape, {
  title: "to [7]",
  cases: [{ x: [7, 1] }],
  attributes: { to: [7] },
  shapes: () => [[7]],
  reference: ({ x }) => x,
  wrong: [[{ x: [2, 3] }, /expected an input of 7 elements of shape \[7\], got \[2, 3\]/]],
});

checkCoverage(ops);
