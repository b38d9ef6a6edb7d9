// Batch normalization of a row-major (rows, channels) matrix over its rows; an NHWC image is (n·h·w, c).
//
//   μ = mean of x,  σ² = mean of (x − μ)² (biased),  s = 1/√(σ² + ε)
//   forward    y = γ·s·(x − μ) + β, then ReLU where asked
//   backward   g = dy, or with ReLU dy·[y > 0] (y computed again from x, to the bit)
//              dγ = Σ g·(x − μ)·s,  dβ = Σ g
//              dx = γ·s·(g − dβ/rows − (x − μ)·s·dγ/rows)
//
// x is centred about a pivot: the mean, or where that is within a few deviations of 0, 0 itself, and the rest of it goes
// into the constants (y = γ·s·x + (β − γ·s·μ)): what this rounds is no more than what a few ulps of x change, and an
// operation less an element is a good part of all. Where no channel is far, no pass subtracts.
//
// Statistics do not cancel. A chunk is summed as it is, and where the mean turns out too large against the deviation, again
// about a pivot K, the mean just found (of which rounding may have left little: then once more):
//   S = Σ (x − K),  Q = Σ (x − K)²,  mean = K + S/n,  M2 = Q − S²/n,  until Q ≤ 8·M2
// Chunk means are kept relative to the first row of x (a mean of 1e4 would lose in rounding what a deviation of 1e-2 needs),
// and merged about their own mean: M2 = Σ M2ᵢ + Σ nᵢ·(meanᵢ − mean)².
//
// Moments and sums go down chunks of rows in strips of 16 channels (a cache line), or of 4 or 1: a strip's sums stay in
// registers. Forward and backward take a few rows of a strip at a time, which share its constants. Moments and sums are split over chunks,
// combining over channels, forward and backward over rows. A channel's arithmetic never depends on nth.

import {
  BATCH_NORM_NEAR,
  BatchNormBackward,
  BatchNormBackwardCombine,
  BatchNormBackwardSums,
  BatchNormCombine,
  BatchNormForward,
  BatchNormMoments,
  BatchNormMoving,
} from "../isa";
import { ceilDiv, pointer, real, share, shareOf, size } from "../operands";
import {
  addTo,
  backwardLinearRows,
  backwardRows,
  centred,
  forwardRows,
  gradient,
  masked,
  normalized,
  storeMoments,
  sumStrip,
} from "./batchNorm.micro";
import { loadLanes, multiplyAdd, storeLanes } from "./lanes.micro";

/** Rows that one chain of additions goes through. */
const SUM_ROWS: usize = 128;

/** Passes over a chunk, at most. */
const PASSES = 4;

/** Bytes that a block of rows aims at in which strips go down. */
const SUM_BYTES: usize = 8192;

/** Rows that a strip goes down, at least. */
const LEAST_ROWS: usize = 16;

/** Where the block of rows that begins at byte `begin` ends, not after `last`. */
function blockEnd(begin: usize, last: usize, rowBytes: usize): usize {
  return min(last, begin + max<usize>(LEAST_ROWS, SUM_BYTES / rowBytes) * rowBytes);
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
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let q0 = f32x4.splat(0);
  let q1 = f32x4.splat(0);
  let q2 = f32x4.splat(0);
  let q3 = f32x4.splat(0);
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
  addTo(out, s0, true);
  addTo(out + 16, s1, true);
  addTo(out + 32, s2, true);
  addTo(out + 48, s3, true);
  addTo(squares, q0, true);
  addTo(squares + 16, q1, true);
  addTo(squares + 32, q2, true);
  addTo(squares + 48, q3, true);
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

/** Mean, variance and coefficients of each channel. Split over channels. */
export function batchNormCombine(args: usize, ith: u32, nth: u32): void {
  const mean = pointer(args, BatchNormCombine.mean);
  const variance = pointer(args, BatchNormCombine.variance);
  const coefficients = pointer(args, BatchNormCombine.coefficients); // (4, channels)
  const gamma = pointer(args, BatchNormCombine.gamma);
  const beta = pointer(args, BatchNormCombine.beta);
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
    m = f32x4.add(loadLanes(origin + c, whole), f32x4.add(m, f32x4.mul(rest, perRow)));
    m2 = f32x4.mul(m2, perRow);
    storeLanes(mean + c, m, whole);
    storeLanes(variance + c, m2, whole);
    storeCoefficients(coefficients + c, rowBytes, m, m2, gamma + c, beta + c, epsilon, whole);
  }
}

/** Pivot, scale, shift and inverseStd of a vector of channels, or of one. */
function storeCoefficients(
  out: usize,
  rowBytes: usize,
  mean: v128,
  variance: v128,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  whole: bool,
): void {
  const inverseStd = f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(variance, f32x4.splat(epsilon))));
  const scale = f32x4.mul(loadLanes(gamma, whole), inverseStd);
  const far = f32x4.gt(f32x4.abs(f32x4.mul(mean, inverseStd)), f32x4.splat(<f32>BATCH_NORM_NEAR));
  storeLanes(out, v128.and(mean, far), whole);
  out += rowBytes;
  storeLanes(out, scale, whole);
  out += rowBytes;
  storeLanes(out, f32x4.sub(loadLanes(beta, whole), f32x4.mul(v128.andnot(mean, far), scale)), whole);
  storeLanes(out + rowBytes, inverseStd, whole);
}

/** The coefficients of moving statistics. Split over channels. */
export function batchNormMoving(args: usize, ith: u32, nth: u32): void {
  const coefficients = pointer(args, BatchNormMoving.coefficients); // (4, channels)
  const mean = pointer(args, BatchNormMoving.mean);
  const variance = pointer(args, BatchNormMoving.variance);
  const gamma = pointer(args, BatchNormMoving.gamma);
  const beta = pointer(args, BatchNormMoving.beta);
  const channels = size(args, BatchNormMoving.channels);
  const epsilon = real(args, BatchNormMoving.epsilon);
  const rowBytes = channels << 2;
  const end = shareOf(channels, 16, ith + 1, nth) << 2;
  for (let c = shareOf(channels, 16, ith, nth) << 2, strip: usize = 0; c < end; c += strip) {
    strip = c + 16 <= end ? 16 : 4;
    const whole = strip == 16;
    const m = loadLanes(mean + c, whole);
    const v = loadLanes(variance + c, whole);
    storeCoefficients(coefficients + c, rowBytes, m, v, gamma + c, beta + c, epsilon, whole);
  }
}

/** Whether the pivots of these bytes of channels are all 0. */
function allNear(pivots: usize, bytes: usize): bool {
  let c: usize = 0;
  for (; c + 16 <= bytes; c += 16) if (v128.any_true(v128.load(pivots + c))) return false;
  for (; c < bytes; c += 4) if (load<u32>(pivots + c)) return false;
  return true;
}

/** What y is at least. */
function floorOf(relu: usize): v128 {
  return f32x4.splat(relu ? 0 : -Infinity);
}

/** y = (x − pivot)·scale + shift, then ReLU where asked. y may be x. Split over rows. */
export function batchNormForward(args: usize, ith: u32, nth: u32): void {
  const x = pointer(args, BatchNormForward.x); // (rows, channels)
  const rows = size(args, BatchNormForward.rows);
  const rowBytes = size(args, BatchNormForward.channels) << 2;
  const relu = size(args, BatchNormForward.relu);
  const near = allNear(pointer(args, BatchNormForward.coefficients), rowBytes);
  const first = x + share(rows, ith, nth) * rowBytes;
  const end = x + share(rows, ith + 1, nth) * rowBytes;
  if (!near) forwardFar(args, first, end, rowBytes, relu);
  else if (relu) forwardRelu(args, first, end, rowBytes);
  else forwardLinear(args, first, end, rowBytes);
  forwardRest(args, first, end, rowBytes, relu);
}

function forwardLinear(args: usize, x: usize, end: usize, rowBytes: usize): void {
  forwardRows(args, x, end, rowBytes, true, false, f32x4.splat(0));
}

function forwardRelu(args: usize, x: usize, end: usize, rowBytes: usize): void {
  forwardRows(args, x, end, rowBytes, true, true, f32x4.splat(0));
}

function forwardFar(args: usize, x: usize, end: usize, rowBytes: usize, relu: usize): void {
  forwardRows(args, x, end, rowBytes, false, true, floorOf(relu));
}

/** y of the rows x … end in what their strips leave. */
function forwardRest(args: usize, x: usize, end: usize, rowBytes: usize, relu: usize): void {
  const toY = pointer(args, BatchNormForward.y) - pointer(args, BatchNormForward.x);
  const pivots = pointer(args, BatchNormForward.coefficients);
  const floor = floorOf(relu);
  for (; x < end; x += rowBytes) {
    for (let c = rowBytes & ~63, width: usize = 0; c < rowBytes; c += width) {
      width = c + 16 <= rowBytes ? 16 : 4;
      const whole = width == 16;
      const at = pivots + c;
      const pivot = loadLanes(at, whole);
      const scale = loadLanes(at + rowBytes, whole);
      const shift = loadLanes(at + (rowBytes << 1), whole);
      const p = x + c;
      storeLanes(p + toY, normalized(loadLanes(p, whole), pivot, scale, shift, false, true, floor), whole);
    }
  }
}

/** partials[chunk] = (Σ g·(x − pivot), Σ g). Split over chunks. */
export function batchNormBackwardSums(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, BatchNormBackwardSums.partials); // (chunks, 2, channels)
  const dy = pointer(args, BatchNormBackwardSums.dy); // (rows, channels)
  const toX = pointer(args, BatchNormBackwardSums.x) - dy; // (rows, channels)
  const rows = size(args, BatchNormBackwardSums.rows);
  const chunkRows = size(args, BatchNormBackwardSums.chunkRows);
  const rowBytes = size(args, BatchNormBackwardSums.channels) << 2;
  const coefficients = pointer(args, BatchNormBackwardSums.coefficients); // (4, channels)
  const relu = size(args, BatchNormBackwardSums.relu);
  const chunks = ceilDiv(rows, chunkRows);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    const out = partials + chunk * (rowBytes << 1);
    const first = dy + chunk * chunkRows * rowBytes;
    const end = min(first + chunkRows * rowBytes, dy + rows * rowBytes);
    memory.fill(out, 0, rowBytes << 1);
    for (let p = first; p < end; ) {
      const stop = blockEnd(p, end, rowBytes);
      for (let c: usize = 0; c < rowBytes; ) {
        const at = coefficients + c;
        if (c + 64 <= rowBytes && allNear(at, 64)) {
          if (relu) {
            sumsRelu(out + c, p + c, stop, toX, rowBytes, at);
            sumsRelu(out + c + 32, p + c + 32, stop, toX, rowBytes, at + 32);
          } else sumsLinear(out + c, p + c, stop, toX, rowBytes, at);
          c += 64;
        } else {
          const whole = c + 16 <= rowBytes;
          sums(out + c, p + c, stop, toX, rowBytes, at, whole, floorOf(relu));
          c += whole ? 16 : 4;
        }
      }
      p = stop;
    }
  }
}

function sumsLinear(out: usize, dy: usize, end: usize, toX: usize, rowBytes: usize, coefficients: usize): void {
  sumStrip(out, dy, end, toX, rowBytes, coefficients, 4, false);
}

/** Of 8 channels, since the mask needs its constants in registers too. */
function sumsRelu(out: usize, dy: usize, end: usize, toX: usize, rowBytes: usize, coefficients: usize): void {
  sumStrip(out, dy, end, toX, rowBytes, coefficients, 2, true);
}

/** Of 4 channels, or of one, near or far. */
function sums(
  out: usize,
  dy: usize,
  end: usize,
  toX: usize,
  rowBytes: usize,
  coefficients: usize,
  whole: bool,
  floor: v128,
): void {
  const pivot = loadLanes(coefficients, whole);
  const scale = loadLanes(coefficients + rowBytes, whole);
  const shift = loadLanes(coefficients + (rowBytes << 1), whole);
  let a = f32x4.splat(0);
  let b = a;
  for (; dy < end; dy += rowBytes) {
    const d = centred(loadLanes(dy + toX, whole), pivot, false);
    const g = masked(loadLanes(dy, whole), d, scale, shift, floor);
    a = multiplyAdd(d, g, a);
    b = f32x4.add(b, g);
  }
  addTo(out, a, whole);
  addTo(out + rowBytes, b, whole);
}

/**
 * dgamma and dbeta of the partials, in chunk order, and what dx takes of them (frozen statistics give nothing back to the
 * rows). Split over channels.
 */
export function batchNormBackwardCombine(args: usize, ith: u32, nth: u32): void {
  const dgamma = pointer(args, BatchNormBackwardCombine.dgamma);
  const dbeta = pointer(args, BatchNormBackwardCombine.dbeta);
  const slopes = pointer(args, BatchNormBackwardCombine.slopes); // (2, channels)
  const partials = pointer(args, BatchNormBackwardCombine.partials); // (chunks, 2, channels)
  const mean = pointer(args, BatchNormBackwardCombine.mean);
  const pivots = pointer(args, BatchNormBackwardCombine.coefficients); // (4, channels)
  const chunks = size(args, BatchNormBackwardCombine.chunks);
  const channels = size(args, BatchNormBackwardCombine.channels);
  const frozen = size(args, BatchNormBackwardCombine.frozen) != 0;
  const perRow = f32x4.splat(frozen ? 0 : <f32>-1 / <f32>size(args, BatchNormBackwardCombine.rows));
  const rowBytes = channels << 2;
  const inverseStd = pivots + 3 * rowBytes;
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
    const rest = f32x4.sub(loadLanes(mean + c, whole), loadLanes(pivots + c, whole));
    a = f32x4.mul(f32x4.sub(a, f32x4.mul(rest, b)), s);
    storeLanes(dgamma + c, a, whole);
    storeLanes(dbeta + c, b, whole);
    const slope = f32x4.mul(f32x4.mul(a, perRow), s);
    storeLanes(slopes + c, slope, whole);
    storeLanes(slopes + rowBytes + c, f32x4.sub(f32x4.mul(b, perRow), f32x4.mul(rest, slope)), whole);
  }
}

/** dx = scale·(g + (slope·(x − pivot) + offset)). dx may be dy. Split over rows. */
export function batchNormBackward(args: usize, ith: u32, nth: u32): void {
  const dy = pointer(args, BatchNormBackward.dy); // (rows, channels)
  const rows = size(args, BatchNormBackward.rows);
  const rowBytes = size(args, BatchNormBackward.channels) << 2;
  const relu = size(args, BatchNormBackward.relu);
  const near = allNear(pointer(args, BatchNormBackward.coefficients), rowBytes);
  const first = dy + share(rows, ith, nth) * rowBytes;
  const end = dy + share(rows, ith + 1, nth) * rowBytes;
  let fours = first;
  if (!near) backwardFar(args, first, end, rowBytes, relu);
  else if (relu) backwardRelu(args, first, end, rowBytes);
  else {
    fours = end - ((end - first) % (rowBytes << 2));
    backwardLinear(args, first, fours, rowBytes);
    backwardRest(args, first, fours, rowBytes, rowBytes & ~63, relu);
    backwardFar(args, fours, end, rowBytes, relu);
  }
  backwardRest(args, fours, end, rowBytes, rowBytes & ~31, relu);
}

function backwardLinear(args: usize, dy: usize, end: usize, rowBytes: usize): void {
  backwardLinearRows(args, dy, end, rowBytes);
}

function backwardRelu(args: usize, dy: usize, end: usize, rowBytes: usize): void {
  backwardRows(args, dy, end, rowBytes, true, f32x4.splat(0));
}

/** Near or far, with ReLU or without. */
function backwardFar(args: usize, dy: usize, end: usize, rowBytes: usize, relu: usize): void {
  backwardRows(args, dy, end, rowBytes, false, floorOf(relu));
}

/** dx of the rows dy … end from byte `from` of each on. */
function backwardRest(args: usize, dy: usize, end: usize, rowBytes: usize, from: usize, relu: usize): void {
  const toX = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const toDx = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const pivots = pointer(args, BatchNormBackward.coefficients);
  const slopes = pointer(args, BatchNormBackward.slopes);
  const floor = floorOf(relu);
  for (; dy < end; dy += rowBytes) {
    for (let c = from, width: usize = 0; c < rowBytes; c += width) {
      width = c + 16 <= rowBytes ? 16 : 4;
      const whole = width == 16;
      const at = pivots + c;
      const pivot = loadLanes(at, whole);
      const scale = loadLanes(at + rowBytes, whole);
      const shift = loadLanes(at + (rowBytes << 1), whole);
      const slope = loadLanes(slopes + c, whole);
      const offset = loadLanes(slopes + rowBytes + c, whole);
      const p = dy + c;
      const g = loadLanes(p, whole);
      const v = loadLanes(p + toX, whole);
      storeLanes(p + toDx, gradient(g, v, pivot, scale, shift, slope, offset, false, floor), whole);
    }
  }
}
