// npy and npz against files that NumPy wrote (test/oracle/npy.py), and the files that are written.

import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { npy, npyRows, saveNpy } from "../../ts/data/npy";
import { npz, npzRows, saveNpz } from "../../ts/data/npz";
import { dataset } from "../../ts/index";
import oracle from "../oracle/npy.json" with { type: "json" };

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-npy-"));
});
afterAll(() => rm(root, { recursive: true }));

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const fileOf = (name: string) => bytesOf((oracle.files as Record<string, string>)[name]!);
const valuesOf = (name: string) => {
  const { shape, data } = (oracle.values as Record<string, { shape: number[]; data: (number | string)[] }>)[name]!;
  const special: Record<string, number> = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity };
  return { shape, data: data.map((v) => (typeof v === "string" ? special[v]! : v)) };
};
const plain = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }) => ({
  data: Array.from(data),
  shape: [...shape],
});
const collect = async <T>(rows: AsyncIterable<T>) => {
  const all: T[] = [];
  for await (const batch of rows) all.push(batch);
  return all;
};
/** A file with another header. */
const withHeader = (text: string, elements: number, version = 1) => {
  const header = new TextEncoder().encode(text);
  const bytes = new Uint8Array(10 + header.length + elements);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, header.length & 255, header.length >> 8]);
  bytes.set(header, 10);
  return bytes;
};

describe("npy", () => {
  test.each(Object.keys(oracle.files))("reads %s", async (name) => {
    const array = await npy(fileOf(name));
    expect(plain(array)).toEqual(valuesOf(name));
    const [, kind, width] = /^[<>|]([fiub])(\d)/.exec(name) ?? [];
    if (!kind) return;
    const type = kind === "f" ? (width === "8" ? Float64Array : Float32Array) : undefined;
    const bytes = kind === "b" || `${kind}${width}` === "u1";
    expect(array.data).toBeInstanceOf(type ?? (bytes ? Uint8Array : Int32Array));
  });

  test.each(Object.keys(oracle.refused))("refuses %s", async (name) => {
    const file = bytesOf((oracle.refused as Record<string, string>)[name]!);
    const code = name.startsWith("beyond") ? "data" : "format";
    await expect(npy(file)).rejects.toMatchObject({ name: "DownhillError", code });
    if (name === "objects") await expect(npy(file)).rejects.toThrow(/got Python objects, which are never evaluated/);
    if (name === "beyond int32")
      await expect(npy(file)).rejects.toThrow(/in int32's range, got 2147483648 as element 1/);
  });

  test("reads paths, Blobs, buffers, and what has load(); errors name the path", async () => {
    const path = join(root, "cube.npy");
    const file = fileOf("version 1");
    await writeFile(path, file);
    for (const source of [path, new Blob([file]), file.buffer, { load: () => file }])
      expect(plain(await npy(source as string))).toEqual(valuesOf("version 1"));
    await writeFile(path, file.subarray(0, -1));
    await expect(npy(path)).rejects.toThrow(`npy: ${path}: expected 320 bytes for shape [2, 3, 4], got 319`);
    for (const read of [npy, npyRows, npz, npzRows]) {
      const none = read(join(root, "none"));
      await expect(none).rejects.toMatchObject({ code: "data" });
      await expect(none).rejects.toThrow(`${read.name}: cannot read ${JSON.stringify(join(root, "none"))}: ENOENT`);
      await expect(read(root)).rejects.toThrow(`${read.name}: cannot read ${JSON.stringify(root)}: EISDIR`);
    }
    await expect(npy(5 as never)).rejects.toMatchObject({ code: "argument" });
  });

  test("reads Node's Buffers, amid others' bytes, as arrays that the caller owns", async () => {
    for (const name of ["<f4", "|u1", ">f8", "<i2"]) {
      const pool = Buffer.concat([Buffer.alloc(8), fileOf(name)]);
      const file = pool.subarray(8);
      const load = () => file;
      const arrays = [await npy(file), await npy({ load }), ...(await collect(await npyRows({ load })))];
      pool.fill(0);
      for (const array of arrays) {
        expect(plain(array)).toEqual(valuesOf(name));
        expect(array.data).not.toBeInstanceOf(Buffer);
      }
    }
  });

  const good = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
  test("takes dicts as Python writes them", async () => {
    for (const text of [
      good,
      "{'shape': (2, 3), 'fortran_order': False, 'descr': '|u1'}\n",
      '{"descr": "|u1", "fortran_order": False, "shape": (2L, 3L)}',
      "  {  'descr':'|u1','fortran_order':False,'shape':( 2 , 3 , ) }   \n",
    ])
      expect((await npy(withHeader(text, 6))).shape).toEqual([2, 3]);
    expect((await npy(withHeader("{'descr': '|u1', 'fortran_order': True, 'shape': (), }", 1))).shape).toEqual([]);
  });

  test.each([
    ["code", "__import__('os').system('x')"],
    ["a call", "{'descr': str('|u1'), 'fortran_order': False, 'shape': (2, 3), }"],
    ["a key twice", good.replace("}", "'shape': (2, 3), }")],
    ["a key too few", "{'descr': '|u1', 'shape': (2, 3), }"],
    ["another key", good.replace("}", "'__proto__': 1, }")],
    ["a list as shape", good.replace("(2, 3)", "[2, 3]")],
    ["a number as shape", good.replace("(2, 3)", "6")],
    ["a number in parentheses", good.replace("(2, 3)", "(6)")],
    ["a negative size", good.replace("(2, 3)", "(-2, -3)")],
    ["a fraction", good.replace("(2, 3)", "(2.0, 3)")],
    ["a size beyond 2^53", good.replace("(2, 3)", "(99999999999999999999, 3)")],
    ["a size that overflows", good.replace("(2, 3)", `(${"9007199254740991, ".repeat(3)})`)],
    ["too many axes", good.replace("(2, 3)", `(${"1, ".repeat(65)})`)],
    ["1 for False", good.replace("False", "0")],
    ["text behind the dict", `${good} x`],
    ["an escape", good.replace("|u1", "\\x7cu1")],
    ["an empty dict", "{}"],
    ["none", ""],
    ["another width", good.replace("|u1", "<f16")],
    ["no width", good.replace("|u1", "<f")],
    ["a subarray", good.replace("'|u1'", "('<f4', (2,))")],
    ["two commas", good.replace("(2, 3)", "(2,, 3)")],
  ])("refuses a header with %s", async (_, text) => {
    await expect(npy(withHeader(text, 6))).rejects.toMatchObject({ name: "DownhillError", code: "format" });
  });

  test("refuses other versions, magic numbers and sizes", async () => {
    const file = withHeader(good, 6);
    for (const change of [
      (b: Uint8Array) => b.subarray(0, 5),
      (b: Uint8Array) => b.subarray(0, 20),
      (b: Uint8Array) => b.fill(0, 0, 1),
      (b: Uint8Array) => b.fill(4, 6, 7),
      (b: Uint8Array) => b.fill(1, 7, 8),
      (b: Uint8Array) => Uint8Array.of(...b, 0),
      (b: Uint8Array) => b.subarray(0, -1),
    ])
      await expect(npy(change(Uint8Array.from(file)))).rejects.toMatchObject({ code: "format" });
    const long = Uint8Array.of(...withHeader(good, 6, 2));
    new DataView(long.buffer).setUint32(8, 0xffffffff, true);
    await expect(npy(long)).rejects.toThrow(/a header of at most 65536 bytes, got 4294967295/);
  });
});

describe("npyRows", () => {
  test("gives batches; of a record of files records; again each time", async () => {
    const x = await saveNpy({ data: Float32Array.from({ length: 14 }, (_, i) => i), shape: [7, 2] });
    const path = join(root, "y.npy");
    await saveNpy(Int32Array.of(0, 1, 2, 3, 4, 5, 6), path);
    const rows = await npyRows({ x: new Blob([x as BlobPart]), y: path }, { rows: 3 });
    expect(rows.size).toBe(7);
    for (let times = 0; times < 2; times++) {
      const batches = await collect(rows);
      expect(batches.map(({ x }) => x.shape)).toEqual([
        [3, 2],
        [3, 2],
        [1, 2],
      ]);
      expect(batches.flatMap(({ y }) => [...y.data])).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect([...batches[2]!.x.data]).toEqual([12, 13]);
    }
    const single = await collect(await npyRows(path, { rows: 5 }));
    expect(single.map(plain)).toEqual([
      { data: [0, 1, 2, 3, 4], shape: [5] },
      { data: [5, 6], shape: [2] },
    ]);
  });

  test.each(["<f4 fortran", "cube fortran", ">i2 fortran", "|u1 fortran", ">f8", "halves"])("%s", async (name) => {
    const whole = valuesOf(name);
    const batches = await collect(await npyRows(fileOf(name), { rows: 2 }));
    expect(batches.flatMap(({ data }) => [...data])).toEqual(whole.data);
    expect(batches[0]!.shape).toEqual([2, ...whole.shape.slice(1)]);
  });

  test("shuffles within a buffer, anew in each epoch, x and y alike, and the same again", async () => {
    const n = 100;
    const numbers = Int32Array.from({ length: n }, (_, i) => i);
    const file = await saveNpy(numbers);
    const rows = (await npyRows({ x: file, y: file }, { rows: 8 })).shuffle(40, 3);
    const epoch = async (at: number) => {
      const source = rows.arrays();
      const batches = (await collect(source.batches(at) as AsyncIterable<{ x: unknown; y: unknown }>)) as {
        x: { data: Int32Array };
        y: { data: Int32Array };
      }[];
      for (const { x, y } of batches) expect(x.data).toEqual(y.data);
      return batches.flatMap(({ x }) => [...x.data]);
    };
    const [first, second] = [await epoch(0), await epoch(1)];
    expect(await epoch(0)).toEqual(first);
    expect(second).not.toEqual(first);
    for (const order of [first, second]) {
      expect([...order].sort((a, b) => a - b)).toEqual([...numbers]);
      expect(Math.max(...order.slice(0, 40))).toBe(39); // within the buffer
      expect(order.slice(0, 8)).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
    const mapped = await collect(rows.map(({ x }) => ({ x, y: x })));
    expect(mapped.flatMap(({ y }) => [...y.data])).toEqual(first);
    for (const bad of [0, 1.5, "8"]) expect(() => rows.shuffle(bad as number)).toThrow(/shuffle: buffer must be/);
    expect(() => rows.map(5 as never)).toThrow(/map: f must be a function/);
  });

  test("errors before the first batch", async () => {
    const file = fileOf("one axis");
    await expect(npyRows({ x: file, y: fileOf("<f4") })).rejects.toMatchObject({ code: "shape" });
    await expect(npyRows(fileOf("scalar"))).rejects.toMatchObject({ code: "shape" });
    await expect(npyRows(fileOf("empty"))).rejects.toMatchObject({ code: "shape" });
    await expect(npyRows(file.subarray(0, -1))).rejects.toMatchObject({ code: "format" });
    await expect(npyRows(file, { rows: 0 })).rejects.toMatchObject({ code: "argument" });
    await expect(npyRows({})).rejects.toMatchObject({ code: "argument" });
    const rows = await npyRows(bytesOf(oracle.refused["beyond int32"]), { rows: 1 });
    await expect(collect(rows)).rejects.toMatchObject({ code: "data" });
  });
});

describe("saveNpy", () => {
  test.each([
    Float32Array,
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
  ])("writes a %o as it is", async (type) => {
    const data = type.from([0, 1, 2, 3, 4, 5]);
    expect(plain(await npy(await saveNpy({ data, shape: [3, 1, 2] })))).toEqual({ data: [...data], shape: [3, 1, 2] });
  });

  test("NumPy's own bytes, but for the header's room", async () => {
    const ours = await saveNpy({ data: Float32Array.from(valuesOf("<f4").data), shape: [3, 2] });
    expect(ours).toEqual(fileOf("<f4"));
    expect(await saveNpy([0, 1, 2, 3, 4])).toEqual(fileOf("one axis"));
  });

  test("rows as they come give the bytes of the whole; the path holds all or what it held", async () => {
    const path = join(root, "rows.npy");
    const part = (n: number, from: number) => ({
      data: Float64Array.from({ length: 3 * n }, (_, i) => from + i),
      shape: [n, 3],
    });
    await saveNpy([part(2, 0), part(5, 6)], path);
    const whole = await saveNpy(part(7, 0));
    expect(new Uint8Array(await readFile(path))).toEqual(whole);
    async function* broken() {
      yield part(2, 0);
      throw new Error("mine");
    }
    await expect(saveNpy(broken(), path)).rejects.toThrow("mine");
    await expect(saveNpy([part(1, 0), { data: new Float64Array(4), shape: [2, 2] }], path)).rejects.toMatchObject({
      code: "shape",
    });
    await expect(saveNpy([part(1, 0), new Float32Array(3)], path)).rejects.toMatchObject({ code: "shape" });
    await expect(saveNpy([] as never[], path)).rejects.toMatchObject({ code: "shape" });
    await expect(saveNpy((async function* () {})(), path)).rejects.toMatchObject({ code: "data" });
    expect(new Uint8Array(await readFile(path))).toEqual(whole);
    expect(readdirSync(root).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await expect(saveNpy([part(1, 0)], undefined as never)).rejects.toMatchObject({ code: "argument" });
    await expect(saveNpy(new Float32Array(1), 5 as never)).rejects.toMatchObject({ code: "argument" });
    const scaled = (await npyRows(path, { rows: 2 })).map(({ data, shape }) => ({
      data: data.map((v) => v * 2),
      shape,
    }));
    await saveNpy(scaled, path); // over the file that is read
    expect((await npy(path)).data).toEqual(part(7, 0).data.map((v) => v * 2));
  });
});

describe("npz", () => {
  const archive = (name: keyof typeof oracle.archives) => bytesOf(oracle.archives[name]);
  const cube = Array.from({ length: 24 }, (_, i) => i);

  test.each(["stored", "deflated"] as const)("reads an archive that is %s", async (name) => {
    const { x, y, "deep/name": deep, scalar } = await npz(archive(name));
    expect(plain(x!)).toEqual({ data: cube, shape: [2, 3, 4] });
    expect(plain(y!)).toEqual({ data: [1, 0], shape: [2] });
    expect(deep!.data).toEqual(Float64Array.of(0, 1, 2));
    expect(plain(scalar!)).toEqual({ data: [0.5], shape: [] });
    const path = join(root, `${name}.npz`);
    await writeFile(path, archive(name));
    expect(Object.keys(await npz(path))).toEqual(["x", "y", "deep/name", "scalar"]);
  });

  test("reads what was saved by position, and in Fortran's order; refuses objects", async () => {
    expect(plain((await npz(archive("positional")))["arr_0"]!)).toEqual({ data: cube, shape: [2, 3, 4] });
    expect(plain((await npz(archive("fortran")))["x"]!)).toEqual({ data: cube, shape: [2, 3, 4] });
    await expect(npz(archive("objects"))).rejects.toThrow(/npz: x: expected numbers, got Python objects/);
  });

  test("maxBytes bounds what is unpacked", async () => {
    expect((await npz(archive("zeros")))["x"]!.shape).toEqual([200_000]);
    await expect(npz(archive("zeros"), { maxBytes: 1_000_000 })).rejects.toMatchObject({
      code: "memory",
      message: "npz: expected arrays of at most 1000000 bytes (maxBytes), got 1600128",
    });
    await expect(npz(archive("zeros"), { maxBytes: 0 })).rejects.toMatchObject({ code: "argument" });
  });

  test("a directory that claims what its bytes cannot hold is refused before anything is unpacked", async () => {
    const bytes = archive("zeros");
    const view = new DataView(bytes.buffer);
    const directory = view.getUint32(bytes.length - 6, true);
    view.setUint32(directory + 24, 0x3fffffff, true); // uncompressed size
    await expect(npz(bytes)).rejects.toMatchObject({
      code: "format",
      message: expect.stringMatching(/can hold, got a size of 1073741823/),
    });
    view.setUint32(directory + 24, 1_600_127, true);
    await expect(npz(bytes)).rejects.toMatchObject({ code: "format" });
    view.setUint32(directory + 24, 1_600_128, true);
    bytes[200]! ^= 1;
    await expect(npz(bytes)).rejects.toMatchObject({ code: "format" });
  });

  test("what is no archive, or holds no arrays, is format", async () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), fileOf("<f4"), archive("stored").subarray(0, -30)])
      await expect(npz(bytes)).rejects.toMatchObject({ code: "format" });
    const path = join(root, "g.npz");
    await writeFile(path, new Uint8Array(100));
    await expect(npz(path)).rejects.toThrow(
      `npz: ${path}: expected a zip archive of arrays, which begins with PK, got 100`,
    );
    await expect(npz(fileOf("<f4"))).rejects.toThrow("got an npy file, which npy reads");
    await expect(npy(archive("stored"))).rejects.toThrow("got a zip archive, which npz reads");
    await writeFile(path, archive("stored").subarray(0, -30));
    await expect(npzRows(path)).rejects.toThrow(
      `npzRows: ${path}: expected a zip archive that is whole, got a damaged one`,
    );
  });

  test("npzRows: by rows, side by side, under other names", async () => {
    for (const compress of [false, true]) {
      const path = join(root, "r.npz");
      const x = { data: Float32Array.from({ length: 2000 }, (_, i) => i), shape: [1000, 2] };
      const y = Int32Array.from({ length: 1000 }, (_, i) => i % 7);
      await saveNpz({ "x/train": x, y, other: [1] }, path, { compress });
      const rows = await npzRows(path, { rows: 300, arrays: { x: "x/train", y: "y" } });
      expect(rows.size).toBe(1000);
      for (let times = 0; times < 2; times++) {
        const batches = await collect(rows);
        expect(batches.map(({ x }) => x!.shape[0])).toEqual([300, 300, 300, 100]);
        expect(batches.flatMap(({ x }) => [...x!.data])).toEqual([...x.data]);
        expect(batches.flatMap(({ y }) => [...y!.data])).toEqual([...y]);
      }
      for await (const batch of rows) if (batch) break; // what is left is not unpacked
      await expect(npzRows(path)).rejects.toMatchObject({ code: "shape" });
      await expect(npzRows(path, { arrays: { x: "no" } })).rejects.toMatchObject({ code: "argument" });
    }
    await expect(npzRows(archive("fortran"))).rejects.toThrow(/row-major order, to be read by rows, got fortran_order/);
  });

  test("saveNpz: the same bytes twice; rows as they come give the same arrays", async () => {
    const x = { data: Float32Array.from({ length: 600 }, (_, i) => i % 10), shape: [200, 3] };
    const y = Int32Array.from({ length: 200 }, (_, i) => i % 3);
    for (const compress of [false, true]) {
      const path = join(root, "s.npz");
      const bytes = await saveNpz({ x, y }, path, { compress });
      expect(new Uint8Array(await readFile(path))).toEqual(bytes);
      expect(await saveNpz({ x, y }, undefined, { compress })).toEqual(bytes);
      await saveNpz(dataset({ x, y }).batch(64), path, { compress });
      const read = await npz(path);
      expect(read["x"]).toEqual(x);
      expect(read["y"]).toEqual({ data: y, shape: [200] });
      expect(readdirSync(root).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }
    expect((await saveNpz({ x }, undefined, { compress: true })).length).toBeLessThan(800);
    for (const bad of [{}, 5, null, { x: "no" }, { "../x": [1] }, { "": [1] }, { "a\\b": [1] }])
      await expect(saveNpz(bad as never)).rejects.toMatchObject({ name: "DownhillError" });
    await expect(saveNpz([{ x }, { x, y }], join(root, "bad.npz"))).rejects.toMatchObject({ code: "argument" });
    expect(existsSync(join(root, "bad.npz"))).toBe(false);
  });
});
