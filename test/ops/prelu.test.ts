import * as ops from "../../ts/ops/prelu";
import { checkCoverage, checkOp } from "../support/checkOp";

checkOp(ops.prelu, {
  cases: [
    { x: [1, 1], alpha: [1] },
    { x: [5, 13], alpha: [13] },
    { x: [1025, 3], alpha: [3] },
    { x: [17, 512], alpha: [512] }, // one row more than a chunk
    { x: [3, 1025], alpha: [1025] },
    { x: [2, 3, 3, 8], alpha: [8] },
  ],
  reference: ({ x, alpha }) => x.map((v, i) => (v > 0 ? v : alpha[i % alpha.length]! * v)),
  wrong: [
    [{ x: [2, 3], alpha: [4] }, /expected alpha of shape \[3\], got \[4\]/],
    [{ x: [2, 3], alpha: [1, 3] }, /expected alpha of shape \[3\], got \[1, 3\]/],
  ],
});

checkCoverage(ops);
