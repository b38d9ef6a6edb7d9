// Batch normalization with moving statistics as part of the convolution before it:
//
//   y = γ·(x∗W + b − μ)/√(σ² + ε) + β = (x∗W)·scale + shift,   scale = γ/√(σ² + ε),   shift = β − (μ − b)·scale
//
// Where a kernel is small against what is made of it, W·scale stands in its place. x∗W has errors of a few ulps itself: so, unlike
// in batchNorm.ts, nothing is centred.

import { FoldNorm } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, real, shareOf, size } from "../operands";

/** The instruction: see FoldNorm (isa.ts). */
export function foldNorm(args: usize, ith: u32, nth: u32): void {
  const folded = pointer(args, FoldNorm.folded);
  const scale = pointer(args, FoldNorm.scale);
  const bias = pointer(args, FoldNorm.bias);
  const columns = size(args, FoldNorm.columns);
  const rowBytes = columns << 2;
  const epsilon = f32x4.splat(real(args, FoldNorm.epsilon));
  const one = f32x4.splat(1);
  const first = shareOf(columns, 16, ith, nth) << 2;
  const last = shareOf(columns, 16, ith + 1, nth) << 2;
  for (let j = first; j < last; j += 16) {
    const left = last - j;
    const variance = load4(pointer(args, FoldNorm.variance) + j, left);
    const inverse = f32x4.div(one, f32x4.sqrt(f32x4.add(variance, epsilon)));
    const factor = f32x4.mul(load4(pointer(args, FoldNorm.gamma) + j, left), inverse);
    let mean = load4(pointer(args, FoldNorm.mean) + j, left);
    if (bias) mean = f32x4.sub(mean, load4(bias + j, left));
    store4(scale + j, factor, left);
    const shift = f32x4.sub(load4(pointer(args, FoldNorm.beta) + j, left), f32x4.mul(mean, factor));
    store4(pointer(args, FoldNorm.shift) + j, shift, left);
  }
  if (!folded) return;
  const toKernel = pointer(args, FoldNorm.kernel) - folded;
  const end = folded + size(args, FoldNorm.rows) * rowBytes;
  for (let row = folded; row < end; row += rowBytes) {
    let j = first;
    for (; j + 16 <= last; j += 16) {
      const p = row + j;
      v128.store(p, f32x4.mul(v128.load(p + toKernel), v128.load(scale + j)));
    }
    if (j < last) store4(row + j, f32x4.mul(load4(row + j + toKernel, last - j), load4(scale + j, last - j)), last - j);
  }
}
