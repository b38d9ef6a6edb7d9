// JSON bodies of requests to train. They are read in the tables' thread, for they may be large: what the schema then checks has a
// stand-in for the table, whose rows were checked here.

import type { Config } from "./config";
import { badRequest, show, unprocessable } from "./errors";
import type { Cell, Row } from "./rows";

/** A body without its table, and the table as the text of a CSV file. */
export interface JsonBody {
  body: unknown;
  text?: string;
}

type Limits = Pick<Config, "maxRows" | "maxColumns" | "maxTable">;

/** Throws where the bytes are no JSON, or rows in it are none. */
export function readJson(bytes: Uint8Array, limits: Limits): JsonBody {
  const given = parse(bytes);
  if (typeof given !== "object" || given === null) return { body: given };
  if (Array.isArray(given)) return { body: [] };
  const read = readTable(given, limits);
  // what goes to another thread must not be deeper than an engine copies
  if (isDeeper(read.body, MOST_DEEP)) throw unprocessable(`expected JSON at most ${MOST_DEEP} deep, got a deeper one`);
  return read;
}

/** How deep JSON may be nested; what the schema takes is less. */
const MOST_DEEP = 16;

const isDeeper = (value: unknown, most: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (most === 0 || Object.values(value).some((v) => isDeeper(v, most - 1)));

function readTable(body: object, limits: Limits): JsonBody {
  const { maxRows } = limits;
  const { rows, columns, csv } = body as Record<string, unknown>;
  if (typeof csv === "string") return { body: { ...body, csv: "" }, text: csv };
  if (!Array.isArray(rows) || !rows.length || !isNames(columns)) return { body }; // the schema has something to say
  if (rows.length > maxRows) throw unprocessable(`rows: expected at most ${maxRows} rows, got ${rows.length}`);
  return { body: { ...body, rows: [[0]] }, text: rowsToText(rows, columns, limits) };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw badRequest(`expected JSON (${(error as Error).message})`);
  }
}

const isNames = (value: unknown): value is string[] | undefined =>
  value === undefined || (Array.isArray(value) && value.every((name) => typeof name === "string"));

/** Rows as the text of a CSV file, so that one function reads both. */
function rowsToText(
  rows: readonly unknown[],
  columns: readonly string[] | undefined,
  { maxColumns, maxTable }: Limits,
): string {
  const names = columns ?? namesOf(rowIn(rows, 0));
  // one is the target
  if (names.length > maxColumns + 1)
    throw unprocessable(`rows: expected at most ${maxColumns} columns, got ${names.length - 1}`);
  // rows that lack values are short in JSON, and as long as others in a table
  const size = rows.length * (names.length - 1) * 4;
  if (size > maxTable) throw unprocessable(`rows: expected a table of at most ${maxTable} bytes, got at least ${size}`);
  const known = new Set(names);
  const lines = rows.map((_, i) => {
    const row = rowIn(rows, i);
    if (Array.isArray(row)) {
      if (row.length !== names.length)
        throw unprocessable(`rows[${i}]: expected ${names.length} values, got ${row.length}`);
      return row.map((value, j) => cellText(value, `rows[${i}][${j}]`)).join();
    }
    const extra = Object.keys(row).find((name) => !known.has(name));
    if (extra !== undefined) throw unprocessable(`rows[${i}]: expected the columns ${show(names)}, got ${show(extra)}`);
    return names
      .map((name) =>
        cellText(Object.hasOwn(row, name) ? (row as Record<string, Cell>)[name] : null, `rows[${i}].${name}`),
      )
      .join();
  });
  return [names.map((name) => cellText(name, "columns")).join(), ...lines, ""].join("\n");
}

function rowIn(rows: readonly unknown[], i: number): Row {
  const row = rows[i];
  if (typeof row !== "object" || row === null)
    throw unprocessable(`rows[${i}]: expected a list of values, or values by name, got ${show(row)}`);
  return row as Row;
}

const namesOf = (row: Row): string[] => (Array.isArray(row) ? row.map((_, i) => `${i + 1}`) : Object.keys(row));

function cellText(value: unknown, where: string): string {
  if (typeof value === "number" || typeof value === "boolean") return `${value}`;
  if (value === null) return "";
  if (typeof value !== "string")
    throw unprocessable(`${where}: expected a number, a string, true, false or null, got ${show(value)}`);
  if (/[\r\n]/.test(value)) throw unprocessable(`${where}: expected text without line breaks, got ${show(value)}`);
  return `"${value.replaceAll('"', '""')}"`;
}
