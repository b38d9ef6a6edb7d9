import { describe, expect, test } from "vitest";
import { Op, REDUCE_CHUNK } from "../../assembly/isa";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";

describe.each(BUILDS)("activityPenalty, %s", (build) => {
  const core = new Core(build);
  const [l1, l2] = [0.25, 0.5];

  test.each([1, 3, 5, 7, 17, 63, 65, 1025, REDUCE_CHUNK, 2 * REDUCE_CHUNK + 1, 13000])(
    "%i outputs: Σ (l1·|h| + l2·½h²) / rows, and its gradient; equal bits on 1, 2, 3 workers",
    (n) => {
      const rows = 3;
      const h = Float32Array.from({ length: n }, (_, i) => (i % 11 === 0 ? 0 : Math.sin(i) * 3));
      const sum = h.reduce((s, v) => s + l1 * Math.abs(v) + (l2 * v * v) / 2, 0);
      const results = [1, 2, 3].map((workers) => {
        const chunks = Math.ceil(n / REDUCE_CHUNK);
        const [partials, result, dh] = [core.buffer(2 * chunks), core.floats([9, 9, 9, 0.5]), core.buffer(n, 1)];
        const hBuffer = core.floats(h, 1);
        core.runShares(core.instruction(Op.activityPenalty, [partials, hBuffer], [n], [l1, l2]), workers);
        core.runShares(core.instruction(Op.activityPenaltyReduce, [result, partials], [chunks, rows]), workers);
        const backward = core.instruction(Op.activityPenaltyBackward, [dh, hBuffer], [n, rows], [l1, l2]);
        core.runShares(backward, workers);
        core.checkGuards();
        return { result: [...result.f32], dh: [...dh.f32] };
      });
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
      const { result, dh } = results[0]!;
      expect(Math.abs(result[0]! - sum / rows)).toBeLessThanOrEqual((6e-8 * sum) / rows);
      expect(Math.abs(result[1]! - sum)).toBeLessThanOrEqual(6e-8 * sum);
      expect(result.slice(2)).toEqual([rows, 0.5]);
      for (let i = 0; i < n; i++)
        expect(Math.abs(dh[i]! - (l1 * Math.sign(h[i]!) + l2 * h[i]!) / rows)).toBeLessThan(3e-7);
    },
  );
});
