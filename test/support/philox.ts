// Philox4x32-10 in plain JavaScript: the reference of all that draws.

/** The high and low words of a 32 × 32 bit product. */
function product(a: number, b: number): [high: number, low: number] {
  const p = BigInt(a) * BigInt(b);
  return [Number(p >> 32n), Number(p & 0xffffffffn)];
}

/** The block of a counter (four words) under a key (two). */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map((c) => c >>> 0) as [number, number, number, number];
  let [k0, k1] = key.map((k) => k >>> 0) as [number, number];
  for (let r = 0; r < 10; r++) {
    const [h0, l0] = product(c0, 0xd2511f53);
    const [h1, l1] = product(c2, 0xcd9e8d57);
    [c0, c1, c2, c3] = [(h1 ^ c1 ^ k0) >>> 0, l1, (h0 ^ c3 ^ k1) >>> 0, l0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}
