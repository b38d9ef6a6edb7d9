import { argumentError, DownhillError } from "../errors";
import { unifyNaNs } from "../formats/floats";
import { Model } from "./model";

/**
 * SHA-256, in hex, of all parameters and moving statistics: over the keys in sorted order, each key in UTF-8, then its
 * float32s, little-endian, every NaN as 0x7fc00000. Two models have one hash where their weights have the same bits.
 *
 * @throws DownhillError `argument` for what is no model (one in a worker has a `weightsHash` of its own); `state` for a disposed
 * model, or where the platform has no SHA-256 (a page that is not secure)
 */
export async function weightsHash(model: Model): Promise<string> {
  if (!(model instanceof Model)) throw argumentError("weightsHash", "a model", model);
  const weights = model.getWeights();
  if (!globalThis.crypto?.subtle)
    throw new DownhillError("state", "weightsHash: expected crypto.subtle, which a page has over https only");
  const parts: Uint8Array[] = [];
  for (const key of Object.keys(weights).sort()) {
    const { data } = weights[key]!;
    unifyNaNs(data);
    parts.push(new TextEncoder().encode(key), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
