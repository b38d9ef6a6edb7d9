// Convolution of few channels with max pooling behind it; without, test/ops/convolution.test.ts has its cases.

import { describe, expect, test } from "vitest";
import { fuse } from "../../ts/graph/fuse";
import { gradient, prune } from "../../ts/graph/gradient";
import { Graph, type Shape, Span, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { relu } from "../../ts/ops/activations";
import { biasAdd } from "../../ts/ops/bias";
import { conv2d } from "../../ts/ops/convolution";
import { add } from "../../ts/ops/elementwise";
import type { Geometry } from "../../ts/ops/geometry";
import { maxPooled } from "../../ts/ops/pooling";
import { BUILDS } from "../support/builds";
import { geometry } from "../support/convolution";
import { type Build, Core } from "../support/core";
import { leaf, names } from "../support/graphs";
import { guardedPlan } from "../support/guardedPlan";
import { runGraph } from "../support/runGraph";

const PAIRS = { poolSize: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const;

interface Mode {
  fused: boolean;
  threads?: number;
  guarded?: boolean;
  /** Without gradients. */
  forward?: boolean;
}

/** y of a convolution, bias and ReLU with a pooling behind them, and the gradients of kernel, x and bias, as bits. */
function run(build: Build | "debug", shapes: readonly [Shape, Shape], g: Partial<Geometry>, mode: Mode) {
  const { fused, threads = 1, guarded, forward } = mode;
  const core = new Core(build);
  const graph = new Graph();
  const [x, kernel] = shapes.map((shape, i) => leaf(graph, shape, core, i + 1)) as [Tensor, Tensor];
  const bias = leaf(graph, [kernel.shape[3]!], core, 3);
  const y = maxPooled(relu([biasAdd([conv2d([x, kernel, null], geometry(g)), bias])]), PAIRS);
  const results = [y];
  if (!forward) {
    graph.span = Span.backward;
    const leaves = [kernel, x, bias];
    const found = gradient(graph, [[y, leaf(graph, y.shape, core, 4)]], leaves, (a, b) => add([a, b]));
    results.push(...leaves.map((t) => found.get(t)!));
  }
  for (const t of results) graph.kept.add(t);
  prune(graph);
  if (fused) fuse(graph);
  const { read } = runGraph(core, graph, guarded ? guardedPlan(graph, threads) : plan(graph, threads), threads);
  return { ops: names(graph), results: results.map(read) };
}

describe.each<[string, Shape, Shape, Partial<Geometry>]>([
  ["a digit", [3, 28, 28, 1], [3, 3, 1, 16], {}],
  ["odd sizes", [2, 9, 13, 3], [3, 3, 3, 8], {}],
  ["zeros round the image", [2, 8, 9, 3], [3, 3, 3, 24], { pads: [1, 1, 1, 1] }],
  ["strides and a wide window", [3, 17, 15, 2], [5, 5, 2, 8], { strides: [2, 2], pads: [2, 2, 2, 2] }],
  ["one window a row", [1, 4, 4, 4], [2, 2, 4, 8], {}],
  ["dilation", [2, 9, 8, 1], [3, 2, 1, 8], { dilation: [2, 3] }],
])("%s", (_, x, kernel, g) => {
  test.each(BUILDS)("with the pooling it gives the bits that it gives without, %s", (build) => {
    const apart = run(build, [x, kernel], g, { fused: false });
    const fused = run(build, [x, kernel], g, { fused: true });
    expect(apart.ops).toContain("maxPool2dBackward");
    expect(fused.ops).toEqual(["conv2d", "reluBackward", "columnSums", "conv2dBackward"]);
    const [y, dkernel, dx, dbias] = fused.results;
    expect([y, dx, dbias]).toEqual([apart.results[0], apart.results[2], apart.results[3]]);
    const [a, b] = [dkernel!, apart.results[1]!].map((bits) => new Float32Array(bits.buffer)) as [
      Float32Array,
      Float32Array,
    ];
    const largest = Math.max(...b.map(Math.abs)); // its chunks are others
    expect(Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))).toBeLessThan(2e-6 * largest);
    for (const mode of [{ threads: 2 }, { threads: 3 }, { threads: 3, guarded: true }])
      expect(run(build, [x, kernel], g, { fused: true, ...mode }).results).toEqual(fused.results);
    expect(run(build, [x, kernel], g, { fused: true, forward: true }).results[0]).toEqual(y);
  });

  test("its instructions are well-formed", () => {
    expect(run("debug", [x, kernel], g, { fused: true }).ops).toContain("conv2dBackward");
  });
});
