// The Hessian's spectrum: of quadratics, where it is known; of a tanh MLP, against PyTorch's double backward; and nothing changes.

import { describe, expect, test } from "vitest";
import { tridiagonal } from "../../ts/diagnostics/tridiagonal";
import {
  adam,
  batchNorm,
  conditionNumber,
  DownhillError,
  dataset,
  defineLoss,
  dense,
  dropout,
  hessianSpectrum,
  init,
  isSaddle,
  l2,
  type Model,
  meanSquaredError,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { array, arrays, fixture, type Nested } from "../support/oracle";
import "../support/everyTeam";

const { abs, sqrt } = Math;

/** Eigenvalues of a symmetric matrix, ascending, by Jacobi's rotations. */
function eigenvalues(given: number[][]): number[] {
  const a = given.map((row) => [...row]);
  const n = a.length;
  for (let sweep = 0; sweep < 60; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (abs(a[p]![q]!) < 1e-300) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta < 0 ? -1 : 1) / (abs(theta) + sqrt(theta * theta + 1));
        const c = 1 / sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [kp, kq] = [a[k]![p]!, a[k]![q]!];
          a[k]![p] = c * kp - s * kq;
          a[k]![q] = s * kp + c * kq;
        }
        for (let k = 0; k < n; k++) {
          const [pk, qk] = [a[p]![k]!, a[q]![k]!];
          a[p]![k] = c * pk - s * qk;
          a[q]![k] = s * pk + c * qk;
        }
      }
  return a.map((row, i) => row[i]!).sort((x, y) => x - y);
}

const numbers = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i) => (((i * 7919 + seed * 104729) % 997) / 997 - 0.5) * 2);

test("tridiagonal: eigenvalues and last components", () => {
  for (const n of [1, 2, 5, 20]) {
    const [d, e] = [numbers(n, 1), numbers(n, 2).slice(1)];
    const full = d.map((_, i) => d.map((_, j) => (i === j ? d[i]! : abs(i - j) === 1 ? e[Math.min(i, j)]! : 0)));
    const { values, last } = tridiagonal(d, e);
    for (const [i, value] of eigenvalues(full).entries()) expect(values[i]).toBeCloseTo(value, 12);
    expect(last.reduce((sum, z) => sum + z * z, 0)).toBeCloseTo(1, 12);
    expect(last.reduce((sum, z, i) => sum + z * z * values[i]!, 0)).toBeCloseTo(d.at(-1)!, 12); // (ZΛZᵀ) in the corner
  }
});

describe("a quadratic", () => {
  const rows = 40;
  const width = 6;
  const x = Array.from({ length: rows }, (_, r) => numbers(width, r + 3).map((v, i) => v * (1 + i)));
  const y = x.map((row) => row.reduce((a, b) => a + b));
  /** H = 2/n·(X, 1)ᵀ(X, 1), plus a penalty of the kernel. */
  const hessian = (penalty: number) => {
    const full = x.map((row) => [...row.map(Math.fround), 1]);
    return full[0]!.map((_, i) =>
      full[0]!.map(
        (_, j) => (2 / rows) * full.reduce((s, r) => s + r[i]! * r[j]!, 0) + (i === j && i < width ? penalty : 0),
      ),
    );
  };
  const linear = (penalty = 0) => {
    const model = sequential([dense(1, { inputShape: [width], ...(penalty && { kernelRegularizer: l2(penalty) }) })]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    return model;
  };

  test.each([0, 3])("has its eigenvalues to 1 %% (penalty %d)", (penalty) => {
    const exact = eigenvalues(hessian(penalty));
    const found = hessianSpectrum(linear(penalty) as Model, { x, y });
    expect(found.iterations).toBeLessThanOrEqual(width + 1);
    expect(found.converged).toBe(true);
    for (const [got, want] of [
      [found.max, exact.at(-1)!],
      [found.min, exact[0]!],
    ] as const)
      expect(abs(got / want - 1)).toBeLessThan(0.01);
    expect(found.eigenvalues.length).toBe(found.iterations);
    const condition = conditionNumber(linear(penalty) as Model, { x, y });
    expect(abs(condition / (exact.at(-1)! / exact[0]!) - 1)).toBeLessThan(0.02);
    expect(isSaddle(linear(penalty) as Model, { x, y })).toBe(false);
  });

  test("the condition number of one that is not definite waits for the eigenvalue next to 0", () => {
    // loss Σ sᵢ·(w·xᵢ)² with signs, of unit vectors: the eigenvalues are known, the smallest |λ| is inside
    const lambdas = Array.from({ length: 30 }, (_, i) => (i - 14.25) * (abs(i - 14.25) + 1));
    const signed = defineLoss({ type: "signed", call: (t, p, ops) => ops.multiply(t, ops.multiply(p, p)) });
    const model = sequential([dense(1, { inputShape: [30], useBias: false })]);
    model.compile({ optimizer: sgd(), loss: signed() });
    const unit = lambdas.map((_, i) => lambdas.map((_, j) => +(i === j)));
    const data = { x: unit, y: lambdas.map((l) => [l * 15]) }; // the mean of 30, and the 2 of a square
    const { iterations, max: largest } = hessianSpectrum(model as Model, data);
    expect(iterations).toBeLessThan(30);
    expect(abs(largest / lambdas.at(-1)! - 1)).toBeLessThan(0.01);
    const sizes = lambdas.map(abs);
    const want = Math.max(...sizes) / Math.min(...sizes);
    expect(abs(conditionNumber(model as Model, data) / want - 1)).toBeLessThan(0.01);
  });

  test("of trainable parameters alone, and of weighted examples", () => {
    const model = sequential([dense(2, { inputShape: [width], name: "fixed" }), dense(1)]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    model.getLayer("fixed").trainable = false;
    const h = (model.predict(x) as NDArray).data.length; // the model is there
    expect(h).toBe(rows);
    const hidden = sequential([dense(2, { inputShape: [width], name: "fixed" })]);
    const { "fixed/kernel": kernel, "fixed/bias": bias } = model.getWeights();
    hidden.setWeights({ "fixed/kernel": kernel!, "fixed/bias": bias! });
    const out = hidden.predict(x).data;
    const weights = x.map((_, i) => i % 3);
    const full = x.map((_, i) => [out[2 * i]!, out[2 * i + 1]!, 1]);
    const exact = eigenvalues(
      [0, 1, 2].map((i) =>
        [0, 1, 2].map((j) => (2 / rows) * full.reduce((s, r, k) => s + weights[k]! * r[i]! * r[j]!, 0)),
      ),
    );
    const found = hessianSpectrum(model as Model, { x, y, sampleWeight: weights });
    expect(found.iterations).toBeLessThanOrEqual(3);
    expect(abs(found.max / exact[2]! - 1)).toBeLessThan(0.01);
  });

  test("leaves everything as it is, on errors too", async () => {
    setSeed(4);
    const build = () => {
      const model = sequential([
        dense(5, { inputShape: [width], activation: "relu" }),
        batchNorm(),
        dropout(0.3),
        dense(1),
      ]);
      model.compile({ optimizer: adam(), loss: meanSquaredError() });
      model.trainOnBatch(x, y);
      return model;
    };
    const asked = build();
    setSeed(4);
    const plain = build();
    const used = asked.state.runtime.memory().used;
    hessianSpectrum(asked as Model, { x, y }, { training: true, iterations: 5 });
    const settled = asked.state.runtime.memory().used; // a program more
    const bad = x.map((row) => [...row]);
    bad[3]![2] = Number.NaN;
    expect(() => hessianSpectrum(asked as Model, { x: bad, y })).toThrow(/finite/);
    const huge = x.map((row) => row.map((v) => v * 1e30));
    expect(() => hessianSpectrum(asked as Model, { x: huge, y }, { training: false })).toThrow(DownhillError);
    expect(settled).toBeGreaterThanOrEqual(used);
    expect(await weightsHash(asked as Model)).toBe(await weightsHash(plain as Model));
    expect(asked.trainOnBatch(x, y)).toEqual(plain.trainOnBatch(x, y));
    expect(asked.predict(x)).toEqual(plain.predict(x));
    expect(await weightsHash(asked as Model)).toBe(await weightsHash(plain as Model));
    setSeed(0);
  });

  test.each<[string, (model: Model) => unknown, RegExp]>([
    ["no model", () => hessianSpectrum({} as never, { x, y }), /^hessianSpectrum: expected a model/],
    ["no data", (m) => hessianSpectrum(m, undefined), /^hessianSpectrum: expected data as one object/],
    [
      "a stream of batches",
      (m) => conditionNumber(m, dataset({ x, y }).batch(4)),
      /^conditionNumber: expected data as arrays/,
    ],
    [
      "no iterations",
      (m) => isSaddle(m, { x, y }, { iterations: 0 }),
      /^isSaddle: iterations must be a positive integer/,
    ],
    ["an unknown option", (m) => hessianSpectrum(m, { x, y }, { steps: 3 } as never), /unknown option "steps"/],
    ["too few targets", (m) => hessianSpectrum(m, { x, y: y.slice(1) }), /expected 40 targets/],
  ])("%s is refused", (_, call, message) => {
    const model = linear() as Model;
    expect(() => call(model)).toThrow(message);
    expect(() => call(model)).toThrow(DownhillError);
  });

  test("needs a compiled model with something to train", () => {
    expect(() => hessianSpectrum(sequential([dense(1, { inputShape: [width] })]) as Model, { x, y })).toThrow(
      /not compiled/,
    );
    const frozen = linear();
    frozen.layers[0]!.trainable = false;
    expect(() => hessianSpectrum(frozen as Model, { x, y })).toThrow(
      /expected at least one trainable parameter, got none/,
    );
  });
});

interface Case {
  name: string;
  loss: string;
  l2: number;
  x: Nested;
  y: Nested;
  weights: Record<string, Nested>;
  eigenvalues: number[];
}

function mlp({ loss, l2: c, weights }: Case) {
  const options = c ? { kernelRegularizer: l2(c) } : {};
  const model = sequential([
    dense(6, { inputShape: [4], activation: "tanh", ...options }),
    dense(5, { activation: "tanh", ...options }),
    dense(3, options),
  ]);
  model.compile({ optimizer: sgd(), loss: loss === "meanSquaredError" ? meanSquaredError() : softmaxCrossEntropy() });
  model.setWeights(arrays(weights));
  return model as Model;
}

const { cases } = fixture<{ cases: Case[] }>("hessian");
test.each(cases)("a tanh MLP has PyTorch's ends of the spectrum to 3 %: $name", (c) => {
  const data = { x: array(c.x), y: array(c.y) };
  const found = hessianSpectrum(mlp(c), data);
  expect(found.converged).toBe(true);
  expect(abs(found.max / c.eigenvalues.at(-1)! - 1)).toBeLessThan(0.03);
  expect(abs(found.min / c.eigenvalues[0]! - 1)).toBeLessThan(0.03);
  expect(isSaddle(mlp(c), data)).toBe(c.eigenvalues[0]! < -1e-3 * c.eigenvalues.at(-1)!);
  expect(conditionNumber(mlp(c), data)).toBeGreaterThan(1);
});

test("equal bits on 1, 2 and 3 threads", async () => {
  const found = [];
  for (const threads of [1, 2, 3]) {
    const runtime = await init({ threads });
    const [c] = cases as [Case];
    found.push(hessianSpectrum(mlp(c), { x: array(c.x), y: array(c.y) }));
    runtime.dispose();
  }
  await init();
  expect(found[1]).toEqual(found[0]);
  expect(found[2]).toEqual(found[0]);
});
