// Who takes part, and how each is started.

import type { Workload } from "../workloads";

export interface Competitor {
  /** What --competitors names: all of a kind by what stands before the first dash. */
  id: string;
  name: string;
  threads: number;
  /** The program and what stands behind the workload and the mode. */
  command: string[];
  env?: Record<string, string>;
}

/**
 * PyTorch on AVX2, and with a malloc that keeps its memory: without that Debian's is up to 3 × slower on W4, and a win over it
 * would be no win.
 */
export const PYTORCH_ENV = {
  ATEN_CPU_CAPABILITY: "avx2",
  DNNL_MAX_CPU_ISA: "AVX2",
  OPENBLAS_CORETYPE: "Haswell",
  MALLOC_MMAP_THRESHOLD_: "1073741824",
  MALLOC_TRIM_THRESHOLD_: "4294967296",
  MALLOC_TOP_PAD_: "134217728",
};

export const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";

export const threadsEnv = (threads: number) => ({
  OMP_NUM_THREADS: `${threads}`,
  OPENBLAS_NUM_THREADS: `${threads}`,
});

const inNode = (id: string, name: string, file: string, ...options: string[]): Competitor => ({
  id,
  name,
  threads: 1,
  command: [process.execPath, file, ...options],
});

const downhill = (threads: number, fastMath: boolean): Competitor => ({
  id: `downhill${fastMath ? "-fast" : "-strict"}${threads > 1 ? `-${threads}` : ""}`,
  name: `downhill ${fastMath ? "fastMath" : "strict"}${threads > 1 ? `, ${threads} threads` : ""}`,
  threads,
  command: [
    process.execPath,
    "bench/peers/downhill.js",
    "--threads",
    `${threads}`,
    ...(fastMath ? ["--fastMath"] : []),
  ],
});

/** What convolutions are computed by in the strict build where that is asked for; fastMath chooses it by itself. */
const winograd4: Competitor = {
  ...downhill(1, false),
  id: "downhill-winograd4",
  name: "downhill strict, F(4×4)",
  command: [...downhill(1, false).command, "--algorithm", "winograd4"],
};

const pytorch = (threads: number): Competitor => ({
  id: `pytorch${threads > 1 ? `-${threads}` : ""}`,
  name: `PyTorch AVX2${threads > 1 ? `, ${threads} threads` : ""}`,
  threads,
  command: [PYTHON, "bench/peers/pytorch.py", "--threads", `${threads}`],
  env: { ...PYTORCH_ENV, ...threadsEnv(threads) },
});

export const competitors: readonly Competitor[] = [
  downhill(1, true),
  downhill(1, false),
  winograd4,
  pytorch(1),
  inNode("plain", "plain JavaScript", "build/peers/plain.js"),
  inNode("jax", "jax-js wasm", "bench/peers/jax.js"),
  inNode("tfjs-wasm", "TensorFlow.js wasm", "bench/peers/tfjs.js", "--device", "wasm"),
  inNode("tfjs-cpu", "TensorFlow.js cpu", "bench/peers/tfjs.js", "--device", "cpu"),
  inNode("convnetjs", "ConvNetJS", "bench/peers/convnet.js"),
  inNode("brain", "brain.js", "bench/peers/brain.js"),
  inNode("onnx", "ONNX Runtime, native", "bench/peers/onnx.js"),
  downhill(2, true),
  downhill(2, false),
  pytorch(2),
];

/** Whether there is a point in asking: peers that only infer, or do so as the others do, are asked only where it is the workload. */
export const takesPart = ({ id }: Competitor, { inference, layers }: Workload): boolean =>
  id === "onnx"
    ? inference === true
    : id !== "downhill-winograd4" || layers.some((layer) => layer.type === "conv2d" && layer.kernelSize === 3);
