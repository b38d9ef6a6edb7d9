// Bytes as text, for what a file's metadata holds.

import { DownhillError } from "../errors";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Bytes as text. (Through btoa and String.fromCharCode it takes eight times as long.) */
export function encodeBase64(bytes: Uint8Array): string {
  const digits = new TextEncoder().encode(DIGITS);
  const text = new Uint8Array(4 * Math.ceil(bytes.length / 3)).fill(0x3d);
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    // beyond the end undefined counts as 0
    const word = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text[at++] = digits[word >>> 18]!;
    text[at++] = digits[(word >>> 12) & 63]!;
    if (i + 1 < bytes.length) text[at++] = digits[(word >>> 6) & 63]!;
    if (i + 2 < bytes.length) text[at++] = digits[word & 63]!;
  }
  return new TextDecoder().decode(text);
}

/** The `length` bytes behind `text`; throws `format` where it holds anything else. */
export function decodeBytes(who: string, text: unknown, length: number): Uint8Array<ArrayBuffer> {
  const wrong = (cause?: unknown) =>
    new DownhillError("format", `${who}: expected ${length} bytes in base64`, { cause });
  if (typeof text !== "string" || text.length !== 4 * Math.ceil(length / 3)) throw wrong();
  let binary: string;
  try {
    binary = atob(text);
  } catch (cause) {
    throw wrong(cause);
  }
  if (binary.length !== length) throw wrong();
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
