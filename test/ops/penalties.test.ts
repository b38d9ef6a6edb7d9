import { expect, test } from "vitest";
import { Base, Halt, State } from "../../assembly/isa";
import { Graph } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import * as ops from "../../ts/ops/penalties";
import { BUILDS } from "../support/builds";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";
import { Core } from "../support/core";
import { runGraph } from "../support/runGraph";
import { eachFloat, row, segmentWords } from "../support/segments";

const [l1, l2] = [Math.fround(0.03), Math.fround(0.07)];
const H = [
  [1, 1],
  [3, 5],
  [65, 17],
  [5, 1025],
  [1025, 9],
  [3, 2, 7],
]; // the last but one: more than a chunk

const sum = (x: Reals) => x.reduce((a, b) => a + b, 0);

// the batch's rows, or those of a group of batches
for (const rows of [undefined, 100]) {
  const common = { title: rows ? "over a group" : "over the batch", attributes: { l1, l2, rows } };

  checkOp(ops.activityPenalty, {
    ...common,
    cases: H.map((h) => ({ h, result: [1, 4] })),
    writes: ["result"],
    reference({ h, result }, shapes) {
      const total = sum(h.map((v) => l1 * Math.abs(v) + (l2 / 2) * v * v));
      const count = rows ?? shapes.h[0]!;
      return [total / count, total, count, result[3]!];
    },
  });

  checkOp(ops.activityPenaltyBackward, {
    ...common,
    cases: H.map((h) => ({ h })),
    reference: ({ h }, shapes) => h.map((v) => (l1 * Math.sign(v) + l2 * v) / (rows ?? shapes.h[0]!)),
  });
}

const FLOATS = 5003;
const ROWS = [
  row(0, 7, { l1: 0.5 }),
  row(16, 65, { l2: 0.25 }),
  row(96, 130, { frozen: true, l1: 0.125, l2: 1 }),
  row(240, 1, {}),
  row(256, FLOATS - 256, { l1: 0.25, l2: 0.125, shrink: 0.5 }),
];
const segments = { shape: [ROWS.length, 8], words: segmentWords(ROWS) };

/** Σ over the segments: (l1 + shrink)·|w| + ½·l2·w². */
function weightPenalty(w: Reals): number {
  let total = 0;
  eachFloat(ROWS, (r, i) => {
    total += (r.l1 + r.shrink) * Math.abs(w[i]!) + 0.5 * r.l2 * w[i]! ** 2;
  });
  return total;
}

for (const [lossCount, activityCount, penalised] of [
  [1, 0, false],
  [1, 0, true],
  [3, 2, true],
  [2, 1, false],
] as const)
  checkOp(ops.objective, {
    title: `${lossCount} losses, ${activityCount} activity penalties${penalised ? ", weight penalties" : ""}`,
    attributes: { lossCount, activityCount },
    cases: [
      {
        head: [4],
        losses: [lossCount, 4],
        activities: activityCount ? [activityCount, 4] : null,
        parameters: penalised ? [FLOATS] : null,
        segments: penalised ? segments : null,
      },
    ],
    writes: ["head"],
    reference({ losses, activities, parameters }) {
      let data = 0;
      for (let i = 0; i < lossCount; i++) data += losses[4 * i]! * losses[4 * i + 3]!;
      const weights = penalised ? weightPenalty(parameters) : 0;
      let penalty = weights;
      for (let i = 0; i < activityCount; i++) penalty += activities[4 * i]!;
      return [data + penalty, data, penalty, weights];
    },
  });

test.each([
  [1, Halt.none],
  [Number.NaN, Halt.numeric],
  [Infinity, Halt.numeric],
])("an objective of %d sets State.halt to %i", (mean, halt) => {
  for (const build of BUILDS) {
    const core = new Core(build);
    const place = (values: number[]) => ({ base: Base.absolute, offset: core.floats(values).address });
    const graph = new Graph();
    const head = graph.leaf([4], "head", place([0, 0, 0, 0]));
    const losses = graph.leaf([1, 4], "losses", place([mean, 0, 0, 1]));
    ops.objective([head, losses, null, null, null], { lossCount: 1, activityCount: 0 });
    runGraph(core, graph, plan(graph, 1));
    expect(core.state.u32[State.halt]).toBe(halt);
  }
});

checkOp(ops.penaltyGradient, {
  cases: [{ gradients: [FLOATS], parameters: [FLOATS], segments }],
  writes: ["gradients"],
  reference({ gradients, parameters }) {
    const g = gradients.slice();
    eachFloat(ROWS, (r, i) => {
      g[i]! += r.l1 * Math.sign(parameters[i]!) + r.l2 * parameters[i]!;
    });
    return g;
  },
});

checkCoverage(ops);
