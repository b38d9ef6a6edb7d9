// Images, NHWC, enlarged by linear interpolation between the centres of pixels, scaleH × scaleW pixels in the place of one:
//
//   forward    y[o] = Σ x[i]·w(o, i),  w(o, i) = max(0, 1 − |s(o) − i|) down times the same across,
//              s(o) = (o + ½)/scale − ½, cut to 0 … n − 1
//   backward   dx[i] = Σ dy[o]·w(o, i) by ascending row and column
//
// Split over rows of what is written.

import { Bilinear } from "../isa";
import { load4, madd, store4 } from "../math/lanes.micro";
import { pointer, share, size } from "../operands";

/** s(o) */
function sourceOf(o: usize, scale: usize, n: usize): f32 {
  return min(max((<f32>o + 0.5) / <f32>scale - 0.5, 0), <f32>(n - 1));
}

/** w(o, i) along an axis. */
function weightOf(o: usize, i: usize, scale: usize, n: usize): f32 {
  return max<f32>(0, <f32>1 - abs(sourceOf(o, scale, n) - <f32>i));
}

export function bilinear(args: usize, ith: u32, nth: u32): void {
  const inH = size(args, Bilinear.inH);
  const inW = size(args, Bilinear.inW);
  const scaleH = size(args, Bilinear.scaleH);
  const scaleW = size(args, Bilinear.scaleW);
  const pixel = size(args, Bilinear.channels) << 2;
  const rowBytes = inW * pixel;
  const outH = inH * scaleH;
  const outW = inW * scaleW;
  const rows = size(args, Bilinear.images) * outH;
  const to = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < to; row++) {
    const sy = sourceOf(row % outH, scaleH, inH);
    const iy = <usize>sy;
    const upper = pointer(args, Bilinear.from) + ((row / outH) * inH + iy) * rowBytes;
    const lower = iy + 1 < inH ? upper + rowBytes : upper;
    const down = sy - <f32>iy;
    let y = pointer(args, Bilinear.to) + row * outW * pixel;
    for (let ox: usize = 0; ox < outW; ox++) {
      const sx = sourceOf(ox, scaleW, inW);
      const ix = <usize>sx;
      const across = sx - <f32>ix;
      const a = upper + ix * pixel;
      const c = lower + ix * pixel;
      const next = ix + 1 < inW ? pixel : 0;
      const wa = f32x4.splat((1 - down) * (1 - across));
      const wb = f32x4.splat((1 - down) * across);
      const wc = f32x4.splat(down * (1 - across));
      const wd = f32x4.splat(down * across);
      for (let j: usize = 0; j < pixel; j += 16) {
        const left = pixel - j;
        let s = f32x4.mul(load4(a + j, left), wa);
        s = madd(load4(a + next + j, left), wb, s);
        s = madd(load4(c + j, left), wc, s);
        store4(y + j, madd(load4(c + next + j, left), wd, s), left);
      }
      y += pixel;
    }
  }
}

export function bilinearBackward(args: usize, ith: u32, nth: u32): void {
  const inH = size(args, Bilinear.inH);
  const inW = size(args, Bilinear.inW);
  const scaleH = size(args, Bilinear.scaleH);
  const scaleW = size(args, Bilinear.scaleW);
  const pixel = size(args, Bilinear.channels) << 2;
  const outH = inH * scaleH;
  const outW = inW * scaleW;
  const rows = size(args, Bilinear.images) * inH;
  const to = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < to; row++) {
    const iy = row % inH;
    const image = pointer(args, Bilinear.from) + (row / inH) * outH * outW * pixel;
    let dx = pointer(args, Bilinear.to) + row * inW * pixel;
    for (let ix: usize = 0; ix < inW; ix++) {
      memory.fill(dx, 0, pixel);
      // no pixel further than one pixel of x from it has part in it
      const y1 = min((iy + 2) * scaleH, outH);
      const x1 = min((ix + 2) * scaleW, outW);
      for (let oy = iy ? (iy - 1) * scaleH : 0; oy < y1; oy++) {
        const down = weightOf(oy, iy, scaleH, inH);
        for (let ox = ix ? (ix - 1) * scaleW : 0; ox < x1; ox++) {
          const w = down * weightOf(ox, ix, scaleW, inW);
          if (w == 0) continue;
          const weight = f32x4.splat(w);
          const dy = image + (oy * outW + ox) * pixel;
          for (let j: usize = 0; j < pixel; j += 16) {
            const left = pixel - j;
            store4(dx + j, madd(load4(dy + j, left), weight, load4(dx + j, left)), left);
          }
        }
      }
      dx += pixel;
    }
  }
}
