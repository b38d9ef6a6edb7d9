// Rows of files where examples are taken: fit, evaluate, a worker.

import { expect, test } from "vitest";
import {
  adam,
  dense,
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
