// The inner loops of direct.ts. Neighbouring pixels are aRow bytes apart in x; `table` lists where a patch's elements lie
// from its pixel on, in bytes.

import { madd } from "../math/lanes.micro";

// @ts-ignore: decorator
@inline
function finished(v: v128, bias: usize, at: usize, relu: bool): v128 {
  if (bias) v = f32x4.add(v, v128.load(bias + at));
  return relu ? f32x4.pmax(v, f32x4.splat(0)) : v;
}

// @ts-ignore: decorator
@inline
function put(c: usize, v: v128, w: v128, bias: usize, relu: bool): void {
  v128.store(c, finished(v, bias, 0, relu));
  v128.store(c, finished(w, bias, 16, relu), 16);
}

/** c (MR, 8) = relu(patches · b + bias) of MR neighbouring pixels from `a` on. */
export function directTall(table: usize, end: usize, a: usize, aRow: usize, b: usize, c: usize, cRow: usize, bias: usize, relu: bool): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
  while (table < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let p = a + load<usize>(table);
    const x0 = v128.load32_splat(p);
    p += aRow;
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(p);
    p += aRow;
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(p);
    p += aRow;
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(p);
    p += aRow;
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    const x4 = v128.load32_splat(p);
    p += aRow;
    c40 = madd(x4, b0, c40); c41 = madd(x4, b1, c41);
    if (ASC_FEATURE_RELAXED_SIMD) {
      const x5 = v128.load32_splat(p);
      c50 = madd(x5, b0, c50); c51 = madd(x5, b1, c51);
    }
    b += 32;
    table += 4;
  }
  put(c, c00, c01, bias, relu); c += cRow;
  put(c, c10, c11, bias, relu); c += cRow;
  put(c, c20, c21, bias, relu); c += cRow;
  put(c, c30, c31, bias, relu); c += cRow;
  put(c, c40, c41, bias, relu); c += cRow;
  if (ASC_FEATURE_RELAXED_SIMD) put(c, c50, c51, bias, relu);
}

/** The same of 4 pixels, of which those after `last` repeat it. */
export function directShort(table: usize, end: usize, a: usize, aRow: usize, b: usize, c: usize, cRow: usize, bias: usize, relu: bool, last: usize): void {
  const r1 = min<usize>(1, last), r2 = min<usize>(2, last), r3 = min<usize>(3, last);
  const a1 = r1 * aRow, a2 = r2 * aRow, a3 = r3 * aRow;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  while (table < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const p = a + load<usize>(table);
    const x0 = v128.load32_splat(p);
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(p + a1);
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(p + a2);
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(p + a3);
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    b += 32;
    table += 4;
  }
  put(c, c00, c01, bias, relu);
  put(c + r1 * cRow, c10, c11, bias, relu);
  put(c + r2 * cRow, c20, c21, bias, relu);
  put(c + r3 * cRow, c30, c31, bias, relu);
}

// @ts-ignore: decorator
@inline
function entry(table: usize, i: usize, last: usize): usize {
  return load<usize>(table + (min(i, last) << 2));
}

/**
 * sums (9, 4) += Σ over n neighbouring pixels of patch[9]ᵀ · dy[4]: the nine elements at `table`, of which those after `last`
 * repeat it. Rows of sums are `stride` bytes apart.
 */
export function directProducts(n: usize, table: usize, last: usize, x: usize, xStep: usize, dy: usize, dyStep: usize, sums: usize, stride: usize): void {
  const q1 = sums + min<usize>(1, last) * stride, q2 = sums + min<usize>(2, last) * stride;
  const q3 = sums + min<usize>(3, last) * stride, q4 = sums + min<usize>(4, last) * stride;
  const q5 = sums + min<usize>(5, last) * stride, q6 = sums + min<usize>(6, last) * stride;
  const q7 = sums + min<usize>(7, last) * stride, q8 = sums + min<usize>(8, last) * stride;
  let s0 = v128.load(sums), s1 = v128.load(q1), s2 = v128.load(q2), s3 = v128.load(q3), s4 = v128.load(q4);
  let s5 = v128.load(q5), s6 = v128.load(q6), s7 = v128.load(q7), s8 = v128.load(q8);
  const t1 = entry(table, 1, last), t2 = entry(table, 2, last), t3 = entry(table, 3, last), t4 = entry(table, 4, last);
  const t5 = entry(table, 5, last), t6 = entry(table, 6, last), t7 = entry(table, 7, last), t8 = entry(table, 8, last);
  x += load<usize>(table);
  const o1 = t1 - load<usize>(table), o2 = t2 - load<usize>(table), o3 = t3 - load<usize>(table), o4 = t4 - load<usize>(table);
  const o5 = t5 - load<usize>(table), o6 = t6 - load<usize>(table), o7 = t7 - load<usize>(table), o8 = t8 - load<usize>(table);
  while (n != 0) {
    const d = v128.load(dy);
    s0 = madd(v128.load32_splat(x), d, s0);
    s1 = madd(v128.load32_splat(x + o1), d, s1);
    s2 = madd(v128.load32_splat(x + o2), d, s2);
    s3 = madd(v128.load32_splat(x + o3), d, s3);
    s4 = madd(v128.load32_splat(x + o4), d, s4);
    s5 = madd(v128.load32_splat(x + o5), d, s5);
    s6 = madd(v128.load32_splat(x + o6), d, s6);
    s7 = madd(v128.load32_splat(x + o7), d, s7);
    s8 = madd(v128.load32_splat(x + o8), d, s8);
    x += xStep;
    dy += dyStep;
    n--;
  }
  v128.store(sums, s0);
  v128.store(q1, s1);
  v128.store(q2, s2);
  v128.store(q3, s3);
  v128.store(q4, s4);
  v128.store(q5, s5);
  v128.store(q6, s6);
  v128.store(q7, s7);
  v128.store(q8, s8);
}
