// The transforms of F(4×4, 3×3) (winograd.ts), four channels at a time. A tile's 6×6 numbers lie in 36 planes: (row i, column j) in
// plane 6·i + j. Each two-dimensional transform is a one-dimensional one of all columns, then of all rows, in the planes.
//
//        ⎡4  0 −5  0  1  0⎤        ⎡  ¼    0    0 ⎤
//        ⎢0 −4 −4  1  1  0⎥        ⎢−1/6 −1/6 −1/6⎥         ⎡1  1  1  1  1  0⎤
//   Bᵀ = ⎢0  4 −4 −1  1  0⎥    G = ⎢−1/6  1/6 −1/6⎥    Aᵀ = ⎢0  1 −1  2 −2  0⎥
//        ⎢0 −2 −1  2  1  0⎥        ⎢1/24 1/12  1/6⎥         ⎢0  1  1  4  4  0⎥
//        ⎢0  2 −1 −2  1  0⎥        ⎢1/24−1/12  1/6⎥         ⎣0  1 −1  8 −8  1⎦
//        ⎣0  4  0 −5  0  1⎦        ⎣  0    0    1 ⎦

import { WINOGRAD4_PLANE, WINOGRAD_LINE } from "../isa";
import { madd } from "../math/lanes.micro";
import { beats } from "./pooling.micro";
import { load4Apart, pickedOf, storePlaces } from "./winograd.micro";

/** Bytes from plane to plane. */
// @ts-ignore: decorator
@inline export const PLANE4: usize = WINOGRAD4_PLANE * 4 + WINOGRAD_LINE;

/** Where a transform's numbers go. */
abstract class Sink {
  abstract put(to: usize, v: v128, bias: v128, floor: v128): void;
}

class Stored extends Sink {
  // @ts-ignore: decorator
  @inline
  put(to: usize, v: v128, bias: v128, floor: v128): void {
    v128.store(to, v);
  }
}

class Added extends Sink {
  // @ts-ignore: decorator
  @inline
  put(to: usize, v: v128, bias: v128, floor: v128): void {
    v128.store(to, f32x4.add(v128.load(to), v));
  }
}

class Biased extends Sink {
  // @ts-ignore: decorator
  @inline
  put(to: usize, v: v128, bias: v128, floor: v128): void {
    v128.store(to, f32x4.pmax(f32x4.add(v, bias), floor));
  }
}

/** A one-dimensional transform of vectors `step` bytes apart; all are loaded before the first is stored. */
abstract class Transform {
  abstract of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void;
}

/** Bᵀ: 6 → 6. */
class Input<S extends Sink> extends Transform {
  // @ts-ignore: decorator
  @inline
  of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void {
    const sink = changetype<S>(0);
    const two = f32x4.splat(2), four = f32x4.splat(4), minusFour = f32x4.splat(-4), minusFive = f32x4.splat(-5);
    const d0 = v128.load(from), d1 = v128.load(from + fromStep), d2 = v128.load(from + fromStep * 2);
    const d3 = v128.load(from + fromStep * 3), d4 = v128.load(from + fromStep * 4), d5 = v128.load(from + fromStep * 5);
    const p = madd(minusFour, d2, d4), q = madd(minusFour, d1, d3);
    const r = f32x4.sub(d4, d2), s = f32x4.mul(two, f32x4.sub(d3, d1));
    sink.put(to, madd(four, d0, madd(minusFive, d2, d4)), bias, floor);
    sink.put(to + toStep, f32x4.add(p, q), bias, floor);
    sink.put(to + toStep * 2, f32x4.sub(p, q), bias, floor);
    sink.put(to + toStep * 3, f32x4.add(r, s), bias, floor);
    sink.put(to + toStep * 4, f32x4.sub(r, s), bias, floor);
    sink.put(to + toStep * 5, madd(four, d1, madd(minusFive, d3, d5)), bias, floor);
  }
}

/** B: 6 → 6. */
class InputBackward<S extends Sink> extends Transform {
  // @ts-ignore: decorator
  @inline
  of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void {
    const sink = changetype<S>(0);
    const two = f32x4.splat(2), four = f32x4.splat(4), minusFour = f32x4.splat(-4), minusFive = f32x4.splat(-5);
    const t0 = v128.load(from), t1 = v128.load(from + fromStep), t2 = v128.load(from + fromStep * 2);
    const t3 = v128.load(from + fromStep * 3), t4 = v128.load(from + fromStep * 4), t5 = v128.load(from + fromStep * 5);
    const p = f32x4.add(t1, t2), q = f32x4.sub(t1, t2), r = f32x4.add(t3, t4), s = f32x4.mul(two, f32x4.sub(t3, t4));
    sink.put(to, f32x4.mul(four, t0), bias, floor);
    sink.put(to + toStep, f32x4.sub(madd(four, t5, f32x4.mul(minusFour, q)), s), bias, floor);
    sink.put(to + toStep * 2, f32x4.sub(madd(minusFive, t0, f32x4.mul(minusFour, p)), r), bias, floor);
    sink.put(to + toStep * 3, madd(minusFive, t5, f32x4.add(q, s)), bias, floor);
    sink.put(to + toStep * 4, f32x4.add(t0, f32x4.add(p, r)), bias, floor);
    sink.put(to + toStep * 5, t5, bias, floor);
  }
}

/** Aᵀ: 6 → 4. */
class Output<S extends Sink> extends Transform {
  // @ts-ignore: decorator
  @inline
  of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void {
    const sink = changetype<S>(0);
    const two = f32x4.splat(2), four = f32x4.splat(4), eight = f32x4.splat(8);
    const m0 = v128.load(from), m1 = v128.load(from + fromStep), m2 = v128.load(from + fromStep * 2);
    const m3 = v128.load(from + fromStep * 3), m4 = v128.load(from + fromStep * 4), m5 = v128.load(from + fromStep * 5);
    const p = f32x4.add(m1, m2), q = f32x4.sub(m1, m2), r = f32x4.add(m3, m4), s = f32x4.sub(m3, m4);
    sink.put(to, f32x4.add(m0, f32x4.add(p, r)), bias, floor);
    sink.put(to + toStep, madd(two, s, q), bias, floor);
    sink.put(to + toStep * 2, madd(four, r, p), bias, floor);
    sink.put(to + toStep * 3, f32x4.add(madd(eight, s, q), m5), bias, floor);
  }
}

/** A: 4 → 6. */
class OutputBackward<S extends Sink> extends Transform {
  // @ts-ignore: decorator
  @inline
  of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void {
    const sink = changetype<S>(0);
    const two = f32x4.splat(2), four = f32x4.splat(4);
    const y0 = v128.load(from), y1 = v128.load(from + fromStep);
    const y2 = v128.load(from + fromStep * 2), y3 = v128.load(from + fromStep * 3);
    const p = f32x4.add(y0, y2), q = f32x4.add(y1, y3), r = madd(four, y2, y0), s = f32x4.mul(two, madd(four, y3, y1));
    sink.put(to, y0, bias, floor);
    sink.put(to + toStep, f32x4.add(p, q), bias, floor);
    sink.put(to + toStep * 2, f32x4.sub(p, q), bias, floor);
    sink.put(to + toStep * 3, f32x4.add(r, s), bias, floor);
    sink.put(to + toStep * 4, f32x4.sub(r, s), bias, floor);
    sink.put(to + toStep * 5, y3, bias, floor);
  }
}

/** G: 3 → 6. */
class Kernel<S extends Sink> extends Transform {
  // @ts-ignore: decorator
  @inline
  of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void {
    const sink = changetype<S>(0);
    const sixth = f32x4.splat(1.0 / 6), twelfth = f32x4.splat(1.0 / 12), twentyFourth = f32x4.splat(1.0 / 24);
    const g0 = v128.load(from), g1 = v128.load(from + fromStep), g2 = v128.load(from + fromStep * 2);
    const p = f32x4.mul(f32x4.add(g0, g2), sixth), q = f32x4.mul(g1, sixth);
    const r = f32x4.add(f32x4.mul(g0, twentyFourth), f32x4.mul(g2, sixth)), s = f32x4.mul(g1, twelfth);
    sink.put(to, f32x4.mul(g0, f32x4.splat(0.25)), bias, floor);
    sink.put(to + toStep, f32x4.neg(f32x4.add(p, q)), bias, floor);
    sink.put(to + toStep * 2, f32x4.sub(q, p), bias, floor);
    sink.put(to + toStep * 3, f32x4.add(r, s), bias, floor);
    sink.put(to + toStep * 4, f32x4.sub(r, s), bias, floor);
    sink.put(to + toStep * 5, g2, bias, floor);
  }
}

/** Gᵀ: 6 → 3. */
class KernelBackward<S extends Sink> extends Transform {
  // @ts-ignore: decorator
  @inline
  of(from: usize, fromStep: usize, to: usize, toStep: usize, bias: v128, floor: v128): void {
    const sink = changetype<S>(0);
    const sixth = f32x4.splat(1.0 / 6), twelfth = f32x4.splat(1.0 / 12), twentyFourth = f32x4.splat(1.0 / 24);
    const u0 = v128.load(from), u1 = v128.load(from + fromStep), u2 = v128.load(from + fromStep * 2);
    const u3 = v128.load(from + fromStep * 3), u4 = v128.load(from + fromStep * 4), u5 = v128.load(from + fromStep * 5);
    const p = f32x4.mul(f32x4.add(u1, u2), sixth), r = f32x4.add(u3, u4);
    sink.put(to, f32x4.add(f32x4.sub(f32x4.mul(u0, f32x4.splat(0.25)), p), f32x4.mul(r, twentyFourth)), bias, floor);
    sink.put(to + toStep, f32x4.add(f32x4.mul(f32x4.sub(u2, u1), sixth), f32x4.mul(f32x4.sub(u3, u4), twelfth)), bias, floor);
    sink.put(to + toStep * 2, f32x4.add(f32x4.sub(f32x4.mul(r, sixth), p), u5), bias, floor);
  }
}

/** T of so many columns. */
// @ts-ignore: decorator
@inline
function columns<T extends Transform>(from: usize, row: usize, column: usize, to: usize, plane: usize, count: usize): void {
  for (const end = to + plane * count; to < end; to += plane) {
    changetype<T>(0).of(from, row, to, plane * 6, f32x4.splat(0), f32x4.splat(0));
    from += column;
  }
}

/** T of so many rows, in place. */
// @ts-ignore: decorator
@inline
function rows<T extends Transform>(p: usize, plane: usize, count: usize): void {
  rowsTo<T>(p, plane, count, p, plane * 6, plane, f32x4.splat(0), f32x4.splat(0));
}

/** T of so many rows, to pixels. */
// @ts-ignore: decorator
@inline
function rowsTo<T extends Transform>(p: usize, plane: usize, count: usize, to: usize, line: usize, bytes: usize, bias: v128, floor: v128): void {
  for (const end = p + plane * 6 * count; p < end; p += plane * 6) {
    changetype<T>(0).of(p, plane, to, bytes, bias, floor);
    to += line;
  }
}

/** V = Bᵀ·d·B of the 6×6 pixels at d, `bytes` of channels each, rows `line` apart. */
export function inputTile4(v: usize, d: usize, bytes: usize, line: usize): void {
  for (const end = d + bytes; d < end; d += 16) {
    columns<Input<Stored>>(d, line, bytes, v, PLANE4, 6);
    rows<Input<Stored>>(v, PLANE4, 6);
    v += 16;
  }
}

/** dx += B·dV·Bᵀ: the adjoint of inputTile4. */
export function inputTileBackward4(dx: usize, dv: usize, bytes: usize, line: usize): void {
  for (const end = dx + bytes; dx < end; dx += 16) {
    columns<InputBackward<Stored>>(dv, PLANE4 * 6, PLANE4, dv, PLANE4, 6);
    rowsTo<InputBackward<Added>>(dv, PLANE4, 6, dx, line, bytes, f32x4.splat(0), f32x4.splat(0));
    dv += 16;
  }
}

/** y = max(Aᵀ·M·A + bias, least): height × width pixels of the tile's 4×4, rows `line` apart. */
export function outputTile4(m: usize, y: usize, line: usize, height: usize, width: usize, bias: usize, bytes: usize, least: f32): void {
  const floor = f32x4.splat(least);
  for (const end = m + bytes; m < end; m += 16) {
    columns<Output<Stored>>(m, PLANE4 * 6, PLANE4, m, PLANE4, 6);
    const b = v128.load(bias);
    if (width == 4) rowsTo<Output<Biased>>(m, PLANE4, height, y, line, bytes, b, floor);
    else {
      rows<Output<Stored>>(m, PLANE4, height);
      for (let i: usize = 0; i < height; i++)
        for (let j: usize = 0; j < width; j++)
          changetype<Biased>(0).put(y + i * line + j * bytes, v128.load(m + PLANE4 * (i * 6 + j)), b, floor);
    }
    bias += 16;
    y += 16;
  }
}

/** The same of the largest in each 2×2 of them, and which one that is: height × width windows; a row of the index is so many bytes. */
export function outputTilePooled4(m: usize, y: usize, line: usize, index: usize, indexLine: usize, indexStep: usize, height: usize, width: usize, bias: usize, bytes: usize, least: f32): void {
  const floor = f32x4.splat(least);
  for (const end = m + bytes; m < end; m += 16) {
    columns<Output<Stored>>(m, PLANE4 * 6, PLANE4, m, PLANE4, 6);
    rows<Output<Stored>>(m, PLANE4, height * 2);
    const b = v128.load(bias);
    for (let i: usize = 0; i < height; i++)
      for (let j: usize = 0; j < width; j++) {
        const p = m + PLANE4 * (i * 12 + j * 2);
        const y00 = v128.load(p), y01 = v128.load(p, PLANE4), y10 = v128.load(p, PLANE4 * 6), y11 = v128.load(p, PLANE4 * 7);
        const at01 = beats(y01, y00), upper = v128.bitselect(y01, y00, at01);
        const at11 = beats(y11, y10), lower = v128.bitselect(y11, y10, at11);
        const below = beats(lower, upper);
        v128.store(y + i * line + j * bytes, f32x4.pmax(f32x4.add(v128.bitselect(lower, upper, below), b), floor));
        storePlaces(index + i * indexLine + j * indexStep, at01, at11, below);
      }
    bias += 16;
    y += 16;
    index += indexStep ? 4 : 0;
  }
}

/** M̂ = A·dY·Aᵀ, the adjoint of outputTile4: dY is 0 beyond height × width. */
export function outputTileBackward4(m: usize, dy: usize, line: usize, height: usize, width: usize, bytes: usize): void {
  for (const end = m + bytes; m < end; m += 16) {
    if (height == 4 && width == 4) columns<OutputBackward<Stored>>(dy, line, bytes, m, PLANE4, 4);
    else {
      for (let i: usize = 0; i < 4; i++)
        for (let j: usize = 0; j < 4; j++)
          v128.store(m + PLANE4 * (i * 6 + j), i < height && j < width ? v128.load(dy + i * line + j * bytes) : f32x4.splat(0));
      columns<OutputBackward<Stored>>(m, PLANE4 * 6, PLANE4, m, PLANE4, 4);
    }
    rows<OutputBackward<Stored>>(m, PLANE4, 6);
    dy += 16;
  }
}

/** The same where dy is of the largest in each 2×2: height × width windows. */
export function outputTilePooledBackward4(m: usize, dy: usize, line: usize, index: usize, indexLine: usize, indexStep: usize, height: usize, width: usize, bytes: usize): void {
  for (const end = m + bytes; m < end; m += 16) {
    for (let i: usize = 0; i < 2; i++)
      for (let j: usize = 0; j < 2; j++) {
        const p = m + PLANE4 * (i * 12 + j * 2);
        const inside = i < height && j < width;
        const v = inside ? v128.load(dy + i * line + j * bytes) : f32x4.splat(0);
        const place = inside ? v128.load32_zero(index + i * indexLine + j * indexStep) : f32x4.splat(0);
        v128.store(p, pickedOf(v, place, 0));
        v128.store(p, pickedOf(v, place, 1), PLANE4);
        v128.store(p, pickedOf(v, place, 2), PLANE4 * 6);
        v128.store(p, pickedOf(v, place, 3), PLANE4 * 7);
      }
    columns<OutputBackward<Stored>>(m, PLANE4 * 6, PLANE4, m, PLANE4, 4);
    rows<OutputBackward<Stored>>(m, PLANE4, 6);
    dy += 16;
    index += 4;
  }
}

/** U = G·g·Gᵀ of four 3×3 kernels: see kernelTile; times the four numbers at `scale`, if there are. */
export function kernelTile4(u: usize, plane: usize, g: usize, tap: usize, step: usize, scale: usize): void {
  for (let i: usize = 0; i < 3; i++)
    for (let j: usize = 0; j < 3; j++) {
      const v = load4Apart(g, step);
      v128.store(u + plane * (i * 6 + j), scale ? f32x4.mul(v, v128.load(scale)) : v);
      g += tap;
    }
  columns<Kernel<Stored>>(u, plane * 6, plane, u, plane, 3);
  rows<Kernel<Stored>>(u, plane, 6);
}

/** dg = Gᵀ·dU·G, its adjoint: see kernelTileBackward. Overwrites dU. */
export function kernelTileBackward4(dg: usize, tap: usize, du: usize, plane: usize): void {
  columns<KernelBackward<Stored>>(du, plane * 6, plane, du, plane, 6);
  rows<KernelBackward<Stored>>(du, plane, 3);
  for (let i: usize = 0; i < 3; i++)
    for (let j: usize = 0; j < 3; j++) {
      v128.store(dg, v128.load(du + plane * (i * 6 + j)));
      dg += tap;
    }
}
