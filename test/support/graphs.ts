// Small graphs for tests of the compiler.

import { Base, Op } from "../../assembly/isa";
import { defineOp, type Graph, type Shape, type Tensor } from "../../ts/graph/graph";
import { numbers } from "./checkOp";
import type { Core } from "./core";

/** A leaf that holds random numbers, where a core is given; else one that is never run. */
export function leaf(graph: Graph, shape: Shape, core?: Core, seed = 1, name = "leaf"): Tensor {
  const size = shape.reduce((p, d) => p * d, 1);
  return graph.leaf(shape, name, {
    base: Base.absolute,
    offset: core?.floats(numbers(size, seed)).address ?? 64 * seed,
  });
}

/** Brings a leaf into the arena, as a layer's output would lie there. */
export const given = defineOp<Record<never, never>>({
  name: "given",
  shape: ([x]) => [x!],
  gradient: null,
  lower: (tape, { inputs, outputs }) => tape.push(Op.copy, outputs, inputs, [outputs[0]!.size], [], 0),
});

/** The ops of a graph's nodes. */
export const names = (graph: Graph): string[] => graph.nodes.map(({ op }) => op.name);
