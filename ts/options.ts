// Options of factories and calls: checked when they are given, under the name of who was called.

import { argumentError, DownhillError, show } from "./errors";

/** The families of factories. */
export type Family =
  | "callback"
  | "layer"
  | "loss"
  | "metric"
  | "optimizer"
  | "schedule"
  | "initializer"
  | "regularizer"
  | "constraint"
  | "term"
  | "augmentation";

/** What one option takes. `T` is the type it has once read. */
export interface Field<T> {
  expected: string;
  accepts(value: unknown): boolean;
  /** What it is where it is absent; without one it is required. */
  fallback?: () => T;
  /** It takes what factories of this family make. */
  family?: Family;
}

export type Schema = Record<string, Field<unknown>>;

/** The options of a schema, once read. */
export type Read<S extends Schema> = { [K in keyof S]: S[K] extends Field<infer T> ? T : never };

export const field = <T>(expected: string, accepts: (value: unknown) => boolean): Field<T> => ({ expected, accepts });

export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
export const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value) && !Array.isArray(value);
/**
 * Numbers that, rounded to float32 as the core has them, are finite and for which `holds`: a rate of 0.99999999 is 1 there, an
 * epsilon of 1e-50 is 0.
 */
const number = (expected: string, holds = (_: number) => true) =>
  field<number>(expected, (v) => typeof v === "number" && Number.isFinite(Math.fround(v)) && holds(Math.fround(v)));
const integer = (expected: string, least: number) =>
  field<number>(expected, (v) => Number.isSafeInteger(v) && (v as number) >= least);

export const finite = () => number("a finite number");
export const nonNegative = () => number("a number ≥ 0", (v) => v >= 0);
export const positive = () => number("a number > 0", (v) => v > 0);
/** [0, 1), of what is counted: not rounded. */
export const share = () => field<number>("a number in [0, 1)", (v) => typeof v === "number" && v >= 0 && v < 1);
/** [0, 1) */
export const fraction = () => number("a number in [0, 1)", (v) => v >= 0 && v < 1);
/** (0, 1) */
export const inner = () => number("a number in (0, 1)", (v) => v > 0 && v < 1);
/** [0, 1] */
export const unit = () => number("a number in [0, 1]", (v) => v >= 0 && v <= 1);
export const count = () => integer("a positive integer", 1);
export const natural = () => integer("an integer ≥ 0", 0);
export const boolean = () => field<boolean>("true or false", (v) => typeof v === "boolean");
export const text = () => field<string>("a string", (v) => typeof v === "string");
export const name = () =>
  field<string>('a non-empty string without "/"', (v) => typeof v === "string" && v !== "" && !v.includes("/"));
export const oneOf = <const T extends string>(...values: T[]) =>
  field<T>(values.map(show).join(" or "), (v) => values.includes(v as T));
export const shape = () => field<readonly number[]>("a list of positive integers", listOf(count()).accepts);
export const listOf = <T>(item: Field<T>) =>
  field<T[]>(`a list, each ${item.expected}`, (v) => Array.isArray(v) && v.every(item.accepts));
export const either = <A, B>(a: Field<A>, b: Field<B>) =>
  field<A | B>(`${a.expected} or ${b.expected}`, (v) => a.accepts(v) || b.accepts(v));

/** The same field with a value for where it is absent. */
export const or = <T>(f: Field<T>, fallback: T | (() => T)): Field<T> => ({
  ...f,
  fallback: typeof fallback === "function" ? (fallback as () => T) : () => fallback,
});
/** The same field, absent where it is not given. */
export const optional = <T>(f: Field<T>): Field<T | undefined> => or<T | undefined>(f, undefined);

/** `compile: optimizer must be an optimizer such as adam(), got the string "adam"` */
export function mustBe(who: string, what: string, expected: string, got: unknown): DownhillError {
  const came = `${typeof got === "string" ? "the string " : ""}${show(got)}`;
  return new DownhillError("argument", `${who}: ${what} must be ${expected}, got ${came}`);
}

/** Checks one value. Of a list a copy, which nobody else changes. */
export function check<T>(who: string, what: string, f: Field<T>, value: unknown): T {
  if (!f.accepts(value)) throw mustBe(who, what, f.expected, value);
  return (Array.isArray(value) ? [...value] : value) as T;
}

/** Reads an options object: unknown names are errors, `undefined` counts as absent, the object may be frozen. */
export function readOptions<S extends Schema>(who: string, given: unknown, schema: S): Read<S> {
  if (given !== undefined && !isRecord(given)) throw argumentError(who, "options as an object", given);
  const options = given ?? {};
  for (const key of Object.keys(options)) {
    if (options[key] !== undefined && !Object.hasOwn(schema, key)) throw unknownOption(who, key, Object.keys(schema));
  }
  const read: Record<string, unknown> = {};
  for (const [key, f] of Object.entries(schema)) {
    const option = Object.hasOwn(options, key) ? options[key] : undefined;
    const value = option === undefined && f.fallback ? f.fallback() : check(who, key, f, option);
    if (value !== undefined) read[key] = value;
  }
  return read as Read<S>;
}

function unknownOption(who: string, key: string, known: string[]): DownhillError {
  let near: string | undefined;
  for (let edits = 0; edits <= Math.min(5, Math.max(2, key.length / 3)); edits++)
    near ??= known.find((option) => within(edits, key.toLowerCase(), option.toLowerCase()));
  const hint = near ? `; did you mean ${near}?` : known.length ? `; the options are ${known.join(", ")}` : "";
  return new DownhillError("argument", `${who}: unknown option ${show(key)}${hint}`);
}

/** Whether so many edits of one character make `b` of `a`. */
function within(edits: number, a: string, b: string): boolean {
  if (!a || !b || !edits) return a === b || a.length + b.length <= edits;
  const [restA, restB] = [a.slice(1), b.slice(1)];
  return a[0] === b[0]
    ? within(edits, restA, restB)
    : within(edits - 1, restA, restB) || within(edits - 1, restA, b) || within(edits - 1, a, restB);
}
