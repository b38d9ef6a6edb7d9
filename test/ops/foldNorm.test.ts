// Batch normalization at inference in the convolution before it, against the same nodes apart.

import { describe, expect, test } from "vitest";
import { fuse } from "../../ts/graph/fuse";
import { gradient, prune } from "../../ts/graph/gradient";
import { defineOp, Graph, Span, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { relu } from "../../ts/ops/activations";
import { batchNormInference } from "../../ts/ops/batchNorm";
import { biasAdd } from "../../ts/ops/bias";
import { conv2d } from "../../ts/ops/convolution";
import { depthwise } from "../../ts/ops/depthwise";
import { direct } from "../../ts/ops/direct";
import { add } from "../../ts/ops/elementwise";
import { foldNorm, normBytes, takesNorm } from "../../ts/ops/foldNorm";
import { convolvedShape, type Geometry, sizesOf, type Way } from "../../ts/ops/geometry";
import { implicit } from "../../ts/ops/implicit";
import { maxPooled } from "../../ts/ops/pooling";
import { winograd, winograd4 } from "../../ts/ops/winograd";
import { BUILDS } from "../support/builds";
import { checkOp } from "../support/checkOp";
import { forward, geometry, outShape, type Shape } from "../support/convolution";
import { type Build, Core } from "../support/core";
import { leaf, names } from "../support/graphs";
import { guardedPlan } from "../support/guardedPlan";
import { runGraph } from "../support/runGraph";

const pairs = { poolSize: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const;

const sizes = (x: Shape, kernel: Shape, g: Geometry) => sizesOf(x, convolvedShape(x, kernel, g, ""), kernel, g);

/** A way with batch normalization in it as an op, whatever conv2d would choose. Of the variance the square is taken. */
const normalized = (name: string, way: Way) =>
  defineOp<Geometry>({
    name,
    shape: ([x, kernel], g) => [outShape(x!, kernel!, g)],
    gradient: null,
    workspace({ inputs: [x, kernel], attributes }, threads) {
      const s = sizes(x!.shape, kernel!.shape, attributes);
      return way.forwardBytes(s, threads) + normBytes(way, s);
    },
    lower(tape, { inputs, outputs: [y], attributes }) {
      const [x, kernel] = inputs;
      const s = sizes(x!.shape, kernel!.shape, attributes);
      const made = foldNorm(tape, way.forwardBytes(s, tape.threads), way, s, inputs.slice(1), EPSILON);
      way.forward(tape, s, y!, [x!, made.kernel, made.shift, made.scale], true);
    },
  });

/** Large enough for variances of any sign that leaves have. */
const EPSILON = 4;

const WAYS: [string, Way, Partial<Geometry>, Shape, Shape][] = [
  ["direct", direct, { pads: [1, 1, 1, 1] }, [3, 7, 6, 3], [3, 3, 3, 24]],
  ["winograd", winograd, { pads: [1, 1, 1, 1] }, [3, 7, 6, 8], [3, 3, 8, 20]],
  ["winograd4", winograd4, {}, [3, 7, 6, 8], [3, 3, 8, 20]],
  ["implicit", implicit, { strides: [2, 2] }, [3, 9, 7, 5], [3, 3, 5, 7]],
  ["implicit", implicit, { strides: [2, 2] }, [3, 9, 7, 5], [3, 3, 5, 35]],
  ["implicit", implicit, { groups: 2, pads: [1, 0, 0, 1] }, [13, 6, 7, 10], [2, 2, 5, 42]],
  ["depthwise", depthwise, { groups: 5 }, [2, 6, 6, 5], [3, 3, 1, 10]],
];

for (const [name, way, partial, x, kernel] of WAYS) {
  const g = geometry(partial);
  const n = kernel[3]!;
  const channels = [n];
  for (const bias of [null, channels])
    checkOp(normalized(name, way), {
      title: "batch normalization, ReLU",
      attributes: g,
      cases: [{ x, kernel, bias, gamma: channels, beta: channels, mean: channels, variance: channels }],
      shapes: () => [outShape(x, kernel, g)],
      tolerance: name === "winograd4" ? 5e-5 : 1e-5,
      reference: (t) =>
        forward(t.x, t.kernel, x, kernel, g).map((v, i) => {
          const c = i % n;
          const centred = v + (t.bias?.[c] ?? 0) - t.mean[c]!;
          return Math.max(0, (t.gamma[c]! * centred) / Math.sqrt(t.variance[c]! + EPSILON) + t.beta[c]!);
        }),
    });
}

interface Behind {
  bias?: boolean;
  relu?: boolean;
  /** Pooling, behind the batch normalization or before it. */
  pool?: "behind" | "before";
  /** What else reads the convolution. */
  other?: boolean;
}

/** conv → bias? → batch norm → ReLU? → max pool? */
function run(build: Build | "debug", g: Geometry, shapes: [Shape, Shape], behind: Behind, fused = true, threads = 1) {
  const core = new Core(build);
  const graph = new Graph();
  const [x, kernel] = shapes.map((shape, i) => leaf(graph, shape, core, i + 1)) as [Tensor, Tensor];
  const channels = shapes[1][3]!;
  const [bias, gamma, beta, mean, variance] = [3, 4, 5, 6, 7].map((seed) => leaf(graph, [channels], core, seed));
  const sums = conv2d([x, kernel, null], g);
  let y = behind.bias ? biasAdd([sums, bias!]) : sums;
  if (behind.pool === "before") y = maxPooled(y, pairs);
  y = batchNormInference([y, gamma!, beta!, mean!, variance!], { epsilon: EPSILON });
  if (behind.relu) y = relu([y]);
  if (behind.pool === "behind") y = maxPooled(y, pairs);
  if (behind.other) y = add([y, sums]);
  graph.kept.add(y);
  prune(graph);
  if (fused) fuse(graph);
  const { read } = runGraph(core, graph, fused ? plan(graph, threads) : guardedPlan(graph, threads), threads);
  return { ops: names(graph), y: new Float32Array(read(y).buffer) };
}

function expectClose(values: Float32Array, wanted: Float32Array): void {
  const largest = Math.max(...wanted.map(Math.abs));
  values.forEach((v, i) => {
    expect(Math.abs(v - wanted[i]!)).toBeLessThan(3e-6 * largest);
  });
}

const CASES: [Partial<Geometry>, Shape, Shape][] = [
  [{}, [2, 7, 6, 1], [3, 3, 1, 8]], // few channels
  [{ pads: [1, 1, 1, 1] }, [2, 8, 8, 16], [3, 3, 16, 24]], // Winograd
  [{ strides: [2, 2] }, [3, 9, 7, 5], [3, 3, 5, 7]], // implicit
  [{ groups: 5 }, [2, 6, 6, 5], [3, 3, 1, 10]], // depthwise
];

describe.each(BUILDS)("%s", (build) => {
  describe.each(CASES)("%o, x %o, kernel %o", (partial, x, kernel) => {
    const g = geometry(partial);
    test.each<Behind>([
      {},
      { bias: true },
      { relu: true },
      { bias: true, relu: true, pool: "behind" },
      { pool: "behind" },
    ])("%o", (behind) => {
      const apart = run(build, g, [x, kernel], behind, false);
      const fused = run(build, g, [x, kernel], behind);
      expect(apart.ops).toContain("batchNormInference");
      expect(fused.ops.filter((name) => name !== "maxPool2d")).toEqual(["conv2d"]);
      expectClose(fused.y, apart.y);
      for (const threads of [2, 3]) expect(run(build, g, [x, kernel], behind, true, threads).y).toEqual(fused.y);
      if (build === "strict") expect(run("debug", g, [x, kernel], behind).y).toEqual(fused.y);
    });
  });

  test("the pooling too, where the way has it", () => {
    for (const [partial, x, kernel] of CASES.slice(0, 2))
      expect(run(build, geometry(partial), [x, kernel], { relu: true, pool: "behind" }).ops).toEqual(["conv2d"]);
  });

  test("not behind a pooling that the convolution has taken in: a scale may be negative", () => {
    for (const [partial, x, kernel] of CASES.slice(0, 2)) {
      const shapes: [Shape, Shape] = [x, kernel];
      const fused = run(build, geometry(partial), shapes, { relu: true, pool: "before" });
      expect(fused.ops).toEqual(["conv2d", "batchNormInference"]);
      expectClose(fused.y, run(build, geometry(partial), shapes, { relu: true, pool: "before" }, false).y);
    }
  });

  test("not by a product of matrices", () => {
    const { ops } = run(
      build,
      geometry(),
      [
        [3, 4, 5, 6],
        [1, 1, 6, 21],
      ],
      { relu: true },
    );
    expect(ops).toEqual(["conv2d", "batchNormInference"]);
  });

  test("not where somebody else reads the convolution", () => {
    const [partial, x, kernel] = CASES[2]!;
    const fused = run(build, geometry(partial), [x, kernel], { other: true });
    expect(fused.ops).toEqual(["conv2d", "batchNormInference", "add"]);
    expect(fused.y).toEqual(run(build, geometry(partial), [x, kernel], { other: true }, false).y);
  });
});

test.each(CASES.slice(0, 3))("sums far from 0 are about as exact as apart: %o, x %o", (partial, x, kernel) => {
  const g = geometry({ ...partial, pads: [0, 0, 0, 0] });
  const n = kernel[3]!;
  /** Errors of y where the sums of each channel lie about a mean of a thousand of their deviations. */
  function largestError(fused: boolean): number {
    const core = new Core("strict");
    const graph = new Graph();
    const leaves = [x, kernel, [n], [n], [n], [n]].map((shape, i) => leaf(graph, shape, core, i + 1));
    const [xs, ks, gammas, betas, means, variances] = leaves.map(
      ({ place, size }) => new Float32Array(core.memory.buffer, place!.offset, size),
    ) as Float32Array[];
    xs!.forEach((v, i) => {
      xs![i] = 1 + v / 1000;
    });
    const sums = forward(Float64Array.from(xs!), Float64Array.from(ks!), x, kernel, g);
    means!.forEach((_, c) => {
      const own = sums.filter((_, i) => i % n === c);
      means![c] = own.reduce((a, b) => a + b) / own.length;
      variances![c] = own.reduce((a, b) => a + (b - means![c]!) ** 2, 0) / own.length;
    });
    const wanted = sums.map((v, i) => {
      const c = i % n;
      return (gammas![c]! * (v - means![c]!)) / Math.sqrt(variances![c]! + 1e-9) + betas![c]!;
    });
    const [a, k, ...rest] = leaves as [Tensor, Tensor, ...Tensor[]];
    const y = batchNormInference([conv2d([a, k, null], g), ...rest], { epsilon: 1e-9 });
    graph.kept.add(y);
    prune(graph);
    if (fused) fuse(graph);
    const { read } = runGraph(core, graph, plan(graph, 1));
    expect(names(graph)).toHaveLength(fused ? 1 : 2);
    return Math.max(...[...new Float32Array(read(y).buffer)].map((v, i) => Math.abs(v - wanted[i]!)));
  }
  const errors = [largestError(false), largestError(true)];
  expect(errors[1]).toBeLessThan(3 * errors[0]!);
});

test("not where gradients read the convolution", () => {
  const graph = new Graph();
  const [x, kernel] = [leaf(graph, [2, 8, 8, 16]), leaf(graph, [3, 3, 16, 24], undefined, 2)];
  const statistics = [3, 4, 5, 6].map((seed) => leaf(graph, [24], undefined, seed));
  const y = relu([batchNormInference([conv2d([x, kernel, null], geometry()), ...statistics], { epsilon: EPSILON })]);
  graph.span = Span.backward;
  const dy = leaf(graph, y.shape, undefined, 7);
  const found = gradient(graph, [[y, dy]], [x], (a, b) => add([a, b]));
  graph.kept.add(found.get(x)!).add(y);
  prune(graph);
  fuse(graph);
  expect(names(graph)).toEqual(expect.arrayContaining(["conv2d", "batchNormInference", "batchNormBackward"]));
});

test("not where the kernel is larger than what is made of an image, whatever the batch", () => {
  for (const batch of [1, 100]) {
    expect(takesNorm(direct, sizes([batch, 8, 8, 4], [3, 3, 4, 8], geometry()))).toBe(true);
    expect(takesNorm(direct, sizes([batch, 7, 7, 4], [3, 3, 4, 8], geometry()))).toBe(false);
  }
});
