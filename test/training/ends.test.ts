// How a fit ends, and what may be done with its model before that.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  adam,
  type Callback,
  earlyStopping,
  loadModel,
  saveModel,
  softmaxCrossEntropy,
  terminateOnNaN,
  weightsHash,
} from "../../ts/index";
import { data, hashAfter, rows, x, y } from "../support/fitting";
import { compiledNet } from "../support/training";

describe("ends", () => {
  const afterSteps = async (steps: number) => {
    const model = compiledNet();
    await model.fit(data, { stepsPerEpoch: steps });
    return weightsHash(model);
  };

  test("an aborted fit rejects with the reason, weights at the last finished step", async () => {
    const model = compiledNet();
    const controller = new AbortController();
    const reason = new Error("enough");
    const callbacks: Callback[] = [{ onBatchEnd: (step) => void (step === 2 && controller.abort(reason)) }];
    await expect(model.fit(data, { epochs: 9, signal: controller.signal, callbacks })).rejects.toBe(reason);
    expect(model.state.step).toBe(3);
    expect(await weightsHash(model)).toBe(await afterSteps(3));
    await expect(model.fit(data, { signal: controller.signal })).rejects.toBe(reason);
    expect(model.state.step).toBe(3);
    await expect(model.evaluate(data, { signal: controller.signal })).rejects.toBe(reason);
    await model.fit(data, { epochs: 1 }); // it can go on
  });

  test("a timer's abort comes through: the event loop has its turn", async () => {
    const model = compiledNet();
    const signal = AbortSignal.timeout(30);
    const error = await model.fit(data, { epochs: 1_000_000, signal }).catch((e: unknown) => e);
    expect(error).toBe(signal.reason);
  });

  test("a callback's throw rejects, weights at the last finished step", async () => {
    const model = compiledNet();
    const error = new Error("own");
    const thrower: Callback = {
      async onBatchEnd(step) {
        if (step === 1) throw error;
      },
    };
    await expect(model.fit(data, { callbacks: [thrower] })).rejects.toBe(error);
    expect(await weightsHash(model)).toBe(await afterSteps(2));
  });

  test("stopTraining ends after this update", async () => {
    const model = compiledNet();
    const stopper: Callback = {
      onBatchEnd(step, _logs, m) {
        m.stopTraining = step === 1;
      },
    };
    const { epochs } = await model.fit(data, { epochs: 5, callbacks: [stopper] });
    expect(epochs.length).toBe(1);
    expect(model.state.step).toBe(2);
  });

  test("a trained model that nobody holds any more may be collected", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const callbacks = [earlyStopping({ monitor: "loss", restoreBestWeights: true })];
    const train = async () => {
      const model = compiledNet();
      await model.fit(data, { epochs: 2, callbacks });
      return new WeakRef(model);
    };
    const model = await train();
    for (let turns = 0; turns < 100 && model.deref(); turns++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      gc();
    }
    expect(model.deref()).toBeUndefined();
  });

  test("dispose makes it reject with state", async () => {
    const model = compiledNet();
    const fitted = model.fit(data, { epochs: 1000 });
    setTimeout(() => model.dispose(), 5);
    await expect(fitted).rejects.toMatchObject({ code: "state" });
    expect(() => model.predict(x)).toThrow(expect.objectContaining({ code: "state" }));
  });

  test("dispose and abort after any number of microtasks", async () => {
    for (const callbacks of [[], [terminateOnNaN()], [{ onBatchEnd() {} }]])
      for (let ticks = 0; ticks < 12; ticks++)
        for (const end of ["dispose", "abort"] as const) {
          const model = compiledNet();
          const controller = new AbortController();
          const fitted = model.fit(data, { epochs: 1000, callbacks, signal: controller.signal });
          for (let i = 0; i < ticks; i++) await undefined;
          if (end === "dispose") model.dispose();
          else controller.abort(end);
          await (end === "dispose"
            ? expect(fitted).rejects.toMatchObject({ code: "state" })
            : expect(fitted).rejects.toBe(end));
          model.dispose();
        }
  });

  test("dispose from any callback, and while a batch is awaited", async () => {
    for (const handler of ["onTrainBegin", "onEpochBegin", "onBatchBegin", "onBatchEnd", "onEpochEnd", "onTrainEnd"]) {
      const model = compiledNet();
      const { runtime } = model.state;
      const used = runtime.memory().used;
      const disposer: Callback = { [handler]: () => model.dispose() };
      const seen = { ...disposer, [handler]: () => expect(model.state.disposed).toBe(false) };
      const fitted = model.fit(data, { epochs: 2, validationSplit: 0.1, callbacks: [seen, disposer, seen] });
      await expect(fitted, handler).rejects.toMatchObject({ code: "state" });
      expect(runtime.memory().used).toBeLessThan(used);
    }
    for (const call of ["fit", "evaluate"] as const) {
      const model = compiledNet();
      const stream = async function* () {
        yield rows(0, 32);
        model.dispose();
        yield rows(32, 64);
      };
      await expect(model[call](stream()), call).rejects.toMatchObject({ code: "state" });
    }
  });
});

test("while a fit is pending, reading works and writing throws state", async () => {
  const model = compiledNet();
  let looked = 0;
  const look: Callback = {
    async onBatchEnd(step) {
      if (step !== 3) return;
      looked++;
      const hash = await weightsHash(model);
      const loaded = await loadModel(await saveModel(model));
      expect(await weightsHash(loaded)).toBe(hash);
      expect(model.predict(x)).toEqual(loaded.predict(x));
      expect(await model.evaluate(data)).toEqual(await loaded.evaluate(data));
      expect(model.getWeights()).toEqual(loaded.getWeights());
      const state = expect.objectContaining({ code: "state" });
      expect(() => model.trainOnBatch(x, y)).toThrow(state);
      expect(() => model.setWeights(model.getWeights())).toThrow(state);
      expect(() => model.applyGradients({})).toThrow(state);
      expect(() => model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() })).toThrow(state);
      await expect(model.fit(data)).rejects.toMatchObject({ code: "state" });
      expect(await weightsHash(model)).toBe(hash);
    },
  };
  await model.fit(data, { epochs: 2, callbacks: [look] });
  expect(looked).toBe(2);
  expect(await weightsHash(model)).toBe(await hashAfter(data, { epochs: 2 }));
});

test("an evaluation is of the model as it was compiled when it began", async () => {
  const model = compiledNet();
  const recompile = async function* () {
    yield data;
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    yield data;
  };
  await expect(model.evaluate(recompile())).rejects.toMatchObject({ code: "state" });
  expect(Object.keys(await model.evaluate(data))).toEqual(["loss", "dataLoss", "penalty"]);
});
