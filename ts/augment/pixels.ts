// Images with other pixels in the same places.

import { Adjustment } from "../../assembly/isa";
import { adjust, erase } from "../ops/augment";
import { gaussian } from "../ops/noise";
import { finite, nonNegative, optional, or, unit } from "../options";
import type { Built } from "../registry";
import { type Amount, type AugmentContext, amount, augmentation, bounds, pair } from "./augmentation";

/** In which range values lie. */
export interface RangeOptions {
  /**
   * [lowest, highest] of the input's values: amounts are shares of highest − lowest, and results are cut to it. Default: of bytes
   * [0, 255]; of floats amounts are as they are, and nothing is cut.
   */
  valueRange?: readonly [lowest: number, highest: number];
}

const valueRange = () => optional(pair(-1e30, 1e30));

interface AdjustConfig {
  factor: Amount;
  valueRange?: readonly [number, number];
}

const limitsOf = ({ valueRange }: AdjustConfig, { bytes }: AugmentContext): readonly [number, number] =>
  valueRange ?? (bytes ? [0, 255] : [-Infinity, Infinity]);

/**
 * Adds a number to each example, drawn from `factor`: a share f of the value range for [−f, f], or [lower, upper], within
 * [−1, 1]. Default 0.2. Examples of any shape.
 */
export const randomBrightness: (options?: RangeOptions & { factor?: Amount }) => Built = /* @__PURE__ */ augmentation(
  false,
  {
    type: "randomBrightness",
    options: () => ({ factor: or(amount(-1, 1), 0.2), valueRange: valueRange() }),
    build(x, config: AdjustConfig, context) {
      const limits = limitsOf(config, context);
      const [lower, upper] = bounds(config.factor);
      const range = limits[1] < Infinity ? limits[1] - limits[0] : 1;
      const amount = [lower * range, upper * range] as const;
      return adjust([x], { kind: Adjustment.brightness, op: context.op, amount, limits });
    },
  },
);

/**
 * x ← (1 + f)·(x − mean) + mean, the mean each channel's of the example; f is drawn from `factor`: a number a for [−a, a], or
 * [lower, upper], within [−1, 10]. Default 0.2. Examples of any shape.
 */
export const randomContrast: (options?: RangeOptions & { factor?: Amount }) => Built = /* @__PURE__ */ augmentation(
  false,
  {
    type: "randomContrast",
    options: () => ({ factor: or(amount(-1, 10), 0.2), valueRange: valueRange() }),
    build: (x, config: AdjustConfig, context) =>
      adjust([x], {
        kind: Adjustment.contrast,
        op: context.op,
        amount: bounds(config.factor),
        limits: limitsOf(config, context),
      }),
  },
);

/**
 * Adds to each element a number of its own from N(0, `stddev`²): default 0.1; of bytes, in units of 255. Examples of any shape.
 */
export const randomNoise: (options?: { stddev?: number }) => Built = /* @__PURE__ */ augmentation(false, {
  type: "randomNoise",
  options: () => ({ stddev: or(nonNegative(), 0.1) }),
  build: (x, { stddev }, { op, bytes }) =>
    gaussian([x], { deviation: bytes ? 255 * stddev : stddev, multiplied: false, op }),
});

/**
 * Random erasing: with probability `factor` (default 0.5) a rectangle of the image becomes `fillValue` (default 0, in units of
 * the input). Its area is a share of the image's, drawn from `scale` (default [0.02, 0.33]); log(height/width) is drawn between
 * the logarithms of `ratio` (default [0.3, 3.3]); sides are rounded to pixels and cut to the image's. (Zhong et al. 2020)
 */
export const randomErasing: (options?: {
  factor?: number;
  scale?: readonly [lower: number, upper: number];
  ratio?: readonly [lower: number, upper: number];
  fillValue?: number;
}) => Built = /* @__PURE__ */ augmentation(true, {
  type: "randomErasing",
  options: () => ({
    factor: or(unit(), 0.5),
    scale: or(pair(0, 1), [0.02, 0.33] as const),
    ratio: or(pair(1e-3, 1e3), [0.3, 3.3] as const),
    fillValue: or(finite(), 0),
  }),
  build: (x, { factor, scale, ratio, fillValue }, { op }) =>
    erase([x], { op, probability: factor, area: scale, ratio, fillValue }),
});
