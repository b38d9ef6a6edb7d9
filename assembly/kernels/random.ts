// Numbers for shuffles and initializers. All are pure functions of (seed, stream, op) and the element's number:
//
//   initializers   element i is a function of word i % 4 of block (i/4, op, step, 0xFFFFFFFF), step 0 where parameters are
//                  first filled, later for weight noise; split over elements
//   shuffle        swap i is drawn from word i % 4 of block (i/4, op, State.epoch, 0); on rank 0
//
// A pass number of 0xFFFFFFFF is never reached by a step, so these share no block with dropout.

import { Random, Shuffle, State } from "../isa";
import { store4 } from "../math/lanes.micro";
import { log4 } from "../math/log";
import { pointer, real, shareOf, size, stateWord } from "../operands";
import { philox } from "../random/philox";

const INITIALIZER: u32 = 0xffffffff;

/** Fisher–Yates, from the last element down. The range is reduced by a multiplication: bias below n · 2⁻³². */
export function shuffle(args: usize, ith: u32, nth: u32): void {
  if (ith != 0) return;
  const indices = pointer(args, Shuffle.indices);
  const n = size(args, Shuffle.n);
  const op = <u32>size(args, Shuffle.op);
  const epoch = stateWord(args, State.epoch);
  const seed = stateWord(args, State.seed);
  const stream = stateWord(args, State.stream);
  for (let i: usize = 0; i < n; i++) store<u32>(indices + (i << 2), <u32>i);
  for (let block = (n + 3) >> 2; block-- > 0; ) {
    let words = philox(i32x4(<i32>block, op, epoch, 0), seed, stream);
    for (let lane: usize = 4; lane-- > 0; ) {
      const i = (block << 2) + lane;
      if (i < n) {
        const random = <u64>(<u32>i32x4.extract_lane(words, 3));
        const p = indices + (i << 2);
        const q = indices + ((<usize>((random * (<u64>i + 1)) >> 32)) << 2);
        const value = load<u32>(p);
        store<u32>(p, load<u32>(q));
        store<u32>(q, value);
      }
      words = v128.shuffle<i32>(words, words, 0, 0, 1, 2);
    }
  }
}

// A distribution is told by the least tail probability that it inverts.

/** randomUniform: none. */
const UNIFORM: f32 = -1;
/** randomNormal: |z| reaches 6.3. */
export const NORMAL: f32 = 0;
/** truncatedNormal: Φ(−2), so |z| ≤ 2. */
const TRUNCATED: f32 = 0.022750131948179;

function draw(args: usize, ith: u32, nth: u32, least: f32): void {
  const n = size(args, Random.n);
  fillRandom(
    args,
    pointer(args, Random.y),
    shareOf(n, 16, ith, nth),
    shareOf(n, 16, ith + 1, nth),
    <u32>size(args, Random.op),
    real(args, Random.a),
    real(args, Random.b),
    least,
  );
}

/** y[i] for from ≤ i < to; `from` is a multiple of 4. */
export function fillRandom(
  args: usize,
  y: usize,
  from: usize,
  to: usize,
  op: u32,
  aReal: f32,
  bReal: f32,
  least: f32,
): void {
  const seed = stateWord(args, State.seed);
  const stream = stateWord(args, State.stream);
  const step = stateWord(args, State.step);
  const a = f32x4.splat(aReal);
  const b = f32x4.splat(bReal);
  for (let i = from; i < to; i += 4) {
    const words = philox(i32x4(<i32>(i >> 2), op, step, INITIALIZER), seed, stream);
    store4(y + (i << 2), least < 0 ? uniform(words, a, b) : normal(words, a, b, least), (to - i) << 2);
  }
}

/** a + (b − a)·u, u the upper 24 bits over 2²⁴; where that rounds up to b, a. */
function uniform(words: v128, a: v128, b: v128): v128 {
  const u = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(words, 8)), f32x4.splat(5.9604644775390625e-8));
  const y = f32x4.add(a, f32x4.mul(f32x4.sub(b, a), u));
  return v128.bitselect(a, y, f32x4.ge(y, b));
}

/**
 * (lower 31 bits + ½) · 2⁻³¹ in (0, 1]: what the two normal distributions make a tail probability of. The upper bit is
 * the sign.
 */
function fraction(words: v128): v128 {
  const low = f32x4.convert_i32x4_s(v128.and(words, i32x4.splat(0x7fffffff)));
  return f32x4.mul(f32x4.add(low, f32x4.splat(0.5)), f32x4.splat(4.656612873077393e-10));
}

// AS241, PPND7 (Wichura 1988): the quantile of the normal distribution to 7 digits, as two quotients of cubic polynomials,
// coefficients from x³ down.

const CENTER: usize = memory.data<f32>([
  59.10937472, 159.29113202, 50.434271938, 3.3871327179, 67.1875636, 78.757757664, 17.895169469, 1,
]);
const TAIL: usize = memory.data<f32>([
  0.17023821103, 1.3067284816, 2.75681539, 1.4234372777, 0, 0.12021132975, 0.7370016425, 1,
]);

function cubic(x: v128, coefficients: usize): v128 {
  let y = f32x4.add(f32x4.mul(v128.load32_splat(coefficients), x), v128.load32_splat(coefficients, 4));
  y = f32x4.add(f32x4.mul(y, x), v128.load32_splat(coefficients, 8));
  return f32x4.add(f32x4.mul(y, x), v128.load32_splat(coefficients, 12));
}

/** −Φ⁻¹(p) ≥ 0, for 2⁻³³ ≤ p ≤ ½. */
function upperQuantile(p: v128): v128 {
  const q = f32x4.sub(f32x4.splat(0.5), p);
  const r = f32x4.sub(f32x4.splat(0.180625), f32x4.mul(q, q));
  const center = f32x4.div(f32x4.mul(q, cubic(r, CENTER)), cubic(r, CENTER + 16));
  const s = f32x4.sub(f32x4.sqrt(f32x4.neg(log4(p))), f32x4.splat(1.6));
  const tail = f32x4.div(cubic(s, TAIL), cubic(s, TAIL + 16));
  return v128.bitselect(center, tail, f32x4.le(q, f32x4.splat(0.425)));
}

/** Mean a, standard deviation b: by inversion of a tail probability between `least` and ½, signed by the words' upper bits. */
function normal(words: v128, a: v128, b: v128, least: f32): v128 {
  const p = f32x4.add(f32x4.splat(least), f32x4.mul(fraction(words), f32x4.splat(0.5 - least)));
  const z = f32x4.pmin(f32x4.splat(least > 0 ? 2 : Infinity), upperQuantile(p)); // rounding may reach beyond 2
  const signed = v128.xor(z, v128.and(words, i32x4.splat(0x80000000)));
  return f32x4.add(a, f32x4.mul(b, signed));
}

export function randomUniform(args: usize, ith: u32, nth: u32): void {
  draw(args, ith, nth, UNIFORM);
}

export function randomNormal(args: usize, ith: u32, nth: u32): void {
  draw(args, ith, nth, NORMAL);
}

export function truncatedNormal(args: usize, ith: u32, nth: u32): void {
  draw(args, ith, nth, TRUNCATED);
}

// In a list of their own: asc warns of exported functions that take v128, though only other files here call them.
export { normal, uniform };
