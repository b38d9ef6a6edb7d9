import { State } from "../../assembly/isa";
import * as ops from "../../ts/ops/tied";
import { checkCoverage, checkOp } from "../support/checkOp";

const H = [[1], [3, 5], [65, 17], [1025]];

for (const [coefficient, movers, rate, share] of [
  [0.5, 2, 0.125, 1], // below 1/(movers·rate)
  [1e6, 2, 0.125, 1], // beyond
  [1e6, 3, 0.125, 0.25],
  [1e6, 0, 0.125, 1], // not bounded
  [3, 2, 0, 1],
] as const)
  checkOp(ops.tieBackward, {
    title: `c = ${coefficient}, ${movers} movers at rate ${rate}, share ${share}`,
    attributes: { coefficient, movers, share },
    cases: H.map((h) => ({ h })),
    constants: ["h"],
    prepare({ state }) {
      state.f32[State.learningRate] = rate;
    },
    reference: ({ h }) => h.map((v) => share * Math.min(coefficient, 1 / (movers * rate)) * v),
  });

checkCoverage(ops);
