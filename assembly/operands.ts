// How a kernel reads its operands, and how ranks divide work.

import { Header } from "./isa";

/** Address of the state block of the instruction whose operands begin at `args`. */
export function state(args: usize): usize {
  return load<u32>(args - ((Header.args - Header.state) << 2));
}

/** The address in slot `slot`: offset plus the base its two low bits name (isa.ts). 0 stays 0. */
export function pointer(args: usize, slot: i32): usize {
  const operand = <usize>load<u32>(args + ((<usize>slot) << 2));
  return (operand & ~3) + load<u32>(state(args) + ((operand & 3) << 2));
}

/** The count in slot `slot`. */
export function size(args: usize, slot: i32): usize {
  return load<u32>(args + ((<usize>slot) << 2));
}

/** The real number in slot `slot`. */
export function real(args: usize, slot: i32): f32 {
  return load<f32>(args + ((<usize>slot) << 2));
}

/** A word of the state block. */
export function stateWord(args: usize, word: i32): u32 {
  return load<u32>(state(args) + ((<usize>word) << 2));
}

/** A real number of the state block. */
export function stateReal(args: usize, word: i32): f32 {
  return load<f32>(state(args) + ((<usize>word) << 2));
}

/** Where rank `ith` of `nth` begins in `items` items: rank i does items share(items, i, nth) … share(items, i + 1, nth) − 1. */
export function share(items: usize, ith: u32, nth: u32): usize {
  return <usize>((<u64>items * ith) / nth);
}

/** The same in whole groups of `group` items (vectors, cache lines): only the last rank's share may end within one. */
export function shareOf(items: usize, group: usize, ith: u32, nth: u32): usize {
  return min(items, share(ceilDiv(items, group), ith, nth) * group);
}

/** ⌈a / b⌉ */
export function ceilDiv(a: usize, b: usize): usize {
  return (a + b - 1) / b;
}
