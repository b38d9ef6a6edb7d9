// Recurrent nets: how long a long one takes to be built, and where a step's time goes.
//
//   node bench/recurrentProbe.js [steps] [rounds]
//
// Build: model, compile, and the training program (graph, gradient, plan, tape, verify), batch 32. Step: units 64 over 28 steps
// of 28, batch 64, softmax cross-entropy, Adam, one thread; its instructions are timed one by one, by kernel, over `rounds`.

import { readFileSync, writeFileSync } from "node:fs";
import { buildSync } from "esbuild";

const steps = Number(process.argv[2] ?? 1000);
const rounds = Number(process.argv[3] ?? 50);

const at = (path) => new URL(`../${path}`, import.meta.url).pathname;
const { outputFiles } = buildSync({
  stdin: {
    contents: `export * from "./ts/index"; export { buildProgram } from "./ts/training/program";`,
    resolveDir: at(""),
    loader: "ts",
  },
  bundle: true,
  write: false,
  format: "esm",
  platform: "node",
  alias: {
    "#core/strict.js": at("build/core/plain.js"),
    "#core/extension.js": at("build/core/none.js"),
    "#core/scalars.js": at("build/core/scalars.js"),
    "#core/fastMath.js": at("build/core/fastMath.js"),
    "#platform": at("ts/runtime/platform/node.ts"),
  },
  external: ["#core/*", "csv-parse/*"],
});
// beside the cores, where package.json's imports hold
writeFileSync(at("build/bench/recurrentLibrary.js"), outputFiles[0].text);
const library = await import("../build/bench/recurrentLibrary.js");
const { adam, buildProgram, dense, gru, lstm, meanSquaredError, sequential, simpleRnn, softmaxCrossEntropy } = library;

const cells = { simpleRnn, lstm, gru };
const FLOAT32 = 0;
const INDEX = 0;
const ROWS = 1;

const trains = (rows, target) => ({
  kind: "train",
  rows,
  inputs: [FLOAT32],
  targets: [{ weighted: false, ...target }],
  training: true,
  accumulate: 0,
});

/** Milliseconds from the factories to a tape in memory. */
function buildTime(cell, length) {
  const start = performance.now();
  const model = sequential([cell(64, { inputShape: [length, 2] }), dense(1)]);
  model.compile({ optimizer: adam(), loss: meanSquaredError(), clipNorm: 1 });
  const { state } = model;
  const { instructions } = buildProgram(state, state.lane("training"), trains(32, { kind: ROWS, shape: [1] }));
  const time = performance.now() - start;
  model.dispose();
  return { time, count: instructions.length };
}

for (const [name, cell] of Object.entries(cells)) {
  for (const length of [steps / 4, steps, steps, 4 * steps]) {
    const { time, count } = buildTime(cell, Math.round(length));
    console.log(`${name}: ${Math.round(length)} steps, ${count} instructions, built in ${time.toFixed(0)} ms`);
  }
}

const isa = readFileSync(at("assembly/isa.ts"), "utf8");
const opcodes = ["Op", "ExtensionOp"].flatMap((name) => {
  const body = isa.slice(isa.indexOf(`export const enum ${name} {`));
  return [...body.slice(0, body.indexOf("\n}")).matchAll(/^ {2}(?!count)(\w+)(?: = [\w.]+)?,/gm)].map(([, key]) => key);
});

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

for (const [name, cell] of Object.entries(cells)) {
  const model = sequential([cell(64, { inputShape: [28, 28] }), dense(10)]);
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
  const x = {
    data: Float32Array.from({ length: 64 * 784 }, (_, i) => ((i * 7919) % 1009) / 1009),
    shape: [64, 28, 28],
  };
  const y = Int32Array.from({ length: 64 }, (_, i) => i % 10);
  const { state } = model;
  const { core } = state.runtime;
  for (let i = 0; i < 20; i++) model.trainOnBatch(x, y);
  const whole = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    model.trainOnBatch(x, y);
    whole.push(performance.now() - start);
  }
  const { tape, instructions } = buildProgram(state, state.lane("training"), trains(64, { kind: INDEX, shape: [] }));
  model.trainOnBatch(x, y); // the arena and the report are as a step leaves them
  const kernels = new Map();
  for (let round = 0; round < rounds; round++) {
    const times = new Map();
    for (const { opcode, at, work } of instructions) {
      const start = performance.now();
      core.runShare(tape + at * 4, 0, 1);
      const kernel = opcodes[opcode];
      const sum = times.get(kernel) ?? { time: 0, work: 0, count: 0 };
      sum.time += performance.now() - start;
      sum.work += work;
      sum.count++;
      times.set(kernel, sum);
    }
    for (const [kernel, sum] of times) kernels.set(kernel, [...(kernels.get(kernel) ?? []), sum]);
  }
  const rows = [...kernels].map(([kernel, sums]) => ({
    ...sums[0],
    kernel,
    time: median(sums.map(({ time }) => time)),
  }));
  const total = rows.reduce((sum, { time }) => sum + time, 0);
  console.log(
    `${name}(64), 28 steps of 28, batch 64: ${median(whole).toFixed(2)} ms a step, its instructions ${total.toFixed(2)}`,
  );
  for (const { kernel, time, work, count } of rows.sort((a, b) => b.time - a.time).slice(0, 6))
    console.log(
      `  ${kernel.padEnd(18)} ${String(count).padStart(4)} × ${time.toFixed(3)} ms, estimated ${(work / 1e6).toFixed(3)}`,
    );
  model.dispose();
}
