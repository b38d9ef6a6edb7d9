import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { BATCH_NORM_NEAR, Op, ROW_CHUNK } from "../../assembly/isa";
import { type Build, Core } from "../support/core";

// Node 20 has relaxed SIMD behind a flag
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

const BUILDS: Build[] = ["strict", "fastMath"];
const EPSILON = 1e-5;

/** Rows, channels: one row, tails of every strip width, several chunks, more channels than a chunk has elements. */
const SHAPES = [
  [1, 1],
  [1, 5],
  [3, 17],
  [7, 63],
  [65, 1],
  [1025, 3],
  [17, 1025],
  [1025, 16],
  [700, 28],
  [301, 95],
  [3, 17000],
] as const;

/** A seeded generator of numbers that look normal. */
function normals(seed: number) {
  let s = seed;
  const next = () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
  return () => next() + next() + next() + next() + next() + next() - 3;
}

interface Data {
  rows: number;
  channels: number;
  x: Float32Array;
  dy: Float32Array;
  gamma: Float32Array;
  beta: Float32Array;
}

function data(rows: number, channels: number, mean = 0.5, std = 1.5): Data {
  const normal = normals(rows * 31 + channels);
  return {
    rows,
    channels,
    x: Float32Array.from(
      { length: rows * channels },
      (_, i) => mean * (1 + (i % channels) / channels) + std * normal(),
    ),
    dy: Float32Array.from({ length: rows * channels }, normal),
    gamma: Float32Array.from({ length: channels }, (_, c) => 1 + 0.3 * Math.sin(c)),
    beta: Float32Array.from({ length: channels }, (_, c) => 0.2 * Math.cos(c)),
  };
}

/** The formulas in float64. `y` is before ReLU. */
function reference({ rows, channels, x, gamma, beta }: Omit<Data, "dy" | "x"> & { x: ArrayLike<number> }) {
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let i = 0; i < rows * channels; i++) mean[i % channels]! += x[i]! / rows;
  for (let i = 0; i < rows * channels; i++) variance[i % channels]! += (x[i]! - mean[i % channels]!) ** 2 / rows;
  const inverseStd = variance.map((v) => 1 / Math.sqrt(v + Math.fround(EPSILON)));
  const y = Float64Array.from(x, (v, i) => {
    const c = i % channels;
    return gamma[c]! * (v - mean[c]!) * inverseStd[c]! + beta[c]!;
  });
  return { mean, variance, inverseStd, y };
}

/** Forward and backward as a tape would run them. */
function run(build: Build, d: Data, { relu = 0, frozen = 0, workers = 1 } = {}) {
  const { rows, channels } = d;
  const core = new Core(build);
  const chunkRows = Math.max(1, Math.floor(ROW_CHUNK / channels));
  const chunks = Math.ceil(rows / chunkRows);
  const x = core.floats(d.x);
  const dy = core.floats(d.dy);
  const gamma = core.floats(d.gamma);
  const beta = core.floats(d.beta);
  const partials = core.buffer(chunks * 2 * channels);
  const [coefficients, slopes] = [core.buffer(4 * channels), core.buffer(2 * channels)];
  const [mean, variance, dgamma, dbeta] = Array.from({ length: 4 }, () => core.buffer(channels)) as [
    ReturnType<Core["buffer"]>,
    ReturnType<Core["buffer"]>,
    ReturnType<Core["buffer"]>,
    ReturnType<Core["buffer"]>,
  ];
  const y = core.buffer(rows * channels);
  const dx = core.buffer(rows * channels);
  const shape = [rows, channels, chunkRows];
  const tape = [
    core.instruction(Op.batchNormMoments, [partials, x], shape),
    core.instruction(Op.batchNormCombine, [mean, variance, coefficients, partials, x, gamma, beta], shape, [EPSILON]),
    core.instruction(Op.batchNormForward, [y, x, coefficients], [rows, channels, relu]),
    core.instruction(Op.batchNormBackwardSums, [partials, dy, x, coefficients], [...shape, relu]),
    core.instruction(
      Op.batchNormBackwardCombine,
      [dgamma, dbeta, slopes, partials, mean, coefficients],
      [rows, chunks, channels, frozen],
    ),
    core.instruction(Op.batchNormBackward, [dx, dy, x, coefficients, slopes], [rows, channels, relu]),
  ];
  for (const at of tape) core.runShares(at, workers);
  core.checkGuards();
  return { mean, variance, y, dgamma, dbeta, coefficients, slopes, dx };
}

/** The last of the four rows of coefficients. */
const inverseStdOf = ({ coefficients }: ReturnType<typeof run>) =>
  coefficients.f32.slice((coefficients.f32.length / 4) * 3);

/** The largest |a − b| / scale. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>, scale = 1) {
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    const error = Math.abs(a[i]! - b[i]!) / scale;
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

for (const build of BUILDS) {
  test(`${build}: forward normalizes by the minibatch's mean and biased variance, for every shape`, () => {
    for (const [rows, channels] of SHAPES) {
      const d = data(rows, channels);
      const want = reference(d);
      const got = run(build, d);
      expect(distance(got.mean.f32, want.mean), `mean ${rows}×${channels}`).toBeLessThan(1e-6);
      expect(distance(got.variance.f32, want.variance), `variance ${rows}×${channels}`).toBeLessThan(5e-6);
      // one row, or a variance near ε: what rounding leaves in x − mean is scaled by up to 1/√ε
      expect(distance(got.y.f32, want.y), `y ${rows}×${channels}`).toBeLessThan(rows < 4 ? 1e-4 : 5e-6);
      const relu = run(build, d, { relu: 1 });
      expect(
        distance(
          relu.y.f32,
          got.y.f32.map((v) => Math.max(v, 0)),
        ),
      ).toBe(0);
    }
  });

  test(`${build}: backward equals the formulas, and with ReLU masks exactly where the forward pass cut`, () => {
    for (const [rows, channels] of SHAPES)
      for (const relu of [0, 1])
        for (const frozen of [0, 1]) {
          const d = data(rows, channels);
          const got = run(build, d, { relu, frozen });
          const { mean, y, dgamma, dbeta, dx } = got;
          const inverseStd = inverseStdOf(got);
          const xHat = Float64Array.from(d.x, (v, i) => (v - mean.f32[i % channels]!) * inverseStd[i % channels]!);
          const g = Float64Array.from(d.dy, (v, i) => (relu && !(y.f32[i]! > 0) ? 0 : v));
          const wantGamma = new Float64Array(channels);
          const wantBeta = new Float64Array(channels);
          for (let i = 0; i < g.length; i++) {
            wantGamma[i % channels]! += g[i]! * xHat[i]!;
            wantBeta[i % channels]! += g[i]!;
          }
          const want = g.map((v, i) => {
            const c = i % channels;
            const back = frozen ? 0 : (wantBeta[c]! + xHat[i]! * wantGamma[c]!) / rows;
            return d.gamma[c]! * inverseStd[c]! * (v - back);
          });
          const title = `${rows}×${channels} relu ${relu} frozen ${frozen}`;
          const scale = Math.max(...inverseStd);
          expect(distance(dgamma.f32, wantGamma, Math.sqrt(rows)), `dgamma ${title}`).toBeLessThan(3e-6);
          expect(distance(dbeta.f32, wantBeta, Math.sqrt(rows)), `dbeta ${title}`).toBeLessThan(3e-6);
          expect(distance(dx.f32, want, scale), `dx ${title}`).toBeLessThan(3e-6);
        }
  });

  test(`${build}: backward where a sum is 0, or lost beside the other: dy = 0, dy constant, dy ∝ x̂, γ = 0, tiny dy`, () => {
    const [rows, channels] = [50, 37];
    const base = data(rows, channels, 3, 0.7);
    const { mean } = run(build, base);
    const cases = {
      zero: { ...base, dy: base.dy.map(() => 0) },
      constant: { ...base, dy: base.dy.map((_, i) => 1 + (i % channels)) },
      proportional: { ...base, dy: base.x.map((v, i) => v - mean.f32[i % channels]!) },
      gammaZero: { ...base, gamma: base.gamma.map((v, c) => (c % 2 ? v : 0)) },
      tiny: { ...base, dy: base.dy.map((v) => v * 1e-20) },
      far: { ...data(rows, channels, 1e3, 0.5), dy: base.dy },
    };
    for (const [name, d] of Object.entries(cases)) {
      const got = run(build, d);
      const { mean, dx } = got;
      const inverseStd = inverseStdOf(got);
      const xHat = Float64Array.from(d.x, (v, i) => (v - mean.f32[i % channels]!) * inverseStd[i % channels]!);
      const [sumG, sumGX] = [new Float64Array(channels), new Float64Array(channels)];
      d.dy.forEach((v, i) => {
        sumG[i % channels]! += v;
        sumGX[i % channels]! += v * xHat[i]!;
      });
      const want = Float64Array.from(d.dy, (v, i) => {
        const c = i % channels;
        return d.gamma[c]! * inverseStd[c]! * (v - (sumG[c]! + xHat[i]! * sumGX[c]!) / rows);
      });
      const largest = d.dy.reduce((most, v) => Math.max(most, Math.abs(v)), 0) * Math.max(...inverseStd);
      // what rounding leaves of the mean is a part of x̂
      const far = name === "far" ? 1e3 * 2 ** -24 * Math.max(...inverseStd) : 0;
      expect(distance(dx.f32, want, largest || 1), name).toBeLessThan(1e-6 + far);
      if (name === "zero") expect(Math.max(...dx.f32.map(Math.abs))).toBeLessThan(1e-30);
    }
  });

  test(`${build}: backward is the derivative of forward (central differences of the float64 reference)`, () => {
    const d = data(9, 5);
    const { y, dx, dgamma, dbeta } = run(build, d, { relu: 1 });
    const objective = (moved: Partial<Record<"x" | "gamma" | "beta", Float64Array>>) =>
      reference({ ...d, ...(moved as Partial<Data>) }).y.reduce(
        (sum, v, i) => sum + (y.f32[i]! > 0 ? v * d.dy[i]! : 0),
        0,
      );
    const h = 1e-6;
    for (const [name, got] of [
      ["x", dx],
      ["gamma", dgamma],
      ["beta", dbeta],
    ] as const)
      got.f32.forEach((value, i) => {
        const plus = Float64Array.from(d[name]);
        const minus = Float64Array.from(d[name]);
        plus[i]! += h;
        minus[i]! -= h;
        const slope = (objective({ [name]: plus }) - objective({ [name]: minus })) / (2 * h);
        expect(Math.abs(value - slope), `${name}[${i}]`).toBeLessThan(2e-6);
      });
  });

  test(`${build}: statistics do not cancel: mean 1e4, deviation 1e-2; a first block unlike the rest; one outlier`, () => {
    for (const [rows, channels] of [
      [50, 3],
      [2000, 32],
      [20000, 1],
      [300, 512],
    ] as const) {
      const base = data(rows, channels, 1e4, 1e-2 * Math.SQRT2);
      const cases = {
        far: base,
        step: { ...base, x: base.x.map((v, i) => (i < rows * channels * 0.02 ? v - 1e4 : v)) },
        outlier: {
          ...data(rows, channels, 0, 1e-3),
          x: data(rows, channels, 0, 1e-3).x.map((v, i) => (i === 0 ? 1e3 : v)),
        },
      };
      for (const [name, d] of Object.entries(cases)) {
        const want = reference(d);
        const got = run(build, d);
        const title = `${name} ${rows}×${channels}`;
        const largest = d.x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        expect(distance(got.mean.f32, want.mean, largest), `mean, ${title}`).toBeLessThan(1.3e-7);
        // of a step or an outlier the squares are large and equal: each addition rounds the same way
        const ratio = got.variance.f32.map((v, c) => v / want.variance[c]!);
        expect(
          distance(
            ratio,
            ratio.map(() => 1),
          ),
          `variance, ${title}`,
        ).toBeLessThan(name === "far" ? 3e-6 : 5e-5);
      }
    }
  });

  test(`${build}: 1, 2 and 3 workers give equal bits`, () => {
    for (const [rows, channels] of SHAPES)
      for (const relu of rows > 1000 ? [0, 1] : [1]) {
        const one = run(build, data(rows, channels), { relu });
        for (const workers of [2, 3]) {
          const many = run(build, data(rows, channels), { relu, workers });
          for (const [name, buffer] of Object.entries(one))
            expect(many[name as keyof typeof one].u32, `${name} ${rows}×${channels}, ${workers} workers`).toEqual(
              buffer.u32,
            );
        }
      }
  });

  test(`${build}: forward may overwrite x, backward may overwrite dy`, () => {
    const d = data(37, 53);
    const apart = run(build, d, { relu: 1 });
    const core = new Core(build);
    const [x, dy] = [core.floats(d.x), core.floats(d.dy)];
    const [coefficients, slopes] = [core.floats(apart.coefficients.f32), core.floats(apart.slopes.f32)];
    core.runShares(core.instruction(Op.batchNormBackward, [dy, dy, x, coefficients, slopes], [37, 53, 1]));
    core.runShares(core.instruction(Op.batchNormForward, [x, x, coefficients], [37, 53, 1]));
    expect(x.u32).toEqual(apart.y.u32);
    expect(dy.u32).toEqual(apart.dx.u32);
    core.checkGuards();
  });

  test(`${build}: NaN in x comes out as NaN in its channel alone`, () => {
    const d = data(40, 19);
    d.x[3 * 19 + 7] = Number.NaN;
    const { y } = run(build, d, { relu: 1 });
    y.f32.forEach((v, i) => {
      expect(Number.isNaN(v)).toBe(i % 19 === 7);
    });
  });

  test(`${build}: moving statistics: scale = γ/√(variance + ε), the pivot is 0 or, of a far mean, the mean`, () => {
    for (const channels of [1, 3, 16, 65])
      for (const workers of [1, 2, 3]) {
        const core = new Core(build);
        const list = (f: (c: number) => number) => core.floats(Array.from({ length: channels }, (_, c) => f(c)));
        const mean = list((c) => (c % 3 ? 0.3 * c : -100));
        const variance = list((c) => c * 0.7);
        const [gamma, beta] = [list((c) => 1 + c / 7), list((c) => 0.5 - c)];
        const coefficients = core.buffer(4 * channels);
        const pointers = [coefficients, mean, variance, gamma, beta];
        core.runShares(core.instruction(Op.batchNormMoving, pointers, [channels], [EPSILON]), workers);
        for (let c = 0; c < channels; c++) {
          const [pivot, scale, shift, inverseStd] = [0, 1, 2, 3].map((row) => coefficients.f32[row * channels + c]!);
          const s = 1 / Math.sqrt(variance.f32[c]! + EPSILON);
          const m = mean.f32[c]!;
          expect(Math.abs(inverseStd! / s - 1)).toBeLessThan(2e-7);
          expect(Math.abs(scale! / (gamma.f32[c]! * s) - 1)).toBeLessThan(3e-7);
          expect(pivot).toBe(Math.abs(m * s) > BATCH_NORM_NEAR ? m : 0);
          const want = beta.f32[c]! - (m - pivot!) * gamma.f32[c]! * s;
          expect(Math.abs(shift! - want)).toBeLessThan(1e-6 * (Math.abs(beta.f32[c]!) + Math.abs(want)));
        }
        core.checkGuards();
      }
  });
}
