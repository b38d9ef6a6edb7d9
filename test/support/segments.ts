// A parameter block for tests of kernels that walk segment tables.

import { Segment } from "../../assembly/isa";
import type { Buffer, Core } from "./core";

export interface SegmentRow {
  offset: number;
  length: number;
  frozen: boolean;
  learningRateFactor: number;
  l1: number;
  l2: number;
  decay: number;
  shrink: number;
}

/** A row with nothing on but what is given. */
export function row(offset: number, length: number, options: Partial<SegmentRow> = {}): SegmentRow {
  return { offset, length, frozen: false, learningRateFactor: 1, l1: 0, l2: 0, decay: 0, shrink: 0, ...options };
}

/** The table's words. */
export function segmentWords(rows: readonly SegmentRow[]): Uint32Array {
  const u32 = new Uint32Array(rows.length * Segment.words);
  const f32 = new Float32Array(u32.buffer);
  rows.forEach((r, i) => {
    const at = i * Segment.words;
    u32[at + Segment.offset] = r.offset;
    u32[at + Segment.length] = r.length;
    u32[at + Segment.frozen] = r.frozen ? 1 : 0;
    f32[at + Segment.learningRateFactor] = r.learningRateFactor;
    f32[at + Segment.l1] = r.l1;
    f32[at + Segment.l2] = r.l2;
    f32[at + Segment.decay] = r.decay;
    f32[at + Segment.shrink] = r.shrink;
  });
  return u32;
}

/** The table in the core's memory. */
export function segmentTable(core: Core, rows: readonly SegmentRow[]): Buffer {
  const words = segmentWords(rows);
  const table = core.buffer(words.length);
  table.u32.set(words);
  return table;
}

/** Calls `visit(row, i)` for each float i of each segment. */
export function eachFloat(rows: readonly SegmentRow[], visit: (row: SegmentRow, i: number) => void): void {
  for (const r of rows) for (let i = r.offset; i < r.offset + r.length; i++) visit(r, i);
}

/** Seeded numbers, roughly normal, some of them exactly 0. */
export function numbers(n: number, seed: number, scale = 1): Float32Array {
  let s = seed;
  const next = () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
  return Float32Array.from({ length: n }, () => {
    const value = scale * (next() + next() + next() + next() - 2);
    return next() < 0.05 ? 0 : value;
  });
}
