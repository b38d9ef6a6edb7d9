// Columns of a table: their moments, and what stands in for missing values.

import type { NDArray } from "../ndarray";

/** Mean and (biased) variance of each column. */
export interface Moments {
  mean: Float32Array;
  variance: Float32Array;
}

/** Moments of the first `rows` rows of x [n, columns]; NaN are left out. */
export function columnMoments({ data, shape }: NDArray, rows: number): Moments {
  const width = shape[1]!;
  const mean = new Float32Array(width);
  const variance = new Float32Array(width);
  for (let j = 0; j < width; j++) {
    let sum = 0;
    let present = 0;
    for (let at = j; at < rows * width; at += width) {
      const value = data[at]!;
      if (Number.isNaN(value)) continue;
      sum += value;
      present++;
    }
    mean[j] = present > 0 ? sum / present : 0;
    let squares = 0;
    for (let at = j; at < rows * width; at += width) {
      const difference = data[at]! - mean[j]!;
      if (!Number.isNaN(difference)) squares += difference * difference;
    }
    variance[j] = present > 0 ? squares / present : 0;
  }
  return { mean, variance };
}

/** Puts `values` of the columns in the place of NaN; x is changed. */
export function fillMissing({ data, shape }: NDArray, values: ArrayLike<number>): void {
  const width = shape[1]!;
  for (let at = 0; at < data.length; at++) if (Number.isNaN(data[at])) data[at] = values[at % width]!;
}
