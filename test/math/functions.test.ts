// The SIMD functions against float64, over every exponent of float32: each STRIDE-th bit pattern, both signs, then
// denser ones where the function turns.

import { expect, test } from "vitest";
import { ExtensionOp, Op } from "../../assembly/isa";
import { type Build, Core } from "../support/core";
import { BUILDS } from "../support/elementwise";
import { erf, sigmoid } from "../support/functions";

const STRIDE = 2039; // a prime: 2.1 million patterns
const { abs, exp, log, sin, cos, tanh, PI } = Math;

interface Case {
  op: number;
  reference: (x: number) => number;
  ulps: number;
  /** What is tried: all, or |x| up to this. */
  upTo?: number;
  /** Where values lie denser. */
  dense: [number, number];
  exact: [number, number][];
}

const CASES: Record<string, Case> = {
  exp: {
    op: ExtensionOp.exp,
    reference: exp,
    ulps: 2,
    dense: [-104.5, 89],
    exact: [
      [0, 1],
      [-0, 1],
      [Infinity, Infinity],
      [-Infinity, 0],
      [NaN, NaN],
      [-104, 0],
      [89, Infinity],
      [1e-45, 1],
    ],
  },
  log: {
    op: ExtensionOp.log,
    reference: log,
    ulps: 2,
    dense: [0.4, 2.5],
    exact: [
      [1, 0],
      [0, -Infinity],
      [-0, -Infinity],
      [Infinity, Infinity],
      [-Infinity, NaN],
      [-1, NaN],
      [-1e-40, NaN],
      [NaN, NaN],
    ],
  },
  tanh: {
    op: Op.tanh,
    reference: tanh,
    ulps: 4,
    dense: [-10, 10],
    exact: [
      [0, 0],
      [-0, -0],
      [Infinity, 1],
      [-Infinity, -1],
      [NaN, NaN],
      [1e-45, 1e-45],
      [-1e-40, -1e-40],
    ],
  },
  sigmoid: {
    op: Op.sigmoid,
    reference: sigmoid,
    ulps: 4,
    dense: [-104.5, 18],
    exact: [
      [0, 0.5],
      [-0, 0.5],
      [Infinity, 1],
      [-Infinity, 0],
      [NaN, NaN],
      [1e-45, 0.5],
    ],
  },
  erf: {
    op: ExtensionOp.erf,
    reference: erf,
    ulps: 4,
    dense: [-4.5, 4.5],
    exact: [
      [0, 0],
      [-0, -0],
      [Infinity, 1],
      [-Infinity, -1],
      [NaN, NaN],
    ],
  },
  "sin on ±π": {
    op: ExtensionOp.sin,
    reference: sin,
    ulps: 2,
    upTo: PI,
    dense: [-PI, PI],
    exact: [
      [0, 0],
      [-0, -0],
      [Infinity, NaN],
      [-Infinity, NaN],
      [NaN, NaN],
      [1e-45, 1e-45],
      [-1e-40, -1e-40],
    ],
  },
  "cos on ±π": {
    op: ExtensionOp.cos,
    reference: cos,
    ulps: 2,
    upTo: PI,
    dense: [-PI, PI],
    exact: [
      [0, 1],
      [-0, 1],
      [Infinity, NaN],
      [-Infinity, NaN],
      [NaN, NaN],
      [1e-45, 1],
    ],
  },
  "sin to 10⁶": { op: ExtensionOp.sin, reference: sin, ulps: 2, upTo: 1e6, dense: [-1e6, 1e6], exact: [] },
  "cos to 10⁶": { op: ExtensionOp.cos, reference: cos, ulps: 2, upTo: 1e6, dense: [-1e6, 1e6], exact: [] },
};

/** Every STRIDE-th float up to `upTo`, and half a million evenly in `dense`. */
function samples({ dense: [from, to], upTo = Infinity }: Case): Float32Array {
  const n = 500_000;
  const x = new Float32Array(2 ** 32 / STRIDE + n);
  const bits = new Uint32Array(x.buffer);
  let count = 0;
  for (let pattern = 0; pattern < 2 ** 32; pattern += STRIDE) {
    bits[count] = pattern;
    if (!(abs(x[count]!) > upTo)) count++;
  }
  for (let i = 0; i < n; i++) x[count++] = from + ((to - from) * i) / (n - 1);
  return x.subarray(0, count);
}

function apply(build: Build, op: number, x: Float32Array): Float32Array {
  const core = new Core(build);
  const y = core.buffer(x.length);
  core.runShares(core.instruction(op, [y, core.floats(x)], [x.length], [0, 0]));
  core.checkGuards();
  return y.f32.slice();
}

/** The distance of two adjacent floats at `x`. */
function ulpOf(x: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(abs(x)) + 1e-12));
  return 2 ** (Math.min(exponent, 127) - 23);
}

/** The largest error in ulps, and where. A wrong NaN, infinity or sign is an infinite one. */
function worst(x: Float32Array, got: Float32Array, reference: (x: number) => number): { ulps: number; x: number } {
  const worst = { ulps: 0, x: 0 };
  for (let i = 0; i < x.length; i++) {
    const want = reference(x[i]!);
    const g = got[i]!;
    const rounded = Math.fround(want);
    if (g === rounded) continue; // no worse than half an ulp
    if (Number.isNaN(g) && Number.isNaN(want)) continue;
    let ulps = abs(g - want) / ulpOf(want);
    if (abs(rounded) === Infinity) ulps = abs(g) >= 3.4028233e38 && g > 0 === want > 0 ? 1 : Infinity;
    if (abs(g) === Infinity) ulps = abs(want) > 3.4028233e38 ? 1 : Infinity;
    if (Number.isNaN(ulps)) ulps = Infinity;
    if (ulps > worst.ulps) {
      worst.ulps = ulps;
      worst.x = x[i]!;
    }
  }
  return worst;
}

for (const [name, c] of Object.entries(CASES)) {
  for (const build of BUILDS) {
    test(`${name}, ${build}: ≤ ${c.ulps} ulp over every exponent`, () => {
      const x = samples(c);
      const found = worst(x, apply(build, c.op, x), c.reference);
      if (process.env["ULPS"]) console.log(`${name} ${build}: ${found.ulps.toFixed(3)} ulp at ${found.x}`);
      expect(found.ulps, `at ${found.x}`).toBeLessThanOrEqual(c.ulps);
    });
    test(`${name}, ${build}: ±0, ±∞, NaN of any payload, and subnormals`, () => {
      const x = Float32Array.from(c.exact.map(([v]) => v));
      const y = apply(build, c.op, x);
      expect([...y]).toEqual([...Float32Array.from(c.exact.map(([, v]) => v))]);
      const payloads = new Float32Array(new Uint32Array([0x7f800001, 0xff800001, 0x7fffffff, 0xffc12345]).buffer);
      expect([...apply(build, c.op, payloads)]).toEqual([NaN, NaN, NaN, NaN]);
    });
  }
}

test("sin and cos of huge numbers stay in [−1, 1]", () => {
  const x = samples({ ...CASES["sin on ±π"]!, upTo: 3.5e38 });
  for (const build of BUILDS)
    for (const op of [ExtensionOp.sin, ExtensionOp.cos]) {
      const y = apply(build, op, x);
      let outside = 0;
      for (let i = 0; i < x.length; i++) if (!(abs(y[i]!) <= 1) && abs(x[i]!) < Infinity) outside++;
      expect(outside).toBe(0);
    }
});

test("a number has the same bits in every lane and in the tail", () => {
  for (const build of BUILDS)
    for (const { op } of Object.values(CASES))
      for (let n = 1; n <= 7; n++) {
        const y = apply(build, op, new Float32Array(n).fill(0.7315));
        expect(y.every((v) => v === y[0])).toBe(true);
      }
});
