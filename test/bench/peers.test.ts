// bench/peers: what was promised is held against the cells, and the table says what a cell is.

import { expect, test } from "vitest";
import { competitors } from "../../bench/peers/competitors";
import { goalsOf } from "../../bench/peers/goals";
import { goalTable, head, table } from "../../bench/peers/report";
import type { Results } from "../../bench/peers/results";

const results = (): Results => ({
  machine: { cpu: "a CPU", cores: 2, node: "24.0.0", pinned: true, date: "2026-11-27" },
  versions: { pytorch: "1.13" },
  rounds: 3,
  workloads: ["W2"],
  competitors: ["downhill-fast", "downhill-fast-2", "pytorch", "jax", "brain"],
  reference: "PyTorch AVX2",
  pytorch: { blas: ["libopenblas"], mm: 100, peak: 50, void: false },
  cells: [
    { workload: "W2", competitor: "downhill-fast", ms: 6, rounds: [6, 6, 6], apart: 1e-6, other: false, learns: true },
    {
      workload: "W2",
      competitor: "downhill-fast-2",
      ms: 4,
      rounds: [4, 4, 4],
      apart: 1e-6,
      other: false,
      learns: true,
    },
    { workload: "W2", competitor: "pytorch", ms: 4, rounds: [4, 3, 5], learns: true, variant: "foreach" },
    { workload: "W2", competitor: "jax", ms: 12, rounds: [12, 12, 12], apart: 0.5, other: true, learns: true },
    { workload: "W2", competitor: "brain", rounds: [], cannot: "no batchNorm" },
  ],
  measures: { ready: { downhill: 40, tfjs: 250 }, memory: { downhill: 10, tfjs: 60 }, bundle: 70_000 },
  goals: [],
});

const verdicts = (of: Results) => Object.fromEntries(goalsOf(of).map(({ what, met }) => [what, met]));

test("goals are met, missed, or void", () => {
  expect(verdicts(results())).toEqual({
    "W2 fastMath, time over pytorch": true, // 1.5 ≤ 1.6
    "W2 fastMath, speed over jax": undefined, // 2 ≥ 1.8, but it computes something else
    "W2 fastMath, 2 threads against 1": false, // 1.5 < 1.75
    "ready to train W5, over an empty Node": true,
    "the same over TensorFlow.js's": true,
    "peak memory of W2 over an empty Node, over TensorFlow.js's": true,
    "MLP bundle, min + gzip": false,
  });
  const slowBlas = results();
  slowBlas.pytorch!.void = true;
  expect(verdicts(slowBlas)["W2 fastMath, time over pytorch"]).toBeUndefined();
  expect(head(slowBlas)).toContain("VOID");
});

test("the table has a line for each cell, and says what is not as it should be", () => {
  const text = table(results(), competitors, () => "an MLP");
  expect(text).toMatch(/downhill fastMath +6\.00 ms +1\.50 × +1\.00 ×/);
  expect(text).toMatch(/PyTorch AVX2 .*foreach; rounds differ by 1\.67 ×/);
  expect(text).toMatch(/jax-js wasm .*another computation \(losses 50\.0 % apart\)/);
  expect(text).toContain("cannot: no batchNorm");
  const full = results();
  full.goals = goalsOf(full);
  expect(goalTable(full)).toContain("4 of 6 goals met");
});
