// TF.js Layers models. The files and their outputs are TF.js 4.22's own: test/oracle/tfjsModels.mjs.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as d from "../../ts/index";
import { any } from "../support/contract";

const at = (path: string) => new URL(`tfjs/${path}`, import.meta.url);
const NAMES = readdirSync(at("."));

interface Values {
  inputs: { shape: number[]; data: number[] }[];
  outputs: { shape: number[]; data: number[] }[];
}

const jsonOf = (name: string) => JSON.parse(readFileSync(at(`${name}/model.json`), "utf8"));
const valuesOf = (name: string): Values => JSON.parse(readFileSync(at(`${name}/values.json`), "utf8"));
const shardsOf = (name: string): Uint8Array[] =>
  jsonOf(name).weightsManifest[0].paths.map((path: string) => new Uint8Array(readFileSync(at(`${name}/${path}`))));

/** The largest difference to TF.js's outputs. */
function difference(model: d.Model, { inputs, outputs }: Values): number {
  const xs = inputs.map(({ shape, data }) => ({ shape, data: Float32Array.from(data) }));
  const ys = [model.predict(any(xs.length === 1 ? xs[0] : xs))].flat() as d.NDArray[];
  expect(ys.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
  const differences = ys.flatMap((y, i) => outputs[i]!.data.map((v, j) => Math.abs(v - y.data[j]!)));
  return Math.max(...differences);
}

describe.each(NAMES)("%s", (name) => {
  test("predicts as TF.js does", () => {
    const model = d.importTfjs(jsonOf(name), shardsOf(name));
    expect(difference(model, valuesOf(name))).toBeLessThan(1e-5);
  });
});
