// Optimizer steps: one pass over the parameter block, each parameter, gradient and slot read once and written once.
//
//   g = cut(gradient + State.penaltyScale·(l1·sign(w) + l2·w), ±clipValue)·factor, then + decay·w (not where decoupled)
//   η = State.learningRate · the segment's factor,  t = State.step + 1
//
//   sgd      v ← momentum·v + (1 − dampening)·g, in the first step v ← g;   w ← w − η·v, Nesterov: w − η·(g + momentum·v)
//   adagrad  s ← s + g²;                                                    w ← w − η·g/(√s + ε)
//   rmsprop  s ← ρ·s + (1 − ρ)·g²,  centred: a ← ρ·a + (1 − ρ)·g and s − a² below the root;   u = g/(√s + ε)
//            momentum: b ← momentum·b + u, u = b;                           w ← w − η·u
//   adam     m ← β₁·m + (1 − β₁)·g,  v ← β₂·v + (1 − β₂)·g²,  AMSGrad: the largest v so far is used
//            w ← (1 − η·decay)·w where decoupled (AdamW);                   w ← w − η/(1 − β₁ᵗ)·m/(√v/√(1 − β₂ᵗ) + ε)
//            kept are M = m/(1 − β₁) and V = v/(1 − β₂), plain decayed sums: two products less an element. (V is ∞,
//            and the weight stands still from then on, after one g above 1.8e19, or lasting ones above 6e17.)
//
// and at last, where the segment shrinks, w ← sign(w)·max(|w| − η·shrink, 0): PyTorch 2's formulas. Slots: sgd v; adagrad s;
// rmsprop s, b, a; adam M, V, largest V.
//
// Split over ranges of the block; frozen segments and the padding behind each one are left alone.

import { OptimizerFlag, OptimizerStep, Segment, State } from "../isa";
import { power } from "../math/scalars";
import { pointer, real, size, stateWord } from "../operands";
import { loadLanes, storeLanes } from "./lanes.micro";
import { adamBare, adamDelta, Extras, gradientOf, storeParameter, velocityStep } from "./optimizer.micro";
import {
  blockShare,
  clipOf,
  clippingFactor,
  penaltyOf,
  SEGMENT_BYTES,
  segmentBegin,
  segmentEnd,
  segmentFrozen,
  segmentRate,
  segmentReal,
} from "./segment";

/** What the segment asks for; `decay`: its coupled decay. */
export function extrasOf(args: usize, segment: usize, decay: f32): Extras {
  const clipped = real(args, OptimizerStep.clipValue) > 0;
  if (clipped || penaltyOf(args, segment, Segment.l1) != 0 || segmentReal(segment, Segment.shrink) != 0)
    return Extras.all;
  return decay != 0 || penaltyOf(args, segment, Segment.l2) != 0 ? Extras.linear : Extras.none;
}

/** 1 − β in f32. */
export function complement(beta: f32): v128 {
  return f32x4.splat(<f32>(1 - <f64>beta));
}

export function sgdStep(args: usize, ith: u32, nth: u32): void {
  const floats = size(args, OptimizerStep.floats);
  const from = blockShare(floats, ith, nth);
  const to = blockShare(floats, ith + 1, nth);
  let segment = pointer(args, OptimizerStep.segments);
  for (let count = size(args, OptimizerStep.segmentCount); count != 0; count--) {
    if (!segmentFrozen(segment)) sgdSegment(args, segment, segmentBegin(segment, from), segmentEnd(segment, to));
    segment += SEGMENT_BYTES;
  }
}

function sgdSegment(args: usize, segment: usize, at: usize, end: usize): void {
  const parameters = pointer(args, OptimizerStep.parameters);
  const gradients = pointer(args, OptimizerStep.gradients);
  const momentumReal = real(args, OptimizerStep.a);
  const velocity = momentumReal != 0 ? pointer(args, OptimizerStep.slot0) : 0;
  const first = stateWord(args, State.step) == 0;
  const isNesterov = (size(args, OptimizerStep.flags) & OptimizerFlag.nesterov) != 0;
  const decayReal = segmentReal(segment, Segment.decay);
  const rateReal = segmentRate(args, segment);
  const rate = f32x4.splat(rateReal);
  const momentum = f32x4.splat(momentumReal);
  const fresh = first ? f32x4.splat(1) : complement(real(args, OptimizerStep.b));
  const old = i32x4.splat(first ? 0 : -1);
  const nesterov = i32x4.splat(isNesterov ? -1 : 0);
  const carry = isNesterov ? momentum : f32x4.splat(1);
  const factor = f32x4.splat(clippingFactor(args));
  const extras = extrasOf(args, segment, decayReal);
  const l1 = f32x4.splat(penaltyOf(args, segment, Segment.l1));
  const l2 = f32x4.splat(penaltyOf(args, segment, Segment.l2));
  const clip = f32x4.splat(clipOf(real(args, OptimizerStep.clipValue)));
  const decay = f32x4.splat(decayReal);
  const threshold = f32x4.splat(rateReal * segmentReal(segment, Segment.shrink));
  if (extras == Extras.none && velocity) {
    const freshScaled = f32x4.mul(fresh, factor);
    const direct = f32x4.splat(isNesterov ? rateReal * clippingFactor(args) : 0);
    const carried = f32x4.mul(rate, carry);
    for (; at + 16 <= end; at += 16) {
      const g = v128.load(gradients + at);
      const before = f32x4.mul(momentum, v128.and(v128.load(velocity + at), old));
      const v = f32x4.add(before, f32x4.mul(freshScaled, g));
      v128.store(velocity + at, v);
      const delta = f32x4.add(f32x4.mul(direct, g), f32x4.mul(carried, v));
      v128.store(parameters + at, f32x4.sub(v128.load(parameters + at), delta));
    }
  }
  if (extras != Extras.all && !velocity) {
    for (; at + 16 <= end; at += 16) {
      const w = v128.load(parameters + at);
      const g = gradientOf(v128.load(gradients + at), w, factor, Extras.linear, l1, l2, clip, decay);
      v128.store(parameters + at, f32x4.sub(w, f32x4.mul(rate, g)));
    }
  }
  if (extras == Extras.linear) {
    for (; at + 16 <= end; at += 16) {
      const w = v128.load(parameters + at);
      const g = gradientOf(v128.load(gradients + at), w, factor, Extras.linear, l1, l2, clip, decay);
      const u = velocityStep(velocity + at, g, true, old, momentum, fresh, nesterov, carry);
      v128.store(parameters + at, f32x4.sub(w, f32x4.mul(rate, u)));
    }
  }
  while (at < end) {
    const whole = at + 16 <= end;
    const w = loadLanes(parameters + at, whole);
    let g = gradientOf(loadLanes(gradients + at, whole), w, factor, extras, l1, l2, clip, decay);
    if (velocity) g = velocityStep(velocity + at, g, whole, old, momentum, fresh, nesterov, carry);
    storeParameter(parameters + at, f32x4.sub(w, f32x4.mul(rate, g)), whole, extras, threshold);
    at += whole ? 16 : 4;
  }
}

export function adagradStep(args: usize, ith: u32, nth: u32): void {
  const floats = size(args, OptimizerStep.floats);
  const from = blockShare(floats, ith, nth);
  const to = blockShare(floats, ith + 1, nth);
  let segment = pointer(args, OptimizerStep.segments);
  for (let count = size(args, OptimizerStep.segmentCount); count != 0; count--) {
    if (!segmentFrozen(segment)) adagradSegment(args, segment, segmentBegin(segment, from), segmentEnd(segment, to));
    segment += SEGMENT_BYTES;
  }
}

function adagradSegment(args: usize, segment: usize, at: usize, end: usize): void {
  const parameters = pointer(args, OptimizerStep.parameters);
  const gradients = pointer(args, OptimizerStep.gradients);
  const squares = pointer(args, OptimizerStep.slot0);
  const decayReal = segmentReal(segment, Segment.decay);
  const rateReal = segmentRate(args, segment);
  const rate = f32x4.splat(rateReal);
  const epsilon = f32x4.splat(real(args, OptimizerStep.epsilon));
  const factor = f32x4.splat(clippingFactor(args));
  const extras = extrasOf(args, segment, decayReal);
  const l1 = f32x4.splat(penaltyOf(args, segment, Segment.l1));
  const l2 = f32x4.splat(penaltyOf(args, segment, Segment.l2));
  const clip = f32x4.splat(clipOf(real(args, OptimizerStep.clipValue)));
  const decay = f32x4.splat(decayReal);
  const threshold = f32x4.splat(rateReal * segmentReal(segment, Segment.shrink));
  while (at < end) {
    const whole = at + 16 <= end;
    const w = loadLanes(parameters + at, whole);
    const g = gradientOf(loadLanes(gradients + at, whole), w, factor, extras, l1, l2, clip, decay);
    const square = f32x4.add(loadLanes(squares + at, whole), f32x4.mul(g, g));
    storeLanes(squares + at, square, whole);
    const delta = f32x4.div(f32x4.mul(rate, g), f32x4.add(f32x4.sqrt(square), epsilon));
    storeParameter(parameters + at, f32x4.sub(w, delta), whole, extras, threshold);
    at += whole ? 16 : 4;
  }
}

export function rmspropStep(args: usize, ith: u32, nth: u32): void {
  const floats = size(args, OptimizerStep.floats);
  const from = blockShare(floats, ith, nth);
  const to = blockShare(floats, ith + 1, nth);
  let segment = pointer(args, OptimizerStep.segments);
  for (let count = size(args, OptimizerStep.segmentCount); count != 0; count--) {
    if (!segmentFrozen(segment)) rmspropSegment(args, segment, segmentBegin(segment, from), segmentEnd(segment, to));
    segment += SEGMENT_BYTES;
  }
}

function rmspropSegment(args: usize, segment: usize, at: usize, end: usize): void {
  const parameters = pointer(args, OptimizerStep.parameters);
  const gradients = pointer(args, OptimizerStep.gradients);
  const squares = pointer(args, OptimizerStep.slot0);
  const buffer = pointer(args, OptimizerStep.slot1);
  const means = pointer(args, OptimizerStep.slot2);
  const momentumReal = real(args, OptimizerStep.b);
  const momentum = f32x4.splat(momentumReal);
  const centered = (size(args, OptimizerStep.flags) & OptimizerFlag.centered) != 0;
  // 1 − ρ comes as it is, for what float32 keeps of ρ = 0.9999 gives it to four digits only
  const fresh = f32x4.splat(real(args, OptimizerStep.a));
  const rho = complement(real(args, OptimizerStep.a));
  const decayReal = segmentReal(segment, Segment.decay);
  const rateReal = segmentRate(args, segment);
  const rate = f32x4.splat(rateReal);
  const epsilon = f32x4.splat(real(args, OptimizerStep.epsilon));
  const factor = f32x4.splat(clippingFactor(args));
  const extras = extrasOf(args, segment, decayReal);
  const l1 = f32x4.splat(penaltyOf(args, segment, Segment.l1));
  const l2 = f32x4.splat(penaltyOf(args, segment, Segment.l2));
  const clip = f32x4.splat(clipOf(real(args, OptimizerStep.clipValue)));
  const decay = f32x4.splat(decayReal);
  const threshold = f32x4.splat(rateReal * segmentReal(segment, Segment.shrink));
  while (at < end) {
    const whole = at + 16 <= end;
    const w = loadLanes(parameters + at, whole);
    const g = gradientOf(loadLanes(gradients + at, whole), w, factor, extras, l1, l2, clip, decay);
    let square = f32x4.add(f32x4.mul(rho, loadLanes(squares + at, whole)), f32x4.mul(f32x4.mul(fresh, g), g));
    storeLanes(squares + at, square, whole);
    if (centered) {
      const mean = f32x4.add(f32x4.mul(rho, loadLanes(means + at, whole)), f32x4.mul(fresh, g));
      storeLanes(means + at, mean, whole);
      // rounding may leave less than nothing
      square = f32x4.pmax(f32x4.sub(square, f32x4.mul(mean, mean)), f32x4.splat(0));
    }
    let update = f32x4.div(g, f32x4.add(f32x4.sqrt(square), epsilon));
    if (momentumReal != 0) {
      update = f32x4.add(f32x4.mul(momentum, loadLanes(buffer + at, whole)), update);
      storeLanes(buffer + at, update, whole);
    }
    storeParameter(parameters + at, f32x4.sub(w, f32x4.mul(rate, update)), whole, extras, threshold);
    at += whole ? 16 : 4;
  }
}

export function adamStep(args: usize, ith: u32, nth: u32): void {
  const floats = size(args, OptimizerStep.floats);
  const from = blockShare(floats, ith, nth);
  const to = blockShare(floats, ith + 1, nth);
  const step = stateWord(args, State.step) + 1;
  const correction1 = 1 / (1 - power(real(args, OptimizerStep.a), step));
  const correction2 = 1 / sqrt<f64>(1 - power(real(args, OptimizerStep.b), step));
  let segment = pointer(args, OptimizerStep.segments);
  for (let count = size(args, OptimizerStep.segmentCount); count != 0; count--) {
    if (!segmentFrozen(segment))
      adamSegment(args, segment, segmentBegin(segment, from), segmentEnd(segment, to), correction1, correction2);
    segment += SEGMENT_BYTES;
  }
}

function adamSegment(args: usize, segment: usize, at: usize, end: usize, correction1: f64, correction2: f64): void {
  const parameters = pointer(args, OptimizerStep.parameters);
  const gradients = pointer(args, OptimizerStep.gradients);
  const means = pointer(args, OptimizerStep.slot0);
  const squares = pointer(args, OptimizerStep.slot1);
  const flags = size(args, OptimizerStep.flags);
  const largest = flags & OptimizerFlag.amsgrad ? pointer(args, OptimizerStep.slot2) : 0;
  const decoupled = (flags & OptimizerFlag.decoupled) != 0;
  const segmentDecay = segmentReal(segment, Segment.decay);
  const decayReal: f32 = decoupled ? 0 : segmentDecay;
  const rateReal = segmentRate(args, segment);
  const keep = f32x4.splat(decoupled ? <f32>(1 - <f64>rateReal * <f64>segmentDecay) : 1);
  const fresh1 = 1 - <f64>real(args, OptimizerStep.a);
  const fresh2 = 1 - <f64>real(args, OptimizerStep.b);
  // a rate of 0 moves nothing: M / (0·√V + ∞)
  const rate = <f64>rateReal * correction1 * fresh1;
  const moves = rate > 1e-30;
  const spread = f32x4.splat(moves ? <f32>((correction2 * sqrt<f64>(fresh2)) / rate) : 0);
  const offset = f32x4.splat(moves ? <f32>(<f64>real(args, OptimizerStep.epsilon) / rate) : Infinity);
  const beta1 = f32x4.splat(real(args, OptimizerStep.a));
  const beta2 = f32x4.splat(real(args, OptimizerStep.b));
  const factorReal = clippingFactor(args);
  const factor = f32x4.splat(factorReal);
  const extras = extrasOf(args, segment, decayReal);
  const bare = extras == Extras.none && !largest;
  if (bare && !decoupled && factorReal == 1) {
    for (; at + 32 <= end; at += 32) {
      const w = parameters + at;
      const m = means + at;
      const v = squares + at;
      const g = gradients + at;
      adamBare(w, m, v, g, true, factor, beta1, beta2, spread, offset, keep);
      adamBare(w + 16, m + 16, v + 16, g + 16, true, factor, beta1, beta2, spread, offset, keep);
    }
  }
  if (bare) {
    for (; at + 32 <= end; at += 32) {
      const w = parameters + at;
      const m = means + at;
      const v = squares + at;
      const g = gradients + at;
      adamBare(w, m, v, g, false, factor, beta1, beta2, spread, offset, keep);
      adamBare(w + 16, m + 16, v + 16, g + 16, false, factor, beta1, beta2, spread, offset, keep);
    }
  }
  const l1 = f32x4.splat(penaltyOf(args, segment, Segment.l1));
  const l2 = f32x4.splat(penaltyOf(args, segment, Segment.l2));
  const clip = f32x4.splat(clipOf(real(args, OptimizerStep.clipValue)));
  const decay = f32x4.splat(decayReal);
  const threshold = f32x4.splat(rateReal * segmentReal(segment, Segment.shrink));
  if (extras == Extras.linear && !largest) {
    for (; at + 16 <= end; at += 16) {
      const w = v128.load(parameters + at);
      const g = gradientOf(v128.load(gradients + at), w, factor, Extras.linear, l1, l2, clip, decay);
      const delta = adamDelta(means + at, squares + at, 0, g, true, beta1, beta2, spread, offset);
      v128.store(parameters + at, f32x4.sub(f32x4.mul(w, keep), delta));
    }
  }
  while (at < end) {
    const whole = at + 16 <= end;
    const w = loadLanes(parameters + at, whole);
    const g = gradientOf(loadLanes(gradients + at, whole), w, factor, extras, l1, l2, clip, decay);
    const most = largest ? largest + at : 0;
    const delta = adamDelta(means + at, squares + at, most, g, whole, beta1, beta2, spread, offset);
    storeParameter(parameters + at, f32x4.sub(f32x4.mul(w, keep), delta), whole, extras, threshold);
    at += whole ? 16 : 4;
  }
}
