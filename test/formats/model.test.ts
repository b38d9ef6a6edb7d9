import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../ts/formats/safetensors";
import {
  adamw,
  dense,
  earlyStopping,
  elu,
  exponentialDecay,
  functional,
  init,
  input,
  l1,
  loadModel,
  type Model,
  meanSquaredError,
  randomUniform,
  rmsprop,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { layerFactory } from "../../ts/layers/layer";
import { affine } from "../../ts/ops/elementwise";
import { finite } from "../../ts/options";
import { compiledNet, examples, net } from "../support/training";

const { x, y } = examples();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

const equalBytes = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const metadata = (bytes: Uint8Array) => decodeSafetensors(bytes).metadata;

/** Saves, loads, saves; both files are equal. */
async function again(model: Model): Promise<Model> {
  const bytes = await saveModel(model);
  expect(equalBytes(bytes, await saveModel(model))).toBe(true);
  const loaded = await loadModel(bytes);
  expect(equalBytes(bytes, await saveModel(loaded))).toBe(true);
  expect(await weightsHash(loaded)).toBe(await weightsHash(model));
  return loaded;
}

test("a file holds the tensors of getWeights, and everything else as strings", async () => {
  const model = compiledNet();
  await model.fit({ x, y }, { epochs: 2 });
  const file = decodeSafetensors(await saveModel(model));
  const weights = model.getWeights();
  expect(Object.keys(file.tensors).sort()).toEqual(Object.keys(weights).sort());
  for (const [key, { data, shape }] of Object.entries(weights)) expect(file.tensors[key]).toEqual({ data, shape });
  expect(Object.keys(file.metadata).sort()).toEqual(
    ["compile", "format", "learningRate", "model", "position", "optimizer/mSum", "optimizer/vSum"]
      .concat("optimizer/vSumMax")
      .sort(),
  );
  expect(JSON.parse(file.metadata["position"]!)).toEqual({ seed: 7, stream: 0, epoch: 2, step: 14 });
  model.dispose();
});

describe("save → load → save gives the same bytes, and training goes on to the bit", () => {
  const cases: Record<string, () => Model> = {
    "a model that is not compiled": () => net(),
    "a compiled model": () => compiledNet(),
    "AdamW with a decay filter": () => {
      const model = net();
      model.compile({
        optimizer: adamw({
          decayFilter: ["dense_1/kernel"],
          learningRate: exponentialDecay({ initial: 0.01, decayRate: 0.5, decaySteps: 9 }),
        }),
        loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }),
      });
      return model;
    },
    "RMSProp, centred, with momentum, and a rate set by hand": () => {
      const model = net();
      model.compile({ optimizer: rmsprop({ centered: true, momentum: 0.5 }), loss: softmaxCrossEntropy() });
      model.learningRate = 0.003;
      return model;
    },
    "frozen and freed layers, names, options of every kind": () => {
      setSeed(3);
      const model = sequential(
        [
          dense(9, {
            inputShape: [12],
            name: "first",
            kernelInitializer: randomUniform({ minval: -0.5, maxval: 0.5 }),
            activityRegularizer: l1(1e-4),
          }),
          elu({ alpha: 0.5 }),
          dense(3, { trainable: false, useBias: false, activation: "tanh" }),
        ],
        { name: "named" },
      );
      model.getLayer("first").trainable = false;
      model.getLayer("dense_1").trainable = true;
      model.compile({ optimizer: sgd({ momentum: 0.9, nesterov: true }), loss: softmaxCrossEntropy() });
      return model;
    },
  };
  for (const [name, make] of Object.entries(cases))
    test(name, async () => {
      const model = make();
      if (model.state.compiled) await model.fit({ x, y }, { epochs: 2 });
      setSeed(99); // the file's position wins
      const loaded = await again(model);
      expect(loaded.epoch).toBe(model.epoch);
      expect(loaded.name).toBe(model.name);
      expect(loaded.layers.map((l) => l.trainable)).toEqual(model.layers.map((l) => l.trainable));
      expect(loaded.predict(x)).toEqual(model.predict(x));
      if (!model.state.compiled) return;
      expect(loaded.learningRate).toBe(model.learningRate);
      expect(await loaded.evaluate({ x, y })).toEqual(await model.evaluate({ x, y }));
      for (const m of [model, loaded]) await m.fit({ x, y }, { initialEpoch: 2, epochs: 4 });
      expect(await weightsHash(loaded)).toBe(await weightsHash(model));
      await again(loaded);
    });

  test("several inputs and outputs, a shared layer, records", async () => {
    const a = input([12]);
    const b = input([12], { name: "other" });
    const shared = dense(5, { activation: "relu" });
    const model = functional({
      inputs: { left: a, right: b },
      outputs: { sum: dense(1)(shared(a)), kind: dense(3, { name: "head" })(shared(b)) },
    });
    model.compile({
      optimizer: sgd(),
      loss: { sum: meanSquaredError(), kind: softmaxCrossEntropy() },
      lossWeights: { sum: 0.5, kind: 2 },
      metrics: { kind: ["accuracy"] },
    });
    const data = { x: { left: x, right: x }, y: { sum: Float32Array.from(y), kind: y } };
    await model.fit(data, { epochs: 1 });
    const loaded = await again(model);
    expect(loaded.predict(data.x)).toEqual(model.predict(data.x));
    for (const m of [model, loaded]) await m.fit(data, { initialEpoch: 1, epochs: 2 });
    expect(await weightsHash(loaded)).toBe(await weightsHash(model));
  });

  test("lists of inputs and outputs", async () => {
    const inputs = [input([2]), input([3], { name: "second" })];
    const outputs = inputs.map((value) => dense(2)(value));
    await again(functional({ inputs, outputs: [...outputs, outputs[0]!] }));
  });
});

test("a fit cut at any epoch, saved and loaded, ends as the uninterrupted one, earlyStopping's best weights too", async () => {
  const options = () => ({
    batchSize: 32,
    validationSplit: 0.2,
    callbacks: [earlyStopping({ patience: 2, restoreBestWeights: true })],
  });
  const whole = compiledNet();
  const { epochs } = await whole.fit({ x, y }, { ...options(), epochs: 20 });
  expect(epochs.length).toBeGreaterThan(4);
  expect(epochs.length).toBeLessThan(20); // it stopped
  const hash = await weightsHash(whole);
  for (let cut = 1; cut <= epochs.length; cut++) {
    const part = compiledNet();
    await part.fit({ x, y }, { ...options(), epochs: cut });
    const loaded = await again(part);
    for (const model of [part, loaded]) {
      const rest = await model.fit({ x, y }, { ...options(), initialEpoch: cut, epochs: 20 });
      expect([...epochs.slice(0, cut), ...rest.epochs]).toEqual(epochs);
      expect(await weightsHash(model)).toBe(hash);
      model.dispose();
    }
  }
});

test("paths, URLs, bytes, blobs and handlers", async () => {
  const model = compiledNet();
  const path = join(folder, "model.safetensors");
  const bytes = await saveModel(model, path);
  expect(equalBytes(await readFile(path), bytes)).toBe(true);
  let kept: Uint8Array | undefined;
  await saveModel(model, (b) => {
    kept = b;
  });
  await saveModel(model, { save: async (b) => expect(equalBytes(b, kept!)).toBe(true) });
  const sources = [
    path,
    pathToFileURL(path),
    new URL(`data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`),
    bytes,
    Buffer.from(bytes),
    bytes.slice().buffer,
    new Blob([bytes as Uint8Array<ArrayBuffer>]),
    { load: async () => bytes },
  ];
  for (const source of sources) expect(await weightsHash(await loadModel(source))).toBe(await weightsHash(model));
});

test("wrong arguments and unreadable files", async () => {
  const model = net();
  await expect(saveModel(model, join(folder, "none", "a"))).rejects.toMatchObject({ code: "data" });
  await expect(loadModel(join(folder, "none"))).rejects.toMatchObject({ code: "data" });
  await expect(saveModel({} as never)).rejects.toMatchObject({ code: "argument" });
  await expect(saveModel(model, 5 as never)).rejects.toMatchObject({ code: "argument" });
  await expect(loadModel(5 as never)).rejects.toMatchObject({ code: "argument" });
  await expect(loadModel(new Uint8Array(0))).rejects.toMatchObject({ code: "format" });
  await expect(loadModel(await saveModel(model), { custom: [{}] })).rejects.toMatchObject({ code: "argument" });
  await expect(loadModel(await saveModel(model), { other: 1 } as never)).rejects.toMatchObject({ code: "argument" });
  await writeFile(join(folder, "text"), "hello, this is no model");
  const named = { code: "format", message: expect.stringContaining("/text: ") };
  await expect(loadModel(join(folder, "text"))).rejects.toMatchObject(named);
  await expect(loadModel(pathToFileURL(join(folder, "text")))).rejects.toMatchObject(named);
  const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]);
  await expect(loadModel(png)).rejects.toThrow(/expected a safetensors file, whose first 8 bytes/);
  // what PyTorch writes for batch norm: an integer of 64 bits, of which a model's file has none
  const json = '{"n.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}';
  const torch = new Uint8Array([json.length, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(json), 1, 0, 0, 0, 0, 0, 0, 0]);
  const alone =
    /expected a file that saveModel wrote \(format "downhill 1"\), got one without a format; weights alone: loadWeights/;
  await expect(loadModel(torch)).rejects.toThrow(alone);
  model.dispose();
  await expect(saveModel(model)).rejects.toMatchObject({ code: "state" });
  expect((await stat(folder)).isDirectory()).toBe(true);
});

test("a type of one's own is loaded once it is given as custom", async () => {
  // as defineLayer makes it, in a module of its own that has not been called here
  const make = () =>
    layerFactory<{ by: ReturnType<typeof finite> }, [by: number, options?: object]>({
      type: "tripled",
      positional: ["by"],
      options: () => ({ by: finite() }),
      call: ([x], { config }) => affine([x!], { scale: config.by, offset: 0 }),
    });
  const bytes = await saveModel(sequential([make()(3, { inputShape: [2] })]));
  const file = Buffer.from(bytes).toString("latin1").replaceAll("tripled", "unknown");
  await expect(loadModel(Buffer.from(file, "latin1"))).rejects.toMatchObject({
    code: "argument",
    message: expect.stringMatching(/unknown layer "unknown".*loadModel's option custom/),
  });
  const loaded = await loadModel(bytes, { custom: [make()] });
  expect([...(loaded.predict([[1, 2]]) as { data: Float32Array }).data]).toEqual([3, 6]);
});

test("a model larger than maxMemory is a memory error, and nothing is kept", async () => {
  const bytes = await saveModel(sequential([dense(1000, { inputShape: [1000] })]));
  const runtime = await init({ maxMemory: 2 ** 21 });
  await expect(loadModel(bytes, { runtime })).rejects.toMatchObject({ code: "memory" });
  expect(runtime.memory().used).toBe(0);
  runtime.dispose();
});

test("saveModel during a fit sees the last finished step", async () => {
  const model = compiledNet();
  const files: Uint8Array[] = [];
  await model.fit(
    { x, y },
    { epochs: 2, callbacks: [{ onBatchEnd: async () => void files.push(await saveModel(model)) }] },
  );
  const steps = files.map((bytes) => JSON.parse(metadata(bytes)["position"]!).step);
  expect(steps).toEqual(Array.from({ length: 14 }, (_, i) => i + 1));
  expect(equalBytes(files.at(-1)!.subarray(-64), (await saveModel(model)).subarray(-64))).toBe(true);
});
