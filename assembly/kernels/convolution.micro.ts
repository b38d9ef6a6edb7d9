// The tiles of a convolution's gradient to its kernel.
//
//   C[i, j] (+)= Σ over pixels of patch[i] · dY[j],   0 ≤ i < MR (or 4),  0 ≤ j < 8
//
// `table` lists where the pixels' patches begin, in bytes from `a` on; `b` is dY, packed (pixels, 8).

import { madd } from "../math/lanes.micro";
import { MR } from "./gemm.micro";

/** A tile of MR × 8. */
export function patchTall(table: usize, end: usize, a: usize, b: usize, c: usize, cRow: usize, from: bool): void {
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
  while (table < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const p = a + load<usize>(table);
    const x0 = v128.load32_splat(p);
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(p, 4);
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(p, 8);
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(p, 12);
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    const x4 = v128.load32_splat(p, 16);
    c40 = madd(x4, b0, c40); c41 = madd(x4, b1, c41);
    if (MR == 6) {
      const x5 = v128.load32_splat(p, 20);
      c50 = madd(x5, b0, c50); c51 = madd(x5, b1, c51);
    }
    b += 32;
    table += 4;
  }
  v128.store(c, c00); v128.store(c, c01, 16); c += cRow;
  v128.store(c, c10); v128.store(c, c11, 16); c += cRow;
  v128.store(c, c20); v128.store(c, c21, 16); c += cRow;
  v128.store(c, c30); v128.store(c, c31, 16); c += cRow;
  v128.store(c, c40); v128.store(c, c41, 16); c += cRow;
  if (MR == 6) { v128.store(c, c50); v128.store(c, c51, 16); }
}

/** A tile of 4 × 8, of whose rows those after `last` repeat it. */
export function patchShort(table: usize, end: usize, a: usize, b: usize, c: usize, cRow: usize, last: usize, from: bool): void {
  const r1 = min<usize>(1, last), r2 = min<usize>(2, last), r3 = min<usize>(3, last);
  const y1 = c + r1 * cRow, y2 = c + r2 * cRow, y3 = c + r3 * cRow;
  const a1 = a + (r1 << 2), a2 = a + (r2 << 2), a3 = a + (r3 << 2);
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  if (from) {
    c00 = v128.load(c); c01 = v128.load(c, 16);
    c10 = v128.load(y1); c11 = v128.load(y1, 16);
    c20 = v128.load(y2); c21 = v128.load(y2, 16);
    c30 = v128.load(y3); c31 = v128.load(y3, 16);
  }
  while (table < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const o = load<usize>(table);
    const x0 = v128.load32_splat(a + o);
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
  v128.store(c, c00); v128.store(c, c01, 16);
  v128.store(y1, c10); v128.store(y1, c11, 16);
  v128.store(y2, c20); v128.store(y2, c21, 16);
  v128.store(y3, c30); v128.store(y3, c31, 16);
}
