import { expect, test } from "vitest";
import { gradient, prune } from "../../ts/graph/gradient";
import { Graph, Span, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { relu, tanh } from "../../ts/ops/activations";
import { biasAdd, columnSums } from "../../ts/ops/bias";
import { add, affine, multiply } from "../../ts/ops/elementwise";
import { matmul } from "../../ts/ops/gemm";
import { fill } from "../../ts/ops/update";
import { Core } from "../support/core";
import { given, leaf, names } from "../support/graphs";
import { runGraph } from "../support/runGraph";

const sum = (a: Tensor, b: Tensor) => add([a, b], {});
const floats = (words: Uint32Array) => [...new Float32Array(words.buffer)];

/** The gradients of Σ y·c with respect to the targets, run; and what the leaves hold. */
function gradients(build: (x: Tensor, w: Tensor) => Tensor) {
  const core = new Core();
  const graph = new Graph();
  const [x, w, c] = [1, 2, 3].map((seed) => leaf(graph, [5], core, seed)) as [Tensor, Tensor, Tensor];
  const y = build(x, w);
  const found = gradient(graph, [[y, given([c], {})]], [x, w], sum);
  for (const g of found.values()) graph.kept.add(g);
  const { read } = runGraph(core, graph, plan(graph, 1));
  const of = (t: Tensor) => found.has(t) && floats(read(found.get(t)!));
  return { dx: of(x), dw: of(w), x: floats(read(x)), w: floats(read(w)), c: floats(read(c)) };
}

test("a tensor that is read several times gets the sum of the readers' gradients", () => {
  const { dx, dw, x, w, c } = gradients((x, w) => add([multiply([x, w], {}), multiply([x, x], {})], {}));
  const close = (got: unknown, want: number[]) =>
    (got as number[]).forEach((v, i) => {
      expect(v).toBeCloseTo(want[i]!, 5);
    });
  close(
    dw,
    x.map((v, i) => v * c[i]!),
  );
  close(
    dx,
    x.map((v, i) => (w[i]! + 2 * v) * c[i]!),
  );
});

test("a target that the objective does not depend on has no gradient", () => {
  expect(gradients((x) => multiply([x, x], {})).dw).toBe(false);
});

test("no gradient passes an op without a rule", () => {
  const graph = new Graph();
  const x = leaf(graph, [4, 3]);
  const y = columnSums([x], {});
  expect(gradient(graph, [[y, y]], [x], sum).size).toBe(0);
});

test("seeds of one tensor are summed, and a seed may be a target's own gradient", () => {
  const graph = new Graph();
  const [x, a, b] = [1, 2, 3].map((seed) => leaf(graph, [5], undefined, seed)) as [Tensor, Tensor, Tensor];
  const found = gradient(
    graph,
    [
      [x, a],
      [x, b],
    ],
    [x],
    sum,
  );
  expect(found.get(x)!.node!.op.name).toBe("add");
  expect(found.get(x)!.node!.inputs).toEqual([a, b]);
});

test("what no target needs is not built, or pruned", () => {
  const graph = new Graph();
  const [x, w, b] = [leaf(graph, [4, 3]), leaf(graph, [3, 2]), leaf(graph, [2])];
  const y = tanh([biasAdd([matmul(x, w), b], {})], {});
  const found = gradient(graph, [[y, y]], [w, b], sum);
  for (const g of found.values()) graph.kept.add(g);
  prune(graph);
  expect([...found.keys()]).toEqual([w, b]);
  expect(names(graph)).toEqual(["gemm", "biasAdd", "tanh", "tanhBackward", "columnSums", "gemm"]);
});

test("a node of the backward pass carries its forward node's layer", () => {
  const graph = new Graph();
  const x = leaf(graph, [4]);
  graph.layer = "first";
  const h = tanh([x], {});
  graph.layer = "second";
  const y = affine([h], { scale: 2, offset: 0 });
  graph.span = Span.backward;
  gradient(graph, [[y, y]], [x], sum);
  expect(graph.nodes.slice(2).map(({ op, layer, span }) => [op.name, layer, span])).toEqual([
    ["affine", "second", Span.backward],
    ["tanhBackward", "first", Span.backward],
  ]);
});

test("prune keeps what is kept, what has an effect, and what these need", () => {
  const graph = new Graph();
  const [x, y] = [leaf(graph, [4]), leaf(graph, [4])];
  relu([x], {});
  const h = tanh([x], {});
  graph.kept.add(affine([h], { scale: 1, offset: 1 }));
  multiply([h, h], {});
  fill([y], { value: 0 });
  prune(graph);
  expect(names(graph)).toEqual(["tanh", "affine", "fill"]);
});
