// Bytes as text, for what a file's metadata holds.

import { DownhillError } from "../errors";

/** Bytes turned into characters at a time: arguments of one call. */
const CHUNK = 0x8000;

export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK) as unknown as number[]);
  return btoa(text);
}

/** The `length` bytes behind `text`; throws `format` where it holds anything else. */
export function decodeBytes(who: string, text: unknown, length: number): Uint8Array<ArrayBuffer> {
  const wrong = (cause?: unknown) =>
    new DownhillError("format", `${who}: expected ${length} bytes in base64`, { cause });
  if (typeof text !== "string" || text.length !== 4 * Math.ceil(length / 3)) throw wrong();
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch (cause) {
    throw wrong(cause);
  }
  if (bytes.length !== length) throw wrong();
  return bytes;
}
