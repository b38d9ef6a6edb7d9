// Step after step with arrays of the same kinds: those go a shorter way (refill), on which nothing may be missed.

import { expect, test } from "vitest";
import {
  dense,
  functional,
  input,
  type Model,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "../../ts/index";

const [ROWS, COLUMNS] = [4, 3];

function net() {
  setSeed(3);
  const model = sequential([dense(3, { inputShape: [COLUMNS] })]);
  model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy() });
  return model;
}

const batch = (k: number) => ({
  x: Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(k + i * i)),
  y: Int32Array.from({ length: ROWS }, (_, i) => (i * k) % 3),
});
const shaped = <T extends Float32Array | Int32Array>(data: T, ...shape: number[]): NDArray<T> => ({ data, shape });

test("flat arrays, arrays with a shape and nested ones, in turns, train alike", () => {
  using flat = net();
  using mixed = net();
  for (let k = 0; k < 12; k++) {
    const { x, y } = batch(k);
    const logs = flat.trainOnBatch(x, y);
    const rows = Array.from({ length: ROWS }, (_, r) => [...x.subarray(r * COLUMNS, (r + 1) * COLUMNS)]);
    const given = [
      [shaped(x, ROWS, COLUMNS), shaped(y, ROWS)],
      [shaped(x, ROWS, COLUMNS), shaped(y, ROWS)],
      [shaped(x, ROWS, COLUMNS), shaped(y, ROWS, 1)],
      [x, shaped(y, ROWS, 1)],
      [rows, y],
    ][k % 5]!;
    expect(mixed.trainOnBatch(given[0]!, given[1]!)).toEqual(logs);
  }
  expect(mixed.getWeights()).toEqual(flat.getWeights());
});

test("a shape that no longer fits is an error in the step that brings it, and that step changes nothing", () => {
  using model = net();
  const { x, y } = batch(1);
  model.trainOnBatch(shaped(x, ROWS, COLUMNS), shaped(y, ROWS));
  model.trainOnBatch(shaped(x, ROWS, COLUMNS), shaped(y, ROWS));
  const before = model.getWeights();
  const wrong: [unknown, unknown, string][] = [
    [shaped(x, COLUMNS, ROWS), shaped(y, ROWS), "shape"],
    [shaped(x, ROWS * COLUMNS), shaped(y, ROWS), "shape"],
    [shaped(x, ROWS, COLUMNS), shaped(y, 2, 2), "shape"],
    [{ data: x, shape: "4,3" }, shaped(y, ROWS), "shape"],
    [shaped(x, ROWS, COLUMNS), shaped(Int32Array.of(0, 1, 2, 3), ROWS), "data"],
    [
      shaped(
        x.map((v, i) => (i === 5 ? Number.NaN : v)),
        ROWS,
        COLUMNS,
      ),
      shaped(y, ROWS),
      "data",
    ],
  ];
  for (const [given, targets, code] of wrong)
    expect(() => model.trainOnBatch(given as NDArray, targets as NDArray<Int32Array>)).toThrow(
      expect.objectContaining({ name: "DownhillError", code }),
    );
  expect(model.getWeights()).toEqual(before);
});

test.each(["inputs", "outputs"])("where %s are a record, an array alone is an error in any step", (ports) => {
  const x = input([COLUMNS]);
  const y = dense(3)(x);
  const record = ports === "inputs";
  using model: Model = record ? functional({ inputs: { x }, outputs: y }) : functional({ inputs: x, outputs: { y } });
  model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
  const given = batch(1);
  const alone = [shaped(given.x, ROWS, COLUMNS), shaped(given.y, ROWS)] as const;
  if (record) model.trainOnBatch({ x: alone[0] }, alone[1]);
  else model.trainOnBatch(alone[0], { y: alone[1] });
  for (const [a, b] of [alone, [given.x, given.y]] as const)
    expect(() => model.trainOnBatch(a, b)).toThrow(
      expect.objectContaining({ name: "DownhillError", code: "argument" }),
    );
});
