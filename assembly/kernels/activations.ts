// Activations, forward beside backward. Split over elements; y may be x, dx may be dy.

import { backward, unary } from "./loops";
import { reluBackwardBlock, reluBlock } from "./wide.micro";

/** y = max(x, 0); NaN stays. */
export function relu(args: usize, ith: u32, nth: u32): void {
  unary(args, ith, nth, reluBlock);
}

/** dx = y > 0 ? dy : 0. */
export function reluBackward(args: usize, ith: u32, nth: u32): void {
  backward(args, ith, nth, reluBackwardBlock);
}
