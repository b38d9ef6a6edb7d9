// Activations as layers, and by name.

import { show } from "../errors";
import type { Tensor } from "../graph/graph";
import * as ops from "../ops/activations";
import { boolean, type Field, nonNegative, or } from "../options";
import { type Layer, type LayerOptions, layerFactory } from "./layer";

/** Activations that have a name: those without parameters, with their defaults. */
export type ActivationName =
  | "linear"
  | "relu"
  | "leakyRelu"
  | "elu"
  | "selu"
  | "gelu"
  | "silu"
  | "sigmoid"
  | "tanh"
  | "softplus"
  | "softmax";

const byName = (): Record<ActivationName, (x: [Tensor], attributes?: Record<never, never>) => Tensor> => ({
  linear: ([x]) => x,
  relu: ops.relu,
  leakyRelu: ops.leakyRelu,
  elu: ops.elu,
  selu: ops.selu,
  gelu: ops.gelu,
  silu: ops.silu,
  sigmoid: ops.sigmoid,
  tanh: ops.tanh,
  softplus: ops.softplus,
  softmax: ops.softmax,
});

/** An option that takes an activation's name. */
export const activationName = (): Field<ActivationName> => {
  const names = Object.keys(byName()) as unknown[];
  return {
    expected: `the name of an activation (${names.map(show).join(", ")})`,
    accepts: (value) => names.includes(value),
  };
};

/** The activation of that name, applied. */
export const applyActivation = (name: ActivationName = "linear", x: Tensor): Tensor => byName()[name]([x]);

type Plain = (options?: LayerOptions) => Layer;

const plain = (type: string, op: (x: [Tensor], attributes?: Record<never, never>) => Tensor): Plain =>
  layerFactory({ type, call: ([x]) => op([x!]) });

/**
 * The activation of that name as a layer.
 *
 * @param name `"linear"` or the name of an activation layer without parameters
 */
export const activation: (name: ActivationName, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "activation",
  positional: ["activation"],
  options: () => ({ activation: activationName() }),
  call: ([x], { config }) => applyActivation(config.activation, x!),
});

/** y = max(0, x), elementwise. Gradient 0 at 0. (Nair & Hinton 2010) */
export const relu: Plain = /* @__PURE__ */ plain("relu", ops.relu);

/** y = x where x > 0, else negativeSlope·x. Default slope 0.01. (Maas, Hannun & Ng 2013) */
export const leakyRelu: (options?: LayerOptions & { negativeSlope?: number }) => Layer = /* @__PURE__ */ layerFactory({
  type: "leakyRelu",
  options: () => ({ negativeSlope: or(nonNegative(), 0.01) }),
  call: ([x], { config }) => ops.leakyRelu([x!], { alpha: config.negativeSlope }),
});

/** y = x where x > 0, else alpha·(eˣ − 1). alpha ≥ 0, default 1. (Clevert, Unterthiner & Hochreiter 2015) */
export const elu: (options?: LayerOptions & { alpha?: number }) => Layer = /* @__PURE__ */ layerFactory({
  type: "elu",
  options: () => ({ alpha: or(nonNegative(), 1) }),
  call: ([x], { config }) => ops.elu([x!], { alpha: config.alpha }),
});

/** y = 1.0507·(x where x > 0, else 1.6733·(eˣ − 1)). (Klambauer et al. 2017) */
export const selu: Plain = /* @__PURE__ */ plain("selu", ops.selu);

/** y = x·Φ(x), Φ the normal distribution function; `approximate`: its tanh form. (Hendrycks & Gimpel 2016) */
export const gelu: (options?: LayerOptions & { approximate?: boolean }) => Layer = /* @__PURE__ */ layerFactory({
  type: "gelu",
  options: () => ({ approximate: or(boolean(), false) }),
  call: ([x], { config }) => (config.approximate ? ops.geluTanh : ops.gelu)([x!]),
});

/** y = x·σ(x). (Elfwing, Uchibe & Doya 2018) */
export const silu: Plain = /* @__PURE__ */ plain("silu", ops.silu);

/** y = 1/(1 + e⁻ˣ). */
export const sigmoid: Plain = /* @__PURE__ */ plain("sigmoid", ops.sigmoid);

/** y = tanh x. */
export const tanh: Plain = /* @__PURE__ */ plain("tanh", ops.tanh);

/** y = log(1 + eˣ). */
export const softplus: Plain = /* @__PURE__ */ plain("softplus", ops.softplus);

/** y = exp(xᵢ)/Σⱼ exp(xⱼ) along the last axis. */
export const softmax: Plain = /* @__PURE__ */ plain("softmax", ops.softmax);
