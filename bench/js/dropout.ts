// Inverted dropout in plain JavaScript: y = x · mask / (1 − rate).
//
// The generator is Marsaglia's xorshift128 (2003; period 2¹²⁸ − 1), because it is the fastest that JavaScript has for
// this and can be seeded: four 32-bit words, three shifts and four exclusive-ors a draw, all of it plain int32
// arithmetic. xorshift128+ and Philox need 64-bit additions or 32 × 32 → 64-bit products, which JavaScript has only in
// halves; Math.random (V8's xorshift128+) can be neither seeded nor stored. One draw decides two elements, 16 bits
// each, so the rate is right to 1/65536. The mask is multiplied in: a branch on random bits is mispredicted every other
// time.

export interface Dropout {
  /** y = x · mask / (1 − rate), with new draws. y may be x. */
  apply(y: Float32Array, x: Float32Array, rate: number): void;
}

export function createDropout(seed = 1): Dropout {
  const state = new Int32Array([seed, 362436069, 521288629, 88675123]);
  return {
    apply(y, x, rate) {
      let s0 = state[0]!;
      let s1 = state[1]!;
      let s2 = state[2]!;
      let s3 = state[3]!;
      const limit = Math.round(rate * 65536) - 1; // dropped where the 16 bits are ≤ limit
      const scale = 1 / (1 - rate);
      const n = x.length;
      const pairs = n & ~1;
      let i = 0;
      for (; i < pairs; i += 2) {
        const t = s0 ^ (s0 << 11);
        s0 = s1;
        s1 = s2;
        s2 = s3;
        s3 = s3 ^ (s3 >>> 19) ^ t ^ (t >>> 8);
        y[i] = x[i]! * (((limit - (s3 & 0xffff)) >>> 31) * scale);
        y[i + 1] = x[i + 1]! * (((limit - (s3 >>> 16)) >>> 31) * scale);
      }
      if (i < n) {
        const t = s0 ^ (s0 << 11);
        s0 = s1;
        s1 = s2;
        s2 = s3;
        s3 = s3 ^ (s3 >>> 19) ^ t ^ (t >>> 8);
        y[i] = x[i]! * (((limit - (s3 & 0xffff)) >>> 31) * scale);
      }
      state[0] = s0;
      state[1] = s1;
      state[2] = s2;
      state[3] = s3;
    },
  };
}
