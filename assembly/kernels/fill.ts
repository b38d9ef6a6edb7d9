import { Fill } from "../isa";
import { store4 } from "../math/lanes.micro";
import { pointer, real, shareOf, size } from "../operands";

/** y[…] = value. Split over elements. */
export function fill(args: usize, ith: u32, nth: u32): void {
  const n = size(args, Fill.n);
  const y = pointer(args, Fill.y);
  const value = real(args, Fill.value);
  const values = f32x4.splat(value);
  const end = y + (shareOf(n, 16, ith + 1, nth) << 2);
  for (let p = y + (shareOf(n, 16, ith, nth) << 2); p < end; p += 16) store4(p, values, end - p);
}
