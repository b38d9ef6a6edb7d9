// Activations, forward beside backward; the formulas are PyTorch's. Split over elements; y may be x, dx may be dy.
//
// Backward reads the output y where f′ can be had from it, else the input x (isa.ts, UnaryBackward). A NaN comes through
// every one of them. ReLU, leaky ReLU and the derivatives of sigmoid and tanh are in wide.micro.ts.

import { Prelu, PreluBackward } from "../isa";
import { erf4 } from "../math/erf";
import { expm1Negative4, expNegative4, sigmoid4 } from "../math/exp";
import { sigmoid4 as inlinedSigmoid4, tanh4 } from "../math/exp.micro";
import { load4, store4 } from "../math/lanes.micro";
import { softplus4 } from "../math/log";
import { ceilDiv, pointer, share, size } from "../operands";

// ELU and SELU are one. ELU: a = alpha, scale = 1; SELU: a = SCALE·ALPHA, scale = SCALE.

/** SELU's scale. */
const SCALE: f32 = 1.0507009873554805;
/** SELU's scale · alpha. */
const SCALED_ALPHA: f32 = 1.0507009873554805 * 1.6732632423543772;

/** y = x ≥ 0 ? scale·x : a·(e^x − 1). */
export function eluBlock(y: usize, x: usize, _: usize, bytes: usize, alpha: f32, beta: f32): void {
  const a = f32x4.splat(alpha);
  const scale = f32x4.splat(beta);
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(
      y,
      v128.bitselect(f32x4.mul(scale, v), f32x4.mul(a, expm1Negative4(v)), f32x4.ge(v, f32x4.splat(0))),
      end - y,
    );
  }
}

/** dx = dy·(y > 0 ? scale : y + a). */
export function eluBackwardBlock(dx: usize, dy: usize, y: usize, bytes: usize, alpha: f32, beta: f32): void {
  const a = f32x4.splat(alpha);
  const scale = f32x4.splat(beta);
  for (const end = dx + bytes; dx < end; dx += 16, dy += 16, y += 16) {
    const g = load4(dy, end - dx);
    const v = load4(y, end - dx);
    store4(dx, f32x4.mul(g, v128.bitselect(scale, f32x4.add(v, a), f32x4.gt(v, f32x4.splat(0)))), end - dx);
  }
}

/** y = scale·elu(x, alpha). */
export function seluBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  eluBlock(y, x, 0, bytes, SCALED_ALPHA, SCALE);
}

/** dx = dy·(y > 0 ? scale : y + scale·alpha). */
export function seluBackwardBlock(dx: usize, dy: usize, y: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  eluBackwardBlock(dx, dy, y, bytes, SCALED_ALPHA, SCALE);
}

/** Φ(x) = ½ + ½·erf(x/√2). */
function normalDistribution4(x: v128): v128 {
  const half = f32x4.splat(0.5);
  return f32x4.add(half, f32x4.mul(half, erf4(f32x4.mul(x, f32x4.splat(<f32>Math.SQRT1_2)))));
}

/** Φ(x) + x·φ(x). */
function geluDerivative4(x: v128): v128 {
  const density = expNegative4(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5)));
  const slope = f32x4.mul(f32x4.mul(x, f32x4.splat(0.3989422804014327)), density);
  return f32x4.add(normalDistribution4(x), slope);
}

/** y = x·Φ(x). */
export function geluBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, f32x4.mul(v, normalDistribution4(v)), end - y);
  }
}

/** dx = dy·(Φ(x) + x·φ(x)). */
export function geluBackwardBlock(dx: usize, dy: usize, x: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = dx + bytes; dx < end; dx += 16, dy += 16, x += 16) {
    const g = load4(dy, end - dx);
    const v = load4(x, end - dx);
    store4(dx, f32x4.mul(g, geluDerivative4(v)), end - dx);
  }
}

// The tanh form of GELU is x·σ(u), for ½·(1 + tanh(u/2)) = σ(u), with u = √(8/π)·(x + 0.044715·x³); SiLU has u = x.

/** u. */
function geluArgument4(x: v128): v128 {
  const cubic = f32x4.mul(f32x4.mul(x, x), f32x4.splat(0.044715 * 1.5957691216057308));
  return f32x4.mul(x, f32x4.add(cubic, f32x4.splat(1.5957691216057308)));
}

/** σ(u) + x·σ(u)·(1 − σ(u))·slope */
function gateDerivative4(x: v128, u: v128, slope: v128): v128 {
  const s = sigmoid4(u);
  const ds = f32x4.mul(s, f32x4.sub(f32x4.splat(1), s));
  return f32x4.add(s, f32x4.mul(f32x4.mul(x, ds), slope));
}

/** du/dx = √(8/π)·(1 + 3·0.044715·x²) */
function geluSlope4(x: v128): v128 {
  const square = f32x4.mul(f32x4.mul(x, x), f32x4.splat(3 * 0.044715 * 1.5957691216057308));
  return f32x4.add(square, f32x4.splat(1.5957691216057308));
}

/** y = ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
export function geluTanhBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, f32x4.mul(v, sigmoid4(geluArgument4(v))), end - y);
  }
}

/** dx = dy·(σ(u) + x·σ′(u)·u′). */
export function geluTanhBackwardBlock(dx: usize, dy: usize, x: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = dx + bytes; dx < end; dx += 16, dy += 16, x += 16) {
    const g = load4(dy, end - dx);
    const v = load4(x, end - dx);
    store4(dx, f32x4.mul(g, gateDerivative4(v, geluArgument4(v), geluSlope4(v))), end - dx);
  }
}

/** y = x·σ(x). */
export function siluBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, f32x4.mul(v, sigmoid4(v)), end - y);
  }
}

/** dx = dy·(σ(x) + x·σ(x)·(1 − σ(x))). */
export function siluBackwardBlock(dx: usize, dy: usize, x: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = dx + bytes; dx < end; dx += 16, dy += 16, x += 16) {
    const g = load4(dy, end - dx);
    const v = load4(x, end - dx);
    store4(dx, f32x4.mul(g, gateDerivative4(v, v, f32x4.splat(1))), end - dx);
  }
}

/** y = σ(x) = 1/(1 + e^−x). */
export function sigmoidBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, inlinedSigmoid4(v), end - y);
  }
}

/** y = tanh x. */
export function tanhBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, tanh4(v), end - y);
  }
}

/** y = log(1 + e^x). */
export function softplusBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, softplus4(v), end - y);
  }
}

/** dx = dy·(1 − e^−y). */
export function softplusBackwardBlock(dx: usize, dy: usize, y: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = dx + bytes; dx < end; dx += 16, dy += 16, y += 16) {
    const g = load4(dy, end - dx);
    const v = load4(y, end - dx);
    store4(dx, f32x4.mul(f32x4.neg(g), expm1Negative4(f32x4.neg(v))), end - dx);
  }
}

/** y = x > 0 ? x : alpha[channel]·x. Split over rows. */
export function prelu(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, Prelu.y);
  const x = pointer(args, Prelu.x);
  const alpha = pointer(args, Prelu.alpha);
  const rows = size(args, Prelu.rows);
  const bytes = size(args, Prelu.channels) << 2;
  const to = share(rows, ith + 1, nth);
  for (let i = share(rows, ith, nth); i < to; i++) {
    const row = i * bytes;
    for (let j: usize = 0; j < bytes; j += 16) {
      const v = load4(x + row + j, bytes - j);
      const slope = f32x4.mul(v, load4(alpha + j, bytes - j));
      store4(y + row + j, v128.bitselect(v, slope, f32x4.gt(v, f32x4.splat(0))), bytes - j);
    }
  }
}

/** One row of dx, and sums += dy·min(x, 0). */
function preluBackwardRow(dx: usize, sums: usize, dy: usize, x: usize, alpha: usize, bytes: usize): void {
  const zero = f32x4.splat(0);
  for (let j: usize = 0; j < bytes; j += 16) {
    const left = bytes - j;
    const g = load4(dy + j, left);
    const v = load4(x + j, left);
    const slope = f32x4.mul(g, load4(alpha + j, left));
    store4(sums + j, f32x4.add(load4(sums + j, left), f32x4.mul(g, f32x4.pmin(v, zero))), left);
    store4(dx + j, v128.bitselect(g, slope, f32x4.gt(v, zero)), left);
  }
}

/** dx = dy·(x > 0 ? 1 : alpha); partials[chunk, c] = Σ over the chunk's rows, in order, of dy·min(x, 0). Split over chunks. */
export function preluBackward(args: usize, ith: u32, nth: u32): void {
  const dx = pointer(args, PreluBackward.dx);
  const partials = pointer(args, PreluBackward.partials);
  const dy = pointer(args, PreluBackward.dy);
  const x = pointer(args, PreluBackward.x);
  const alpha = pointer(args, PreluBackward.alpha);
  const rows = size(args, PreluBackward.rows);
  const bytes = size(args, PreluBackward.channels) << 2;
  const chunkRows = size(args, PreluBackward.chunkRows);
  const to = share(ceilDiv(rows, chunkRows), ith + 1, nth);
  for (let c = share(ceilDiv(rows, chunkRows), ith, nth); c < to; c++) {
    const sums = partials + c * bytes;
    memory.fill(sums, 0, bytes);
    const end = min(rows, (c + 1) * chunkRows);
    for (let i = c * chunkRows; i < end; i++)
      preluBackwardRow(dx + i * bytes, sums, dy + i * bytes, x + i * bytes, alpha, bytes);
  }
}
