// Layers that models of other tools need beside those that users name. Files of models hold them by their types, which begin with
// "imported": `slice` and `clip` are names that users give to layers of their own.

import { clip as clipOp, exp, log, subtract } from "../ops/arithmetic";
import { reshape } from "../ops/elementwise";
import { largest } from "../ops/largest";
import { slice as sliceOp, stopGradient } from "../ops/layout";
import { averagePool2d, maxPooled } from "../ops/pooling";
import { broadcastTo, sum } from "../ops/reductions";
import { boolean, count, type Field, field, finite, natural, optional, or } from "../options";
import { checkImages } from "./convolution";
import { checkRank, type Layer, type LayerOptions, layerFactory } from "./layer";
import { pairOf, type Size, size } from "./window";

type Pads = readonly [top: number, bottom: number, left: number, right: number];

/** Options of `paddedPool2d`. */
export interface PaddedPoolOptions extends LayerOptions {
  strides: Size;
  pads: Pads;
  /** The mean, not the largest. Default false. */
  average?: boolean;
}

/**
 * The largest, or the mean, of what of each window lies within the image, whose sides have `pads` beside them:
 * [n, h, w, c] → [n, ⌊(h + top + bottom − poolSize)/strides⌋ + 1, …, c].
 */
export const paddedPool2d: (poolSize: Size, options: PaddedPoolOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "importedPool2d",
  positional: ["poolSize"],
  options: () => ({
    poolSize: size(),
    strides: size(),
    pads: field<Pads>("four integers ≥ 0", (v) => Array.isArray(v) && v.length === 4 && v.every(natural().accepts)),
    average: or(boolean(), false),
  }),
  call([x], { config: { poolSize, strides, pads, average } }, who) {
    checkImages(who, x!.shape.slice(1));
    const window = pairOf(poolSize);
    const below = pads.every((pad, i) => pad < window[i >> 1]!) && window.every((d) => d < 2 ** 24);
    checkRank(who, x!.shape.slice(1), "[n, h, w, c], padded by less than its windows, which are below 2^24", below);
    const windows = { poolSize: window, strides: pairOf(strides), pads };
    return average ? averagePool2d([x!], windows) : maxPooled(x!, windows);
  },
});

/** Options of `clip`. */
export interface ClipOptions extends LayerOptions {
  /** Default: no bound. */
  low?: number;
  high?: number;
}

/** min(max(x, low), high), to the bit; the gradient passes where x lies within, its ends included. */
export const clip: (options: ClipOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "importedClip",
  options: () => ({ low: optional(finite()), high: optional(finite()) }),
  call: ([x], { config: { low = -Infinity, high = Infinity } }) => clipOp([x!], { low, high }),
});

/** y = x − log Σⱼ exp(xⱼ) along the last axis, without ever taking the log of a small number. */
export const logSoftmax: (options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "importedLogSoftmax",
  call([x]) {
    const { shape } = x!;
    const rank = shape.length;
    const last = { from: rank - 1, to: rank };
    const wide = (y: Parameters<typeof subtract>[0][number]) =>
      broadcastTo([reshape([y], { to: [...shape.slice(0, -1), 1] })], { to: shape });
    const shifted = subtract([x!, wide(stopGradient([largest([x!], last)]))]);
    return subtract([shifted, wide(log([sum([exp([shifted])], last)]))]);
  },
});

const isList = (v: unknown, { accepts }: Field<number>) => Array.isArray(v) && v.length > 0 && v.every(accepts);

/** Of each example `size` numbers along each axis, from `begin` on. */
export const slice: (begin: readonly number[], size: readonly number[], options?: LayerOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "importedSlice",
    positional: ["begin", "size"],
    options: () => ({
      begin: field<readonly number[]>("a list of integers ≥ 0", (v) => isList(v, natural())),
      size: field<readonly number[]>("a list of positive integers", (v) => isList(v, count())),
    }),
    call([x], { config: { begin, size } }, who) {
      const [n, ...given] = x!.shape as [number, ...number[]];
      const fits = begin.length === given.length && size.length === given.length;
      checkRank(
        who,
        given,
        `[n, …] from [${begin}] on of [${size}]`,
        fits && given.every((d, k) => begin[k]! + size[k]! <= d),
      );
      return sliceOp([x!], { begin: [0, ...begin], size: [n, ...size] });
    },
  });
