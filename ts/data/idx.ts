// Image data sets in MNIST's own format, IDX (Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/):
//
//   0, 0, type (0x08 = uint8), rank; then rank sizes, uint32 big-endian; then the elements, row-major

import { listFolder, readFile } from "#platform";
import { DownhillError, show } from "../errors";
import { check, text } from "../options";
import type { LabelledImages, TrainTest } from "./digits";

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
  const names = await listFolder(folder);
  const train = await readPart(folder, names, "train");
  const test = await readPart(folder, names, "t10k");
  const [trainSize, testSize] = [train, test].map(({ x }) => x.shape.slice(1, 3).join(" × "));
  if (trainSize !== testSize)
    throw new DownhillError(
      "format",
      `idx: ${folder}: expected test images of ${trainSize} pixels as in training, got ${testSize}`,
    );
  return { train, test };
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

async function readIdx(folder: string, names: string[], stem: string, rank: number) {
  const plain = [`${stem}-idx${rank}-ubyte`, `${stem}.idx${rank}-ubyte`];
  const name = [...plain, ...plain.map((p) => `${p}.gz`)].find((candidate) => names.includes(candidate));
  if (!name)
    throw new DownhillError(
      "data",
      `idx: expected ${plain[0]} or ${plain[0]}.gz in the folder ${show(folder)}, got none`,
    );
  const path = `${folder.replace(/[/\\]+$/, "")}/${name}`;
  const bytes = await readFile(path);
  return { path, ...(await parse(path, rank, name.endsWith(".gz") ? inflate(path, bytes) : [bytes])) };
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
