// Activations, each beside its derivative. `v` is what the derivative is had from: the activation's output where that
// is enough (so that its input need not outlive it), else its input.

import { Op } from "../../assembly/isa";
import { defineOp, type Fused, type Node, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { streaming, transcendental } from "./work";

export interface ActivationAttributes {
  alpha?: number;
}

/** A ReLU that batch normalization has absorbed is undone by batch normalization's own backward pass. */
function joinBatchNorm({ op, inputs: [dy, y] }: Node, consumer: Node): Fused | undefined {
  const forward = y?.node;
  if (op.name !== "reluBackward" || consumer.op.name !== "batchNormBackward") return undefined;
  if (!forward?.attributes.relu || forward.inputs[0] !== consumer.inputs[1]) return undefined;
  const inputs = [dy!, ...consumer.inputs.slice(1)];
  return { op: consumer.op, inputs, attributes: { ...consumer.attributes, relu: true } };
}

/** y = f(x) and dx = dy · f′, as two ops. */
function activation(
  name: string,
  forward: Op,
  backward: Op,
  from: "outputs" | "inputs",
  work = transcendental,
  usualAlpha = 0,
) {
  const rules = (opcode: Op, ...reals: number[]) => ({
    shape: ([x]: Shape[]) => [x!],
    inPlace: [0],
    lower(tape: TapeWriter, { inputs, outputs, attributes: { alpha = usualAlpha } }: Node<ActivationAttributes>) {
      const n = outputs[0]!.size;
      tape.push(opcode, outputs, inputs, [n], [alpha, ...reals], work(n));
    },
  });
  const backwardOp = /* @__PURE__ */ defineOp<ActivationAttributes>({
    ...rules(backward),
    name: `${name}Backward`,
    gradient: null,
    absorb: joinBatchNorm,
  });
  return defineOp<ActivationAttributes>({
    ...rules(forward, 0),
    name,
    gradient: (dy, { [from]: [v], attributes }) => [backwardOp([dy, v!], attributes)],
  });
}

const moving = (n: number) => streaming(3 * n);

/** max(0, x) */
export const relu = /* @__PURE__ */ activation("relu", Op.relu, Op.reluBackward, "outputs", moving);
/** x > 0 ? x : alpha·x; alpha = 0.01 */
export const leakyRelu = /* @__PURE__ */ activation(
  "leakyRelu",
  Op.leakyRelu,
  Op.leakyReluBackward,
  "outputs",
  moving,
  0.01,
);
/** x > 0 ? x : alpha·(eˣ − 1); alpha = 1 */
export const elu = /* @__PURE__ */ activation("elu", Op.elu, Op.eluBackward, "outputs", transcendental, 1);
/** 1.0507·(x > 0 ? x : 1.6733·(eˣ − 1)) */
export const selu = /* @__PURE__ */ activation("selu", Op.selu, Op.seluBackward, "outputs");
/** x·Φ(x) */
export const gelu = /* @__PURE__ */ activation("gelu", Op.gelu, Op.geluBackward, "inputs");
/** 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) */
export const geluTanh = /* @__PURE__ */ (() => activation("geluTanh", Op.geluTanh, Op.geluTanhBackward, "inputs"))(); // see losses.ts
/** x·σ(x) */
export const silu = /* @__PURE__ */ activation("silu", Op.silu, Op.siluBackward, "inputs");
/** 1/(1 + e⁻ˣ) */
export const sigmoid = /* @__PURE__ */ activation("sigmoid", Op.sigmoid, Op.sigmoidBackward, "outputs");
/** tanh x */
export const tanh = /* @__PURE__ */ activation("tanh", Op.tanh, Op.tanhBackward, "outputs");
/** log(1 + eˣ) */
export const softplus = /* @__PURE__ */ activation("softplus", Op.softplus, Op.softplusBackward, "outputs");

type None = Record<never, never>;
const sizes = ({ shape, size }: Tensor) => [size / shape.at(-1)!, shape.at(-1)!];

const softmaxBackward: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "softmaxBackward",
  shape: ([dy]) => [dy!],
  gradient: null,
  inPlace: [0],
  lower(tape, { inputs, outputs: [dx] }) {
    tape.push(Op.softmaxBackward, [dx!], inputs, sizes(dx!), [], streaming(4 * dx!.size));
  },
});

/** exp(xᵢ)/Σ exp(xⱼ) along the last axis. */
export const softmax: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "softmax",
  shape: ([x]) => [x!],
  gradient: (dy, { outputs }) => [softmaxBackward([dy, outputs[0]!])],
  inPlace: [0],
  lower(tape, { inputs, outputs: [y] }) {
    tape.push(Op.softmax, [y!], inputs, sizes(y!), [], transcendental(y!.size));
  },
});
