// y = f(x). Split over elements; y may be x.

import { exp4 } from "../math/exp.micro";
import { load4, store4 } from "../math/lanes.micro";
import { unary } from "./loops";

function expBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  for (const end = y + bytes; y < end; y += 16, x += 16) store4(y, exp4(load4(x, end - y)), end - y);
}

/** y = e^x. */
export function exp(args: usize, ith: u32, nth: u32): void {
  unary(args, ith, nth, expBlock);
}
