// Normalization of each example by itself: the same in training and otherwise, and whatever the batch is.

import type { Shape } from "../graph/graph";
import { ones, zeros } from "../initializers/initializers";
import { reshape } from "../ops/elementwise";
import { groupNorm as groupNormOp } from "../ops/groupNorm";
import { count, optional, or, positive } from "../options";
import { type Built, built } from "../registry";
import { checkRank, type Layer, type LayerOptions, layerFactory, type ParameterSpec } from "./layer";

/** Options of `layerNorm` and `groupNorm`. */
export interface GroupNormOptions extends LayerOptions {
  /** Added to the variance, inside the root. Default 1e-5. */
  epsilon?: number;
  /** A penalty on γ, such as `l2(1e-4)`. Default none. */
  gammaRegularizer?: Built;
  /** A penalty on β. Default none. */
  betaRegularizer?: Built;
}

const options = () => ({
  epsilon: or(positive(), 1e-5),
  gammaRegularizer: optional(built("regularizer", "l2(0.01)")),
  betaRegularizer: optional(built("regularizer", "l2(0.01)")),
});

/** gamma and beta, one a channel. */
const parametersFor = (
  x: Shape,
  config: { gammaRegularizer?: Built | undefined; betaRegularizer?: Built | undefined },
): Record<string, ParameterSpec> => ({
  gamma: { shape: [x.at(-1)!], initializer: ones(), regularizer: config.gammaRegularizer },
  beta: { shape: [x.at(-1)!], initializer: zeros(), regularizer: config.betaRegularizer },
});

/**
 * Layer normalization: y = γ·(x − μ)/√(σ² + epsilon) + β, μ and σ² (biased) over the last axis, in training and otherwise.
 * x: [n, …, c]. Parameters: `gamma`, `beta` [c]. (Ba, Kiros & Hinton 2016)
 *
 * @example sequential([dense(64, { inputShape: [10] }), layerNorm(), relu()])
 * @throws DownhillError `shape` for an input without axes
 */
export const layerNorm: (options?: GroupNormOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "layerNorm",
  options,
  parameters([x], config, who) {
    checkRank(who, x!, "[n, …, c]", x!.length > 0);
    return parametersFor(x!, config);
  },
  call([x], { config: { epsilon }, parameters: { gamma, beta } }) {
    const n = x!.shape.at(-1)!;
    const rows = reshape([x!], { to: [x!.size / n, n] });
    return reshape([groupNormOp([rows, gamma!, beta!], { groups: 1, epsilon })], { to: x!.shape });
  },
});

/**
 * Group normalization: y = γ·(x − μ)/√(σ² + epsilon) + β, μ and σ² (biased) of each example over a group of neighbouring
 * channels at all positions, in training and otherwise. x: [n, …, c], c a multiple of `groups`; with as many groups as
 * channels it is instance normalization. Parameters: `gamma`, `beta` [c]. (Wu & He 2018)
 *
 * @param groups ≥ 1
 * @throws DownhillError `shape` where channels are not divisible by `groups`
 */
export const groupNorm: (groups: number, options?: GroupNormOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "groupNorm",
  positional: ["groups"],
  options: () => ({ groups: count(), ...options() }),
  parameters([x], config, who) {
    const { groups } = config;
    checkRank(who, x!, `[n, …, c], c a multiple of ${groups}`, x!.length > 0 && x!.at(-1)! % groups === 0);
    return parametersFor(x!, config);
  },
  call: ([x], { config: { groups, epsilon }, parameters: { gamma, beta } }) =>
    groupNormOp([x!, gamma!, beta!], { groups, epsilon }),
});
