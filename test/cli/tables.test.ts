import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { constant, dense, saveModel, sequential } from "../../ts/index";
import { downhill, folder, lastLine } from "./run";

const at = folder();

/** A few hundred rows; the numbers' spreads differ by 10⁹. */
function rows(): string[][] {
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  return Array.from({ length: 300 }, () => {
    const [size, dose] = [60 + 60 * random(), 1e-6 * random()];
    const city = ["Bonn", "Köln", "A, B"][Math.floor(3 * random())]!;
    const price = 3000 * size + 1e11 * dose + (city === "Bonn" ? 50_000 : 0) + 4000 * random();
    return [
      size.toFixed(1),
      dose.toExponential(4),
      "7",
      `"${city}"`,
      price.toFixed(0),
      price > 350_000 ? "dear" : "cheap",
    ];
  });
}

const table = rows();
const HEAD = "size,dose,constant,city,price,kind";
const write = (name: string, head: string, lines: string[][]) => {
  writeFileSync(at(name), `${[head, ...lines.map((line) => line.join(","))].join("\n")}\n`);
  return at(name);
};
/** Without the last `n` columns. */
const less = (n: number) => table.map((line) => line.slice(0, line.length - n));
let numbers: string;
let classes: string;

beforeAll(() => {
  numbers = write("numbers.csv", "size,dose,constant,city,price", less(1));
  classes = write(
    "classes.csv",
    "size,dose,constant,city,kind",
    table.map((line) => line.filter((_, c) => c !== 4)),
  );
});

test("numbers: trains, and predicts raw rows with the scaling of the rows trained on", async () => {
  const file = at("numbers.safetensors");
  const trained = await downhill("train", "--data", numbers, "--target", "price", "--save", file);
  expect(trained.stderr).not.toContain("downhill:");
  expect(trained.stdout).toContain("240 rows to train on, 60 to test, 6 columns, price as a number");
  expect(trained.stdout).toMatch(/root mean square error +\d+/);
  const [, r2] = /^test R² (\d\.\d+)$/.exec(lastLine(trained.stdout))!;
  expect(Number(r2)).toBeGreaterThan(0.95);

  // two rows alone, no target, the columns in another order and one more
  const few = write(
    "few.csv",
    "city,constant,more,dose,size",
    [0, 1].map((i) => {
      const [size, dose, constant, city] = table[i]! as [string, string, string, string];
      return [city, constant, "x", dose, size];
    }),
  );
  const all = (await downhill("predict", file, "--data", numbers)).stdout.trimEnd().split("\n");
  const alone = (await downhill("predict", file, "--data", few)).stdout.trimEnd().split("\n");
  expect(all[0]).toBe("price");
  expect(all).toHaveLength(301);
  expect(alone).toEqual(all.slice(0, 3));
  for (let i = 0; i < 300; i += 50) expect(Number(all[i + 1]) / Number(table[i]![4])).toBeCloseTo(1, 0);

  const evaluated = await downhill("evaluate", file, "--data", numbers);
  expect(lastLine(evaluated.stdout)).toMatch(/^data R² 0\.9/);
});

test("classes: names of the file; missing values filled in with the means of the rows trained on", async () => {
  const holes = write(
    "holes.csv",
    HEAD.replace("price,", ""),
    table.map((line, i) => {
      const [size, dose, constant, city, , kind] = line as [string, string, string, string, string, string];
      return [i % 20 === 7 ? "" : size, dose, constant, city, kind];
    }),
  );
  const file = at("classes.safetensors");
  const refused = await downhill("train", "--data", holes, "--target", "kind");
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(/^downhill: .*line 9, column 1 \("size"\): expected a value, got "" .*\n$/);
  const trained = await downhill("train", "--data", holes, "--target", "kind", "--missing", "mean", "--save", file);
  expect(Number(/^test accuracy ([\d.]+) %$/.exec(lastLine(trained.stdout))?.[1])).toBeGreaterThan(85);
  expect(trained.stdout).toMatch(/^cheap +[\d·]+ +[\d·]+/m);
  const predicted = await downhill("predict", file, "--data", holes, "--format", "json");
  const first = JSON.parse(predicted.stdout.split("\n")[0]!);
  expect(Object.keys(first.probabilities)).toEqual(["cheap", "dear"]);

  const more = await downhill("train", "--resume", file, "--epochs", "42");
  expect(more).toMatchObject({ code: 0 });
  expect(more.stderr.trimEnd().split("\n")).toHaveLength(2);
});

test("--missing of evaluate and predict: as trained with mean, otherwise an error that says what to do", async () => {
  const file = at("whole.safetensors");
  const trained = await downhill("train", "--data", classes, "--target", "kind", "--epochs", "2", "--save", file);
  expect(trained).toMatchObject({ code: 0 });
  const head = "size,dose,constant,city,kind,more";
  const [a, b] = ["70,1e-7,7,Bonn,cheap,", "80,2e-7,7,Köln,dear,"];
  const data = write("gaps.csv", head, [
    [a],
    [",1e-7,7,Bonn,dear,"],
    [b],
    ["70,1e-7,7,NA,dear,"],
    ["70,1e-7,7,Bonn,,"],
  ]);
  for (const command of ["evaluate", "predict"]) {
    const refused = await downhill(command, file, "--data", data);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain('line 3, column 1 ("size"): expected a value, got "" (missing: "drop" leaves');
  }
  const evaluated = await downhill("evaluate", file, "--data", data, "--missing", "drop");
  expect(evaluated.stdout).toMatch(/gaps.csv +2 /);

  const dropped = await downhill("predict", file, "--data", data, "--missing", "drop");
  expect(dropped.stderr).toBe("downhill: 2 of 5 rows lack values: no prediction in their lines\n");
  const lines = dropped.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(6);
  expect([lines[2], lines[4]]).toEqual(["NA,NA,NA", "NA,NA,NA"]);
  const whole = await downhill("predict", file, "--data", write("two.csv", head, [[a], [b]]));
  expect(whole.stdout.trimEnd().split("\n")).toEqual([lines[0], lines[1], lines[3]]);
  expect(lines[5]).toBe(lines[1]); // a target that lacks is no gap
  const json = await downhill("predict", file, "--data", data, "--missing", "drop", "--format", "json");
  expect(json.stdout.split("\n")[1]).toBe("null");

  const filled = await downhill("predict", file, "--data", data, "--missing", "mean");
  expect(filled).toMatchObject({ code: 0, stderr: "" });
  expect(filled.stdout).not.toContain("NA");
  expect(await downhill("predict", file, "--data", data, "--missing", "keep")).toMatchObject({ code: 2 });
});

test("values that something else separates: the error says so, and --delimiter takes \\t", async () => {
  const file = write("tabs.tsv", "size\tkind", [["1\tx"], ["2\ty"], ["3\tx"], ["4\ty"]]);
  const train = ["train", "--data", file, "--target", "kind", "--epochs", "1"];
  const refused = await downhill(...train);
  expect(refused.stderr).toContain('(if "\\t" separates the values of this file, say so: option delimiter)');
  expect(await downhill(...train, "--delimiter", "\\t")).toMatchObject({ code: 0 });
});

test("what does not fit the table that the model was trained on is told with its line", async () => {
  const file = at("fit.safetensors");
  await downhill("train", "--data", classes, "--target", "kind", "--epochs", "1", "--save", file);
  const few = (name: string, head: string, line: string) => write(name, head, [line.split(",")]);
  const none = await downhill("predict", file, "--data", few("none.csv", "size,dose,city", "70,1e-7,Bonn"));
  expect(none).toMatchObject({ code: 1, stdout: "" });
  expect(none.stderr).toContain('expected the column "constant", got columns ["size", "dose", "city"]');
  const head = "size,dose,constant,city";
  const category = await downhill("predict", file, "--data", few("category.csv", head, "70,1e-7,7,Rom"));
  expect(category.stderr).toContain('line 2, column 4 ("city"): expected one of ["A, B", "Bonn", "Köln"], got "Rom"');
  const word = await downhill("predict", file, "--data", few("word.csv", head, "big,1e-7,7,Bonn"));
  expect(word.stderr).toContain('line 2, column 1 ("size"): expected a number, got "big"');
  const images = await downhill("predict", file, "--data", "digits");
  expect(images).toMatchObject({ code: 1 });
});

test("a model that another program wrote: its notes on columns are used, or it is told what is wrong with them", async () => {
  const model = sequential([
    dense(1, { inputShape: [2], kernelInitializer: constant(0), biasInitializer: constant(3) }),
  ]);
  Object.assign(model.metadata, { target: "price", columns: '["size","city=Bonn"]' });
  const file = at("foreign.safetensors");
  await saveModel(model, file);
  const data = write("foreign.csv", "city,size", [["Bonn", "70"]]);
  expect(await downhill("predict", file, "--data", data)).toMatchObject({ code: 0, stdout: "price\n3\n" });
  expect(await downhill("predict", file, "--data", data, "--missing", "mean")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("the model does not hold the means of its columns"),
  });
  model.metadata["columns"] = '[{"name":"size"}]';
  await saveModel(model, file);
  const told = await downhill("predict", file, "--data", data);
  expect(told).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("metadata columns: expected a list of names"),
  });
});
