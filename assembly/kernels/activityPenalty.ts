// Penalties on a layer's output h, averaged over the batch.
//
//   forward    penalty = Σ (l1·|h| + l2·½h²) / rows      in float64, chunk by chunk; chunks added in ascending order
//   backward   dh = (l1·sign(h) + l2·h) / rows

import { ActivityPenalty, ActivityPenaltyBackward, ActivityPenaltyReduce, REDUCE_CHUNK } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { ceilDiv, pointer, real, share, shareOf, size } from "../operands";
import { orderedSum } from "./penalty";
import { penaltySlope } from "./penalty.micro";

/** Split over chunks. */
export function activityPenalty(args: usize, ith: u32, nth: u32): void {
  const n = size(args, ActivityPenalty.n);
  const h = pointer(args, ActivityPenalty.h);
  const partials = pointer(args, ActivityPenalty.partials);
  const l1 = <f64>real(args, ActivityPenalty.l1);
  const l2 = <f64>real(args, ActivityPenalty.l2) * 0.5;
  const chunks = ceilDiv(n, REDUCE_CHUNK);
  const last = share(chunks, ith + 1, nth);
  for (let c = share(chunks, ith, nth); c < last; c++) {
    let absolutes = f64x2.splat(0);
    let squares = f64x2.splat(0);
    const end = h + (min(n, (c + 1) * REDUCE_CHUNK) << 2);
    for (let p = h + ((c * REDUCE_CHUNK) << 2); p < end; p += 16) {
      const v = load4(p, end - p);
      const a = f64x2.promote_low_f32x4(v);
      const b = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
      absolutes = f64x2.add(absolutes, f64x2.add(f64x2.abs(a), f64x2.abs(b)));
      squares = f64x2.add(squares, f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b)));
    }
    store<f64>(partials + (c << 3), l1 * sum(absolutes) + l2 * sum(squares));
  }
}

function sum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** On rank 0. */
export function activityPenaltyReduce(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const result = pointer(args, ActivityPenaltyReduce.result);
  const rows = size(args, ActivityPenaltyReduce.rows);
  const total = orderedSum(pointer(args, ActivityPenaltyReduce.partials), size(args, ActivityPenaltyReduce.chunks));
  store<f32>(result, <f32>(total / <f64>rows));
  store<f32>(result, <f32>total, 4);
  store<f32>(result, <f32>rows, 8);
}

/** Split over elements. */
export function activityPenaltyBackward(args: usize, ith: u32, nth: u32): void {
  const n = size(args, ActivityPenaltyBackward.n);
  const dh = pointer(args, ActivityPenaltyBackward.dh);
  const h = pointer(args, ActivityPenaltyBackward.h);
  const rows = <f32>size(args, ActivityPenaltyBackward.rows);
  const l1 = f32x4.splat(real(args, ActivityPenaltyBackward.l1) / rows);
  const l2 = f32x4.splat(real(args, ActivityPenaltyBackward.l2) / rows);
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (let i = shareOf(n, 16, ith, nth) << 2; i < end; i += 16) {
    store4(dh + i, penaltySlope(load4(h + i, end - i), l1, l2), end - i);
  }
}
