// Pooling of images [n, h, w, c].

import type { Shape, Tensor } from "../graph/graph";
import { reshape } from "../ops/elementwise";
import { averagePool2d as averagePool2dOp, maxPooled, type Pooling } from "../ops/pooling";
import { optional } from "../options";
import { checkImages } from "./convolution";
import { type Layer, type LayerOptions, layerFactory } from "./layer";
import { type Padding, padding, padsOf, pairOf, type Size, size } from "./window";

/** Options of `maxPool2d` and `averagePool2d`. */
export interface PoolOptions extends LayerOptions {
  /** Pixels from one window to the next. Default: the window's own size. */
  strides?: Size;
  /** `"valid"` (default): windows lie within the image. `"same"`: as TensorFlow has it; what lies outside does not count. */
  padding?: Padding;
}

/** A layer that makes one image of another, window by window. */
const pool = (type: string, pooled: (x: Tensor, windows: Pooling) => Tensor) =>
  layerFactory<ReturnType<typeof poolOptions>, [poolSize: Size, options?: PoolOptions]>({
    type,
    positional: ["poolSize"],
    options: poolOptions,
    call([x], { config }, who) {
      const [, h, w] = imagesOf(x!, who);
      const poolSize = pairOf(config.poolSize);
      const strides = pairOf(config.strides ?? poolSize);
      return pooled(x!, { poolSize, strides, pads: padsOf(config.padding, [h!, w!], poolSize, strides) });
    },
  });

const poolOptions = () => ({ poolSize: size(), strides: optional(size()), padding: padding() });

/** The shape of images. */
function imagesOf({ shape }: Tensor, who: string): Shape {
  checkImages(who, shape.slice(1));
  return shape;
}

/** A layer that makes one number of each channel. */
const globalPool = (
  type: string,
  pooled: (x: Tensor, windows: Pooling) => Tensor,
): ((options?: LayerOptions) => Layer) =>
  layerFactory({
    type,
    call([x], _, who) {
      const [n, h, w, c] = imagesOf(x!, who) as [number, number, number, number];
      const windows: Pooling = { poolSize: [h, w], strides: [h, w], pads: [0, 0, 0, 0] };
      return reshape([pooled(x!, windows)], { to: [n, c] });
    },
  });

const mean = (x: Tensor, windows: Pooling) => averagePool2dOp([x], windows);

/**
 * The largest number of each window, channel by channel. The gradient goes to it, to the first where several are equal.
 *
 * x: [n, h, w, c] → [n, h′, w′, c]; `valid`: h′ = ⌊(h − poolSize)/strides⌋ + 1, `same`: ⌈h/strides⌉.
 *
 * @param poolSize the windows' size: a number, or [height, width]
 * @example sequential([conv2d(32, 3, { activation: "relu", inputShape: [28, 28, 1] }), maxPool2d(2)])
 * @throws DownhillError `argument` for a bad option, `shape` for what is no image or is smaller than the window
 */
export const maxPool2d: (poolSize: Size, options?: PoolOptions) => Layer = /* @__PURE__ */ pool("maxPool2d", maxPooled);

/**
 * The mean of each window, channel by channel: with `same`, of what of it lies within the image. Shapes: see maxPool2d.
 *
 * @param poolSize the windows' size: a number, or [height, width]
 * @throws DownhillError `argument` for a bad option, `shape` for what is no image or is smaller than the window
 */
export const averagePool2d: (poolSize: Size, options?: PoolOptions) => Layer = /* @__PURE__ */ pool(
  "averagePool2d",
  mean,
);

/**
 * The mean of each channel over the image: [n, h, w, c] → [n, c]. (Lin, Chen & Yan 2014)
 *
 * @throws DownhillError `shape` for what is no image
 */
export const globalAveragePool2d: (options?: LayerOptions) => Layer = /* @__PURE__ */ globalPool(
  "globalAveragePool2d",
  mean,
);

/**
 * The largest number of each channel: [n, h, w, c] → [n, c]. The gradient goes to the first where several are equal.
 *
 * @throws DownhillError `shape` for what is no image
 */
export const globalMaxPool2d: (options?: LayerOptions) => Layer = /* @__PURE__ */ globalPool(
  "globalMaxPool2d",
  maxPooled,
);
