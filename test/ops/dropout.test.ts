import { expect, test } from "vitest";
import { State } from "../../assembly/isa";
import * as ops from "../../ts/ops/dropout";
import { checkCoverage, checkOp } from "../support/checkOp";
import { kept, quantised } from "../support/dropoutMask";

const OP = 6;
const counters = { seed: 3, stream: 2, step: 5, pass: 1 };

const masks = new Map<string, Float64Array>();

/** mask/(1 − rate) of n elements from `first` on. */
function mask(n: number, rate: number, first: number): Float64Array {
  const key = `${n} ${rate} ${first}`;
  let m = masks.get(key);
  if (!m) {
    const scale = Math.fround(1 / (1 - quantised(rate).rate));
    m = Float64Array.from({ length: n }, (_, i) => (kept(first + i, rate, OP, counters) ? scale : 0));
    masks.set(key, m);
  }
  return m;
}

for (const rate of [0.5, 0.3])
  for (const row of [0, 3])
    checkOp(ops.dropout, {
      title: `rate ${rate}, from row ${row} of the call on`,
      attributes: { rate, op: OP },
      cases: [{ x: [1, 1] }, { x: [3, 5] }, { x: [65, 17] }, { x: [1, 1025] }, { x: [9, 3, 3, 8] }, { x: [33, 100] }],
      prepare({ state }) {
        state.u32.set([counters.seed, counters.stream, counters.step, counters.pass], State.seed);
        state.u32[State.row] = row;
      },
      // the gradient is held against the same mask: it is drawn again, from the same counters
      reference({ x }, shapes) {
        const m = mask(x.length, rate, (row * x.length) / shapes.x[0]!);
        return x.map((v, i) => v * m[i]!);
      },
    });

test("the mask's mean is 1 (|z| < 3.29, p = 0.001, n = 2¹⁴)", () => {
  const n = 2 ** 14;
  for (const rate of [0.5, 0.3]) {
    const mean = mask(n, rate, 0).reduce((sum, v) => sum + v / n, 0);
    const sigma = Math.sqrt(rate / (1 - rate) / n);
    expect(Math.abs(mean - 1) / sigma).toBeLessThan(3.29);
  }
});

checkCoverage(ops);
