// Attacks: how an example is moved, a little, to where the model's loss is larger. In `compile` they make what adversarial
// training trains on; `attack` makes the same outside of training.

import { Base } from "../../assembly/isa";
import { argumentError } from "../errors";
import { gradient } from "../graph/gradient";
import { Span, type Tensor } from "../graph/graph";
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
import { type Built, definitionOf, factory, isBuilt } from "../registry";
import type { TermDefinition } from "../training/compile";
import { type Construction, PASS, type Term } from "../training/construction";
import { REPORT_HEAD } from "../training/lane";
import type { Compiled, ModelState } from "../training/state";
import type { Entry } from "../training/structure";

/** @internal An option that takes an attack. */
export const attackField = (): Field<Built> => ({
  expected: "an attack such as fgsm({ epsilon: 0.1 })",
  accepts: (value) => isBuilt("term", value) && "steps" in definitionOf("term", value),
  family: "term",
});

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
interface AttackDefinition<C = any> extends TermDefinition {
  steps(config: C): Steps;
}

/** Behind two forward passes and the noise on weights. */
const RANDOM_START = 4 * PASS;

/**
 * Builds the adversarial examples. Each example climbs its own loss: Σ over the outputs of loss weight · (the mean over the
 * output's elements), in inference mode, at the weights themselves. Neither sample weights nor the other examples of a batch have a
 * part in it.
 *
 * @internal
 */
export function perturb(config: Built, { compiled }: ModelState, program: Construction): Tensor {
  const { graph, inputs, forward, lossOf } = program;
  const { epsilon, stepSize, steps, norm, randomStart, clip } = definitionOf<AttackDefinition>("term", config).steps(
    config,
  );
  const x = inputs[0]!;
  const [low, high] = clip ?? [-Infinity, Infinity];
  const attributes: AttackAttributes = { norm, epsilon, low, high };
  const leaves = new Map<Entry, Tensor>();
  const weight = (entry: Entry) => {
    const { shape, key, offset, spec } = entry;
    const base = spec.statistic ? Base.statistics : Base.parameters;
    const leaf = leaves.get(entry) ?? graph.leaf(shape, key, { base, offset: offset * 4 });
    leaves.set(entry, leaf);
    return leaf;
  };
  const layer = x.node!.layer;
  graph.layer = layer;
  let moved = randomStart ? attackStart([x], { ...attributes, op: RANDOM_START }) : x;
  for (let i = 0; i < steps; i++) {
    const seeds = forward([moved], false, 2, weight).map((prediction, output) => {
      const { definition } = compiled!.losses[output]!;
      const [loss] = lossOf(prediction, output, { weights: null }) as [Tensor];
      const elements = definition.targets === "element" ? prediction.size / prediction.shape[0]! : 1;
      return [loss, constantLike([loss], { value: compiled!.config.lossWeights[output]! / elements })] as const;
    });
    const slope = gradient(graph, seeds, [moved], (a, b) => add([a, b])).get(moved);
    if (!slope) throw argumentError(config.type, "a model whose loss has a gradient with respect to its input", "none");
    graph.layer = layer;
    moved = attackStep([moved, slope, x], { ...attributes, stepSize });
  }
  return moved;
}

/** `compile`'s option `adversarial`: the loss of the adversarial examples beside that of the clean ones. */
function bind(given: Record<string, unknown>, compiled: Compiled, state: ModelState): Term {
  const who = "compile: adversarial";
  if (!("attack" in given)) throw argumentError("compile: penalties", "penalties such as tied(…)", given);
  const { attack, weight } = readOptions(who, given, {
    attack: attackField(),
    weight: or(unit(), 0.5),
  });
  checkInputs(who, state);
  const { config } = compiled;
  const own = config.lossWeights;
  const lossWeights = [...own.map((w) => w * (1 - weight)), ...own.map((w) => w * weight)];
  config.adversarial = { attack, weight };
  compiled.lossWeights = lossWeights;
  return {
    extend(program) {
      const { graph, spec } = program;
      if (graph.span !== Span.forward || (spec.kind !== "train" && spec.kind !== "gradients")) return;
      // evaluations have lanes of their own, where the outputs' weights are whole and the others 0
      const { report, runtime } = state.lane("training");
      const first = (report >>> 2) + REPORT_HEAD + 3;
      for (let i = 0; i < lossWeights.length; i++) runtime.heap.f32[first + 4 * i] = lossWeights[i]!;
      const moved = perturb(attack, state, program);
      program.addLosses(program.forward([moved], spec.training, 1), own.length);
    },
  };
}

/** @internal */
export function checkInputs(who: string, { structure: { inputs } }: ModelState): void {
  if (inputs.length > 1) throw argumentError(who, "a model of one input", inputs.length);
}

const range: Field<readonly [number, number]> = /* @__PURE__ */ (() => ({
  expected: "[lowest, highest], two finite numbers in ascending order",
  accepts: (v: unknown) =>
    listOf(finite()).accepts(v) && (v as number[]).length === 2 && (v as number[])[0]! <= (v as number[])[1]!,
}))();

const attackFactory = <Args extends unknown[]>(definition: Pick<AttackDefinition, "type" | "options" | "steps">) =>
  factory<Args, AttackDefinition>("term", { ...definition, bind });

/** Options of `fgsm`. */
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

/** Options of `pgd`. */
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
