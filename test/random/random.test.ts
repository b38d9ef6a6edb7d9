import { describe, expect, test } from "vitest";
import { ExtensionOp, Op, State } from "../../assembly/isa";
import { extended } from "../../ts/runtime/extension";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";
import { philox } from "../support/philox";

const OP = 9;
const SIZES = [1, 2, 3, 5, 7, 17, 63, 65, 1025];

function seeded(core: Core, { seed = 11, stream = 3, epoch = 0, step = 0 } = {}): Core {
  core.state.u32[State.seed] = seed;
  core.state.u32[State.stream] = stream;
  core.state.u32[State.epoch] = epoch;
  core.state.u32[State.step] = step;
  return core;
}

function draw(core: Core, op: Op, n: number, a: number, b: number, { workers = 1, id = OP } = {}): Float32Array {
  const y = core.buffer(n, 1);
  core.runShares(core.instruction(op, [y], [n, id], [a, b]), workers);
  core.checkGuards();
  return y.f32.slice();
}

/** The error function's complement, to 1.2e-7 relative everywhere (Press et al., Numerical Recipes, erfcc). */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const poly = [
    1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
  ];
  const tail = 0.5 * t * Math.exp(-x * x - 1.26551223 + poly.reduceRight((s, c) => (s + c) * t, 0));
  return z > 0 ? 1 - tail : tail;
}

/** √n · sup |empirical − cdf|: below 1.95 with p = 0.999 where the cdf is right (Kolmogorov). */
function kolmogorov(samples: Float32Array, cdf: (x: number) => number): number {
  const sorted = samples.slice().sort();
  const n = sorted.length;
  let d = 0;
  for (let i = 0; i < n; i++) {
    const p = cdf(sorted[i]!);
    d = Math.max(d, p - i / n, (i + 1) / n - p);
  }
  return Math.sqrt(n) * d;
}

function moments(x: Float32Array): { mean: number; variance: number; lag: number } {
  const n = x.length;
  const mean = x.reduce((s, v) => s + v, 0) / n;
  const variance = x.reduce((s, v) => s + (v - mean) ** 2, 0) / n;
  let lag = 0;
  for (let i = 1; i < n; i++) lag += (x[i]! - mean) * (x[i - 1]! - mean);
  return { mean, variance, lag: lag / n / variance };
}

const N = 1 << 20;
const Z = 3.29; // |z| of a fair draw is below with p = 0.999

describe.each(BUILDS)("%s", (build) => {
  const core = new Core(build);

  describe.each([
    { name: "randomUniform", op: Op.randomUniform, a: -0.25, b: 1.5 },
    { name: "randomNormal", op: Op.randomNormal, a: 0.5, b: 2 },
    { name: "truncatedNormal", op: extended(ExtensionOp.truncatedNormal), a: 0.5, b: 2 },
  ])("$name", ({ op, a, b }) => {
    test("element i is the same for every n and every number of workers", () => {
      seeded(core);
      const whole = draw(core, op, 2000, a, b);
      for (const n of SIZES)
        for (const workers of [1, 2, 3]) expect(draw(core, op, n, a, b, { workers })).toEqual(whole.slice(0, n));
    });

    test("changes with seed, stream, op and step, and not with epoch", () => {
      const base = draw(seeded(core), op, 8, a, b);
      expect(draw(seeded(core, { epoch: 2 }), op, 8, a, b)).toEqual(base);
      expect(draw(seeded(core, { step: 4 }), op, 8, a, b)).not.toEqual(base);
      expect(draw(seeded(core, { seed: 12 }), op, 8, a, b)).not.toEqual(base);
      expect(draw(seeded(core, { stream: 4 }), op, 8, a, b)).not.toEqual(base);
      expect(draw(seeded(core), op, 8, a, b, { id: 10 })).not.toEqual(base);
    });
  });

  /** Word i % 4 of block (i/4, op, step 0, 0xFFFFFFFF). */
  const word = (i: number) => philox([i >> 2, OP, 0, 0xffffffff], [11, 3])[i % 4]!;

  test("randomUniform: a + (b − a)·u with the upper 24 bits of the element's word", () => {
    const y = draw(seeded(core), Op.randomUniform, 17, -1, 3);
    for (let i = 0; i < 17; i++) expect(y[i]).toBe(Math.fround(-1 + 4 * Math.fround((word(i) >>> 8) / 2 ** 24)));
  });

  test("randomUniform lies in [a, b), also where the float32s between are few; a = b gives a", () => {
    seeded(core);
    const [a, b] = [1, 1 + 2 ** -22];
    const y = draw(core, Op.randomUniform, 4096, a, b);
    expect(new Set(y)).toEqual(new Set([0, 1, 2, 3].map((i) => a + i * 2 ** -23).filter((v) => v < b)));
    expect(draw(core, Op.randomUniform, 5, 3, 3)).toEqual(new Float32Array(5).fill(3));
  });

  test("randomUniform: mean, variance, autocorrelation (each |z| < 3.29, p = 0.001), Kolmogorov–Smirnov (p = 0.001), n = 2²⁰", () => {
    const y = draw(seeded(core), Op.randomUniform, N, 0, 1);
    const { mean, variance, lag } = moments(y);
    expect((Math.abs(mean - 1 / 2) * Math.sqrt(N)) / Math.sqrt(1 / 12)).toBeLessThan(Z);
    expect((Math.abs(variance - 1 / 12) * Math.sqrt(N)) / Math.sqrt(1 / 180)).toBeLessThan(Z);
    expect(Math.abs(lag) * Math.sqrt(N)).toBeLessThan(Z);
    expect(kolmogorov(y, (x) => x)).toBeLessThan(1.95);
  });

  test("randomNormal: mean, variance, skewness, kurtosis, autocorrelation (each |z| < 3.29, p = 0.001), Kolmogorov–Smirnov (p = 0.001), n = 2²⁰", () => {
    const y = draw(seeded(core), Op.randomNormal, N, 0, 1);
    const { mean, variance, lag } = moments(y);
    expect(Math.abs(mean) * Math.sqrt(N)).toBeLessThan(Z);
    expect(Math.abs(variance - 1) * Math.sqrt(N / 2)).toBeLessThan(Z);
    expect(Math.abs(y.reduce((s, v) => s + v ** 3, 0) / N) * Math.sqrt(N / 15)).toBeLessThan(Z);
    expect(Math.abs(y.reduce((s, v) => s + v ** 4, 0) / N - 3) * Math.sqrt(N / 96)).toBeLessThan(Z);
    expect(Math.abs(lag) * Math.sqrt(N)).toBeLessThan(Z);
    expect(kolmogorov(y, normalCdf)).toBeLessThan(1.95);
  });

  test("randomNormal: the word's sign, and the quantile of its other 31 bits to 1e-6 relative", () => {
    const n = 1 << 16;
    const y = draw(seeded(core), Op.randomNormal, n, 0, 1);
    for (let i = 0; i < n; i += 7) {
      const w = word(i);
      const p = (((w & 0x7fffffff) >>> 0) + 0.5) / 2 ** 32; // of the lower tail
      expect(w >= 2 ** 31).toBe(Object.is(Math.sign(y[i]!), -0) || y[i]! < 0);
      // dΦ⁻¹/dp = 1/φ: compare probabilities
      expect(Math.abs(normalCdf(-Math.abs(y[i]!)) / p - 1)).toBeLessThan(2e-6 * (1 + y[i]! ** 2));
    }
  });

  // Tail counts are Poisson to good precision: |count − λ| < 3.29·√λ.
  test("randomNormal: both tails beyond 3, 4, 4.5 and 5 σ hold what they should (n = 2²⁴, |z| < 3.5)", () => {
    seeded(core);
    const n = 1 << 22;
    const y = core.buffer(n);
    const at = [3, 4, 4.5, 5];
    const counts = at.map(() => [0, 0]);
    for (let call = 0; call < 4; call++) {
      core.runShares(core.instruction(Op.randomNormal, [y], [n, OP + call], [0, 1]));
      for (const v of y.f32)
        if (v > 3 || v < -3) for (const [i, t] of at.entries()) if (Math.abs(v) > t) counts[i]![v > 0 ? 1 : 0]!++;
    }
    for (const [i, t] of at.entries()) {
      const expected = 4 * n * normalCdf(-t);
      for (const count of counts[i]!) expect(Math.abs(count - expected)).toBeLessThan(3.5 * Math.sqrt(expected) + 1);
    }
  });

  test("truncatedNormal: |z| ≤ 2; mean, variance (each |z| < 3.29, p = 0.001), Kolmogorov–Smirnov (p = 0.001), n = 2²⁰", () => {
    const y = draw(seeded(core), extended(ExtensionOp.truncatedNormal), N, 0, 1);
    let [least, greatest] = [0, 0];
    for (const v of y) {
      least = Math.min(least, v);
      greatest = Math.max(greatest, v);
    }
    expect(least).toBeGreaterThanOrEqual(-2);
    expect(least).toBeLessThan(-1.9999);
    expect(greatest).toBeLessThanOrEqual(2);
    expect(greatest).toBeGreaterThan(1.9999);
    const { mean, variance } = moments(y);
    const mass = 1 - 2 * normalCdf(-2);
    const density = Math.exp(-2) / Math.sqrt(2 * Math.PI);
    const second = 1 - (4 * density) / mass;
    const fourth = 3 * second - (16 * density) / mass;
    expect(Math.abs(mean) * Math.sqrt(N / second)).toBeLessThan(Z);
    expect(Math.abs(variance - second) * Math.sqrt(N / (fourth - second ** 2))).toBeLessThan(Z);
    expect(kolmogorov(y, (x) => (normalCdf(x) - normalCdf(-2)) / mass)).toBeLessThan(1.95);
  });

  describe("shuffle", () => {
    function shuffle(core: Core, n: number, { epoch = 0, id = OP } = {}): Uint32Array {
      core.state.u32[State.epoch] = epoch;
      const indices = core.buffer(n);
      core.runShares(core.instruction(Op.shuffle, [indices], [n, id]), 3);
      core.checkGuards();
      return indices.u32.slice();
    }

    test("is Fisher–Yates with word i % 4 of block (i/4, op, epoch, 0) for element i", () => {
      seeded(core);
      for (const n of [...SIZES, 1024]) {
        const expected = Uint32Array.from({ length: n }, (_, i) => i);
        for (let i = n - 1; i > 0; i--) {
          const number = philox([i >> 2, OP, 6, 0], [11, 3])[i % 4]!;
          const j = Number((BigInt(number) * BigInt(i + 1)) >> 32n);
          [expected[i], expected[j]] = [expected[j]!, expected[i]!];
        }
        expect(shuffle(core, n, { epoch: 6 })).toEqual(expected);
      }
    });

    test("is a permutation, another one each epoch", () => {
      seeded(core);
      const first = shuffle(core, 1797);
      expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: 1797 }, (_, i) => i));
      expect(shuffle(core, 1797, { epoch: 1 })).not.toEqual(first);
      expect(shuffle(core, 1797, { id: OP + 1 })).not.toEqual(first);
      expect(shuffle(core, 1797)).toEqual(first);
    });

    // Pearson's χ² over the 120 permutations of 5, 119 degrees of freedom: below 173.6 with p = 0.999.
    test("all permutations of 5 are equally frequent (χ² < 173.6, p = 0.001, 60,000 shuffles)", () => {
      seeded(core);
      const indices = core.buffer(5);
      const at = core.instruction(Op.shuffle, [indices], [5, OP]);
      const counts = new Map<string, number>();
      for (let epoch = 0; epoch < 60_000; epoch++) {
        core.state.u32[State.epoch] = epoch;
        core.runShares(at);
        const key = indices.u32.join();
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      expect(counts.size).toBe(120);
      let statistic = 0;
      for (const count of counts.values()) statistic += (count - 500) ** 2 / 500;
      expect(statistic).toBeLessThan(173.6);
    });
  });

  describe("orthogonal", () => {
    function orthogonal(rows: number, columns: number, gain = 1, workers = 1): Float32Array {
      seeded(core);
      const [y, workspace] = [core.buffer(rows * columns, 1), core.buffer(rows * columns, 1)];
      core.runShares(
        core.instruction(extended(ExtensionOp.orthogonal), [y, workspace], [rows, columns, OP], [gain]),
        workers,
      );
      core.checkGuards();
      return y.f32.slice();
    }

    /** The largest entry of |V·Vᵀ − gain²·I|, V = the vectors of the shorter side. */
    function defect(y: Float32Array, rows: number, columns: number, gain = 1): number {
      const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
      const element = (k: number, i: number) => (rows > columns ? y[i * columns + k]! : y[k * columns + i]!);
      let norm = 0;
      for (let j = 0; j < count; j++) {
        for (let k = 0; k <= j; k++) {
          let dot = 0;
          for (let i = 0; i < length; i++) dot += element(j, i) * element(k, i);
          norm += (j === k ? 1 : 2) * (dot - (j === k ? gain ** 2 : 0)) ** 2;
        }
      }
      return Math.sqrt(norm);
    }

    test.each([
      [1, 1],
      [1, 7],
      [7, 1],
      [5, 5],
      [17, 3],
      [3, 17],
      [63, 65],
      [65, 63],
      [64, 256],
      [256, 256],
      [1025, 31],
    ])("%i × %i: ‖QᵀQ − I‖ < 1e-5 (Frobenius)", (rows, columns) => {
      const y = orthogonal(rows, columns);
      expect(defect(y, rows, columns)).toBeLessThan(1e-5);
      expect(orthogonal(rows, columns, 1, 3)).toEqual(y);
      if (rows * columns < 1000) expect(defect(orthogonal(rows, columns, 2), rows, columns, 2)).toBeLessThan(4e-5);
    });

    test("is the Q of the normal matrix it is drawn from: R is upper triangular with a positive diagonal; wide ones are transposed", () => {
      const [m, n] = [9, 6];
      const q = orthogonal(m, n);
      const a = draw(seeded(core), Op.randomNormal, m * n, 0, 1); // column after column
      for (let j = 0; j < n; j++) {
        for (let k = 0; k < n; k++) {
          let r = 0;
          for (let i = 0; i < m; i++) r += q[i * n + j]! * a[k * m + i]!;
          if (j === k) expect(r).toBeGreaterThan(0);
          if (j > k) expect(Math.abs(r)).toBeLessThan(1e-5);
        }
      }
      const wide = orthogonal(n, m);
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) expect(wide[j * m + i]).toBe(q[i * n + j]);
    });
  });
});
