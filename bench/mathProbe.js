// node bench/mathProbe.js [name …]: ns an element of the SIMD functions, and how many times an f32x4 copy's, in one run.
//
// 4,096 elements in L1, both builds, interleaved rounds: minimum and median. (Node 20 needs --experimental-wasm-relaxed-simd
// for the fastMath build.)

import { readFileSync } from "node:fs";

const N = 4096;
const ROUNDS = 41;
const CALLS = 20;

// copy(y, x, n): 64 bytes a step; compiled from four v128.store(y, v128.load(x)) in a loop
const COPY =
  "AGFzbQEAAAABBwFgA39/fwACDwEDZW52Bm1lbW9yeQIAAQMCAQAHEQIEY29weQAABm1lbW9yeQIAClkBVwAgACACQQJ0aiECA0AgACACSQRAIAAgAf0ABAD9CwQAIAAgAf0ABBD9CwQQIAAgAf0ABCD9CwQgIAAgAf0ABDD9CwQwIABBQGshACABQUBrIQEMAQsLCw==";

/** Opcodes by name, from assembly/isa.ts. */
function opcodes() {
  const isa = readFileSync(new URL("../assembly/isa.ts", import.meta.url), "utf8");
  const body = isa.slice(isa.indexOf("export const enum Op {"));
  const names = [...body.slice(0, body.indexOf("}")).matchAll(/^ {2}(\w+),/gm)].map((m) => m[1]);
  return Object.fromEntries(names.map((name, op) => [name, op]));
}

/** How to call each function of a build: name → a closure that does N elements CALLS times. */
function contenders(build, names, ops) {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  const instance = (bytes) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports;
  const core = instance(readFileSync(new URL(`../build/core/${build}.wasm`, import.meta.url)));
  const copy = instance(Buffer.from(COPY, "base64"));
  const top = (core.heapBase.value + 1023) & ~1023;
  const [state, at] = [top, top + 1024];
  const y = top + 8192;
  const x = y + 4 * N + 320; // staggered: equal offsets modulo 2 KiB are slow
  const v = x + 4 * N + 320;
  const f32 = new Float32Array(memory.buffer);
  for (let i = 0; i < N; i++) {
    f32[x / 4 + i] = (((i * 7919) % N) / N) * 16 - 8;
    f32[v / 4 + i] = ((i * 104729) % N) / N;
  }
  const words = new Uint32Array(memory.buffer);
  const result = {};
  result.copy = () => {
    for (let i = 0; i < CALLS; i++) copy.copy(y, x, N);
  };
  for (const [i, name] of names.entries()) {
    const to = at + i * 64;
    const two = name.endsWith("Backward") || ["add", "subtract", "multiply"].includes(name);
    const operands = two ? [y, x, v, N, 0, 0] : name.startsWith("softmax") ? [y, x, N / 16, 16] : [y, x, N, 0, 0];
    words.set([ops[name], 4 + operands.length, 0, state, ...operands], to / 4);
    result[name] = () => {
      for (let c = 0; c < CALLS; c++) core.run(to, to + 4);
    };
  }
  return result;
}

const ops = opcodes();
const names = process.argv.length > 2 ? process.argv.slice(2) : ["exp", "tanh", "sigmoid", "log", "erf", "sin", "cos"];
for (const build of ["strict", "fastMath"]) {
  let runs;
  try {
    runs = contenders(build, names, ops);
  } catch (error) {
    console.log(`${build}: ${error.message}`);
    continue;
  }
  const times = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (const run of Object.values(runs)) for (let i = 0; i < 60; i++) run();
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, run] of Object.entries(runs)) {
      const start = performance.now();
      run();
      times[name].push(((performance.now() - start) * 1e6) / N / CALLS);
    }
  const median = (a) => a.sort((p, q) => p - q)[a.length >> 1];
  const base = median(times.copy);
  console.log(`${process.version} ${build}: ns an element, minimum / median (× f32x4 copy)`);
  for (const [name, t] of Object.entries(times)) {
    const mid = median(t);
    console.log(`  ${name.padEnd(18)}${t[0].toFixed(3)} / ${mid.toFixed(3)}  (${(mid / base).toFixed(1)} ×)`);
  }
}
