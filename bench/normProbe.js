// Batch norm and optimizer steps against the machine's limits, in one run:
//
//   node bench/normProbe.js [strict|fastMath] [rounds]
//
// Limits: an f32x4 copy loop over the kernel's own working set (bytes read + written), and sqrt + div in registers.
// Kernel and limit alternate; a line shows the ratio limit / kernel: of the two minima, and the median over the rounds.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const build = process.argv[2] ?? "strict";
const rounds = Number(process.argv[3] ?? 31);

/** Opcodes by name, read from the contract itself. */
const isa = readFileSync("assembly/isa.ts", "utf8");
const members = (name) => {
  const body = isa.slice(isa.indexOf(`export const enum ${name} {`));
  let next = 0;
  return Object.fromEntries(
    [...body.slice(0, body.indexOf("\n}")).matchAll(/^ {2}(\w+)(?: = (\d+))?,/gm)].map(([, key, value]) => {
      next = value === undefined ? next : Number(value);
      return [key, next++];
    }),
  );
};
const ROW_CHUNK = Number(/ROW_CHUNK = (\d+)/.exec(isa)[1]);
const Op = members("Op");
const State = members("State");

const memory = new WebAssembly.Memory({ initial: 4096, maximum: 65536 });
const core = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(`build/core/${build}.wasm`)), {
  env: { memory },
}).exports;
const limits = compileLimits();

function compileLimits() {
  const folder = mkdtempSync(join(tmpdir(), "limits-"));
  const source = join(folder, "limits.ts");
  writeFileSync(
    source,
    `export function copy(to: usize, from: usize, bytes: usize): void {
      for (const end = from + bytes; from < end; from += 64) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
        v128.store(to, v128.load(from, 32), 32);
        v128.store(to, v128.load(from, 48), 48);
        to += 64;
      }
    }
    export function copy16(to: usize, from: usize, bytes: usize): void {
      for (const end = from + bytes; from < end; from += 16) {
        v128.store(to, v128.load(from));
        to += 16;
      }
    }
    export function divide(count: usize, x: f32): f32 {
      let a = f32x4.splat(x), b = f32x4.splat(x + 1), c = f32x4.splat(x + 2), d = f32x4.splat(x + 3);
      const k = f32x4.splat(x + 4);
      for (; count != 0; count--) {
        a = f32x4.div(k, f32x4.sqrt(a));
        b = f32x4.div(k, f32x4.sqrt(b));
        c = f32x4.div(k, f32x4.sqrt(c));
        d = f32x4.div(k, f32x4.sqrt(d));
      }
      return f32x4.extract_lane(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)), 0);
    }`,
  );
  const out = join(folder, "limits.wasm");
  const flags = ["-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--enable", "simd", "--use", "abort="];
  execFileSync(process.execPath, ["node_modules/assemblyscript/bin/asc.js", source, ...flags, "-o", out]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(out)), { env: { memory } });
  rmSync(folder, { recursive: true });
  return exports;
}

let top = (core.heapBase.value + 4095) & ~4095;
let stagger = 0;
/** Address of `floats` floats; buffers are staggered against each other within 4 KiB, as the planner does it. */
function buffer(floats, value) {
  stagger = (stagger + 832) % 4096;
  const address = ((top + 4095) & ~4095) + stagger;
  top = address + floats * 4 + 64;
  if (top > memory.buffer.byteLength) memory.grow(Math.ceil((top - memory.buffer.byteLength) / 65536));
  new Float32Array(memory.buffer, address, floats).forEach((_, i, a) => {
    a[i] = typeof value === "function" ? value(i) : value;
  });
  return address;
}
const words = (values) => {
  const address = buffer(values.length, 0);
  new Uint32Array(memory.buffer, address, values.length).set(values);
  return address;
};
const bits = (x) => new Uint32Array(Float32Array.of(x).buffer)[0];
const state = words(new Array(State.words).fill(0));
const reals = new Float32Array(memory.buffer, state, State.words);
reals[State.learningRate] = 1e-3;
reals[State.penaltyScale] = 1;

/** A tape of instructions: [op, words of operands]. */
function tape(instructions) {
  const all = instructions.flatMap(([op, ...operands]) => [op, operands.length + 4, 0, state, ...operands]);
  const from = words(all);
  return () => core.run(from, from + all.length * 4);
}

const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))];

/** Milliseconds of one call, over at least 2 ms of calls. */
function time(run, calls) {
  const start = performance.now();
  for (let i = 0; i < calls; i++) run();
  return (performance.now() - start) / calls;
}

/** Alternates the candidates; prints each one's minimum, and limit / kernel. */
function compare(title, kernel, ...limitsOfIt) {
  const all = [kernel, ...limitsOfIt.map((l) => l.run)];
  const calls = all.map((run) => {
    for (const end = performance.now() + 40; performance.now() < end; ) run();
    return Math.max(1, Math.ceil(2 / time(run, 3)));
  });
  const times = all.map(() => []);
  for (let r = 0; r < rounds; r++)
    for (const [i, run] of all.entries()) {
      run(); // brings the caches back
      times[i].push(time(run, calls[i]));
    }
  const [mine, ...others] = times;
  const columns = others.map((theirs, i) => {
    const scale = limitsOfIt[i].scale ?? 1;
    const best = (scale * Math.min(...theirs)) / Math.min(...mine);
    const median = quantile(
      theirs.map((t, r) => (scale * t) / mine[r]),
      0.5,
    );
    return `${limitsOfIt[i].name} ${(100 * best).toFixed(0)} % (median ${(100 * median).toFixed(0)} %)`;
  });
  console.log(`${title.padEnd(44)} ${(1000 * Math.min(...mine)).toFixed(1).padStart(8)} µs   ${columns.join("   ")}`);
}

/** The copy loop over a working set, scaled to `moved` bytes. */
function copyOver(workingSetBytes, moved, name = "copy") {
  const half = (workingSetBytes / 2) & ~63;
  const [to, from] = [buffer(half / 4, 0), buffer(half / 4, 1)];
  return { name, run: () => limits.copy(to, from, half), scale: moved / (2 * half) };
}

console.log(`${build}, Node ${process.version}`);
if (!process.env.ONLY)
  for (const kib of [32, 256, 512, 768, 2048, 16384]) {
    const half = kib * 512;
    const [to, from] = [buffer(half / 4, 0), buffer(half / 4, 1)];
    compare(`copy ${kib} KiB`, () => limits.copy(to, from, half), {
      name: "16 bytes a step",
      run: () => limits.copy16(to, from, half),
    });
  }
const normal = () => Math.random() + Math.random() + Math.random() - 1.5;
if (!process.env.ONLY)
  for (const [rows, channels] of [
    [128, 512],
    [64 * 28 * 28, 32],
  ])
    for (const relu of [0, 1]) {
      const n = rows * channels;
      const chunkRows = Math.max(1, Math.floor(ROW_CHUNK / channels));
      const chunks = Math.ceil(rows / chunkRows);
      const [x, y, dy, dx] = [buffer(n, normal), buffer(n, 0), buffer(n, normal), buffer(n, 0)];
      const [mean, variance, gamma, beta, dgamma, dbeta] = Array.from({ length: 6 }, () => buffer(channels, 1));
      const partials = buffer(2 * chunks * channels, 0);
      const [coefficients, slopes] = [buffer(4 * channels, 0), buffer(2 * channels, 0)];
      const shape = [rows, channels, chunkRows];
      const moments = [Op.batchNormMoments, partials, x, ...shape];
      const statistics = [mean, variance, coefficients, partials, x, gamma, beta];
      const combine = [Op.batchNormCombine, ...statistics, ...shape, bits(1e-5)];
      const forward = [Op.batchNormForward, y, x, coefficients, rows, channels, relu];
      const sums = [Op.batchNormBackwardSums, partials, dy, x, coefficients, ...shape, relu];
      const gradients = [dgamma, dbeta, slopes, partials, mean, coefficients];
      const combineSums = [Op.batchNormBackwardCombine, ...gradients, rows, chunks, channels, 0];
      const backward = [Op.batchNormBackward, dx, dy, x, coefficients, slopes, rows, channels, relu];
      const title = `batchNorm ${rows}×${channels}${relu ? " relu" : ""}`;
      compare(`${title} moments`, tape([moments]), copyOver(4 * n, 4 * n));
      compare(`${title} combine`, tape([combine]), copyOver(8 * chunks * channels, 8 * chunks * channels));
      compare(`${title} forward`, tape([forward]), copyOver(8 * n, 8 * n));
      compare(`${title} backward sums`, tape([sums]), copyOver(8 * n, 8 * n));
      compare(`${title} backward`, tape([backward]), copyOver(12 * n, 12 * n));
      compare(`${title} FORWARD 3n`, tape([moments, combine, forward]), copyOver(8 * n, 12 * n));
      compare(`${title} BACKWARD 5n`, tape([sums, combineSums, backward]), copyOver(12 * n, 20 * n));
      compare(
        `${title} BOTH 8n`,
        tape([moments, combine, forward, sums, combineSums, backward]),
        copyOver(16 * n, 32 * n),
        copyOver(12 * n, 32 * n, "copy, 3 buffers"),
      );
    }

const floats = Number(process.env.FLOATS ?? 1_000_000);
const [w, s0, s1, s2, g] = [
  buffer(floats, normal),
  buffer(floats, 0),
  buffer(floats, 0),
  buffer(floats, 0),
  buffer(floats, normal),
];
const segment = (options = {}) => {
  const { l1 = 0, l2 = 0, decay = 0, shrink = 0 } = options;
  return words([0, floats, 0, bits(1), bits(l1), bits(l2), bits(decay), bits(shrink)]);
};
const bare = segment();
const step = (op, segments, flags, a, b, slots = [s0, s1, s2]) =>
  tape([[op, w, ...slots, g, segments, 0, 1, floats, flags, 0, bits(a), bits(b), bits(1e-8)]]);
const divide = { name: "sqrt + div", run: () => limits.divide(floats / 16, 1.5) };
const copy = (floatsPerParameter) =>
  copyOver(4 * floats * { 7: 4, 5: 3, 3: 2 }[floatsPerParameter], 4 * floats * floatsPerParameter);
compare("adam", step(Op.adamStep, bare, 0, 0.9, 0.999), copy(7), divide);
compare("adamw, decay", step(Op.adamStep, segment({ decay: 0.01 }), 16, 0.9, 0.999), copy(7), divide);
compare("adam, l2", step(Op.adamStep, segment({ l2: 1e-4 }), 0, 0.9, 0.999), copy(7), divide);
compare("amsgrad", step(Op.adamStep, bare, 8, 0.9, 0.999), copy(7), divide);
compare("sgd, momentum", step(Op.sgdStep, bare, 0, 0.9, 0), copy(5));
compare("sgd, Nesterov, l2", step(Op.sgdStep, segment({ l2: 1e-4 }), 1, 0.9, 0), copy(5));
compare("sgd", step(Op.sgdStep, bare, 0, 0, 0), copy(3));
compare("adagrad", step(Op.adagradStep, bare, 0, 0, 0), copy(5), divide);
compare("rmsprop", step(Op.rmspropStep, bare, 0, 0.01, 0), copy(5), divide);
const norms = buffer(1000, 0);
compare("gradientNorm", tape([[Op.gradientNorm, norms, g, w, bare, 1, floats, 0]]), copyOver(4 * floats, 4 * floats));
compare(
  "gradientNorm, l2",
  tape([[Op.gradientNorm, norms, g, w, segment({ l2: 1 }), 1, floats, 0]]),
  copyOver(8 * floats, 8 * floats),
);
compare(
  "penaltySums",
  tape([[Op.penaltySums, norms, w, segment({ l2: 1 }), 1, floats]]),
  copyOver(4 * floats, 4 * floats),
);
compare("fill", tape([[Op.fill, w, floats, 0]]), copyOver(4 * floats, 4 * floats));
