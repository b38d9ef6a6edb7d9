// Weights by name in and out of files of other tools. The files are PyTorch's own: test/oracle/torchWeights.py.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../ts/formats/safetensors";
import * as d from "../../ts/index";
import { any, floats, rejected, weightBits } from "../support/contract";

const at = (name: string) => new URL(`torch/${name}`, import.meta.url);
const bytesOf = (name: string) => new Uint8Array(readFileSync(at(`${name}.safetensors`)));
const valuesOf = (name: string) => JSON.parse(readFileSync(at(`${name}.json`), "utf8"));
const array = ({ data, shape }: { data: number[]; shape: number[] }) => ({ data: Float32Array.from(data), shape });

function near(y: d.NDArray, expected: readonly number[], tolerance = 1e-5) {
  expect(y.data.length).toBe(expected.length);
  expect(Math.max(...expected.map((v, i) => Math.abs(v - y.data[i]!)))).toBeLessThan(tolerance);
}

const mlp = () =>
  d.sequential([
    ...[d.dense(8, { inputShape: [6], activation: "tanh" }), d.dense(8, { activation: "tanh" }), d.dense(8)],
    ...[d.layerNorm(), d.dense(3)],
  ]);

/** PyTorch's nets in downhill's layers. */
const NETS: Record<string, { make: () => d.Model; rename?: Record<string, string> }> = {
  mlp: { make: mlp },
  deep: {
    make: () => d.sequential(Array.from({ length: 12 }, () => d.dense(4, { inputShape: [4], activation: "tanh" }))),
  },
  cnn: {
    make: () =>
      d.sequential([
        ...[d.conv2d(4, 3, { padding: "same", inputShape: [8, 7, 2] }), d.batchNorm(), d.relu()],
        ...[d.conv2d(8, [3, 2], { groups: 2, useBias: false }), d.prelu(), d.maxPool2d(2)],
        ...[d.depthwiseConv2d(3, { depthMultiplier: 2, padding: "same" }), d.groupNorm(4)],
        ...[d.conv2dTranspose(3, 3, { strides: 2 }), d.prelu(), d.flatten(), d.batchNorm(), d.relu(), d.dropout(0.5)],
        d.dense(5),
      ]),
  },
  recurrent: {
    make: () =>
      d.sequential([
        ...[d.embedding(11, 5, { inputShape: [7] }), d.lstm(6, { returnSequences: true })],
        ...[d.lstm(6, { returnSequences: true }), d.simpleRnn(4), d.dense(3)],
      ]),
  },
  gru: {
    make: () =>
      d.sequential([
        d.bidirectional(d.gru(5, { returnSequences: true }), { inputShape: [6, 3] }),
        ...[d.bidirectional(d.gru(4)), d.dense(2)],
      ]),
  },
  attention: {
    make: () => {
      const x = d.input([5, 8]);
      const h = d.multiHeadAttention(2, 4)(d.layerNorm()(x));
      return any(d.functional({ inputs: x, outputs: d.dense(3)(d.add()([x, h])) }));
    },
  },
  convolved: {
    make: () => d.sequential([d.conv1d(4, 3, { activation: "tanh", inputShape: [8, 3] }), d.flatten(), d.dense(2)]),
  },
};

describe("PyTorch", () => {
  test.each(Object.keys(NETS))("%s: predicts as it does there", async (name) => {
    const { make } = NETS[name]!;
    const { x, y } = valuesOf(name);
    const model = make();
    expect(await d.loadWeights(model, bytesOf(name), { layout: "torch" })).toEqual({ missing: [], unused: [] });
    near(model.predict(array(x)), y.data);
  });

  test.each(Object.keys(NETS))("%s: written and read again, every bit is the same", async (name) => {
    const { make } = NETS[name]!;
    const model = make();
    await d.loadWeights(model, bytesOf(name), { layout: "torch" });
    for (const layout of ["torch", "keras", undefined] as const) {
      const other = make();
      const bytes = await d.saveWeights(model, undefined, layout && { layout });
      await d.loadWeights(other, bytes, layout && { layout });
      expect(weightBits(other)).toEqual(weightBits(model));
    }
  });
});
