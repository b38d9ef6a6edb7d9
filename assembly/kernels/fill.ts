import { Fill } from "../isa";
import { pointer, real, shareOf, size } from "../operands";

/** y[…] = value. Split over elements. */
export function fill(args: usize, ith: u32, nth: u32): void {
  const n = size(args, Fill.n);
  const y = pointer(args, Fill.y);
  const value = real(args, Fill.value);
  const values = f32x4.splat(value);
  let p = y + (shareOf(n, 16, ith, nth) << 2);
  const end = y + (shareOf(n, 16, ith + 1, nth) << 2);
  for (; p + 64 <= end; p += 64) {
    v128.store(p, values);
    v128.store(p, values, 16);
    v128.store(p, values, 32);
    v128.store(p, values, 48);
  }
  for (; p < end; p += 4) store<f32>(p, value);
}
