// Learning-rate schedules: the rate at update k = 0, 1, …. Powers and cosines come from WebAssembly, so that
// they have the same bits in every engine.

import { boolean, count, either, type Field, nonNegative, or, positive, unit } from "../options";
import { type Built, built, type Definition, definitionOf, factory } from "../registry";
import { scalars } from "../runtime/scalars";

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
interface ScheduleDefinition<C = any> extends Definition {
  rate(config: C, k: number): number;
}

const schedule = <Args extends unknown[]>(definition: ScheduleDefinition) =>
  factory<Args, ScheduleDefinition>("schedule", definition);

/** @internal The rate at update k. */
export function rateAt(config: Built | number, k: number): number {
  if (typeof config === "number") return config;
  return definitionOf<ScheduleDefinition>("schedule", config).rate(config, k);
}

const rate = nonNegative;

/** εₖ = (1 − k/τ)·ε₀ + (k/τ)·ε_τ for k < τ = steps, then ε_τ. (Goodfellow, Bengio & Courville 2016, 8.14) */
export const linearDecay: (options: { initial: number; final: number; steps: number }) => Built =
  /* @__PURE__ */ schedule({
    type: "linearDecay",
    options: () => ({ initial: rate(), final: rate(), steps: count() }),
    rate({ initial, final, steps }, k) {
      const part = Math.min(1, k / steps);
      return (1 - part) * initial + part * final;
    },
  });

/** Options of `exponentialDecay` and `inverseTimeDecay`. */
export interface DecayOptions {
  /** The rate at first, ≥ 0. */
  initial: number;
  /** What is multiplied by, or how fast it falls, in `decaySteps` updates; ≥ 0. */
  decayRate: number;
  /** Updates. */
  decaySteps: number;
  /** Falls at every `decaySteps`-th update alone. Default false. */
  staircase?: boolean;
}

const decayOptions = () => ({
  initial: rate(),
  decayRate: nonNegative(),
  decaySteps: count(),
  staircase: or(boolean(), false),
});
const decayPart = ({ decaySteps, staircase }: DecayOptions, k: number) =>
  staircase ? Math.floor(k / decaySteps) : k / decaySteps;

/** initial · decayRate^(k/decaySteps); `staircase` takes the whole part of the exponent. */
export const exponentialDecay: (options: DecayOptions) => Built = /* @__PURE__ */ schedule({
  type: "exponentialDecay",
  options: decayOptions,
  rate: (config, k) => config.initial * scalars().pow64(config.decayRate, decayPart(config, k)),
});

/** initial / (1 + decayRate · k/decaySteps); `staircase` takes the whole part of k/decaySteps. */
export const inverseTimeDecay: (options: DecayOptions) => Built = /* @__PURE__ */ schedule({
  type: "inverseTimeDecay",
  options: decayOptions,
  rate: (config, k) => config.initial / (1 + config.decayRate * decayPart(config, k)),
});

/** initial · factor^⌊k/every⌋. */
export const stepDecay: (options: { initial: number; factor: number; every: number }) => Built =
  /* @__PURE__ */ schedule({
    type: "stepDecay",
    options: () => ({ initial: rate(), factor: nonNegative(), every: count() }),
    rate: ({ initial, factor, every }, k) => initial * scalars().pow64(factor, Math.floor(k / every)),
  });

/** (initial − final)·(1 − min(1, k/steps))^power + final. */
export const polynomialDecay: (options: { initial: number; final: number; power: number; steps: number }) => Built =
  /* @__PURE__ */ schedule({
    type: "polynomialDecay",
    options: () => ({ initial: rate(), final: rate(), power: positive(), steps: count() }),
    rate: ({ initial, final, power, steps }, k) =>
      (initial - final) * scalars().pow64(1 - Math.min(1, k / steps), power) + final,
  });

/** final + ½·(initial − final)·(1 + cos(π·min(1, k/steps))); final = 0. (Loshchilov & Hutter 2016, without restarts) */
export const cosineDecay: (options: { initial: number; final?: number; steps: number }) => Built =
  /* @__PURE__ */ schedule({
    type: "cosineDecay",
    options: () => ({ initial: rate(), final: or(rate(), 0), steps: count() }),
    rate: ({ initial, final, steps }, k) => anneal(initial, final, Math.min(1, k / steps)),
  });

function anneal(from: number, to: number, part: number): number {
  return to + 0.5 * (from - to) * (1 + scalars().cos64(Math.PI * part));
}

/** then(0)·(k + 1)/steps while k < steps, after that then(k − steps). `then` is a rate or a schedule. */
export const warmup: (options: { steps: number; then: number | Built }) => Built = /* @__PURE__ */ schedule({
  type: "warmup",
  options: () => ({ steps: count(), then: rateOrSchedule() }),
  rate: ({ steps, then }, k) => (k < steps ? (rateAt(then, 0) * (k + 1)) / steps : rateAt(then, k - steps)),
});

/** An option that takes a rate or a schedule. */
export const rateOrSchedule = (): Field<number | Built> => ({
  ...either(rate(), built("schedule", "cosineDecay({ initial: 0.1, steps: 1000 })")),
  family: "schedule",
});

/**
 * One cycle, as PyTorch's OneCycleLR: from max/25 by cosine up to max in the first 30 % of the steps, then by cosine down
 * to max/25/10⁴. (Smith & Topin 2017)
 */
export const oneCycle: (options: {
  max: number;
  steps: number;
  warmupFraction?: number;
  initialDivisor?: number;
  finalDivisor?: number;
}) => Built = /* @__PURE__ */ schedule({
  type: "oneCycle",
  options: () => ({
    max: rate(),
    steps: count(),
    warmupFraction: or(unit(), 0.3),
    initialDivisor: or(positive(), 25),
    finalDivisor: or(positive(), 1e4),
  }),
  rate({ max, steps, warmupFraction, initialDivisor, finalDivisor }, k) {
    const initial = max / initialDivisor;
    const peak = warmupFraction * steps - 1;
    const at = Math.min(k, steps - 1);
    if (at <= peak) return anneal(initial, max, peak > 0 ? at / peak : 1);
    return anneal(max, initial / finalDivisor, Math.min(1, (at - peak) / (steps - 1 - peak)));
  },
});
