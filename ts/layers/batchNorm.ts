import { ones, zeros } from "../initializers/initializers";
import { batchNormInference, batchNorm as batchNormOp, movingAverage } from "../ops/batchNorm";
import { optional, or, positive, unit } from "../options";
import { type Built, built } from "../registry";
import { checkRank, type Layer, type LayerOptions, layerFactory } from "./layer";

/** Options of `batchNorm`. */
export interface BatchNormOptions extends LayerOptions {
  /** Added to the variance, inside the root. Default 1e-5. */
  epsilon?: number;
  /** The old value's weight in the moving statistics, in [0, 1]. Default 0.9. */
  momentum?: number;
  /** A penalty on γ, such as `l2(1e-4)`. Default none. */
  gammaRegularizer?: Built;
  /** A penalty on β. Default none. */
  betaRegularizer?: Built;
}

/**
 * Batch normalization over all axes but the last: y = γ·(x − μ)/√(σ² + epsilon) + β.
 *
 * In training μ and σ² (biased) are the minibatch's, and moving ← momentum·moving + (1 − momentum)·batch; otherwise they
 * are the moving statistics, as they are while the layer is not trainable. x: [n, …, c]. Parameters: `gamma`, `beta` [c];
 * statistics: `movingMean`, `movingVariance` [c]. (Ioffe & Szegedy 2015)
 *
 * @example sequential([dense(64, { inputShape: [10] }), batchNorm(), relu()])
 */
export const batchNorm: (options?: BatchNormOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "batchNorm",
  frozenIsInference: true,
  options: () => ({
    epsilon: or(positive(), 1e-5),
    momentum: or(unit(), 0.9),
    gammaRegularizer: optional(built("regularizer", "l2(0.01)")),
    betaRegularizer: optional(built("regularizer", "l2(0.01)")),
  }),
  parameters([x], config, who) {
    checkRank(who, x!, "[n, …, c]", x!.length > 0);
    const shape = [x!.at(-1)!];
    return {
      gamma: { shape, initializer: ones(), regularizer: config.gammaRegularizer },
      beta: { shape, initializer: zeros(), regularizer: config.betaRegularizer },
      movingMean: { shape, initializer: zeros(), statistic: true },
      movingVariance: { shape, initializer: ones(), statistic: true },
    };
  },
  call([x], { config: { epsilon, momentum }, parameters, training, onUpdate }) {
    const { gamma, beta, movingMean, movingVariance } = parameters;
    if (!training) return batchNormInference([x!, gamma!, beta!, movingMean!, movingVariance!], { epsilon });
    const [y, mean, variance] = batchNormOp([x!, gamma!, beta!], { epsilon }).node!.outputs;
    onUpdate((weight = momentum) => {
      movingAverage([movingMean!, mean!], { momentum: weight });
      movingAverage([movingVariance!, variance!], { momentum: weight });
    });
    return y!;
  },
});
