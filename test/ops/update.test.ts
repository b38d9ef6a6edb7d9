import { describe, expect, test } from "vitest";
import { Base, ExtensionOp, Halt, Op, OptimizerFlag, State, Status } from "../../assembly/isa";
import { Graph } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import * as ops from "../../ts/ops/update";
import { extended } from "../../ts/runtime/extension";
import { BUILDS } from "../support/builds";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";
import { Core } from "../support/core";
import { runGraph } from "../support/runGraph";
import { eachFloat, row, segmentWords } from "../support/segments";

const FLOATS = 1123;
const ROWS = [
  row(0, 1),
  row(4, 3, { l2: 0.03125 }),
  row(12, 65, { learningRateFactor: 0.5 }),
  row(80, 17, { frozen: true, l1: 1, decay: 1 }),
  row(100, 7, { l1: 0.0625 }),
  row(108, 63, { decay: 0.125 }),
  row(172, 301),
  row(476, 130, { shrink: 0.5, learningRateFactor: 2 }),
  row(608, 515, { l1: 0.0625, l2: 0.03125, decay: 0.0625, shrink: 0.125 }),
];
const segments = { shape: [ROWS.length, 8], words: segmentWords(ROWS) };
const RATE = 0.125;
const f = Math.fround;

/** g with the penalties, cut. */
const slope = (r: (typeof ROWS)[0], g: number, w: number, clipValue: number) => {
  const whole = g + r.l1 * Math.sign(w) + r.l2 * w;
  return clipValue ? Math.min(Math.max(whole, -clipValue), clipValue) : whole;
};

interface Step {
  title: string;
  opcode: Op;
  /** Which slots there are. */
  slots: boolean[];
  flags?: number;
  clipValue?: number;
  factor?: boolean;
  a?: number;
  b?: number;
  epsilon?: number;
  c?: number;
  step?: number;
  /** Of one weight: what is taken from it, given its gradient and slots, which it changes. `rate`: η. */
  update(g: number, s: number[], rate: number, t: number): number;
}

const A = f(0.9);
const B = f(0.999);
const EPSILON = f(1e-3);
const FRESH = f(1e-3); // 1 − ρ of RMSProp

function momentum(g: number, s: number[], t: number, dampening: number): number {
  s[0] = t === 1 ? g : A * s[0]! + (1 - dampening) * g;
  return s[0]!;
}

function adam(g: number, s: number[], rate: number, t: number, amsgrad: boolean): number {
  // kept are m / (1 − A) and v / (1 − B)
  s[0] = A * s[0]! + g;
  s[1] = B * s[1]! + g * g;
  if (amsgrad) s[2] = Math.max(s[2]!, s[1]!);
  const m = (1 - A) * s[0]!;
  const v = (1 - B) * s[amsgrad ? 2 : 1]!;
  return ((rate / (1 - A ** t)) * m) / (Math.sqrt(v) / Math.sqrt(1 - B ** t) + EPSILON);
}

function rmsprop(g: number, s: number[], centered: boolean): number {
  s[0] = (1 - FRESH) * s[0]! + FRESH * g * g;
  if (centered) s[2] = (1 - FRESH) * s[2]! + FRESH * g;
  return g / (Math.sqrt(s[0]! - (centered ? s[2]! ** 2 : 0)) + EPSILON);
}

/** m and v with a fresh gradient; √v. */
function moments(g: number, s: number[], beta2 = B): number {
  s[0] = A * s[0]! + (1 - A) * g;
  s[1] = beta2 * s[1]! + (1 - beta2) * g * g;
  return Math.sqrt(s[1]!);
}

const one = [true, false, false];
const two = [true, true, false];
const three = [true, true, true];
const STEPS: Step[] = [
  { title: "sgd", opcode: Op.sgdStep, slots: [false, false, false], update: (g, _, rate) => rate * g },
  {
    title: "sgd, clipped",
    opcode: Op.sgdStep,
    slots: [false, false, false],
    clipValue: 0.75,
    factor: true,
    update: (g, _, rate) => rate * g,
  },
  {
    title: "momentum, first step",
    opcode: Op.sgdStep,
    slots: one,
    a: A,
    step: 0,
    update: (g, s, rate, t) => rate * momentum(g, s, t, 0),
  },
  {
    title: "momentum and dampening",
    opcode: Op.sgdStep,
    slots: one,
    a: A,
    b: 0.5,
    update: (g, s, rate, t) => rate * momentum(g, s, t, 0.5),
  },
  {
    title: "Nesterov",
    opcode: Op.sgdStep,
    slots: one,
    a: A,
    flags: OptimizerFlag.nesterov,
    update: (g, s, rate, t) => rate * (g + A * momentum(g, s, t, 0)),
  },
  {
    title: "adagrad",
    opcode: extended(ExtensionOp.adagradStep),
    slots: one,
    epsilon: EPSILON,
    update(g, s, rate) {
      s[0]! += g * g;
      return (rate * g) / (Math.sqrt(s[0]!) + EPSILON);
    },
  },
  {
    title: "rmsprop",
    opcode: extended(ExtensionOp.rmspropStep),
    slots: one,
    a: FRESH,
    epsilon: EPSILON,
    update: (g, s, rate) => rate * rmsprop(g, s, false),
  },
  {
    title: "rmsprop, centered, momentum, clipped",
    opcode: extended(ExtensionOp.rmspropStep),
    slots: three,
    a: FRESH,
    b: 0.5,
    epsilon: EPSILON,
    flags: OptimizerFlag.centered | OptimizerFlag.momentum,
    clipValue: 0.75,
    factor: true,
    update(g, s, rate) {
      s[1] = 0.5 * s[1]! + rmsprop(g, s, true);
      return rate * s[1];
    },
  },
  {
    title: "adam",
    opcode: Op.adamStep,
    slots: two,
    a: A,
    b: B,
    epsilon: EPSILON,
    step: 0,
    update: (g, s, rate, t) => adam(g, s, rate, t, false),
  },
  {
    title: "adam, clipped",
    opcode: Op.adamStep,
    slots: two,
    a: A,
    b: B,
    epsilon: EPSILON,
    clipValue: 0.5,
    factor: true,
    update: (g, s, rate, t) => adam(g, s, rate, t, false),
  },
  {
    title: "amsgrad",
    opcode: Op.adamStep,
    slots: three,
    a: A,
    b: B,
    epsilon: EPSILON,
    flags: OptimizerFlag.amsgrad,
    update: (g, s, rate, t) => adam(g, s, rate, t, true),
  },
  {
    title: "adamw",
    opcode: Op.adamStep,
    slots: two,
    a: A,
    b: B,
    epsilon: EPSILON,
    flags: OptimizerFlag.decoupled,
    update: (g, s, rate, t) => adam(g, s, rate, t, false),
  },
  {
    title: "adadelta",
    opcode: extended(ExtensionOp.adadeltaStep),
    slots: two,
    a: FRESH,
    epsilon: EPSILON,
    update(g, s, rate) {
      s[0] = (1 - FRESH) * s[0]! + FRESH * g * g;
      const u = Math.sqrt((s[1]! + EPSILON) / (s[0]! + EPSILON)) * g;
      s[1] = (1 - FRESH) * s[1]! + FRESH * u * u;
      return rate * u;
    },
  },
  {
    title: "nadam",
    opcode: extended(ExtensionOp.nadamStep),
    slots: two,
    a: A,
    b: B,
    c: 0.25,
    epsilon: EPSILON,
    step: 1,
    update(g, s, rate) {
      const root = moments(g, s) / Math.sqrt(1 - B * B);
      const [one, two, three] = [1, 2, 3].map((t) => A * (1 - 0.5 * 0.96 ** (t / 4))) as [number, number, number];
      const m = (three * s[0]!) / (1 - one * two * three) + ((1 - two) * g) / (1 - one * two);
      return (rate * m) / (root + EPSILON);
    },
  },
  {
    title: "radam, not rectified",
    opcode: extended(ExtensionOp.radamStep),
    slots: two,
    a: A,
    b: B,
    epsilon: EPSILON,
    step: 4,
    update(g, s, rate, t) {
      moments(g, s);
      return (rate * s[0]!) / (1 - A ** t);
    },
  },
  {
    title: "radam, rectified",
    opcode: extended(ExtensionOp.radamStep),
    slots: two,
    a: A,
    b: 0.75,
    epsilon: EPSILON,
    step: 9,
    update(g, s, rate, t) {
      const root = moments(g, s, 0.75);
      const length = 7 - (2 * t * 0.75 ** t) / (1 - 0.75 ** t);
      const rectified = Math.sqrt(((length - 4) * (length - 2) * 7) / (3 * 5 * length));
      return ((rate * s[0]!) / (1 - A ** t)) * ((rectified * Math.sqrt(1 - 0.75 ** t)) / (root + EPSILON));
    },
  },
  {
    title: "lion",
    opcode: extended(ExtensionOp.lionStep),
    slots: one,
    a: A,
    b: 0.75,
    flags: OptimizerFlag.decoupled,
    clipValue: 0.5,
    factor: true,
    update(g, s, rate) {
      const c = A * s[0]! + (1 - A) * g;
      s[0] = 0.75 * s[0]! + 0.25 * g;
      return rate * Math.sign(c);
    },
  },
];

for (const {
  title,
  opcode,
  slots,
  flags = 0,
  clipValue = 0,
  factor,
  a = 0,
  b = 0,
  epsilon = 0,
  c = 0,
  step = 6,
  update,
} of STEPS) {
  const slot = (i: number) => (slots[i] ? [FLOATS] : null);
  checkOp(ops.optimizerStep, {
    title,
    attributes: { opcode, flags, clipValue, a, b, epsilon, c },
    cases: [
      {
        parameters: [FLOATS],
        slot0: slot(0),
        slot1: slot(1),
        slot2: slot(2),
        gradients: [FLOATS],
        segments,
        factor: factor ? { shape: [2], values: [0.625, 3] } : null,
      },
    ],
    // second moments above the squares of the first
    values: { slot0: (i) => 0.5 + (i % 9) / 4, slot1: (i) => 0.5 + (i % 7) / 4, slot2: (i) => (i % 5) / 10 },
    writes: ["parameters", "slot0", "slot1", "slot2"],
    tolerance: 4e-6,
    prepare({ state }) {
      state.f32[State.learningRate] = RATE;
      state.f32[State.penaltyScale] = 1;
      state.u32[State.step] = step;
    },
    reference({ parameters, slot0, slot1, slot2, gradients }) {
      const w = parameters.slice();
      const all = [slot0, slot1, slot2].map((s) => s?.slice());
      eachFloat(ROWS, (r, i) => {
        if (r.frozen) return;
        const rate = RATE * r.learningRateFactor;
        const s = all.map((s) => s?.[i] ?? 0);
        let g = slope(r, gradients[i]!, w[i]!, clipValue) * (factor ? 0.625 : 1);
        if (flags & OptimizerFlag.decoupled) w[i]! *= 1 - rate * r.decay;
        else g += r.decay * w[i]!;
        w[i]! -= update(g, s, rate, step + 1);
        if (r.shrink) w[i] = Math.sign(w[i]!) * Math.max(Math.abs(w[i]!) - rate * r.shrink, 0);
        all.forEach((values, k) => {
          if (values) values[i] = s[k]!;
        });
      });
      return [w, ...all.filter((s) => s !== undefined)];
    },
  });
}

for (const clipValue of [0, 0.5])
  for (const clipNorm of [2, 1e6])
    checkOp(ops.clip, {
      title: `clipNorm ${clipNorm}, clipValue ${clipValue}`,
      attributes: { clipNorm, clipValue },
      cases: [{ gradients: [FLOATS], parameters: [FLOATS], segments }],
      shapes: () => [[2]],
      prepare({ state }) {
        state.f32[State.penaltyScale] = 1;
      },
      reference({ gradients, parameters }) {
        let squares = 0;
        eachFloat(ROWS, (r, i) => {
          if (!r.frozen) squares += slope(r, gradients[i]!, parameters[i]!, clipValue) ** 2;
        });
        const norm = Math.sqrt(squares);
        return [Math.min(1, clipNorm / (norm + 1e-6)), norm];
      },
    });

const SIZES = [1, 3, 17, 63, 65, 1025, 40001];
const pairs = SIZES.map((n) => ({ y: [n], x: [n] }));

checkOp(ops.accumulate, { cases: pairs, writes: ["y"], reference: ({ y, x }) => y.map((v, i) => v + x[i]!) });
checkOp(ops.copy, { cases: pairs, writes: ["y"], reference: ({ x }: { x: Reals }) => x });
checkOp(ops.fill, {
  attributes: { value: 0.375 },
  cases: SIZES.map((n) => ({ y: [n] })),
  writes: ["y"],
  reference: ({ y }) => y.map(() => 0.375),
});

checkOp(ops.guard, { cases: [{}], reference: () => [] });

describe.each(BUILDS)("guard, %s", (build) => {
  test("nothing behind it happens where the step has been halted", () => {
    const core = new Core(build);
    const y = core.floats([1, 2, 3]);
    const graph = new Graph();
    graph.apply(ops.guard, [], {});
    ops.fill([graph.leaf([3], "y", { base: Base.absolute, offset: y.address })], { value: 7 });
    core.state.u32[State.halt] = Halt.numeric;
    expect(runGraph(core, graph, plan(graph, 1)).status).toBe(Status.halted);
    expect([...y.f32]).toEqual([1, 2, 3]);
    core.state.u32[State.halt] = Halt.none;
    expect(runGraph(core, graph, plan(graph, 1)).status).toBe(Status.done);
    expect([...y.f32]).toEqual([7, 7, 7]);
  });
});

checkCoverage(ops);
