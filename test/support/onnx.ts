// Models against ONNX Runtime: what they predict, and what their files do.

import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect } from "vitest";
import { type ExportOnnxOptions, exportOnnx, type Model, type NDArray } from "../../ts/index";
import { any, floats } from "./contract";

/** Of outputs, how far apart they may be: this share of the largest number of an output. */
export const TOLERANCE = 1e-5;

export type Feeds = Record<string, { data: Float32Array | Uint8Array | Int32Array; shape: readonly number[] }>;

/** Runs the graph in a file. */
export async function run(
  bytes: Uint8Array,
  feeds: Feeds,
  types: Record<string, string> = {},
): Promise<Record<string, NDArray>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const given = Object.entries(feeds).map(([name, { data, shape }]) => {
    const type = types[name] ?? "float32";
    const numbers = type === "int64" ? BigInt64Array.from(data, (v) => BigInt(v)) : data;
    return [name, new Tensor(any(type), any(numbers), [...shape])];
  });
  const results = await session.run(Object.fromEntries(given));
  const found = Object.entries(results).map(([name, { data, dims }]) => [
    name,
    { data: (data as Float32Array).slice(), shape: [...dims] },
  ]);
  await session.release();
  return Object.fromEntries(found);
}

/** The largest distance of two arrays of finite numbers over the largest number of the first. */
export function distance(expected: NDArray, got: NDArray): number {
  expect(got.shape).toEqual(expected.shape);
  let [apart, size] = [0, 0];
  expected.data.forEach((v, i) => {
    apart = Math.max(apart, Math.abs(v - got.data[i]!)); // NaN where one of them is
    size = Math.max(size, Math.abs(v));
  });
  return apart / (size || 1);
}

/** Weights and statistics of no particular kind: small ones, variances that are positive. */
export function scramble(model: Model): void {
  const weights = model.getWeights();
  Object.entries(weights).forEach(([key, { data }], seed) => {
    const random = floats(data.length, seed + 3);
    const scale = key.endsWith("movingVariance") ? 0 : data.length > 8 && /ernel/.test(key) ? 0.3 : 0.6;
    random.forEach((v, i) => {
      data[i] = scale ? scale * v : 0.5 + Math.abs(v);
    });
  });
  model.setWeights(weights);
}

/** Inputs for so many examples. */
export function inputsFor(model: Model, n: number, make = floats): Feeds {
  return Object.fromEntries(
    model.config.inputs.map(({ name, shape }, i) => {
      const size = shape.reduce((product, d) => product * d, n);
      return [name, { data: make(size, i + 11), shape: [n, ...shape] }];
    }),
  );
}

/** What the model predicts, by its outputs' names. */
export function predicted(model: Model, feeds: Feeds): Record<string, NDArray> {
  const { inputs, inputForm, outputs, outputForm } = model.config;
  const given = inputForm === "one" ? feeds[inputs[0]!.name] : inputForm === "list" ? Object.values(feeds) : feeds;
  const found = any(model).predict(given);
  if (outputForm === "record") return found;
  const list: NDArray[] = outputForm === "one" ? [found] : found;
  return Object.fromEntries(outputs.map(({ name }, i) => [name, list[i]!]));
}

/** Exports the model and holds what ONNX Runtime makes of the file against predict, for one example and for several. Returns the largest distance. */
export async function agrees(model: Model, options?: ExportOnnxOptions, make = floats): Promise<number> {
  const bytes = await exportOnnx(model, options);
  let most = 0;
  for (const n of [1, 5]) {
    const feeds = inputsFor(model, n, make);
    const found = await run(bytes, feeds);
    for (const [name, expected] of Object.entries(predicted(model, feeds))) {
      const apart = distance(expected, (found[`${name}_output`] ?? found[name])!);
      expect(apart, `${name} of ${n}`).toBeLessThan(TOLERANCE);
      most = Math.max(most, apart);
    }
  }
  return most;
}
