// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// A block is four 32-bit numbers, a function of a counter (c0, c1, c2, c3) and a key (k0, k1). One round:
//
//   c0, c1, c2, c3 ← hi(M1·c2) ⊕ c1 ⊕ k0,  lo(M1·c2),  hi(M0·c0) ⊕ c3 ⊕ k1,  lo(M0·c0);   k0 += W0, k1 += W1
//
// Helpers for both forms: one counter in one vector (philox.ts), and four counters in four vectors (kernels/dropout.ts).

/** (M0, M1), (W0, W1) and (W0, 0, W1, 0): loaded before a loop, since V8 rebuilds a v128.const at each use. */
const CONSTANTS: StaticArray<u32> = [0xd2511f53, 0xcd9e8d57, 0x9e3779b9, 0xbb67ae85, 0x9e3779b9, 0, 0xbb67ae85, 0];

export const ROUNDS = 10;

// @ts-ignore: decorator
@inline export function multipliers(): v128 { return v128.load64_splat(changetype<usize>(CONSTANTS)); }
// @ts-ignore: decorator
@inline export function keySteps(): v128 { return v128.load(changetype<usize>(CONSTANTS), 16); }
// @ts-ignore: decorator
@inline export function multiplier0(): v128 { return v128.load32_splat(changetype<usize>(CONSTANTS), 0); }
// @ts-ignore: decorator
@inline export function multiplier1(): v128 { return v128.load32_splat(changetype<usize>(CONSTANTS), 4); }
// @ts-ignore: decorator
@inline export function keyStep0(): v128 { return v128.load32_splat(changetype<usize>(CONSTANTS), 8); }
// @ts-ignore: decorator
@inline export function keyStep1(): v128 { return v128.load32_splat(changetype<usize>(CONSTANTS), 12); }

/** (c0, c1, c2, c3) of one counter after a round with key (k0, 0, k1, 0). */
// @ts-ignore: decorator
@inline export function round(c: v128, multipliers: v128, key: v128): v128 {
  // (lo0, hi0, lo1, hi1), turned round; c1 and c3 moved under c0 and c2
  const product = i64x2.extmul_low_i32x4_u(v128.shuffle<i32>(c, c, 0, 2, 0, 2), multipliers);
  return v128.xor(v128.xor(v128.shuffle<i32>(product, product, 3, 2, 1, 0), i64x2.shr_u(c, 32)), key);
}

/** Low words of the 64-bit products of lanes 0, 1 and lanes 2, 3. */
// @ts-ignore: decorator
@inline export function lowWords(p01: v128, p23: v128): v128 { return v128.shuffle<i32>(p01, p23, 0, 2, 4, 6); }

/** High words of the 64-bit products of lanes 0, 1 and lanes 2, 3. */
// @ts-ignore: decorator
@inline export function highWords(p01: v128, p23: v128): v128 { return v128.shuffle<i32>(p01, p23, 1, 3, 5, 7); }
