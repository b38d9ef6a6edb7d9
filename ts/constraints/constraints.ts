// Constraints on parameters (kernelConstraint, biasConstraint, …): put in force after each step, as Keras has them.

import { wrong } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import { nonNegative, normConstraint, runsOf } from "../ops/constraints";
import { either, type Field, listOf, nonNegative as nonNegativeField, or, positive, unit } from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface ConstraintDefinition<C = any> extends Definition {
  /** Throws where a parameter of that shape cannot be held so. */
  fits?(config: C, shape: Shape, who: string): void;
  /** Builds what holds `w`, whose row of the segment table it is, behind a step. */
  hold(config: C, w: Tensor, segments: Tensor, row: number): void;
}

/** @internal */
export const constraintDefinition = (config: Built): ConstraintDefinition =>
  definitionOf<ConstraintDefinition>("constraint", config);

/** Axes over which a norm is taken. */
export type Axes = number | readonly number[];

const integer: Field<number> = { expected: "an integer", accepts: Number.isSafeInteger };
const axisOption = () => or(either(integer, listOf(integer)), 0 as number | number[]);

/** Each axis once, from 0 on. */
function axesOf({ type, axis }: { type: string; axis: Axes }, { length }: Shape, who: string): number[] {
  const axes = [axis].flat().map((a) => {
    if (a < -length || a >= length) throw wrong("argument", `${who}: ${type}`, `axes in [${-length}, ${length})`, a);
    return a < 0 ? a + length : a;
  });
  return [...new Set(axes)];
}

interface Norm {
  type: string;
  axis: Axes;
}

/** A constraint on norms over axes. `limits`: low, high and rate. */
const normFactory = <O extends { axis?: Axes }>(
  definition: Pick<Definition, "type" | "options" | "check"> & {
    // biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
    limits(config: any): { low: number; high: number; rate: number };
  },
) =>
  factory<[options?: O], ConstraintDefinition<Norm>>("constraint", {
    ...definition,
    options: () => ({ ...definition.options?.(), axis: axisOption() }),
    fits(config, shape, who) {
      if (runsOf(shape, axesOf(config, shape, who)).length > 5)
        throw wrong("argument", `${who}: ${config.type}`, "axes in at most two runs", config.axis);
    },
    hold(config, w, segments, row) {
      const axes = axesOf(config, w.shape, w.name);
      normConstraint([w, segments], { row, axes, ...definition.limits(config) });
    },
  });

/**
 * Norms of at most `maxValue`: w ← w·min(n, maxValue)/(1e-7 + n), n = √Σ w² over `axis`. With axis 0, the default, of a
 * dense kernel [in, units] that is a unit's incoming weights; of a convolution's [kh, kw, in, out] take axis [0, 1, 2].
 * `maxValue` > 0, default 2. (Srebro & Shraibman 2005; Srivastava et al. 2014)
 *
 * @example dense(64, { kernelConstraint: maxNorm({ maxValue: 3 }) })
 * @throws DownhillError `argument`; for an axis that the parameter has not, when the layer is called
 */
export const maxNorm: (options?: { maxValue?: number; axis?: Axes }) => Built = /* @__PURE__ */ normFactory({
  type: "maxNorm",
  options: () => ({ maxValue: or(positive(), 2) }),
  limits: ({ maxValue }) => ({ low: 0, high: maxValue, rate: 1 }),
});

/** Norms of 1: w ← w/(1e-7 + n), n = √Σ w² over `axis`, default 0; what is all zeros stays so. */
export const unitNorm: (options?: { axis?: Axes }) => Built = /* @__PURE__ */ normFactory({
  type: "unitNorm",
  limits: () => ({ low: 1, high: 1, rate: 1 }),
});

/** Options of `minMaxNorm`. */
export interface MinMaxNormOptions {
  /** ≥ 0. Default 0. */
  minValue?: number;
  /** > 0, at least minValue. Default 1. */
  maxValue?: number;
  /** How much of the way is gone at each step, in [0, 1]. Default 1. */
  rate?: number;
  /** Default 0. */
  axis?: Axes;
}

/**
 * Norms in [minValue, maxValue]: w ← w·(rate·min(max(n, minValue), maxValue) + (1 − rate)·n)/(1e-7 + n), n = √Σ w² over
 * `axis`; what is all zeros stays so.
 */
export const minMaxNorm: (options?: MinMaxNormOptions) => Built = /* @__PURE__ */ normFactory<MinMaxNormOptions>({
  type: "minMaxNorm",
  options: () => ({ minValue: or(nonNegativeField(), 0), maxValue: or(positive(), 1), rate: or(unit(), 1) }),
  check({ minValue, maxValue }: { minValue: number; maxValue: number }) {
    if (minValue > maxValue) throw wrong("argument", "minMaxNorm", "minValue ≤ maxValue", `${minValue} > ${maxValue}`);
  },
  limits: ({ minValue, maxValue, rate }) => ({ low: minValue, high: maxValue, rate }),
});

/** No weights below 0: w ← max(w, 0). */
export const nonNeg: () => Built = /* @__PURE__ */ factory<[], ConstraintDefinition>("constraint", {
  type: "nonNeg",
  hold: (_, w, segments, row) => nonNegative([w, segments], { row }),
});
