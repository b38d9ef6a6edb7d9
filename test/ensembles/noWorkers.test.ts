// Where the platform has no workers: the same models, on the calling thread.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bagging, dense, inWorker, meanSquaredError, sequential, setSeed, sgd, weightsHash } from "../../ts/index";
import { examples } from "../support/training";

const none = vi.hoisted(() => ({ none: true }));
vi.mock(import("../../ts/runtime/platform/node"), async (original) => {
  const platform = await original();
  return {
    ...platform,
    startWorker(source, url) {
      if (none.none) throw new Error("no workers here");
      return platform.startWorker(source, url);
    },
  };
});

const { x } = examples(60);
const y = Float32Array.from({ length: 60 }, (_, r) => x.data[r * 12]!);
const make = (rate = 0.05) => {
  const model = sequential([dense(1, { inputShape: [12] })]);
  model.compile({ optimizer: sgd({ learningRate: rate }), loss: meanSquaredError() });
  return model;
};

const warnings: string[] = [];
beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation((text) => void warnings.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  warnings.length = 0;
});

async function hashes(): Promise<string[]> {
  setSeed(4);
  const trained = bagging(() => make(), { estimators: 3, parallel: 2 });
  await trained.fit({ x, y }, { epochs: 3 });
  const all = await Promise.all(trained.models.map((model) => weightsHash(model)));
  trained.dispose();
  return all;
}

test("bagging trains here, says so once, and its models are those that workers train", async () => {
  const here = await hashes();
  expect(warnings).toEqual(["downhill: bagging trains on the calling thread (no worker can be had: no workers here)"]);
  none.none = false;
  expect(await hashes()).toEqual(here);
  none.none = true;
});

test("a failure and an abort there are what they are with workers", async () => {
  const trained = bagging((i) => make(i === 1 ? 1e30 : 0.05), { estimators: 3 });
  const { failed } = await trained.fit({ x, y }, { epochs: 3 });
  expect(failed).toEqual([{ member: 1, error: expect.objectContaining({ code: "numeric" }) }]);
  const abort = new AbortController();
  const reason = new Error("enough");
  const onProgress = ({ epoch }: { epoch: number }) => void (epoch === 3 && abort.abort(reason));
  await expect(trained.fit({ x, y }, { epochs: 1e6, signal: abort.signal, onProgress })).rejects.toBe(reason);
  expect(trained.models).toHaveLength(2);
  trained.dispose();
});

test("inWorker rejects", async () => {
  const model = make();
  await expect(inWorker(model)).rejects.toMatchObject({
    code: "worker",
    message: expect.stringMatching(/no workers here/),
  });
  model.dispose();
});
