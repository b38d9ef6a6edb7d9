// Cases for elementwise kernels: sizes round every vector and cache-line edge, 1–3 workers, both builds, in place.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { expect } from "vitest";
import { type Build, Core } from "./core";

/** Whether the engine takes the build; Node 20 has relaxed SIMD behind a flag. */
function runs(build: string): boolean {
  const bytes = readFileSync(new URL(`../../build/core/${build}.wasm`, import.meta.url));
  if (!WebAssembly.validate(bytes)) setFlagsFromString("--experimental-wasm-relaxed-simd");
  return WebAssembly.validate(bytes);
}

/** Both builds, where this engine has relaxed SIMD. */
export const BUILDS: Build[] = ["strict", "fastMath"].filter(runs) as Build[];
export const SIZES = [1, 3, 4, 5, 7, 15, 16, 17, 63, 64, 65, 1025];

/** Numbers in (−range, range), the same for every run. */
export function numbers(n: number, seed: number, range = 3): Float32Array {
  let s = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length: n }, () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return ((s >>> 8) / 2 ** 23 - 1) * range;
  });
}

/** The bits of floats, NaNs made one. */
export function bits(x: Float32Array): number[] {
  return [...new Uint32Array(x.buffer.slice(x.byteOffset, x.byteOffset + x.byteLength))].map((b) =>
    (b & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : b,
  );
}

/** |got − want| ≤ tolerance · max(1, |want|); NaN and ∞ must be met. */
export function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what = ""): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]!];
    if (Object.is(g, w) || g === w) continue;
    if (!(Math.abs(g - w) <= tolerance * Math.max(1, Math.abs(w))))
      throw new Error(`${what} element ${i} of ${want.length}: expected ${w}, got ${g}`);
  }
}

/**
 * Runs an elementwise op of one or two inputs on every size, number of workers and build, out of place and in place
 * (over the first input): the bits of all are equal, the values near the reference.
 */
export function checkElementwise(
  op: number,
  inputs: (n: number) => Float32Array[],
  reference: (...x: number[]) => number,
  { reals = [] as number[], tolerance = 3e-7, inPlace = true } = {},
): void {
  for (const build of BUILDS) {
    for (const n of SIZES) {
      const x = inputs(n);
      const want = Array.from({ length: n }, (_, i) => reference(...x.map((v) => v[i]!)));
      let first: number[] | undefined;
      for (const workers of [1, 2, 3]) {
        for (const same of inPlace ? [false, true] : [false]) {
          const core = new Core(build);
          const buffers = x.map((v) => core.floats(v, 1));
          const y = same ? buffers[0]! : core.buffer(n, 3);
          core.runShares(core.instruction(op, [y, ...buffers], [n], reals), workers);
          expectClose(y.f32, want, tolerance, `op ${op}, ${build},`);
          const got = bits(y.f32);
          first ??= got;
          expect(got).toEqual(first);
          core.checkGuards();
        }
      }
    }
  }
}
