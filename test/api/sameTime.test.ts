// What pending calls see, and what runs at the same time.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import { adam, dense, dropout, init, sequential, setSeed, sgd, softmaxCrossEntropy } from "../../ts/index";
import { floats, labels, rejected, weightBits } from "../support/contract";

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
