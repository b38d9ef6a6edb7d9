import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageBatches } from "../../ts/data/images";
import {
  adam,
  dataset,
  dense,
  flatten,
  type Item,
  type NDArray,
  rescaling,
  sequential,
  setSeed,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-images-"));
  // the i-th image of a class is of one color, by which it is known
  for (const [c, name] of ["cats", "dogs", "eels"].entries())
    for (let i = 0; i < 4; i++) await image(`${name}/${i}.png`, c, i);
  await put("cats/notes.txt", Buffer.from("no image"));
  await put(".hidden/0.png", await png([1, 2, 3]));
  await put("cats/.thumb.png", Buffer.from("no image"));
  await put("stray.png", Buffer.from("of no class"));
});
afterAll(() => rm(root, { recursive: true }));

type Color = readonly [number, number, number];
const colorOf = (c: number, i: number): Color => [40 * c + i, 100 + i, 200 - c];
const png = ([r, g, b]: Color, width = 6, height = 5) =>
  sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer();
const put = async (path: string, bytes: Uint8Array) => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), bytes);
};
const image = async (path: string, c: number, i: number) => put(path, await png(colorOf(c, i)));
type Images = { x: NDArray<Uint8Array>; y: NDArray<Int32Array> };
const batchesOf = async (data: { arrays(): unknown }, epoch = 0) => {
  const all: Images[] = [];
  const source = data.arrays() as { batches(epoch: number): AsyncIterable<Images> };
  for await (const batch of source.batches(epoch)) all.push(batch);
  return all;
};
/** class and number of each image, by its color. */
const known = (batches: Images[], size = 3 * 4 * 3) =>
  batches.flatMap(({ x, y }) =>
    [...y.data].map((label, at) => {
      const [r, g] = x.data.subarray(at * size);
      expect(Math.floor(r! / 40)).toBe(label);
      return `${label}${g! - 100}`;
    }),
  );
const ALL = ["00", "01", "02", "03", "10", "11", "12", "13", "20", "21", "22", "23"];

describe("a folder of images", () => {
  test("classes by folder, sorted; bytes NHWC and int32 labels; in batches, each time again", async () => {
    const data = dataset.fromFiles(`${root}/`, { size: [3, 4], batchSize: 5 });
    expect(data.size).toBe(12);
    expect(data.classes).toEqual(["cats", "dogs", "eels"]);
    for (let times = 0; times < 2; times++) {
      const batches = await batchesOf(data);
      expect(batches.map(({ x }) => x.shape)).toEqual([
        [5, 3, 4, 3],
        [5, 3, 4, 3],
        [2, 3, 4, 3],
      ]);
      expect(batches[0]!.x.data).toBeInstanceOf(Uint8Array);
      expect(batches[0]!.y).toEqual({ data: Int32Array.of(0, 0, 0, 0, 1), shape: [5] });
      expect(known(batches)).toEqual(ALL);
      expect([...batches[2]!.x.data.subarray(0, 6)]).toEqual([...colorOf(2, 2), ...colorOf(2, 2)]);
    }
  });

  test("shuffles anew in each epoch, splits, takes, repeats, maps, batches as any dataset", async () => {
    const data = dataset.fromFiles(root, { size: [3, 4] });
    const [train, rest] = data.shuffle(1).split(0.75);
    expect([train.size, rest.size, rest.classes]).toEqual([9, 3, data.classes]);
    const [a, b] = [known(await batchesOf(train.batch(4))), known(await batchesOf(rest))];
    expect([...a, ...b].sort()).toEqual(ALL);
    expect(a).not.toEqual([...a].sort());
    const again = train.shuffle(2).batch(4);
    const [first, second] = [known(await batchesOf(again, 0)), known(await batchesOf(again, 1))];
    expect(first).not.toEqual(second);
    expect([...first].sort()).toEqual([...second].sort());
    expect(known(await batchesOf(again, 0))).toEqual(first);
    expect(known(await batchesOf(data.take(2)))).toEqual(["00", "01"]);
    expect((await batchesOf(data.bootstrap(1))).reduce((n, { y }) => n + y.data.length, 0)).toBe(12);
    const mapped = data.map(({ x, y }: Item) => ({
      x: (x as NDArray<Uint8Array>).data.slice(0, 1),
      y: 2 - (y as number),
    }));
    const [batch] = await batchesOf(
      mapped.batch(12).map(({ x, y }) => ({ x, y: { ...(y as object), marked: true } as never })),
    );
    expect([...(batch!.y.data as ArrayLike<number> as number[])]).toEqual([2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0]);
    expect(batch!.y).toMatchObject({ marked: true });
    expect(mapped.map(({ x }) => ({ x }) as never).arrays()).toBeTruthy();
  });

  test("channels: gray by luma, alpha, or black where it is transparent", async () => {
    await put(
      "one/a/0.png",
      await sharp({ create: { width: 2, height: 2, channels: 4, background: { r: 200, g: 100, b: 50, alpha: 0 } } })
        .png()
        .toBuffer(),
    );
    await put("one/a/1.png", await png([200, 100, 50]));
    await put(
      "one/a/2.png",
      await sharp({ create: { width: 3, height: 3, channels: 3, background: { r: 90, g: 90, b: 90 } } })
        .toColourspace("b-w")
        .png()
        .toBuffer(),
    );
    await put(
      "one/a/3.png",
      await sharp({ create: { width: 3, height: 3, channels: 3, background: { r: 255, g: 0, b: 255 } } })
        .toColourspace("rgb16")
        .png()
        .toBuffer(),
    );
    const folder = join(root, "one");
    const read = async (channels: 1 | 3 | 4) => [
      ...(await batchesOf(dataset.fromFiles(folder, { size: [1, 1], channels })))[0]!.x.data,
    ];
    expect(await read(3)).toEqual([0, 0, 0, 200, 100, 50, 90, 90, 90, 255, 0, 255]);
    expect(await read(1)).toEqual([0, Math.round(0.299 * 200 + 58.7 + 5.7), 90, Math.round(0.413 * 255)]);
    expect((await read(4)).filter((_, i) => i % 4 === 3)).toEqual([0, 255, 255, 255]);
    await rm(folder, { recursive: true });
  });

  test("JPEG, WebP and others; turned as EXIF says; in folders within", async () => {
    const wide = sharp(await png([250, 0, 0], 20, 10)).composite([
      { input: await png([0, 0, 250], 10, 10), left: 10, top: 0 },
    ]);
    for (const type of ["jpeg", "webp", "avif", "tiff", "gif"] as const)
      await put(
        `two/a/deep/x.${type === "jpeg" ? "JPG" : type}`,
        await wide
          .clone()
          .toFormat(type, { quality: 95 } as never)
          .toBuffer(),
      );
    await put("two/a/turned.jpg", await wide.clone().withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer());
    const folder = join(root, "two");
    const [{ x }] = (await batchesOf(dataset.fromFiles(folder, { size: [2, 2] }))) as [Images];
    expect(x.shape).toEqual([6, 2, 2, 3]);
    for (let i = 0; i < 5; i++) {
      const [r, , , r2, , b2] = x.data.subarray(i * 12);
      expect(r! > 200 && r2! < 50 && b2! > 200, `image ${i}`).toBe(true);
    }
    const turned = x.data.subarray(5 * 12); // red above blue
    expect(turned[0]! > 200 && turned[3]! > 200 && turned[8]! > 200 && turned[11]! > 200).toBe(true);
    await rm(folder, { recursive: true });
  });

  test("classes of one's own, in their order", async () => {
    const data = dataset.fromFiles(root, { size: [3, 4], classes: ["eels", "cats"] });
    expect([data.size, data.classes]).toEqual([8, ["eels", "cats"]]);
    const [{ y }] = (await batchesOf(data)) as [Images];
    expect([...y.data]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    const options = { size: [3, 4] as const };
    expect(() => dataset.fromFiles(root, { ...options, classes: ["cats", "cows"] })).toThrow(
      /images of the class "cows".* got none/,
    );
    expect(() => dataset.fromFiles(root, { ...options, classes: ["cats", "cats"] })).toThrow(
      /a list of names that differ/,
    );
  });

  test("an image that is broken is a data error that names it", async () => {
    await put("bad/a/0.png", (await png([1, 2, 3], 40, 40)).subarray(0, 60));
    await put("bad/a/1.png", Buffer.from("no image"));
    const data = dataset.fromFiles(join(root, "bad"), { size: [3, 4] });
    await expect(batchesOf(data)).rejects.toMatchObject({
      name: "DownhillError",
      code: "data",
      message: expect.stringMatching(/^dataset.fromFiles: cannot decode "a\/[01].png": /),
    });
    await rm(join(root, "bad"), { recursive: true });
  });

  test("wrong arguments", async () => {
    const size = [2, 2] as const;
    for (const [source, options, code] of [
      [root, undefined, "argument"],
      [root, {}, "argument"],
      [root, { size: 3 }, "argument"],
      [root, { size: [3, 0] }, "argument"],
      [root, { size: [3, 3, 3] }, "argument"],
      [root, { size, channels: 2 }, "argument"],
      [root, { size, batchSize: 0 }, "argument"],
      [root, { size, classes: [] }, "argument"],
      [root, { size, clases: ["a"] }, "argument"],
      [root, { size: [40000, 40000] }, "memory"],
      [join(root, "none"), { size }, "data"],
      [join(root, "cats"), { size }, "data"],
      [5, { size }, "argument"],
      [[new Blob()], { size }, "argument"],
      [[], { size }, "data"],
    ] as const)
      expect(() => dataset.fromFiles(source as never, options as never), JSON.stringify(options)).toThrow(
        expect.objectContaining({
          name: "DownhillError",
          code,
          message: expect.stringMatching(/^dataset.fromFiles: /),
        }),
      );
    expect(() => dataset.fromFiles([new Blob()], { size })).toThrow(/with their paths, got a Blob without one$/);
  });
});

test("files of an input element, by their paths", async () => {
  const files = await Promise.all(
    ["dogs/1.png", "cats/2.png", "dogs/0.png", "readme.md"].map(async (path) => {
      const [c, i] = [path.startsWith("dogs") ? 1 : 0, Number(/\d/.exec(path) ?? 0)];
      return Object.assign(new Blob([(await png(colorOf(c, i))) as BlobPart]), { webkitRelativePath: `pets/${path}` });
    }),
  );
  const data = dataset.fromFiles(files, { size: [3, 4] });
  expect(data.classes).toEqual(["cats", "dogs"]);
  expect(known(await batchesOf(data))).toEqual(["02", "10", "11"]);
});

test("few are decoded at a time, one batch ahead, and none once nobody reads", async () => {
  let [running, most, done] = [0, 0, 0];
  const files = Array.from({ length: 200 }, (_, i) => ({ path: `a/${i}`, source: "", label: i }));
  const set = {
    files,
    height: 1,
    width: 1,
    channels: 3 as const,
    failure: (_: string, cause: unknown) => cause,
    async decode() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      done++;
      return new Uint8Array(3);
    },
  };
  const parts = Array.from({ length: 10 }, (_, i) => Uint32Array.from({ length: 20 }, (_, j) => 20 * i + j));
  const labels: number[] = [];
  for await (const { y } of imageBatches(set, parts)) {
    labels.push(...y.data);
    expect(done).toBeLessThanOrEqual(labels.length + 20);
    if (labels.length === 60) break;
  }
  expect(labels).toEqual(Array.from({ length: 60 }, (_, i) => i));
  expect(most).toBe(8);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(done).toBeLessThan(60 + 20 + 8 + 1);
});

test("fit and evaluate read it; equal seeds give equal bits", async () => {
  const hashes = [];
  for (let times = 0; times < 2; times++) {
    setSeed(3);
    const model = sequential([rescaling({ scale: 1 / 255, inputShape: [3, 4, 3] }), flatten(), dense(3)]);
    model.compile({ optimizer: adam({ learningRate: 0.05 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    const data = dataset.fromFiles(root, { size: [3, 4] });
    await model.fit(data.shuffle(1).batch(4), { epochs: 30 });
    expect((await model.evaluate(data)).accuracy).toBe(1);
    const all = (await data.split(0.5)[1].toArrays()) as Images;
    expect(known([all])).toEqual(ALL.slice(6));
    const { epochs } = await model.fit(data, { validationData: all });
    expect(epochs[0]!["valAccuracy"]).toBe(1);
    await expect(data.batch(2).toArrays()).rejects.toMatchObject({ code: "state" });
    hashes.push(await weightsHash(model));
  }
  expect(hashes[0]).toBe(hashes[1]);
});
