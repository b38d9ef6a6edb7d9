import { expect, test } from "vitest";
import { Op } from "../../assembly/isa";
import { Core } from "../support/core";
import { BUILDS, bits, expectClose, numbers } from "../support/elementwise";

const SHAPES = [
  [1, 1],
  [3, 2],
  [5, 3],
  [7, 10],
  [4, 16],
  [3, 17],
  [2, 1025],
] as const;

function softmaxReference(x: ArrayLike<number>, n: number): number[] {
  const y: number[] = [];
  for (let i = 0; i < x.length; i += n) {
    const row = Array.from({ length: n }, (_, j) => x[i + j]!);
    const max = Math.max(...row);
    const sum = row.reduce((s, v) => s + Math.exp(v - max), 0);
    y.push(...row.map((v) => Math.exp(v - max) / sum));
  }
  return y;
}

test("softmax and its backward: float64 reference, the same bits on 1, 2 and 3 workers, in place", () => {
  for (const build of BUILDS)
    for (const [rows, n] of SHAPES) {
      const x = numbers(rows * n, rows, 12);
      const dy = numbers(rows * n, n);
      const want = softmaxReference(x, n);
      const wantBackward = want.map((y, i) => {
        const row = i - (i % n);
        let dot = 0;
        for (let j = row; j < row + n; j++) dot += dy[j]! * want[j]!;
        return y * (dy[i]! - dot);
      });
      let first: number[][] | undefined;
      for (const workers of [1, 2, 3])
        for (const inPlace of [false, true]) {
          const core = new Core(build);
          const input = core.floats(x, 1);
          const y = inPlace ? input : core.buffer(rows * n);
          core.runShares(core.instruction(Op.softmax, [y, input], [rows, n]), workers);
          expectClose(y.f32, want, 4e-7);
          const gradient = core.floats(dy);
          const dx = inPlace ? gradient : core.buffer(rows * n);
          core.runShares(core.instruction(Op.softmaxBackward, [dx, gradient, y], [rows, n]), workers);
          expectClose(dx.f32, wantBackward, 1e-6);
          first ??= [bits(y.f32), bits(dx.f32)];
          expect([bits(y.f32), bits(dx.f32)]).toEqual(first);
          core.checkGuards();
        }
    }
});

test("softmax of large logits is finite; of a row with a NaN it is NaN, and of no other row", () => {
  for (const build of BUILDS)
    for (const n of [1, 3, 4, 10])
      for (let at = 0; at < n; at++) {
        const core = new Core(build);
        const x = new Float32Array(3 * n).fill(3e38);
        x[n + at] = NaN;
        const y = core.buffer(3 * n);
        core.runShares(core.instruction(Op.softmax, [y, core.floats(x)], [3, n]));
        expectClose(y.f32, [...new Array(n).fill(1 / n), ...new Array(n).fill(NaN), ...new Array(n).fill(1 / n)], 1e-7);
        core.checkGuards();
      }
});

test("softmax: −∞ is probability 0", () => {
  const core = new Core();
  const y = core.buffer(5);
  core.runShares(core.instruction(Op.softmax, [y, core.floats([0, -Infinity, 0, -Infinity, -Infinity])], [1, 5]));
  expect([...y.f32]).toEqual([0.5, 0, 0.5, 0, 0]);
});
