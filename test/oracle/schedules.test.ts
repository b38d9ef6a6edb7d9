// Rates of the first updates: against PyTorch's schedulers (schedules.py), and where it has none, against the formula.

import { expect, test } from "vitest";
import { dense, meanSquaredError, sequential, sgd } from "../../ts/index";
import { build, type FactoryCall, fixture } from "../support/oracle";

const { cases } = fixture<{ cases: { schedule: FactoryCall; rates: number[] }[] }>("schedules");

/** Each update's rate as the model says it, and as it is in the step: with gradient −1, w moves from 0 to it. */
function ratesOf(schedule: FactoryCall, count: number) {
  using model = sequential([dense(1, { inputShape: [1], useBias: false })]);
  model.compile({ optimizer: sgd({ learningRate: build(schedule) }), loss: meanSquaredError() });
  return Array.from({ length: count }, () => {
    const said = model.learningRate;
    const key = "dense_1/kernel";
    model.setWeights({ [key]: { data: new Float32Array(1), shape: [1, 1] } });
    model.applyGradients({ [key]: { data: Float32Array.of(-1), shape: [1, 1] } });
    return { said, done: model.getWeights()[key]!.data[0]! };
  });
}

function check(schedule: FactoryCall, expected: readonly number[]) {
  for (const [k, { said, done }] of ratesOf(schedule, expected.length).entries()) {
    const e = expected[k]!;
    expect(Math.abs(said - e), `k = ${k}: got ${said}, expected ${e}`).toBeLessThanOrEqual(1e-11 + 1e-11 * e);
    expect(done, `k = ${k}`).toBe(Math.fround(said));
  }
}

for (const { schedule, rates } of cases) test(`${JSON.stringify(schedule)}, as PyTorch`, () => check(schedule, rates));

const formulas: [FactoryCall, (k: number) => number][] = [
  [["linearDecay", { initial: 0, final: 0.5, steps: 13 }], (k) => (k < 13 ? (k / 13) * 0.5 : 0.5)],
  [["exponentialDecay", { initial: 0.3, decayRate: 0.5, decaySteps: 9 }], (k) => 0.3 * 0.5 ** (k / 9)],
  [
    ["exponentialDecay", { initial: 0.3, decayRate: 0.5, decaySteps: 9, staircase: true }],
    (k) => 0.3 * 0.5 ** Math.floor(k / 9),
  ],
  [["exponentialDecay", { initial: 0.3, decayRate: 0, decaySteps: 9, staircase: true }], (k) => (k < 9 ? 0.3 : 0)],
  [["inverseTimeDecay", { initial: 0.3, decayRate: 0.5, decaySteps: 9 }], (k) => 0.3 / (1 + (0.5 * k) / 9)],
  [
    ["inverseTimeDecay", { initial: 0.3, decayRate: 0.5, decaySteps: 9, staircase: true }],
    (k) => 0.3 / (1 + 0.5 * Math.floor(k / 9)),
  ],
  [["stepDecay", { initial: 0.3, factor: 0, every: 4 }], (k) => (k < 4 ? 0.3 : 0)],
  [
    ["polynomialDecay", { initial: 0.3, final: 0.05, power: 0.5, steps: 20 }],
    (k) => 0.25 * (1 - Math.min(1, k / 20)) ** 0.5 + 0.05,
  ],
  [
    ["cosineDecay", { initial: 0.3, final: 0.05, steps: 20 }],
    (k) => 0.05 + 0.125 * (1 + Math.cos(Math.PI * Math.min(1, k / 20))),
  ],
  [["warmup", { steps: 7, then: 0.3 }], (k) => (k < 7 ? (0.3 * (k + 1)) / 7 : 0.3)],
  [
    ["warmup", { steps: 7, then: ["cosineDecay", { initial: 0.3, steps: 20 }] }],
    (k) => (k < 7 ? (0.3 * (k + 1)) / 7 : 0.15 * (1 + Math.cos(Math.PI * Math.min(1, (k - 7) / 20)))),
  ],
  [
    [
      "warmup",
      { steps: 3, then: ["warmup", { steps: 4, then: ["stepDecay", { initial: 1, factor: 0.5, every: 2 }] }] },
    ],
    (k) => (k < 3 ? (0.25 * (k + 1)) / 3 : k < 7 ? (k - 2) / 4 : 0.5 ** Math.floor((k - 7) / 2)),
  ],
];

for (const [schedule, formula] of formulas)
  test(`${JSON.stringify(schedule)}, its formula`, () =>
    check(
      schedule,
      Array.from({ length: 30 }, (_, k) => formula(k)),
    ));

test("oneCycle stays where it ended", () => {
  const rates = ratesOf(["oneCycle", { max: 0.1, steps: 10 }], 13).map(({ said }) => said);
  expect(rates.slice(10)).toEqual([rates[9], rates[9], rates[9]]);
});
