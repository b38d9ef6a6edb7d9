// Matrix products in plain JavaScript, in the three forms that a good engineer would try.
//
//   C (m, n) = op(A) · op(B),   row-major, op(X) = X or Xᵀ:   A is (m, k) or, transposed, (k, m); B (k, n) or (n, k)
//
//   rows     i-k-j: rows of B are scaled and added to a row of C, four at a time (so C is read and written once for
//            four); with B transposed there are no such rows, and each element is a dot product, four at a time
//   tile     4 × 4 register tile: 16 sums in local variables, 8 loads for 16 multiply-adds
//   packed   op(A) packed in panels [k][3], op(B) in panels [k][4], blocked so that they stay in cache, and a 3 × 4 tile on
//            them: the loads become consecutive and the transposes cost nothing in the loop
//
// Sums are float64, as JavaScript has it: rounding each product and sum by Math.fround made the packed tile 2.4 × slower
// (Node 24, Zen 5), and float64 panels (no conversion in the loop) gained nothing in L1 and lost beyond. The packed tile
// is 3 × 4 because that was the fastest of those tried in L1: 3 × 4 and 3 × 5 6.4 GFLOP/s, 2 × 6 6.2, 4 × 4 5.5, 3 × 3 5.5,
// 2 × 4 and 4 × 2 4.7 (16 sums and their operands do not fit 16 registers). Nothing is allocated: the panels are made once.

/** c = op(a) · op(b). */
export type Gemm = (
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA: boolean,
  transB: boolean,
) => void;

export function gemmRows(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA: boolean,
  transB: boolean,
): void {
  const rowA = transA ? 1 : k; // from op(A)[i, p] to op(A)[i + 1, p]
  const stepA = transA ? m : 1; // from op(A)[i, p] to op(A)[i, p + 1]
  if (transB) dotProducts(c, a, b, m, n, k, rowA, stepA);
  else scaledRows(c, a, b, m, n, k, rowA, stepA);
}

function scaledRows(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  rowA: number,
  stepA: number,
): void {
  c.fill(0, 0, m * n);
  for (let i = 0; i < m; i++) {
    const row = i * n;
    let p = 0;
    for (; p + 4 <= k; p += 4) {
      const at = i * rowA + p * stepA;
      const a0 = a[at]!;
      const a1 = a[at + stepA]!;
      const a2 = a[at + 2 * stepA]!;
      const a3 = a[at + 3 * stepA]!;
      const b0 = p * n;
      const b1 = b0 + n;
      const b2 = b1 + n;
      const b3 = b2 + n;
      for (let j = 0; j < n; j++)
        c[row + j] = c[row + j]! + a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!;
    }
    for (; p < k; p++) {
      const a0 = a[i * rowA + p * stepA]!;
      const b0 = p * n;
      for (let j = 0; j < n; j++) c[row + j] = c[row + j]! + a0 * b[b0 + j]!;
    }
  }
}

function dotProducts(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  rowA: number,
  stepA: number,
): void {
  for (let i = 0; i < m; i++) {
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let at = i * rowA;
      const b0 = j * k;
      const b1 = b0 + k;
      const b2 = b1 + k;
      const b3 = b2 + k;
      for (let p = 0; p < k; p++) {
        const x = a[at]!;
        s0 += x * b[b0 + p]!;
        s1 += x * b[b1 + p]!;
        s2 += x * b[b2 + p]!;
        s3 += x * b[b3 + p]!;
        at += stepA;
      }
      const to = i * n + j;
      c[to] = s0;
      c[to + 1] = s1;
      c[to + 2] = s2;
      c[to + 3] = s3;
    }
    for (; j < n; j++) {
      let s = 0;
      let at = i * rowA;
      for (let p = 0; p < k; p++) {
        s += a[at]! * b[j * k + p]!;
        at += stepA;
      }
      c[i * n + j] = s;
    }
  }
}

export function gemmTile(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA: boolean,
  transB: boolean,
): void {
  const rowA = transA ? 1 : k;
  const stepA = transA ? m : 1;
  const stepB = transB ? 1 : n; // from op(B)[p, j] to op(B)[p + 1, j]
  const columnB = transB ? k : 1; // from op(B)[p, j] to op(B)[p, j + 1]
  const m4 = m & ~3;
  const n4 = n & ~3;
  for (let i = 0; i < m4; i += 4)
    for (let j = 0; j < n4; j += 4) tile(c, i * n + j, n, a, i * rowA, rowA, stepA, b, j * columnB, columnB, stepB, k);
  for (let i = 0; i < m; i++)
    for (let j = i < m4 ? n4 : 0; j < n; j++) {
      let s = 0;
      let x = i * rowA;
      let y = j * columnB;
      for (let p = 0; p < k; p++) {
        s += a[x]! * b[y]!;
        x += stepA;
        y += stepB;
      }
      c[i * n + j] = s;
    }
}

/** A 4 × 4 tile of c at `to`. */
function tile(
  c: Float32Array,
  to: number,
  n: number,
  a: Float32Array,
  a0: number,
  rowA: number,
  stepA: number,
  b: Float32Array,
  b0: number,
  columnB: number,
  stepB: number,
  k: number,
): void {
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  let s23 = 0;
  let s30 = 0;
  let s31 = 0;
  let s32 = 0;
  let s33 = 0;
  let a1 = a0 + rowA;
  let a2 = a1 + rowA;
  let a3 = a2 + rowA;
  let b1 = b0 + columnB;
  let b2 = b1 + columnB;
  let b3 = b2 + columnB;
  for (let p = 0; p < k; p++) {
    const y0 = b[b0]!;
    const y1 = b[b1]!;
    const y2 = b[b2]!;
    const y3 = b[b3]!;
    let x = a[a0]!;
    s00 += x * y0;
    s01 += x * y1;
    s02 += x * y2;
    s03 += x * y3;
    x = a[a1]!;
    s10 += x * y0;
    s11 += x * y1;
    s12 += x * y2;
    s13 += x * y3;
    x = a[a2]!;
    s20 += x * y0;
    s21 += x * y1;
    s22 += x * y2;
    s23 += x * y3;
    x = a[a3]!;
    s30 += x * y0;
    s31 += x * y1;
    s32 += x * y2;
    s33 += x * y3;
    a0 += stepA;
    a1 += stepA;
    a2 += stepA;
    a3 += stepA;
    b0 += stepB;
    b1 += stepB;
    b2 += stepB;
    b3 += stepB;
  }
  c[to] = s00;
  c[to + 1] = s01;
  c[to + 2] = s02;
  c[to + 3] = s03;
  to += n;
  c[to] = s10;
  c[to + 1] = s11;
  c[to + 2] = s12;
  c[to + 3] = s13;
  to += n;
  c[to] = s20;
  c[to + 1] = s21;
  c[to + 2] = s22;
  c[to + 3] = s23;
  to += n;
  c[to] = s30;
  c[to + 1] = s31;
  c[to + 2] = s32;
  c[to + 3] = s33;
}

const KC = 256; // steps of k in a panel
const MC = 126; // rows of A that stay in L2
const NC = 1024; // columns of B packed at a time

const panelA = new Float32Array(MC * KC);
const panelB = new Float32Array(KC * NC);

export function gemmPacked(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA: boolean,
  transB: boolean,
): void {
  const rowA = transA ? 1 : k;
  const stepA = transA ? m : 1;
  const stepB = transB ? 1 : n;
  const columnB = transB ? k : 1;
  for (let jc = 0; jc < n; jc += NC) {
    const nc = Math.min(NC, n - jc);
    for (let pc = 0; pc < k; pc += KC) {
      const kc = Math.min(KC, k - pc);
      packColumns(panelB, b, jc * columnB + pc * stepB, columnB, stepB, nc, kc);
      for (let ic = 0; ic < m; ic += MC) {
        const mc = Math.min(MC, m - ic);
        packRows(panelA, a, ic * rowA + pc * stepA, rowA, stepA, mc, kc);
        for (let j = 0; j < nc; j += 4)
          for (let i = 0; i < mc; i += 3)
            packedTile(
              c,
              (ic + i) * n + jc + j,
              n,
              Math.min(3, mc - i),
              Math.min(4, nc - j),
              i * kc,
              j * kc,
              kc,
              pc !== 0,
            );
      }
    }
  }
}

/** Panels of three lines of x, [k][3] each; lines that are not there are zero. */
function packRows(
  panel: Float32Array,
  x: Float32Array,
  first: number,
  line: number,
  step: number,
  lines: number,
  kc: number,
): void {
  let to = 0;
  for (let i = 0; i < lines; i += 3) {
    if (lines - i < 3) {
      packEdge(panel, to, 3, x, first + i * line, line, step, lines - i, kc);
      return;
    }
    let x0 = first + i * line;
    let x1 = x0 + line;
    let x2 = x1 + line;
    for (let p = 0; p < kc; p++) {
      panel[to] = x[x0]!;
      panel[to + 1] = x[x1]!;
      panel[to + 2] = x[x2]!;
      x0 += step;
      x1 += step;
      x2 += step;
      to += 3;
    }
  }
}

/** Panels of four lines of x, [k][4] each; lines that are not there are zero. */
function packColumns(
  panel: Float32Array,
  x: Float32Array,
  first: number,
  line: number,
  step: number,
  lines: number,
  kc: number,
): void {
  let to = 0;
  for (let i = 0; i < lines; i += 4) {
    if (lines - i < 4) {
      packEdge(panel, to, 4, x, first + i * line, line, step, lines - i, kc);
      return;
    }
    let x0 = first + i * line;
    let x1 = x0 + line;
    let x2 = x1 + line;
    let x3 = x2 + line;
    for (let p = 0; p < kc; p++) {
      panel[to] = x[x0]!;
      panel[to + 1] = x[x1]!;
      panel[to + 2] = x[x2]!;
      panel[to + 3] = x[x3]!;
      x0 += step;
      x1 += step;
      x2 += step;
      x3 += step;
      to += 4;
    }
  }
}

/** The last panel, `width` lines wide, of which only `lines` are there. */
function packEdge(
  panel: Float32Array,
  to: number,
  width: number,
  x: Float32Array,
  first: number,
  line: number,
  step: number,
  lines: number,
  kc: number,
): void {
  for (let p = 0; p < kc; p++)
    for (let r = 0; r < width; r++) panel[to + p * width + r] = r < lines ? x[first + r * line + p * step]! : 0;
}

const edge = new Float64Array(12);

/** c (rows × columns at `to`) = or += panel A at `x` · panel B at `y`. */
function packedTile(
  c: Float32Array,
  to: number,
  n: number,
  rows: number,
  columns: number,
  x: number,
  y: number,
  kc: number,
  add: boolean,
): void {
  const a = panelA;
  const b = panelB;
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  let s23 = 0;
  const end = x + 3 * kc;
  for (; x < end; x += 3) {
    const y0 = b[y]!;
    const y1 = b[y + 1]!;
    const y2 = b[y + 2]!;
    const y3 = b[y + 3]!;
    y += 4;
    let xi = a[x]!;
    s00 += xi * y0;
    s01 += xi * y1;
    s02 += xi * y2;
    s03 += xi * y3;
    xi = a[x + 1]!;
    s10 += xi * y0;
    s11 += xi * y1;
    s12 += xi * y2;
    s13 += xi * y3;
    xi = a[x + 2]!;
    s20 += xi * y0;
    s21 += xi * y1;
    s22 += xi * y2;
    s23 += xi * y3;
  }
  if (rows === 3 && columns === 4) {
    const to1 = to + n;
    const to2 = to1 + n;
    if (add) {
      c[to] = c[to]! + s00;
      c[to + 1] = c[to + 1]! + s01;
      c[to + 2] = c[to + 2]! + s02;
      c[to + 3] = c[to + 3]! + s03;
      c[to1] = c[to1]! + s10;
      c[to1 + 1] = c[to1 + 1]! + s11;
      c[to1 + 2] = c[to1 + 2]! + s12;
      c[to1 + 3] = c[to1 + 3]! + s13;
      c[to2] = c[to2]! + s20;
      c[to2 + 1] = c[to2 + 1]! + s21;
      c[to2 + 2] = c[to2 + 2]! + s22;
      c[to2 + 3] = c[to2 + 3]! + s23;
    } else {
      c[to] = s00;
      c[to + 1] = s01;
      c[to + 2] = s02;
      c[to + 3] = s03;
      c[to1] = s10;
      c[to1 + 1] = s11;
      c[to1 + 2] = s12;
      c[to1 + 3] = s13;
      c[to2] = s20;
      c[to2 + 1] = s21;
      c[to2 + 2] = s22;
      c[to2 + 3] = s23;
    }
    return;
  }
  edge[0] = s00;
  edge[1] = s01;
  edge[2] = s02;
  edge[3] = s03;
  edge[4] = s10;
  edge[5] = s11;
  edge[6] = s12;
  edge[7] = s13;
  edge[8] = s20;
  edge[9] = s21;
  edge[10] = s22;
  edge[11] = s23;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = to + i * n + j;
      c[at] = (add ? c[at]! : 0) + edge[4 * i + j]!;
    }
}

/** The three forms: the best of them, shape by shape, is the benchmark's JavaScript. */
export const gemmForms: { name: string; gemm: Gemm }[] = [
  { name: "rows", gemm: gemmRows },
  { name: "tile", gemm: gemmTile },
  { name: "packed", gemm: gemmPacked },
];
