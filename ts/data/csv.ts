// Tables from CSV text (RFC 4180): features x, targets y.

import { argumentError, DownhillError, show } from "../errors";
import type { NDArray } from "../ndarray";
import {
  boolean,
  check,
  count,
  either,
  type Field,
  field,
  isObject,
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

/** How a table was encoded: of what `csv` gave, or of the rows of `csvRows`, these fields. JSON keeps them. */
export interface CsvEncoding {
  /** Names of the columns of `x`. */
  columns: readonly string[];
  /** The classes' names; none where the target is a number. */
  classes?: readonly string[] | undefined;
  /** Means of the columns of `x`, for `missing: "mean"`. */
  means?: readonly number[] | undefined;
}

/** Options of `csv` for another table of the same kind as an earlier one. */
export interface CsvLikeOptions extends Pick<CsvOptions, "header" | "delimiter" | "quote"> {
  /** The earlier table, or its `{ columns, classes, means }`: `x` has exactly its columns, `y` its classes. */
  like: CsvEncoding;
  /** The target column: its name, or its number from 1. Without it there is no `y`, and rows need not have one. */
  target?: string | number | undefined;
  /** As otherwise; `"mean"` fills in the means of the earlier table. Columns that are not used may lack values. */
  missing?: "error" | "drop" | "mean" | "keep";
}

/** A table without a target. */
export interface FeatureTable {
  /** The features, [n, columns]. */
  x: NDArray<Float32Array>;
  /** There is none. */
  y: undefined;
  /** Names of the columns of `x`. */
  columns: string[];
  /** Those of the earlier table. */
  classes: string[] | undefined;
  /** Those of the earlier table. */
  means: number[] | undefined;
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
  /** Means of the columns of `x` over the rows that have a value: of a category its share. */
  means: number[];
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
  /** Means of the columns of `x` over the rows that have a value: of a category its share. */
  means: number[];
}

export const csvSchema = () => ({
  target: optional(targetField()),
  like: optional(likeField()),
  task: optional(oneOf("classification", "regression")),
  header: or(boolean(), true),
  delimiter: or(separator("a string without line breaks", /^[^\r\n]+$/), ","),
  quote: or(separator("one character, no line break", /^[^\r\n]$/), '"'),
  missing: or(oneOf("error", "drop", "mean", "keep"), "error"),
  categorical: or(listOf(text()), () => []),
  maxColumns: or(count(), Infinity),
});

const targetField = () => either(text(), count());

const likeField = () =>
  field<CsvEncoding>("what csv gave of an earlier table, or its { columns, classes, means }", (value) => {
    if (!isObject(value)) return false;
    const { columns, classes, means } = value as Partial<CsvEncoding>;
    const names = listOf(text());
    return (
      names.accepts(columns) &&
      columns!.length > 0 &&
      (classes === undefined || names.accepts(classes)) &&
      (means === undefined ||
        (Array.isArray(means) && means.length === columns!.length && means.every(Number.isFinite)))
    );
  });

/** Options that say what `like` says. */
const LEARNED = ["task", "categorical", "maxColumns"] as const;

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
 * `like` reads more rows as an earlier table was encoded, such as those to predict, in whatever order their columns are;
 * columns that it does not name are passed over. A category that the earlier table did not have is an error.
 *
 * ```ts
 * const fresh = await csv("new.csv", { like: { columns, classes } }); // fresh.x has the columns of x
 * ```
 *
 * Rejects with `format`, naming line and column from 1, where the content is not as expected; `data` where the file
 * cannot be read; `shape` where no row is left; `argument` for an unknown target; `memory` where `x` would have
 * more than `maxColumns` columns, or take more than 1 GiB.
 */
export function csv(source: string, options: CsvOptions & { task: "classification" }): Promise<ClassificationTable>;
export function csv(source: string, options: CsvOptions & { task: "regression" }): Promise<RegressionTable>;
export function csv(source: string, options: CsvLikeOptions & { target?: undefined }): Promise<FeatureTable>;
export function csv(
  source: string,
  options: CsvOptions | (CsvLikeOptions & { target: string | number }),
): Promise<ClassificationTable | RegressionTable>;
export async function csv(
  source: string,
  given: CsvOptions | CsvLikeOptions,
): Promise<ClassificationTable | RegressionTable | FeatureTable> {
  check("csv", "source", text(), source);
  const options = readCsvOptions("csv", given, csvSchema());
  const table = await readTable(source, options.header, options, leastColumns(options));
  const plan = planOf(table, options);
  handleMissing(table, options.missing, plan);
  checkRows(table.who, table.rows.length);
  plan.learn(table);
  const kinds = plan.kinds();
  return { ...plan.encode(kinds, table), ...plan.names(kinds) } as ClassificationTable | RegressionTable | FeatureTable;
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
  if (!options.like) check(who, "target", targetField(), options.target);
  else {
    for (const key of LEARNED)
      if ((given as CsvOptions)[key] !== undefined)
        throw argumentError(who, `no ${key} beside like, which has the columns`, (given as CsvOptions)[key]);
    if (options.missing === "mean" && !options.like.means)
      throw argumentError(who, 'like with the means of its columns, for missing: "mean"', options.like);
  }
  return options;
}

/** A target, and something to tell it from. */
export const leastColumns = ({ like, target }: { like?: unknown; target?: unknown }) => (like && !target ? 1 : 2);

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

/** Of the columns of x, and of the target, if there is one. */
interface Kinds {
  x: Kind[];
  y: Kind | undefined;
}

/** What becomes of a table, which may come in parts. */
export interface CsvPlan {
  /** The target's column, if there is one. */
  target: number | undefined;
  /** The columns that are used. */
  used: readonly number[];
  /** Looks at rows. */
  learn(table: Table): void;
  /** What was learned. */
  kinds(): Kinds;
  /** Names of the columns of x, and of the classes; and the means of the columns. */
  names(kinds: Kinds): { columns: string[]; classes: string[] | undefined; means: number[] | undefined };
  encode(
    kinds: Kinds,
    table: Table,
  ): { x: NDArray<Float32Array>; y: NDArray<Int32Array> | NDArray<Float32Array> | undefined };
}

type CsvChoices = Pick<
  Read<ReturnType<typeof csvSchema>>,
  "target" | "like" | "task" | "missing" | "categorical" | "maxColumns"
>;

export const planOf = (table: Table, options: CsvChoices): CsvPlan =>
  options.like ? planLike(table, options.like, options) : planToLearn(table, options);

/** What columns are is told by their values. */
function planToLearn(table: Table, { target: wanted, task, missing, categorical, maxColumns }: CsvChoices): CsvPlan {
  const target = findColumn(table, "target", wanted!);
  const forced = new Set(categorical.map((name) => findColumn(table, "categorical", name)));
  if (task === "classification") forced.add(target);
  else if (task && forced.has(target))
    throw argumentError(table.who, "categorical without the target of a regression", categorical);
  const facts = table.names.map((name, c) => new ColumnFacts(name, c, forced.has(c)));
  let first = 0;
  return {
    target,
    used: [...facts.keys()],
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
    names: ({ x, y }) => ({
      columns: x.flatMap(({ name, values }) => values?.map((v) => `${name}=${v}`) ?? [name]),
      classes: y!.values,
      means: x.flatMap(({ means }) => means),
    }),
    encode: (kinds, part) => encodeTable(kinds, part, missing),
  };
}

/** The columns are those of an earlier table. */
function planLike(
  table: Table,
  { columns, classes, means }: CsvEncoding,
  { target: wanted, missing }: CsvChoices,
): CsvPlan {
  const target = wanted === undefined ? undefined : findColumn(table, "target", wanted);
  const x: Kind[] = [];
  const once = (encoded: string) =>
    argumentError(table.who, "like to have the columns of a category side by side, each once", encoded);
  const seen = new Set<string>();
  const originOf = originsIn(table, columns);
  for (const [j, encoded] of columns.entries()) {
    if (seen.has(encoded)) throw once(encoded);
    seen.add(encoded);
    const { column: index, value } = originOf(encoded);
    const mean = means ? means[j]! : Number.NaN;
    const last = x.at(-1);
    if (value !== undefined && last?.values && last.index === index) {
      last.values.push(value);
      last.means.push(mean);
    } else if (x.some((kind) => kind.index === index)) throw once(encoded);
    else x.push({ name: table.names[index]!, index, values: value === undefined ? undefined : [value], means: [mean] });
  }
  const y = target === undefined ? undefined : { name: table.names[target]!, index: target, means: [] };
  const kinds: Kinds = { x, y: y && { ...y, values: classes && [...classes] } };
  return {
    target,
    used: [...x.map(({ index }) => index), ...(target === undefined ? [] : [target])],
    learn() {},
    kinds: () => kinds,
    names: () => ({ columns: [...columns], classes: classes && [...classes], means: means && [...means] }),
    encode: (_, part) => encodeTable(kinds, part, missing),
  };
}

function encodeTable({ x, y }: Kinds, part: Table, missing: CsvChoices["missing"]): ReturnType<CsvPlan["encode"]> {
  const n = part.rows.length;
  const labels = y && columnOf(part, y).data;
  return {
    x: encode(
      x.map((kind) => columnOf(part, kind)),
      missing === "keep",
    ),
    y:
      labels &&
      (y.values ? { data: Int32Array.from(labels), shape: [n] } : { data: Float32Array.from(labels), shape: [n, 1] }),
  };
}

/** Of x. */
const widthOf = (kinds: readonly Kind[]): number => kinds.reduce((sum, { means }) => sum + means.length, 0);

/** Which column of the file makes x as wide as it is. */
function widestOf(kinds: readonly Kind[]): string {
  const { name, means } = kinds.reduce((widest, kind) => (kind.means.length > widest.means.length ? kind : widest));
  return `column ${show(name)} has ${means.length} different values`;
}

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

/** Where a column of x comes from. */
interface Origin {
  column: number;
  /** The category that it marks; undefined: it is a number. */
  value: string | undefined;
}

/** A column of x is `name` or `name=category`; of several columns that fit, the longest name that is not a column of numbers. */
function originsIn(table: Table, columns: readonly string[]): (encoded: string) => Origin {
  const places = new Map(table.names.map((name, c) => [name, c]));
  const known = new Set(columns);
  const longest = table.names.reduce((most, { length }) => Math.max(most, length), 0);
  return (encoded) => {
    const whole = places.get(encoded);
    if (whole !== undefined) return { column: whole, value: undefined };
    let found: Origin | undefined;
    for (let at = encoded.indexOf("="); at >= 0 && at <= longest; at = encoded.indexOf("=", at + 1)) {
      const name = encoded.slice(0, at);
      const column = places.get(name);
      if (column !== undefined && !known.has(name)) found = { column, value: encoded.slice(at + 1) };
    }
    if (found) return found;
    throw new DownhillError(
      "format",
      `${table.who}: expected the column ${show(encoded.replace(/=.*/, ""))}, got columns ${show(table.names)}`,
    );
  };
}
