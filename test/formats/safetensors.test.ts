import { expect, test } from "vitest";
import { DownhillError } from "../../ts/errors";
import { decodeSafetensors, encodeSafetensors } from "../../ts/formats/safetensors";
import type { NDArray } from "../../ts/ndarray";
import oracle from "../oracle/tensorFiles.json" with { type: "json" };

const PROTO = "__proto__"; // as a name
const unbase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const f32 = (shape: number[], first = 0): NDArray => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => first + i / 4),
  shape,
});

/** A file with this header, `length` bytes of tensors and, if it shall lie, another length of the header. */
function file(header: string | Uint8Array, length = 0, claimed?: bigint) {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function errorOf(bytes: Uint8Array): DownhillError {
  try {
    decodeSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(DownhillError);
    return error as DownhillError;
  }
  throw new Error("it loaded");
}

for (const [name, { bytes, tensors, metadata }] of Object.entries(oracle.files))
  test(`reads what the format's own library wrote: ${name}`, () => {
    const file = decodeSafetensors(unbase64(bytes));
    expect({ ...file.metadata }).toEqual(metadata);
    expect(Object.keys(file.tensors).sort()).toEqual(Object.keys(tensors).sort());
    for (const [key, { shape, data }] of Object.entries(tensors)) {
      const tensor = file.tensors[key]!;
      expect(tensor.shape).toEqual(shape);
      expect(Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).toString("base64")).toBe(
        data,
      );
    }
    const types = Object.fromEntries(Object.entries(file.tensors).map(([key, t]) => [key, t.data.constructor]));
    if (name === "mixed")
      expect(types).toMatchObject({ "dense_1/bias": Float32Array, labels: Int32Array, "größe/😀": Uint8Array });
  });

for (const [what, { bytes, loads }] of Object.entries(oracle.odd))
  test(`judges as the format's own library does: ${what}`, () => {
    if (what === "a space first") return expect(errorOf(unbase64(bytes)).message).toMatch(/begins with "\{"/); // stricter
    if (loads) decodeSafetensors(unbase64(bytes));
    else expect(errorOf(unbase64(bytes)).code).toBe("format");
  });

test("writes the bytes that the format's own library writes", () => {
  const data = new Float32Array(unbase64(oracle.files.one.tensors["attn.0"].data).buffer);
  const written = encodeSafetensors({ "attn.0": { data, shape: [2, 3] } }, {});
  expect(Buffer.from(written).toString("base64")).toBe(oracle.files.one.bytes);
  expect(Buffer.from(encodeSafetensors({}, {})).toString("base64")).toBe(oracle.files.none.bytes);
});

test("what is written is read, bit for bit: odd names and values, views, scalars, empty tensors", () => {
  const whole = Float32Array.of(9, -0, Number.NaN, 1e-45, Number.NEGATIVE_INFINITY, 9);
  new Uint32Array(whole.buffer)[2] = 0x7fc12345;
  const tensors: Record<string, NDArray> = Object.create(null);
  tensors["b/view"] = { data: whole.subarray(1, 5), shape: [2, 2] };
  tensors[PROTO] = f32([3, 1]);
  tensors["10"] = f32([]);
  tensors["9"] = f32([2, 0, 3]);
  tensors['a "quoted" \\ \n\u2028 ü 😀'] = f32([1]);
  const metadata: Record<string, string> = Object.create(null);
  metadata[PROTO] = "x";
  metadata["2"] = '{"nested":[[[[]]]]}';
  metadata["1"] = "";
  const bytes = encodeSafetensors(tensors, metadata);
  expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
  const back = decodeSafetensors(bytes);
  expect(Object.entries(back.metadata)).toEqual(Object.entries(metadata));
  expect(Object.keys(back.tensors).sort()).toEqual(Object.keys(tensors).sort());
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    expect(back.tensors[name]!.shape).toEqual(shape);
    expect(new Uint32Array(back.tensors[name]!.data.slice().buffer)).toEqual(new Uint32Array(data.slice().buffer));
  }
  expect(Object.getPrototypeOf({}).x).toBeUndefined();
});

test("equal content gives equal bytes, whatever the order; decoding and encoding again too", () => {
  const a = encodeSafetensors({ x: f32([2]), "w/1": f32([3], 5) }, { seed: "1", config: "{}" });
  const b = encodeSafetensors({ "w/1": f32([3], 5), x: f32([2]) }, { config: "{}", seed: "1" });
  expect(b).toEqual(a);
  const { tensors, metadata } = decodeSafetensors(a);
  expect(encodeSafetensors(tensors as Record<string, NDArray>, metadata)).toEqual(a);
});

test("what is decoded is a copy, also from a view with an odd offset, a Buffer, a SharedArrayBuffer", () => {
  const bytes = encodeSafetensors({ x: f32([5]) }, { k: "v" });
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 3), 3);
  const buffer = Buffer.alloc(bytes.length + 1).subarray(1);
  for (const source of [shared, buffer]) {
    source.set(bytes);
    const { tensors } = decodeSafetensors(source);
    source.fill(0);
    expect(tensors["x"]).toEqual(f32([5]));
    expect(tensors["x"]!.data.buffer).toBeInstanceOf(ArrayBuffer);
  }
});

test("a tensor may not be called __metadata__", () => {
  expect(() => encodeSafetensors({ __metadata__: f32([1]) }, {})).toThrow(/expected a tensor's name, not __metadata__/);
});

const tensor = (shape: unknown, begin: unknown, end: unknown, dtype: unknown = "F32") =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });
const one = tensor([1], 0, 4);

const malformed: [string, Uint8Array, RegExp][] = [
  ["7 bytes", new Uint8Array(7), /expected at least 8 bytes, got 7/],
  ["a header past the end", file("{}", 0, 3n), /expected a safetensors file, .* here at most 2 bytes, got 3/],
  ["a header of 2⁶⁴ − 1 bytes", file("{}", 0, 2n ** 64n - 1n), /at most 2 bytes, got 18446744073709552000/],
  ["a header of 2³² + 2 bytes", file("{}", 0, 2n ** 32n + 2n), /at most 2 bytes, got 4294967298/],
  ["a header without end", file('{"a":'), /expected a header of JSON in UTF-8/],
  ["a list", file("[]"), /expected a header that begins with "\{"/],
  ["a byte order mark", file("\ufeff{}"), /begins with "\{", got "byte 239"/],
  ["a name twice", file(`{"a":${one},"a":${one}}`, 4), /expected every name once/],
  ["a name twice, once escaped", file(`{"a":${one},"\\u0061":${one}}`, 4), /expected every name once/],
  ["a field twice", file(`{"a":${one.replace("{", '{"dtype":"U8",')}}`, 4), /expected every name once/],
  ["metadata twice", file('{"__metadata__":{},"__metadata__":{}}'), /expected every name once/],
  ["a metadata key twice", file('{"__metadata__":{"k":"1","k":"2"}}'), /expected every name once/],
  ["metadata that is a list", file('{"__metadata__":[]}'), /expected __metadata__ to be an object, got \[\]/],
  ["metadata that is a number", file('{"__metadata__":{"k":1}}'), /expected __metadata__ "k" to be a string, got 1/],
  ["a tensor that is null", file('{"a":null}'), /expected tensor "a" to be an object, got null/],
  ["a tensor without fields", file('{"a":{}}'), /tensor "a" to be of dtype F32, I32, U8, got undefined/],
  [
    "an inherited dtype",
    file(`{"a":${tensor([1], 0, 4, "constructor")}}`, 4),
    /of dtype F32, I32, U8, got "constructor"/,
  ],
  [
    "an unknown field",
    file(`{"a":${one.replace("{", '{"x":1,')}}`, 4),
    /to have dtype, shape and data_offsets, got "x"/,
  ],
  ["a shape that is a number", file(`{"a":${tensor(1, 0, 4)}}`, 4), /tensor "a" to have a shape of .* got 1/],
  ["a rank of 33", file(`{"a":${tensor(Array(33).fill(1), 0, 4)}}`, 4), /shape of at most 32 integers/],
  ["a size of 1e308", file(`{"a":${tensor([1e308], 0, 4)}}`, 4), /shape of at most 32 integers ≥ 0, got \[1e\+308\]/],
  ["a size that is a string", file(`{"a":${tensor(["1"], 0, 4)}}`, 4), /got \["1"\]/],
  [
    "three offsets",
    file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1),
    /two data_offsets, got \[0, 1, 1\]/,
  ],
  ["a negative offset", file(`{"a":${tensor([1], -4, 0)}}`), /two data_offsets, got \[-4, 0\]/],
  ["offsets the wrong way", file(`{"a":${tensor([1], 4, 0)}}`, 4), /to have 4 bytes, got \[4, 0\]/],
  [
    "a shape of more than its bytes",
    file(`{"a":${tensor([2], 0, 4)}}`, 4),
    /F32 of shape \[2\], to have 8 bytes, got \[0, 4\]/,
  ],
  ["a product beyond 2⁵³", file(`{"a":${tensor([2 ** 40, 2 ** 40], 0, 4)}}`, 4), /to have .* bytes, got \[0, 4\]/],
  ["a product ∞ · 0", file(`{"a":${tensor([...Array(31).fill(2 ** 52), 0], 0, 0)}}`), /to have NaN bytes/],
  [
    "a claim of 2⁵⁰ bytes",
    file(`{"a":${tensor([2 ** 48], 0, 2 ** 50)}}`, 4),
    /begin at 0 and end by 4, got \[0, 1125899906842624\]/,
  ],
  ["a hole", file(`{"a":${tensor([1], 4, 8)}}`, 8), /tensor "a" to begin at 0/],
  ["an overlap by one byte", file(`{"a":${one},"b":${tensor([1], 3, 7)}}`, 7), /tensor "b" to begin at 4/],
  ["bytes left over", file(`{"a":${one}}`, 5), /expected 4 bytes of tensors, got 5/],
  ["no tensor but bytes", file("{}", 1), /expected 0 bytes of tensors, got 1/],
  ["an unfinished string", file(`{"a`), /JSON in UTF-8/],
  ["overlong UTF-8", file(Uint8Array.of(0x7b, 0x22, 0xc0, 0xa2, 0x22, 0x7d)), /JSON in UTF-8/],
  ["a zero byte after the header", file("{}\0\0"), /JSON in UTF-8/],
];
for (const [what, bytes, message] of malformed)
  test(`malformed: ${what}`, () => {
    const error = errorOf(bytes);
    expect(error.code).toBe("format");
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(400);
  });

test("zero-sized tensors may lie anywhere between others", () => {
  const { tensors } = decodeSafetensors(
    file(`{"z":${tensor([0], 4, 4)},"a":${one},"b":${tensor([1], 4, 8)},"y":${tensor([0, 9], 8, 8)}}`, 8),
  );
  expect(Object.values(tensors).map(({ data }) => data.length)).toEqual([1, 0, 1, 0]);
});

const ascii = (text: string, times: number) => Buffer.from(text.repeat(times));
const huge: [string, Uint8Array][] = [
  ["10 M brackets", Buffer.concat([ascii('{"a":', 1), ascii("[", 1e7)])],
  ["10 M nested objects", Buffer.concat([ascii('{"a":', 2e6)])],
  ["5 M empty lists", Buffer.concat([ascii('{"a":[', 1), ascii("[],", 5e6), ascii("[]]}", 1)])],
  ["10 M numbers", Buffer.concat([ascii('{"a":[', 1), ascii("0,", 1e7), ascii("0]}", 1)])],
  ["a string of 50 MB", Buffer.concat([ascii('{"', 1), ascii("\\n", 25e6), ascii('":0}', 1)])],
  ["a header over 100 MB", Buffer.concat([ascii("{", 1), ascii(" ", 1e8), ascii("}", 1)])],
];
for (const [what, header] of huge)
  test(`a huge header is refused within seconds: ${what}`, () => {
    const start = performance.now();
    expect(errorOf(file(header)).code).toBe("format");
    expect(performance.now() - start).toBeLessThan(15_000);
  });

test("a file of 30,000 tensors loads within seconds", () => {
  const tensors = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`layer_${i}/w`, f32([1])]));
  const start = performance.now();
  expect(Object.keys(decodeSafetensors(encodeSafetensors(tensors, {})).tensors).length).toBe(30_000);
  expect(performance.now() - start).toBeLessThan(15_000);
});
