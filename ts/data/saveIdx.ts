// Image data sets in MNIST's own format, written. For the format see idx.ts.

import { argumentError, DownhillError, shapeError } from "../errors";
import { check, isRecord, text } from "../options";
import type { AtomicFile } from "../runtime/platform/files";
import { readArray } from "./arrays";
import { memoryFile, writeFiles } from "./files";
import { type Batch, isBatchSource, readFitData } from "./sources";

/** Images and labels: arrays, a dataset, or batches as they come. */
export type IdxData =
  | Batch
  | {
      /** As a dataset's. */
      arrays(): unknown;
    }
  | Iterable<Batch>
  | AsyncIterable<Batch>;

/** The two parts of such a folder. */
export interface IdxParts {
  /** What is trained on. */
  train: IdxData;
  /** What is tested on. */
  test: IdxData;
}

type Sink = Pick<AtomicFile, "write">;

const PARTS = { train: "train", test: "t10k" };

/**
 * Writes images and labels as the four files of MNIST, such as `idx` reads: `train-images-idx3-ubyte`,
 * `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`. x is of bytes, [n, rows, cols] or
 * [n, rows, cols, 1]; y are integers in 0 … 255, [n].
 *
 * @param data `train` and `test`, each { x, y }, a dataset, or an (async) iterable of batches { x, y }, written as they come
 * @param folder where they go, a folder that is there, each atomically, when all are whole; without it they are given only
 * @returns a promise of a record from file name to bytes; with a folder of nothing
 * @example await saveIdx({ train: { x, y }, test: { x: xTest, y: yTest } }, "data/mine");
 * @throws DownhillError `argument`, `shape`, `data`
 */
export function saveIdx<F extends string | undefined = undefined>(
  data: IdxParts,
  folder?: F,
): Promise<F extends string ? undefined : Record<string, Uint8Array>>;
export async function saveIdx(data: IdxParts, folder?: string): Promise<Record<string, Uint8Array> | undefined> {
  if (folder !== undefined) check("saveIdx", "folder", text(), folder);
  if (!isRecord(data) || Object.keys(data).sort().join() !== "test,train")
    throw argumentError("saveIdx", "{ train, test }", data);
  const parts = Object.entries(PARTS).map(([key, stem]) => ({
    who: `saveIdx: ${key}`,
    source: readFitData(`saveIdx: ${key}`, data[key as keyof typeof PARTS]),
    names: [`${stem}-images-idx3-ubyte`, `${stem}-labels-idx1-ubyte`],
  }));
  const names = parts.flatMap((part) => part.names);
  const write = async (files: readonly Sink[]) => {
    let size: string | undefined;
    for (const [i, { who, source }] of parts.entries()) {
      const batches = isBatchSource(source) ? source.batches(0) : [source];
      size = await writePart(who, batches, files[2 * i]!, files[2 * i + 1]!, size);
    }
  };
  if (folder !== undefined) {
    const base = folder.replace(/[/\\]+$/, "");
    await writeFiles(
      "saveIdx",
      names.map((name) => `${base}/${name}`),
      write,
    );
    return undefined;
  }
  const files = names.map(memoryFile);
  await write(files);
  return Object.fromEntries(names.map((name, i) => [name, files[i]!.bytes()]));
}

const header = (...sizes: number[]) => {
  const bytes = new Uint8Array(4 + 4 * sizes.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + sizes.length);
  for (const [i, size] of sizes.entries()) view.setUint32(4 + 4 * i, size);
  return bytes;
};

/** Returns the size of the images, which is that of the part before where there is one. */
async function writePart(
  who: string,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  images: Sink,
  labels: Sink,
  before: string | undefined,
): Promise<string> {
  let all = 0;
  let size = before;
  let sizes: number[] = [];
  for await (const { x, y } of batches) {
    const { data, shape = [] } = readArray(`${who}: x`, x);
    if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
      throw argumentError(`${who}: x`, "bytes", data);
    const [n, height, width, channels = 1] = shape;
    if (shape.length < 3 || shape.length > 4 || channels !== 1)
      throw shapeError(`${who}: x`, "images", ["n", "rows", "cols", 1], shape);
    sizes = [height!, width!];
    size ??= sizes.join();
    if (sizes.join() !== size) throw shapeError(`${who}: x`, "images", `[n, ${size}]`, shape);
    const { data: classes } = readArray(`${who}: y`, y);
    if (classes.length !== n)
      throw new DownhillError("shape", `${who}: y: expected ${n} labels, one for each image, got ${classes.length}`);
    const wrong = (classes as Int32Array).findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < 256));
    if (wrong >= 0)
      throw new DownhillError(
        "data",
        `${who}: y: expected an integer in 0 … 255 in row ${all + wrong}, got ${classes[wrong]}`,
      );
    if (!all) {
      await images.write(header(0, ...sizes));
      await labels.write(header(0));
    }
    all += n!;
    await images.write(new Uint8Array(data.buffer, data.byteOffset, data.length));
    await labels.write(Uint8Array.from(classes));
  }
  if (!all) throw new DownhillError("data", `${who}: expected at least one image, got none`);
  await images.write(header(all, ...sizes), 0);
  await labels.write(header(all), 0);
  return size!;
}
