import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CsvOptions, csv } from "../../ts/data/csv";
import { csvRows } from "../../ts/data/csvRows";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-csv-"));
});
afterAll(() => rm(root, { recursive: true }));

const f32 = (...values: number[]) => Float32Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);

const FLOWERS = `length,width,colour,species
5.1,3.5,red,setosa
4.9,-3e0,blue,versicolor
.5,+2.,red,setosa
`;

test("numbers are columns, categories one-hot in sorted order, a target of words is classes", async () => {
  expect(await csv(FLOWERS, { target: "species" })).toEqual({
    x: { data: f32(5.1, 3.5, 0, 1, 4.9, -3, 1, 0, 0.5, 2, 0, 1), shape: [3, 4] },
    y: { data: i32(0, 1, 0), shape: [3] },
    columns: ["length", "width", "colour=blue", "colour=red"],
    classes: ["setosa", "versicolor"],
    means: [(5.1 + 4.9 + 0.5) / 3, (3.5 - 3 + 2) / 3, 1 / 3, 2 / 3],
  });
});

test("a target of numbers is regression, float32 [n, 1], unless the task says classification", async () => {
  const text = "a,y\n1,10\n2,9\n3,10\n";
  const regression = await csv(text, { target: "y" });
  expect(regression.y).toEqual({ data: f32(10, 9, 10), shape: [3, 1] });
  expect(regression.classes).toBeUndefined();
  const classification = await csv(text, { target: "y", task: "classification" });
  expect(classification.y).toEqual({ data: i32(1, 0, 1), shape: [3] });
  expect(classification.classes).toEqual(["9", "10"]); // in the order of the numbers
});

test("types follow the task", async () => {
  const text = "a,y\n1,0\n2,1\n";
  const classes: string[] = (await csv(text, { target: "y", task: "classification" })).classes;
  const y: Float32Array = (await csv(text, { target: "y", task: "regression" })).y.data;
  const either = await csv(text, { target: "y" });
  const data: Int32Array | Float32Array = either.classes ? (either.y.data satisfies Int32Array) : either.y.data;
  expect([classes.length, y.length, data.length]).toEqual([2, 2, 2]);
});

test("the target may stand anywhere and be given by its number from 1; without a header names are numbers", async () => {
  const named = await csv("y,a,b\n1,2,3\n4,5,6", { target: 1 });
  expect([named.columns, [...named.y.data], [...named.x.data]]).toEqual([
    ["a", "b"],
    [1, 4],
    [2, 3, 5, 6],
  ]);
  for (const target of [2, "2"]) {
    const bare = await csv("1,2,x\n4,5,z\n", { target, header: false });
    expect([bare.columns, [...bare.y.data], [...bare.x.data]]).toEqual([
      ["1", "3=x", "3=z"],
      [2, 5],
      [1, 1, 0, 4, 0, 1],
    ]);
  }
});

const same: [string, string, Partial<CsvOptions>?][] = [
  ["CRLF", "a,b,y\r\n1,x,u\r\n2,z,v\r\n"],
  ["CR", "a,b,y\r1,x,u\r2,z,v\r"],
  ["mixed line ends, no last one", "a,b,y\n1,x,u\r\n2,z,v"],
  ["a byte order mark", "\ufeffa,b,y\n1,x,u\n2,z,v\n"],
  ["a byte order mark before a quoted name", '\ufeff"a",b,y\n1,x,u\n2,z,v\n'],
  ["blank lines", "\n\na,b,y\n\n1,x,u\n \t\n2,z,v\n\n\n"],
  ["quotes throughout", '"a","b","y"\n"1","x","u"\n"2","z","v"\n'],
  ["space around values and quotes", ' a ,b, y\n 1,\tx , "u" \n2,z,v  \n'],
  ["semicolons", "a;b;y\n1;x;u\n2;z;v\n", { delimiter: ";" }],
  ["tabs", "a\tb\ty\n1\tx\tu\n2\tz\tv\n", { delimiter: "\t" }],
  ["a delimiter of two characters", "a||b||y\n1||x||u\n2||z||v\n", { delimiter: "||" }],
  ["single quotes", "a,b,y\n1,'x',u\n'2',z,v\n", { quote: "'" }],
];
for (const [what, text, options] of same)
  test(`reads the same table with ${what}, as text and as a file`, async () => {
    const path = join(root, "table.csv");
    await writeFile(path, text);
    for (const source of [text, path])
      expect(await csv(source, { target: "y", ...options })).toEqual({
        x: { data: f32(1, 1, 0, 2, 0, 1), shape: [2, 3] },
        y: { data: i32(0, 1), shape: [2] },
        columns: ["a", "b=x", "b=z"],
        classes: ["u", "v"],
        means: [1.5, 0.5, 0.5],
      });
  });

test("quoted values hold delimiters, doubled quotes and line breaks (as \\n); ü and 😀 come through", async () => {
  const text = 'name,"a, ""b"""\r\n"x,\r\ny",1\r\n"say ""hi""",2\r\n" ü ",3\r\n😀,4\r\n"""",5\r\n';
  const { classes, columns, y } = await csv(text, { target: "name" });
  expect(columns).toEqual(['a, "b"']);
  expect([...y.data].map((k) => classes![k])).toEqual(["x,\ny", 'say "hi"', " ü ", "😀", '"']);
});

test("whatever values a table holds, quoted as RFC 4180 says, they come back", async () => {
  const parts = ['"', ",", "\n", "a", "ß", "'", ";", "\\", "0", " "];
  let state = 1;
  const next = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
  const cells = Array.from(
    { length: 500 },
    () => `v${Array.from({ length: next(6) }, () => parts[next(10)]).join("")}`,
  );
  const text = cells.map((cell, i) => `${i},"${cell.replaceAll('"', '""')}"`).join("\n");
  const { classes, y } = await csv(text, { target: 2, header: false });
  expect([...y.data].map((k) => classes![k])).toEqual(cells);
});

test("a long cell of digits that is no number takes no time that grows with its square", async () => {
  const begin = performance.now();
  const { columns } = await csv(`a,b\n1,${"1".repeat(200_000)}x\n2,y\n`, { target: "a" });
  expect(columns.map(({ length }) => length)).toEqual([200_003, 3]);
  expect(performance.now() - begin).toBeLessThan(5_000);
});

test("categories that look like numbers, or are mixed, are named in `categorical`, and stay as written", async () => {
  const { columns, x } = await csv("zip,code,y\n01234,7,1\n1234,A,2\n01234,7,3", {
    target: "y",
    categorical: ["zip", "code"],
  });
  expect(columns).toEqual(["zip=01234", "zip=1234", "code=7", "code=A"]);
  expect([...x.data]).toEqual([1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0]);
});

test("names such as __proto__ and constructor are only names", async () => {
  const { columns, classes } = await csv("__proto__,y\nconstructor,__proto__\ntoString,valueOf", { target: "y" });
  expect(columns).toEqual(["__proto__=constructor", "__proto__=toString"]);
  expect(classes).toEqual(["__proto__", "valueOf"]);
});

const GAPS = 'a,b,y\n1,x,1\n?,x,2\n4,"",3\n NA ,z,4\n';

test('missing "drop" leaves out rows with a gap anywhere', async () => {
  const { x, y } = await csv(`${GAPS}5,z,null\n`, { target: "y", missing: "drop" });
  expect(x).toEqual({ data: f32(1, 1), shape: [1, 2] });
  expect([...y.data]).toEqual([1]);
});

test('missing "mean" fills a gap with the mean of its columns of x, for categories their frequencies', async () => {
  const { x } = await csv(GAPS, { target: "y", missing: "mean" });
  const third = Math.fround(1 / 3);
  expect([...x.data]).toEqual([1, 1, 0, 2.5, 1, 0, 4, Math.fround(2 / 3), third, 2.5, 0, 1]);
});

const bad: [string, string, Partial<CsvOptions> | undefined, string, RegExp][] = [
  ["a gap", GAPS, {}, "format", /csv: line 3, column 1 \("a"\): expected a value, got "\?" \(missing: "drop" leaves/],
  ["a missing target", "a,y\n1,nan", {}, "format", /line 2, column 2 \("y"\): expected a target, got "nan"/],
  [
    "a missing target, mean",
    "a,y\n1,1\n2,\n",
    { missing: "mean" },
    "format",
    /line 3, column 2 \("y"\): expected a target, got ""/,
  ],
  [
    "a column without values",
    "a,y\n?,1\nNA,2",
    { missing: "mean" },
    "format",
    /line 2, column 1 \("a"\): expected a value somewhere/,
  ],
  ["no row without gaps", "a,y\n?,1\n", { missing: "drop" }, "shape", /at least one row without missing values/],
  [
    "a short line",
    'a,b,y\n"1\n\n",2,3\n\n1,2\n',
    {},
    "format",
    /line 6, column 3 \("y"\): expected 3 values in the line, got 2/,
  ],
  ["a long line", "a,y\n1,2,3,4", {}, "format", /line 2, column 3: expected 2 values in the line, got 4/],
  [
    "a name twice",
    "a,b,a,y\n1,2,3,4",
    {},
    "format",
    /line 1, column 3 \("a"\): expected names that differ, got that of column 1/,
  ],
  ["an empty name", ",y\n1,2", {}, "format", /line 1, column 1 \(""\): expected a name in the header, got ""/],
  [
    "a number among words",
    "a,y\n1,u\n2,v\nx,w",
    {},
    "format",
    /line 4, column 1 \("a"\): expected a number as in line 2, got "x"/,
  ],
  [
    "a word among targets",
    "a,y\n1,1\n2,v",
    {},
    "format",
    /line 3, column 2 \("y"\): expected a number as in line 2, got "v"/,
  ],
  [
    "words for regression",
    "a,y\n1,u\n2,v",
    { task: "regression" },
    "format",
    /line 2, column 2 .*expected a number, for regr.* got "u"/,
  ],
  ["∞ in float32", "a,y\n1,1\n-1e39,2", {}, "format", /line 3, column 1 .* finite in float32, got "-1e39"/],
  [
    "an open quote",
    'a,y\n"x""",2\n"1\n3,4"",4\n"",""\n',
    {},
    "format",
    /line 3, column 1: expected a closing quote, got the end/,
  ],
  [
    "text behind a quote",
    'a,y\n"\r\n","1"2\n',
    {},
    "format",
    /line 3, column 2: expected a delimiter or a line break after/,
  ],
  ["a quote within", 'a,y\n1,2"3"\n', {}, "format", /line 2, column 2: expected a quote at the beginning/],
  ["one column", "y\n1\n2", {}, "format", /line 2, column 2: expected a second column/],
  [
    "semicolons unsaid",
    "a;y\n1;2",
    {},
    "format",
    /end of the line \(if ";" separates the values of this file, say so: opt/,
  ],
  [
    "semicolons and decimal commas",
    "a;y\n1,5;2",
    {},
    "format",
    /line 2, column 2: expected 1 values .*got 2 \(if ";" sep/,
  ],
  ["semicolons and quotes", '"a";"y"\n1;2', {}, "format", /line 1, column 1: .*\(if ";" separates/],
  ["commas unsaid", "a,y\n1,2", { delimiter: ";" }, "format", /\(if "," separates/],
  ["a header only", "a,y\n", {}, "shape", /expected at least one row, got none/],
  ["line breaks only", "\n\r\n", {}, "shape", /expected at least one row, got none/],
  ["an unknown target", "a,b\n1,2", {}, "argument", /expected target to be a column, one of \["a", "b"\], got "y"/],
  ["a target's number too large", "a,b\n1,2", { target: 3 }, "argument", /one of \["a", "b"\], got 3/],
  [
    "an unknown column",
    "a,y\n1,2",
    { categorical: ["z"] },
    "argument",
    /expected categorical to be a column.* got "z"/,
  ],
  [
    "a contradiction",
    "a,y\n1,2",
    { task: "regression", categorical: ["y"] },
    "argument",
    /categorical without the target/,
  ],
  ["no target", "a,y\n1,2", { target: undefined }, "argument", /csv: target must be a string or a positive integer/],
  ["no options", "a,y\n1,2", undefined, "argument", /csv: target must be/],
  ["a misspelt option", "a,y\n1,2", { delimeter: ";" } as Partial<CsvOptions>, "argument", /did you mean delimiter\?/],
  [
    "an inherited option",
    "a,y\n1,2",
    { constructor: 1 } as unknown as CsvOptions,
    "argument",
    /unknown option "constructor"/,
  ],
  ["an empty delimiter", "a,y\n1,2", { delimiter: "" }, "argument", /delimiter must be a string without line breaks/],
  ["a quote of two", "a,y\n1,2", { quote: "''" }, "argument", /quote must be one character/],
  ["delimiter = quote", "a,y\n1,2", { delimiter: '"' }, "argument", /expected a delimiter without the quote/],
  [
    "another task",
    "a,y\n1,2",
    { task: "ranking" as "regression" },
    "argument",
    /"classification" or "regression", got the string "ranking"/,
  ],
  ["a text that is no string", 5 as unknown as string, {}, "argument", /source must be a string, got 5/],
  ["a path to nothing", "no/such.csv", {}, "data", /cannot read "no\/such.csv": ENOENT/],
  ["an empty text", "", {}, "data", /cannot read ""/],
];
for (const [what, text, options, code, message] of bad)
  test(`${what}: ${code}`, async () => {
    const given = options && { target: "y", ...options };
    await expect(csv(text, given as CsvOptions)).rejects.toMatchObject({
      name: "DownhillError",
      code,
      message: expect.stringMatching(message),
    });
  });

test("a file's errors name it; what is not UTF-8 is format", async () => {
  const path = join(root, "bad.csv");
  await writeFile(path, "a,y\n1\n");
  await expect(csv(path, { target: "y" })).rejects.toMatchObject({
    message: `csv: ${path}: line 2, column 2 ("y"): expected 2 values in the line, got 1`,
  });
  await writeFile(path, Uint8Array.of(0xff, 0xfe, 0x61, 0, 0x0a, 0));
  await expect(csv(path, { target: "y" })).rejects.toMatchObject({
    code: "format",
    message: expect.stringMatching(/bad.csv: expected text in UTF-8/),
  });
});

test("maxColumns bounds x, with the target left out; csvRows has it too", async () => {
  const text = "id,a,y\nu,1,p\nv,2,q\nw,3,r\nx,4,s\n";
  expect((await csv(text, { target: "y", maxColumns: 5 })).x.shape).toEqual([4, 5]);
  const message = `expected x of at most 4 columns (maxColumns), got 5; column "id" has 4 different values`;
  for (const read of [csv, csvRows] as ((text: string, options: CsvOptions) => Promise<unknown>)[]) {
    const reading = read(text, { target: "y", maxColumns: 4 });
    await expect(reading).rejects.toMatchObject({ code: "memory", message: `${read.name}: ${message}` });
    for (const maxColumns of [0, 1.5, -1, "4" as unknown as number])
      await expect(read(text, { target: "y", maxColumns })).rejects.toMatchObject({ code: "argument" });
  }
});

test("a string that was taken for a path: the error says so, and how content is given", async () => {
  for (const text of ["", "a,y", "a,y ".repeat(10_000), root])
    for (const read of [csv, csvRows] as ((text: string, options: CsvOptions) => Promise<unknown>)[]) {
      const error = await read(text, { target: "y" }).then(
        () => new Error("read"),
        (error: Error) => error,
      );
      expect(error).toMatchObject({ name: "DownhillError", code: "data" });
      expect(error.message).toMatch(/^csv(Rows)?: cannot read ".*taken for a path, as it has no line break/);
      expect(error.message.length).toBeLessThan(500);
    }
  const error = await csvRows(new URL("file:///no/such.csv"), { target: "y" }).catch((error) => error);
  expect(error.message).toMatch(/^csvRows: cannot read "file:\/\/\/no\/such.csv": ENOENT/);
  expect(error.message).not.toContain("taken for");
});

test("categories that would take more than 1 GiB are refused before they are laid out", async () => {
  const text = Array.from({ length: 20_000 }, (_, i) => `id${i},1`).join("\n");
  await expect(csv(text, { target: 2, header: false })).rejects.toMatchObject({
    code: "memory",
    message: expect.stringMatching(/1600000000 for \[20000, 20000\]; column "1" has 20000 different values/),
  });
});
