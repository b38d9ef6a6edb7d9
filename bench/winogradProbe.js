// Winograd's convolution against float64, the product of patches and GEMM, one thread: for whoever changes the kernels, or
// the sizes for which conv2d takes it (ts/ops/winograd.ts).
//
//   node build.js core && node bench/winogradProbe.js [rounds] [pattern]
//
// A line shows, for each build, way and direction, the best time of all rounds in ms, and in brackets its products' share of a GEMM's
// speed in the same rounds; then, where it is small enough, errors of y, dx and dkernel against float64, rms over rms.

import { mkdirSync, readFileSync } from "node:fs";
import { build } from "esbuild";

const rounds = Number(process.argv[2] ?? 15);
const pattern = new RegExp(process.argv[3] ?? "");
const builds = process.env.BUILDS?.split(",") ?? ["fastMath", "strict"];

mkdirSync("build/bench", { recursive: true });
// cores are read from build/core
const noCore = {
  name: "no core",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^#/ }, () => ({ path: "none", namespace: "none" }));
    onLoad({ filter: /./, namespace: "none" }, () => ({ contents: "module.exports = {};" }));
  },
};
await build({
  stdin: {
    contents: `export * from "./assembly/isa";
      export * from "./ts/graph/graph"; export * from "./ts/graph/plan"; export * from "./ts/graph/tape";
      export * from "./ts/ops/geometry"; export * from "./ts/ops/winograd"; export * from "./ts/ops/implicit"; export * from "./ts/ops/gemm";`,
    resolveDir: ".",
  },
  bundle: true,
  format: "esm",
  plugins: [noCore],
  outfile: "build/bench/ways.js",
});
const lib = await import(new URL("../build/bench/ways.js", import.meta.url));
const { Base, State, Graph, defineOp, plan, lower, sizesOf, convolvedShape } = lib;

let seed = 1;
const random = (n, scale = 1) =>
  Float32Array.from({ length: n }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed / 2 ** 31) * scale;
  });

/** Convolutions: name, batch, height and width, channels in and out, padding, pooled. */
const cases = [
  ["W4, pooled", 64, 13, 32, 64, 0, true],
  ["W4", 64, 13, 32, 64, 0, false],
  ["ResNet 16", 32, 32, 16, 16, 1, false],
  ["ResNet 32", 32, 16, 32, 32, 1, false],
  ["ResNet 64", 32, 8, 64, 64, 1, false],
  ["wide 128", 8, 14, 128, 128, 1, false],
  ["wide 256", 4, 14, 256, 256, 1, false],
  ["wide 512", 4, 7, 512, 512, 1, false],
  ["few 4 > 16", 16, 32, 4, 16, 1, false],
  ["few 16 > 4", 16, 32, 16, 4, 1, false],
  ["few 8 > 8", 16, 32, 8, 8, 1, false],
  ["few 8 > 32", 16, 32, 8, 32, 1, false],
  ["few 12 > 12", 16, 32, 12, 12, 1, false],
  ["small 4x4", 16, 4, 64, 64, 1, false],
  ["small 3x3", 16, 3, 64, 64, 1, false],
  ["small 7x7", 1, 7, 64, 64, 1, false],
  ["one 14x14", 1, 14, 64, 64, 1, false],
  ["one 7x7, 256", 1, 7, 256, 256, 1, false],
];

/** A way's forward pass and both gradients on a core of its own. */
function prepare(target, way, [, n, h, c, o, pad, pooled]) {
  const memory = new WebAssembly.Memory({ initial: 4096, maximum: 65536 });
  const module = new WebAssembly.Module(readFileSync(`build/core/${target}.wasm`));
  const core = new WebAssembly.Instance(module, { env: { memory } }).exports;
  let top = (core.heapBase.value + 4095) & ~4095;
  const take = (bytes) => {
    const at = top;
    top = (top + bytes + 63 + 192) & ~63;
    return at;
  };
  const state = take(State.words * 4);
  const geometry = { strides: [1, 1], dilation: [1, 1], groups: 1, pads: [pad, pad, pad, pad] };
  const shape = [n, h, h, c];
  const kernelShape = [3, 3, c, o];
  const full = convolvedShape(shape, kernelShape, geometry, "");
  const yShape = pooled ? [n, full[1] >> 1, full[2] >> 1, o] : full;
  const sizes = sizesOf(shape, full, kernelShape, geometry);
  seed = 5;
  const tensors = {};
  const leaf = (graph, name, shape, scale) => {
    const n = shape.reduce((a, b) => a * b, 1);
    tensors[name] ??= take(n * 4);
    const view = new Float32Array(memory.buffer, tensors[name], n);
    if (scale) view.set(random(n, scale));
    views[name] ??= view;
    return graph.leaf(shape, name, { base: Base.absolute, offset: tensors[name] });
  };
  const views = {};
  /** A tape of one node, and what runs it. */
  const tape = (build) => {
    const graph = new Graph();
    const outputs = build(graph);
    for (const t of outputs) graph.kept.add(t);
    const memoryPlan = plan(graph, 1);
    const { words } = lower(graph, memoryPlan, 1, state);
    const arena = take(memoryPlan.bytes);
    const at = take(words.byteLength);
    new Uint32Array(memory.buffer, at, words.length).set(words);
    return {
      run() {
        new Uint32Array(memory.buffer, state, State.words)[State.arena] = arena;
        core.run(at, at + words.byteLength);
      },
      views: outputs.map((t) => new Float32Array(memory.buffer, arena + t.place.offset, t.size)),
    };
  };
  const forward = tape((graph) => {
    const index = Math.ceil(yShape.reduce((a, b) => a * b, 1) / 4);
    const op = defineOp({
      name: "forward",
      shape: () => (pooled ? [yShape, [index]] : [yShape]),
      workspace: (_, threads) => way.forwardBytes(sizes, threads),
      lower: (tape, { inputs, outputs: [y, index] }) =>
        way.forward(tape, sizes, y, inputs, true, pooled ? { index } : undefined),
    });
    const inputs = [leaf(graph, "x", shape, 1), leaf(graph, "kernel", kernelShape, 0.3), leaf(graph, "bias", [o], 1)];
    return op(inputs).node.outputs;
  });
  const [y, index] = forward.views;
  const backward = tape((graph) => {
    const op = defineOp({
      name: "backward",
      shape: () => [shape, kernelShape],
      workspace: (_, threads) => way.backwardBytes(sizes, threads, { dx: true, dkernel: true }),
      lower: (tape, { inputs: [dy, x, kernel], outputs: [dx, dkernel] }) =>
        way.backward(tape, sizes, {
          dx,
          dkernel,
          dy,
          x,
          kernel,
          index: pooled && { ...dy, place: { base: Base.absolute, offset: index.byteOffset }, name: "index" },
        }),
    });
    return op([leaf(graph, "dy", yShape, 1), leaf(graph, "x", shape), leaf(graph, "kernel", kernelShape)]).node.outputs;
  });
  const gemm = tape((graph) => [lib.matmul(leaf(graph, "a", [192, 128], 1), leaf(graph, "b", [128, 128], 1))]);
  const bytes = index && new Uint8Array(index.buffer, index.byteOffset, y.length);
  const [dx, dkernel] = backward.views;
  return { runs: [forward.run, backward.run, gemm.run], ...views, y, bytes, dx, dkernel };
}

/** Calls `visit` with the places in x, kernel and y, and y's channels, of the products. */
function products([, n, h, c, o, pad], visit) {
  const out = h + 2 * pad - 2;
  for (let i = 0; i < n; i++)
    for (let r = 0; r < out; r++)
      for (let s = 0; s < out; s++)
        for (let kr = 0; kr < 3; kr++)
          for (let ks = 0; ks < 3; ks++) {
            const [yy, xx] = [r + kr - pad, s + ks - pad];
            if (yy < 0 || xx < 0 || yy >= h || xx >= h) continue;
            for (let k = 0; k < c; k++)
              visit(((i * h + yy) * h + xx) * c + k, ((kr * 3 + ks) * c + k) * o, ((i * out + r) * out + s) * o);
          }
}

/** Errors of y, dx and dkernel, rms over rms; of a pooled one the index is believed. */
function errors(shape, { x, kernel, bias, dy, y, bytes, dx, dkernel }) {
  const [, n, h, , o, pad, pooled] = shape;
  const out = h + 2 * pad - 2;
  const side = pooled ? out >> 1 : out;
  const sums = new Float64Array(n * out * out * o);
  products(shape, (p, q, r) => {
    for (let k = 0; k < o; k++) sums[r + k] += x[p] * kernel[q + k];
  });
  const dsums = new Float64Array(sums.length);
  const want = Float64Array.from(y, (_, e) => {
    const [k, column, row] = [e % o, Math.floor(e / o) % side, Math.floor(e / o / side)];
    const [image, line] = [Math.floor(row / side), row % side];
    const step = pooled ? 2 : 1;
    const q = pooled ? bytes[e] : 0;
    const at = ((image * out + step * line + (q >> 1)) * out + step * column + (q & 1)) * o + k;
    dsums[at] = dy[e];
    return Math.max(0, sums[at] + bias[k]);
  });
  const wantX = new Float64Array(dx.length);
  const wantKernel = new Float64Array(dkernel.length);
  products(shape, (p, q, r) => {
    for (let k = 0; k < o; k++) {
      wantX[p] += dsums[r + k] * kernel[q + k];
      wantKernel[q + k] += dsums[r + k] * x[p];
    }
  });
  const rms = (got, wanted) => {
    let [error, size] = [0, 0];
    for (let i = 0; i < wanted.length; i++) {
      error += (got[i] - wanted[i]) ** 2;
      size += wanted[i] ** 2;
    }
    return Math.sqrt(error / size).toExponential(1);
  };
  return [rms(y, want), rms(dx, wantX), rms(dkernel, wantKernel)].join(" ");
}

/** Milliseconds of `repeats` calls. */
function time(f, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) f();
  return (performance.now() - start) / repeats;
}

console.log(`node ${process.versions.node}`);
for (const shape of cases) {
  const [name, n, h, c, o, pad, pooled] = shape;
  if (!pattern.test(name)) continue;
  const out = h + 2 * pad - 2;
  const ways = { "F(2x2)": lib.winograd, "F(4x4)": lib.winograd4, ...(pooled ? {} : { patches: lib.implicit }) };
  /** Multiply-adds of a direction. */
  const work = Object.keys(ways).map((way) => {
    const side = way === "F(2x2)" ? 2 : way === "F(4x4)" ? 4 : 0;
    const tiles = pooled ? Math.ceil((out >> 1) / (side >> 1)) : Math.ceil(out / side);
    return n * c * o * (side ? (side + 2) ** 2 * tiles ** 2 : 9 * out ** 2);
  });
  const prepared = builds.map((build) => Object.values(ways).map((way) => prepare(build, way, shape)));
  const best = prepared.map((each) => each.map(({ runs }) => runs.map(() => Infinity)));
  const repeats = Math.max(1, Math.round(1e8 / work[0]));
  for (const { runs } of prepared.flat()) for (const f of runs) time(f, Math.max(30, repeats));
  for (let round = 0; round < rounds; round++)
    prepared.forEach((each, b) => {
      each.forEach(({ runs }, w) => {
        runs.forEach((f, i) => {
          best[b][w][i] = Math.min(best[b][w][i], time(f, i === 2 ? 4 : repeats));
        });
      });
    });
  console.log(name);
  prepared.forEach((each, b) => {
    const gemm = Math.min(...best[b].map((times) => times[2])) / (192 * 128 * 128);
    Object.keys(ways).forEach((way, w) => {
      const cell = (i) => {
        const ms = best[b][w][i];
        return `${ms.toFixed(ms < 1 ? 4 : 2).padStart(7)} ms (${((100 * work[w] * (i + 1) * gemm) / ms).toFixed(0)} %)`;
      };
      const wrong = work[0] < 7.5e7 ? errors(shape, each[w]) : "";
      console.log(`  ${builds[b].padEnd(9)}${way.padEnd(8)} forward ${cell(0)}  backward ${cell(1)}  ${wrong}`);
    });
  });
}
