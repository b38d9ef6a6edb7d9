// The transforms of F(2×2, 3×3) (winograd.ts), four channels at a time, one tile a call.
//
// A tile's 4×4 numbers lie in 16 planes, PLANE bytes apart: (row i, column j) in plane 4·i + j.

import { WINOGRAD_LINE, WINOGRAD_PLANE } from "../isa";
import { beats, wordsOf } from "./pooling.micro";

/** Bytes from plane to plane: six pages and a line, as planes a multiple of 4 KB apart would share their sets in L1. */
// @ts-ignore: decorator
@inline export const PLANE: usize = WINOGRAD_PLANE * 4 + WINOGRAD_LINE;

// A few vectors are moved faster so than by a call of memory.copy.

// @ts-ignore: decorator
@inline
export function move(to: usize, from: usize, bytes: usize): void {
  for (const end = to + bytes; to < end; to += 16) {
    v128.store(to, v128.load(from));
    from += 16;
  }
}

// @ts-ignore: decorator
@inline
export function clear(p: usize, bytes: usize): void {
  for (const end = p + bytes; p < end; p += 16) v128.store(p, f32x4.splat(0));
}

/** A row of V: its four numbers from a row of Bᵀ·d. */
// @ts-ignore: decorator
@inline
function inputRow(v: usize, t0: v128, t1: v128, t2: v128, t3: v128): void {
  v128.store(v, f32x4.sub(t0, t2));
  v128.store(v, f32x4.add(t1, t2), PLANE);
  v128.store(v, f32x4.sub(t2, t1), PLANE * 2);
  v128.store(v, f32x4.sub(t3, t1), PLANE * 3);
}

/** V = Bᵀ·d·B of the 4×4 pixels at d, `bytes` of channels each, rows `line` apart. */
export function inputTile(v: usize, d: usize, bytes: usize, line: usize): void {
  let d1 = d + line, d2 = d1 + line, d3 = d2 + line;
  const bytes2 = bytes * 2, bytes3 = bytes * 3;
  const end = d + bytes;
  while (d < end) {
    const b0 = v128.load(d1), b1 = v128.load(d1 + bytes), b2 = v128.load(d1 + bytes2), b3 = v128.load(d1 + bytes3);
    const c0 = v128.load(d2), c1 = v128.load(d2 + bytes), c2 = v128.load(d2 + bytes2), c3 = v128.load(d2 + bytes3);
    inputRow(v, f32x4.sub(v128.load(d), c0), f32x4.sub(v128.load(d + bytes), c1), f32x4.sub(v128.load(d + bytes2), c2), f32x4.sub(v128.load(d + bytes3), c3));
    inputRow(v + PLANE * 4, f32x4.add(b0, c0), f32x4.add(b1, c1), f32x4.add(b2, c2), f32x4.add(b3, c3));
    inputRow(v + PLANE * 8, f32x4.sub(c0, b0), f32x4.sub(c1, b1), f32x4.sub(c2, b2), f32x4.sub(c3, b3));
    inputRow(v + PLANE * 12, f32x4.sub(v128.load(d3), b0), f32x4.sub(v128.load(d3 + bytes), b1), f32x4.sub(v128.load(d3 + bytes2), b2), f32x4.sub(v128.load(d3 + bytes3), b3));
    v += 16;
    d += 16;
    d1 += 16;
    d2 += 16;
    d3 += 16;
  }
}

/** A pixel of dx += v. */
// @ts-ignore: decorator
@inline
function accumulate(dx: usize, v: v128): void {
  v128.store(dx, f32x4.add(v128.load(dx), v));
}

/** A row of dx += its four numbers from a row of B·dV. */
// @ts-ignore: decorator
@inline
function inputRowBackward(dx: usize, bytes: usize, t0: v128, t1: v128, t2: v128, t3: v128): void {
  accumulate(dx, t0);
  accumulate(dx + bytes, f32x4.sub(f32x4.sub(t1, t2), t3));
  accumulate(dx + bytes * 2, f32x4.sub(f32x4.add(t1, t2), t0));
  accumulate(dx + bytes * 3, t3);
}

/** dx += B·dV·Bᵀ: the adjoint of inputTile. */
export function inputTileBackward(dx: usize, dv: usize, bytes: usize, line: usize): void {
  let dx1 = dx + line, dx2 = dx1 + line, dx3 = dx2 + line;
  const end = dx + bytes;
  while (dx < end) {
    const a0 = v128.load(dv), a1 = v128.load(dv, PLANE), a2 = v128.load(dv, PLANE * 2), a3 = v128.load(dv, PLANE * 3);
    inputRowBackward(dx, bytes, a0, a1, a2, a3);
    const b0 = v128.load(dv, PLANE * 4), b1 = v128.load(dv, PLANE * 5), b2 = v128.load(dv, PLANE * 6), b3 = v128.load(dv, PLANE * 7);
    const c0 = v128.load(dv, PLANE * 8), c1 = v128.load(dv, PLANE * 9), c2 = v128.load(dv, PLANE * 10), c3 = v128.load(dv, PLANE * 11);
    inputRowBackward(dx2, bytes, f32x4.sub(f32x4.add(b0, c0), a0), f32x4.sub(f32x4.add(b1, c1), a1), f32x4.sub(f32x4.add(b2, c2), a2), f32x4.sub(f32x4.add(b3, c3), a3));
    const e0 = v128.load(dv, PLANE * 12), e1 = v128.load(dv, PLANE * 13), e2 = v128.load(dv, PLANE * 14), e3 = v128.load(dv, PLANE * 15);
    inputRowBackward(dx1, bytes, f32x4.sub(f32x4.sub(b0, c0), e0), f32x4.sub(f32x4.sub(b1, c1), e1), f32x4.sub(f32x4.sub(b2, c2), e2), f32x4.sub(f32x4.sub(b3, c3), e3));
    inputRowBackward(dx3, bytes, e0, e1, e2, e3);
    dv += 16;
    dx += 16;
    dx1 += 16;
    dx2 += 16;
    dx3 += 16;
  }
}

// A column of Aᵀ·M.

// @ts-ignore: decorator
@inline
function upper(m: usize): v128 {
  return f32x4.add(f32x4.add(v128.load(m), v128.load(m, PLANE * 4)), v128.load(m, PLANE * 8));
}

// @ts-ignore: decorator
@inline
function lower(m: usize): v128 {
  return f32x4.add(f32x4.sub(v128.load(m, PLANE * 4), v128.load(m, PLANE * 8)), v128.load(m, PLANE * 12));
}

// Y = Aᵀ·M·A from the columns of one of its rows.

// @ts-ignore: decorator
@inline
function left(t0: v128, t1: v128, t2: v128): v128 {
  return f32x4.add(f32x4.add(t0, t1), t2);
}

// @ts-ignore: decorator
@inline
function right(t1: v128, t2: v128, t3: v128): v128 {
  return f32x4.add(f32x4.sub(t1, t2), t3);
}

/** The pixels y = max(Aᵀ·M·A + bias, least). */
export function outputTile(m: usize, y00: usize, y01: usize, y10: usize, y11: usize, bias: usize, bytes: usize, least: f32): void {
  const floor = f32x4.splat(least);
  const end = m + bytes;
  while (m < end) {
    const b = v128.load(bias);
    const u0 = upper(m), u1 = upper(m + PLANE), u2 = upper(m + PLANE * 2), u3 = upper(m + PLANE * 3);
    v128.store(y00, f32x4.pmax(f32x4.add(left(u0, u1, u2), b), floor));
    v128.store(y01, f32x4.pmax(f32x4.add(right(u1, u2, u3), b), floor));
    const l0 = lower(m), l1 = lower(m + PLANE), l2 = lower(m + PLANE * 2), l3 = lower(m + PLANE * 3);
    v128.store(y10, f32x4.pmax(f32x4.add(left(l0, l1, l2), b), floor));
    v128.store(y11, f32x4.pmax(f32x4.add(right(l1, l2, l3), b), floor));
    m += 16;
    bias += 16;
    y00 += 16;
    y01 += 16;
    y10 += 16;
    y11 += 16;
  }
}

/** A byte each of four channels: row · 2 + column of the largest of four pixels, from which is larger in the rows, and which row is. */
// @ts-ignore: decorator
@inline
export function storePlaces(index: usize, at01: v128, at11: v128, below: v128): void {
  const second = v128.and(v128.bitselect(at11, at01, below), i32x4.splat(1));
  const place = v128.or(second, v128.and(below, i32x4.splat(2)));
  const halves = i16x8.narrow_i32x4_s(place, place);
  v128.store_lane<u32>(index, i8x16.narrow_i16x8_s(halves, halves), 0);
}

/** Of four channels, whose places are the first four bytes, v where that is `place`, else 0. */
// @ts-ignore: decorator
@inline
export function pickedOf(v: v128, places: v128, place: i32): v128 {
  return v128.and(v, i32x4.eq(wordsOf(places), i32x4.splat(place)));
}

/** y = max(largest of the four pixels + bias, least); index: which one it is, a byte a channel. */
export function outputTilePooled(m: usize, y: usize, index: usize, bias: usize, bytes: usize, least: f32): void {
  const floor = f32x4.splat(least);
  const end = m + bytes;
  while (m < end) {
    const u0 = upper(m), u1 = upper(m + PLANE), u2 = upper(m + PLANE * 2), u3 = upper(m + PLANE * 3);
    const y00 = left(u0, u1, u2), y01 = right(u1, u2, u3);
    const l0 = lower(m), l1 = lower(m + PLANE), l2 = lower(m + PLANE * 2), l3 = lower(m + PLANE * 3);
    const y10 = left(l0, l1, l2), y11 = right(l1, l2, l3);
    const at01 = beats(y01, y00), upperMost = v128.bitselect(y01, y00, at01);
    const at11 = beats(y11, y10), lowerMost = v128.bitselect(y11, y10, at11);
    const below = beats(lowerMost, upperMost), most = v128.bitselect(lowerMost, upperMost, below);
    v128.store(y, f32x4.pmax(f32x4.add(most, v128.load(bias)), floor));
    storePlaces(index, at01, at11, below);
    m += 16;
    y += 16;
    bias += 16;
    index += 4;
  }
}

/** A row of M̂: its four numbers from a row of A·dY. */
// @ts-ignore: decorator
@inline
function outputRowBackward(m: usize, t0: v128, t1: v128): void {
  v128.store(m, t0);
  v128.store(m, f32x4.add(t0, t1), PLANE);
  v128.store(m, f32x4.sub(t0, t1), PLANE * 2);
  v128.store(m, t1, PLANE * 3);
}

// @ts-ignore: decorator
@inline
function spread(m: usize, e00: v128, e01: v128, e10: v128, e11: v128): void {
  outputRowBackward(m, e00, e01);
  outputRowBackward(m + PLANE * 4, f32x4.add(e00, e10), f32x4.add(e01, e11));
  outputRowBackward(m + PLANE * 8, f32x4.sub(e00, e10), f32x4.sub(e01, e11));
  outputRowBackward(m + PLANE * 12, e10, e11);
}

/** M̂ = A·dY·Aᵀ: the adjoint of outputTile. */
export function outputTileBackward(m: usize, dy00: usize, dy01: usize, dy10: usize, dy11: usize, bytes: usize): void {
  const end = m + bytes;
  while (m < end) {
    spread(m, v128.load(dy00), v128.load(dy01), v128.load(dy10), v128.load(dy11));
    m += 16;
    dy00 += 16;
    dy01 += 16;
    dy10 += 16;
    dy11 += 16;
  }
}

/** The same where dy is the gradient of the largest of the four pixels. */
export function outputTilePooledBackward(m: usize, dy: usize, index: usize, bytes: usize): void {
  const end = m + bytes;
  while (m < end) {
    const v = v128.load(dy), places = v128.load32_zero(index);
    spread(m, pickedOf(v, places, 0), pickedOf(v, places, 1), pickedOf(v, places, 2), pickedOf(v, places, 3));
    m += 16;
    dy += 16;
    index += 4;
  }
}

/** Four numbers, `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function load4Apart(p: usize, step: usize): v128 {
  if (step == 4) return v128.load(p);
  let v = v128.load32_zero(p);
  v = v128.load_lane<u32>(p + step, v, 1);
  v = v128.load_lane<u32>(p + step * 2, v, 2);
  return v128.load_lane<u32>(p + step * 3, v, 3);
}

/** A row of U: its four numbers from a row of G·g. */
// @ts-ignore: decorator
@inline
function kernelRow(u: usize, plane: usize, t0: v128, t1: v128, t2: v128): void {
  const half = f32x4.splat(0.5);
  const outer = f32x4.mul(f32x4.add(t0, t2), half), inner = f32x4.mul(t1, half);
  v128.store(u, t0);
  v128.store(u + plane, f32x4.add(outer, inner));
  v128.store(u + plane * 2, f32x4.sub(outer, inner));
  v128.store(u + plane * 3, t2);
}

/** Four kernels' tap, scaled where asked. */
// @ts-ignore: decorator
@inline
function tapOf(g: usize, step: usize, scaled: bool, scale: v128): v128 {
  return scaled ? f32x4.mul(load4Apart(g, step), scale) : load4Apart(g, step);
}

// @ts-ignore: decorator
@inline
function transformKernel(u: usize, plane: usize, g: usize, tap: usize, step: usize, scaled: bool, scale: v128): void {
  const half = f32x4.splat(0.5);
  const a0 = tapOf(g, step, scaled, scale), a1 = tapOf(g + tap, step, scaled, scale), a2 = tapOf(g + tap * 2, step, scaled, scale);
  g += tap * 3;
  const b0 = tapOf(g, step, scaled, scale), b1 = tapOf(g + tap, step, scaled, scale), b2 = tapOf(g + tap * 2, step, scaled, scale);
  g += tap * 3;
  const c0 = tapOf(g, step, scaled, scale), c1 = tapOf(g + tap, step, scaled, scale), c2 = tapOf(g + tap * 2, step, scaled, scale);
  const outer0 = f32x4.mul(f32x4.add(a0, c0), half), outer1 = f32x4.mul(f32x4.add(a1, c1), half), outer2 = f32x4.mul(f32x4.add(a2, c2), half);
  const inner0 = f32x4.mul(b0, half), inner1 = f32x4.mul(b1, half), inner2 = f32x4.mul(b2, half);
  kernelRow(u, plane, a0, a1, a2);
  kernelRow(u + plane * 4, plane, f32x4.add(outer0, inner0), f32x4.add(outer1, inner1), f32x4.add(outer2, inner2));
  kernelRow(u + plane * 8, plane, f32x4.sub(outer0, inner0), f32x4.sub(outer1, inner1), f32x4.sub(outer2, inner2));
  kernelRow(u + plane * 12, plane, c0, c1, c2);
}

/** U = G·g·Gᵀ of four 3×3 kernels, whose taps are `tap` bytes apart and which are `step` bytes apart from each other. */
export function kernelTile(u: usize, plane: usize, g: usize, tap: usize, step: usize): void {
  transformKernel(u, plane, g, tap, step, false, f32x4.splat(0));
}

/** The same of the kernels times the four numbers at `scale`. */
export function kernelTileScaled(u: usize, plane: usize, g: usize, tap: usize, step: usize, scale: usize): void {
  transformKernel(u, plane, g, tap, step, true, v128.load(scale));
}

/** Σ over the partials, `bytes` apart, in their order. */
// @ts-ignore: decorator
@inline
export function sum(p: usize, bytes: usize, count: usize): v128 {
  let v = v128.load(p);
  while (--count != 0) {
    p += bytes;
    v = f32x4.add(v, v128.load(p));
  }
  return v;
}

/** A row of dg: its three numbers from a row of Gᵀ·dU. */
// @ts-ignore: decorator
@inline
function kernelRowBackward(dg: usize, tap: usize, t0: v128, t1: v128, t2: v128, t3: v128): void {
  const half = f32x4.splat(0.5);
  const outer = f32x4.mul(f32x4.add(t1, t2), half);
  v128.store(dg, f32x4.add(t0, outer));
  v128.store(dg + tap, f32x4.mul(f32x4.sub(t1, t2), half));
  v128.store(dg + tap * 2, f32x4.add(outer, t3));
}

/** dg = Gᵀ·dU·G, the adjoint of kernelTile, dU the sum of so many partials. */
export function kernelTileBackward(dg: usize, tap: usize, du: usize, plane: usize, partial: usize, partials: usize): void {
  const half = f32x4.splat(0.5);
  const b0 = sum(du + plane * 4, partial, partials), b1 = sum(du + plane * 5, partial, partials), b2 = sum(du + plane * 6, partial, partials), b3 = sum(du + plane * 7, partial, partials);
  const c0 = sum(du + plane * 8, partial, partials), c1 = sum(du + plane * 9, partial, partials), c2 = sum(du + plane * 10, partial, partials), c3 = sum(du + plane * 11, partial, partials);
  kernelRowBackward(dg + tap * 3, tap, f32x4.mul(f32x4.sub(b0, c0), half), f32x4.mul(f32x4.sub(b1, c1), half), f32x4.mul(f32x4.sub(b2, c2), half), f32x4.mul(f32x4.sub(b3, c3), half));
  const outer0 = f32x4.mul(f32x4.add(b0, c0), half), outer1 = f32x4.mul(f32x4.add(b1, c1), half), outer2 = f32x4.mul(f32x4.add(b2, c2), half), outer3 = f32x4.mul(f32x4.add(b3, c3), half);
  kernelRowBackward(dg, tap, f32x4.add(outer0, sum(du, partial, partials)), f32x4.add(outer1, sum(du + plane, partial, partials)), f32x4.add(outer2, sum(du + plane * 2, partial, partials)), f32x4.add(outer3, sum(du + plane * 3, partial, partials)));
  kernelRowBackward(dg + tap * 6, tap, f32x4.add(outer0, sum(du + plane * 12, partial, partials)), f32x4.add(outer1, sum(du + plane * 13, partial, partials)), f32x4.add(outer2, sum(du + plane * 14, partial, partials)), f32x4.add(outer3, sum(du + plane * 15, partial, partials)));
}
