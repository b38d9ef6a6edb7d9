// Batch normalization of a row-major (rows, channels) matrix over its rows; an NHWC image is (n·h·w, c).
//
//   μ = mean of x,  σ² = mean of (x − μ)² (biased),  s = 1/√(σ² + ε)
//   forward    y = γ·s·(x − μ) + β, then ReLU where asked
//   backward   g = dy, or with ReLU dy·[y > 0] (y computed again from x, to the bit)
//              dγ = Σ g·(x − μ)·s,  dβ = Σ g
//              dx = γ·s·(g − dβ/rows − (x − μ)·s·dγ/rows)
//
// Statistics do not cancel. A chunk is summed about a pivot K, the mean of its first rows:
//   S = Σ (x − K),  Q = Σ (x − K)²,  mean = K + S/n,  M2 = Q − S²/n
// K is made of rows of the chunk itself, an eighth of them, so S²/n ≤ 8·M2 (few channels, long chunks: 128·M2) and the difference keeps its digits. Chunk
// means are kept relative to the first row of x (a mean of 1e4 would lose in rounding what a deviation of 1e-2 needs), and chunks
// are merged in order by Chan's formula.
//
// Moments and sums are split over chunks of rows, each walked in strips of 16 channels with the sums in registers, then of
// 4, then of 1; combining is split over channels. Forward and backward are split over rows: four rows at a time, so that a
// channel's constants are loaded once for four vectors and memory is walked in full lines. A channel's arithmetic never
// depends on nth.

import {
  BatchNormBackward,
  BatchNormBackwardCombine,
  BatchNormBackwardSums,
  BatchNormCombine,
  BatchNormForward,
  BatchNormMoments,
  BatchNormMoving,
} from "../isa";
import { ceilDiv, pointer, real, share, shareOf, size } from "../operands";
import { backwardRows, forwardLanes, masked, multiplyAdd, sumsStrip16 } from "./batchNorm.micro";
import { loadLanes, storeLanes } from "./lanes.micro";

/** Rows whose mean is the pivot of a chunk of n rows: an eighth of them, few enough that their sum is exact enough. */
function pivotRowsOf(n: usize): usize {
  return max<usize>(1, min<usize>(64, n >> 3));
}

/** Rows that one chain of additions goes through. */
const SUM_ROWS: usize = 128;

/** Bytes from `at` on in the next strip: 64, 16 or 4. */
function stripBytes(at: usize, rowBytes: usize): usize {
  return at + 64 <= rowBytes ? 64 : at + 16 <= rowBytes ? 16 : 4;
}

/** partials[chunk] = (mean − x[0], M2). Split over chunks. */
export function batchNormMoments(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, BatchNormMoments.partials); // (chunks, 2, channels)
  const x = pointer(args, BatchNormMoments.x); // (rows, channels)
  const rows = size(args, BatchNormMoments.rows);
  const chunkRows = size(args, BatchNormMoments.chunkRows);
  const rowBytes = size(args, BatchNormMoments.channels) << 2;
  const chunks = ceilDiv(rows, chunkRows);
  const end = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < end; chunk++) {
    const out = partials + chunk * (rowBytes << 1);
    const first = x + chunk * chunkRows * rowBytes;
    const n = min(chunkRows, rows - chunk * chunkRows);
    for (let c: usize = 0, strip: usize = 0; c < rowBytes; c += strip) {
      strip = stripBytes(c, rowBytes);
      if (strip == 64) moments16(out + c, first + c, x + c, n, rowBytes);
      else moments(out + c, first + c, x + c, n, rowBytes, strip == 16);
    }
  }
}

/** (mean − origin, M2) of 16 channels over `rows` rows. */
function moments16(out: usize, x: usize, origin: usize, rows: usize, rowBytes: usize): void {
  const zero = f32x4.splat(0);
  let k0 = zero;
  let k1 = zero;
  let k2 = zero;
  let k3 = zero;
  const pivotRows = pivotRowsOf(rows);
  const pivotEnd = x + pivotRows * rowBytes;
  for (let p = x; p < pivotEnd; p += rowBytes) {
    k0 = f32x4.add(k0, v128.load(p));
    k1 = f32x4.add(k1, v128.load(p, 16));
    k2 = f32x4.add(k2, v128.load(p, 32));
    k3 = f32x4.add(k3, v128.load(p, 48));
  }
  const perPivotRow = f32x4.splat(<f32>1 / <f32>pivotRows);
  k0 = f32x4.mul(k0, perPivotRow);
  k1 = f32x4.mul(k1, perPivotRow);
  k2 = f32x4.mul(k2, perPivotRow);
  k3 = f32x4.mul(k3, perPivotRow);
  let s0 = zero;
  let s1 = zero;
  let s2 = zero;
  let s3 = zero;
  let q0 = zero;
  let q1 = zero;
  let q2 = zero;
  let q3 = zero;
  const end = x + rows * rowBytes;
  for (let p = x; p < end; p += rowBytes) {
    const d0 = f32x4.sub(v128.load(p), k0);
    s0 = f32x4.add(s0, d0);
    q0 = multiplyAdd(d0, d0, q0);
    const d1 = f32x4.sub(v128.load(p, 16), k1);
    s1 = f32x4.add(s1, d1);
    q1 = multiplyAdd(d1, d1, q1);
    const d2 = f32x4.sub(v128.load(p, 32), k2);
    s2 = f32x4.add(s2, d2);
    q2 = multiplyAdd(d2, d2, q2);
    const d3 = f32x4.sub(v128.load(p, 48), k3);
    s3 = f32x4.add(s3, d3);
    q3 = multiplyAdd(d3, d3, q3);
  }
  storeMoments(out, k0, s0, q0, origin, rows, rowBytes, true);
  storeMoments(out + 16, k1, s1, q1, origin + 16, rows, rowBytes, true);
  storeMoments(out + 32, k2, s2, q2, origin + 32, rows, rowBytes, true);
  storeMoments(out + 48, k3, s3, q3, origin + 48, rows, rowBytes, true);
}

/** The same of 4 channels, or of one; a chunk may have many rows here, which are summed in blocks. */
function moments(out: usize, x: usize, origin: usize, rows: usize, rowBytes: usize, whole: bool): void {
  let k = f32x4.splat(0);
  const pivotRows = pivotRowsOf(rows);
  const pivotEnd = x + pivotRows * rowBytes;
  for (let p = x; p < pivotEnd; p += rowBytes) k = f32x4.add(k, loadLanes(p, whole));
  k = f32x4.mul(k, f32x4.splat(<f32>1 / <f32>pivotRows));
  let s = f32x4.splat(0);
  let q = s;
  const end = x + rows * rowBytes;
  for (let p = x; p < end; ) {
    let s1 = f32x4.splat(0);
    let q1 = s1;
    for (const stop = min(end, p + SUM_ROWS * rowBytes); p < stop; p += rowBytes) {
      const d = f32x4.sub(loadLanes(p, whole), k);
      s1 = f32x4.add(s1, d);
      q1 = multiplyAdd(d, d, q1);
    }
    s = f32x4.add(s, s1);
    q = f32x4.add(q, q1);
  }
  storeMoments(out, k, s, q, origin, rows, rowBytes, whole);
}

/** (k − origin + s/rows, q − s²/rows), never below 0. */
function storeMoments(
  out: usize,
  k: v128,
  s: v128,
  q: v128,
  origin: usize,
  rows: usize,
  rowBytes: usize,
  whole: bool,
): void {
  const mean = f32x4.mul(s, f32x4.splat(<f32>1 / <f32>rows));
  storeLanes(out, f32x4.add(f32x4.sub(k, loadLanes(origin, whole)), mean), whole);
  storeLanes(out + rowBytes, f32x4.pmax(f32x4.sub(q, f32x4.mul(s, mean)), f32x4.splat(0)), whole);
}

/** Mean, variance and inverseStd of each channel. Split over channels. */
export function batchNormCombine(args: usize, ith: u32, nth: u32): void {
  const channels = size(args, BatchNormCombine.channels);
  const rowBytes = channels << 2;
  const end = shareOf(channels, 16, ith + 1, nth) << 2;
  for (let c = shareOf(channels, 16, ith, nth) << 2, strip: usize = 0; c < end; c += strip) {
    strip = c + 32 <= end ? 32 : c + 16 <= end ? 16 : 4;
    combine(args, c, strip == 32 ? 16 : 0, rowBytes, strip != 4);
  }
}

/** The four channels from byte c of a row, or one, and those `next` bytes on: two chains of additions at a time. */
function combine(args: usize, c: usize, next: usize, rowBytes: usize, whole: bool): void {
  const rows = size(args, BatchNormCombine.rows);
  const chunkRows = size(args, BatchNormCombine.chunkRows);
  let partial = pointer(args, BatchNormCombine.partials) + c; // (chunks, 2, channels)
  const end = partial + ceilDiv(rows, chunkRows) * (rowBytes << 1);
  let mean0 = f32x4.splat(0);
  let mean1 = mean0;
  let m0 = mean0;
  let m1 = mean0;
  let before: usize = 0;
  while (partial < end) {
    const after = min(before + chunkRows, rows);
    const portion = <f32>(after - before) / <f32>after;
    const part = f32x4.splat(portion);
    const spread = f32x4.splat(<f32>before * portion);
    const d0 = f32x4.sub(loadLanes(partial, whole), mean0);
    mean0 = f32x4.add(mean0, f32x4.mul(d0, part));
    m0 = f32x4.add(m0, f32x4.add(loadLanes(partial + rowBytes, whole), f32x4.mul(f32x4.mul(d0, d0), spread)));
    const d1 = f32x4.sub(loadLanes(partial + next, whole), mean1);
    mean1 = f32x4.add(mean1, f32x4.mul(d1, part));
    m1 = f32x4.add(m1, f32x4.add(loadLanes(partial + next + rowBytes, whole), f32x4.mul(f32x4.mul(d1, d1), spread)));
    before = after;
    partial += rowBytes << 1;
  }
  storeStatistics(args, c, mean0, m0, whole);
  storeStatistics(args, c + next, mean1, m1, whole);
}

function storeStatistics(args: usize, c: usize, mean: v128, m2: v128, whole: bool): void {
  const origin = loadLanes(pointer(args, BatchNormCombine.x) + c, whole); // row 0
  storeLanes(pointer(args, BatchNormCombine.mean) + c, f32x4.add(origin, mean), whole);
  const variance = f32x4.mul(m2, f32x4.splat(<f32>1 / <f32>size(args, BatchNormCombine.rows)));
  storeLanes(pointer(args, BatchNormCombine.variance) + c, variance, whole);
  const inverseStd = inverse(variance, real(args, BatchNormCombine.epsilon));
  storeLanes(pointer(args, BatchNormCombine.inverseStd) + c, inverseStd, whole);
}

/** 1/√(variance + epsilon) */
function inverse(variance: v128, epsilon: f32): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(variance, f32x4.splat(epsilon))));
}

/** inverseStd = 1/√(variance + epsilon). Split over channels. */
export function batchNormMoving(args: usize, ith: u32, nth: u32): void {
  const inverseStd = pointer(args, BatchNormMoving.inverseStd);
  const variance = pointer(args, BatchNormMoving.variance);
  const channels = size(args, BatchNormMoving.channels);
  const epsilon = real(args, BatchNormMoving.epsilon);
  const end = shareOf(channels, 16, ith + 1, nth) << 2;
  for (let c = shareOf(channels, 16, ith, nth) << 2, strip: usize = 0; c < end; c += strip) {
    strip = c + 16 <= end ? 16 : 4;
    storeLanes(inverseStd + c, inverse(loadLanes(variance + c, strip == 16), epsilon), strip == 16);
  }
}

/** y = γ·s·(x − μ) + β, then ReLU where asked. y may be x. Split over rows, four at a time. */
export function batchNormForward(args: usize, ith: u32, nth: u32): void {
  const x = pointer(args, BatchNormForward.x); // (rows, channels)
  const shift = pointer(args, BatchNormForward.y) - x; // (rows, channels)
  const mean = pointer(args, BatchNormForward.mean);
  const inverseStd = pointer(args, BatchNormForward.inverseStd);
  const gamma = pointer(args, BatchNormForward.gamma);
  const beta = pointer(args, BatchNormForward.beta);
  const rows = size(args, BatchNormForward.rows);
  const rowBytes = size(args, BatchNormForward.channels) << 2;
  const floor = f32x4.splat(size(args, BatchNormForward.relu) ? 0 : -Infinity);
  const end = x + share(rows, ith + 1, nth) * rowBytes;
  for (let row = x + share(rows, ith, nth) * rowBytes; row < end; ) {
    // of the last rows each is done alone: four times the same
    const four = row + (rowBytes << 2) <= end;
    const stride = four ? rowBytes : 0;
    let c: usize = 0;
    for (; c + 16 <= rowBytes; c += 16)
      forwardLanes(row + c, stride, shift, mean + c, inverseStd + c, gamma + c, beta + c, floor, true);
    for (; c < rowBytes; c += 4)
      forwardLanes(row + c, stride, shift, mean + c, inverseStd + c, gamma + c, beta + c, floor, false);
    row += four ? rowBytes << 2 : rowBytes;
  }
}

/** gamma · inverseStd */
export function scaleAt(gamma: usize, inverseStd: usize, c: usize): v128 {
  return f32x4.mul(v128.load(gamma + c), v128.load(inverseStd + c));
}

/** partials[chunk] = (Σ g·x̂, Σ g). Split over chunks. */
export function batchNormBackwardSums(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, BatchNormBackwardSums.partials); // (chunks, 2, channels)
  const dy = pointer(args, BatchNormBackwardSums.dy); // (rows, channels)
  const shift = pointer(args, BatchNormBackwardSums.x) - dy; // (rows, channels)
  const rows = size(args, BatchNormBackwardSums.rows);
  const chunkRows = size(args, BatchNormBackwardSums.chunkRows);
  const rowBytes = size(args, BatchNormBackwardSums.channels) << 2;
  const relu = size(args, BatchNormBackwardSums.relu) != 0;
  const chunks = ceilDiv(rows, chunkRows);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    const out = partials + chunk * (rowBytes << 1);
    const first = dy + chunk * chunkRows * rowBytes;
    const end = min(first + chunkRows * rowBytes, dy + rows * rowBytes);
    for (let c: usize = 0, strip: usize = 0; c < rowBytes; c += strip) {
      strip = stripBytes(c, rowBytes);
      if (strip != 64) sums(args, out + c, first + c, end, shift, rowBytes, c, strip == 16, relu);
      else if (relu) sums16Relu(args, out + c, first + c, end, shift, rowBytes, c);
      else sums16(args, out + c, first + c, end, shift, rowBytes, c);
    }
  }
}

function sums16(args: usize, out: usize, dy: usize, end: usize, shift: usize, rowBytes: usize, c: usize): void {
  sumsStrip16(args, out, dy, end, shift, rowBytes, c, false);
}

function sums16Relu(args: usize, out: usize, dy: usize, end: usize, shift: usize, rowBytes: usize, c: usize): void {
  sumsStrip16(args, out, dy, end, shift, rowBytes, c, true);
}

function sums(
  args: usize,
  out: usize,
  dy: usize,
  end: usize,
  shift: usize,
  rowBytes: usize,
  c: usize,
  whole: bool,
  relu: bool,
): void {
  const mean = loadLanes(pointer(args, BatchNormBackwardSums.mean) + c, whole);
  const inverseStd = loadLanes(pointer(args, BatchNormBackwardSums.inverseStd) + c, whole);
  const scale = f32x4.mul(loadLanes(pointer(args, BatchNormBackwardSums.gamma) + c, whole), inverseStd);
  const beta = loadLanes(pointer(args, BatchNormBackwardSums.beta) + c, whole);
  let a = f32x4.splat(0);
  let b = a;
  for (; dy < end; dy += rowBytes) {
    const d = f32x4.sub(loadLanes(dy + shift, whole), mean);
    const g = masked(loadLanes(dy, whole), d, scale, beta, relu);
    a = multiplyAdd(d, g, a);
    b = f32x4.add(b, g);
  }
  storeLanes(out, f32x4.mul(a, inverseStd), whole);
  storeLanes(out + rowBytes, b, whole);
}

/** dgamma = Σ partials[·, 0], dbeta = Σ partials[·, 1], in chunk order. Split over channels. */
export function batchNormBackwardCombine(args: usize, ith: u32, nth: u32): void {
  const dgamma = pointer(args, BatchNormBackwardCombine.dgamma);
  const dbeta = pointer(args, BatchNormBackwardCombine.dbeta);
  const partials = pointer(args, BatchNormBackwardCombine.partials); // (chunks, 2, channels)
  const chunks = size(args, BatchNormBackwardCombine.chunks);
  const channels = size(args, BatchNormBackwardCombine.channels);
  const rowBytes = channels << 2;
  const end = shareOf(channels, 16, ith + 1, nth) << 2;
  for (let c = shareOf(channels, 16, ith, nth) << 2, strip: usize = 0; c < end; c += strip) {
    strip = c + 16 <= end ? 16 : 4;
    const whole = strip == 16;
    let a = f32x4.splat(0);
    let b = a;
    let partial = partials + c;
    for (let chunk = chunks; chunk != 0; chunk--) {
      a = f32x4.add(a, loadLanes(partial, whole));
      b = f32x4.add(b, loadLanes(partial + rowBytes, whole));
      partial += rowBytes << 1;
    }
    storeLanes(dgamma + c, a, whole);
    storeLanes(dbeta + c, b, whole);
  }
}

/** dx = γ·s·(g − dβ/rows − (x − μ)·s·dγ/rows), where frozen γ·s·g. dx may be dy. Split over rows, four at a time. */
export function batchNormBackward(args: usize, ith: u32, nth: u32): void {
  backwardRows(args, ith, nth, size(args, BatchNormBackward.relu) != 0);
}
