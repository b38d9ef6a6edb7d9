// What models have of their runtime: an end, seeds and streams, memory.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import {
  adam,
  batchNorm,
  dense,
  dropout,
  flatten,
  functional,
  init,
  l2,
  relu,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, bitsOf, classifier, floats, labels, rejected, thrown, weightBits } from "../support/contract";

const first = { inputShape: [4] };

describe("dispose", () => {
  it("twice does nothing; every other call afterwards is state", async () => {
    const m = classifier();
    const { layers } = m;
    m.trainOnBatch(floats(4), [1]);
    const weights = m.getWeights();
    m.dispose();
    m.dispose();
    m[Symbol.dispose]?.();
    const x = floats(4);
    const calls = [
      () => m.predict(x),
      () => m.trainOnBatch(x, [1]),
      () => m.testOnBatch(x, [1]),
      () => m.gradients(x, [1]),
      () => m.applyGradients({}),
      () => m.getWeights(),
      () => m.setWeights(weights),
      () => m.summary(),
      () => m.countParams(),
      () => m.learningRate,
      () => m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() }),
      () => {
        m.learningRate = 1;
      },
    ];
    for (const call of calls) thrown("state", call);
    await rejected("state", m.fit({ x, y: [1] }));
    await rejected("state", m.evaluate({ x, y: [1] }));
    expect(layers.length).toBe(4);
  });
  it("before the model was needed", () => {
    const m = sequential([dense(3, first)]);
    m.dispose();
    m.dispose();
    thrown("state", () => m.predict(floats(4)));
    thrown("state", () => m.add(relu()));
  });
  it("a runtime's models go with it; a second dispose does nothing", async () => {
    const runtime = await init();
    const m = sequential([dense(3, first)], { runtime });
    const lazy = sequential([dense(3, first)]);
    m.predict(floats(4));
    runtime.dispose();
    runtime.dispose();
    thrown("state", () => m.predict(floats(4)));
    thrown("state", () => lazy.predict(floats(4)));
    thrown("state", () => sequential([dense(3, first)], { runtime }).predict(floats(4)));
    sequential([dense(3, first)]).predict(floats(4));
  });
  it("building and disposing leaves memory flat", async () => {
    const runtime = await init();
    const used: number[] = [];
    for (let i = 0; i < 30; i++) {
      const m = sequential([dense(33, first), batchNorm(), dense(3)], { runtime });
      m.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
      m.trainOnBatch(floats(8), [0, 1]);
      await m.fit({ x: floats(40), y: labels(10, 3) }, { batchSize: 4 });
      m.predict(floats(8));
      m.dispose();
      used.push(runtime.memory().used);
    }
    expect(new Set(used).size).toBe(1);
    runtime.dispose();
  });
});

describe("seeds", () => {
  const build = () => sequential([dense(3, first), dropout(0.5)]);
  it("same seed, same weights; models of one seed differ; the default is 0", async () => {
    setSeed(0);
    const [a, b] = [weightBits(build()), weightBits(build())];
    setSeed(0);
    expect(weightBits(build())).toEqual(a);
    expect(weightBits(build())).toEqual(b);
    expect(a).not.toEqual(b);
    setSeed(1);
    expect(weightBits(build())).not.toEqual(a);
    const runtime = await init({ seed: 0 });
    expect(weightBits(build())).toEqual(a);
    runtime.dispose();
    setSeed(2 ** 40);
    const large = weightBits(build());
    setSeed(0);
    expect(large).not.toEqual(a);
  });
  it("seed and stream are taken when sequential is called", () => {
    setSeed(5);
    const m = build();
    setSeed(6);
    const other = weightBits(m);
    setSeed(5);
    expect(weightBits(build())).toEqual(other);
  });
  it("a call that failed has taken no stream", () => {
    setSeed(5);
    const want = weightBits(build());
    setSeed(5);
    thrown("argument", () => sequential([dense(3)]));
    thrown("argument", () => sequential(any(3)));
    thrown("argument", () => sequential([], any({ nme: 1 })));
    thrown("argument", () => functional(any({})));
    thrown("argument", () => setSeed(-1));
    expect(weightBits(build())).toEqual(want);
  });
  it("predict with training: reproducible, independent of the batch size and of calls before", () => {
    setSeed(5);
    const m = sequential([dense(5, first), dropout(0.5), dense(3), dropout(0.3)]);
    const x = floats(4 * 301);
    const want = bitsOf(m.predict(x, { training: true }));
    expect(want).not.toEqual(bitsOf(m.predict(x)));
    for (const batchSize of [1, 2, 3, 7, 64, 300, 1000])
      expect(bitsOf(m.predict(x, { training: true, batchSize })), `${batchSize}`).toEqual(want);
  });
  it("predict in chunks equals predict whole, bit for bit", () => {
    setSeed(5);
    const m = sequential([
      flatten({ inputShape: [33] }),
      dense(70, { activation: "tanh" }),
      batchNorm(),
      dense(10, { activation: "softmax" }),
    ]);
    const x = floats(33 * 301);
    const want = bitsOf(m.predict(x, { batchSize: 301 }));
    for (const batchSize of [1, 2, 3, 4, 5, 7, 64, 256, 300, 1000])
      expect(bitsOf(m.predict(x, { batchSize })), `${batchSize}`).toEqual(want);
    const one = m.predict(x.slice(33, 66));
    expect(bitsOf(one)).toEqual(want.slice(10, 20));
    for (const batchSize of ["3", 3n, 2.5, 0, -1, "full"])
      thrown("argument", () => m.predict(x, { batchSize: any(batchSize) }));
    l2(1);
    // the chunks are no longer than what is there
    expect(bitsOf(m.predict(x, { batchSize: 1e9 }))).toEqual(want);
  });
});

describe("memory", () => {
  it("what does not fit is memory, computed without overflow, naming the layer and the bytes, before anything is taken", async () => {
    const runtime = await init({ maxMemory: 2 ** 22 });
    expect(runtime.memory().max).toBe(2 ** 22);
    const used = runtime.memory().used;
    const huge = sequential([dense(10, first), dense(1e9, { inputShape: [1e9] })], { runtime });
    thrown("memory", () => huge.predict(floats(4)), /dense_2.*\b4\d{10}\b/);
    const larger = sequential([dense(1e9, { inputShape: [1e9] })], { runtime });
    thrown("memory", () => larger.predict(new Float32Array(1)), /dense_1.*\b4000000\d+ bytes/);
    thrown(
      "memory",
      () => sequential([dense(2 ** 53 - 1, { inputShape: [2 ** 53 - 1] })], { runtime }).summary(),
      /dense_1/,
    );
    expect(runtime.memory().used).toBe(used);
    runtime.dispose();
  });
  it("activations: names the layer; a model goes on as before", async () => {
    const runtime = await init({ maxMemory: 2 ** 22, seed: 3 });
    const make = () => {
      const m = sequential([dense(4, first), dense(4096, { name: "wide" }), dense(3)], { runtime });
      m.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
      return m;
    };
    const m = make();
    const x = floats(16);
    m.trainOnBatch(x, labels(4, 3));
    const used = runtime.memory().used;
    thrown("memory", () => m.trainOnBatch(floats(4 * 9000), labels(9000, 3)), /wide.*\d+ bytes/);
    await rejected("memory", m.fit({ x: floats(4 * 9000), y: labels(9000, 3) }, { batchSize: 9000 }));
    thrown("memory", () => m.predict(floats(4 * 9000), { batchSize: 9000 }), /wide/);
    // another model may take what was freed; the first one has its place again
    m.trainOnBatch(x, labels(4, 3));
    m.trainOnBatch(x, labels(4, 3));
    expect(runtime.memory().used).toBeLessThanOrEqual(used + 2 ** 16);
    const bits = weightBits(m);
    m.dispose();
    setSeed(3);
    const twin = make();
    for (let i = 0; i < 3; i++) twin.trainOnBatch(x, labels(4, 3));
    expect(weightBits(twin)).toEqual(bits);
    runtime.dispose();
  });
  it("a result too large for any array is memory", () => {
    const m = sequential([dense(1_000_000, { inputShape: [1] })]);
    thrown("memory", () => m.predict(new Float32Array(10_000_000)));
    m.dispose();
  });
});

describe("runtime", () => {
  it("features, memory, threads, fastMath", async () => {
    const runtime = await init({ threads: 1 });
    expect(runtime.threads).toBe(1);
    expect(runtime.fastMath).toBe(false);
    expect(Object.keys(runtime.features).sort()).toEqual(["crossOriginIsolated", "relaxedSimd", "simd", "threads"]);
    const { used, reserved, max } = runtime.memory();
    expect(used).toBeLessThanOrEqual(reserved);
    expect(max).toBe(2 ** 30);
    runtime.dispose();
  });
  it("sequential(layers, { runtime }) chooses another; a promise of one is refused", async () => {
    const runtime = await init();
    const before = runtime.memory().used;
    const m = sequential([dense(3, first)], { runtime });
    m.predict(floats(4));
    expect(runtime.memory().used).toBeGreaterThan(before);
    const promise = init();
    thrown("argument", () => sequential([dense(3, first)], { runtime: any(promise) }));
    (await promise).dispose();
    runtime.dispose();
  });
});
