// Noise of training: drawn again in the backward pass, never stored.
//
//   added        y[i] = x[i] + deviation·z(e)           its gradient is dy
//   multiplied   y[i] = x[i]·(1 + deviation·z(e))       the same instruction, on the same counters, takes dy to dx
//
// z(e), standard normal, depends on the element's number e = State.row · rowElements + i alone: word e % 4 of block
// (e/4, op, step, pass), key (seed, stream), by inversion (random.ts). Split over blocks.

import { Gaussian, ScaleChannels, State } from "../isa";
import { pointer, real, share, size, stateWord } from "../operands";
import { philox } from "../random/philox";
import { NORMAL, normal } from "./random";
import { multiplyBlock } from "./wide.micro";

export function gaussian(args: usize, ith: u32, nth: u32): void {
  const n = size(args, Gaussian.n);
  const x = pointer(args, Gaussian.x);
  const y = pointer(args, Gaussian.y);
  const first = <u64>stateWord(args, State.row) * size(args, Gaussian.rowElements);
  const before = <usize>(first & 3); // elements of the first block that stand before x's
  const firstBlock = <u32>(first >> 2);
  const op = <i32>size(args, Gaussian.op);
  const step = stateWord(args, State.step);
  const pass = stateWord(args, State.pass);
  const seed = stateWord(args, State.seed);
  const stream = stateWord(args, State.stream);
  const multiplied = size(args, Gaussian.multiplied) != 0;
  const mean = f32x4.splat(multiplied ? 1 : 0);
  const deviation = f32x4.splat(real(args, Gaussian.deviation));
  const blocks = (before + n + 3) >> 2;
  const last = share(blocks, ith + 1, nth);
  for (let block = share(blocks, ith, nth); block < last; block++) {
    const words = philox(i32x4(firstBlock + <u32>block, op, step, pass), seed, stream);
    let z = normal(words, mean, deviation, NORMAL);
    const i = <isize>(block << 2) - <isize>before;
    const p = x + (i << 2);
    const q = y + (i << 2);
    if (i >= 0 && <usize>i + 4 <= n) {
      const v = v128.load(p);
      v128.store(q, multiplied ? f32x4.mul(v, z) : f32x4.add(v, z));
    } else {
      for (let lane: usize = 0; lane < 4; lane++) {
        if (<usize>i + lane < n) {
          const at = lane << 2;
          const v = load<f32>(p + at);
          const noise = f32x4.extract_lane(z, 0);
          store<f32>(q + at, multiplied ? v * noise : v + noise);
        }
        z = v128.shuffle<f32>(z, z, 1, 2, 3, 0);
      }
    }
  }
}

/** y[s, p, c] = x[s, p, c] · scale[s, c]: a factor a channel of each example. y may be x. Split over rows (s, p). */
export function scaleChannels(args: usize, ith: u32, nth: u32): void {
  const y = pointer(args, ScaleChannels.y);
  const x = pointer(args, ScaleChannels.x);
  const scale = pointer(args, ScaleChannels.scale);
  const rows = size(args, ScaleChannels.rows);
  const positions = size(args, ScaleChannels.positions);
  const rowBytes = size(args, ScaleChannels.channels) << 2;
  const last = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < last; row++) {
    const at = row * rowBytes;
    multiplyBlock(y + at, x + at, scale + (row / positions) * rowBytes, rowBytes, 0, 0);
  }
}
