// y = a ∘ b and y = scale·x + offset, element by element; and views.

import { Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Node, type Op as OpOf, type Shape, sameShape, sizeOf } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { streaming } from "./work";

type None = Record<never, never>;

function sameShapes([a, b]: Shape[], _: unknown, who: string): Shape[] {
  if (!sameShape(a!, b!)) throw shapeError(who, "a second input", a!, b!);
  return [a!];
}

const binary = (opcode: Op) => ({
  shape: sameShapes,
  inPlace: [0, 1],
  lower(tape: TapeWriter, { inputs, outputs }: Node<None>) {
    const n = outputs[0]!.size;
    tape.push(opcode, outputs, inputs, [n], [], streaming(3 * n));
  },
});

// in functions, see losses.ts

/** y = a + b. */
export const add: OpOf<None> = /* @__PURE__ */ (() =>
  defineOp<None>({
    ...binary(Op.add),
    name: "add",
    gradient: (dy) => [dy, dy],
  }))();

/** y = a − b. */
export const subtract: OpOf<None> = /* @__PURE__ */ (() =>
  defineOp<None>({
    ...binary(Op.subtract),
    name: "subtract",
    gradient: (dy) => [dy, affine([dy], { scale: -1, offset: 0 })],
  }))();

/** y = a · b. */
export const multiply: OpOf<None> = /* @__PURE__ */ (() =>
  defineOp<None>({
    ...binary(Op.multiply),
    name: "multiply",
    gradient: (dy, { inputs: [a, b] }) => [multiply([dy, b!]), multiply([dy, a!])],
  }))();

/** y = scale · x + offset. */
export const affine: OpOf<{ scale: number; offset: number }> = /* @__PURE__ */ defineOp<{
  scale: number;
  offset: number;
}>({
  name: "affine",
  shape: ([x]) => [x!],
  gradient: (dy, { attributes: { scale } }) => [affine([dy], { scale, offset: 0 })],
  inPlace: [0],
  lower(tape, { inputs, outputs, attributes: { scale, offset } }) {
    const n = outputs[0]!.size;
    tape.push(Op.affine, outputs, inputs, [n], [scale, offset], streaming(2 * n));
  },
});

/** x under another shape: no work, no memory. */
export const reshape: OpOf<{ to: Shape }> = /* @__PURE__ */ defineOp<{ to: Shape }>({
  name: "reshape",
  view: true,
  shape([x], { to }, who) {
    if (sizeOf(x!) !== sizeOf(to)) throw shapeError(who, `an input of ${sizeOf(to)} elements`, to, x!);
    return [to];
  },
  gradient: (dy, { inputs }) => [reshape([dy], { to: inputs[0]!.shape })],
  lower() {},
});
