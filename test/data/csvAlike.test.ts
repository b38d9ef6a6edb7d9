import { expect, test } from "vitest";
import { csv, csvAlike } from "../../ts/data/csv";

const TABLE = "size,city,kind\n1,Bonn,x\n2,Köln,y\n3,Bonn,z\n";
const encoding = async (target: string) => {
  const { columns, classes } = await csv(TABLE, { target });
  return { target, columns, classes };
};
const options = { labelled: true, header: true, delimiter: ",", missing: undefined };

test("csvAlike encodes the same table as csv did, and parts of it alike", async () => {
  const kind = await encoding("kind");
  const { x, y } = await csv(TABLE, { target: "kind" });
  expect(await csvAlike(TABLE, kind, options)).toEqual({ x, y });
  const part = await csvAlike("more,kind,city,size\n?,y,Köln,9\n", kind, options);
  expect(part).toEqual({
    x: { data: Float32Array.of(9, 0, 1), shape: [1, 3] },
    y: { data: Int32Array.of(1), shape: [1] },
  });
  const number = await csvAlike(TABLE, await encoding("size"), options);
  expect(number.y).toEqual({ data: Float32Array.of(1, 2, 3), shape: [3, 1] });
});

test("csvAlike needs no target where it is not asked for, and fills in missing values", async () => {
  const unlabelled = { ...options, labelled: false, missing: [5, 0.75, 0.25] };
  const { x, y } = await csvAlike("size,city\nNA,\n", await encoding("kind"), unlabelled);
  expect(y).toBeUndefined();
  expect([...x.data]).toEqual([5, 0.75, 0.25]);
});

test("csvAlike: a column's name may hold =", async () => {
  const text = "a=b,a,t\n1,u,0\n2,b=v,1\n";
  const { columns, x } = await csv(text, { target: "t" });
  expect(columns).toEqual(["a=b", "a=b=v", "a=u"]);
  expect((await csvAlike(text, { target: "t", columns }, options)).x).toEqual(x);
});

test.each([
  ["size,kind\n1,x\n", 'expected the column "city", got columns ["size", "kind"]'],
  ["size,city,kind\nbig,Bonn,x\n", 'line 2, column 1 ("size"): expected a number, got "big"'],
  ["size,city,kind\n1,Rom,x\n", 'line 2, column 2 ("city"): expected one of ["Bonn", "Köln"], got "Rom"'],
  ["size,city,kind\n1,Bonn,x\n,Bonn,x\n", 'line 3, column 1 ("size"): expected a value, got ""'],
  ["size,city,kind\n1,Bonn,w\n", 'line 2, column 3 ("kind"): expected one of ["x", "y", "z"], got "w"'],
  ["size,city,kind\n1,Bonn,\n", 'line 2, column 3 ("kind"): expected a target, got ""'],
])("csvAlike refuses %j", async (text, message) => {
  await expect(csvAlike(text, await encoding("kind"), options)).rejects.toThrow(message);
});

test('csv: missing: "keep" leaves NaN in x, in every column of a category, and refuses a missing target', async () => {
  const { x } = await csv("a,b,t\n1,u,0\n,,1\n3,v,1\n", { target: "t", missing: "keep" });
  expect([...x.data]).toEqual([1, 1, 0, Number.NaN, Number.NaN, Number.NaN, 3, 0, 1]);
  await expect(csv("a,t\n1,\n2,1\n", { target: "t", missing: "keep" })).rejects.toThrow("expected a target");
});
