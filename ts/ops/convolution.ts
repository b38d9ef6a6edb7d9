// Convolution of images [n, h, w, c] (cross-correlation, as in every library): forward, and its gradients.

import { wrong } from "../errors";
import { defineOp, type Fused, type Node, type Op as OpOf, sameShape, type Tensor } from "../graph/graph";
import { depthwise } from "./depthwise";
import { direct, directWide, fewChannels, suitsDirect } from "./direct";
import { foldNorm, normBytes, takesNorm } from "./foldNorm";
import { convolvedShape, type Geometry, halves, type Pair, type Sizes, sizesOf, type Way } from "./geometry";
import { implicit } from "./implicit";
import { pointwise } from "./pointwise";
import { canWinograd, suitsWinograd, suitsWinograd4, winograd, winograd4 } from "./winograd";

/** The way that is the fastest for a convolution of these sizes, in every direction, or the one that is asked for. */
function wayOf(sizes: Sizes): Way {
  const { kernelH, kernelW, strides, groups, inC, pads, fastMath, algorithm = "auto" } = sizes;
  const one = kernelH === 1 && kernelW === 1;
  if (one && strides.every((s) => s === 1) && groups === 1 && !pads.some((p) => p)) return pointwise;
  if (groups === inC && groups > 1) return depthwise;
  const asked = { winograd2: winograd, winograd4, auto: undefined, direct: undefined }[algorithm];
  if (asked && canWinograd(sizes)) return asked;
  if (fewChannels(sizes)) return direct;
  if (algorithm === "auto" && suitsWinograd(sizes)) return fastMath && suitsWinograd4(sizes) ? winograd4 : winograd;
  return suitsDirect(sizes) ? directWide : implicit;
}

export interface ConvolutionAttributes extends Geometry {
  /** A ReLU behind it, bias included. */
  readonly relu?: boolean;
  /** A max pooling of 2×2 behind it, before bias and ReLU. */
  readonly pooled?: boolean;
  /** A batch normalization at inference behind it, bias included: inputs go on with gamma, beta, mean and variance. */
  readonly norm?: { readonly epsilon: number };
}

/** The sizes of a convolution of x. */
const forwardSizes = (x: Tensor, kernel: Tensor, geometry: Geometry) =>
  sizesOf(x.shape, convolvedShape(x.shape, kernel.shape, geometry, "conv2d"), kernel.shape, geometry, x.graph.fastMath);

/**
 * y[n, i, j, o] = Σ x[n, i·sh + kh·dh − top, j·sw + kw·dw − left, c]·kernel[kh, kw, c, o]. Inputs x [n, h, w, c], kernel [kh, kw,
 * c/groups, o], bias [o] or null. Where `pooled`, outputs are those of maxPool2d.
 */
export const conv2d: OpOf<ConvolutionAttributes> = /* @__PURE__ */ defineOp<ConvolutionAttributes>({
  name: "conv2d",
  partial: true,
  shape: ([x, kernel], geometry, who) => [convolvedShape(x!, kernel!, geometry, who)],
  gradient(dy, { inputs: [x, kernel], attributes }) {
    const pools = !!wayOf(forwardSizes(x!, kernel!, attributes)).pools;
    return conv2dBackward([dy, x!, kernel!], { ...attributes, pools }).node!.outputs;
  },
  absorb({ op, inputs, outputs, attributes, layer }, consumer): Fused | undefined {
    const [x, kernel, bias = null] = inputs;
    const { relu, pooled, norm } = attributes;
    const fused = { op, inputs, attributes, outputs: outputs.slice(1), layer };
    const sizes = forwardSizes(x!, kernel!, attributes);
    const way = wayOf(sizes);
    if (relu) return undefined;
    switch (consumer.op.name) {
      case "relu":
        return { ...fused, attributes: { ...attributes, relu: true } };
      case "biasAdd":
        return bias || norm ? undefined : { ...fused, inputs: [x!, kernel!, consumer.inputs[1]!] };
      case "batchNormInference": {
        // where a scale is negative, the largest is another one
        if (pooled || norm || !takesNorm(way, sizes)) return undefined;
        const { epsilon } = consumer.attributes;
        const all = [x!, kernel!, bias, ...consumer.inputs.slice(1)];
        return { ...fused, inputs: all, attributes: { ...attributes, norm: { epsilon } } };
      }
      case "maxPool2d":
        if ((bias && !norm) || pooled || !way.pools || !halves(consumer.attributes)) return undefined;
        return { ...fused, attributes: { ...attributes, pooled: true } };
    }
    return undefined;
  },
  workspace({ inputs: [x, kernel], attributes }, threads) {
    const sizes = forwardSizes(x!, kernel!, attributes);
    const way = wayOf(sizes);
    return way.forwardBytes(sizes, threads) + (attributes.norm ? normBytes(way, sizes) : 0);
  },
  lower(tape, { inputs, outputs: [y, index], attributes: { pooled, relu, norm, ...geometry } }) {
    const [x, kernel, bias = null] = inputs;
    const sizes = forwardSizes(x!, kernel!, geometry);
    const way = wayOf(sizes);
    const pool = pooled ? { index: index?.place ? index : null } : undefined;
    if (!norm) return way.forward(tape, sizes, y!, [x!, kernel!, bias], relu, pool);
    const at = way.forwardBytes(sizes, tape.threads); // behind the way's own
    const folded = foldNorm(tape, at, way, sizes, inputs.slice(1), norm.epsilon);
    way.forward(tape, sizes, y!, [x!, folded.kernel, folded.shift, folded.scale], relu, pool);
  },
});

interface BackwardAttributes extends Geometry {
  /** It may take in a maxPool2dBackward of 2×2 that makes dy. */
  readonly pools?: boolean;
}

/**
 * Both gradients of conv2d. Inputs dy, x, kernel, and by fusion the index of the max pooling that dy is of; outputs dx and
 * dkernel, of which what nobody reads is not computed.
 */
export const conv2dBackward: OpOf<BackwardAttributes> = /* @__PURE__ */ defineOp<BackwardAttributes>({
  name: "conv2dBackward",
  shape: ([, x, kernel]) => [x!, kernel!],
  gradient: null,
  partial: true,
  workspace(node, threads) {
    const [, x, kernel] = node.inputs;
    const sizes = forwardSizes(x!, kernel!, node.attributes);
    const [dx, dkernel] = node.outputs.map((t) => !!t.place) as [boolean, boolean];
    return wayOf(sizes).backwardBytes(sizes, threads, { dx, dkernel });
  },
  lower(tape, node) {
    const [dy, x, kernel, index] = node.inputs;
    const sizes = forwardSizes(x!, kernel!, node.attributes);
    const [dx, dkernel] = node.outputs.map((t) => (t.place ? t : null));
    wayOf(sizes).backward(tape, sizes, { dx: dx!, dkernel: dkernel!, dy: dy!, x: x!, kernel: kernel!, index });
  },
});

export interface TransposeAttributes extends Geometry {
  /** The output's height and width. */
  readonly size: Pair;
}

const transposeSizes = ({ inputs: [x, kernel], outputs: [y], attributes }: Node<TransposeAttributes>) =>
  sizesOf(y!.shape, x!.shape, kernel!.shape, attributes, y!.graph.fastMath);

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
