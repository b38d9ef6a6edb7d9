// Learning rates: schedules from update to update, and setting one.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  cosineDecay,
  dense,
  exponentialDecay,
  inverseTimeDecay,
  linearDecay,
  meanSquaredError,
  oneCycle,
  polynomialDecay,
  sequential,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
  warmup,
} from "../../ts/index";
import { classifier, floats, labels, weightBits } from "../support/contract";

const X = floats(32);
const Y = labels(8, 3);

describe("learning rates", () => {
  const rates = (learningRate: any, n = 12) => {
    const m = sequential([dense(1, { inputShape: [1] })]);
    m.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError() });
    return Array.from({ length: n }, () => {
      const rate = m.learningRate;
      const before = m.getWeights()["dense_1/bias"]!.data[0]!;
      m.applyGradients({ "dense_1/bias": { data: Float32Array.of(1), shape: [1] } });
      expect(before - m.getWeights()["dense_1/bias"]!.data[0]!).toBeCloseTo(rate, 5);
      return rate;
    });
  };
  const k = Array.from({ length: 12 }, (_, i) => i);
  it.each([
    [
      "linearDecay",
      linearDecay({ initial: 1, final: 0.1, steps: 9 }),
      (k: number) => (k < 9 ? (1 - k / 9) * 1 + (k / 9) * 0.1 : 0.1),
    ],
    [
      "exponentialDecay",
      exponentialDecay({ initial: 1, decayRate: 0.5, decaySteps: 3 }),
      (k: number) => 0.5 ** (k / 3),
    ],
    [
      "exponentialDecay, staircase",
      exponentialDecay({ initial: 1, decayRate: 0.5, decaySteps: 3, staircase: true }),
      (k: number) => 0.5 ** Math.floor(k / 3),
    ],
    [
      "inverseTimeDecay",
      inverseTimeDecay({ initial: 1, decayRate: 0.5, decaySteps: 3 }),
      (k: number) => 1 / (1 + (0.5 * k) / 3),
    ],
    ["stepDecay", stepDecay({ initial: 1, factor: 0.5, every: 4 }), (k: number) => 0.5 ** Math.floor(k / 4)],
    [
      "polynomialDecay",
      polynomialDecay({ initial: 1, final: 0.1, power: 2, steps: 9 }),
      (k: number) => 0.9 * (1 - Math.min(1, k / 9)) ** 2 + 0.1,
    ],
    [
      "cosineDecay",
      cosineDecay({ initial: 1, steps: 9 }),
      (k: number) => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, k / 9))),
    ],
    [
      "warmup",
      warmup({ steps: 4, then: linearDecay({ initial: 1, final: 0, steps: 5 }) }),
      (k: number) => (k < 4 ? (k + 1) / 4 : Math.max(0, 1 - (k - 4) / 5)),
    ],
    ["warmup of a number", warmup({ steps: 4, then: 0.5 }), (k: number) => (k < 4 ? (0.5 * (k + 1)) / 4 : 0.5)],
  ] as [string, unknown, (k: number) => number][])("%s: k = 0 at the first update", (_, schedule, formula) => {
    const got = rates(schedule);
    for (const i of k) expect(got[i]).toBeCloseTo(formula(i), 6);
  });
  it("oneCycle: from max/25 to max to max/25/10⁴", () => {
    const got = rates(oneCycle({ max: 1, steps: 10 }), 12);
    expect(got[0]).toBeCloseTo(0.04, 8);
    expect(Math.max(...got)).toBeCloseTo(1, 8);
    expect(got[9]).toBeCloseTo(4e-6, 8);
    expect(got[11]).toBe(got[9]);
  });
  it("get and set; a rate that is set ends the schedule; compile begins anew", () => {
    const m = classifier();
    expect(m.learningRate).toBe(0.01);
    m.learningRate = 0;
    const before = weightBits(m);
    m.trainOnBatch(X, Y);
    expect(weightBits(m)).toEqual(before);
    m.compile({
      optimizer: sgd({ learningRate: linearDecay({ initial: 1, final: 0, steps: 4 }) }),
      loss: softmaxCrossEntropy(),
    });
    m.trainOnBatch(X, Y);
    expect(m.learningRate).toBe(0.75);
    m.learningRate = 0.3;
    m.trainOnBatch(X, Y);
    expect(m.learningRate).toBe(0.3);
  });
});
