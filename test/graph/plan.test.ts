import { describe, expect, test } from "vitest";
import { Base } from "../../assembly/isa";
import { Graph, type Node, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { lower } from "../../ts/graph/tape";
import { verify } from "../../ts/graph/verify";
import { relu, softmax, tanh } from "../../ts/ops/activations";
import { add, multiply, reshape } from "../../ts/ops/elementwise";
import { matmul } from "../../ts/ops/gemm";
import { Core } from "../support/core";
import { given, leaf } from "../support/graphs";
import { guardedPlan } from "../support/guardedPlan";
import { randomGraph } from "../support/randomGraph";
import { runGraph } from "../support/runGraph";

const rootOf = (t: Tensor): Tensor => (t.node?.op.view && t === t.node.outputs[0] ? rootOf(t.node.inputs[0]!) : t);

/** Every pair of buffers that share bytes while both are needed, the slow way. */
function conflicts(graph: Graph, workspaces: Map<Node, number>, threads: number): string[] {
  interface Life {
    what: string;
    from: number;
    to: number;
    at: number;
    bytes: number;
    root?: Tensor;
  }
  const lives = new Map<Tensor, Life>();
  const found: string[] = [];
  graph.nodes.forEach((node, i) => {
    for (const t of node.outputs) {
      if (t.place!.base !== Base.arena || rootOf(t) !== t) continue;
      lives.set(t, { what: `${i}:${t.name}`, from: i, to: i, at: t.place!.offset, bytes: t.bytes, root: t });
    }
    for (const t of node.inputs) if (t && lives.has(rootOf(t))) lives.get(rootOf(t))!.to = i;
  });
  for (const t of graph.kept) if (lives.has(rootOf(t))) lives.get(rootOf(t))!.to = Number.POSITIVE_INFINITY;
  const all: Life[] = [...lives.values()];
  graph.nodes.forEach((node, i) => {
    const bytes = node.op.workspace?.(node, threads) ?? 0;
    if (bytes) all.push({ what: `${i}:workspace`, from: i, to: i, at: workspaces.get(node)!, bytes });
  });
  for (const [i, a] of all.entries())
    for (const b of all.slice(i + 1)) {
      const apart = a.to < b.from || b.to < a.from || a.at + a.bytes <= b.at || b.at + b.bytes <= a.at;
      if (apart) continue;
      const [before, after] = a.from < b.from ? [a, b] : [b, a];
      const node = after.root?.node;
      const mayTake =
        node?.outputs[0] === after.root &&
        before.to === after.from &&
        before.at === after.at &&
        before.bytes === after.bytes &&
        node?.op.inPlace?.some((index) => node.inputs[index] && rootOf(node.inputs[index]) === before.root);
      if (!mayTake) found.push(`${before.what} and ${after.what}`);
    }
  return found;
}

describe("random graphs", () => {
  test("no two buffers share bytes while both are needed, but for an output in place of a dying input", () => {
    for (let seed = 0; seed < 60; seed++) {
      const graph = randomGraph(seed, 80);
      const { bytes, workspaces } = plan(graph, 3);
      expect(conflicts(graph, workspaces, 3), `seed ${seed}`).toEqual([]);
      for (const node of graph.nodes)
        for (const t of node.outputs) if (rootOf(t) === t) expect(t.place!.offset + t.bytes).toBeLessThanOrEqual(bytes);
    }
  });

  test("give the bits that they give where nothing shares memory", () => {
    const core = new Core();
    for (let seed = 0; seed < 25; seed++) {
      const bits = [guardedPlan, plan].map((planner) => {
        core.clear();
        const graph = randomGraph(seed, 60, core);
        const { read } = runGraph(core, graph, planner(graph, 2), 2);
        return [...graph.kept].map(read);
      });
      expect(bits[1], `seed ${seed}`).toEqual(bits[0]);
    }
  });

  test("the check finds a plan that is wrong", () => {
    const graph = randomGraph(3, 80);
    const { workspaces } = plan(graph, 1);
    expect(conflicts(graph, workspaces, 1)).toEqual([]);
    const [a, b] = [...graph.kept].map(rootOf).filter((t) => t.place!.base === Base.arena) as [Tensor, Tensor];
    a.place = { ...b.place! };
    expect(conflicts(graph, workspaces, 1)).not.toEqual([]);
  });
});

/** A graph with one arena tensor. */
function start(shape = [4, 8]): { graph: Graph; x: Tensor } {
  const graph = new Graph();
  return { graph, x: given([leaf(graph, shape)], {}) };
}

const place = (t: Tensor) => t.place!.offset;

test("an output takes its input's buffer where the input dies", () => {
  const { graph, x } = start();
  const y = relu([x], {});
  const z = tanh([y], {});
  graph.kept.add(z);
  plan(graph, 1);
  expect([place(y), place(z)]).toEqual([place(x), place(x)]);
});

test("not where the input is read later, is kept, or a view of it lives on", () => {
  for (const hold of ["read", "kept", "view"]) {
    const { graph, x } = start();
    const view = reshape([x], { to: [32] });
    const y = relu([x], {});
    graph.kept.add(y);
    if (hold === "read") graph.kept.add(add([x, y], {}));
    if (hold === "kept") graph.kept.add(x);
    if (hold === "view") graph.kept.add(tanh([view], {}));
    plan(graph, 1);
    expect(place(y), hold).not.toBe(place(x));
  }
});

test("the second input's buffer is taken where only that one dies", () => {
  const { graph, x } = start();
  const h = tanh([x], {});
  graph.kept.add(x);
  const y = multiply([x, h], {});
  graph.kept.add(y);
  plan(graph, 1);
  expect(place(y)).toBe(place(h));
});

test("nothing is computed in place of a parameter, nor by an op that cannot", () => {
  const graph = new Graph();
  const w = leaf(graph, [8, 8]);
  const y = relu([w], {});
  const z = matmul(y, w);
  graph.kept.add(z);
  plan(graph, 1);
  expect(y.place!.base).toBe(Base.arena);
  expect(place(z)).not.toBe(place(y));
});

test("a view lies where what it views lies, and keeps it alive", () => {
  const { graph, x } = start();
  const view = reshape([x], { to: [8, 4] });
  const other = given([leaf(graph, [4, 8])], {});
  graph.kept.add(softmax([view], {}));
  graph.kept.add(other);
  plan(graph, 1);
  expect(view.place).toEqual(x.place);
  expect(place(other)).not.toBe(place(x));
});

test("a chain needs two buffers, however long it is", () => {
  const bytes = [10, 1000].map((length) => {
    const graph = new Graph();
    const w = leaf(graph, [64, 64]);
    let x = given([leaf(graph, [64, 64])], {});
    for (let i = 0; i < length; i++) x = matmul(x, w);
    graph.kept.add(x);
    return plan(graph, 1).bytes;
  });
  expect(bytes[1]).toBe(bytes[0]);
});

test("10,000 nodes, all alive until a backward pass, are planned, lowered and verified in under a second of CPU time", () => {
  const graph = new Graph();
  const w = leaf(graph, [8, 8]);
  let x = given([leaf(graph, [4, 8])], {});
  const forward = [x];
  for (let i = 0; i < 5000; i++) {
    x = i % 2 ? tanh([x], {}) : matmul(x, w);
    forward.push(x);
  }
  for (const y of forward.reverse()) x = add([x, y], {});
  graph.kept.add(x);
  expect(graph.nodes.length).toBeGreaterThan(10_000);
  const before = process.cpuUsage();
  const memory = plan(graph, 2);
  const tape = lower(graph, memory, 2, 0);
  verify(tape, {
    [Base.absolute]: [[0, 2 ** 32]],
    [Base.parameters]: [],
    [Base.statistics]: [],
    [Base.arena]: [[0, memory.bytes]],
  });
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(1);
});
