import { describe, expect, test } from "vitest";
import { Op, State } from "../../assembly/isa";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";
import { kept as keptBy, quantised } from "../support/dropoutMask";

const OP = 5;
const f32 = Math.fround;

interface Call {
  seed?: number;
  stream?: number;
  step?: number;
  pass?: number;
  row?: number;
  rowElements?: number;
  workers?: number;
  inPlace?: boolean;
}

function dropout(core: Core, x: ArrayLike<number>, rate: number, call: Call = {}): Float32Array {
  const { seed = 7, stream = 1, step = 2, pass = 0, row = 0, rowElements = 1, workers = 1, inPlace = false } = call;
  core.state.u32[State.seed] = seed;
  core.state.u32[State.stream] = stream;
  core.state.u32[State.step] = step;
  core.state.u32[State.pass] = pass;
  core.state.u32[State.row] = row;
  const from = core.floats(x, 1);
  const to = inPlace ? from : core.buffer(x.length, 2);
  core.runShares(core.instruction(Op.dropout, [to, from], [x.length, rowElements, OP], [rate]), workers);
  core.checkGuards();
  return to.f32.slice();
}

const kept = (element: number, rate: number, { seed = 7, stream = 1, step = 2, pass = 0 }: Call = {}): boolean =>
  keptBy(element, rate, OP, { seed, stream, step, pass });

const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => 1 + (i % 97) / 8);
const RATES = [0.5, 0.25, 0.75, 0.125, 3 / 256, 0.1, 0.3, 0.9];

describe.each(BUILDS)("dropout, %s", (build) => {
  const core = new Core(build);

  test.each(RATES)("rate %d: y = x/(1 − rate) where the element's bits say so, else 0", (rate) => {
    const scale = f32(1 / (1 - quantised(rate).rate));
    for (const n of [1, 3, 5, 7, 17, 63, 65, 1025]) {
      const x = ramp(n);
      const expected = x.map((v, i) => (kept(i, rate) ? v * scale : 0));
      for (const workers of [1, 2, 3]) expect(dropout(core, x, rate, { workers })).toEqual(expected);
      expect(dropout(core, x, rate, { inPlace: true, workers: 2 })).toEqual(expected);
    }
  });

  test.each(RATES)("rate %d: rows in chunks, at any offset, have the mask they have in the whole", (rate) => {
    for (const rowElements of [1, 7, 16, 33, 512]) {
      const rows = 1040;
      const x = ramp(Math.min(rows * rowElements, 20000));
      const whole = dropout(core, x, rate, { rowElements });
      for (const row of [1, 2, 16, 37]) {
        const from = row * rowElements;
        const length = Math.min(333, x.length - from);
        const part = dropout(core, x.subarray(from, from + length), rate, { rowElements, row, workers: 3 });
        expect(part).toEqual(whole.slice(from, from + length));
      }
    }
  });

  test("elements are counted past 2³²", () => {
    const x = ramp(70);
    const y = dropout(core, x, 0.1, { row: 3_000_000_000, rowElements: 5 });
    const expected = x.map((v, i) => (kept(15_000_000_000 + i, 0.1) ? v * f32(65536 / (65536 - 6554)) : 0));
    expect(y).toEqual(expected);
  });

  test("the mask changes with seed, stream, step and pass", () => {
    const x = ramp(512);
    const base = dropout(core, x, 0.5);
    expect(dropout(core, x, 0.5)).toEqual(base);
    for (const other of [{ seed: 8 }, { stream: 2 }, { step: 3 }, { pass: 1 }])
      expect(dropout(core, x, 0.5, other)).not.toEqual(base);
  });

  test("dropped elements are exactly +0 whatever they were; NaN and ∞ stay in kept ones", () => {
    const n = 533;
    for (const value of [NaN, Infinity, -Infinity, -1]) {
      const y = dropout(core, new Array(n).fill(value), 0.5);
      const scaled = value * 2;
      for (let i = 0; i < n; i++) expect(y[i]).toBe(kept(i, 0.5) ? scaled : 0);
    }
  });

  test("rate 0 is the identity", () => {
    const x = ramp(1025);
    expect(dropout(core, x, 0)).toEqual(x);
  });

  // Kept elements of n are binomial: |z| < 3.29 holds with p = 0.999 for one fair draw; seeds are fixed.
  test.each(RATES)("rate %d: the fraction dropped is the rate (|z| < 3.29, p = 0.001, n = 2²⁰)", (rate) => {
    const n = 1 << 20;
    const y = dropout(core, new Float32Array(n).fill(1), rate, { seed: 2024 });
    const dropped = y.reduce((count, v) => count + (v === 0 ? 1 : 0), 0);
    expect(Math.abs(dropped - n * rate) / Math.sqrt(n * rate * (1 - rate))).toBeLessThan(3.29);
  });

  // Pearson's χ² over the 2⁸ patterns of eight neighbouring elements, 255 degrees of freedom: below 330.5 with p = 0.999.
  test("rate 0.5: neighbours are independent (χ² over 256 patterns < 330.5, p = 0.001)", () => {
    const n = 1 << 20;
    const y = dropout(core, new Float32Array(n).fill(1), 0.5, { seed: 2024 });
    const counts = new Float64Array(256);
    for (let i = 0; i < n; i += 8) {
      let pattern = 0;
      for (let j = 0; j < 8; j++) pattern = pattern * 2 + (y[i + j] === 0 ? 1 : 0);
      counts[pattern]!++;
    }
    const expected = n / 8 / 256;
    expect(counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0)).toBeLessThan(330.5);
  });
});
