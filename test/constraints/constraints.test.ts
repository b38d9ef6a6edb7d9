// Constraints in training: what holds after every step, and what it leaves alone.

import { describe, expect, test } from "vitest";
import {
  adam,
  averagedWeights,
  batchNorm,
  dense,
  init,
  loadModel,
  type Model,
  maxNorm,
  meanSquaredError,
  minMaxNorm,
  nonNeg,
  type Runtime,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  unitNorm,
} from "../../ts/index";
import { any, bitsOf, floats, labels, thrown, weightBits } from "../support/contract";
import "../support/everyTeam";

const X = floats(32);
const Y = labels(8, 3);

function constrained(kernelConstraint: ReturnType<typeof maxNorm>, runtime?: Runtime) {
  setSeed(5);
  const model = sequential([dense(9, { inputShape: [4], kernelConstraint }), dense(3)], runtime ? { runtime } : {});
  model.compile({ optimizer: sgd({ learningRate: 0.5, momentum: 0.9 }), loss: softmaxCrossEntropy() });
  return model;
}

/** Norms of a [4, 9] kernel over one axis. */
function norms(model: Model, axis = 0, key = "dense_1/kernel"): number[] {
  const { data } = model.getWeights()[key]!;
  const sums = new Array<number>(axis === 0 ? 9 : 4).fill(0);
  data.forEach((v, i) => {
    sums[axis === 0 ? i % 9 : Math.floor(i / 9)]! += v * v;
  });
  return sums.map(Math.sqrt);
}

describe("after every step", () => {
  const least = (values: number[]) => Math.min(...values);
  const most = (values: number[]) => Math.max(...values);
  test.each<[string, ReturnType<typeof maxNorm>, (model: Model) => void]>([
    ["maxNorm", maxNorm({ maxValue: 0.7 }), (m) => expect(most(norms(m))).toBeLessThan(0.7 + 1e-6)],
    ["maxNorm, axis 1", maxNorm({ maxValue: 0.7, axis: 1 }), (m) => expect(most(norms(m, 1))).toBeLessThan(0.7 + 1e-6)],
    [
      "maxNorm, axis −1",
      maxNorm({ maxValue: 0.7, axis: -1 }),
      (m) => expect(most(norms(m, 1))).toBeLessThan(0.7 + 1e-6),
    ],
    [
      "maxNorm, both axes",
      maxNorm({ maxValue: 0.7, axis: [0, 1] }),
      (m) => expect(Math.hypot(...norms(m))).toBeLessThan(0.7 + 1e-6),
    ],
    [
      "unitNorm",
      unitNorm(),
      (m) => {
        for (const n of norms(m)) expect(n).toBeCloseTo(1, 6);
      },
    ],
    [
      "minMaxNorm",
      minMaxNorm({ minValue: 0.5, maxValue: 0.6 }),
      (m) => {
        expect(least(norms(m))).toBeGreaterThan(0.5 - 1e-6);
        expect(most(norms(m))).toBeLessThan(0.6 + 1e-6);
      },
    ],
    ["nonNeg", nonNeg(), (m) => expect(least([...m.getWeights()["dense_1/kernel"]!.data])).toBe(0)],
  ])("%s holds", (_, constraint, holds) => {
    using model = constrained(constraint);
    for (let step = 0; step < 5; step++) {
      model.trainOnBatch(X, Y);
      holds(any(model));
    }
  });

  test("a step, then the formula: Keras's", () => {
    using model = constrained(minMaxNorm({ minValue: 0.5, maxValue: 0.6, rate: 0.25 }));
    using free = constrained(nonNeg());
    free.setWeights(model.getWeights());
    const { parameters } = model.gradients(X, Y);
    const before = model.getWeights()["dense_1/kernel"]!.data;
    model.applyGradients(parameters);
    const after = model.getWeights()["dense_1/kernel"]!.data;
    const stepped = before.map((w, i) => w - 0.5 * parameters["dense_1/kernel"]!.data[i]!);
    for (let unit = 0; unit < 9; unit++) {
      const n = Math.hypot(...[0, 1, 2, 3].map((i) => stepped[i * 9 + unit]!));
      const scale = (0.25 * Math.min(Math.max(n, 0.5), 0.6) + 0.75 * n) / (1e-7 + n);
      for (let i = 0; i < 4; i++) expect(after[i * 9 + unit]).toBeCloseTo(stepped[i * 9 + unit]! * scale, 6);
    }
  });

  test("on biases too", () => {
    setSeed(1);
    using model = sequential([dense(3, { inputShape: [4], biasConstraint: maxNorm({ maxValue: 0.1 }) })]);
    model.compile({ optimizer: sgd({ learningRate: 1 }), loss: softmaxCrossEntropy() });
    for (let step = 0; step < 3; step++) model.trainOnBatch(X, Y);
    expect(Math.hypot(...model.getWeights()["dense_1/bias"]!.data)).toBeCloseTo(0.1, 5);
  });

  test("a column of zeros stays zero", () => {
    using model = sequential([dense(2, { inputShape: [2], useBias: false, kernelConstraint: unitNorm() })]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    model.setWeights({ "dense_1/kernel": { data: Float32Array.of(3, 0, 4, 0), shape: [2, 2] } });
    model.applyGradients({});
    model.applyGradients({ "dense_1/kernel": { data: new Float32Array(4), shape: [2, 2] } });
    const { data } = model.getWeights()["dense_1/kernel"]!;
    expect([data[1], data[3]]).toEqual([0, 0]);
    expect(data[0]).toBeCloseTo(0.6, 6);
  });
});

describe("left alone bit for bit", () => {
  test("frozen layers, until they are freed", () => {
    using model = constrained(unitNorm());
    model.trainOnBatch(X, Y);
    const kernel = any(model.getWeights());
    kernel["dense_1/kernel"].data.forEach((v: number, i: number, data: Float32Array) => {
      data[i] = 3 * v;
    });
    model.setWeights(kernel);
    model.getLayer("dense_1").trainable = false;
    model.trainOnBatch(X, Y);
    expect(weightBits(model)["dense_1/kernel"]).toEqual(bitsOf(kernel["dense_1/kernel"]));
    model.getLayer("dense_1").trainable = true;
    model.trainOnBatch(X, Y);
    for (const n of norms(any(model))) expect(n).toBeCloseTo(1, 6);
  });

  test("parameters that applyGradients is not given", () => {
    using model = constrained(unitNorm());
    const before = weightBits(model);
    model.applyGradients({ "dense_2/bias": { data: Float32Array.of(1, 2, 3), shape: [3] } });
    const after = weightBits(model);
    expect(after["dense_1/kernel"]).toEqual(before["dense_1/kernel"]);
    expect(after["dense_2/bias"]).not.toEqual(before["dense_2/bias"]);
  });
});

test("the same bits on 1, 2 and 3 threads, and from a file", async () => {
  const trained = async (threads: number) => {
    using runtime = await init({ threads });
    setSeed(5);
    const model = sequential(
      [
        dense(150, { inputShape: [120], kernelConstraint: maxNorm({ maxValue: 0.8 }) }),
        batchNorm(),
        dense(130, { kernelConstraint: minMaxNorm({ minValue: 0.9, axis: 1 }), biasConstraint: nonNeg() }),
        dense(3, { kernelConstraint: unitNorm({ axis: [0, 1] }) }),
      ],
      { runtime },
    );
    model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), ema: 0.9 });
    const x = { data: floats(64 * 120), shape: [64, 120] };
    model.trainOnBatch(x, labels(64, 3));
    const again = await loadModel(await saveModel(model));
    for (let step = 0; step < 4; step++) {
      model.trainOnBatch(x, labels(64, 3));
      again.trainOnBatch(x, labels(64, 3));
    }
    const bits = { ...weightBits(model), mean: bitsOf(averagedWeights(any(model))["dense_2/kernel"]!) };
    expect({ ...weightBits(again), mean: bitsOf(averagedWeights(any(again))["dense_2/kernel"]!) }).toEqual(bits);
    return bits;
  };
  const one = await trained(1);
  expect(await trained(2)).toEqual(one);
  expect(await trained(3)).toEqual(one);
});

test("bad arguments", () => {
  thrown("argument", () => maxNorm({ maxValue: 0 }), /maxNorm: maxValue must be a number > 0/);
  thrown("argument", () => maxNorm(any({ maxvalue: 1 })), /unknown option "maxvalue"; did you mean maxValue\?/);
  thrown("argument", () => maxNorm({ axis: 0.5 }), /maxNorm: axis must be an integer or a list/);
  thrown("argument", () => minMaxNorm({ minValue: 2 }), /minValue ≤ maxValue, got 2 > 1$/);
  thrown("argument", () => minMaxNorm({ minValue: -1 }));
  thrown("argument", () => minMaxNorm({ rate: 1.5 }));
  thrown("argument", () => unitNorm({ axis: [0, Number.NaN] }));
  thrown("argument", () => dense(3, { kernelConstraint: any(maxNorm) }), /a constraint such as maxNorm\(\)/);
  thrown("argument", () => dense(3, { inputShape: [2], kernelConstraint: any(sgd()) }));
  const wrong = () =>
    sequential([dense(3, { inputShape: [2], name: "first", biasConstraint: maxNorm({ axis: 1 }) })]).countParams();
  thrown("argument", wrong, "first/bias: maxNorm: expected axes in [-1, 1), got 1");
});
