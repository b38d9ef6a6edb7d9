// Values of options: read from text, refused with what was expected.

import { InvalidArgumentError } from "commander";

/** An option's reader: commander adds the option's name and exits with a usage error. */
const reader =
  <T>(expected: string, read: (text: string) => T, accepts: (value: T) => boolean) =>
  (text: string): T => {
    const value = read(text);
    if (!accepts(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
    return value;
  };

/** Number("") is 0, which no one means. */
const number = (text: string) => (text.trim() === "" ? Number.NaN : Number(text));

export const count = reader("a positive integer", number, (n) => Number.isSafeInteger(n) && n > 0);
export const natural = reader("an integer ≥ 0", number, (n) => Number.isSafeInteger(n) && n >= 0);
export const nonNegative = reader("a number ≥ 0", number, (n) => Number.isFinite(n) && n >= 0);
export const fraction = reader("a number in [0, 1)", number, (n) => n >= 0 && n < 1);

/** `256,128`, or `none`. */
export const sizes = reader(
  "positive integers such as 256,128, or none",
  (text) => (text === "none" ? [] : text.split(",").map(number)),
  (list) => list.every((n) => Number.isSafeInteger(n) && n > 0),
);

export const threads = reader(
  'a positive integer or "auto"',
  (text) => (text === "auto" ? ("auto" as const) : number(text)),
  (n) => n === "auto" || (Number.isSafeInteger(n) && n > 0),
);
