import { expect, test } from "vitest";
import { DownhillError } from "../../ts/errors";
import { batchNorm, dense, init, meanSquaredError, sequential, sgd } from "../../ts/index";
import { Memory } from "../../ts/runtime/memory";
import { uniform } from "../support/randomGraph";

const PAGE = 65536;
const BASE = 1024;

/** A memory of 1 page at first, and of at most `max` bytes. */
const memoryOf = (max = 64 * PAGE, maximum = 64) =>
  new Memory(new WebAssembly.Memory({ initial: 1, maximum }), BASE, max);

test("regions are 64-byte aligned, lie above the base and do not overlap", () => {
  const memory = memoryOf();
  const sizes = [1, 64, 65, 1000, 0, 4096];
  const at = sizes.map((bytes) => memory.allocate(bytes, "test"));
  at.forEach((address, i) => {
    expect(address % 64).toBe(0);
    expect(address).toBe(i === 0 ? BASE : at[i - 1]! + Math.max(64, Math.ceil(sizes[i - 1]! / 64) * 64));
  });
  expect(memory.used).toBe(64 + 64 + 128 + 1024 + 64 + 4096);
});

test("the first hole that is large enough is taken; what is left of it stays a hole", () => {
  const memory = memoryOf();
  const [a, , c, , e] = [256, 64, 1024, 64, 256, 64].map((bytes) => memory.allocate(bytes, "test"));
  for (const at of [a, c, e]) memory.free(at!);
  expect(memory.allocate(512, "test")).toBe(c);
  expect(memory.allocate(512, "test")).toBe(c! + 512);
  expect(memory.allocate(64, "test")).toBe(a);
  expect(memory.allocate(192, "test")).toBe(a! + 64);
});

test("freed regions join on either side, and with what is free above", () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 0, 2],
  ]) {
    const memory = memoryOf();
    const regions = [100, 200, 300].map((bytes) => memory.allocate(bytes, "test"));
    const last = memory.allocate(64, "test");
    for (const i of order) memory.free(regions[i]!);
    expect(memory.allocate(128 + 256 + 320, "test")).toBe(regions[0]);
    memory.free(regions[0]!);
    memory.free(last);
    expect(memory.used).toBe(0);
    expect(memory.allocate(5000, "test")).toBe(BASE);
  }
});

test("what is no region, or was freed already, is left alone", () => {
  const memory = memoryOf();
  const a = memory.allocate(64, "test");
  memory.free(0);
  memory.free(a + 4);
  memory.free(a);
  memory.free(a);
  expect(memory.used).toBe(0);
});

test("random allocations: no overlap, content stays, and all joins in the end", () => {
  const memory = memoryOf(64 * PAGE);
  const live = new Map<number, number>();
  const random = uniform(1);
  for (let i = 0; i < 3000; i++) {
    if (live.size < 40 || random() < 0.5) {
      const words = 1 + Math.floor(random() ** 3 * 2000);
      const at = memory.allocate(words * 4, "test");
      memory.u32.fill(at, at >>> 2, (at >>> 2) + words);
      live.set(at, words);
    } else {
      const [at, words] = [...live][Math.floor(random() * live.size)]!;
      expect(memory.u32.subarray(at >>> 2, (at >>> 2) + words).every((v) => v === at)).toBe(true);
      memory.free(at);
      live.delete(at);
    }
  }
  for (const at of live.keys()) memory.free(at);
  expect(memory.used).toBe(0);
  expect(memory.allocate(1, "test")).toBe(BASE);
});

test("views are renewed when the memory grows, and read what was written before", () => {
  const memory = memoryOf();
  const at = memory.allocate(64, "test");
  memory.f32[at >>> 2] = 0.5;
  const before = memory.f32;
  memory.allocate(4 * PAGE, "test");
  expect(memory.f32 === before).toBe(false);
  expect(memory.f32[at >>> 2]).toBe(0.5);
  expect(memory.f32.buffer === memory.raw.buffer).toBe(true);
  expect(memory.reserved).toBe(memory.raw.buffer.byteLength);
});

function failure(run: () => unknown): DownhillError {
  try {
    run();
  } catch (error) {
    return error as DownhillError;
  }
  throw new Error("expected an error");
}

test("beyond maxMemory an error of memory names who, how much and what is left; nothing is taken", () => {
  const memory = memoryOf(4 * PAGE);
  const before = memory.reserved;
  const error = failure(() => memory.allocate(2 ** 33, "dense_1"));
  expect(error).toBeInstanceOf(DownhillError);
  expect(error.code).toBe("memory");
  expect(error.message).toBe(
    `dense_1: needs ${2 ** 33} bytes, but only ${4 * PAGE - BASE} of maxMemory (${4 * PAGE}) are left`,
  );
  expect([memory.used, memory.reserved]).toEqual([0, before]);
  expect(memory.allocate(4 * PAGE - BASE, "dense_1")).toBe(BASE);
  expect(failure(() => memory.allocate(1, "dense_2")).message).toContain(
    "dense_2: needs 1 bytes, but only 0 of maxMemory",
  );
});

test("sizes that no number holds exactly, or that are none, are refused too", () => {
  for (const bytes of [Number.NaN, Infinity, 2 ** 60])
    expect(failure(() => memoryOf().allocate(bytes, "x")).code).toBe("memory");
});

test("a platform without more memory is an error of memory", () => {
  const memory = memoryOf(64 * PAGE, 2); // allowed more than the host gives
  const error = failure(() => memory.allocate(8 * PAGE, "dense_1"));
  expect([error.code, error.message]).toEqual([
    "memory",
    `dense_1: needs ${8 * PAGE} bytes, and the platform has no more memory`,
  ]);
  expect(memory.used).toBe(0);
});

test("a model that does not fit names its largest layer and its bytes, and leaves the memory as it was", async () => {
  const runtime = await init({ maxMemory: 4 * 2 ** 20 });
  const { used } = runtime.memory();
  const small = dense(8, { inputShape: [8] });
  const error = failure(() =>
    sequential([small, dense(4096, { name: "wide" }), dense(4096, { name: "huge" })], { runtime }).getWeights(),
  );
  expect(error.code).toBe("memory");
  expect(error.message).toMatch(/^huge: needs \d+ bytes, but only \d+ of maxMemory \(4194304\) are left$/);
  expect(Number(/needs (\d+)/.exec(error.message)![1])).toBeGreaterThan(4096 * 4096 * 4);
  expect(runtime.memory().used).toBe(used);
  runtime.dispose();
});

/** Builds a small model, uses it, disposes of it. */
async function live(i: number, fits: boolean): Promise<void> {
  const model = sequential([dense(3 + (i % 5), { inputShape: [4], activation: "relu" }), batchNorm(), dense(1)]);
  model.compile({ optimizer: sgd({ momentum: 0.5 }), loss: meanSquaredError() });
  const x = new Float32Array(4 * (5 + (i % 3)));
  const y = new Float32Array(5 + (i % 3));
  if (fits) await model.fit({ x, y }, { epochs: 1, batchSize: 2 });
  else model.trainOnBatch(x, y);
  model.predict(x);
  model.dispose();
  model.dispose();
}

test("2,000 models that are built, trained and disposed of leave the memory flat", async () => {
  const runtime = await init();
  for (let i = 0; i < 30; i++) await live(i, i % 15 === 0);
  const before = runtime.memory();
  for (let i = 0; i < 2000; i++) await live(i, i % 15 === 0);
  expect(runtime.memory()).toEqual(before);
  runtime.dispose();
});

test("a model whose activations did not fit takes nobody's memory after that", async () => {
  const runtime = await init({ maxMemory: 2 ** 23 });
  const make = () => sequential([dense(16, { inputShape: [16] }), dense(4)], { runtime });
  const greedy = make();
  greedy.predict(new Float32Array(16));
  const whole = { batchSize: 200_000 };
  expect(() => greedy.predict(new Float32Array(16 * 200_000), whole)).toThrow(DownhillError);
  const other = make(); // may lie where the greedy one's arena was
  const weights = other.getWeights();
  greedy.predict(new Float32Array(16));
  const third = make();
  greedy.predict(new Float32Array(16 * 256).fill(1));
  expect(other.getWeights()).toEqual(weights);
  for (const model of [greedy, other, third]) model.dispose();
  expect(runtime.memory().used).toBe(0);
  runtime.dispose();
});
