import { expect, test } from "vitest";
import { floatsOfBrains, floatsOfHalves } from "../../ts/data/halves";
import { permute } from "../../ts/data/permute";

const ALL = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

test("every float16 is (−1)ˢ·1.f·2^(e − 15), or 0.f·2⁻¹⁴, infinite, not a number", () => {
  const floats = floatsOfHalves(new Uint8Array(ALL.buffer));
  for (const bits of ALL) {
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14;
    const expected = exponent < 31 ? sign * size : fraction ? Number.NaN : sign * Infinity;
    if (!Object.is(floats[bits], expected)) expect([bits, floats[bits]]).toEqual([bits, expected]);
  }
});

test("every bfloat16 is the upper half of a float32", () => {
  const floats = floatsOfBrains(new Uint8Array(ALL.buffer));
  expect(new Uint32Array(floats.buffer).every((word, bits) => word === bits * 65536)).toBe(true);
});

test("axis k of what is permuted is axis axes[k]", () => {
  const x = Float32Array.from({ length: 24 }, (_, i) => i); // [2, 3, 4]
  const y = permute(new Float32Array(24), x, [2, 3, 4], [2, 0, 1]); // [4, 2, 3]
  for (let a = 0; a < 2; a++)
    for (let b = 0; b < 3; b++) for (let c = 0; c < 4; c++) expect(y[c * 6 + a * 3 + b]).toBe(x[a * 12 + b * 4 + c]);
  expect(permute(new Float64Array(1), [7], [], [])).toEqual(Float64Array.of(7));
});
