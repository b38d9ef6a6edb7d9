// Layers of several inputs, and those that lay an example out anew.

import { afterAll, describe, expect, it, test } from "vitest";
import {
  add,
  average,
  concatenate,
  dense,
  functional,
  init,
  input,
  type Layer,
  loadModel,
  type Model,
  maximum,
  meanSquaredError,
  multiply,
  type NDArray,
  permute,
  reshape,
  type Symbolic,
  saveModel,
  sequential,
  setSeed,
  sgd,
  subtract,
  weightsHash,
} from "../../ts/index";
import { any, floats, thrown } from "../support/contract";
import "../support/everyTeam";

const ROWS = 3;
const array = (shape: number[], seed: number): NDArray => ({
  data: floats(ROWS * shape.reduce((n, d) => n * d, 1), seed),
  shape: [ROWS, ...shape],
});

interface Case {
  layer: () => Layer;
  shapes: number[][];
  /** One example's output and its shape, from one example's inputs. */
  shape: number[];
  of(...inputs: Float32Array[]): number[];
}

const each =
  (f: (...numbers: number[]) => number) =>
  (...inputs: Float32Array[]) =>
    Array.from(inputs[0]!, (_, i) => f(...inputs.map((x) => x[i]!)));
const three = [
  [2, 3],
  [2, 3],
  [2, 3],
];
const cases: Record<string, Case> = {
  add: { layer: () => add(), shapes: three, shape: [2, 3], of: each((a, b, c) => a! + b! + c!) },
  subtract: { layer: () => subtract(), shapes: [[4], [4]], shape: [4], of: each((a, b) => a! - b!) },
  multiply: { layer: () => multiply(), shapes: three, shape: [2, 3], of: each((a, b, c) => a! * b! * c!) },
  average: { layer: () => average(), shapes: three, shape: [2, 3], of: each((a, b, c) => (a! + b! + c!) / 3) },
  maximum: { layer: () => maximum(), shapes: three, shape: [2, 3], of: each((...all) => Math.max(...all)) },
  "add of numbers": { layer: () => add(), shapes: [[], []], shape: [], of: each((a, b) => a! + b!) },
  concatenate: {
    layer: () => concatenate(),
    shapes: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    shape: [2, 6],
    of: (a, b, c) => [0, 1].flatMap((i) => [...a!.slice(i * 3, i * 3 + 3), b![i]!, ...c!.slice(i * 2, i * 2 + 2)]),
  },
  "concatenate along 1": {
    layer: () => concatenate({ axis: 1 }),
    shapes: [
      [2, 3],
      [1, 3],
    ],
    shape: [3, 3],
    of: (a, b) => [...a!, ...b!],
  },
  "concatenate along −2": {
    layer: () => concatenate({ axis: -2 }),
    shapes: [
      [1, 2],
      [3, 2],
    ],
    shape: [4, 2],
    of: (a, b) => [...a!, ...b!],
  },
  reshape: { layer: () => reshape([3, 4]), shapes: [[2, 6]], shape: [3, 4], of: (x) => [...x!] },
  "reshape, −1": { layer: () => reshape([2, -1, 2]), shapes: [[12]], shape: [2, 3, 2], of: (x) => [...x!] },
  "reshape to numbers": { layer: () => reshape([]), shapes: [[1, 1]], shape: [], of: (x) => [...x!] },
  permute: {
    layer: () => permute([2, 1]),
    shapes: [[3, 5]],
    shape: [5, 3],
    of: (x) => Array.from({ length: 15 }, (_, i) => x![(i % 3) * 5 + Math.floor(i / 3)]!),
  },
  "permute of three": {
    layer: () => permute([3, 1, 2]),
    shapes: [[2, 3, 4]],
    shape: [4, 2, 3],
    of: (x) => Array.from({ length: 24 }, (_, i) => x![(i % 6) * 4 + Math.floor(i / 6)]!),
  },
};

function modelOf({ layer, shapes }: Case): Model<NDArray> {
  const inputs = shapes.map((shape) => input(shape));
  return functional({ inputs, outputs: layer()(inputs) });
}

describe.each(Object.entries(cases))("%s", (_, c) => {
  const xs = c.shapes.map((shape, i) => array(shape, i + 1));

  it("is what its formula says, of each example", () => {
    using model = modelOf(c);
    const { data, shape } = model.predict(xs);
    expect(shape).toEqual([ROWS, ...c.shape]);
    const size = data.length / ROWS;
    for (let row = 0; row < ROWS; row++) {
      const one = xs.map(({ data }) => data.slice((row * data.length) / ROWS, ((row + 1) * data.length) / ROWS));
      c.of(...one).forEach((v, i) => {
        expect(data[row * size + i]).toBeCloseTo(v, 6);
      });
    }
  });

  it("gives each input its gradient", () => {
    using model = modelOf(c);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const y = array(c.shape, 9);
    const inputs = model.gradients(xs, y).inputs as NDArray[];
    const h = 1 / 64;
    inputs.forEach((g, i) => {
      expect(g.shape).toEqual(xs[i]!.shape);
      g.data.forEach((d, k) => {
        const at = (step: number) => {
          const moved = xs.map(({ data, shape }) => ({ data: data.slice(), shape }));
          moved[i]!.data[k]! += step;
          return model.gradients(moved, y).loss;
        };
        expect(d).toBeCloseTo((at(h) - at(-h)) / (2 * h), 3);
      });
    });
  });

  it("goes through a file", async () => {
    using model = modelOf(c);
    using loaded = await loadModel(await saveModel(model as Model));
    expect(loaded.config).toEqual(model.config);
    expect(loaded.predict(xs)).toEqual(model.predict(xs));
  });
});

test("an input given twice counts twice", () => {
  const x = input([2]);
  using model = functional({ inputs: x, outputs: multiply()([x, x]) });
  model.compile({ optimizer: sgd(), loss: meanSquaredError() });
  expect([...model.predict([[3, -4]]).data]).toEqual([9, 16]);
  // d/dx mean (x² − 0)² = 4x³/2
  expect([...(model.gradients([[3, -4]], [[0, 0]]).inputs as NDArray).data]).toEqual([54, -128]);
});

afterAll(() => init());

test("a network with branches trains to the same bits on 1, 2 and 3 threads", async () => {
  const hashes: string[] = [];
  for (const threads of [1, 2, 3]) {
    const runtime = await init({ threads });
    setSeed(5);
    const x = input([24, 16]);
    let h = permute([2, 1])(x);
    h = add()([h, dense(24, { activation: "tanh" })(h), dense(24)(h)]);
    const sides: Symbolic[] = [dense(40, { activation: "relu" })(h), dense(40)(h)];
    const both = concatenate()([maximum()(sides), average()(sides), multiply()(sides), subtract()(sides)]);
    using model = functional({ inputs: x, outputs: dense(3)(reshape([-1])(both)) });
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const batch: NDArray = { data: floats(61 * 384), shape: [61, 24, 16] };
    for (let i = 0; i < 3; i++) model.trainOnBatch(batch, { data: floats(183, 2), shape: [61, 3] });
    hashes.push(await weightsHash(model as Model));
    runtime.dispose();
  }
  expect(new Set(hashes).size).toBe(1);
});

test("names, summary and shapes", () => {
  const x = input([6]);
  const y = add()([dense(4)(x), dense(4)(x)]);
  using model = functional({ inputs: x, outputs: concatenate({ name: "both" })([y, x]) });
  expect(model.layers.map(({ name }) => name)).toEqual(["dense_1", "dense_2", "add_1", "both"]);
  expect(model.summary()).toMatch(/both +concatenate +\[n, 10\]/);
});

describe("what they refuse", () => {
  const [x4, x5, x23] = [input([4]), input([5]), input([2, 3])];

  it("another number of inputs", () => {
    for (const layer of [add(), multiply(), average(), maximum(), concatenate()])
      for (const given of [x4, [x4], []])
        thrown("argument", () => layer(given), /: expected a list of at least two inputs, got [01]$/);
    thrown("argument", () => subtract({ name: "s" })([x4, x4, x4]), "s: expected a list of two inputs, got 3");
    thrown("argument", () => subtract()(x4), "subtract: expected a list of two inputs, got 1");
    thrown("argument", () => dense(2)([x4, x4]), "dense: expected one input, got 2");
    thrown("argument", () => reshape([2, 2])([x4, x4]));
    thrown("argument", () => sequential([dense(3, { inputShape: [2] }), add()]));
    thrown("argument", () => add()(any([x4, 3])));
  });

  it("inputs of other shapes", () => {
    thrown("shape", () => add({ name: "a" })([x4, x5]), "a: expected input 2 of shape [n, 4], got [n, 5]");
    thrown("shape", () => maximum()([x4, x4, x23]), "maximum: expected input 3 of shape [n, 4], got [n, 2, 3]");
    thrown("shape", () => add()([x4, input([1])]));
    thrown(
      "shape",
      () => concatenate({ axis: 1 })([x23, input([2, 4])]),
      /input 2 of shape \[n, 2, 3\], got \[n, 2, 4\]/,
    );
    thrown("shape", () => concatenate()([x23, x4]), /^concatenate: expected input 2 of shape/);
  });

  it("the batch, and axes that are not there", () => {
    for (const axis of [0, 1.5, "1", Number.NaN, null, -0])
      thrown("argument", () => concatenate({ axis: any(axis) }), /^concatenate: axis must be an integer other than 0/);
    for (const axis of [2, -2, -3])
      thrown("argument", () => concatenate({ axis })([x4, x5]), /^concatenate: expected axis/);
    thrown("argument", () => concatenate({ axis: 3 })([x23, x23]), /one of the 2 behind the batch, got 3/);
  });

  it("shapes that do not fit, and what is no shape", () => {
    thrown(
      "shape",
      () => reshape([3], { name: "r" })(x4),
      "r: expected input of shape [n, …] that makes [n, 3], got [n, 4]",
    );
    thrown("shape", () => reshape([-1, 3])(x4), /makes \[n, -1, 3\], got \[n, 4\]/);
    for (const shape of [[-1, -1], [0], [-2], [1.5], ["2"], 4, null, undefined, [Number.NaN]])
      thrown("argument", () => reshape(any(shape)), /^reshape: shape must be a list of positive integers/);
  });

  it("orders that are none", () => {
    for (const dims of [[], [0, 1], [1, 1], [2], [1, 3], [1.5], "12", 1, null, undefined])
      thrown("argument", () => permute(any(dims)), /^permute: dims must be a list of the axes 1, 2, …/);
    thrown("shape", () => permute([2, 1])(x4), /^permute: expected input of shape \[n, …\] with 2 axes, got \[n, 4\]/);
  });
});

test("a list given to a factory is copied", () => {
  const [dims, shape] = [
    [2, 1],
    [3, 2],
  ];
  const layers = [permute(dims), reshape(shape)];
  dims.push(3);
  shape.push(4);
  expect(layers.map(({ config }) => config["dims"] ?? config["shape"])).toEqual([
    [2, 1],
    [3, 2],
  ]);
});
