// csv and csvRows with the option `like`: another table, encoded as an earlier one.

import { expect, test } from "vitest";
import { type CsvEncoding, csv } from "../../ts/data/csv";
import { csvRows } from "../../ts/data/csvRows";

const TABLE = "size,city,kind\n1,Bonn,x\n2,Köln,y\n3,Bonn,z\n";
const of = (target: string) => csv(TABLE, { target });
/** As metadata of a model keeps it. */
const stored = ({ columns, classes, means }: CsvEncoding): CsvEncoding =>
  JSON.parse(JSON.stringify({ columns, classes, means }));

test("the same table comes out the same, and parts of it alike, in any order of columns", async () => {
  const trained = await of("kind");
  expect(trained.means).toEqual([2, 2 / 3, 1 / 3]);
  expect(await csv(TABLE, { like: trained, target: "kind" })).toEqual(trained);
  expect(await csv(TABLE, { like: stored(trained), target: 3 })).toEqual(trained);
  const part = await csv("more,kind,city,size\n?,y,Köln,9\n", { like: trained, target: "kind" });
  expect(part).toMatchObject({
    x: { data: Float32Array.of(9, 0, 1), shape: [1, 3] },
    y: { data: Int32Array.of(1), shape: [1] },
  });
  const number = await of("size");
  expect((await csv(TABLE, { like: stored(number), target: "size" })).y).toEqual({
    data: Float32Array.of(1, 2, 3),
    shape: [3, 1],
  });
});

test("no target, no y: rows to predict need none, nor a second column", async () => {
  const trained = await of("kind");
  const { columns, classes } = trained;
  const { x, y, ...names } = await csv("city,size,kind\nKöln,4,\n", { like: { columns, classes } });
  expect([y, [...x.data]]).toEqual([undefined, [4, 0, 1]]);
  expect(names).toEqual({ columns, classes, means: undefined });
  const one = await csv("a,t\n1,2\n3,4\n", { target: "t" });
  expect([...(await csv("a\n5\n6\n", { like: one })).x.data]).toEqual([5, 6]);
});

test("missing values: the earlier table's means, NaN, or the row left out; unused columns may lack theirs", async () => {
  const trained = await csv("size,city,kind\n1,u,x\n,v,y\n4,u,x\n4,,x\n", { target: "kind", missing: "mean" });
  expect(trained.means).toEqual([3, 2 / 3, 1 / 3]);
  const text = "size,city,kind,more\nNA,,,\n7,v,x,\n";
  const x = async (missing: "mean" | "keep" | "drop") => [
    ...(await csv(text, { like: stored(trained), missing })).x.data,
  ];
  const share = Math.fround(2 / 3);
  expect(await x("mean")).toEqual([3, share, Math.fround(1 / 3), 7, 0, 1]);
  expect(await x("keep")).toEqual([Number.NaN, Number.NaN, Number.NaN, 7, 0, 1]);
  expect(await x("drop")).toEqual([7, 0, 1]);
  await expect(csv(text, { like: trained, target: "kind", missing: "mean" })).rejects.toThrow("expected a target");
  expect((await csv(text, { like: trained, target: "kind", missing: "drop" })).y?.data).toEqual(Int32Array.of(0));
});

test("csvRows encodes alike, and its rows can be what a table is like", async () => {
  const trained = await csvRows(TABLE, { target: "kind" });
  const whole = await of("kind");
  expect(trained).toMatchObject({ columns: whole.columns, classes: whole.classes, means: whole.means });
  expect(await csv(TABLE, { like: trained as CsvEncoding, target: "kind" })).toEqual(whole);
  const more = "city,size\nKöln,5\n,6\n";
  const rows = await csvRows(more, { like: whole, missing: "mean", rows: 1 });
  const batches: unknown[] = [];
  for await (const batch of rows) batches.push(batch);
  expect(batches).toEqual([
    { x: { data: Float32Array.of(5, 0, 1), shape: [1, 3] } },
    { x: { data: Float32Array.of(6, 2 / 3, 1 / 3), shape: [1, 3] } },
  ]);
  for await (const { y } of await csvRows(TABLE, { like: whole, target: "kind" })) expect(y).toEqual(whole.y);
});

test("a column's name may hold =", async () => {
  const text = "a=b,a,t\n1,u,0\n2,b=v,1\n";
  const trained = await csv(text, { target: "t" });
  expect(trained.columns).toEqual(["a=b", "a=b=v", "a=u"]);
  expect((await csv(text, { like: trained })).x).toEqual(trained.x);
});

test("like of many columns of numbers and many categories", async () => {
  const names = Array.from({ length: 3000 }, (_, c) => `n${c}`);
  const columns = [...names, ...names.map((name) => `c=${name}`)];
  const { x } = await csv(`${names},c\n${names.map(() => 2)},n1\n`, { like: { columns } }); // took 20 s
  expect([...x.data]).toEqual(columns.map((_, j) => (j < 3000 ? 2 : Number(j === 3001))));
}, 5000);

test.each([
  ["size,kind\n1,x\n", 'expected the column "city", got columns ["size", "kind"]'],
  ["size,city,kind\nbig,Bonn,x\n", 'line 2, column 1 ("size"): expected a number, got "big"'],
  ["size,city,kind\n1e99,Bonn,x\n", 'line 2, column 1 ("size"): expected a number that is finite in float32'],
  ["size,city,kind\n1,Rom,x\n", 'line 2, column 2 ("city"): expected one of ["Bonn", "Köln"], got "Rom"'],
  ["size,city,kind\n1,Bonn,x\n,Bonn,x\n", 'line 3, column 1 ("size"): expected a value, got ""'],
  ["size,city,kind\n1,Bonn,w\n", 'line 2, column 3 ("kind"): expected one of ["x", "y", "z"], got "w"'],
  ["size,city,kind\n1,Bonn,\n", 'line 2, column 3 ("kind"): expected a target, got ""'],
])("refuses %j", async (text, message) => {
  const like = await of("kind");
  await expect(csv(text, { like, target: "kind" })).rejects.toMatchObject({
    code: "format",
    message: expect.stringContaining(message),
  });
});

test.each<[object, RegExp]>([
  [{ like: { columns: ["size"] }, missing: "mean" }, /like with the means of its columns, for missing: "mean"/],
  [{ like: { columns: [] } }, /like must be what csv gave of an earlier table/],
  [{ like: "kind" }, /like must be what csv gave/],
  [{ like: { columns: ["size"], means: [1, 2] } }, /like must be/],
  [{ like: { columns: ["size"], classes: [1] } }, /like must be/],
  [{ like: { columns: ["size"] }, task: "regression" }, /no task beside like/],
  [{ like: { columns: ["size"] }, categorical: ["size"] }, /no categorical beside like/],
  [{ like: { columns: ["size"] }, maxColumns: 3 }, /no maxColumns beside like/],
  [{ like: { columns: ["size"] }, target: "price" }, /expected target to be a column/],
  [{ like: { columns: ["city=Bonn", "size", "city=Köln"] } }, /columns of a category side by side/],
  [{ like: { columns: ["size", "size"] } }, /side by side, each once/],
  [{ like: { columns: ["city=Bonn", "city=Bonn"] } }, /side by side, each once, got "city=Bonn"/],
])("refuses the options %j", async (options, message) => {
  for (const read of [csv, csvRows])
    await expect((read as typeof csv)(TABLE, options as { like: CsvEncoding })).rejects.toMatchObject({
      code: "argument",
      message: expect.stringMatching(message),
    });
});

test('csv: missing: "keep" leaves NaN in x, in every column of a category, and refuses a missing target', async () => {
  const { x } = await csv("a,b,t\n1,u,0\n,,1\n3,v,1\n", { target: "t", missing: "keep" });
  expect([...x.data]).toEqual([1, 1, 0, Number.NaN, Number.NaN, Number.NaN, 3, 0, 1]);
  await expect(csv("a,t\n1,\n2,1\n", { target: "t", missing: "keep" })).rejects.toThrow("expected a target");
});
