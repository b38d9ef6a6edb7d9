// Folders of images by class: which files there are, and of which class. Decoding is images.ts.

import { decodeImage, listTree } from "#platform";
import { argumentError, DownhillError, show, wrong } from "../errors";
import { check, count, field, listOf, optional, or, readOptions, text } from "../options";
import type { Batch } from "./sources";

/** Options of `dataset.fromFiles`. */
export interface FilesOptions {
  /** Height and width that images are scaled to. */
  size: readonly [height: number, width: number];
  /** 3: red, green, blue; 1: gray; 4: with alpha. Without alpha what is transparent is black. Default 3. */
  channels?: 1 | 3 | 4;
  /** Examples of a batch where `.batch(n)` does not say. Default 32. */
  batchSize?: number;
  /** The classes, which are labelled in this order; other folders are left out. Default: all folders with images, sorted. */
  classes?: readonly string[];
}

/** A folder, or files of an `<input type="file" webkitdirectory>`. */
export type FilesSource = string | Iterable<Blob> | ArrayLike<Blob>;

/** Examples that are read when they are wanted. */
export interface LaterExamples {
  rows: number;
  /** Examples of a batch where none says. */
  size: number;
  classes: readonly string[];
  /** The examples that each part names, as arrays. */
  read(parts: Iterable<Uint32Array>): AsyncIterable<Batch>;
}

const WHO = "dataset.fromFiles";
const IMAGE = /\.(avif|bmp|gif|jpe?g|png|tiff?|webp)$/i;
/** Bytes that a batch may take. */
const MOST = 2 ** 30;

/** See `dataset.fromFiles`. */
export function imageFiles(source: FilesSource, given: FilesOptions): LaterExamples {
  const { accepts } = count();
  const {
    size: [height, width],
    channels,
    batchSize: size,
    classes: wanted,
  } = readOptions(WHO, given, {
    size: field<readonly [number, number]>(
      "[height, width], positive integers",
      (v) => Array.isArray(v) && v.length === 2 && v.every(accepts),
    ),
    channels: or(
      field<1 | 3 | 4>("1, 3 or 4", (v) => [1, 3, 4].includes(v as number)),
      3,
    ),
    batchSize: or(count(), 32),
    classes: optional(
      field<string[]>(
        "a list of names that differ",
        (v) =>
          listOf(text()).accepts(v) &&
          new Set(v as string[]).size === (v as string[]).length &&
          (v as string[]).length > 0,
      ),
    ),
  });
  if (size * height * width * channels > MOST)
    throw new DownhillError(
      "memory",
      `${WHO}: expected batches of at most ${MOST} bytes, got ${size * height * width * channels}`,
    );
  const found = listImages(source);
  const classes = wanted ?? [...new Set(found.map(({ path }) => classOf(path)))].sort();
  const files = found
    .map((file) => ({ ...file, label: classes.indexOf(classOf(file.path)) }))
    .filter(({ label }) => label >= 0);
  const where = typeof source === "string" ? ` in the folder ${show(source)}` : "";
  if (!files.length)
    throw new DownhillError("data", `${WHO}: expected folders of images, one a class${where}, got none`);
  const empty = classes.findIndex((_, label) => !files.some((file) => file.label === label));
  if (empty >= 0)
    throw new DownhillError("data", `${WHO}: expected images of the class ${show(classes[empty])}${where}, got none`);
  const failure = (path: string, cause: unknown) =>
    cause instanceof DownhillError
      ? cause
      : new DownhillError("data", `${WHO}: cannot decode ${show(path)}: ${(cause as Error).message}`, { cause });
  return {
    rows: files.length,
    size,
    classes,
    async *read(parts) {
      const { imageBatches } = await import("./images");
      yield* imageBatches({ files, height, width, channels, decode: decodeImage, failure }, parts);
    },
  };
}

const classOf = (path: string) => path.slice(0, path.indexOf("/"));

/** All images by class, by their paths from the folder on, sorted. */
function listImages(source: FilesSource): { path: string; source: string | Blob }[] {
  const all =
    typeof source === "string"
      ? filesIn(check(WHO, "folder", text(), source)).map((path) => ({
          path,
          source: `${source.replace(/[/\\]+$/, "")}/${path}`,
        }))
      : listFiles(source);
  const images = all.filter(({ path }) => IMAGE.test(path) && path.includes("/") && !/(^|\/)\./.test(path));
  return images.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function filesIn(folder: string): string[] {
  try {
    return listTree(folder);
  } catch (error) {
    const { code, message, cause } = error as DownhillError;
    throw new DownhillError(code, `${WHO}: ${message}`, { cause });
  }
}

function listFiles(files: unknown) {
  if (typeof files !== "object" || files === null || !(Symbol.iterator in files || "length" in files))
    throw argumentError(WHO, "a folder's path, or a list of files", files);
  return Array.from(files as ArrayLike<unknown>, (file) => {
    const path = file instanceof Blob && (file as File).webkitRelativePath;
    if (!path)
      throw wrong(
        "argument",
        WHO,
        "files of an <input webkitdirectory>, with their paths",
        file instanceof Blob ? "a Blob without one" : show(file),
      );
    return { path: path.slice(path.indexOf("/") + 1), source: file as Blob };
  });
}
