// What a run gives, and --json writes.

import type { Goal } from "./goals";

export interface Cell {
  workload: string;
  competitor: string;
  /** The median over rounds of the median step, milliseconds. */
  ms?: number;
  rounds: number[];
  cannot?: string;
  /** The largest relative difference of its first ten losses from the reference's. */
  apart?: number;
  /** It computes something else: its losses are not the reference's. */
  other?: boolean;
  /** The mean loss of its last cycle through the batches is below that of its first. */
  learns?: boolean;
  /** What PyTorch chose. */
  variant?: string;
}

export interface Results {
  machine: { cpu: string; cores: number; node: string; pinned: boolean; date: string };
  versions: Record<string, string>;
  rounds: number;
  workloads: string[];
  competitors: string[];
  /** Whose losses the others are compared with. */
  reference: string;
  pytorch?: { blas: string[]; mm: number; peak: number | undefined; void: boolean };
  cells: Cell[];
  measures: {
    /** Milliseconds, and megabytes, over an empty Node. */
    ready?: Record<string, number>;
    memory?: Record<string, number>;
    bundle?: number;
  };
  goals: Goal[];
}
