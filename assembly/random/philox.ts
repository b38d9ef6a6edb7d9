import { keySteps, multipliers, ROUNDS, round } from "./philox.micro";

/** The block of one counter (c0, c1, c2, c3) under key (k0, k1). */
function philox(counter: v128, k0: u32, k1: u32): v128 {
  const m = multipliers();
  const step = v128.and(keySteps(), i64x2.splat(0xffffffff)); // (W0, 0, W1, 0)
  let key = i64x2(k0, k1);
  for (let r = 0; r < ROUNDS; r++) {
    counter = round(counter, m, key);
    key = i32x4.add(key, step);
  }
  return counter;
}

/** The same for the host: writes the four numbers to `out`. */
export function philox4x32(out: usize, c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  v128.store(out, philox(i32x4(c0, c1, c2, c3), k0, k1));
}

// In a list of its own: asc warns of an exported function that returns a v128, though only other files here call it.
export { philox };
