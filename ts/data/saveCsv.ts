// Tables as CSV text (RFC 4180), written.

import { argumentError, DownhillError, show } from "../errors";
import type { ArrayLike, NumberArray } from "../ndarray";
import { boolean, field, isObject, listOf, oneOf, optional, or, readOptions, text } from "../options";
import { isNDArray, readArray } from "./arrays";
import { checkTarget, type SaveTarget, saveBytes, writeFiles } from "./files";
import { batchesOf } from "./rows";

/** Options of `saveCsv`. */
export interface SaveCsvOptions {
  /** Names of the columns of x. Default: those of the data, as `csv` gave them; otherwise x1, x2, … */
  columns?: readonly string[];
  /** The name of y's column; of several y's columns it is numbered. Default `"y"`. */
  target?: string;
  /** What is written for y = 0, 1, … Default: the classes of the data, as `csv` gave them; otherwise numbers. */
  classes?: readonly string[];
  /** Whether the first line holds the columns' names. Default true. */
  header?: boolean;
  /** One character between values. Default `","`. */
  delimiter?: string;
  /** What ends a line. Default `"\n"`. */
  lineBreak?: "\n" | "\r\n";
}

/** x, [n, columns] or [n], and perhaps y, [n] or [n, outputs]; or x alone. */
export type TableRows =
  | ArrayLike
  | {
      /** [n, columns] or [n] */
      x: ArrayLike;
      /** [n] or [n, outputs] */
      y?: ArrayLike;
    };

/** Rows as they come: `Rows`, a dataset of batches, a generator. */
export type TableBatches =
  | Iterable<TableRows>
  | AsyncIterable<TableRows>
  | {
      /** As a dataset's. */
      arrays(): unknown;
    };

/**
 * Writes a table such as `csv` reads: the columns of x, then those of y. Float32 numbers have as many digits, 6 to 9, as it
 * takes to read them back as the same; NaN is `NaN`, which `csv` counts as missing. One-hot columns stay what they are, named `name=value`.
 *
 * @param table { x, y }, x alone, or what `csv` resolved to; or, for what is larger than memory, an (async) iterable of those,
 * such as `csvRows` gives, or a dataset of batches; these are written as they come, and need a path
 * @param target a path, written atomically; or a function, or an object with `save`, which is given the bytes
 * @returns a promise of the bytes (UTF-8); of an iterable of nothing
 * @example await saveCsv({ x, y: model.predict(x) }, "predicted.csv", { columns, target: "price" });
 * @throws DownhillError `data` where the path cannot be written, a number is infinite or a class has no name; `argument`, `shape`
 */
export function saveCsv(table: TableRows, target?: SaveTarget, options?: SaveCsvOptions): Promise<Uint8Array>;
export function saveCsv(batches: TableBatches, path: string, options?: SaveCsvOptions): Promise<undefined>;
export async function saveCsv(
  given: TableRows | TableBatches,
  target?: SaveTarget,
  options?: SaveCsvOptions,
): Promise<Uint8Array | undefined> {
  checkTarget("saveCsv", target);
  const { columns, classes } = (isObject(given) ? given : {}) as { columns?: string[]; classes?: string[] };
  const names = listOf(text());
  const read = readOptions("saveCsv", options, {
    columns: or(optional(names), columns),
    target: or(text(), "y"),
    classes: or(optional(names), classes),
    header: or(boolean(), true),
    delimiter: or(
      field<string>("one character that is no quotation mark, letter, digit, point, sign or line break", (v) =>
        /^[^\p{L}\p{N}".+\-\r\n]$/u.test(v as string),
      ),
      ",",
    ),
    lineBreak: or(oneOf("\n", "\r\n"), "\n"),
  });
  const batches = batchesOf(given);
  const encoder = new TextEncoder();
  const lines = linesOf(read);
  if (!batches) return saveBytes("saveCsv", encoder.encode(lines(given)), target);
  if (typeof target !== "string") throw argumentError("saveCsv", "a path for rows as they come", target);
  await writeFiles("saveCsv", [target], async ([file]) => {
    let any = false;
    for await (const batch of batches) {
      any = true;
      await file!.write(encoder.encode(lines(batch)));
    }
    if (!any) throw new DownhillError("data", "saveCsv: expected at least one batch, got none");
  });
  return undefined;
}

interface Format {
  columns?: readonly string[] | undefined;
  target: string;
  classes?: readonly string[] | undefined;
  header: boolean;
  delimiter: string;
  lineBreak: string;
}

/** A function that gives the text of more and more rows, of the first ones with the header. */
function linesOf({ columns, target, classes, header, delimiter, lineBreak }: Format) {
  let widths: string | undefined;
  let row = 0;
  // csv takes away the space around a value, and a blank line
  const quoted = (value: string) =>
    value === "" || value.includes(delimiter) || /["\r\n]|^\s|\s$/.test(value)
      ? `"${value.replaceAll('"', '""')}"`
      : value;
  const number = (value: number, data: NumberArray) => {
    if (value === Infinity || value === -Infinity)
      throw new DownhillError("data", `saveCsv: expected finite numbers or NaN, got ${value} in row ${row}`);
    if (Object.is(value, -0)) return "-0"; // String says "0"
    return data instanceof Float32Array ? shortest(value) : String(value);
  };
  const label = (value: number) => {
    const name = classes![value];
    if (name === undefined)
      throw new DownhillError(
        "data",
        `saveCsv: y: expected a class in [0, ${classes!.length - 1}] in row ${row}, got ${value}`,
      );
    return quoted(name);
  };
  return (given: unknown): string => {
    const table =
      isObject(given) && !isNDArray(given) && "x" in given ? (given as { x: unknown; y?: unknown }) : { x: given };
    if ("sampleWeight" in table && table.sampleWeight !== undefined)
      throw argumentError("saveCsv", "x and y", "sampleWeight");
    const x = matrix("saveCsv: x", table.x);
    const y = table.y === undefined ? { data: new Float32Array(0), n: x.n, width: 0 } : matrix("saveCsv: y", table.y);
    if (y.n !== x.n) throw new DownhillError("shape", `saveCsv: y: expected ${x.n} rows, got ${y.n}`);
    if (columns && columns.length !== x.width)
      throw new DownhillError("shape", `saveCsv: expected x of ${columns.length} columns, got ${x.width}`);
    if (classes && y.width > 1)
      throw new DownhillError("shape", `saveCsv: y: expected one class a row, got ${y.width}`);
    const first = widths === undefined;
    widths ??= [x.width, y.width].join();
    if (widths !== [x.width, y.width].join())
      throw new DownhillError("shape", `saveCsv: expected the same columns each time, got ${show([x.width, y.width])}`);
    const lines: string[] = [];
    if (first && header) {
      const numbered = (name: string, n: number) => Array.from({ length: n }, (_, i) => `${name}${i + 1}`);
      const names = [...(columns ?? numbered("x", x.width)), ...(y.width === 1 ? [target] : numbered(target, y.width))];
      const twice = names.findIndex((name, i) => name === "" || names.indexOf(name) < i);
      if (twice >= 0) throw argumentError("saveCsv", "names of columns that differ", names[twice]);
      lines.push(names.map(quoted).join(delimiter));
    }
    for (let i = 0; i < x.n; i++, row++) {
      const cells: string[] = [];
      for (let j = i * x.width; j < (i + 1) * x.width; j++) cells.push(number(x.data[j]!, x.data));
      for (let j = i * y.width; j < (i + 1) * y.width; j++)
        cells.push(classes ? label(y.data[j]!) : number(y.data[j]!, y.data));
      lines.push(cells.join(delimiter));
    }
    return lines.length ? lines.join(lineBreak) + lineBreak : "";
  };
}

/** An array as rows: what has more axes than two has its rows flat. */
function matrix(who: string, given: unknown): { data: NumberArray; n: number; width: number } {
  const { data, shape = [data.length] } = readArray(who, given);
  const n = shape[0] ?? 0;
  if (!n) throw new DownhillError("shape", `${who}: expected at least one row, got shape ${show(shape)}`);
  return { data, n, width: data.length / n };
}

/** As many digits as it takes to be the same float32. */
function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number.isNaN(value) ? value : Number(value.toPrecision(9)));
}
