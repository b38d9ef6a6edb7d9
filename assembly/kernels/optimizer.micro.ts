// One vector (or, in tails, one float) of each optimizer's update; see optimizer.ts for the equations.
//
// Extras are left out where the segment has none.

import { loadLanes, multiplyAdd, storeLanes } from "./lanes.micro";
import { penalized, shrunk } from "./penalty.micro";

/** What a segment asks for beyond the bare update. */
export const enum Extras {
  none,
  linear, // l2 or coupled decay
  all, // also l1, clipValue or shrink
}

/** g = cut(gradient + penalties)·factor + decay·w */
// @ts-ignore: decorator
@inline
export function gradientOf(
  gradient: v128, w: v128, factor: v128, extras: Extras, l1: v128, l2: v128, clip: v128, decay: v128,
): v128 {
  if (extras == Extras.none) return f32x4.mul(gradient, factor);
  const g = extras == Extras.all ? penalized(gradient, w, l1, l2, clip) : f32x4.add(gradient, f32x4.mul(l2, w));
  return f32x4.add(f32x4.mul(g, factor), f32x4.mul(decay, w));
}

// @ts-ignore: decorator
@inline
export function storeParameter(p: usize, w: v128, whole: bool, extras: Extras, threshold: v128): void {
  storeLanes(p, extras == Extras.all ? shrunk(w, threshold) : w, whole);
}

/** v ← momentum·(v & old) + fresh·g; returns (g & nesterov) + carry·v */
// @ts-ignore: decorator
@inline
export function velocityStep(
  p: usize, g: v128, whole: bool, old: v128, momentum: v128, fresh: v128, nesterov: v128, carry: v128,
): v128 {
  const v = f32x4.add(f32x4.mul(momentum, v128.and(loadLanes(p, whole), old)), f32x4.mul(fresh, g));
  storeLanes(p, v, whole);
  return f32x4.add(v128.and(g, nesterov), f32x4.mul(carry, v));
}

/**
 * M ← beta1·M + g,  V ← beta2·V + g²;  returns M / (√V·spread + offset), the step with its rate and every other factor in
 * the denominator: the divider and the multipliers share a port.
 */
// @ts-ignore: decorator
@inline
export function adamDelta(
  m: usize, v: usize, largest: usize, g: v128, whole: bool, beta1: v128, beta2: v128, spread: v128, offset: v128,
): v128 {
  let square = multiplyAdd(g, g, f32x4.mul(beta2, loadLanes(v, whole)));
  storeLanes(v, square, whole);
  if (largest) {
    square = f32x4.pmax(square, loadLanes(largest, whole));
    storeLanes(largest, square, whole);
  }
  const mean = multiplyAdd(beta1, loadLanes(m, whole), g);
  storeLanes(m, mean, whole);
  return f32x4.div(mean, multiplyAdd(f32x4.sqrt(square), spread, offset));
}

/** A vector's step where there is nothing but the gradient; where `plain`, with factor and keep 1. */
// @ts-ignore: decorator
@inline
export function adamBare(
  w: usize, m: usize, v: usize, g: usize, plain: bool,
  factor: v128, beta1: v128, beta2: v128, spread: v128, offset: v128, keep: v128,
): void {
  const gradient = v128.load(g);
  const delta = adamDelta(m, v, 0, plain ? gradient : f32x4.mul(gradient, factor), true, beta1, beta2, spread, offset);
  const old = v128.load(w);
  v128.store(w, f32x4.sub(plain ? old : f32x4.mul(old, keep), delta));
}
