// How kernels walk a parameter block: rows of a segment table (isa.ts), in ascending order of offset, each beginning at a
// multiple of 4 floats. What lies between segments is never read or written. Positions are in bytes.

import { OptimizerStep, Segment, State } from "../isa";
import { pointer, shareOf, stateReal } from "../operands";

/** Bytes of a row of the table. */
export const SEGMENT_BYTES: usize = Segment.words << 2;

/** A real of the row. */
export function segmentReal(segment: usize, word: i32): f32 {
  return load<f32>(segment + ((<usize>word) << 2));
}

export function segmentFrozen(segment: usize): bool {
  return load<u32>(segment, Segment.frozen << 2) != 0;
}

/** The later of `from` and the segment's begin. */
export function segmentBegin(segment: usize, from: usize): usize {
  return max(from, (<usize>load<u32>(segment, Segment.offset << 2)) << 2);
}

/** The earlier of `to` and the segment's end. */
export function segmentEnd(segment: usize, to: usize): usize {
  return min(to, (<usize>(load<u32>(segment, Segment.offset << 2) + load<u32>(segment, Segment.length << 2))) << 2);
}

/** Where rank `ith`'s share of a block of `floats` begins. */
export function blockShare(floats: usize, ith: u32, nth: u32): usize {
  return shareOf(floats, 16, ith, nth) << 2;
}

/** State.penaltyScale times l1 or l2. */
export function penaltyOf(args: usize, segment: usize, word: i32): f32 {
  return stateReal(args, State.penaltyScale) * segmentReal(segment, word);
}

/** Where gradients are cut; ∞ where they are not. */
export function clipOf(clipValue: f32): f32 {
  return clipValue > 0 ? clipValue : Infinity;
}

/** Whether the gradient of this segment is just what stands in the block. */
export function isBare(args: usize, segment: usize, clipValue: f32): bool {
  return penaltyOf(args, segment, Segment.l1) == 0 && penaltyOf(args, segment, Segment.l2) == 0 && !(clipValue > 0);
}

/** The segment's learning rate. */
export function segmentRate(args: usize, segment: usize): f32 {
  return stateReal(args, State.learningRate) * segmentReal(segment, Segment.learningRateFactor);
}

/** What the clipped gradient is multiplied by. */
export function clippingFactor(args: usize): f32 {
  const factor = pointer(args, OptimizerStep.factor);
  return factor ? load<f32>(factor) : 1;
}
