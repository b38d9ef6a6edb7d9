// The inner loops of direct.ts. `places` lists where the pixels' patches begin, in bytes from x on, and `table` … `end` − 1
// where a patch's elements lie from there on.

import { madd } from "../math/lanes.micro";

/** Nothing is less: what `max` leaves everything as it is with. */
const LEAST: usize = memory.data<f32>([-Infinity]);

// @ts-ignore: decorator
@inline
function biasOf(bias: usize, at: usize): v128 {
  return bias ? v128.load(bias + at) : f32x4.splat(0);
}

// @ts-ignore: decorator
@inline
function floorOf(relu: bool): v128 {
  return relu ? f32x4.splat(0) : v128.load32_splat(LEAST);
}

// @ts-ignore: decorator
@inline
function put(c: usize, v: v128, w: v128, scale: usize, bias: v128, bias1: v128, floor: v128): void {
  if (scale) {
    v128.store(c, f32x4.pmax(madd(v, v128.load(scale), bias), floor));
    v128.store(c, f32x4.pmax(madd(w, v128.load(scale, 16), bias1), floor), 16);
  } else {
    v128.store(c, f32x4.pmax(f32x4.add(v, bias), floor));
    v128.store(c, f32x4.pmax(f32x4.add(w, bias1), floor), 16);
  }
}

/** c (MR, 8) = relu(patches · b · scale + bias) of MR pixels, then of the next MR, so many tiles. */
export function directTall(tiles: usize, places: usize, x: usize, table: usize, end: usize, b: usize, c: usize, cRow: usize, scale: usize, bias: usize, relu: bool): void {
  const list = table, panel = b;
  for (; tiles != 0; tiles--) {
    table = list;
    b = panel;
    let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
    let c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
    const a0 = x + load<usize>(places), a1 = x + load<usize>(places, 4), a2 = x + load<usize>(places, 8);
    const a3 = x + load<usize>(places, 12), a4 = x + load<usize>(places, 16);
    const a5 = ASC_FEATURE_RELAXED_SIMD ? x + load<usize>(places, 20) : 0;
    while (table < end) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      const o = load<usize>(table);
      const x0 = v128.load32_splat(a0 + o);
      c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
      const x1 = v128.load32_splat(a1 + o);
      c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
      const x2 = v128.load32_splat(a2 + o);
      c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
      const x3 = v128.load32_splat(a3 + o);
      c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
      const x4 = v128.load32_splat(a4 + o);
      c40 = madd(x4, b0, c40); c41 = madd(x4, b1, c41);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const x5 = v128.load32_splat(a5 + o);
        c50 = madd(x5, b0, c50); c51 = madd(x5, b1, c51);
      }
      b += 32;
      table += 4;
    }
    // bias and floor are loaded here: V8 has no registers to keep them through the loop
    const v = biasOf(bias, 0), w = biasOf(bias, 16), floor = floorOf(relu);
    put(c, c00, c01, scale, v, w, floor); c += cRow;
    put(c, c10, c11, scale, v, w, floor); c += cRow;
    put(c, c20, c21, scale, v, w, floor); c += cRow;
    put(c, c30, c31, scale, v, w, floor); c += cRow;
    put(c, c40, c41, scale, v, w, floor); c += cRow;
    if (ASC_FEATURE_RELAXED_SIMD) {
      put(c, c50, c51, scale, v, w, floor); c += cRow;
    }
    places += ASC_FEATURE_RELAXED_SIMD ? 24 : 20;
  }
}

/** The same of 4 pixels, of which those after `last` repeat it. */
export function directShort(places: usize, x: usize, table: usize, end: usize, b: usize, c: usize, cRow: usize, scale: usize, bias: usize, relu: bool, last: usize): void {
  const r1 = min<usize>(1, last), r2 = min<usize>(2, last), r3 = min<usize>(3, last);
  const a0 = x + load<usize>(places), a1 = x + load<usize>(places + (r1 << 2));
  const a2 = x + load<usize>(places + (r2 << 2)), a3 = x + load<usize>(places + (r3 << 2));
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  while (table < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const o = load<usize>(table);
    const x0 = v128.load32_splat(a0 + o);
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a1 + o);
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a2 + o);
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a3 + o);
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    b += 32;
    table += 4;
  }
  const v = biasOf(bias, 0), w = biasOf(bias, 16), floor = floorOf(relu);
  put(c, c00, c01, scale, v, w, floor);
  put(c + r1 * cRow, c10, c11, scale, v, w, floor);
  put(c + r2 * cRow, c20, c21, scale, v, w, floor);
  put(c + r3 * cRow, c30, c31, scale, v, w, floor);
}

/** sums (9, 4) += Σ over pixels of patch[9]ᵀ · dy[4]: the nine elements at `table`. Rows of sums are `stride` bytes apart. */
export function directProducts(places: usize, end: usize, table: usize, x: usize, dy: usize, dyStep: usize, sums: usize, stride: usize): void {
  let q = sums;
  let s0 = v128.load(q); q += stride;
  let s1 = v128.load(q); q += stride;
  let s2 = v128.load(q); q += stride;
  let s3 = v128.load(q); q += stride;
  let s4 = v128.load(q); q += stride;
  let s5 = v128.load(q); q += stride;
  let s6 = v128.load(q); q += stride;
  let s7 = v128.load(q); q += stride;
  let s8 = v128.load(q);
  const o0 = load<usize>(table), o1 = load<usize>(table, 4), o2 = load<usize>(table, 8);
  const o3 = load<usize>(table, 12), o4 = load<usize>(table, 16), o5 = load<usize>(table, 20);
  const o6 = load<usize>(table, 24), o7 = load<usize>(table, 28), o8 = load<usize>(table, 32);
  while (places < end) {
    const d = v128.load(dy);
    const p = x + load<usize>(places);
    s0 = madd(v128.load32_splat(p + o0), d, s0);
    s1 = madd(v128.load32_splat(p + o1), d, s1);
    s2 = madd(v128.load32_splat(p + o2), d, s2);
    s3 = madd(v128.load32_splat(p + o3), d, s3);
    s4 = madd(v128.load32_splat(p + o4), d, s4);
    s5 = madd(v128.load32_splat(p + o5), d, s5);
    s6 = madd(v128.load32_splat(p + o6), d, s6);
    s7 = madd(v128.load32_splat(p + o7), d, s7);
    s8 = madd(v128.load32_splat(p + o8), d, s8);
    dy += dyStep;
    places += 4;
  }
  q = sums;
  v128.store(q, s0); q += stride;
  v128.store(q, s1); q += stride;
  v128.store(q, s2); q += stride;
  v128.store(q, s3); q += stride;
  v128.store(q, s4); q += stride;
  v128.store(q, s5); q += stride;
  v128.store(q, s6); q += stride;
  v128.store(q, s7); q += stride;
  v128.store(q, s8);
}
