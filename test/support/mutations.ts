// Damaged .safetensors files: each mutation follows from the numbers that `rand` gives.

/** Mulberry32: integers in [0, n). */
export function random(seed: number) {
  let state = seed;
  return (n: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}
export type Random = ReturnType<typeof random>;

export const pick = <T>(rand: Random, list: readonly T[]): T => list[rand(list.length)]!;

export const headerOf = (bytes: Uint8Array) => 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
export const jsonOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes.subarray(8, headerOf(bytes)));

/** The file with another JSON, its length corrected. */
export function withJson(bytes: Uint8Array, json: string | Uint8Array): Uint8Array {
  const text = typeof json === "string" ? new TextEncoder().encode(json) : json;
  const body = bytes.subarray(headerOf(bytes));
  const out = new Uint8Array(8 + text.length + body.length);
  new DataView(out.buffer).setUint32(0, text.length, true);
  out.set(text, 8);
  out.set(body, 8 + text.length);
  return out;
}

export const NUMBERS = [
  ..."0 -0 -1 1 2 3 4 8 12 24 1e2 1.5 1e308 -1e308 1e999 2147483647 2147483648 4294967295 4294967296".split(" "),
  ..."9007199254740991 9007199254740992 9007199254740993 18446744073709551615 1e-400 01 0x1 NaN Infinity".split(" "),
];
export const TOKENS = [
  ...NUMBERS,
  ...'null true false "" "F32" "I32" "U8" "F16" "F64" [] {} [0] [0,0] [[]] {"a":0}'.split(" "),
  ...'{ } [ ] , : " \\ "__proto__" "constructor" "toString" "__metadata__" "dtype" "shape" "data_offsets"'.split(" "),
  '"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},',
  '"__metadata__":{"a":"b"},',
  '"\\ud800"',
  '"\\u0000"',
  "/*x*/",
  "\u2028",
];
const LENGTHS = [
  0n,
  1n,
  2n,
  7n,
  8n,
  255n,
  1n << 16n,
  100_000_000n,
  100_000_001n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
];

/** Strings, numbers, words and single marks. */
export const tokensOf = (json: string) => json.match(/"(?:[^"\\]|\\.)*"|-?\d+|\w+|\s+|./gsu) ?? [];

export type Mutation = (bytes: Uint8Array, rand: Random) => Uint8Array;

/** Ways to damage a file; `sources` are others to take parts from. */
export const mutations = (sources: readonly Uint8Array[]): Record<string, Mutation> => ({
  "bits flipped anywhere"(bytes, rand) {
    for (let i = 0; i <= rand(4); i++) bytes[rand(bytes.length)]! ^= 1 << rand(8);
    return bytes;
  },
  "a bit flipped in the header"(bytes, rand) {
    bytes[8 + rand(headerOf(bytes) - 8)]! ^= 1 << rand(8);
    return bytes;
  },
  "bytes overwritten in the header"(bytes, rand) {
    for (let i = 0; i <= rand(6); i++) bytes[rand(headerOf(bytes))] = rand(256);
    return bytes;
  },
  truncated(bytes, rand) {
    return bytes.slice(0, rand(bytes.length));
  },
  "bytes added or cut out"(bytes, rand) {
    const at = rand(bytes.length);
    const cut = rand(3) * rand(9);
    const put = Array.from({ length: rand(3) * rand(9) }, () => rand(256));
    return Uint8Array.of(...bytes.subarray(0, at), ...put, ...bytes.subarray(at + cut));
  },
  "the header's length attacked"(bytes, rand) {
    const length = BigInt(headerOf(bytes) - 8);
    const near = length + BigInt(rand(33) - 16);
    const claims = [
      ...LENGTHS,
      near,
      near,
      (1n << 63n) + length,
      (1n << 64n) - 1n,
      BigInt(bytes.length - 8 + rand(3) - 1),
    ];
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, pick(rand, claims)), true);
    return bytes;
  },
  "offsets and sizes attacked"(bytes, rand) {
    const json = jsonOf(bytes);
    const spots = [...json.matchAll(/-?\d+(?=[\],])/g)];
    if (!spots.length) return bytes;
    const { index, 0: old } = pick(rand, spots);
    const value = rand(3) ? pick(rand, NUMBERS) : String(Number(old) + rand(9) - 4);
    return withJson(bytes, json.slice(0, index) + value + json.slice(index + old.length));
  },
  "tokens spliced"(bytes, rand) {
    const tokens = tokensOf(jsonOf(bytes));
    for (let i = 0; i <= rand(3); i++) {
      const at = rand(tokens.length);
      const from = rand(tokens.length);
      const what = rand(5);
      if (what === 0) tokens[at] = pick(rand, TOKENS);
      else if (what === 1) tokens.splice(at, 0, pick(rand, TOKENS));
      else if (what === 2) tokens.splice(at, 1 + rand(4));
      else if (what === 3) tokens.splice(at, 0, ...tokens.slice(from, from + rand(30)));
      else [tokens[at], tokens[from]] = [tokens[from]!, tokens[at]!];
    }
    return withJson(bytes, tokens.join(""));
  },
  "a name taken by another"(bytes, rand) {
    const json = jsonOf(bytes);
    const names = json.match(/"(?:[^"\\]|\\.)*"/g);
    if (!names) return bytes;
    return withJson(
      bytes,
      json.replace(pick(rand, names), () => (rand(2) ? pick(rand, names) : pick(rand, TOKENS))),
    );
  },
  nested(bytes, rand) {
    const tokens = tokensOf(jsonOf(bytes));
    const depth = 1 << rand(14);
    const at = rand(tokens.length);
    const [open, close] = pick(rand, [
      ["[", "]"],
      ['{"a":', "}"],
      ["[{", "}]"],
    ] as const);
    tokens[at] = open.repeat(depth) + (rand(2) ? tokens[at] : "") + (rand(2) ? close.repeat(depth) : "");
    return withJson(bytes, tokens.join(""));
  },
  "a large header"(bytes, rand) {
    const json = jsonOf(bytes);
    const filler = pick(rand, [" ", "\n", "0,", "[],", '"k":"v",', '"":{},', "\\u0041", "\u00e9", "\0"]);
    const at = rand(json.length);
    return withJson(bytes, json.slice(0, at) + filler.repeat(1 << rand(13)) + json.slice(at));
  },
  "parts of another file"(bytes, rand) {
    const other = pick(rand, sources);
    const from = rand(other.length);
    bytes.set(other.subarray(from, from + rand(64)).subarray(0, bytes.length), 0);
    const part = other.subarray(from, from + rand(Math.min(200, bytes.length)));
    const whole = Uint8Array.from(pick(rand, [bytes, pick(rand, sources)]));
    whole.set(
      part.subarray(0, Math.max(0, whole.length - 8)),
      Math.min(8 + rand(64), Math.max(0, whole.length - part.length)),
    );
    return whole;
  },
});
