// Tables of CSV that are larger than memory.

import { DownhillError, show } from "../errors";
import type { NDArray } from "../ndarray";
import { count, or } from "../options";
import {
  type CsvLikeOptions,
  type CsvOptions,
  type CsvPlan,
  checkRows,
  csvSchema,
  leastColumns,
  planOf,
  readCsvOptions,
} from "./csv";
import { checkTable, handleMissing, isText, pathOrText, readTables } from "./csvText";
import { type LoadSource, MOST_BYTES, nameSource, openSource, withSource } from "./files";
import { type Columns, inBatches, Rows } from "./rows";

/** Options of `csvRows`: those of `csv`, and `rows`. */
export interface CsvRowsOptions extends CsvOptions {
  /** Rows of a batch; the last may have fewer. Default 1024. */
  rows?: number;
}

/** Options of `csvRows` for another table of the same kind as an earlier one: those of `csv`, and `rows`. */
export interface CsvRowsLikeOptions extends CsvLikeOptions {
  /** Rows of a batch; the last may have fewer. Default 1024. */
  rows?: number;
}

/** A batch of a table. */
export interface TableBatch {
  /** The columns as `csv` encodes them, [n, columns]. */
  x: NDArray<Float32Array>;
  /** Indices into `classes`, [n]; of numbers [n, 1]. */
  y: NDArray<Int32Array> | NDArray<Float32Array>;
}

/** A batch of a table without a target. */
export interface FeatureBatch {
  /** The columns as those of the earlier table, [n, columns]. */
  x: NDArray<Float32Array>;
}

/**
 * The rows of a table that is larger than memory, some at a time: batches `{ x, y }` such as `fit` takes, encoded as `csv`
 * encodes the whole. The file is read twice: now, to learn which columns are numbers, their means and all categories,
 * and then in each epoch.
 *
 * @param source a path (in a page an address), a `URL`, bytes, a `File` or `Blob`, or a text (with a line break)
 * @returns a promise of the rows; `columns`, `classes` and `means` are those of `csv`, `size` is the number of rows
 * @example const data = await csvRows("clicks.csv", { target: "bought", rows: 512 });
 * await model.fit(data.shuffle(20_000), { epochs: 3 });
 * @throws DownhillError as `csv`, before the first batch
 */
export function csvRows(
  source: LoadSource,
  options: CsvRowsLikeOptions & { target?: undefined },
): Promise<Rows<FeatureBatch>>;
export function csvRows(
  source: LoadSource,
  options: CsvRowsOptions | (CsvRowsLikeOptions & { target: string | number }),
): Promise<Rows<TableBatch>>;
export async function csvRows(
  source: LoadSource,
  given: CsvRowsOptions | CsvRowsLikeOptions,
): Promise<Rows<TableBatch> | Rows<FeatureBatch>> {
  const options = readCsvOptions("csvRows", given, { ...csvSchema(), rows: or(count(), 1024) });
  const { header, missing, rows } = options;
  const bytes = typeof source === "string" && isText(source) ? new TextEncoder().encode(source) : source;
  const learning = withSource("csvRows", bytes, async (opened) => {
    const who = nameSource("csvRows", opened);
    let plan: CsvPlan | undefined;
    let size = 0;
    let first = true;
    for await (const table of readTables(who, opened, header, options)) {
      if (!table.rows.length) continue;
      if (first) checkTable(table, options, leastColumns(options));
      first = false;
      plan ??= planOf(table, options);
      handleMissing(table, missing, plan);
      size += table.rows.length;
      plan.learn(table);
    }
    if (!plan) throw new DownhillError("shape", `${who}: expected at least one row, got none`);
    checkRows(who, size);
    return { plan, kinds: plan.kinds(), size };
  });
  const { plan, kinds, size } = await pathOrText("csvRows", bytes, learning);
  const names = plan.names(kinds);
  const batch = Math.min(rows, size) * names.columns.length * 4;
  if (batch > MOST_BYTES)
    throw new DownhillError(
      "memory",
      `csvRows: expected batches of at most ${MOST_BYTES} bytes, got ${batch} for ${show(names.columns.length)} columns`,
    );

  async function* read(): AsyncGenerator<Columns> {
    const opened = await openSource("csvRows", bytes);
    try {
      for await (const table of readTables(nameSource("csvRows", opened), opened, header, options)) {
        handleMissing(table, missing, plan);
        for (let at = 0; at < table.rows.length; at += rows) {
          const part = { rows: table.rows.slice(at, at + rows), lines: table.lines.slice(at, at + rows) };
          const { x, y } = plan.encode(kinds, { ...table, ...part });
          yield y ? { x, y } : { x };
        }
      }
    } finally {
      await opened.close();
    }
  }
  return new Rows<TableBatch>({ size, rows, read: () => inBatches(read(), rows), ...names });
}
