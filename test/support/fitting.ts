// Examples, a linear model and its descent by hand: for tests of fit.

import { expect } from "vitest";
import {
  dense,
  type FitOptions,
  type Model,
  meanSquaredError,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  weightsHash,
} from "../../ts/index";
import { compiledNet, examples } from "./training";

export const data = examples();
export const { x, y } = data;
export const rows = (from: number, to: number) => ({
  x: { data: x.data.subarray(from * 12, to * 12), shape: [to - from, 12] },
  y: y.subarray(from, to),
});

export async function hashAfter(
  fitted: unknown,
  options: FitOptions,
  make: () => Model<NDArray> = compiledNet,
): Promise<string> {
  const model = make();
  await model.fit(fitted as never, options);
  const hash = await weightsHash(model);
  model.dispose();
  return hash;
}

/** Largest difference between two models' weights, over the largest weight. */
export function distance(a: Model<NDArray>, b: Model<NDArray>): number {
  const other = b.getWeights();
  let difference = 0;
  let largest = 0;
  for (const [key, { data }] of Object.entries(a.getWeights()))
    data.forEach((v, i) => {
      difference = Math.max(difference, Math.abs(v - other[key]!.data[i]!));
      largest = Math.max(largest, Math.abs(v));
    });
  return difference / largest;
}

export const linear = (learningRate: number) => {
  setSeed(1);
  const model = sequential([dense(1, { inputShape: [2] })]);
  model.compile({ optimizer: sgd({ learningRate }), loss: meanSquaredError() });
  return model;
};
export const points = {
  x: [
    [1, 2],
    [0, -1],
    [2, 2],
    [-1, 3],
    [0.5, 0.5],
  ],
  y: [1, 2, -1, 0, 3],
};

/** Gradient descent on a linear model, by hand, in float64. */
export function descend(model: Model<NDArray>, learningRate: number, batches: number[][], weights = [1, 1, 1, 1, 1]) {
  const w = [...model.getWeights()["dense_1/kernel"]!.data];
  let b = model.getWeights()["dense_1/bias"]!.data[0]!;
  let sum = 0;
  let count = 0;
  for (const batch of batches) {
    const d = [0, 0, 0];
    for (const i of batch) {
      const [x0, x1] = points.x[i]! as [number, number];
      const error = w[0]! * x0 + w[1]! * x1 + b - points.y[i]!;
      sum += weights[i]! * error * error;
      count++;
      [x0, x1, 1].forEach((v, k) => {
        d[k]! += (2 * weights[i]! * error * v) / batch.length;
      });
    }
    w[0]! -= learningRate * d[0]!;
    w[1]! -= learningRate * d[1]!;
    b -= learningRate * d[2]!;
  }
  return { loss: sum / count, weights: [...w, b] };
}

export const flat = (model: Model<NDArray>) => Object.values(model.getWeights()).flatMap(({ data }) => [...data]);
export const close = (got: number[], expected: number[]) => {
  expect(got.length).toBe(expected.length);
  for (const [i, v] of expected.entries()) expect(got[i]).toBeCloseTo(v, 5);
};
