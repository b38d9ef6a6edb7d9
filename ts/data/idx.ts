// Image data sets in MNIST's own format, IDX (Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/):
//
//   0, 0, type (0x08 = uint8), rank; then rank sizes, uint32 big-endian; then the elements, row-major

import { listFolder } from "#platform";
import { DownhillError, show } from "../errors";
import type { NDArray } from "../ndarray";
import { check, count, or, readOptions, text } from "../options";
import type { LabelledImages, TrainTest } from "./digits";
import { MOST_BYTES, openSource, readSource, sayWho, streamSource, Taker } from "./files";
import { type Columns, Rows } from "./rows";

/** Elements that a file may have: more do not fit one array everywhere. */
const MOST = 2 ** 31 - 1;

/**
 * Reads a folder in MNIST's format: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
 * `t10k-labels-idx1-ubyte`, each plain or `.gz`, and also with the dot (`train-images.idx3-ubyte`) that some archivers
 * make of the second hyphen. `x` is uint8, NHWC: [n, rows, cols, 1], 0 to 255 as in the file (the layer
 * `rescaling({ scale: 1 / 255 })` brings it to [0, 1]); `y` is int32, [n].
 *
 * ```ts
 * const { train, test } = await idx("data/mnist");
 * ```
 *
 * Rejects with `data` where a file is missing or cannot be read, `format` where one is damaged.
 */
export async function idx(folder: string): Promise<TrainTest<Uint8Array>> {
  check("idx", "folder", text(), folder);
  const names = await sayWho("idx", listFolder(folder));
  const train = await readPart(folder, names, "train");
  const test = await readPart(folder, names, "t10k");
  checkSizes(folder, train.x.shape, test.x.shape);
  return { train, test };
}

/** Throws where the images of the two parts are not of one size. */
function checkSizes(folder: string, ...shapes: (readonly number[])[]): void {
  const [train, test] = shapes.map((shape) => shape.slice(1, 3).join(" × "));
  if (train !== test)
    throw new DownhillError(
      "format",
      `idx: ${folder}: expected test images of ${train} pixels as in training, got ${test}`,
    );
}

/** Options of `idxRows`. */
export interface IdxRowsOptions {
  /** Rows of a batch; the last may have fewer. Default 1024. */
  rows?: number;
}

/** A batch of images and their labels. */
export interface ImageBatch {
  /** [n, rows, cols, 1] */
  x: NDArray<Uint8Array>;
  /** Labels, [n]. */
  y: NDArray<Int32Array>;
}

/** The two parts of a folder. */
export interface IdxRows {
  /** What is trained on. */
  train: Rows<ImageBatch>;
  /** What is tested on. */
  test: Rows<ImageBatch>;
}

/**
 * The rows of a folder in MNIST's format, some at a time: batches `{ x, y }` such as `fit` takes. For files and types see
 * `idx`; what is `.gz` is unpacked as it is read.
 *
 * @example const { train, test } = await idxRows("data/mnist", { rows: 256 });
 * await model.fit(train.shuffle(8192), { epochs: 5 });
 * @throws DownhillError as `idx`
 */
export async function idxRows(folder: string, options?: IdxRowsOptions): Promise<IdxRows> {
  check("idxRows", "folder", text(), folder);
  const { rows } = readOptions("idxRows", options, { rows: or(count(), 1024) });
  const names = await sayWho("idx", listFolder(folder));
  const part = async (stem: string) => {
    const [images, labels] = [
      findFile(folder, names, `${stem}-images`, 3),
      findFile(folder, names, `${stem}-labels`, 1),
    ];
    const open = async () => [await openIdx(images, 3), await openIdx(labels, 1)] as const;
    const [x, y] = await open();
    await Promise.all([x.close(), y.close()]);
    const size = x.shape[0]!;
    if (y.shape[0] !== size) throw damaged(labels, `${size} labels, one for each image`, String(y.shape[0]));
    async function* read(): AsyncGenerator<Columns> {
      const [x, y] = await open();
      try {
        for (let at = 0; at < size; at += rows) {
          const n = Math.min(rows, size - at);
          const last = at + n === size;
          yield {
            x: { data: await x.take(n, last), shape: [n, ...x.shape.slice(1), 1] },
            y: { data: Int32Array.from(await y.take(n, last)), shape: [n] },
          };
        }
      } finally {
        await Promise.all([x.close(), y.close()]);
      }
    }
    return { shape: x.shape, rows: new Rows<ImageBatch>({ size, rows, read }) };
  };
  const [train, test] = [await part("train"), await part("t10k")];
  checkSizes(folder, train.shape, test.shape);
  return { train: train.rows, test: test.rows };
}

/** A file whose elements are taken off it. */
async function openIdx(path: string, rank: number) {
  const source = await openSource("idx", path);
  const packed = path.endsWith(".gz");
  const stream: ReadableStream<Uint8Array> = packed
    ? streamSource(source).pipeThrough(new DecompressionStream("gzip"))
    : streamSource(source);
  const taker = new Taker(stream, (cause) =>
    cause instanceof DownhillError || !packed ? cause : damaged(path, "gzip data", (cause as Error).message, cause),
  );
  const close = async () => {
    await taker.cancel();
    await source.close();
  };
  try {
    const start = 4 + 4 * rank;
    const header = await taker.take(start);
    if (header.length < start) throw damaged(path, `a header of ${start} bytes`, `${header.length} bytes in all`);
    const shape = readHeader(path, header, rank);
    const all = shape.reduce((a, b) => a * b);
    const expected = `${start + all} bytes for sizes ${show(shape)}`;
    if (!packed && source.size !== start + all) throw damaged(path, expected, `${source.size}`);
    const row = all / shape[0]!;
    let taken = 0;
    return {
      shape,
      /** The elements of n rows; with `last` no more may follow. */
      async take(n: number, last: boolean) {
        if (n * row > MOST_BYTES)
          throw new DownhillError(
            "memory",
            `idx: ${path}: expected batches of at most ${MOST_BYTES} bytes, got ${n * row}`,
          );
        const bytes = await taker.take(n * row);
        taken += bytes.length;
        if (bytes.length < n * row) throw damaged(path, expected, `${start + taken}`);
        if (last && !(await taker.ends())) throw damaged(path, expected, "more");
        return bytes;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readPart(folder: string, names: string[], part: string): Promise<LabelledImages<Uint8Array>> {
  const images = await readIdx(folder, names, `${part}-images`, 3);
  const labels = await readIdx(folder, names, `${part}-labels`, 1);
  const n = images.shape[0]!;
  if (labels.shape[0] !== n) throw damaged(labels.path, `${n} labels, one for each image`, String(labels.shape[0]));
  return {
    x: { data: images.data, shape: [...images.shape, 1] },
    y: { data: Int32Array.from(labels.data), shape: [n] },
  };
}

const damaged = (path: string, expected: string, got: string, cause?: unknown) =>
  new DownhillError("format", `idx: ${path}: expected ${expected}, got ${got}`, { cause });

/** The file's name in the folder, of those that it may have. */
function findFile(folder: string, names: string[], stem: string, rank: number): string {
  const plain = [`${stem}-idx${rank}-ubyte`, `${stem}.idx${rank}-ubyte`];
  const name = [...plain, ...plain.map((p) => `${p}.gz`)].find((candidate) => names.includes(candidate));
  if (!name)
    throw new DownhillError(
      "data",
      `idx: expected ${plain[0]} or ${plain[0]}.gz in the folder ${show(folder)}, got none`,
    );
  return `${folder.replace(/[/\\]+$/, "")}/${name}`;
}

async function readIdx(folder: string, names: string[], stem: string, rank: number) {
  const path = findFile(folder, names, stem, rank);
  const bytes = await readSource("idx", path);
  return { path, ...(await parse(path, rank, path.endsWith(".gz") ? inflate(path, bytes) : [bytes])) };
}

async function* inflate(path: string, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  try {
    yield* new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
  } catch (cause) {
    throw damaged(path, "gzip data", (cause as Error).message, cause);
  }
}

/** Puts a file together from its pieces. Nothing is allocated for elements that did not come. */
async function parse(path: string, rank: number, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  const start = 4 + 4 * rank;
  const all: Uint8Array[] = [];
  let length = 0;
  let shape: number[] | undefined;
  let expected = start;
  for await (const piece of pieces) {
    all.push(piece);
    length += piece.length;
    if (!shape && length >= start) {
      shape = readHeader(path, join(all, length), rank);
      expected = start + elements(path, shape);
    }
    if (length > expected) break; // a bomb is not unpacked to its end
  }
  if (!shape) throw damaged(path, `a header of ${start} bytes`, `${length} bytes in all`);
  if (length !== expected)
    throw damaged(path, `${expected} bytes for sizes ${show(shape)}`, length > expected ? "more" : `${length}`);
  return { shape, data: join(all, length).slice(start) };
}

function join(pieces: Uint8Array[], length: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The sizes that the header states. */
function readHeader(path: string, bytes: Uint8Array, rank: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const magic = view.getUint32(0);
  if (magic !== 0x0800 + rank)
    throw damaged(path, `the magic number ${0x0800 + rank} (uint8, rank ${rank})`, `${magic}`);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  if (shape.includes(0)) throw damaged(path, "sizes of at least 1", show(shape));
  return shape;
}

function elements(path: string, shape: number[]): number {
  const count = shape.reduce((a, b) => a * b);
  if (count > MOST)
    throw new DownhillError("memory", `idx: ${path}: expected at most ${MOST} bytes, got sizes ${show(shape)}`);
  return count;
}
