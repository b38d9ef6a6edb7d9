// trainOnBatch, gradients, fit: what bad calls must not change, what pending calls may see, what equals what to the bit.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  adam,
  batchNorm,
  binaryCrossEntropy,
  cosineDecay,
  dense,
  dropout,
  exponentialDecay,
  functional,
  init,
  input,
  inverseTimeDecay,
  l1,
  l2,
  linearDecay,
  type Model,
  meanSquaredError,
  type NDArray,
  oneCycle,
  polynomialDecay,
  relu,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
  warmup,
} from "../../ts/index";
import { any, classifier, floats, labels, rejected, thrown, weightBits } from "../support/contract";

const X = floats(32);
const Y = labels(8, 3);

/** Trains two equal models; what `disturb` does to the first may not show. */
async function undisturbed(disturb: (model: any) => unknown, make: () => Model<NDArray> = classifier): Promise<void> {
  const [a, b] = [make(), make()];
  for (let i = 0; i < 6; i++) {
    await disturb(a);
    expect(a.trainOnBatch(X, Y), `step ${i}`).toEqual(b.trainOnBatch(X, Y));
    expect(weightBits(a)).toEqual(weightBits(b));
  }
  await disturb(a);
  const data = { x: floats(80), y: labels(20, 3) };
  expect(await a.fit(data, { batchSize: 8, epochs: 2 })).toEqual(await b.fit(data, { batchSize: 8, epochs: 2 }));
  expect(weightBits(a)).toEqual(weightBits(b));
}

const withNorm = () => {
  setSeed(3);
  const model = sequential([
    dense(8, { inputShape: [4], kernelRegularizer: l2(0.01) }),
    batchNorm(),
    relu(),
    dropout(0.3),
    dense(3),
  ]);
  model.compile({
    optimizer: adam({ learningRate: 0.01 }),
    loss: softmaxCrossEntropy(),
    metrics: ["accuracy"],
    clipNorm: 1,
  });
  return model;
};

describe("a bad call changes nothing: weights, optimizer state and random numbers go on", () => {
  it.each([
    ["trainOnBatch: NaN in x", (m) => thrown("data", () => m.trainOnBatch(floats(32).fill(Number.NaN, 3, 4), Y))],
    ["trainOnBatch: shapes", (m) => thrown("shape", () => m.trainOnBatch(floats(28), Y))],
    ["trainOnBatch: labels", (m) => thrown("data", () => m.trainOnBatch(X, Y.slice().fill(3, 7)))],
    [
      "trainOnBatch: weights",
      (m) => thrown("data", () => m.trainOnBatch(X, Y, { sampleWeight: new Float32Array(8).fill(-1) })),
    ],
    ["trainOnBatch: kinds", (m) => thrown("argument", () => m.trainOnBatch("x", Y))],
    ["trainOnBatch: options", (m) => thrown("argument", () => m.trainOnBatch(X, Y, { sampleWeights: [1] }))],
    ["gradients: NaN", (m) => thrown("data", () => m.gradients(floats(32).fill(Number.NaN, 3, 4), Y))],
    [
      "applyGradients",
      (m) => {
        thrown("argument", () => m.applyGradients({ nothing: [1] }));
        thrown("shape", () => m.applyGradients({ "dense_1/kernel": [[1]] }));
        thrown("data", () => m.applyGradients({ "dense_2/bias": [1, Number.NaN, 0] }));
        thrown("argument", () =>
          m.applyGradients({ "dense_2/bias": [1, 2, 3], "batchNorm_1/movingMean": new Float32Array(8) }),
        );
        thrown("argument", () => m.applyGradients(undefined));
      },
    ],
    ["compile", (m) => thrown("argument", () => m.compile({ optimizer: adam, loss: softmaxCrossEntropy() }))],
    [
      "learningRate",
      (m) => {
        for (const v of [-1, Number.NaN, "1", Infinity, undefined])
          thrown("argument", () => {
            m.learningRate = v;
          });
      },
    ],
    ["predict", (m) => thrown("shape", () => m.predict([[1]]))],
    [
      "fit",
      async (m) => {
        await rejected("data", m.fit({ x: floats(32).fill(Number.NaN, 3, 4), y: Y }));
        await rejected("argument", m.fit({ x: X, y: Y }, { epochs: 0.5 }));
        await rejected("argument", m.fit({ x: X, y: Y }, { callbacks: [{}] }));
        await rejected("data", m.fit({ x: X, y: Y.slice().fill(-1) }));
        await rejected("shape", m.fit({ x: X, y: Y }, { validationData: { x: [[1]], y: [1] } }));
      },
    ],
    ["evaluate", async (m) => void (await rejected("data", m.evaluate({ x: floats(32).fill(Infinity), y: Y })))],
  ] as [string, (m: any) => unknown][])("%s", async (_, disturb) => {
    await undisturbed(disturb, withNorm);
  });
  it.each([
    [
      "reading calls",
      async (m) => {
        m.predict(X);
        m.predict(X, { training: true });
        m.testOnBatch(X, Y);
        m.getWeights();
        m.summary();
        m.countParams();
        void m.learningRate;
        void m.config;
        m.gradients(X, Y);
        m.gradients(X.slice(4), Y.slice(1), { training: false });
        await m.evaluate({ x: X, y: Y });
      },
    ],
    ["setWeights of what is there", (m) => m.setWeights(m.getWeights())],
    ["fit of no epoch", (m) => m.fit({ x: X, y: Y }, { initialEpoch: 3, epochs: 3 })],
    [
      "an aborted fit",
      async (m) => {
        const reason = new Error("mine");
        expect(await m.fit({ x: X, y: Y }, { signal: AbortSignal.abort(reason) }).catch((e: unknown) => e)).toBe(
          reason,
        );
        expect(await m.evaluate({ x: X, y: Y }, { signal: AbortSignal.abort(reason) }).catch((e: unknown) => e)).toBe(
          reason,
        );
      },
    ],
  ] as [string, (m: any) => unknown][])("%s change nothing", async (_, disturb) => {
    await undisturbed(disturb, withNorm);
  });
});

describe("a loss that is not finite", () => {
  const broken = () => {
    setSeed(2);
    const model = sequential([dense(4, { inputShape: [2] }), batchNorm(), dense(1)]);
    model.compile({ optimizer: adam(), loss: meanSquaredError() });
    return model;
  };
  const good = [
    [
      [1, 2],
      [3, 5],
    ],
    [[1], [2]],
  ] as const;
  const bad = [[[1], [3e38]]][0]!;
  it("trainOnBatch throws numeric and updates nothing", () => {
    const [a, b] = [broken(), broken()];
    for (let i = 0; i < 3; i++) {
      thrown("numeric", () => a.trainOnBatch(good[0], bad));
      expect(a.trainOnBatch(...good)).toEqual(b.trainOnBatch(...good));
      expect(weightBits(a)).toEqual(weightBits(b));
    }
  });
  it("fit rejects naming epoch and batch, weights at the last finished step", async () => {
    const x = floats(8);
    const y = [[1], [2], [3e38], [1]];
    const [a, b] = [broken(), broken()];
    await rejected("numeric", a.fit({ x, y }, { batchSize: 2, shuffle: false }), /epoch 0.*batch 1/);
    b.trainOnBatch(x.slice(0, 4), [[1], [2]]);
    expect(weightBits(a)).toEqual(weightBits(b));
    expect(a.trainOnBatch(...good)).toEqual(b.trainOnBatch(...good));
  });
  it("in any batch of a group, nothing of the group is updated", async () => {
    for (const bad of [0, 1, 2]) {
      const y = [[1], [2], [1], [2], [1], [2]];
      y[2 * bad] = [3e38];
      const m = broken();
      const before = weightBits(m);
      await rejected(
        "numeric",
        m.fit({ x: floats(12), y }, { batchSize: 2, accumulate: 3, shuffle: false }),
        /epoch 0/,
      );
      const batches = [0, 1, 2].map((i) => ({ x: floats(12).slice(4 * i, 4 * i + 4), y: y.slice(2 * i, 2 * i + 2) }));
      await rejected("numeric", m.fit(any(batches), { accumulate: 3 }));
      expect(weightBits(m)).toEqual(before);
    }
  });
});

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

describe("gradients and applyGradients", () => {
  const make = (optimizer = adam({ learningRate: 0.01, weightDecay: 0.01 })) => {
    setSeed(3);
    const m = sequential([
      dense(8, { inputShape: [4], kernelRegularizer: l2(0.01), activityRegularizer: l1(0.02) }),
      relu(),
      dropout(0.3),
      dense(3, { biasRegularizer: l1(0.1, { proximal: true }) }),
    ]);
    m.compile({ optimizer, loss: softmaxCrossEntropy(), clipNorm: 0.5, clipValue: 0.2 });
    return m;
  };
  it.each([
    ["adam", adam({ learningRate: 0.01, weightDecay: 0.01 })],
    ["sgd", sgd({ momentum: 0.9, nesterov: true })],
  ])("make trainOnBatch, bit for bit: %s", (_, optimizer) => {
    const [a, b] = [make(optimizer), make(optimizer)];
    for (let i = 0; i < 5; i++) {
      const x = floats(32, i);
      const { loss, parameters, inputs } = a.gradients(x, Y);
      a.applyGradients(parameters);
      expect(b.trainOnBatch(x, Y).loss).toBe(loss);
      expect(any(inputs).shape).toEqual([8, 4]);
      expect(weightBits(a)).toEqual(weightBits(b));
    }
  });
  it("parameters left out stay, also with momentum and decay", () => {
    const m = make();
    m.trainOnBatch(X, Y);
    const before = weightBits(m);
    m.applyGradients({ "dense_2/bias": { data: Float32Array.of(1, 2, 3), shape: [3] } });
    const after = weightBits(m);
    for (const key of Object.keys(before))
      key === "dense_2/bias" ? expect(after[key]).not.toEqual(before[key]) : expect(after[key]).toEqual(before[key]);
    m.trainOnBatch(X, Y);
    expect(weightBits(m)["dense_1/kernel"]).not.toEqual(before["dense_1/kernel"]);
  });
  it("inputs follow the form of inputs", () => {
    const [a, b] = [input([2]), input([3])];
    const m = functional({
      inputs: { a, b },
      outputs: dense(1)(dense(2)(a)) as never,
      ...({} as object),
    } as never) as any;
    m.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const { inputs } = m.gradients({ a: [[1, 2]], b: [[1, 2, 3]] }, [[1]]);
    expect(inputs.a.shape).toEqual([1, 2]);
    expect([...inputs.b.data]).toEqual([0, 0, 0]);
  });
});

describe("fit", () => {
  const data = () => ({ x: floats(80), y: labels(20, 3) });
  it("options", async () => {
    const m = classifier();
    for (const bad of [
      { epochs: "3" },
      { epochs: 2.5 },
      { epochs: 3n },
      { epochs: -1 },
      { epochs: 0 },
      { batchSize: 0 },
      { batchSize: "Full" },
      { batchSize: 1.5 },
      { shuffle: 1 },
      { validationSplit: 1 },
      { validationSplit: -0.1 },
      { validationSplit: "0.5" },
      { accumulate: 0 },
      { stepsPerEpoch: 0 },
      { initialEpoch: -1 },
      { initialEpoch: 0.5 },
      { signal: {} },
      { signal: new AbortController() },
      { callbacks: {} },
      { validationData: 3 },
      { validationData: {} },
      { epoch: 3 },
      { constructor: 1 },
      { classWeight: { 3: 1 } },
      { classWeight: { "-1": 1 } },
      { classWeight: { 0: -1 } },
      { classWeight: { 0: Number.NaN } },
      { classWeight: { x: 1 } },
      { classWeight: { constructor: 1 } },
      { classWeight: 2 },
      { classWeight: new Map([[0, 1]]) },
      { classWeight: { "": 2 } },
      { classWeight: { "0x1": 2 } },
      { classWeight: { " 1": 2 } },
      null,
      3,
      [],
    ])
      await rejected("argument", m.fit(data(), any(bad)));
    for (const bad of [
      undefined,
      null,
      3,
      "x",
      {},
      { x: floats(4) },
      { y: [1] },
      { ...data(), z: 1 },
      { ...data(), constructor: 1 },
      Promise.resolve(data()),
      () => data(),
    ])
      await rejected("argument", m.fit(any(bad)));
    for (const bad of [[], [3], [{ x: floats(4) }], "batches"])
      await m.fit(any(bad)).then(
        () => expect.unreachable(),
        (e: any) => expect(["argument", "data"]).toContain(e.code),
      );
    await m.fit(data(), { epochs: undefined, batchSize: undefined } as never);
    await m.fit(Object.freeze(data()), Object.freeze({ epochs: 1 }));
  });
  it("never throws synchronously", async () => {
    const m = classifier();
    const promises = [
      m.fit(any(undefined), any(3)),
      m.evaluate(any(undefined), any(3)),
      any(sequential()).fit(),
      any(sequential()).evaluate(),
    ];
    for (const p of promises) {
      expect(p).toBeInstanceOf(Promise);
      await p.then(
        () => expect.unreachable(),
        () => {},
      );
    }
  });
  it("a batchSize over the number of examples means all of them; full is the same", async () => {
    const runs = [];
    for (const batchSize of [20, 21, 1000, "full"] as const) {
      const m = classifier();
      const history = await m.fit(data(), { batchSize, epochs: 2, shuffle: false });
      runs.push([history, weightBits(m)]);
    }
    for (const run of runs) expect(run).toEqual(runs[0]);
  });
  it("without shuffling, fit is trainOnBatch over the batches in order", async () => {
    const [a, b] = [withNorm(), withNorm()];
    const { x, y } = data();
    await a.fit({ x, y }, { batchSize: 8, shuffle: false, epochs: 2 });
    for (let epoch = 0; epoch < 2; epoch++)
      for (const [from, to] of [
        [0, 8],
        [8, 16],
        [16, 20],
      ] as const)
        b.trainOnBatch(x.slice(from * 4, to * 4), y.slice(from, to));
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("validationSplit takes the last ⌊n·f⌋ rows, before shuffling; ⌊n·f⌋ = 0 is none", async () => {
    const { x, y } = data();
    const [a, b, c, d] = [classifier(), classifier(), classifier(), classifier()];
    const split = await a.fit({ x, y }, { validationSplit: 0.26, batchSize: 4, epochs: 2 });
    const given = await b.fit(
      { x: x.slice(0, 60), y: y.slice(0, 15) },
      { validationData: { x: x.slice(60), y: y.slice(15) }, batchSize: 4, epochs: 2 },
    );
    expect(split).toEqual(given);
    expect(weightBits(a)).toEqual(weightBits(b));
    expect(Object.keys(split.epochs[0]!)).toEqual([
      "loss",
      "dataLoss",
      "penalty",
      "accuracy",
      "valLoss",
      "valDataLoss",
      "valPenalty",
      "valAccuracy",
    ]);
    expect(await c.fit({ x, y }, { validationSplit: 0.04 })).toEqual(await d.fit({ x, y }));
    await classifier().fit({ x: x.slice(0, 12), y: y.slice(0, 3) }, { validationSplit: 0.9999999999999999 });
  });
  it("to epoch a and from there to b equals to b, bit for bit, reading calls between", async () => {
    const [a, b] = [withNorm(), withNorm()];
    const whole = await a.fit(data(), { epochs: 5, batchSize: 8 });
    const one = await b.fit(data(), { epochs: 2, batchSize: 8 });
    b.predict(X, { training: true });
    b.gradients(X, Y);
    await b.evaluate(data());
    const two = await b.fit(data(), { initialEpoch: 2, epochs: 5, batchSize: 8 });
    expect([...one.epochs, ...two.epochs]).toEqual(whole.epochs);
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("shuffles anew at each epoch", async () => {
    const orders: number[][] = [[], [], []];
    let epoch = 0;
    const m = classifier(7, { rate: 0 });
    m.learningRate = 0;
    const log = {
      onEpochBegin(k: number) {
        epoch = k;
      },
      onBatchEnd: (_: number, logs: any) => void orders[epoch]!.push(logs.loss),
    };
    await m.fit(data(), { epochs: 3, batchSize: 1, callbacks: [log] });
    const sorted = orders.map((order) => [...order].sort());
    expect(sorted[1]).toEqual(sorted[0]);
    expect(sorted[2]).toEqual(sorted[0]);
    expect(orders[0]).not.toEqual(orders[1]);
    expect(orders[1]).not.toEqual(orders[2]);
  });
  it("sampleWeight and classWeight multiply", async () => {
    const y = labels(20, 3);
    const factors = [1, 2, 0];
    const [a, b] = [classifier(), classifier()];
    const sampleWeight = floats(20).map(Math.abs);
    await a.fit({ x: floats(80), y, sampleWeight }, { classWeight: { 0: 1, 1: 2, 2: 0 }, batchSize: 8 });
    await b.fit({ x: floats(80), y, sampleWeight: sampleWeight.map((w, i) => w * factors[y[i]!]!) }, { batchSize: 8 });
    expect(weightBits(a)).toEqual(weightBits(b));
  });
  it("accumulate: the update of several batches is that of one, up to rounding", async () => {
    const [a, b] = [classifier(7, { rate: 0 }), classifier(7, { rate: 0 })];
    await a.fit(data(), { batchSize: 5, accumulate: 4, shuffle: false });
    await b.fit(data(), { batchSize: 20, shuffle: false });
    const [p, q] = [a.getWeights(), b.getWeights()];
    for (const key of Object.keys(p)) p[key]!.data.forEach((v, i) => void expect(v).toBeCloseTo(q[key]!.data[i]!, 4));
  });
  it("callbacks: order, arguments, awaited; a throw rejects with it, weights at the last finished step", async () => {
    const m = classifier();
    const seen: unknown[] = [];
    const log =
      (name: string) =>
      async (...args: any[]) => {
        await null;
        seen.push(args.at(-1) === m ? [name, ...(args.length > 2 ? [args[0]] : [])] : "?");
      };
    await m.fit(data(), {
      batchSize: 10,
      epochs: 2,
      callbacks: [
        {
          onTrainBegin: log("tb"),
          onTrainEnd: log("te"),
          onEpochBegin: log("eb"),
          onEpochEnd: log("ee"),
          onBatchBegin: log("bb"),
          onBatchEnd: log("be"),
        },
      ],
    });
    const epoch = (k: number) => [
      ["eb", k],
      ["bb", 0],
      ["be", 0],
      ["bb", 1],
      ["be", 1],
      ["ee", k],
    ];
    expect(seen).toEqual([["tb"], ...epoch(0), ...epoch(1), ["te"]]);
    for (const handler of ["onTrainBegin", "onTrainEnd", "onEpochBegin", "onEpochEnd", "onBatchBegin", "onBatchEnd"]) {
      const mine = new Error(handler);
      const [a, b] = [classifier(), classifier()];
      expect(
        await a
          .fit(data(), {
            batchSize: 10,
            shuffle: false,
            callbacks: [
              {
                [handler]() {
                  throw mine;
                },
              },
            ],
          })
          .catch((e: unknown) => e),
      ).toBe(mine);
      const steps = { onBatchEnd: 1, onEpochEnd: 2, onTrainEnd: 2 }[handler] ?? 0;
      for (let i = 0; i < steps; i++)
        b.trainOnBatch(data().x.slice(40 * i, 40 * i + 40), data().y.slice(10 * i, 10 * i + 10));
      expect(weightBits(a)).toEqual(weightBits(b));
      expect(a.trainOnBatch(X, Y)).toEqual(b.trainOnBatch(X, Y));
    }
  });
  it("calls on the model from a callback: reading works, the others throw state", async () => {
    const m = classifier();
    const checks: Record<string, any> = {};
    for (const handler of ["onTrainBegin", "onEpochBegin", "onBatchBegin", "onBatchEnd", "onEpochEnd", "onTrainEnd"])
      checks[handler] = async () => {
        m.predict(X);
        m.getWeights();
        m.testOnBatch(X, Y);
        await m.evaluate(data());
        thrown("state", () => m.trainOnBatch(X, Y));
        thrown("state", () => m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() }));
        await rejected("state", m.fit(data()));
      };
    const history = await m.fit(data(), { callbacks: [checks], batchSize: 8 });
    expect(history).toEqual(await classifier().fit(data(), { batchSize: 8 }));
  });
  it("dispose from any callback makes fit reject with state and harms no other model", async () => {
    for (const handler of ["onTrainBegin", "onEpochBegin", "onBatchBegin", "onBatchEnd", "onEpochEnd", "onTrainEnd"]) {
      const m = classifier();
      let other: Model<NDArray> | undefined;
      let before: unknown;
      await rejected(
        "state",
        m.fit(data(), {
          batchSize: 8,
          validationSplit: 0.2,
          callbacks: [
            {
              [handler]() {
                m.dispose();
                if (other) return;
                other = withNorm();
                other.trainOnBatch(X, Y);
                before = weightBits(other);
              },
            },
          ],
        }),
      );
      expect(weightBits(other!), handler).toEqual(before);
      const twin = withNorm();
      twin.trainOnBatch(X, Y);
      expect(other!.trainOnBatch(X, Y)).toEqual(twin.trainOnBatch(X, Y));
      other!.dispose();
      twin.dispose();
    }
  });
  it("stopTraining ends after this update", async () => {
    const m = classifier();
    let steps = 0;
    const history = await m.fit(data(), {
      batchSize: 4,
      epochs: 9,
      callbacks: [
        {
          onBatchEnd(step: number, _: unknown, model: any) {
            steps++;
            if (step === 2) model.stopTraining = true;
          },
        },
      ],
    });
    expect([steps, history.epochs.length]).toEqual([3, 1]);
    expect((await m.fit(data(), { epochs: 2 })).epochs.length).toBe(2);
  });
  it("abort in the midst: rejects with the reason, weights at the last finished step", async () => {
    const reason = { mine: true };
    const abort = new AbortController();
    const [a, b] = [classifier(), classifier()];
    const { x, y } = data();
    expect(
      await a
        .fit(
          { x, y },
          {
            shuffle: false,
            batchSize: 4,
            signal: abort.signal,
            callbacks: [{ onBatchEnd: (step: number) => step === 1 && abort.abort(reason) }],
          },
        )
        .catch((e: unknown) => e),
    ).toBe(reason);
    for (const i of [0, 1]) b.trainOnBatch(x.slice(16 * i, 16 * i + 16), y.slice(4 * i, 4 * i + 4));
    expect(weightBits(a)).toEqual(weightBits(b));
    expect(a.trainOnBatch(X, Y)).toEqual(b.trainOnBatch(X, Y));
  });
});

describe("batches as they come", () => {
  const { x, y } = { x: floats(80), y: labels(20, 3) };
  const batch = (i: number) => ({ x: x.slice(16 * i, 16 * i + 16), y: y.slice(4 * i, 4 * i + 4) });
  const want = async (options = {}) => {
    const m = classifier();
    const history = await m.fit({ x, y }, { batchSize: 4, shuffle: false, ...options });
    return [history, weightBits(m)];
  };
  it("a list, a generator and an async generator train as arrays do", async () => {
    const sources = [
      () => [0, 1, 2, 3, 4].map(batch),
      () =>
        (function* () {
          for (let i = 0; i < 5; i++) yield batch(i);
        })(),
      () =>
        (async function* () {
          for (let i = 0; i < 5; i++) {
            await null;
            yield batch(i);
          }
        })(),
    ];
    for (const source of sources) {
      const m = classifier();
      expect([await m.fit(any(source())), weightBits(m)]).toEqual(await want());
      expect((await m.evaluate(any(source()))).loss).toBeCloseTo((await m.evaluate({ x, y })).loss, 5);
    }
  });
  it("one buffer that each batch fills anew, with accumulate", async () => {
    const run = async (fresh: boolean) => {
      const m = classifier();
      const bx = new Float32Array(16);
      const by = new Int32Array(4);
      function* batches() {
        for (let i = 0; i < 4; i++) {
          const b = batch(i);
          bx.set(b.x);
          by.set(b.y);
          yield fresh ? b : { x: bx, y: by };
        }
      }
      await m.fit(any(batches()), { accumulate: 2 });
      return weightBits(m);
    };
    expect(await run(false)).toEqual(await run(true));
  });
  it("a generator without end, stepsPerEpoch updates an epoch, goes on where it was and is closed at the end", async () => {
    let closed = 0;
    function* endless() {
      try {
        for (let i = 0; ; i = (i + 1) % 5) yield batch(i);
      } finally {
        closed++;
      }
    }
    const m = classifier();
    const history = await m.fit(any(endless()), { stepsPerEpoch: 5, epochs: 3 });
    expect([history, weightBits(m)]).toEqual(await want({ epochs: 3 }));
    expect(closed).toBe(1);
    await rejected("argument", m.fit(any(endless()), { epochs: any("x") }));
  });
  it("a bad batch rejects, the user's own errors come back unchanged", async () => {
    const mine = new TypeError("mine");
    const m = classifier();
    const twin = classifier();
    expect(
      await m
        .fit(
          any(
            (function* () {
              yield batch(0);
              throw mine;
            })(),
          ),
        )
        .catch((e: unknown) => e),
    ).toBe(mine);
    twin.trainOnBatch(batch(0).x, batch(0).y);
    expect(weightBits(m)).toEqual(weightBits(twin));
    await rejected("data", m.fit(any([{ ...batch(0), y: [0, 1, 2, 9] }])));
    await rejected("argument", m.fit(any([{ x: 1, y: 2 }])));
    await rejected("argument", m.fit(any([batch(0)]), { validationSplit: 0.5 }));
    await rejected("argument", m.fit(any([batch(0)]), { batchSize: "full" }));
    await rejected("data", m.fit(any([])));
    await rejected("data", m.evaluate(any([])));
  });
  it("dispose and abort while a batch is awaited", async () => {
    const m = classifier();
    const fit = m.fit(
      any(
        (async function* () {
          yield batch(0);
          m.dispose();
          yield batch(1);
        })(),
      ),
    );
    await rejected("state", fit);
    const other = classifier();
    const evaluate = other.evaluate(
      any(
        (async function* () {
          yield batch(0);
          other.dispose();
          yield batch(1);
        })(),
      ),
    );
    await rejected("state", evaluate);
    const abort = new AbortController();
    const third = classifier();
    const gone = third.evaluate(
      any(
        (async function* () {
          yield batch(0);
          abort.abort("why");
          yield batch(1);
        })(),
      ),
      { signal: abort.signal },
    );
    expect(await gone.catch((e: unknown) => e)).toBe("why");
  });
});

describe("at the same time", () => {
  const data = { x: floats(64 * 300), y: labels(300, 3) };
  const big = (seed: number) => {
    setSeed(seed);
    const m = sequential([
      dense(256, { inputShape: [64], activation: "relu" }),
      dropout(0.2),
      dense(256, { activation: "relu" }),
      dense(3),
    ]);
    m.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    return m;
  };
  it("two fits get the bits that each gets alone", async () => {
    const alone = [];
    for (const seed of [1, 2]) {
      const m = big(seed);
      alone.push([await m.fit(data, { epochs: 2, validationSplit: 0.2 }), weightBits(m)]);
    }
    const models = [big(1), big(2)];
    const histories = await Promise.all(models.map((m) => m.fit(data, { epochs: 2, validationSplit: 0.2 })));
    expect(models.map((m, i) => [histories[i], weightBits(m)])).toEqual(alone);
  });
  it("predict, evaluate, getWeights and testOnBatch while a fit is pending see whole steps and change nothing", async () => {
    const want = [await big(1).fit(data, { epochs: 3 })];
    const m = big(1);
    const fit = m.fit(data, { epochs: 3 });
    let pending = true;
    const over = fit.then((h) => {
      pending = false;
      return h;
    });
    let calls = 0;
    while (pending) {
      const [p, w] = [m.predict(data.x), m.getWeights()];
      const copy = big(9);
      copy.setWeights(w);
      expect(copy.predict(data.x)).toEqual(p);
      copy.dispose();
      m.testOnBatch(data.x, data.y);
      await m.evaluate(data);
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect(calls).toBeGreaterThan(1);
    expect([await over]).toEqual(want);
  });
  it("evaluations at the same time get what each gets alone", async () => {
    const m = big(1);
    const other = { x: floats(64 * 700, 5), y: labels(700, 2) };
    const want = [await m.evaluate(data), await m.evaluate(other, { batchSize: 128 })];
    expect(await Promise.all([m.evaluate(data), m.evaluate(other, { batchSize: 128 })])).toEqual(want);
  });
  it("compile while an evaluation is pending: it ends by the old one or rejects with state", async () => {
    const m = big(1);
    const long = { x: floats(64 * 6000), y: labels(6000, 3) };
    const evaluation = m.evaluate(long);
    m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy({ labelSmoothing: 0.3 }) });
    await evaluation.catch((e: any) => expect(e.code).toBe("state"));
    const another = m.evaluate(long);
    m.dispose();
    await rejected("state", another);
  });
  const wide = () => {
    setSeed(1);
    const m = sequential([
      dense(1024, { inputShape: [64], activation: "relu" }),
      dense(1024, { activation: "relu" }),
      dense(1024),
      dense(3),
    ]);
    m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    return m;
  };
  it("batches of many slices: evaluations, testOnBatch and fit in turn get what each gets alone", async () => {
    const m = wide();
    const [p, q] = [
      { x: floats(64 * 900), y: labels(900, 3) },
      { x: floats(64 * 700, 5), y: labels(700, 2) },
    ];
    const want = [
      await m.evaluate(p, { batchSize: 900 }),
      await m.evaluate(q, { batchSize: 500 }),
      m.testOnBatch(p.x, p.y),
    ];
    const got = Promise.all([m.evaluate(p, { batchSize: 900 }), m.evaluate(q, { batchSize: 500 })]);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect([m.testOnBatch(p.x, p.y)].concat(await got)).toEqual([want[2], want[0], want[1]]);
    const twin = wide();
    const fit = m.fit(q, { batchSize: 350 });
    await Promise.all([m.evaluate(p, { batchSize: 900 }), m.evaluate(q)]);
    expect(await fit).toEqual(await twin.fit(q, { batchSize: 350 }));
    expect(m.predict(p.x.subarray(0, 64))).toEqual(twin.predict(p.x.subarray(0, 64)));
  });
  it("dispose, compile, abort within a batch of an evaluation", async () => {
    const p = { x: floats(64 * 900), y: labels(900, 3) };
    const later = () => new Promise((resolve) => setTimeout(resolve, 0));
    const m = wide();
    const abort = new AbortController();
    const [a, b] = [m.evaluate(p, { batchSize: 900, signal: abort.signal }), m.evaluate(p, { batchSize: 900 })];
    await later();
    abort.abort("why");
    expect(await a.catch((e: unknown) => e)).toBe("why");
    expect(await b).toEqual(await wide().evaluate(p, { batchSize: 900 }));
    const c = m.evaluate(p, { batchSize: 900 });
    await later();
    m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }) });
    await rejected("state", c);
    const d = m.evaluate(p, { batchSize: 900 });
    await later();
    m.dispose();
    await rejected("state", d);
  });
  it("a runtime's dispose makes fits and evaluations reject with state", async () => {
    const runtime = await init();
    const m = wide();
    const pending = [
      m.fit({ x: floats(64 * 900), y: labels(900, 3) }),
      m.evaluate({ x: floats(64 * 900), y: labels(900, 3) }),
    ];
    await new Promise((resolve) => setTimeout(resolve, 0));
    runtime.dispose();
    await Promise.all(pending.map((p) => rejected("state", p)));
  });
  it("dispose makes a pending fit reject with state", async () => {
    const m = big(1);
    const fit = m.fit(data, { epochs: 50 });
    await new Promise((resolve) => setTimeout(resolve, 0));
    m.dispose();
    await rejected("state", fit);
  });
  it("fit and evaluate yield: timers tick", async () => {
    const m = wide();
    for (const call of [
      () => m.fit(data, { batchSize: 150 }),
      () => m.evaluate({ x: floats(64 * 1500), y: labels(1500, 3) }, { batchSize: 1500 }),
    ]) {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 0);
      await call();
      clearInterval(timer);
      expect(ticks).toBeGreaterThan(2);
    }
  });
});

describe("learning rates", () => {
  const rates = (learningRate: any, n = 12) => {
    const m = sequential([dense(1, { inputShape: [1] })]);
    m.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError() });
    return Array.from({ length: n }, () => {
      const rate = m.learningRate;
      const before = m.getWeights()["dense_1/bias"]!.data[0]!;
      m.applyGradients({ "dense_1/bias": { data: Float32Array.of(1), shape: [1] } });
      expect(before - m.getWeights()["dense_1/bias"]!.data[0]!).toBeCloseTo(rate, 5);
      return rate;
    });
  };
  const k = Array.from({ length: 12 }, (_, i) => i);
  it.each([
    [
      "linearDecay",
      linearDecay({ initial: 1, final: 0.1, steps: 9 }),
      (k: number) => (k < 9 ? (1 - k / 9) * 1 + (k / 9) * 0.1 : 0.1),
    ],
    [
      "exponentialDecay",
      exponentialDecay({ initial: 1, decayRate: 0.5, decaySteps: 3 }),
      (k: number) => 0.5 ** (k / 3),
    ],
    [
      "exponentialDecay, staircase",
      exponentialDecay({ initial: 1, decayRate: 0.5, decaySteps: 3, staircase: true }),
      (k: number) => 0.5 ** Math.floor(k / 3),
    ],
    [
      "inverseTimeDecay",
      inverseTimeDecay({ initial: 1, decayRate: 0.5, decaySteps: 3 }),
      (k: number) => 1 / (1 + (0.5 * k) / 3),
    ],
    ["stepDecay", stepDecay({ initial: 1, factor: 0.5, every: 4 }), (k: number) => 0.5 ** Math.floor(k / 4)],
    [
      "polynomialDecay",
      polynomialDecay({ initial: 1, final: 0.1, power: 2, steps: 9 }),
      (k: number) => 0.9 * (1 - Math.min(1, k / 9)) ** 2 + 0.1,
    ],
    [
      "cosineDecay",
      cosineDecay({ initial: 1, steps: 9 }),
      (k: number) => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, k / 9))),
    ],
    [
      "warmup",
      warmup({ steps: 4, then: linearDecay({ initial: 1, final: 0, steps: 5 }) }),
      (k: number) => (k < 4 ? (k + 1) / 4 : Math.max(0, 1 - (k - 4) / 5)),
    ],
    ["warmup of a number", warmup({ steps: 4, then: 0.5 }), (k: number) => (k < 4 ? (0.5 * (k + 1)) / 4 : 0.5)],
  ] as [string, unknown, (k: number) => number][])("%s: k = 0 at the first update", (_, schedule, formula) => {
    const got = rates(schedule);
    for (const i of k) expect(got[i]).toBeCloseTo(formula(i), 6);
  });
  it("oneCycle: from max/25 to max to max/25/10⁴", () => {
    const got = rates(oneCycle({ max: 1, steps: 10 }), 12);
    expect(got[0]).toBeCloseTo(0.04, 8);
    expect(Math.max(...got)).toBeCloseTo(1, 8);
    expect(got[9]).toBeCloseTo(4e-6, 8);
    expect(got[11]).toBe(got[9]);
  });
  it("get and set; a rate that is set ends the schedule; compile begins anew", () => {
    const m = classifier();
    expect(m.learningRate).toBe(0.01);
    m.learningRate = 0;
    const before = weightBits(m);
    m.trainOnBatch(X, Y);
    expect(weightBits(m)).toEqual(before);
    m.compile({
      optimizer: sgd({ learningRate: linearDecay({ initial: 1, final: 0, steps: 4 }) }),
      loss: softmaxCrossEntropy(),
    });
    m.trainOnBatch(X, Y);
    expect(m.learningRate).toBe(0.75);
    m.learningRate = 0.3;
    m.trainOnBatch(X, Y);
    expect(m.learningRate).toBe(0.3);
  });
});
