// What the update span is made of: the guard, clipping, the optimizer's pass over the block; and whole-block passes.

import { Op } from "../../assembly/isa";
import { defineEffect, defineOp, type Op as OpOf } from "../graph/graph";
import { sumChunks } from "./penalties";
import { streaming } from "./work";

type None = Record<never, never>;

/** Stops the run where the forward pass has set State.halt: nothing behind it happens. Input: anything (it names the graph). */
export const guard = /* @__PURE__ */ defineEffect<None>("guard", (tape) => tape.push(Op.guard, [], [], [], [], 0));

export interface ClipAttributes {
  clipValue: number;
  clipNorm: number;
}

/** The factor that brings the gradient's global norm down to clipNorm. Inputs gradients, parameters, segments; output (2). */
export const clip: OpOf<ClipAttributes> = /* @__PURE__ */ defineOp<ClipAttributes>({
  name: "clip",
  shape: () => [[2]],
  gradient: null,
  workspace: ({ inputs: [gradients] }) => sumChunks(gradients!) * 8,
  lower(tape, { inputs, outputs: [factor], attributes: { clipValue, clipNorm } }) {
    const [gradients, , segments] = inputs;
    const floats = gradients!.size;
    const chunks = sumChunks(gradients!);
    const partials = tape.workspace();
    tape.push(Op.gradientNorm, [partials], inputs, [segments!.shape[0]!, floats], [clipValue], streaming(2 * floats));
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
  c?: number;
}

/** An optimizer's step. Inputs parameters, slot0, slot1, slot2 (or null), gradients, segments, factor or null. */
export const optimizerStep = /* @__PURE__ */ defineEffect<StepAttributes>(
  "optimizerStep",
  (tape, { inputs, attributes: { opcode, flags, clipValue, a, b, epsilon, c = 0 } }) => {
    const floats = inputs[0]!.size;
    const sizes = [inputs[5]!.shape[0]!, floats, flags];
    const slots = inputs.slice(1, 4).filter((t) => t).length;
    const work = streaming((3 + 2 * slots) * floats);
    tape.push(opcode, inputs.slice(0, 4), inputs.slice(4), sizes, [clipValue, a, b, epsilon, c], work);
  },
);

/** A pass over y and x, which lie in blocks: `moved` floats an element. Inputs y, x. */
const pass = (name: string, opcode: Op, moved: number) =>
  defineEffect<None>(name, (tape, { inputs: [y, x] }) =>
    tape.push(opcode, [y!], [x!], [y!.size], [], streaming(moved * y!.size)),
  );

/** y ← y + x, y in a block. Inputs y, x. */
export const accumulate = /* @__PURE__ */ pass("accumulate", Op.accumulate, 3);

/** y ← x, y in a block. Inputs y, x. */
export const copy = /* @__PURE__ */ pass("copy", Op.copy, 2);

/** y ← value, y in a block. Input y. */
export const fill = /* @__PURE__ */ defineEffect<{ value: number }>(
  "fill",
  (tape, { inputs: [y], attributes: { value } }) =>
    tape.push(Op.fill, [y!], [], [y!.size], [value], streaming(y!.size)),
);
