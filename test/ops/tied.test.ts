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
    reference: ({ h }) => h.map((v) => share * (movers * rate * coefficient <= 1 ? coefficient : 0) * v),
  });

const N = 1025;
/** A row of the segment table. */
const segment = (frozen: number) => ({ shape: [8], words: Uint32Array.of(0, N, frozen, 0, 0, 0, 0, 0) });

for (const [c, movers, rate] of [
  [0.5, 2, 0.125], // all of it is in the gradient
  [1e6, 2, 0.125],
  [10, 2, 0.125],
  [10, 3, 0.125],
] as const)
  for (const [frozenA, frozenB] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
    [0, undefined],
  ] as const)
    checkOp(ops.tieStep, {
      title: `c = ${c}, ${movers} movers at rate ${rate}, frozen ${frozenA} ${frozenB}`,
      attributes: { coefficient: c, movers },
      cases: [
        { a: [N], b: [N], segmentA: segment(frozenA), segmentB: frozenB === undefined ? null : segment(frozenB) },
      ],
      writes: frozenB === undefined ? ["a"] : ["a", "b"],
      prepare({ state }) {
        state.f32[State.learningRate] = rate;
      },
      reference({ a, b }) {
        const [movesA, movesB] = [+!frozenA, +(frozenB === 0)];
        const r = movers * rate * c <= 1 ? 0 : rate * c;
        const k = r / (1 + (movesA + movesB) * r);
        const both = [a.map((v, i) => v - movesA * k * (v - b[i]!)), b.map((v, i) => v + movesB * k * (a[i]! - v))];
        return frozenB === undefined ? [both[0]!] : both;
      },
    });

checkCoverage(ops);
