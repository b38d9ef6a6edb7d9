// Pooling of images, NHWC: over windows of kernelH × kernelW positions, strideH and strideW apart, of which the first begins
// padTop above and padLeft left of the image. What of a window lies outside does not count; each has something within.
//
//   maxPool2d           y = max(max over the window + bias, relu ? 0 : −∞),  index = the position row·kernelW + column of the
//                       largest: the first of equals; NaN is larger than all (the last NaN's position, as in PyTorch)
//   maxPool2dBackward   dx = Σ dy over the windows whose index is the element
//   averagePool2d       y = Σ x over the window · scale,  scale = mean ? 1/elements of the window within the image : 1
//   spread2d            x = Σ y·scale over the windows that the element is in: the adjoint of averagePool2d
//
// The index is bytes, element e of it in byte e; where windows have more than BYTE_WINDOW positions, words.
//
// Pooling goes along rows of windows; its adjoints along rows of the image, each element the sum over its windows by
// ascending row and column, so that all is written once and nothing need be zeroed. Split over these rows: the bits do not
// depend on nth. 16 channels at a time, then 4.

import { AveragePool2d, BYTE_WINDOW, MaxPool2d, MaxPool2dBackward, Spread2d, Window } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, share, size } from "../operands";
import { beats, finished, pool2x2, wordsOf } from "./pooling.micro";

/** Where the operands of kind Window begin. */
function windowOf(args: usize, slot: i32): usize {
  return args + ((<usize>slot) << 2);
}

/** Whether windows are 2×2, side by side and within the image. */
function inPairs(w: usize): bool {
  return (
    size(w, Window.kernelH) == 2 &&
    size(w, Window.kernelW) == 2 &&
    size(w, Window.strideH) == 2 &&
    size(w, Window.strideW) == 2 &&
    (size(w, Window.padTop) | size(w, Window.padLeft)) == 0 &&
    size(w, Window.outH) << 1 <= size(w, Window.inH) &&
    size(w, Window.outW) << 1 <= size(w, Window.inW)
  );
}

/** The first position of a window that begins at `from` which is not before the image. */
function firstIn(from: isize): isize {
  return max<isize>(0, -from);
}

/** The end of the positions of a window that begins at `from` which lie in an image of `length`. */
function endIn(from: isize, kernel: isize, length: isize): isize {
  return min(kernel, length - from);
}

/** The first window of those that position `at` of the padded image is in. */
function firstWindow(at: usize, kernel: usize, stride: usize): usize {
  return at < kernel ? 0 : (at - kernel) / stride + 1;
}

/** Whether indices are bytes. */
function byteIndices(w: usize): bool {
  return size(w, Window.kernelH) * size(w, Window.kernelW) <= <usize>BYTE_WINDOW;
}

/** The indices of four elements from `e` on, or of as many as `left` bytes of floats are. */
function indexAt(p: usize, e: usize, bytes: bool, left: usize): v128 {
  if (!bytes) return load4(p + (e << 2), left);
  if (left >= 16) return wordsOf(v128.load32_zero(p + e));
  let v = v128.load8_splat(p + e);
  if (left > 4) v = v128.load8_lane(p + e + 1, v, 1);
  if (left > 8) v = v128.load8_lane(p + e + 2, v, 2);
  return wordsOf(v);
}

function storeIndex(p: usize, e: usize, bytes: bool, v: v128, left: usize): void {
  if (!bytes) {
    store4(p + (e << 2), v, left);
    return;
  }
  v = i16x8.narrow_i32x4_s(v, v);
  v = i8x16.narrow_i16x8_u(v, v);
  if (left >= 16) {
    v128.store32_lane(p + e, v, 0);
    return;
  }
  v128.store8_lane(p + e, v, 0);
  if (left > 4) v128.store8_lane(p + e + 1, v, 1);
  if (left > 8) v128.store8_lane(p + e + 2, v, 2);
}

// Max pooling.

/** A row of windows of any kind. x: the image; y, index: element e on. */
function poolRow(w: usize, oy: usize, y: usize, index: usize, e: usize, x: usize, bias: usize, floor: v128): void {
  const inW = size(w, Window.inW);
  const pixel = size(w, Window.channels) << 2;
  const kernelW = size(w, Window.kernelW);
  const bytes = byteIndices(w);
  const wide = bytes ? pixel & ~63 : 0;
  const top = <isize>(oy * size(w, Window.strideH)) - <isize>size(w, Window.padTop);
  const y0 = firstIn(top);
  const y1 = endIn(top, size(w, Window.kernelH), size(w, Window.inH));
  const outW = size(w, Window.outW);
  const strideW = size(w, Window.strideW);
  let left = -(<isize>size(w, Window.padLeft));
  for (let ox: usize = 0; ox < outW; ox++) {
    const x0 = firstIn(left);
    const x1 = endIn(left, kernelW, inW);
    const first = x + ((top + y0) * inW + left + x0) * pixel;
    const k0 = y0 * kernelW + x0;
    const down = inW * pixel; // to the next row of the image
    for (let c: usize = 0; c < wide; c += 64) {
      let row = first + c;
      let m0 = v128.load(row),
        m1 = v128.load(row, 16),
        m2 = v128.load(row, 32),
        m3 = v128.load(row, 48);
      let best = i8x16.splat(<i8>k0);
      for (let ky = y0; ky < y1; ky++) {
        let p = row;
        for (let kx = x0; kx < x1; kx++) {
          const v0 = v128.load(p),
            v1 = v128.load(p, 16),
            v2 = v128.load(p, 32),
            v3 = v128.load(p, 48);
          const b0 = beats(v0, m0),
            b1 = beats(v1, m1),
            b2 = beats(v2, m2),
            b3 = beats(v3, m3);
          m0 = v128.bitselect(v0, m0, b0);
          m1 = v128.bitselect(v1, m1, b1);
          m2 = v128.bitselect(v2, m2, b2);
          m3 = v128.bitselect(v3, m3, b3);
          const b = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(b0, b1), i16x8.narrow_i32x4_s(b2, b3));
          best = v128.bitselect(i8x16.splat(<i8>(ky * kernelW + kx)), best, b);
          p += pixel;
        }
        row += down;
      }
      const b = bias ? bias + c : 0;
      v128.store(y, finished(m0, b, 16, floor));
      v128.store(y, finished(m1, b ? b + 16 : 0, 16, floor), 16);
      v128.store(y, finished(m2, b ? b + 32 : 0, 16, floor), 32);
      v128.store(y, finished(m3, b ? b + 48 : 0, 16, floor), 48);
      if (index) v128.store(index + e, best);
      y += 64;
      e += 16;
    }
    for (let c = wide; c < pixel; c += 16) {
      const rest = pixel - c;
      let row = first + c;
      let m = load4(row, rest);
      let best = i32x4.splat(<i32>k0);
      for (let ky = y0; ky < y1; ky++) {
        let p = row;
        for (let kx = x0; kx < x1; kx++) {
          const v = load4(p, rest);
          const b = beats(v, m);
          m = v128.bitselect(v, m, b);
          best = v128.bitselect(i32x4.splat(<i32>(ky * kernelW + kx)), best, b);
          p += pixel;
        }
        row += down;
      }
      store4(y, finished(m, bias ? bias + c : 0, rest, floor), rest);
      if (index) storeIndex(index, e, bytes, best, rest);
      y += min<usize>(rest, 16);
      e += min<usize>(rest, 16) >> 2;
    }
    left += strideW;
  }
}

/** A row of 2×2 windows side by side, channels in eights. p: the upper row of the image. */
export function poolPairs(
  outW: usize,
  pixel: usize,
  down: usize,
  y: usize,
  index: usize,
  p: usize,
  bias: usize,
  relu: bool,
): void {
  const floor = f32x4.splat(relu ? 0 : -Infinity);
  for (let ox: usize = 0; ox < outW; ox++) {
    for (let c: usize = 0; c < pixel; c += 32) {
      const b = bias ? bias + c : 0;
      if (index) {
        pool2x2(y, index, p, p + down, pixel, b, floor, true);
        index += 8;
      } else pool2x2(y, 0, p, p + down, pixel, b, floor, false);
      p += 32;
      y += 32;
    }
    p += pixel;
  }
}

/** Split over rows of windows. */
export function maxPool2d(args: usize, ith: u32, nth: u32): void {
  const w = windowOf(args, MaxPool2d.window);
  const y = pointer(args, MaxPool2d.y);
  const index = pointer(args, MaxPool2d.index);
  const x = pointer(args, MaxPool2d.x);
  const bias = pointer(args, MaxPool2d.bias);
  const relu = size(args, MaxPool2d.relu) != 0;
  const floor = f32x4.splat(relu ? 0 : -Infinity);
  const pixel = size(w, Window.channels) << 2;
  const down = size(w, Window.inW) * pixel;
  const outH = size(w, Window.outH);
  const outW = size(w, Window.outW);
  const pairs = inPairs(w) && (pixel & 31) == 0;
  const units = size(w, Window.images) * outH;
  const to = share(units, ith + 1, nth);
  for (let unit = share(units, ith, nth); unit < to; unit++) {
    const image = unit / outH;
    const oy = unit - image * outH;
    const from = x + image * size(w, Window.inH) * down;
    const at = unit * outW * pixel;
    if (pairs) poolPairs(outW, pixel, down, y + at, index ? index + (at >> 2) : 0, from + oy * 2 * down, bias, relu);
    else poolRow(w, oy, y + at, index, at >> 2, from, bias, floor);
  }
  // the rest of the index's last word
  const end = (units * outW * pixel) >> 2;
  if (index && to == units && end & 3 && byteIndices(w)) memory.fill(index + end, 0, 4 - (end & 3));
}

/** Rows 2·oy and 2·oy + 1 of dx from a row of 2×2 windows side by side, channels in sixteens. */
export function unpoolPairs(outW: usize, pixel: usize, p: usize, down: usize, dy: usize, index: usize): void {
  const one = i32x4.splat(1),
    two = i32x4.splat(2),
    three = i32x4.splat(3),
    zero = i32x4.splat(0);
  for (let ox: usize = 0; ox < outW; ox++) {
    for (let c: usize = 0; c < pixel; c += 32) {
      const numbers = i16x8.extend_low_i8x16_u(v128.load64_zero(index));
      const i0 = i32x4.extend_low_i16x8_u(numbers),
        i1 = i32x4.extend_high_i16x8_u(numbers);
      const d0 = v128.load(dy),
        d1 = v128.load(dy, 16);
      const b = p + pixel;
      const q = p + down;
      const r = q + pixel;
      v128.store(p, v128.and(d0, i32x4.eq(i0, zero)));
      v128.store(p, v128.and(d1, i32x4.eq(i1, zero)), 16);
      v128.store(b, v128.and(d0, i32x4.eq(i0, one)));
      v128.store(b, v128.and(d1, i32x4.eq(i1, one)), 16);
      v128.store(q, v128.and(d0, i32x4.eq(i0, two)));
      v128.store(q, v128.and(d1, i32x4.eq(i1, two)), 16);
      v128.store(r, v128.and(d0, i32x4.eq(i0, three)));
      v128.store(r, v128.and(d1, i32x4.eq(i1, three)), 16);
      index += 8;
      dy += 32;
      p += 32;
    }
    p += pixel;
  }
}

/** Row iy of dx. dy, index: the image's. */
function unpoolRow(w: usize, iy: usize, dx: usize, dy: usize, index: usize, e: usize): void {
  const inW = size(w, Window.inW);
  const pixel = size(w, Window.channels) << 2;
  const kernelH = size(w, Window.kernelH);
  const kernelW = size(w, Window.kernelW);
  const strideH = size(w, Window.strideH);
  const strideW = size(w, Window.strideW);
  const padLeft = size(w, Window.padLeft);
  const outW = size(w, Window.outW);
  const bytes = byteIndices(w);
  const wide = bytes ? pixel & ~31 : 0;
  const fromTop = iy + size(w, Window.padTop);
  const y0 = firstWindow(fromTop, kernelH, strideH);
  const y1 = min(fromTop / strideH + 1, size(w, Window.outH));
  for (let ix: usize = 0; ix < inW; ix++) {
    const fromLeft = ix + padLeft;
    const x0 = firstWindow(fromLeft, kernelW, strideW);
    const x1 = min(fromLeft / strideW + 1, outW);
    for (let c: usize = 0; c < wide; c += 32) {
      let s0 = f32x4.splat(0);
      let s1 = s0;
      for (let oy = y0; oy < y1; oy++) {
        const k = (fromTop - oy * strideH) * kernelW + fromLeft;
        for (let ox = x0; ox < x1; ox++) {
          const at = (oy * outW + ox) * pixel + c;
          const number = i32x4.splat(<i32>(k - ox * strideW));
          const numbers = i16x8.extend_low_i8x16_u(v128.load64_zero(index + e + (at >> 2)));
          const p = dy + at;
          s0 = f32x4.add(s0, v128.and(v128.load(p), i32x4.eq(i32x4.extend_low_i16x8_u(numbers), number)));
          s1 = f32x4.add(s1, v128.and(v128.load(p, 16), i32x4.eq(i32x4.extend_high_i16x8_u(numbers), number)));
        }
      }
      v128.store(dx, s0);
      v128.store(dx, s1, 16);
      dx += 32;
    }
    for (let c = wide; c < pixel; c += 16) {
      const rest = pixel - c;
      let s = f32x4.splat(0);
      for (let oy = y0; oy < y1; oy++) {
        const k = (fromTop - oy * strideH) * kernelW + fromLeft;
        for (let ox = x0; ox < x1; ox++) {
          const at = (oy * outW + ox) * pixel + c;
          const here = i32x4.eq(indexAt(index, e + (at >> 2), bytes, rest), i32x4.splat(<i32>(k - ox * strideW)));
          s = f32x4.add(s, v128.and(load4(dy + at, rest), here));
        }
      }
      store4(dx, s, rest);
      dx += min<usize>(rest, 16);
    }
  }
}

/** Split over rows of the image, where windows are 2×2 side by side over pairs of them. */
export function maxPool2dBackward(args: usize, ith: u32, nth: u32): void {
  const w = windowOf(args, MaxPool2dBackward.window);
  const dx = pointer(args, MaxPool2dBackward.dx);
  const dy = pointer(args, MaxPool2dBackward.dy);
  const index = pointer(args, MaxPool2dBackward.index);
  const pixel = size(w, Window.channels) << 2;
  const inH = size(w, Window.inH);
  const outH = size(w, Window.outH);
  const outW = size(w, Window.outW);
  const down = size(w, Window.inW) * pixel;
  const rowBytes = outW * pixel;
  const pairs = inPairs(w) && (pixel & 31) == 0;
  const bands = pairs ? outH : inH;
  const to = share(size(w, Window.images) * bands, ith + 1, nth);
  for (let unit = share(size(w, Window.images) * bands, ith, nth); unit < to; unit++) {
    const image = unit / bands;
    const band = unit - image * bands;
    const into = dx + image * inH * down;
    if (pairs) {
      const p = into + band * 2 * down;
      const at = unit * rowBytes;
      unpoolPairs(outW, pixel, p, down, dy + at, index + (at >> 2));
      // what no window has: columns at the right, rows at the bottom
      memory.fill(p + 2 * rowBytes, 0, down - 2 * rowBytes);
      memory.fill(p + down + 2 * rowBytes, 0, down - 2 * rowBytes);
      if (band == bands - 1) memory.fill(p + 2 * down, 0, (inH - 2 * outH) * down);
    } else {
      const at = image * outH * rowBytes;
      unpoolRow(w, band, into + band * down, dy + at, index, at >> 2);
    }
  }
}

// Means and sums over windows.

/** y of the windows of a row. Split over rows of windows. */
export function averagePool2d(args: usize, ith: u32, nth: u32): void {
  const w = windowOf(args, AveragePool2d.window);
  const x = pointer(args, AveragePool2d.x);
  const mean = size(args, AveragePool2d.mean) != 0;
  const inH = size(w, Window.inH);
  const inW = size(w, Window.inW);
  const outH = size(w, Window.outH);
  const outW = size(w, Window.outW);
  const kernelW = size(w, Window.kernelW);
  const strideW = size(w, Window.strideW);
  const pixel = size(w, Window.channels) << 2;
  const wide = pixel & ~63;
  const to = share(size(w, Window.images) * outH, ith + 1, nth);
  for (let unit = share(size(w, Window.images) * outH, ith, nth); unit < to; unit++) {
    const image = unit / outH;
    const top = <isize>((unit - image * outH) * size(w, Window.strideH)) - <isize>size(w, Window.padTop);
    const y0 = firstIn(top);
    const y1 = endIn(top, size(w, Window.kernelH), inH);
    let y = pointer(args, AveragePool2d.y) + unit * outW * pixel;
    let left = -(<isize>size(w, Window.padLeft));
    for (let ox: usize = 0; ox < outW; ox++) {
      const x0 = firstIn(left);
      const columns = endIn(left, kernelW, inW) - x0;
      const scale = f32x4.splat(mean ? 1 / <f32>((y1 - y0) * columns) : 1);
      const first = x + ((image * inH + top + y0) * inW + left + x0) * pixel;
      const last = first + (y1 - y0) * inW * pixel;
      for (let c: usize = 0; c < wide; c += 64) {
        let s0 = f32x4.splat(0);
        let s1 = s0;
        let s2 = s0;
        let s3 = s0;
        for (let row = first + c; row < last; row += inW * pixel) {
          for (let p = row; p < row + columns * pixel; p += pixel) {
            s0 = f32x4.add(s0, v128.load(p));
            s1 = f32x4.add(s1, v128.load(p, 16));
            s2 = f32x4.add(s2, v128.load(p, 32));
            s3 = f32x4.add(s3, v128.load(p, 48));
          }
        }
        v128.store(y, f32x4.mul(s0, scale));
        v128.store(y, f32x4.mul(s1, scale), 16);
        v128.store(y, f32x4.mul(s2, scale), 32);
        v128.store(y, f32x4.mul(s3, scale), 48);
        y += 64;
      }
      for (let c = wide; c < pixel; c += 16) {
        const rest = pixel - c;
        let s = f32x4.splat(0);
        for (let row = first + c; row < last; row += inW * pixel) {
          for (let p = row; p < row + columns * pixel; p += pixel) s = f32x4.add(s, load4(p, rest));
        }
        store4(y, f32x4.mul(s, scale), rest);
        y += min<usize>(rest, 16);
      }
      left += strideW;
    }
  }
}

/** x by rows of the image. Split over these. */
export function spread2d(args: usize, ith: u32, nth: u32): void {
  const w = windowOf(args, Spread2d.window);
  const y = pointer(args, Spread2d.y);
  const mean = size(args, Spread2d.mean) != 0;
  const inH = size(w, Window.inH);
  const inW = size(w, Window.inW);
  const outH = size(w, Window.outH);
  const outW = size(w, Window.outW);
  const kernelH = size(w, Window.kernelH);
  const kernelW = size(w, Window.kernelW);
  const strideH = size(w, Window.strideH);
  const strideW = size(w, Window.strideW);
  const padTop = size(w, Window.padTop);
  const padLeft = size(w, Window.padLeft);
  const pixel = size(w, Window.channels) << 2;
  const wide = pixel & ~63;
  const to = share(size(w, Window.images) * inH, ith + 1, nth);
  for (let unit = share(size(w, Window.images) * inH, ith, nth); unit < to; unit++) {
    const image = unit / inH;
    const fromTop = unit - image * inH + padTop;
    const y0 = firstWindow(fromTop, kernelH, strideH);
    const y1 = min(fromTop / strideH + 1, outH);
    const from = y + image * outH * outW * pixel;
    let x = pointer(args, Spread2d.x) + unit * inW * pixel;
    for (let ix: usize = 0; ix < inW; ix++) {
      const fromLeft = ix + padLeft;
      const x0 = firstWindow(fromLeft, kernelW, strideW);
      const x1 = min(fromLeft / strideW + 1, outW);
      for (let c: usize = 0; c < wide; c += 64) {
        let s0 = f32x4.splat(0);
        let s1 = s0;
        let s2 = s0;
        let s3 = s0;
        for (let oy = y0; oy < y1; oy++) {
          for (let ox = x0; ox < x1; ox++) {
            const scale = f32x4.splat(mean ? scaleOf(w, oy, ox) : 1);
            const p = from + (oy * outW + ox) * pixel + c;
            s0 = f32x4.add(s0, f32x4.mul(v128.load(p), scale));
            s1 = f32x4.add(s1, f32x4.mul(v128.load(p, 16), scale));
            s2 = f32x4.add(s2, f32x4.mul(v128.load(p, 32), scale));
            s3 = f32x4.add(s3, f32x4.mul(v128.load(p, 48), scale));
          }
        }
        v128.store(x, s0);
        v128.store(x, s1, 16);
        v128.store(x, s2, 32);
        v128.store(x, s3, 48);
        x += 64;
      }
      for (let c = wide; c < pixel; c += 16) {
        const rest = pixel - c;
        let s = f32x4.splat(0);
        for (let oy = y0; oy < y1; oy++) {
          for (let ox = x0; ox < x1; ox++) {
            const p = from + (oy * outW + ox) * pixel + c;
            s = f32x4.add(s, f32x4.mul(load4(p, rest), f32x4.splat(mean ? scaleOf(w, oy, ox) : 1)));
          }
        }
        store4(x, s, rest);
        x += min<usize>(rest, 16);
      }
    }
  }
}

/** 1/elements of window (oy, ox) within the image. */
function scaleOf(w: usize, oy: usize, ox: usize): f32 {
  const top = <isize>(oy * size(w, Window.strideH)) - <isize>size(w, Window.padTop);
  const left = <isize>(ox * size(w, Window.strideW)) - <isize>size(w, Window.padLeft);
  const rows = endIn(top, size(w, Window.kernelH), size(w, Window.inH)) - firstIn(top);
  const columns = endIn(left, size(w, Window.kernelW), size(w, Window.inW)) - firstIn(left);
  return 1 / <f32>(rows * columns);
}
