// A model's blocks as a file keeps them: the entries' numbers one after another, without what aligns them.

import { decodeBytes, encodeBase64 } from "../formats/base64";
import type { Entry, Structure } from "./structure";
import type { Weights } from "./weights";

/** The entries' numbers as text. */
export function packed(entries: readonly Entry[], numbers: (entry: Entry) => Float32Array): string {
  const floats = new Float32Array(entries.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const entry of entries) {
    floats.set(numbers(entry), at);
    at += entry.size;
  }
  return encodeBase64(new Uint8Array(floats.buffer));
}

/** The numbers behind `text` by entry; throws `format` where it is not of as many bytes as the entries ask for. */
export function unpacked(who: string, entries: readonly Entry[], text: unknown): [Entry, Float32Array][] {
  const bytes = entries.reduce((sum, { size }) => sum + size * 4, 0);
  const floats = new Float32Array(decodeBytes(who, text, bytes).buffer);
  let at = 0;
  return entries.map((entry) => {
    at += entry.size;
    return [entry, floats.subarray(at - entry.size, at)];
  });
}

/** Weights as text. */
export function weightsToText({ parameters, statistics }: Structure, weights: Weights) {
  const numbers = ({ key }: Entry) => weights[key]!.data;
  return { parameters: packed(parameters, numbers), statistics: packed(statistics, numbers) };
}

export function weightsFromText(
  who: string,
  { parameters, statistics }: Structure,
  text: { parameters?: unknown; statistics?: unknown } | undefined,
): Weights {
  const pairs = [
    ...unpacked(`${who}: parameters`, parameters, text?.parameters),
    ...unpacked(`${who}: statistics`, statistics, text?.statistics),
  ];
  return Object.fromEntries(pairs.map(([{ key, shape }, data]) => [key, { data, shape: [...shape] }]));
}
