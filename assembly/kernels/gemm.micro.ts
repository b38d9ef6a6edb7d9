// The micro-kernels of gemm.ts: one tile of C in registers.
//
//   C[i, j] (+)= Σₚ A[i, p] · B[p, j],   0 ≤ i ≤ last,  0 ≤ j < 8 (or 4)
//
//   A[i, p] at a + i·aRow + p·aStep      any strides: a row-major A, a transposed one and a packed panel are one case
//   B[p, j] at b + p·bStep + j·4         a row-major B or a packed panel
//   C[i, j] at c + i·cRow + j·4          all strides in bytes
//
// Rows after `last` repeat row `last` (its pointers are clamped): they compute and store the same bits again, so a short
// tile needs neither branches nor padding. Each element is the chain c ← c + a·b over ascending p, from 0 or from C.
//
// V8 has 15 vector registers: 6×8 with relaxed_madd (12 sums, 2 of B, 1 of A), 5×8 without (the product needs one more).
// One step of p a block: unrolled, V8 regroups the sums and spills.

/** Rows of the tall tile. */
// @ts-ignore: decorator
@inline export const MR: usize = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/** c + a·b: fused where the build has relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

// @ts-ignore: decorator
@inline
function row(p: usize, stride: usize, i: usize, last: usize): usize {
  return p + stride * (i < last ? i : last);
}

/** A tile of MR × 8: all its rows. */
export function tileTall(k: usize, a: usize, aRow: usize, aStep: usize, b: usize, bStep: usize, c: usize, cRow: usize, from: bool): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
  if (from) {
    let y = c;
    c00 = v128.load(y); c01 = v128.load(y, 16); y += cRow;
    c10 = v128.load(y); c11 = v128.load(y, 16); y += cRow;
    c20 = v128.load(y); c21 = v128.load(y, 16); y += cRow;
    c30 = v128.load(y); c31 = v128.load(y, 16); y += cRow;
    c40 = v128.load(y); c41 = v128.load(y, 16); y += cRow;
    if (MR == 6) { c50 = v128.load(y); c51 = v128.load(y, 16); }
  }
  let a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow, a4 = a3 + aRow, a5 = a4 + aRow;
  while (k != 0) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a);
    a += aStep;
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a1);
    a1 += aStep;
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a2);
    a2 += aStep;
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a3);
    a3 += aStep;
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    const x4 = v128.load32_splat(a4);
    a4 += aStep;
    c40 = madd(x4, b0, c40); c41 = madd(x4, b1, c41);
    if (MR == 6) {
      const x5 = v128.load32_splat(a5);
      a5 += aStep;
      c50 = madd(x5, b0, c50); c51 = madd(x5, b1, c51);
    }
    b += bStep;
    k--;
  }
  v128.store(c, c00); v128.store(c, c01, 16); c += cRow;
  v128.store(c, c10); v128.store(c, c11, 16); c += cRow;
  v128.store(c, c20); v128.store(c, c21, 16); c += cRow;
  v128.store(c, c30); v128.store(c, c31, 16); c += cRow;
  v128.store(c, c40); v128.store(c, c41, 16); c += cRow;
  if (MR == 6) { v128.store(c, c50); v128.store(c, c51, 16); }
}

/** A tile of 4 × 8, for what MR leaves over. */
export function tileShort(k: usize, a: usize, aRow: usize, aStep: usize, b: usize, bStep: usize, c: usize, cRow: usize, last: usize, from: bool): void {
  const y1 = row(c, cRow, 1, last), y2 = row(c, cRow, 2, last), y3 = row(c, cRow, 3, last);
  let a1 = row(a, aRow, 1, last), a2 = row(a, aRow, 2, last), a3 = row(a, aRow, 3, last);
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  if (from) {
    c00 = v128.load(c); c01 = v128.load(c, 16);
    c10 = v128.load(y1); c11 = v128.load(y1, 16);
    c20 = v128.load(y2); c21 = v128.load(y2, 16);
    c30 = v128.load(y3); c31 = v128.load(y3, 16);
  }
  while (k != 0) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a);
    a += aStep;
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a1);
    a1 += aStep;
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a2);
    a2 += aStep;
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a3);
    a3 += aStep;
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    b += bStep;
    k--;
  }
  v128.store(c, c00); v128.store(c, c01, 16);
  v128.store(y1, c10); v128.store(y1, c11, 16);
  v128.store(y2, c20); v128.store(y2, c21, 16);
  v128.store(y3, c30); v128.store(y3, c31, 16);
}

/** A tile of 12 × 4, all its rows, for the last 1 … 4 columns; b is packed, c a tile. Three pointers to a: V8 has no registers for twelve. */
export function tileNarrow(k: usize, a: usize, aRow: usize, aStep: usize, b: usize, c: usize, from: bool): void {
  const aRow2 = aRow + aRow, aRow3 = aRow2 + aRow;
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0;
  let c6 = c0, c7 = c0, c8 = c0, c9 = c0, c10 = c0, c11 = c0;
  if (from) {
    c0 = v128.load(c); c1 = v128.load(c, 16); c2 = v128.load(c, 32); c3 = v128.load(c, 48);
    c4 = v128.load(c, 64); c5 = v128.load(c, 80); c6 = v128.load(c, 96); c7 = v128.load(c, 112);
    c8 = v128.load(c, 128); c9 = v128.load(c, 144); c10 = v128.load(c, 160); c11 = v128.load(c, 176);
  }
  let a4 = a + aRow2 + aRow2, a8 = a4 + aRow2 + aRow2;
  while (k != 0) {
    const b0 = v128.load(b);
    c0 = madd(v128.load32_splat(a), b0, c0);
    c1 = madd(v128.load32_splat(a + aRow), b0, c1);
    c2 = madd(v128.load32_splat(a + aRow2), b0, c2);
    c3 = madd(v128.load32_splat(a + aRow3), b0, c3);
    a += aStep;
    c4 = madd(v128.load32_splat(a4), b0, c4);
    c5 = madd(v128.load32_splat(a4 + aRow), b0, c5);
    c6 = madd(v128.load32_splat(a4 + aRow2), b0, c6);
    c7 = madd(v128.load32_splat(a4 + aRow3), b0, c7);
    a4 += aStep;
    c8 = madd(v128.load32_splat(a8), b0, c8);
    c9 = madd(v128.load32_splat(a8 + aRow), b0, c9);
    c10 = madd(v128.load32_splat(a8 + aRow2), b0, c10);
    c11 = madd(v128.load32_splat(a8 + aRow3), b0, c11);
    a8 += aStep;
    b += 16;
    k--;
  }
  v128.store(c, c0); v128.store(c, c1, 16); v128.store(c, c2, 32); v128.store(c, c3, 48);
  v128.store(c, c4, 64); v128.store(c, c5, 80); v128.store(c, c6, 96); v128.store(c, c7, 112);
  v128.store(c, c8, 128); v128.store(c, c9, 144); v128.store(c, c10, 160); v128.store(c, c11, 176);
}

// @ts-ignore: decorator
@inline
function storeLanes(p: usize, v: v128, whole: bool): void {
  if (whole) v128.store(p, v);
  else v128.store_lane<f32>(p, v, 0);
}

// @ts-ignore: decorator
@inline
function loadLanes(p: usize, whole: bool): v128 {
  return whole ? v128.load(p) : v128.load32_zero(p);
}

/** The first p from here on, below k, where a[p] is not 0; else something from k on. */
// @ts-ignore: decorator
@inline
function next(p: usize, k: usize, a: usize, aStep: usize): usize {
  while (p < k && load<f32>(a + p * aStep) == 0) p++;
  return p;
}

/** Whether none of the eight numbers at a is 0. */
// @ts-ignore: decorator
@inline
function noZeros(a: usize): bool {
  const zero = f32x4.splat(0);
  return v128.all_true<i32>(v128.and(v128.ne<f32>(v128.load(a), zero), v128.ne<f32>(v128.load(a, 16), zero)));
}

/**
 * c[j] += Σₚ a[p]·b[p, j], 0 ≤ j < n: eight rows of b at a time, c stays in L1. Where a[p] is 0, as half of what a ReLU leaves
 * is, the row of b is not read.
 */
export function axpy8(n: usize, k: usize, a: usize, aStep: usize, b: usize, bStep: usize, c: usize): void {
  const end = c + (n << 2);
  const pairs = c + ((n & ~7) << 2);
  let p = next(0, k, a, aStep);
  while (true) {
    let p1 = p + 1, p2 = p + 2, p3 = p + 3, p4 = p + 4, p5 = p + 5, p6 = p + 6, p7 = p + 7;
    if (p7 >= k || aStep != 4 || !noZeros(a + (p << 2))) {
      p1 = next(p1, k, a, aStep);
      p2 = next(p1 + 1, k, a, aStep);
      p3 = next(p2 + 1, k, a, aStep);
      p4 = next(p3 + 1, k, a, aStep);
      p5 = next(p4 + 1, k, a, aStep);
      p6 = next(p5 + 1, k, a, aStep);
      p7 = next(p6 + 1, k, a, aStep);
      if (p7 >= k) break;
    }
    const x0 = v128.load32_splat(a + p * aStep), x1 = v128.load32_splat(a + p1 * aStep);
    const x2 = v128.load32_splat(a + p2 * aStep), x3 = v128.load32_splat(a + p3 * aStep);
    const x4 = v128.load32_splat(a + p4 * aStep), x5 = v128.load32_splat(a + p5 * aStep);
    const x6 = v128.load32_splat(a + p6 * aStep), x7 = v128.load32_splat(a + p7 * aStep);
    let y = c;
    let b0 = b + p * bStep, b1 = b + p1 * bStep, b2 = b + p2 * bStep, b3 = b + p3 * bStep;
    let b4 = b + p4 * bStep, b5 = b + p5 * bStep, b6 = b + p6 * bStep, b7 = b + p7 * bStep;
    p = next(p7 + 1, k, a, aStep);
    while (y < pairs) {
      let v = v128.load(y), w = v128.load(y, 16);
      v = madd(x0, v128.load(b0), v); w = madd(x0, v128.load(b0, 16), w);
      b0 += 32;
      v = madd(x1, v128.load(b1), v); w = madd(x1, v128.load(b1, 16), w);
      b1 += 32;
      v = madd(x2, v128.load(b2), v); w = madd(x2, v128.load(b2, 16), w);
      b2 += 32;
      v = madd(x3, v128.load(b3), v); w = madd(x3, v128.load(b3, 16), w);
      b3 += 32;
      v = madd(x4, v128.load(b4), v); w = madd(x4, v128.load(b4, 16), w);
      b4 += 32;
      v = madd(x5, v128.load(b5), v); w = madd(x5, v128.load(b5, 16), w);
      b5 += 32;
      v = madd(x6, v128.load(b6), v); w = madd(x6, v128.load(b6, 16), w);
      b6 += 32;
      v = madd(x7, v128.load(b7), v); w = madd(x7, v128.load(b7, 16), w);
      b7 += 32;
      v128.store(y, v); v128.store(y, w, 16);
      y += 32;
    }
    while (y < end) {
      const whole = end - y >= 16;
      const step: usize = whole ? 16 : 4;
      let v = loadLanes(y, whole);
      v = madd(x0, loadLanes(b0, whole), v);
      v = madd(x1, loadLanes(b1, whole), v);
      v = madd(x2, loadLanes(b2, whole), v);
      v = madd(x3, loadLanes(b3, whole), v);
      v = madd(x4, loadLanes(b4, whole), v);
      v = madd(x5, loadLanes(b5, whole), v);
      v = madd(x6, loadLanes(b6, whole), v);
      v = madd(x7, loadLanes(b7, whole), v);
      storeLanes(y, v, whole);
      b0 += step; b1 += step; b2 += step; b3 += step;
      b4 += step; b5 += step; b6 += step; b7 += step;
      y += step;
    }
  }
  for (; p < k; p = next(p + 1, k, a, aStep)) axpy1(n, a + p * aStep, b + p * bStep, 4, c);
}

/** c[j] += a·b[j], 0 ≤ j < n. */
export function axpy1(n: usize, a: usize, b: usize, bColumn: usize, c: usize): void {
  const x = v128.load32_splat(a);
  const end = c + (n << 2);
  while (c < end) {
    const whole = bColumn == 4 && end - c >= 16;
    storeLanes(c, madd(x, loadLanes(b, whole), loadLanes(c, whole)), whole);
    b += whole ? 16 : bColumn;
    c += whole ? 16 : 4;
  }
}

/** sum + a[0 … 3]·(4 columns of b, whose elements p … p + 3 follow one another). */
// @ts-ignore: decorator
@inline
function dot4(sum: v128, x0: v128, x1: v128, x2: v128, x3: v128, p: usize, stride: usize, stride2: usize, stride3: usize): v128 {
  const r0 = v128.load(p), r1 = v128.load(p + stride), r2 = v128.load(p + stride2), r3 = v128.load(p + stride3);
  const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5), low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7), high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  sum = madd(x0, v128.shuffle<i64>(low01, low23, 0, 2), sum);
  sum = madd(x1, v128.shuffle<i64>(low01, low23, 1, 3), sum);
  sum = madd(x2, v128.shuffle<i64>(high01, high23, 0, 2), sum);
  return madd(x3, v128.shuffle<i64>(high01, high23, 1, 3), sum);
}

/** c[j] += Σₚ a[p]·b[p, j] over the first k & ~3 elements, 0 ≤ j < 16; a column of b is contiguous, columns are bColumn apart. */
export function dot16(k: usize, a: usize, aStep: usize, b: usize, bColumn: usize, c: usize): void {
  const stride2 = bColumn * 2, stride3 = bColumn * 3;
  let b1 = b + bColumn * 4, b2 = b1 + bColumn * 4, b3 = b2 + bColumn * 4;
  let v0 = v128.load(c), v1 = v128.load(c, 16), v2 = v128.load(c, 32), v3 = v128.load(c, 48);
  const end = b + ((k & ~3) << 2);
  while (b < end) {
    const x0 = v128.load32_splat(a);
    a += aStep;
    const x1 = v128.load32_splat(a);
    a += aStep;
    const x2 = v128.load32_splat(a);
    a += aStep;
    const x3 = v128.load32_splat(a);
    a += aStep;
    v0 = dot4(v0, x0, x1, x2, x3, b, bColumn, stride2, stride3);
    b += 16;
    v1 = dot4(v1, x0, x1, x2, x3, b1, bColumn, stride2, stride3);
    b1 += 16;
    v2 = dot4(v2, x0, x1, x2, x3, b2, bColumn, stride2, stride3);
    b2 += 16;
    v3 = dot4(v3, x0, x1, x2, x3, b3, bColumn, stride2, stride3);
    b3 += 16;
  }
  v128.store(c, v0); v128.store(c, v1, 16); v128.store(c, v2, 32); v128.store(c, v3, 48);
}
