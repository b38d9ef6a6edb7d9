// Layers in any order, with branches that meet again: whatever order of axes a value is in, ONNX Runtime has what predict has.

import { expect, test } from "vitest";
import * as d from "../../../ts/index";
import { agrees, scramble } from "../../support/onnx";

/** Whole numbers below n, always the same for a seed. */
function randomOf(seed: number): (n: number) => number {
  let counter = 0;
  return (n) => d.philox4x32([counter++, 0, 0, 0], [seed, 7])[0]! % n;
}

const ANY: ((pick: (n: number) => number) => d.Layer)[] = [
  () => d.relu(),
  () => d.tanh(),
  () => d.gelu(),
  () => d.softmax(),
  () => d.prelu(),
  () => d.batchNorm(),
  () => d.layerNorm(),
  () => d.groupNorm(2),
  () => d.rescaling({ scale: 0.5, offset: 0.25 }),
  (pick) => d.dense(2 + 2 * pick(3), { activation: "elu" }),
  () => d.activation("linear"),
];
const IMAGES: typeof ANY = [
  (pick) => d.conv2d(2 + 2 * pick(3), 1 + pick(3), { padding: "same", strides: 1 + pick(2), useBias: pick(2) === 0 }),
  (pick) => d.conv2d(4, 3, { padding: "same", dilationRate: 1 + pick(2), activation: "relu" }),
  (pick) => d.depthwiseConv2d(3, { padding: "same", depthMultiplier: 1 + pick(2) }),
  () => d.conv2dTranspose(4, 2, { padding: "same" }),
  (pick) => d.maxPool2d(2, { padding: "same", strides: 1 + pick(2) }),
  (pick) => d.averagePool2d(3, { padding: "same", strides: 1 + pick(2) }),
  () =>
    d.zeroPadding2d([
      [0, 1],
      [1, 0],
    ]),
  () => d.upSampling2d([1, 2]),
  (pick) => d.permute(pick(2) ? [2, 1, 3] : [1, 3, 2]),
];
const SEQUENCES: typeof ANY = [
  (pick) => d.lstm(2 + 2 * pick(2), { returnSequences: true }),
  (pick) => d.bidirectional(d.gru(2 + pick(2), { returnSequences: true })),
  (pick) => d.conv1d(4, 2, { padding: "same", strides: 1 + pick(2) }),
  () => d.multiHeadAttention(2, 2),
  () => d.positionEmbedding(),
  () => d.permute([2, 1]),
];

/** Another shape for what has one. */
function turned({ shape }: d.Symbolic, pick: (n: number) => number): d.Layer {
  if (shape.length === 3)
    return [() => d.flatten(), () => d.globalMaxPool2d(), () => d.reshape([shape[0]!, -1])][pick(3)]!();
  return shape.length === 2 ? d.flatten() : d.reshape(shape[0]! % 2 ? [-1, 1] : [-1, 1, 2]);
}

test.each(Array.from({ length: 40 }, (_, seed) => seed))("model %d", async (seed) => {
  const pick = randomOf(seed);
  const x = d.input([6, 5, 2]);
  const values: d.Symbolic[] = [x];
  for (let i = 0; i < 14; i++) {
    const from = values[Math.max(0, values.length - 1 - pick(3))]!;
    const { shape } = from;
    const size = shape.reduce((product, n) => product * n, 1);
    const even = shape.at(-1)! % 2 === 0;
    const pool = [...ANY, ...(shape.length === 3 ? IMAGES : shape.length === 2 ? SEQUENCES : [])].filter(
      (make) => even || make !== ANY[7],
    );
    const alike = values.filter((other) => other.shape.join() === shape.join());
    if (alike.length > 1 && pick(3) === 0) {
      const merge = [d.add, d.multiply, d.maximum, d.subtract, d.average, d.concatenate][pick(6)]!;
      values.push(merge()([from, alike[pick(alike.length)]!]));
    } else if (size > 400 || pick(6) === 0) values.push(turned(from, pick)(from));
    else values.push(pool[pick(pool.length)]!(pick)(from));
  }
  const outputs = values.slice(1).filter((_, i) => i % 3 === 1 || i === 13);
  const model = d.functional({ inputs: x, outputs: outputs.slice(-5) });
  scramble(model);
  expect(await agrees(model)).toBeLessThan(1e-5);
  model.dispose();
});
