// Penalties on parameters (kernelRegularizer, biasRegularizer, …) and on a layer's output (activityRegularizer).

import { boolean, nonNegative, or } from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/** c₁‖w‖₁ + c₂·½‖w‖²; `shrink` in the place of c₁ where l1 is proximal. */
export interface Penalty {
  l1: number;
  l2: number;
  shrink: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
interface RegularizerDefinition<C = any> extends Definition {
  penalty(config: C): Penalty;
}

const regularizer = <Args extends unknown[]>(definition: RegularizerDefinition) =>
  factory<Args, RegularizerDefinition>("regularizer", definition);

/** @internal The coefficients of a regularizer. */
export function penaltyOf(config: Built | undefined): Penalty {
  if (!config) return { l1: 0, l2: 0, shrink: 0 };
  return definitionOf<RegularizerDefinition>("regularizer", config).penalty(config);
}

/** Adds c·½‖w‖²; gradient c·w. @param c ≥ 0 */
export const l2: (c: number) => Built = /* @__PURE__ */ regularizer<[c: number]>({
  type: "l2",
  positional: ["c"],
  options: () => ({ c: nonNegative() }),
  penalty: ({ c }) => ({ l1: 0, l2: c, shrink: 0 }),
});

/**
 * Adds c·‖w‖₁; subgradient c·sign(w), 0 at 0. With `proximal` the step's result is soft-thresholded by learning rate·c
 * instead: w ← sign(w)·max(|w| − ε·c, 0), which gives exact zeros. @param c ≥ 0
 */
export const l1: (c: number, options?: { proximal?: boolean }) => Built = /* @__PURE__ */ regularizer({
  type: "l1",
  positional: ["c"],
  options: () => ({ c: nonNegative(), proximal: or(boolean(), false) }),
  penalty: ({ c, proximal }) => (proximal ? { l1: 0, l2: 0, shrink: c } : { l1: c, l2: 0, shrink: 0 }),
});

/** Adds l1·‖w‖₁ + l2·½‖w‖²; defaults 0.01 each. */
export const l1l2: (options?: { l1?: number; l2?: number }) => Built = /* @__PURE__ */ regularizer({
  type: "l1l2",
  options: () => ({ l1: or(nonNegative(), 0.01), l2: or(nonNegative(), 0.01) }),
  penalty: ({ l1, l2 }) => ({ l1, l2, shrink: 0 }),
});
