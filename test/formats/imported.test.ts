// The layers that imported models have beside those that users name: values and gradients against float64, equal bits on 1, 2
// and 3 threads, files, and names that are nobody else's.

import { describe, expect, test } from "vitest";
import { isBuiltin } from "../../ts/custom/builtins";
import * as d from "../../ts/index";
import { clip, logSoftmax, paddedPool2d, slice } from "../../ts/layers/imported";
import { any, bitsOf, floats, weightBits } from "../support/contract";
import { node, onnxFile } from "../support/onnxFiles";
import "../support/builds"; // relaxed SIMD on Node 20
import "../support/everyTeam";
import { teamsOf } from "../support/teams";

interface Case {
  make: (options?: object) => d.Layer;
  /** Of an example. */
  shape: readonly number[];
  /** What it makes of one example, in float64. */
  reference: (x: number[]) => number[];
}

/** Windows over an image [h, w, c] of which only what lies within counts. */
function pooled(
  [h, w, c]: readonly number[],
  [poolH, poolW]: readonly number[],
  [strideH, strideW]: readonly number[],
  [top, bottom, left, right]: readonly number[],
  average: boolean,
) {
  return (x: number[]): number[] => {
    const y: number[] = [];
    for (let i = -top!; i + poolH! <= h! + bottom!; i += strideH!)
      for (let j = -left!; j + poolW! <= w! + right!; j += strideW!)
        for (let k = 0; k < c!; k++) {
          const window: number[] = [];
          for (let p = Math.max(i, 0); p < Math.min(i + poolH!, h!); p++)
            for (let q = Math.max(j, 0); q < Math.min(j + poolW!, w!); q++) window.push(x[(p * w! + q) * c! + k]!);
          y.push(average ? window.reduce((a, b) => a + b, 0) / window.length : Math.max(...window));
        }
    return y;
  };
}

const pool = (average: boolean, strides: [number, number], pads: [number, number, number, number]): Case => ({
  make: (options) => paddedPool2d([3, 2], { ...options, strides, pads, average }),
  shape: [6, 5, 4],
  reference: pooled([6, 5, 4], [3, 2], strides, pads, average),
});

const cases: Record<string, Case> = {
  "paddedPool2d, the largest": pool(false, [2, 1], [2, 0, 0, 1]),
  "paddedPool2d, the largest, windows apart": pool(false, [4, 3], [0, 2, 1, 1]),
  "paddedPool2d, the mean": pool(true, [2, 1], [1, 2, 1, 0]),
  "paddedPool2d, the mean, windows apart": pool(true, [4, 3], [2, 1, 0, 1]),
  "logSoftmax of rows": {
    make: (options) => logSoftmax(options),
    shape: [11],
    reference: (x) => x.map((v) => v - Math.log(x.reduce((sum, u) => sum + Math.exp(u), 0))),
  },
  "logSoftmax of an image": {
    make: (options) => logSoftmax(options),
    shape: [3, 2, 5],
    reference: (x) =>
      x.map((v, i) => v - Math.log(x.slice(i - (i % 5), i - (i % 5) + 5).reduce((sum, u) => sum + Math.exp(u), 0))),
  },
  "slice of a row": {
    make: (options) => slice([3], [6], options),
    shape: [11],
    reference: (x) => x.slice(3, 9),
  },
  "slice of an image": {
    make: (options) => slice([1, 0, 2], [2, 3, 2], options),
    shape: [4, 3, 5],
    reference: (x) => x.filter((_, i) => i % 5 >= 2 && i % 5 < 4 && i >= 15 && i < 45),
  },
  "clip, both bounds": {
    make: (options) => clip({ ...options, low: -0.3, high: 0.6 }),
    shape: [4, 7],
    reference: (x) => x.map((v) => Math.min(Math.max(v, Math.fround(-0.3)), Math.fround(0.6))),
  },
  "clip, below": {
    make: (options) => clip({ ...options, low: -0.3 }),
    shape: [9],
    reference: (x) => x.map((v) => Math.max(v, Math.fround(-0.3))),
  },
  "clip, above": {
    make: (options) => clip({ ...options, high: 0.6 }),
    shape: [9],
    reference: (x) => x.map((v) => Math.min(v, Math.fround(0.6))),
  },
};

const N = 3;
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const dataOf = (n: number, shape: readonly number[], seed = 1) => ({
  data: floats(n * sizeOf(shape), seed),
  shape: [n, ...shape],
});
const rowsOf = (x: ArrayLike<number>, size: number) =>
  Array.from({ length: x.length / size }, (_, i) => Array.from(x).slice(i * size, (i + 1) * size));

describe.each(Object.entries(cases))("%s", (_, { make, shape, reference }) => {
  const x = dataOf(N, shape);
  const outputs = (numbers: ArrayLike<number>) => rowsOf(numbers, sizeOf(shape)).flatMap(reference);
  const model = () => {
    const made = d.sequential([make({ inputShape: shape })]);
    made.compile({ optimizer: d.sgd(), loss: d.meanSquaredError() });
    return made;
  };

  test("its numbers", () => {
    const y = model().predict(x) as d.NDArray;
    const expected = outputs(x.data);
    expect(y.data.length).toBe(expected.length);
    expected.forEach((v, i) => {
      expect(y.data[i]).toBeCloseTo(v, 5);
    });
  });

  test("its gradient: central differences in float64", () => {
    const made = model();
    const target = made.predict(x) as d.NDArray;
    const y = { ...target, data: target.data.map((v, i) => v - Math.cos(3 * i)) };
    const given = (made.gradients(x, y).inputs as d.NDArray).data;
    const loss = (numbers: number[]) => {
      const all = outputs(numbers);
      return all.reduce((sum, v, i) => sum + (v - y.data[i]!) ** 2, 0) / all.length;
    };
    const numbers = Array.from(x.data);
    const h = 1e-6;
    const differences = numbers.map((v, i) => {
      const [more, less] = [v + h, v - h].map((u) => loss(numbers.with(i, u))) as [number, number];
      return (more - less) / (2 * h);
    });
    const scale = Math.max(...differences.map(Math.abs));
    expect(scale).toBeGreaterThan(0);
    differences.forEach((v, i) => {
      expect(Math.abs(given[i]! - v)).toBeLessThan(1e-5 * (1 + scale));
    });
  });

  test("goes through a file", async () => {
    const made = model();
    const loaded = await d.loadModel(await d.saveModel(made));
    expect(bitsOf(any(loaded.predict(x)))).toEqual(bitsOf(any(made.predict(x))));
  });
});

describe.each([false, true])("the same bits on 1, 2 and 3 threads, fastMath %s", (fastMath) => {
  const teams = teamsOf(fastMath);

  test.each(Object.entries(cases))("%s", (_, { make, shape }) => {
    const [x, rows] = [dataOf(48, shape), { data: floats(96, 3), shape: [48, 2] }];
    const trained = (runtime: d.Runtime) => {
      d.setSeed(4);
      // a dense layer of as many features as there were
      const body = [d.dense(shape.at(-1)!, { inputShape: shape }), make(), d.flatten(), d.dense(2)];
      const model = d.sequential(body, { runtime });
      model.compile({ optimizer: d.adam({ learningRate: 0.01 }), loss: d.meanSquaredError() });
      const losses = Array.from({ length: 4 }, () => model.trainOnBatch(x, rows)["loss"]!);
      const found = [losses, weightBits(model), bitsOf(model.predict(x) as d.NDArray)] as const;
      model.dispose();
      return found;
    };
    const one = trained(teams[0]!);
    expect(one[0][3]).toBeLessThan(one[0][0]!);
    for (const team of teams.slice(1)) expect(trained(team)).toEqual(one);
  });
});

test("their types are not those of layers of a user's own", () => {
  const types = Object.values(cases).map(({ make }) => make().config.type);
  for (const type of types) expect(isBuiltin("layer", type), type).toBe(true);
  // names that users give, of layers that do something else
  const own = ["slice", "clip", "logSoftmax"].map((type) => {
    const twice = d.defineLayer({
      type,
      call: any((x: unknown, _: unknown, ops: { add: (...a: unknown[]) => unknown }) => ops.add(x, x)),
    });
    return d.sequential([any(twice)({ inputShape: [2] })]);
  });
  const bytes = onnxFile({
    nodes: [node("LogSoftmax", ["x"], "h"), node("Min", ["h", "x"], "y")],
    inputs: { x: ["n", 2] },
  });
  d.importOnnx(bytes).predict([[1, 2]]);
  clip({ low: 0 });
  slice([0], [1]);
  for (const model of own) expect([...(model.predict([[1, 2]]) as d.NDArray).data]).toEqual([2, 4]);
});
