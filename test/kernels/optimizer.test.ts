import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { ExtensionOp, Op, OptimizerFlag, State } from "../../assembly/isa";
import { type Build, Core } from "../support/core";
import { eachFloat, numbers, row, type SegmentRow, segmentTable } from "../support/segments";

// Node 20 has relaxed SIMD behind a flag
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

const STEPS = 5;
const FLOATS = 1123;

/** Odd lengths, borders inside 64-byte groups, gaps between segments, one frozen, every option of a row. */
const ROWS: SegmentRow[] = [
  row(0, 1),
  row(4, 3, { l2: 0.03 }),
  row(12, 65, { learningRateFactor: 0.5 }),
  row(80, 17, { frozen: true, l1: 1, decay: 1 }),
  row(100, 7, { l1: 0.02 }),
  row(108, 63, { decay: 0.1 }),
  row(172, 301, {}),
  row(476, 130, { shrink: 0.4, learningRateFactor: 2 }),
  row(608, 515, { l1: 0.01, l2: 0.02, decay: 0.05, shrink: 0.1 }),
];

interface Case {
  op: number;
  slots: number;
  flags?: number;
  a?: number;
  b?: number;
  epsilon?: number;
  c?: number;
  clipValue?: number;
  factor?: number;
  penaltyScale?: number;
  learningRate?: number;
  firstStep?: number;
}

const sgd = { op: Op.sgdStep, slots: 1 };
const adam = { op: Op.adamStep, slots: 2, a: 0.9, b: 0.999, epsilon: 1e-8 };
const rmsprop = { op: ExtensionOp.rmspropStep, slots: 1, a: 0.01, epsilon: 1e-8 };
const CASES: Record<string, Case> = {
  sgd: { op: Op.sgdStep, slots: 0 },
  "sgd, clipped": { op: Op.sgdStep, slots: 0, clipValue: 0.7, factor: 0.6 },
  "sgd, momentum": { ...sgd, a: 0.9 },
  "sgd, momentum and dampening": { ...sgd, a: 0.9, b: 0.4 },
  "sgd, Nesterov": { ...sgd, a: 0.8, flags: OptimizerFlag.nesterov },
  "sgd, momentum, clipped, penalties in the gradients already": { ...sgd, a: 0.9, factor: 0.3, penaltyScale: 0 },
  adagrad: { op: ExtensionOp.adagradStep, slots: 1, epsilon: 1e-10 },
  "adagrad, clipped": { op: ExtensionOp.adagradStep, slots: 1, epsilon: 1e-10, clipValue: 0.5, factor: 0.9 },
  rmsprop: rmsprop,
  "rmsprop, momentum": { ...rmsprop, slots: 2, b: 0.9, flags: OptimizerFlag.momentum },
  "rmsprop, centered": { ...rmsprop, slots: 3, flags: OptimizerFlag.centered },
  "rmsprop, centered, momentum, clipped": { ...rmsprop, slots: 3, b: 0.9, flags: 6, clipValue: 0.8, factor: 0.7 },
  adam: adam,
  "adam, clipped": { ...adam, clipValue: 0.5, factor: 0.4 },
  "adam, late": { ...adam, firstStep: 123456 },
  adamw: { ...adam, flags: OptimizerFlag.decoupled },
  amsgrad: { ...adam, slots: 3, flags: OptimizerFlag.amsgrad },
  "amsgrad, decoupled, clipped": {
    ...adam,
    slots: 3,
    flags: OptimizerFlag.amsgrad | OptimizerFlag.decoupled,
    factor: 0.2,
  },
  adadelta: { op: ExtensionOp.adadeltaStep, slots: 2, a: 0.1, epsilon: 1e-6, learningRate: 3 },
  "adadelta, clipped": { op: ExtensionOp.adadeltaStep, slots: 2, a: 0.3, epsilon: 1e-2, clipValue: 0.5, factor: 0.4 },
  nadam: { ...adam, op: ExtensionOp.nadamStep, c: 0.004 },
  "nadam, late, clipped": { ...adam, op: ExtensionOp.nadamStep, c: 0.5, firstStep: 1234, clipValue: 0.5, factor: 0.4 },
  radam: { ...adam, op: ExtensionOp.radamStep, firstStep: 3 }, // rectified from step 6 on
  "radam, clipped": { ...adam, op: ExtensionOp.radamStep, b: 0.5, clipValue: 0.5, factor: 0.4 },
  lion: { op: ExtensionOp.lionStep, slots: 1, a: 0.9, b: 0.99, flags: OptimizerFlag.decoupled },
  "lion, clipped": { op: ExtensionOp.lionStep, slots: 1, a: 0.5, b: 0.75, flags: 16, clipValue: 0.5, factor: 0.25 },
};

const f = Math.fround;

/** PyTorch's formulas in float64. Gradients of step k come from `gradients(k)`. */
function reference(rows: readonly SegmentRow[], c: Case, start: Float32Array, gradients: (k: number) => Float32Array) {
  const w = Float64Array.from(start);
  const slots = [0, 1, 2].map(() => new Float64Array(start.length));
  const [s0, s1, s2] = slots as [Float64Array, Float64Array, Float64Array];
  const [a, b, epsilon] = [f(c.a ?? 0), f(c.b ?? 0), f(c.epsilon ?? 0)];
  const flags = c.flags ?? 0;
  for (let k = 0; k < STEPS; k++) {
    const gradient = gradients(k);
    const step = (c.firstStep ?? 0) + k;
    eachFloat(rows, (r, i) => {
      if (r.frozen) return;
      const rate = f(c.learningRate ?? 0.1) * r.learningRateFactor;
      let g = gradient[i]! + (c.penaltyScale ?? 1) * (f(r.l1) * Math.sign(w[i]!) + f(r.l2) * w[i]!);
      if (c.clipValue) g = Math.min(Math.max(g, -f(c.clipValue)), f(c.clipValue));
      g *= f(c.factor ?? 1);
      if (flags & OptimizerFlag.decoupled) w[i]! *= 1 - rate * f(r.decay);
      else g += f(r.decay) * w[i]!;
      if (c.op === Op.sgdStep) {
        if (a) {
          s0[i] = step === 0 ? g : a * s0[i]! + (1 - b) * g;
          g = flags & OptimizerFlag.nesterov ? g + a * s0[i]! : s0[i]!;
        }
        w[i]! -= rate * g;
      } else if (c.op === ExtensionOp.adagradStep) {
        s0[i]! += g * g;
        w[i]! -= (rate * g) / (Math.sqrt(s0[i]!) + epsilon);
      } else if (c.op === ExtensionOp.rmspropStep) {
        s0[i] = (1 - a) * s0[i]! + a * g * g;
        let mean = s0[i]!;
        if (flags & OptimizerFlag.centered) {
          s2[i] = (1 - a) * s2[i]! + a * g;
          mean -= s2[i]! ** 2;
        }
        let u = g / (Math.sqrt(mean) + epsilon);
        if (b) u = s1[i] = b * s1[i]! + u;
        w[i]! -= rate * u;
      } else if (c.op === ExtensionOp.adadeltaStep) {
        s0[i] = (1 - a) * s0[i]! + a * g * g;
        const u = Math.sqrt((s1[i]! + epsilon) / (s0[i]! + epsilon)) * g;
        s1[i] = (1 - a) * s1[i]! + a * u * u;
        w[i]! -= rate * u;
      } else if (c.op === ExtensionOp.lionStep) {
        w[i]! -= rate * Math.sign(a * s0[i]! + (1 - a) * g);
        s0[i] = b * s0[i]! + (1 - b) * g;
      } else if (c.op !== Op.adamStep) {
        s0[i] = a * s0[i]! + (1 - a) * g;
        s1[i] = b * s1[i]! + (1 - b) * g * g;
        const t = step + 1;
        const root = Math.sqrt(s1[i]! / (1 - b ** t));
        if (c.op === ExtensionOp.nadamStep) {
          const mu = (k: number) => a * (1 - 0.5 * 0.96 ** (k * f(c.c!)));
          let product = 1;
          for (let k = 1; k <= t; k++) product *= mu(k);
          const m = (mu(t + 1) * s0[i]!) / (1 - product * mu(t + 1)) + ((1 - mu(t)) * g) / (1 - product);
          w[i]! -= (rate * m) / (root + epsilon);
        } else {
          const most = 2 / (1 - b) - 1;
          const length = most - (2 * t * b ** t) / (1 - b ** t);
          const rectified = Math.sqrt(((length - 4) * (length - 2) * most) / ((most - 4) * (most - 2) * length));
          const adaptive = (rectified * Math.sqrt(1 - b ** t)) / (Math.sqrt(s1[i]!) + epsilon);
          w[i]! -= ((rate * s0[i]!) / (1 - a ** t)) * (length > 5 ? adaptive : 1);
        }
      } else {
        // kept are m / (1 − a) and v / (1 − b)
        s0[i] = a * s0[i]! + g;
        s1[i] = b * s1[i]! + g * g;
        if (flags & OptimizerFlag.amsgrad) s2[i] = Math.max(s2[i]!, s1[i]!);
        const m = (1 - a) * s0[i]!;
        const v = (1 - b) * (flags & OptimizerFlag.amsgrad ? s2[i]! : s1[i]!);
        const t = step + 1;
        w[i]! -= ((rate / (1 - a ** t)) * m) / (Math.sqrt(v) / Math.sqrt(1 - b ** t) + epsilon);
      }
      if (r.shrink) w[i] = Math.sign(w[i]!) * Math.max(Math.abs(w[i]!) - rate * f(r.shrink), 0);
    });
  }
  return { w, slots: slots.slice(0, c.slots) };
}

function run(
  build: Build,
  rows: readonly SegmentRow[],
  c: Case,
  start: Float32Array,
  gradients: (k: number) => Float32Array,
  workers = 1,
) {
  const core = new Core(build);
  const parameters = core.floats(start, 4);
  const slots = Array.from({ length: c.slots }, () => core.floats(new Float32Array(start.length)));
  const block = core.floats(start);
  const factor = c.factor === undefined ? null : core.floats([c.factor, 1]);
  const at = core.instruction(
    c.op,
    [parameters, slots[0] ?? null, slots[1] ?? null, slots[2] ?? null, block, segmentTable(core, rows), factor],
    [rows.length, start.length, c.flags ?? 0],
    [c.clipValue ?? 0, c.a ?? 0, c.b ?? 0, c.epsilon ?? 0, c.c ?? 0],
  );
  core.state.f32[State.learningRate] = c.learningRate ?? 0.1;
  core.state.f32[State.penaltyScale] = c.penaltyScale ?? 1;
  for (let k = 0; k < STEPS; k++) {
    block.f32.set(gradients(k));
    core.state.u32[State.step] = (c.firstStep ?? 0) + k;
    core.runShares(at, workers);
  }
  core.checkGuards();
  return { parameters, slots };
}

/** The largest difference, of numbers larger than 1 relative to them. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>) {
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    const error = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

/** Gradients that are 0 for a weight in every step for some weights. */
const gradients = (k: number) => numbers(FLOATS, 100 + k).map((g, i) => (i % 97 === 5 ? 0 : g));

for (const build of ["strict", "fastMath"] satisfies Build[]) {
  for (const [name, c] of Object.entries(CASES))
    test(`${build}: ${name}: ${STEPS} steps equal the formulas on 1, 2 and 3 workers`, () => {
      const start = numbers(FLOATS, 7);
      const want = reference(ROWS, c, start, gradients);
      const one = run(build, ROWS, c, start, gradients);
      const limit = (c.flags ?? 0) & OptimizerFlag.centered ? 1e-5 : 3e-6; // s − a² cancels
      expect(distance(one.parameters.f32, want.w)).toBeLessThan(limit);
      one.slots.forEach((slot, i) => {
        expect(distance(slot.f32, want.slots[i]!), `slot ${i}`).toBeLessThan(limit);
      });
      for (const workers of [2, 3, 5]) {
        const many = run(build, ROWS, c, start, gradients, workers);
        expect(many.parameters.u32).toEqual(one.parameters.u32);
        many.slots.forEach((slot, i) => {
          expect(slot.u32).toEqual(one.slots[i]!.u32);
        });
      }
    });

  test(`${build}: frozen segments and the floats between segments are left alone, whatever they hold`, () => {
    const start = numbers(FLOATS, 7);
    const inside = new Set<number>();
    eachFloat(ROWS, (r, i) => {
      if (!r.frozen) inside.add(i);
    });
    for (const c of Object.values(CASES)) {
      const poisoned = start.map((v, i) => (inside.has(i) ? v : Number.NaN));
      const words = new Uint32Array(poisoned.buffer);
      const { parameters, slots } = run(build, ROWS, c, poisoned, gradients, 2);
      for (let i = 0; i < FLOATS; i++) {
        if (inside.has(i)) continue;
        expect(parameters.u32[i]).toBe(words[i]);
        for (const slot of slots) expect(slot.u32[i]).toBe(0);
      }
    }
  });

  test(`${build}: shrink gives exact zeros and never changes a sign`, () => {
    const start = numbers(FLOATS, 7, 0.2);
    const { parameters } = run(
      build,
      [row(0, FLOATS, { shrink: 1 })],
      CASES["sgd"]!,
      start,
      () => new Float32Array(FLOATS),
    );
    const zeros = parameters.f32.filter((v) => Object.is(v, 0)).length;
    expect(zeros).toBe(FLOATS);
  });

  test(`${build}: the first step of SGD does not read the velocity`, () => {
    const core = new Core(build);
    const [w, v, g] = [
      core.floats([1, 2, 3]),
      core.floats([Number.NaN, Number.POSITIVE_INFINITY, 5]),
      core.floats([1, -1, 2]),
    ];
    const table = segmentTable(core, [row(0, 3)]);
    core.state.f32[State.learningRate] = 0.5;
    core.runShares(core.instruction(Op.sgdStep, [w, v, null, null, g, table, null], [1, 3, 0], [0, 0.9, 0.5, 0, 0]));
    expect([...v.f32]).toEqual([1, -1, 2]);
    expect([...w.f32]).toEqual([0.5, 2.5, 2]);
  });

  test(`${build}: a gradient that is not a number reaches the weight (cut or not)`, () => {
    for (const clipValue of [0, 1])
      for (const c of Object.values(CASES)) {
        const gradient = numbers(17, 3);
        gradient[6] = Number.NaN;
        const { parameters } = run(build, [row(0, 17)], { ...c, clipValue }, numbers(17, 2), () => gradient);
        expect([...parameters.f32].map(Number.isNaN)).toEqual([...gradient].map(Number.isNaN));
      }
  });
}
