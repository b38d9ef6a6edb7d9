// y = x, y = y + x, y = a ∘ b, y = alpha·x + beta. Split over elements; y may be an input.

import { Accumulate, Copy } from "../isa";
import { pointer, size } from "../operands";
import { binary, runBlock, unary } from "./loops";
import { addBlock, affineBlock, multiplyBlock, subtractBlock } from "./wide.micro";

function copyBlock(y: usize, x: usize, _: usize, bytes: usize, _alpha: f32, _beta: f32): void {
  memory.copy(y, x, bytes);
}

/** y = x. */
export function copy(args: usize, ith: u32, nth: u32): void {
  runBlock(copyBlock, pointer(args, Copy.y), pointer(args, Copy.x), 0, size(args, Copy.n), 0, 0, ith, nth);
}

/** y = y + x. */
export function accumulate(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, Accumulate.y);
  runBlock(addBlock, y, y, pointer(args, Accumulate.x), size(args, Accumulate.n), 0, 0, ith, nth);
}

/** y = a + b. */
export function add(args: usize, ith: u32, nth: u32): void {
  binary(args, ith, nth, addBlock);
}

/** y = a − b. */
export function subtract(args: usize, ith: u32, nth: u32): void {
  binary(args, ith, nth, subtractBlock);
}

/** y = a·b. */
export function multiply(args: usize, ith: u32, nth: u32): void {
  binary(args, ith, nth, multiplyBlock);
}

/** y = alpha·x + beta. */
export function affine(args: usize, ith: u32, nth: u32): void {
  unary(args, ith, nth, affineBlock);
}
