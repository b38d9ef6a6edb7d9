// What columns are, in tables and in predictions: numbers, categories, missing values.

import { loadModel, type Model, type NDArray } from "downhill";
import { expect, test } from "vitest";
import { RowEncoder } from "../../../examples/service/rows";
import { form, open } from "./support";

const { app, ask, trained } = await open();
const OPTIONS = { target: "y", epochs: 2, hiddenLayers: [4] };

const predict = async (id: string, row: unknown) => {
  const { status, body } = await ask("POST", `/models/${id}/predict`, { row });
  return status === 200 ? (body.prediction.probabilities ?? body.prediction.value) : body.message;
};

test("text that is a number is one, in a table and in predictions", async () => {
  const table = (write: (value: number) => unknown) =>
    Array.from({ length: 20 }, (_, i) => ({ size: write(i / 4), y: i % 2 ? "u" : "v" }));
  const asText = await trained({ ...OPTIONS, rows: table((value) => ` ${value.toExponential()} `) });
  const asNumbers = await trained({ ...OPTIONS, rows: table(Number) });
  expect(asText.columns).toEqual([{ name: "size" }]);
  expect(asText.weightsHash).toBe(asNumbers.weightsHash);
  const wanted = await predict(asText.id, { size: 1.5 });
  expect(wanted).toMatchObject({ u: expect.any(Number) });
  for (const cell of ["1.5", " +15e-1 ", "1.50"]) {
    expect(await predict(asText.id, { size: cell })).toEqual(wanted);
    expect(await predict(asText.id, [cell])).toEqual(wanted);
  }
  for (const cell of ["1.5x", "0x1", "Infinity", "1e39", true, "1 5"])
    expect(await predict(asText.id, [cell])).toBe(
      `row, column "size": expected a number that is finite in float32, got ${JSON.stringify(cell)}`,
    );
  const begin = performance.now();
  expect(await predict(asText.id, [`${"1".repeat(500_000)}x`])).toMatch(/expected a number/);
  expect(performance.now() - begin).toBeLessThan(5_000);
});

test("space round values is none of theirs, but where a CSV file quotes it", async () => {
  const rows = Array.from({ length: 8 }, (_, i) => ({ color: i % 2 ? " red" : "blue ", y: i % 2 ? "u" : "v" }));
  const { id, columns } = await trained({ ...OPTIONS, rows });
  expect(columns).toEqual([{ name: "color", values: ["blue", "red"] }]);
  expect(await predict(id, [" red"])).toEqual(await predict(id, ["red"]));
  const quoted = await trained({ ...OPTIONS, csv: 'color,y\n" red",u\n red ,u\nblue,v\n' });
  expect(quoted.columns).toEqual([{ name: "color", values: [" red", "blue", "red"] }]);
  const [spaced, plain] = [await predict(quoted.id, [" red"]), await predict(quoted.id, ["red "])];
  expect(spaced).toMatchObject({ u: expect.any(Number) });
  expect(plain).toMatchObject({ u: expect.any(Number) });
  expect(spaced).not.toEqual(plain);
});

test("categorical makes categories of numbers, which a number finds again by its value", async () => {
  const codes = ["01234", "80331", "10115", "7"];
  const rows = codes.concat(codes).map((zip, i) => ({ zip, size: i, y: i % 4 < 2 ? "u" : "v" }));
  const numbers = await trained({ ...OPTIONS, rows });
  expect(numbers.columns).toEqual([{ name: "zip" }, { name: "size" }]);
  const { id, columns, options } = await trained({ ...OPTIONS, rows, categorical: ["zip"] });
  expect(columns).toEqual([{ name: "zip", values: ["7", "01234", "10115", "80331"] }, { name: "size" }]);
  expect(options.categorical).toEqual(["zip"]);
  const wanted = await predict(id, ["01234", 1]);
  expect(await predict(id, [1234, 1])).toEqual(wanted);
  expect(await predict(id, { zip: 10115, size: "1" })).toEqual(await predict(id, { zip: "10115", size: 1 }));
  for (const cell of ["1234", 1235, "x"])
    expect(await predict(id, [cell, 1])).toBe(
      `row, column "zip": expected one of ["7", "01234", "10115", "80331"], got ${JSON.stringify(cell)}`,
    );
  // two that have its value: neither
  const encoder = new RowEncoder([{ name: "a", values: ["1", "01", "1.0", "2.0"] }], 4);
  const encoded = (cell: number | string) => {
    const x = new Float32Array(4);
    encoder.encode([cell], x, 0, "row");
    return [...x];
  };
  expect(encoded(1)).toEqual([1, 0, 0, 0]); // as it is written
  expect(encoded(2)).toEqual([0, 0, 0, 1]);
  expect(encoded("1.0")).toEqual([0, 0, 1, 0]);
  const twice = new RowEncoder([{ name: "a", values: ["01", "1.0"] }], 2);
  expect(() => twice.encode([1], new Float32Array(2), 0, "row")).toThrow('expected one of ["01", "1.0"], got 1');
});

test("columns of numbers and words say what may be done, and it can be", async () => {
  const rows = [
    { a: 1, y: "u" },
    { a: "w", y: "v" },
  ];
  const { status, body } = await ask("POST", "/models", { ...OPTIONS, rows });
  expect(status).toBe(422);
  expect(body.message).toBe(
    'rows[1], column 1 ("a"): expected a number as in rows[0], got "w" (categories that may be numbers: name the column in the option categorical)',
  );
  const { id, columns } = await trained({ ...OPTIONS, rows, categorical: ["a"] });
  expect(columns).toEqual([{ name: "a", values: ["1", "w"] }]);
  expect(await predict(id, [1])).toEqual(await predict(id, ["1"]));
  expect((await ask("POST", "/models", { ...OPTIONS, rows, categorical: ["b"] })).body.message).toBe(
    'expected categorical to be a column, one of ["a", "y"], got "b"',
  );
});

test("a delimiter of a CSV file, in a body and in an upload", async () => {
  const csv = (delimiter: string) =>
    [["a", "b", "y"], ...Array.from({ length: 12 }, (_, i) => [i, `"${delimiter}${i % 3}"`, i % 2 ? "u" : "v"])]
      .map((cells) => cells.join(delimiter))
      .join("\n");
  const { columns } = await trained({ ...OPTIONS, csv: csv(",") });
  expect(columns).toEqual([{ name: "a" }, { name: "b", values: [",0", ",1", ",2"] }]);
  for (const delimiter of [";", "\t", "|"]) {
    const options = { ...OPTIONS, delimiter };
    const model = await trained({ ...options, csv: csv(delimiter) });
    expect(model.columns).toMatchObject([{ name: "a" }, { values: { length: 3 } }]);
    const upload = form({ options: JSON.stringify(options), file: { filename: "f.csv", content: csv(delimiter) } });
    expect((await ask("POST", "/models", undefined, upload)).body).toMatchObject({ columns: model.columns });
  }
  const wide = `${new Array(1003).fill(0).join(";")}\n`;
  expect((await ask("POST", "/models", { ...OPTIONS, csv: wide, delimiter: ";" })).body.message).toBe(
    "expected at most 1000 columns, a category counting as one each, got 1002",
  );
  const expected = 'delimiter: expected one ASCII character that separates values of CSV, none of " = and space, got';
  for (const delimiter of ['"', "=", " ", "", ";;", "\n", "ä"])
    expect((await ask("POST", "/models", { ...OPTIONS, csv: csv(","), delimiter })).body.message).toBe(
      `${expected} ${JSON.stringify(delimiter)}`,
    );
  expect((await ask("POST", "/models", { ...OPTIONS, rows: [[1, 2]], delimiter: ";" })).body.message).toBe(
    'delimiter: expected with csv and file only, got ";" with rows',
  );
});

test("missing values: means of the rows trained on, in the table and in predictions", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({
    size: i % 5 === 1 ? null : i,
    color: i % 7 === 2 ? "NA" : i % 2 ? "red" : "blue",
    y: i % 3 ? "u" : "v",
  }));
  const { id, columns, options } = await trained({ ...OPTIONS, rows, missing: "mean", validationSplit: 0.25 });
  expect(columns).toEqual([{ name: "size" }, { name: "color", values: ["blue", "red"] }]);
  expect(options.missing).toBe("mean");
  const { rawPayload } = await app.inject(`/models/${id}/file`);
  const model = (await loadModel(new Uint8Array(rawPayload))) as Model<NDArray>;
  const mean = [...model.getWeights()["standardize/movingMean"]!.data];
  expect(mean[1]! + mean[2]!).toBeCloseTo(1, 6);
  expect(JSON.parse(model.metadata["run"]!)).toEqual({ missing: "mean" });
  model.dispose();
  const wanted = await predict(id, [mean[0], "red"]);
  for (const row of [{ color: "red" }, { size: null, color: "red" }, [null, "red"], ["?", " red "], ["", "red"]])
    expect(await predict(id, row)).toEqual(wanted);
  const neither = await predict(id, [null, null]);
  expect(neither.u).toBeCloseTo((await predict(id, { size: "NaN", color: "na" })).u, 6);
  expect([await predict(id, [null, "red"]), await predict(id, [null, "blue"])]).not.toContainEqual(neither);
  expect(await predict(id, { size: 1, colour: "red" })).toMatch(
    /expected the columns \["size", "color"\], got "colour"$/,
  );
});

test("the means are those of the values that are there, in float64 of the table's own rows", async () => {
  const rows = [1, 2, null, 6].map((a, i) => ({ a, b: i, c: i === 3 ? null : ["p", "q", "q"][i], y: i }));
  const { id } = await trained({ ...OPTIONS, rows, missing: "mean" });
  const { rawPayload } = await app.inject(`/models/${id}/file`);
  const model = (await loadModel(new Uint8Array(rawPayload))) as Model<NDArray>;
  const weights = model.getWeights();
  expect([...weights["standardize/movingMean"]!.data]).toEqual([3, 1.5, Math.fround(1 / 3), Math.fround(2 / 3)]);
  expect(weights["standardize/movingVariance"]!.data[0]).toBeCloseTo((4 + 1 + 9) / 4, 6);
  model.dispose();
});

test("what is missing where nothing fills it in is refused, and so is a column without a value to be trained on", async () => {
  const rows = [
    { a: 1, y: "u" },
    { a: 2, y: "v" },
  ];
  const { id } = await trained({ ...OPTIONS, rows });
  for (const cell of [null, "", "NA"])
    expect(await predict(id, [cell])).toBe(
      `row, column "a": expected a value, got ${JSON.stringify(cell)} (missing: a model trained with missing "mean" fills it in)`,
    );
  expect(await predict(id, {})).toBe("row: expected not to have fewer than 1 properties, got an object of nothing");
  const absent = await ask("POST", "/models", {
    ...OPTIONS,
    rows: [...rows, { a: 3, y: null }],
    missing: "mean",
  });
  expect(absent.body.message).toBe(
    'rows[2], column 2 ("y"): expected a target, got "" (missing: "drop" leaves the row out)',
  );
  const half = Array.from({ length: 10 }, (_, i) => ({ a: i === 0 ? 1 : null, b: 1, y: i % 2 ? "u" : "v" }));
  const messages = [];
  for (let seed = 0; seed < 8; seed++) {
    const given = { ...OPTIONS, rows: half, missing: "mean", validationSplit: 0.5, seed };
    messages.push((await ask("POST", "/models", given)).body.message);
  }
  expect(messages).toContain('column "a": expected a value in one of the 5 rows trained on, got none');
  expect(messages).toContain(undefined);
});
