// Ops on many images: no instruction runs for long, so that `fit` can yield, and each image has the numbers that it has alone.

import { describe, expect, test } from "vitest";
import { Base } from "../../assembly/isa";
import { gradient, prune } from "../../ts/graph/gradient";
import { Graph, type Shape, Span, sizeOf, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { conv2d } from "../../ts/ops/convolution";
import { add } from "../../ts/ops/elementwise";
import { averagePool2d, maxPool2d } from "../../ts/ops/pooling";
import { bilinear } from "../../ts/ops/resize";
import { numbers } from "../support/checkOp";
import { geometry } from "../support/convolution";
import { Core } from "../support/core";
import { runGraph } from "../support/runGraph";

const windows = { poolSize: [9, 9], strides: [1, 1], pads: [4, 4, 4, 4] } as const;
const wide = { poolSize: [17, 17], strides: [1, 1], pads: [8, 8, 8, 8] } as const; // words in the index
const depthwise = geometry({ groups: 16, pads: [3, 3, 3, 3] });
const IMAGE = [24, 24, 16];

/** An op of images x and perhaps a kernel. */
type Build = (x: Tensor, leaf: (shape: Shape) => Tensor) => Tensor;

const CASES: [name: string, n: number, image: Shape, build: Build][] = [
  ["maxPool2d", 60, IMAGE, (x) => maxPool2d([x], windows)],
  ["maxPool2d, an index of words", 17, IMAGE, (x) => maxPool2d([x], wide)],
  ["maxPool2d, an index whose images do not end with a word", 60, [23, 23, 17], (x) => maxPool2d([x], windows)],
  ["averagePool2d", 24, IMAGE, (x) => averagePool2d([x], windows)],
  ["bilinear", 26, IMAGE, (x) => bilinear([x], { scale: [3, 3] })],
  ["depthwise", 60, IMAGE, (x, leaf) => conv2d([x, leaf([7, 7, 1, 16]), null], depthwise)],
  ["depthwise, two filters a channel", 30, IMAGE, (x, leaf) => conv2d([x, leaf([7, 7, 1, 32]), null], depthwise)],
];

/** y and the gradient to x of images `from` … `from + n − 1`; how long the longest instruction of an op is. */
function run(build: Build, image: Shape, from: number, n: number, threads: number, of = n) {
  const core = new Core("strict");
  const graph = new Graph();
  const size = sizeOf(image);
  const at = (shape: Shape, values: Float32Array) =>
    graph.leaf(shape, "leaf", { base: Base.absolute, offset: core.floats(values).address });
  const x = at([n, ...image], numbers(of * size, 1).subarray(from * size, (from + n) * size));
  const kernels: Tensor[] = [];
  const y = build(x, (shape) => kernels[kernels.push(at(shape, numbers(sizeOf(shape), 2))) - 1]!);
  graph.span = Span.backward;
  const each = y.size / n;
  const dy = at(y.shape, numbers(of * each, 3).subarray(from * each, (from + n) * each));
  const found = gradient(graph, [[y, dy]], [x, ...kernels], (a, b) => add([a, b]));
  const dx = found.get(x)!;
  for (const t of [y, ...found.values()]) graph.kept.add(t);
  prune(graph);
  const { read, tape } = runGraph(core, graph, plan(graph, threads), threads);
  const longest = Math.max(...tape.instructions.map(({ work }) => work));
  const total = tape.instructions.reduce((sum, { work }) => sum + work, 0);
  return { y: read(y), dx: read(dx), longest, total };
}

describe("many images", () => {
  test.each(CASES)("%s", (_, n, image, build) => {
    const all = run(build, image, 0, n, 1);
    expect(all.total).toBeGreaterThan(8.2e6); // or it says nothing
    if (image[2] === 16) expect(all.longest).toBeLessThan(4.1e6);
    for (const from of [0, n >> 1, n - 1]) {
      const one = run(build, image, from, 1, 1, n);
      for (const key of ["y", "dx"] as const)
        expect(all[key].subarray(from * one[key].length, (from + 1) * one[key].length)).toEqual(one[key]);
    }
    const team = run(build, image, 0, n, 3);
    expect([team.y, team.dx]).toEqual([all.y, all.dx]);
  });
});
