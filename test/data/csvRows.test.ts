import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CsvOptions, csv } from "../../ts/data/csv";
import { csvRows, type TableBatch } from "../../ts/data/csvRows";
import { readTables } from "../../ts/data/csvText";
import type { Rows } from "../../ts/data/rows";
import { type SaveCsvOptions, saveCsv, type TableRows } from "../../ts/data/saveCsv";
import { dataset } from "../../ts/index";
import { pick, random } from "../support/mutations";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-csvRows-"));
});
afterAll(() => rm(root, { recursive: true }));

/** All batches put together, as csv gives a table. */
async function whole(rows: Rows<TableBatch>) {
  const [x, y]: [number[], number[]] = [[], []];
  const sizes: number[] = [];
  let width = 0;
  let labels: readonly number[] = [];
  for await (const batch of rows) {
    x.push(...batch.x.data);
    y.push(...batch.y.data);
    width = batch.x.shape[1]!;
    sizes.push(batch.x.shape[0]!);
    labels = batch.y.shape.slice(1);
  }
  const n = sizes.reduce((a, b) => a + b, 0);
  const { columns, classes, means } = rows;
  return {
    sizes,
    table: {
      x: { data: Float32Array.from(x), shape: [n, width] },
      y: { data: classes ? Int32Array.from(y) : Float32Array.from(y), shape: [n, ...labels] },
      columns,
      classes,
      means,
    },
  };
}

const TABLE = 'n,word,gap,y\n1,a,1,u\n2.5,"b,\nc",?,v\n\n-3,a,5,u\r\n4,"d ""e""",2,v\n1e3,a,,w';

describe("csvRows", () => {
  const cases: [string, string, CsvOptions][] = [
    ["classes, gaps filled with means", TABLE, { target: "y", missing: "mean" }],
    ["gaps kept", TABLE, { target: "y", missing: "keep" }],
    ["rows with gaps left out", TABLE, { target: "y", missing: "drop" }],
    ["numbers to learn", "a,b\n1,2\n3,4\n5,6", { target: "b" }],
    ["numbers as classes", "a,b\n1,10\n3,9\n5,9", { target: "b", task: "classification" }],
    ["no header, other marks", "1;'x;y';0\n2;z;1\n", { target: 3, header: false, delimiter: ";", quote: "'" }],
    ["categories that are numbers", "zip,y\n01234,1\n1234,2\n", { target: "y", categorical: ["zip"] }],
  ];
  test.each(cases)("is csv in batches: %s", async (_, text, options) => {
    const expected = await csv(text, options);
    for (const rows of [1, 2, 1000]) {
      const stream = await csvRows(text, { ...options, rows });
      const { table, sizes } = await whole(stream);
      expect(table).toEqual(expected);
      expect(sizes.slice(0, -1).every((n) => n === rows)).toBe(true);
      expect(stream.size).toBe(expected.x.shape[0]);
      expect((await whole(stream)).table).toEqual(expected);
    }
  });

  test("reads paths and Blobs; a file's parts end anywhere", async () => {
    const path = join(root, "t.csv");
    await writeFile(path, `\ufeff${TABLE}`);
    const options = { target: "y", missing: "mean" } as const;
    const expected = await csv(TABLE, options);
    expect((await whole(await csvRows(path, options))).table).toEqual(expected);
    expect((await whole(await csvRows(new Blob([TABLE]), options))).table).toEqual(expected);
  });

  test("300 seeded tables, in parts of 1 to 40 bytes: the same rows and lines as in one", async () => {
    const cells = ["1", "ä", "😀", '"a,b"', '"x\ny"', '"q""q"', "", '"\r\n"', '""', " s ", "long value"];
    for (let i = 0; i < 300; i++) {
      const rand = random(i);
      const width = 2 + rand(3);
      const record = () => Array.from({ length: width }, () => pick(rand, cells)).join(",");
      const ends = ["\n", "\r\n", "\r"];
      const end = pick(rand, ends);
      let text = Array.from({ length: 1 + rand(8) }, record).join(end);
      if (rand(2)) text += end;
      const bytes = new TextEncoder().encode(text);
      const read = async (chunk: number) => {
        const source = {
          name: "",
          size: bytes.length,
          read: async (at: number, n: number) => bytes.subarray(at, at + n),
          close() {},
        };
        const rows: unknown[] = [];
        for await (const { rows: r, lines, names } of readTables(
          "csv",
          source,
          false,
          { delimiter: ",", quote: '"' },
          chunk,
        ))
          for (const [j, cells] of r.entries()) rows.push([lines[j], cells, names.length]);
        return rows;
      };
      expect(await read(1 + rand(40)), JSON.stringify(text)).toEqual(await read(1 << 20));
    }
  });

  test.each([
    ["a gap", "a,y\n1,1\n?,2\n", {}, "format", /csvRows: line 3, column 1 \("a"\): expected a value, got "\?"/],
    [
      "a number among words",
      "a,y\n1,u\n2,v\nx,w",
      {},
      "format",
      /line 4, column 1 \("a"\): expected a number as in line 2/,
    ],
    [
      "words for regression",
      "a,y\n1,u\n2,v",
      { task: "regression" },
      "format",
      /line 2, column 2 .*for regression, got "u"/,
    ],
    [
      "a short line",
      "a,b,y\n1,2,3\n1,2\n",
      {},
      "format",
      /line 3, column 3 \("y"\): expected 3 values in the line, got 2/,
    ],
    ["an open quote", 'a,y\n1,2\n"3,4\n', {}, "format", /line 3, column 1: expected a closing quote/],
    ["a header only", "a,y\n", {}, "shape", /at least one row, got none/],
    ["no row without gaps", "a,y\n?,1\n", { missing: "drop" }, "shape", /without missing values, got none/],
    ["one column", "y\n1\n", {}, "format", /a second column/],
    ["an unknown target", "a,y\n1,2\n", { target: "z" }, "argument", /target to be a column/],
    ["rows of none", "a,y\n1,2\n", { rows: 0 }, "argument", /csvRows: rows must be a positive integer/],
    ["a misspelt option", "a,y\n1,2\n", { row: 3 }, "argument", /did you mean rows/],
  ])("%s is refused before the first batch", async (_, text, options, code, message) => {
    await expect(csvRows(text, { target: "y", ...(options as object) })).rejects.toMatchObject({
      name: "DownhillError",
      code,
      message: expect.stringMatching(message),
    });
  });

  test("a file that is no UTF-8, or missing", async () => {
    const bytes = Uint8Array.of(0x61, 0x2c, 0x79, 0x0a, 0xff, 0x2c, 0x31);
    await expect(csvRows(bytes, { target: "y" })).rejects.toThrow(/expected text in UTF-8/);
    await expect(csvRows(join(root, "no.csv"), { target: "y" })).rejects.toMatchObject({ code: "data" });
  });
});

describe("saveCsv", () => {
  const textOf = async (table: TableRows, options: SaveCsvOptions = {}) =>
    new TextDecoder().decode(await saveCsv(table, undefined, options));

  test("what csv read, csv reads again, one-hot columns as numbers", async () => {
    const table = await csv(TABLE, { target: "y", missing: "mean" });
    const path = join(root, "w.csv");
    const bytes = await saveCsv(table, path, { target: "y" });
    const again = await csv(path, { target: "y" });
    expect(again.x).toEqual(table.x);
    expect(again.y).toEqual(table.y);
    expect(again.classes).toEqual(table.classes);
    expect(again.columns).toEqual(table.columns);
    expect(new TextDecoder().decode(bytes).split("\n")[0]).toBe('n,word=a,"word=b,');
  });

  test("numbers have as many digits as it takes to read them back; NaN is missing", async () => {
    const rand = random(5);
    const words = Uint32Array.from({ length: 3000 }, () => rand(2 ** 32));
    const data = new Float32Array(words.buffer).map((v) => (Number.isFinite(v) ? v : Number.NaN));
    data.set([0.1, 1 / 3, 1e-45, 3.4028235e38, -0.5, 16777217, 123456.7, 0.3, -0]);
    const text = await textOf({ data, shape: [3000, 1] }, { header: false });
    const lines = text.trimEnd().split("\n");
    expect(lines.slice(0, 3)).toEqual(["0.1", "0.33333334", "1.4013e-45"]);
    expect(Float32Array.from(lines, Number)).toEqual(data);
    expect(await textOf(Float64Array.of(0.1 + 0.2))).toBe("x1\n0.30000000000000004\n");
    await expect(saveCsv(Float32Array.of(1, Infinity))).rejects.toMatchObject({ code: "data" });
  });

  test("names, marks and line breaks", async () => {
    expect(await textOf({ x: [[1, 2]], y: [0] }, { columns: ["a b", "c,d"], target: " t", classes: ['say "x"'] })).toBe(
      'a b,"c,d"," t"\n1,2,"say ""x"""\n',
    );
    expect(
      await textOf(
        {
          x: [[1], [2]],
          y: [
            [1, 2],
            [3, 4],
          ],
        },
        { delimiter: ";", lineBreak: "\r\n" },
      ),
    ).toBe("x1;y1;y2\r\n1;1;2\r\n2;3;4\r\n");
  });

  test("batches as they come", async () => {
    const path = join(root, "b.csv");
    const table = await csv(TABLE, { target: "y", missing: "mean" });
    const bytes = await saveCsv(table);
    await saveCsv(await csvRows(TABLE, { target: "y", missing: "mean", rows: 2 }), path);
    expect(await csv(path, { target: "y" })).toMatchObject({ x: table.x, y: table.y });
    const { x, y, columns, classes } = table;
    await saveCsv(dataset({ x, y }).batch(2), path, { columns, ...(classes && { classes }) });
    expect((await csvText(path)).length).toBe(bytes.length);
  });
  const csvText = async (path: string) => (await import("node:fs/promises")).readFile(path);

  test("wrong ones", async () => {
    const x = [[1, 2]];
    for (const [given, options, code] of [
      [{ x, y: [1, 2] }, {}, "shape"],
      [{ x }, { columns: ["a"] }, "shape"],
      [{ x }, { columns: ["a", "a"] }, "argument"],
      [{ x, y: [3] }, { classes: ["a"] }, "data"],
      [{ x, y: [1], sampleWeight: [1] }, {}, "argument"],
      [{ x }, { delimiter: "ab" }, "argument"],
      [{ x }, { colums: ["a", "b"] }, "argument"],
      [5, {}, "argument"],
      [[], {}, "shape"],
    ] as const)
      await expect(saveCsv(given as never, undefined, options as never), JSON.stringify(given)).rejects.toMatchObject({
        code,
      });
    await expect(saveCsv([{ x }], undefined as never)).rejects.toMatchObject({ code: "argument" });
    await expect(saveCsv([{ x }, { x: [[1]] }], join(root, "c.csv"))).rejects.toMatchObject({ code: "shape" });
  });
});

test("what is written to take long to read does not", async () => {
  const quotes = `a,y\n${'"'.repeat(2_000_001)},2\n`;
  await expect(csvRows(quotes, { target: "y" })).rejects.toThrow("line 2, column 1: expected a closing quote");
  const names = Array.from({ length: 50_000 }, (_, i) => `c${i}`);
  const wide = `${names.join()}\n${"1,".repeat(49_999)}2\n`;
  expect((await csvRows(wide, { target: "c0" })).columns).toHaveLength(49_999);
  const digits = `a,y\n${"1".repeat(1_000_000)}x,2\n`;
  expect((await csv(digits, { target: "y" })).columns).toHaveLength(1);
  const blank = `a,y\n${"\n \n".repeat(300_000)}1,2\n3`;
  for (const read of [csv, csvRows] as (typeof csv)[])
    await expect(read(blank, { target: "y" })).rejects.toThrow(`${read.name}: line 600003, column 2 ("y"): expected 2`);
}, 10_000);

test("of many categories no more than a batch is laid out", async () => {
  const text = `id,y\n${Array.from({ length: 20_000 }, (_, i) => `k${i},${i}`).join("\n")}`; // 1.6 GB in all
  const rows = await csvRows(text, { target: "y", rows: 64 });
  for await (const { x } of rows) {
    expect(x.shape).toEqual([64, 20_000]);
    break;
  }
});
