// How near GEMM comes to the register-only peak, one thread: for whoever changes the kernel.
//
//   node build.js core && node bench/gemmProbe.js [rounds] [pattern]
//
// Both builds and both peaks take turns; a row shows GFLOP/s and the share of the peak: the median over rounds of the ratio within
// a round, and the ratio of the best ones. gemv rows: share of an f32x4 read of the same bytes.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { buildSync } from "esbuild";

const rounds = Number(process.argv[2] ?? 31);
const pattern = new RegExp(process.argv[3] ?? "");

mkdirSync("build/bench", { recursive: true });
buildSync({
  stdin: { contents: 'export * from "./assembly/isa"; export * from "./ts/ops/gemmWorkspace";', resolveDir: "." },
  bundle: true,
  format: "esm",
  outfile: "build/bench/isa.js",
});
const { Op, Header, State, gemmWorkspaceBytes } = await import(new URL("../build/bench/isa.js", import.meta.url));

/** Register-only multiply-adds with 8, 10, 12 sums, and a read loop. */
function peaks() {
  let source = "";
  for (const fused of [true, false])
    for (const n of [8, 10, 12]) {
      const each = (line) => Array.from({ length: n }, (_, i) => line(i)).join("\n");
      source += `export function ${fused ? "fused" : "apart"}${n}(k: usize, p: usize): void {
        const x = v128.load(p), y = v128.load(p, 16);
        ${each((i) => `let c${i} = v128.load(p, ${16 * i});`)}
        while (k != 0) {
          ${each((i) => (fused ? `c${i} = f32x4.relaxed_madd(x, y, c${i});` : `c${i} = f32x4.add(x, f32x4.mul(y, c${i}));`))}
          k--;
        }
        ${each((i) => `v128.store(p, c${i}, ${16 * i});`)}
      }\n`;
    }
  source += `export function read(p: usize, bytes: usize, out: usize): void {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    const end = p + bytes;
    while (p < end) {
      s0 = f32x4.add(s0, v128.load(p)); s1 = f32x4.add(s1, v128.load(p, 16));
      s2 = f32x4.add(s2, v128.load(p, 32)); s3 = f32x4.add(s3, v128.load(p, 48));
      p += 64;
    }
    v128.store(out, f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  }`;
  writeFileSync("build/bench/peaks.ts", source);
  execFileSync("node", [
    "node_modules/assemblyscript/bin/asc.js",
    "build/bench/peaks.ts",
    "--config",
    "none",
    "-O3",
    "--noAssert",
    "--runtime",
    "stub",
    "--enable",
    "simd,relaxed-simd",
    "--importMemory",
    "-o",
    "build/bench/peaks.wasm",
  ]);
  const memory = new WebAssembly.Memory({ initial: 128 });
  return new WebAssembly.Instance(new WebAssembly.Module(readFileSync("build/bench/peaks.wasm")), { env: { memory } })
    .exports;
}

const peak = peaks();

function core(build) {
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 65536 });
  const module = new WebAssembly.Module(readFileSync(`build/core/${build}.wasm`));
  return { memory, exports: new WebAssembly.Instance(module, { env: { memory } }).exports };
}

/** A GEMM in a core of its own: returns what runs it once. */
function prepare(build, m, k, n, transA, transB) {
  const { memory, exports } = core(build);
  let top = (exports.heapBase.value + 4095) & ~4095;
  const take = (bytes) => {
    const at = top;
    top = (top + bytes + 63 + 192) & ~63;
    return at;
  };
  const state = take(State.words * 4);
  const bytes = gemmWorkspaceBytes(m, n, k, transA, transB);
  const [c, workspace, a, b] = [take(m * n * 4), take(bytes), take(m * k * 4), take(k * n * 4)];
  new Float32Array(memory.buffer, a, m * k).forEach((_, i, x) => {
    x[i] = ((i * 7) % 13) / 13 - 0.5;
  });
  new Float32Array(memory.buffer, b, k * n).forEach((_, i, x) => {
    x[i] = ((i * 5) % 11) / 11 - 0.5;
  });
  const operands = [
    c,
    workspace,
    a,
    b,
    0,
    0,
    m,
    n,
    k,
    transA ? m : k,
    transB ? k : n,
    n,
    +transA,
    +transB,
    1,
    0,
    0,
    0,
    0,
    0,
    bytes,
  ];
  const at = take((Header.args + operands.length) * 4);
  const words = Header.args + operands.length;
  new Uint32Array(memory.buffer, at, words).set([Op.gemm, words, 0, state, ...operands]);
  return () => exports.run(at, at + words * 4);
}

const shapes = [
  ...[64, 128, 256, 512].map((s) => ["NN", s, s, s]),
  ["NN", 32, 784, 128],
  ["NN", 64, 784, 512],
  ["NN", 128, 784, 512],
  ["NN", 128, 512, 512],
  ["TN", 784, 128, 512],
  ["TN", 512, 128, 512],
  ["NT", 128, 512, 784],
  ["NT", 128, 512, 512],
  ["NN", 128, 512, 10],
  ["TN", 512, 128, 10],
  ["NT", 128, 10, 512],
  ["NN", 128, 64, 1],
  ["NN", 1024, 1024, 1024],
  ["TN", 512, 512, 512],
  ["TN", 512, 1024, 512],
  ["NT", 512, 512, 512],
  ["NN", 8192, 288, 64],
  ["NN", 8192, 25, 32],
  ["NN", 65, 63, 100],
  ["NN", 8, 512, 512],
  ["NN", 2, 512, 512],
  ["NN", 4, 512, 512],
  ["NN", 32, 16, 16],
  ["NN", 1, 784, 128],
  ["NN", 1, 512, 512],
  ["NT", 1, 512, 512],
];

/** Milliseconds of `repeats` calls. */
function time(f, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) f();
  return (performance.now() - start) / repeats;
}

const median = (x) => x.toSorted((p, q) => p - q)[x.length >> 1];
console.log(`node ${process.versions.node}\n${"".padEnd(20)}${"fastMath".padStart(30)}${"strict".padStart(34)}`);
for (const [kind, m, k, n] of shapes) {
  const name = `${kind} ${m}x${k}x${n}`;
  if (!pattern.test(name)) continue;
  const work = 2 * m * k * n;
  const repeats = Math.max(1, Math.round(1e7 / work));
  const runs = ["fastMath", "strict"].map((build) => prepare(build, m, k, n, kind[0] === "T", kind[1] === "T"));
  const bound = m === 1;
  const limits = (prefix) =>
    bound
      ? [[() => peak.read(4096, Math.round(k * n * 4), 0), work]]
      : [8, 10, 12].map((sums) => [() => peak[prefix + sums](4000, 65536), sums * 8 * 4000]);
  for (const f of runs) for (let i = 0; i < 150 && i * work < 2e9; i++) f();
  for (const prefix of ["fused", "apart"]) for (const [f] of limits(prefix)) time(f, 100);
  const rates = [[], []];
  const ratios = [[], []];
  const tops = [[], []];
  for (let round = 0; round < rounds; round++)
    for (const [i, prefix] of ["fused", "apart"].entries()) {
      const rate = work / time(runs[i], repeats) / 1e6;
      const top = Math.max(...limits(prefix).map(([f, flops]) => flops / time(f, Math.ceil(2e6 / flops)) / 1e6));
      rates[i].push(rate);
      tops[i].push(top);
      ratios[i].push(rate / top);
    }
  const cell = (i) =>
    `${median(rates[i]).toFixed(1).padStart(8)} GF/s  ${(100 * median(ratios[i])).toFixed(1).padStart(5)} %  best ${((100 * Math.max(...rates[i])) / Math.max(...tops[i])).toFixed(1).padStart(5)} %`;
  console.log(`${name.padEnd(18)}${cell(0)}   ${cell(1)}`);
}
