// A small problem and a model with everything that a file has to keep.

import {
  adam,
  batchNorm,
  cosineDecay,
  dense,
  dropout,
  l2,
  type Model,
  type NDArray,
  relu,
  sequential,
  setSeed,
  softmaxCrossEntropy,
} from "../../ts/index";
import { random } from "./mutations";

/** Examples of three classes that a small net learns; `rows` no batch size divides. */
export function examples(rows = 203, inputs = 12, seed = 1): { x: NDArray; y: Int32Array } {
  const rand = random(seed);
  const data = Float32Array.from({ length: rows * inputs }, () => rand(2000) / 1000 - 1);
  const y = Int32Array.from({ length: rows }, (_, i) => {
    const row = data.subarray(i * inputs, (i + 1) * inputs);
    return +(row[0]! + row[3]! > 0) + +(row[5]! > 0.3);
  });
  return { x: { data, shape: [rows, inputs] }, y };
}

/** Dense, batch norm, dropout; Adam under a schedule, clipped, with a penalty. Not compiled. */
export function net(seed = 7): Model<NDArray> {
  setSeed(seed);
  return sequential([
    dense(17, { inputShape: [12], kernelRegularizer: l2(1e-3) }),
    batchNorm(),
    relu(),
    dropout(0.3),
    dense(3),
  ]);
}

export function compiledNet(seed = 7): Model<NDArray> {
  const model = net(seed);
  model.compile({
    optimizer: adam({ learningRate: cosineDecay({ initial: 0.02, steps: 60 }), amsgrad: true }),
    loss: softmaxCrossEntropy(),
    metrics: ["accuracy"],
    clipNorm: 1,
    clipValue: 0.5,
  });
  return model;
}
