// Rows of a request to predict, as the numbers that the model was trained on.

import { show, unprocessable } from "./errors";
import type { Column } from "./table";

export type Cell = number | string | boolean | null;
/** Values in the order of the columns, or by their names. */
export type Row = readonly Cell[] | Readonly<Record<string, Cell>>;

export class RowEncoder {
  readonly #names: Set<string>;
  /** Of each column: where its numbers begin, and the place of each category, by what it is and by its value. */
  readonly #places: {
    name: string;
    at: number;
    values: Map<string, number> | undefined;
    numbers: Map<Cell, number | undefined>;
  }[];
  readonly #numeric: boolean;

  constructor(
    readonly columns: readonly Column[],
    /** Numbers a row. */
    readonly width: number,
    /** What stands in for missing values, a row of numbers; without it they are refused. */
    readonly means?: readonly number[],
  ) {
    let at = 0;
    this.#places = columns.map(({ name, values }) => {
      const place = {
        name,
        at,
        values: values && new Map(values.map((value, i) => [value, i])),
        numbers: placesOfNumbers(values ?? []),
      };
      at += values?.length ?? 1;
      return place;
    });
    this.#names = new Set(columns.map(({ name }) => name));
    this.#numeric = columns.every(({ values }) => !values);
  }

  /** Writes a row's numbers at `to` of zeros. Throws where it does not fit the columns. */
  encode(row: Row, x: Float32Array, to: number, where: string): void {
    if (Array.isArray(row)) {
      const cells = row as readonly Cell[];
      if (cells.length !== this.columns.length)
        throw unprocessable(`${where}: expected ${this.columns.length} values, got ${cells.length}`);
      if (this.#numeric && this.#encodeNumbers(cells, x, to)) return;
      for (let c = 0; c < cells.length; c++) this.#put(c, cells[c]!, x, to, where);
      return;
    }
    const record = row as Readonly<Record<string, Cell>>;
    for (const name of Object.keys(record))
      if (!this.#names.has(name))
        throw unprocessable(`${where}: expected the columns ${show([...this.#names])}, got ${show(name)}`);
    this.#places.forEach(({ name }, c) => {
      const has = Object.hasOwn(record, name);
      if (!has && !this.means) throw unprocessable(`${where}: expected a value for ${show(name)}, got none`);
      this.#put(c, has ? record[name]! : null, x, to, where);
    });
  }

  /** The same for numbers only; false where there is something else. */
  #encodeNumbers(cells: readonly Cell[], x: Float32Array, to: number): boolean {
    let sum = 0;
    for (let c = 0; c < cells.length; c++) {
      const value = cells[c];
      if (typeof value !== "number") return false;
      x[to + c] = value;
      sum += x[to + c]! * 0; // NaN where one of them is not finite
    }
    return sum === 0;
  }

  #put(c: number, value: Cell, x: Float32Array, to: number, where: string): void {
    const { name, at, values, numbers } = this.#places[c]!;
    const who = () => `${where}, column ${show(name)}`;
    if (isMissing(value)) {
      const { means } = this;
      if (!means)
        throw unprocessable(
          `${who()}: expected a value, got ${show(value)} (missing: a model trained with missing "mean" fills it in)`,
        );
      for (let i = 0; i < (values?.size ?? 1); i++) x[to + at + i] = means[at + i]!;
    } else if (!values) {
      const number = numberOf(value);
      if (number === undefined || !Number.isFinite(Math.fround(number)))
        throw unprocessable(`${who()}: expected a number that is finite in float32, got ${show(value)}`);
      x[to + at] = number;
    } else {
      const place = values.get(`${value}`) ?? values.get(`${value}`.trim()) ?? numbers.get(value);
      if (place === undefined)
        throw unprocessable(`${who()}: expected one of ${show([...values.keys()])}, got ${show(value)}`);
      x[to + at + place] = 1;
    }
  }
}

// Cells mean what they mean in a table that is trained on (downhill's csv).

const MISSING = new Set(["", "na", "nan", "null", "?"]);
const isMissing = (value: Cell): value is string | null =>
  value === null || (typeof value === "string" && MISSING.has(value.trim().toLowerCase()));

/** Text that is a number is one. */
function numberOf(value: Cell): number | undefined {
  if (typeof value === "number") return value;
  const isNumber = typeof value === "string" && /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(value.trim());
  return isNumber ? Number(value) : undefined;
}

/** A number is the category that has its value, where that is one only: 1234 is "01234". */
function placesOfNumbers(values: readonly string[]): Map<Cell, number | undefined> {
  const places = new Map<Cell, number | undefined>();
  values.forEach((value, i) => {
    const number = numberOf(value);
    if (number !== undefined) places.set(number, places.has(number) ? undefined : i);
  });
  return places;
}
