import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { idx } from "../../ts/data/idx";

let root: string;
let folders = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-idx-"));
});
afterAll(() => rm(root, { recursive: true }));

/** An IDX file of uint8: the elements count up from `first`. */
function file(sizes: number[], first = 0, magic = 0x0800 + sizes.length) {
  const n = sizes.reduce((a, b) => a * b);
  const bytes = new Uint8Array(4 + 4 * sizes.length + n);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  for (const [i, size] of sizes.entries()) view.setUint32(4 + 4 * i, size);
  for (let i = 0; i < n; i++) bytes[4 + 4 * sizes.length + i] = first + i;
  return bytes;
}

const good = (): Record<string, Uint8Array> => ({
  "train-images-idx3-ubyte": file([5, 3, 2]),
  "train-labels-idx1-ubyte": file([5], 3),
  "t10k-images-idx3-ubyte": file([2, 3, 2], 200),
  "t10k-labels-idx1-ubyte": file([2], 254),
});

async function folder(files: Record<string, Uint8Array>) {
  const path = join(root, String(folders++));
  await mkdir(path);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(path, name), bytes);
  return path;
}

const rename = (files: Record<string, Uint8Array>, to: (name: string) => string, pack = (b: Uint8Array) => b) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [to(name), pack(bytes)]));
const gz = (name: string) => `${name}.gz`;
const dot = (name: string) => name.replace("-idx", ".idx");

for (const [what, files] of Object.entries({
  "the usual four names": good(),
  ".gz": rename(good(), gz, gzipSync),
  "the names with a dot": rename(good(), dot),
  "the names with a dot, .gz": rename(good(), (name) => gz(dot(name)), gzipSync),
}))
  test(`reads ${what}: images NHWC uint8, labels int32`, async () => {
    const { train, test } = await idx(`${await folder(files)}/`);
    expect(train.x.shape).toEqual([5, 3, 2, 1]);
    expect(train.x.data).toEqual(Uint8Array.from({ length: 30 }, (_, i) => i));
    expect(train.y).toEqual({ data: Int32Array.of(3, 4, 5, 6, 7), shape: [5] });
    expect(test.x.shape).toEqual([2, 3, 2, 1]);
    expect(test.x.data).toEqual(Uint8Array.from({ length: 12 }, (_, i) => 200 + i));
    expect(test.y).toEqual({ data: Int32Array.of(254, 255), shape: [2] });
  });

test("a set of several inflated chunks comes whole", async () => {
  const images = file([200, 28, 28]);
  const noise = images.map((v, i) => (i < 16 ? v : (Math.imul(i, 2654435761) >>> 13) & 255));
  const rest = {
    "train-labels-idx1-ubyte": file([200]),
    "t10k-images-idx3-ubyte": file([2, 28, 28]),
    "t10k-labels-idx1-ubyte": file([2]),
  };
  const { train } = await idx(await folder({ ...rest, "train-images-idx3-ubyte": noise }));
  const packed = await folder({ ...rest, "train-images-idx3-ubyte.gz": gzipSync(noise) });
  expect(train.x.shape).toEqual([200, 28, 28, 1]);
  expect(Buffer.compare(train.x.data, noise.subarray(16))).toBe(0);
  expect(Buffer.compare((await idx(packed)).train.x.data, train.x.data)).toBe(0);
});

const name = "train-images-idx3-ubyte";
const labels = "train-labels-idx1-ubyte";
const cut = (bytes: Uint8Array, by: number) => bytes.subarray(0, bytes.length - by);
const longer = (bytes: Uint8Array) => Uint8Array.of(...bytes, 0);
const sized = (sizes: number[]) => {
  const bytes = file([1, 1, 1]);
  const view = new DataView(bytes.buffer);
  for (const [i, size] of sizes.entries()) view.setUint32(4 + 4 * i, size);
  return bytes;
};
const flipped = (bytes: Uint8Array, at: number) => bytes.map((v, i) => (i === at ? v ^ 0xff : v));
const noisy = gzipSync(file([5, 3, 2]));

const damages: [string, Record<string, Uint8Array>, string, RegExp][] = [
  ["an empty file", { [name]: new Uint8Array() }, "format", /expected a header of 16 bytes, got 0 bytes/],
  ["a cut header", { [name]: file([5, 3, 2]).subarray(0, 15) }, "format", /expected a header of 16 bytes, got 15/],
  [
    "another magic number",
    { [name]: file([5, 3, 2], 0, 0x0801) },
    "format",
    /expected the magic number 2051 .*got 2049/,
  ],
  ["floats", { [name]: file([5, 3, 2], 0, 0x0d03) }, "format", /expected the magic number 2051/],
  ["a byte less", { [name]: cut(file([5, 3, 2]), 1) }, "format", /expected 46 bytes for sizes \[5, 3, 2\], got 45/],
  ["a byte more", { [name]: longer(file([5, 3, 2])) }, "format", /expected 46 bytes for sizes \[5, 3, 2\], got more/],
  ["no images", { [name]: sized([0, 3, 2]) }, "format", /expected sizes of at least 1, got \[0, 3, 2\]/],
  ["a claim of 2 GB", { [name]: sized([2 ** 31 - 1, 1, 1]) }, "format", /expected 2147483663 bytes .* got 17/],
  ["a claim beyond memory", { [name]: sized([2 ** 32 - 1, 2 ** 32 - 1, 9]) }, "memory", /got sizes \[4294967295, /],
  ["fewer labels", { [labels]: file([4]) }, "format", /train-labels.*expected 5 labels, one for each image, got 4/],
  [
    "test images of other size",
    { "t10k-images-idx3-ubyte": file([2, 2, 2]) },
    "format",
    /expected test images of 3 × 2/,
  ],
];
for (const [what, files, code, message] of damages) {
  test(`${what}: ${code}, naming the file`, async () => {
    await expect(idx(await folder({ ...good(), ...files }))).rejects.toMatchObject({
      name: "DownhillError",
      code,
      message: expect.stringMatching(message),
    });
  });
  if (files[name])
    test(`${what}, gzipped: ${code}`, async () => {
      const { [name]: bytes, ...rest } = { ...good(), ...files };
      await expect(idx(await folder({ ...rest, [`${name}.gz`]: gzipSync(bytes!) }))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    });
}

for (const [what, bytes] of Object.entries({
  "no gzip data": file([5, 3, 2]),
  "a cut gzip file": noisy.subarray(0, noisy.length - 9),
  "a gzip file without its end": noisy.subarray(0, noisy.length - 4),
  "a wrong checksum": flipped(noisy, noisy.length - 6),
  "a flipped bit within": flipped(noisy, noisy.length >> 1),
  nothing: new Uint8Array(),
}))
  test(`${what} in a .gz: format, naming the file`, async () => {
    const { [name]: _, ...rest } = good();
    await expect(idx(await folder({ ...rest, [`${name}.gz`]: bytes }))).rejects.toMatchObject({
      name: "DownhillError",
      code: "format",
      message: expect.stringMatching(/train-images-idx3-ubyte.gz: expected /),
    });
  });

test("a gzip bomb is not unpacked to its end", async () => {
  const { [name]: _, ...rest } = good();
  const inflated = new Uint8Array(256 << 20);
  inflated.set(file([5, 3, 2]));
  const bomb = gzipSync(inflated, { level: 1 });
  const before = process.memoryUsage().arrayBuffers;
  await expect(idx(await folder({ ...rest, [`${name}.gz`]: bomb }))).rejects.toMatchObject({ code: "format" });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
});

test("a missing file or folder: data, with the path", async () => {
  const { [labels]: _, ...rest } = good();
  await expect(idx(await folder(rest))).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(
      /expected train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz in the folder ".*", got none/,
    ),
  });
  await expect(idx(join(root, "nowhere"))).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(/cannot read the folder ".*nowhere": ENOENT/),
  });
});

test("a folder that is no string: argument, as a rejection", async () => {
  await expect(idx(5 as unknown as string)).rejects.toMatchObject({ code: "argument" });
});
