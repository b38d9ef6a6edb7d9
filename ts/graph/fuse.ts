// Fusion: puts one node in the place of two where the first one's `absorb` rule knows how.

import type { Graph, Node, Tensor } from "./graph";

/** Walks the nodes in order; the node behind a node's first input may absorb it where nobody else reads that input. */
export function fuse(graph: Graph): void {
  const uses = new Map<Tensor | null, number>();
  const count = (tensors: Iterable<Tensor | null>, by = 1) => {
    for (const t of tensors) uses.set(t, (uses.get(t) ?? 0) + by);
  };
  for (const node of graph.nodes) count(node.inputs);
  count(graph.kept);
  const gone = new Set<Node>();
  for (const node of graph.nodes) {
    if (gone.has(node)) continue;
    const first = node.inputs[0];
    const producer = first?.node;
    if (!producer?.op.absorb || uses.get(first!) !== 1 || producer.outputs[0] !== first) continue;
    const fused = producer.op.absorb(producer, node);
    if (!fused) continue;
    count(producer.inputs, -1);
    count(node.inputs, -1);
    count(fused.inputs);
    // the fused node may make further outputs of the producer's
    const extra = fused.outputs ?? [];
    if (producer.outputs.some((t) => uses.get(t) && t !== first && !extra.includes(t)))
      throw new Error(`fuse: ${node.op.name} loses an output of ${producer.op.name}`);
    // it stands where the producer stood if it needs nothing more, else where the later node stood
    const early = fused.inputs.every((t) => !t || producer.inputs.includes(t));
    const outputs = [...node.outputs, ...extra];
    const [stays, goes] = early ? [producer, node] : [node, producer];
    Object.assign(stays, fused, { outputs });
    for (const t of outputs) t.node = stays;
    gone.add(goes);
  }
  graph.nodes = graph.nodes.filter((node) => !gone.has(node));
}
