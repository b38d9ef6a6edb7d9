// A memory plan for tests: every tensor and workspace has memory of its own, guard words between them. Slow to run out
// of, unlike the library's plan; what both give must have the same bits.

import { Base } from "../../assembly/isa";
import type { Graph, Node } from "../../ts/graph/graph";
import type { Plan } from "../../ts/graph/plan";
import { GUARD } from "./core";

/** A region of the arena that may be written, in bytes. */
export interface Region {
  name: string;
  at: number;
  bytes: number;
}

export function guardedPlan(graph: Graph, threads: number): Plan & { regions: Region[] } {
  const regions: Region[] = [];
  let top = GUARD * 4;
  const take = (name: string, bytes: number) => {
    const at = top;
    top = (at + bytes + 2 * GUARD * 4 + 63) & ~63;
    regions.push({ name, at, bytes });
    return at;
  };
  const workspaces = new Map<Node, number>();
  for (const node of graph.nodes) {
    for (const [i, t] of node.outputs.entries()) {
      if (t.place) continue;
      t.place =
        node.op.view && i === 0
          ? node.inputs[0]!.place!
          : { base: Base.arena, offset: take(`${node.op.name}[${i}]`, t.bytes) };
    }
    const bytes = node.op.workspace?.(node, threads) ?? 0;
    if (bytes > 0) workspaces.set(node, take(`${node.op.name}'s workspace`, bytes));
  }
  return { bytes: top, workspaces, regions };
}
