// Layers whose kernels move over images [n, h, w, c] or sequences [n, t, c].

import { wrong } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import { biasAdd } from "../ops/bias";
import { conv2d as conv2dOp, conv2dTranspose as conv2dTransposeOp } from "../ops/convolution";
import { reshape } from "../ops/elementwise";
import { type Algorithm, checkGroups, type Geometry, type Pair } from "../ops/geometry";
import { count, oneOf, or } from "../options";
import { type ActivationName, applyActivation } from "./activation";
import { type KernelOptions, kernelAndBias, kernelOptions } from "./dense";
import { checkRank, type Layer, layerFactory, type ParameterSpec } from "./layer";
import { type Padding, padding, padsOf, pairOf, type Size, size } from "./window";

/** Options of layers whose kernel moves over an image. */
export interface WindowOptions extends KernelOptions {
  /** Pixels from one place of the kernel to the next. Default 1. */
  strides?: Size;
  /** `"valid"` (default): the kernel stays within the image. `"same"`: zeros round it, as TensorFlow has them. */
  padding?: Padding;
  /** Pixels from one tap of the kernel to the next. Default 1. */
  dilationRate?: Size;
}

const windowOptions = () => ({
  strides: or(size(), 1),
  padding: padding(),
  dilationRate: or(size(), 1),
  ...kernelOptions(),
});

/** Throws `shape` for what is no image, or has not so many channels. */
export function checkImages(who: string, x: Shape, channels?: number): void {
  checkRank(who, x, `[n, h, w, ${channels ?? "c"}]`, x.length === 3 && x[2] === (channels ?? x[2]));
}

/** The geometry that options describe, for images (n, h, w, c) and a window. */
function geometryOf(
  [, h, w]: Shape,
  window: Pair,
  config: { strides: Size; padding: Padding; dilationRate: Size },
  groups = 1,
): Geometry {
  const [strides, dilation] = [pairOf(config.strides), pairOf(config.dilationRate)];
  const pads = padsOf(config.padding, [h!, w!], window, strides, dilation);
  return { strides, dilation, groups, pads };
}

/** activation(y + bias) */
function finished(y: Tensor, bias: Tensor | undefined, name: ActivationName | undefined): Tensor {
  return applyActivation(name, bias ? biasAdd([y, bias]) : y);
}

/** A kernel [kh, kw, in, multiplier] of the depthwise layers as conv2d's of `in` groups: the same numbers in the same order. */
function depthwiseSum(x: Tensor, kernel: Tensor, config: Parameters<typeof geometryOf>[2]): Tensor {
  const [kh, kw, inputs, multiplier] = kernel.shape as [number, number, number, number];
  const grouped = reshape([kernel], { to: [kh, kw, 1, inputs * multiplier] });
  return conv2dOp([x, grouped, null], geometryOf(x.shape, [kh, kw], config, inputs));
}

/** Options of `conv2d`. */
export interface Conv2dOptions extends WindowOptions {
  /** The channels are cut into so many groups, of which each has filters of its own. Default 1. */
  groups?: number;
  /**
   * How it is computed. `"auto"` (default): by what is fastest for its sizes and about as exact as sums of products, which are
   * `"direct"`; on a runtime of `fastMath` by what is fastest. `"winograd2"`, `"winograd4"`: by F(2×2, 3×3) or F(4×4, 3×3) (Lavin & Gray 2015), as far as kernels are 3×3 of
   * stride and dilation 1 without groups, and channels multiples of 4 up to 256; others are direct. `"winograd4"` has the fewest
   * products, and errors of 1e-6 where the others have 3e-7.
   */
  algorithm?: Algorithm;
}

/**
 * Convolution (cross-correlation): y[i, j, o] = activation(Σ x[i·s + p·d, j·s + q·d, c]·kernel[p, q, c, o] + bias[o]), sums over
 * the kernel's rows p, columns q and channels c; s strides, d dilationRate. (LeCun et al. 1989)
 *
 * x: [n, h, w, in] → [n, h′, w′, filters]; `valid`: h′ = ⌊(h − (kh − 1)·d − 1)/s⌋ + 1, `same`: ⌈h/s⌉.
 * Parameters: `kernel` [kh, kw, in/groups, filters], `bias` [filters].
 *
 * @param filters channels of the output, ≥ 1
 * @param kernelSize a number, or [height, width]
 * @example conv2d(32, 3, { padding: "same", activation: "relu", inputShape: [28, 28, 1] })
 * @throws DownhillError `argument` for a bad option, `shape` for what is no image, is smaller than the kernel reaches, or has
 * channels that groups do not divide
 */
export const conv2d: (filters: number, kernelSize: Size, options?: Conv2dOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "conv2d",
    positional: ["filters", "kernelSize"],
    options: () => ({
      ...{ filters: count(), kernelSize: size(), groups: or(count(), 1), ...windowOptions() },
      algorithm: or(oneOf("auto", "direct", "winograd2", "winograd4"), "auto" as Algorithm),
    }),
    parameters([x], config, who) {
      const { filters, groups, kernelSize } = config;
      checkImages(who, x!);
      checkGroups(who, x![2]!, filters, groups);
      return kernelAndBias([...pairOf(kernelSize), x![2]! / groups, filters], config);
    },
    call([x], { config, parameters: { kernel, bias } }, who) {
      checkImages(who, x!.shape.slice(1), kernel!.shape[2]! * config.groups);
      const { algorithm, groups, kernelSize } = config;
      const geometry = { ...geometryOf(x!.shape, pairOf(kernelSize), config, groups), algorithm };
      return finished(conv2dOp([x!, kernel!, null], geometry), bias, config.activation);
    },
  });

/** Options of `conv1d`. */
export interface Conv1dOptions extends KernelOptions {
  /** Steps from one place of the kernel to the next. Default 1. */
  strides?: number;
  /** `"valid"` (default): the kernel stays within the sequence. `"same"`: zeros at its ends, as TensorFlow has them. */
  padding?: Padding;
  /** Steps from one tap of the kernel to the next. Default 1. */
  dilationRate?: number;
  /** See `conv2d`. Default 1. */
  groups?: number;
}

/**
 * Convolution over sequences: y[t, o] = activation(Σ x[t·s + p·d, c]·kernel[p, c, o] + bias[o]), sums over p and c.
 *
 * x: [n, t, in] → [n, t′, filters]. Parameters: `kernel` [kernelSize, in/groups, filters], `bias` [filters].
 *
 * @example conv1d(16, 5, { strides: 2, padding: "same", inputShape: [100, 3] })
 * @throws DownhillError `argument`, `shape`: see conv2d
 */
export const conv1d: (filters: number, kernelSize: number, options?: Conv1dOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "conv1d",
    positional: ["filters", "kernelSize"],
    options: () => ({
      ...{ filters: count(), kernelSize: count(), groups: or(count(), 1), ...windowOptions() },
      ...{ strides: or(count(), 1), dilationRate: or(count(), 1) },
    }),
    parameters([x], config, who) {
      const { filters, groups, kernelSize } = config;
      checkRank(who, x!, "[n, t, c]", x!.length === 2);
      checkGroups(who, x![1]!, filters, groups);
      return kernelAndBias([kernelSize, x![1]! / groups, filters], config);
    },
    call([x], { config, parameters: { kernel, bias } }, who) {
      const [n, t, c] = x!.shape as [number, number, number];
      const channels = kernel!.shape[1]! * config.groups;
      checkRank(who, x!.shape.slice(1), `[n, t, ${channels}]`, x!.shape.length === 3 && c === channels);
      const reach = (config.kernelSize - 1) * config.dilationRate + 1;
      if (config.padding === "valid" && reach > t)
        throw wrong("shape", who, `a window no larger than the input, ${t}`, reach); // not of the image that it is made of
      const image = reshape([x!], { to: [n, 1, t, c] });
      const strides: Pair = [1, config.strides];
      const dilationRate: Pair = [1, config.dilationRate];
      const geometry = geometryOf(
        image.shape,
        [1, config.kernelSize],
        { ...config, strides, dilationRate },
        config.groups,
      );
      const sum = conv2dOp([image, reshape([kernel!], { to: [1, ...kernel!.shape] }), null], geometry);
      const y = finished(sum, bias, config.activation);
      return reshape([y], { to: [n, y.shape[2]!, config.filters] });
    },
  });

/** Options of `depthwiseConv2d` and `separableConv2d`. */
export interface DepthwiseOptions extends WindowOptions {
  /** Filters a channel. Default 1. */
  depthMultiplier?: number;
}

/**
 * Depthwise convolution: each channel c is convolved by itself, with `depthMultiplier` filters; that of filter m is channel
 * c·depthMultiplier + m of the output.
 *
 * x: [n, h, w, in] → [n, h′, w′, in·depthMultiplier]. Parameters: `kernel` [kh, kw, in, depthMultiplier], `bias`
 * [in·depthMultiplier].
 *
 * @example depthwiseConv2d(3, { strides: 2, padding: "same" })
 * @throws DownhillError `argument`, `shape`: see conv2d
 */
export const depthwiseConv2d: (kernelSize: Size, options?: DepthwiseOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "depthwiseConv2d",
  positional: ["kernelSize"],
  options: () => ({ kernelSize: size(), depthMultiplier: or(count(), 1), ...windowOptions() }),
  parameters([x], config, who) {
    checkImages(who, x!);
    const inputs = x![2]!;
    const specs = kernelAndBias([...pairOf(config.kernelSize), inputs, config.depthMultiplier], config);
    if (specs["bias"]) specs["bias"].shape = [inputs * config.depthMultiplier];
    return specs;
  },
  call([x], { config, parameters: { kernel, bias } }, who) {
    checkImages(who, x!.shape.slice(1), kernel!.shape[2]);
    return finished(depthwiseSum(x!, kernel!, config), bias, config.activation);
  },
});

/**
 * A depthwise convolution, then a 1×1 convolution that mixes its channels; bias and activation behind the two. (Sifre 2014;
 * Chollet 2017)
 *
 * x: [n, h, w, in] → [n, h′, w′, filters]. Parameters: `depthwiseKernel` [kh, kw, in, depthMultiplier], `pointwiseKernel`
 * [1, 1, in·depthMultiplier, filters], `bias` [filters]; options of the kernel hold for both.
 *
 * @example separableConv2d(64, 3, { padding: "same", activation: "relu" })
 * @throws DownhillError `argument`, `shape`: see conv2d
 */
export const separableConv2d: (filters: number, kernelSize: Size, options?: DepthwiseOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "separableConv2d",
    positional: ["filters", "kernelSize"],
    options: () => ({
      ...{ filters: count(), kernelSize: size(), depthMultiplier: or(count(), 1), ...windowOptions() },
    }),
    parameters([x], config, who): Record<string, ParameterSpec> {
      checkImages(who, x!);
      const { filters, kernelSize, depthMultiplier } = config;
      const inputs = x![2]!;
      const { kernel, ...bias } = kernelAndBias([1, 1, inputs * depthMultiplier, filters], config);
      const depthwiseKernel = { ...kernel!, shape: [...pairOf(kernelSize), inputs, depthMultiplier] };
      return { depthwiseKernel, pointwiseKernel: kernel!, ...bias };
    },
    call([x], { config, parameters: { depthwiseKernel, pointwiseKernel, bias } }, who) {
      checkImages(who, x!.shape.slice(1), depthwiseKernel!.shape[2]);
      const depthwise = depthwiseSum(x!, depthwiseKernel!, config);
      const pointwise = { strides: 1, padding: "valid", dilationRate: 1 } as const;
      const sum = conv2dOp([depthwise, pointwiseKernel!, null], geometryOf(depthwise.shape, [1, 1], pointwise));
      return finished(sum, bias, config.activation);
    },
  });

/**
 * Transposed convolution, which enlarges images: what conv2d's gradient is to its input, as a layer. Each pixel of x adds its
 * channels' kernels to a window of the output; windows are `strides` apart. (Zeiler et al. 2010)
 *
 * x: [n, h, w, in] → [n, h′, w′, filters]; `valid`: h′ = h·s + max((kh − 1)·d + 1 − s, 0), `same`: h·s.
 * Parameters: `kernel` [kh, kw, filters, in], `bias` [filters].
 *
 * @example conv2dTranspose(16, 3, { strides: 2, padding: "same" }) // twice as high and wide
 * @throws DownhillError `argument` for a bad option, `shape` for what is no image
 */
export const conv2dTranspose: (filters: number, kernelSize: Size, options?: WindowOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "conv2dTranspose",
    positional: ["filters", "kernelSize"],
    options: () => ({ filters: count(), kernelSize: size(), ...windowOptions() }),
    parameters([x], config, who) {
      checkImages(who, x!);
      const specs = kernelAndBias([...pairOf(config.kernelSize), config.filters, x![2]!], config);
      if (specs["bias"]) specs["bias"].shape = [config.filters];
      return specs;
    },
    call([x], { config, parameters: { kernel, bias } }, who) {
      checkImages(who, x!.shape.slice(1), kernel!.shape[3]);
      const window = pairOf(config.kernelSize);
      const [strides, dilation] = [pairOf(config.strides), pairOf(config.dilationRate)];
      const along = (i: 0 | 1) => {
        const further = config.padding === "same" ? 0 : Math.max((window[i] - 1) * dilation[i] + 1 - strides[i], 0);
        return x!.shape[i + 1]! * strides[i] + further;
      };
      const out: Pair = [along(0), along(1)];
      const sum = conv2dTransposeOp([x!, kernel!], { ...geometryOf([1, ...out], window, config), size: out });
      return finished(sum, bias, config.activation);
    },
  });
