// What checkOp does not see of augmentation: slices of a batch, integers, and what is drawn, as a statistic. Seeds are fixed: a
// bound that holds with p = 0.999 holds or does not, once and for all.

import { describe, expect, test } from "vitest";
import { ExtensionOp, FillMode, Movement, State } from "../../assembly/isa";
import { mixOf } from "../support/augmentation";
import { BUILDS } from "../support/builds";
import { type Buffer, Core } from "../support/core";

const OP = 0xa0000001;
const position = { seed: 2024, stream: 1, step: 2, pass: 0 };

interface Call {
  row?: number;
  workers?: number;
  step?: number;
  seed?: number;
  pass?: number;
  stream?: number;
}

describe.each(BUILDS)("augmentation, %s", (build) => {
  const core = new Core(build);

  function run(op: ExtensionOp, pointers: (Buffer | null)[], sizes: number[], reals: number[], call: Call): void {
    const { row = 0, workers = 1, ...where } = call;
    const { seed, stream, step, pass } = { ...position, ...where };
    core.state.u32[State.seed] = seed;
    core.state.u32[State.stream] = stream;
    core.state.u32[State.step] = step;
    core.state.u32[State.pass] = pass;
    core.state.u32[State.row] = row;
    core.runShares(core.instruction(op, pointers, sizes, reals), workers);
    core.checkGuards();
  }

  function matrices(kind: Movement, rows: number, reals: number[], call: Call = {}): Float32Array {
    core.clear();
    const to = core.buffer(rows * 6);
    run(ExtensionOp.augmentMatrices, [to, null], [rows, 1, 1, kind, OP], reals, call);
    return to.f32.slice();
  }

  function erased(rows: number, [h, w, c]: [number, number, number], call: Call = {}): Float32Array {
    core.clear();
    const y = core.buffer(rows * h * w * c);
    const x = core.floats(new Float32Array(y.length).fill(1));
    run(ExtensionOp.erase, [y, x], [rows, h, w, c, OP], [0.5, 0.02, 0.33, 0.3, 3.3, 0], call);
    return y.f32.slice();
  }

  function mixed(rows: number, alpha: number, cut: [number, number] | false, call: Call = {}) {
    core.clear();
    const [shares, partners, winners] = [core.buffer(rows), core.buffer(rows), core.buffer(rows)];
    const boxes = cut ? core.buffer(rows * 4) : null;
    run(ExtensionOp.mixDraw, [shares, partners, winners, boxes], [rows, ...(cut || [1, 1]), OP], [alpha], call);
    return {
      shares: shares.f32.slice(),
      partners: partners.f32.slice(),
      winners: winners.f32.slice(),
      boxes: boxes?.f32.slice(),
    };
  }

  test("an example has its numbers in every slice of its batch, on 1, 2 and 3 workers", () => {
    const whole = {
      matrices: matrices(Movement.rotate, 41, [-1, 1, 0, 0]),
      erased: erased(41, [5, 7, 2]),
      shares: mixed(41, 0.3, false).shares,
      boxes: mixed(41, 0.3, [9, 5]).boxes!,
    };
    for (const row of [0, 1, 7, 32])
      for (const workers of [1, 2, 3]) {
        const call = { row, workers };
        expect(matrices(Movement.rotate, 9, [-1, 1, 0, 0], call)).toEqual(whole.matrices.slice(row * 6, (row + 9) * 6));
        expect(erased(9, [5, 7, 2], call)).toEqual(whole.erased.slice(row * 70, (row + 9) * 70));
        expect(mixed(9, 0.3, false, call).shares).toEqual(whole.shares.slice(row, row + 9));
        expect(mixed(9, 0.3, [9, 5], call).boxes).toEqual(whole.boxes.slice(row * 4, (row + 9) * 4));
      }
  });

  test("numbers change with seed, stream, step and pass", () => {
    const draw = (call: Call) => matrices(Movement.translate, 8, [-1, 1, -1, 1], call);
    const base = draw({});
    expect(draw({})).toEqual(base);
    for (const other of [{ seed: 8 }, { stream: 2 }, { step: 3 }, { pass: 1 }]) expect(draw(other)).not.toEqual(base);
  });

  test.each([0.01, 0.2, 1, 30])("partners, winners, boxes: alpha %d", (alpha) => {
    const f = Math.fround(alpha);
    for (const rows of [1, 2, 3, 50])
      for (const cut of [false, [7, 10]] as const) {
        const got = mixed(rows, alpha, cut && [...cut], { row: 3 });
        for (let r = 0; r < rows; r++) {
          const want = mixOf(r, rows, OP, position, f, cut, 3);
          expect(got.partners[r]).toBe(want.partner);
          expect(got.winners[r]).toBe(want.winner);
          expect(got.shares[r]).toBeCloseTo(want.share, 6);
          if (cut) expect([...got.boxes!.slice(4 * r, 4 * r + 4)]).toEqual(want.box);
          if (rows > 1) expect(got.partners[r]).not.toBe(r);
        }
      }
  });

  // Kolmogorov–Smirnov: sup |F − Fₙ|·√n < 1.95 with p = 0.999.
  const distance = (values: number[], cumulative: (v: number) => number) => {
    const sorted = values.sort((a, b) => a - b);
    const n = sorted.length;
    return (
      Math.sqrt(n) * Math.max(...sorted.map((v, i) => Math.max(cumulative(v) - i / n, (i + 1) / n - cumulative(v))))
    );
  };

  test("shifts are uniform, and those of rows and columns independent (p = 0.001, n = 10⁴)", () => {
    const n = 10_000;
    const m = matrices(Movement.translate, n, [-2, 6, -3, 3]);
    const down = Array.from({ length: n }, (_, i) => -m[6 * i + 5]!);
    const right = Array.from({ length: n }, (_, i) => -m[6 * i + 2]!);
    expect(Math.min(...down)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...down)).toBeLessThanOrEqual(6);
    const correlation =
      down.reduce((sum, v, i) => sum + (v - 2) * right[i]!, 0) / n / (8 / Math.sqrt(12)) / (6 / Math.sqrt(12));
    expect(Math.abs(correlation) * Math.sqrt(n)).toBeLessThan(3.29);
    expect(distance(down, (v) => (v + 2) / 8)).toBeLessThan(1.95);
    expect(distance(right, (v) => (v + 3) / 6)).toBeLessThan(1.95);
  });

  // Pearson's χ² with 6 degrees of freedom: below 22.46 with p = 0.999.
  test("whole steps −3 … 3 are alike (χ², p = 0.001); mirrors are even (|z| < 3.29)", () => {
    const n = 14_000;
    const m = matrices(Movement.step, n, [-3, 4, 0, 1]);
    const counts = new Float64Array(7);
    for (let i = 0; i < n; i++) {
      counts[m[6 * i + 5]! + 3]!++;
      expect(m[6 * i + 2]).toBe(0);
    }
    expect(counts.reduce((sum, c) => sum + (c - n / 7) ** 2 / (n / 7), 0)).toBeLessThan(22.46);
    const flips = matrices(Movement.flip, n, [0, 0, 0, 0.5]);
    const mirrored = Array.from({ length: n }, (_, i) => flips[6 * i]!).filter((a) => a === -1).length;
    expect(Math.abs(mirrored - n / 2) / Math.sqrt(n / 4)).toBeLessThan(3.29);
    for (let i = 0; i < n; i++) expect(flips[6 * i + 4]).toBe(1);
  });

  test.each([0.01, 0.2, 1, 4, 50])(
    "shares have the moments of Beta(%d, %d) (|z| < 3.29, p = 0.001, n = 2·10⁴)",
    (alpha) => {
      const n = 20_000;
      const { shares } = mixed(n, alpha, false);
      const variance = 1 / (4 * (2 * alpha + 1));
      // E (λ − ½)⁴ of Beta(α, α)
      const fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3));
      const mean = shares.reduce((sum, v) => sum + v, 0) / n;
      const second = shares.reduce((sum, v) => sum + (v - 0.5) ** 2, 0) / n;
      const fourths = shares.reduce((sum, v) => sum + (v - 0.5) ** 4, 0) / n;
      expect(Math.abs(mean - 0.5) / Math.sqrt(variance / n)).toBeLessThan(3.29);
      expect(Math.abs(second - variance) / Math.sqrt((fourth - variance ** 2) / n)).toBeLessThan(3.29);
      expect(Math.abs(fourths / fourth - 1)).toBeLessThan(0.1);
    },
  );

  test("Beta(1, 1) is uniform, Beta(2, 2) has its distribution (Kolmogorov–Smirnov, p = 0.001)", () => {
    expect(distance([...mixed(10_000, 1, false).shares], (v) => v)).toBeLessThan(1.95);
    expect(distance([...mixed(10_000, 2, false).shares], (v) => v * v * (3 - 2 * v))).toBeLessThan(1.95);
  });

  // χ² with 9 degrees of freedom: below 27.88 with p = 0.999.
  test("partners are any other row alike (χ², p = 0.001)", () => {
    const counts = new Float64Array(10);
    const draws = 1000;
    for (let step = 0; step < draws; step++) {
      const { partners } = mixed(11, 1, false, { step });
      for (let r = 0; r < 11; r++) counts[(partners[r]! - r - 1 + 11) % 11]!++;
    }
    const expected = (draws * 11) / 10;
    expect(counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0)).toBeLessThan(27.88);
  });

  test("erased: the share of images is the probability (|z| < 3.29); areas lie in their range", () => {
    const n = 4000;
    const [h, w] = [20, 30];
    const y = erased(n, [h, w, 1]);
    const areas = Array.from({ length: n }, (_, r) =>
      y.subarray(r * h * w, (r + 1) * h * w).reduce((sum, v) => sum + (v === 0 ? 1 : 0), 0),
    );
    const hit = areas.filter((a) => a > 0);
    expect(Math.abs(hit.length - n / 2) / Math.sqrt(n / 4)).toBeLessThan(3.29);
    // sides are rounded, and cut to the image
    expect(Math.min(...hit)).toBeGreaterThanOrEqual(Math.floor(0.02 * h * w * 0.75));
    expect(Math.max(...hit)).toBeLessThanOrEqual(0.33 * h * w * 1.15);
    const mean = hit.reduce((sum, a) => sum + a, 0) / hit.length / (h * w);
    // uniform in [0.02, 0.33]: deviation 0.0895
    expect(Math.abs(mean - 0.175) / (0.0895 / Math.sqrt(hit.length))).toBeLessThan(4);
  });

  test("places far outside are within memory in every mode", () => {
    for (const mode of [FillMode.constant, FillMode.nearest, FillMode.reflect, FillMode.wrap])
      for (const far of [3e9, -3e9, 1e30, -1e30, NaN, Infinity]) {
        core.clear();
        const y = core.buffer(12);
        const x = core.floats(new Float32Array(12).fill(1));
        const m = core.floats([1, 0, far, 0, 1, far]);
        run(ExtensionOp.resample, [y, x, m], [1, 3, 4, 1, mode], [0], {});
        core.checkGuards();
      }
  });
});
