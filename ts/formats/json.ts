// JSON in files: bounded before it is parsed, written so that equal content gives equal text.

import { DownhillError } from "../errors";

/** How deep a JSON text nests, and its punctuation outside of strings. */
export interface JsonMeasure {
  depth: number;
  /** Commas and opening brackets. */
  marks: number;
  colons: number;
}

/** Measures UTF-8 that may be JSON, in one pass. */
export function measureJson(bytes: Uint8Array): JsonMeasure {
  let depth = 0;
  let deepest = 0;
  let marks = 0;
  let colons = 0;
  let quoted = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (quoted) {
      if (byte === 0x5c) i++;
      else quoted = byte !== 0x22;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x2c) marks++;
    else if (byte === 0x3a) colons++;
    else if (byte === 0x7b || byte === 0x5b) {
      marks++;
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { depth: deepest, marks, colons };
}

/** Parses JSON that nests at most `maxDepth` deep; throws `format` under the name of `who`. */
export function parseJson(who: string, text: string, maxDepth: number): unknown {
  const { depth } = measureJson(new TextEncoder().encode(text));
  if (depth > maxDepth) throw new DownhillError("format", `${who}: expected JSON nested at most ${maxDepth} deep`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DownhillError("format", `${who}: expected JSON, got ${(cause as Error).message}`, { cause });
  }
}

/** JSON with sorted keys: it does not depend on the order in which options were given. */
export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    typeof v === "object" && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
