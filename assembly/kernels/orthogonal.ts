// Orthogonal initializer (Saxe, McClelland, Ganguli 2014).
//
//   y = gain · Q,  A = Q·R with A ~ N(0, 1) of max(rows, columns) × min(rows, columns), diag R > 0,
//   its columns drawn one after another;
//   Q is transposed where rows < columns: the shorter side's vectors are orthonormal
//
// Modified Gram–Schmidt, each vector twice ("twice is enough"), dot products in float64. It makes diag R the norms of
// what is left of each vector, so they are positive by themselves. On rank 0.

import { Orthogonal } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, real, size } from "../operands";
import { fillRandom, NORMAL } from "./random";

export function orthogonal(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const y = pointer(args, Orthogonal.y);
  const workspace = pointer(args, Orthogonal.workspace);
  const rows = size(args, Orthogonal.rows);
  const columns = size(args, Orthogonal.columns);
  const gain = real(args, Orthogonal.gain);
  const op = <u32>size(args, Orthogonal.op);
  const count = min(rows, columns);
  const length = max(rows, columns);
  const bytes = length << 2;
  fillRandom(args, workspace, 0, rows * columns, op, 0, 1, NORMAL);
  for (let k: usize = 0; k < count; k++) {
    const v = workspace + k * bytes;
    for (let j: usize = 0; j < k << 1; j++) {
      const q = workspace + (j < k ? j : j - k) * bytes;
      addScaled(v, <f32>-dot(q, v, bytes), q, bytes);
    }
    const norm = sqrt(dot(v, v, bytes));
    const scale = <f32>(1 / norm);
    if (norm == 0)
      store<f32>(v, 1); // of a 1 × 1 matrix that happens to be 0, Q is 1
    else scaleTo(v, 4, v, length, scale);
  }
  const stride: usize = rows > columns ? columns << 2 : 4; // of the elements of a vector in y
  for (let k: usize = 0; k < count; k++) {
    scaleTo(y + k * (rows > columns ? 4 : bytes), stride, workspace + k * bytes, length, gain);
  }
}

/** Σ a·b in float64. */
function dot(a: usize, b: usize, bytes: usize): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (const end = a + bytes; a < end; a += 16) {
    const v = load4(a, end - a);
    const w = load4(b, end - a);
    low = f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(w)));
    const vHigh = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
    const wHigh = f64x2.promote_low_f32x4(v128.shuffle<i32>(w, w, 2, 3, 2, 3));
    high = f64x2.add(high, f64x2.mul(vHigh, wHigh));
    b += 16;
  }
  low = f64x2.add(low, high);
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
}

/** v += factor · q */
function addScaled(v: usize, factor: f32, q: usize, bytes: usize): void {
  const f = f32x4.splat(factor);
  for (const end = v + bytes; v < end; v += 16) {
    store4(v, f32x4.add(load4(v, end - v), f32x4.mul(f, load4(q, end - v))), end - v);
    q += 16;
  }
}

/** to = from · factor, `length` floats, in `to` `stride` bytes apart. */
function scaleTo(to: usize, stride: usize, from: usize, length: usize, factor: f32): void {
  for (; length; length--) {
    store<f32>(to, load<f32>(from) * factor);
    to += stride;
    from += 4;
  }
}
