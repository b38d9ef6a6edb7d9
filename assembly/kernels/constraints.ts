// What weights must be, put in force after a step. Parameters whose row of the segment table is frozen are left alone.
//
//   normConstraint  n = √(Σ w²) over the reduced axes;  w ← w·(rate·min(max(n, low), high) + (1 − rate)·n)/(1e-7 + n)
//   nonNegative     w ← max(w, 0)
//
// The axes of w are merged to runs, kept0 reduced0 kept1 reduced1 kept2. A group, which has one norm, is summed in f64 by
// one rank: down the rows of 16 columns where the last run is kept; along the row, in four lanes, where it is not (kept2
// is 1). The order depends on shapes alone. Split over the groups.

import { NonNegative, NormConstraint } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { ceilDiv, pointer, real, share, shareOf, size } from "../operands";
import { loadLanes, storeLanes } from "./lanes.micro";
import { SEGMENT_BYTES, segmentFrozen } from "./segment";

/** Columns that one rank does at once: a cache line. */
const COLUMNS: usize = 16;

/** Keras's. */
const EPSILON: f64 = 1e-7;

function isFrozen(args: usize, segments: i32, row: i32): bool {
  return segmentFrozen(pointer(args, segments) + size(args, row) * SEGMENT_BYTES);
}

export function normConstraint(args: usize, ith: u32, nth: u32): void {
  if (isFrozen(args, NormConstraint.segments, NormConstraint.row)) return;
  const w = pointer(args, NormConstraint.w);
  const kept1 = size(args, NormConstraint.kept1);
  const kept2 = size(args, NormConstraint.kept2);
  const reduced0 = size(args, NormConstraint.reduced0);
  const reduced1 = size(args, NormConstraint.reduced1);
  const blocks = ceilDiv(kept2, COLUMNS);
  const items = size(args, NormConstraint.kept0) * kept1 * blocks;
  const end = share(items, ith + 1, nth);
  for (let item = share(items, ith, nth); item < end; item++) {
    const outer = item / blocks;
    const first = ((outer / kept1) * reduced0 * kept1 + (outer % kept1)) * reduced1 * kept2;
    let column = (item % blocks) * COLUMNS;
    const last = min(column + COLUMNS, kept2);
    while (column < last) {
      const whole = column + 4 <= last;
      constrainGroups(args, w + ((first + column) << 2), kept1 * reduced1 * kept2, kept2, whole);
      column += whole ? 4 : 1;
    }
  }
}

/** The groups that begin in the four floats at `at`, or where not `whole`, in the one. Steps are in floats. */
function constrainGroups(args: usize, at: usize, outerStep: usize, innerStep: usize, whole: bool): void {
  const reduced0 = size(args, NormConstraint.reduced0);
  const reduced1 = size(args, NormConstraint.reduced1);
  const isRow = innerStep == 1;
  let low = f64x2.splat(0);
  let high = low;
  for (let i: usize = 0; i < reduced0; i++) {
    let p = at + ((i * outerStep) << 2);
    for (let j: usize = 0; j < reduced1; ) {
      const wide = isRow ? j + 4 <= reduced1 : whole;
      const v = loadLanes(p, wide);
      const a = f64x2.promote_low_f32x4(v);
      const b = f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
      const step: usize = isRow && wide ? 4 : 1;
      j += step;
      p += (step * innerStep) << 2;
    }
  }
  let scales: v128;
  if (isRow) {
    const pair = f64x2.add(low, high);
    scales = f32x4.splat(scaleOf(args, f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1)));
  } else {
    scales = f32x4.splat(scaleOf(args, f64x2.extract_lane(low, 0)));
    scales = f32x4.replace_lane(scales, 1, scaleOf(args, f64x2.extract_lane(low, 1)));
    scales = f32x4.replace_lane(scales, 2, scaleOf(args, f64x2.extract_lane(high, 0)));
    scales = f32x4.replace_lane(scales, 3, scaleOf(args, f64x2.extract_lane(high, 1)));
  }
  for (let i: usize = 0; i < reduced0; i++) {
    let p = at + ((i * outerStep) << 2);
    for (let j: usize = 0; j < reduced1; ) {
      const wide = isRow ? j + 4 <= reduced1 : whole;
      storeLanes(p, f32x4.mul(loadLanes(p, wide), scales), wide);
      const step: usize = isRow && wide ? 4 : 1;
      j += step;
      p += (step * innerStep) << 2;
    }
  }
}

/** What weights are multiplied by whose squares have this sum. */
function scaleOf(args: usize, squares: f64): f32 {
  const norm = sqrt<f64>(squares);
  const rate = <f64>real(args, NormConstraint.rate);
  const wanted = min<f64>(max<f64>(norm, real(args, NormConstraint.low)), real(args, NormConstraint.high));
  return <f32>((rate * wanted + (1 - rate) * norm) / (EPSILON + norm));
}

export function nonNegative(args: usize, ith: u32, nth: u32): void {
  if (isFrozen(args, NonNegative.segments, NonNegative.row)) return;
  const w = pointer(args, NonNegative.w);
  const n = size(args, NonNegative.n);
  let at = shareOf(n, 16, ith, nth) << 2;
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  // what is not a number stays so
  for (; at < end; at += 16) store4(w + at, f32x4.pmax(load4(w + at, end - at), f32x4.splat(0)), end - at);
}
