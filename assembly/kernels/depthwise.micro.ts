// The inner loops of depthwise.ts: sixteen channels in registers, then four, then what is left.

import { load4, madd, store4 } from "../math/lanes.micro";

// @ts-ignore: decorator
@inline
function finished(v: v128, bias: usize, j: usize, left: usize, relu: bool): v128 {
  if (bias) v = f32x4.add(v, load4(bias + j, left));
  return relu ? f32x4.pmax(v, f32x4.splat(0)) : v;
}

/** y[c] = Σ x[c]·kernel[c] over the list's pairs of addresses (x, kernel); then bias and ReLU. `bytes`: of all channels. */
export function depthwiseSums(list: usize, end: usize, bytes: usize, y: usize, bias: usize, relu: bool): void {
  let j: usize = 0;
  for (; j + 64 <= bytes; j += 64) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let p = list; p < end; p += 8) {
      const x = load<usize>(p) + j, w = load<usize>(p, 4) + j;
      s0 = madd(v128.load(x), v128.load(w), s0);
      s1 = madd(v128.load(x, 16), v128.load(w, 16), s1);
      s2 = madd(v128.load(x, 32), v128.load(w, 32), s2);
      s3 = madd(v128.load(x, 48), v128.load(w, 48), s3);
    }
    v128.store(y + j, finished(s0, bias, j, 16, relu));
    v128.store(y + j, finished(s1, bias, j + 16, 16, relu), 16);
    v128.store(y + j, finished(s2, bias, j + 32, 16, relu), 32);
    v128.store(y + j, finished(s3, bias, j + 48, 16, relu), 48);
  }
  for (; j < bytes; j += 16) {
    const left = bytes - j;
    let s = f32x4.splat(0);
    for (let p = list; p < end; p += 8) s = madd(load4(load<usize>(p) + j, left), load4(load<usize>(p, 4) + j, left), s);
    store4(y + j, finished(s, bias, j, left, relu), left);
  }
}

/** sums[c] += Σ x[i, c]·dy[i, c] over n pixels, xStep and `bytes` apart. */
export function depthwiseProducts(n: usize, x: usize, xStep: usize, dy: usize, bytes: usize, sums: usize): void {
  const end = dy + n * bytes;
  let j: usize = 0;
  for (; j + 64 <= bytes; j += 64) {
    let s0 = v128.load(sums + j), s1 = v128.load(sums + j, 16), s2 = v128.load(sums + j, 32), s3 = v128.load(sums + j, 48);
    let a = x + j;
    for (let d = dy + j; d < end; d += bytes) {
      s0 = madd(v128.load(a), v128.load(d), s0);
      s1 = madd(v128.load(a, 16), v128.load(d, 16), s1);
      s2 = madd(v128.load(a, 32), v128.load(d, 32), s2);
      s3 = madd(v128.load(a, 48), v128.load(d, 48), s3);
      a += xStep;
    }
    v128.store(sums + j, s0);
    v128.store(sums + j, s1, 16);
    v128.store(sums + j, s2, 32);
    v128.store(sums + j, s3, 48);
  }
  for (; j < bytes; j += 16) {
    const left = bytes - j;
    let s = load4(sums + j, left);
    let a = x + j;
    for (let d = dy + j; d < end; d += bytes) {
      s = madd(load4(a, left), load4(d, left), s);
      a += xStep;
    }
    store4(sums + j, s, left);
  }
}
