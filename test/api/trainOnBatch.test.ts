// trainOnBatch and flat arrays: the same arrays again and again, read anew where something changed.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  binaryCrossEntropy,
  dense,
  type Model,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, classifier, floats, labels, thrown, weightBits, withNorm } from "../support/contract";

const X = floats(32);
const Y = labels(8, 3);

describe("trainOnBatch with flat arrays, step after step", () => {
  const nested = (x: Float32Array, width: number) =>
    Array.from({ length: x.length / width }, (_, i) => [...x.slice(i * width, i * width + width)]);
  /** The same calls, once with flat arrays and once with nested ones, which are read anew each time. */
  const same = (
    make: () => Model<NDArray>,
    calls: (m: any, x: (x: Float32Array) => unknown, y: (y: Int32Array) => unknown) => unknown,
  ) => {
    const [a, b] = [make(), make()];
    const got = calls(
      a,
      (x) => x,
      (y) => y,
    );
    const want = calls(
      b,
      (x) => nested(x, 4),
      (y) => [...y].map((c) => [c]),
    );
    expect(got).toEqual(want);
    expect(weightBits(a)).toEqual(weightBits(b));
  };
  it("gives what the same numbers in other forms give", () => {
    same(withNorm, (m, x, y) =>
      Array.from({ length: 5 }, (_, i) => m.trainOnBatch(x(floats(32, i)), y(labels(8, 2 + (i % 2))))),
    );
  });
  it("the very same arrays with new contents are read anew", () => {
    const x = floats(32);
    const y = Y.slice();
    same(withNorm, (m, fx, fy) =>
      Array.from({ length: 4 }, (_, i) => {
        x.set(floats(32, i));
        y.fill(i % 3);
        return m.trainOnBatch(fx(x), fy(y));
      }),
    );
  });
  it("sizes that change", () => {
    same(withNorm, (m, x, y) => [8, 8, 5, 5, 8, 3, 8, 8].map((n) => m.trainOnBatch(x(floats(4 * n)), y(labels(n, 3)))));
    for (const [n, k] of [
      [8, 7],
      [7, 8],
      [2, 8],
      [16, 8],
    ]) {
      const m = classifier();
      m.trainOnBatch(X, Y);
      thrown("shape", () => m.trainOnBatch(floats(4 * n!), labels(k!, 3)));
    }
  });
  it("labels of other kinds: −1, rows, floats, weights", () => {
    const m = classifier();
    const twin = classifier();
    const steps: [any, any?][] = [
      [Y],
      [Y],
      [Int32Array.from([-1, 0, 1, 2, 0, 1, 2, 0])],
      [Y],
      [Float32Array.from(Y)],
      [Float32Array.from(Y)],
      [Y, { sampleWeight: floats(8).map(Math.abs) }],
      [Y],
      [{ data: Float32Array.from([...Y].flatMap((c) => [0, 1, 2].map((j) => +(j === c)))), shape: [8, 3] }],
      [Y],
      [Y, {}],
      [Y],
    ];
    for (const [y, options] of steps) {
      const asRows = (a: any) => (a.shape ? nested(a.data, 3) : [...a].map((c) => [c]));
      expect(m.trainOnBatch(X, y, options)).toEqual(twin.trainOnBatch(nested(X, 4), asRows(y), options ?? {}));
    }
    expect(weightBits(m)).toEqual(weightBits(twin));
  });
  it("bad ones after good ones, and good ones after those", () => {
    const m = classifier();
    const twin = classifier();
    const detached = new Float32Array(32);
    structuredClone(detached, { transfer: [detached.buffer] });
    const goOn = () => expect(m.trainOnBatch(X, Y)).toEqual(twin.trainOnBatch(nested(X, 4), [...Y]));
    goOn();
    const calls: [string, () => unknown][] = [
      ["data", () => m.trainOnBatch(floats(32).fill(Number.NaN, 31), Y)],
      ["data", () => m.trainOnBatch(X, Int32Array.from([0, 1, 2, 0, 1, 2, 0, 3]))],
      ["data", () => m.trainOnBatch(X, Int32Array.from([0, 1, 2, 0, 1, 2, 0, -2]))],
      ["shape", () => m.trainOnBatch(detached, Y)],
      ["shape", () => m.trainOnBatch(X.slice(1), Y)],
      ["argument", () => m.trainOnBatch(any(new BigInt64Array(32)), Y)],
      ["argument", () => m.trainOnBatch(X, any(undefined))],
      ["argument", () => m.trainOnBatch(any(undefined), Y)],
      ["argument", () => m.trainOnBatch(any({ length: 32, constructor: Float32Array }), Y)],
      ["argument", () => m.trainOnBatch(X, any({ length: 8, constructor: Int32Array, 0: 1 }))],
      ["argument", () => m.trainOnBatch(X, Y, any(null))],
    ];
    for (const [code, call] of calls) {
      thrown(code, call);
      goOn();
      goOn();
    }
    expect(weightBits(m)).toEqual(weightBits(twin));
  });
  it("bytes after floats after bytes", () => {
    const m = classifier();
    const twin = classifier();
    const bytes = Uint8Array.from(X, (v) => Math.abs(v * 9));
    for (const x of [bytes, bytes, X, bytes, X, X, bytes, Int8Array.from(bytes), bytes])
      expect(m.trainOnBatch(x, Y)).toEqual(twin.trainOnBatch(nested(Float32Array.from(x), 4), [...Y]));
  });
  it("elementwise targets: NaN, out of range, infinite", () => {
    const make = () => {
      setSeed(1);
      const m = sequential([dense(2, { inputShape: [4] })]);
      m.compile({ optimizer: sgd(), loss: binaryCrossEntropy() });
      return m;
    };
    const [m, twin] = [make(), make()];
    const y = Float32Array.from({ length: 16 }, (_, i) => (i % 3) / 2);
    const holed = y.slice().fill(Number.NaN, 3, 5);
    for (const t of [y, y, holed, y, holed, holed, y])
      expect(m.trainOnBatch(X, t)).toEqual(twin.trainOnBatch(nested(X, 4), nested(t, 2)));
    for (const bad of [-0.5, 1.5, Infinity]) {
      thrown("data", () => m.trainOnBatch(X, y.slice().fill(bad, 15)));
      expect(m.trainOnBatch(X, y)).toEqual(twin.trainOnBatch(nested(X, 4), nested(y, 2)));
    }
  });
  it("compile, setWeights, gradients, applyGradients, testOnBatch, predict and fit between", async () => {
    const [a, b] = [withNorm(), withNorm()];
    const between: ((m: any) => unknown)[] = [
      (m) => m.compile({ optimizer: sgd({ momentum: 0.9 }), loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }) }),
      (m) => m.setWeights(m.getWeights()),
      (m) => m.gradients(X, Y),
      (m) => m.applyGradients(m.gradients(X, Y).parameters),
      (m) => m.applyGradients({ "dense_2/bias": [1, 2, 3] }),
      (m) => m.testOnBatch(X, Y),
      (m) => m.predict(floats(4000)),
      (m) => m.fit({ x: X, y: Y }, { batchSize: 3 }),
      (m) => m.evaluate({ x: X, y: Y }),
      (m) => {
        m.learningRate = 0.5;
      },
      (m) => {
        for (let n = 1; n < 12; n++) m.trainOnBatch(floats(4 * n), labels(n, 3));
      },
    ];
    for (const f of between) {
      a.trainOnBatch(X, Y);
      b.trainOnBatch(nested(X, 4), [...Y]);
      await f(a);
      await f(b);
      expect(a.trainOnBatch(X, Y)).toEqual(b.trainOnBatch(nested(X, 4), [...Y]));
    }
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("layer.trainable flipped, whatever is called between", async () => {
    const [a, b] = [withNorm(), withNorm()];
    const calls: ((m: any, x: any, y: any) => unknown)[] = [
      (m, x, y) => m.trainOnBatch(x, y),
      (m, x, y) => m.gradients(x, y).loss,
      (m, x, y) => m.fit({ x, y }, { batchSize: 8 }),
      (m) => m.applyGradients({}),
      (m, x, y) => m.testOnBatch(x, y),
    ];
    for (let i = 0; i < 40; i++) {
      const name = ["batchNorm_1", "dense_1", "batchNorm_1"][i % 3]!;
      const call = calls[(i * 7) % calls.length]!;
      for (const m of [a, b]) m.getLayer(name).trainable = i % 2 === 1;
      await call(a, X, Y);
      await call(b, nested(X, 4), [...Y]);
      expect(a.trainOnBatch(X, Y), `step ${i}`).toEqual(b.trainOnBatch(nested(X, 4), [...Y]));
    }
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("a frozen batch normalization is in inference at once, its statistics stay", () => {
    const m = withNorm();
    const norm = m.getLayer("batchNorm_1");
    m.trainOnBatch(X, Y);
    norm.trainable = false;
    m.gradients(X, Y);
    norm.trainable = true;
    m.trainOnBatch(X, Y);
    norm.trainable = false;
    m.gradients(X, Y);
    const before = weightBits(m);
    m.trainOnBatch(X, Y);
    const after = weightBits(m);
    for (const key of ["gamma", "beta", "movingMean", "movingVariance"])
      expect(after[`batchNorm_1/${key}`]).toEqual(before[`batchNorm_1/${key}`]);
  });
});
