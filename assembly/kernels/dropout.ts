// Inverted dropout.
//
//   y[i] = keep(i) ? x[i] · 1/(1 − rate) : 0        the same instruction, on the same counters, takes dy to dx
//
// keep(i) depends on the element's number e = State.row · rowElements + i alone. An element takes b random bits, the
// fewest of 1, 2, 4, 8, 16 for which rate · 2ᵇ is whole, else 16: so one Philox block serves 128/b elements. The rate is
// rounded to q/2ᵇ (q < 2ᵇ) and the scale is 1/(1 − q/2ᵇ) of that, so the expectation of y is x exactly.
//
// Four blocks at a time make a group of 512/b elements: with counters (4g + lane, op, step, pass), key (seed, stream),
//
//   element 512/b · g + 16 · field + 4 · word + lane   is kept where the field-th b bits of that word, from above, are ≥ q
//
// Split over groups.

import { Dropout, State } from "../isa";
import { ceilDiv, pointer, real, share, size, stateWord } from "../operands";
import { highWords, keyStep0, keyStep1, lowWords, multiplier0, multiplier1, ROUNDS } from "../random/philox.micro";

/** Base-2 logarithm of the elements in a group of one bit an element. */
const GROUP_SHIFT: u32 = 9;

export function dropout(args: usize, ith: u32, nth: u32): void {
  const n = size(args, Dropout.n);
  const first = <u64>stateWord(args, State.row) * size(args, Dropout.rowElements);
  const rate = real(args, Dropout.rate);
  let log: u32 = 0; // b = 1 << log
  while (log < 4 && rate * <f32>(1 << (1 << log)) != nearest(rate * <f32>(1 << (1 << log)))) log++;
  const levels: u32 = 1 << (1 << log);
  const q = min(<u32>nearest(rate * <f32>levels), levels - 1);
  const shift = GROUP_SHIFT - log;
  const firstGroup = first >> shift;
  const groups = <usize>(((first + n + (1 << shift) - 1) >> shift) - firstGroup);
  // elements of y before the first group's first: ≤ 0
  const start = <isize>(<i64>(firstGroup << shift) - <i64>first);
  dropGroups(
    args,
    pointer(args, Dropout.y),
    pointer(args, Dropout.x),
    start,
    n,
    firstGroup,
    share(groups, ith, nth),
    share(groups, ith + 1, nth),
    log,
    q << (32 - (1 << log)),
    <f32>levels / <f32>(levels - q),
  );
}

/** Groups from … to − 1, group 0 being number firstGroup; element `start` (≤ 0) of y is the first of group 0. */
function dropGroups(
  args: usize,
  y: usize,
  x: usize,
  start: isize,
  n: usize,
  firstGroup: u64,
  from: usize,
  to: usize,
  log: u32,
  threshold: u32,
  scale: f32,
): void {
  const bits: u32 = 1 << log;
  const least = i32x4.splat(threshold);
  const s = f32x4.splat(scale);
  const lanes = i32x4(0, 1, 2, 3);
  const m0 = multiplier0();
  const m1 = multiplier1();
  const step0 = keyStep0();
  const step1 = keyStep1();
  for (let g = from; g < to; g++) {
    let c0 = i32x4.add(i32x4.splat((<i32>(firstGroup + g)) << 2), lanes);
    let c1 = i32x4.splat(<i32>size(args, Dropout.op));
    let c2 = i32x4.splat(stateWord(args, State.step));
    let c3 = i32x4.splat(stateWord(args, State.pass));
    let k0 = i32x4.splat(stateWord(args, State.seed));
    let k1 = i32x4.splat(stateWord(args, State.stream));
    for (let r = 0; r < ROUNDS; r++) {
      const p01 = i64x2.extmul_low_i32x4_u(c0, m0);
      const p23 = i64x2.extmul_high_i32x4_u(c0, m0);
      const q01 = i64x2.extmul_low_i32x4_u(c2, m1);
      const q23 = i64x2.extmul_high_i32x4_u(c2, m1);
      c0 = v128.xor(v128.xor(highWords(q01, q23), c1), k0);
      c1 = lowWords(q01, q23);
      c2 = v128.xor(v128.xor(highWords(p01, p23), c3), k1);
      c3 = lowWords(p01, p23);
      k0 = i32x4.add(k0, step0);
      k1 = i32x4.add(k1, step1);
    }
    let i = start + <isize>(g << (GROUP_SHIFT - log));
    for (let field: u32 = 0; field < 32; field += bits) {
      const keep0 = i32x4.ge_u(c0, least);
      const keep1 = i32x4.ge_u(c1, least);
      const keep2 = i32x4.ge_u(c2, least);
      const keep3 = i32x4.ge_u(c3, least);
      if (i >= 0 && <usize>i + 16 <= n) {
        const from = x + (i << 2);
        const to = y + (i << 2);
        v128.store(to, v128.and(f32x4.mul(v128.load(from), s), keep0));
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 16), s), keep1), 16);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 32), s), keep2), 32);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 48), s), keep3), 48);
      } else {
        dropLanes(y, x, i, n, keep0, scale);
        dropLanes(y, x, i + 4, n, keep1, scale);
        dropLanes(y, x, i + 8, n, keep2, scale);
        dropLanes(y, x, i + 12, n, keep3, scale);
      }
      c0 = i32x4.shl(c0, bits);
      c1 = i32x4.shl(c1, bits);
      c2 = i32x4.shl(c2, bits);
      c3 = i32x4.shl(c3, bits);
      i += 16;
    }
  }
}

/** Elements i … i + 3, as far as they lie in 0 … n − 1. */
function dropLanes(y: usize, x: usize, i: isize, n: usize, keep: v128, scale: f32): void {
  for (const end = i + 4; i < end; i++) {
    if (<usize>i < n) {
      const value = reinterpret<u32>(load<f32>(x + (i << 2)) * scale);
      store<u32>(y + (i << 2), value & i32x4.extract_lane(keep, 0));
    }
    keep = v128.shuffle<i32>(keep, keep, 1, 2, 3, 0);
  }
}
