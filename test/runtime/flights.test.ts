// A leader that stalls at a barrier gives the event loop its turn in the middle of a step. Here every run of a team
// stalls a few times, so whatever others do meanwhile meets a run in flight.

import { beforeEach, expect, test, vi } from "vitest";
import { Status } from "../../assembly/isa";
import * as downhill from "../../ts/index";
import { turn } from "../../ts/runtime/turn";
import { referenceData, referenceModel } from "../browser/reference";

let stalls = 0;
vi.mock("../../ts/runtime/core", async (original) => {
  const module = await original<typeof import("../../ts/runtime/core")>();
  /** A core whose `lead` comes back `stalled` and whose `resume` does so `stalls` times before it does the work. */
  const instantiate: typeof module.instantiate = (...args) => {
    const core = module.instantiate(...args);
    let waiting: (() => Status) | undefined;
    let left = 0;
    return {
      ...core,
      heapBase: core.heapBase,
      lead(...range: Parameters<typeof core.lead>) {
        if (waiting) throw new Error("a run began while another one was in flight");
        left = stalls;
        waiting = () => core.lead(...range);
        return Status.stalled;
      },
      resume(...team: Parameters<typeof core.resume>) {
        if (left-- > 0 || !waiting) return waiting ? Status.stalled : core.resume(...team);
        const run = waiting;
        waiting = undefined;
        return run();
      },
    };
  };
  return { ...module, instantiate };
});

const { x, y } = referenceData();
const batch = { x: { data: x.data.subarray(0, 203 * 53), shape: [53, 203] }, y: y.subarray(0, 53) };
const options = { batchSize: 53, stepsPerEpoch: 6, epochs: 2 };

let runtime: downhill.Runtime;
beforeEach(async () => {
  stalls = 3;
  runtime = await downhill.init({ threads: 2, seed: 0 });
  expect(runtime.threads).toBe(2);
  return () => runtime.dispose();
});

/** Models one after the other, each in a fit of its own. */
async function alone(count: number): Promise<string[]> {
  downhill.setSeed(0);
  const hashes: string[] = [];
  for (let i = 0; i < count; i++) {
    const model = referenceModel(downhill);
    await model.fit({ x, y }, options);
    hashes.push(await downhill.weightsHash(model));
    model.dispose();
  }
  return hashes;
}

test("models that fit at once get the bits that they get alone", async () => {
  const expected = await alone(3);
  downhill.setSeed(0);
  const models = expected.map(() => referenceModel(downhill));
  await Promise.all(models.map((model) => model.fit({ x, y }, options)));
  expect(await Promise.all(models.map((model) => downhill.weightsHash(model)))).toEqual(expected);
});

test("who reads a model during its fit sees whole steps, and the counter of that step", async () => {
  const [expected] = await alone(1);
  downhill.setSeed(0);
  const model = referenceModel(downhill);
  const byStep = new Map<number, string>();
  const seen: { step: number; hash: Promise<string> }[] = [];
  let done = false;
  const fit = model.fit({ x, y }, options).finally(() => {
    done = true;
  });
  while (!done) {
    await turn();
    const hash = downhill.weightsHash(model); // which reads the weights at once
    seen.push({ step: model.state.step, hash });
    model.predict(batch.x);
    model.testOnBatch(batch.x, batch.y);
  }
  await fit;
  for (const { step, hash: pending } of seen) {
    const hash = await pending;
    expect(byStep.get(step) ?? hash).toBe(hash);
    byStep.set(step, hash);
  }
  expect(byStep.size).toBeGreaterThan(6);
  expect(new Set(byStep.values()).size).toBe(byStep.size);
  expect(byStep.get(12)).toBe(expected);
});

test("dispose during a step: that fit rejects with state, others go on", async () => {
  const [expected] = await alone(1);
  downhill.setSeed(0);
  const stays = referenceModel(downhill);
  const goes = referenceModel(downhill);
  const rejected = expect(goes.fit({ x, y }, { ...options, epochs: 1e6 })).rejects.toMatchObject({ code: "state" });
  const fit = stays.fit({ x, y }, options);
  await turn();
  goes.dispose();
  await rejected;
  for (let i = 0; i < 3; i++) referenceModel(downhill).dispose(); // writes over what was freed
  await fit;
  expect(await downhill.weightsHash(stays)).toBe(expected);
});

test("a runtime disposed during a step: the fit rejects with state", async () => {
  const model = referenceModel(downhill);
  const rejected = expect(model.fit({ x, y }, { epochs: 1e6 })).rejects.toMatchObject({ code: "state" });
  await turn();
  runtime.dispose();
  await rejected;
  expect(() => model.predict(batch.x)).toThrow(expect.objectContaining({ code: "state" }));
});

test("a team that never answers: synchronous calls end with worker, and so does a fit", async () => {
  const model = referenceModel(downhill);
  stalls = 1e9;
  const fit = expect(model.fit({ x, y })).rejects.toMatchObject({ code: "worker" });
  await turn();
  const dead = expect.objectContaining({ code: "worker" });
  expect(() => model.predict(batch.x)).toThrow(dead);
  await fit;
  expect(() => model.trainOnBatch(batch.x, batch.y)).toThrow(dead);
  model.dispose();
});
