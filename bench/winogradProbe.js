// How Winograd's convolution does against float64 and against GEMM, one thread: for whoever changes the kernels.
//
//   node build.js core && node bench/winogradProbe.js [rounds] [pattern]
//
// A line shows, for each build, the best time in ms, in brackets the GFLOP/s of the direct convolution, and those of its own products
// over those of a GEMM in between; then errors against float64, rms over rms.

import { mkdirSync, readFileSync } from "node:fs";
import { buildSync } from "esbuild";

const rounds = Number(process.argv[2] ?? 15);
const pattern = new RegExp(process.argv[3] ?? "");

mkdirSync("build/bench", { recursive: true });
buildSync({
  stdin: { contents: 'export * from "./assembly/isa"; export * from "./ts/ops/gemmWorkspace";', resolveDir: "." },
  bundle: true,
  format: "esm",
  outfile: "build/bench/isa.js",
});
const isa = await import(new URL("../build/bench/isa.js", import.meta.url));
const { Op, ExtensionOp, Header, State, WINOGRAD_PLANE, gemmWorkspaceBytes } = isa;

class Bench {
  constructor(build) {
    this.memory = new WebAssembly.Memory({ initial: 4096, maximum: 65536 });
    const module = new WebAssembly.Module(readFileSync(`build/core/${build}.wasm`));
    this.exports = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports;
    this.top = (this.exports.heapBase.value + 4095) & ~4095;
    this.state = this.take(State.words * 4);
  }
  take(bytes) {
    const at = this.top;
    this.top = (at + bytes + 63 + 192) & ~63;
    return at;
  }
  floats(n, values) {
    const at = this.take(n * 4);
    if (values) new Float32Array(this.memory.buffer, at, n).set(values);
    else new Float32Array(this.memory.buffer, at, n).fill(NaN);
    return { at, view: new Float32Array(this.memory.buffer, at, n), bytes: new Uint8Array(this.memory.buffer, at, n) };
  }
  /** Returns what runs the instructions, one after another. */
  tape(...instructions) {
    const words = instructions.flatMap(([op, ...operands]) => [
      op,
      Header.args + operands.length,
      0,
      this.state,
      ...operands,
    ]);
    const at = this.take(words.length * 4);
    new Uint32Array(this.memory.buffer, at, words.length).set(words);
    const run = () => this.exports.run(at, at + words.length * 4);
    /** Rank `ith` of `nth` of each instruction, as if all met at barriers. */
    run.shares = (nth) => {
      let p = at;
      for (const [, ...operands] of instructions) {
        for (let i = 0; i < nth; i++) this.exports.runShare(p, i, nth);
        p += (Header.args + operands.length) * 4;
      }
    };
    return run;
  }
}

let seed = 1;
const random = (n, scale = 1) =>
  Float32Array.from({ length: n }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed / 2 ** 31) * scale;
  });

/** Convolutions: name, batch, size, channels in and out, padding, pooled, relu. */
const cases = [
  ["W4 pooled", 64, 13, 32, 64, 0, true],
  ["W4", 64, 13, 32, 64, 0, false],
  ["ResNet 16", 32, 32, 16, 16, 1, false],
  ["ResNet 32", 32, 16, 32, 32, 1, false],
  ["ResNet 64", 32, 8, 64, 64, 1, false],
  ["odd 4>12", 3, 7, 4, 12, 2, false],
  ["odd 12>4 pooled", 3, 8, 12, 4, 0, true],
  ["wide 128", 8, 14, 128, 128, 1, false],
  ["wide 256", 4, 14, 256, 256, 1, false],
];

function layer(build, [, n, h, c, o, pad, pooled]) {
  const b = new Bench(build);
  const out = h + 2 * pad - 2;
  const tiles = pooled ? out >> 1 : (out + 1) >> 1;
  const y1 = pooled ? tiles : out;
  seed = 5;
  const x = b.floats(n * h * h * c, random(n * h * h * c));
  const kernel = b.floats(9 * c * o, random(9 * c * o, 0.3));
  const bias = b.floats(o, random(o));
  const y = b.floats(n * y1 * y1 * o);
  const index = b.floats(n * y1 * y1 * o);
  const dy = b.floats(n * y1 * y1 * o, random(n * y1 * y1 * o));
  const dx = b.floats(x.view.length);
  const dkernel = b.floats(9 * c * o);
  const up8 = (v) => (v + 7) & ~7;
  const u = b.floats(16 * (c * up8(o) + 16));
  const ut = b.floats(16 * (o * up8(c) + 16));
  const wide = up8(Math.max(c, o));
  const workspace = b.take(4 * (2 * wide + 16 * c + 32 * (WINOGRAD_PLANE + 16)));
  const chunks = Math.min(n, 12);
  const partials = b.floats(chunks * 16 * (c * up8(o) + 16));
  const tiling = [
    n,
    h,
    h,
    c,
    out,
    out,
    o,
    pad,
    pad,
    tiles,
    tiles,
    +pooled,
    Math.floor((WINOGRAD_PLANE / wide) * (process.env.SHARE ?? 1)),
    0,
  ];
  const at = pooled ? index.at : 0;
  const forward = b.tape(
    [ExtensionOp.winogradKernel, u.at, kernel.at, c, o, 0],
    [ExtensionOp.winogradForward, y.at, at, workspace, x.at, u.at, bias.at, 1, ...tiling],
  );
  const backward = b.tape(
    [ExtensionOp.winogradKernel, ut.at, kernel.at, c, o, 1],
    [ExtensionOp.winogradBackward, dx.at, partials.at, workspace, dy.at, at, x.at, ut.at, 0, chunks, chunks, ...tiling],
    [ExtensionOp.winogradKernelBackward, dkernel.at, partials.at, c, o, chunks],
  );
  const [gm, gk, gn] = [192, 128, 128];
  const bytes = gemmWorkspaceBytes(gm, gn, gk);
  const [ga, gb] = [b.floats(gm * gk, random(gm * gk)), b.floats(gk * gn, random(gk * gn))];
  const gemm = b.tape([
    Op.gemm,
    b.floats(gm * gn).at,
    b.take(bytes),
    ga.at,
    gb.at,
    0,
    0,
    gm,
    gn,
    gk,
    gk,
    gn,
    gn,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    bytes,
  ]);
  return {
    x,
    kernel,
    bias,
    y,
    index,
    dy,
    dx,
    dkernel,
    forward,
    backward,
    gemm,
    gemmWork: 2 * gm * gk * gn,
    out,
    y1,
    tiles,
  };
}

/** y before pool, bias and relu, in float64. */
function convolve([, n, h, c, o, pad], { x, kernel, out }, x64 = x.view) {
  const y = new Float64Array(n * out * out * o);
  for (let i = 0; i < n; i++)
    for (let r = 0; r < out; r++)
      for (let s = 0; s < out; s++)
        for (let kr = 0; kr < 3; kr++)
          for (let ks = 0; ks < 3; ks++) {
            const [yy, xx] = [r + kr - pad, s + ks - pad];
            if (yy < 0 || xx < 0 || yy >= h || xx >= h) continue;
            for (let ci = 0; ci < c; ci++) {
              const v = x64[((i * h + yy) * h + xx) * c + ci];
              const w = ((kr * 3 + ks) * c + ci) * o;
              const at = ((i * out + r) * out + s) * o;
              for (let oi = 0; oi < o; oi++) y[at + oi] += v * kernel.view[w + oi];
            }
          }
  return y;
}

/** Errors of y, dx, dkernel: rms over rms. The index is taken from the kernel, and held against the values it picks. */
function errors(shape, l) {
  const [, n, h, c, o, pad, pooled] = shape;
  const { out, y1 } = l;
  const full = convolve(shape, l);
  const dfull = new Float64Array(full.length);
  const want = new Float64Array(l.y.view.length);
  for (let i = 0; i < n; i++)
    for (let r = 0; r < y1; r++)
      for (let s = 0; s < y1; s++)
        for (let k = 0; k < o; k++) {
          const e = ((i * y1 + r) * y1 + s) * o + k;
          const at = (a, b) => ((i * out + a) * out + b) * o + k;
          let best = full[at(r, s)];
          let where = at(r, s);
          if (pooled) {
            best = -Infinity;
            const index = l.index.bytes[e];
            where = at(2 * r + (index >> 1), 2 * s + (index & 1));
            for (let q = 0; q < 4; q++) best = Math.max(best, full[at(2 * r + (q >> 1), 2 * s + (q & 1))]);
            if (index > 3 || !(full[where] >= best - 1e-4)) throw new Error(`index ${index} at ${e}`);
          }
          want[e] = Math.max(0, best + l.bias.view[k]);
          dfull[where] = l.dy.view[e];
        }
  const dx = new Float64Array(l.dx.view.length);
  const dkernel = new Float64Array(9 * c * o);
  for (let i = 0; i < n; i++)
    for (let r = 0; r < out; r++)
      for (let s = 0; s < out; s++)
        for (let kr = 0; kr < 3; kr++)
          for (let ks = 0; ks < 3; ks++) {
            const [yy, xx] = [r + kr - pad, s + ks - pad];
            if (yy < 0 || xx < 0 || yy >= h || xx >= h) continue;
            for (let ci = 0; ci < c; ci++) {
              const px = ((i * h + yy) * h + xx) * c + ci;
              const w = ((kr * 3 + ks) * c + ci) * o;
              const at = ((i * out + r) * out + s) * o;
              let sum = 0;
              for (let oi = 0; oi < o; oi++) {
                sum += dfull[at + oi] * l.kernel.view[w + oi];
                dkernel[w + oi] += dfull[at + oi] * l.x.view[px];
              }
              dx[px] += sum;
            }
          }
  const rms = (got, wanted) => {
    let e = 0;
    let t = 0;
    for (let i = 0; i < wanted.length; i++) {
      e += (got[i] - wanted[i]) ** 2;
      t += wanted[i] ** 2;
    }
    return Math.sqrt(e / t);
  };
  return [rms(l.y.view, want), rms(l.dx.view, dx), rms(l.dkernel.view, dkernel)];
}

/** Whether shares of 2 and 3 ranks, one after another in one workspace, make the same bits. */
function sameBits({ forward, backward, y, index, dx, dkernel }, pooled) {
  const results = [y, dx, dkernel];
  const all = () =>
    results.map(({ view }) => new Uint32Array(view.slice().buffer)).concat(pooled ? index.bytes.slice() : []);
  const before = all();
  for (const nth of [2, 3]) {
    for (const { view } of results) view.fill(NaN);
    index.view.fill(NaN);
    forward.shares(nth);
    backward.shares(nth);
    all().forEach((bits, i) => {
      if (bits.some((v, j) => v !== before[i][j])) throw new Error(`other bits in result ${i}, ${nth} threads`);
    });
  }
}

const time = (f, repeats) => {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) f();
  return (performance.now() - start) / repeats;
};

console.log(`node ${process.versions.node}`);
for (const shape of cases) {
  if (!pattern.test(shape[0])) continue;
  const [name, n, , c, o, , pooled] = shape;
  const builds = process.env.BUILDS?.split(",") ?? ["fastMath", "strict"];
  const layers = builds.map((build) => layer(build, shape));
  const lines = [];
  for (const l of layers) {
    l.forward();
    l.backward();
    lines.push(errors(shape, l));
    sameBits(l, pooled);
    for (let i = 0; i < 30; i++) for (const f of [l.forward, l.backward, l.gemm]) f();
  }
  const best = layers.map(() => [Infinity, Infinity, Infinity]);
  for (let round = 0; round < rounds; round++)
    layers.forEach((l, i) => {
      [l.forward, l.backward, l.gemm].forEach((f, j) => {
        best[i][j] = Math.min(best[i][j], time(f, j === 2 ? 4 : 2));
      });
    });
  const direct = 2 * n * layers[0].out ** 2 * 9 * c * o;
  layers.forEach((l, i) => {
    const own = 2 * 16 * n * l.tiles ** 2 * c * o;
    const rate = l.gemmWork / best[i][2];
    const cell = (ms, work) =>
      `${ms.toFixed(2).padStart(6)} ms (${((work * direct) / ms / 1e6).toFixed(0).padStart(3)}; ${((100 * work * own) / ms / rate).toFixed(0)} %)`;
    console.log(
      `${name.padEnd(16)}${builds[i].padEnd(9)} forward ${cell(best[i][0], 1)}  backward ${cell(best[i][1], 2)}  gemm ${(rate / 1e6).toFixed(1)}  errors ${lines[i].map((e) => e.toExponential(1)).join(" ")}`,
    );
  });
}
