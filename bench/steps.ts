// The step rows: whole training steps through the public API, and the same in plain JavaScript (js/mlp.ts).
//
//   shape    sizes/batch
//   amount   FLOPs: 6 · batch · weights, less the first layer's input gradient, which nobody needs
//   limit    multiply-adds in registers, of the build
//
// Beside them, for the tiny model, what a step costs around its kernels: instructions timed one by one through the
// runtime's own core, calls into wasm counted by standing wrapped exports in for it, JavaScript heap from the host.

import { Header } from "../assembly/isa";
import type { Host, Library, LibraryModel, LibraryRuntime } from "./host";
import { createMlp, type MlpOptions } from "./js/mlp";
import { numbers } from "./kernels";
import { measure } from "./measure";

export interface StepCase extends MlpOptions {
  shape: string;
  amount: number;
}

function stepCase(options: MlpOptions): StepCase {
  const { sizes, batch } = options;
  let multiplyAdds = 0;
  for (let l = 1; l < sizes.length; l++) multiplyAdds += (l === 1 ? 2 : 3) * sizes[l - 1]! * sizes[l]!;
  return { ...options, shape: `${sizes.join("-")}/${batch}`, amount: 2 * batch * multiplyAdds };
}

const TINY = stepCase({
  sizes: [2, 16, 16, 1],
  batch: 32,
  activation: "tanh",
  loss: "meanSquaredError",
  optimizer: "adam",
});

export const stepCases: StepCase[] = [
  TINY,
  stepCase({ sizes: [64, 32, 10], batch: 1, activation: "relu", loss: "softmaxCrossEntropy", optimizer: "momentum" }),
  stepCase({ sizes: [64, 32, 10], batch: 16, activation: "relu", loss: "softmaxCrossEntropy", optimizer: "momentum" }),
  stepCase({
    sizes: [784, 512, 512, 10],
    batch: 128,
    activation: "relu",
    loss: "softmaxCrossEntropy",
    optimizer: "adam",
  }),
];

export interface StepContender {
  run(): void;
  /** The loss of the last call. */
  loss(): number;
  close(): void;
}

/** The batch that every contender trains on. */
export function batchOf({ sizes, batch, loss }: MlpOptions): { x: Float32Array; y: Float32Array | Int32Array } {
  const out = sizes.at(-1)!;
  return {
    x: numbers(batch * sizes[0]!, 1),
    y:
      loss === "softmaxCrossEntropy"
        ? Int32Array.from({ length: batch }, (_, i) => (7 * i) % out)
        : numbers(batch * out, 2),
  };
}

export function stepInJs(step: StepCase): StepContender {
  const mlp = createMlp(step);
  const { x, y } = batchOf(step);
  let loss = 0;
  return {
    run() {
      loss = mlp.step(x, y);
    },
    loss: () => loss,
    close() {},
  };
}

/** The model of a step, compiled. */
function build(library: Library, step: StepCase, runtime: LibraryRuntime): LibraryModel {
  const { sizes, activation, loss, optimizer } = step;
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
  const model = build(library, step, runtime);
  const { x, y } = batchOf(step);
  let loss = 0;
  return {
    run() {
      loss = model.trainOnBatch(x, y).loss;
    },
    loss: () => loss,
    close: () => runtime.dispose(),
  };
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
  const model = build(library, TINY, runtime);
  const { x, y } = batchOf(TINY);
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
