// What an augmentation is: a description of how a batch is changed between the gather and the first layer, in `fit` alone.

import { shapeError, wrong } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import type { LossDefinition, LossInputs } from "../losses/losses";
import type { Field } from "../options";
import { type Built, type Definition, definitionOf, factory } from "../registry";

/** The counter's `op` words of augmentations, from a pipeline's first on: no layer has them. */
const AUGMENT = 0xa0000000;

/** How labels are mixed. */
export interface Mixing {
  /** A loss's number a row and count: sums over the labels that a row has, times their shares. */
  loss(given: LossInputs, definition: LossDefinition, config: Built): Tensor[];
  /** What metrics see: a row's label of the largest share. */
  winner(given: LossInputs): LossInputs;
}

/** What `build` has to work with, and what it leaves. */
export interface AugmentContext {
  /** The `op` word of this augmentation's counters. */
  op: number;
  /** Whether examples are bytes, 0 … 255. */
  bytes: boolean;
  /** Of the augmentations so far. */
  mixing?: Mixing;
}

/** A pipeline for batches of one shape. */
export interface Pipeline {
  /** Tells pipelines apart. */
  key: string;
  /** The batch x behind it, and how its labels are mixed. */
  build(x: Tensor, bytes: boolean): { x: Tensor; mixing?: Mixing };
}

// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface AugmentationDefinition<C = any> extends Definition {
  /** Whether it takes nothing but images. */
  images: boolean;
  /** Builds its ops on the batch. */
  build(x: Tensor, config: C, context: AugmentContext): Tensor;
  /** `pipelineOf`: reached from here, so that who augments nothing has none of this. */
  pipeline: typeof pipelineOf;
}

/** What a pipeline asks of a model's structure. */
interface Augmented {
  inputs: readonly { value: { shape: Shape } }[];
  calls: readonly {
    call: { inputs: readonly unknown[] };
    layer: { name: string; definition: { checkInput?: unknown } };
  }[];
}

/** A pipeline of augmentations for a model; throws where it does not fit the model's input. */
export function pipelineOf(configs: readonly Built[], { inputs, calls }: Augmented): Pipeline {
  const { value } = inputs[0]!;
  const { shape } = value;
  const ids = calls.find(({ call, layer }) => layer.definition.checkInput && call.inputs.includes(value));
  const items = configs.map((config) => {
    const { images, type, build } = definitionOf<AugmentationDefinition>("augmentation", config);
    if (inputs.length > 1) throw wrong("argument", type, "a model with one input", `one with ${inputs.length}`);
    if (ids)
      throw wrong("argument", type, "examples whose numbers can be mixed and moved", `those of ${ids.layer.name}`);
    if (images && shape.length !== 2 && shape.length !== 3) {
      const expected = "[n, height, width] or [n, height, width, channels] (the model may begin with flatten())";
      throw shapeError(type, "images", expected, ["n", ...shape]);
    }
    return (x: Tensor, context: AugmentContext) => build(x, config, context);
  });
  return {
    key: JSON.stringify(configs),
    build(x, bytes) {
      const context: AugmentContext = { op: AUGMENT, bytes };
      for (const item of items) {
        x = item(x, context);
        context.op++;
      }
      return { ...context, x };
    },
  };
}

/** A factory of augmentations of one type; `images`: it takes nothing else. */
export const augmentation = <Args extends unknown[]>(
  images: boolean,
  definition: Omit<AugmentationDefinition, "images" | "pipeline">,
): ((...args: Args) => Built) =>
  factory<Args, AugmentationDefinition>("augmentation", { ...definition, images, pipeline: pipelineOf });

/** What a random amount is given as: a number a, for [−a, a], or [lower, upper]. */
export type Amount = number | readonly [lower: number, upper: number];

/** [lower, upper] */
export const bounds = (amount: Amount): readonly [number, number] =>
  typeof amount === "number" ? [-amount, amount] : amount;

/** An amount within [least, most]. */
export const amount = (least: number, most: number): Field<Amount> => ({
  expected: `a number in [0, ${Math.min(-least, most)}] or [lower, upper] within [${least}, ${most}]`,
  accepts: (v) => (typeof v === "number" || Array.isArray(v)) && pair(least, most).accepts(bounds(v as Amount)),
});

/** [lower, upper] within [least, most]. */
export const pair = (least: number, most: number): Field<readonly [number, number]> => ({
  expected: `[lower, upper] within [${least}, ${most}]`,
  accepts: (v) =>
    Array.isArray(v) && v.length === 2 && v.every(Number.isFinite) && v[0] >= least && v[0] <= v[1] && v[1] <= most,
});
