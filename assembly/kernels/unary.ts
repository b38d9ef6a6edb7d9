// y = f(x). Split over elements; y may be x.

import { erf4 } from "../math/erf";
import { exp4 } from "../math/exp";
import { load4, store4 } from "../math/lanes.micro";
import { log4 } from "../math/log";

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
