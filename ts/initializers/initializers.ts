// Initial weights (Keras's formulas). Numbers come from the core: the counter's `op` is the parameter's number in its model.

import { ExtensionOp, Op } from "../../assembly/isa";
import { argumentError } from "../errors";
import { type Shape, sizeOf } from "../graph/graph";
import { finite, nonNegative, oneOf, or, positive } from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";
import { extended } from "../runtime/extension";

/** How a parameter is filled: with numbers of `opcode` under (a, b); see isa.ts, Random, Fill and Orthogonal. */
export interface Filling {
  opcode: Op;
  a: number;
  b: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
interface InitializerDefinition<C = any> extends Definition {
  fill(config: C, shape: Shape): Filling;
}

const initializer = <Args extends unknown[]>(definition: InitializerDefinition) =>
  factory<Args, InitializerDefinition>("initializer", definition);

/** @internal How `config` fills a parameter of that shape. */
export function fillingOf(config: Built, shape: Shape): Filling {
  return definitionOf<InitializerDefinition>("initializer", config).fill(config, shape);
}

type Fixed = () => Built;
const fixed = (type: string, value: number): Fixed =>
  initializer<[]>({ type, fill: () => ({ opcode: Op.fill, a: value, b: 0 }) });

/** All 0. Zeros in a kernel leave symmetry unbroken. */
export const zeros: Fixed = /* @__PURE__ */ fixed("zeros", 0);

/** All 1. */
export const ones: Fixed = /* @__PURE__ */ fixed("ones", 1);

/** All `value`. */
export const constant: (value: number) => Built = /* @__PURE__ */ initializer<[value: number]>({
  type: "constant",
  positional: ["value"],
  options: () => ({ value: finite() }),
  fill: ({ value }) => ({ opcode: Op.fill, a: value, b: 0 }),
});

/** Normal, default mean 0 and stddev 0.05. */
export const randomNormal: (options?: { mean?: number; stddev?: number }) => Built = /* @__PURE__ */ initializer({
  type: "randomNormal",
  options: () => ({ mean: or(finite(), 0), stddev: or(nonNegative(), 0.05) }),
  fill: ({ mean, stddev }) => ({ opcode: Op.randomNormal, a: mean, b: stddev }),
});

/** Normal with values beyond two `stddev` from the mean drawn again; default mean 0, stddev 0.05. */
export const truncatedNormal: (options?: { mean?: number; stddev?: number }) => Built = /* @__PURE__ */ initializer({
  type: "truncatedNormal",
  options: () => ({ mean: or(finite(), 0), stddev: or(nonNegative(), 0.05) }),
  fill: ({ mean, stddev }) => ({ opcode: extended(ExtensionOp.truncatedNormal), a: mean, b: stddev }),
});

/** Uniform in [minval, maxval); default −0.05 … 0.05. */
export const randomUniform: (options?: { minval?: number; maxval?: number }) => Built = /* @__PURE__ */ initializer({
  type: "randomUniform",
  options: () => ({ minval: or(finite(), -0.05), maxval: or(finite(), 0.05) }),
  check({ minval, maxval }: { minval: number; maxval: number }) {
    if (minval > maxval) throw argumentError("randomUniform", `minval ≤ maxval (${maxval})`, minval);
  },
  fill: ({ minval, maxval }) => ({ opcode: Op.randomUniform, a: minval, b: maxval }),
});

/** gain · Q of the QR of a normal matrix, the shape taken as [product of all but the last, last]. (Saxe et al. 2013) */
export const orthogonal: (options?: { gain?: number }) => Built = /* @__PURE__ */ initializer({
  type: "orthogonal",
  options: () => ({ gain: or(finite(), 1) }),
  check() {},
  fill: ({ gain }) => ({ opcode: extended(ExtensionOp.orthogonal), a: gain, b: 0 }),
});

/** @inline */
type Mode = "fanIn" | "fanOut" | "fanAvg";
/** @inline */
type Distribution = "truncatedNormal" | "untruncatedNormal" | "uniform";

/** Standard deviation of a standard normal cut at ±2. */
const TRUNCATED = 0.87962566103423978;

type Fan = (fanIn: number, fanOut: number) => number;
const fanIn: Fan = (fanIn) => fanIn;
const fanOut: Fan = (_, fanOut) => fanOut;
const fanAvg: Fan = (fanIn, fanOut) => (fanIn + fanOut) / 2;

type Draw = (variance: number) => Filling;
const uniform: Draw = (variance) => {
  const limit = Math.sqrt(3 * variance);
  return { opcode: Op.randomUniform, a: -limit, b: limit };
};
const untruncatedNormal: Draw = (variance) => ({ opcode: Op.randomNormal, a: 0, b: Math.sqrt(variance) });
const truncated: Draw = (variance) => ({
  opcode: extended(ExtensionOp.truncatedNormal),
  a: 0,
  b: Math.sqrt(variance) / TRUNCATED,
});

/** Variance scale/fan, fan the inputs, outputs or their mean; kernels are [in, out] or [kh, kw, in, out]. */
function scaled(shape: Shape, scale: number, fan: Fan, draw: Draw): Filling {
  const field = shape.length < 2 ? 1 : sizeOf(shape.slice(0, -2));
  const outputs = (shape.at(-1) ?? 1) * field;
  const inputs = shape.length < 2 ? outputs : shape.at(-2)! * field;
  return draw(scale / Math.max(1, fan(inputs, outputs)));
}

/** Variance scale/fan; default scale 1, mode "fanIn", distribution "truncatedNormal". */
export const varianceScaling: (options?: { scale?: number; mode?: Mode; distribution?: Distribution }) => Built =
  /* @__PURE__ */ initializer({
    type: "varianceScaling",
    options: () => ({
      scale: or(positive(), 1),
      mode: or(oneOf("fanIn", "fanOut", "fanAvg"), "fanIn" as const),
      distribution: or(oneOf("truncatedNormal", "untruncatedNormal", "uniform"), "truncatedNormal" as const),
    }),
    fill: ({ scale, mode, distribution }, shape) => {
      const draws = { truncatedNormal: truncated, untruncatedNormal, uniform };
      return scaled(shape, scale, { fanIn, fanOut, fanAvg }[mode as Mode], draws[distribution as Distribution]);
    },
  });

const variance = (type: string, scale: number, fan: Fan, draw: Draw): Fixed =>
  initializer<[]>({ type, fill: (_, shape) => scaled(shape, scale, fan, draw) });

/** Uniform in ±√(6/(fanIn + fanOut)): Xavier. (Glorot & Bengio 2010) */
export const glorotUniform: Fixed = /* @__PURE__ */ variance("glorotUniform", 1, fanAvg, uniform);
/** Truncated normal of variance 2/(fanIn + fanOut): Xavier. (Glorot & Bengio 2010) */
export const glorotNormal: Fixed = /* @__PURE__ */ variance("glorotNormal", 1, fanAvg, truncated);
/** Uniform in ±√(6/fanIn). (He et al. 2015) */
export const heUniform: Fixed = /* @__PURE__ */ variance("heUniform", 2, fanIn, uniform);
/** Truncated normal of variance 2/fanIn. (He et al. 2015) */
export const heNormal: Fixed = /* @__PURE__ */ variance("heNormal", 2, fanIn, truncated);
/** Uniform in ±√(3/fanIn). (LeCun et al. 1998) */
export const lecunUniform: Fixed = /* @__PURE__ */ variance("lecunUniform", 1, fanIn, uniform);
/** Truncated normal of variance 1/fanIn. (LeCun et al. 1998) */
export const lecunNormal: Fixed = /* @__PURE__ */ variance("lecunNormal", 1, fanIn, truncated);
