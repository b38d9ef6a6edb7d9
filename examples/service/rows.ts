// Rows of a request to predict, as the numbers that the model was trained on.

import { show, unprocessable } from "./errors";
import type { Column } from "./table";

export type Cell = number | string | boolean;
/** Values in the order of the columns, or by their names. */
export type Row = readonly Cell[] | Readonly<Record<string, Cell>>;

export class RowEncoder {
  readonly #names: Set<string>;
  /** Of each column: where its numbers begin, and the place of each category. */
  readonly #places: { name: string; at: number; values: Map<string, number> | undefined }[];
  readonly #numeric: boolean;

  constructor(
    readonly columns: readonly Column[],
    /** Numbers a row. */
    readonly width: number,
  ) {
    let at = 0;
    this.#places = columns.map(({ name, values }) => {
      const place = { name, at, values: values && new Map(values.map((value, i) => [value, i])) };
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
      if (!Object.hasOwn(record, name)) throw unprocessable(`${where}: expected a value for ${show(name)}, got none`);
      this.#put(c, record[name]!, x, to, where);
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
    const { name, at, values } = this.#places[c]!;
    const who = () => `${where}, column ${show(name)}`;
    if (!values) {
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value)))
        throw unprocessable(`${who()}: expected a number that is finite in float32, got ${show(value)}`);
      x[to + at] = value;
      return;
    }
    const place = values.get(`${value}`.trim());
    if (place === undefined)
      throw unprocessable(`${who()}: expected one of ${show([...values.keys()])}, got ${show(value)}`);
    x[to + at + place] = 1;
  }
}
