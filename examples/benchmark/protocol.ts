// What the page and its worker tell each other.

import type { BenchmarkOptions, Progress } from "../../bench/options";
import type { Results } from "../../bench/results";

/** What the worker knows of this browser before it has measured anything. */
export interface Facts {
  engine: string;
  cores: number;
  /** Milliseconds between two values of the clock. */
  grain: number;
  features: { simd: boolean; relaxedSimd: boolean; threads: boolean; crossOriginIsolated: boolean };
}

/** Starts a run. Whoever wants it to end earlier terminates the worker. */
export type Request = Omit<BenchmarkOptions, "onProgress">;

export type Reply =
  | { type: "ready"; facts: Facts }
  | { type: "progress"; progress: Progress }
  | { type: "done"; results: Results }
  | { type: "failed"; why: string };
