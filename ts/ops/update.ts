// What the update span is made of: the guard, clipping, the optimizer's pass over the block; and whole-block passes.

import { Op, REDUCE_CHUNK } from "../../assembly/isa";
import { defineOp, type Op as OpOf, type Shape } from "../graph/graph";
import { streaming } from "./work";

type None = Record<never, never>;
const none = (): Shape[] => [];

/** Stops the run where the forward pass has set State.halt: nothing behind it happens. Input: anything (it names the graph). */
export const guard: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "guard",
  effect: true,
  shape: none,
  gradient: null,
  lower: (tape) => tape.push(Op.guard, [], [], [], [], 0),
});

export interface ClipAttributes {
  clipValue: number;
  clipNorm: number;
}

/** The factor that brings the gradient's global norm down to clipNorm. Inputs gradients, parameters, segments; output (2). */
export const clip: OpOf<ClipAttributes> = /* @__PURE__ */ defineOp<ClipAttributes>({
  name: "clip",
  shape: () => [[2]],
  gradient: null,
  workspace: ({ inputs: [gradients] }) => Math.ceil(gradients!.size / REDUCE_CHUNK) * 8,
  lower(tape, { inputs, outputs: [factor], attributes: { clipValue, clipNorm } }) {
    const floats = inputs[0]!.size;
    const chunks = Math.ceil(floats / REDUCE_CHUNK);
    const partials = tape.workspace(chunks * 8);
    tape.push(Op.gradientNorm, [partials], inputs, [inputs[2]!.shape[0]!, floats], [clipValue], streaming(2 * floats));
    tape.push(Op.clipFactor, [factor!], [partials], [chunks], [clipNorm], chunks, false);
  },
});

export interface StepAttributes {
  opcode: Op;
  flags: number;
  clipValue: number;
  a: number;
  b: number;
  epsilon: number;
}

/** An optimizer's step. Inputs parameters, slot0, slot1, slot2 (or null), gradients, segments, factor or null. */
export const optimizerStep: OpOf<StepAttributes> = /* @__PURE__ */ defineOp<StepAttributes>({
  name: "optimizerStep",
  effect: true,
  shape: none,
  gradient: null,
  lower(tape, { inputs, attributes: { opcode, flags, clipValue, a, b, epsilon } }) {
    const floats = inputs[0]!.size;
    const sizes = [inputs[5]!.shape[0]!, floats, flags];
    const slots = inputs.slice(1, 4).filter((t) => t).length;
    const work = streaming((3 + 2 * slots) * floats);
    tape.push(opcode, inputs.slice(0, 4), inputs.slice(4), sizes, [clipValue, a, b, epsilon], work);
  },
});

/** y ← y + x, y in a block. Inputs y, x. */
export const accumulate: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "accumulate",
  effect: true,
  shape: none,
  gradient: null,
  lower(tape, { inputs: [y, x] }) {
    tape.push(Op.accumulate, [y!], [x!], [y!.size], [], streaming(3 * y!.size));
  },
});

/** y ← x, y in a block. Inputs y, x. */
export const copy: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "copy",
  effect: true,
  shape: none,
  gradient: null,
  lower(tape, { inputs: [y, x] }) {
    tape.push(Op.copy, [y!], [x!], [y!.size], [], streaming(2 * y!.size));
  },
});

/** y ← value, y in a block. Input y. */
export const fill: OpOf<{ value: number }> = /* @__PURE__ */ defineOp<{ value: number }>({
  name: "fill",
  effect: true,
  shape: none,
  gradient: null,
  lower(tape, { inputs: [y], attributes: { value } }) {
    tape.push(Op.fill, [y!], [], [y!.size], [value], streaming(y!.size));
  },
});
