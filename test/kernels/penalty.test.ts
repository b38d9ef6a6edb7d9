import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { Halt, Op, REDUCE_CHUNK, State } from "../../assembly/isa";
import { type Buffer, type Build, Core } from "../support/core";
import { eachFloat, numbers, row, type SegmentRow, segmentTable } from "../support/segments";

// Node 20 has relaxed SIMD behind a flag
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

const FLOATS = 2 * REDUCE_CHUNK + 1023;
const CHUNKS = Math.ceil(FLOATS / REDUCE_CHUNK);

/** Segments that end inside a chunk, span two, begin at a border; gaps; odd lengths. */
const ROWS: SegmentRow[] = [
  row(0, 1, { l1: 0.5 }),
  row(4, 65, { l2: 0.25 }),
  row(72, REDUCE_CHUNK - 3, { l1: 0.03, l2: 0.07 }),
  row(72 + REDUCE_CHUNK, 17, {}),
  row(92 + REDUCE_CHUNK, 1001, { shrink: 0.2 }),
  row(1100 + REDUCE_CHUNK, 63, { frozen: true, l1: 0.1, l2: 0.2, shrink: 0.3 }),
  row(2 * REDUCE_CHUNK, 1023, { l2: 0.01, decay: 3 }),
];

const f = Math.fround;

/** A block whose floats between segments are NaN. */
function block(core: Core, values: Float32Array): Buffer {
  const inside = new Set<number>();
  eachFloat(ROWS, (_, i) => inside.add(i));
  return core.floats(values.map((v, i) => (inside.has(i) ? v : Number.NaN)));
}

const W = numbers(FLOATS, 11);
const G = numbers(FLOATS, 12, 2);

for (const build of ["strict", "fastMath"] satisfies Build[]) {
  test(`${build}: penaltySums adds (l1 + shrink)·|w| + ½·l2·w², frozen segments too, a partial a chunk`, () => {
    const want = new Float64Array(CHUNKS);
    eachFloat(ROWS, (r, i) => {
      want[Math.floor(i / REDUCE_CHUNK)]! += f(f(r.l1) + f(r.shrink)) * Math.abs(W[i]!) + 0.5 * f(r.l2) * W[i]! ** 2;
    });
    const bits: Uint32Array[] = [];
    for (const workers of [1, 2, 3, 5]) {
      const core = new Core(build);
      const partials = core.buffer(CHUNKS * 2);
      const operands = [partials, block(core, W), segmentTable(core, ROWS)];
      core.runShares(core.instruction(Op.penaltySums, operands, [ROWS.length, FLOATS]), workers);
      partials.f64.forEach((sum, i) => {
        expect(Math.abs(sum / want[i]! - 1)).toBeLessThan(2e-6);
      });
      bits.push(partials.u32.slice());
      core.checkGuards();
    }
    for (const other of bits) expect(other).toEqual(bits[0]);
  });

  test(`${build}: penaltyGradient adds l1·sign(w) + l2·w, sign(0) = 0; gaps keep their bits`, () => {
    for (const workers of [1, 2, 3]) {
      const core = new Core(build);
      const gradients = block(core, G);
      const before = gradients.u32.slice();
      const operands = [gradients, block(core, W), segmentTable(core, ROWS)];
      core.runShares(core.instruction(Op.penaltyGradient, operands, [ROWS.length, FLOATS]), workers);
      const touched = new Set<number>();
      eachFloat(ROWS, (r, i) => {
        touched.add(i);
        const want = G[i]! + f(r.l1) * Math.sign(W[i]!) + f(r.l2) * W[i]!;
        if (!(Math.abs(gradients.f32[i]! - want) < 1e-6))
          throw new Error(`gradient ${i}: ${gradients.f32[i]}, not ${want}`);
      });
      const kept = gradients.u32.every((word, i) => touched.has(i) || word === before[i]);
      expect(kept).toBe(true);
      core.checkGuards();
    }
  });

  test(`${build}: gradientNorm sums the squares of gradient plus penalty, cut at clipValue, without frozen segments`, () => {
    for (const clipValue of [0, 0.5])
      for (const scale of [1, 0]) {
        const want = new Float64Array(CHUNKS);
        eachFloat(ROWS, (r, i) => {
          if (r.frozen) return;
          let g = G[i]! + scale * (f(r.l1) * Math.sign(W[i]!) + f(r.l2) * W[i]!);
          if (clipValue) g = Math.min(Math.max(g, -clipValue), clipValue);
          want[Math.floor(i / REDUCE_CHUNK)]! += g * g;
        });
        const bits: Uint32Array[] = [];
        for (const workers of [1, 2, 3, 5]) {
          const core = new Core(build);
          core.state.f32[State.penaltyScale] = scale;
          const partials = core.buffer(CHUNKS * 2);
          const operands = [partials, block(core, G), block(core, W), segmentTable(core, ROWS)];
          core.runShares(core.instruction(Op.gradientNorm, operands, [ROWS.length, FLOATS], [clipValue]), workers);
          partials.f64.forEach((sum, i) => {
            expect(Math.abs(sum / want[i]! - 1)).toBeLessThan(2e-6);
          });
          bits.push(partials.u32.slice());
          core.checkGuards();
        }
        for (const other of bits) expect(other).toEqual(bits[0]);
      }
  });

  test(`${build}: the norm is the norm of what SGD steps by`, () => {
    const core = new Core(build);
    core.state.f32[State.penaltyScale] = 1;
    core.state.f32[State.learningRate] = 1;
    const rows = ROWS.map((r) => ({ ...r, shrink: 0, decay: 0 }));
    const [gradients, parameters, table] = [core.floats(G), core.floats(W), segmentTable(core, rows)];
    const [partials, velocity] = [core.buffer(CHUNKS * 2), core.floats(new Float32Array(FLOATS))];
    core.runShares(
      core.instruction(Op.gradientNorm, [partials, gradients, parameters, table], [rows.length, FLOATS], [0.5]),
    );
    core.runShares(
      core.instruction(
        Op.sgdStep,
        [parameters, velocity, null, null, gradients, table, null],
        [rows.length, FLOATS, 0],
        [0.5, 0.9, 0, 0],
      ),
    );
    const squares = velocity.f32.reduce((sum, v) => sum + v * v, 0);
    expect(partials.f64.reduce((a, b) => a + b) / squares).toBeCloseTo(1, 6);
  });

  test(`${build}: clipFactor = [min(1, clipNorm/(norm + 1e-6)), norm]`, () => {
    for (const [sums, clipNorm] of [
      [[9, 16], 1],
      [[0.09, 0.16], 1],
      [[0], 1],
      [[4, 5, 7], 4],
      [[Number.NaN], 1],
      [[Number.POSITIVE_INFINITY], 1],
    ] as [number[], number][]) {
      const core = new Core(build);
      const partials = core.buffer(sums.length * 2, 0);
      partials.f64.set(sums);
      const factor = core.buffer(2);
      core.runShares(core.instruction(Op.clipFactor, [factor, partials], [sums.length], [clipNorm]), 2);
      const norm = Math.sqrt(sums.reduce((a, b) => a + b));
      expect([...factor.f32]).toEqual([f(Math.min(1, clipNorm / (norm + 1e-6))), f(norm)]);
      core.checkGuards();
    }
  });

  test(`${build}: objective = weighted losses + penalties; a loss that is not finite halts, an earlier halt stays`, () => {
    const losses = [0.5, 0, 0, 2, 1.25, 0, 0, -1, 8, 0, 0, 0.5];
    const activities = [0.25, 0, 0, 0, 0.125, 0, 0, 0];
    const partials = [1, 2.5];
    const cases = [
      { losses, activities, partials, want: [0.5 * 2 - 1.25 + 4 + 3.875, 3.75, 3.875, 3.5], halt: Halt.none },
      { losses, activities: [], partials: [], want: [3.75, 3.75, 0, 0], halt: Halt.none },
      {
        losses: [Number.NaN, 0, 0, 1],
        activities,
        partials,
        want: [Number.NaN, Number.NaN, 3.875, 3.5],
        halt: Halt.numeric,
      },
      { losses: [3e38, 0, 0, 2], activities: [], partials: [], want: [Infinity, Infinity, 0, 0], halt: Halt.numeric },
    ];
    for (const c of cases)
      for (const earlier of [Halt.none, Halt.data]) {
        const core = new Core(build);
        core.state.u32[State.halt] = earlier;
        const sums = core.buffer(c.partials.length * 2);
        sums.f64.set(c.partials);
        const result = core.buffer(4);
        const at = core.instruction(
          Op.objective,
          [
            result,
            core.floats(c.losses),
            c.activities.length ? core.floats(c.activities) : null,
            c.partials.length ? sums : null,
          ],
          [c.losses.length / 4, c.activities.length / 4, c.partials.length],
        );
        core.runShares(at, 2);
        expect([...result.f32]).toEqual(c.want);
        expect(core.state.u32[State.halt]).toBe(earlier || c.halt);
        core.checkGuards();
      }
  });

  test(`${build}: movingAverage = momentum·moving + (1 − momentum)·value`, () => {
    for (const n of [1, 3, 17, 65, 1025])
      for (const workers of [1, 2, 3]) {
        const core = new Core(build);
        const [old, value] = [numbers(n, 1), numbers(n, 2)];
        const moving = core.floats(old);
        core.runShares(core.instruction(Op.movingAverage, [moving, core.floats(value)], [n], [0.9]), workers);
        moving.f32.forEach((v, i) => {
          const want = f(0.9) * old[i]! + (1 - f(0.9)) * value[i]!;
          if (!(Math.abs(v - want) < 2e-7)) throw new Error(`moving ${i} of ${n}: ${v}, not ${want}`);
        });
        core.checkGuards();
      }
  });
}
