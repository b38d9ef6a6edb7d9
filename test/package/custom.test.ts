// A layer, a loss and a metric as a user writes them, against the built package: trained, saved, loaded, and the same in a
// worker thread, to the bit, on any number of threads.

import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const FOLDER = new URL("../../build/custom/", import.meta.url).pathname; // in the package, so that it may import itself by name
const run = promisify(execFile);

const DEFINITIONS = `
import { adam, constant, defineLayer, defineLoss, defineMetric, dense, digits, init, l2, loadModel, saveModel, sequential, setSeed, weightsHash } from "downhill";

export const swiglu = defineLayer({
  type: "swiglu",
  options: { units: 32 },
  parameters: ([width], { units }) => ({
    gate: { shape: [width, units] },
    value: { shape: [width, units], regularizer: l2(1e-4) },
    scale: { shape: [units], initializer: constant(1) },
  }),
  call(x, { gate, value, scale }, ops) {
    return ops.multiply(ops.multiply(ops.silu(ops.matmul(x, gate)), ops.matmul(x, value)), scale);
  },
});

/** −(1 − p)^γ·log p, p the probability of the right class. (Lin et al. 2017) */
export const focal = defineLoss({
  type: "focal",
  options: { gamma: 2 },
  prediction: "logits",
  call(yTrue, yPred, ops, { options: { gamma } }) {
    const logP = ops.sum(ops.multiply(yTrue, ops.logSoftmax(yPred)), -1);
    return ops.negate(ops.multiply(ops.pow(ops.subtract(1, ops.exp(logP)), gamma), logP));
  },
});

export const confidence = defineMetric({
  type: "confidence",
  call: (yTrue, yPred, ops) => ops.max(ops.softmax(yPred), -1),
});

export const custom = [swiglu, focal, confidence];

export async function train(threads = 1) {
  const runtime = await init({ threads });
  setSeed(3);
  const { train, test } = digits();
  const model = sequential([swiglu({ units: 48, inputShape: [64] }), dense(10)]);
  model.compile({ optimizer: adam({ learningRate: 3e-3 }), loss: focal({ gamma: 1.5 }), metrics: ["accuracy", confidence()] });
  const history = await model.fit(train, { epochs: 4, batchSize: 64, validationData: test });
  return { runtime, model, test, last: history.epochs.at(-1) };
}

export { loadModel, saveModel, weightsHash };
`;

interface Logs {
  loss: number;
  dataLoss: number;
  penalty: number;
  accuracy: number;
  valAccuracy: number;
  confidence: number;
}

interface Result {
  last: Logs;
  hash: string;
  loaded: string;
  fromWorker: { trained: string; loaded: string; config: unknown };
  sameBytes: boolean;
  samePredictions: boolean;
  evaluated: Logs;
  keys: string[];
  config: unknown;
}

beforeAll(async () => {
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${FOLDER}definitions.mjs`, DEFINITIONS);
});
afterAll(() => rm(FOLDER, { recursive: true }));

async function output(name: string, text: string): Promise<unknown> {
  await writeFile(`${FOLDER}${name}`, text);
  return JSON.parse((await run(process.execPath, [`${FOLDER}${name}`], { cwd: FOLDER })).stdout);
}

test("a SwiGLU layer, a focal loss and a metric train, and go into a file, a clone and a worker", async () => {
  await writeFile(
    `${FOLDER}worker.mjs`,
    `
import { parentPort, workerData } from "node:worker_threads";
import { custom, loadModel, train, weightsHash } from "./definitions.mjs";
const { model } = await train();
const loaded = await loadModel(workerData.bytes, { custom });
parentPort.postMessage({ trained: await weightsHash(model), loaded: await weightsHash(loaded), config: workerData.config });
`,
  );
  const result = (await output(
    "main.mjs",
    `
import { Worker } from "node:worker_threads";
import { custom, loadModel, saveModel, train, weightsHash } from "./definitions.mjs";
const { model, test, last } = await train();
const bytes = await saveModel(model);
const loaded = await loadModel(bytes, { custom });
const again = await saveModel(loaded);
const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData: { bytes, config: model.config } }); // both are cloned
const fromWorker = await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
const x = test.x;
console.log(JSON.stringify({
  last,
  hash: await weightsHash(model),
  loaded: await weightsHash(loaded),
  fromWorker,
  sameBytes: Buffer.compare(Buffer.from(bytes), Buffer.from(again)) === 0,
  samePredictions: String(model.predict(x).data) === String(loaded.predict(x).data),
  evaluated: await loaded.evaluate(test),
  keys: Object.keys(model.getWeights()),
  config: model.config,
}));
await worker.terminate();
`,
  )) as Result;
  const { last, hash, loaded, fromWorker, sameBytes, samePredictions, evaluated, keys, config } = result;
  expect(last.valAccuracy).toBeGreaterThan(0.9);
  expect(last.confidence).toBeGreaterThan(0.3);
  expect(last.loss).toBeCloseTo(last.dataLoss + last.penalty, 5);
  expect(loaded).toBe(hash);
  expect(fromWorker.trained).toBe(hash);
  expect(fromWorker.loaded).toBe(hash);
  expect(fromWorker.config).toEqual(config);
  expect(sameBytes).toBe(true);
  expect(samePredictions).toBe(true);
  expect(evaluated.accuracy).toBeCloseTo(last.valAccuracy, 6);
  expect(keys).toEqual(["swiglu_1/gate", "swiglu_1/value", "swiglu_1/scale", "dense_1/kernel", "dense_1/bias"]);
}, 60_000);

test("equal bits on 1, 2 and 3 threads", async () => {
  const hashes = (await output(
    "threads.mjs",
    `
import { train, weightsHash } from "./definitions.mjs";
const hashes = [];
for (const threads of [1, 2, 3]) {
  const { model, runtime } = await train(threads);
  hashes.push(await weightsHash(model));
  if (runtime.threads !== threads) hashes.push("threads: " + runtime.threads);
  runtime.dispose();
}
console.log(JSON.stringify(hashes));
`,
  )) as string[];
  expect(new Set(hashes).size).toBe(1);
  expect(hashes.length).toBe(3);
}, 60_000);

test("a file without its types says which is missing", async () => {
  const message = await output(
    "missing.mjs",
    `
import { Worker } from "node:worker_threads";
import { saveModel, train } from "./definitions.mjs";
const { model } = await train();
const bytes = await saveModel(model);
const code = 'const { parentPort, workerData } = require("node:worker_threads"); import("downhill").then(({ loadModel }) => loadModel(workerData)).then(() => parentPort.postMessage("loaded"), (e) => parentPort.postMessage(e.code + " " + e.message));';
const worker = new Worker(code, { eval: true, workerData: bytes });
console.log(JSON.stringify(await new Promise((resolve) => worker.on("message", resolve))));
`,
  );
  expect(message).toMatch(/unknown layer "swiglu"/);
}, 60_000);

test("a page's core, whose extension is a module of its own, gives the same bits", async () => {
  const page = new URL("../../dist/browser/downhill.js", import.meta.url).href;
  await writeFile(`${FOLDER}page.mjs`, DEFINITIONS.replace('from "downhill"', `from "${page}"`));
  const hashes = ["definitions", "page"].map((module) =>
    output(
      `${module}Hash.mjs`,
      `import { train, weightsHash } from "./${module}.mjs";
       console.log(JSON.stringify(await weightsHash((await train()).model)));`,
    ),
  );
  const [node, browser] = await Promise.all(hashes);
  expect(browser).toBe(node);
}, 60_000);
