// The kernel rows: for each kernel and shape the instructions that the core runs, the same work in plain JavaScript, and
// the limit that both are held against.
//
//   kernel                 amount                                       limit
//   gemm gemmTN gemmNT     2mnk FLOPs                                   multiply-adds in registers, of the build
//   gemv                   kn + k + n floats read or written            an f32x4 read of the same bytes
//   conv                   FLOPs of a direct one, forward and both       multiply-adds in registers, of the build; by Winograd's
//                          gradients                                    algorithm, which needs fewer, it may have more
//   batchNorm              3n floats forward + 5n backward              copy speed over x, y, dy, dx
//   adam                   28 bytes a parameter                         the slower of copy speed and sqrt + div
//   momentum               20 bytes a parameter                         copy speed over its three blocks
//   dropout                8 bytes an element                           copy speed over x, y
//   softmaxCrossEntropy    3n floats: logits read twice, dlogits        copy speed over them
//
// JavaScript and the builds work on the same numbers, and what they write is compared before anything is timed.

import { Base, LabelKind, Op, ROW_CHUNK, Segment, State } from "../assembly/isa";
import { Graph, type Tensor } from "../ts/graph/graph";
import { plan } from "../ts/graph/plan";
import { lower } from "../ts/graph/tape";
import { conv2d, conv2dBackward } from "../ts/ops/convolution";
import { gemmWorkspaceBytes } from "../ts/ops/gemmWorkspace";
import type { BenchCore, Build } from "./benchCore";
import { createBatchNorm } from "./js/batchNorm";
import { createConv } from "./js/conv";
import { createDropout } from "./js/dropout";
import { gemmForms } from "./js/gemm";
import { gemv } from "./js/gemv";
import { adam, momentum } from "./js/optimizers";
import { softmaxCrossEntropy } from "./js/softmaxCrossEntropy";
import type { Limit, Machine } from "./machine";
import type { Contestant } from "./measure";

export interface Contender extends Contestant {
  /** Which form of JavaScript. */
  form?: string;
  /** What a first call wrote; compared between contenders. */
  output(): Float32Array;
}

export interface KernelCase {
  kernel: string;
  shape: string;
  /** FLOPs, or bytes, of a call. */
  amount: number;
  unit: "GFLOP/s" | "GB/s";
  js(): Contender[];
  wasm(core: BenchCore): Contender;
  limits(machine: Machine): LimitRule;
  /** Largest difference of outputs that is allowed, relative to 1 + |value|; by default 1e-3. */
  tolerance?: number;
}

/** Limits that are measured beside a row, and the limit of a build from their rates (units a nanosecond). */
export interface LimitRule {
  measured: Limit[];
  rate(rates: number[], build: Build | "js"): number;
}

/** Numbers in (−1, 1), the same ones for the same seed. */
export function numbers(length: number, seed = 1): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2147483648;
  });
}

/** Limit: peak of multiply-adds of the build; JavaScript is held against the faster one. */
export function peakRule(machine: Machine): LimitRule {
  return {
    measured: [machine.peak("strict"), machine.peak("fastMath")],
    rate: ([strict, fastMath], build) => (build === "strict" ? strict! : fastMath!),
  };
}

/** Limit: copy speed over a working set of `bytes`. */
const copyRule =
  (bytes: number) =>
  (machine: Machine): LimitRule => ({ measured: [machine.copy(bytes)], rate: ([copy]) => copy! });

function gemmCase(kernel: "gemm" | "gemmTN" | "gemmNT", m: number, k: number, n: number): KernelCase {
  const transA = kernel === "gemmTN";
  const transB = kernel === "gemmNT";
  const a = numbers(m * k, 1);
  const b = numbers(k * n, 2);
  return {
    kernel,
    shape: `${m}x${k}x${n}`,
    amount: 2 * m * k * n,
    unit: "GFLOP/s",
    js: () =>
      gemmForms.map(({ name, gemm }) => {
        const c = new Float32Array(m * n);
        return { form: name, run: () => gemm(c, a, b, m, n, k, transA, transB), output: () => c };
      }),
    wasm(core) {
      const bytes = Math.ceil(gemmWorkspaceBytes(m, n, k, transA, transB) / 64) * 64;
      const c = core.buffer(m * n);
      const tape = core.tape([
        gemmInstruction(core, c, core.floats(a), core.floats(b), m, k, n, transA, transB, bytes),
      ]);
      return { run: () => core.run(tape), output: () => c.f32 };
    },
    limits: peakRule,
  };
}

type Buffer = ReturnType<BenchCore["buffer"]>;

function gemmInstruction(
  core: BenchCore,
  c: Buffer,
  a: Buffer,
  b: Buffer,
  m: number,
  k: number,
  n: number,
  transA: boolean,
  transB: boolean,
  workspaceBytes: number,
) {
  const workspace = core.buffer((workspaceBytes / 4) * core.threads);
  const [lda, ldb] = [transA ? m : k, transB ? k : n];
  const flags = [Number(transA), Number(transB)];
  return {
    op: Op.gemm,
    pointers: [c, workspace, a, b, null, null],
    sizes: [m, n, k, lda, ldb, n, ...flags, 1, 0, 0, 0, 0, 0, workspaceBytes],
  };
}

function gemvCase(k: number, n: number): KernelCase {
  const x = numbers(k, 1);
  const w = numbers(k * n, 2);
  const bytes = 4 * (k * n + k + n);
  return {
    kernel: "gemv",
    shape: `1x${k}x${n}`,
    amount: bytes,
    unit: "GB/s",
    js() {
      const y = new Float32Array(n);
      return [{ run: () => gemv(y, x, w, k, n), output: () => y }];
    },
    wasm(core) {
      const workspace = Math.ceil(gemmWorkspaceBytes(1, n, k, false, false) / 64) * 64;
      const y = core.buffer(n);
      const tape = core.tape([
        gemmInstruction(core, y, core.floats(x), core.floats(w), 1, k, n, false, false, workspace),
      ]);
      return { run: () => core.run(tape), output: () => y.f32 };
    },
    limits: (machine) => ({ measured: [machine.read(bytes)], rate: ([read]) => read! }),
  };
}

/** A 3 × 3 convolution without padding: forward, and the gradients to its input and its kernel. */
function convCase(batch: number, size: number, inC: number, outC: number): KernelCase {
  const outSize = size - 2;
  const xShape = [batch, size, size, inC];
  const kernelShape = [3, 3, inC, outC];
  const yShape = [batch, outSize, outSize, outC];
  const lengthOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
  const x = numbers(lengthOf(xShape), 1);
  const kernel = numbers(lengthOf(kernelShape), 2);
  const dy = numbers(lengthOf(yShape), 3);
  const samples = (y: Float32Array, dx: Float32Array, dkernel: Float32Array) =>
    Float32Array.of(...y.subarray(0, 1000), ...dx.subarray(-1000), ...dkernel.subarray(0, 1000));
  return {
    kernel: "conv",
    shape: `${batch}x${size}x${size}x${inC}-${outC}`,
    amount: 6 * lengthOf(yShape) * 9 * inC,
    unit: "GFLOP/s",
    js() {
      const [inH, inW, outH, outW] = [size, size, outSize, outSize];
      const conv = createConv({ batch, inH, inW, inC, outH, outW, outC, kernel: 3, stride: 1, padTop: 0, padLeft: 0 });
      const [y, dx, dkernel] = [dy, x, kernel].map(({ length }) => new Float32Array(length)) as Three;
      const run = () => {
        conv.forward(y, x, kernel);
        conv.backward(dx, dkernel, dy, kernel);
      };
      return [{ run, output: () => samples(y, dx, dkernel) }];
    },
    wasm(core) {
      // as the library would: it plans and lowers the two ops
      const graph = new Graph();
      const leaf = (name: string, values: Float32Array, shape: number[], offset: number): Tensor =>
        graph.leaf(shape, name, { base: Base.absolute, offset: core.floats(values, offset).address });
      const xs = leaf("x", x, xShape, 0);
      const kernels = leaf("kernel", kernel, kernelShape, 272);
      const dys = leaf("dy", dy, yShape, 144);
      const geometry = { strides: [1, 1], dilation: [1, 1], groups: 1, pads: [0, 0, 0, 0] } as const;
      const forward = conv2d([xs, kernels, null], geometry);
      const gradients = conv2dBackward([dys, xs, kernels], geometry).node!.outputs;
      const results = [forward, ...gradients];
      for (const tensor of results) graph.kept.add(tensor);
      const { words, arenaBytes } = lower(graph, plan(graph, core.threads), core.threads, core.state.address);
      const arena = core.buffer(arenaBytes / 4);
      const tape = core.buffer(words.length);
      tape.u32.set(words);
      core.state.u32[State.arena] = arena.address;
      const [from, to] = [tape.address, tape.address + words.byteLength];
      const view = ({ place, size }: Tensor) => arena.f32.subarray(place!.offset / 4, place!.offset / 4 + size);
      return {
        run: () => core.run({ from, to }),
        output: () => samples(...(results.map(view) as Three)),
      };
    },
    limits: peakRule,
  };
}

type Three = [Float32Array, Float32Array, Float32Array];

function batchNormCase(shape: string): KernelCase {
  const sizes = shape.split("x").map(Number);
  const channels = sizes.at(-1)!;
  const rows = sizes.slice(0, -1).reduce((a, b) => a * b);
  const n = rows * channels;
  const x = numbers(n, 1);
  const dy = numbers(n, 2);
  const gamma = numbers(channels, 3);
  const beta = numbers(channels, 4);
  return {
    kernel: "batchNorm",
    shape,
    amount: 4 * 8 * n,
    unit: "GB/s",
    js() {
      const norm = createBatchNorm(rows, channels);
      const [y, dx] = [new Float32Array(n), new Float32Array(n)];
      const [dgamma, dbeta] = [new Float32Array(channels), new Float32Array(channels)];
      return [
        {
          run() {
            norm.forward(y, x, gamma, beta);
            norm.backward(dx, dgamma, dbeta, dy, x, gamma);
          },
          output: () => Float32Array.of(...y.subarray(0, 1000), ...dx.subarray(-1000)),
        },
      ];
    },
    wasm(core) {
      const chunkRows = Math.max(1, Math.floor(ROW_CHUNK / channels));
      const chunks = Math.ceil(rows / chunkRows);
      // the same offset modulo 2 KiB costs 40 %: stagger them, as the planner does
      const bufferOf = (values: Float32Array, offset: number) => core.floats(values, offset);
      const xs = bufferOf(x, 0);
      const dys = bufferOf(dy, 272);
      const y = core.buffer(n, 144);
      const dx = core.buffer(n, 400);
      const [g, b] = [core.floats(gamma), core.floats(beta)];
      const [mean, variance] = [core.buffer(channels), core.buffer(channels)];
      const [dgamma, dbeta] = [core.buffer(channels), core.buffer(channels)];
      const [coefficients, slopes] = [core.buffer(4 * channels), core.buffer(2 * channels)];
      const partials = core.buffer(2 * chunks * channels);
      const epsilon = 1e-5;
      const tape = core.tape([
        { op: Op.batchNormMoments, pointers: [partials, xs], sizes: [rows, channels, chunkRows] },
        {
          op: Op.batchNormCombine,
          pointers: [mean, variance, coefficients, partials, xs, g, b],
          sizes: [rows, channels, chunkRows],
          reals: [epsilon],
        },
        { op: Op.batchNormForward, pointers: [y, xs, coefficients], sizes: [rows, channels, 0] },
        {
          op: Op.batchNormBackwardSums,
          pointers: [partials, dys, xs, coefficients],
          sizes: [rows, channels, chunkRows, 0],
        },
        {
          op: Op.batchNormBackwardCombine,
          pointers: [dgamma, dbeta, slopes, partials, mean, coefficients],
          sizes: [rows, chunks, channels, 0],
        },
        {
          op: Op.batchNormBackward,
          pointers: [dx, dys, xs, coefficients, slopes],
          sizes: [rows, channels, 0],
        },
      ]);
      return {
        run: () => core.run(tape),
        output: () => Float32Array.of(...y.f32.subarray(0, 1000), ...dx.f32.subarray(-1000)),
      };
    },
    limits: copyRule(4 * 4 * n),
  };
}

function optimizerCase(kernel: "adam" | "momentum", n: number): KernelCase {
  const w = numbers(n, 1);
  const g = numbers(n, 2);
  const bytes = kernel === "adam" ? 28 : 20;
  return {
    kernel,
    shape: String(n),
    amount: bytes * n,
    unit: "GB/s",
    js() {
      const parameters = w.slice();
      const [slot0, slot1] = [new Float32Array(n), new Float32Array(n)];
      // the step's number does not change: so the output of a first call is that of any
      const run =
        kernel === "adam" ? () => adam(parameters, g, slot0, slot1, 10) : () => momentum(parameters, g, slot0);
      return [{ run, output: () => parameters.slice(0, 1000) }];
    },
    wasm(core) {
      const parameters = core.floats(w);
      const gradients = core.floats(g, 272);
      const slot0 = core.floats(new Float32Array(n), 144);
      const slot1 = core.floats(new Float32Array(kernel === "adam" ? n : 1), 400);
      const segments = core.buffer(Segment.words);
      segments.u32.fill(0);
      segments.u32[Segment.length] = n;
      segments.f32[Segment.learningRateFactor] = 1;
      core.state.u32[State.step] = 9; // updates done before this, the tenth
      core.state.f32[State.learningRate] = kernel === "adam" ? 1e-3 : 0.01;
      core.state.f32[State.penaltyScale] = 1;
      const isAdam = kernel === "adam";
      const tape = core.tape([
        {
          op: isAdam ? Op.adamStep : Op.sgdStep,
          pointers: [parameters, slot0, isAdam ? slot1 : null, null, gradients, segments, null],
          sizes: [1, n, 0],
          reals: isAdam ? [0, 0.9, 0.999, 1e-8] : [0, 0.9, 0, 0],
        },
      ]);
      return { run: () => core.run(tape), output: () => parameters.f32.slice(0, 1000) };
    },
    limits(machine) {
      if (kernel === "momentum") return copyRule(12 * n)(machine);
      return {
        measured: [machine.copy(16 * n), machine.sqrtDiv()],
        rate: ([copy, sqrtDiv]) => Math.min(copy!, bytes * sqrtDiv!),
      };
    },
  };
}

function dropoutCase(n: number): KernelCase {
  const x = numbers(n, 1).map((v) => v + 2); // no zeros: what is zero has been dropped
  const rate = 0.5;
  /** The share that was kept, and what keeps its value: the masks themselves differ. */
  const summary = (y: Float32Array) => {
    let kept = 0;
    let wrong = 0;
    y.forEach((v, i) => {
      if (v === 0) return;
      kept++;
      if (Math.abs(v - 2 * x[i]!) > 1e-4) wrong++;
    });
    return Float32Array.of(kept / n, wrong);
  };
  return {
    kernel: "dropout",
    shape: String(n),
    amount: 8 * n,
    unit: "GB/s",
    js() {
      const y = new Float32Array(n);
      const dropout = createDropout();
      return [{ run: () => dropout.apply(y, x, rate), output: () => summary(y) }];
    },
    wasm(core) {
      const xs = core.floats(x);
      const y = core.buffer(n, 272);
      const tape = core.tape([{ op: Op.dropout, pointers: [y, xs], sizes: [n, n, 1], reals: [rate] }]);
      return { run: () => core.run(tape), output: () => summary(y.f32) };
    },
    limits: copyRule(8 * n),
    tolerance: 3e-3,
  };
}

function softmaxCrossEntropyCase(rows: number, classes: number): KernelCase {
  const n = rows * classes;
  const logits = numbers(n, 1).map((v) => 5 * v);
  const labels = Int32Array.from({ length: rows }, (_, i) => (i * 7) % classes);
  return {
    kernel: "softmaxCrossEntropy",
    shape: `${rows}x${classes}`,
    amount: 4 * 3 * n,
    unit: "GB/s",
    js() {
      const dlogits = new Float32Array(n);
      return [{ run: () => void softmaxCrossEntropy(dlogits, logits, labels, rows, classes), output: () => dlogits }];
    },
    wasm(core) {
      const dlogits = core.buffer(n, 272);
      const [rowLoss, rowCount, rowLogSum] = [core.buffer(rows), core.buffer(rows), core.buffer(rows)];
      const [z, t] = [core.floats(logits), core.ints(labels)];
      const dRow = core.floats(new Float32Array(rows).fill(1 / rows));
      const tape = core.tape([
        {
          op: Op.softmaxCrossEntropy,
          pointers: [rowLoss, rowCount, rowLogSum, z, t, null],
          sizes: [rows, classes, LabelKind.index],
          reals: [0],
        },
        {
          op: Op.softmaxCrossEntropyBackward,
          pointers: [dlogits, dRow, z, t, null, rowLogSum],
          sizes: [rows, classes, LabelKind.index],
          reals: [0],
        },
      ]);
      return { run: () => core.run(tape), output: () => dlogits.f32 };
    },
    limits: copyRule(8 * n),
  };
}

/** Every kernel row, in the order of the report. */
export function kernelCases(): (() => KernelCase)[] {
  return [
    ...[64, 128, 256, 512, 1024].map((n) => () => gemmCase("gemm", n, n, n)),
    () => gemmCase("gemm", 32, 784, 128),
    () => gemmCase("gemm", 64, 784, 512),
    () => gemmCase("gemm", 128, 784, 512),
    () => gemmCase("gemm", 128, 512, 512),
    () => gemmCase("gemm", 128, 512, 10),
    () => gemmCase("gemmTN", 784, 128, 512),
    () => gemmCase("gemmNT", 128, 512, 784),
    () => gemvCase(784, 128),
    () => gemvCase(512, 512),
    () => convCase(64, 13, 32, 64),
    () => batchNormCase("128x512"),
    () => batchNormCase("64x28x28x32"),
    () => optimizerCase("adam", 1_000_000),
    () => optimizerCase("momentum", 1_000_000),
    () => dropoutCase(1_000_000),
    () => softmaxCrossEntropyCase(128, 10),
    () => softmaxCrossEntropyCase(1024, 1000),
  ];
}
