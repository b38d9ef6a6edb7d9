import { describe, expect, test } from "vitest";
import { AccuracyKind, Op } from "../../assembly/isa";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";

describe.each(BUILDS)("accuracy, %s", (build) => {
  const core = new Core(build);

  /** [rowCorrect, rowWeight], the same on 1, 2 and 3 workers. */
  function accuracy(kind: AccuracyKind, x: number[], labels: number[], rows: number, weights: number[] | null = null) {
    const results = [1, 2, 3].map((workers) => {
      const [correct, weight] = [core.buffer(rows), core.buffer(rows)];
      const label = kind === AccuracyKind.index ? core.ints(labels) : core.floats(labels);
      const pointers = [correct, weight, core.floats(x, 1), label, weights && core.floats(weights)];
      core.runShares(core.instruction(Op.accuracy, pointers, [rows, x.length / rows, kind]), workers);
      core.checkGuards();
      return [[...correct.f32], [...weight.f32]];
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    return results[0];
  }

  test("class numbers: right where the class has the row's greatest prediction; equal ones go to the first", () => {
    const x = [1, 2, 3, 3, 2, 1, 5, 5, 5, -2, -1, -1, -9, -8, -9];
    expect(accuracy(AccuracyKind.index, x, [2, 1, 0, 1, 2], 5)).toEqual([
      [1, 0, 1, 1, 0],
      [1, 1, 1, 1, 1],
    ]);
    expect(accuracy(AccuracyKind.index, x, [2, 1, 1, 1, -1], 5, [0.5, 2, 2, 3, 7])).toEqual([
      [0.5, 0, 0, 3, 0],
      [0.5, 2, 2, 3, 0],
    ]);
  });

  test("class numbers: rows of 1, 2, 17, 1025 predictions", () => {
    for (const n of [1, 2, 17, 1025]) {
      const x = Array.from({ length: 3 * n }, (_, i) => Math.sin(i * i));
      const best = [0, 1, 2].map((r) => {
        const row = x.slice(r * n, (r + 1) * n);
        return row.indexOf(Math.max(...row));
      });
      expect(accuracy(AccuracyKind.index, x, best, 3)).toEqual([
        [1, 1, 1],
        [1, 1, 1],
      ]);
      const others = best.map((b) => (b + 1) % (n + 1));
      expect(accuracy(AccuracyKind.index, x, others, 3)![0]).toEqual([0, 0, 0]);
    }
  });

  test("target rows: right where both have their first greatest element in one place; a NaN leaves the row out", () => {
    const x = [1, 2, 3, 3, 2, 1, 5, 5, 5, -2, -1, -1, 1, 0, 0];
    const t = [0, 0.4, 0.6, 0, 1, 0, 0.5, 0.5, 0, 0, 1, 0, 1, NaN, 0];
    expect(accuracy(AccuracyKind.rows, x, t, 5, [1, 1, 2, 0.25, 1])).toEqual([
      [1, 0, 2, 0.25, 0],
      [1, 1, 2, 0.25, 0],
    ]);
  });

  test("binary kinds: each element is cut, logits at 0, probabilities at 0.5; NaN targets are left out", () => {
    const x = [0.6, 0.4, -0.1, 0, 0.5, 0.7];
    const t = [1, 1, 0, 0, 0, NaN];
    expect(accuracy(AccuracyKind.binaryLogits, x, t, 2)).toEqual([
      [3, 1],
      [3, 2],
    ]);
    expect(accuracy(AccuracyKind.binaryProbabilities, x, t, 2, [2, 3])).toEqual([
      [4, 6],
      [6, 6],
    ]);
    expect(accuracy(AccuracyKind.binaryLogits, [1, 2], [NaN, NaN], 2, [2, 3])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test("a NaN among the predictions is never right", () => {
    expect(accuracy(AccuracyKind.index, [NaN, 1, 1, NaN], [0, 0], 2)).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(accuracy(AccuracyKind.binaryLogits, [NaN], [0], 1)).toEqual([[0], [1]]);
  });
});
