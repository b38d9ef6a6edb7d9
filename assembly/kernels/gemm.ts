// Matrix products.
//
//   c = epilogue(op(a)·op(b) + bias)      or, where accumulate,   c = epilogue(c + op(a)·op(b) + bias)
//
// op(a) is (m, k), op(b) is (k, n), c and aux are (m, n); `batch` such products, strideA/B/C apart.
//
// Each element is one chain c ← c + a·b over ascending k, on every path (fused where the build has relaxed SIMD): panels
// of k go on from the c that was stored. So neither the path nor the number of workers changes a bit.
//
// Blocks, after BLIS; b is packed once per panel of k and shared by all rows, a is read where it lies (transposed: packed):
//
//           jr      8
//       ┌───┬───┬───┬─┐                      packed b: ┌ kc×8 ┐┌ kc×8 ┐…  the last one 8 or 4 wide, filled up with zeros
//    kc │   │ B │   │ │        ┌──kc──┐
//       └───┴───┴───┴─┘        │  A   │ mc in tiles of MR and 4 rows
//            NC                └──────┘
//
// Thin products go their own ways: up to three rows by axpy over the rows of b, one row against a transposed b by dot
// products, sixteen at a time; one column is such a row. axpy leaves out the rows of b that a 0 would be multiplied with.
//
// Epilogues: relu and the three backward ones. tanh and sigmoid are instructions of their own: their arithmetic
// costs far more than the pass over memory that an epilogue would save.
//
// Work is split over batch elements where there are enough, else over columns or rows, whichever is more even.

import {
  Epilogue,
  GEMM_ALIASED,
  GEMM_IN_PLACE,
  GEMM_IN_PLACE_ALIASED,
  GEMM_KC,
  GEMM_MC,
  GEMM_NC,
  GEMM_PACK_A,
  Gemm,
} from "../isa";
import { ceilDiv, pointer, share, shareOf, size } from "../operands";
import { axpy1, axpy8, dot16, MR, tileNarrow, tileShort, tileTall } from "./gemm.micro";

/** Floats of the tile that stands in for one that reaches past c's last column; the packed panel follows. */
const TILE: usize = 48;

/** Tiles of MR rows in `rows` rows: what they leave over goes to tiles of 4, so that few rows are computed twice. */
export function tallTiles(rows: usize): usize {
  const tiles = rows / MR;
  const left = rows % MR;
  const given: usize = MR == 5 ? (left ? 4 - left : 0) : left < 3 ? min<usize>(left, 1) : left == 5 ? 1 : 0;
  return tiles >= given ? tiles - given : 0;
}

/** dst (k, width) = the first `columns` columns of op(b); columns from there on are 0. */
export function packColumns(
  dst: usize,
  width: usize,
  src: usize,
  kStep: usize,
  columnStep: usize,
  k: usize,
  columns: usize,
): void {
  const rowBytes = width << 2;
  const bytes = k * rowBytes;
  for (let j: usize = 0; j < width; j++) {
    const end = dst + bytes;
    if (j < columns) {
      let from = src;
      for (let p = dst; p < end; p += rowBytes) {
        store<f32>(p, load<f32>(from));
        from += kStep;
      }
    } else for (let p = dst; p < end; p += rowBytes) store<f32>(p, 0);
    src += columnStep;
    dst += 4;
  }
}

/** dst (k, width) = k lines of `width` floats, lineBytes apart; 4 ≤ width ≤ 8. */
export function packLines(dst: usize, width: usize, src: usize, lineBytes: usize, k: usize): void {
  const widthBytes = width << 2;
  const second = widthBytes - 16;
  while (k != 0) {
    v128.store(dst, v128.load(src));
    v128.store(dst + second, v128.load(src + second));
    dst += widthBytes;
    src += lineBytes;
    k--;
  }
}

/** Two panels (k, 8), nextPanel apart = k lines of 16 floats: whole cache lines are read once. */
function packPair(dst: usize, nextPanel: usize, src: usize, lineBytes: usize, k: usize): void {
  let dst2 = dst + nextPanel;
  while (k != 0) {
    v128.store(dst, v128.load(src));
    v128.store(dst, v128.load(src, 16), 16);
    v128.store(dst2, v128.load(src, 32));
    v128.store(dst2, v128.load(src, 48), 16);
    dst += 32;
    dst2 += 32;
    src += lineBytes;
    k--;
  }
}

/** dst = m columns of a transposed a, in panels as high as the tiles that read them: (k, MR) …, (k, 4) …. */
function packTiles(dst: usize, m: usize, src: usize, lineBytes: usize, k: usize): void {
  let tall = tallTiles(m);
  while (m != 0) {
    const width: usize = tall ? MR : 4;
    const rows = min(m, width);
    if (rows >= 4) packLines(dst, width, src, lineBytes, k);
    else packColumns(dst, 4, src, lineBytes, 4, k, rows);
    dst += (width * k) << 2;
    src += rows << 2;
    m -= rows;
    if (tall) tall--;
  }
}

/** Four columns of dst (k, 8) = 4 rows of a transposed b, but for the last k & 3. */
function packTransposed4(dst: usize, src: usize, ldbBytes: usize, k: usize): void {
  const src1 = src + ldbBytes;
  const src2 = src1 + ldbBytes;
  const src3 = src2 + ldbBytes;
  const end = (k & ~3) << 2;
  for (let p: usize = 0; p < end; p += 16) {
    const r0 = v128.load(src + p);
    const r1 = v128.load(src1 + p);
    const r2 = v128.load(src2 + p);
    const r3 = v128.load(src3 + p);
    const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5);
    const low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
    const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
    const high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
    v128.store(dst, v128.shuffle<i64>(low01, low23, 0, 2));
    v128.store(dst, v128.shuffle<i64>(low01, low23, 1, 3), 32);
    v128.store(dst, v128.shuffle<i64>(high01, high23, 0, 2), 64);
    v128.store(dst, v128.shuffle<i64>(high01, high23, 1, 3), 96);
    dst += 128;
  }
}

/** rows × columns of dst = those of src: between c and the tile that stands in for one that reaches past its columns. */
export function copyTile(dst: usize, dstRow: usize, src: usize, srcRow: usize, rows: usize, columns: usize): void {
  for (let i: usize = 0; i < rows; i++) {
    for (let j: usize = 0; j < columns << 2; j += 4) store<f32>(dst + j, load<f32>(src + j));
    dst += dstRow;
    src += srcRow;
  }
}

/** One strip of at most 8 columns: all its tiles. Where `packed`, a is packTiles' panels (whole strips only). */
export function strip(
  m: usize,
  columns: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  packed: bool,
  b: usize,
  bStep: usize,
  c: usize,
  cRow: usize,
  tile: usize,
  from: bool,
): void {
  if (columns == 8) {
    const next = packed ? k << 2 : aRow;
    let step: usize = packed ? MR << 2 : aStep;
    for (let tiles = tallTiles(m); tiles != 0; tiles--) {
      tileTall(k, a, aRow, step, b, bStep, c, cRow, from);
      a += MR * next;
      c += MR * cRow;
      m -= MR;
    }
    if (packed) step = 16;
    while (m != 0) {
      const rows = min<usize>(m, 4);
      tileShort(k, a, aRow, step, b, bStep, c, cRow, rows - 1, from);
      a += rows * next;
      c += rows * cRow;
      m -= rows;
    }
    return;
  }
  // through a tile of its own; four rows may read a panel 4 wide as if it were 8 wide: what it makes of that is not copied
  while (m != 0) {
    const narrow = columns <= 4 && m >= 12;
    const rows: usize = narrow ? 12 : min<usize>(m, 4);
    const toRow: usize = narrow ? 16 : 32;
    if (from) copyTile(tile, toRow, c, cRow, rows, columns);
    if (narrow) tileNarrow(k, a, aRow, aStep, b, tile, from);
    else tileShort(k, a, aRow, aStep, b, bStep, tile, toRow, rows - 1, from);
    copyTile(c, cRow, tile, toRow, rows, columns);
    a += rows * aRow;
    c += rows * cRow;
    m -= rows;
  }
}

/** m × n of c, from column `column` of the product on, through bias and epilogue: rows in L2, a vector at a time. */
function finish(args: usize, c: usize, m: usize, n: usize, cRow: usize, column: usize): void {
  const epilogue = <u32>size(args, Gemm.epilogue);
  let bias = pointer(args, Gemm.bias);
  if (!(bias | epilogue)) return;
  // one column: all of the product's row share its bias
  const biasStep: usize = size(args, Gemm.n) == 1 ? 0 : 4;
  bias += bias ? column * biasStep : 0;
  let aux = pointer(args, Gemm.aux) + (c - pointer(args, Gemm.c));
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < m; i++) {
    let p = c;
    let q = aux;
    let r = bias;
    let left = n;
    while (left != 0) {
      // single lanes after the last whole vector
      const whole = left >= 4;
      let v = whole ? v128.load(p) : v128.load32_zero(p);
      if (bias) v = f32x4.add(v, whole && biasStep ? v128.load(r) : v128.load32_splat(r));
      if (epilogue == Epilogue.relu) v = f32x4.pmax(v, zero);
      else if (epilogue != Epilogue.none) {
        const y = whole ? v128.load(q) : v128.load32_zero(q);
        const rest = f32x4.sub(f32x4.splat(1), epilogue == Epilogue.tanhBackward ? f32x4.mul(y, y) : y);
        if (epilogue == Epilogue.reluBackward) v = v128.and(v, f32x4.gt(y, zero));
        else if (epilogue == Epilogue.tanhBackward) v = f32x4.mul(v, rest);
        else v = f32x4.mul(f32x4.mul(v, y), rest);
      }
      if (whole) v128.store(p, v);
      else v128.store_lane<f32>(p, v, 0);
      const step: usize = whole ? 4 : 1;
      p += step << 2;
      q += step << 2;
      r += step * biasStep;
      left -= step;
    }
    c += cRow;
    aux += cRow;
  }
}

/** c = op(a)·op(b) (+ c where `from`) by packed panels, rows × columns as given; then bias and epilogue. */
function panels(
  args: usize,
  m: usize,
  n: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  bColumn: usize,
  inPlace: bool,
  c: usize,
  cRow: usize,
  from: bool,
  column: usize,
  workspace: usize,
): void {
  const packA = aRow == 4 && aStep != 4 && n >= <usize>GEMM_PACK_A;
  const packedB = workspace + (TILE << 2);
  const depths = max(1, ceilDiv(k, GEMM_KC));
  for (let jc: usize = 0; jc < n; jc += GEMM_NC) {
    const nc = min<usize>(GEMM_NC, n - jc);
    for (let d: usize = 0; d < depths; d++) {
      const pc = (d * k) / depths;
      const kc = ((d + 1) * k) / depths - pc;
      const continued = from || d != 0;
      // after the packed b, and what a last tile may read past it
      const packedA = packedB + (inPlace ? 8 : (nc + 7) & ~7) * (kc << 2) + 16;
      for (let jr: usize = 0; jr < nc; jr += 8) {
        const columns = min<usize>(8, nc - jr);
        const source = b + pc * bStep + (jc + jr) * bColumn;
        const panel = inPlace ? packedB : packedB + jr * (kc << 2);
        if (columns < 8) packColumns(panel, columns > 4 ? 8 : 4, source, bStep, bColumn, kc, columns);
        else if (bColumn == 4) {
          if (inPlace) continue;
          if (nc - jr < 16) packLines(panel, 8, source, bStep, kc);
          else {
            packPair(panel, kc << 5, source, bStep, kc);
            jr += 8;
          }
        } else {
          packTransposed4(panel, source, bColumn, kc);
          packTransposed4(panel + 16, source + (bColumn << 2), bColumn, kc);
          const even = kc & ~3;
          packColumns(panel + (even << 5), 8, source + even * bStep, bStep, bColumn, kc - even, 8);
        }
      }
      for (let ic: usize = 0; ic < m; ic += GEMM_MC) {
        const mc = min<usize>(GEMM_MC, m - ic);
        const rows = a + ic * aRow + pc * aStep;
        if (packA) packTiles(packedA, mc, rows, aStep, kc);
        for (let jr: usize = 0; jr < nc; jr += 8) {
          const columns = min<usize>(8, nc - jr);
          const whole = columns == 8;
          const packed = whole && packA;
          const direct = whole && inPlace;
          const panel = inPlace ? packedB : packedB + jr * (kc << 2);
          strip(
            mc,
            columns,
            kc,
            packed ? packedA : rows,
            aRow,
            aStep,
            packed,
            direct ? b + pc * bStep + ((jc + jr) << 2) : panel,
            direct ? bStep : columns > 4 ? 32 : 16,
            c + ic * cRow + ((jc + jr) << 2),
            cRow,
            workspace,
            continued,
          );
        }
        if (d == depths - 1) finish(args, c + ic * cRow + (jc << 2), mc, nc, cRow, column + jc);
      }
    }
  }
}

/** Rows of b that thin products of several rows take at a time: what all rows of c can have from L1 or L2. */
const THIN_DEPTH: usize = 32;

/** One to three rows, b row-major: c += eight (then single) rows of b at a time. */
function thinRows(
  m: usize,
  n: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  c: usize,
  cRow: usize,
): void {
  while (k != 0) {
    const depth = m == 1 ? k : min(k, THIN_DEPTH);
    for (let i: usize = 0; i < m; i++) axpy8(n, depth, a + i * aRow, aStep, b, bStep, c + i * cRow);
    a += depth * aStep;
    b += depth * bStep;
    k -= depth;
  }
}

/** One row, b transposed: 16 dot products at a time. n is a multiple of 16. */
function thinDots(n: usize, k: usize, a: usize, aStep: usize, b: usize, bColumn: usize, c: usize): void {
  for (; n != 0; n -= 16) {
    dot16(k, a, aStep, b, bColumn, c);
    for (let p = k & ~3; p < k; p++) axpy1(16, a + p * aStep, b + (p << 2), bColumn, c);
    b += bColumn << 4;
    c += 64;
  }
}

/** rows × columns of c = 0. */
function clear(c: usize, m: usize, n: usize, cRow: usize): void {
  for (; m != 0; m--) {
    for (let p = c; p < c + (n << 2); p += 4) store<f32>(p, 0);
    c += cRow;
  }
}

/** The instruction: see Gemm (isa.ts). */
export function gemm(args: usize, ith: u32, nth: u32): void {
  const k = size(args, Gemm.k);
  const ldc = size(args, Gemm.ldc) << 2;
  const batch = size(args, Gemm.batch);
  const accumulate = size(args, Gemm.accumulate) != 0;
  const workspace = pointer(args, Gemm.workspace) + <usize>ith * size(args, Gemm.workspaceBytes);
  let m = size(args, Gemm.m);
  let n = size(args, Gemm.n);
  // one column: cᵀ = bᵀ·aᵀ is one row. Slots of a and b stand side by side
  const swap: i32 = n == 1 && ldc == 4 ? 1 : 0;
  if (swap) {
    n = m;
    m = 1;
  }
  let a = pointer(args, Gemm.a + swap);
  let b = pointer(args, Gemm.b - swap);
  const aBatch = size(args, Gemm.strideA + swap) << 2;
  const bBatch = size(args, Gemm.strideB - swap) << 2;
  const aLine = size(args, Gemm.lda + swap) << 2;
  const bLine = size(args, Gemm.ldb - swap) << 2;
  const transA = size(args, Gemm.transA + swap) != <usize>swap;
  const transB = size(args, Gemm.transB - swap) != <usize>swap;
  const aRow: usize = transA ? 4 : aLine;
  const aStep: usize = transA ? aLine : 4;
  const bStep: usize = transB ? 4 : bLine;
  const bColumn: usize = transB ? bLine : 4;
  const rowMajor = bColumn == 4;
  const thin = rowMajor ? m < 4 : m == 1 && bStep == 4;
  // rows of b 4 KB apart lie in one set of L1
  const aliased = n >= <usize>GEMM_ALIASED && (bStep & 4095) == 0;
  const inPlace = rowMajor && m <= <usize>(aliased ? GEMM_IN_PLACE_ALIASED : GEMM_IN_PLACE);

  // whose work: whole products, columns in strips, or rows
  let first: usize = 0;
  let end = batch;
  let column: usize = 0;
  let c = pointer(args, Gemm.c);
  if (batch >= nth) {
    first = share(batch, ith, nth);
    end = share(batch, ith + 1, nth);
  } else if (thin || ceilDiv(ceilDiv(n, 16), nth) * 16 * m <= (ceilDiv(m, nth) + 4) * n) {
    column = shareOf(n, 16, ith, nth);
    n = shareOf(n, 16, ith + 1, nth) - column;
    b += column * bColumn;
    c += column << 2;
  } else {
    const row = share(m, ith, nth);
    m = share(m, ith + 1, nth) - row;
    a += row * aRow;
    c += row * ldc;
  }

  const cBatch = size(args, Gemm.strideC) << 2;
  a += first * aBatch;
  b += first * bBatch;
  c += first * cBatch;
  for (; first < end; first++) {
    let done: usize = 0;
    if (thin) {
      done = rowMajor ? n : n & ~15;
      if (!accumulate) clear(c, m, done, ldc);
      if (rowMajor) thinRows(m, n, k, a, aRow, aStep, b, bStep, c, ldc);
      else thinDots(done, k, a, aStep, b, bColumn, c);
      finish(args, c, m, done, ldc, column);
    }
    if (done != n)
      panels(
        args,
        m,
        n - done,
        k,
        a,
        aRow,
        aStep,
        b + done * bColumn,
        bStep,
        bColumn,
        inPlace,
        c + (done << 2),
        ldc,
        accumulate,
        column + done,
        workspace,
      );
    a += aBatch;
    b += bBatch;
    c += cBatch;
  }
}
