// Fusion: puts one node in the place of two where the first one's `absorb` rule knows how.

import type { Graph, Node, Tensor } from "./graph";

/** Walks the nodes in order; the node behind a node's first input may absorb it where nobody else reads that input. */
export function fuse(graph: Graph): void {
  const uses = new Map<Tensor, number>();
  const count = (t: Tensor | null, by: number) => {
    if (t) uses.set(t, (uses.get(t) ?? 0) + by);
  };
  for (const node of graph.nodes) for (const t of node.inputs) count(t, 1);
  for (const t of graph.kept) count(t, 1);
  const gone = new Set<Node>();
  for (const node of [...graph.nodes]) {
    if (gone.has(node)) continue;
    const first = node.inputs[0];
    const producer = first?.node;
    if (!first || !producer?.op.absorb || uses.get(first) !== 1 || producer.outputs[0] !== first) continue;
    const fused = producer.op.absorb(producer, node);
    if (!fused) continue;
    for (const t of producer.inputs) count(t, -1);
    for (const t of node.inputs) count(t, -1);
    for (const t of fused.inputs) count(t, 1);
    // the fused node may make further outputs of the producer's
    const extra = fused.outputs ?? [];
    if (producer.outputs.some((t) => t !== first && (uses.get(t) ?? 0) > 0 && !extra.includes(t)))
      throw new Error(`fuse: ${node.op.name} loses an output of ${producer.op.name}`);
    // it stands where the producer stood if it needs nothing more, else where the later node stood
    const early = fused.inputs.every((t) => !t || producer.inputs.includes(t));
    const outputs = [...node.outputs, ...extra];
    const [stays, goes] = early ? [producer, node] : [node, producer];
    Object.assign(stays, { op: fused.op, inputs: fused.inputs, attributes: fused.attributes, outputs });
    for (const t of outputs) t.node = stays;
    gone.add(goes);
  }
  graph.nodes = graph.nodes.filter((node) => !gone.has(node));
}
