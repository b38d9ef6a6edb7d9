// Handwritten digits that need no download.
//
// E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
// https://doi.org/10.24432/C50P49, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Taken from the
// copy that scikit-learn bundles (the data set's test part); split, encoded and scaled here: test/oracle/digits.py.

import type { NDArray } from "../ndarray";
import { type Bit, decode } from "../runtime/unpack";
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
  /** To train on. */
  train: LabelledImages<T>;
  /** To judge by. */
  test: LabelledImages<T>;
}

const TRAIN = 1437;
const TEST = 360;
const PIXELS = 64;

let unpacked: ReturnType<typeof readDigits> | undefined;

/**
 * How the digits are packed: each image is its label, 4 bits, and 64 pixels, a bit where one is 0, else 5. What a pixel will be is told by its
 * place p, the label, and the pixels left of it, above, and right of that one: as they are, or in quarters, or halves.
 */
export function readDigits(bit: Bit): { pixels: Uint8Array; labels: Uint8Array } {
  const labels = new Uint8Array(TRAIN + TEST);
  const pixels = new Uint8Array(labels.length * PIXELS);
  const quarters = (v: number) => (v + 3) >> 2; // 0 … 4
  for (let i = 0, at = 0; i < labels.length; i++) {
    const before = 16 * (labels[i - 1] ?? 0);
    const both = 160 * (1 + (labels[i - 2] ?? 0)) + before;
    let label = 1;
    while (label < 16) label = label * 2 + bit(before + label, both + label);
    label -= 16;
    labels[i] = label;
    for (let p = 0; p < PIXELS; p++, at++) {
      const left = p & 7 ? pixels[at - 1]! : 0;
      const above = p > 7 ? pixels[at - 8]! : 0;
      const right = p > 7 && (p & 7) < 7 ? pixels[at - 7]! : 0;
      const near = quarters(left) * 5 + quarters(above);
      const drawn = label * PIXELS + p;
      const some = 32 * (55 + left * 17 + above);
      const place = 32 * (344 + p);
      const placed = 32 * (408 + drawn);
      const placedNear = 32 * (1048 + (p * 25 + near) * 3 + ((right + 7) >> 3));
      const drawnNear = 32 * (5848 + drawn * 25 + near);
      let node = 0;
      do node = node * 2 + bit(some + node, place + node, placed + node, placedNear + node, drawnNear + node);
      while (node && node < 16);
      pixels[at] = node && node - 15;
    }
  }
  return { pixels, labels };
}

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
  unpacked ??= decode(DIGITS, readDigits);
  const { pixels, labels } = unpacked;
  const part = (from: number, to: number): LabelledImages<Float32Array> => ({
    x: {
      data: Float32Array.from(pixels.subarray(from * PIXELS, to * PIXELS), (v) => v / 16),
      shape: [to - from, PIXELS],
    },
    y: { data: Int32Array.from(labels.subarray(from, to)), shape: [to - from] },
  });
  return { train: part(0, TRAIN), test: part(TRAIN, TRAIN + TEST) };
}
