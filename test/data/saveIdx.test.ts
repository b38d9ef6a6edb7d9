import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { idx, idxRows } from "../../ts/data/idx";
import { saveIdx } from "../../ts/data/saveIdx";
import { dataset } from "../../ts/index";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-saveIdx-"));
});
afterAll(() => rm(root, { recursive: true }));

const images = (n: number, from = 0) => ({
  x: { data: Uint8Array.from({ length: 6 * n }, (_, i) => from + i), shape: [n, 3, 2, 1] },
  y: { data: Int32Array.from({ length: n }, (_, i) => (i * 3) % 10), shape: [n] },
});
const data = { train: images(7), test: images(3, 100) };

test("what saveIdx wrote, idx reads; without a folder the bytes are given", async () => {
  expect(await saveIdx(data, `${root}/`)).toBeUndefined();
  expect(await idx(root)).toEqual(data);
  const files = await saveIdx(data);
  expect(Object.keys(files).sort()).toEqual((await readdir(root)).sort());
  for (const [name, bytes] of Object.entries(files))
    expect(new Uint8Array(await readFile(join(root, name)))).toEqual(bytes);
});

test("batches as they come are written as the whole is", async () => {
  const rows = await idxRows(root, { rows: 2 });
  expect([rows.train.size, rows.test.size]).toEqual([7, 3]);
  await saveIdx({ train: dataset(data.train).batch(3), test: rows.test }, root); // over what is read
  expect(await idx(root)).toEqual(data);
});

test("idxRows gives idx in batches, of plain files and of .gz, again each time", async () => {
  await saveIdx(data, root);
  for (const packed of [false, true]) {
    if (packed)
      for (const name of await readdir(root)) {
        await writeFile(join(root, `${name}.gz`), gzipSync(await readFile(join(root, name))));
        await rm(join(root, name));
      }
    const { train } = await idxRows(root, { rows: 3 });
    for (let times = 0; times < 2; times++) {
      const [x, y, shapes]: [number[], number[], string[]] = [[], [], []];
      for await (const batch of train) {
        x.push(...batch.x.data);
        y.push(...batch.y.data);
        shapes.push(batch.x.shape.join());
      }
      expect(shapes).toEqual(["3,3,2,1", "3,3,2,1", "1,3,2,1"]);
      expect(x).toEqual([...data.train.x.data]);
      expect(y).toEqual([...data.train.y.data]);
    }
    for await (const batch of train) if (batch) break;
  }
});

test("damaged files: a header is checked at once, packed bytes as they come", async () => {
  const images = join(root, "train-images-idx3-ubyte");
  await rm(`${images}.gz`, { force: true });
  const whole = (await saveIdx(data))["train-images-idx3-ubyte"]!;
  const all = async () => {
    for await (const batch of (await idxRows(root, { rows: 2 })).train) if (!batch) break;
  };
  const bad = {
    short: whole.subarray(0, -1),
    long: Uint8Array.of(...whole, 0),
    none: new Uint8Array(0),
    magic: Uint8Array.of(1, ...whole.subarray(1)),
  };
  for (const bytes of Object.values(bad)) {
    await writeFile(images, bytes);
    await expect(idxRows(root)).rejects.toMatchObject({
      code: "format",
      message: expect.stringMatching(/^idx: .*train-images/),
    });
  }
  await rm(images);
  for (const bytes of Object.values(bad)) {
    await writeFile(`${images}.gz`, gzipSync(bytes));
    await expect(all()).rejects.toMatchObject({ code: "format" });
  }
  await writeFile(`${images}.gz`, gzipSync(whole).subarray(0, -9));
  await expect(all()).rejects.toMatchObject({ code: "format" });
  await expect(idxRows(join(root, "none"))).rejects.toMatchObject({ code: "data" });
  await expect(idxRows(root, { rows: -1 })).rejects.toMatchObject({ code: "argument" });
});

test("what MNIST's files cannot hold", async () => {
  const { x, y } = data.train;
  const bytes = (shape: number[]) => ({ data: new Uint8Array(shape.reduce((a, b) => a * b)), shape });
  for (const [train, code] of [
    [{ x: { data: new Float32Array(42), shape: x.shape }, y }, "argument"],
    [{ x: bytes([7, 3, 2, 3]), y }, "shape"],
    [{ x: bytes([7, 6]), y }, "shape"],
    [{ x: bytes([7, 2, 3]), y }, "shape"], // not as in test
    [{ x, y: Int32Array.of(1) }, "shape"],
    [{ x, y: Int32Array.of(0, 1, 2, 3, 4, 5, 256) }, "data"],
    [{ x, y: Int32Array.of(0, 1, 2, 3, 4, 5, -1) }, "data"],
    [{ x }, "argument"],
  ] as const) {
    await expect(saveIdx({ train: train as never, test: data.test })).rejects.toMatchObject({ code });
  }
  await expect(saveIdx({ train: data.train } as never)).rejects.toMatchObject({ code: "argument" });
  await expect(saveIdx(data, 5 as never)).rejects.toMatchObject({ code: "argument" });
  await expect(saveIdx(data, join(root, "none"))).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(
      /^saveIdx: cannot write ".*none.train-images-idx3-ubyte": there is no folder ".*none"$/,
    ),
  });
});
