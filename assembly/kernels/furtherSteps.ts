// More optimizer steps, in the terms of optimizer.ts: g, η, t and the passes over the block are as they are there.
//
//   adadelta v ← ρ·v + (1 − ρ)·g²,  Δ = √((u + ε)/(v + ε))·g,  u ← ρ·u + (1 − ρ)·Δ²;     w ← w − η·Δ
//   nadam    m ← β₁·m + (1 − β₁)·g,  v ← β₂·v + (1 − β₂)·g²,  μₜ = β₁·(1 − ½·0.96^(t·momentumDecay)),  Πₜ = μ₁·…·μₜ
//            w ← w − η·(μₜ₊₁/(1 − Πₜ₊₁)·m + (1 − μₜ)/(1 − Πₜ)·g)/(√v/√(1 − β₂ᵗ) + ε)
//   radam    m, v as there,  ρ∞ = 2/(1 − β₂) − 1,  ρₜ = ρ∞ − 2·t·β₂ᵗ/(1 − β₂ᵗ)
//            ρₜ > 5: w ← w − η·m/(1 − β₁ᵗ)·rₜ·√(1 − β₂ᵗ)/(√v + ε),  rₜ² = (ρₜ − 4)·(ρₜ − 2)·ρ∞/((ρ∞ − 4)·(ρ∞ − 2)·ρₜ)
//            else:   w ← w − η·m/(1 − β₁ᵗ)
//   lion     w ← (1 − η·decay)·w − η·sign(β₁·m + (1 − β₁)·g);  m ← β₂·m + (1 − β₂)·g
//
// Slots: adadelta v, u; nadam and radam m, v; lion m. One loop serves all four: what differs is a branch that every vector
// takes the same way, beside divisions and memory.

import { OptimizerStep, Segment, State } from "../isa";
import { pow64, power } from "../math/scalars";
import { pointer, real, size, stateWord } from "../operands";
import { loadLanes, storeLanes } from "./lanes.micro";
import { complement, extrasOf } from "./optimizer";
import { gradientOf, storeParameter } from "./optimizer.micro";
import { withSign } from "./penalty.micro";
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

const enum Rule {
  adadelta,
  nadam,
  radam,
  lion,
}

export function adadeltaStep(args: usize, ith: u32, nth: u32): void {
  step(args, ith, nth, Rule.adadelta, 0, 0, 0);
}

export function nadamStep(args: usize, ith: u32, nth: u32): void {
  const beta1 = <f64>real(args, OptimizerStep.a);
  const decay = <f64>real(args, OptimizerStep.c);
  const t = stateWord(args, State.step) + 1;
  const mu = momentumAt(beta1, decay, t);
  const muNext = momentumAt(beta1, decay, t + 1);
  const product = momentumProduct(beta1, decay, t);
  const ofMean = muNext / (1 - product * muNext);
  const ofGradient = (1 - mu) / (1 - product);
  step(args, ith, nth, Rule.nadam, ofMean, ofGradient, 1 / sqrt<f64>(1 - power(real(args, OptimizerStep.b), t)));
}

/** μₜ */
function momentumAt(beta1: f64, decay: f64, t: u32): f64 {
  return beta1 * (1 - 0.5 * pow64(0.96, <f64>t * decay));
}

/** Πₜ, up to where 1 − Πₜ is 1: within some hundred factors for every β₁ up to 0.9, and where the decay is slow, for all. */
function momentumProduct(beta1: f64, decay: f64, t: u32): f64 {
  const ratio = pow64(0.96, decay);
  let power: f64 = 1;
  let product: f64 = 1;
  for (; t != 0 && product > 1e-17; t--) {
    power *= ratio;
    product *= beta1 * (1 - 0.5 * power);
  }
  return product;
}

export function radamStep(args: usize, ith: u32, nth: u32): void {
  const beta2 = <f64>real(args, OptimizerStep.b);
  const t = stateWord(args, State.step) + 1;
  const power2 = power(beta2, t);
  const most = 2 / (1 - beta2) - 1;
  const length = most - (2 * <f64>t * power2) / (1 - power2);
  let rectified: f64 = 0;
  if (length > 5) {
    const ratio = ((length - 4) * (length - 2) * most) / ((most - 4) * (most - 2) * length);
    rectified = sqrt<f64>(ratio * (1 - power2));
  }
  step(args, ith, nth, Rule.radam, 1 / (1 - power(real(args, OptimizerStep.a), t)), 0, rectified);
}

export function lionStep(args: usize, ith: u32, nth: u32): void {
  step(args, ith, nth, Rule.lion, 0, 0, 0);
}

/** `ofMean`, `ofGradient`: factors of m and g; `third`: nadam's of √v; radam's of the quotient, 0 where it is not rectified. */
function step(args: usize, ith: u32, nth: u32, rule: Rule, ofMean: f64, ofGradient: f64, third: f64): void {
  const floats = size(args, OptimizerStep.floats);
  const from = blockShare(floats, ith, nth);
  const to = blockShare(floats, ith + 1, nth);
  let segment = pointer(args, OptimizerStep.segments);
  for (let count = size(args, OptimizerStep.segmentCount); count != 0; count--) {
    if (!segmentFrozen(segment))
      segmentStep(args, segment, segmentBegin(segment, from), segmentEnd(segment, to), rule, ofMean, ofGradient, third);
    segment += SEGMENT_BYTES;
  }
}

function segmentStep(
  args: usize,
  segment: usize,
  at: usize,
  end: usize,
  rule: Rule,
  ofMean: f64,
  ofGradient: f64,
  third: f64,
): void {
  const parameters = pointer(args, OptimizerStep.parameters);
  const gradients = pointer(args, OptimizerStep.gradients);
  const slot0 = pointer(args, OptimizerStep.slot0);
  const slot1 = pointer(args, OptimizerStep.slot1);
  const segmentDecay = segmentReal(segment, Segment.decay);
  const decayReal: f32 = rule == Rule.lion ? 0 : segmentDecay;
  const rateReal = segmentRate(args, segment);
  const rate = f32x4.splat(rateReal);
  const keep = f32x4.splat(rule == Rule.lion ? <f32>(1 - <f64>rateReal * <f64>segmentDecay) : 1);
  // 1 − ρ comes as it is (optimizer.ts)
  const a = real(args, OptimizerStep.a);
  const old1 = rule == Rule.adadelta ? complement(a) : f32x4.splat(a);
  const fresh1 = rule == Rule.adadelta ? f32x4.splat(a) : complement(a);
  const old2 = f32x4.splat(real(args, OptimizerStep.b));
  const fresh2 = complement(real(args, OptimizerStep.b));
  const epsilon = f32x4.splat(real(args, OptimizerStep.epsilon));
  const meanFactor = f32x4.splat(<f32>(<f64>rateReal * ofMean));
  const gradientFactor = f32x4.splat(<f32>(<f64>rateReal * ofGradient));
  const thirdFactor = f32x4.splat(<f32>third);
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
    const s0 = loadLanes(slot0 + at, whole);
    let delta: v128;
    if (rule == Rule.lion) {
      const c = f32x4.add(f32x4.mul(old1, s0), f32x4.mul(fresh1, g));
      storeLanes(slot0 + at, f32x4.add(f32x4.mul(old2, s0), f32x4.mul(fresh2, g)), whole);
      // what is not a number stays so
      const sign = v128.and(withSign(rate, c), f32x4.ne(c, f32x4.splat(0)));
      delta = v128.bitselect(sign, c, f32x4.eq(c, c));
    } else {
      const s1 = loadLanes(slot1 + at, whole);
      const square = f32x4.mul(g, g);
      if (rule == Rule.adadelta) {
        const v = f32x4.add(f32x4.mul(old1, s0), f32x4.mul(fresh1, square));
        storeLanes(slot0 + at, v, whole);
        const ratio = f32x4.div(f32x4.add(s1, epsilon), f32x4.add(v, epsilon));
        const u = f32x4.mul(f32x4.sqrt(ratio), g);
        storeLanes(slot1 + at, f32x4.add(f32x4.mul(old1, s1), f32x4.mul(fresh1, f32x4.mul(u, u))), whole);
        delta = f32x4.mul(rate, u);
      } else {
        const m = f32x4.add(f32x4.mul(old1, s0), f32x4.mul(fresh1, g));
        storeLanes(slot0 + at, m, whole);
        const v = f32x4.add(f32x4.mul(old2, s1), f32x4.mul(fresh2, square));
        storeLanes(slot1 + at, v, whole);
        delta = f32x4.mul(meanFactor, m);
        if (rule == Rule.nadam) {
          delta = f32x4.add(delta, f32x4.mul(gradientFactor, g));
          delta = f32x4.div(delta, f32x4.add(f32x4.mul(f32x4.sqrt(v), thirdFactor), epsilon));
        } else if (third != 0) delta = f32x4.mul(delta, f32x4.div(thirdFactor, f32x4.add(f32x4.sqrt(v), epsilon)));
      }
    }
    storeParameter(parameters + at, f32x4.sub(f32x4.mul(w, keep), delta), whole, extras, threshold);
    at += whole ? 16 : 4;
  }
}
