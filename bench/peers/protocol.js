// What a competitor is to the runner: a program that is given a workload and a mode and prints one line of JSON, its last.
//
//   node tfjs.js W2 time --folder build/peers [--threads 2] [--device wasm] …
//
//   check    steps with dropout off: `losses` of the first ten, and the mean losses of the first and the last cycle through
//            the batches (`first`, `last`)
//   train    the same with dropout on
//   time     warms up, then times: `ms` is the median step. A step is what trainOnBatch (or predict) is: flat typed arrays
//            in, the loss (or the outputs) out as numbers
//   memory   fifty steps, then `rss`, the most memory that the process ever had, in MB
//
// A competitor that fails prints { cannot: why }. pytorch.py keeps to the same.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const CHECKED = 10;
const CHECK_MS = 2000; // steps go on so long to see the loss fall
const WARM_UP_MS = 600;
const TIME_MS = 800;
const SAMPLE_MS = 2;
const SAMPLES_LEAST = 3;
const SLOW_MS = 1500; // of such steps one warms up and one is timed
const MEMORY_STEPS = 50;

/**
 * Runs what the command line asks for. `open(job)` builds the model from `workload`, `weights`, `threads` and `options` and
 * returns { step(x, y) → loss, predict(x) → outputs, versions }; both may return promises.
 */
export async function compete(open) {
  let line;
  try {
    line = await run(open);
  } catch (error) {
    line = { cannot: `${error?.message ?? error}`.split("\n")[0] };
  }
  console.log(JSON.stringify(line));
  process.exit(); // workers of a peer are no reason to stay
}

async function run(open) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: "string", default: "build/peers" },
      threads: { type: "string", default: "1" },
      device: { type: "string" },
      fastMath: { type: "boolean", default: false },
      algorithm: { type: "string", default: "auto" },
    },
  });
  const [id, mode] = positionals;
  const { workload, batches, weights } = read(`${values.folder}/${id}`);
  if (mode === "check") for (const layer of workload.layers) if (layer.type === "dropout") layer.rate = 0;
  const peer = await open({ workload, weights, threads: Number(values.threads), options: values });
  let at = 0;
  const next = async () => {
    const { x, y } = batches[at++ % batches.length];
    return workload.inference ? crossEntropy(await peer.predict(x), y) : peer.step(x, y);
  };
  const { versions } = peer;
  if (mode === "check" || mode === "train") return { ...(await check(next, batches.length)), versions };
  if (mode === "memory") {
    for (let i = 0; i < MEMORY_STEPS; i++) await next();
    return { rss: process.resourceUsage().maxRSS / 1024, versions };
  }
  // the timed call has nothing of ours in it
  const call = workload.inference ? peer.predict : peer.step;
  return { ...(await time(call, batches)), versions };
}

/** The two files of a workload (bench/workloads.ts). Every batch is a typed array of its own. */
function read(path) {
  const workload = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  const bytes = readFileSync(`${path}.safetensors`);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const tensor = (name) => {
    const { dtype, data_offsets } = header[name];
    const [from, to] = data_offsets.map((offset) => bytes.byteOffset + 8 + length + offset);
    return new (dtype === "I32" ? Int32Array : Float32Array)(bytes.buffer.slice(from, to));
  };
  const part = (data, i) =>
    data.slice((i * data.length) / workload.batches, ((i + 1) * data.length) / workload.batches);
  const x = tensor("x");
  const y = tensor("y");
  const batches = Array.from({ length: workload.batches }, (_, i) => ({ x: part(x, i), y: part(y, i) }));
  const names = Object.keys(header).filter((name) => name !== "x" && name !== "y");
  const weights = Object.fromEntries(names.map((name) => [name, { data: tensor(name), shape: header[name].shape }]));
  return { workload, batches, weights };
}

/** The mean loss of the first cycle, and of the latest. */
class Cycle {
  #losses = [];
  first;

  constructor(length) {
    this.length = length;
  }

  add(loss) {
    this.#losses.push(loss);
    if (this.#losses.length > this.length) this.#losses.shift();
    if (this.#losses.length === this.length) this.first ??= this.mean;
  }

  get mean() {
    return this.#losses.reduce((a, b) => a + b, 0) / this.#losses.length;
  }
}

async function check(next, length) {
  const losses = [];
  const cycle = new Cycle(length);
  const start = performance.now();
  for (let i = 0; i < CHECKED || i < 2 * length || (i < 100 * length && performance.now() - start < CHECK_MS); i++) {
    const loss = await next();
    if (!Number.isFinite(loss)) throw new Error(`the loss of step ${i + 1} is ${loss}`);
    if (i < CHECKED) losses.push(loss);
    cycle.add(loss);
  }
  return { losses, first: cycle.first, last: cycle.mean };
}

async function time(call, batches) {
  let at = 0;
  let result;
  /** Milliseconds a step, of `steps`. A promise is awaited only where there is one. */
  const sample = async (steps) => {
    const start = performance.now();
    for (let i = 0; i < steps; i++) {
      const { x, y } = batches[at++ % batches.length];
      result = call(x, y);
      if (result instanceof Promise) result = await result;
    }
    return (performance.now() - start) / steps;
  };
  const start = performance.now();
  if ((await sample(1)) > SLOW_MS) {
    return { ms: await sample(1), samples: 1, steps: at };
  }
  while (performance.now() - start < WARM_UP_MS) await sample(1);
  const each = await sample(Math.max(1, Math.min(20, Math.floor(20 / (await sample(1))))));
  const steps = Math.max(1, Math.ceil(SAMPLE_MS / each));
  const samples = [];
  const from = performance.now();
  while (samples.length < SAMPLES_LEAST || performance.now() - from < TIME_MS) samples.push(await sample(steps));
  if (typeof result === "number" && !Number.isFinite(result)) throw new Error(`the last loss is ${result}`);
  return { ms: median(samples), samples: samples.length, steps: at };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Mean softmax cross-entropy of logits: what tells whether the outputs of a forward pass are right. */
function crossEntropy(logits, labels) {
  const classes = logits.length / labels.length;
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const max = Math.max(...row);
    sum += max + Math.log(row.reduce((total, z) => total + Math.exp(z - max), 0)) - row[labels[i]];
  }
  return sum / labels.length;
}
