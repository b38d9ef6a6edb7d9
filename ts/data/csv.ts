// Tables from CSV text (RFC 4180): features x, targets y.

import { readFile } from "#platform";
import { argumentError, DownhillError, show } from "../errors";
import type { NDArray } from "../ndarray";
import { boolean, check, count, either, type Field, listOf, oneOf, optional, or, readOptions, text } from "../options";

/** What the target is learned as. */
export type CsvTask = "classification" | "regression";

/** Options of `csv`. */
export interface CsvOptions {
  /** The target column: its name, or its number from 1. */
  target: string | number;
  /** Default: regression where all of the target's values are numbers, otherwise classification. */
  task?: CsvTask;
  /** Whether the first line holds the columns' names. Without one they are called "1", "2", … Default true. */
  header?: boolean;
  /** What separates values. Default `","`. */
  delimiter?: string;
  /** What encloses values that hold delimiters, line breaks or (doubled) quotes. Default `"`. */
  quote?: string;
  /**
   * What to do where a value is empty, `NA`, `NaN`, `null` or `?`: refuse the file, leave the row out, fill in the
   * mean of that column of `x`, or keep it as NaN; a missing target is refused in the last two. Default `"error"`.
   */
  missing?: "error" | "drop" | "mean" | "keep";
  /** Columns that are categories though their values are numbers, or are mixed. */
  categorical?: string[];
}

/** A table with classes to learn: `y` holds indices into `classes`. */
export interface ClassificationTable {
  /** The features, [n, columns]. */
  x: NDArray<Float32Array>;
  /** The class of each row, [n]. */
  y: NDArray<Int32Array>;
  /** Names of the columns of `x`. */
  columns: string[];
  /** The classes' names. */
  classes: string[];
}

/** A table with numbers to learn: `y` is of shape [n, 1]. */
export interface RegressionTable {
  /** The features, [n, columns]. */
  x: NDArray<Float32Array>;
  /** The targets, [n, 1]. */
  y: NDArray<Float32Array>;
  /** Names of the columns of `x`. */
  columns: string[];
  /** There are none. */
  classes: undefined;
}

const schema = () => ({
  target: either(text(), count()),
  task: optional(oneOf("classification", "regression")),
  header: or(boolean(), true),
  delimiter: or(separator("a string without line breaks", /^[^\r\n]+$/), ","),
  quote: or(separator("one character, no line break", /^[^\r\n]$/), '"'),
  missing: or(oneOf("error", "drop", "mean", "keep"), "error"),
  categorical: or(listOf(text()), () => []),
});

function separator(expected: string, pattern: RegExp): Field<string> {
  return { expected, accepts: (value) => typeof value === "string" && pattern.test(value) };
}

const MISSING = new Set(["", "na", "nan", "null", "?"]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** Bytes that `x` may take, the default of `maxMemory`. */
const MOST = 2 ** 30;
/** Bytes that are sure to fit one string. */
const LONGEST = 2 ** 29 - 25;

/** What csv-parse's error codes mean: `expected …, got …`. */
const QUOTING: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: "a closing quote, got the end of the text",
  CSV_INVALID_CLOSING_QUOTE:
    "a delimiter or a line break after the closing quote, got other text (a quote inside is doubled)",
  INVALID_OPENING_QUOTE:
    "a quote at the beginning of the value only, got one inside (enclose the value, and double it)",
};

/**
 * Reads CSV: a text, or the path of a file (a text without a line break is a path).
 *
 * `x` is float32 [n, columns]. A column of numbers is one column of `x`; any other is one-hot, one column `name=value`
 * for each of its values, sorted. A column with numbers and other values is an error, unless `categorical` names it.
 * For classification `y` is int32 [n], indices into `classes` (sorted, as numbers where all are); for regression
 * float32 [n, 1], and `classes` is undefined. Space around values, blank lines and a byte order mark are skipped; line
 * breaks within quotes come as `\n`.
 *
 * ```ts
 * const { x, y, columns, classes } = await csv("iris.csv", { target: "species" });
 * ```
 *
 * Rejects with `format`, naming line and column from 1, where the content is not as expected; `data` where the file
 * cannot be read; `shape` where no row is left; `argument` for an unknown target; `memory` where `x` would take more
 * than 1 GiB.
 */
export function csv(source: string, options: CsvOptions & { task: "classification" }): Promise<ClassificationTable>;
export function csv(source: string, options: CsvOptions & { task: "regression" }): Promise<RegressionTable>;
export function csv(source: string, options: CsvOptions): Promise<ClassificationTable | RegressionTable>;
export async function csv(source: string, given: CsvOptions): Promise<ClassificationTable | RegressionTable> {
  check("csv", "source", text(), source);
  const options = readOptions("csv", given, schema());
  const { categorical, delimiter, missing, quote } = options;
  if (delimiter.includes(quote)) throw argumentError("csv", `a delimiter without the quote ${quote}`, delimiter);
  const table = await readTable(source, options.header, delimiter, quote);
  const target = findColumn(table, "target", options.target);
  const forced = new Set(categorical.map((name) => findColumn(table, "categorical", name)));
  if (options.task === "classification") forced.add(target);
  else if (options.task && forced.has(target))
    throw argumentError(table.who, "categorical without the target of a regression", categorical);
  handleMissing(table, missing, target);

  const columns = table.names.map((_, c) => readColumn(table, c, forced.has(c)));
  const [y] = columns.splice(target, 1) as [Column];
  if (options.task === "regression" && y.values) {
    const row = table.rows.findIndex((cells) => !NUMBER.test(cells[target]!));
    throw damaged(table, row, target, "a number, for regression", show(table.rows[row]![target]!));
  }
  const x = encode(columns, missing === "keep");
  const shared = { x, columns: columns.flatMap(({ name, values }) => values?.map((v) => `${name}=${v}`) ?? [name]) };
  const n = table.rows.length;
  return y.values
    ? { ...shared, y: { data: Int32Array.from(y.data), shape: [n] }, classes: y.values }
    : { ...shared, y: { data: Float32Array.from(y.data), shape: [n, 1] }, classes: undefined };
}

interface Table {
  /** Who complains: `csv`, or with the file's path. */
  who: string;
  names: string[];
  rows: string[][];
  /** The line on which each row begins, from 1. */
  lines: number[];
}

/** One column of the file; missing values are NaN. */
interface Column {
  name: string;
  /** Numbers, or indices into `values`. */
  data: Float64Array;
  values?: string[];
}

function damaged({ who, names, lines }: Table, row: number, column: number, expected: string, got: string) {
  const name = names[column] === undefined ? "" : ` (${show(names[column])})`;
  return new DownhillError(
    "format",
    `${who}: line ${lines[row]}, column ${column + 1}${name}: expected ${expected}, got ${got}`,
  );
}

async function readTable(source: string, header: boolean, delimiter: string, quote: string): Promise<Table> {
  const isPath = !/[\r\n]/.test(source);
  const who = isPath ? `csv: ${source}` : "csv";
  const content = isPath ? decodeText(who, await readFile(source)) : source.replace(/^\ufeff/, "");
  const records = await parseRecords(who, content.replace(/\r\n?/g, "\n"), delimiter, quote);
  const table: Table = { who, names: [], rows: [], lines: [] };
  let line = 1;
  for (const record of records) {
    const begin = line++;
    for (const cell of record) for (let at = cell.indexOf("\n"); at >= 0; at = cell.indexOf("\n", at + 1)) line++;
    if (record.length === 1 && record[0] === "") continue; // a blank line
    const width = table.names.length;
    table.lines.push(begin);
    if (!width) {
      table.names = header ? record : record.map((_, c) => String(c + 1));
      if (header) {
        checkNames(table);
        table.lines.pop();
        continue;
      }
    } else if (record.length !== width)
      throw damaged(
        table,
        table.rows.length,
        Math.min(record.length, width),
        `${width} values in the line`,
        `${record.length}`,
      );
    table.rows.push(record);
  }
  if (!table.rows.length) throw new DownhillError("shape", `${who}: expected at least one row, got none`);
  if (table.names.length < 2)
    throw damaged(table, 0, 1, "a second column (target and features)", "the end of the line");
  return table;
}

function decodeText(who: string, bytes: Uint8Array): string {
  if (bytes.length > LONGEST)
    throw new DownhillError("memory", `${who}: expected at most ${LONGEST} bytes, got ${bytes.length}`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DownhillError("format", `${who}: expected text in UTF-8, got other bytes`, { cause });
  }
}

async function parseRecords(who: string, content: string, delimiter: string, quote: string): Promise<string[][]> {
  // Loaded when it is needed: it is larger than all the rest. This build has no need of Node's Buffer, and given bytes
  // it does not go through its own, slow one.
  const { parse } = await import("csv-parse/browser/esm/sync");
  try {
    return parse(new TextEncoder().encode(content), {
      delimiter,
      quote,
      escape: quote,
      record_delimiter: "\n",
      relax_column_count: true,
      trim: true,
    });
  } catch (cause) {
    const { code, lines, column, message } = cause as { code: string; lines: number; column: number; message: string };
    const line = code === "CSV_QUOTE_NOT_CLOSED" ? openingLine(content, quote) : lines;
    throw new DownhillError(
      "format",
      `${who}: line ${line}, column ${column + 1}: expected ${QUOTING[code] ?? message}`,
      {
        cause,
      },
    );
  }
}

/** The line of a quote that is not closed: the last of an odd run, for behind it all are doubled. */
function openingLine(content: string, quote: string): number {
  let first = content.length;
  let last: number;
  do {
    last = content.lastIndexOf(quote, first - 1);
    first = last;
    while (first > 0 && content[first - 1] === quote) first--;
  } while (last > 0 && (last - first) % 2 === 1);
  return content.slice(0, last).split("\n").length;
}

function checkNames(table: Table) {
  const { names } = table;
  for (const [c, name] of names.entries()) {
    if (name === "") throw damaged(table, 0, c, "a name in the header", '""');
    const first = names.indexOf(name);
    if (first < c) throw damaged(table, 0, c, "names that differ", `that of column ${first + 1} again`);
  }
}

function findColumn({ who, names }: Table, option: string, column: string | number): number {
  const index = typeof column === "number" ? column - 1 : names.indexOf(column);
  if (names[index] === undefined) throw argumentError(who, `${option} to be a column, one of ${show(names)}`, column);
  return index;
}

const isMissing = (cell: string) => cell.length < 5 && MISSING.has(cell.trim().toLowerCase());

function handleMissing(table: Table, missing: "error" | "drop" | "mean" | "keep", target: number) {
  const { rows, lines } = table;
  if (missing === "drop") {
    const whole = rows.map((cells) => !cells.some(isMissing));
    table.rows = rows.filter((_, row) => whole[row]);
    table.lines = lines.filter((_, row) => whole[row]);
    if (!table.rows.length)
      throw new DownhillError("shape", `${table.who}: expected at least one row without missing values, got none`);
    return;
  }
  for (const [row, cells] of rows.entries()) {
    const column = missing === "error" ? cells.findIndex(isMissing) : isMissing(cells[target]!) ? target : -1;
    if (column < 0) continue;
    const hint = column === target ? '"drop" leaves the row out' : '"drop" leaves the row out, "mean" fills it in';
    const what = column === target ? "a target" : "a value";
    throw damaged(table, row, column, what, `${show(cells[column])} (missing: ${hint})`);
  }
}

function readColumn(table: Table, c: number, categorical: boolean): Column {
  const { rows } = table;
  const name = table.names[c]!;
  const cells = rows.map((row) => row[c]!);
  const present = cells.map((cell) => !isMissing(cell));
  const numeric = cells.map((cell, row) => present[row]! && NUMBER.test(cell));
  const number = numeric.indexOf(true);
  const other = cells.findIndex((_, row) => present[row] && !numeric[row]);
  if (number < 0 && other < 0) throw damaged(table, 0, c, "a value somewhere in the column", "none");
  if (other < 0 && !categorical) {
    const data = Float64Array.from(cells, (cell, row) => (present[row] ? Number(cell) : Number.NaN));
    const large = data.findIndex((v) => !Number.isFinite(Math.fround(v)) && !Number.isNaN(v));
    if (large >= 0) throw damaged(table, large, c, "a number that is finite in float32", show(cells[large]));
    return { name, data };
  }
  if (number >= 0 && !categorical)
    throw damaged(
      table,
      other,
      c,
      `a number as in line ${table.lines[number]}`,
      `${show(cells[other])} (categories that may be numbers: name the column in the option categorical)`,
    );
  const values = [...new Set(cells.filter((_, row) => present[row]))].sort();
  if (other < 0) values.sort((a, b) => Number(a) - Number(b));
  const index = new Map(values.map((value, i) => [value, i]));
  return { name, data: Float64Array.from(cells, (cell) => index.get(cell) ?? Number.NaN), values };
}

/** The columns side by side, categories one-hot; NaN stays, or becomes the mean of each column of the result. */
function encode(columns: Column[], keep: boolean): NDArray<Float32Array> {
  const widths = columns.map(({ values }) => values?.length ?? 1);
  const width = widths.reduce((a, b) => a + b, 0);
  const n = columns[0]!.data.length;
  if (n * width * 4 > MOST) {
    const widest = widths.indexOf(Math.max(...widths));
    throw new DownhillError(
      "memory",
      `csv: expected x of at most ${MOST} bytes, got ${n * width * 4} for [${n}, ${width}]; ` +
        `column ${show(columns[widest]!.name)} has ${widths[widest]} different values`,
    );
  }
  const x = new Float32Array(n * width);
  let at = 0;
  for (const [c, { data, values }] of columns.entries()) {
    const means = new Float64Array(widths[c]!);
    let present = 0;
    for (const value of data) {
      if (Number.isNaN(value)) continue;
      present++;
      if (values) means[value]!++;
      else means[0]! += value;
    }
    if (keep) means.fill(Number.NaN);
    else for (let k = 0; k < means.length; k++) means[k]! /= present;
    for (let row = 0; row < n; row++) {
      const value = data[row]!;
      const to = row * width + at;
      if (Number.isNaN(value)) x.set(means, to);
      else if (values) x[to + value] = 1;
      else x[to] = value;
    }
    at += means.length;
  }
  return { data: x, shape: [n, width] };
}

/** How a table was encoded: what `csv` returned of it. */
export interface Encoding {
  target: string;
  columns: string[];
  classes?: string[] | undefined;
}

/** Where a column of x comes from. */
interface Origin {
  column: number;
  /** The category that it marks; undefined: it is a number. */
  value: string | undefined;
}

/**
 * @internal Reads another table and encodes it as an earlier one was: `x` has exactly `encoding.columns`; other columns are
 * passed over. Where a value is missing, `missing` of its column stands in; without it that is an error. `y` is read only
 * if `labelled`.
 */
export async function csvAlike(
  source: string,
  { columns, classes, target }: Encoding,
  options: { labelled: boolean; header: boolean; delimiter: string; missing: ArrayLike<number> | undefined },
): Promise<{ x: NDArray<Float32Array>; y: NDArray<Int32Array> | NDArray<Float32Array> | undefined }> {
  const table = await readTable(source, options.header, options.delimiter, '"');
  const n = table.rows.length;
  const origins = columns.map((name) => findOrigin(table, columns, name));
  const known = new Map<number, string[]>();
  for (const { column, value } of origins)
    if (value !== undefined) known.set(column, [...(known.get(column) ?? []), value]);
  const data = new Float32Array(n * columns.length);
  table.rows.forEach((cells, row) => {
    origins.forEach(({ column, value }, j) => {
      const cell = cells[column]!;
      const at = row * columns.length + j;
      if (isMissing(cell)) {
        if (!options.missing) throw damaged(table, row, column, "a value", `${show(cell)} (missing)`);
        data[at] = options.missing[j]!;
      } else if (value === undefined) data[at] = numberIn(table, row, column);
      else {
        data[at] = +(cell === value);
        if (!known.get(column)!.includes(cell))
          throw damaged(table, row, column, `one of ${show(known.get(column))}`, show(cell));
      }
    });
  });
  const x = { data, shape: [n, columns.length] };
  if (!options.labelled) return { x, y: undefined };
  const c = findColumn(table, "target", target);
  handleMissing(table, "keep", c);
  if (!classes)
    return { x, y: { data: Float32Array.from(table.rows, (_, row) => numberIn(table, row, c)), shape: [n, 1] } };
  const labels = Int32Array.from(table.rows, (cells) => classes.indexOf(cells[c]!));
  const unknown = labels.indexOf(-1);
  if (unknown >= 0) throw damaged(table, unknown, c, `one of ${show(classes)}`, show(table.rows[unknown]![c]));
  return { x, y: { data: labels, shape: [n] } };
}

function numberIn(table: Table, row: number, column: number): number {
  const cell = table.rows[row]![column]!;
  if (!NUMBER.test(cell)) throw damaged(table, row, column, "a number", show(cell));
  return Number(cell);
}

/** `name` or `name=category`; of several columns that fit, the longest name that is not a column of numbers. */
function findOrigin(table: Table, columns: string[], encoded: string): Origin {
  const whole = table.names.indexOf(encoded);
  if (whole >= 0) return { column: whole, value: undefined };
  let column = -1;
  table.names.forEach((name, c) => {
    if (columns.includes(name) || !encoded.startsWith(`${name}=`)) return;
    if (name.length > (table.names[column]?.length ?? -1)) column = c;
  });
  if (column < 0)
    throw new DownhillError(
      "format",
      `${table.who}: expected the column ${show(encoded.replace(/=.*/, ""))}, got columns ${show(table.names)}`,
    );
  return { column, value: encoded.slice(table.names[column]!.length + 1) };
}
