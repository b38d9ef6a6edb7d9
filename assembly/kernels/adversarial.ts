// Adversarial examples: steps up the gradient g of an example's loss, within the ball of radius ε about x and the box [low, high].
//
//   attackStep   inf   y = box(min(max(x̃ + s·sign(g), x − ε), x + ε))            sign(0) = sign(NaN) = 0
//                l2    y = box(x + δ·min(1, ε/‖δ‖)), δ = x̃ + s·g/‖g‖ − x         without g where ‖g‖ is 0 or not finite
//   attackStart  inf   y = box(x + u), u uniform in [−ε, ε)
//                l2    y = box(x + ε·v^(1/n)·z/‖z‖), z normal, v uniform in (0, 1): uniform in the ball
//
// Norms are an example's own: sums of squares in float64, two lanes, in ascending order. Row r of the call (State.row on) draws
// its elements 4i … 4i + 3 from block (r·⌈n/4⌉ + i, op, step, pass) and v from word 0 of block (r, op + 1, step, pass). Split
// over rows.

import { AttackNorm, AttackStart, AttackStep, State } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pow64 } from "../math/scalars";
import { ceilDiv, pointer, real, share, size, stateWord } from "../operands";
import { philox } from "../random/philox";
import { NORMAL, normal, uniform } from "./random";

/** The squares of v added to two sums. */
function addSquares(sums: v128, v: v128): v128 {
  const a = f64x2.promote_low_f32x4(v);
  const b = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
  return f64x2.add(sums, f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b)));
}

/** The root of the two sums' sum. */
function root(sums: v128): f64 {
  return sqrt(f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
}

export function attackStep(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, AttackStep.rows);
  const bytes = size(args, AttackStep.n) << 2;
  const l2 = size(args, AttackStep.norm) == AttackNorm.l2;
  const first = share(rows, ith, nth) * bytes;
  const end = share(rows, ith + 1, nth) * bytes;
  const y = pointer(args, AttackStep.y);
  const from = pointer(args, AttackStep.from);
  const g = pointer(args, AttackStep.g);
  const x = pointer(args, AttackStep.x);
  for (let row = first; row < end; row += bytes) {
    if (l2) stepInBall(args, y + row, from + row, g + row, x + row, bytes);
    else stepInCube(args, y + row, from + row, g + row, x + row, bytes);
  }
}

function stepInCube(args: usize, y: usize, from: usize, g: usize, x: usize, bytes: usize): void {
  const step = f32x4.splat(real(args, AttackStep.stepSize));
  const epsilon = f32x4.splat(real(args, AttackStep.epsilon));
  const low = f32x4.splat(real(args, AttackStep.low));
  const high = f32x4.splat(real(args, AttackStep.high));
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const slope = load4(g + i, bytes - i);
    const up = v128.and(step, f32x4.gt(slope, zero));
    const down = v128.and(step, f32x4.lt(slope, zero));
    const center = load4(x + i, bytes - i);
    let v = f32x4.add(load4(from + i, bytes - i), f32x4.sub(up, down));
    v = f32x4.min(f32x4.max(v, f32x4.sub(center, epsilon)), f32x4.add(center, epsilon));
    store4(y + i, f32x4.min(f32x4.max(v, low), high), bytes - i);
  }
}

function stepInBall(args: usize, y: usize, from: usize, g: usize, x: usize, bytes: usize): void {
  let sums = f64x2.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) sums = addSquares(sums, load4(g + i, bytes - i));
  const norm = root(sums);
  const moves = norm > 0 && norm < Infinity;
  const step = f32x4.splat(moves ? <f32>(<f64>real(args, AttackStep.stepSize) / norm) : 0);
  sums = f64x2.splat(0);
  for (let i: usize = 0; i < bytes; i += 16)
    sums = addSquares(sums, stepFrom(from + i, g + i, x + i, bytes - i, step, moves));
  const epsilon = <f64>real(args, AttackStep.epsilon);
  const length = root(sums);
  const scale = f32x4.splat(length > epsilon ? <f32>(epsilon / length) : 1);
  const low = f32x4.splat(real(args, AttackStep.low));
  const high = f32x4.splat(real(args, AttackStep.high));
  for (let i: usize = 0; i < bytes; i += 16) {
    const delta = f32x4.mul(stepFrom(from + i, g + i, x + i, bytes - i, step, moves), scale);
    const v = f32x4.add(load4(x + i, bytes - i), delta);
    store4(y + i, f32x4.min(f32x4.max(v, low), high), bytes - i);
  }
}

/** δ = x̃ + step·g − x of four elements. */
function stepFrom(from: usize, g: usize, x: usize, left: usize, step: v128, moves: bool): v128 {
  let v = load4(from, left);
  if (moves) v = f32x4.add(v, f32x4.mul(step, load4(g, left)));
  return f32x4.sub(v, load4(x, left));
}

export function attackStart(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, AttackStart.rows);
  const n = size(args, AttackStart.n);
  const bytes = n << 2;
  const op = <i32>size(args, AttackStart.op);
  const epsilon = real(args, AttackStart.epsilon);
  const low = f32x4.splat(real(args, AttackStart.low));
  const high = f32x4.splat(real(args, AttackStart.high));
  const l2 = size(args, AttackStart.norm) == AttackNorm.l2;
  const seed = stateWord(args, State.seed);
  const stream = stateWord(args, State.stream);
  const step = stateWord(args, State.step);
  const pass = stateWord(args, State.pass);
  const firstRow = <usize>stateWord(args, State.row);
  const blocks = ceilDiv(n, 4);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const y = pointer(args, AttackStart.y) + r * bytes;
    const x = pointer(args, AttackStart.x) + r * bytes;
    const block = (firstRow + r) * blocks;
    let sums = f64x2.splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const words = philox(i32x4(<i32>(block + (i >> 4)), op, step, pass), seed, stream);
      const z = l2
        ? normal(words, f32x4.splat(0), f32x4.splat(1), NORMAL)
        : uniform(words, f32x4.splat(-epsilon), f32x4.splat(epsilon));
      store4(y + i, z, bytes - i);
      sums = addSquares(sums, load4(y + i, bytes - i)); // the last ones alone where they are fewer than four
    }
    let scale: f32 = 1;
    if (l2) {
      const words = philox(i32x4(<i32>(firstRow + r), op + 1, step, pass), seed, stream);
      const v = (<f64>(<u32>i32x4.extract_lane(words, 0)) + 0.5) / 4294967296;
      scale = <f32>((<f64>epsilon * pow64(v, 1 / <f64>n)) / root(sums));
    }
    const s = f32x4.splat(scale);
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = f32x4.add(load4(x + i, bytes - i), f32x4.mul(load4(y + i, bytes - i), s));
      store4(y + i, f32x4.min(f32x4.max(v, low), high), bytes - i);
    }
  }
}
