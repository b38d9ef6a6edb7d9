// model.gradients against central differences of the loss that it reports, for a model with everything in it.
//
// Differences are of sixth order, so that h can be large and float32's rounding of the loss small beside it:
// f′ ≈ (45·(f₊₁ − f₋₁) − 9·(f₊₂ − f₋₂) + (f₊₃ − f₋₃)) / 60h. Weights are such that no kink (PReLU, l1) is crossed.

import { expect, test } from "vitest";
import {
  batchNorm,
  dense,
  dropout,
  functional,
  gelu,
  input,
  l1l2,
  l2,
  meanSquaredError,
  type NDArray,
  prelu,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";

const ROWS = 9;
const [FEATURES, WIDTH] = [6, 7];
const H = 0.04;
const STENCIL = [45, -9, 1].map((c) => c / (60 * H));

/** Numbers about in ±1, the same in every run. */
const noise = (n: number, seed: number) =>
  Float32Array.from({ length: n }, (_, i) => Math.fround(Math.sin(1 + seed * 17.3 + i * i * 0.7 + i * 2.1)));
const matrix = (rows: number, columns: number, seed: number): NDArray => ({
  data: noise(rows * columns, seed),
  shape: [rows, columns],
});

const x = matrix(ROWS, FEATURES, 1);
const y = {
  class: { data: Int32Array.from({ length: ROWS }, (_, i) => (i === 4 ? -1 : (i * i) % 3)), shape: [ROWS] },
  value: matrix(ROWS, 2, 2),
};

function everything() {
  setSeed(5);
  const given = input([FEATURES]);
  let h = dense(5, { kernelRegularizer: l2(0.03) })(given);
  h = batchNorm({ gammaRegularizer: l2(0.02), betaRegularizer: l2(0.02) })(h);
  h = dropout(0.3)(gelu()(h));
  h = dense(WIDTH, {
    biasRegularizer: l1l2({ l1: 0.01, l2: 0.002 }),
    activityRegularizer: l1l2({ l1: 0.005, l2: 0.003 }),
  })(h);
  h = dropout(0.2)(prelu({ alphaRegularizer: l2(0.1) })(h));
  const outputs = {
    class: dense(3, { name: "class", activityRegularizer: l2(0.01) })(h),
    value: dense(2, { name: "value", activation: "sigmoid" })(gelu({ approximate: true })(h)),
  };
  const model = functional({ inputs: given, outputs });
  model.compile({
    optimizer: sgd({ learningRate: 0 }),
    loss: { class: softmaxCrossEntropy({ labelSmoothing: 0.1 }), value: meanSquaredError() },
    lossWeights: { class: 0.8, value: 4 },
  });
  const weights = model.getWeights();
  for (const [i, [key, { data }]] of Object.entries(weights).entries())
    for (const [j, value] of noise(data.length, i + 3).entries()) {
      if (key.endsWith("movingVariance")) data[j] = 0.2 + 0.1 * value;
      else if (key.endsWith("gamma")) data[j] = 1 + 0.4 * value;
      else data[j] = 0.4 * value;
    }
  // PReLU's inputs lie around ±4
  for (let j = 0; j < WIDTH; j++) weights["dense_2/bias"]!.data[j] = j % 2 ? 4 : -4;
  model.setWeights(weights);
  return model;
}

type Everything = ReturnType<typeof everything>;

/** The loss's derivatives by each number of `data`, which `apply` puts in place. */
function differences(data: Float32Array, loss: () => number): Float64Array {
  return Float64Array.from(data, (value, i) => {
    let slope = 0;
    for (const [k, coefficient] of STENCIL.entries())
      for (const sign of [1, -1]) {
        data[i] = value + sign * (k + 1) * H;
        slope += sign * coefficient * loss();
      }
    data[i] = value;
    return slope;
  });
}

function allDifferences(model: Everything, training: boolean): Record<string, Float64Array> {
  const weights = model.getWeights();
  const found: Record<string, Float64Array> = {};
  for (const [key, { data }] of Object.entries(weights)) {
    if (key.includes("/moving")) continue;
    found[key] = differences(data, () => {
      model.setWeights(weights);
      return model.gradients(x, y, { training }).loss;
    });
  }
  model.setWeights(weights);
  const moved = { data: x.data.slice(), shape: x.shape };
  found["inputs"] = differences(moved.data, () => model.gradients(moved, y, { training }).loss);
  return found;
}

/** ‖gradient − differences‖ in units of what is allowed: 4e-4·‖differences‖ and, for the loss's rounding, 3e-6·√n. */
function excess(gradient: Float32Array, expected: Float64Array): number {
  const norm = (v: Float64Array) => Math.sqrt(v.reduce((sum, d) => sum + d * d, 0));
  return norm(expected.map((d, i) => gradient[i]! - d)) / (4e-4 * norm(expected) + 3e-6 * Math.sqrt(gradient.length));
}

for (const training of [true, false])
  test(`gradients of all parameters and inputs, ${training ? "training" : "inference"}`, () => {
    using model = everything();
    const before = model.getWeights();
    const { parameters, inputs } = model.gradients(x, y, { training });
    const gradients: Record<string, NDArray> = { ...parameters, inputs: inputs as NDArray };
    const expected = allDifferences(model, training);
    // batch norm takes dense_1's bias out again: 0, to which one ulp of the loss in a difference adds more than is allowed
    if (training) expected["dense_1/bias"]!.fill(0);
    expect(Object.keys(expected)).toEqual(Object.keys(gradients));
    for (const [key, { data }] of Object.entries(gradients)) {
      expect(excess(data, expected[key]!), key).toBeLessThan(1);
      // the check checks: an error of 1 in 1000, a missing last number
      if (training && key === "dense_1/bias") continue;
      const wrong = data.map((g) => 1.001 * g);
      expect(excess(wrong, expected[key]!), `${key} · 1.001`).toBeGreaterThan(1);
      expect(
        excess(
          data.map((g, i) => (i === data.length - 1 ? 0 : g)),
          expected[key]!,
        ),
        `${key} cut`,
      ).toBeGreaterThan(1);
    }
    expect(model.getWeights()).toEqual(before);
  });

test("gradients has the masks and statistics of the step to come", () => {
  using model = everything();
  const first = model.gradients(x, y);
  expect(model.gradients(x, y)).toEqual(first);
  expect(model.trainOnBatch(x, y).loss).toBe(first.loss);
  // learning rate 0: another step, other masks
  expect(model.gradients(x, y).loss).not.toBe(first.loss);
  expect(model.gradients(x, y, { training: false }).loss).toBeCloseTo(model.testOnBatch(x, y).loss, 6);
});

test("a frozen layer's gradients are those of the whole objective, too", () => {
  using model = everything();
  const { parameters } = model.gradients(x, y);
  const before = model.getWeights();
  for (const name of ["dense_1", "dense_2", "prelu_1"]) model.getLayer(name).trainable = false;
  expect(model.gradients(x, y).parameters).toEqual(parameters);
  model.learningRate = 0.1;
  model.trainOnBatch(x, y);
  const after = model.getWeights();
  for (const key of ["dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias", "prelu_1/alpha"])
    expect(after[key]).toEqual(before[key]);
  expect(after["class/kernel"]).not.toEqual(before["class/kernel"]);
});
