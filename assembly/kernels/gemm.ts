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
// Thin products go their own ways: one row by axpy or dot products over the rows of b, one column as such a row.
//
// Work is split over batch elements where there are enough, else over columns or rows, whichever is more even.

import { Epilogue, GEMM_IN_PLACE, GEMM_KC, GEMM_MC, GEMM_NC, GEMM_TILE, Gemm } from "../isa";
import { ceilDiv, pointer, share, shareOf, size } from "../operands";
import { MR, madd, tileNarrow, tileShort, tileTall } from "./gemm.micro";

/** Tiles of MR rows in `rows` rows: what they leave over goes to tiles of 4, so that few rows are computed twice. */
function tallTiles(rows: usize): usize {
  const tiles = rows / MR;
  const left = rows % MR;
  const given: usize = MR == 5 ? (left ? 4 - left : 0) : left < 3 ? min<usize>(left, 1) : left == 5 ? 1 : 0;
  return tiles >= given ? tiles - given : 0;
}

/** dst (k, width) = the first `columns` columns of op(b); columns from there on are 0. */
function packColumns(
  dst: usize,
  width: usize,
  src: usize,
  kStep: usize,
  columnStep: usize,
  k: usize,
  columns: usize,
): void {
  for (let p: usize = 0; p < k; p++) {
    let from = src + p * kStep;
    for (let j: usize = 0; j < width; j++) {
      store<f32>(dst, j < columns ? load<f32>(from) : 0);
      from += columnStep;
      dst += 4;
    }
  }
}

/** dst (k, 8) = 8 columns of a row-major b. */
function packRows8(dst: usize, src: usize, ldbBytes: usize, k: usize): void {
  while (k != 0) {
    v128.store(dst, v128.load(src));
    v128.store(dst, v128.load(src, 16), 16);
    dst += 32;
    src += ldbBytes;
    k--;
  }
}

/** dst (k, 8), four columns of it = 4 rows of a transposed b. */
function packTransposed4(dst: usize, src: usize, ldbBytes: usize, k: usize): void {
  const src1 = src + ldbBytes;
  const src2 = src1 + ldbBytes;
  const src3 = src2 + ldbBytes;
  const end = (k & ~3) << 2;
  let p: usize = 0;
  for (; p < end; p += 16) {
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
  for (; p < k << 2; p += 4) {
    store<f32>(dst, load<f32>(src + p));
    store<f32>(dst, load<f32>(src1 + p), 4);
    store<f32>(dst, load<f32>(src2 + p), 8);
    store<f32>(dst, load<f32>(src3 + p), 12);
    dst += 32;
  }
}

/** c's rows × columns that a tile of `width` columns reaches past: through a tile of its own. */
function copyTile(dst: usize, dstRow: usize, src: usize, srcRow: usize, rows: usize, columns: usize): void {
  for (let i: usize = 0; i < rows; i++) {
    for (let j: usize = 0; j < columns << 2; j += 4) store<f32>(dst + j, load<f32>(src + j));
    dst += dstRow;
    src += srcRow;
  }
}

/** One strip of at most 8 columns: all its tiles. */
function strip(
  m: usize,
  columns: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  c: usize,
  cRow: usize,
  tile: usize,
  from: bool,
): void {
  if (columns == 8) {
    for (let tiles = tallTiles(m); tiles != 0; tiles--) {
      tileTall(k, a, aRow, aStep, b, bStep, c, cRow, from);
      a += MR * aRow;
      c += MR * cRow;
      m -= MR;
    }
    while (m != 0) {
      const rows = min<usize>(m, 4);
      tileShort(k, a, aRow, aStep, b, bStep, c, cRow, rows - 1, from);
      a += rows * aRow;
      c += rows * cRow;
      m -= rows;
    }
    return;
  }
  while (m != 0) {
    const narrow = columns <= 4;
    const rows = min<usize>(m, narrow ? 8 : 4);
    const tileRow: usize = narrow ? 16 : 32;
    if (from) copyTile(tile, tileRow, c, cRow, rows, columns);
    if (narrow) tileNarrow(k, a, aRow, aStep, b, bStep, tile, tileRow, rows - 1, from);
    else tileShort(k, a, aRow, aStep, b, bStep, tile, tileRow, rows - 1, from);
    copyTile(c, cRow, tile, tileRow, rows, columns);
    a += rows * aRow;
    c += rows * cRow;
    m -= rows;
  }
}

/** Rows [0, m) × columns [0, n) of c through bias and epilogue. */
function finish(
  c: usize,
  m: usize,
  n: usize,
  cRow: usize,
  bias: usize,
  biasStep: usize,
  aux: usize,
  epilogue: u32,
): void {
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
      if (bias) {
        v = f32x4.add(v, whole && biasStep ? v128.load(r) : v128.load32_splat(r));
      }
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
  bias: usize,
  aux: usize,
  epilogue: u32,
  workspace: usize,
): void {
  const packed = workspace + (GEMM_TILE << 2);
  const depths = max(1, ceilDiv(k, GEMM_KC));
  for (let jc: usize = 0; jc < n; jc += GEMM_NC) {
    const nc = min<usize>(GEMM_NC, n - jc);
    for (let d: usize = 0; d < depths; d++) {
      const pc = (d * k) / depths;
      const kc = ((d + 1) * k) / depths - pc;
      const continued = from || d != 0;
      for (let jr: usize = 0; jr < nc; jr += 8) {
        const columns = min<usize>(8, nc - jr);
        const source = b + pc * bStep + (jc + jr) * bColumn;
        const panel = inPlace ? packed : packed + jr * (kc << 2);
        if (columns < 8) packColumns(panel, columns > 4 ? 8 : 4, source, bStep, bColumn, kc, columns);
        else if (bColumn == 4) {
          if (!inPlace) packRows8(panel, source, bStep, kc);
        } else {
          packTransposed4(panel, source, bColumn, kc);
          packTransposed4(panel + 16, source + (bColumn << 2), bColumn, kc);
        }
      }
      for (let ic: usize = 0; ic < m; ic += GEMM_MC) {
        const mc = min<usize>(GEMM_MC, m - ic);
        for (let jr: usize = 0; jr < nc; jr += 8) {
          const columns = min<usize>(8, nc - jr);
          const direct = inPlace && columns == 8;
          strip(
            mc,
            columns,
            kc,
            a + ic * aRow + pc * aStep,
            aRow,
            aStep,
            direct ? b + pc * bStep + ((jc + jr) << 2) : inPlace ? packed : packed + jr * (kc << 2),
            direct ? bStep : columns > 4 ? 32 : 16,
            c + ic * cRow + ((jc + jr) << 2),
            cRow,
            workspace,
            continued,
          );
        }
        if (d == depths - 1 && (bias || epilogue))
          finish(
            c + ic * cRow + (jc << 2),
            mc,
            nc,
            cRow,
            bias ? bias + (jc << 2) : 0,
            4,
            aux + ic * cRow + (jc << 2),
            epilogue,
          );
      }
    }
  }
}

export function gemm(args: usize, ith: u32, nth: u32): void {
  const m = size(args, Gemm.m);
  const n = size(args, Gemm.n);
  const k = size(args, Gemm.k);
  const lda = size(args, Gemm.lda) << 2;
  const ldb = size(args, Gemm.ldb) << 2;
  const ldc = size(args, Gemm.ldc) << 2;
  const transA = size(args, Gemm.transA) != 0;
  const transB = size(args, Gemm.transB) != 0;
  const batch = size(args, Gemm.batch);
  const epilogue = <u32>size(args, Gemm.epilogue);
  const bias = pointer(args, Gemm.bias);
  const aux = pointer(args, Gemm.aux);
  const workspace = pointer(args, Gemm.workspace) + <usize>ith * size(args, Gemm.workspaceBytes);

  // whose work: whole products, columns in strips, or rows
  const byBatch = batch >= nth;
  const byColumns = !byBatch && ceilDiv(ceilDiv(n, 8), nth) * 8 * m <= (ceilDiv(m, nth) + 4) * n;
  const byRows = !byBatch && !byColumns;
  const first = byBatch ? share(batch, ith, nth) : 0;
  const end = byBatch ? share(batch, ith + 1, nth) : batch;
  const i0 = byRows ? share(m, ith, nth) : 0;
  const i1 = byRows ? share(m, ith + 1, nth) : m;
  const j0 = byColumns ? shareOf(n, 8, ith, nth) : 0;
  const j1 = byColumns ? shareOf(n, 8, ith + 1, nth) : n;

  const aRow: usize = transA ? 4 : lda;
  const aStep: usize = transA ? lda : 4;
  const bStep: usize = transB ? 4 : ldb;
  const bColumn: usize = transB ? ldb : 4;
  const inPlace = !transB && m <= <usize>GEMM_IN_PLACE;
  for (let e = first; e < end; e++) {
    const offset = e * (size(args, Gemm.strideC) << 2) + i0 * ldc + (j0 << 2);
    panels(
      i1 - i0,
      j1 - j0,
      k,
      pointer(args, Gemm.a) + e * (size(args, Gemm.strideA) << 2) + i0 * aRow,
      aRow,
      aStep,
      pointer(args, Gemm.b) + e * (size(args, Gemm.strideB) << 2) + j0 * bColumn,
      bStep,
      bColumn,
      inPlace,
      pointer(args, Gemm.c) + offset,
      ldc,
      size(args, Gemm.accumulate) != 0,
      bias ? bias + (j0 << 2) : 0,
      aux + offset,
      epilogue,
      workspace,
    );
  }
}
