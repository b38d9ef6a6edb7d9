// The model that `train` builds.

import { heNormal } from "../initializers/initializers";
import { relu } from "../layers/activation";
import { batchNorm } from "../layers/batchNorm";
import { dense } from "../layers/dense";
import { dropout } from "../layers/dropout";
import type { Layer } from "../layers/layer";
import { flatten, rescaling } from "../layers/shape";
import { meanSquaredError, softmaxCrossEntropy } from "../losses/losses";
import type { NDArray } from "../ndarray";
import { adagrad, adam, adamw, rmsprop, sgd } from "../optimizers/optimizers";
import type { Built } from "../registry";
import { l1l2 } from "../regularizers/regularizers";
import { cosineDecay, linearDecay } from "../schedules/schedules";
import { type Model, sequential } from "../training/model";
import type { TrainingData } from "./data";

export const OPTIMIZERS = ["adam", "adamw", "sgd", "rmsprop", "adagrad"] as const;
export const SCHEDULES = ["linear", "cosine", "constant"] as const;

/** Options of `train` that a model's file keeps. */
export interface Recipe {
  hidden: number[];
  batchNorm: boolean;
  dropout: number;
  l1: number;
  l2: number;
  labelSmoothing: number;
  optimizer: (typeof OPTIMIZERS)[number];
  learningRate?: number;
  finalLearningRate?: number;
  schedule: (typeof SCHEDULES)[number];
  momentum: number;
  weightDecay?: number;
  clipNorm?: number;
}

/** Learning rates that suit normalised layers, where none is asked for. */
const RATES = { adam: 3e-3, adamw: 3e-3, sgd: 0.05, rmsprop: 1e-3, adagrad: 0.02 };

/** The layer that brings a table's columns to mean 0 and variance 1. */
const STANDARDIZE = "standardize";

/**
 * Inputs scaled, then for each hidden size dense → batchNorm → relu → dropout, then one output a class (logits), or one
 * number.
 *
 * A table's columns are standardised in the model itself, so that it predicts from what the file holds: a frozen batchNorm,
 * whose moving statistics are those of the rows trained on. A number to be predicted is scaled back by the last layer.
 */
export function buildMlp({ train, classes, table }: TrainingData, recipe: Recipe): Model<NDArray> {
  const inputShape = train.x.shape.slice(1);
  const { l1, l2 } = recipe;
  const kernelRegularizer = l1 > 0 || l2 > 0 ? { kernelRegularizer: l1l2({ l1, l2 }) } : {};
  const layers: Layer[] = [];
  // the first layer tells the input's shape
  const first = () => (layers.length === 0 ? { inputShape } : {});
  if (table) layers.push(batchNorm({ name: STANDARDIZE, trainable: false, epsilon: 1e-30, ...first() }));
  if (train.x.data instanceof Uint8Array) layers.push(rescaling({ scale: 1 / 255, ...first() }));
  if (inputShape.length > 1) layers.push(flatten(first()));
  for (const units of recipe.hidden) {
    layers.push(
      dense(units, { useBias: !recipe.batchNorm, kernelInitializer: heNormal(), ...kernelRegularizer, ...first() }),
    );
    if (recipe.batchNorm) layers.push(batchNorm());
    layers.push(relu());
    if (recipe.dropout > 0) layers.push(dropout(recipe.dropout));
  }
  layers.push(dense(classes?.length ?? 1, { ...kernelRegularizer, ...first() }));
  if (table?.target) {
    const [mean] = table.target.mean as unknown as [number];
    layers.push(rescaling({ name: "targetScale", scale: Math.sqrt(spread(table.target.variance[0]!)), offset: mean }));
  }
  const model = sequential(layers, { name: "mlp" });
  if (table) {
    const { mean, variance } = table.columns;
    const shape = [mean.length];
    model.setWeights({
      ...model.getWeights(),
      [`${STANDARDIZE}/movingMean`]: { data: mean, shape },
      [`${STANDARDIZE}/movingVariance`]: { data: variance.map(spread), shape },
    });
  }
  return model;
}

/** A column that never varies is only centred. */
const spread = (variance: number): number => (variance > 0 ? variance : 1);

/** The means of the columns that the model was trained on, if it was trained on a table. */
export function columnMeans(model: Model): Float32Array | undefined {
  return model.getWeights()[`${STANDARDIZE}/movingMean`]?.data;
}

/** `steps`: updates of the whole training, over which the learning rate falls. */
export function compileRecipe(model: Model<NDArray>, data: TrainingData, recipe: Recipe, steps: number): void {
  const initial = recipe.learningRate ?? RATES[recipe.optimizer];
  const final = recipe.finalLearningRate ?? initial / 100;
  const learningRate =
    recipe.schedule === "linear"
      ? linearDecay({ initial, final, steps })
      : recipe.schedule === "cosine"
        ? cosineDecay({ initial, final, steps })
        : initial;
  const target = data.table?.target;
  model.compile({
    optimizer: optimizerOf(recipe, learningRate),
    loss: data.classes ? softmaxCrossEntropy({ labelSmoothing: recipe.labelSmoothing }) : meanSquaredError(),
    // the squared error in units of the target's variance: gradients do not depend on the target's unit
    ...(target && { lossWeights: 1 / spread(target.variance[0]!) }),
    ...(data.classes && { metrics: ["accuracy" as const] }),
    ...(recipe.clipNorm !== undefined && { clipNorm: recipe.clipNorm }),
  });
}

function optimizerOf({ optimizer, momentum, weightDecay }: Recipe, learningRate: number | Built): Built {
  const common = { learningRate, decayKernelsOnly: true, ...(weightDecay !== undefined && { weightDecay }) };
  switch (optimizer) {
    case "adam":
      return adam(common);
    case "adamw":
      return adamw(common);
    case "sgd":
      return sgd({ ...common, momentum });
    case "rmsprop":
      return rmsprop({ ...common, momentum });
    case "adagrad":
      return adagrad(common);
  }
}
