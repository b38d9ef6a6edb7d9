// Where examples come from: the embedded digits, a folder in MNIST's format, a CSV file.

import { stat } from "node:fs/promises";
import { takeRows } from "../data/arrays";
import { columnMoments, fillMissing, type Moments } from "../data/columns";
import { type CsvEncoding, type CsvTask, csv } from "../data/csv";
import { digits } from "../data/digits";
import { idx } from "../data/idx";
import { countClasses } from "../data/scores";
import { argumentError, DownhillError } from "../errors";
import type { NDArray } from "../ndarray";
import { philox4x32 } from "../random";

export type Inputs = NDArray<Float32Array> | NDArray<Uint8Array>;
export type Targets = NDArray<Int32Array> | NDArray<Float32Array>;

/** Examples with what they should be predicted as. */
export interface Examples {
  x: Inputs;
  y: Targets;
}

/** What stands in the place of missing values. */
export const MISSING = ["error", "drop", "mean"] as const;

/** How a CSV file is read. */
export interface CsvReading {
  header: boolean;
  delimiter: string;
  /** Where a value is missing: refuse the file, leave the row out, or the mean of the training rows. */
  missing: (typeof MISSING)[number];
}

/** How a data set is cut. */
export interface Cut {
  validationSplit: number;
  /** The share of a CSV file's rows that is kept for the test; the other sources have a test set. */
  testSplit: number;
  /** Decides the order of a CSV file's rows. */
  seed: number;
}

/** How a table was encoded, and what was to be predicted. */
export interface TableEncoding extends CsvEncoding {
  target: string;
}

/** What a model is trained and tested on. */
export interface TrainingData {
  title: string;
  train: Examples;
  test: Examples | undefined;
  /** Names of the classes; undefined: the targets are numbers. */
  classes: string[] | undefined;
  /** A table's columns, and their moments over the rows that are trained on. */
  table: { encoding: TableEncoding; columns: Moments; target: Moments | undefined } | undefined;
}

type Source = "digits" | "idx" | "csv";

async function sourceOf(data: string): Promise<Source> {
  if (data === "digits") return "digits";
  try {
    return (await stat(data)).isDirectory() ? "idx" : "csv";
  } catch (cause) {
    throw new DownhillError(
      "data",
      `--data: expected digits, a folder in MNIST's format or a CSV file, got ${JSON.stringify(data)}, which is not there`,
      { cause },
    );
  }
}

const rowsOf = ({ shape }: { shape: readonly number[] }): number => shape[0]!;

/** The last rows, which fit takes for validation, are not trained on. */
export const trainedRows = (rows: number, validationSplit: number): number => rows - Math.floor(rows * validationSplit);

export async function loadTraining(
  data: string,
  cut: Cut,
  options: CsvReading & { target?: string | undefined; task?: CsvTask | undefined },
): Promise<TrainingData> {
  const source = await sourceOf(data);
  if (source === "csv") return loadTable(data, cut, options);
  if (options.target !== undefined) throw argumentError("--target", "a CSV file in --data", data);
  const { train, test } = source === "digits" ? digits() : await idx(data);
  const classes = Array.from({ length: countClasses(train.y.data) }, (_, c) => `${c}`);
  const title = `${data}: ${rowsOf(train.y)} training images, ${rowsOf(test.y)} test images, ${classes.length} classes`;
  return { title, train, test, classes, table: undefined };
}

async function loadTable(
  data: string,
  { validationSplit, testSplit, seed }: Cut,
  {
    target,
    task,
    missing,
    header,
    delimiter,
  }: CsvReading & { target?: string | undefined; task?: CsvTask | undefined },
): Promise<TrainingData> {
  if (target === undefined)
    throw argumentError("--target", "the name of the column to predict in the CSV file", undefined);
  const table = await csv(data, {
    target,
    header,
    delimiter,
    missing: missing === "mean" ? "keep" : missing,
    ...(task && { task }),
  });
  const order = shuffled(rowsOf(table.x), seed);
  const held = Math.floor(order.length * testSplit);
  const part = (rows: number[]): Examples => ({
    x: pick(table.x, rows),
    y: pick<Int32Array | Float32Array>(table.y, rows) as Targets,
  });
  const train = part(order.slice(held));
  const test = held > 0 ? part(order.slice(0, held)) : undefined;
  const trained = trainedRows(order.length - held, validationSplit);
  const columns = columnMoments(train.x as NDArray, trained);
  for (const { x } of test ? [train, test] : [train]) fillMissing(x as NDArray, columns.mean);
  const { classes } = table;
  return {
    title:
      `${data}: ${order.length - held} rows to train on, ${held} to test, ${table.columns.length} columns, ` +
      (classes ? `${classes.length} classes of ${target}` : `${target} as a number`),
    train,
    test,
    classes,
    table: {
      encoding: { target, columns: table.columns, classes },
      columns,
      target: classes ? undefined : columnMoments(train.y as NDArray, trained),
    },
  };
}

/** The rows' numbers in an order that the seed decides. */
function shuffled(rows: number, seed: number): number[] {
  const keys = Array.from({ length: rows }, (_, row) => philox4x32([row, 0, 0, 0], [seed % 2 ** 32, 0])[0]!);
  return keys.map((_, row) => row).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

function pick<T extends Int32Array | Float32Array>({ data, shape }: NDArray<T>, rows: number[]): NDArray<T> {
  const size = data.length / shape[0]!;
  return { data: takeRows(data, size, rows), shape: [rows.length, ...shape.slice(1)] };
}

/** Which images of a data set. */
export type Part = "train" | "test";

/** What a model that was trained on a table remembers of it. */
export interface Remembered {
  encoding: TableEncoding | undefined;
  /** What becomes of missing values where the command line does not say. */
  missing: CsvReading["missing"];
}

/**
 * Examples for a trained model. `labelled`: with `y`, and rows that lack values are left out where `missing` is `"drop"`;
 * otherwise x of such a row holds NaN.
 */
export async function loadExamples(
  data: string,
  part: Part,
  labelled: boolean,
  { encoding, missing: usual }: Remembered,
  { header, delimiter, missing = usual }: Pick<CsvReading, "header" | "delimiter"> & Partial<CsvReading>,
): Promise<{ x: Inputs; y: Targets | undefined }> {
  const source = await sourceOf(data);
  if (source === "digits") return digits()[part];
  if (source === "idx") return (await idx(data))[part];
  if (!encoding)
    throw new DownhillError("data", `--data: expected images, as the model was not trained on a table, got ${data}`);
  if (missing === "mean" && !encoding.means)
    throw argumentError("--missing", "error or drop, as the model does not hold the means of its columns", missing);
  const reading = { like: encoding, header, delimiter };
  return labelled
    ? csv(data, { ...reading, missing, target: encoding.target })
    : csv(data, { ...reading, missing: missing === "drop" ? "keep" : missing });
}

/** Rows [from, to), as views. */
export function rowsBetween({ x, y }: Examples, from: number, to: number): Examples {
  const cut = <T extends Float32Array | Uint8Array | Int32Array>({ data, shape }: NDArray<T>): NDArray<T> => {
    const size = data.length / shape[0]!;
    return { data: data.subarray(from * size, to * size) as T, shape: [to - from, ...shape.slice(1)] };
  };
  return { x: cut(x as NDArray) as Inputs, y: cut(y as NDArray) as Targets };
}
