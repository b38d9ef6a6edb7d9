// Images [n, h, w, c] made larger.

import { pad } from "../ops/layout";
import { spread2d } from "../ops/pooling";
import { bilinear } from "../ops/resize";
import { type Field, natural, oneOf, or } from "../options";
import { checkImages } from "./convolution";
import { type Layer, type LayerOptions, layerFactory } from "./layer";
import { pairOf, type Size, size } from "./window";

/** Options of `upSampling2d`. */
export interface UpSamplingOptions extends LayerOptions {
  /** `"nearest"` (default): each pixel is repeated. `"bilinear"`: linear between the centres of pixels. */
  interpolation?: "nearest" | "bilinear";
}

/**
 * Enlarged images: [n, h, w, c] → [n, h·size[0], w·size[1], c].
 *
 * @param size pixels in the place of one: a number, or [rows, columns]
 * @example upSampling2d(2, { interpolation: "bilinear" }) // twice as high and wide
 * @throws DownhillError `argument` for a bad option, `shape` for what is no image
 */
export const upSampling2d: (size: Size, options?: UpSamplingOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "upSampling2d",
  positional: ["size"],
  options: () => ({ size: size(), interpolation: or(oneOf("nearest", "bilinear"), "nearest") }),
  call([x], { config }, who) {
    checkImages(who, x!.shape.slice(1));
    const scale = pairOf(config.size);
    if (config.interpolation === "bilinear") return bilinear([x!], { scale });
    const [n, h, w, c] = x!.shape as [number, number, number, number];
    const to = [n, h * scale[0], w * scale[1], c];
    return spread2d([x!], { poolSize: scale, strides: scale, pads: [0, 0, 0, 0], sum: true, to });
  },
});

/** Rows and columns round an image: as many on all sides, [above and below, left and right], or [[top, bottom], [left, right]]. */
export type Margins =
  | number
  | readonly [vertical: number, horizontal: number]
  | readonly [readonly [top: number, bottom: number], readonly [left: number, right: number]];

const margins = (): Field<Margins> => {
  const { accepts } = natural();
  const pair = (v: unknown, of: (item: unknown) => boolean) => Array.isArray(v) && v.length === 2 && v.every(of);
  return {
    expected: "an integer ≥ 0, a pair of them, or [[top, bottom], [left, right]]",
    accepts: (v) => accepts(v) || pair(v, accepts) || pair(v, (side) => pair(side, accepts)),
  };
};

/**
 * Zeros round an image: [n, h, w, c] → [n, top + h + bottom, left + w + right, c].
 *
 * @param padding a number for all sides, [vertical, horizontal], or [[top, bottom], [left, right]]
 * @example zeroPadding2d([[1, 0], [2, 2]])
 * @throws DownhillError `argument` for a bad option, `shape` for what is no image
 */
export const zeroPadding2d: (padding: Margins, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "zeroPadding2d",
  positional: ["padding"],
  options: () => ({ padding: margins() }),
  check(config: { padding: Margins }) {
    // a copy, lists in it too
    config.padding = structuredClone(config.padding);
  },
  call([x], { config: { padding } }, who) {
    checkImages(who, x!.shape.slice(1));
    const [n, h, w, c] = x!.shape as [number, number, number, number];
    const both = typeof padding === "number" ? ([padding, padding] as const) : padding;
    const [[top, bottom], [left, right]] = both.map(pairOf) as [[number, number], [number, number]];
    return pad([x!], { begin: [0, top, left, 0], to: [n, top + h + bottom, left + w + right, c] });
  },
});
