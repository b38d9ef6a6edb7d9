// unpack against pack.js, on what it is for and on what is unlike it; and what is not packed.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
// @ts-expect-error a script of the build, without types
import { pack } from "../../pack.js";
import { unpack } from "../../ts/runtime/unpack";

/** Bytes that do not repeat: a linear congruential generator's upper ones. */
function noise(length: number, levels = 256): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % levels;
  });
}

const text = new TextEncoder().encode("the quick brown fox jumps over the lazy dog; ".repeat(40));

describe("unpack gives what was packed", () => {
  test.each([
    ["text", text],
    ["one byte", Uint8Array.of(7)],
    ["two bytes", Uint8Array.of(7, 7)],
    ["every byte", Uint8Array.from({ length: 256 }, (_, i) => i)],
    ["few values", noise(3000, 3)],
    ["incompressible", noise(5000)],
    ["one long run", new Uint8Array(5000).fill(255)],
    ["far matches", Uint8Array.from([...noise(4000), ...noise(4000)])],
    ["a match that laps itself", Uint8Array.from({ length: 2000 }, (_, i) => i % 3)],
  ])("%s", (_, bytes) => {
    const packed: string = pack(bytes, 2);
    expect(packed).toMatch(/^[(-W]+$/);
    expect(Buffer.compare(unpack(packed), bytes)).toBe(0);
  });

  test("in fewer bytes", () => {
    expect(pack(text, 2).length).toBeLessThan(80);
  });

  test.each(["core", "extension", "scalars", "fastMath", "strictShared", "fastMathShared"])(
    "the core %s",
    async (name) => {
      const { default: packed } = await import(`../../build/core/${name}.js`);
      const wasm = readFileSync(`build/core/${name}.wasm`);
      expect(Buffer.compare(unpack(packed), wasm)).toBe(0);
    },
  );
});

describe("unpack refuses", () => {
  const damaged = "unpack: the packed data are damaged";

  test("nothing, and what is cut off anywhere", () => {
    const packed = pack(text, 1);
    for (let length = 0; length < packed.length; length++)
      expect(() => unpack(packed.slice(0, length))).toThrow(damaged);
  });

  test("or ends, with wrong bytes, where a character is another: WebAssembly looks at these", () => {
    const packed = pack(text, 1);
    for (let at = 0; at < packed.length; at++)
      for (const character of "(+AKW") {
        try {
          unpack(packed.slice(0, at) + character + packed.slice(at + 1));
        } catch (error) {
          expect((error as Error).message).toBe(damaged);
        }
      }
  });
});
