// Handwritten digits that need no download.
//
// E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
// https://doi.org/10.24432/C50P49, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Taken from the
// copy that scikit-learn bundles (the data set's test part); split, encoded and scaled here: test/oracle/digits.py.

import type { NDArray } from "../ndarray";
import { DIGITS } from "./digits.data";

/** Images and their labels. */
export interface LabelledImages<T> {
  /** One image a row. */
  x: NDArray<T>;
  /** Class of each image, shape [n]. */
  y: NDArray<Int32Array>;
}

/** A data set with its split. */
export interface TrainTest<T> {
  train: LabelledImages<T>;
  test: LabelledImages<T>;
}

const TRAIN = 1437;
const TEST = 360;
const PIXELS = 64;

/**
 * The 1,797 handwritten digits that scikit-learn bundles, 8 × 8 grey pixels each, split once and for all into 1,437 for
 * training and 360 for testing (stratified). `x` is float32 of shape [n, 64], row by row, 0 (paper) to 1 (ink); `y` is
 * int32 of shape [n], 0 to 9. Every call returns arrays of its own.
 *
 * ```ts
 * const { train, test } = digits();
 * await model.fit(train, { epochs: 20 });
 * const { accuracy } = await model.evaluate(test);
 * ```
 *
 * Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998, CC BY 4.0.
 */
export function digits(): TrainTest<Float32Array> {
  let at = 0;
  const read = (n: number): LabelledImages<Float32Array> => {
    const x = new Float32Array(n * PIXELS);
    const y = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      y[i] = DIGITS.charCodeAt(at++) - 48;
      for (let p = i * PIXELS; p < (i + 1) * PIXELS; ) {
        const code = DIGITS.charCodeAt(at++);
        if (code >= 97)
          p += code - 95; // a run of 2 … 27 zeros
        else x[p++] = (code >= 65 ? code - 55 : code - 48) / 16;
      }
    }
    return { x: { data: x, shape: [n, PIXELS] }, y: { data: y, shape: [n] } };
  };
  return { train: read(TRAIN), test: read(TEST) };
}
