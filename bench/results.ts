// What a run of the benchmark yields, as `--json` writes it.

export interface Row {
  kernel: string;
  shape: string;
  build: "js" | "strict" | "fastMath";
  threads: number;
  ms: number; // median
  rate: number;
  unit: "GFLOP/s" | "GB/s";
  /** Share of the limit measured in the same rounds; of `threads` times it for several threads. */
  ofPeak: number;
  /** Times faster than JavaScript. */
  vsJs: number;
  best: number; // milliseconds, of the fastest round
  limit: number; // the limit's rate, in `unit`, of one thread
  probe: number; // GFLOP/s of the GEMM probe beside this row
  /** The probe fell by more than 10 % against the best seen in this run, or the core was taken away: a slow minute. */
  slow: boolean;
  /** GEMM whose JavaScript did not reach 9 % of the FMA peak: its ratio says nothing. */
  void: boolean;
  form?: string; // of JavaScript: the best one
}

export interface Skipped {
  kernel: string;
  shape: string;
  build: string;
  threads: number;
  why: string;
}

export interface Goal {
  what: string;
  /** What was measured; undefined where its rows were not run. */
  value: number | undefined;
  bound: number;
  /** "atLeast" unless said otherwise. */
  atMost?: boolean;
  unit: "share" | "times" | "µs" | "bytes" | "calls";
  reached: boolean | undefined;
  /** Held against JavaScript that was no fair opponent. */
  void?: boolean;
  slow?: boolean;
}

export interface Results {
  machine: {
    cpu: string;
    cores: number;
    engine: string;
    date: string;
    rounds: number;
    /** GFLOP/s of multiply-adds in registers, by build and number of accumulators, at the start. */
    peaks: Record<string, number>;
    probe: number; // best GEMM probe, GFLOP/s
  };
  rows: Row[];
  skipped: Skipped[];
  goals: Goal[];
  step: import("./steps").StepCost | undefined;
}
