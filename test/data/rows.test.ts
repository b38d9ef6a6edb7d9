// Rows of files where examples are taken: fit, evaluate, a worker.

import { expect, test } from "vitest";
import {
  adam,
  dataset,
  dense,
  earlyStopping,
  inWorker,
  npyRows,
  npzRows,
  saveNpy,
  saveNpz,
  sequential,
  setSeed,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";

const N = 70;
const x = { data: Float32Array.from({ length: 4 * N }, (_, i) => Math.sin(i * i)), shape: [N, 4] };
const y = Int32Array.from({ length: N }, (_, i) => (x.data[4 * i]! > 0 ? 1 : 0));

const net = () => {
  setSeed(5);
  const model = sequential([dense(6, { inputShape: [4], activation: "tanh" }), dense(2)]);
  model.compile({ optimizer: adam({ learningRate: 0.05 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return model;
};
const rowsOf = async (rows: number) => npyRows({ x: await saveNpy(x), y: await saveNpy(y) }, { rows });

test("fit on rows equals fit on their arrays, unshuffled; so does evaluate", async () => {
  const [a, b] = [net(), net()];
  await a.fit(await rowsOf(16), { epochs: 3 });
  await b.fit({ x, y }, { epochs: 3, batchSize: 16, shuffle: false });
  expect(await weightsHash(a)).toBe(await weightsHash(b));
  expect((await a.evaluate(await rowsOf(9))).accuracy).toBe((await b.evaluate({ x, y })).accuracy);
});

test("shuffled rows: an epoch's order is of its number, so training goes on to the bit, and in a worker", async () => {
  const rows = (await rowsOf(8)).shuffle(32, 1);
  const [whole, halves, other] = [net(), net(), net()];
  await whole.fit(rows, { epochs: 4 });
  await halves.fit(rows, { epochs: 2 });
  await halves.fit(rows, { epochs: 4, initialEpoch: 2 });
  const hash = await weightsHash(whole);
  expect(await weightsHash(halves)).toBe(hash);
  await other.fit(rows.shuffle(32, 2), { epochs: 4 });
  expect(await weightsHash(other)).not.toBe(hash);
  const remote = await inWorker(net());
  await remote.fit(rows, { epochs: 4 });
  expect(await remote.weightsHash()).toBe(hash);
  await remote.terminate();
});

test("an archive of { x, y } is taken as it is; what map throws comes back unchanged", async () => {
  const archive = await saveNpz({ x, y });
  const rows = await npzRows(archive, { rows: 16 });
  const [a, b] = [net(), net()];
  await a.fit(rows, { epochs: 2 });
  await b.fit(await rowsOf(16), { epochs: 2 });
  expect(await weightsHash(a)).toBe(await weightsHash(b));
  const own = new Error("own");
  const broken = rows.map(() => {
    throw own;
  });
  await expect(a.fit(broken)).rejects.toBe(own);
});

test("validated on as they come: the same figures, the same weights; monitored, and read again in each epoch", async () => {
  const [a, b] = [net(), net()];
  const options = { epochs: 4, batchSize: 16, callbacks: [earlyStopping({ monitor: "valLoss", patience: 9 })] };
  const came = await a.fit({ x, y }, { ...options, validationData: await rowsOf(256) });
  const held = await b.fit({ x, y }, { ...options, validationData: { x, y } });
  expect(came).toEqual(held);
  expect(await weightsHash(a)).toBe(await weightsHash(b));
  expect(came.epochs.map((logs) => logs.valLoss)).toHaveLength(4);
  const parts = [dataset({ x, y }).batch(9), [{ x, y }], await rowsOf(9)];
  for (const validationData of parts) {
    const { epochs } = await net().fit(await rowsOf(16), { epochs: 2, validationData });
    const last = (await net().fit(await rowsOf(16), { epochs: 2, validationData: { x, y } })).epochs[1]!;
    expect(epochs[1]!.valLoss).toBeCloseTo(last.valLoss!, 6);
    expect(epochs[1]!.valAccuracy).toBeCloseTo(last.valAccuracy!, 6);
  }
});

test("what cannot be validated on, and when that is told", async () => {
  const model = net();
  const hash = await weightsHash(model);
  function* once() {
    yield { x, y };
  }
  const refused = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });
  const again = /^fit: expected validationData that begin anew in each epoch, got a Generator$/;
  await expect(model.fit({ x, y }, { epochs: 2, validationData: once() })).rejects.toMatchObject(
    refused("argument", again),
  );
  const retrain = [earlyStopping({ retrain: "sameSteps" })];
  const rows = await rowsOf(16);
  await expect(
    model.fit({ x, y }, { validationData: rows, validationSplit: 0.2, callbacks: retrain }),
  ).rejects.toMatchObject(refused("argument", /retrain with arrays/));
  expect(await weightsHash(model)).toBe(hash);
  expect((await model.fit({ x, y }, { validationData: once() })).epochs[0]!.valLoss).toBeGreaterThan(0);

  const wide = [{ x: [[1, 2]], y: [0] }];
  await expect(model.fit({ x, y }, { validationData: wide })).rejects.toMatchObject(
    refused("shape", /^fit: validationData/),
  );
  await expect(model.fit({ x, y }, { validationData: [{ x }] })).rejects.toMatchObject(
    refused("argument", /^fit: validationData: a batch: /),
  );
  const own = new Error("own");
  const broken = rows.map(() => {
    throw own;
  });
  await expect(model.fit({ x, y }, { validationData: broken })).rejects.toBe(own);
  const abort = new AbortController();
  const aborting = rows.map((batch) => {
    abort.abort(own);
    return batch;
  });
  await expect(model.fit({ x, y }, { validationData: aborting, signal: abort.signal })).rejects.toBe(own);
  await model.fit({ x, y }, { validationData: rows }); // it is free again

  const remote = await inWorker(net());
  await expect(remote.fit({ x, y }, { validationData: rows })).rejects.toMatchObject(
    refused(
      "argument",
      /^fit: expected validationData as arrays, such as await data.toArrays\(\), of a model in a worker/,
    ),
  );
  await remote.terminate();
});
