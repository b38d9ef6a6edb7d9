// "Values": what counts as an array, what must be in it, and whose the results are.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  dense,
  dropout,
  functional,
  input,
  meanSquaredError,
  relu,
  rescaling,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, bitsOf, classifier, floats, labels, rejected, thrown, weightBits } from "../support/contract";

const linear = (units = 1, width = 2, loss = meanSquaredError()) => {
  setSeed(1);
  const model = sequential([dense(units, { inputShape: [width] })]);
  model.compile({ optimizer: sgd(), loss });
  return model;
};

describe("any array of numbers is taken", () => {
  const nested = [
    [1, 2],
    [3, 4],
    [5, 6],
  ];
  const flat = nested.flat();
  const shared = new Float32Array(new SharedArrayBuffer(24));
  shared.set(flat);
  const offset = new Float32Array(10);
  offset.set(flat, 3);
  const kinds: [string, unknown][] = [
    ["Float32Array", Float32Array.from(flat)],
    ["Float64Array", Float64Array.from(flat)],
    ["Int32Array", Int32Array.from(flat)],
    ["Int8Array", Int8Array.from(flat)],
    ["Uint8Array", Uint8Array.from(flat)],
    ["Uint8ClampedArray", Uint8ClampedArray.from(flat)],
    ["Int16Array", Int16Array.from(flat)],
    ["Uint16Array", Uint16Array.from(flat)],
    ["Uint32Array", Uint32Array.from(flat)],
    ["Buffer", Buffer.from(flat)],
    ["on a SharedArrayBuffer", shared],
    ["a view with an offset", offset.subarray(3, 9)],
    ["a byte view with an odd offset", new Uint8Array(new Uint8Array([0, ...flat]).buffer, 1)],
    ["NDArray", { data: Float32Array.from(flat), shape: [3, 2] }],
    ["frozen NDArray", Object.freeze({ data: Int8Array.from(flat), shape: Object.freeze([3, 2]) })],
  ];
  const model = linear(3);
  const want = bitsOf(model.predict(nested));
  it.each(kinds)("predict: %s", (_, x) => expect(bitsOf(model.predict(any(x)))).toEqual(want));
  const loss = linear(1).testOnBatch(nested, [[1], [2], [3]]).loss;
  it.each(kinds)("testOnBatch and evaluate: %s", async (_, x) => {
    const m = linear(1);
    expect(m.testOnBatch(any(x), [1, 2, 3]).loss).toBe(loss);
    expect((await m.evaluate({ x: any(x), y: [1, 2, 3] })).loss).toBeCloseTo(loss, 5);
  });
  it.each([Float32Array, Float64Array, Int32Array, Int8Array, Uint8Array, Uint16Array])(
    "targets and labels: %s",
    (Kind) => {
      expect(linear(1).testOnBatch(nested, Kind.from([1, 2, 3])).loss).toBe(loss);
      expect(linear(1).testOnBatch(nested, { data: Kind.from([1, 2, 3]), shape: [3, 1] }).loss).toBe(loss);
      const m = linear(4, 2, softmaxCrossEntropy());
      expect(m.testOnBatch(nested, Kind.from([1, 2, 3])).loss).toBe(m.testOnBatch(nested, [[1], [2], [3]]).loss);
    },
  );
  it("negative bytes stay negative", () => {
    expect(bitsOf(model.predict(Int8Array.from([-1, -2])))).toEqual(bitsOf(model.predict([[-1, -2]])));
  });
  it("class rows as a flat typed array: the shape is implied by the examples", () => {
    const m = linear(4, 2, softmaxCrossEntropy());
    const rows = [
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    const want = m.testOnBatch(nested, [1, 2, 3]).loss;
    expect(m.testOnBatch(nested, rows).loss).toBe(want);
    expect(m.testOnBatch(nested, Float32Array.from(rows.flat())).loss).toBe(want);
    expect(m.testOnBatch(nested, Uint8Array.from(rows.flat())).loss).toBe(want);
  });
});

describe("what is no array of numbers is refused", () => {
  const model = linear();
  const notArrays = [
    new BigInt64Array(2),
    new BigUint64Array(2),
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(8),
    Promise.resolve([[1, 2]]),
    5,
    "12",
    null,
    undefined,
    {},
    new Map(),
    new Set([1, 2]),
    () => [[1, 2]],
    { data: [1, 2], shape: [1, 2] },
    { data: new BigInt64Array(2), shape: [1, 2] },
    { length: 2, 0: 1, 1: 2 },
  ];
  it.each(notArrays.map((x) => [Object.prototype.toString.call(x), x]))("%s", async (_, x) => {
    thrown("argument", () => model.predict(any(x)));
    thrown("argument", () => model.trainOnBatch(any(x), [[1]]));
    thrown("argument", () => model.trainOnBatch([[1, 2]], any(x)));
    thrown("argument", () => model.testOnBatch(any(x), [[1]]));
    thrown("argument", () => model.gradients(any(x), [[1]]));
    await rejected("argument", model.fit({ x: any(x), y: [[1]] }));
    await rejected("argument", model.evaluate({ x: [[1, 2]], y: any(x) }));
    if (x !== undefined) thrown("argument", () => model.trainOnBatch([[1, 2]], [[1]], { sampleWeight: any(x) }));
    thrown("argument", () => model.setWeights({ "dense_1/kernel": any(x), "dense_1/bias": any([0]) }));
  });
  it("holes, strings, null, booleans and BigInts in nested arrays are data", () => {
    for (const item of ["1", null, undefined, true, 1n, {}, () => 1, Symbol("x")]) {
      thrown("data", () => model.predict(any([[1, item]])));
      thrown("data", () => model.predict(any([[item, 1]])));
      thrown("data", () => model.predict(any([[1, 2], item])));
      thrown("data", () => model.trainOnBatch([[1, 2]], any([item])));
    }
    // biome-ignore lint/suspicious/noSparseArray: that is the case
    thrown("data", () => model.predict([[1, , 2]] as never));
    thrown("data", () => model.predict(any(new Array(3))));
    thrown("data", () => model.predict(any([[1, 2], new Array(2)])));
    thrown("data", () => model.predict(any(new Array(2 ** 32 - 1))));
  });
  it("ragged and empty arrays are shape", () => {
    for (const x of [
      [],
      [[]],
      [[1, 2], [3]],
      [[1, 2], 3],
      [
        [1, 2],
        [3, [4]],
      ],
      [[1], [2, 3]],
      [[1, 2], []],
      [1, [2]],
    ])
      thrown("shape", () => model.predict(any(x)));
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    thrown("shape", () => model.predict(any(cyclic)));
  });
  it("a detached buffer is shape", () => {
    const x = new Float32Array(2);
    const y = new Float32Array(1);
    structuredClone([x.buffer, y.buffer], { transfer: [x.buffer, y.buffer] });
    thrown("shape", () => model.predict(x));
    thrown("shape", () => model.predict({ data: x, shape: [1, 2] }));
    thrown("shape", () => model.trainOnBatch([[1, 2]], y));
    thrown("shape", () => model.trainOnBatch([[1, 2]], [[1]], { sampleWeight: y }));
    thrown("shape", () => model.setWeights({ ...model.getWeights(), "dense_1/bias": { data: y, shape: [1] } }));
  });
  it("an NDArray's shape fits its data", () => {
    for (const shape of [
      [2, 2],
      [2],
      [1, 3],
      [1, 2, 1],
      [1.5, 2],
      [-1, -2],
      "12",
      undefined,
      [0, 2],
      [Number.NaN, 2],
      [2n, 1],
    ])
      thrown("shape", () => model.predict({ data: new Float32Array(2), shape: any(shape) }));
    thrown("shape", () => model.predict({ data: new Float32Array(0), shape: [0, 2] }));
  });
  it("more numbers than any array holds are memory", () => {
    const row = new Array(100_000).fill(1);
    thrown("memory", () => model.predict(any(new Array(1_000_000).fill(row))));
  });
});

describe("the batch axis is never guessed, zero examples are shape", () => {
  const model = classifier();
  it("x", async () => {
    thrown("shape", () => model.predict([1, 2, 3, 4]), /expected input of shape \[n, 4\], got \[4\]/);
    thrown("shape", () => model.predict([[1, 2, 3]]), /dense_1: expected input of shape \[n, 4\], got \[(n|1), 3\]/);
    thrown("shape", () => model.predict(new Float32Array(6)));
    for (const empty of [[], new Float32Array(0), { data: new Float32Array(0), shape: [0, 4] }]) {
      thrown("shape", () => model.predict(any(empty)));
      thrown("shape", () => model.trainOnBatch(any(empty), new Int32Array(0)));
      await rejected("shape", model.fit({ x: any(empty), y: new Int32Array(0) }));
      await rejected("shape", model.evaluate({ x: any(empty), y: new Int32Array(0) }));
    }
  });
  it("as many targets and weights as examples", async () => {
    for (const y of [labels(3, 3), labels(1, 3), [[0, 1, 0]], [[[1]], [[0]]]]) {
      thrown("shape", () => model.trainOnBatch(floats(8), any(y)));
      await rejected("shape", model.fit({ x: floats(8), y: any(y) }));
    }
    for (const sampleWeight of [[1], [1, 2, 3], [[1, 2]], new Float32Array(0)]) {
      thrown("shape", () => model.trainOnBatch(floats(8), labels(2, 3), { sampleWeight: any(sampleWeight) }));
      await rejected("shape", model.fit({ x: floats(8), y: labels(2, 3), sampleWeight }));
    }
  });
  it("[n] is taken where one number an example is expected", () => {
    const m = linear();
    expect(m.testOnBatch([[1, 2]], [3])).toEqual(m.testOnBatch([[1, 2]], [[3]]));
    thrown("shape", () =>
      m.testOnBatch(
        [
          [1, 2],
          [3, 4],
        ],
        [[1, 2]],
      ),
    );
  });
});

describe("options", () => {
  it("are what they are once rounded to float32: what that makes 0, 1 or infinite is refused", () => {
    thrown("argument", () => adam({ beta2: 0.99999999 }), /beta2 must be a number in \[0, 1\), got 0.99999999/);
    thrown("argument", () => adam({ epsilon: 1e-50 }), /epsilon must be a number > 0, got 1e-50/);
    thrown("argument", () => sgd({ weightDecay: 1e39 }), /weightDecay must be a number ≥ 0, got 1e\+39/);
    thrown("argument", () => dropout(1 - 1e-9), /rate/);
    expect(adam({ beta2: 0.9999999, epsilon: 1e-40 })).toMatchObject({ beta2: 0.9999999, epsilon: 1e-40 });
  });
});

describe("values inside arrays", () => {
  it("what is trained or evaluated on is finite as float32", async () => {
    for (const value of [Number.NaN, Infinity, -Infinity, 1e39]) {
      for (const x of [[[1, 2, 3, value]], Float64Array.from([1, 2, 3, value])]) {
        const model = classifier();
        const before = weightBits(model);
        thrown("data", () => model.trainOnBatch(x, [1]), /x/);
        thrown("data", () => model.testOnBatch(x, [1]));
        thrown("data", () => model.gradients(x, [1]));
        await rejected("data", model.fit({ x, y: [1] }));
        await rejected("data", model.evaluate({ x, y: [1] }));
        await rejected("data", model.fit({ x: [[1, 2, 3, 4]], y: [1] }, { validationData: { x, y: [1] } }));
        expect(weightBits(model)).toEqual(before);
      }
    }
  });
  it("class labels are integers in [−1, classes)", async () => {
    const model = classifier();
    const x = floats(8);
    for (const label of [-2, 3, 0.5, Infinity, 1e10]) {
      thrown("data", () => model.trainOnBatch(x, [0, label]), new RegExp(`got ${label}`.replace("+", "\\+")));
      thrown("data", () => model.trainOnBatch(x, Float64Array.from([label, 0])));
      await rejected("data", model.fit({ x, y: [0, label] }));
      await rejected("data", model.evaluate({ x, y: [0, label] }));
    }
    for (const row of [
      [2, 0, 0],
      [-0.1, 1, 0],
      [Infinity, 0, 0],
    ])
      thrown("data", () => model.trainOnBatch(x, [[1, 0, 0], row]));
  });
  it("a label of −1 or NaN is left out of loss and metric; the mean is over what is labelled, 0 where nothing is", () => {
    const model = classifier(7, { rate: 0 });
    const x = floats(12);
    const want = model.testOnBatch(x.slice(0, 8), [0, 1]);
    for (const y of [
      [0, 1, -1],
      [0, 1, Number.NaN],
      Float32Array.from([0, 1, Number.NaN]),
      Int32Array.from([0, 1, -1]),
      [
        [1, 0, 0],
        [0, 1, 0],
        [0, Number.NaN, 1],
      ],
    ]) {
      const got = model.testOnBatch(x, any(y));
      expect(got.loss).toBeCloseTo(want.loss, 6);
      expect(got["accuracy"]).toBe(want["accuracy"]);
    }
    expect(model.testOnBatch(x, [-1, -1, -1])).toMatchObject({ loss: 0, accuracy: 0 });
    expect(model.trainOnBatch(x, [-1, -1, -1])).toMatchObject({ loss: 0, accuracy: 0 });
  });
  it("in elementwise losses NaN masks the element", () => {
    const model = linear(2);
    const x = [
      [1, 2],
      [3, 4],
    ];
    const [a, b, c, d] = model.predict(x).data as any;
    const y = [
      [1, Number.NaN],
      [2, 3],
    ];
    const want = ((a - 1) ** 2 + (c - 2) ** 2 + (d - 3) ** 2) / 3;
    expect(b).toBeDefined();
    expect(model.testOnBatch(x, y).loss).toBeCloseTo(want, 4);
    expect(
      model.trainOnBatch(x, [
        [Number.NaN, Number.NaN],
        [Number.NaN, Number.NaN],
      ]).loss,
    ).toBe(0);
    for (const bad of [Infinity, -Infinity, 1e39])
      thrown("data", () =>
        model.trainOnBatch(x, [
          [1, bad],
          [2, 3],
        ]),
      );
  });
  it("binary targets lie in [0, 1]", async () => {
    const model = linear(1, 2, binaryCrossEntropy());
    for (const t of [-0.1, 1.1, 2, -1, Infinity]) {
      thrown("data", () => model.trainOnBatch([[1, 2]], [[t]]));
      await rejected("data", model.fit({ x: [[1, 2]], y: [[t]] }));
    }
    model.trainOnBatch([[1, 2]], [[0.5]]);
  });
  it("sample weights are ≥ 0 and finite", async () => {
    const model = classifier();
    for (const w of [-1, Number.NaN, Infinity, 1e39]) {
      thrown("data", () => model.trainOnBatch(floats(8), [0, 1], { sampleWeight: [1, w] }));
      await rejected("data", model.fit({ x: floats(8), y: [0, 1], sampleWeight: [1, w] }));
      await rejected("data", model.evaluate({ x: floats(8), y: [0, 1], sampleWeight: [1, w] }));
    }
  });
  it("predict passes on what it was given, not what lay there before", () => {
    const model = linear(1);
    model.predict([[1, 2]]);
    expect(model.predict([[Number.NaN, 2]]).data[0]).toBeNaN();
  });
});

describe("bytes count as 0 … 255", () => {
  const bytes = Uint8Array.from({ length: 12 }, (_, i) => i * 23);
  it("rescaling: scale · x + offset, equal for bytes and floats", () => {
    setSeed(3);
    const x = input([4]);
    const model = functional({ inputs: x, outputs: rescaling({ scale: 1 / 255, offset: -0.5 })(x) });
    const got = model.predict(bytes).data;
    bytes.forEach((b, i) => void expect(got[i]).toBeCloseTo(b / 255 - 0.5, 6));
    expect(bitsOf(model.predict(Float32Array.from(bytes)))).toEqual(bitsOf(model.predict(bytes)));
  });
  it("training on bytes gives the bits of training on the same floats", async () => {
    const train = async (x: Uint8Array | Float32Array) => {
      setSeed(5);
      const model = sequential([
        rescaling({ scale: 1 / 255, inputShape: [4] }),
        dense(3, { activation: "relu" }),
        dense(3),
      ]);
      model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy() });
      model.trainOnBatch(x, [0, 1, 2]);
      await model.fit({ x, y: [0, 1, 2] }, { epochs: 2, batchSize: 2 });
      return weightBits(model);
    };
    expect(await train(bytes)).toEqual(await train(Float32Array.from(bytes)));
  });
});

describe("every array returned is the caller's own copy", () => {
  it("predict, getWeights, gradients", () => {
    const model = classifier();
    const x = floats(8);
    const p = model.predict(x);
    const weights = model.getWeights();
    const g = model.gradients(x, [0, 1]);
    const bits = [bitsOf(p), weightBits(model), bitsOf(g.parameters["dense_1/kernel"]!)];
    for (let i = 0; i < 3; i++) model.trainOnBatch(floats(4000, i), labels(1000, 3));
    model.predict(floats(40_000));
    expect(bitsOf(p)).toEqual(bits[0]);
    expect(Object.fromEntries(Object.entries(weights).map(([k, w]) => [k, bitsOf(w)]))).toEqual(bits[1]);
    expect(bitsOf(g.parameters["dense_1/kernel"]!)).toEqual(bits[2]);
    for (const array of [p, ...Object.values(weights), ...Object.values(g.parameters), any(g.inputs)]) {
      expect(array.data).toBeInstanceOf(Float32Array);
      expect(array.data.buffer.byteLength).toBe(array.data.byteLength);
      structuredClone(array.data, { transfer: [array.data.buffer] });
    }
    model.dispose();
  });
  it("writing into results changes nothing", () => {
    const model = classifier();
    const before = weightBits(model);
    for (const w of Object.values(model.getWeights())) {
      w.data.fill(9);
      (w.shape as number[])[0] = 99;
    }
    const p = model.predict(floats(4));
    (p.shape as number[])[1] = 99;
    expect(weightBits(model)).toEqual(before);
    expect(model.predict(floats(4)).shape).toEqual([1, 3]);
    expect(model.getWeights()["dense_1/kernel"]!.shape).toEqual([4, 8]);
  });
  it("arguments stay as they were", async () => {
    const model = classifier();
    const x = floats(64);
    const y = labels(16, 3);
    const copies = [x.slice(), y.slice()];
    await model.fit({ x, y }, { epochs: 2, batchSize: 4 });
    model.trainOnBatch(x, y);
    model.trainOnBatch(x, y);
    model.trainOnBatch(x.slice().fill(1), y.slice().fill(1));
    expect([x, y]).toEqual(copies);
    relu();
  });
});

describe("arrays given to a call are read when it is called", () => {
  const n = 3000;
  const big = () => {
    setSeed(2);
    const model = sequential([
      dense(512, { inputShape: [64], activation: "relu" }),
      dense(512, { activation: "relu" }),
      dense(3),
    ]);
    model.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: softmaxCrossEntropy() });
    return model;
  };
  const data = () => ({ x: floats(n * 64), y: labels(n, 3) });
  it("evaluate", async () => {
    const model = big();
    const want = await model.evaluate(data());
    const given = data();
    const promise = model.evaluate(given);
    given.x.fill(0);
    given.y.fill(0);
    expect(await promise).toEqual(want);
  });
  it("fit: training, split and validation data", async () => {
    const few = () => ({ x: floats(640), y: labels(10, 3), sampleWeight: floats(10).map(Math.abs) });
    for (const split of [0, 0.5]) {
      const run = async (spoil: boolean) => {
        const model = big();
        const [train, validation] = [few(), data()];
        const promise = model.fit(train, {
          epochs: 2,
          batchSize: 4,
          ...(split ? { validationSplit: split } : { validationData: validation }),
        });
        if (spoil)
          for (const { x, y } of [train, validation]) {
            structuredClone(x, { transfer: [x.buffer] });
            y.fill(0);
          }
        return (await promise).epochs;
      };
      expect(await run(true)).toEqual(await run(false));
    }
  });
});
