import { expect, test } from "vitest";
import { Base } from "../../assembly/isa";
import { fuse } from "../../ts/graph/fuse";
import { prune } from "../../ts/graph/gradient";
import { Graph, type Shape, sizeOf } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { relu } from "../../ts/ops/activations";
import { biasAdd } from "../../ts/ops/bias";
import * as ops from "../../ts/ops/pooling";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";
import { Core } from "../support/core";
import { given, leaf, names } from "../support/graphs";
import { runGraph } from "../support/runGraph";

/** What of each window lies within the image: its output's element, positions within the window, elements of x. */
function windows(x: Shape, { poolSize, strides, pads }: ops.Pooling) {
  const [n, height, width, channels] = x as [number, number, number, number];
  const outH = Math.floor((height + pads[0] + pads[1] - poolSize[0]) / strides[0]) + 1;
  const outW = Math.floor((width + pads[2] + pads[3] - poolSize[1]) / strides[1]) + 1;
  const shape = [n, outH, outW, channels];
  const found = Array.from({ length: sizeOf(shape) }, (_, e) => {
    const c = e % channels;
    const ox = Math.floor(e / channels) % outW;
    const oy = Math.floor(e / channels / outW) % outH;
    const image = Math.floor(e / channels / outW / outH);
    const places: [position: number, element: number][] = [];
    for (let ky = 0; ky < poolSize[0]; ky++)
      for (let kx = 0; kx < poolSize[1]; kx++) {
        const iy = oy * strides[0] - pads[0] + ky;
        const ix = ox * strides[1] - pads[2] + kx;
        if (iy >= 0 && iy < height && ix >= 0 && ix < width)
          places.push([ky * poolSize[1] + kx, ((image * height + iy) * width + ix) * channels + c]);
      }
    return places;
  });
  return { shape, found };
}

/** Of each window the position and the element of the largest. */
const largest = (x: Reals, { found }: ReturnType<typeof windows>) =>
  found.map((places) => places.reduce((best, place) => (x[place[1]]! > x[best[1]]! ? place : best)));

/** Positions as the op packs them: as floats, whatever these are. */
function packed(positions: number[], count: number): Float32Array {
  if (count > 256) return new Float32Array(Uint32Array.from(positions).buffer);
  const bytes = new Uint8Array(Math.ceil(positions.length / 4) * 4);
  bytes.set(positions);
  return new Float32Array(bytes.buffer);
}

type Windows = [poolSize: [number, number], strides: [number, number], pads: [number, number, number, number]];
const NONE: Windows[2] = [0, 0, 0, 0];
const KINDS: [...Windows, shapes: number[][]][] = [
  // side by side, with what is left at the right and at the bottom; channels in eights, in sixteens, and not
  [
    [2, 2],
    [2, 2],
    NONE,
    [
      [1, 2, 2, 1],
      [2, 5, 4, 3],
      [1, 4, 7, 8],
      [3, 6, 6, 16],
      [2, 5, 5, 40],
      [1, 7, 6, 21],
      [2, 11, 11, 64],
    ],
  ],
  [
    [3, 3],
    [3, 3],
    NONE,
    [
      [2, 7, 9, 5],
      [1, 9, 6, 16],
      [2, 6, 6, 50],
    ],
  ],
  [
    [2, 2],
    [2, 2],
    [0, 1, 0, 1],
    [
      [2, 5, 7, 4],
      [1, 3, 3, 33],
    ],
  ], // same
  // overlapping
  [
    [3, 3],
    [2, 2],
    NONE,
    [
      [1, 7, 7, 2],
      [2, 9, 8, 16],
      [1, 7, 9, 71],
    ],
  ],
  [
    [3, 2],
    [1, 1],
    [1, 1, 0, 1],
    [
      [2, 4, 5, 7],
      [1, 5, 6, 24],
    ],
  ],
  [
    [1, 3],
    [1, 2],
    [0, 0, 1, 1],
    [
      [2, 3, 8, 3],
      [1, 2, 7, 32],
    ],
  ],
  // gaps
  [
    [1, 2],
    [3, 4],
    NONE,
    [
      [2, 8, 11, 5],
      [1, 6, 9, 17],
    ],
  ],
  [
    [1, 1],
    [1, 1],
    NONE,
    [
      [2, 3, 3, 6],
      [1, 2, 2, 16],
    ],
  ],
  // all
  [[6, 5], [6, 5], NONE, [[3, 6, 5, 19]]],
  [[17, 16], [17, 16], NONE, [[2, 17, 16, 18]]], // 272 positions
  [[16, 16], [2, 2], NONE, [[1, 18, 16, 18]]], // 256
];

/** No two within a window are near each other, so that differences meet no kink. */
const spaced = (i: number, shape: Shape) => ((i * 7919) % sizeOf(shape)) / 64 - sizeOf(shape) / 150;

for (const [poolSize, strides, pads, shapes] of KINDS) {
  const attributes = { poolSize, strides, pads };
  const title = `${poolSize} by ${strides}, pads ${pads}`;
  const shapeOf = ({ x }: { x: Shape }) => [windows(x, attributes).shape];
  const indexed = (x: Shape): Shape[] => {
    const { shape } = windows(x, attributes);
    return [shape, [sizeOf(poolSize) > 256 ? sizeOf(shape) : Math.ceil(sizeOf(shape) / 4)]];
  };
  checkOp(ops.maxPool2d, {
    title,
    attributes,
    cases: shapes.map((x) => ({ x })),
    values: { x: spaced },
    shapes: ({ x }) => indexed(x),
    reference({ x }, shapes) {
      const best = largest(x, windows(shapes.x, attributes));
      return [
        best.map(([, element]) => x[element]!),
        packed(
          best.map(([position]) => position),
          sizeOf(poolSize),
        ),
      ];
    },
  });
  for (const relu of [false, true])
    checkOp(ops.maxPool2d, {
      title: `${title}, bias${relu ? ", ReLU" : ""}`,
      attributes: { ...attributes, relu },
      differentiated: false,
      cases: shapes.map((x) => ({ x, bias: [x.at(-1)!] })),
      values: { x: spaced },
      shapes: ({ x }) => indexed(x),
      reference({ x, bias }, shapes) {
        const best = largest(x, windows(shapes.x, attributes));
        const y = best.map(([, element]) => x[element]! + bias[element % bias.length]!);
        return [
          y.map((v) => (relu ? Math.max(0, v) : v)),
          packed(
            best.map(([p]) => p),
            sizeOf(poolSize),
          ),
        ];
      },
    });
  for (const to of shapes) {
    const { shape, found } = windows(to, attributes);
    const chosen = found.map((places, e) => places[(e * 5) % places.length]!);
    const positions = chosen.map(([position]) => position);
    const words = new Uint32Array(packed(positions, sizeOf(poolSize)).buffer);
    checkOp(ops.maxPool2dBackward, {
      title: `${title}, to ${to}`,
      attributes: { ...attributes, to },
      cases: [{ dy: shape, index: { shape: [words.length], words } }],
      shapes: () => [to],
      reference({ dy }) {
        const dx = new Float64Array(sizeOf(to));
        chosen.forEach(([, element], e) => {
          dx[element]! += dy[e]!;
        });
        return dx;
      },
    });
  }
  for (const sum of [false, true]) {
    const scale = (places: unknown[]) => (sum ? 1 : 1 / places.length);
    checkOp(ops.averagePool2d, {
      title: `${title}, ${sum ? "sums" : "means"}`,
      attributes: { ...attributes, sum },
      cases: shapes.map((x) => ({ x })),
      shapes: shapeOf,
      reference: ({ x }, shapes) =>
        windows(shapes.x, attributes).found.map(
          (places) => places.reduce((s, [, element]) => s + x[element]!, 0) * scale(places),
        ),
    });
    for (const to of shapes)
      checkOp(ops.spread2d, {
        title: `${title}, ${sum ? "sums" : "means"}, to ${to}`,
        attributes: { ...attributes, sum, to },
        cases: [{ y: windows(to, attributes).shape }],
        shapes: () => [to],
        reference({ y }) {
          const x = new Float64Array(sizeOf(to));
          windows(to, attributes).found.forEach((places, e) => {
            for (const [, element] of places) x[element]! += y[e]! * scale(places);
          });
          return x;
        },
      });
  }
}
// what counts as the largest, by vectors and by single elements
test.each([2, 8, 16, 21])("of equals the first, of NaN the last: %i channels", (channels) => {
  const pixels = [
    [1, 3, 3, 2],
    [-0, 0, -1, 0],
    [5, NaN, 7, 6],
    [NaN, 1, NaN, 2],
    [-Infinity, -Infinity, -Infinity, -Infinity],
    [0, 0, 0, 1],
  ];
  const best = [1, 0, 1, 2, 0, 3];
  for (const poolSize of [
    [2, 2],
    [1, 4],
  ] as const) {
    const core = new Core("strict");
    const graph = new Graph();
    const values = [0, 1, 2, 3].flatMap((k) => Array.from({ length: channels }, (_, c) => pixels[c % 6]![k]!));
    const leaf = graph.leaf([1, ...poolSize, channels], "x", {
      base: Base.absolute,
      offset: core.floats(values).address,
    });
    const [y, index] = ops.maxPool2d([given([leaf])], { poolSize, strides: poolSize, pads: NONE }).node!.outputs;
    graph.kept.add(y!).add(index!);
    const { read } = runGraph(core, graph, plan(graph, 1), 1);
    const numbers = new Uint8Array(read(index!).buffer);
    const largest = new Float32Array(read(y!).buffer);
    for (let c = 0; c < channels; c++) {
      expect(numbers[c]).toBe(best[c % 6]);
      expect(largest[c]).toBe(pixels[c % 6]![best[c % 6]!]);
    }
  }
});

test("is built before ReLU and bias, and takes them in", () => {
  const graph = new Graph();
  const x = given([leaf(graph, [1, 4, 4, 8])]);
  const added = biasAdd([x, leaf(graph, [8])]);
  const y = ops.maxPooled(relu([added]), { poolSize: [2, 2], strides: [2, 2], pads: NONE });
  graph.kept.add(y);
  prune(graph);
  expect(names(graph)).toEqual(["given", "maxPool2d", "biasAdd", "relu"]);
  fuse(graph);
  expect(names(graph)).toEqual(["given", "maxPool2d"]);
  expect(graph.nodes[1]!.outputs).toHaveLength(2);
});

test("what else reads the ReLU has it", () => {
  const graph = new Graph();
  const whole = relu([given([leaf(graph, [1, 4, 4, 8])])]);
  graph.kept.add(whole).add(ops.maxPooled(whole, { poolSize: [2, 2], strides: [2, 2], pads: NONE }));
  prune(graph);
  expect(names(graph)).toEqual(["given", "relu", "maxPool2d", "relu"]);
});

checkCoverage(ops);
