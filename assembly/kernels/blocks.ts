// Passes over whole blocks of parameters: the mask of pruned weights, the mean of weights over time. Split over ranges.

import { Mask, RunningMean, State } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, shareOf, size, stateReal } from "../operands";

/** w ← w & mask */
export function mask(args: usize, ith: u32, nth: u32): void {
  const w = pointer(args, Mask.w);
  const mask = pointer(args, Mask.mask);
  const n = size(args, Mask.n);
  let at = shareOf(n, 16, ith, nth) << 2;
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (; at < end; at += 16) store4(w + at, v128.and(load4(w + at, end - at), load4(mask + at, end - at)), end - at);
}

/** mean ← mean + (x − mean)·State.learningRate */
export function runningMean(args: usize, ith: u32, nth: u32): void {
  const mean = pointer(args, RunningMean.mean);
  const x = pointer(args, RunningMean.x);
  const n = size(args, RunningMean.n);
  const share = f32x4.splat(stateReal(args, State.learningRate));
  let at = shareOf(n, 16, ith, nth) << 2;
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (; at < end; at += 16) {
    const old = load4(mean + at, end - at);
    const difference = f32x4.sub(load4(x + at, end - at), old);
    store4(mean + at, f32x4.add(old, f32x4.mul(difference, share)), end - at);
  }
}
