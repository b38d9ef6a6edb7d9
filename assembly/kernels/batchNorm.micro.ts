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

/**
 * y of the rows x … end in their whole strips of 64 bytes: eight rows of a strip at a time, its constants in registers. The
 * rows are a loop: unrolled it is four times the code and not faster.
 */
// @ts-ignore: decorator
@inline
export function forwardRows(args: usize, x: usize, end: usize, rowBytes: usize, near: bool, bounded: bool, floor: v128): void {
  const toY = pointer(args, BatchNormForward.y) - pointer(args, BatchNormForward.x);
  const coefficients = pointer(args, BatchNormForward.coefficients);
  const wide = rowBytes & ~63;
  while (x < end) {
    const stop = min(end, x + (rowBytes << 3));
    for (let c: usize = 0; c < wide; c += 64) {
      const pivot = coefficients + c;
      const scale = pivot + rowBytes;
      const shift = scale + rowBytes;
      const p0 = v128.load(pivot), p1 = v128.load(pivot, 16), p2 = v128.load(pivot, 32), p3 = v128.load(pivot, 48);
      const a0 = v128.load(scale), a1 = v128.load(scale, 16), a2 = v128.load(scale, 32), a3 = v128.load(scale, 48);
      const b0 = v128.load(shift), b1 = v128.load(shift, 16), b2 = v128.load(shift, 32), b3 = v128.load(shift, 48);
      const last = stop + c;
      for (let p = x + c; p < last; p += rowBytes) {
        const y = p + toY;
        v128.store(y, normalized(v128.load(p), p0, a0, b0, near, bounded, floor));
        v128.store(y, normalized(v128.load(p, 16), p1, a1, b1, near, bounded, floor), 16);
        v128.store(y, normalized(v128.load(p, 32), p2, a2, b2, near, bounded, floor), 32);
        v128.store(y, normalized(v128.load(p, 48), p3, a3, b3, near, bounded, floor), 48);
      }
    }
    x = stop;
  }
}

/** max(floor, (x − pivot)·scale + shift) */
// @ts-ignore: decorator
@inline
export function normalized(
  x: v128, pivot: v128, scale: v128, shift: v128, near: bool, bounded: bool, floor: v128,
): v128 {
  const y = multiplyAdd(centred(x, pivot, near), scale, shift);
  return bounded ? f32x4.pmax(y, floor) : y;
}

/** dx of the rows dy … end in their whole strips of 32 bytes: four rows of a strip at a time, its constants in registers. */
// @ts-ignore: decorator
@inline
export function backwardRows(args: usize, dy: usize, end: usize, rowBytes: usize, near: bool, floor: v128): void {
  const toX = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const toDx = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const coefficients = pointer(args, BatchNormBackward.coefficients);
  const slopes = pointer(args, BatchNormBackward.slopes);
  const wide = rowBytes & ~31;
  while (dy < end) {
    const stop = min(end, dy + (rowBytes << 2));
    for (let c: usize = 0; c < wide; c += 32) {
      const pivot = coefficients + c;
      const scale = pivot + rowBytes;
      const shift = scale + rowBytes;
      const slope = slopes + c;
      const offset = slope + rowBytes;
      const p0 = v128.load(pivot), p1 = v128.load(pivot, 16);
      const s0 = v128.load(scale), s1 = v128.load(scale, 16);
      const b0 = v128.load(shift), b1 = v128.load(shift, 16);
      const l0 = v128.load(slope), l1 = v128.load(slope, 16);
      const o0 = v128.load(offset), o1 = v128.load(offset, 16);
      const last = stop + c;
      for (let p = dy + c; p < last; p += rowBytes) {
        const x = p + toX;
        const dx = p + toDx;
        v128.store(dx, gradient(v128.load(p), v128.load(x), p0, s0, b0, l0, o0, near, floor));
        v128.store(dx, gradient(v128.load(p, 16), v128.load(x, 16), p1, s1, b1, l1, o1, near, floor), 16);
      }
    }
    dy = stop;
  }
}

/** The same near and without ReLU, in strips of 64 bytes of a multiple of four rows. Here the loop, not unrolled, is slower. */
// @ts-ignore: decorator
@inline
export function backwardLinearRows(args: usize, dy: usize, end: usize, rowBytes: usize): void {
  const toX = pointer(args, BatchNormBackward.x) - pointer(args, BatchNormBackward.dy);
  const toDx = pointer(args, BatchNormBackward.dx) - pointer(args, BatchNormBackward.dy);
  const scales = pointer(args, BatchNormBackward.coefficients) + rowBytes;
  const slopes = pointer(args, BatchNormBackward.slopes);
  const wide = rowBytes & ~63;
  for (; dy < end; dy += rowBytes << 2) {
    for (let c: usize = 0; c < wide; c += 64) {
      const scale = scales + c;
      const slope = slopes + c;
      const offset = slope + rowBytes;
      const s0 = v128.load(scale), s1 = v128.load(scale, 16), s2 = v128.load(scale, 32), s3 = v128.load(scale, 48);
      const l0 = v128.load(slope), l1 = v128.load(slope, 16), l2 = v128.load(slope, 32), l3 = v128.load(slope, 48);
      const o0 = v128.load(offset), o1 = v128.load(offset, 16), o2 = v128.load(offset, 32), o3 = v128.load(offset, 48);
      let p = dy + c;
      backward16(p, p + toX, p + toDx, s0, s1, s2, s3, l0, l1, l2, l3, o0, o1, o2, o3);
      p += rowBytes;
      backward16(p, p + toX, p + toDx, s0, s1, s2, s3, l0, l1, l2, l3, o0, o1, o2, o3);
      p += rowBytes;
      backward16(p, p + toX, p + toDx, s0, s1, s2, s3, l0, l1, l2, l3, o0, o1, o2, o3);
      p += rowBytes;
      backward16(p, p + toX, p + toDx, s0, s1, s2, s3, l0, l1, l2, l3, o0, o1, o2, o3);
    }
  }
}

// @ts-ignore: decorator
@inline
function backward16(
  dy: usize, x: usize, dx: usize,
  s0: v128, s1: v128, s2: v128, s3: v128,
  l0: v128, l1: v128, l2: v128, l3: v128,
  o0: v128, o1: v128, o2: v128, o3: v128,
): void {
  v128.store(dx, f32x4.mul(s0, f32x4.add(v128.load(dy), multiplyAdd(l0, v128.load(x), o0))));
  v128.store(dx, f32x4.mul(s1, f32x4.add(v128.load(dy, 16), multiplyAdd(l1, v128.load(x, 16), o1))), 16);
  v128.store(dx, f32x4.mul(s2, f32x4.add(v128.load(dy, 32), multiplyAdd(l2, v128.load(x, 32), o2))), 32);
  v128.store(dx, f32x4.mul(s3, f32x4.add(v128.load(dy, 48), multiplyAdd(l3, v128.load(x, 48), o3))), 48);
}

/** scale·(g + (slope·(x − pivot) + offset)) */
// @ts-ignore: decorator
@inline
export function gradient(
  dy: v128, x: v128, pivot: v128, scale: v128, shift: v128, slope: v128, offset: v128, near: bool, floor: v128,
): v128 {
  const d = centred(x, pivot, near);
  const g = masked(dy, d, scale, shift, floor);
  return f32x4.mul(scale, f32x4.add(g, multiplyAdd(slope, d, offset)));
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
  let a0 = zero;
  let a1 = zero;
  let a2 = zero;
  let a3 = zero;
  let b0 = zero;
  let b1 = zero;
  let b2 = zero;
  let b3 = zero;
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
  addTo(out, a0, true);
  addTo(out + 16, a1, true);
  addTo(plain, b0, true);
  addTo(plain + 16, b1, true);
  if (vectors != 4) return;
  addTo(out + 32, a2, true);
  addTo(out + 48, a3, true);
  addTo(plain + 32, b2, true);
  addTo(plain + 48, b3, true);
}

/** A block's sum is added to the chunk's: so no chain of additions is longer than a block. */
// @ts-ignore: decorator
@inline
export function addTo(sum: usize, value: v128, whole: bool): void {
  storeLanes(sum, f32x4.add(loadLanes(sum, whole), value), whole);
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
