// Convolution of images [n, h, w, c] (cross-correlation, as in every library): forward, and its gradients.

import { wrong } from "../errors";
import { defineOp, type Fused, type Node, type Op as OpOf, sameShape } from "../graph/graph";
import { depthwise } from "./depthwise";
import { convolvedShape, type Geometry, type Pair, type Sizes, sizesOf, type Way } from "./geometry";
import { implicit } from "./implicit";
import { pointwise } from "./pointwise";

/** The way that is the fastest for a convolution of these sizes, in every direction. */
function wayOf({ kernelH, kernelW, strides, groups, inC, pads }: Sizes): Way {
  const one = kernelH === 1 && kernelW === 1;
  if (one && strides.every((s) => s === 1) && groups === 1 && !pads.some((p) => p)) return pointwise;
  if (groups === inC && groups > 1) return depthwise;
  return implicit;
}

export interface ConvolutionAttributes extends Geometry {
  /** A ReLU behind it, bias included. */
  readonly relu?: boolean;
}

const forwardSizes = ({ inputs: [x, kernel], outputs: [y], attributes }: Node<ConvolutionAttributes>) =>
  sizesOf(x!.shape, y!.shape, kernel!.shape, attributes);

/** y[n, i, j, o] = Σ x[n, i·sh + kh·dh − top, j·sw + kw·dw − left, c]·kernel[kh, kw, c, o]. Inputs x [n, h, w, c], kernel [kh, kw, c/groups, o], bias [o] or null. */
export const conv2d: OpOf<ConvolutionAttributes> = /* @__PURE__ */ defineOp<ConvolutionAttributes>({
  name: "conv2d",
  shape: ([x, kernel], geometry, who) => [convolvedShape(x!, kernel!, geometry, who)],
  gradient: (dy, { inputs: [x, kernel], attributes }) => conv2dBackward([dy, x!, kernel!], attributes).node!.outputs,
  absorb({ op, inputs: [x, kernel, bias], attributes }, consumer): Fused | undefined {
    if (attributes.relu) return undefined;
    if (consumer.op.name === "relu")
      return { op, inputs: [x!, kernel!, bias!], attributes: { ...attributes, relu: true } };
    if (consumer.op.name !== "biasAdd" || bias) return undefined;
    return { op, inputs: [x!, kernel!, consumer.inputs[1]!], attributes };
  },
  workspace(node, threads) {
    const sizes = forwardSizes(node);
    return wayOf(sizes).forwardBytes(sizes, threads);
  },
  lower(tape, node) {
    const sizes = forwardSizes(node);
    const [x, kernel, bias = null] = node.inputs;
    wayOf(sizes).forward(tape, sizes, node.outputs[0]!, [x!, kernel!, bias], node.attributes.relu);
  },
});

const backwardSizes = ({ inputs: [dy, x, kernel], attributes }: Node<Geometry>) =>
  sizesOf(x!.shape, dy!.shape, kernel!.shape, attributes);

/** Both gradients of conv2d. Inputs dy, x, kernel; outputs dx and dkernel, of which what nobody reads is not computed. */
export const conv2dBackward: OpOf<Geometry> = /* @__PURE__ */ defineOp<Geometry>({
  name: "conv2dBackward",
  shape: ([, x, kernel]) => [x!, kernel!],
  gradient: null,
  partial: true,
  workspace(node, threads) {
    const sizes = backwardSizes(node);
    const [dx, dkernel] = node.outputs.map((t) => !!t.place) as [boolean, boolean];
    return wayOf(sizes).backwardBytes(sizes, threads, { dx, dkernel });
  },
  lower(tape, node) {
    const sizes = backwardSizes(node);
    const [dy, x, kernel] = node.inputs;
    const [dx, dkernel] = node.outputs.map((t) => (t.place ? t : null));
    wayOf(sizes).backward(tape, sizes, { dx: dx!, dkernel: dkernel!, dy: dy!, x: x!, kernel: kernel! });
  },
});

export interface TransposeAttributes extends Geometry {
  /** The output's height and width. */
  readonly size: Pair;
}

const transposeSizes = ({ inputs: [x, kernel], outputs: [y], attributes }: Node<TransposeAttributes>) =>
  sizesOf(y!.shape, x!.shape, kernel!.shape, attributes);

/**
 * The gradient to its input of the convolution with that kernel, as an op: inputs x [n, h, w, in], kernel [kh, kw, out/groups,
 * in], output [n, ...size, out]. (Zeiler et al. 2010)
 */
export const conv2dTranspose: OpOf<TransposeAttributes> = /* @__PURE__ */ defineOp<TransposeAttributes>({
  name: "conv2dTranspose",
  shape([x, kernel], attributes, who) {
    const { size, groups } = attributes;
    const y = [x![0]!, ...size, kernel![2]! * groups];
    const back = convolvedShape(y, kernel!, attributes, who);
    if (!sameShape(back, x!)) throw wrong("shape", who, `input of shape [${back.join(", ")}]`, `[${x!.join(", ")}]`);
    return [y];
  },
  gradient(dy, { inputs: [x, kernel], attributes: { size, ...geometry } }) {
    return [conv2d([dy, kernel!, null], geometry), conv2dBackward([x!, dy, kernel!], geometry).node!.outputs[1]!];
  },
  workspace(node, threads) {
    const sizes = transposeSizes(node);
    return wayOf(sizes).backwardBytes(sizes, threads, { dx: true, dkernel: false });
  },
  lower(tape, node) {
    const sizes = transposeSizes(node);
    const [dy, kernel] = node.inputs;
    wayOf(sizes).backward(tape, sizes, { dx: node.outputs[0]!, dkernel: null, dy: dy!, x: null, kernel: kernel! });
  },
});
