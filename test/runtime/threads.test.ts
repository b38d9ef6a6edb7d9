import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import * as downhill from "../../ts/index";
import type { WorkerHandle } from "../../ts/runtime/platform/worker";
import type { Runtime } from "../../ts/runtime/runtime";
import "../support/builds"; // relaxed SIMD on Node 20
import { referenceData, referenceModel, referenceRun } from "../browser/reference";

const workers: WorkerHandle[] = [];
vi.mock("../../ts/runtime/platform/node", async (original) => {
  const node = await original<typeof import("../../ts/runtime/platform/node")>();
  const startWorker: typeof node.startWorker = async (...args) => {
    const worker = await node.startWorker(...args);
    workers.push(worker);
    return worker;
  };
  return { ...node, startWorker };
});

const runtimes: Runtime[] = [];
async function init(options: downhill.InitOptions): Promise<Runtime> {
  const runtime = await downhill.init({ seed: 0, ...options });
  runtimes.push(runtime);
  return runtime;
}
afterEach(() => {
  for (const runtime of runtimes.splice(0)) runtime.dispose();
  workers.length = 0;
});

/** Runs a program in a process of its own, against dist/: what it printed and its exit code. */
function child(source: string): Promise<{ output: string; code: number | null }> {
  const node = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [node.stdout, node.stderr])
    stream.on("data", (text) => {
      output = (output + text).slice(-2000);
    });
  return new Promise((resolve) => node.on("exit", (code) => resolve({ output, code })));
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const { x, y } = referenceData();
const batch = { x: { data: x.data.subarray(0, 203 * 53), shape: [53, 203] }, y: y.subarray(0, 53) };

test("the reference model's step really runs on the team", async () => {
  await init({ threads: 2 });
  const lines = downhill.explain(referenceModel(downhill) as never, { batchSize: 53 }).split("\n");
  const shared = lines.filter((line) => line.includes("‖")).length;
  expect(shared).toBeGreaterThan(10);
  expect(shared).toBeLessThan(lines.length - 2); // and some of it on rank 0 alone
});

test.each([false, true])("200 steps have the same bits on 1, 2, 3 and 4 threads, fastMath %s", async (fastMath) => {
  const hashes: string[] = [];
  for (const threads of [1, 2, 3, 4]) {
    const runtime = await init({ threads, fastMath });
    expect(runtime).toMatchObject({ threads, fastMath });
    const { hash, loss } = await referenceRun(downhill);
    expect(loss).toBeLessThan(2.5);
    hashes.push(hash);
    runtime.dispose();
  }
  expect(new Set(hashes).size).toBe(1);
});

test("trainOnBatch and evaluate have the bits of one thread", async () => {
  const results: unknown[] = [];
  for (const threads of [1, 3]) {
    const runtime = await init({ threads });
    const model = referenceModel(downhill);
    for (let i = 0; i < 20; i++) model.trainOnBatch(batch.x, batch.y);
    results.push([await downhill.weightsHash(model), await model.evaluate({ x, y }), model.predict(batch.x).data]);
    runtime.dispose();
  }
  expect(results[1]).toEqual(results[0]);
});

test("many short-lived models, random pauses and halts: nothing hangs", async () => {
  let seed = 3;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  for (const threads of [2, 3, 4]) {
    const runtime = await init({ threads });
    const end = performance.now() + 1500;
    while (performance.now() < end) {
      const model = referenceModel(downhill);
      for (let i = random() * 3; i > 0; i--) model.trainOnBatch(batch.x, batch.y);
      if (random() < 0.3) {
        // data that make the loss overflow: the guard halts the run
        const huge = { data: batch.x.data.map((v) => v * 1e30), shape: batch.x.shape };
        model.setWeights(Object.fromEntries(Object.entries(model.getWeights()).map(([k, w]) => [k, big(w)])));
        expect(() => model.trainOnBatch(huge, batch.y)).toThrow(expect.objectContaining({ code: "numeric" }));
      }
      model.dispose();
      if (random() < 0.1) await wait(random() * 150); // workers fall asleep after a few 100 µs, look up every 100 ms
    }
    runtime.dispose();
  }
});
const big = ({ data, shape }: downhill.NDArray) => ({ data: data.map((v) => v * 1e30), shape });

test("a model built after init makes the shared memory grow", async () => {
  const runtime = await init({ threads: 3 });
  referenceModel(downhill).trainOnBatch(batch.x, batch.y);
  const before = runtime.memory().reserved;
  const { sequential, dense, sgd, meanSquaredError } = downhill;
  const model = sequential([dense(1500, { inputShape: [1000] }), dense(1)]);
  model.compile({ optimizer: sgd({ momentum: 0.9 }), loss: meanSquaredError() });
  const rows = { data: new Float32Array(30 * 1000).fill(0.1), shape: [30, 1000] };
  const losses = Array.from({ length: 5 }, () => model.trainOnBatch(rows, new Float32Array(30)).loss);
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(runtime.memory().reserved).toBeGreaterThan(before + 12e6);
});

/** What every call does once the team is dead. */
async function expectDead(runtime: Runtime, model: ReturnType<typeof referenceModel>) {
  const dead = expect.objectContaining({ name: "DownhillError", code: "worker" });
  expect(() => model.trainOnBatch(batch.x, batch.y)).toThrow(dead);
  expect(() => model.predict(batch.x)).toThrow(dead);
  expect(() => model.getWeights()).toThrow(dead);
  expect(() => referenceModel(downhill)).toThrow(dead);
  await expect(model.fit({ x, y })).rejects.toThrow(dead);
  await expect(model.evaluate({ x, y })).rejects.toThrow(dead);
  model.dispose();
  runtime.dispose();
  runtime.dispose();
}

test("a worker that ends during fit: the error comes in under 1 s", async () => {
  const runtime = await init({ threads: 3 });
  const model = referenceModel(downhill);
  let ended = 0;
  const onBatchEnd = (step: number) => {
    if (step !== 5) return;
    workers[1]!.terminate();
    ended = performance.now();
  };
  await expect(model.fit({ x, y }, { epochs: 1e6, callbacks: [{ onBatchEnd }] })).rejects.toMatchObject({
    name: "DownhillError",
    code: "worker",
    message: expect.stringMatching(/worker 2 of the thread team died/),
  });
  expect(performance.now() - ended).toBeLessThan(1000);
  await expectDead(runtime, model);
});

test("a worker that ends during trainOnBatch: the error comes in under 3 s", async () => {
  const runtime = await init({ threads: 2 });
  const model = referenceModel(downhill);
  model.trainOnBatch(batch.x, batch.y);
  workers[0]!.terminate();
  const ended = performance.now();
  const train = () => {
    while (performance.now() - ended < 10_000) model.trainOnBatch(batch.x, batch.y); // the event loop has no turn
  };
  expect(train).toThrow(expect.objectContaining({ code: "worker" }));
  expect(performance.now() - ended).toBeLessThan(3000);
  await expectDead(runtime, model);
});

test("workers keep no process alive", async () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  const head = `
    import { init, sequential, dense, sgd, meanSquaredError } from "./${manifest.exports["."].node}";
    const runtime = await init({ threads: 3 });
    const model = sequential([dense(300, { inputShape: [200] }), dense(1)]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const x = { data: new Float32Array(50 * 200), shape: [50, 200] }, y = new Float32Array(50);
    const { threads } = runtime;
  `;
  const ends = [
    `await model.fit({ x, y }); console.log("end", threads);`,
    `model.trainOnBatch(x, y); runtime.dispose(); console.log("end", threads);`,
    `model.trainOnBatch(x, y); setTimeout(() => console.log("end", threads), 300);`,
    `process.on("exit", () => console.log("end", threads)); await model.fit({ x, y });`,
  ];
  for (const end of ends) expect(await child(head + end)).toEqual({ output: "end 3\n", code: 0 });
});
