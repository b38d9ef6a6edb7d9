// Softmax over the rows of a (rows, n) matrix. Split over rows; a NaN makes its whole row NaN.
//
//   forward    y[j] = exp(x[j] − max x) / Σ exp(x − max x)
//   backward   dx[j] = y[j]·(dy[j] − Σ dy·y)
//
// Sums run in four lanes, j mod 4, over ascending j, then (0 + 2) + (1 + 3).

import { Softmax, SoftmaxBackward } from "../isa";
import { exp4 } from "../math/exp";
import { load4, mask4, store4, sum4 } from "../math/lanes.micro";
import { pointer, share, size } from "../operands";
import { greatest } from "./losses";

/** y = softmax of the row of `bytes` bytes at x. */
function softmaxRow(y: usize, x: usize, bytes: usize): void {
  const max = f32x4.splat(greatest(x, bytes >> 2));
  let sum = f32x4.splat(0);
  for (let j: usize = 0; j < bytes; j += 16) {
    const left = bytes - j;
    const e = exp4(f32x4.sub(load4(x + j, left), max));
    sum = f32x4.add(sum, mask4(e, left));
    store4(y + j, e, left);
  }
  const scale = f32x4.splat(<f32>1 / sum4(sum));
  for (let j: usize = 0; j < bytes; j += 16) {
    const left = bytes - j;
    store4(y + j, f32x4.mul(load4(y + j, left), scale), left);
  }
}

/** y = softmax(x). */
export function softmax(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, Softmax.y);
  const x = pointer(args, Softmax.x);
  const rows = size(args, Softmax.rows);
  const bytes = size(args, Softmax.n) << 2;
  const to = share(rows, ith + 1, nth);
  for (let i = share(rows, ith, nth); i < to; i++) softmaxRow(y + i * bytes, x + i * bytes, bytes);
}

/** dx = y·(dy − Σ dy·y) of one row. */
function softmaxBackwardRow(dx: usize, dy: usize, y: usize, bytes: usize): void {
  let sum = f32x4.splat(0);
  for (let j: usize = 0; j < bytes; j += 16) {
    const left = bytes - j;
    sum = f32x4.add(sum, f32x4.mul(load4(dy + j, left), load4(y + j, left)));
  }
  const dot = f32x4.splat(sum4(sum));
  for (let j: usize = 0; j < bytes; j += 16) {
    const left = bytes - j;
    store4(dx + j, f32x4.mul(load4(y + j, left), f32x4.sub(load4(dy + j, left), dot)), left);
  }
}

/** dx = y·(dy − Σ dy·y). */
export function softmaxBackward(args: usize, ith: u32, nth: u32): void {
  const dx = pointer(args, SoftmaxBackward.dx);
  const dy = pointer(args, SoftmaxBackward.dy);
  const y = pointer(args, SoftmaxBackward.y);
  const rows = size(args, SoftmaxBackward.rows);
  const bytes = size(args, SoftmaxBackward.n) << 2;
  const to = share(rows, ith + 1, nth);
  for (let i = share(rows, ith, nth); i < to; i++)
    softmaxBackwardRow(dx + i * bytes, dy + i * bytes, y + i * bytes, bytes);
}
