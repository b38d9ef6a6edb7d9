// inflate against node:zlib: every kind of block, and what is no deflate stream.

import { readFileSync } from "node:fs";
import { constants, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { inflate } from "../../ts/runtime/inflate";

/** Bytes that do not repeat: a linear congruential generator's upper ones. */
function noise(length: number, levels = 256): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % levels;
  });
}

const text = new TextEncoder().encode("the quick brown fox jumps over the lazy dog; ".repeat(40));
const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = constants;

describe("inflate gives what node:zlib deflated", () => {
  test.each([
    ["stored", text, { level: 0 }, 0],
    ["stored in several blocks", noise(200_000), { level: 0 }, 0],
    ["fixed", text, { strategy: Z_FIXED }, 1],
    ["fixed, every byte", Uint8Array.from([...noise(2000), ...noise(2000)]), { strategy: Z_FIXED }, 1],
    ["dynamic", noise(5000, 20), { level: 9 }, 2],
    ["dynamic, no distances", noise(5000, 20), { strategy: Z_HUFFMAN_ONLY }, 2],
    ["incompressible", noise(70_000), {}, 0],
    ["empty", new Uint8Array(0), {}, 1],
    ["empty, stored", new Uint8Array(0), { level: 0 }, 0],
    ["one long run", new Uint8Array(300_000).fill(7), { strategy: Z_RLE }, 2],
    ["far matches", Uint8Array.from([...noise(32_000), ...noise(32_000)]), { level: 9 }, undefined],
  ])("%s", (_, bytes, options, type) => {
    const deflated = deflateRawSync(bytes, options);
    if (type !== undefined) expect(((deflated[0] as number) >> 1) & 3).toBe(type);
    expect(Buffer.compare(inflate(deflated), bytes)).toBe(0);
  });

  test.each(["strict", "fastMath", "strictShared", "fastMathShared"])("the core %s", async (name) => {
    const { default: base64 } = await import(`../../build/core/${name}.js`);
    const wasm = readFileSync(`build/core/${name}.wasm`);
    expect(Buffer.compare(inflate(Buffer.from(base64, "base64")), wasm)).toBe(0);
  });
});

describe("inflate refuses", () => {
  const damaged = "inflate: the deflated data are damaged";

  test.each([
    ["nothing", []],
    ["a block of the fourth type", [0b111]],
    ["a stored block whose length is not told twice alike", [1, 1, 0, 0, 0, 9]],
    ["a stored block that is cut off", [1, 2, 0, 253, 255, 9]],
    ["more codes than there are", [0b101, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a match before the beginning", [0b011, 0b0000_0010, 0, 0]],
  ])("%s", (_, bytes) => {
    expect(() => inflate(Uint8Array.from(bytes))).toThrow(damaged);
  });

  test("a stream that is cut off anywhere", () => {
    const deflated = deflateRawSync(noise(600, 20));
    for (let length = 0; length < deflated.length; length++)
      expect(() => inflate(deflated.subarray(0, length))).toThrow(damaged);
  });

  test("or survives a bit that flipped: it ends, with bytes or an error of its own", () => {
    const deflated = deflateRawSync(noise(300, 20));
    for (let bit = 0; bit < deflated.length * 8; bit++) {
      const wrong = Uint8Array.from(deflated);
      wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        inflate(wrong);
      } catch (error) {
        expect((error as Error).message).toBe(damaged);
      }
    }
  });
});
