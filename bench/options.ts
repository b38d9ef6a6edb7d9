// What a run of the benchmark can be asked for, and what it tells on its way.

import type { Row } from "./results";

export interface BenchmarkOptions {
  /** Rounds, of which medians are taken. Default 30. */
  rounds?: number;
  /** Only rows whose "kernel shape" holds one of these texts. */
  filter?: string[];
  /** Numbers of threads. Default 1 and 2. */
  threads?: number[];
  /** How often rows may be measured again that were measured in a slow minute, the first time included. Default 4. */
  passes?: number;
  /** Whether to look at what stands round the kernels of a small step. Default true. */
  cost?: boolean;
  /** Called before each job and behind the last one. */
  onProgress?(progress: Progress): void;
}

/** How far a run is, and what the last job has found. */
export interface Progress {
  done: number;
  of: number;
  /** What comes next; none behind the last one. */
  next?: { kernel: string; shape: string };
  /** In the place of rows of the same kernel and shape, if there were any. */
  rows: Row[];
}

/** The rows that matter, in about a minute: `filter`, `rounds` and `passes` of a short run. */
export const SHORT = {
  filter: [
    "gemm 128x128x128",
    "gemm 256x256x256",
    "gemm 512x512x512",
    "conv ",
    "batchNorm 128x512",
    "adam ",
    "step 2-16-16-1/32",
    "step 784-512-512-10/128",
    "step cnn-28x28x1/64",
    "step 64-32-10/16",
  ],
  rounds: 12,
  passes: 1,
  cost: false,
} satisfies BenchmarkOptions;
