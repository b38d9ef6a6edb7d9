// Tables from CSV text (RFC 4180): features x, targets y.

import { argumentError, DownhillError, show } from "../errors";
import type { NDArray } from "../ndarray";
import {
  boolean,
  check,
  count,
  either,
  type Field,
  listOf,
  oneOf,
  optional,
  or,
  type Read,
  readOptions,
  text,
} from "../options";
import {
  damaged,
  damagedLine,
  findColumn,
  handleMissing,
  isMissing,
  NUMBER,
  numberIn,
  readTable,
  type Table,
} from "./csvText";
import { MOST_BYTES } from "./files";

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
  /** Columns that `x` may have, a category being one each: more are refused before `x` is laid out. Default: what 1 GiB holds. */
  maxColumns?: number;
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

export const csvSchema = () => ({
  target: either(text(), count()),
  task: optional(oneOf("classification", "regression")),
  header: or(boolean(), true),
  delimiter: or(separator("a string without line breaks", /^[^\r\n]+$/), ","),
  quote: or(separator("one character, no line break", /^[^\r\n]$/), '"'),
  missing: or(oneOf("error", "drop", "mean", "keep"), "error"),
  categorical: or(listOf(text()), () => []),
  maxColumns: or(count(), Infinity),
});

function separator(expected: string, pattern: RegExp): Field<string> {
  return { expected, accepts: (value) => typeof value === "string" && pattern.test(value) };
}

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
 * cannot be read; `shape` where no row is left; `argument` for an unknown target; `memory` where `x` would have
 * more than `maxColumns` columns, or take more than 1 GiB.
 */
export function csv(source: string, options: CsvOptions & { task: "classification" }): Promise<ClassificationTable>;
export function csv(source: string, options: CsvOptions & { task: "regression" }): Promise<RegressionTable>;
export function csv(source: string, options: CsvOptions): Promise<ClassificationTable | RegressionTable>;
export async function csv(source: string, given: CsvOptions): Promise<ClassificationTable | RegressionTable> {
  check("csv", "source", text(), source);
  const options = readCsvOptions("csv", given, csvSchema());
  const table = await readTable(source, options.header, options);
  const plan = planOf(table, options);
  handleMissing(table, options.missing, plan.target);
  checkRows(table.who, table.rows.length);
  plan.learn(table);
  const kinds = plan.kinds();
  return { ...plan.encode(kinds, table), ...namesOf(kinds) } as ClassificationTable | RegressionTable;
}

/** Options of a schema that has csv's. */
export function readCsvOptions<S extends ReturnType<typeof csvSchema>>(
  who: string,
  given: unknown,
  fields: S,
): Read<S> {
  const options = readOptions(who, given, fields) as Read<S> & Read<ReturnType<typeof csvSchema>>;
  const { delimiter, quote } = options;
  if (delimiter.includes(quote)) throw argumentError(who, `a delimiter without the quote ${quote}`, delimiter);
  return options;
}

export function checkRows(who: string, rows: number): void {
  if (!rows) throw new DownhillError("shape", `${who}: expected at least one row without missing values, got none`);
}

/** Of one column: each is a column of x. */
const MOST_CATEGORIES = 2 ** 20;

/** What is known of a column of the file. */
class ColumnFacts {
  /** The line of the first number. */
  number: number | undefined;
  /** The first value that is none. */
  other: { line: number; cell: string } | undefined;
  /** The first number that is none in float32. */
  large: { line: number; cell: string } | undefined;
  /** Sum of the numbers. */
  sum = 0;
  present = 0;
  /** How often each category comes. */
  readonly counts = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly index: number,
    readonly categorical: boolean,
  ) {}

  add(cell: string, line: number): void {
    if (isMissing(cell)) return;
    this.present++;
    const number = NUMBER.test(cell);
    if (number) this.number ??= line;
    else this.other ??= { line, cell };
    if (this.categorical || !number) {
      this.counts.set(cell, (this.counts.get(cell) ?? 0) + 1);
      if (this.counts.size > MOST_CATEGORIES)
        throw new DownhillError(
          "memory",
          `csv: column ${show(this.name)} has more than ${MOST_CATEGORIES} different values`,
        );
    } else {
      const value = Number(cell);
      this.sum += value;
      if (!Number.isFinite(Math.fround(value))) this.large ??= { line, cell };
    }
  }

  /** How the column is encoded. Throws where that cannot be. */
  kind(table: Table, first: number): Kind {
    const { name, index, categorical, number, other, large, present, counts } = this;
    if (!present) throw damagedLine(table, first, index, "a value somewhere in the column", "none");
    if (!other && !categorical) {
      if (large) throw damagedLine(table, large.line, index, "a number that is finite in float32", show(large.cell));
      return { name, index, values: undefined, means: [this.sum / present] };
    }
    if (number !== undefined && !categorical)
      throw damagedLine(
        table,
        other!.line,
        index,
        `a number as in line ${number}`,
        `${show(other!.cell)} (categories that may be numbers: name the column in the option categorical)`,
      );
    const values = [...counts.keys()].sort();
    if (!other) values.sort((a, b) => Number(a) - Number(b));
    return { name, index, values, means: values.map((value) => counts.get(value)! / present) };
  }
}

/** How a column is encoded. */
interface Kind {
  name: string;
  /** In the file. */
  index: number;
  /** Its categories; undefined: it is of numbers. */
  values: string[] | undefined;
  /** Of its columns in x. */
  means: number[];
}

/** Of the columns of x, and of the target. */
interface Kinds {
  x: Kind[];
  y: Kind;
}

/** What becomes of a table, which may come in parts. */
export interface CsvPlan {
  /** The target's column. */
  target: number;
  /** Looks at rows. */
  learn(table: Table): void;
  /** What was learned. */
  kinds(): Kinds;
  encode(kinds: Kinds, table: Table): { x: NDArray<Float32Array>; y: NDArray<Int32Array> | NDArray<Float32Array> };
}

type CsvChoices = Pick<
  Read<ReturnType<typeof csvSchema>>,
  "target" | "task" | "missing" | "categorical" | "maxColumns"
>;

export function planOf(table: Table, { target: wanted, task, missing, categorical, maxColumns }: CsvChoices): CsvPlan {
  const target = findColumn(table, "target", wanted);
  const forced = new Set(categorical.map((name) => findColumn(table, "categorical", name)));
  if (task === "classification") forced.add(target);
  else if (task && forced.has(target))
    throw argumentError(table.who, "categorical without the target of a regression", categorical);
  const facts = table.names.map((name, c) => new ColumnFacts(name, c, forced.has(c)));
  let first = 0;
  return {
    target,
    learn({ rows, lines }) {
      first ||= lines[0] ?? 0;
      rows.forEach((cells, row) => {
        for (const [c, fact] of facts.entries()) fact.add(cells[c]!, lines[row]!);
      });
    },
    kinds() {
      const x = facts.map((fact) => fact.kind(table, first));
      const [y] = x.splice(target, 1) as [Kind];
      const { other } = facts[target]!;
      if (task === "regression" && other)
        throw damagedLine(table, other.line, target, "a number, for regression", show(other.cell));
      const width = widthOf(x);
      if (width > maxColumns)
        throw new DownhillError(
          "memory",
          `${table.who}: expected x of at most ${maxColumns} columns (maxColumns), got ${width}; ${widestOf(x)}`,
        );
      return { x, y };
    },
    encode({ x, y }, part) {
      const n = part.rows.length;
      const labels = columnOf(part, y);
      return {
        x: encode(
          x.map((kind) => columnOf(part, kind)),
          missing === "keep",
        ),
        y: y.values
          ? { data: Int32Array.from(labels.data), shape: [n] }
          : { data: Float32Array.from(labels.data), shape: [n, 1] },
      };
    },
  };
}

/** Of x. */
const widthOf = (kinds: readonly Kind[]): number => kinds.reduce((sum, { means }) => sum + means.length, 0);

/** Which column of the file makes x as wide as it is. */
function widestOf(kinds: readonly Kind[]): string {
  const { name, means } = kinds.reduce((widest, kind) => (kind.means.length > widest.means.length ? kind : widest));
  return `column ${show(name)} has ${means.length} different values`;
}

/** Names of the columns of x, and of the classes. */
export const namesOf = ({ x, y }: Kinds) => ({
  columns: x.flatMap(({ name, values }) => values?.map((v) => `${name}=${v}`) ?? [name]),
  classes: y.values,
});

/** One column of the file; missing values are NaN. */
interface Column extends Kind {
  /** Numbers, or indices into `values`. */
  data: Float64Array;
}

function columnOf(table: Table, kind: Kind): Column {
  const { index: c, values } = kind;
  const index = values && new Map(values.map((value, i) => [value, i]));
  const data = Float64Array.from(table.rows, (cells, row) => {
    const cell = cells[c]!;
    if (isMissing(cell)) return Number.NaN;
    if (!index) return numberIn(table, row, c);
    const at = index.get(cell);
    if (at === undefined) throw damaged(table, row, c, `one of ${show(values)}`, show(cell));
    return at;
  });
  return { ...kind, data };
}

/** The columns side by side, categories one-hot; NaN stays, or becomes the mean of each column of the result. */
function encode(columns: Column[], keep: boolean): NDArray<Float32Array> {
  const width = widthOf(columns);
  const n = columns[0]!.data.length;
  if (n * width * 4 > MOST_BYTES)
    throw new DownhillError(
      "memory",
      `csv: expected x of at most ${MOST_BYTES} bytes, got ${n * width * 4} for [${n}, ${width}]; ${widestOf(columns)}`,
    );
  const x = new Float32Array(n * width);
  let at = 0;
  for (const { data, values, means } of columns) {
    const absent = keep ? means.map(() => Number.NaN) : means;
    for (let row = 0; row < n; row++) {
      const value = data[row]!;
      const to = row * width + at;
      if (Number.isNaN(value)) x.set(absent, to);
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
  const table = await readTable(source, options.header, { delimiter: options.delimiter, quote: '"' });
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
