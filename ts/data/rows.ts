// Rows of files that are larger than memory, a batch at a time.

import { DownhillError, show } from "../errors";
import type { NDArray, NumberArray } from "../ndarray";
import { check, count, field, isObject, natural } from "../options";
import { isNDArray, takeRows } from "./arrays";
import { numbers, permute } from "./order";
import { type Batch, type BatchSource, isBatchSource } from "./sources";

/** Arrays of equally many rows, by name. */
export type Columns = Record<string, NDArray<NumberArray>>;

/** What is read, from its beginning, each time. */
export interface RowReader {
  /** Rows in all. */
  size: number;
  /** Rows of a batch; the last may have fewer. */
  rows: number;
  read(): AsyncGenerator<Columns>;
  /** Of a table: the names of the columns of x. */
  columns?: string[];
  /** Of labels: the names of the classes. */
  classes?: string[] | undefined;
  /** Of a table: the means of the columns of x. */
  means?: number[] | undefined;
}

interface Shuffle {
  buffer: number;
  seed: number;
}

/**
 * Batches that are read from files as they are needed, again in each epoch: what `fit` and `evaluate` take where they are
 * { x, y }, and any `for await`. Made by `npyRows`, `npzRows`, `csvRows` and `idxRows`; every method gives a new one.
 */
export class Rows<T = Batch> implements AsyncIterable<T> {
  readonly #reader: RowReader;
  readonly #shape: (columns: Columns) => unknown;
  readonly #shuffle: Shuffle | undefined;

  /** @internal */
  constructor(reader: RowReader, shape: (columns: Columns) => unknown = (columns) => columns, shuffle?: Shuffle) {
    this.#reader = reader;
    this.#shape = shape;
    this.#shuffle = shuffle;
  }

  /** @internal What errors call it. */
  get [Symbol.toStringTag](): string {
    return "Rows";
  }

  /** Rows in all. */
  get size(): number {
    return this.#reader.size;
  }

  /** Of a table: the names of the columns of x. */
  get columns(): string[] | undefined {
    return this.#reader.columns;
  }

  /** Of a table with classes to learn: their names. */
  get classes(): string[] | undefined {
    return this.#reader.classes;
  }

  /** Of a table: the means of the columns of x, over the rows that have a value. */
  get means(): number[] | undefined {
    return this.#reader.means;
  }

  /**
   * Another order of the rows, drawn anew in each epoch: so many at a time are read and shuffled among each other. A file
   * that is sorted, by class for example, wants a buffer that holds much of it.
   *
   * @param buffer rows that are held; default 16 batches @param seed an integer ≥ 0; default 0
   */
  shuffle(buffer = 16 * this.#reader.rows, seed = 0): Rows<T> {
    check("shuffle", "buffer", count(), buffer);
    return new Rows(this.#reader, this.#shape, { buffer, seed: check("shuffle", "seed", natural(), seed) });
  }

  /** What `f` makes of each batch. */
  map<U>(f: (batch: T) => U): Rows<U> {
    check(
      "map",
      "f",
      field("a function", (v) => typeof v === "function"),
      f,
    );
    return new Rows(this.#reader, (columns) => f(this.#shape(columns) as T), this.#shuffle);
  }

  async *#read(epoch: number): AsyncGenerator<T> {
    const batches = this.#reader.read();
    const { rows } = this.#reader;
    for await (const columns of this.#shuffle ? shuffled(batches, rows, this.#shuffle, epoch) : batches)
      yield this.#shape(columns) as T;
  }

  /** The batches of one epoch, read as they are asked for. */
  [Symbol.asyncIterator](): AsyncGenerator<T> {
    return this.#read(0);
  }

  /** The batches of an epoch: what `fit` and `evaluate` read. */
  arrays(): BatchSource {
    return { batches: (epoch) => this.#read(epoch) as AsyncGenerator<Batch> };
  }
}

const rowCount = (columns: Columns): number => Object.values(columns)[0]!.shape[0]!;

/** Rows shuffled among each other, `buffer` at a time. */
async function* shuffled(batches: AsyncGenerator<Columns>, rows: number, { buffer, seed }: Shuffle, epoch: number) {
  let held: Columns[] = [];
  let size = 0;
  let windows = 0;
  function* out() {
    const whole = joinColumns(held);
    held = [];
    const indices = Uint32Array.from({ length: size }, (_, i) => i);
    permute(indices, numbers(seed, windows++, epoch, size));
    for (let at = 0; at < size; at += rows) yield takeColumns(whole, indices.subarray(at, at + rows));
    size = 0;
  }
  for await (const columns of batches) {
    held.push(columns);
    size += rowCount(columns);
    if (size >= buffer) yield* out();
  }
  if (size) yield* out();
}

/** Parts of any sizes as batches of `rows`; the last may have fewer. */
export async function* inBatches(parts: AsyncIterable<Columns>, rows: number): AsyncGenerator<Columns> {
  let held: Columns[] = [];
  let size = 0;
  const slice = (columns: Columns, from: number, to: number) =>
    mapColumns(columns, ({ data, shape }) => {
      const row = data.length / shape[0]!;
      return { data: data.slice(from * row, to * row), shape: [to - from, ...shape.slice(1)] };
    });
  for await (const part of parts) {
    held.push(part);
    size += rowCount(part);
    if (size < rows) continue;
    const whole = joinColumns(held);
    let at = 0;
    for (; at + rows <= size; at += rows) yield slice(whole, at, at + rows);
    held = at < size ? [slice(whole, at, size)] : [];
    size -= at;
  }
  if (size) yield joinColumns(held);
}

/** Some rows of each array. */
const takeColumns = (columns: Columns, indices: Uint32Array): Columns =>
  mapColumns(columns, ({ data, shape }) => ({
    data: takeRows(data, data.length / shape[0]!, indices),
    shape: [indices.length, ...shape.slice(1)],
  }));

const mapColumns = (
  columns: Columns,
  f: (array: NDArray<NumberArray>, name: string) => NDArray<NumberArray>,
): Columns => Object.fromEntries(Object.entries(columns).map(([name, array]) => [name, f(array, name)]));

/** Rows one behind another. */
function joinColumns(parts: readonly Columns[]): Columns {
  if (parts.length === 1) return parts[0]!;
  const n = parts.reduce((sum, part) => sum + rowCount(part), 0);
  return mapColumns(parts[0]!, ({ data, shape }, name) => {
    const joined = new (data.constructor as new (length: number) => NumberArray)((data.length / shape[0]!) * n);
    let at = 0;
    for (const part of parts) {
      joined.set(part[name]!.data as never, at);
      at += part[name]!.data.length;
    }
    return { data: joined, shape: [n, ...shape.slice(1)] };
  });
}

/** The rows that all have; throws `shape` where they differ. */
export function sameRows(who: string, shapes: Record<string, readonly number[]>): number {
  let rows: number | undefined;
  for (const [name, shape] of Object.entries(shapes)) {
    if (!shape.length) throw new DownhillError("shape", `${who}: expected rows of ${name}, got a single number`);
    if (shape[0] === 0) throw new DownhillError("shape", `${who}: expected at least one row of ${name}, got none`);
    rows ??= shape[0]!;
    if (shape[0] !== rows)
      throw new DownhillError("shape", `${who}: expected ${rows} rows of ${name}, got shape ${show(shape)}`);
  }
  return rows!;
}

/** What is given to be written as it comes; undefined where it is an array, or a record. */
export function batchesOf(given: unknown): Iterable<unknown> | AsyncIterable<unknown> | undefined {
  if (!isObject(given) || ArrayBuffer.isView(given) || isNDArray(given)) return undefined;
  if ("arrays" in given && typeof given.arrays === "function") {
    const source: Batch | BatchSource = given.arrays();
    return isBatchSource(source) ? source.batches(0) : [source];
  }
  if (Array.isArray(given) && (!isObject(given[0]) || Array.isArray(given[0]))) return undefined;
  return Symbol.iterator in given || Symbol.asyncIterator in given ? (given as AsyncIterable<unknown>) : undefined;
}
