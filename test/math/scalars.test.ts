import { expect, test } from "vitest";
import { scalars } from "../../ts/runtime/scalars";

const { exp64, log64, pow64, cos64 } = scalars();

/** n numbers from a to b. */
const range = (a: number, b: number, n = 20_001) => Array.from({ length: n }, (_, i) => a + ((b - a) * i) / (n - 1));
const relative = (got: number, want: number) => (Object.is(got, want) || got === want ? 0 : Math.abs(got / want - 1));
const largest = (errors: number[]) => errors.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), 0);

test("exp64: within 1e-15; exact at 0; ∞, 0 and subnormals at the ends", () => {
  expect(exp64(0)).toBe(1);
  expect(largest(range(-708, 709).map((x) => relative(exp64(x), Math.exp(x))))).toBeLessThan(1e-15);
  expect(largest(range(-1e-3, 1e-3).map((x) => relative(exp64(x), Math.exp(x))))).toBeLessThan(3e-16);
  expect([exp64(Infinity), exp64(-Infinity), exp64(NaN), exp64(710), exp64(-746)]).toEqual([
    Infinity,
    0,
    NaN,
    Infinity,
    0,
  ]);
  expect(Math.abs(exp64(-740) - Math.exp(-740))).toBeLessThanOrEqual(5e-324);
});

test("log64: within 1e-15 of ordinary numbers and subnormals; exact at 1", () => {
  expect(log64(1)).toBe(0);
  for (const [a, b] of [
    [0.5, 2],
    [0.99, 1.01],
    [2, 1e6],
    [1e-310, 1e-300],
  ] as const)
    expect(largest(range(a, b).map((x) => relative(log64(x), Math.log(x))))).toBeLessThan(1e-15);
  expect([log64(0), log64(-0), log64(-1), log64(Infinity), log64(NaN)]).toEqual([
    -Infinity,
    -Infinity,
    NaN,
    Infinity,
    NaN,
  ]);
});

test("pow64: x⁰ = 1, x¹ = x, whole powers of whole numbers exact, 0.999^t within 2e-15 a hundred steps", () => {
  for (const x of [0, -0, 0.1, -3.7, 1e300, NaN, Infinity]) {
    expect(pow64(x, 0)).toBe(1);
    expect(pow64(x, 1)).toBe(x);
  }
  expect([pow64(2, 10), pow64(3, 20), pow64(-2, 3), pow64(2, -2), pow64(10, 15)]).toEqual([
    1024,
    3 ** 20,
    -8,
    0.25,
    1e15,
  ]);
  for (const beta of [0.9, 0.99, 0.999, 0.9999]) {
    for (let t = 1; t < 5000; t += 7)
      expect(relative(pow64(beta, t), beta ** t)).toBeLessThan(2e-15 + 3e-16 * Math.abs(t * Math.log(beta)));
  }
  expect(largest(range(0.01, 30).map((x) => relative(pow64(x, 1.37), x ** 1.37)))).toBeLessThan(3e-15);
  expect(largest(range(0.01, 30).map((x) => relative(pow64(x, 0.5), Math.sqrt(x))))).toBeLessThan(2e-15);
  expect([pow64(0, 0.5), pow64(0, -0.5), pow64(-8, 1 / 3), pow64(-1, 101), pow64(-1, 102), pow64(4, Infinity)]).toEqual(
    [0, Infinity, NaN, -1, 1, Infinity],
  );
});

test("cos64: within 1e-15 absolutely, exact at 0", () => {
  expect(cos64(0)).toBe(1);
  expect(Math.abs(cos64(Math.PI) + 1)).toBeLessThan(1e-15);
  expect(Math.abs(cos64(Math.PI / 2) - Math.cos(Math.PI / 2))).toBeLessThan(1e-25);
  for (const to of [4, 100, 1e6])
    for (const x of range(-to, to)) expect(Math.abs(cos64(x) - Math.cos(x))).toBeLessThan(1e-15);
  expect([cos64(Infinity), cos64(NaN)]).toEqual([NaN, NaN]);
});
