// Everything that a trained MLP needs, as a page would import it: what size.js measures.

import * as downhill from "downhill";

const model = downhill.sequential([
  downhill.dense(512, { inputShape: [784], kernelRegularizer: downhill.l2(1e-4) }),
  downhill.batchNorm(),
  downhill.relu(),
  downhill.dropout(0.5),
  downhill.dense(10),
]);
model.compile({
  optimizer: downhill.adam({ learningRate: 1e-3 }),
  loss: downhill.softmaxCrossEntropy(),
  metrics: ["accuracy"],
});

/** Trains and returns what the page shows. */
export async function train(x, y, xTest, yTest) {
  const stop = downhill.earlyStopping?.({ monitor: "valLoss", patience: 3, restoreBestWeights: true });
  const options = { epochs: 20, batchSize: 128, validationSplit: 0.1, callbacks: stop ? [stop] : [] };
  const history = await model.fit({ x, y }, options);
  return { history, test: await model.evaluate({ x: xTest, y: yTest }), logits: model.predict(xTest) };
}
