// Callbacks that set the learning rate, and csvLogger.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Callback,
  csvLogger,
  dense,
  exponentialDecay,
  type FitOptions,
  learningRateScheduler,
  linearDecay,
  loadModel,
  meanSquaredError,
  reduceLROnPlateau,
  saveModel,
  sequential,
  setSeed,
  sgd,
  stepDecay,
  weightsHash,
} from "../../ts/index";
import { fixture } from "../support/oracle";

const data = { x: [[1], [2], [3], [4]], y: [1, 2, 3, 4] };
const make = (learningRate: ReturnType<typeof stepDecay> | number = 0.5) => {
  setSeed(1);
  const model = sequential([dense(1, { inputShape: [1] })]);
  model.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError() });
  return model;
};
/** The rate at each epoch's first update. */
const watch = () => {
  const rates: number[] = [];
  const callback: Callback = { onBatchBegin: (_step, _logs, model) => void rates.push(model.learningRate) };
  return { rates, callback };
};
const figures = (values: (number | null)[]): Callback => ({
  onEpochEnd(epoch, logs) {
    logs["valLoss"] = values[epoch] ?? Number.NaN;
  },
});
/** Of so small numbers nothing is learned, whatever the rate. */
const TINY = 1e-6;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-schedulers-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("reduceLROnPlateau has PyTorch's rates", () => {
  const { cases } = fixture<{ cases: { options: object; figures: (number | null)[]; rates: number[] }[] }>("plateau");
  for (const { options, figures: values, rates } of cases)
    test(JSON.stringify(options), async () => {
      const run = async (cut?: number) => {
        let model = make();
        const seen: number[] = [];
        const fit = async (initialEpoch: number, epochs: number) => {
          const { rates, callback } = watch();
          const tiny = { x: data.x.map(([v]) => [v! * TINY]), y: data.y.map((v) => v * TINY) };
          const callbacks = [callback, figures(values), reduceLROnPlateau(options)];
          await model.fit(tiny, { initialEpoch, epochs, validationSplit: 0.25, callbacks });
          seen.push(...rates);
        };
        await fit(0, cut ?? values.length);
        if (cut) {
          model = (await loadModel(await saveModel(model))) as typeof model;
          await fit(cut, values.length);
        }
        return [...seen, model.learningRate];
      };
      const whole = await run();
      expect(whole.length).toBe(rates.length);
      whole.forEach((rate, i) => {
        expect(rate / rates[i]!).toBeCloseTo(1, 6); // the fixture has seven digits
      });
      for (const cut of [5, 17]) expect(await run(cut)).toEqual(whole);
    });
});

describe("learningRateScheduler", () => {
  const rates = async (scheduler: Callback | object, options: FitOptions = {}, model = make()) => {
    const { rates, callback } = watch();
    await model.fit(data, { epochs: 4, ...options, callbacks: [scheduler as Callback, callback] });
    return rates;
  };

  test("a schedule counts epochs", async () => {
    const schedule = stepDecay({ initial: 0.08, factor: 0.5, every: 2 });
    const expected = [0.08, 0.08, 0.04, 0.04];
    expect(await rates(learningRateScheduler({ schedule }))).toEqual(expected);
    expect(await rates(learningRateScheduler(schedule))).toEqual(expected);
    const own = make(linearDecay({ initial: 1e-3, final: 0, steps: 4 }));
    expect(await rates(learningRateScheduler({ schedule }), {}, own)).toEqual(expected);
    expect(await rates(learningRateScheduler({ schedule }), { batchSize: 2, epochs: 2 })).toEqual([
      0.08, 0.08, 0.08, 0.08,
    ]);
  });

  test("a function of the epoch and the rate in force, async ones too; it goes on from a file", async () => {
    const halve = (epoch: number, rate: number) => (epoch ? rate / 2 : 0.08);
    const expected = [0.08, 0.04, 0.02, 0.01];
    expect(await rates(learningRateScheduler(halve))).toEqual(expected);
    expect(await rates(learningRateScheduler({ schedule: halve }))).toEqual(expected);
    expect(await rates(learningRateScheduler(async (epoch, rate) => halve(epoch, rate)))).toEqual(expected);
    const model = make();
    await rates(learningRateScheduler(halve), { epochs: 2 }, model);
    const loaded = (await loadModel(await saveModel(model))) as typeof model;
    expect(await rates(learningRateScheduler(halve), { initialEpoch: 2 }, loaded)).toEqual(expected.slice(2));
  });

  test("with a schedule it is plain data; resumed, it is as if it had not been interrupted", async () => {
    const schedule = exponentialDecay({ initial: 0.05, decayRate: 0.5, decaySteps: 1 });
    const config = learningRateScheduler({ schedule });
    expect(structuredClone(config)).toEqual({ type: "learningRateScheduler", schedule });
    const whole = make();
    await whole.fit(data, { epochs: 5, callbacks: [config] });
    const parts = make();
    await parts.fit(data, { epochs: 2, callbacks: [config] });
    await parts.fit(data, { epochs: 5, initialEpoch: 2, callbacks: [structuredClone(config)] });
    expect(await weightsHash(parts)).toBe(await weightsHash(whole));
  });

  test("what is wrong", async () => {
    const wrong = [
      () => learningRateScheduler(undefined as never),
      () => learningRateScheduler({} as never),
      () => learningRateScheduler({ schedule: 0.1 } as never),
      () => learningRateScheduler(0.1 as never),
      () => learningRateScheduler(stepDecay as never),
      () => learningRateScheduler({ schedule: () => 0.1, every: 2 } as never),
      () => learningRateScheduler(sgd() as never),
    ];
    for (const call of wrong) expect(call).toThrow(expect.objectContaining({ code: "argument" }));
    await expect(rates(learningRateScheduler(() => -1))).rejects.toMatchObject({ code: "argument" });
    await expect(rates(learningRateScheduler((() => "1") as never))).rejects.toMatchObject({ code: "argument" });
  });
});

describe("reduceLROnPlateau: what is wrong", () => {
  test("options", () => {
    const wrong = [{ factor: 1 }, { factor: 0 }, { patience: -1 }, { minDelta: -1 }, { cooldown: 0.5 }];
    for (const options of [...wrong, { minLearningRate: -1 }, { mode: "least" }, { minLr: 0 }])
      expect(() => reduceLROnPlateau(options as never)).toThrow(expect.objectContaining({ code: "argument" }));
  });
  test("a monitor without validation data, before the first step", async () => {
    const model = make();
    await expect(model.fit(data, { callbacks: [reduceLROnPlateau()] })).rejects.toMatchObject({ code: "argument" });
    expect(model.state.step).toBe(0);
  });
});

describe("csvLogger", () => {
  test("a line an epoch, from the first on; numbers can be read back exactly", async () => {
    const path = join(folder, "a.csv");
    const lengths: number[] = [];
    const look: Callback = {
      async onEpochEnd() {
        lengths.push((await readFile(path, "utf8")).trimEnd().split("\n").length);
      },
    };
    const { epochs } = await make(0.01).fit(data, {
      epochs: 3,
      validationSplit: 0.25,
      callbacks: [csvLogger({ path }), look],
    });
    expect(lengths).toEqual([2, 3, 4]);
    const [head, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n");
    const names = ["epoch", "loss", "dataLoss", "penalty", "valLoss", "valDataLoss", "valPenalty"];
    expect(head).toBe(names.join(","));
    lines.forEach((line, epoch) => {
      const values = line.split(",").map(Number);
      expect(Object.fromEntries(names.map((name, i) => [name, values[i]]))).toEqual({ epoch, ...epochs[epoch] });
    });
  });

  test("columns are the first epoch's; names and separators are escaped", async () => {
    const path = join(folder, "b.csv");
    const more: Callback = {
      onEpochEnd(epoch, logs) {
        if (epoch !== 1) logs['a;"b"'] = 5;
        if (epoch > 0) logs["late"] = 1;
        logs.loss = epoch;
      },
    };
    const callbacks = [more, csvLogger({ path, separator: ";" })];
    await make(0).fit({ x: [[0]], y: [0] }, { epochs: 3, callbacks });
    expect(await readFile(path, "utf8")).toBe(
      'epoch;loss;dataLoss;penalty;"a;""b"""\n0;0;0;0;5\n1;1;0;0;\n2;2;0;0;5\n',
    );
    // appended to, its own columns hold
    await make(0).fit(
      { x: [[0]], y: [0] },
      { epochs: 4, initialEpoch: 3, callbacks: [more, csvLogger({ path, separator: ";", append: true })] },
    );
    expect((await readFile(path, "utf8")).endsWith("2;2;0;0;5\n3;3;0;0;5\n")).toBe(true);
    // or it begins anew
    await make(0).fit({ x: [[0]], y: [0] }, { callbacks: [csvLogger({ path })] });
    expect(await readFile(path, "utf8")).toBe("epoch,loss,dataLoss,penalty\n0,0,0,0\n");
  });

  test("appends to nothing, to an empty file, to a file without a line break at its end", async () => {
    for (const [name, content, lines] of [
      ["none.csv", undefined, "epoch,loss,dataLoss,penalty\n0,0,0,0\n"],
      ["empty.csv", "", "epoch,loss,dataLoss,penalty\n0,0,0,0\n"],
      ["cut.csv", "penalty,epoch,time", "penalty,epoch,time\n0,0,\n"],
    ] as const) {
      const path = join(folder, name);
      if (content !== undefined) await writeFile(path, content);
      await make(0).fit({ x: [[0]], y: [0] }, { callbacks: [csvLogger({ path, append: true })] });
      expect(await readFile(path, "utf8")).toBe(lines);
    }
  });

  test("what is wrong", async () => {
    const path = join(folder, "none", "a.csv");
    for (const options of [
      {},
      { path: 5 },
      { path, separator: "" },
      { path, separator: ",," },
      { path, separator: '"' },
    ])
      expect(() => csvLogger(options as never)).toThrow(expect.objectContaining({ code: "argument" }));
    await expect(make().fit(data, { callbacks: [csvLogger({ path })] })).rejects.toMatchObject({ code: "data" });
    // what has no column for an epoch is left as it is
    const other = join(folder, "other.csv");
    for (const content of [
      "a,b\n1,2\n",
      "epoch;loss\n",
      "\n",
      "\0\ufffd\n",
      '"epoch',
      '"'.repeat(200_000),
      "a,".repeat(200_000),
    ]) {
      await writeFile(other, content);
      const model = make();
      await expect(model.fit(data, { callbacks: [csvLogger({ path: other, append: true })] })).rejects.toMatchObject({
        code: "format",
        message: expect.stringMatching(
          /other.csv: expected a file whose first line names "epoch", to append to, got \[/,
        ),
      });
      expect([await readFile(other, "utf8"), model.state.step]).toEqual([content, 0]);
    }
    await writeFile(other, '"a,""\r\n""",epoch,"b"\r\n');
    await make(0).fit({ x: [[0]], y: [0] }, { callbacks: [csvLogger({ path: other, append: true })] });
    expect(await readFile(other, "utf8")).toBe('"a,""\r\n""",epoch,"b"\r\n,0,\n');
    const onFolder = csvLogger({ path: folder, append: true });
    await expect(make().fit(data, { callbacks: [onFolder] })).rejects.toMatchObject({ code: "data" });
  });
});
