// The arithmetic of one vector of channels: forward and backward must agree on it to the bit, since the backward pass
// draws ReLU's mask again.
//
//   near   every pivot is 0: x − 0 is x, so leaving it out changes no bit
//   relu   known where the code is made; elsewhere `floor` is 0 with ReLU and −∞ without

import { BatchNormBackward, BatchNormForward } from "../isa";
import { pointer } from "../operands";
import { loadLanes, multiplyAdd, storeLanes } from "./lanes.micro";

/** x − pivot */
// @ts-ignore: decorator
@inline
export function centred(x: v128, pivot: v128, near: bool): v128 {
  return near ? x : f32x4.sub(x, pivot);
}

/** dy·[d·scale + shift > floor] */
// @ts-ignore: decorator
@inline
export function masked(dy: v128, d: v128, scale: v128, shift: v128, floor: v128): v128 {
  return v128.and(dy, f32x4.gt(multiplyAdd(d, scale, shift), floor));
}

/** y of the rows x … end, a multiple of four, in their first `wide` bytes, whole vectors. */
// @ts-ignore: decorator
@inline
export function forwardRows(
  args: usize, x: usize, end: usize, rowBytes: usize, wide: usize, near: bool, bounded: bool, floor: v128,
): void {
  const toY = pointer(args, BatchNormForward.y) - pointer(args, BatchNormForward.x);
  const pivots = pointer(args, BatchNormForward.coefficients);
  const scales = pivots + rowBytes;
  const shifts = scales + rowBytes;
  for (; x < end; x += rowBytes << 2) {
    for (let c: usize = 0; c < wide; c += 16) {
      const pivot = v128.load(pivots + c);
      const scale = v128.load(scales + c);
      const shift = v128.load(shifts + c);
      let p = x + c;
      forwardLanes(p, toY, pivot, scale, shift, true, near, bounded, floor);
      p += rowBytes;
      forwardLanes(p, toY, pivot, scale, shift, true, near, bounded, floor);
      p += rowBytes;
      forwardLanes(p, toY, pivot, scale, shift, true, near, bounded, floor);
      p += rowBytes;
      forwardLanes(p, toY, pivot, scale, shift, true, near, bounded, floor);
    }
  }
}

/** max(floor, (x − pivot)·scale + shift) of one row */
// @ts-ignore: decorator
@inline
export function forwardLanes(
  x: usize, toY: usize, pivot: v128, scale: v128, shift: v128,
  whole: bool, near: bool, bounded: bool, floor: v128,
): void {
  const y = multiplyAdd(centred(loadLanes(x, whole), pivot, near), scale, shift);
  storeLanes(x + toY, bounded ? f32x4.pmax(y, floor) : y, whole);
}

/** dx of the rows dy … end, a multiple of four, in their first `wide` bytes, whole vectors. */
// @ts-ignore: decorator
@inline
export function backwardRows(
  args: usize, dy: usize, end: usize, rowBytes: usize, wide: usize, near: bool, bounded: bool, floor: v128,
): void {
  const toX = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const toDx = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const pivots = pointer(args, BatchNormBackward.coefficients);
  const scales = pivots + rowBytes;
  const shifts = scales + rowBytes;
  const slopes = pointer(args, BatchNormBackward.slopes);
  const offsets = slopes + rowBytes;
  for (; dy < end; dy += rowBytes << 2) {
    for (let c: usize = 0; c < wide; c += 16) {
      const pivot = v128.load(pivots + c);
      const scale = v128.load(scales + c);
      const shift = v128.load(shifts + c);
      const slope = v128.load(slopes + c);
      const offset = v128.load(offsets + c);
      let p = dy + c;
      backwardLanes(p, toX, toDx, pivot, scale, shift, slope, offset, true, near, bounded, floor);
      p += rowBytes;
      backwardLanes(p, toX, toDx, pivot, scale, shift, slope, offset, true, near, bounded, floor);
      p += rowBytes;
      backwardLanes(p, toX, toDx, pivot, scale, shift, slope, offset, true, near, bounded, floor);
      p += rowBytes;
      backwardLanes(p, toX, toDx, pivot, scale, shift, slope, offset, true, near, bounded, floor);
    }
  }
}

/** scale·(g + (slope·(x − pivot) + offset)) of one row */
// @ts-ignore: decorator
@inline
export function backwardLanes(
  dy: usize, toX: usize, toDx: usize, pivot: v128, scale: v128, shift: v128, slope: v128, offset: v128,
  whole: bool, near: bool, bounded: bool, floor: v128,
): void {
  const d = centred(loadLanes(dy + toX, whole), pivot, near);
  const g = bounded ? masked(loadLanes(dy, whole), d, scale, shift, floor) : loadLanes(dy, whole);
  storeLanes(dy + toDx, f32x4.mul(scale, f32x4.add(g, multiplyAdd(slope, d, offset))), whole);
}

/** Adds (Σ g·(x − pivot), Σ g) of `vectors` ≤ 4 vectors of channels of the rows dy … end. */
// @ts-ignore: decorator
@inline
export function sumStrip(
  out: usize, dy: usize, end: usize, toX: usize, rowBytes: usize, coefficients: usize, vectors: i32, bounded: bool,
): void {
  const plain = out + rowBytes;
  const scales = coefficients + rowBytes;
  const shifts = scales + rowBytes;
  const zero = f32x4.splat(0);
  let a0 = v128.load(out);
  let a1 = v128.load(out, 16);
  let a2 = vectors == 4 ? v128.load(out, 32) : zero;
  let a3 = vectors == 4 ? v128.load(out, 48) : zero;
  let b0 = v128.load(plain);
  let b1 = v128.load(plain, 16);
  let b2 = vectors == 4 ? v128.load(plain, 32) : zero;
  let b3 = vectors == 4 ? v128.load(plain, 48) : zero;
  const scale0 = bounded ? v128.load(scales) : zero;
  const scale1 = bounded ? v128.load(scales, 16) : zero;
  const shift0 = bounded ? v128.load(shifts) : zero;
  const shift1 = bounded ? v128.load(shifts, 16) : zero;
  for (; dy < end; dy += rowBytes) {
    const x = dy + toX;
    const x0 = v128.load(x);
    const g0 = bounded ? masked(v128.load(dy), x0, scale0, shift0, zero) : v128.load(dy);
    a0 = multiplyAdd(x0, g0, a0);
    b0 = f32x4.add(b0, g0);
    const x1 = v128.load(x, 16);
    const g1 = bounded ? masked(v128.load(dy, 16), x1, scale1, shift1, zero) : v128.load(dy, 16);
    a1 = multiplyAdd(x1, g1, a1);
    b1 = f32x4.add(b1, g1);
    if (vectors == 4) {
      const g2 = v128.load(dy, 32);
      a2 = multiplyAdd(v128.load(x, 32), g2, a2);
      b2 = f32x4.add(b2, g2);
      const g3 = v128.load(dy, 48);
      a3 = multiplyAdd(v128.load(x, 48), g3, a3);
      b3 = f32x4.add(b3, g3);
    }
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  v128.store(plain, b0);
  v128.store(plain, b1, 16);
  if (vectors != 4) return;
  v128.store(out, a2, 32);
  v128.store(out, a3, 48);
  v128.store(plain, b2, 32);
  v128.store(plain, b3, 48);
}

/** Stores (k − origin + s/rows, q − s²/rows), never below 0; returns where the difference has kept its digits. */
// @ts-ignore: decorator
@inline
export function storeMoments(
  out: usize,
  k: v128,
  s: v128,
  q: v128,
  origin: usize,
  rowBytes: usize,
  perRow: v128,
  whole: bool,
): v128 {
  const mean = f32x4.mul(s, perRow);
  const m2 = f32x4.pmax(f32x4.sub(q, f32x4.mul(s, mean)), f32x4.splat(0));
  storeLanes(out, f32x4.add(f32x4.sub(k, loadLanes(origin, whole)), mean), whole);
  storeLanes(out + rowBytes, m2, whole);
  return f32x4.le(q, f32x4.mul(m2, f32x4.splat(8)));
}
