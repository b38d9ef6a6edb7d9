// What pack.js packed: bits, decoded arithmetically, each under its contexts (Witten, Neal, Cleary 1987). Of a core they are
// matches and literals.
//
//   p(1) = ½, then over a bit's contexts, the most telling one last: p ← (ones + t·p) / (all + t), t = 2, 3, …
//   after the bit, in each: ones ← d·ones + bit, all ← d·all + 1
//
// The code's digits are 48 characters, from ( to W. Plus, times and divided by alone, which every engine rounds alike. pack.js
// has the same constants and contexts.

import { DownhillError } from "../errors";

const CONTEXTS = 2 ** 20;
const DECAY = 0.93;

/** The next bit, under contexts below 2 ** 20: they are the ones that it was packed under. */
export type Bit = (...contexts: number[]) => number;

/** What `read` makes of the bits that were packed. */
export function decode<T>(packed: string, read: (bit: Bit) => T): T {
  const ones = new Float32Array(CONTEXTS);
  const seen = new Uint8Array(CONTEXTS); // how often: all, after so many bits, is in these
  const total = new Float64Array(256); // all
  for (let n = 1; n < 256; n++) total[n] = total[n - 1]! * DECAY + 1;
  let at = 0;
  let code = 0;
  let range = 1;

  const result = read((...contexts) => {
    for (; range < 2 ** 24; range *= 48) code = code * 48 + packed.charCodeAt(at++) - 40;
    let p = 0.5;
    let trust = 2;
    // no iterators: this is over before engines have compiled them away, and takes twice as long with them
    for (let i = 0; i < contexts.length; i++) {
      const c = contexts[i]!;
      p = (ones[c]! + trust * p) / (total[seen[c]!]! + trust++);
    }
    const bound = Math.floor(range * p);
    const value = +(code < bound);
    code -= value ? 0 : bound;
    range = value ? bound : range - bound;
    for (let i = 0; i < contexts.length; i++) {
      const c = contexts[i]!;
      ones[c] = ones[c]! * DECAY + value;
      if (seen[c]! < 255) seen[c]!++;
    }
    return value;
  });
  if (at !== packed.length) throw new DownhillError("format", "unpack: the packed data are damaged");
  return result;
}

/** The bytes of a core. */
function bytes(bit: Bit): Uint8Array<ArrayBuffer> {
  /** From 1 on: how many binary digits follow the first, then these. */
  const number = (base: number): number => {
    let digits = 0;
    while (bit(base + digits)) digits++;
    let value = 1;
    for (let i = digits - 1; i >= 0; i--) value = value * 2 + bit(base + 32 * digits + (value < 16 ? value : 16 + i));
    return value;
  };

  const out = new Uint8Array(number(3072));
  let history = 0; // whether the last two were matches
  let distance = 0;
  for (let i = 0; i < out.length; ) {
    const [last, second, third] = [out[i - 1] ?? 0, out[i - 2] ?? 0, out[i - 3] ?? 0];
    const match = bit(history * 256 + last, 1024 + history * 256 + second);
    if (match) {
      if (history & 1 || !bit(2048 + history)) distance = number(2304);
      for (const end = i + number(3072) + 1; i < end; i++) out[i] = out[i - distance]!;
    } else {
      let node = 1;
      while (node < 256) {
        const pair = (a: number, b: number) => 135_168 + (((a * 256 + b) * 256 + node) % 913_397);
        const [far, near] = [pair(256 + last, third), pair(last, second)];
        node = node * 2 + bit(3840 + node, 4096 + second * 256 + node, far, 69_632 + last * 256 + node, near);
      }
      out[i++] = node; // modulo 256
    }
    history = (history * 2 + match) & 3;
  }
  return out;
}

/** The bytes that were packed. */
export const unpack = (packed: string): Uint8Array<ArrayBuffer> => decode(packed, bytes);
