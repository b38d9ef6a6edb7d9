// Damaged npy and npz files: each loads, or is a DownhillError, quickly, in memory that its own size bounds. Every mutation
// follows from its number alone.

import { expect, test } from "vitest";
import { decodeNpy, npyRows } from "../../ts/data/npy";
import { npz, npzRows } from "../../ts/data/npz";
import { DownhillError } from "../../ts/errors";
import oracle from "../oracle/npy.json" with { type: "json" };
import { NUMBERS, pick, type Random, random } from "../support/mutations";

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const { zeros: _, ...small } = oracle.archives;
const files = [...Object.values(oracle.files), ...Object.values(oracle.refused)].map(bytesOf);
const archives = Object.values(small).map(bytesOf);

type Mutation = (bytes: Uint8Array, rand: Random) => Uint8Array;
const TOKENS = [
  ...NUMBERS,
  ..."' \" { } ( ) , : [ ] True False 'descr' 'shape' <f4 |O >i8 \\ 3L __import__('os') \0 é".split(" "),
];

const mutations: Record<string, Mutation> = {
  "bits flipped anywhere"(bytes, rand) {
    for (let i = 0; i <= rand(4); i++) bytes[rand(bytes.length)]! ^= 1 << rand(8);
    return bytes;
  },
  "bits flipped at the beginning"(bytes, rand) {
    for (let i = 0; i <= rand(3); i++) bytes[rand(Math.min(128, bytes.length))]! ^= 1 << rand(8);
    return bytes;
  },
  "bytes overwritten at the end"(bytes, rand) {
    for (let i = 0; i <= rand(6); i++) bytes[bytes.length - 1 - rand(Math.min(200, bytes.length))] = rand(256);
    return bytes;
  },
  "32 bits of another number"(bytes, rand) {
    const at = rand(Math.max(1, bytes.length - 4));
    new DataView(bytes.buffer).setUint32(
      at,
      pick(rand, [0, 1, 0xffff, 0x10000, 0x7fffffff, 0xffffffff, rand(2 ** 32)]),
      true,
    );
    return bytes;
  },
  truncated: (bytes, rand) => bytes.slice(0, rand(bytes.length)),
  "bytes added or cut out"(bytes, rand) {
    const at = rand(bytes.length);
    const put = Array.from({ length: rand(3) * rand(9) }, () => rand(256));
    return Uint8Array.of(...bytes.subarray(0, at), ...put, ...bytes.subarray(at + rand(3) * rand(9)));
  },
  "tokens in the header"(bytes, rand) {
    const token = new TextEncoder().encode(pick(rand, TOKENS));
    const at = 8 + rand(Math.min(120, bytes.length - 8));
    if (rand(2))
      return Uint8Array.of(...bytes.subarray(0, at), ...token, ...bytes.subarray(at + token.length * rand(2)));
    bytes.set(token.subarray(0, bytes.length - at), at);
    return bytes;
  },
  "parts of another file"(bytes, rand) {
    const other = pick(rand, rand(2) ? files : archives);
    const from = rand(other.length);
    const part = other.subarray(from, from + rand(64));
    bytes.set(part.subarray(0, bytes.length), Math.max(0, rand(bytes.length) - part.length));
    return bytes;
  },
};

async function run(kind: string, times: number, sources: Uint8Array[], load: (bytes: Uint8Array) => unknown) {
  const start = performance.now();
  let loaded = 0;
  for (let i = 0; i < times; i++) {
    const rand = random(i * 7919 + kind.length);
    const bytes = mutations[kind]!(Uint8Array.from(pick(rand, sources)), rand);
    try {
      await load(bytes);
      loaded++;
    } catch (error) {
      if (!(error instanceof DownhillError) || !["format", "shape", "memory", "data"].includes(error.code))
        throw new Error(`mutation ${i} of "${kind}"`, { cause: error });
      if (error.message.length > 500) throw new Error(`mutation ${i} of "${kind}": ${error.message.length} characters`);
    }
  }
  expect(loaded).toBeLessThan(times);
  expect(performance.now() - start).toBeLessThan(20_000);
  if (process.env["FUZZ_VERBOSE"]) console.log(kind, loaded, (performance.now() - start).toFixed(0), "ms");
}

const check = (array: { data: ArrayLike<number>; shape: readonly number[] }, size: number) => {
  if (array.shape.reduce((a, b) => a * b, 1) !== array.data.length) throw new Error(`shape ${array.shape}`);
  if (array.data.length > size) throw new Error(`${array.data.length} elements in ${size} bytes`);
};

test.each(Object.keys(mutations))("npy, 2000 × %s", async (kind) => {
  await run(kind, 2000, files, (bytes) => check(decodeNpy("npy", bytes), bytes.length));
  await run(kind, 100, files, async (bytes) => {
    for await (const batch of await npyRows(bytes, { rows: 2 })) check(batch, bytes.length);
  });
});

test.each(Object.keys(mutations))("npz, 400 × %s", async (kind) => {
  await run(kind, 400, archives, async (bytes) => {
    for (const array of Object.values(await npz(bytes))) check(array, bytes.length * 1032);
  });
  await run(kind, 60, archives, async (bytes) => {
    for await (const batch of await npzRows(bytes, { rows: 1 }))
      for (const array of Object.values(batch)) check(array as never, bytes.length * 1032);
  });
  expect(Object.keys(Object.prototype)).toEqual([]);
});
