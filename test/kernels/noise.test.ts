import { describe, expect, test } from "vitest";
import { ExtensionOp, State } from "../../assembly/isa";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";
import { normalOf } from "../support/normals";

const OP = 5;

interface Call {
  seed?: number;
  stream?: number;
  step?: number;
  pass?: number;
  row?: number;
  rowElements?: number;
  workers?: number;
  multiplied?: boolean;
}

/** x with noise of deviation 1; in place. */
function gaussian(core: Core, x: ArrayLike<number>, call: Call = {}): Float32Array {
  const { seed = 7, stream = 1, step = 2, pass = 0, row = 0, rowElements = 1, workers = 1, multiplied = false } = call;
  core.state.u32.set([seed, stream, step, pass], State.seed);
  core.state.u32[State.row] = row;
  const y = core.floats(x, 1);
  const sizes = [x.length, rowElements, OP, +multiplied];
  core.runShares(core.instruction(ExtensionOp.gaussian, [y, y], sizes, [1]), workers);
  core.checkGuards();
  return y.f32.slice();
}

const zeros = (n: number) => new Float32Array(n);

describe.each(BUILDS)("gaussian, %s", (build) => {
  const core = new Core(build);

  test("rows in chunks, at any offset and on any number of workers, have the noise they have in the whole", () => {
    for (const rowElements of [1, 3, 7, 16, 33]) {
      const whole = gaussian(core, zeros(60 * rowElements), { rowElements });
      for (const row of [1, 2, 5, 37])
        for (const workers of [1, 2, 3]) {
          const part = gaussian(core, zeros(11 * rowElements), { rowElements, row, workers });
          expect(part).toEqual(whole.slice(row * rowElements, (row + 11) * rowElements));
        }
    }
  });

  test("elements are counted past 2³²", () => {
    const y = gaussian(core, zeros(9), { row: 3_000_000_000, rowElements: 5 });
    y.forEach((v, i) => {
      expect(v).toBeCloseTo(normalOf(15_000_000_000 + i, OP, { seed: 7, stream: 1, step: 2, pass: 0 }), 5);
    });
  });

  test("it changes with seed, stream, step and pass", () => {
    const base = gaussian(core, zeros(64));
    expect(gaussian(core, zeros(64))).toEqual(base);
    for (const other of [{ seed: 8 }, { stream: 2 }, { step: 3 }, { pass: 1 }])
      expect(gaussian(core, zeros(64), other)).not.toEqual(base);
  });

  test("NaN and ∞ stay", () => {
    for (const multiplied of [false, true])
      for (const value of [Number.NaN, Infinity])
        for (const v of gaussian(core, new Array(7).fill(value), { multiplied })) expect(Math.abs(v)).toBe(value);
  });
});
