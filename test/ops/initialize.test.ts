import { ExtensionOp, Op, State } from "../../assembly/isa";
import * as ops from "../../ts/ops/initialize";
import { extended } from "../../ts/runtime/extension";
import { checkCoverage, checkOp } from "../support/checkOp";
import { philox } from "../support/philox";

const OP = 5;
const CASES = [[1], [3], [17], [5, 13], [65, 17], [3, 3, 2, 8], [1025, 5]].map((y) => ({ y }));
const f = Math.fround;

const common = {
  cases: CASES,
  writes: ["y"],
  prepare({ state }: { state: { u32: Uint32Array } }) {
    state.u32[State.seed] = 11;
    state.u32[State.stream] = 3;
  },
} as const;

/** The upper 24 bits of the element's own word. */
const unit = (i: number) => (philox([i >> 2, OP, 0, 0xffffffff], [11, 3])[i % 4]! >>> 8) / 2 ** 24;

checkOp(ops.initialize, {
  ...common,
  title: "fill",
  attributes: { opcode: Op.fill, a: 0.25, b: 0, op: OP },
  reference: ({ y }) => y.map(() => 0.25),
});

checkOp(ops.initialize, {
  ...common,
  title: "uniform",
  attributes: { opcode: Op.randomUniform, a: -1, b: 3, op: OP },
  tolerance: 0,
  reference: ({ y }) => y.map((_, i) => f(-1 + 4 * unit(i))),
});

// How these two are distributed, the kernel's tests say: here, that the bits do not depend on how they are run.
for (const opcode of [Op.randomNormal, extended(ExtensionOp.truncatedNormal)])
  checkOp(ops.initialize, {
    ...common,
    title: opcode === Op.randomNormal ? "normal" : "truncated normal",
    attributes: { opcode, a: 0.5, b: 2, op: OP },
    reference: ({ y }) => new Array<undefined>(y.length).fill(undefined),
  });

checkOp(ops.initialize, {
  ...common,
  title: "orthogonal",
  cases: CASES.slice(0, -1),
  attributes: { opcode: extended(ExtensionOp.orthogonal), a: 1, b: 0, op: OP },
  reference: ({ y }) => new Array<undefined>(y.length).fill(undefined),
});

checkCoverage(ops);
