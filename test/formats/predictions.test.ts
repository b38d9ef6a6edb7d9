import { expect, test } from "vitest";
import { predictionLines } from "../../ts/formats/predictions";

const values = { data: Float32Array.of(0.25, 0.75, 1e-9, 1), shape: [2, 2] };
const classes = { names: ["10", 'a "b", c'], best: Int32Array.of(1, 1) };

test("classes as CSV and as JSON lines", () => {
  expect(predictionLines(values, "csv", { classes, target: "t" })).toBe(
    'class,10,"a ""b"", c"\n"a ""b"", c",0.25,0.75\n"a ""b"", c",1e-9,1\n',
  );
  const [first, second] = predictionLines(values, "json", { classes, target: "t" }).trimEnd().split("\n");
  expect(JSON.parse(first!)).toEqual({ class: 'a "b", c', probabilities: { 10: 0.25, 'a "b", c': 0.75 } });
  expect(JSON.parse(second!).probabilities["10"]).toBe(1e-9);
});

test("numbers under the target's name", () => {
  const meanings = { classes: undefined, target: "price" };
  expect(predictionLines(values, "csv", meanings)).toBe("price_1,price_2\n0.25,0.75\n1e-9,1\n");
  const one = { data: Float32Array.of(516541.9, -2), shape: [2, 1] };
  expect(predictionLines(one, "csv", meanings)).toBe("price\n516541.9\n-2\n");
  expect(predictionLines(one, "json", meanings)).toBe('{"price":516541.9}\n{"price":-2}\n');
});
