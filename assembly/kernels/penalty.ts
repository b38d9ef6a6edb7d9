// Sums and norms over a parameter block, and the objective.
//
// The block is cut into chunks of REDUCE_CHUNK floats whatever the segments are. What of a segment lies in a chunk is summed in
// f32, in the same lanes on any number of threads, and added to the chunk's f64 partial, segment after segment; partials are
// added in order, in f64.

import {
  ClipFactor,
  GradientNorm,
  Halt,
  MovingAverage,
  Objective,
  PenaltyGradient,
  PenaltySums,
  REDUCE_CHUNK,
  Segment,
  State,
} from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { ceilDiv, pointer, real, share, shareOf, size, state } from "../operands";
import { loadLanes, storeLanes } from "./lanes.micro";
import { penalized, penaltySlope } from "./penalty.micro";
import {
  blockShare,
  clipOf,
  isBare,
  penaltyOf,
  SEGMENT_BYTES,
  segmentBegin,
  segmentEnd,
  segmentFrozen,
  segmentReal,
} from "./segment";

const CHUNK_BYTES: usize = (<usize>REDUCE_CHUNK) << 2;

/** The four lanes' sum in f64. */
function laneSum(v: v128): f64 {
  return (
    <f64>f32x4.extract_lane(v, 0) +
    <f64>f32x4.extract_lane(v, 1) +
    (<f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3))
  );
}

/** partials[chunk] = Σ (l1 + shrink)·|w| + ½·l2·w². Frozen segments count. Split over chunks. */
export function penaltySums(args: usize, ith: u32, nth: u32): void {
  chunkSums(args, ith, nth, PenaltySums.segments, false);
}

/** partials[chunk] = Σ g², g as the optimizer steps have it before the factor; frozen segments left out. Split over chunks. */
export function gradientNorm(args: usize, ith: u32, nth: u32): void {
  chunkSums(args, ith, nth, GradientNorm.segments, true);
}

/** `slot`: of the segments; partials come first, how many segments and floats behind. */
function chunkSums(args: usize, ith: u32, nth: u32, slot: i32, squares: bool): void {
  const partials = pointer(args, PenaltySums.partials);
  let segment = pointer(args, slot);
  const lastSegment = segment + size(args, slot + 1) * SEGMENT_BYTES;
  const chunks = ceilDiv(size(args, slot + 2), <usize>REDUCE_CHUNK);
  const end = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < end; chunk++) {
    const from = chunk * CHUNK_BYTES;
    const to = from + CHUNK_BYTES;
    while (segment < lastSegment && segmentEnd(segment, <usize>-1) <= from) segment += SEGMENT_BYTES;
    let sum: f64 = 0;
    for (let s = segment; s < lastSegment && segmentBegin(s, 0) < to; s += SEGMENT_BYTES) {
      if (!squares) sum += pieceSum(args, s, segmentBegin(s, from), segmentEnd(s, to));
      else if (!segmentFrozen(s)) sum += pieceSquares(args, s, segmentBegin(s, from), segmentEnd(s, to));
    }
    store<f64>(partials + (chunk << 3), sum);
  }
}

/** Σ (l1 + shrink)·|w| + ½·l2·w² of the floats from byte `at` up to `end` of a segment. */
function pieceSum(args: usize, segment: usize, at: usize, end: usize): f64 {
  const parameters = pointer(args, PenaltySums.parameters);
  const l1 = segmentReal(segment, Segment.l1) + segmentReal(segment, Segment.shrink);
  const l2 = segmentReal(segment, Segment.l2);
  if (l1 == 0 && l2 == 0) return 0;
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let q0 = a0;
  let q1 = a0;
  for (; at + 32 <= end; at += 32) {
    const w0 = v128.load(parameters + at);
    const w1 = v128.load(parameters + at, 16);
    a0 = f32x4.add(a0, f32x4.abs(w0));
    a1 = f32x4.add(a1, f32x4.abs(w1));
    q0 = f32x4.add(q0, f32x4.mul(w0, w0));
    q1 = f32x4.add(q1, f32x4.mul(w1, w1));
  }
  while (at < end) {
    const whole = at + 16 <= end;
    const w = loadLanes(parameters + at, whole);
    a0 = f32x4.add(a0, f32x4.abs(w));
    q0 = f32x4.add(q0, f32x4.mul(w, w));
    at += whole ? 16 : 4;
  }
  return <f64>l1 * laneSum(f32x4.add(a0, a1)) + 0.5 * <f64>l2 * laneSum(f32x4.add(q0, q1));
}

/** gradients += l1·sign(w) + l2·w. Frozen segments too: what is frozen is the optimizer's matter. Split over ranges of the block. */
export function penaltyGradient(args: usize, ith: u32, nth: u32): void {
  const gradients = pointer(args, PenaltyGradient.gradients);
  const parameters = pointer(args, PenaltyGradient.parameters);
  const floats = size(args, PenaltyGradient.floats);
  let segment = pointer(args, PenaltyGradient.segments);
  for (let count = size(args, PenaltyGradient.segmentCount); count != 0; count--) {
    const l1Real = segmentReal(segment, Segment.l1);
    const l2Real = segmentReal(segment, Segment.l2);
    let at = segmentBegin(segment, blockShare(floats, ith, nth));
    const end = segmentEnd(segment, blockShare(floats, ith + 1, nth));
    if (l1Real != 0 || l2Real != 0) {
      const l1 = f32x4.splat(l1Real);
      const l2 = f32x4.splat(l2Real);
      while (at < end) {
        const whole = at + 16 <= end;
        const slope = penaltySlope(loadLanes(parameters + at, whole), l1, l2);
        storeLanes(gradients + at, f32x4.add(loadLanes(gradients + at, whole), slope), whole);
        at += whole ? 16 : 4;
      }
    }
    segment += SEGMENT_BYTES;
  }
}

/** Σ g² of the floats from byte `at` up to `end` of a segment. */
function pieceSquares(args: usize, segment: usize, at: usize, end: usize): f64 {
  const gradients = pointer(args, GradientNorm.gradients);
  const clipValue = real(args, GradientNorm.clipValue);
  let q0 = f32x4.splat(0);
  let q1 = q0;
  if (isBare(args, segment, clipValue)) {
    let q2 = q0;
    let q3 = q0;
    for (; at + 64 <= end; at += 64) {
      const g0 = v128.load(gradients + at);
      const g1 = v128.load(gradients + at, 16);
      const g2 = v128.load(gradients + at, 32);
      const g3 = v128.load(gradients + at, 48);
      q0 = f32x4.add(q0, f32x4.mul(g0, g0));
      q1 = f32x4.add(q1, f32x4.mul(g1, g1));
      q2 = f32x4.add(q2, f32x4.mul(g2, g2));
      q3 = f32x4.add(q3, f32x4.mul(g3, g3));
    }
    q0 = f32x4.add(q0, q2);
    q1 = f32x4.add(q1, q3);
  }
  const parameters = pointer(args, GradientNorm.parameters);
  const l1 = f32x4.splat(penaltyOf(args, segment, Segment.l1));
  const l2 = f32x4.splat(penaltyOf(args, segment, Segment.l2));
  const clip = f32x4.splat(clipOf(clipValue));
  while (at < end) {
    const whole = at + 16 <= end;
    const g = penalized(loadLanes(gradients + at, whole), loadLanes(parameters + at, whole), l1, l2, clip);
    q0 = f32x4.add(q0, f32x4.mul(g, g));
    at += whole ? 16 : 4;
  }
  return laneSum(f32x4.add(q0, q1));
}

/** Σ of `count` f64s, in order. */
export function orderedSum(partials: usize, count: usize): f64 {
  let sum: f64 = 0;
  for (const end = partials + (count << 3); partials < end; partials += 8) sum += load<f64>(partials);
  return sum;
}

/** factor = [min(1, clipNorm/(norm + 1e-6)), norm]. Rank 0 alone. */
export function clipFactor(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const factor = pointer(args, ClipFactor.factor);
  const norm = sqrt<f64>(orderedSum(pointer(args, ClipFactor.partials), size(args, ClipFactor.chunks)));
  store<f32>(factor, <f32>min<f64>(1, <f64>real(args, ClipFactor.clipNorm) / (norm + 1e-6)));
  store<f32>(factor, <f32>norm, 4);
}

/** result = [dataLoss + penalty, dataLoss, penalty, the weights' part of it]; notes in State.halt that the loss is not finite. Rank 0 alone. */
export function objective(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const result = pointer(args, Objective.result);
  let dataLoss: f64 = 0;
  let at = pointer(args, Objective.losses); // (lossCount, 4): [mean, sum, count, weight]
  for (let count = size(args, Objective.lossCount); count != 0; count--) {
    dataLoss += <f64>load<f32>(at) * <f64>load<f32>(at, 12);
    at += 16;
  }
  let penalty = orderedSum(pointer(args, Objective.partials), size(args, Objective.chunks));
  store<f32>(result, <f32>penalty, 12);
  at = pointer(args, Objective.activities); // (activityCount, 4): [mean, …]
  for (let count = size(args, Objective.activityCount); count != 0; count--) {
    penalty += load<f32>(at);
    at += 16;
  }
  const loss = <f32>(dataLoss + penalty);
  store<f32>(result, loss);
  store<f32>(result, <f32>dataLoss, 4);
  store<f32>(result, <f32>penalty, 8);
  const block = state(args);
  if (!isFinite<f32>(loss) && load<u32>(block, State.halt << 2) == Halt.none)
    store<u32>(block, Halt.numeric, State.halt << 2);
}

/** moving = momentum·moving + (1 − momentum)·value. Split over elements. */
export function movingAverage(args: usize, ith: u32, nth: u32): void {
  const moving = pointer(args, MovingAverage.moving);
  const value = pointer(args, MovingAverage.value);
  const n = size(args, MovingAverage.n);
  const momentum = real(args, MovingAverage.momentum);
  const keep = f32x4.splat(momentum);
  const fresh = f32x4.splat(<f32>(1 - <f64>momentum));
  let at = shareOf(n, 16, ith, nth) << 2;
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (; at < end; at += 16) {
    const old = f32x4.mul(keep, load4(moving + at, end - at));
    store4(moving + at, f32x4.add(old, f32x4.mul(fresh, load4(value + at, end - at))), end - at);
  }
}
