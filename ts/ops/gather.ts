// The minibatch: rows of a resident source, as floats. A rescaling behind it joins it.

import { Op, type SourceType } from "../../assembly/isa";
import { defineOp, type Graph, type Op as OpOf, type Shape, Span, type Tensor } from "../graph/graph";
import { streaming } from "./work";

export interface GatherAttributes {
  /** Which source of the state block. */
  slot: number;
  shape: Shape;
  type: SourceType;
  scale?: number;
  offset?: number;
}

/** The op behind `gather`. */
export const gatherOp: OpOf<GatherAttributes> = /* @__PURE__ */ defineOp<GatherAttributes>({
  name: "gather",
  shape: (_, { shape }) => [shape],
  gradient: null,
  absorb({ op, inputs, attributes }, consumer) {
    if (consumer.op.name !== "affine" || attributes.scale !== undefined) return undefined;
    return { op, inputs, attributes: { ...attributes, ...consumer.attributes } };
  },
  lower(tape, { outputs: [y], attributes: { slot, shape, type, scale = 1, offset = 0 } }) {
    const rows = shape[0]!;
    tape.push(Op.gather, [y!], [], [slot, rows, y!.size / rows, type], [scale, offset], streaming(2 * y!.size));
  },
});

/** Rows of source `slot`, in the gather span. */
export function gather(graph: Graph, attributes: GatherAttributes): Tensor {
  const y = graph.apply(gatherOp, [], attributes)[0]!;
  y.node!.span = Span.gather;
  return y;
}
