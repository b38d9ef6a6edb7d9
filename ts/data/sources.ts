// The forms in which examples are given to `fit` and `evaluate`.

import { argumentError } from "../errors";
import type { ArrayLike } from "../ndarray";
import { isObject } from "../options";

/** Arrays of examples, or for several inputs or outputs lists or records of them. */
export type Arrays = ArrayLike | readonly ArrayLike[] | Readonly<Record<string, ArrayLike>>;

/** One batch of an iterable; or a whole set of examples. */
export interface Batch {
  /** Inputs: an array, or for several inputs a list or record of them. */
  x: unknown;
  /** Targets, in the same way. */
  y: unknown;
  /** How much each example counts, ≥ 0; for several outputs perhaps a record. Default 1. */
  sampleWeight?: unknown;
}

/** Batches as they come. */
export interface BatchSource {
  /** Those of an epoch, counted from 0. */
  batches(epoch: number): Iterable<Batch> | AsyncIterable<Batch>;
  /** No more will be read. */
  close?(): unknown;
}

export const isBatchSource = (source: Batch | BatchSource): source is BatchSource => "batches" in source;

/** A table that `csv` read may be given as it is. */
const KEYS = ["x", "y", "sampleWeight", "columns", "classes"];

/** Arrays, a dataset or an iterable of batches. */
export function readFitData(who: string, data: unknown): Batch | BatchSource {
  const first = (data as { 0?: unknown } | null)?.[0]; // of x, given by position
  if (isObject(data) && !Array.isArray(first) && typeof first !== "number") {
    if ("arrays" in data && typeof data.arrays === "function") return data.arrays() as Batch | BatchSource;
    if (Symbol.iterator in data || Symbol.asyncIterator in data) {
      const iterable = data as AsyncIterable<unknown> & Partial<AsyncIterator<unknown>>;
      // a generator: the next epoch goes on where this one ended
      const rest = { next: () => iterable.next!(), [Symbol.asyncIterator]: () => rest };
      return {
        batches: () => checked(who, iterable.next ? rest : iterable),
        close: () => iterable.next && iterable.return?.(),
      };
    }
  }
  return readBatch(who, data);
}

function readBatch(who: string, data: unknown): Batch {
  if (!isObject(data) || !("x" in data) || !("y" in data))
    throw argumentError(who, "data as one object { x, y }, a dataset or an iterable of batches", data);
  for (const key of Object.keys(data))
    if (!KEYS.includes(key)) throw argumentError(who, "data with x, y and perhaps sampleWeight", key);
  const { x, y, sampleWeight } = data as Batch; // no more: a class of the user's may have `batches` too
  return { x, y, sampleWeight };
}

async function* checked(who: string, iterable: AsyncIterable<unknown>): AsyncIterable<Batch> {
  for await (const batch of iterable) yield readBatch(`${who}: a batch`, await batch);
}
