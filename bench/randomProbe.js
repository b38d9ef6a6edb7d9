// node bench/randomProbe.js: random numbers, dropout and gather against an f32x4 copy loop, losses by the element.
// Each round runs every probe once; medians over the rounds.

import { readFileSync } from "node:fs";
import os from "node:os";

const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
const module = new WebAssembly.Module(readFileSync(new URL("../build/core/strict.wasm", import.meta.url)));
const core = new WebAssembly.Instance(module, { env: { memory } }).exports;
const isa = readFileSync(new URL("../assembly/isa.ts", import.meta.url), "utf8");

/** The members of a const enum in isa.ts, without values of their own. */
function members(name) {
  const body = isa.slice(isa.indexOf(`export const enum ${name} {`));
  return [...body.slice(0, body.indexOf("\n}")).matchAll(/^ {2}(\w+)(?: = (\d+))?,/gm)].reduce(
    ({ next, map }, [, key, value]) => {
      const number = value === undefined ? next : Number(value);
      return { next: number + 1, map: { ...map, [key]: number } };
    },
    { next: 0, map: {} },
  ).map;
}
const Op = members("Op");
const State = members("State");

let top = (core.heapBase.value + 63) & ~63;
function buffer(words) {
  const address = top;
  top = (top + words * 4 + 63 + 64) & ~63; // staggered by a cache line
  const missing = top - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  return address;
}
const state = buffer(State.words);
const setState = (word, value) => {
  new Uint32Array(memory.buffer)[state / 4 + word] = value;
};

function instruction(op, words, reals = []) {
  const at = buffer(4 + words.length + reals.length);
  new Uint32Array(memory.buffer, at).set([op, 4 + words.length + reals.length, 0, state, ...words]);
  new Float32Array(memory.buffer, at + (4 + words.length) * 4).set(reals);
  return () => core.runShare(at, 0, 1);
}

/** An f32x4 copy loop, 64 bytes a step: (to, from, bytes), bytes a multiple of 64. */
function copyLoop() {
  const name = (s) => [s.length, ...Buffer.from(s)];
  const section = (id, body) => [id, body.length, ...body];
  const step = [];
  for (let offset = 0; offset < 64; offset += 16)
    step.push(0x20, 0, 0x20, 1, 0xfd, 0x00, 4, offset, 0xfd, 0x0b, 4, offset);
  const bump = (local, by) => [0x20, local, 0x41, ...by, 0x6a, 0x21, local];
  const loop = [0x02, 0x40, 0x03, 0x40, 0x20, 2, 0x45, 0x0d, 1, ...step];
  loop.push(...bump(0, [0xc0, 0]), ...bump(1, [0xc0, 0]), ...bump(2, [0x40]), 0x0c, 0, 0x0b, 0x0b);
  const body = [0, ...loop, 0x0b];
  const code = [1, ...(body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7]), ...body];
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  bytes.push(...section(1, [1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0]));
  bytes.push(...section(2, [1, ...name("env"), ...name("memory"), 2, 0, 1]));
  bytes.push(...section(3, [1, 0]), ...section(7, [1, ...name("copy"), 0, 0]));
  bytes.push(10, ...(code.length < 128 ? [code.length] : [(code.length & 127) | 128, code.length >> 7]), ...code);
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), { env: { memory } }).exports.copy;
}
const copy = copyLoop();

const n = 65536; // 128 × 512: x and y together 512 KiB
const [x, y] = [buffer(n), buffer(n)];
new Float32Array(memory.buffer, x, n).fill(1);
const rows = 128;
const [rowA, rowB, rowC, dRow] = [buffer(n), buffer(n), buffer(n), buffer(n)];
new Float32Array(memory.buffer, dRow, n).fill(1);
const labels = buffer(n);
const indices = buffer(60000);
setState(State.sources, x);
setState(State.rowCount, 64);
setState(State.indices, indices);
const bytes = buffer((60000 * 784) / 4);
setState(State.sources + 1, bytes);

const shuffle = instruction(Op.shuffle, [indices, 60000, 1]);
shuffle();
const order = buffer(83);
new Uint32Array(memory.buffer, order, 83).set(Array.from({ length: 83 }, (_, i) => (i * 37) % 83));

const crossEntropy = (classes) => [
  instruction(Op.softmaxCrossEntropy, [rowA, rowB, rowC, x, labels, 0, rows, classes, 0], [0]),
  instruction(Op.softmaxCrossEntropyBackward, [y, dRow, x, labels, 0, rowC, rows, classes, 0], [0]),
];
const elements = (op, option) => [
  instruction(op, [rowA, rowB, x, dRow, 0, rows, 512, option]),
  instruction(op + 1, [y, dRow, x, dRow, 0, rows, 512, option]),
];
const thin = (op, option) => instruction(op, [rowA, rowB, x, dRow, 0, 32, 1, option]);

/** name, run, work, unit (work a nanosecond), inner repetitions */
const probes = [
  ["copy 65536", () => copy(y, x, n * 4), n * 8, "GB/s", 20],
  ...[0.5, 0.25, 0.125, 3 / 256, 0.3].map((rate) => [
    `dropout ${rate.toFixed(4)}`,
    instruction(Op.dropout, [y, x, n, 512, 1], [rate]),
    n * 8,
    "GB/s",
    10,
  ]),
  ["randomUniform", instruction(Op.randomUniform, [y, n, 1], [-1, 1]), n, "G/s", 4],
  ["randomNormal", instruction(Op.randomNormal, [y, n, 1], [0, 1]), n, "G/s", 4],
  ["truncatedNormal", instruction(Op.truncatedNormal, [y, n, 1], [0, 1]), n, "G/s", 4],
  ["shuffle 60000", shuffle, 60000, "G/s", 1],
  ["gather f32 83×784", instruction(Op.gather, [y, 0, 83, 784, 0], [1, 0]), 83 * 784 * 8, "GB/s", 10, order, 83],
  ["gather f32 32768×2", instruction(Op.gather, [y, 0, 32768, 2, 0], [1, 0]), 32768 * 16, "GB/s", 4, 0, 32768],
  ["gather u8 83×784", instruction(Op.gather, [y, 1, 83, 784, 1], [1 / 255, 0]), 83 * 784 * 5, "GB/s", 10, indices, 83],
  ...[10, 512].flatMap((classes) => {
    const [forward, backward] = crossEntropy(classes);
    return [
      [`softmaxCrossEntropy ${rows}×${classes}`, forward, rows * classes, "G/s", 10],
      [`softmaxCrossEntropyBackward ${rows}×${classes}`, backward, rows * classes, "G/s", 10],
    ];
  }),
  ...[
    ["binaryCrossEntropy logits", Op.binaryCrossEntropy, 1],
    ["meanSquaredError", Op.meanSquaredError, 0],
  ].flatMap(([name, op, option]) => {
    const [forward, backward] = elements(op, option);
    return [
      [`${name} 128×512`, forward, n, "G/s", 5],
      [`${name} 128×512 backward`, backward, n, "G/s", 5],
      [`${name} 32×1`, thin(op, option), 32, "G/s", 20],
    ];
  }),
];

const rounds = Number(process.argv[2] ?? 60);
const times = probes.map(() => []);
for (let round = -20; round < rounds; round++) {
  for (const [i, [, run, , , inner, order = indices, rowCount = 128]] of probes.entries()) {
    setState(State.indices, order);
    setState(State.rowCount, rowCount);
    const start = process.hrtime.bigint();
    for (let k = 0; k < inner; k++) run();
    if (round >= 0) times[i].push(Number(process.hrtime.bigint() - start) / inner);
  }
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const least = (list) => Math.min(...list);
console.log(`${os.cpus()[0].model}, Node ${process.version}, load ${os.loadavg()[0].toFixed(1)}; median (best)`);
for (const [i, [name, , work, unit]] of probes.entries()) {
  const rate = (ns) => (work / ns).toFixed(2);
  const ofCopy =
    unit === "GB/s"
      ? `  ${((work / median(times[i]) / (probes[0][2] / median(times[0]))) * 100).toFixed(0)} % of copy`
      : "";
  const ns = (median(times[i]) / 1000).toFixed(2);
  console.log(
    `${name.padEnd(42)} ${rate(median(times[i])).padStart(7)} (${rate(least(times[i]))}) ${unit}  ${ns} µs${ofCopy}`,
  );
}
