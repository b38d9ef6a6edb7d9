// Optimizers (PyTorch 2's formulas and defaults). One instruction passes over the whole parameter block.
//
// A step: g = ∂loss/∂w (penalties are in it) → clipValue → clipNorm → weight decay → update. θ are the parameters, ε the
// learning rate, t = 1, 2, … the update.

import { ExtensionOp, Op, OptimizerFlag } from "../../assembly/isa";
import { wrong } from "../errors";
import type { StepAttributes } from "../ops/update";
import {
  boolean,
  type Field,
  fraction,
  listOf,
  nonNegative,
  optional,
  or,
  positive,
  type Schema,
  text,
  unit,
} from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";
import { extended } from "../runtime/extension";
import { rateOrSchedule } from "../schedules/schedules";

/** What the model needs to know of an optimizer. */
export interface OptimizerPlan {
  /** Names of the slots in use, by their place in the instruction. */
  slots: (string | undefined)[];
  /** What slots are filled with at first. */
  initial: number;
  step: Omit<StepAttributes, "clipValue">;
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
interface OptimizerDefinition<C = any> extends Definition {
  plan(config: C): OptimizerPlan;
}

/** Options that every optimizer takes. */
export interface OptimizerOptions {
  /** A number ≥ 0 or a schedule. */
  learningRate?: number | Built;
  /** On every trainable parameter, as in PyTorch; ≥ 0. */
  weightDecay?: number;
  /** Keys of the parameters that weightDecay acts on, such as `"dense_1/kernel"`. Default all. */
  decayFilter?: readonly string[];
  /** weightDecay on kernels (parameters of two axes and more) only. */
  decayKernelsOnly?: boolean;
}

function optimizer<O extends OptimizerOptions>(
  type: string,
  learningRate: number,
  weightDecay: number,
  options: () => Schema,
  plan: (config: Required<O>) => OptimizerPlan,
  check?: (config: Required<O>) => void,
): (options?: O) => Built {
  return factory<[options?: O], OptimizerDefinition>("optimizer", {
    type,
    options: () => ({
      learningRate: or(rateOrSchedule() as Field<number | Built>, learningRate),
      weightDecay: or(nonNegative(), weightDecay),
      decayFilter: optional(listOf(text())),
      decayKernelsOnly: or(boolean(), false),
      ...options(),
    }),
    plan,
    check: check as (config: never) => void,
  });
}

/** @internal `ema`: a fourth slot holds the parameters' mean. */
export function optimizerPlan(config: Built, ema?: number): OptimizerPlan {
  const plan = definitionOf<OptimizerDefinition>("optimizer", config).plan(config);
  if (ema) plan.slots[3] = "ema";
  return plan;
}

/** Options of `sgd`. */
export interface SgdOptions extends OptimizerOptions {
  /** In [0, 1). Default 0. */
  momentum?: number;
  /** Default 0. */
  dampening?: number;
  /** Needs momentum > 0 and dampening 0. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent: θ ← θ − ε·g. With momentum μ: v ← μ·v + (1 − dampening)·g (v = g at first), θ ← θ − ε·v;
 * Nesterov: θ ← θ − ε·(g + μ·v). Default learning rate 0.01. (Polyak 1964; Sutskever et al. 2013)
 */
export const sgd: (options?: SgdOptions) => Built = /* @__PURE__ */ optimizer<SgdOptions>(
  "sgd",
  0.01,
  0,
  () => ({ momentum: or(fraction(), 0), dampening: or(unit(), 0), nesterov: or(boolean(), false) }),
  ({ momentum, dampening, nesterov }) => ({
    slots: [momentum > 0 ? "velocity" : undefined],
    initial: 0,
    step: {
      opcode: Op.sgdStep,
      flags: nesterov ? OptimizerFlag.nesterov : 0,
      a: momentum,
      b: dampening,
      epsilon: 0,
    },
  }),
  ({ momentum, dampening, nesterov }) => {
    if (nesterov && !(momentum > 0 && dampening === 0))
      throw wrong("argument", "sgd", "momentum > 0 and dampening 0 with nesterov", `${momentum} and ${dampening}`);
  },
);

/** Options of `adagrad`. */
export interface AdagradOptions extends OptimizerOptions {
  /** Default 1e-10. */
  epsilon?: number;
  /** What the accumulated squares start from. Default 0. */
  initialAccumulatorValue?: number;
}

/** r ← r + g², θ ← θ − ε·g/(√r + epsilon). Default learning rate 0.01. (Duchi, Hazan & Singer 2011) */
export const adagrad: (options?: AdagradOptions) => Built = /* @__PURE__ */ optimizer<AdagradOptions>(
  "adagrad",
  0.01,
  0,
  () => ({ epsilon: or(positive(), 1e-10), initialAccumulatorValue: or(nonNegative(), 0) }),
  ({ epsilon, initialAccumulatorValue }) => ({
    slots: ["accumulator"],
    initial: initialAccumulatorValue,
    step: { opcode: extended(ExtensionOp.adagradStep), flags: 0, a: 0, b: 0, epsilon },
  }),
);

/** Options of `rmsprop`. */
export interface RmspropOptions extends OptimizerOptions {
  /** How much of the old mean square stays, in [0, 1]. Default 0.99. */
  rho?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** In [0, 1). Default 0. */
  momentum?: number;
  /** Divide by the standard deviation in the place of the root mean square. */
  centered?: boolean;
}

/**
 * r ← ρ·r + (1 − ρ)·g², θ ← θ − ε·g/(√r + epsilon). Centred: √(r − m²), m ← ρ·m + (1 − ρ)·g. With momentum μ:
 * v ← μ·v + g/(√r + epsilon), θ ← θ − ε·v. Default learning rate 0.01. (Hinton 2012; Graves 2013)
 */
export const rmsprop: (options?: RmspropOptions) => Built = /* @__PURE__ */ optimizer<RmspropOptions>(
  "rmsprop",
  0.01,
  0,
  () => ({
    rho: or(unit(), 0.99),
    epsilon: or(positive(), 1e-8),
    momentum: or(fraction(), 0),
    centered: or(boolean(), false),
  }),
  ({ rho, epsilon, momentum, centered }) => ({
    slots: ["meanSquare", momentum > 0 ? "velocity" : undefined, centered ? "mean" : undefined],
    initial: 0,
    step: {
      opcode: extended(ExtensionOp.rmspropStep),
      flags: (centered ? OptimizerFlag.centered : 0) | (momentum > 0 ? OptimizerFlag.momentum : 0),
      a: 1 - rho,
      b: momentum,
      epsilon,
    },
  }),
);

/** Options of `adam` and `adamw`. */
export interface AdamOptions extends OptimizerOptions {
  /** In [0, 1). Default 0.9. */
  beta1?: number;
  /** In [0, 1). Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Divide by the largest second moment so far. (Reddi, Kale & Kumar 2018) */
  amsgrad?: boolean;
}

const adamOptions = () => ({
  beta1: or(fraction(), 0.9),
  beta2: or(fraction(), 0.999),
  epsilon: or(positive(), 1e-8),
  amsgrad: or(boolean(), false),
});

const adamPlan =
  (decoupled: boolean) =>
  ({ beta1, beta2, epsilon, amsgrad }: Required<AdamOptions>): OptimizerPlan => ({
    // decayed sums: m/(1 − β₁), v/(1 − β₂)
    slots: ["mSum", "vSum", amsgrad ? "vSumMax" : undefined],
    initial: 0,
    step: {
      opcode: Op.adamStep,
      flags: (decoupled ? OptimizerFlag.decoupled : 0) | (amsgrad ? OptimizerFlag.amsgrad : 0),
      a: beta1,
      b: beta2,
      epsilon,
    },
  });

/**
 * m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², θ ← θ − ε·m̂/(√v̂ + epsilon), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
 * Default learning rate 0.001. (Kingma & Ba 2014)
 */
export const adam: (options?: AdamOptions) => Built = /* @__PURE__ */ optimizer<AdamOptions>(
  "adam",
  0.001,
  0,
  adamOptions,
  /* @__PURE__ */ adamPlan(false),
);

/** Adam with decoupled weight decay: θ ← θ·(1 − ε·weightDecay) first. Default weightDecay 0.01. (Loshchilov & Hutter 2017) */
export const adamw: (options?: AdamOptions) => Built = /* @__PURE__ */ optimizer<AdamOptions>(
  "adamw",
  0.001,
  0.01,
  adamOptions,
  /* @__PURE__ */ adamPlan(true),
);

/** Options of `adadelta`. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** How much of the old means stays, in [0, 1]. Default 0.9. */
  rho?: number;
  /** Default 1e-6. */
  epsilon?: number;
}

/**
 * v ← ρ·v + (1 − ρ)·g², Δ = √(u + epsilon)/√(v + epsilon)·g, u ← ρ·u + (1 − ρ)·Δ², θ ← θ − ε·Δ. Default learning rate 1.
 * (Zeiler 2012)
 */
export const adadelta: (options?: AdadeltaOptions) => Built = /* @__PURE__ */ optimizer<AdadeltaOptions>(
  "adadelta",
  1,
  0,
  () => ({ rho: or(unit(), 0.9), epsilon: or(positive(), 1e-6) }),
  ({ rho, epsilon }) => ({
    slots: ["meanSquare", "meanSquareDelta"],
    initial: 0,
    step: { opcode: extended(ExtensionOp.adadeltaStep), flags: 0, a: 1 - rho, b: 0, epsilon },
  }),
);

/** Options of `radam`: Adam's without `amsgrad`. */
export type RadamOptions = Omit<AdamOptions, "amsgrad">;

/** Options of `nadam`. */
export interface NadamOptions extends RadamOptions {
  /** How fast the momentum rises to β₁, ≥ 0. Default 0.004. */
  momentumDecay?: number;
}

const momentOptions = () => {
  const { amsgrad, ...rest } = adamOptions();
  return rest;
};

const momentPlan = (opcode: Op, { beta1, beta2, epsilon }: Required<RadamOptions>, c?: number): OptimizerPlan => ({
  slots: ["m", "v"],
  initial: 0,
  step: { opcode, flags: 0, a: beta1, b: beta2, epsilon, ...(c !== undefined && { c }) },
});

/**
 * Adam with Nesterov's momentum: μₜ = β₁·(1 − ½·0.96^(t·momentumDecay)), m and v as Adam's,
 * m̂ = μₜ₊₁·m/(1 − μ₁·…·μₜ₊₁) + (1 − μₜ)·g/(1 − μ₁·…·μₜ), θ ← θ − ε·m̂/(√v̂ + epsilon), v̂ = v/(1 − β₂ᵗ).
 * Default learning rate 0.002. (Dozat 2016)
 */
export const nadam: (options?: NadamOptions) => Built = /* @__PURE__ */ optimizer<NadamOptions>(
  "nadam",
  0.002,
  0,
  () => ({ ...momentOptions(), momentumDecay: or(nonNegative(), 0.004) }),
  (config) => momentPlan(extended(ExtensionOp.nadamStep), config, config.momentumDecay),
);

/**
 * Adam whose rate is rectified for the variance of 1/√v: with ρ∞ = 2/(1 − β₂) − 1 and ρₜ = ρ∞ − 2·t·β₂ᵗ/(1 − β₂ᵗ), where
 * ρₜ > 5, θ ← θ − ε·rₜ·m̂·√(1 − β₂ᵗ)/(√v + epsilon), rₜ² = (ρₜ − 4)·(ρₜ − 2)·ρ∞/((ρ∞ − 4)·(ρ∞ − 2)·ρₜ); before,
 * θ ← θ − ε·m̂. Default learning rate 0.001. (Liu et al. 2019)
 */
export const radam: (options?: RadamOptions) => Built = /* @__PURE__ */ optimizer<RadamOptions>(
  "radam",
  0.001,
  0,
  () => momentOptions(),
  (config) => momentPlan(extended(ExtensionOp.radamStep), config),
);

/** Options of `lion`. */
export interface LionOptions extends OptimizerOptions {
  /** The old momentum's weight in the update, in [0, 1). Default 0.9. */
  beta1?: number;
  /** The old momentum's weight in the new one, in [0, 1). Default 0.99. */
  beta2?: number;
}

/**
 * Steps of one size: θ ← θ·(1 − ε·weightDecay) − ε·sign(β₁·m + (1 − β₁)·g), then m ← β₂·m + (1 − β₂)·g. The decay is
 * decoupled. Default learning rate 0.0001. (Chen et al. 2023)
 */
export const lion: (options?: LionOptions) => Built = /* @__PURE__ */ optimizer<LionOptions>(
  "lion",
  0.0001,
  0,
  () => ({ beta1: or(fraction(), 0.9), beta2: or(fraction(), 0.99) }),
  ({ beta1, beta2 }) => ({
    slots: ["m"],
    initial: 0,
    step: {
      opcode: extended(ExtensionOp.lionStep),
      flags: OptimizerFlag.decoupled,
      a: beta1,
      b: beta2,
      epsilon: 0,
    },
  }),
);
