// Reverse-mode differentiation: walks the nodes backwards and asks each op for its inputs' gradients.

import type { Graph, Node, Tensor } from "./graph";

/**
 * Appends to `graph` the nodes that compute the gradients of a scalar objective.
 *
 * @param seeds pairs of a tensor and the objective's own gradient with respect to it
 * @param targets tensors whose gradients are wanted
 * @param add a + b: what a tensor that is read twice gets. An op, and so given from above
 * @returns the gradient of each target that the objective depends on
 */
export function gradient(
  graph: Graph,
  seeds: readonly (readonly [Tensor, Tensor])[],
  targets: Iterable<Tensor>,
  add: (a: Tensor, b: Tensor) => Tensor,
): Map<Tensor, Tensor> {
  const forward = [...graph.nodes];
  const asked = new Set(targets);
  const wanted = new Set<Tensor | null>(asked); // and what leads to them
  for (const node of forward) {
    if (node.op.gradient && node.inputs.some((t) => wanted.has(t))) wanted.add(node.outputs[0]!);
  }
  const gradients = new Map<Tensor | null, Tensor>();
  const contribute = (t: Tensor | null, g: Tensor | null | undefined) => {
    if (!g || !wanted.has(t)) return;
    const before = gradients.get(t);
    gradients.set(t, before ? add(before, g) : g);
  };
  for (const [t, g] of seeds) contribute(t, g);
  for (const node of forward.reverse()) {
    const dy = gradients.get(node.outputs[0]!);
    if (!dy || !node.op.gradient) continue;
    graph.layer = node.layer;
    const inputs = node.op.gradient(dy, node);
    node.inputs.forEach((t, i) => {
      contribute(t, inputs[i]);
    });
  }
  return new Map([...asked].flatMap((t) => (gradients.has(t) ? [[t, gradients.get(t)!]] : [])));
}

/** Drops the nodes whose outputs nobody needs. */
export function prune(graph: Graph): void {
  const needed = new Set<Tensor | null>(graph.kept);
  const kept: Node[] = [];
  for (const node of graph.nodes.reverse()) {
    if (!node.op.effect && !node.outputs.some((t) => needed.has(t))) continue;
    for (const t of node.inputs) needed.add(t);
    kept.push(node);
  }
  graph.nodes = kept.reverse();
}
