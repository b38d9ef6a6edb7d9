// Winograd's way of computing a convolution, of sizes for which nobody would choose it too.

import { describe, expect, test } from "vitest";
import { fuse } from "../../ts/graph/fuse";
import { gradient, prune } from "../../ts/graph/gradient";
import { defineOp, Graph, Span, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import type { TapeWriter } from "../../ts/graph/tape";
import { relu } from "../../ts/ops/activations";
import { biasAdd } from "../../ts/ops/bias";
import { conv2d } from "../../ts/ops/convolution";
import { add } from "../../ts/ops/elementwise";
import { convolvedShape, type Geometry, sizesOf, type Way } from "../../ts/ops/geometry";
import { maxPooled, type Pooling } from "../../ts/ops/pooling";
import { winograd, winograd4 } from "../../ts/ops/winograd";
import { checkOp, type Reals } from "../support/checkOp";
import { backward, forward, geometry, outShape, type Shape, size } from "../support/convolution";
import { Core } from "../support/core";
import { leaf, names } from "../support/graphs";
import { runGraph } from "../support/runGraph";

interface Attributes extends Geometry {
  relu?: boolean;
  pooled?: boolean;
}

const sizes = (x: Shape, kernel: Shape, g: Geometry) => sizesOf(x, convolvedShape(x, kernel, g, ""), kernel, g);

const pooledShape = ([n, h, w, c]: Shape) => [n!, h! >> 1, w! >> 1, c!];

/** A way itself as an op, whatever conv2d would choose. */
const forcedTo = (way: Way) =>
  defineOp<Attributes>({
    name: way === winograd ? "winograd" : "winograd4",
    shape([x, kernel], { pooled, ...g }) {
      const y = outShape(x!, kernel!, g);
      return pooled ? [pooledShape(y), [size(pooledShape(y)) / 4]] : [y];
    },
    gradient: null,
    workspace: ({ inputs: [x, kernel], attributes }, threads) =>
      way.forwardBytes(sizes(x!.shape, kernel!.shape, attributes), threads),
    lower(tape, { inputs: [x, kernel, bias], outputs: [y, index], attributes: { relu, pooled, ...g } }) {
      const pool = pooled ? { index: index! } : undefined;
      way.forward(tape, sizes(x!.shape, kernel!.shape, g), y!, [x!, kernel!, bias!], relu, pool);
    },
  });

/** Its gradients: dx, dkernel, or one of them alone. */
const gradientsOf = (way: Way, dx: boolean, dkernel: boolean) =>
  defineOp<Geometry>({
    name: `winograd${way === winograd ? "" : "4"}Backward`,
    shape: ([, x, kernel]) => [...(dx ? [x!] : []), ...(dkernel ? [kernel!] : [])],
    gradient: null,
    workspace: ({ inputs: [, x, kernel], attributes }, threads) =>
      way.backwardBytes(sizes(x!.shape, kernel!.shape, attributes), threads, { dx, dkernel }),
    lower(tape: TapeWriter, { inputs, outputs, attributes }) {
      const [dy, x, kernel, index = null] = inputs as [Tensor, Tensor, Tensor, Tensor | null];
      way.backward(tape, sizes(x.shape, kernel.shape, attributes), {
        dx: dx ? outputs[0]! : null,
        dkernel: dkernel ? outputs.at(-1)! : null,
        ...{ dy, x: dkernel ? x : null, kernel, index },
      });
    },
  });

/** Of each 2×2 window of y, the place of the largest. */
function largest(y: Reals, [n, h, w, c]: Shape): { index: Uint8Array; at: number[] } {
  const [, oh, ow] = pooledShape([n!, h!, w!, c!]) as [number, number, number];
  const at: number[] = [];
  const index: number[] = [];
  for (let e = 0; e < n! * oh * ow * c!; e++) {
    const channel = e % c!;
    const ox = Math.floor(e / c!) % ow;
    const oy = Math.floor(e / c! / ow) % oh;
    const image = Math.floor(e / c! / ow / oh);
    const places = [0, 1, 2, 3].map((q) => ((image * h! + 2 * oy + (q >> 1)) * w! + 2 * ox + (q & 1)) * c! + channel);
    const best = places.reduce((b, place, q) => (y[place]! > y[places[b]!]! ? q : b), 0);
    index.push(best);
    at.push(places[best]!);
  }
  return { index: Uint8Array.from(index), at };
}

const CASES: [pads: Geometry["pads"], x: Shape, kernel: Shape][] = [
  [
    [0, 0, 0, 0],
    [1, 3, 3, 4],
    [3, 3, 4, 4],
  ], // one pixel
  [
    [0, 0, 0, 0],
    [1, 4, 4, 4],
    [3, 3, 4, 8],
  ], // one tile
  [
    [1, 1, 1, 1],
    [1, 1, 1, 4],
    [3, 3, 4, 4],
  ], // less than a patch
  [
    [0, 0, 0, 0],
    [3, 5, 6, 8],
    [3, 3, 8, 4],
  ],
  [
    [1, 1, 1, 1],
    [2, 6, 7, 12],
    [3, 3, 12, 20],
  ],
  [
    [2, 2, 2, 2],
    [2, 5, 4, 4],
    [3, 3, 4, 16],
  ],
  [
    [0, 1, 2, 0],
    [4, 7, 5, 16],
    [3, 3, 16, 12],
  ],
  [
    [1, 1, 1, 1],
    [14, 9, 8, 20],
    [3, 3, 20, 32],
  ], // more images than chunks, more tiles than a block
  [
    [1, 1, 1, 1],
    [1, 3, 70, 8],
    [3, 3, 8, 72],
  ], // blocks that end within a row
];

for (const way of [winograd, winograd4])
  for (const [pads, x, kernel] of CASES) {
    const forced = forcedTo(way);
    // F(4×4, 3×3) is less exact
    const exact = way === winograd ? 1 : 5;
    const g = geometry({ pads });
    const y = outShape(x, kernel, g);
    const pooled = pooledShape(y);
    const title = `pads ${pads}`;
    const convolved = (t: Record<"x" | "kernel", Reals>) => forward(t.x, t.kernel, x, kernel, g);
    checkOp(forced, {
      title,
      attributes: g,
      cases: [{ x, kernel, bias: null }],
      shapes: () => [y],
      tolerance: exact * 5e-6,
      reference: convolved,
    });
    checkOp(forced, {
      title: `${title}, bias, ReLU`,
      attributes: { ...g, relu: true },
      cases: [{ x, kernel, bias: [kernel[3]!] }],
      shapes: () => [y],
      tolerance: exact * 5e-6,
      reference: (t) => convolved(t).map((v, i) => Math.max(0, v + t.bias[i % kernel[3]!]!)),
    });
    for (const [dx, dkernel] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const)
      checkOp(gradientsOf(way, dx, dkernel), {
        title: `${title}${dx ? ", dx" : ""}${dkernel ? ", dkernel" : ""}`,
        attributes: g,
        cases: [{ dy: y, x, kernel }],
        shapes: () => [...(dx ? [[...x]] : []), ...(dkernel ? [[...kernel]] : [])],
        tolerance: exact * 1e-5,
        reference(t, s) {
          const [wantedX, wantedKernel] = backward(t.dy, t.x, t.kernel, s, g);
          return [...(dx ? [wantedX!] : []), ...(dkernel ? [wantedKernel!] : [])];
        },
      });
    if (!size(pooled)) continue;
    checkOp(forced, {
      title: `${title}, pooled, bias, ReLU`,
      attributes: { ...g, relu: true, pooled: true },
      cases: [{ x, kernel, bias: [kernel[3]!] }],
      shapes: () => [pooled, [size(pooled) / 4]],
      tolerance: exact * 5e-6,
      reference(t) {
        const sums = convolved(t);
        const { at, index } = largest(sums, y);
        const wanted = at.map((place, i) => Math.max(0, sums[place]! + t.bias[i % kernel[3]!]!));
        return [wanted, new Float32Array(index.buffer)];
      },
    });
    const index = Uint8Array.from({ length: size(pooled) }, (_, i) => ((i * 7919) >> 3) & 3);
    checkOp(gradientsOf(way, true, true), {
      title: `${title}, pooled`,
      attributes: g,
      cases: [{ dy: pooled, x, kernel, index: { shape: [size(pooled) / 4], words: new Uint32Array(index.buffer) } }],
      shapes: () => [[...x], [...kernel]],
      tolerance: exact * 1e-5,
      reference(t) {
        const dy = new Float64Array(size(y));
        const [, h, w, c] = y as [number, number, number, number];
        const [, oh, ow] = pooled as [number, number, number];
        index.forEach((q, e) => {
          const ox = Math.floor(e / c) % ow;
          const oy = Math.floor(e / c / ow) % oh;
          const image = Math.floor(e / c / ow / oh);
          dy[((image * h + 2 * oy + (q >> 1)) * w + 2 * ox + (q & 1)) * c + (e % c)] = t.dy[e]!;
        });
        return backward(dy, t.x, t.kernel, { dy: y, x, kernel }, g);
      },
    });
  }

describe("the index of a pooled convolution", () => {
  const x: Shape = [1, 6, 6, 4];
  const kernel: Shape = [3, 3, 4, 4];
  /** y and its index for an x where the kernel's middle alone is 1, channel by channel. */
  function run(values: (row: number, column: number, c: number) => number) {
    const core = new Core("strict");
    const graph = new Graph();
    const [a, k] = [leaf(graph, x, core), leaf(graph, kernel, core, 2)];
    const words = new Float32Array(core.memory.buffer, a.place!.offset, size(x));
    words.forEach((_, i) => {
      words[i] = values(Math.floor(i / 24), Math.floor(i / 4) % 6, i % 4);
    });
    const taps = new Float32Array(core.memory.buffer, k.place!.offset, size(kernel)).fill(0);
    for (let c = 0; c < 4; c++) taps[4 * 16 + c * 5] = 1;
    const { outputs } = forcedTo(winograd)([a, k, null], { ...geometry(), pooled: true }).node!;
    for (const t of outputs) graph.kept.add(t);
    const { read } = runGraph(core, graph, plan(graph, 1));
    return { y: new Float32Array(read(outputs[0]!).buffer), index: [...new Uint8Array(read(outputs[1]!).buffer)] };
  }

  test("is row · 2 + column of the largest, the first of equals", () => {
    // windows of y are pixels (1, 1) … (2, 2), (1, 3) …, whose largest differ by channel
    expect(run((row, column, c) => +((row - 1) % 2 === c >> 1 && (column - 1) % 2 === (c & 1))).index).toEqual(
      Array.from({ length: 16 }, (_, i) => i % 4),
    );
    expect(run(() => 1).index).toEqual(new Array(16).fill(0));
  });

  test("is of the last NaN where there is one, which all of its tile are then", () => {
    const { y, index } = run((row, column) => (row === 2 && column === 1 ? NaN : 0));
    expect([...y.subarray(0, 4), ...y.subarray(12)]).toEqual([NaN, NaN, NaN, NaN, 0, 0, 0, 0]);
    expect([...index.slice(0, 4), ...index.slice(12)]).toEqual([3, 3, 3, 3, 0, 0, 0, 0]);
  });
});

describe("max pooling behind a convolution", () => {
  const attributes = { poolSize: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const;
  /** A convolution of 8 channels, bias and ReLU with a pooling behind them, and their gradients. */
  function run(pooling: Pooling, fused: boolean, threads = 1) {
    const core = new Core("strict");
    const graph = new Graph();
    const leaves = [
      leaf(graph, [3, 9, 8, 8], core, 1),
      leaf(graph, [3, 3, 8, 12], core, 2),
      leaf(graph, [12], core, 3),
    ];
    const [x, kernel, bias] = leaves as [Tensor, Tensor, Tensor];
    const sums = conv2d([x, kernel, null], geometry({ pads: [1, 1, 0, 0] }));
    const y = maxPooled(relu([biasAdd([sums, bias])]), pooling);
    graph.span = Span.backward;
    const found = gradient(graph, [[y, leaf(graph, y.shape, core, 4)]], leaves, (a, b) => add([a, b]));
    const results = [y, ...leaves.map((t) => found.get(t)!)];
    for (const t of results) graph.kept.add(t);
    prune(graph);
    if (fused) fuse(graph);
    const { read } = runGraph(core, graph, plan(graph, threads), threads);
    return { ops: names(graph), results: results.map((t) => new Float32Array(read(t).buffer)) };
  }

  test("is taken in, and its gradient", () => {
    const { ops, results } = run(attributes, true);
    expect(ops).toEqual(["conv2d", "reluBackward", "columnSums", "conv2dBackward"]);
    const apart = run(attributes, false);
    expect(apart.ops).toContain("maxPool2dBackward");
    results.forEach((values, i) => {
      const largest = Math.max(...apart.results[i]!.map(Math.abs));
      values.forEach((v, e) => {
        expect(Math.abs(v - apart.results[i]![e]!)).toBeLessThan(1e-6 * largest);
      });
    });
    for (const threads of [2, 3]) expect(run(attributes, true, threads).results).toEqual(results);
  });

  test("is not where its windows are others", () => {
    expect(run({ ...attributes, strides: [1, 2] }, true).ops).toContain("maxPool2d");
    expect(run({ ...attributes, poolSize: [3, 3] }, true).ops).toContain("maxPool2dBackward");
  });
});
