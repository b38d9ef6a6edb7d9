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

export { examples } from "./examples";

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
