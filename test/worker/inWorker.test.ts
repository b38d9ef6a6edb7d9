import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type Callback,
  dataset,
  dense,
  earlyStopping,
  functional,
  init,
  input,
  inWorker,
  loadModel,
  type Model,
  meanSquaredError,
  type NDArray,
  type RemoteModel,
  sequential,
  sgd,
  softmaxCrossEntropy,
  transfer,
  weightsHash,
} from "../../ts/index";
import { layerFactory } from "../../ts/layers/layer";
import { buffersIn, compacted } from "../../ts/worker/protocol";
import { compiledNet, examples } from "../support/training";

const data = examples();
const { x, y } = data;

let model: Model<NDArray>;
let remote: RemoteModel<NDArray>;
beforeAll(async () => {
  model = compiledNet();
  remote = await inWorker(model);
});
afterAll(async () => {
  model.dispose();
  await remote.terminate();
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** The two have the same weights. */
async function alike(): Promise<void> {
  expect(await remote.weightsHash()).toBe(await weightsHash(model));
}

describe("the same model behind the same methods", () => {
  test("fit, evaluate, predict", async () => {
    const options = { epochs: 3, batchSize: 16, validationSplit: 0.2 };
    expect(await remote.fit(data, options)).toEqual(await model.fit(data, options));
    expect(await remote.evaluate(data)).toEqual(await model.evaluate(data));
    expect(await remote.predict(x)).toEqual(model.predict(x));
    expect(await remote.predict(x, { training: true })).toEqual(model.predict(x, { training: true }));
    await alike();
  });

  test("there is every method and property of a model's", () => {
    const of = (prototype: object) => Object.getOwnPropertyNames(prototype);
    const own = new Set([...of(Object.getPrototypeOf(remote)), ...of(remote)]);
    // layers are data there, and what ends is the worker
    const others = ["state", "add", "getLayer", "dispose"];
    expect(of(Object.getPrototypeOf(model)).filter((name) => !own.has(name) && !others.includes(name))).toEqual([]);
  });

  test("batches, gradients, weights, what it says of itself", async () => {
    expect(await remote.trainOnBatch(x, y)).toEqual(model.trainOnBatch(x, y));
    expect(await remote.testOnBatch(x, y)).toEqual(model.testOnBatch(x, y));
    const gradients = await remote.gradients(x, y);
    expect(gradients).toEqual(model.gradients(x, y));
    await remote.applyGradients(gradients.parameters);
    model.applyGradients(gradients.parameters);
    await alike();
    const weights = await remote.getWeights();
    weights["dense_1/kernel"]!.data.fill(0.1);
    await remote.setWeights(weights);
    model.setWeights(weights);
    await alike();
    expect(await remote.countParams()).toBe(model.countParams());
    expect(await remote.summary()).toContain("dense_1");
    expect((await remote.profile(x, y)).spans).toHaveProperty("backward");
    await alike();
    expect(await remote.name).toBe(model.name);
    expect(await remote.config).toEqual(model.config);
    expect(await remote.epoch).toBe(model.epoch);
    expect((await remote.layers).map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
  });

  test("frozen layers, the learning rate, compile", async () => {
    await remote.setTrainable("dense_1", false);
    model.getLayer("dense_1").trainable = false;
    remote.learningRate = 0.5;
    model.learningRate = 0.5;
    expect(await remote.learningRate).toBe(0.5);
    await remote.trainOnBatch(x, y);
    model.trainOnBatch(x, y);
    await alike();
    const options = { optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }), loss: softmaxCrossEntropy() };
    await remote.compile(options);
    model.compile(options);
    await Promise.all([remote.fit(data), model.fit(data)]);
    await alike();
  });

  test("datasets, iterables and generators stay here", async () => {
    const batched = dataset(data).shuffle(3).batch(20);
    const [there, here] = [await remote.fit(batched, { epochs: 2 }), await model.fit(batched, { epochs: 2 })];
    expect(there).toEqual(here);
    let ended = 0;
    async function* endless() {
      try {
        for (;;) yield { x, y };
      } finally {
        ended++;
      }
    }
    await remote.fit(endless(), { stepsPerEpoch: 3, epochs: 2 });
    await model.fit(endless(), { stepsPerEpoch: 3, epochs: 2 });
    expect(ended).toBe(2);
    await alike();
    expect(await remote.evaluate([data, data])).toEqual(await model.evaluate([data, data]));
    const mine = new Error("mine");
    const throws = {
      *[Symbol.iterator]() {
        yield { x, y };
        throw mine;
      },
    };
    await expect(remote.fit(throws)).rejects.toBe(mine);
    await remote.setWeights(model.getWeights());
  });

  test("a part of a large buffer goes over alone", () => {
    const large = new Float32Array(1000);
    const part = { x: { data: large.subarray(10, 20), shape: [10, 1] }, y: [1, 2], f: [[1, 2]], n: null };
    const own = new Set<ArrayBuffer>();
    const sent = compacted(part, own) as typeof part;
    expect(sent).toEqual(part);
    expect(sent.x.data.buffer.byteLength).toBe(40);
    expect([...own]).toEqual([sent.x.data.buffer]);
    expect(compacted(large, own)).toBe(large);
    expect(buffersIn({ a: [large], b: { c: large.subarray(1) } })).toEqual([large.buffer]);
  });

  test("transfer: buffers go over, not copies; without it what is given stays", async () => {
    const own = compiledNet();
    const there = await inWorker(own);
    const given = () => ({ x: { data: x.data.slice(), shape: x.shape }, y: y.slice() });
    const [kept, gone, validation] = [given(), given(), given()];
    await there.fit(kept, { epochs: 1, validationData: kept });
    expect(kept).toEqual(given());
    await there.fit(transfer(gone), { epochs: 1, validationData: transfer(validation) });
    for (const { x, y } of [gone, validation]) expect([x.data.length, y.length]).toEqual([0, 0]);
    await expect(there.fit(gone)).rejects.toMatchObject({
      code: "argument",
      message: expect.stringMatching(/fit: .*sent to a worker .*detached/),
    });
    for (let i = 0; i < 2; i++) await own.fit(given(), { epochs: 1, validationData: given() });
    expect(await there.weightsHash()).toBe(await weightsHash(own));
    const rows = given().x;
    const predicted = await there.predict(transfer(rows));
    expect(predicted).toEqual(own.predict(x));
    expect(rows.data.length).toBe(0);
    const batch = given();
    await there.trainOnBatch(transfer(batch.x), batch.y);
    own.trainOnBatch(x, y);
    expect([batch.x.data.length, batch.y.length]).toEqual([0, y.length]);
    expect(await there.weightsHash()).toBe(await weightsHash(own));
    await there.terminate();
    own.dispose();
    expect(() => transfer(5 as never)).toThrow(expect.objectContaining({ code: "argument" }));
  });

  test("arrays on a SharedArrayBuffer are shared, and stay", async () => {
    const data = new Float32Array(new SharedArrayBuffer(x.data.byteLength));
    data.set(x.data);
    const own = compiledNet();
    const there = await inWorker(own);
    expect(await there.predict(transfer({ data, shape: x.shape }))).toEqual(own.predict(x));
    expect(data.length).toBe(x.data.length);
    await there.terminate();
    own.dispose();
  });

  test("a file of it goes on here", async () => {
    const loaded = await loadModel(await remote.saveModel());
    expect(await weightsHash(loaded)).toBe(await remote.weightsHash());
    loaded.dispose();
  });

  test("several outputs", async () => {
    const i = input([12]);
    const two = functional({ inputs: i, outputs: { a: dense(2)(i), b: dense(1)(i) } });
    const there = await inWorker(two);
    const { a, b } = await there.predict(x);
    expect({ a, b }).toEqual(two.predict(x));
    two.dispose();
    await there.terminate();
  });

  test("threads", async () => {
    const runtime = await init({ threads: 2 });
    const own = compiledNet();
    const there = await inWorker(own, { threads: 3 });
    await there.fit(data, { epochs: 2 });
    await own.fit(data, { epochs: 2 });
    expect(await there.weightsHash()).toBe(await weightsHash(own));
    await there.terminate();
    runtime.dispose();
  });
});

describe("callbacks", () => {
  test("run here and are waited for; they may ask the model and end training", async () => {
    const seen: unknown[] = [];
    const own: Callback = {
      onTrainBegin: () => void seen.push("begin"),
      async onEpochEnd(epoch, logs, given) {
        expect(given).toBe(remote);
        const { loss } = await given.evaluate(data);
        seen.push(epoch, loss < 100, logs.loss > 0);
        if (epoch === 1) given.stopTraining = true;
      },
      onTrainEnd: () => void seen.push("end"),
    };
    const { epochs } = await remote.fit(data, { epochs: 5, callbacks: [own] });
    expect(epochs).toHaveLength(2);
    expect(seen).toEqual(["begin", 0, true, true, 1, true, true, "end"]);
  });

  test("what they write into the logs, later ones and the history have", async () => {
    const figures = [3, 2, 2.5, 2.6, 1];
    const own: Callback = {
      onEpochEnd(epoch, logs) {
        logs.loss = figures[epoch]!;
      },
    };
    const stop = earlyStopping({ monitor: "loss", patience: 2 });
    const { epochs } = await remote.fit(data, { epochs: 5, callbacks: [own, stop] });
    expect(epochs.map(({ loss }) => loss)).toEqual([3, 2, 2.5, 2.6]);
  });

  test("of factories run there", async () => {
    const { epochs } = await remote.fit(data, {
      epochs: 500,
      callbacks: [earlyStopping({ monitor: "loss", minDelta: 1, patience: 1 })],
    });
    expect(epochs.length).toBeLessThan(10);
  });

  test("what they throw comes back unchanged; so does what the library throws in them", async () => {
    const mine = { not: "an error" };
    const throws: Callback = {
      onBatchEnd() {
        throw mine;
      },
    };
    await expect(remote.fit(data, { callbacks: [throws] })).rejects.toBe(mine);
    expect((await remote.fit(data)).epochs).toHaveLength(1);
  });
});

describe("ends", () => {
  test("errors have their code and text", async () => {
    const cases: [() => Promise<unknown>, string, RegExp][] = [
      [() => remote.fit(data, { epoch: 3 } as never), "argument", /did you mean epochs/],
      [() => remote.fit(data, { callbacks: [earlyStopping({ monitor: "none" })] }), "argument", /none/],
      [() => remote.fit({ x, y: y.subarray(1) }), "shape", /targets/],
      [() => remote.predict([[1, 2]]), "shape", /expected input of shape \[n, 12\], got \[1, 2\]/],
      [() => remote.fit(5 as never), "argument", /fit: expected data/],
      [() => remote.fit(data, { signal: 5 as never }), "argument", /signal/],
      [() => remote.setTrainable("none", true), "argument", /getLayer/],
    ];
    for (const [call, code, message] of cases)
      await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("abort: fit rejects with the reason, weights at the last finished step", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const onEpochEnd = (epoch: number) => void (epoch === 2 && abort.abort(reason));
    await expect(remote.fit(data, { epochs: 1e6, signal: abort.signal, callbacks: [{ onEpochEnd }] })).rejects.toBe(
      reason,
    );
    expect(await remote.epoch).toBeGreaterThanOrEqual(3);
    await expect(remote.evaluate(data, { signal: abort.signal })).rejects.toBe(reason);
    await remote.evaluate(data);
  });

  test("terminate: what is under way rejects, and every later call", async () => {
    const there = await inWorker(model);
    const pending = there.fit(data, { epochs: 1e6 });
    const rejected = expect(pending).rejects.toMatchObject({
      code: "state",
      message: expect.stringMatching(/terminated/),
    });
    await there.terminate();
    await rejected;
    await expect(there.predict(x)).rejects.toMatchObject({ code: "state" });
    await there.terminate();
  });

  test("a worker that dies: the call rejects with `worker`", async () => {
    let thread: { terminate(): unknown } | undefined;
    process.once("worker", (worker) => {
      thread = worker;
    });
    const there = await inWorker(model);
    const pending = there.fit(data, { epochs: 1e6 });
    setTimeout(() => thread!.terminate(), 50);
    await expect(pending).rejects.toMatchObject({ code: "worker", message: expect.stringMatching(/the worker died/) });
    await expect(there.predict(x)).rejects.toMatchObject({ code: "worker" });
  });

  test("arguments; models that a worker cannot have", async () => {
    await expect(inWorker(5 as never)).rejects.toMatchObject({ code: "argument" });
    await expect(inWorker(model, { threads: 0 })).rejects.toMatchObject({ code: "argument" });
    await expect(inWorker(model, { workerUrl: 5 } as never)).rejects.toMatchObject({ code: "argument" });
    await expect(inWorker(model, { thread: 1 } as never)).rejects.toMatchObject({ code: "argument" });
    const mine = layerFactory({ type: "mineAlone", call: ([v]) => v! });
    const own = sequential([mine({ inputShape: [12] } as never), dense(1)]);
    own.compile({ optimizer: sgd(), loss: meanSquaredError() });
    await expect(inWorker(own)).rejects.toMatchObject({
      code: "argument",
      message: `inWorker: expected layers, losses and metrics of the library's own, got the layer "mineAlone"`,
    });
    own.dispose();
  });
});
