// Steps of adversarial examples. No gradient passes: what is trained on an adversarial example takes it as a constant.

import { AttackNorm, ExtensionOp, Op } from "../../assembly/isa";
import { defineOp, type Node, type Op as OpOf } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { randomNumbers, streaming } from "./work";

export interface AttackAttributes {
  norm: "inf" | "l2";
  epsilon: number;
  /** The box that examples lie in. */
  low: number;
  high: number;
}

/** Appends one of the two instructions. */
function push(
  tape: TapeWriter,
  { inputs, outputs, attributes }: Pick<Node<AttackAttributes>, "inputs" | "outputs" | "attributes">,
  opcode: Op,
  sizes: number[],
  reals: number[],
  work: number,
): void {
  const { norm, epsilon, low, high } = attributes;
  const { size, shape } = outputs[0]!;
  const rows = shape[0]!;
  const all = [rows, size / rows, norm === "l2" ? AttackNorm.l2 : AttackNorm.inf, ...sizes];
  tape.push(opcode, outputs, inputs, all, [...reals, epsilon, low, high], work);
}

// in functions, see losses.ts

/** A random place within epsilon of x. Input x (n, …). `op`: of the Philox counter; op + 1 is taken too. */
export const attackStart: OpOf<AttackAttributes & { op: number }> = /* @__PURE__ */ (() =>
  defineOp<AttackAttributes & { op: number }>({
    name: "attackStart",
    shape: ([x]) => [x!],
    gradient: null,
    lower: (tape, node) =>
      push(
        tape,
        node,
        extended(ExtensionOp.attackStart),
        [node.attributes.op],
        [],
        randomNumbers(4 * node.outputs[0]!.size),
      ),
  }))();

/** A step of `stepSize` up the gradient, back into the ball about x. Inputs x̃, its gradient, x. */
export const attackStep: OpOf<AttackAttributes & { stepSize: number }> = /* @__PURE__ */ (() =>
  defineOp<AttackAttributes & { stepSize: number }>({
    name: "attackStep",
    shape: ([x]) => [x!],
    gradient: null,
    inPlace: [0],
    lower: (tape, node) =>
      push(
        tape,
        node,
        extended(ExtensionOp.attackStep),
        [],
        [node.attributes.stepSize],
        streaming(8 * node.outputs[0]!.size),
      ),
  }))();

/** A tensor full of `value`, of the shape of its input. */
export const constantLike: OpOf<{ value: number }> = /* @__PURE__ */ defineOp<{ value: number }>({
  name: "constantLike",
  shape: ([x]) => [x!],
  gradient: null,
  lower(tape, { outputs: [y], attributes: { value } }) {
    tape.push(Op.fill, [y!], [], [y!.size], [value], streaming(y!.size));
  },
});
