// y = f(x), and x^e. Split over elements; y may be x.

import { erf4 } from "../math/erf";
import { exp4 } from "../math/exp";
import { load4, store4 } from "../math/lanes.micro";
import { log4 } from "../math/log";
import { pow4 } from "../math/pow";
import { cos4, sin4 } from "../math/trig";

/** y = e^x. */
export function expBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, exp4(v), end - y);
  }
}

/** y = log x. */
export function logBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, log4(v), end - y);
  }
}

/** y = erf x. */
export function erfBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, erf4(v), end - y);
  }
}

/** ±1 with the sign of v; 0, −0 and NaN stay. */
function sign4(v: v128): v128 {
  const zero = f32x4.splat(0);
  const ones = v128.bitselect(f32x4.splat(-1), f32x4.splat(1), f32x4.lt(v, zero));
  return v128.bitselect(ones, v, v128.or(f32x4.lt(v, zero), f32x4.gt(v, zero)));
}

/** y = sign x. */
export function signBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, sign4(v), end - y);
  }
}

/** y = sin x. */
export function sinBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, sin4(v), end - y);
  }
}

/** y = cos x. */
export function cosBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const v = load4(x, end - y);
    store4(y, cos4(v), end - y);
  }
}

/** y = x^e. */
export function powBlock(y: usize, x: usize, e: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) {
    const left = end - y;
    store4(y, pow4(load4(x, left), load4(e, left)), left);
    e += 16;
  }
}
