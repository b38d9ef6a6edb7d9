// The benchmark's JavaScript side computes what it claims: each function against a naive float64 reference.

import { describe, expect, test } from "vitest";
import { createBatchNorm } from "../../bench/js/batchNorm";
import { createDropout } from "../../bench/js/dropout";
import { gemmForms } from "../../bench/js/gemm";
import { gemv } from "../../bench/js/gemv";
import { createMlp } from "../../bench/js/mlp";
import { adam, momentum } from "../../bench/js/optimizers";
import { softmaxCrossEntropy } from "../../bench/js/softmaxCrossEntropy";

let random = 1;
const next = () => {
  random = (Math.imul(random, 1664525) + 1013904223) | 0;
  return random / 2147483648;
};
const numbers = (n: number) => Float32Array.from({ length: n }, next);

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < actual.length; i++)
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!) / (1 + Math.abs(expected[i]!)));
  expect(worst).toBeLessThan(tolerance);
}

describe.each(gemmForms)("gemm, form $name", ({ gemm }) => {
  test.each([
    [1, 1, 1],
    [4, 8, 4],
    [5, 7, 3],
    [1, 65, 17],
    [63, 5, 1],
    [130, 300, 9],
    [3, 257, 1030],
  ])("(m, k, n) = (%i, %i, %i): NN, TN, NT equal the triple loop", (m, k, n) => {
    const a = numbers(m * k);
    const b = numbers(k * n);
    for (const [transA, transB] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const) {
      const expected = new Float64Array(m * n);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++)
          for (let p = 0; p < k; p++)
            expected[i * n + j]! += a[transA ? p * m + i : i * k + p]! * b[transB ? j * k + p : p * n + j]!;
      const c = new Float32Array(m * n).fill(Number.NaN);
      gemm(c, a, b, m, n, k, transA, transB);
      expectClose(c, expected, 1e-5);
    }
  });
});

test("gemv equals the double loop", () => {
  for (const [k, n] of [
    [1, 1],
    [8, 3],
    [17, 65],
    [512, 10],
  ] as const) {
    const x = numbers(k);
    const w = numbers(k * n);
    const expected = new Float64Array(n);
    for (let j = 0; j < n; j++) for (let p = 0; p < k; p++) expected[j]! += x[p]! * w[p * n + j]!;
    const y = new Float32Array(n).fill(Number.NaN);
    gemv(y, x, w, k, n);
    expectClose(y, expected, 1e-5);
  }
});

describe("batchNorm", () => {
  const rows = 65;
  const channels = 7;
  const x = numbers(rows * channels).map((v, i) => v + 100 * (i % channels)); // far from zero: must not cancel
  const dy = numbers(rows * channels);
  const gamma = numbers(channels);
  const beta = numbers(channels);

  /** y in float64, and Σ y·dy, whose derivatives the gradients are. */
  function reference(x: Float64Array, gamma: Float64Array, beta: Float64Array) {
    const y = new Float64Array(x.length);
    for (let c = 0; c < channels; c++) {
      let mean = 0;
      let variance = 0;
      for (let r = 0; r < rows; r++) mean += x[r * channels + c]! / rows;
      for (let r = 0; r < rows; r++) variance += (x[r * channels + c]! - mean) ** 2 / rows;
      for (let r = 0; r < rows; r++)
        y[r * channels + c] = ((x[r * channels + c]! - mean) / Math.sqrt(variance + 1e-5)) * gamma[c]! + beta[c]!;
    }
    return { y, objective: y.reduce((sum, v, i) => sum + v * dy[i]!, 0) };
  }

  test("forward equals the two-pass definition, backward the finite differences of it", () => {
    const norm = createBatchNorm(rows, channels);
    const y = new Float32Array(x.length);
    norm.forward(y, x, gamma, beta);
    const [x64, gamma64, beta64] = [x, gamma, beta].map((v) => Float64Array.from(v)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    expectClose(y, reference(x64, gamma64, beta64).y, 1e-4);
    const dx = new Float32Array(x.length);
    const dgamma = new Float32Array(channels);
    const dbeta = new Float32Array(channels);
    norm.backward(dx, dgamma, dbeta, dy, x, gamma);
    const difference = (v: Float64Array) =>
      v.map((value, i) => {
        const h = 1e-4;
        v[i] = value + h;
        const up = reference(x64, gamma64, beta64).objective;
        v[i] = value - h;
        const down = reference(x64, gamma64, beta64).objective;
        v[i] = value;
        return (up - down) / (2 * h);
      });
    expectClose(dx, difference(x64), 1e-4);
    expectClose(dgamma, difference(gamma64), 1e-4);
    expectClose(dbeta, difference(beta64), 1e-4);
  });
});

test("adam and momentum follow their recurrences over 10 steps", () => {
  const n = 37;
  const start = numbers(n);
  const wAdam = start.slice();
  const wMomentum = start.slice();
  const [m, v, u] = [new Float32Array(n), new Float32Array(n), new Float32Array(n)];
  const expected = Array.from(start, (w) => ({ adam: w, m: 0, v: 0, momentum: w, u: 0 }));
  for (let step = 1; step <= 10; step++) {
    const g = numbers(n);
    adam(wAdam, g, m, v, step);
    momentum(wMomentum, g, u);
    expected.forEach((e, i) => {
      e.m = 0.9 * e.m + 0.1 * g[i]!;
      e.v = 0.999 * e.v + 0.001 * g[i]! ** 2;
      e.adam -= (1e-3 * (e.m / (1 - 0.9 ** step))) / (Math.sqrt(e.v / (1 - 0.999 ** step)) + 1e-8);
      e.u = 0.9 * e.u + g[i]!;
      e.momentum -= 0.01 * e.u;
    });
  }
  expectClose(
    wAdam,
    expected.map((e) => e.adam),
    1e-6,
  );
  expectClose(
    wMomentum,
    expected.map((e) => e.momentum),
    1e-6,
  );
});

test("dropout keeps a share 1 − rate, scales what it keeps, and draws anew each time", () => {
  const n = 100_001;
  const x = numbers(n);
  const y = new Float32Array(n);
  const dropout = createDropout(7);
  for (const rate of [0.5, 0.2]) {
    dropout.apply(y, x, rate);
    const kept = y.filter((v) => v !== 0).length;
    expectClose(
      y,
      x.map((v, i) => (y[i] === 0 ? 0 : v / (1 - rate))),
      1e-6,
    );
    // 5 standard deviations of a binomial
    expect(Math.abs(kept - n * (1 - rate))).toBeLessThan(5 * Math.sqrt(n * rate * (1 - rate)));
    const first = y.slice();
    dropout.apply(y, x, rate);
    expect(y).not.toEqual(first);
  }
  dropout.apply(y, x, 0);
  expect(y).toEqual(x);
});

test("softmax cross-entropy: loss and gradient equal the float64 definition", () => {
  const [rows, classes] = [9, 11];
  const logits = numbers(rows * classes).map((v) => v * 20);
  const labels = Int32Array.from({ length: rows }, (_, i) => (i * 5) % classes);
  const dlogits = new Float32Array(rows * classes);
  const loss = softmaxCrossEntropy(dlogits, logits, labels, rows, classes);
  let expectedLoss = 0;
  const expected = new Float64Array(rows * classes);
  for (let r = 0; r < rows; r++) {
    const row = Array.from(logits.subarray(r * classes, (r + 1) * classes));
    const sum = row.reduce((s, z) => s + Math.exp(z), 0);
    expectedLoss += (Math.log(sum) - row[labels[r]!]!) / rows;
    row.forEach((z, j) => {
      expected[r * classes + j] = (Math.exp(z) / sum - (j === labels[r] ? 1 : 0)) / rows;
    });
  }
  expect(loss).toBeCloseTo(expectedLoss, 6);
  expectClose(dlogits, expected, 1e-6);
});

describe("mlp", () => {
  test.each([
    [[3, 5, 2], 7, "tanh", "meanSquaredError"],
    [[6, 9, 8, 4], 1, "relu", "softmaxCrossEntropy"],
    [[40, 33, 10], 17, "relu", "softmaxCrossEntropy"],
  ] as const)(
    "sizes %j, batch %i, %s, %s: the gradient is that of finite differences",
    (sizes, batch, activation, loss) => {
      const mlp = createMlp({ sizes: [...sizes], batch, activation, loss, optimizer: "adam" });
      const out = sizes.at(-1)!;
      const x = numbers(batch * sizes[0]!);
      const y =
        loss === "softmaxCrossEntropy"
          ? Int32Array.from({ length: batch }, (_, i) => (3 * i) % out)
          : numbers(batch * out);
      mlp.lossAndGradient(x, y);
      const gradients = mlp.gradients.slice();
      const h = 1e-3;
      for (let i = 0; i < gradients.length; i += 1 + (gradients.length >> 6)) {
        const w = mlp.parameters[i]!;
        mlp.parameters[i] = w + h;
        const up = mlp.lossAndGradient(x, y);
        mlp.parameters[i] = w - h;
        const down = mlp.lossAndGradient(x, y);
        mlp.parameters[i] = w;
        expect(Math.abs((up - down) / (2 * h) - gradients[i]!)).toBeLessThan(5e-3);
      }
    },
  );

  test.each(["adam", "momentum"] as const)("with %s the loss falls on a task that can be learned", (optimizer) => {
    const mlp = createMlp({
      sizes: [2, 16, 16, 1],
      batch: 32,
      activation: "tanh",
      loss: "meanSquaredError",
      optimizer,
      learningRate: optimizer === "adam" ? 0.01 : 0.05,
    });
    const x = numbers(64);
    const y = Float32Array.from({ length: 32 }, (_, i) => x[2 * i]! * x[2 * i + 1]!);
    const first = mlp.step(x, y);
    let last = first;
    for (let i = 0; i < 500; i++) last = mlp.step(x, y);
    expect(last).toBeLessThan(first / 10);
  });
});
