import { describe, expect, test } from "vitest";
import { Halt, Op, SourceType, State } from "../../assembly/isa";
import { BUILDS } from "../support/builds";
import { type Buffer, Core } from "../support/core";

const SLOT = 3;

/** Lays `source` under SLOT and runs a gather of `rows` rows of `n` elements. */
function gather(
  core: Core,
  source: Buffer,
  type: SourceType,
  rows: number,
  n: number,
  { scale = 1, offset = 0, indices = null as Buffer | null, firstRow = 0, rowCount = rows, workers = 1 } = {},
): Buffer {
  const y = core.buffer(rows * n, 1); // off the cache line
  core.state.u32[State.sources + SLOT] = source.address;
  core.state.u32[State.indices] = indices?.address ?? 0;
  core.state.u32[State.firstRow] = firstRow;
  core.state.u32[State.rowCount] = rowCount;
  core.state.u32[State.halt] = Halt.none;
  core.runShares(core.instruction(Op.gather, [y], [SLOT, rows, n, type], [scale, offset]), workers);
  core.checkGuards();
  return y;
}

describe.each(BUILDS)("gather, %s", (build) => {
  const SIZES = [1, 2, 3, 4, 5, 7, 15, 16, 17, 63, 64, 65, 1025];

  test.each(SIZES)("copies float32 rows of %i elements bit for bit with scale 1, offset 0, on 1, 2, 3 workers", (n) => {
    for (const workers of [1, 2, 3]) {
      const core = new Core(build);
      const source = core.floats(
        Array.from({ length: 6 * n }, (_, i) => (i % 5 === 0 ? -0 : Math.sin(i) * 10 ** ((i % 60) - 40))),
      );
      const indices = core.ints([9, 9, 5, 0, 0, 3, 2, 9]);
      const y = gather(core, source, SourceType.float32, 5, n, { indices, firstRow: 2, workers });
      const expected = [5, 0, 0, 3, 2].flatMap((r) => [...source.u32.subarray(r * n, (r + 1) * n)]);
      expect([...y.u32]).toEqual(expected);
      expect(core.state.u32[State.halt]).toBe(Halt.none);
    }
  });

  test("takes consecutive rows from firstRow where there are no indices, and repeats the batch's last real row", () => {
    const core = new Core(build);
    const source = core.floats(Array.from({ length: 20 }, (_, i) => i));
    const y = gather(core, source, SourceType.float32, 4, 2, { firstRow: 3, rowCount: 2 });
    expect([...y.f32]).toEqual([6, 7, 8, 9, 8, 9, 8, 9]);
    const indices = core.ints([0, 4, 1, 7]);
    const z = gather(core, source, SourceType.float32, 4, 2, { indices, firstRow: 1, rowCount: 3, workers: 3 });
    expect([...z.f32]).toEqual([8, 9, 2, 3, 14, 15, 14, 15]);
  });

  test.each(SIZES)("float32 and uint8 rows of %i elements become x · scale + offset", (n) => {
    const core = new Core(build);
    const x = Array.from({ length: 3 * n }, (_, i) => (i * 37) % 256);
    const floats = core.floats(x);
    const bytes = core.buffer(Math.ceil((3 * n) / 4));
    bytes.u8.set(x);
    const scale = Math.fround(1 / 255);
    const expected = x.map((v) => Math.fround(Math.fround(v * scale) - 0.5));
    for (const workers of [1, 2, 3]) {
      expect([...gather(core, floats, SourceType.float32, 3, n, { scale, offset: -0.5, workers }).f32]).toEqual(
        expected,
      );
      expect([...gather(core, bytes, SourceType.uint8, 3, n, { scale, offset: -0.5, workers }).f32]).toEqual(expected);
    }
  });

  test("copies raw 32-bit rows whatever they hold", () => {
    for (const n of [1, 2, 5, 17]) {
      const core = new Core(build);
      const source = core.ints(
        Array.from({ length: 4 * n }, (_, i) => (i % 3 === 0 ? -1 : i % 3 === 1 ? 0x7fa00000 : i)),
      );
      const y = gather(core, source, SourceType.raw32, 3, n, { firstRow: 1, workers: 2 });
      expect([...y.i32]).toEqual([...source.i32.subarray(n)]);
      expect(core.state.u32[State.halt]).toBe(Halt.none);
    }
  });

  test("a number that is not finite, in any place of a gathered float32 row, sets State.halt; in other rows it does not", () => {
    const core = new Core(build);
    for (const n of [1, 3, 16, 23, 70]) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        for (let at = 0; at < n; at++) {
          const source = core.floats(new Array(3 * n).fill(3.4e38));
          source.f32[n + at] = bad;
          const indices = core.ints([0, 2, 1]);
          gather(core, source, SourceType.float32, 2, n, { indices });
          expect(core.state.u32[State.halt]).toBe(Halt.none);
          gather(core, source, SourceType.float32, 3, n, { indices, workers: 2 });
          expect(core.state.u32[State.halt]).toBe(Halt.data);
        }
      }
    }
  });
});
