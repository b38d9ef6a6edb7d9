// The arithmetic of pooling on vectors of channels.

import { load4 } from "../math/lanes.micro";

/** Where v takes the place of the largest so far: it is larger, or NaN. */
// @ts-ignore: decorator
@inline
export function beats(v: v128, m: v128): v128 {
  return v128.or(f32x4.gt(v, m), f32x4.ne(v, v));
}

/** Four bytes as words. */
// @ts-ignore: decorator
@inline
export function wordsOf(bytes: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

/** max(floor, m + bias), of what is there of the bias. */
// @ts-ignore: decorator
@inline
export function finished(m: v128, bias: usize, left: usize, floor: v128): v128 {
  return f32x4.pmax(bias ? f32x4.add(m, load4(bias, left)) : m, floor);
}

/**
 * Eight channels of the 2×2 window at p, and at q below it: the largest to y, with `indexed` its number to `index`. A
 * tournament: the left against the right one in each row, then the upper against the lower.
 */
// @ts-ignore: decorator
@inline
export function pool2x2(y: usize, index: usize, p: usize, q: usize, pixel: usize, bias: usize, floor: v128, indexed: bool): void {
  const a0 = v128.load(p), b0 = v128.load(p + pixel), c0 = v128.load(q), d0 = v128.load(q + pixel);
  const right0 = beats(b0, a0), below0 = beats(d0, c0);
  const upper0 = v128.bitselect(b0, a0, right0), lower0 = v128.bitselect(d0, c0, below0);
  const low0 = beats(lower0, upper0);
  v128.store(y, finished(v128.bitselect(lower0, upper0, low0), bias, 16, floor));
  const a1 = v128.load(p, 16), b1 = v128.load(p + pixel, 16), c1 = v128.load(q, 16), d1 = v128.load(q + pixel, 16);
  const right1 = beats(b1, a1), below1 = beats(d1, c1);
  const upper1 = v128.bitselect(b1, a1, right1), lower1 = v128.bitselect(d1, c1, below1);
  const low1 = beats(lower1, upper1);
  v128.store(y, finished(v128.bitselect(lower1, upper1, low1), bias ? bias + 16 : 0, 16, floor), 16);
  if (indexed) {
    // 2·low + (low ? below : right); masks are −1
    const low = i16x8.narrow_i32x4_s(low0, low1);
    const odd = v128.bitselect(i16x8.narrow_i32x4_s(below0, below1), i16x8.narrow_i32x4_s(right0, right1), low);
    const number = i16x8.neg(i16x8.add(i16x8.add(low, low), odd));
    v128.store_lane<u64>(index, i8x16.narrow_i16x8_u(number, number), 0);
  }
}
