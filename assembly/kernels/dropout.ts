// Inverted dropout.
//
//   y[i] = keep(i) ? x[i] · 1/(1 − rate) : 0        the same instruction, on the same counters, takes dy to dx
//
// keep(i) depends on the element's number e = State.row · rowElements + i alone. An element takes b random bits, the
// fewest of 1, 2, 4, 8, 16 for which rate · 2ᵇ is whole, else 16: so one Philox block serves 128/b elements. The rate is
// rounded to q/2ᵇ (q < 2ᵇ) and the scale is 1/(1 − q/2ᵇ) of that, so the expectation of y is x exactly.
//
// Eight blocks at a time make a group of 1024/b elements: with counters (8g + 0 … 7, op, step, pass), key (seed, stream),
//
//   element 1024/b · g + 32 · field + 4 · v + lane   is kept where the field-th b bits, from above, of word
//   2 · (lane >> 1) + (v & 1) of block 8g + 2 · (v >> 1) + (lane & 1) are ≥ q
//
// Split over groups.

import { Dropout, State } from "../isa";
import { pointer, real, share, size, stateWord } from "../operands";
import { keySteps, multipliers, nextEven, nextOdd, products0, products1, ROUNDS } from "../random/philox.micro";

/** Base-2 logarithm of the elements in a group of one bit an element. */
const GROUP_SHIFT: u32 = 10;

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
  const m = multipliers();
  const step = keySteps();
  for (let g = from; g < to; g++) {
    const block = i32x4.splat((<i32>(firstGroup + g)) << 3);
    const counter = v128.shuffle<i32>(block, i32x4.splat(stateWord(args, State.step)), 0, 1, 4, 5);
    let a0 = i32x4.add(counter, i32x4(0, 1, 0, 0));
    let b0 = i32x4.add(a0, i32x4(2, 2, 0, 0));
    let c0 = i32x4.add(b0, i32x4(2, 2, 0, 0));
    let d0 = i32x4.add(c0, i32x4(2, 2, 0, 0));
    let a1 = v128.shuffle<i32>(
      i32x4.splat(<i32>size(args, Dropout.op)),
      i32x4.splat(stateWord(args, State.pass)),
      0,
      1,
      4,
      5,
    );
    let b1 = a1;
    let c1 = a1;
    let d1 = a1;
    let key = v128.shuffle<i32>(
      i32x4.splat(stateWord(args, State.seed)),
      i32x4.splat(stateWord(args, State.stream)),
      0,
      1,
      4,
      5,
    );
    for (let r = 0; r < ROUNDS; r++) {
      const ap = products0(a0, m);
      const aq = products1(a0, m);
      a0 = nextEven(ap, aq, a1, key);
      a1 = nextOdd(ap, aq);
      const bp = products0(b0, m);
      const bq = products1(b0, m);
      b0 = nextEven(bp, bq, b1, key);
      b1 = nextOdd(bp, bq);
      const cp = products0(c0, m);
      const cq = products1(c0, m);
      c0 = nextEven(cp, cq, c1, key);
      c1 = nextOdd(cp, cq);
      const dp = products0(d0, m);
      const dq = products1(d0, m);
      d0 = nextEven(dp, dq, d1, key);
      d1 = nextOdd(dp, dq);
      key = i32x4.add(key, step);
    }
    let i = start + <isize>(g << (GROUP_SHIFT - log));
    for (let field: u32 = 0; field < 32 && i < <isize>n; field += bits) {
      // no call within this loop: it would make V8 spill all eight
      for (; field < 32 && i >= 0 && <usize>i + 32 <= n; field += bits) {
        const from = x + (i << 2);
        const to = y + (i << 2);
        v128.store(to, v128.and(f32x4.mul(v128.load(from), s), i32x4.ge_u(a0, least)));
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 16), s), i32x4.ge_u(a1, least)), 16);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 32), s), i32x4.ge_u(b0, least)), 32);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 48), s), i32x4.ge_u(b1, least)), 48);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 64), s), i32x4.ge_u(c0, least)), 64);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 80), s), i32x4.ge_u(c1, least)), 80);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 96), s), i32x4.ge_u(d0, least)), 96);
        v128.store(to, v128.and(f32x4.mul(v128.load(from, 112), s), i32x4.ge_u(d1, least)), 112);
        a0 = i32x4.shl(a0, bits);
        a1 = i32x4.shl(a1, bits);
        b0 = i32x4.shl(b0, bits);
        b1 = i32x4.shl(b1, bits);
        c0 = i32x4.shl(c0, bits);
        c1 = i32x4.shl(c1, bits);
        d0 = i32x4.shl(d0, bits);
        d1 = i32x4.shl(d1, bits);
        i += 32;
      }
      if (field < 32) {
        // the eight by turns
        for (const last = i + 32; i < last; i += 4) {
          const used = dropLanes(y, x, i, n, a0, least, scale, bits);
          a0 = a1;
          a1 = b0;
          b0 = b1;
          b1 = c0;
          c0 = c1;
          c1 = d0;
          d0 = d1;
          d1 = used;
        }
      }
    }
  }
}

/** Elements i … i + 3, as far as they lie in 0 … n − 1. Returns the words, used bits shifted out. */
function dropLanes(y: usize, x: usize, i: isize, n: usize, words: v128, least: v128, scale: f32, bits: u32): v128 {
  let keep = i32x4.ge_u(words, least);
  for (const end = i + 4; i < end; i++) {
    if (<usize>i < n) {
      const value = reinterpret<u32>(load<f32>(x + (i << 2)) * scale);
      store<u32>(y + (i << 2), value & i32x4.extract_lane(keep, 0));
    }
    keep = v128.shuffle<i32>(keep, keep, 1, 2, 3, 0);
  }
  return i32x4.shl(words, bits);
}
