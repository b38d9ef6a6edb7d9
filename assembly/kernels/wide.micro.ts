// Loops bound by bandwidth: 64 bytes a step, then vector by vector to the end (PERFORMANCE.md). T holds the function of
// the lanes: no T is ever made, its method is found at compile time and inlined.

import { load4, store4 } from "../math/lanes.micro";

/** A function of two vectors and two splatted reals. */
abstract class Lanes {
  abstract of(a: v128, b: v128, alpha: v128, beta: v128): v128;
}

/** y = T(a, b). */
// @ts-ignore: decorator
@inline
function wideBinary<T extends Lanes>(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  const f = changetype<T>(0);
  const s = f32x4.splat(alpha);
  const t = f32x4.splat(beta);
  for (; bytes >= 64; bytes -= 64) {
    v128.store(y, f.of(v128.load(a), v128.load(b), s, t));
    v128.store(y, f.of(v128.load(a, 16), v128.load(b, 16), s, t), 16);
    v128.store(y, f.of(v128.load(a, 32), v128.load(b, 32), s, t), 32);
    v128.store(y, f.of(v128.load(a, 48), v128.load(b, 48), s, t), 48);
    y += 64;
    a += 64;
    b += 64;
  }
  for (const end = y + bytes; y < end; y += 16) {
    store4(y, f.of(load4(a, end - y), load4(b, end - y), s, t), end - y);
    a += 16;
    b += 16;
  }
}

/** y = T(a, a). */
// @ts-ignore: decorator
@inline
function wideUnary<T extends Lanes>(y: usize, a: usize, bytes: usize, alpha: f32, beta: f32): void {
  const f = changetype<T>(0);
  const s = f32x4.splat(alpha);
  const t = f32x4.splat(beta);
  for (; bytes >= 64; bytes -= 64) {
    const v0 = v128.load(a);
    const v1 = v128.load(a, 16);
    const v2 = v128.load(a, 32);
    const v3 = v128.load(a, 48);
    v128.store(y, f.of(v0, v0, s, t));
    v128.store(y, f.of(v1, v1, s, t), 16);
    v128.store(y, f.of(v2, v2, s, t), 32);
    v128.store(y, f.of(v3, v3, s, t), 48);
    y += 64;
    a += 64;
  }
  for (const end = y + bytes; y < end; y += 16) {
    const v = load4(a, end - y);
    store4(y, f.of(v, v, s, t), end - y);
    a += 16;
  }
}

class Add extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.add(a, b);
  }
}

class Subtract extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.sub(a, b);
  }
}

class Multiply extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(a, b);
  }
}

/** alpha·a + beta, rounded twice in both builds. */
class Affine extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.add(f32x4.mul(a, alpha), beta);
  }
}

// Zeros and ones come as beta: a parameter is a register, and two bytes where v128.const takes eighteen.

/** max(a, beta) for beta = 0; NaN and −0 stay. */
class Relu extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.pmax(a, beta);
  }
}

/** a where b > beta = 0, else 0; a where b is NaN, so that a NaN comes through. */
class ReluBackward extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.andnot(a, f32x4.le(b, beta));
  }
}

/** a > beta = 0 ? a : alpha·a. */
class LeakyRelu extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.bitselect(a, f32x4.mul(a, alpha), f32x4.gt(a, beta));
  }
}

/** a·(b > beta = 0 ? 1 : alpha). */
class LeakyReluBackward extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.bitselect(a, f32x4.mul(a, alpha), f32x4.gt(b, beta));
  }
}

/** a·b·(1 − b), beta = 1. */
class SigmoidBackward extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(f32x4.mul(a, b), f32x4.sub(beta, b));
  }
}

/** a·(1 − b²), beta = 1. */
class TanhBackward extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(a, f32x4.sub(beta, f32x4.mul(b, b)));
  }
}

// Of the extension. Masks are 1 and 0; a NaN is neither greater than nor equal to anything.

class Divide extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.div(a, b);
  }
}

/** max(a, b), NaN where one is. */
class Maximum extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.max(a, b);
  }
}

/** min(a, b), NaN where one is. */
class Minimum extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.min(a, b);
  }
}

/** [a > b] */
class Greater extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.and(f32x4.gt(a, b), f32x4.splat(1));
  }
}

/** [a ≥ b] */
class GreaterEqual extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.and(f32x4.ge(a, b), f32x4.splat(1));
  }
}

/** [a = b] */
class Equal extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.and(f32x4.eq(a, b), f32x4.splat(1));
  }
}

/** b ≠ 0 ? a : 0 */
class Keep extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.andnot(a, f32x4.eq(b, f32x4.splat(0)));
  }
}

/** b ≠ 0 ? 0 : a */
class Drop extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return v128.and(a, f32x4.eq(b, f32x4.splat(0)));
  }
}

/** √a */
class Sqrt extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.sqrt(a);
  }
}

/** |a| */
class Abs extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.abs(a);
  }
}

/** min(max(a, alpha), beta); NaN stays. */
class Clip extends Lanes {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, alpha: v128, beta: v128): v128 {
    return f32x4.pmin(f32x4.pmax(a, alpha), beta);
  }
}

/** y = a + b. */
export function addBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Add>(y, a, b, bytes, alpha, beta);
}

/** y = a − b. */
export function subtractBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Subtract>(y, a, b, bytes, alpha, beta);
}

/** y = a·b. */
export function multiplyBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Multiply>(y, a, b, bytes, alpha, beta);
}

/** y = alpha·a + beta. */
export function affineBlock(y: usize, a: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideUnary<Affine>(y, a, bytes, alpha, beta);
}

/** y = max(a, 0), where beta is 0. */
export function reluBlock(y: usize, a: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideUnary<Relu>(y, a, bytes, alpha, beta);
}

/** y = a · [b > 0], where beta is 0. */
export function reluBackwardBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<ReluBackward>(y, a, b, bytes, alpha, beta);
}

/** y = a > 0 ? a : alpha·a, where beta is 0. */
export function leakyReluBlock(y: usize, a: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideUnary<LeakyRelu>(y, a, bytes, alpha, beta);
}

/** y = a·(b > 0 ? 1 : alpha), where beta is 0. */
export function leakyReluBackwardBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<LeakyReluBackward>(y, a, b, bytes, alpha, beta);
}

/** y = a·b·(1 − b), where beta is 1. */
export function sigmoidBackwardBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<SigmoidBackward>(y, a, b, bytes, alpha, beta);
}

/** y = a·(1 − b²), where beta is 1. */
export function tanhBackwardBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<TanhBackward>(y, a, b, bytes, alpha, beta);
}

/** y = a/b. */
export function divideBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Divide>(y, a, b, bytes, alpha, beta);
}

/** y = max(a, b). */
export function maximumBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Maximum>(y, a, b, bytes, alpha, beta);
}

/** y = min(a, b). */
export function minimumBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Minimum>(y, a, b, bytes, alpha, beta);
}

/** y = [a > b]. */
export function greaterBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Greater>(y, a, b, bytes, alpha, beta);
}

/** y = [a ≥ b]. */
export function greaterEqualBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<GreaterEqual>(y, a, b, bytes, alpha, beta);
}

/** y = [a = b]. */
export function equalBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Equal>(y, a, b, bytes, alpha, beta);
}

/** y = b ≠ 0 ? a : 0. */
export function keepBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Keep>(y, a, b, bytes, alpha, beta);
}

/** y = b ≠ 0 ? 0 : a. */
export function dropBlock(y: usize, a: usize, b: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideBinary<Drop>(y, a, b, bytes, alpha, beta);
}

/** y = √a. */
export function sqrtBlock(y: usize, a: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideUnary<Sqrt>(y, a, bytes, alpha, beta);
}

/** y = |a|. */
export function absBlock(y: usize, a: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideUnary<Abs>(y, a, bytes, alpha, beta);
}

/** y = min(max(a, alpha), beta). */
export function clipBlock(y: usize, a: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  wideUnary<Clip>(y, a, bytes, alpha, beta);
}

/** T over the n floats at x, `none` where there are none: element k in lane k mod 16, the lanes in a fixed tree, the last n mod 4 after them. */
// @ts-ignore: decorator
@inline
function wideReduce<T extends Lanes>(x: usize, n: usize, none: f32): f32 {
  const f = changetype<T>(0);
  const zero = f32x4.splat(none);
  let s0 = zero;
  let s1 = zero;
  let s2 = zero;
  let s3 = zero;
  let bytes = n << 2;
  for (; bytes >= 64; bytes -= 64) {
    s0 = f.of(s0, v128.load(x), zero, zero);
    s1 = f.of(s1, v128.load(x, 16), zero, zero);
    s2 = f.of(s2, v128.load(x, 32), zero, zero);
    s3 = f.of(s3, v128.load(x, 48), zero, zero);
    x += 64;
  }
  for (; bytes >= 16; bytes -= 16) {
    s0 = f.of(s0, v128.load(x), zero, zero);
    x += 16;
  }
  let s = f.of(f.of(s0, s2, zero, zero), f.of(s1, s3, zero, zero), zero, zero);
  s = f.of(s, v128.shuffle<f32>(s, s, 2, 3, 0, 1), zero, zero);
  s = f.of(s, v128.shuffle<f32>(s, s, 1, 0, 3, 2), zero, zero);
  for (; bytes; bytes -= 4) {
    s = f.of(s, v128.load32_splat(x), zero, zero);
    x += 4;
  }
  return f32x4.extract_lane(s, 0);
}

/** Σ of the n floats at x. */
export function sumOf(x: usize, n: usize): f32 {
  return wideReduce<Add>(x, n, 0);
}

/** The largest of the n floats at x. */
export function largestOf(x: usize, n: usize): f32 {
  return wideReduce<Maximum>(x, n, -Infinity);
}
