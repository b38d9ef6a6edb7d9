// Models from ONNX files that PyTorch wrote: they predict what PyTorch and onnxruntime compute.

import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { importOnnx, type NDArray } from "../../../ts/index";

type Values = { shape: number[]; data: number[] };
const folder = new URL("fixtures/", import.meta.url);
export const fileOf = (name: string) => readFileSync(new URL(`${name}.onnx`, folder));
const cases: Record<string, { inputs: Record<string, Values>; y: Values }> = JSON.parse(
  readFileSync(new URL("outputs.json", folder), "utf8"),
);

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));
};

const arraysOf = (inputs: Record<string, Values>, rows: number) =>
  Object.entries(inputs).map(([name, { shape, data }]): [string, NDArray] => [
    name,
    { data: Float32Array.from(data.slice(0, (data.length / shape[0]!) * rows)), shape: [rows, ...shape.slice(1)] },
  ]);

for (const [name, { inputs, y }] of Object.entries(cases))
  test(`${name}: as PyTorch and onnxruntime`, async () => {
    const bytes = fileOf(name);
    const model = importOnnx(bytes);
    const session = await InferenceSession.create(bytes);
    const predict = (arrays: [string, NDArray][]) =>
      model.predict((arrays.length === 1 ? arrays[0]![1] : Object.fromEntries(arrays)) as NDArray) as NDArray;
    const whole = predict(arraysOf(inputs, 2));
    expect(whole.shape).toEqual(y.shape);
    expect(largest(whole.data, y.data)).toBeLessThan(1e-5);
    for (const rows of name === "cnnFixed" ? [1] : [1, 2]) {
      const arrays = arraysOf(inputs, rows);
      const feeds = Object.fromEntries(
        arrays.map(([key, { data, shape }]) => [
          key,
          name === "words"
            ? new Tensor("int64", BigInt64Array.from(data, BigInt), shape as number[])
            : new Tensor("float32", data, shape as number[]),
        ]),
      );
      const reference = (await session.run(feeds))["y"]!;
      const mine = predict(arrays);
      expect(mine.shape).toEqual(reference.dims);
      expect(largest(mine.data, reference.data as Float32Array)).toBeLessThan(1e-5);
    }
    model.dispose();
  });
