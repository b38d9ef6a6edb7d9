import { expect, test } from "vitest";
import { columnMoments, fillMissing } from "../../ts/data/columns";

const nan = Number.NaN;
const x = () => ({ data: Float32Array.of(1, nan, 5, 3, 4, 5, nan, nan, 5, 100, 100, 100), shape: [4, 3] });

test("columnMoments: of the first rows only, missing values left out", () => {
  const { mean, variance } = columnMoments(x(), 3);
  expect([...mean]).toEqual([2, 4, 5]);
  expect([...variance]).toEqual([1, 0, 0]);
});

test("columnMoments: a large common shift does not cancel; an empty column counts 0", () => {
  const data = Float32Array.from({ length: 2000 }, (_, i) => (i % 2 ? nan : 1e6 + ((i / 2) % 2)));
  const { mean, variance } = columnMoments({ data, shape: [1000, 2] }, 1000);
  expect(mean[0]).toBe(1e6 + 0.5);
  expect(variance[0]).toBe(0.25);
  expect([mean[1], variance[1]]).toEqual([0, 0]);
});

test("fillMissing puts the column's value in the place of NaN", () => {
  const filled = x();
  fillMissing(filled, [7, 8, 9]);
  expect([...filled.data]).toEqual([1, 8, 5, 3, 4, 5, 7, 8, 5, 100, 100, 100]);
});
