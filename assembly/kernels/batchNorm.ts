// Batch normalization of a row-major (rows, channels) matrix over its rows; an NHWC image is (n·h·w, c).
//
//   μ = mean of x,  σ² = mean of (x − μ)² (biased),  s = 1/√(σ² + ε)
//   forward    y = γ·s·(x − μ) + β, then ReLU where asked
//   backward   g = dy, or with ReLU dy·[y > 0] (y computed again from x, to the bit)
//              dγ = Σ g·(x − μ)·s,  dβ = Σ g
//              dx = γ·s·(g − dβ/rows − (x − μ)·s·dγ/rows)
//
// Statistics do not cancel. A chunk is summed as it is, and where the mean turns out too large against the deviation, again
// about a pivot K, the mean just found (of which rounding may have left little: then once more):
//   S = Σ (x − K),  Q = Σ (x − K)²,  mean = K + S/n,  M2 = Q − S²/n,  until Q ≤ 8·M2
// Chunk means are kept relative to the first row of x (a mean of 1e4 would lose in rounding what a deviation of 1e-2 needs),
// and merged about their own mean: M2 = Σ M2ᵢ + Σ nᵢ·(meanᵢ − mean)².
//
// Moments and sums go down chunks of rows in strips of 16 channels (a cache line), then of 4, then of 1: a strip's sums stay
// in registers. Forward and backward go along four rows at a time, which share the channels' constants. Their blocks of rows
// go from the last to the first: what the pass before has read last is still near. Moments and sums are split over chunks,
// combining over channels, forward and backward over rows. A channel's arithmetic never depends on nth.

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
import { backwardLanes, backwardRows, forwardLanes, forwardRows, masked, storeMoments } from "./batchNorm.micro";
import { loadLanes, multiplyAdd, storeLanes } from "./lanes.micro";

/** Rows that one chain of additions goes through. */
const SUM_ROWS: usize = 128;

/** Passes over a chunk, at most. */
const PASSES = 4;

/** Bytes that a block of rows aims at: going along rows, and going down them in strips. */
const BLOCK_BYTES: usize = 32768;
const SUM_BYTES: usize = 8192;

/** Rows that a strip goes down, at least. */
const LEAST_ROWS: usize = 16;

/** Bytes from `at` on in the next strip: 64, 16 or 4. */
function stripBytes(at: usize, rowBytes: usize): usize {
  return at + 64 <= rowBytes ? 64 : at + 16 <= rowBytes ? 16 : 4;
}

/** Where the block of rows that begins at byte `begin` ends, not after `last`. */
function blockEnd(begin: usize, last: usize, rowBytes: usize): usize {
  return min(last, begin + max<usize>(LEAST_ROWS, SUM_BYTES / rowBytes) * rowBytes);
}

/** Where the block of rows that ends at byte `end` begins, not before `first`. */
function blockBegin(first: usize, end: usize, rowBytes: usize): usize {
  const bytes = max<usize>(4, (BLOCK_BYTES / rowBytes) & ~3) * rowBytes;
  return end - first > bytes ? end - bytes : first;
}

/** partials[chunk] = (mean − x[0], M2). Split over chunks. */
export function batchNormMoments(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, BatchNormMoments.partials); // (chunks, 2, channels)
  const x = pointer(args, BatchNormMoments.x); // (rows, channels)
  const rows = size(args, BatchNormMoments.rows);
  const chunkRows = size(args, BatchNormMoments.chunkRows);
  const rowBytes = size(args, BatchNormMoments.channels) << 2;
  const chunks = ceilDiv(rows, chunkRows);
  const zero = f32x4.splat(0);
  const end = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < end; chunk++) {
    let out = partials + chunk * (rowBytes << 1);
    const first = x + chunk * chunkRows * rowBytes;
    const n = min(chunkRows, rows - chunk * chunkRows);
    const perRow = f32x4.splat(<f32>1 / <f32>n);
    const wide = rowBytes & ~63;
    memory.fill(out, 0, rowBytes << 1);
    for (let p = first, last = first + n * rowBytes; p < last; ) {
      const stop = blockEnd(p, last, rowBytes);
      for (let c: usize = 0; c < wide; c += 64) momentSums16(out + c, p + c, stop, rowBytes);
      p = stop;
    }
    let c = wide;
    for (const p = out, stop = out + c; out < stop; out += 16) {
      const s = v128.load(out);
      const q = v128.load(out + rowBytes);
      const at = out - p;
      const kept = storeMoments(out, zero, s, q, x + at, rowBytes, perRow, true);
      if (!i32x4.all_true(kept)) moments(out, first + at, x + at, n, rowBytes, perRow, true);
    }
    for (let strip: usize = 0; c < rowBytes; c += strip) {
      strip = c + 16 <= rowBytes ? 16 : 4;
      moments(out, first + c, x + c, n, rowBytes, perRow, strip == 16);
      out += strip;
    }
  }
}

/** Adds (Σ x, Σ x²) of 16 channels of the rows x … end. */
function momentSums16(out: usize, x: usize, end: usize, rowBytes: usize): void {
  const squares = out + rowBytes;
  let s0 = v128.load(out);
  let s1 = v128.load(out, 16);
  let s2 = v128.load(out, 32);
  let s3 = v128.load(out, 48);
  let q0 = v128.load(squares);
  let q1 = v128.load(squares, 16);
  let q2 = v128.load(squares, 32);
  let q3 = v128.load(squares, 48);
  for (; x < end; x += rowBytes) {
    const x0 = v128.load(x);
    s0 = f32x4.add(s0, x0);
    q0 = multiplyAdd(x0, x0, q0);
    const x1 = v128.load(x, 16);
    s1 = f32x4.add(s1, x1);
    q1 = multiplyAdd(x1, x1, q1);
    const x2 = v128.load(x, 32);
    s2 = f32x4.add(s2, x2);
    q2 = multiplyAdd(x2, x2, q2);
    const x3 = v128.load(x, 48);
    s3 = f32x4.add(s3, x3);
    q3 = multiplyAdd(x3, x3, q3);
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
  v128.store(squares, q0);
  v128.store(squares, q1, 16);
  v128.store(squares, q2, 32);
  v128.store(squares, q3, 48);
}

/** (mean − origin, M2) of 4 channels, or of one; a chunk may have many rows here, which are summed in blocks. */
function moments(out: usize, x: usize, origin: usize, rows: usize, rowBytes: usize, perRow: v128, whole: bool): void {
  let k = f32x4.splat(0);
  const end = x + rows * rowBytes;
  for (let pass = PASSES; pass != 0; pass--) {
    let s = f32x4.splat(0);
    let q = s;
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
    if (i32x4.all_true(storeMoments(out, k, s, q, origin, rowBytes, perRow, whole))) return;
    k = f32x4.add(k, f32x4.mul(s, perRow));
  }
}

/** Mean, variance and inverseStd of each channel. Split over channels. */
export function batchNormCombine(args: usize, ith: u32, nth: u32): void {
  const mean = pointer(args, BatchNormCombine.mean);
  const variance = pointer(args, BatchNormCombine.variance);
  const inverseStd = pointer(args, BatchNormCombine.inverseStd);
  const partials = pointer(args, BatchNormCombine.partials); // (chunks, 2, channels)
  const origin = pointer(args, BatchNormCombine.x); // row 0
  const rows = size(args, BatchNormCombine.rows);
  const channels = size(args, BatchNormCombine.channels);
  const chunkRows = size(args, BatchNormCombine.chunkRows);
  const epsilon = real(args, BatchNormCombine.epsilon);
  const rowBytes = channels << 2;
  const before = ceilDiv(rows, chunkRows) - 1; // chunks before the last
  const perRow = f32x4.splat(<f32>1 / <f32>rows);
  const ofChunk = f32x4.splat(<f32>chunkRows);
  const ofLast = f32x4.splat(<f32>(rows - before * chunkRows));
  const end = shareOf(channels, 16, ith + 1, nth) << 2;
  for (let c = shareOf(channels, 16, ith, nth) << 2, strip: usize = 0; c < end; c += strip) {
    strip = c + 16 <= end ? 16 : 4;
    const whole = strip == 16;
    const first = partials + c;
    const last = first + before * (rowBytes << 1);
    let m = f32x4.mul(loadLanes(last, whole), ofLast);
    for (let p = first; p < last; p += rowBytes << 1) m = f32x4.add(m, f32x4.mul(loadLanes(p, whole), ofChunk));
    m = f32x4.mul(m, perRow);
    const d = f32x4.sub(loadLanes(last, whole), m);
    let rest = f32x4.mul(d, ofLast); // what is left about the mean is what rounding took from it
    let m2 = f32x4.add(loadLanes(last + rowBytes, whole), f32x4.mul(rest, d));
    for (let p = first; p < last; p += rowBytes << 1) {
      const d = f32x4.sub(loadLanes(p, whole), m);
      const weighted = f32x4.mul(d, ofChunk);
      rest = f32x4.add(rest, weighted);
      m2 = f32x4.add(m2, f32x4.add(loadLanes(p + rowBytes, whole), f32x4.mul(weighted, d)));
    }
    m = f32x4.add(m, f32x4.mul(rest, perRow));
    m2 = f32x4.mul(m2, perRow);
    storeLanes(mean + c, f32x4.add(loadLanes(origin + c, whole), m), whole);
    storeLanes(variance + c, m2, whole);
    storeLanes(inverseStd + c, inverse(m2, epsilon), whole);
  }
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

/** y = γ·s·(x − μ) + β, then ReLU where asked. y may be x. Split over rows. */
export function batchNormForward(args: usize, ith: u32, nth: u32): void {
  const x = pointer(args, BatchNormForward.x); // (rows, channels)
  const rows = size(args, BatchNormForward.rows);
  const rowBytes = size(args, BatchNormForward.channels) << 2;
  const relu = size(args, BatchNormForward.relu) != 0;
  const wide = rowBytes & ~31;
  const first = x + share(rows, ith, nth) * rowBytes;
  for (let end = x + share(rows, ith + 1, nth) * rowBytes; end > first; ) {
    const p = blockBegin(first, end, rowBytes);
    const fours = end - ((end - p) % (rowBytes << 2));
    if (relu) forwardRelu(args, p, fours, rowBytes, wide);
    else forwardLinear(args, p, fours, rowBytes, wide);
    forwardRest(args, p, fours, rowBytes, wide, relu);
    forwardRest(args, fours, end, rowBytes, 0, relu);
    end = p;
  }
}

function forwardLinear(args: usize, x: usize, end: usize, rowBytes: usize, wide: usize): void {
  forwardRows(args, x, end, rowBytes, wide, false);
}

function forwardRelu(args: usize, x: usize, end: usize, rowBytes: usize, wide: usize): void {
  forwardRows(args, x, end, rowBytes, wide, true);
}

/** y of the rows x … end from byte `from` of each on. */
function forwardRest(args: usize, x: usize, end: usize, rowBytes: usize, from: usize, relu: bool): void {
  const shift = pointer(args, BatchNormForward.y) - pointer(args, BatchNormForward.x);
  const mean = pointer(args, BatchNormForward.mean);
  const inverseStd = pointer(args, BatchNormForward.inverseStd);
  const gamma = pointer(args, BatchNormForward.gamma);
  const beta = pointer(args, BatchNormForward.beta);
  for (; x < end; x += rowBytes) {
    for (let c = from, width: usize = 0; c < rowBytes; c += width) {
      width = c + 16 <= rowBytes ? 16 : 4;
      const whole = width == 16;
      forwardLanes(x + c, rowBytes, shift, mean + c, inverseStd + c, gamma + c, beta + c, whole, relu, false);
    }
  }
}

/** partials[chunk] = (Σ g·(x − μ), Σ g). Split over chunks. */
export function batchNormBackwardSums(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, BatchNormBackwardSums.partials); // (chunks, 2, channels)
  const dy = pointer(args, BatchNormBackwardSums.dy); // (rows, channels)
  const shift = pointer(args, BatchNormBackwardSums.x) - dy; // (rows, channels)
  const rows = size(args, BatchNormBackwardSums.rows);
  const chunkRows = size(args, BatchNormBackwardSums.chunkRows);
  const rowBytes = size(args, BatchNormBackwardSums.channels) << 2;
  const mean = pointer(args, BatchNormBackwardSums.mean);
  const relu = size(args, BatchNormBackwardSums.relu) != 0;
  const chunks = ceilDiv(rows, chunkRows);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    const out = partials + chunk * (rowBytes << 1);
    const first = dy + chunk * chunkRows * rowBytes;
    const end = min(first + chunkRows * rowBytes, dy + rows * rowBytes);
    memory.fill(out, 0, rowBytes << 1);
    for (let p = first; p < end; ) {
      const stop = blockEnd(p, end, rowBytes);
      for (let c: usize = 0, strip: usize = 0; c < rowBytes; c += strip) {
        strip = stripBytes(c, rowBytes);
        if (strip != 64) sums(args, out + c, p + c, stop, shift, rowBytes, c, strip == 16, relu);
        else if (!relu) sums16(out + c, p + c, stop, shift, rowBytes, mean + c);
        else {
          sumsRelu8(args, out + c, p + c, stop, shift, rowBytes, c);
          sumsRelu8(args, out + c + 32, p + c + 32, stop, shift, rowBytes, c + 32);
        }
      }
      p = stop;
    }
  }
}

/** Adds (Σ g·(x − μ), Σ g) of 16 channels of the rows dy … end. */
function sums16(out: usize, dy: usize, end: usize, shift: usize, rowBytes: usize, mean: usize): void {
  const plain = out + rowBytes;
  const m0 = v128.load(mean);
  const m1 = v128.load(mean, 16);
  const m2 = v128.load(mean, 32);
  const m3 = v128.load(mean, 48);
  let a0 = v128.load(out);
  let a1 = v128.load(out, 16);
  let a2 = v128.load(out, 32);
  let a3 = v128.load(out, 48);
  let b0 = v128.load(plain);
  let b1 = v128.load(plain, 16);
  let b2 = v128.load(plain, 32);
  let b3 = v128.load(plain, 48);
  for (; dy < end; dy += rowBytes) {
    const x = dy + shift;
    const g0 = v128.load(dy);
    a0 = multiplyAdd(f32x4.sub(v128.load(x), m0), g0, a0);
    b0 = f32x4.add(b0, g0);
    const g1 = v128.load(dy, 16);
    a1 = multiplyAdd(f32x4.sub(v128.load(x, 16), m1), g1, a1);
    b1 = f32x4.add(b1, g1);
    const g2 = v128.load(dy, 32);
    a2 = multiplyAdd(f32x4.sub(v128.load(x, 32), m2), g2, a2);
    b2 = f32x4.add(b2, g2);
    const g3 = v128.load(dy, 48);
    a3 = multiplyAdd(f32x4.sub(v128.load(x, 48), m3), g3, a3);
    b3 = f32x4.add(b3, g3);
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  v128.store(out, a2, 32);
  v128.store(out, a3, 48);
  v128.store(plain, b0);
  v128.store(plain, b1, 16);
  v128.store(plain, b2, 32);
  v128.store(plain, b3, 48);
}

/** With ReLU: of 8 channels, since the mask needs its constants in registers too. */
function sumsRelu8(args: usize, out: usize, dy: usize, end: usize, shift: usize, rowBytes: usize, c: usize): void {
  const mean = pointer(args, BatchNormBackwardSums.mean) + c;
  const inverseStd = pointer(args, BatchNormBackwardSums.inverseStd) + c;
  const gamma = pointer(args, BatchNormBackwardSums.gamma) + c;
  const beta = pointer(args, BatchNormBackwardSums.beta) + c;
  const m0 = v128.load(mean);
  const m1 = v128.load(mean, 16);
  const scale0 = f32x4.mul(v128.load(gamma), v128.load(inverseStd));
  const scale1 = f32x4.mul(v128.load(gamma, 16), v128.load(inverseStd, 16));
  const beta0 = v128.load(beta);
  const beta1 = v128.load(beta, 16);
  const plain = out + rowBytes;
  let a0 = v128.load(out);
  let a1 = v128.load(out, 16);
  let b0 = v128.load(plain);
  let b1 = v128.load(plain, 16);
  for (; dy < end; dy += rowBytes) {
    const x = dy + shift;
    const d0 = f32x4.sub(v128.load(x), m0);
    const g0 = masked(v128.load(dy), d0, scale0, beta0, true);
    a0 = multiplyAdd(d0, g0, a0);
    b0 = f32x4.add(b0, g0);
    const d1 = f32x4.sub(v128.load(x, 16), m1);
    const g1 = masked(v128.load(dy, 16), d1, scale1, beta1, true);
    a1 = multiplyAdd(d1, g1, a1);
    b1 = f32x4.add(b1, g1);
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  v128.store(plain, b0);
  v128.store(plain, b1, 16);
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
  let a = loadLanes(out, whole);
  let b = loadLanes(out + rowBytes, whole);
  for (; dy < end; dy += rowBytes) {
    const d = f32x4.sub(loadLanes(dy + shift, whole), mean);
    const g = masked(loadLanes(dy, whole), d, scale, beta, relu);
    a = multiplyAdd(d, g, a);
    b = f32x4.add(b, g);
  }
  storeLanes(out, a, whole);
  storeLanes(out + rowBytes, b, whole);
}

/**
 * dgamma = s·Σ partials[·, 0], dbeta = Σ partials[·, 1], in chunk order, and what dx takes of them (frozen statistics give
 * nothing back to the rows). Split over channels.
 */
export function batchNormBackwardCombine(args: usize, ith: u32, nth: u32): void {
  const dgamma = pointer(args, BatchNormBackwardCombine.dgamma);
  const dbeta = pointer(args, BatchNormBackwardCombine.dbeta);
  const coefficients = pointer(args, BatchNormBackwardCombine.coefficients); // (3, channels)
  const partials = pointer(args, BatchNormBackwardCombine.partials); // (chunks, 2, channels)
  const inverseStd = pointer(args, BatchNormBackwardCombine.inverseStd);
  const gamma = pointer(args, BatchNormBackwardCombine.gamma);
  const chunks = size(args, BatchNormBackwardCombine.chunks);
  const channels = size(args, BatchNormBackwardCombine.channels);
  const frozen = size(args, BatchNormBackwardCombine.frozen) != 0;
  const perRow = f32x4.splat(frozen ? 0 : <f32>-1 / <f32>size(args, BatchNormBackwardCombine.rows));
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
    const s = loadLanes(inverseStd + c, whole);
    a = f32x4.mul(a, s);
    storeLanes(dgamma + c, a, whole);
    storeLanes(dbeta + c, b, whole);
    const out = coefficients + c;
    storeLanes(out, f32x4.mul(loadLanes(gamma + c, whole), s), whole);
    storeLanes(out + rowBytes, f32x4.mul(f32x4.mul(a, perRow), s), whole);
    storeLanes(out + (rowBytes << 1), f32x4.mul(b, perRow), whole);
  }
}

/** dx = scale·(g + (slope·(x − μ) + offset)). dx may be dy. Split over rows. */
export function batchNormBackward(args: usize, ith: u32, nth: u32): void {
  const dy = pointer(args, BatchNormBackward.dy); // (rows, channels)
  const rows = size(args, BatchNormBackward.rows);
  const rowBytes = size(args, BatchNormBackward.channels) << 2;
  const relu = size(args, BatchNormBackward.relu) != 0;
  const wide = rowBytes & ~31;
  const first = dy + share(rows, ith, nth) * rowBytes;
  for (let end = dy + share(rows, ith + 1, nth) * rowBytes; end > first; ) {
    const p = blockBegin(first, end, rowBytes);
    const fours = end - ((end - p) % (rowBytes << 2));
    if (relu) backwardRelu(args, p, fours, rowBytes, wide);
    else backwardLinear(args, p, fours, rowBytes, wide);
    backwardRest(args, p, fours, rowBytes, wide, relu);
    backwardRest(args, fours, end, rowBytes, 0, relu);
    end = p;
  }
}

function backwardLinear(args: usize, dy: usize, end: usize, rowBytes: usize, wide: usize): void {
  backwardRows(args, dy, end, rowBytes, wide, false);
}

function backwardRelu(args: usize, dy: usize, end: usize, rowBytes: usize, wide: usize): void {
  backwardRows(args, dy, end, rowBytes, wide, true);
}

/** dx of the rows dy … end from byte `from` of each on. */
function backwardRest(args: usize, dy: usize, end: usize, rowBytes: usize, from: usize, relu: bool): void {
  const xShift = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const dxShift = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const mean = pointer(args, BatchNormBackward.mean);
  const beta = pointer(args, BatchNormBackward.beta);
  const scale = pointer(args, BatchNormBackward.coefficients);
  const slope = scale + rowBytes;
  const offset = slope + rowBytes;
  for (; dy < end; dy += rowBytes) {
    for (let c = from, width: usize = 0; c < rowBytes; c += width) {
      width = c + 16 <= rowBytes ? 16 : 4;
      const whole = width == 16;
      backwardLanes(
        dy + c,
        rowBytes,
        xShift,
        dxShift,
        mean + c,
        beta + c,
        scale + c,
        slope + c,
        offset + c,
        whole,
        relu,
        false,
      );
    }
  }
}
