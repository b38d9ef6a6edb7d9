// Pooling of images, NHWC: the largest, the mean or the sum over windows; and the adjoint of the sum, which repeats.

import { BYTE_WINDOW, ExtensionOp } from "../../assembly/isa";
import { shapeError, wrong } from "../errors";
import { defineOp, type Node, type Op as OpOf, type Shape, sizeOf, type Tensor } from "../graph/graph";
import type { Operand, Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { type Geometry, halves, type Pair } from "./geometry";
import { indexSlab, piecesOf, slabs } from "./pieces";
import { streaming } from "./work";

/** Windows over an image. Each must have a position within it. */
export interface Pooling {
  readonly poolSize: Pair;
  readonly strides: Pair;
  /** What is taken to stand beside the image; it does not count. */
  readonly pads: Geometry["pads"];
}

/** The shape of what is made of x. */
function pooledShape(x: Shape, { poolSize, strides, pads }: Pooling, who: string): Shape {
  if (x.length !== 4) throw shapeError(who, "input", "[n, h, w, c]", x);
  const [n, height, width, channels] = x as [number, number, number, number];
  const padded = [height + pads[0] + pads[1], width + pads[2] + pads[3]];
  if (padded.some((size, i) => size < poolSize[i]!))
    throw wrong("shape", who, `a window no larger than the input, [${padded.join(", ")}]`, `[${poolSize.join(", ")}]`);
  return [n, ...padded.map((size, i) => Math.floor((size - poolSize[i]!) / strides[i]!) + 1), channels];
}

/** What a piece of the images of x and y is: operands, the operands `Window`, time. */
interface Piece {
  x: Part;
  y: Part;
  index: Operand;
  window: number[];
  ns: number;
}

/**
 * Images x and what their windows have, y, in pieces; `index`: of y's elements, a byte or a word each. `numbers` are read or
 * written for each position of a window.
 */
function piecesOfImages(
  x: Tensor,
  y: Tensor,
  index: Tensor | null,
  { poolSize, strides, pads }: Pooling,
  numbers = 1,
): Piece[] {
  const [n, ...image] = x.shape as [number, ...number[]];
  const ns = streaming((y.size / n) * numbers * (sizeOf(poolSize) + 1.25));
  const bytes = ((index?.size === y.size ? 4 : 1) * y.size) / n; // of an image's index
  const cut = index && bytes % 4 ? [{ from: 0, length: n }] : piecesOf(n, ns);
  return cut.map(({ from, length }) => ({
    x: slabs(x, from, length),
    y: slabs(y, from, length),
    index: index && cut.length > 1 ? indexSlab(index, from, length, bytes) : index,
    window: [length, ...image, y.shape[1]!, y.shape[2]!, ...poolSize, ...strides, pads[0], pads[2]],
    ns: length * ns,
  }));
}

export interface MaxPooling extends Pooling {
  relu?: boolean;
}

/**
 * The largest over each window. Inputs x, bias (by fusion; or none); outputs y = max + bias (ReLU of it, where `relu`), and the
 * index: which of a window's positions it is, row·width + column, the first of equals; a byte for each of y's elements in their
 * order, packed in words, or a word each where windows have more than 256 positions.
 */
export const maxPool2d: OpOf<MaxPooling> = /* @__PURE__ */ defineOp<MaxPooling>({
  name: "maxPool2d",
  partial: true,
  shape([x], attributes, who) {
    const y = pooledShape(x!, attributes, who);
    const size = sizeOf(y);
    return [y, [sizeOf(attributes.poolSize) > BYTE_WINDOW ? size : Math.ceil(size / 4)]];
  },
  gradient: (dy, { inputs: [x], outputs: [, index], attributes: { poolSize, strides, pads } }) => [
    maxPool2dBackward([dy, index!], { poolSize, strides, pads, to: x!.shape }),
    null,
  ],
  absorb({ op, inputs: [x, bias], outputs, attributes }, consumer) {
    const rest = { op, outputs: outputs.slice(1) };
    if (attributes.relu) return undefined;
    if (consumer.op.name === "biasAdd" && !bias) return { ...rest, inputs: [x!, consumer.inputs[1]!], attributes };
    if (consumer.op.name === "relu") return { ...rest, inputs: [x!, bias!], attributes: { ...attributes, relu: true } };
    return undefined;
  },
  lower(tape, { inputs: [x, bias], outputs, attributes }) {
    const [y, index] = outputs as [Tensor, Tensor];
    for (const piece of piecesOfImages(x!, y, index.place ? index : null, attributes))
      tape.push(
        extended(ExtensionOp.maxPool2d),
        [piece.y, piece.index],
        [piece.x, bias ?? null],
        [...piece.window, +!!attributes.relu],
        [],
        piece.ns,
      );
  },
});

/** Inputs dy, index; dx, of shape `to`, is Σ dy over the windows whose largest the element is. */
export const maxPool2dBackward: OpOf<Pooling & { to: Shape }> = /* @__PURE__ */ defineOp<Pooling & { to: Shape }>({
  name: "maxPool2dBackward",
  shape: (_, { to }) => [to],
  gradient: null,
  absorb({ inputs: [dy, index], attributes }, { op, inputs, attributes: taker }) {
    if (op.name !== "conv2dBackward" || !taker.pools || !halves(attributes)) return undefined;
    return { op, inputs: [dy!, ...inputs.slice(1), index!], attributes: taker };
  },
  lower(tape, { inputs, outputs: [dx], attributes }) {
    const [dy, picked] = inputs;
    for (const { x, y, index, window, ns } of piecesOfImages(dx!, dy!, picked!, attributes))
      tape.push(extended(ExtensionOp.maxPool2dBackward), [x], [y, index], window, [], ns);
  },
});

/**
 * Max pooling of x. It commutes with what ReLU and biasAdd do (they keep the order, rounding too), so it is built before
 * these: their work and that of their gradients is then the pooled size's, and a convolution may take the pooling in. The
 * gradient is the same: where the largest of a window is not over 0, ReLU lets nothing through.
 */
export function maxPooled(x: Tensor, attributes: Pooling): Tensor {
  const { graph, node } = x;
  if (node?.op.name !== "relu" && node?.op.name !== "biasAdd") return maxPool2d([x], attributes);
  const { op, inputs, layer } = node;
  const pooled = maxPooled(inputs[0]!, attributes);
  const here = graph.layer;
  graph.layer = layer;
  const y = graph.apply(op, [pooled, ...inputs.slice(1)], node.attributes)[0]!;
  graph.layer = here;
  return y;
}

export interface Averaging extends Pooling {
  /** Sums, not means. */
  sum?: boolean;
}

/** The mean over what of each window lies within the image; or the sum. */
export const averagePool2d: OpOf<Averaging> = /* @__PURE__ */ defineOp<Averaging>({
  name: "averagePool2d",
  shape: ([x], attributes, who) => [pooledShape(x!, attributes, who)],
  gradient: (dy, { inputs: [x], attributes }) => [spread2d([dy], { ...attributes, to: x!.shape })],
  lower(tape, { inputs: [x], outputs: [y], attributes }) {
    for (const { x: from, y: to, window, ns } of piecesOfImages(x!, y!, null, attributes))
      tape.push(extended(ExtensionOp.averagePool2d), [to], [from], [...window, +!attributes.sum], [], ns);
  },
});

/** The adjoint of averagePool2d over images of shape `to`: each window's number, over their count or as it is, to all its positions. */
export const spread2d: OpOf<Averaging & { to: Shape }> = /* @__PURE__ */ defineOp<Averaging & { to: Shape }>({
  name: "spread2d",
  shape: (_, { to }) => [to],
  gradient: (dx, { attributes }) => [averagePool2d([dx], attributes)],
  lower(tape: TapeWriter, { inputs: [y], outputs: [x], attributes }: Node<Averaging & { to: Shape }>) {
    for (const { x: to, y: from, window, ns } of piecesOfImages(x!, y!, null, attributes, 4))
      tape.push(extended(ExtensionOp.spread2d), [to], [from], [...window, +!attributes.sum], [], ns);
  },
});
