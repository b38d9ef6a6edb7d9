// Datasets: examples, and what is to be done with them, lazily. Order, batches and maps commute: an order is worked out
// over examples (or batches), maps are applied to what is read.

import { argumentError, DownhillError, show } from "../errors";
import type { NumberArray } from "../ndarray";
import { check, count, natural } from "../options";
import { readArray, takeRows } from "./arrays";
import { type FilesOptions, type FilesSource, imageFiles, type LaterExamples } from "./imageFiles";
import { Order, type Step } from "./order";
import type { Arrays, Batch, BatchSource } from "./sources";

/** What `map` is given and gives: one example, or after `batch` one batch. */
export interface Item {
  /** What the model is given: of an example without the batch's axis. */
  x: unknown;
  /** What it is to predict. */
  y: unknown;
  /** How much the example counts, ≥ 0. */
  sampleWeight?: unknown;
}

/** Arrays with one row an example, in whatever record or list they are given. */
type Tree<T> = T | Tree<T>[] | { [key: string]: Tree<T> };

/** A leaf: rows of numbers; `shape` (of a row) undefined where a flat typed array implies it. */
interface Rows {
  data: NumberArray;
  shape: readonly number[] | undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  !("data" in value && "shape" in value) &&
  Object.keys(value).length > 0;

const isList = (value: unknown): value is unknown[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((v) => typeof v === "object" && v !== null) &&
  !Array.isArray(value[0]);

/** Applies `leaf` to each array of a record or list of them. */
function mapTree<T>(value: unknown, who: string, leaf: (value: unknown, who: string) => T): Tree<T> {
  if (isList(value)) return value.map((v, i) => mapTree(v, `${who}[${i}]`, leaf));
  if (!Array.isArray(value) && isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, mapTree(v, `${who}.${key}`, leaf)]));
  return leaf(value, who);
}

const isLeaf = (value: Tree<Rows>): value is Rows =>
  "data" in value && ArrayBuffer.isView((value as Rows).data) && "shape" in value;

/** Applies `leaf` to each leaf of a tree of rows. */
function mapRows<T>(value: Tree<Rows>, leaf: (rows: Rows) => T): unknown {
  if (isLeaf(value)) return leaf(value);
  if (Array.isArray(value)) return value.map((v) => mapRows(v, leaf));
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, mapRows(v, leaf)]));
}

const KEYS = ["x", "y", "sampleWeight"] as const;
type Key = (typeof KEYS)[number];

/** The item's arrays; throws where it is none. */
function readItem(who: string, item: unknown): [Key, unknown][] {
  if (typeof item !== "object" || item === null || !("x" in item) || !("y" in item))
    throw argumentError(who, "{ x, y } and perhaps sampleWeight", item);
  for (const key of Object.keys(item))
    if (!KEYS.includes(key as Key) && key !== "columns" && key !== "classes")
      throw argumentError(who, "x, y and perhaps sampleWeight", key);
  return KEYS.filter((key) => (item as Item)[key] !== undefined).map((key) => [key, (item as Item)[key]]);
}

/** The examples behind a dataset, in memory. */
interface Examples {
  rows: number;
  /** Of a table: the names of the classes. */
  classes: readonly string[] | undefined;
  arrays: readonly (readonly [Key, Tree<Rows>])[];
}

function readExamples(given: unknown): Examples {
  let rows = -1;
  const leaves: Rows[] = [];
  const arrays = readItem("dataset", given).map(([key, value]) => {
    const tree = mapTree(value, `dataset: ${key}`, (array, who): Rows => {
      const { data, shape } = readArray(who, array);
      const leaf = { data, shape: shape?.slice(1) };
      leaves.push(leaf);
      if (!shape) return leaf;
      if (shape.length === 0 || shape[0] === 0)
        throw new DownhillError("shape", `${who}: expected at least one example, got shape [${shape.join(", ")}]`);
      if (rows >= 0 && shape[0] !== rows)
        throw new DownhillError("shape", `${who}: expected ${rows} examples, got ${shape[0]}`);
      rows = shape[0]!;
      return leaf;
    });
    return [key, tree] as const;
  });
  // where all are flat, y has one number an example
  if (rows < 0) rows = (arrays.find(([key]) => key === "y")![1] as Rows).data?.length ?? 0;
  for (const { data, shape } of leaves)
    if (rows === 0 || data.length === 0 || data.length % rows !== 0)
      throw new DownhillError(
        "shape",
        `dataset: expected a multiple of ${rows || "n > 0"} numbers, got ${data.length}${shape ? "" : " in a flat array"}`,
      );
  return { rows, classes: (given as { classes?: string[] }).classes, arrays };
}

/** Some examples as arrays. */
function take({ rows, arrays }: Examples, indices: Uint32Array): Batch {
  const entries = arrays.map(([key, tree]) => [
    key,
    mapRows(tree, ({ data, shape }) => {
      const part = takeRows(data, data.length / rows, indices);
      return shape ? { data: part, shape: [indices.length, ...shape] } : part;
    }),
  ]);
  return Object.fromEntries(entries) as Batch;
}

/** One example: arrays of a row's shape; numbers where a row is one. */
function exampleAt({ rows, arrays }: Examples, index: number): Item {
  const entries = arrays.map(([key, tree]) => [
    key,
    mapRows(tree, ({ data, shape }) => {
      const size = data.length / rows;
      if (size === 1 && !shape?.length) return data[index]!;
      const row = data.slice(index * size, (index + 1) * size);
      return shape ? { data: row, shape } : row;
    }),
  ]);
  return Object.fromEntries(entries) as Item;
}

/** Examples put together again. */
function stack(items: readonly Item[]): Batch {
  const who = "dataset: map";
  const parts = items.map((item) => readItem(who, item));
  return Object.fromEntries(
    parts[0]!.map(([key]) => [
      key,
      stackTrees(
        `${who}: ${key}`,
        parts.map((part) => part.find(([k]) => k === key)?.[1]),
      ),
    ]),
  ) as unknown as Batch;
}

function stackTrees(who: string, values: readonly unknown[]): unknown {
  const [first] = values;
  if (isList(first))
    return first.map((_, i) =>
      stackTrees(
        `${who}[${i}]`,
        values.map((v) => (v as unknown[] | undefined)?.[i]),
      ),
    );
  if (!Array.isArray(first) && isRecord(first))
    return Object.fromEntries(
      Object.keys(first).map((key) => [
        key,
        stackTrees(
          `${who}.${key}`,
          values.map((v) => (v as Record<string, unknown> | undefined)?.[key]),
        ),
      ]),
    );
  const leaves = values.map((v) => readLeaf(who, v));
  const { data, shape } = leaves[0]!;
  const stacked = new (data.constructor as new (length: number) => NumberArray)(data.length * leaves.length);
  leaves.forEach((leaf, i) => {
    if (leaf.data.length !== data.length || leaf.shape?.join() !== shape?.join())
      throw new DownhillError(
        "shape",
        `${who}: expected all examples of one shape, [${shape ?? data.length}], got [${leaf.shape ?? leaf.data.length}]`,
      );
    if (leaf.data.constructor !== data.constructor)
      throw argumentError(who, `a ${data.constructor.name} for each example`, leaf.data);
    stacked.set(leaf.data as never, i * data.length);
  });
  return shape ? { data: stacked, shape: [values.length, ...shape] } : stacked;
}

function readLeaf(who: string, value: unknown): Rows {
  if (typeof value === "number") return { data: Float64Array.of(value), shape: [] };
  return readArray(who, value);
}

/** How examples become batches, and what is done with these. */
interface Batching {
  /** Examples a batch. */
  size: number;
  /** Of batches. */
  order: Order;
  maps: readonly ((batch: Item) => Item)[];
}

/** Examples and what is to be done with them. Made by `dataset`; every method gives a new one. */
export class Dataset {
  readonly #examples: Examples | LaterExamples;
  /** Of examples. */
  readonly #order: Order;
  readonly #maps: readonly ((example: Item) => Item)[];
  readonly #batching: Batching | undefined;

  /** @internal */
  constructor(
    examples: Examples | LaterExamples,
    order: Order,
    maps: readonly ((example: Item) => Item)[],
    batching: Batching | undefined,
  ) {
    this.#examples = examples;
    this.#order = order;
    this.#maps = maps;
    this.#batching = batching;
  }

  /** Examples, or after `batch` batches. */
  get size(): number {
    return (this.#batching?.order ?? this.#order).size;
  }

  /** The names of the classes, of which labels are indices: of files, and of a table that `csv` read. */
  get classes(): readonly string[] | undefined {
    return this.#examples.classes;
  }

  #step(step: Step): Dataset {
    const batching = this.#batching;
    return batching
      ? new Dataset(this.#examples, this.#order, this.#maps, { ...batching, order: batching.order.with(step) })
      : new Dataset(this.#examples, this.#order.with(step), this.#maps, undefined);
  }

  /**
   * Another order, of examples or after `batch` of batches. In batches it is drawn anew each epoch; what `split`, `take` and
   * `bootstrap` choose after it stays the same. (Without `batch`, `fit` itself shuffles.)
   *
   * @param seed an integer ≥ 0; default 0
   */
  shuffle(seed = 0): Dataset {
    return this.#step({ kind: "shuffle", seed: check("shuffle", "seed", natural(), seed) });
  }

  /** As many elements, drawn with replacement. @param seed an integer ≥ 0 */
  bootstrap(seed: number): Dataset {
    return this.#step({ kind: "bootstrap", seed: check("bootstrap", "seed", natural(), seed) });
  }

  /** The first n elements, or all where there are fewer. */
  take(n: number): Dataset {
    return this.#step({ kind: "range", from: 0, to: Math.min(check("take", "n", count(), n), this.size) });
  }

  /**
   * The first ⌊size·f⌋ elements, and the others.
   *
   * @param f strictly between 0 and 1 @throws DownhillError `shape` where one part would be empty
   */
  split(f: number): [Dataset, Dataset] {
    if (!(typeof f === "number" && f > 0 && f < 1)) throw argumentError("split", "a number between 0 and 1", f);
    const { size } = this;
    const first = Math.floor(size * f);
    if (first === 0)
      throw new DownhillError("shape", `split: expected at least one of ${size} in each part, got ${show(f)}`);
    return [this.#step({ kind: "range", from: 0, to: first }), this.#step({ kind: "range", from: first, to: size })];
  }

  /** Batches of n examples; the last may be smaller. From here on elements are batches. */
  batch(n: number): Dataset {
    check("batch", "n", count(), n);
    if (this.#batching) throw new DownhillError("state", "batch: expected a dataset of examples, got one of batches");
    const order = new Order(Math.ceil(this.#order.size / n));
    return new Dataset(this.#examples, this.#order, this.#maps, { size: n, order, maps: [] });
  }

  /**
   * What `f` makes of each example, or after `batch` of each batch: { x, y, sampleWeight } to the same. It is called when the
   * data are read: of batches in each epoch, otherwise once a `fit`.
   */
  map(f: (item: Item) => Item): Dataset {
    if (typeof f !== "function") throw argumentError("map", "a function", f);
    const batching = this.#batching;
    return batching
      ? new Dataset(this.#examples, this.#order, this.#maps, { ...batching, maps: [...batching.maps, f] })
      : new Dataset(this.#examples, this.#order, [...this.#maps, f], undefined);
  }

  /**
   * All examples in memory, for what takes arrays only, such as `predict`. Of files they are read now.
   *
   * @example const { x, y } = await test.toArrays();
   * @throws DownhillError `state` after `batch`
   */
  async toArrays(): Promise<Batch> {
    let all: Batch | undefined;
    for await (const batch of (this.batch(this.size).arrays() as BatchSource).batches(0)) all = batch;
    return all!;
  }

  #read(examples: Examples, indices: Uint32Array): Batch {
    if (this.#maps.length === 0) return take(examples, indices);
    return stack(Array.from(indices, (index) => this.#maps.reduce((item, f) => f(item), exampleAt(examples, index))));
  }

  /** Which examples each batch has. */
  *#parts(epoch: number): Generator<Uint32Array> {
    const { size, order } = this.#batching!;
    const indices = this.#order.indices(epoch);
    for (const i of order.indices(epoch)) yield indices.subarray(i * size, (i + 1) * size);
  }

  #finish(batch: Batch): Batch {
    return this.#batching!.maps.reduce<Batch>((item, f) => readBatch(f(item)), batch);
  }

  *#batches(examples: Examples, epoch: number): Generator<Batch> {
    for (const part of this.#parts(epoch)) yield this.#finish(this.#read(examples, part));
  }

  async *#batchesLater(examples: LaterExamples, epoch: number): AsyncGenerator<Batch> {
    for await (const batch of examples.read(this.#parts(epoch))) {
      const read = this.#maps.length && readExamples(batch);
      yield this.#finish(read ? this.#read(read, new Order(read.rows).indices(0)) : batch);
    }
  }

  /** All examples as arrays, or batches as they come: what `fit` and `evaluate` read. Of files they always come in batches. */
  arrays(): Batch | BatchSource {
    const examples = this.#examples;
    if ("read" in examples) {
      if (!this.#batching) return this.batch(examples.size).arrays();
      return { batches: (epoch) => this.#batchesLater(examples, epoch) };
    }
    if (this.#batching) return { batches: (epoch) => this.#batches(examples, epoch) };
    return this.#read(examples, this.#order.indices(0));
  }
}

function readBatch(given: unknown): Batch {
  return Object.fromEntries(readItem("dataset: map", given)) as unknown as Batch;
}

const from = (examples: Examples | LaterExamples) => new Dataset(examples, new Order(examples.rows), [], undefined);

/** `dataset` itself, and where datasets come from beside arrays. */
export interface DatasetFactory {
  /**
   * Examples to be shuffled, batched, mapped, split: each method gives a new dataset, nothing is copied before it is read.
   * `fit` and `evaluate` take it in the place of { x, y }.
   *
   * @param data x and y with one row an example, and perhaps sampleWeight; for several inputs or outputs lists or records
   * @example const [train, test] = dataset({ x, y }).shuffle(1).split(0.8);
   * await model.fit(train.batch(32), { epochs: 10 });
   * @throws DownhillError `argument`, `shape`
   */
  (data: { x: Arrays; y: Arrays; sampleWeight?: Arrays }): Dataset;

  /**
   * The images in a folder that has a folder a class: x are bytes, [n, height, width, channels], 0 … 255 (the layer
   * `rescaling({ scale: 1 / 255 })` brings them to [0, 1]), y the number of the class, [n]. Classes are the folders' names,
   * sorted: `.classes`; images are sorted by path, in deeper folders too. They are decoded as batches want them, a few at a
   * time, and never all in memory: `fit` and `evaluate` read it in batches, in the dataset's own order, so say `.shuffle()`.
   * Images are turned as their EXIF says and stretched to `size`; of animations the first frame is taken.
   *
   * In Node a folder's path, decoded by the package `sharp` (`npm install sharp`): JPEG, PNG, WebP, GIF, AVIF, TIFF. In a page
   * the files of an `<input type="file" webkitdirectory>`, decoded by the browser; the scaled pixels differ a little.
   *
   * @example const images = dataset.fromFiles("flowers", { size: [64, 64] });
   * const [train, test] = images.shuffle(1).split(0.9);
   * await model.fit(train.shuffle().batch(64), { epochs: 10 });
   * @throws DownhillError `argument`; `data` where there is no folder or no image, and, when it is read, where one cannot be
   * decoded; `state` where `sharp` is missing
   */
  fromFiles(source: FilesSource, options: FilesOptions): Dataset;
}

/** Datasets: of arrays by `dataset({ x, y })`, of folders of images by `dataset.fromFiles(folder, { size })`. */
export const dataset: DatasetFactory = /* @__PURE__ */ Object.assign(
  (data: { x: Arrays; y: Arrays; sampleWeight?: Arrays }) => from(readExamples(data)),
  { fromFiles: (source: FilesSource, options: FilesOptions) => from(imageFiles(source, options)) },
);
