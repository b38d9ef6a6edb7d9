// What predictions are worth: classes against labels, numbers against targets.

import type { NDArray } from "../ndarray";

/** Classes that labels from 0 on speak of. */
export function countClasses(labels: Int32Array): number {
  let most = -1;
  for (const label of labels) if (label > most) most = label;
  return most + 1;
}

/** The class of the largest of each row's scores [n, classes]; ties go to the first. */
export function mostLikely({ data, shape }: NDArray): Int32Array {
  const [n, classes] = shape as [number, number];
  const best = new Int32Array(n);
  for (let i = 0; i < n; i++)
    for (let c = 1; c < classes; c++) if (data[i * classes + c]! > data[i * classes + best[i]!]!) best[i] = c;
  return best;
}

/** counts[label][class] of what was predicted for each label. */
export function confusionMatrix(labels: Int32Array, predicted: Int32Array, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]![predicted[i]!]!++;
  return counts;
}

/** How far predicted numbers lie from their targets. */
export interface Errors {
  rootMeanSquare: number;
  meanAbsolute: number;
  /** 1 − Σ(t − ŷ)²/Σ(t − mean t)²; NaN where the targets are all the same. */
  rSquared: number;
}

export function regressionErrors(targets: Float32Array, predicted: Float32Array): Errors {
  const n = targets.length;
  let mean = 0;
  for (const t of targets) mean += t / n;
  let squares = 0;
  let absolute = 0;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const error = targets[i]! - predicted[i]!;
    squares += error * error;
    absolute += Math.abs(error);
    total += (targets[i]! - mean) * (targets[i]! - mean);
  }
  return {
    rootMeanSquare: Math.sqrt(squares / n),
    meanAbsolute: absolute / n,
    rSquared: total > 0 ? 1 - squares / total : Number.NaN,
  };
}
