// Initial weights, as getWeights has them, against the distributions of their papers. Seeds are fixed. A mean or variance
// is rejected where its z score is beyond ±4.42: p = 1e-5, two-sided.

import { expect, test } from "vitest";
import { dense, sequential, setSeed } from "../../ts/index";
import { build, type FactoryCall } from "../support/oracle";

const [IN, OUT] = [150, 250];
const Z = 4.42;

/** Kernels of dense layers of those widths, one after another. */
function kernels(initializer: FactoryCall, widths: number[], seed = 1) {
  setSeed(seed);
  const [inputShape, ...units] = [[widths[0]!], ...widths.slice(1)] as [number[], ...number[]];
  using model = sequential(
    units.map((u, i) => dense(u, { kernelInitializer: build(initializer), ...(i === 0 && { inputShape }) })),
  );
  const weights = model.getWeights();
  return units.map((_, i) => weights[`dense_${i + 1}/kernel`]!);
}

interface Distribution {
  mean: number;
  variance: number;
  /** Fourth moment about the mean over the variance's square. */
  kurtosis: number;
  bounds: [number, number];
}

const uniform = (low: number, high: number): Distribution => ({
  mean: (low + high) / 2,
  variance: (high - low) ** 2 / 12,
  kurtosis: 1.8,
  bounds: [low, high],
});

const normal = (mean: number, variance: number): Distribution => ({
  mean,
  variance,
  kurtosis: 3,
  bounds: [-Infinity, Infinity],
});

/** Cut at two standard deviations of the whole normal, whose variance is then 1/0.773741 of what is left. */
const truncated = (mean: number, variance: number): Distribution => {
  const bound = 2 * Math.sqrt(variance / 0.7737413);
  return { mean, variance, kurtosis: 2.36553, bounds: [mean - bound, mean + bound] };
};

const scaledUniform = (variance: number) => uniform(-Math.sqrt(3 * variance), Math.sqrt(3 * variance));
const MEAN_FAN = (IN + OUT) / 2;

const cases: [FactoryCall, Distribution][] = [
  [["randomUniform"], uniform(-0.05, 0.05)],
  [["randomUniform", { minval: 1, maxval: 3 }], uniform(1, 3)],
  [["randomNormal"], normal(0, 0.05 ** 2)],
  [["randomNormal", { mean: -1, stddev: 2 }], normal(-1, 4)],
  [["truncatedNormal"], truncated(0, 0.05 ** 2 * 0.7737413)],
  [["truncatedNormal", { mean: 1, stddev: 2 }], truncated(1, 4 * 0.7737413)],
  [["glorotUniform"], scaledUniform(1 / MEAN_FAN)],
  [["glorotNormal"], truncated(0, 1 / MEAN_FAN)],
  [["heUniform"], scaledUniform(2 / IN)],
  [["heNormal"], truncated(0, 2 / IN)],
  [["lecunUniform"], scaledUniform(1 / IN)],
  [["lecunNormal"], truncated(0, 1 / IN)],
  [["varianceScaling"], truncated(0, 1 / IN)],
  [["varianceScaling", { scale: 3, mode: "fanOut", distribution: "uniform" }], scaledUniform(3 / OUT)],
  [["varianceScaling", { scale: 0.5, mode: "fanAvg", distribution: "untruncatedNormal" }], normal(0, 0.5 / MEAN_FAN)],
];

/** z scores of the mean and of the mean square about the true mean. */
function scores(data: Float32Array, { mean, variance, kurtosis }: Distribution) {
  let [sum, squares] = [0, 0];
  for (const w of data) {
    sum += w - mean;
    squares += (w - mean) ** 2;
  }
  const n = data.length;
  const ofVariance = (squares / n / variance - 1) / Math.sqrt((kurtosis - 1) / n);
  return { mean: sum / n / Math.sqrt(variance / n), variance: ofVariance };
}

for (const [initializer, distribution] of cases)
  test(JSON.stringify(initializer), () => {
    const [{ data, shape }] = kernels(initializer, [IN, OUT]) as [ReturnType<typeof kernels>[0]];
    expect(shape).toEqual([IN, OUT]);
    const z = scores(data, distribution);
    expect(Math.abs(z.mean), "the mean's z").toBeLessThan(Z);
    expect(Math.abs(z.variance), "the variance's z").toBeLessThan(Z);
    // within the bounds, and with 37,500 numbers close to both (to 1 % of the width: p < 1e-9)
    const [low, high] = distribution.bounds.map(Math.fround) as [number, number];
    const [least, greatest] = [Math.min(...data), Math.max(...data)];
    expect(least).toBeGreaterThanOrEqual(low);
    expect(greatest).toBeLessThanOrEqual(high);
    if (high < Infinity) {
      expect(least).toBeLessThan(low + 0.01 * (high - low));
      expect(greatest).toBeGreaterThan(high - 0.01 * (high - low));
    }
    // rows and columns differ
    expect(new Set(data).size).toBeGreaterThan(0.98 * data.length);
  });

test("a variance that is 5 % off is rejected", () => {
  const [{ data }] = kernels(["heNormal"], [IN, OUT]) as [ReturnType<typeof kernels>[0]];
  expect(Math.abs(scores(data, truncated(0, (1.05 * 2) / IN)).variance)).toBeGreaterThan(Z);
});

test.each([
  [7, 7],
  [9, 5],
  [5, 9],
  [33, 64],
  [1, 3],
  [3, 1],
])("orthogonal of [%i, %i]", (rows, columns) => {
  for (const gain of [1, 2]) {
    const [{ data: q }] = kernels(["orthogonal", { gain }], [rows, columns]) as [ReturnType<typeof kernels>[0]];
    // the shorter side's vectors are orthonormal
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
    const at = (vector: number, i: number) => (rows < columns ? q[vector * columns + i]! : q[i * columns + vector]!);
    for (let a = 0; a < count; a++)
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < length; i++) dot += at(a, i) * at(b, i);
        expect(Math.abs(dot - (a === b ? gain ** 2 : 0)), `${a} · ${b}`).toBeLessThan(2e-6 * gain ** 2);
      }
  }
});

test("orthogonal kernels are uniformly distributed: no entry is biased", () => {
  // an entry of a 5 × 5 one has mean 0, variance 1/5; its square has mean 1/5, variance 2·4/(5²·7)
  const found = kernels(["orthogonal"], new Array<number>(401).fill(5));
  for (let i = 0; i < 25; i++) {
    let [sum, squares] = [0, 0];
    for (const { data } of found) {
      sum += data[i]!;
      squares += data[i]! ** 2;
    }
    expect(Math.abs(sum / Math.sqrt(found.length / 5)), `mean of entry ${i}`).toBeLessThan(Z);
    const z = (squares - found.length / 5) / Math.sqrt((found.length * 8) / 175);
    expect(Math.abs(z), `variance of entry ${i}`).toBeLessThan(Z);
  }
});

test("zeros, ones, constant; other layers and seeds have other numbers, equal seeds equal ones", () => {
  const all = (initializer: FactoryCall) => new Set(kernels(initializer, [4, 3])[0]!.data);
  expect([all(["zeros"]), all(["ones"]), all(["constant", -0.5])]).toEqual([
    new Set([0]),
    new Set([1]),
    new Set([-0.5]),
  ]);
  const [first, second] = kernels(["heNormal"], [9, 9, 9], 3) as [(typeof found)[0], (typeof found)[0]];
  const found = kernels(["heNormal"], [9, 9, 9], 3);
  expect(found[0]!.data).toEqual(first.data);
  expect(second.data).not.toEqual(first.data);
  expect(kernels(["heNormal"], [9, 9, 9], 4)[0]!.data).not.toEqual(first.data);
});
