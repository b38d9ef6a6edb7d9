import { describe, expect, test } from "vitest";
import { ExtensionOp, LabelKind, Op, State } from "../../assembly/isa";
import { extended } from "../../ts/runtime/extension";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";

const SIZES = [1, 2, 3, 5, 7, 17, 63, 65, 1025];
const ROWS = 5;

/** Reproducible numbers in [−1, 1). */
function noise(n: number, seed = 1): Float32Array {
  let state = seed * 7919 + 12345;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** |a − b| ≤ tolerance · max(1, |b|), NaN equal to NaN, undefined to all. */
function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number | undefined>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const [a, b] = [actual[i]!, expected[i]];
    if (b === undefined || Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)))) expect(`[${i}] ${a}`).toBe(`[${i}] ${b}`);
  }
}

/** Central differences of a float64 loss; of a long row, some forty from its first to its last, undefined between. */
function differences(loss: (x: number[]) => number, x: ArrayLike<number>, h = 1e-5): (number | undefined)[] {
  return Array.from(x, (_, i) => {
    if ((x.length - 1 - i) % Math.ceil(x.length / 40) !== 0 && i !== 0) return undefined;
    const at = (d: number) => loss(Array.from(x, (v, j) => (i === j ? v + d : v)));
    return (at(h) - at(-h)) / (2 * h);
  });
}

interface Loss {
  rowLoss: Float32Array;
  rowCount: Float32Array;
  dx: Float32Array;
}

type Row = (x: ArrayLike<number>, t: ArrayLike<number>) => { loss: number; count: number };

/** Row by row: w · loss, counts, and dRow · w · ∂loss/∂x, by the reference. */
function reference(
  row: Row,
  x: Float32Array,
  t: ArrayLike<number>[],
  weights: ArrayLike<number> | null,
  dRow: ArrayLike<number>,
) {
  const n = x.length / t.length;
  const expected = { rowLoss: [] as number[], rowCount: [] as number[], dx: [] as (number | undefined)[] };
  for (const [r, target] of t.entries()) {
    const w = weights?.[r] ?? 1;
    const xs = Array.from(x.subarray(r * n, (r + 1) * n));
    const { loss, count } = row(xs, target);
    expected.rowLoss.push(count > 0 ? w * loss : 0);
    expected.rowCount.push(count);
    const d = count > 0 ? differences((v) => row(v, target).loss, xs) : xs.map(() => 0);
    expected.dx.push(...d.map((v) => (v === undefined ? v : v * w * dRow[r]!)));
  }
  return expected;
}

// Softmax cross-entropy

/** Σ t·(log Σ exp(x) − x), t smoothed; a class number stands for its one-hot row. */
function crossEntropyRow(classes: number, smoothing: number): Row {
  return (x, t) => {
    const target = t.length === 1 && classes > 1 ? Array.from(x, (_, j) => (j === t[0] ? 1 : 0)) : Array.from(t);
    if (target.some(Number.isNaN) || (t.length === 1 && classes > 1 && !(t[0]! >= 0))) return { loss: 0, count: 0 };
    const max = Math.max(...Array.from(x));
    const logSum = Math.log(Array.from(x).reduce((s, v) => s + Math.exp(v - max), 0));
    const smooth = target.map((v) => (1 - smoothing) * v + smoothing / classes);
    return { loss: smooth.reduce((s, v, j) => s + v * (logSum - (x[j]! - max)), 0), count: 1 };
  };
}

function crossEntropy(
  core: Core,
  x: Float32Array,
  labels: { kind: LabelKind; values: number[] },
  rows: number,
  { weights = null as number[] | null, smoothing = 0, dRow = new Array(rows).fill(1) as number[], workers = 1 } = {},
): Loss {
  const classes = x.length / rows;
  const [rowLoss, rowCount, rowLogSum, dx] = [
    core.buffer(rows),
    core.buffer(rows),
    core.buffer(rows),
    core.buffer(x.length, 1),
  ];
  const logits = core.floats(x, 1);
  const label = labels.kind === LabelKind.index ? core.ints(labels.values) : core.floats(labels.values, 2);
  const w = weights && core.floats(weights);
  const sizes = [rows, classes, labels.kind];
  core.runShares(
    core.instruction(Op.softmaxCrossEntropy, [rowLoss, rowCount, rowLogSum, logits, label, w], sizes, [smoothing]),
    workers,
  );
  const backward = [dx, core.floats(dRow), logits, label, w, rowLogSum];
  core.runShares(core.instruction(Op.softmaxCrossEntropyBackward, backward, sizes, [smoothing]), workers);
  core.checkGuards();
  return { rowLoss: rowLoss.f32.slice(), rowCount: rowCount.f32.slice(), dx: dx.f32.slice() };
}

/** Equal bits on 1, 2 and 3 workers. */
function onWorkers(run: (workers: number) => Loss): Loss {
  const one = run(1);
  expect(run(2)).toEqual(one);
  expect(run(3)).toEqual(one);
  return one;
}

describe.each(BUILDS)("%s", (build) => {
  const core = new Core(build);
  const weights = [1, 0.5, 2, 0, 3];
  const dRow = [1, -2, 0.25, 1, 0.1];

  describe("softmaxCrossEntropy", () => {
    test.each(SIZES.slice(1))(
      "class numbers of %i classes: loss and gradient, with and without weights and smoothing",
      (classes) => {
        const x = noise(ROWS * classes, classes).map((v) => v * 6);
        const values = Array.from({ length: ROWS }, (_, r) => (r * 31) % classes);
        for (const smoothing of [0, 0.1]) {
          for (const w of [null, weights]) {
            const actual = onWorkers((workers) =>
              crossEntropy(core, x, { kind: LabelKind.index, values }, ROWS, { weights: w, smoothing, dRow, workers }),
            );
            const t = values.map((v) => [v]);
            const expected = reference(crossEntropyRow(classes, smoothing), x, t, w, dRow);
            expectClose(actual.rowLoss, expected.rowLoss, 1e-6);
            expectClose(actual.rowCount, expected.rowCount, 0);
            expectClose(actual.dx, expected.dx, 1e-6);
          }
        }
      },
    );

    test.each(SIZES.slice(1))("probability rows of %i classes: loss and gradient, sums other than 1 too", (classes) => {
      const x = noise(ROWS * classes, classes).map((v) => v * 6);
      const raw = noise(ROWS * classes, classes + 1).map((v) => v + 1);
      const sums = Array.from({ length: ROWS }, (_, r) =>
        raw.subarray(r * classes, (r + 1) * classes).reduce((a, b) => a + b, 0),
      );
      const values = Array.from(raw, (v, i) =>
        Math.fround((v / sums[Math.floor(i / classes)]!) * (1 + Math.floor(i / classes) / 2)),
      );
      const t = Array.from({ length: ROWS }, (_, r) => values.slice(r * classes, (r + 1) * classes));
      for (const smoothing of [0, 0.1]) {
        const actual = onWorkers((workers) =>
          crossEntropy(core, x, { kind: LabelKind.rows, values }, ROWS, { weights, smoothing, dRow, workers }),
        );
        const expected = reference(crossEntropyRow(classes, smoothing), x, t, weights, dRow);
        expectClose(actual.rowLoss, expected.rowLoss, 2e-6);
        expectClose(actual.dx, expected.dx, 2e-6);
      }
    });

    test("is stable: logits of any size, and of any common shift", () => {
      const x = Float32Array.of(1e30, 0, -1e30, 1000, 1001, 1002, -50000, -50001, -50002, 3e38, -3e38, 0);
      const actual = crossEntropy(core, x, { kind: LabelKind.index, values: [0, 0, 2, 0] }, 4);
      const z = Math.log(1 + Math.exp(-1) + Math.exp(-2));
      expectClose(actual.rowLoss, [0, z + 2, z + 2, 0], 1e-6);
      const s = [1, 2, 3].map((_, j) => Math.exp(-j - z));
      expectClose(actual.dx, [0, 0, 0, s[2]! - 1, s[1]!, s[0]!, s[0]!, s[1]!, s[2]! - 1, 0, 0, 0], 1e-6);
    });

    test("probabilities below e⁻⁸⁰ of the greatest are 0, so that no gradient is subnormal", () => {
      const x = Float32Array.of(0, -79, -81, -90, -100, 0, -200);
      const { dx } = crossEntropy(core, x, { kind: LabelKind.index, values: [0] }, 1);
      expectClose(dx, [-0.5, Math.exp(-79) / 2, 0, 0, 0, 0.5, 0], 1e-6);
      expect(dx[1]).toBeGreaterThan(0);
      expect([...dx.subarray(2, 5)]).toEqual([0, 0, 0]);
    });

    test("a class number −1, and a row with a NaN, are not labelled: loss 0, count 0, gradient 0, whatever the logits", () => {
      for (const classes of [2, 5, 17]) {
        const x = noise(3 * classes);
        x[classes] = NaN;
        x[2 * classes] = Infinity;
        for (const target of [-1, classes, 0x7fc00000]) {
          const values = [0, target, target];
          const actual = crossEntropy(core, x, { kind: LabelKind.index, values }, 3, { smoothing: 0.1 });
          expect([...actual.rowLoss.subarray(1)]).toEqual([0, 0]);
          expect([...actual.rowCount]).toEqual([1, 0, 0]);
          expect([...actual.dx.subarray(classes)]).toEqual(new Array(2 * classes).fill(0));
        }
        for (let at = 0; at < classes; at++) {
          const values = new Array(3 * classes).fill(1 / classes);
          values[classes + at] = values[2 * classes + at] = NaN;
          const actual = crossEntropy(core, x, { kind: LabelKind.rows, values }, 3, { smoothing: 0.1 });
          expect([...actual.rowLoss.subarray(1)]).toEqual([0, 0]);
          expect([...actual.rowCount]).toEqual([1, 0, 0]);
          expect([...actual.dx.subarray(classes)]).toEqual(new Array(2 * classes).fill(0));
        }
      }
    });

    test("a logit of NaN or ∞ in a labelled row gives a loss that is not finite", () => {
      for (const bad of [NaN, Infinity]) {
        for (let at = 0; at < 7; at++) {
          const x = noise(7);
          x[at] = bad;
          expect(crossEntropy(core, x, { kind: LabelKind.index, values: [6] }, 1).rowLoss[0]).toBeNaN();
        }
      }
    });
  });

  // Elementwise losses

  const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const LOSSES = [
    {
      name: "binaryCrossEntropy from logits",
      forward: extended(ExtensionOp.binaryCrossEntropy),
      option: 1,
      loss: (x: number, t: number) => softplus(x) - x * t,
    },
    {
      name: "binaryCrossEntropy from probabilities",
      forward: extended(ExtensionOp.binaryCrossEntropy),
      option: 0,
      loss: (p: number, t: number) => -t * Math.max(Math.log(p), -100) - (1 - t) * Math.max(Math.log1p(-p), -100),
    },
    { name: "meanSquaredError", forward: Op.meanSquaredError, option: 0, loss: (x: number, t: number) => (x - t) ** 2 },
  ];

  const rowOf =
    (loss: (x: number, t: number) => number): Row =>
    (x, t) => ({
      loss: Array.from(x).reduce((s, v, j) => s + (Number.isNaN(t[j]) ? 0 : loss(v, t[j]!)), 0),
      count: Array.from(t).filter((v) => !Number.isNaN(v)).length,
    });

  function elementLoss(
    forward: Op,
    option: number,
    x: Float32Array,
    t: ArrayLike<number>,
    rows: number,
    { weights = null as number[] | null, dRow = new Array(rows).fill(1) as number[], workers = 1 } = {},
  ): Loss {
    const [rowLoss, rowCount, dx] = [core.buffer(rows), core.buffer(rows), core.buffer(x.length, 1)];
    const [prediction, target, w] = [core.floats(x, 1), core.floats(t, 3), weights && core.floats(weights)];
    const sizes = [rows, x.length / rows, option];
    core.runShares(core.instruction(forward, [rowLoss, rowCount, prediction, target, w], sizes), workers);
    core.runShares(core.instruction(forward + 1, [dx, core.floats(dRow), prediction, target, w], sizes), workers);
    core.checkGuards();
    return { rowLoss: rowLoss.f32.slice(), rowCount: rowCount.f32.slice(), dx: dx.f32.slice() };
  }

  describe.each(LOSSES)("$name", ({ name, forward, option, loss }) => {
    const probabilities = name.endsWith("probabilities");

    test.each(SIZES)("rows of %i elements: loss, count and gradient; NaN targets are left out", (n) => {
      const x = noise(ROWS * n, n).map((v) => (probabilities ? (v + 1.02) / 2.05 : v * 6));
      const t = noise(ROWS * n, n + 1).map((v, i) => (i % 7 === 3 ? NaN : i % 3 === 0 ? (v + 1) / 2 : v > 0 ? 1 : 0));
      t.fill(NaN, 2 * n, 3 * n); // a row without a label
      const rows = Array.from({ length: ROWS }, (_, r) => t.subarray(r * n, (r + 1) * n));
      for (const w of [null, weights]) {
        const actual = onWorkers((workers) => elementLoss(forward, option, x, t, ROWS, { weights: w, dRow, workers }));
        const expected = reference(rowOf(loss), x, rows, w, dRow);
        expectClose(actual.rowLoss, expected.rowLoss, 3e-6);
        expectClose(actual.rowCount, expected.rowCount, 0);
        expectClose(actual.dx, expected.dx, 3e-6);
      }
    });

    test("a prediction that is not a number is left out where not labelled, and shows where it is", () => {
      const x = Float32Array.of(NaN, 0.5, NaN, 0.5, 0.5);
      const out = elementLoss(forward, option, x, [NaN, 1, 1, 0, 0], 1);
      expect(out.rowLoss[0]).toBeNaN();
      expect(out.dx[0]).toBe(0);
      expect(out.dx[2]).toBeNaN();
      const masked = elementLoss(forward, option, x, [NaN, 1, NaN, 0, 0], 1);
      expectClose(masked.rowLoss, [loss(0.5, 1) + 2 * loss(0.5, 0)], 1e-6);
    });
  });

  test("binaryCrossEntropy from logits is exact for confident predictions, either way", () => {
    const x = Float32Array.of(-120, -60, -20, -10, 10, 20, 60, 120);
    const t = [0, 0, 0, 0, 1, 1, 1, 1];
    for (const [i, v] of x.entries()) {
      const right = elementLoss(extended(ExtensionOp.binaryCrossEntropy), 1, Float32Array.of(v), [t[i]!], 1);
      const expected = Math.log1p(Math.exp(-Math.abs(v)));
      expect(Math.abs(right.rowLoss[0]! - expected)).toBeLessThanOrEqual(1e-6 * expected + 1e-37);
      const wrong = elementLoss(extended(ExtensionOp.binaryCrossEntropy), 1, Float32Array.of(v), [1 - t[i]!], 1);
      expectClose(wrong.rowLoss, [Math.abs(v) + expected], 1e-6);
      expectClose(wrong.dx, [v > 0 ? 1 : -1], 5e-5);
    }
  });

  test("binaryCrossEntropy from probabilities floors the logarithm at −100 and the gradient's divisor at 1e−12", () => {
    const p = Float32Array.of(0, 0, 1, 1, 0, 1);
    const t = [0, 1, 0, 1, 0.5, 0.5];
    const out = elementLoss(extended(ExtensionOp.binaryCrossEntropy), 0, p, t, 6);
    expect([...out.rowLoss]).toEqual([0, 100, 100, 0, 50, 50]);
    expectClose(out.dx, [0, -1e12, 1e12, 0, -5e11, 5e11], 1e-6);
  });

  // Means

  function meanLoss(rowLoss: number[], rowCount: number[], { denominator = 0, output = 2, weight = 0.5 } = {}) {
    core.state.f32[State.denominators + 2] = denominator;
    const result = core.floats([9, 9, 9, weight]);
    const rows = rowLoss.length;
    const [losses, counts, dRow] = [core.floats(rowLoss), core.floats(rowCount), core.buffer(rows)];
    core.runShares(core.instruction(Op.meanLoss, [result, losses, counts], [rows, output]), 3);
    core.runShares(core.instruction(Op.meanLossBackward, [dRow, result], [rows, output]), 3);
    core.checkGuards();
    return { result: [...result.f32], dRow: [...dRow.f32] };
  }

  test("meanLoss divides by the rows' own count, or by the output's denominator; its gradient is weight / count", () => {
    expect(meanLoss([1, 2, 0, 3], [1, 1, 0, 1])).toEqual({
      result: [2, 6, 3, 0.5],
      dRow: new Array(4).fill(Math.fround(0.5 / 3)),
    });
    expect(meanLoss([1, 2, 3], [1, 1, 1], { denominator: 12 })).toEqual({
      result: [0.5, 6, 3, 0.5],
      dRow: new Array(3).fill(Math.fround(0.5 / 12)),
    });
    expect(meanLoss([1, 2, 3], [1, 1, 1], { denominator: 12, output: 8 }).result).toEqual([2, 6, 3, 0.5]);
  });

  test("meanLoss of nothing labelled is 0, its gradient too", () => {
    expect(meanLoss([0, 0], [0, 0])).toEqual({ result: [0, 0, 0, 0.5], dRow: [0, 0] });
  });

  test("meanLoss sums in float64, in ascending order", () => {
    const rowLoss = [2 ** 24, ...new Array(1000).fill(1)];
    expect(meanLoss(rowLoss, new Array(1001).fill(1)).result[1]).toBe(2 ** 24 + 1000);
  });

  test("meanLoss of a loss that is not finite is not finite", () => {
    expect(meanLoss([1, NaN], [1, 1]).result[0]).toBeNaN();
    expect(meanLoss([1, Infinity], [1, 1]).result[0]).toBe(Infinity);
  });
});
