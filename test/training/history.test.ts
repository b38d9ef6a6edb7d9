// What a fit leaves, and that JSON gives it back.

import { afterEach, expect, test, vi } from "vitest";
import {
  bagging,
  type Callback,
  earlyStopping,
  type History,
  historyFromJSON,
  inWorker,
  terminateOnNaN,
} from "../../ts/index";
import { thrown } from "../support/contract";
import { compiledNet, examples } from "../support/training";

const data = examples(96);

afterEach(() => {
  vi.restoreAllMocks();
});

/** As it comes out of a file. */
const through = (history: History) => historyFromJSON(JSON.stringify(history));

test("what was asked for, and the logs of each epoch; JSON gives both back", async () => {
  const model = compiledNet();
  const history = await model.fit(data, { epochs: 3, batchSize: 16, accumulate: 2, validationSplit: 0.25 });
  expect(history.params).toEqual({ epochs: 3, initialEpoch: 0, steps: 3, batchSize: 32, examples: 72 });
  expect(history.epochs.map((logs) => Object.keys(logs).length)).toEqual([8, 8, 8]);
  const json = history.toJSON();
  expect(json).toEqual({ params: history.params, epochs: history.epochs });
  expect(JSON.parse(JSON.stringify(history))).toEqual(json);
  const again = through(history);
  expect([again, again.params]).toEqual([history, history.params]);
  expect(again.toJSON()).toEqual(json);
  const { params, epochs } = await model.fit(data, { initialEpoch: 3, epochs: 5 });
  expect([params.initialEpoch, params.epochs, epochs.length]).toEqual([3, 5, 2]);
});

test("what is not known of batches that come is left out", async () => {
  function* batches() {
    yield data;
    yield data;
  }
  const history = await compiledNet().fit(batches());
  expect(history.params).toEqual({ epochs: 1, initialEpoch: 0 });
  expect(Object.keys(history.toJSON().params)).toEqual(["epochs", "initialEpoch"]);
  expect(through(history)).toEqual(history);
});

test("batches as they come leave what arrays do: equal histories, whatever is known beforehand", async () => {
  const given = await compiledNet().fit(data, { batchSize: 96, shuffle: false });
  const came = await compiledNet().fit([data]);
  expect(came).toEqual(given);
  expect(came.params).not.toEqual(given.params);
  expect(Object.keys(came)).toEqual(["epochs"]);
});

test("it is a copy, and plain data for threads and files", async () => {
  const history = await compiledNet().fit(data);
  const json = history.toJSON();
  json.epochs[0]!["loss"] = 5;
  expect(history.epochs[0]!.loss).not.toBe(5);
  expect(structuredClone(history.toJSON())).toEqual({ params: history.params, epochs: history.epochs });
});

test("numbers that are not finite are written as text, and read as numbers", async () => {
  const write: Callback = {
    onEpochEnd(_epoch, logs) {
      Object.assign(logs, { up: Infinity, down: -Infinity, note: "diverged", zero: -0 });
    },
  };
  const model = compiledNet();
  const history = await model.fit(data, { callbacks: [write, terminateOnNaN()] });
  history.epochs[0]!.loss = Number.NaN;
  expect(history.toJSON().epochs[0]).toMatchObject({
    loss: "NaN",
    up: "Infinity",
    down: "-Infinity",
    note: "diverged",
    dataLoss: history.epochs[0]!.dataLoss,
  });
  expect(JSON.stringify(history)).not.toContain("null");
  expect(through(history).epochs[0]).toMatchObject({
    loss: Number.NaN,
    up: Infinity,
    down: -Infinity,
    note: "diverged",
  });
});

test("of a fit that ended early, and of one that trained a second time", async () => {
  const stop: Callback = {
    onEpochEnd(epoch, _logs, model) {
      model.stopTraining = epoch === 1;
    },
  };
  const early = await compiledNet().fit(data, { epochs: 9, callbacks: [stop] });
  expect([early.params.epochs, early.epochs.length]).toEqual([9, 2]);
  const callbacks = [earlyStopping({ patience: 1, retrain: "sameSteps" })];
  const twice = await compiledNet().fit(data, { epochs: 3, validationSplit: 0.25, callbacks });
  expect(twice.epochs.some((logs) => logs["retraining"])).toBe(true);
  expect(through(twice)).toEqual(twice);
});

test("of a model in a worker it is the same", async () => {
  const model = compiledNet();
  const remote = await inWorker(model);
  try {
    const [there, here] = [await remote.fit(data, { epochs: 2 }), await model.fit(data, { epochs: 2 })];
    expect([there, there.params]).toEqual([here, here.params]);
    expect(JSON.stringify(there)).toBe(JSON.stringify(here));
    expect(through(there)).toEqual(here);
  } finally {
    await remote.terminate();
  }
});

test("of an ensemble: one a model, null where it failed, errors as text", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => {});
  const fails: Callback = {
    onEpochBegin() {
      throw new Error("enough");
    },
  };
  const ensemble = bagging(() => compiledNet(), { estimators: 3, parallel: 1 });
  try {
    const history = await ensemble.fit(data, { epochs: 2, callbacks: (member) => (member === 1 ? [fails] : []) });
    const json = JSON.parse(JSON.stringify(history));
    expect(json).toEqual(history.toJSON());
    expect(json.failed).toEqual([{ member: 1, error: "enough" }]);
    expect(json.members[1]).toBeNull();
    expect(historyFromJSON(json.members[2])).toEqual(history.members[2]);
    expect(history.members[0]!.params.epochs).toBe(2);
  } finally {
    ensemble.dispose();
  }
});

test("what is no history", () => {
  for (const bad of [
    undefined,
    null,
    5,
    [],
    {},
    { params: {} },
    { params: [], epochs: [] },
    { params: {}, epochs: [5] },
    { params: { epochs: "3" }, epochs: [] },
    { params: { steps: null }, epochs: [] },
  ])
    thrown("format", () => historyFromJSON(bad), /^historyFromJSON: expected what a history's toJSON\(\) gave, got /);
  thrown("format", () => historyFromJSON("{"), /^historyFromJSON: expected JSON, got /);
  thrown("format", () => historyFromJSON("[".repeat(1e5)), /^historyFromJSON: expected JSON nested at most 16 deep/);
});
