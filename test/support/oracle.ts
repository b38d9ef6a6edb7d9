// Fixtures that PyTorch wrote (test/oracle/*.py), and how numbers are compared with them.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Layer, NDArray } from "../../ts/index";
import * as downhill from "../../ts/index";

/** Nested lists of numbers; null is NaN. */
export type Nested = number | null | Nested[];

export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../oracle/fixtures/${name}.json`, import.meta.url), "utf8")) as T;
}

/** The numbers of nested lists, row-major. */
export const flat = (value: Nested): number[] =>
  Array.isArray(value) ? value.flatMap(flat) : [value === null ? Number.NaN : value];

/** Nested lists as an array. */
export function array(value: Nested): NDArray {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]!) shape.push(level.length);
  return { data: Float32Array.from(flat(value)), shape };
}

export const arrays = (record: Record<string, Nested>): Record<string, NDArray> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, array(value)]));

type Factory = (...args: unknown[]) => never;
const factories = downhill as unknown as Record<string, Factory>;

/** A factory's name and arguments, as JSON: `["dense", 3, { activation: "relu" }]`; arguments may be calls themselves. */
export type FactoryCall = readonly [string, ...unknown[]];

const isCall = (value: unknown): value is FactoryCall =>
  Array.isArray(value) && typeof value[0] === "string" && value[0] in downhill;

function evaluated(value: unknown): unknown {
  if (isCall(value)) return build(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, evaluated(v)]));
}

export const build = ([name, ...args]: FactoryCall) => factories[name]!(...args.map(evaluated));
export const layer = (call: FactoryCall): Layer => build(call);

/** Where `got` is furthest from `expected`, in units of what is allowed: absolute + relative·|expected|. */
export function furthest(
  got: ArrayLike<number>,
  expected: readonly number[],
  { absolute = 1e-6, relative = 1e-5 }: { absolute?: number; relative?: number } = {},
) {
  if (got.length !== expected.length) return { excess: Infinity, at: -1, got: got.length, expected: expected.length };
  let worst = { excess: 0, at: -1, got: 0, expected: 0 };
  for (const [at, e] of expected.entries()) {
    const g = got[at]!;
    const excess = Math.abs(g - e) / (absolute + relative * Math.abs(e));
    if (!(excess <= worst.excess)) worst = { excess, at, got: g, expected: e };
  }
  return worst;
}

/** Fails where a number is further away than absolute + relative·|expected|. */
export function expectClose(
  what: string,
  got: ArrayLike<number>,
  expected: Nested,
  tolerance?: { absolute?: number; relative?: number },
): void {
  const worst = furthest(got, flat(expected), tolerance);
  expect(worst.excess, `${what}[${worst.at}]: got ${worst.got}, PyTorch has ${worst.expected}`).toBeLessThanOrEqual(1);
}

/** `expectClose` for records of arrays of the same keys and shapes. */
export function expectRecords(
  what: string,
  got: Record<string, NDArray>,
  expected: Record<string, Nested>,
  tolerance?: { absolute?: number; relative?: number },
): void {
  expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort());
  for (const [key, value] of Object.entries(expected)) {
    expect(got[key]!.shape, `${what} ${key}`).toEqual(array(value).shape);
    expectClose(`${what} ${key}`, got[key]!.data, value, tolerance);
  }
}
