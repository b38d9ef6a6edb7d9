// Random graphs for the planner's tests: chains and branches of every kind of node that it treats differently.

import { Graph, type Tensor } from "../../ts/graph/graph";
import { relu, tanh } from "../../ts/ops/activations";
import { batchNorm } from "../../ts/ops/batchNorm";
import { biasAdd, columnSums } from "../../ts/ops/bias";
import { add, affine, multiply, reshape } from "../../ts/ops/elementwise";
import { matmul } from "../../ts/ops/gemm";
import type { Core } from "./core";
import { given, leaf } from "./graphs";

/** Uniform numbers in [0, 1), by seed. */
export function uniform(seed: number): () => number {
  let s = Math.imul(seed + 1, 2654435761) >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
}

/** A graph of about `size` nodes over matrices of few shapes; the same for the same seed. */
export function randomGraph(seed: number, size: number, core?: Core): Graph {
  const random = uniform(seed);
  const below = (n: number) => Math.floor(random() * n);
  const graph = new Graph();
  const values: Tensor[] = [];
  const shapes = [
    [6, 8],
    [8, 6],
    [17, 65],
    [4, 12],
  ];
  const fresh = () => given([leaf(graph, shapes[below(shapes.length)]!, core, 1 + below(50))], {});
  const parameter = (n: number) => leaf(graph, [n], core, 1 + below(50));
  // recent values are read more often, so that lives are short and long
  const pick = () => values[values.length - 1 - Math.floor(random() ** 3 * values.length)]!;
  const like = (x: Tensor) => values.filter(({ shape }) => shape.join() === x.shape.join());
  const steps: ((x: Tensor) => Tensor)[] = [
    (x) => relu([x], {}),
    (x) => tanh([x], {}),
    (x) => affine([x], { scale: 0.5, offset: 0.25 }),
    (x) => add([x, like(x)[below(like(x).length)]!], {}),
    (x) => multiply([x, like(x)[below(like(x).length)]!], {}),
    (x) => reshape([x], { to: [x.shape[1]!, x.shape[0]!] }),
    (x) => biasAdd([x, parameter(x.shape[1]!)], {}),
    (x) => batchNorm([x, parameter(x.shape[1]!), parameter(x.shape[1]!)], { epsilon: 1e-3 }),
    (x) => reshape([columnSums([x], {})], { to: [1, x.shape[1]!] }),
    (x) => tanh([matmul(x, leaf(graph, [x.shape[1]!, x.shape[1]!], core, 1 + below(50)))], {}),
    () => fresh(),
  ];
  values.push(fresh());
  while (graph.nodes.length < size) {
    const y = steps[below(steps.length)]!(pick());
    values.push(y);
    if (random() < 0.1) graph.kept.add(y);
  }
  graph.kept.add(values.at(-1)!);
  return graph;
}
