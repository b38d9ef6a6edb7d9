// Attacks: how an example is moved, a little, to where the model's loss is larger. In `compile` they make what adversarial
// training trains on; `attack` makes the same outside of training.

import type { LabelKind } from "../../assembly/isa";
import type { Mixing } from "../augment/augmentation";
import { argumentError } from "../errors";
import { gradient } from "../graph/gradient";
import type { Tensor } from "../graph/graph";
import type { LossDefinition } from "../losses/losses";
import { type AttackAttributes, attackStart, attackStep, constantLike } from "../ops/adversarial";
import { add } from "../ops/elementwise";
import {
  boolean,
  count,
  type Field,
  finite,
  listOf,
  oneOf,
  optional,
  or,
  positive,
  readOptions,
  unit,
} from "../options";
import { type Built, built, type Definition, definitionOf, factory } from "../registry";

/** What an attack has to work with: a program under construction. */
export interface AttackContext {
  /** The examples. */
  x: Tensor;
  /** The outputs for other examples, in inference mode, at the weights themselves. */
  forward(x: Tensor): Tensor[];
  losses: readonly { config: Built; definition: LossDefinition }[];
  lossWeights: readonly number[];
  targets: readonly { target: Tensor; kind: LabelKind }[];
  /** Where rows have several labels: the example climbs the loss of them all. */
  mixing?: Mixing | undefined;
  /** Numbers of random ops that are free: this one and the next. */
  op: number;
}

/** What `compile` takes as `adversarial`. */
export interface Adversarial {
  attack: Built;
  weight: number;
}

/** An attack's steps. */
interface Steps {
  epsilon: number;
  stepSize: number;
  steps: number;
  norm: "inf" | "l2";
  randomStart: boolean;
  clip?: readonly [number, number];
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface AttackDefinition<C = any> extends Definition {
  steps(config: C): Steps;
  /** Builds the adversarial examples. */
  perturb(context: AttackContext, config: Built): Tensor;
  /** Reads `compile`'s option, for a model of so many inputs. */
  read(given: unknown, inputs: number): Adversarial;
}

/** @internal */
export const attackDefinition = (config: Built): AttackDefinition => definitionOf<AttackDefinition>("attack", config);

/**
 * Each example climbs its own loss: Σ over the outputs of loss weight · (the mean over the output's elements). Neither sample
 * weights nor the other examples of a batch have a part in it.
 */
function perturb(context: AttackContext, config: Built): Tensor {
  const { x, forward, losses, lossWeights, targets, mixing, op } = context;
  const { graph } = x;
  const { epsilon, stepSize, steps, norm, randomStart, clip } = attackDefinition(config).steps(config);
  const [low, high] = clip ?? [-Infinity, Infinity];
  const attributes: AttackAttributes = { norm, epsilon, low, high };
  const layer = x.node!.layer;
  graph.layer = layer;
  let moved = randomStart ? attackStart([x], { ...attributes, op }) : x;
  for (let i = 0; i < steps; i++) {
    const seeds = forward(moved).map((prediction, output) => {
      const { config, definition } = losses[output]!;
      const given = { prediction, ...targets[output]!, weights: null };
      const [loss] = (mixing?.loss(given, definition, config) ?? definition.call(given, config)) as [Tensor];
      const elements = definition.targets === "element" ? prediction.size / prediction.shape[0]! : 1;
      return [loss, constantLike([loss], { value: lossWeights[output]! / elements })] as const;
    });
    const slope = gradient(graph, seeds, [moved], (a, b) => add([a, b])).get(moved);
    if (!slope) throw argumentError(config.type, "a model whose loss has a gradient with respect to its input", "none");
    graph.layer = layer;
    moved = attackStep([moved, slope, x], { ...attributes, stepSize });
  }
  return moved;
}

function read(given: unknown, inputs: number): Adversarial {
  const who = "compile: adversarial";
  const options = readOptions(who, given, {
    attack: built("attack", "fgsm({ epsilon: 0.1 })"),
    weight: or(unit(), 0.5),
  });
  checkInputs(who, inputs);
  return options;
}

/** @internal */
export function checkInputs(who: string, inputs: number): void {
  if (inputs > 1) throw argumentError(who, "a model of one input", inputs);
}

const range: Field<readonly [number, number]> = /* @__PURE__ */ (() => ({
  expected: "[lowest, highest], two finite numbers in ascending order",
  accepts: (v: unknown) =>
    listOf(finite()).accepts(v) && (v as number[]).length === 2 && (v as number[])[0]! <= (v as number[])[1]!,
}))();

const attackFactory = <Args extends unknown[]>(definition: Pick<AttackDefinition, "type" | "options" | "steps">) =>
  factory<Args, AttackDefinition>("attack", { ...definition, perturb, read });

export interface FgsmOptions {
  /** How far each element is moved, > 0, in the units of the model's input. */
  epsilon: number;
  /** The range that inputs lie in: x̃ is cut to it. Default: none. */
  clip?: readonly [number, number];
}

/**
 * The fast gradient sign method: x̃ = clip(x + ε·sign(∇ₓ L)), L the example's loss. (Goodfellow, Shlens & Szegedy 2015)
 *
 * @example attack(model, x, y, fgsm({ epsilon: 0.1, clip: [0, 1] }))
 * @throws DownhillError `argument`
 */
export const fgsm: (options: FgsmOptions) => Built = /* @__PURE__ */ attackFactory<[FgsmOptions]>({
  type: "fgsm",
  options: () => ({ epsilon: positive(), clip: optional(range) }),
  steps: ({ epsilon, clip }) => ({ epsilon, stepSize: epsilon, steps: 1, norm: "inf", randomStart: false, clip }),
});

export interface PgdOptions extends FgsmOptions {
  /** How far x̃ may be from x, > 0: by element, or with `norm: "l2"` by distance. */
  epsilon: number;
  /** How far a step goes. Default 2.5·epsilon/steps. */
  stepSize?: number;
  /** Default 10. */
  steps?: number;
  /** `"inf"` (default): steps along the sign of the gradient; `"l2"`: along the gradient, each example's made of length 1. */
  norm?: "inf" | "l2";
  /** Begin at a random place within epsilon of x. Default true. */
  randomStart?: boolean;
}

/**
 * Projected gradient descent, up: x̃ ← P(x̃ + stepSize·d), d = sign(∇ₓ L) or ∇ₓ L/‖∇ₓ L‖₂, where P projects on the ball of radius
 * epsilon about x and then on the box `clip`. (Madry et al. 2018)
 *
 * @example attack(model, x, y, pgd({ epsilon: 0.1, steps: 20, clip: [0, 1] }))
 * @throws DownhillError `argument`
 */
export const pgd: (options: PgdOptions) => Built = /* @__PURE__ */ attackFactory<[PgdOptions]>({
  type: "pgd",
  options: () => ({
    epsilon: positive(),
    stepSize: optional(positive()),
    steps: or(count(), 10),
    norm: or(oneOf("inf", "l2"), "inf" as const),
    randomStart: or(boolean(), true),
    clip: optional(range),
  }),
  steps: (config) => ({ ...config, stepSize: config.stepSize ?? (2.5 * config.epsilon) / config.steps }),
});
