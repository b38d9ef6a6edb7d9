// A minibatch from a resident dataset.
//
//   y[r, :] = source[index(r), :] · scale + offset
//   index(r) = indices[firstRow + r′], or firstRow + r′ without indices; r′ = min(r, rowCount − 1)
//
// Split over rows. Numbers in a float32 source that are not finite set State.halt.

import { Gather, Halt, SourceType, State } from "../isa";
import { pointer, real, share, size, state, stateWord } from "../operands";
import { lessFour, loadRest, storeRest } from "./rest.micro";

export function gather(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, Gather.rows);
  const n = size(args, Gather.rowElements);
  const type = size(args, Gather.type);
  const scale = real(args, Gather.scale);
  const offset = real(args, Gather.offset);
  const source = <usize>stateWord(args, State.sources + <i32>size(args, Gather.slot));
  const sourceBytes = type == SourceType.uint8 ? n : n << 2;
  const indices = <usize>stateWord(args, State.indices);
  const first = <usize>stateWord(args, State.firstRow);
  const last = <usize>stateWord(args, State.rowCount) - 1;
  const end = share(rows, ith + 1, nth);
  let y = pointer(args, Gather.y) + share(rows, ith, nth) * (n << 2);
  let finite = true;
  for (let r = share(rows, ith, nth); r < end; r++) {
    let row = first + min(r, last);
    if (indices) row = load<u32>(indices + (row << 2));
    const x = source + row * sourceBytes;
    if (type == SourceType.float32) {
      if (!floatRow(y, x, n << 2, scale, offset)) finite = false;
    } else if (type == SourceType.uint8) byteRow(y, x, n, scale, offset);
    else for (let i: usize = 0; i < n << 2; i += 4) store<u32>(y + i, load<u32>(x + i));
    y += n << 2;
  }
  if (!finite) store<u32>(state(args) + (State.halt << 2), Halt.data);
}

/** y = x · scale + offset; false where x holds ∞ or NaN. With (1, 0) an exact copy. */
function floatRow(y: usize, x: usize, bytes: usize, scale: f32, offset: f32): bool {
  const s = f32x4.splat(scale);
  const t = f32x4.splat(offset == 0 ? -0.0 : offset); // −0 + −0 = −0
  // the greatest of all numbers' bits, signs shifted out: from 0xff000000 on they are not finite
  let greatest = i32x4.splat(0);
  for (; bytes >= 64; bytes -= 64) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    const c = v128.load(x, 32);
    const d = v128.load(x, 48);
    v128.store(y, f32x4.add(f32x4.mul(a, s), t));
    v128.store(y, f32x4.add(f32x4.mul(b, s), t), 16);
    v128.store(y, f32x4.add(f32x4.mul(c, s), t), 32);
    v128.store(y, f32x4.add(f32x4.mul(d, s), t), 48);
    const ab = i32x4.max_u(i32x4.shl(a, 1), i32x4.shl(b, 1));
    const cd = i32x4.max_u(i32x4.shl(c, 1), i32x4.shl(d, 1));
    greatest = i32x4.max_u(greatest, i32x4.max_u(ab, cd));
    x += 64;
    y += 64;
  }
  for (let n = bytes >> 2; n; n = lessFour(n)) {
    const a = loadRest(x, n, 0);
    storeRest(y, f32x4.add(f32x4.mul(a, s), t), n);
    greatest = i32x4.max_u(greatest, i32x4.shl(a, 1));
    x += 16;
    y += 16;
  }
  return v128.any_true(i32x4.ge_u(greatest, i32x4.splat(0xff000000))) == 0;
}

/** y = x · scale + offset, x bytes. */
function byteRow(y: usize, x: usize, n: usize, scale: f32, offset: f32): void {
  const s = f32x4.splat(scale);
  const t = f32x4.splat(offset);
  for (; n >= 16; n -= 16) {
    const v = v128.load(x);
    const low = i16x8.extend_low_i8x16_u(v);
    const high = i16x8.extend_high_i8x16_u(v);
    v128.store(y, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(low)), s), t));
    v128.store(y, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(low)), s), t), 16);
    v128.store(y, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(high)), s), t), 32);
    v128.store(y, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(high)), s), t), 48);
    x += 16;
    y += 64;
  }
  for (const end = x + n; x < end; x++) {
    store<f32>(y, <f32>load<u8>(x) * scale + offset);
    y += 4;
  }
}
