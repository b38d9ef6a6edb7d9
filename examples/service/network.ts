// What a model is made of: from a request's options to layers and an optimizer.

import {
  adagrad,
  adam,
  adamw,
  batchNorm,
  dense,
  dropout,
  heNormal,
  type Layer,
  l1l2,
  type Model,
  meanSquaredError,
  type NDArray,
  rescaling,
  rmsprop,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "downhill";
import type { Facts, TableOptions } from "./table";

export const ACTIVATIONS = ["relu", "leakyRelu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"] as const;

const OPTIMIZERS = { sgd, adagrad, rmsprop, adam, adamw };
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[];

/** How a model is made and trained; as requests give it, with defaults (schemas.ts). */
export interface Spec extends TableOptions {
  name: string;
  hiddenLayers: number[];
  activation: (typeof ACTIVATIONS)[number];
  dropout: number;
  l1: number;
  l2: number;
  epochs: number;
  batchSize: number;
  optimizer: { type: keyof typeof OPTIMIZERS; learningRate?: number; momentum?: number; weightDecay?: number };
  earlyStopping?: { monitor: "valLoss" | "loss"; patience: number; minDelta: number; restoreBestWeights: boolean };
  maxSeconds: number;
}

/** A column that never varies is only centred. */
const spread = (variance: number): number => (Math.fround(variance) > 0 ? variance : 1);

/** Numbers of a model, what standardises its columns included. */
export function parametersOf({ hiddenLayers }: Spec, { width, classes }: Pick<Facts, "width" | "classes">): number {
  const sizes = [width, ...hiddenLayers, classes?.length ?? 1];
  return 4 * width + sizes.slice(1).reduce((sum, units, i) => sum + (sizes[i]! + 1) * units, 0);
}

/**
 * Columns standardised → for each hidden size dense, activation, dropout → a logit a class, or one number.
 *
 * The columns are standardised by a frozen batchNorm and a target is scaled back by the last layer: the model takes raw rows and
 * gives raw numbers, wherever its file goes.
 */
export function buildModel(spec: Spec, { width, classes, moments }: Facts): Model<NDArray> {
  const regularizer = spec.l1 > 0 || spec.l2 > 0 ? { kernelRegularizer: l1l2({ l1: spec.l1, l2: spec.l2 }) } : {};
  const layers: Layer[] = [batchNorm({ name: "standardize", trainable: false, epsilon: 1e-30, inputShape: [width] })];
  for (const units of spec.hiddenLayers) {
    layers.push(dense(units, { activation: spec.activation, kernelInitializer: heNormal(), ...regularizer }));
    if (spec.dropout > 0) layers.push(dropout(spec.dropout));
  }
  layers.push(dense(classes?.length ?? 1, regularizer));
  const { mean, variance, target } = moments;
  if (target)
    layers.push(rescaling({ name: "targetScale", scale: Math.sqrt(spread(target.variance)), offset: target.mean }));
  setSeed(spec.seed);
  const model = sequential(layers, { name: "model" });
  model.setWeights({
    ...model.getWeights(),
    "standardize/movingMean": { data: Float32Array.from(mean), shape: [width] },
    "standardize/movingVariance": { data: Float32Array.from(variance, spread), shape: [width] },
  });
  return model;
}

export function compileModel(
  model: Model<NDArray>,
  { optimizer }: Spec,
  { classes, moments: { target } }: Facts,
): void {
  const { type, ...options } = optimizer;
  model.compile({
    optimizer: (OPTIMIZERS[type] as typeof sgd)(options),
    loss: classes ? softmaxCrossEntropy() : meanSquaredError(),
    ...(classes && { metrics: ["accuracy" as const] }),
    // the squared error in units of the target's variance: gradients do not depend on its unit
    ...(target && { lossWeights: 1 / spread(target.variance) }),
  });
}

/** The file of a trained model: its weights, without what only training needs. */
export async function finalFile(spec: Spec, facts: Facts, weights: Record<string, NDArray>): Promise<Uint8Array> {
  const model = buildModel(spec, facts);
  try {
    model.setWeights(weights);
    model.metadata["target"] = facts.target;
    // as `downhill train` writes them, for `downhill predict` and `evaluate`
    const names = facts.columns.flatMap(({ name, values }) => values?.map((value) => `${name}=${value}`) ?? [name]);
    model.metadata["columns"] = JSON.stringify(names);
    if (facts.classes) model.metadata["classes"] = JSON.stringify(facts.classes);
    return await saveModel(model as unknown as Model);
  } finally {
    model.dispose();
  }
}
