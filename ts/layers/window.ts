// Windows that move over images: options of convolution and pooling, and where `same` pads.

import type { Geometry, Pair } from "../ops/geometry";
import { count, type Field, oneOf, or } from "../options";

/** Of height and width: one number for both, or a pair. */
export type Size = number | Pair;

/** How an image is padded: not at all, or so that the output has ⌈size / stride⌉ rows and columns, as TensorFlow does it. */
export type Padding = "valid" | "same";

/** What the core counts with. */
const MOST = 2 ** 31 - 1;

/** An option that takes one positive integer or a pair. */
export const size = (): Field<Size> => ({
  expected: "a positive integer or a pair of them",
  accepts: (v) =>
    [v].flat().every((n) => count().accepts(n) && (n as number) <= MOST) && (!Array.isArray(v) || v.length === 2),
});

export const padding = (): Field<Padding> => or(oneOf("valid", "same"), "valid");

export const pairOf = (v: Size): Pair => (typeof v === "number" ? [v, v] : v);

/** What `padding` adds to an image of that size: [top, bottom, left, right]. Of an odd number of rows the bottom has one more. */
export function padsOf(
  padding: Padding,
  image: readonly [h: number, w: number],
  window: Pair,
  strides: Pair,
  dilation: Pair = [1, 1],
): Geometry["pads"] {
  const [top, bottom, left, right] = [0, 1].flatMap((i) => {
    const reach = (window[i]! - 1) * dilation[i]! + 1;
    const needed = (Math.ceil(image[i]! / strides[i]!) - 1) * strides[i]! + reach - image[i]!;
    const total = padding === "same" ? Math.max(needed, 0) : 0;
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }) as [number, number, number, number];
  return [top, bottom, left, right];
}
