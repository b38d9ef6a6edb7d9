// Layers that are noise in training and nothing otherwise.

import { dropout as dropoutOp } from "../ops/dropout";
import { affine } from "../ops/elementwise";
import { gaussian, spatialDropout } from "../ops/noise";
import { fraction, nonNegative } from "../options";
import { checkRank, type Layer, type LayerOptions, layerFactory } from "./layer";

/**
 * Gaussian noise: in training y = x + stddev·z, z standard normal, drawn for each element; otherwise y = x. On inputs it is
 * data augmentation, on hidden units the same at another level. (Bishop 1995; Poole, Sohl-Dickstein & Ganguli 2014)
 *
 * @param stddev the noise's standard deviation, ≥ 0
 * @example sequential([gaussianNoise(0.1, { inputShape: [64] }), dense(32, { activation: "relu" }), dense(10)])
 */
export const gaussianNoise: (stddev: number, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "gaussianNoise",
  positional: ["stddev"],
  options: () => ({ stddev: nonNegative() }),
  call: ([x], { config: { stddev: deviation }, training, op }) =>
    training && deviation > 0 ? gaussian([x!], { deviation, multiplied: false, op }) : x!,
});

/**
 * Gaussian dropout: in training y = x·(1 + z·√(rate/(1 − rate))), z standard normal: of the mean and variance of
 * `dropout(rate)`'s; otherwise y = x. (Srivastava et al. 2014, section 10)
 *
 * @param rate what of dropout it stands for, in [0, 1)
 */
export const gaussianDropout: (rate: number, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "gaussianDropout",
  positional: ["rate"],
  options: () => ({ rate: fraction() }),
  call: ([x], { config: { rate }, training, op }) =>
    training && rate > 0 ? gaussian([x!], { deviation: Math.sqrt(rate / (1 - rate)), multiplied: true, op }) : x!,
});

/** What SELU tends to for x → −∞: −scale·alpha. */
const SELU_FLOOR = -1.7580993408473766;

/**
 * Alpha dropout, for layers behind `selu`: in training an element is set to α′ = −1.7581, SELU's limit for x → −∞, with
 * probability `rate`, and then y = a·x + b, where a = ((1 − rate)·(1 + rate·α′²))^(−½) and b = −a·rate·α′ keep mean 0 and
 * variance 1 as they are; otherwise y = x. (Klambauer et al. 2017)
 *
 * @param rate the fraction dropped, in [0, 1)
 */
export const alphaDropout: (rate: number, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "alphaDropout",
  positional: ["rate"],
  options: () => ({ rate: fraction() }),
  call([x], { config: { rate }, training, op }) {
    if (!training || rate === 0) return x!;
    // with m the mask: a·(x·m + α′·(1 − m)) + b = a·(1 − p)·[(x − α′)·m/(1 − p)] + a·α′ + b, p the rate that a mask has
    const p = Math.min(Math.floor(rate * 65536 + 0.5), 65535) / 65536;
    const a = 1 / Math.sqrt((1 - p) * (1 + p * SELU_FLOOR * SELU_FLOOR));
    const shifted = affine([x!], { scale: 1, offset: -SELU_FLOOR });
    return affine([dropoutOp([shifted], { rate, op })], { scale: a * (1 - p), offset: a * (1 - p) * SELU_FLOOR });
  },
});

/**
 * Dropout of whole channels of images: in training each channel of an example is set to 0 with probability `rate`, at all
 * positions, and the others are divided by 1 − rate; otherwise y = x. For layers whose neighbouring positions are alike, of
 * which `dropout` would leave the rest to tell what it dropped. x: [n, h, w, c]. (Tompson et al. 2015)
 *
 * @param rate the fraction dropped, in [0, 1)
 * @throws DownhillError `shape` where x has not four axes
 */
export const spatialDropout2d: (rate: number, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "spatialDropout2d",
  positional: ["rate"],
  options: () => ({ rate: fraction() }),
  call([x], { config: { rate }, training, op }, who) {
    checkRank(who, x!.shape.slice(1), "[n, h, w, c]", x!.shape.length === 4);
    return training && rate > 0 ? spatialDropout([x!], { rate, op }) : x!;
  },
});
