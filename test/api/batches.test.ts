// fit and evaluate on batches as they come.

// biome-ignore-all lint/suspicious/noExplicitAny: a hostile caller has no types

import { describe, expect, it } from "vitest";
import { any, classifier, floats, labels, rejected, weightBits } from "../support/contract";

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
  it("an abort's reason comes before what is wrong with the batch that came meanwhile", async () => {
    const abort = new AbortController();
    async function* batches() {
      yield batch(0);
      abort.abort("why");
      yield { x: floats(7), y: labels(4, 3) };
    }
    const m = classifier();
    expect(await m.evaluate(any(batches()), { signal: abort.signal }).catch((e: unknown) => e)).toBe("why");
  });
  it("`batches` of a user's own class are the user's own, and so is `return` of an iterable that is no iterator", async () => {
    class Own {
      x = x;
      y = y;
      batches(): never {
        throw new Error("never called");
      }
    }
    const m = classifier();
    const validationData = new Own();
    const history = await m.fit(any(new Own()), { batchSize: 4, shuffle: false, validationData });
    expect(history.epochs[0]!.valLoss).toBeGreaterThan(0);
    expect((await m.evaluate(any(new Own()))).loss).toBeGreaterThan(0);
    let returned = 0;
    const list = {
      return: () => returned++,
      *[Symbol.iterator]() {
        yield batch(0);
      },
    };
    await m.fit(any(list));
    await m.evaluate(any(list));
    expect(returned).toBe(0);
  });
  it("training that is ended before an epoch has that epoch's one update still, of a whole group", async () => {
    const onEpochBegin = (epoch: number, _: unknown, m: any) => {
      m.stopTraining = epoch === 1;
    };
    const callbacks = [{ onEpochBegin }];
    const run = async (data: any, options: object) => {
      const m = classifier();
      const { epochs } = await m.fit(data, { accumulate: 2, epochs: 3, callbacks, ...options });
      return epochs.map(({ loss }) => loss);
    };
    const arrays = await run({ x, y }, { batchSize: 4, shuffle: false });
    expect(arrays).toHaveLength(2);
    expect(arrays[1]).toBeGreaterThan(0.1);
    expect(await run([0, 1, 2, 3, 4].map(batch), {})).toEqual(arrays);
  });
});
