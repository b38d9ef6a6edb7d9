// The memory plan: which part of the arena each tensor has, and from when to when.
//
// A tensor lives from the node that makes it to the last node that reads it. Those whose lives do not overlap share
// space; an output takes its input's buffer where the op allows it and the input dies there; views have none of their
// own. Best fit over a list of holes: near linear in the number of nodes.

import { Base } from "../../assembly/isa";
import { roundUp } from "../runtime/memory";
import { Space } from "../runtime/space";
import type { Graph, Node, Tensor } from "./graph";

/** From this size on buffers are staggered: two of them at the same offset modulo 2 KiB cost a kernel that walks both 40 %. */
const STAGGER_FROM = 4096;
const STAGGER = 320;

/** A part of the arena. */
interface Block {
  at: number;
  bytes: number;
}

/** What a program needs of the arena. */
export interface Plan {
  bytes: number;
  /** Where each node's workspace lies in the arena. */
  workspaces: Map<Node, number>;
}

/** Gives every tensor without a place one in the arena. */
export function plan(graph: Graph, threads: number): Plan {
  const roots = new Map<Tensor, Tensor>();
  const root = (t: Tensor): Tensor => roots.get(t) ?? t;
  const lastUse = new Map<Tensor, number>();
  graph.nodes.forEach((node, i) => {
    if (node.op.view) roots.set(node.outputs[0]!, root(node.inputs[0]!));
    for (const t of node.inputs) if (t) lastUse.set(root(t), i);
  });
  for (const t of graph.kept) lastUse.set(root(t), graph.nodes.length);

  const space = new Space();
  let top = 0;
  const take = (size: number): Block => {
    const bytes = roundUp(size) + (size >= STAGGER_FROM ? STAGGER : 0);
    const at = space.take(bytes);
    top = Math.max(top, at + bytes);
    return { at, bytes };
  };
  const give = ({ at, bytes }: Block) => space.give(at, bytes);
  const blocks = new Map<Tensor, Block>(); // by root: what is freed when the root dies
  const dying: Tensor[][] = graph.nodes.map(() => []);
  const workspaces = new Map<Node, number>();

  graph.nodes.forEach((node, i) => {
    const { op, inputs, outputs } = node;
    outputs.forEach((t, index) => {
      if (op.view) t.place ??= inputs[0]!.place;
      if (t.place || (op.partial && !lastUse.has(t))) return;
      // the input whose buffer it takes over; of one that is absent there is no block
      const heir = op.inPlace
        ?.map((at) => root(inputs[at]!))
        .find((r) => index === 0 && blocks.has(r) && lastUse.get(r) === i && r.bytes === t.bytes);
      const block = heir ? blocks.get(heir)! : take(t.bytes);
      blocks.delete(heir!);
      blocks.set(t, block);
      t.place = { base: Base.arena, offset: block.at };
      dying[lastUse.get(t) ?? i]?.push(t);
    });
    const scratch = op.workspace?.(node, threads);
    if (scratch) {
      const block = take(scratch);
      workspaces.set(node, block.at);
      give(block);
    }
    for (const t of dying[i]!) {
      const block = blocks.get(t);
      if (block) give(block);
    }
  });
  return { bytes: top, workspaces };
}
