// The memory plan: which part of the arena each tensor has, and from when to when.
//
// A tensor lives from the node that makes it to the last node that reads it. Those whose lives do not overlap share
// space; an output takes its input's buffer where the op allows it and the input dies there; views have none of their
// own. Best fit over a list of holes: near linear in the number of nodes.

import { Base } from "../../assembly/isa";
import type { Graph, Node, Tensor } from "./graph";

const ALIGN = 64;

/** From this size on buffers are staggered: two of them at the same offset modulo 2 KiB cost a kernel that walks both 40 %. */
const STAGGER_FROM = 4096;
const STAGGER = 320;

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
  const blocks = new Map<Tensor, Hole>(); // by root: what is freed when the root dies
  const dying: Tensor[][] = graph.nodes.map(() => []);
  const workspaces = new Map<Node, number>();

  graph.nodes.forEach((node, i) => {
    for (const [index, t] of node.outputs.entries()) {
      if (t.place) continue;
      if (node.op.view && index === 0) {
        t.place = node.inputs[0]!.place!;
        continue;
      }
      const heir = index === 0 ? heirOf(node, t, i) : undefined;
      const block = heir ? blocks.get(heir)! : space.take(t.bytes);
      if (heir) blocks.delete(heir);
      blocks.set(t, block);
      t.place = { base: Base.arena, offset: block.at };
      const last = lastUse.get(t) ?? i;
      if (last < dying.length) dying[last]!.push(t);
    }
    const scratch = node.op.workspace?.(node, threads) ?? 0;
    if (scratch > 0) {
      const block = space.take(scratch);
      workspaces.set(node, block.at);
      space.give(block);
    }
    for (const t of dying[i]!) {
      const block = blocks.get(t);
      if (block) space.give(block);
    }
  });
  return { bytes: space.top, workspaces };

  /** The input whose buffer `t` takes over. */
  function heirOf(node: Node, t: Tensor, i: number): Tensor | undefined {
    for (const index of node.op.inPlace ?? []) {
      const input = node.inputs[index];
      if (!input) continue;
      const r = root(input);
      if (blocks.has(r) && lastUse.get(r) === i && r.bytes === t.bytes) return r;
    }
    return undefined;
  }
}

interface Hole {
  at: number;
  bytes: number;
}

/** Offsets of an arena: best fit, holes joined. */
class Space {
  top = 0;
  #holes: Hole[] = []; // by offset; none touch

  take(bytes: number): Hole {
    const size = Math.ceil(bytes / ALIGN) * ALIGN + (bytes >= STAGGER_FROM ? STAGGER : 0);
    let best = -1;
    for (const [i, hole] of this.#holes.entries()) {
      if (hole.bytes >= size && (best < 0 || hole.bytes < this.#holes[best]!.bytes)) best = i;
    }
    if (best >= 0) {
      const hole = this.#holes[best]!;
      if (hole.bytes === size) this.#holes.splice(best, 1);
      else this.#holes[best] = { at: hole.at + size, bytes: hole.bytes - size };
      return { at: hole.at, bytes: size };
    }
    const last = this.#holes.at(-1);
    const at = last && last.at + last.bytes === this.top ? this.#holes.pop()!.at : this.top;
    this.top = at + size;
    return { at, bytes: size };
  }

  give(block: Hole): void {
    let low = 0;
    let high = this.#holes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#holes[middle]!.at < block.at) low = middle + 1;
      else high = middle;
    }
    const before = this.#holes[low - 1];
    const after = this.#holes[low];
    const joinsBefore = before && before.at + before.bytes === block.at;
    const joinsAfter = after && block.at + block.bytes === after.at;
    if (joinsBefore && joinsAfter) {
      before.bytes += block.bytes + after.bytes;
      this.#holes.splice(low, 1);
    } else if (joinsBefore) before.bytes += block.bytes;
    else if (joinsAfter) this.#holes[low] = { at: block.at, bytes: block.bytes + after.bytes };
    else this.#holes.splice(low, 0, { ...block });
  }
}
