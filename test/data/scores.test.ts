import { expect, test } from "vitest";
import { confusionMatrix, countClasses, mostLikely, regressionErrors } from "../../ts/data/scores";

test("mostLikely: ties go to the first class", () => {
  const scores = { data: Float32Array.of(0, 1, 1, 2, 2, 0, -3, -2, -1), shape: [3, 3] };
  expect([...mostLikely(scores)]).toEqual([1, 0, 2]);
});

test("confusionMatrix: labels are rows", () => {
  const labels = Int32Array.of(0, 1, 1, 2);
  expect(countClasses(labels)).toBe(3);
  expect(confusionMatrix(labels, Int32Array.of(0, 0, 1, 1), 3)).toEqual([
    [1, 0, 0],
    [1, 1, 0],
    [0, 1, 0],
  ]);
});

test("regressionErrors", () => {
  const targets = Float32Array.of(1, 2, 3, 4);
  expect(regressionErrors(targets, targets)).toEqual({ rootMeanSquare: 0, meanAbsolute: 0, rSquared: 1 });
  // errors 1, −1, 1, −1 against deviations ±1.5, ±0.5
  expect(regressionErrors(targets, Float32Array.of(0, 3, 2, 5))).toEqual({
    rootMeanSquare: 1,
    meanAbsolute: 1,
    rSquared: 1 - 4 / 5,
  });
  expect(regressionErrors(Float32Array.of(2, 2), Float32Array.of(2, 3)).rSquared).toBeNaN();
});
