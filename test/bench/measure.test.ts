// The benchmark itself: it takes medians of interleaved rounds, and every kernel row computes what JavaScript computes.

import { setFlagsFromString } from "node:v8";
import { describe, expect, test } from "vitest";
import { BenchCore } from "../../bench/benchCore";
import { goals } from "../../bench/goals";
import { kernelCases } from "../../bench/kernels";
import { measure, median } from "../../bench/measure";
import { nodeHost } from "../../bench/nodeHost";
import { SHORT } from "../../bench/options";
import type { Row } from "../../bench/results";
import { stepCases, stepInJs } from "../../bench/steps";

// Node 20 has relaxed SIMD behind a flag
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

test("median is the middle, or the mean of the two in the middle", () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("measure interleaves: each round takes one sample of each, and a slow first contestant does not slow the others", () => {
  let now = 0;
  const order: string[] = [];
  const contestant = (name: string, cost: number) => ({
    run() {
      now += cost;
      order.push(name);
    },
  });
  const [slow, fast] = measure([contestant("slow", 80), contestant("fast", 30)], 31, { now: () => now });
  expect(slow!.median).toBe(80);
  expect(fast!.median).toBe(30);
  // the last rounds, one call a sample, the order turning from round to round
  expect(order.slice(-8).join(" ")).toMatch(/^(slow fast fast slow ?){2}$|^(fast slow slow fast ?){2}$/);
});

test("a call that is not timed goes before each sample of a short one: cold caches count against nobody", () => {
  let now = 0;
  let cold = true;
  const warm = {
    run() {
      now += cold ? 9 : 3;
      cold = false;
    },
  };
  const other = {
    run() {
      now += 5;
      cold = true;
    },
  };
  expect(measure([warm, other], 30, { now: () => now }).map(({ median }) => median)).toEqual([3, 5]);
});

test("a sample in which the process lost its core is taken again", () => {
  let now = 0;
  let lost = 0;
  let calls = 0;
  const busy = {
    run() {
      const interrupted = ++calls % 3 === 0;
      now += interrupted ? 15 : 2;
      if (interrupted) lost++;
    },
  };
  const [timing] = measure([busy], 30, { now: () => now, interruptions: () => lost });
  expect(timing!.median).toBe(2);
  expect(timing!.interrupted).toBe(0);
});

test("a clock of a coarse grain: samples are so long that it does not matter", () => {
  let now = 0;
  let calls = 0;
  const contestant = (cost: number) => ({
    run() {
      now += cost;
      calls++;
    },
  });
  const timings = measure([contestant(0.013), contestant(0.7), contestant(90)], 20, {
    now: () => Math.floor(now),
    grain: 1,
  });
  [0.013, 0.7, 90].forEach((cost, i) => {
    expect(Math.abs(timings[i]!.median / cost - 1)).toBeLessThan(0.04);
  });
  expect(calls).toBeLessThan(200_000);
  expect(now).toBeLessThan(10_000);
});

test("a short run's filters each name one kernel and shape", () => {
  const names = [
    ...kernelCases().map((open) => open()),
    ...stepCases.map(({ shape }) => ({ kernel: "step", shape })),
  ].map(({ kernel, shape }) => `${kernel} ${shape}`);
  for (const text of SHORT.filter) expect(names.filter((name) => name.includes(text))).toHaveLength(1);
});

const host = nodeHost(new URL("../../build/", import.meta.url), async () => undefined);

describe("every kernel row of at most 20 M FLOPs or bytes gives JavaScript's result", () => {
  const cases = kernelCases()
    .map((open) => open())
    .filter(({ amount }) => amount <= 2e7);
  test.each(cases.map((c) => [`${c.kernel} ${c.shape}`, c] as const))("%s", async (_, kernelCase) => {
    const [js] = kernelCase.js();
    js!.run();
    const expected = js!.output().slice();
    for (const build of ["strict", "fastMath"] as const) {
      const core = await BenchCore.open(host, build, 1);
      const wasm = kernelCase.wasm(core);
      wasm.run();
      const output = wasm.output();
      let worst = 0;
      for (let i = 0; i < expected.length; i++)
        worst = Math.max(worst, Math.abs(output[i]! - expected[i]!) / (1 + Math.abs(expected[i]!)));
      expect(worst, build).toBeLessThan(kernelCase.tolerance ?? 1e-3);
      core.checkGuards();
    }
  });
});

test("FLOPs of a step: 6 · batch · weights, less the first layer's input gradient", () => {
  const mlp = stepCases.find(({ shape }) => shape === "784-512-512-10/128")!;
  const weights = 784 * 512 + 512 * 512 + 512 * 10;
  expect(mlp.amount).toBe(6 * 128 * weights - 2 * 128 * 784 * 512);
});

test("the steps in plain JavaScript learn their batch", () => {
  for (const step of stepCases.slice(0, 3)) {
    const js = stepInJs(step);
    js.run();
    const first = js.loss();
    for (let i = 0; i < 100; i++) js.run();
    expect(js.loss(), step.shape).toBeLessThan(first);
    const [width, batch] = [/^\d+/, /\d+$/].map((part) => Number(part.exec(step.shape)));
    expect(step.batches()[0]!.x.length).toBe(batch! * width!);
  }
});

describe("goals", () => {
  const row = (kernel: string, shape: string, build: Row["build"], ofPeak: number): Row => ({
    kernel,
    shape,
    build,
    threads: 1,
    ms: 1,
    rate: 1,
    unit: "GFLOP/s",
    ofPeak,
    vsJs: 10,
    best: 1,
    limit: 1,
    probe: 1,
    slow: false,
    void: false,
  });

  test("what was not run is neither reached nor missed", () => {
    for (const goal of goals([], undefined)) expect(goal.reached).toBeUndefined();
  });

  test("against JavaScript that is no fair opponent, a goal is neither reached nor missed", () => {
    const rows = [{ ...row("gemm", "512x512x512", "strict", 0.9), void: true }];
    expect(goals(rows, undefined).find((g) => g.what.endsWith("against JavaScript") && g.value)).toMatchObject({
      value: 10,
      reached: undefined,
    });
  });

  test("a goal that names no build counts the slower one", () => {
    const rows = [row("adam", "1000000", "strict", 0.95), row("adam", "1000000", "fastMath", 0.85)];
    expect(goals(rows, undefined).find((g) => g.what.startsWith("adam"))).toMatchObject({
      value: 0.85,
      reached: false,
    });
  });

  test("bounds from above are reached below them", () => {
    const cost = goals([], { overhead: 2.4, callsPerStep: 1, heapPerStep: 2000 }).slice(-3);
    expect(cost.map((g) => g.reached)).toEqual([true, true, false]);
  });
});

test("a tape on two threads gives the bits of one", async () => {
  const batchNorm = kernelCases()
    .map((open) => open())
    .find(({ kernel, shape }) => kernel === "batchNorm" && shape === "128x512")!;
  const outputs: Float32Array[] = [];
  for (const threads of [1, 2]) {
    const core = await BenchCore.open(host, "strict", threads);
    const { run, output } = batchNorm.wasm(core);
    for (let i = 0; i < 20; i++) run();
    outputs.push(output().slice());
    core.checkGuards();
    core.close();
  }
  expect(outputs[1]).toEqual(outputs[0]);
});
