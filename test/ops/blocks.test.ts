import { State } from "../../assembly/isa";
import * as ops from "../../ts/ops/blocks";
import { checkCoverage, checkOp } from "../support/checkOp";

const SIZES = [1, 3, 17, 64, 1025, 40001];

for (const n of SIZES) {
  const words = Uint32Array.from({ length: n }, (_, i) => (i % 3 === 1 ? 0 : 0xffffffff));
  checkOp(ops.mask, {
    cases: [{ w: [n], mask: { shape: [n], words } }],
    writes: ["w"],
    reference: ({ w }) => w.map((v, i) => (words[i] ? v : 0)),
  });
}

checkOp(ops.runningMean, {
  cases: SIZES.map((n) => ({ mean: [n], x: [n] })),
  writes: ["mean"],
  prepare({ state }) {
    state.f32[State.learningRate] = 0.25;
  },
  reference: ({ mean, x }) => mean.map((m, i) => m + (x[i]! - m) / 4),
});

checkCoverage(ops);
