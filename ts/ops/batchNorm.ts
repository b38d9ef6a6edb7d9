// Batch normalization over all axes but the last: y = γ·(x − μ)/√(σ² + ε) + β, σ² biased (Ioffe & Szegedy 2015).

import { Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineEffect, defineOp, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import { rowChunks } from "./bias";
import { streaming } from "./work";

export interface BatchNormAttributes {
  epsilon: number;
  relu?: boolean;
}

function checkShapes([x, gamma]: Shape[], who: string): Shape {
  const n = x!.at(-1)!;
  if (gamma!.length !== 1 || gamma![0] !== n) throw shapeError(who, "gamma", [n], gamma!);
  return x!;
}

/** Inputs dy, x, mean, coefficients (4, n); outputs dx, dgamma, dbeta. `frozen`: the statistics are constants. */
const batchNormBackward: OpOf<{ relu?: boolean; frozen?: boolean }> = /* @__PURE__ */ defineOp<{
  relu?: boolean;
  frozen?: boolean;
}>({
  name: "batchNormBackward",
  shape: ([dy, , mean]) => [dy!, mean!, mean!],
  gradient: null,
  inPlace: [0],
  workspace({ inputs: [dy] }) {
    const { bytes, n } = rowChunks(dy!);
    return 2 * (bytes + n * 4);
  },
  lower(tape, { inputs, outputs, attributes: { relu, frozen } }) {
    const [dy, x, mean, coefficients] = inputs as Tensor[];
    const [dx, dgamma, dbeta] = outputs as [Tensor, Tensor, Tensor];
    const { n, rows, chunkRows, chunks, bytes } = rowChunks(x!);
    const partials = tape.workspace(0, 2 * bytes);
    const slopes = tape.workspace(2 * bytes);
    tape.push(
      Op.batchNormBackwardSums,
      [partials],
      [dy!, x!, coefficients!],
      [rows, n, chunkRows, +!!relu],
      [],
      streaming(2 * x!.size),
    );
    tape.push(
      Op.batchNormBackwardCombine,
      [dgamma, dbeta, slopes],
      [partials, mean!, coefficients!],
      [rows, chunks, n, +!!frozen],
      [],
      streaming(2 * chunks * n),
    );
    tape.push(
      Op.batchNormBackward,
      [dx],
      [dy!, x!, coefficients!, slopes],
      [rows, n, +!!relu],
      [],
      streaming(3 * x!.size),
    );
  },
});

/** ReLU joins the normalization before it. Its other outputs stay. */
const absorbRelu: NonNullable<OpOf<BatchNormAttributes>["absorb"]> = ({ op, inputs, outputs, attributes }, consumer) =>
  consumer.op.name === "relu" && !attributes.relu
    ? { op, inputs, attributes: { ...attributes, relu: true }, outputs: outputs.slice(1) }
    : undefined;

/** With the minibatch's own statistics. Inputs x (…, n), gamma (n), beta (n); outputs y, mean, variance, coefficients. */
export const batchNorm: OpOf<BatchNormAttributes> = /* @__PURE__ */ defineOp<BatchNormAttributes>({
  name: "batchNorm",
  shape(inputs, _, who) {
    const x = checkShapes(inputs, who);
    const n = [x.at(-1)!];
    return [x, n, n, [4, ...n]];
  },
  gradient(dy, { inputs: [x], outputs: [, mean, , coefficients] }) {
    return batchNormBackward([dy, x!, mean!, coefficients!]).node!.outputs;
  },
  absorb: absorbRelu,
  workspace: ({ inputs: [x] }) => 2 * rowChunks(x!).bytes,
  lower(tape, { inputs: [x, gamma, beta], outputs, attributes: { epsilon, relu } }) {
    const [y, mean, variance, coefficients] = outputs as [Tensor, Tensor, Tensor, Tensor];
    const { n, rows, chunkRows, chunks } = rowChunks(x!);
    const partials = tape.workspace();
    tape.push(Op.batchNormMoments, [partials], [x!], [rows, n, chunkRows], [], streaming(1.5 * x!.size));
    tape.push(
      Op.batchNormCombine,
      [mean, variance, coefficients],
      [partials, x!, gamma!, beta!],
      [rows, n, chunkRows],
      [epsilon],
      streaming(4 * chunks * n),
    );
    tape.push(Op.batchNormForward, [y], [x!, coefficients], [rows, n, +!!relu], [], streaming(2 * x!.size));
  },
});

/** With moving statistics. Inputs x, gamma, beta, movingMean, movingVariance; outputs y, coefficients. */
export const batchNormInference: OpOf<BatchNormAttributes> = /* @__PURE__ */ defineOp<BatchNormAttributes>({
  name: "batchNormInference",
  shape(inputs, _, who) {
    const x = checkShapes(inputs, who);
    return [x, [4, x.at(-1)!]];
  },
  gradient(dy, { inputs: [x, , , mean], outputs: [, coefficients] }) {
    return batchNormBackward([dy, x!, mean!, coefficients!], { frozen: true }).node!.outputs;
  },
  absorb: absorbRelu,
  lower(tape, { inputs, outputs, attributes: { epsilon, relu } }) {
    const [x, gamma, beta, mean, variance] = inputs as Tensor[];
    const [y, coefficients] = outputs as [Tensor, Tensor];
    const { n, rows } = rowChunks(x!);
    tape.push(Op.batchNormMoving, [coefficients], [mean!, variance!, gamma!, beta!], [n], [epsilon], n);
    tape.push(Op.batchNormForward, [y], [x!, coefficients], [rows, n, +!!relu], [], streaming(2 * x!.size));
  },
});

/** moving ← momentum·moving + (1 − momentum)·value, in place. Inputs moving, value. */
export const movingAverage = /* @__PURE__ */ defineEffect<{ momentum: number }>(
  "movingAverage",
  (tape, { inputs: [moving, value], attributes: { momentum } }) =>
    tape.push(Op.movingAverage, [moving!], [value!], [value!.size], [momentum], streaming(3 * value!.size)),
);
