// Group normalization (Wu & He 2018) of (samples, positions, channels), channels last; layer normalization (Ba, Kiros &
// Hinton 2016) is that of rows: one position, one group. A set is what is normalized together: a sample's group of
// channels at all positions, n = positions · channels/groups numbers.
//
//   μ = mean of the set,  σ² = mean of (x − μ)² (biased),  s = 1/√(σ² + ε),  h = (x − μ)·s
//   forward    y = γ·h + β,  γ and β by channel
//   backward   g = γ·dy,  dx = s·(g − Σg/n − h·Σ(g·h)/n),  dγ = Σ dy·h,  dβ = Σ dy over samples and positions
//
// Statistics do not cancel: sums are taken as the numbers are, and where the mean turns out too large against the deviation,
// again about a pivot K, the mean just found:
//   S = Σ (x − K),  Q = Σ (x − K)²,  mean = K + S/n,  n·σ² = Q − S²/n,  until Q ≤ 8·n·σ²
// and h = (x − K)·s + t with t = −s·S/n. Sums are of float32 within a piece of a row, of float64 over pieces.
//
// Forward and backward are split over sets, each of which one rank does from beginning to end; dγ and dβ over chunks of rows,
// whose borders depend on shapes alone.

import { GroupNorm, GroupNormBackward, GroupNormSums } from "../isa";
import { load4, madd, mask4, store4 } from "../math/lanes.micro";
import { ceilDiv, pointer, real, share, size } from "../operands";

/** Bytes that a sum goes through in float32. */
const PIECE: usize = 1024;

/** Passes over a set, at most. */
const PASSES = 3;

/** Bytes of a set's statistics: pivot K, s, t. */
const STATISTICS: usize = 12;

/** Σ of the lanes in float64, as (v0 + v2, v1 + v3). */
function widen(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3)));
}

function total(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Stores K, s and t of the set at x: `positions` parts of rows of `bytes` bytes, `rowBytes` apart. */
function moments(out: usize, x: usize, positions: usize, bytes: usize, rowBytes: usize, epsilon: f32): void {
  const perSet = 1 / (<f64>positions * <f64>(bytes >> 2));
  let pivot: f32 = 0;
  for (let pass = 1; ; pass++) {
    const k = f32x4.splat(pivot);
    let sums = f64x2.splat(0);
    let squares = f64x2.splat(0);
    let row = x;
    for (let i: usize = 0; i < positions; i++) {
      for (let from: usize = 0; from < bytes; from += PIECE) {
        const to = min(bytes, from + PIECE);
        let s0 = f32x4.splat(0);
        let q0 = s0;
        let s1 = s0;
        let q1 = s0;
        let j = from;
        for (; j + 32 <= to; j += 32) {
          const a = f32x4.sub(v128.load(row + j), k);
          const b = f32x4.sub(v128.load(row + j, 16), k);
          s0 = f32x4.add(s0, a);
          q0 = madd(a, a, q0);
          s1 = f32x4.add(s1, b);
          q1 = madd(b, b, q1);
        }
        for (; j < to; j += 16) {
          const a = mask4(f32x4.sub(load4(row + j, to - j), k), to - j);
          s0 = f32x4.add(s0, a);
          q0 = madd(a, a, q0);
        }
        sums = f64x2.add(sums, widen(f32x4.add(s0, s1)));
        squares = f64x2.add(squares, widen(f32x4.add(q0, q1)));
      }
      row += rowBytes;
    }
    const rest = total(sums) * perSet;
    const q = total(squares) * perSet;
    const variance = max(q - rest * rest, 0);
    if (q <= 8 * variance || pass == PASSES) {
      const s = <f32>(1 / sqrt(variance + <f64>epsilon));
      store<f32>(out, pivot);
      store<f32>(out, s, 4);
      store<f32>(out, <f32>(-rest * <f64>s), 8);
      return;
    }
    pivot = <f32>(<f64>pivot + rest);
  }
}

/** y and the sets' statistics. y may be x. Split over sets. */
export function groupNorm(args: usize, ith: u32, nth: u32): void {
  const positions = size(args, GroupNorm.positions);
  const channels = size(args, GroupNorm.channels);
  const groups = size(args, GroupNorm.groups);
  const statistics = pointer(args, GroupNorm.statistics);
  const x = pointer(args, GroupNorm.x);
  const toY = pointer(args, GroupNorm.y) - x;
  const gamma = pointer(args, GroupNorm.gamma);
  const beta = pointer(args, GroupNorm.beta);
  const epsilon = real(args, GroupNorm.epsilon);
  const rowBytes = channels << 2;
  const bytes = rowBytes / groups;
  const sets = size(args, GroupNorm.samples) * groups;
  const last = share(sets, ith + 1, nth);
  for (let set = share(sets, ith, nth); set < last; set++) {
    const at = (set % groups) * bytes;
    const out = statistics + set * STATISTICS;
    let row = x + (set / groups) * positions * rowBytes + at;
    moments(out, row, positions, bytes, rowBytes, epsilon);
    const k = f32x4.splat(load<f32>(out));
    const s = f32x4.splat(load<f32>(out, 4));
    const t = f32x4.splat(load<f32>(out, 8));
    for (let i: usize = 0; i < positions; i++) {
      for (let j: usize = 0; j < bytes; j += 16) {
        const left = bytes - j;
        const h = madd(f32x4.sub(load4(row + j, left), k), s, t);
        store4(row + j + toY, madd(h, load4(gamma + at + j, left), load4(beta + at + j, left)), left);
      }
      row += rowBytes;
    }
  }
}

/** dx. dx may be dy. Split over sets. */
export function groupNormBackward(args: usize, ith: u32, nth: u32): void {
  const positions = size(args, GroupNormBackward.positions);
  const groups = size(args, GroupNormBackward.groups);
  const statistics = pointer(args, GroupNormBackward.statistics);
  const dy = pointer(args, GroupNormBackward.dy);
  const toX = pointer(args, GroupNormBackward.x) - dy;
  const toDx = pointer(args, GroupNormBackward.dx) - dy;
  const gamma = pointer(args, GroupNormBackward.gamma);
  const rowBytes = size(args, GroupNormBackward.channels) << 2;
  const bytes = rowBytes / groups;
  const perSet = 1 / (<f64>positions * <f64>(bytes >> 2));
  const sets = size(args, GroupNormBackward.samples) * groups;
  const last = share(sets, ith + 1, nth);
  for (let set = share(sets, ith, nth); set < last; set++) {
    const at = (set % groups) * bytes;
    const from = dy + (set / groups) * positions * rowBytes + at;
    const end = from + positions * rowBytes;
    const k = f32x4.splat(load<f32>(statistics + set * STATISTICS));
    const s = f32x4.splat(load<f32>(statistics + set * STATISTICS, 4));
    const t = f32x4.splat(load<f32>(statistics + set * STATISTICS, 8));
    let sums = f64x2.splat(0);
    let products = f64x2.splat(0);
    for (let row = from; row < end; row += rowBytes) {
      for (let piece: usize = 0; piece < bytes; piece += PIECE) {
        const to = min(bytes, piece + PIECE);
        let a = f32x4.splat(0);
        let b = a;
        for (let j = piece; j < to; j += 16) {
          const left = to - j;
          const g = f32x4.mul(load4(row + j, left), load4(gamma + at + j, left)); // 0 in lanes past the end
          const h = madd(f32x4.sub(load4(row + j + toX, left), k), s, t);
          a = f32x4.add(a, g);
          b = madd(g, h, b);
        }
        sums = f64x2.add(sums, widen(a));
        products = f64x2.add(products, widen(b));
      }
    }
    const meanG = f32x4.splat(<f32>(total(sums) * perSet));
    const meanGh = f32x4.splat(<f32>(total(products) * perSet));
    for (let row = from; row < end; row += rowBytes) {
      for (let j: usize = 0; j < bytes; j += 16) {
        const left = bytes - j;
        const g = f32x4.mul(load4(row + j, left), load4(gamma + at + j, left));
        const h = madd(f32x4.sub(load4(row + j + toX, left), k), s, t);
        const dx = f32x4.mul(s, f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(h, meanGh)));
        store4(row + j + toDx, dx, left);
      }
    }
  }
}

/** partials[0, chunk] = Σ dy·h, partials[1, chunk] = Σ dy over the chunk's rows. Split over chunks. */
export function groupNormSums(args: usize, ith: u32, nth: u32): void {
  const partials = pointer(args, GroupNormSums.partials); // (2, chunks, channels)
  const dy = pointer(args, GroupNormSums.dy);
  const toX = pointer(args, GroupNormSums.x) - dy;
  const statistics = pointer(args, GroupNormSums.statistics);
  const rows = size(args, GroupNormSums.rows);
  const positions = size(args, GroupNormSums.positions);
  const groups = size(args, GroupNormSums.groups);
  const chunkRows = size(args, GroupNormSums.chunkRows);
  const rowBytes = size(args, GroupNormSums.channels) << 2;
  const bytes = rowBytes / groups;
  const chunks = ceilDiv(rows, chunkRows);
  const toBeta = chunks * rowBytes;
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    const out = partials + chunk * rowBytes;
    memory.fill(out, 0, rowBytes);
    memory.fill(out + toBeta, 0, rowBytes);
    const end = min(rows, (chunk + 1) * chunkRows);
    for (let row = chunk * chunkRows; row < end; row++) {
      let set = statistics + (row / positions) * groups * STATISTICS;
      for (let at: usize = 0; at < rowBytes; at += bytes) {
        const k = f32x4.splat(load<f32>(set));
        const s = f32x4.splat(load<f32>(set, 4));
        const t = f32x4.splat(load<f32>(set, 8));
        const p = dy + row * rowBytes + at;
        for (let j: usize = 0; j < bytes; j += 16) {
          const left = bytes - j;
          const d = load4(p + j, left);
          const h = madd(f32x4.sub(load4(p + j + toX, left), k), s, t);
          const q = out + at + j;
          store4(q, madd(d, h, load4(q, left)), left);
          store4(q + toBeta, f32x4.add(load4(q + toBeta, left), d), left);
        }
        set += STATISTICS;
      }
    }
  }
}
