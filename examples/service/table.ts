// Tables: from CSV text, JSON rows or a file in the data folder to what a model is trained on.

import { readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { csvRows, DownhillError } from "downhill";
import { philox4x32 } from "downhill/random";
import type { Config } from "./config";
import { badRequest, ServiceError, show, tooLarge, unprocessable } from "./errors";
import { type JsonBody, readJson } from "./json";

/** A column of what is predicted from: numbers, or one of `values`. */
export interface Column {
  name: string;
  values?: string[];
}

/** What is known of a table once it has been read. */
export interface Facts {
  target: string;
  columns: Column[];
  /** In classification. */
  classes?: string[];
  /** Numbers a row, a category counting as one each. */
  width: number;
  /** Rows trained on, and rows held out for validation, the last ones. */
  rows: { training: number; validation: number };
  /** Of the columns and (in regression) of the target, over the rows trained on. */
  moments: { mean: number[]; variance: number[]; target?: { mean: number; variance: number } };
}

/** A table as it is trained on: rows in the order of the seed. */
export interface Table {
  facts: Facts;
  /** [rows, width] */
  x: Float32Array;
  /** [rows] of classes, or [rows, 1] of numbers. */
  y: Int32Array | Float32Array;
}

export type Source = { text: string; json?: boolean } | { bytes: Uint8Array } | { file: string };

export interface TableOptions {
  target: string;
  task?: "classification" | "regression";
  missing: "error" | "drop";
  validationSplit: number;
  seed: number;
}

/** Reads tables, in a thread of its own. */
export class Tables {
  constructor(private readonly config: Config) {}

  /** A JSON body without its table, and the table as a text to `read`. */
  async json(bytes: Uint8Array): Promise<JsonBody> {
    return readJson(bytes, this.config);
  }

  async read(source: Source, { task, ...options }: TableOptions): Promise<Table> {
    try {
      const bytes = await this.#bytes(source);
      checkHeader(checkSize(bytes, this.config));
      // some rows at a time: what a table takes in memory is the text and the numbers
      const { target, missing } = options;
      const rows = await csvRows(bytes, { target, missing, rows: ROWS, ...(task && { task }) });
      return await this.#prepare(rows, options);
    } catch (error) {
      if (!(error instanceof DownhillError)) throw error;
      // without what csvRows could do and the service does not
      const message = error.message
        .replace(/^csvRows: /, "")
        .replace(', "mean" fills it in', "")
        .replace(/ \(categories that may be numbers: .*\)$/, "");
      const json = "json" in source && source.json;
      throw unprocessable(json ? message.replaceAll(/\bline (\d+)/g, (_, line) => `rows[${line - 2}]`) : message);
    }
  }

  async #bytes(source: Source): Promise<Uint8Array> {
    if ("file" in source) return this.#file(source.file);
    return "bytes" in source ? source.bytes : new TextEncoder().encode(source.text);
  }

  /** A file of the data folder's; links out of it are not followed. */
  async #file(name: string): Promise<Uint8Array> {
    const expected = "file: expected the path of a .csv file in the data folder";
    const parts = name.split(/[\\/]/);
    const inside = !/^[\\/]|^[a-z]:|\0/i.test(name) && !parts.includes("..");
    if (!inside || !name.endsWith(".csv")) throw badRequest(`${expected}, got ${show(name)}`);
    const missing = new ServiceError(404, "not_found", `${expected}, got ${show(name)}, which is not there`);
    try {
      const folder = await realpath(this.config.data);
      const path = await realpath(join(folder, ...parts));
      if (!path.startsWith(folder + sep) || !path.endsWith(".csv")) throw badRequest(`${expected}, got ${show(name)}`);
      const { size } = await stat(path).then((found) => (found.isFile() ? found : Promise.reject(missing)));
      if (size > this.config.maxFile)
        throw tooLarge(`file: expected at most ${this.config.maxFile} bytes, got ${size}`);
      return await readFile(path);
    } catch (error) {
      throw error instanceof ServiceError ? error : missing;
    }
  }

  async #prepare(
    table: Awaited<ReturnType<typeof csvRows>>,
    { target, validationSplit, seed }: Omit<TableOptions, "task">,
  ): Promise<Table> {
    const { size: rows, columns: names = [], classes } = table;
    const width = names.length;
    const { maxColumns, maxTable, maxClasses } = this.config;
    if (width > maxColumns) throw tooWide(maxColumns, width);
    const size = rows * width * 4;
    if (size > maxTable)
      throw unprocessable(`expected a table of at most ${maxTable} bytes, got ${size} for [${rows}, ${width}]`);
    if (classes && classes.length > maxClasses)
      throw unprocessable(`target: expected at most ${maxClasses} classes, got ${classes.length}`);
    if (classes && classes.length < 2) throw unprocessable(`target: expected at least 2 classes, got ${show(classes)}`);
    const odd = [...(classes ?? []), ...names].find((name) => name === "__proto__");
    if (odd) throw unprocessable(`expected another name than ${show(odd)}`);
    const validation = Math.floor(rows * validationSplit);
    const training = rows - validation;
    if (validationSplit > 0 && (validation === 0 || training === 0))
      throw unprocessable(`validationSplit: expected rows on both sides, got ${validationSplit} of ${rows} rows`);
    const x = new Float32Array(rows * width);
    const y = classes ? new Int32Array(rows) : new Float32Array(rows);
    const places = order(rows, seed);
    let row = 0;
    for await (const batch of table)
      for (let i = 0; i < batch.x.shape[0]!; i++) {
        const to = places[row++]!;
        x.set(batch.x.data.subarray(i * width, (i + 1) * width), to * width);
        y[to] = batch.y.data[i]!;
      }
    const moments: Facts["moments"] = columnMoments(x, training, width);
    if (!classes) {
      const { mean, variance } = columnMoments(y, training, 1);
      moments.target = { mean: mean[0]!, variance: variance[0]! };
    }
    const facts = { target, columns: columnsOf(names), width, rows: { training, validation }, moments };
    return { facts: classes ? { ...facts, classes } : facts, x, y };
  }
}

/** Rows that are turned into numbers at once. */
const ROWS = 256;

const tooWide = (most: number, got: number) =>
  unprocessable(`expected at most ${most} columns, a category counting as one each, got ${got}`);

const [LF, CR, SPACE, QUOTE, COMMA] = [0x0a, 0x0d, 0x20, 0x22, 0x2c];
/** Bytes of a row. */
const LONGEST = 2 ** 22;

/**
 * Throws where there are more rows, or more values in one, than may be: before they are read, which takes time and memory.
 * Returns the line of names.
 */
function checkSize(bytes: Uint8Array, { maxRows, maxColumns }: Config): string {
  let header: string | undefined;
  let [rows, blank, commas, from] = [0, 0, 0, 0];
  let isBlank = true;
  let isQuoted = false;
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) isQuoted = !isQuoted;
    if (at < bytes.length && (isQuoted || (byte !== LF && byte !== CR))) {
      if (byte === COMMA && !isQuoted) commas++;
      isBlank &&= byte! <= SPACE;
      continue;
    }
    if (commas > maxColumns) throw tooWide(maxColumns, commas); // one more value, and the target
    if (byte === LF && bytes[at - 1] === CR) {
      from = at + 1;
      continue;
    }
    if (at - from > LONGEST) throw unprocessable(`expected rows of at most ${LONGEST} bytes, got ${at - from}`);
    if (isBlank) blank++;
    else if (header === undefined) header = new TextDecoder().decode(bytes.subarray(from, at));
    else rows++;
    commas = 0;
    from = at + 1;
    isBlank = true;
  }
  if (rows > maxRows) throw unprocessable(`expected at most ${maxRows} rows, got ${rows}`);
  if (blank > maxRows + 1) throw unprocessable(`expected at most ${maxRows} blank lines, got ${blank - 1}`); // one is behind the last break
  return header ?? "";
}

/** Throws where the line of names has what names must not have. */
function checkHeader(header: string): void {
  // categories are told from numbers by it: "color=red"
  if (header.includes("=")) throw unprocessable(`expected names of columns without "=", got ${show(header)}`);
  if (/[\r\n]/.test(header)) throw unprocessable(`expected names of columns without line breaks, got ${show(header)}`);
}

/** `a, color=blue, color=red` → a, color with two values. */
function columnsOf(names: string[]): Column[] {
  const columns: Column[] = [];
  for (const whole of names) {
    const at = whole.indexOf("=");
    const name = at < 0 ? whole : whole.slice(0, at);
    const value = whole.slice(at + 1);
    const last = columns.at(-1);
    if (at < 0) columns.push({ name });
    else if (last?.name === name) last.values!.push(value);
    else columns.push({ name, values: [value] });
  }
  return columns;
}

/** Where each of n rows goes: a permutation of 0 … n − 1 (Fisher and Yates), the same for each seed everywhere. */
function order(n: number, seed: number): Uint32Array {
  const rows = Uint32Array.from({ length: n }, (_, i) => i);
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  let words = new Uint32Array(4);
  for (let i = n - 1; i > 0; i--) {
    const at = n - 1 - i;
    if (at % 4 === 0) words = philox4x32([at / 4, 0, 0, 0], key) as Uint32Array<ArrayBuffer>;
    const j = Math.floor((words[at % 4]! / 2 ** 32) * (i + 1));
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
  const places = new Uint32Array(n);
  for (let at = 0; at < n; at++) places[rows[at]!] = at;
  return places;
}

/** Mean and variance of the columns of the first rows. */
function columnMoments(
  x: Float32Array | Int32Array,
  rows: number,
  width: number,
): { mean: number[]; variance: number[] } {
  const mean = new Array<number>(width).fill(0);
  const variance = new Array<number>(width).fill(0);
  for (let at = 0; at < rows * width; at++) mean[at % width]! += x[at]! / rows;
  for (let at = 0; at < rows * width; at++) variance[at % width]! += (x[at]! - mean[at % width]!) ** 2 / rows;
  return { mean, variance };
}
