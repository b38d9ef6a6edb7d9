// Outputs and gradients of attention and embeddings, against PyTorch's (attention.py); weights come in PyTorch's layout.

import { describe, expect, test } from "vitest";
import {
  embedding,
  functional,
  input,
  meanSquaredError,
  multiHeadAttention,
  type NDArray,
  sequential,
  sgd,
} from "../../ts/index";
import { any } from "../support/contract";
import { array, expectClose, fixture, flat, type Nested } from "../support/oracle";

type Tensors = Record<string, Nested>;

interface Attention {
  heads: number;
  keyDim: number;
  options: { causal: boolean; useBias: boolean };
  inputs: Nested[];
  weights: Tensors;
  target: Nested;
  y: Nested;
  loss: number;
  dx: Nested[];
  gradients: Tensors;
}

interface Embedding {
  size: number;
  width: number;
  ids: Nested;
  weight: Nested;
  target: Nested;
  y: Nested;
  loss: number;
  gradient: Nested;
}

const cases = fixture<{ attention: Attention[]; embedding: Embedding[] }>("attention");

/** [rows, columns] transposed, seen under `shape`. */
function transposed(a: Nested, shape: readonly number[]): NDArray {
  const rows = a as number[][];
  return { data: Float32Array.from(rows[0]!.flatMap((_, j) => rows.map((row) => row[j]!))), shape };
}

/** PyTorch's tensors under downhill's names. */
function fromPyTorch({ heads, keyDim }: Attention, tensors: Tensors): Record<string, NDArray> {
  const found: Record<string, NDArray> = {};
  const width = heads * keyDim;
  const projections = ["query", "key", "value"] as const;
  projections.forEach((name, i) => {
    const joined = tensors["in_proj_weight"] as Nested[] | undefined;
    const weight = joined?.slice(i * width, (i + 1) * width) ?? tensors[`${name[0]}_proj_weight`]!;
    found[`${name}/kernel`] = transposed(weight, [(weight as Nested[][])[0]!.length, heads, keyDim]);
    const bias = tensors["in_proj_bias"] as number[] | undefined;
    if (bias)
      found[`${name}/bias`] = {
        data: Float32Array.from(bias.slice(i * width, (i + 1) * width)),
        shape: [heads, keyDim],
      };
  });
  found["output/kernel"] = transposed(tensors["out_proj.weight"]!, [heads, keyDim, width]);
  if (tensors["out_proj.bias"]) found["output/bias"] = array(tensors["out_proj.bias"]);
  return Object.fromEntries(Object.entries(found).map(([key, w]) => [`multiHeadAttention_1/${key}`, w]));
}

const tolerance = { absolute: 5e-7, relative: 1e-5 };

const show = ({ heads, keyDim, options, inputs }: Attention) =>
  `multiHeadAttention(${heads}, ${keyDim}, ${JSON.stringify(options)}) of ${inputs.map((x) => `[${array(x).shape}]`).join(", ")}`;

describe("attention", () => {
  test.each(cases.attention.map((c) => [show(c), c] as const))("%s", (_, c) => {
    const given = c.inputs.map(array);
    const xs = given.map(({ shape }) => input(shape.slice(1)));
    const y = multiHeadAttention(c.heads, c.keyDim, c.options)(xs.length === 1 ? xs[0]! : xs);
    using model = functional({ inputs: xs, outputs: y });
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
    model.setWeights(fromPyTorch(c, c.weights));
    const predicted: NDArray = any(model.predict(any(given)));
    expect(predicted.shape).toEqual(array(c.y).shape);
    expectClose("y", predicted.data, c.y, { absolute: 5e-7, relative: 5e-6 });
    const { loss, inputs, parameters } = model.gradients(any(given), array(c.target));
    expectClose("loss", [loss], [c.loss], { absolute: 0, relative: 3e-6 });
    c.dx.forEach((dx, i) => {
      expectClose(`dx ${i}`, any(inputs)[i].data, dx, tolerance);
    });
    const expected = fromPyTorch(c, c.gradients);
    expect(Object.keys(parameters).sort()).toEqual(Object.keys(expected).sort());
    for (const [key, { data, shape }] of Object.entries(expected)) {
      expect(parameters[key]!.shape).toEqual(shape);
      expectClose(`gradient of ${key}`, parameters[key]!.data, [...data], tolerance);
    }
  });
});

describe("embedding", () => {
  test.each(cases.embedding.map((c) => [`${c.size} × ${c.width} of [${array(c.ids).shape}]`, c] as const))(
    "%s",
    (_, c) => {
      const [ids, target] = [array(c.ids), array(c.target)];
      using model = sequential([embedding(c.size, c.width, { inputShape: ids.shape.slice(1) })]);
      model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
      model.setWeights({ "embedding_1/embeddings": array(c.weight) });
      for (const data of [
        ids.data,
        Int32Array.from(ids.data),
        Uint8Array.from(ids.data),
        Float64Array.from(ids.data),
      ]) {
        const x = { data, shape: ids.shape };
        const y = model.predict(x);
        expect(y.shape).toEqual(array(c.y).shape);
        expect([...y.data]).toEqual(flat(c.y));
        const { loss, parameters } = model.gradients(x, target);
        expectClose("loss", [loss], [c.loss], { absolute: 0, relative: 2e-6 });
        expectClose("gradient", parameters["embedding_1/embeddings"]!.data, c.gradient, tolerance);
      }
    },
  );
});
