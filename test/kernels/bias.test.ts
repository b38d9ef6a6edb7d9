import { expect, test } from "vitest";
import { Op } from "../../assembly/isa";
import { Core } from "../support/core";
import { BUILDS, numbers } from "../support/elementwise";

const SHAPES = [
  [1, 1],
  [1, 17],
  [3, 5],
  [5, 16],
  [7, 63],
  [65, 10],
  [1025, 3],
  [70, 129],
] as const;

/** Σᵢ x[i, j] as the chain s ← fl(s + x). */
function chain(x: Float32Array, from: number, to: number, n: number): Float32Array {
  const s = new Float32Array(n);
  for (let i = from; i < to; i++) for (let j = 0; j < n; j++) s[j] = s[j]! + x[i * n + j]!;
  return s;
}

test("biasAdd adds b to every row, in place too", () => {
  for (const build of BUILDS)
    for (const [m, n] of SHAPES)
      for (const workers of [1, 2, 3])
        for (const inPlace of [false, true]) {
          const core = new Core(build);
          const [x, b] = [numbers(m * n, 1), numbers(n, 2)];
          const input = core.floats(x, 1);
          const y = inPlace ? input : core.buffer(m * n);
          core.runShares(core.instruction(Op.biasAdd, [y, input, core.floats(b)], [m, n]), workers);
          expect(y.f32).toEqual(x.map((v, i) => v + b[i % n]!));
          core.checkGuards();
        }
});

test("columnSums then reduceRows are the chains over ascending rows and chunks, bit for bit, on any number of workers", () => {
  for (const build of BUILDS)
    for (const [m, n] of SHAPES)
      for (const chunkRows of [1, 6, 64])
        for (const workers of [1, 2, 3]) {
          const core = new Core(build);
          const x = numbers(m * n, m + n);
          const chunks = Math.ceil(m / chunkRows);
          const partials = core.buffer(chunks * n);
          const y = core.buffer(n);
          core.runShares(core.instruction(Op.columnSums, [partials, core.floats(x)], [m, n, chunkRows]), workers);
          core.runShares(core.instruction(Op.reduceRows, [y, partials], [chunks, n]), workers);
          const want = Array.from({ length: chunks }, (_, c) =>
            chain(x, c * chunkRows, Math.min(m, (c + 1) * chunkRows), n),
          );
          expect(y.f32).toEqual(chain(Float32Array.from(want.flatMap((row) => [...row])), 0, chunks, n));
          core.checkGuards();
        }
});
