// The step rows: whole training steps through the public API, and the same in plain JavaScript (js/mlp.ts, js/network.ts).
//
//   shape    sizes/batch; cnn-28x28x1/64 is W4 of workloads.ts
//   amount   FLOPs: 6 · batch · weights · places, less the first layer's input gradient, which nobody needs. Convolutions count
//            as direct ones: by Winograd's algorithm a step may have more than the limit's rate
//   limit    multiply-adds in registers, of the build
//
// Beside them, for the tiny model, what a step costs around its kernels: instructions timed one by one through the
// runtime's own core, calls into wasm counted by standing wrapped exports in for it, JavaScript heap from the host.

import { Header } from "../assembly/isa";
import type { Host, Library, LibraryModel, LibraryRuntime } from "./host";
import { createMlp, type MlpOptions } from "./js/mlp";
import { createNetwork } from "./js/network";
import { numbers } from "./kernels";
import { measure } from "./measure";
// @ts-expect-error: JavaScript, as the competitors are
import { modelOf } from "./peers/model.js";
import { type Numbers, numbersOf, type Resolved, resolve, workloads } from "./workloads";

export interface Batch {
  x: Float32Array;
  y: Float32Array | Int32Array;
}

export interface StepCase {
  shape: string;
  /** FLOPs. */
  amount: number;
  /** What every contender trains on, in turn. */
  batches(): Batch[];
  /** A step in plain JavaScript; it returns the loss. */
  js(): (x: Float32Array, y: Float32Array | Int32Array) => number;
  /** The model, compiled. */
  model(library: Library, runtime: LibraryRuntime): LibraryModel;
}

function mlpCase(options: MlpOptions): StepCase {
  const { sizes, batch, loss } = options;
  const out = sizes.at(-1)!;
  let multiplyAdds = 0;
  for (let l = 1; l < sizes.length; l++) multiplyAdds += (l === 1 ? 2 : 3) * sizes[l - 1]! * sizes[l]!;
  return {
    shape: `${sizes.join("-")}/${batch}`,
    amount: 2 * batch * multiplyAdds,
    batches: () => [
      {
        x: numbers(batch * sizes[0]!, 1),
        y:
          loss === "softmaxCrossEntropy"
            ? Int32Array.from({ length: batch }, (_, i) => (7 * i) % out)
            : numbers(batch * out, 2),
      },
    ],
    js: () => createMlp(options).step,
    model: (library, runtime) => mlpModel(library, options, runtime),
  };
}

function mlpModel(library: Library, { sizes, activation, loss, optimizer }: MlpOptions, runtime: LibraryRuntime) {
  const layers: unknown[] = [];
  for (let l = 1; l < sizes.length; l++) {
    layers.push(library.dense(sizes[l]!, l === 1 ? { inputShape: [sizes[0]!] } : {}));
    if (l < sizes.length - 1) layers.push(activation === "relu" ? library.relu() : library.tanh());
  }
  const model = library.sequential(layers, { runtime });
  model.compile({
    optimizer: optimizer === "adam" ? library.adam() : library.sgd({ learningRate: 0.01, momentum: 0.9 }),
    loss: loss === "softmaxCrossEntropy" ? library.softmaxCrossEntropy() : library.meanSquaredError(),
  });
  return model;
}

/** FLOPs of a workload's step; convolutions count as direct ones. */
function flopsOf({ layers, batch }: Resolved): number {
  let multiplyAdds = 0;
  let first = true;
  for (const { parameters, output } of layers) {
    const { kernel } = parameters;
    if (!kernel) continue;
    const places = output.slice(0, -1).reduce((a, b) => a * b, 1);
    multiplyAdds += (first ? 2 : 3) * places * kernel.reduce((a, b) => a * b, 1);
    first = false;
  }
  return 2 * batch * multiplyAdds;
}

/** A step of one of workloads.ts, from its starting weights. */
function workloadCase(id: string, shape: string): StepCase {
  const workload = resolve(workloads.find((w) => w.id === id)!);
  const { batch, batches } = workload;
  let made: Record<string, Numbers> | undefined;
  const all = () => {
    made ??= numbersOf(workload);
    const { x, y, ...weights } = made as Record<"x" | "y", Numbers>;
    return { x: x.data as Float32Array, y: y.data, weights: weights as Record<string, Numbers> };
  };
  return {
    shape: `${shape}/${batch}`,
    amount: flopsOf(workload),
    batches() {
      const { x, y } = all();
      const part = <T extends Float32Array | Int32Array>(of: T, i: number) =>
        of.subarray((i * of.length) / batches, ((i + 1) * of.length) / batches) as T;
      return Array.from({ length: batches }, (_, i) => ({ x: part(x, i), y: part(y, i) }));
    },
    js() {
      const { parameters, step } = createNetwork(workload);
      for (const [key, { data }] of Object.entries(all().weights)) parameters[key]!.set(data);
      return (x, y) => step(x, y as Int32Array);
    },
    model: (library, runtime) => modelOf(library, workload, all().weights, runtime),
  };
}

const TINY = mlpCase({
  sizes: [2, 16, 16, 1],
  batch: 32,
  activation: "tanh",
  loss: "meanSquaredError",
  optimizer: "adam",
});

export const stepCases: StepCase[] = [
  TINY,
  mlpCase({ sizes: [64, 32, 10], batch: 1, activation: "relu", loss: "softmaxCrossEntropy", optimizer: "momentum" }),
  mlpCase({ sizes: [64, 32, 10], batch: 16, activation: "relu", loss: "softmaxCrossEntropy", optimizer: "momentum" }),
  mlpCase({
    sizes: [784, 512, 512, 10],
    batch: 128,
    activation: "relu",
    loss: "softmaxCrossEntropy",
    optimizer: "adam",
  }),
  workloadCase("W4", "cnn-28x28x1"),
];

export interface StepContender {
  run(): void;
  /** The loss of the last call. */
  loss(): number;
  close(): void;
}

/** A contender that goes through the batches. */
function contender(
  { batches }: StepCase,
  step: (x: Float32Array, y: Float32Array | Int32Array) => number,
  close: () => void,
): StepContender {
  const all = batches();
  let [at, loss] = [0, 0];
  return {
    run() {
      const { x, y } = all[at]!;
      loss = step(x, y);
      at = (at + 1) % all.length;
    },
    loss: () => loss,
    close,
  };
}

export const stepInJs = (step: StepCase): StepContender => contender(step, step.js(), () => {});

export async function stepInWasm(
  library: Library,
  step: StepCase,
  fastMath: boolean,
  threads: number,
): Promise<StepContender | undefined> {
  const runtime = await library.init({ threads, fastMath });
  if (runtime.threads !== threads || runtime.fastMath !== fastMath) {
    runtime.dispose();
    return undefined;
  }
  const model = step.model(library, runtime);
  return contender(
    step,
    (x, y) => model.trainOnBatch(x, y).loss,
    () => runtime.dispose(),
  );
}

/** What stands round the kernels of one `trainOnBatch` of the tiny model. */
export interface StepCost {
  /** Microseconds of trainOnBatch over the sum of its kernels. */
  overhead?: number;
  /** The sum of its kernels, microseconds. */
  kernels?: number;
  instructions?: number;
  callsPerStep?: number;
  heapPerStep?: number; // bytes
}

type Run = (from: number, to: number) => number;

export async function stepCost(library: Library, host: Host, rounds: number): Promise<StepCost> {
  const runtime = await library.init({ threads: 1 });
  const model = TINY.model(library, runtime);
  const { x, y } = TINY.batches()[0]!;
  const step = () => void model.trainOnBatch(x, y);
  for (let i = 0; i < 300; i++) step();

  const cost: StepCost = {};
  if (host.heapUsed) {
    const steps = 1000; // too few for a collection in between
    const takes: number[] = [];
    for (let take = 0; take < 5; take++) {
      const before = host.heapUsed(true);
      for (let i = 0; i < steps; i++) step();
      takes.push((host.heapUsed(false) - before) / steps);
    }
    cost.heapPerStep = Math.max(0, Math.min(...takes));
  }

  const { core } = runtime;
  const run = core?.["run"] as Run | undefined;
  const runShare = core?.["runShare"] as ((at: number, ith: number, nth: number) => void) | undefined;
  const words = runtime.heap?.u32;
  if (core && run && runShare && words) {
    // count every call into wasm, and note which instructions a step runs
    let calls = 0;
    const ranges: [number, number][] = [];
    const counted = (name: string, value: unknown) =>
      typeof value !== "function"
        ? value
        : (...args: number[]) => {
            calls++;
            if (name === "run") ranges.push([args[0]!, args[1]!]);
            return value(...args);
          };
    runtime.core = Object.fromEntries(Object.entries(core).map(([name, value]) => [name, counted(name, value)]));
    step();
    cost.callsPerStep = calls;
    runtime.core = core;

    const instructions: number[] = [];
    for (const [from, to] of ranges)
      for (let at = from; at < to; at += words[(at >> 2) + Header.words]! * 4) instructions.push(at);
    // an instruction of `none` tells what the call alone costs: the guard, opcode 0
    const guard = instructions.find((at) => words[(at >> 2) + Header.op] === 0);
    const contestants = instructions.map((at) => ({ run: () => runShare(at, 0, 1) }));
    const timings = measure([{ run: step }, ...contestants], rounds, host);
    const call = guard === undefined ? 0 : timings[1 + instructions.indexOf(guard)]!.median;
    const kernels = timings.slice(1).reduce((sum, { median }) => sum + Math.max(0, median - call), 0);
    cost.instructions = instructions.length;
    cost.kernels = 1000 * kernels;
    cost.overhead = 1000 * (timings[0]!.median - kernels);
  }
  runtime.dispose();
  return cost;
}
