import { State } from "../../assembly/isa";
import * as ops from "../../ts/ops/shuffle";
import { checkCoverage, checkOp } from "../support/checkOp";
import { philox } from "../support/philox";

/** Fisher–Yates from the last element down; element i takes word i % 4 of block i/4. */
function permutation(n: number, epoch: number): number[] {
  const y = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i >= 0; i--) {
    const random = philox([i >> 2, 0xffffffff, epoch, 0], [9, 4])[i % 4]!;
    const j = Number((BigInt(random) * BigInt(i + 1)) >> 32n);
    [y[i], y[j]] = [y[j]!, y[i]!];
  }
  return y;
}

for (const epoch of [0, 3])
  checkOp(ops.shuffle, {
    title: `epoch ${epoch}`,
    cases: [1, 2, 3, 5, 17, 65, 1025].map((n) => ({ y: [n] })),
    integers: ["y"],
    writes: ["y"],
    prepare({ state }) {
      state.u32[State.seed] = 9;
      state.u32[State.stream] = 4;
      state.u32[State.epoch] = epoch;
    },
    reference: ({ y }) => permutation(y.length, epoch),
  });

checkCoverage(ops);
