// CSV (RFC 4180) as a table of texts.

import { argumentError, DownhillError, show } from "../errors";
import type { ByteSource } from "../runtime/platform/files";
import { openSource, readSource } from "./files";
import { loadCsvParse } from "./packages";

const MISSING = new Set(["", "na", "nan", "null", "?"]);
export const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const LINE_FEED = 10;
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

/** How values are told apart. */
export interface Dialect {
  delimiter: string;
  quote: string;
}

export interface Table {
  /** Who complains: `csv`, or with the file's path. */
  who: string;
  names: string[];
  rows: string[][];
  /** The line on which each row begins, from 1. */
  lines: number[];
}

/** An error in a row, or with `damagedLine` in a line, from 1. */
export const damaged = (table: Table, row: number, column: number, expected: string, got: string) =>
  damagedLine(table, table.lines[row]!, column, expected, got);

export function damagedLine({ who, names }: Table, line: number, column: number, expected: string, got: string) {
  const name = names[column] === undefined ? "" : ` (${show(names[column])})`;
  return new DownhillError(
    "format",
    `${who}: line ${line}, column ${column + 1}${name}: expected ${expected}, got ${got}`,
  );
}

/** The whole table of a text, or of the file that it names. */
export async function readTable(source: string, header: boolean, dialect: Dialect, least: number): Promise<Table> {
  const isPath = !isText(source);
  const who = isPath ? `csv: ${source}` : "csv";
  const bytes = isPath ? await pathOrText("csv", source, readSource("csv", source)) : new TextEncoder().encode(source);
  if (bytes.length > LONGEST)
    throw new DownhillError("memory", `${who}: expected at most ${LONGEST} bytes, got ${bytes.length}`);
  const table: Table = { who, names: [], rows: [], lines: [] };
  for await (const { names, rows, lines } of readTables(who, await openSource("csv", bytes), header, dialect)) {
    table.names = names;
    for (const row of rows) table.rows.push(row);
    for (const line of lines) table.lines.push(line);
  }
  checkTable(table, dialect, least);
  return table;
}

/** A text without a line break is a path. */
export const isText = (source: string) => /[\r\n]/.test(source);

/** The reading of a source, which says where it fails what a string was taken for: it may be content, of one line. */
export const pathOrText = <T>(who: string, source: unknown, reading: Promise<T>): Promise<T> =>
  reading.catch((error) => {
    if (typeof source !== "string" || error.code !== "data") throw error;
    const message = source.length > 200 ? `${who}: cannot read ${show(source)}` : error.message;
    const taken = "taken for a path, as it has no line break; content has one, such as behind the names of its columns";
    throw new DownhillError("data", `${message} (${taken})`, { cause: error.cause });
  });

/** Throws where it has no rows, or fewer columns. */
export function checkTable(table: Table, { delimiter }: Dialect, least: number): void {
  if (!table.rows.length) throw new DownhillError("shape", `${table.who}: expected at least one row, got none`);
  if (table.names.length < least)
    throw damaged(
      table,
      0,
      1,
      "a second column (target and features)",
      `the end of the line${otherDelimiter(table.names[0]!, delimiter)}`,
    );
}

/** A hint where something else seems to separate the values of a line. */
function otherDelimiter(line: string, delimiter: string): string {
  const other = [";", "\t", "|", ","].find((one) => !delimiter.includes(one) && line.includes(one));
  return other ? ` (if ${show(other)} separates the values of this file, say so: option delimiter)` : "";
}

/** Adds records as rows, of which `lines` tells where they begin; the first one as names. */
function addRecords(
  table: Table,
  records: string[][],
  header: boolean,
  lines: readonly number[],
  { delimiter }: Dialect,
): void {
  for (const [i, record] of records.entries()) {
    if (record.length === 1 && record[0] === "") continue; // a blank line
    const width = table.names.length;
    table.lines.push(lines[i]!);
    if (!width) {
      table.names.push(...(header ? record : record.map((_, c) => String(c + 1))));
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
        `${record.length}${width === 1 ? otherDelimiter(table.names[0]!, delimiter) : ""}`,
      );
    table.rows.push(record);
  }
}

/** Characters that a record of a file that is read in parts may have. */
const LONGEST_RECORD = 2 ** 26;

/**
 * A table in parts of whole rows, of about `chunk` bytes of the file: as `readTable` reads it, its names in the first part
 * and in all others.
 */
export async function* readTables(
  who: string,
  source: ByteSource,
  header: boolean,
  dialect: Dialect,
  chunk = 1 << 18,
): AsyncGenerator<Table> {
  const decoder = new TextDecoder("utf-8", { fatal: true }); // it takes a byte order mark away
  const names: string[] = [];
  let rest = ""; // of a record that has not ended
  let quoted = false; // in the end of it
  const mark = dialect.quote.charCodeAt(0);
  let held = ""; // "\r", which "\n" may follow
  let line = 1;
  for (let at = 0; ; ) {
    const bytes = await source.read(at, chunk);
    at += bytes.length;
    const last = bytes.length < chunk;
    let text = held;
    try {
      text += decoder.decode(bytes, { stream: !last });
    } catch (cause) {
      throw new DownhillError("format", `${who}: expected text in UTF-8, got other bytes`, { cause });
    }
    held = !last && text.endsWith("\r") ? "\r" : "";
    text = text.slice(0, text.length - held.length).replace(/\r\n?/g, "\n");
    let end = 0; // a line break within quotes ends no record
    if (!quoted && !text.includes(dialect.quote)) end = text.lastIndexOf("\n") + 1;
    else
      for (let i = 0; i < text.length; i++) {
        const c = text.charCodeAt(i);
        if (c === mark) quoted = !quoted;
        else if (c === LINE_FEED && !quoted) end = i + 1;
      }
    if (last) end = text.length;
    const whole = end || last ? rest + text.slice(0, end) : "";
    rest = (whole ? "" : rest) + text.slice(end);
    if (rest.length > LONGEST_RECORD)
      throw new DownhillError("memory", `${who}: line ${line}: expected a row of at most ${LONGEST_RECORD} characters`);
    if (whole) {
      const table: Table = { who, names, rows: [], lines: [] };
      const found = await parseRecords(who, whole, dialect, line);
      addRecords(table, found.records, header, found.lines, dialect);
      line = found.behind;
      yield table;
    }
    if (last) return;
  }
}

/** The records of a text that begins on `line`, on which line each begins, and the line behind. */
async function parseRecords(who: string, content: string, dialect: Dialect, line: number) {
  const { parse } = await loadCsvParse();
  const { delimiter, quote } = dialect;
  const read = (text: string): string[][] =>
    parse(new TextEncoder().encode(text), {
      delimiter,
      quote,
      escape: quote,
      record_delimiter: "\n",
      relax_column_count: true,
      trim: true,
    });
  const { text, lines, behind } = dropBlank(content, dialect, line);
  try {
    const records = read(text);
    return { records, lines, behind };
  } catch {
    // and again with all lines, which it counts
  }
  try {
    return { records: read(content), lines, behind };
  } catch (cause) {
    const { code, lines, column, message } = cause as { code: string; lines: number; column: number; message: string };
    const within = code === "CSV_QUOTE_NOT_CLOSED" ? openingLine(content, quote) : lines;
    const after = code === "CSV_INVALID_CLOSING_QUOTE" ? afterQuotes(content.split("\n")[within - 1] ?? "", quote) : "";
    throw new DownhillError(
      "format",
      `${who}: line ${line - 1 + within}, column ${column + 1}: expected ${QUOTING[code] ?? message}${otherDelimiter(after, delimiter)}`,
      {
        cause,
      },
    );
  }
}

/** A text without its blank lines, for each of which csv-parse makes an error that nobody sees: 20 µs. */
function dropBlank(content: string, { delimiter, quote }: Dialect, line: number) {
  const lines: number[] = [];
  let text = "";
  let kept = 0;
  let begin = line; // of a record, which goes on for as long as a quote is open
  let quoted = false;
  const mark = quote.charCodeAt(0);
  const anyQuote = content.includes(quote);
  for (let from = 0; from < content.length; line++) {
    const found = content.indexOf("\n", from);
    const end = found < 0 ? content.length : found;
    const within = quoted;
    if (anyQuote) for (let i = from; i < end; i++) if (content.charCodeAt(i) === mark) quoted = !quoted;
    const blank = found >= 0 && !within && isBlank(content, from, end, delimiter);
    if (blank) {
      text += content.slice(kept, from);
      kept = end + 1;
    } else if (!quoted || found < 0) lines.push(begin);
    if (!quoted) begin = line + 1;
    from = end + 1;
  }
  const behind = content.endsWith("\n") || !content ? line : line - 1;
  return { text: text + content.slice(kept), lines, behind };
}

/** Space only, which separates no values. */
function isBlank(content: string, from: number, to: number, delimiter: string): boolean {
  for (let i = from; i < to; i++) if (!" \t".includes(content[i]!) || delimiter.includes(content[i]!)) return false;
  return true;
}

/** What stands behind the quotes of a line. */
const afterQuotes = (line: string, quote: string) =>
  line
    .split(quote)
    .slice(1)
    .map((part) => part[0] ?? "")
    .join("");

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
  const columns = new Map<string, number>();
  for (const [c, name] of table.names.entries()) {
    if (name === "") throw damaged(table, 0, c, "a name in the header", '""');
    const first = columns.get(name);
    if (first !== undefined) throw damaged(table, 0, c, "names that differ", `that of column ${first + 1} again`);
    columns.set(name, c);
  }
}

export function findColumn({ who, names }: Table, option: string, column: string | number): number {
  const index = typeof column === "number" ? column - 1 : names.indexOf(column);
  if (names[index] === undefined) throw argumentError(who, `${option} to be a column, one of ${show(names)}`, column);
  return index;
}

export const isMissing = (cell: string) => cell.length < 5 && MISSING.has(cell.trim().toLowerCase());

/** Throws at missing values of the columns that are used, or leaves their rows out, as `missing` says. */
export function handleMissing(
  table: Table,
  missing: "error" | "drop" | "mean" | "keep",
  { target, used }: { target: number | undefined; used: readonly number[] },
) {
  const { rows, lines } = table;
  const gap = (cells: string[]) => used.find((c) => isMissing(cells[c]!));
  if (missing === "drop") {
    const whole = rows.map((cells) => gap(cells) === undefined);
    table.rows = rows.filter((_, row) => whole[row]);
    table.lines = lines.filter((_, row) => whole[row]);
    return;
  }
  for (const [row, cells] of rows.entries()) {
    const column = missing === "error" ? gap(cells) : isMissing(cells[target ?? -1] ?? "0") ? target : undefined;
    if (column === undefined) continue;
    const hint = column === target ? '"drop" leaves the row out' : '"drop" leaves the row out, "mean" fills it in';
    const what = column === target ? "a target" : "a value";
    throw damaged(table, row, column, what, `${show(cells[column])} (missing: ${hint})`);
  }
}

/** The number in a cell. */
export function numberIn(table: Table, row: number, column: number): number {
  const cell = table.rows[row]![column]!;
  if (!NUMBER.test(cell)) throw damaged(table, row, column, "a number", show(cell));
  const value = Number(cell);
  if (!Number.isFinite(Math.fround(value)))
    throw damaged(table, row, column, "a number that is finite in float32", show(cell));
  return value;
}
