import { expect, test } from "vitest";
import { gradient, prune } from "../../ts/graph/gradient";
import { Graph, Span, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import * as ops from "../../ts/ops/convolution";
import { add } from "../../ts/ops/elementwise";
import type { Geometry } from "../../ts/ops/geometry";
import { checkCoverage, checkOp } from "../support/checkOp";
import { backward, forward, geometry, outShape, type Shape, size } from "../support/convolution";
import { Core } from "../support/core";
import { leaf } from "../support/graphs";
import { runGraph } from "../support/runGraph";

/** A geometry, an input and a kernel [kh, kw, channels a group, filters]. */
type Configuration = [Partial<Geometry>, Shape, Shape];

const CONFIGURATIONS: Configuration[] = [
  [{}, [1, 3, 3, 1], [3, 3, 1, 1]],
  [{}, [3, 5, 7, 1], [3, 3, 1, 8]],
  [{}, [1, 6, 5, 3], [3, 2, 3, 5]],
  [{}, [3, 7, 6, 8], [3, 3, 8, 17]],
  [{}, [1, 13, 13, 5], [1, 3, 5, 9]],
  [{}, [3, 1, 19, 3], [1, 5, 3, 4]], // conv1d
  [{ pads: [1, 1, 1, 1] }, [1, 4, 4, 3], [3, 3, 3, 8]],
  [{ pads: [1, 1, 1, 1] }, [3, 5, 6, 8], [3, 3, 8, 3]],
  [{ pads: [2, 1, 1, 2] }, [1, 5, 5, 17], [4, 4, 17, 5]],
  [{ pads: [2, 2, 2, 2] }, [1, 2, 1, 3], [5, 5, 3, 2]], // a window larger than the image
  [{ pads: [3, 0, 0, 3] }, [1, 2, 2, 1], [2, 2, 1, 9]], // rows and columns of zeros alone
  [{ strides: [2, 2] }, [3, 7, 9, 3], [3, 3, 3, 8]],
  [{ strides: [2, 2], pads: [0, 1, 0, 1] }, [3, 8, 8, 5], [3, 3, 5, 17]], // TensorFlow's same
  [{ strides: [2, 1], pads: [1, 1, 0, 0] }, [1, 9, 6, 8], [3, 3, 8, 8]],
  [{ strides: [3, 3] }, [1, 11, 10, 3], [2, 2, 3, 4]], // pixels that no window has
  [{ strides: [2, 2] }, [3, 8, 7, 8], [1, 1, 8, 9]],
  [{ dilation: [2, 2] }, [1, 7, 8, 3], [3, 3, 3, 8]],
  [{ dilation: [2, 2], pads: [2, 2, 2, 2] }, [3, 5, 5, 8], [3, 3, 8, 5]],
  [{ dilation: [1, 2], strides: [2, 2], pads: [1, 1, 2, 1] }, [1, 6, 9, 5], [3, 3, 5, 3]],
  [{ dilation: [2, 1] }, [1, 7, 5, 3], [2, 3, 3, 8]],
  [{ groups: 2 }, [3, 5, 5, 6], [3, 3, 3, 4]],
  [{ groups: 2, pads: [1, 1, 1, 1] }, [1, 4, 5, 16], [3, 3, 8, 20]],
  [{ groups: 3, strides: [2, 2], pads: [1, 0, 1, 0] }, [1, 7, 6, 9], [2, 3, 3, 24]],
  [{ groups: 2, dilation: [2, 2] }, [1, 6, 7, 10], [2, 2, 5, 6]],
  // few channels, filters in eights
  [{}, [1, 9, 13, 1], [3, 3, 1, 8]],
  [{ pads: [1, 1, 1, 1] }, [3, 8, 10, 3], [3, 3, 3, 16]],
  [{ strides: [2, 2], pads: [2, 3, 2, 3] }, [1, 9, 11, 3], [7, 7, 3, 8]],
  [{ pads: [0, 2, 0, 0], dilation: [2, 2], strides: [1, 2] }, [3, 5, 9, 4], [2, 3, 4, 8]],
  [{ pads: [4, 4, 4, 4] }, [1, 2, 2, 2], [3, 3, 2, 8]], // windows that meet no pixel
  [{ pads: [0, 0, 0, 2] }, [1, 4, 5, 1], [2, 3, 1, 24]],
  [{ strides: [3, 3] }, [3, 9, 9, 1], [2, 2, 1, 8]],
  // depthwise
  [{ groups: 3 }, [1, 5, 5, 3], [3, 3, 1, 3]],
  [{ groups: 8, pads: [1, 1, 1, 1] }, [3, 5, 4, 8], [3, 3, 1, 8]],
  [{ groups: 17, strides: [2, 2], pads: [0, 1, 1, 1] }, [3, 6, 7, 17], [3, 3, 1, 17]],
  [{ groups: 5, dilation: [2, 1], pads: [2, 2, 1, 1] }, [1, 6, 5, 5], [3, 3, 1, 5]],
  [{ groups: 5, strides: [3, 2] }, [1, 8, 9, 5], [2, 2, 1, 5]],
  [{ groups: 3, pads: [1, 1, 1, 1] }, [3, 4, 5, 3], [3, 3, 1, 6]], // two filters a channel
  [{ groups: 8, strides: [2, 2] }, [1, 5, 7, 8], [3, 2, 1, 24]],
  // Winograd's
  [{ pads: [1, 1, 1, 1] }, [3, 8, 7, 8], [3, 3, 8, 12]],
  [{ pads: [2, 0, 1, 2] }, [2, 7, 9, 20], [3, 3, 20, 8]],
  // products of matrices
  [{}, [3, 4, 5, 3], [1, 1, 3, 8]],
  [{}, [1, 1, 1, 17], [1, 1, 17, 5]],
  [{}, [1, 9, 8, 8], [1, 1, 8, 1]],
];

const nameOf = ({ strides, dilation, groups, pads }: Geometry) =>
  `strides ${strides}, dilation ${dilation}, groups ${groups}, pads ${pads}`;

for (const [partial, x, kernel] of CONFIGURATIONS) {
  const g = geometry(partial);
  const y = outShape(x, kernel, g);
  checkOp(ops.conv2d, {
    title: nameOf(g),
    attributes: g,
    cases: [{ x, kernel, bias: null }],
    shapes: () => [y],
    tolerance: 5e-6,
    gradientTolerance: 2e-5,
    reference: (t, s) => forward(t.x, t.kernel, s.x, s.kernel, g),
  });
  for (const relu of [false, true])
    checkOp(ops.conv2d, {
      title: `${nameOf(g)}, bias${relu ? ", ReLU" : ""}`,
      attributes: { ...g, relu },
      differentiated: false,
      cases: [{ x, kernel, bias: [kernel[3]!] }],
      shapes: () => [y],
      tolerance: 5e-6,
      reference({ x, kernel, bias }, s) {
        const sum = forward(x, kernel, s.x, s.kernel, g).map((v, i) => v + bias[i % bias.length]!);
        return relu ? sum.map((v) => Math.max(v, 0)) : sum;
      },
    });
  checkOp(ops.conv2dBackward, {
    title: nameOf(g),
    attributes: g,
    cases: [{ dy: y, x, kernel }],
    shapes: () => [[...x], [...kernel]],
    tolerance: 1e-5,
    reference: ({ dy, x, kernel }, s) => backward(dy, x, kernel, s, g),
  });
  checkOp(ops.conv2dTranspose, {
    title: nameOf(g),
    attributes: { ...g, size: [x[1]!, x[2]!] },
    cases: [{ x: y, kernel }],
    shapes: () => [[...x]],
    tolerance: 1e-5,
    gradientTolerance: 2e-5,
    reference(t, s) {
      const shapes = { dy: s.x, x, kernel: s.kernel };
      return backward(t.x, new Float64Array(size(x)), t.kernel, shapes, g)[0]!;
    },
  });
}

// deeper and wider than a block of the product, more pixels than a chunk's block
const LARGE: Configuration[] = [
  [{ pads: [1, 1, 1, 1] }, [2, 5, 5, 50], [3, 3, 50, 12]],
  [{ strides: [2, 2], pads: [0, 1, 0, 1] }, [2, 61, 44, 2], [3, 3, 2, 9]],
  [{ pads: [1, 1, 1, 1] }, [1, 70, 60, 3], [3, 3, 3, 4]],
  [{ groups: 64, pads: [1, 1, 1, 1] }, [2, 20, 20, 64], [3, 3, 1, 64]],
];
for (const [partial, x, kernel] of LARGE) {
  const g = geometry(partial);
  checkOp(ops.conv2d, {
    title: `${nameOf(g)}, large`,
    attributes: { ...g, relu: false },
    differentiated: false,
    cases: [{ x, kernel, bias: [kernel[3]!] }],
    shapes: () => [outShape(x, kernel, g)],
    tolerance: 2e-5,
    reference: (t, s) => forward(t.x, t.kernel, s.x, s.kernel, g).map((v, i) => v + t.bias[i % t.bias.length]!),
  });
  checkOp(ops.conv2dBackward, {
    title: `${nameOf(g)}, large`,
    attributes: g,
    cases: [{ dy: outShape(x, kernel, g), x, kernel }],
    shapes: () => [[...x], [...kernel]],
    tolerance: 5e-5,
    reference: ({ dy, x, kernel }, s) => backward(dy, x, kernel, s, g),
  });
}

checkOp(ops.conv2d, {
  title: "errors",
  attributes: geometry({ groups: 2 }),
  cases: [],
  reference: () => [],
  wrong: [
    [{ x: [1, 5, 4], kernel: [3, 3, 2, 2], bias: null }, /expected input of shape \[n, h, w, c\], got \[1, 5, 4\]/],
    [{ x: [1, 5, 5, 3], kernel: [3, 3, 1, 2], bias: null }, /expected channels divisible by groups \(2\), got 3/],
    [{ x: [1, 5, 5, 4], kernel: [3, 3, 2, 3], bias: null }, /expected filters divisible by groups \(2\), got 3/],
    [
      { x: [1, 5, 5, 4], kernel: [3, 3, 4, 2], bias: null },
      /expected kernel of shape \[kh, kw, 2, o\], got \[3, 3, 4, 2\]/,
    ],
    [
      { x: [1, 2, 5, 4], kernel: [3, 3, 2, 2], bias: null },
      /expected a window no larger than the input, \[2, 5\], got \[3, 3\]/,
    ],
  ],
});
checkOp(ops.conv2dTranspose, {
  title: "errors",
  attributes: { ...geometry(), size: [5, 5] },
  cases: [],
  reference: () => [],
  wrong: [[{ x: [1, 4, 4, 2], kernel: [3, 3, 8, 2] }, /expected input of shape \[1, 3, 3, 2\], got \[1, 4, 4, 2\]/]],
});

test("a gradient that nobody asks for is not computed", () => {
  const core = new Core("strict");
  const run = (wanted: (x: Tensor, kernel: Tensor) => Tensor[]) => {
    core.clear();
    const graph = new Graph();
    const x = leaf(graph, [2, 6, 6, 3], core, 1);
    const kernel = leaf(graph, [3, 3, 3, 4], core, 2);
    const dy = leaf(graph, [2, 4, 4, 4], core, 3);
    const y = ops.conv2d([x, kernel, null], geometry());
    graph.span = Span.backward;
    const found = gradient(graph, [[y, dy]], wanted(x, kernel), (a, b) => add([a, b]));
    for (const g of found.values()) graph.kept.add(g);
    prune(graph);
    const { tape, read } = runGraph(core, graph, plan(graph, 1));
    return { results: [...found.values()].map(read), instructions: tape.instructions.length };
  };
  const both = run((x, kernel) => [x, kernel]);
  const dx = run((x) => [x]);
  const dkernel = run((_, kernel) => [kernel]);
  expect(dx.results[0]).toEqual(both.results[0]);
  expect(dkernel.results[0]).toEqual(both.results[1]);
  expect(dx.instructions + dkernel.instructions).toBe(both.instructions);
});

checkCoverage(ops);
