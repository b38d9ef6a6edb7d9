import { expect, test } from "vitest";
import { State } from "../../assembly/isa";
import * as ops from "../../ts/ops/noise";
import { checkCoverage, checkOp } from "../support/checkOp";
import type { Core } from "../support/core";
import { kept, quantised } from "../support/dropoutMask";
import { normalOf } from "../support/normals";

const OP = 6;
const counters = { seed: 3, stream: 2, step: 5, pass: 1 };

const from =
  (row: number) =>
  ({ state }: Core) => {
    state.u32.set([counters.seed, counters.stream, counters.step, counters.pass], State.seed);
    state.u32[State.row] = row;
  };

/** n numbers from number `first` on. */
const normals = (n: number, first: number) =>
  Float64Array.from({ length: n }, (_, i) => normalOf(first + i, OP, counters));

const CASES = [
  [1, 1],
  [3, 5],
  [65, 17],
  [1, 1025],
  [9, 3, 3, 8],
  [33, 100],
];

// the gradient is held against the same noise: it is drawn again, from the same counters
for (const row of [0, 3])
  for (const multiplied of [false, true]) {
    const deviation = 0.75;
    const drawn = new Map<string, Float64Array>();
    checkOp(ops.gaussian, {
      title: `${multiplied ? "multiplied" : "added"}, from row ${row} of the call on`,
      attributes: { deviation, multiplied, op: OP },
      cases: CASES.map((x) => ({ x })),
      prepare: from(row),
      tolerance: 4e-6,
      gradientTolerance: 2e-5,
      reference({ x }, shapes) {
        const key = `${shapes.x}`;
        const z = drawn.get(key) ?? normals(x.length, (row * x.length) / shapes.x[0]!);
        drawn.set(key, z);
        return x.map((v, i) => (multiplied ? v * (1 + deviation * z[i]!) : v + deviation * z[i]!));
      },
    });
  }

for (const rate of [0.5, 0.3])
  for (const row of [0, 3])
    checkOp(ops.spatialDropout, {
      title: `rate ${rate}, from row ${row} of the call on`,
      attributes: { rate, op: OP },
      cases: [{ x: [1, 1] }, { x: [3, 5] }, { x: [2, 3, 7] }, { x: [9, 3, 3, 8] }, { x: [5, 17, 33] }],
      prepare: from(row),
      // one draw an example and channel, whatever lies between
      reference({ x }, shapes) {
        const channels = shapes.x.at(-1)!;
        const rowElements = x.length / shapes.x[0]!;
        const scale = Math.fround(1 / (1 - quantised(rate).rate));
        return x.map((v, i) => {
          const element = (row + Math.floor(i / rowElements)) * channels + (i % channels);
          return kept(element, rate, OP, counters) ? v * scale : 0;
        });
      },
      wrong: [[{ x: [3] }, /expected input of shape \[n, …, c\], got \[3\]/]],
    });

test("the reference's numbers are standard normal: mean, variance, skewness, kurtosis (each |z| < 3.29, p = 0.001, n = 2¹⁴)", () => {
  const n = 2 ** 14;
  const z = normals(n, 0);
  const moment = (k: number) => z.reduce((sum, v) => sum + v ** k / n, 0);
  // of z, z², z³, z⁴: means 0, 1, 0, 3; variances 1, 2, 15, 96
  for (const [k, mean, variance] of [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ] as const)
    expect(Math.abs(moment(k) - mean) / Math.sqrt(variance / n)).toBeLessThan(3.29);
});

checkCoverage(ops);
