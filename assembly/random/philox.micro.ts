// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// A block is four 32-bit numbers, a function of a counter (c0, c1, c2, c3) and a key (k0, k1). One of ten rounds:
//
//   c0, c1, c2, c3 ← hi(M1·c2) ⊕ c1 ⊕ k0,  lo(M1·c2),  hi(M0·c0) ⊕ c3 ⊕ k1,  lo(M0·c0);   then k0 += W0, k1 += W1
//
// Two forms of a round. One counter in one vector (philox.ts):
//
//   c = (c0, c1, c2, c3), key = (k0, 0, k1, 0)
//
// Two counters, a and b, in two vectors, of which kernels run several chains side by side (one chain is bound by latency:
// 0.5 G numbers/s, four 0.8; Zen 5):
//
//   even = (c0a, c0b, c2a, c2b), odd = (c1a, c1b, c3a, c3b), key = (k0, k0, k1, k1)

/** (M0, M0, M1, M1) and (W0, W0, W1, W1): loaded before a loop, since V8 rebuilds a v128.const at each use. */
const CONSTANTS: StaticArray<u32> = [
  0xd2511f53, 0xd2511f53, 0xcd9e8d57, 0xcd9e8d57, 0x9e3779b9, 0x9e3779b9, 0xbb67ae85, 0xbb67ae85,
];

export const ROUNDS = 10;

/** (M0, M0, M1, M1) */
// @ts-ignore: decorator
@inline
export function multipliers(): v128 {
  return v128.load(changetype<usize>(CONSTANTS));
}

/** (W0, W0, W1, W1) */
// @ts-ignore: decorator
@inline
export function keySteps(): v128 {
  return v128.load(changetype<usize>(CONSTANTS), 16);
}

/** A round of one counter. */
// @ts-ignore: decorator
@inline
export function round(c: v128, multipliers: v128, key: v128): v128 {
  // (M0·c0, M1·c2) as (lo, hi, lo, hi), turned round; c1 and c3 moved under c0 and c2
  const product = i64x2.extmul_low_i32x4_u(
    v128.shuffle<i32>(c, c, 0, 2, 0, 2),
    v128.shuffle<i32>(multipliers, multipliers, 0, 2, 0, 2),
  );
  return v128.xor(v128.xor(v128.shuffle<i32>(product, product, 3, 2, 1, 0), i64x2.shr_u(c, 32)), key);
}

/** (M0·c0a, M0·c0b) */
// @ts-ignore: decorator
@inline
export function products0(even: v128, multipliers: v128): v128 {
  return i64x2.extmul_low_i32x4_u(even, multipliers);
}

/** (M1·c2a, M1·c2b) */
// @ts-ignore: decorator
@inline
export function products1(even: v128, multipliers: v128): v128 {
  return i64x2.extmul_high_i32x4_u(even, multipliers);
}

/** `even` after a round. */
// @ts-ignore: decorator
@inline
export function nextEven(p0: v128, p1: v128, odd: v128, key: v128): v128 {
  return v128.xor(v128.xor(v128.shuffle<i32>(p1, p0, 1, 3, 5, 7), odd), key);
}

/** `odd` after a round. */
// @ts-ignore: decorator
@inline
export function nextOdd(p0: v128, p1: v128): v128 {
  return v128.shuffle<i32>(p1, p0, 0, 2, 4, 6);
}
