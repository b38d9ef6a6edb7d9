// brain.js: multilayer perceptrons, one activation for all layers (the last one too), squared error, one example at a time.
// So its steps are other computations, marked so by their losses: a batch is `batch` updates, classes are one-hot targets.

import { createRequire } from "node:module";
import { compete } from "./protocol.js";

compete(({ workload, weights }) => {
  const require = createRequire(import.meta.url);
  const brain = require("brain.js");
  const { version } = require("brain.js/package.json");
  const { layers, batch, inputShape, loss, optimizer } = workload;
  for (const { type } of layers)
    if (!["dense", "relu", "tanh"].includes(type)) throw new Error(`its NeuralNetwork has no ${type}`);

  const dense = layers.filter(({ type }) => type === "dense");
  const adam = optimizer.type === "adam";
  const net = new brain.NeuralNetwork({ activation: layers.some(({ type }) => type === "tanh") ? "tanh" : "relu" });
  net.sizes = [inputShape[0], ...dense.map(({ units }) => units)];
  net.updateTrainingOptions({
    learningRate: optimizer.learningRate,
    ...(optimizer.momentum ? { momentum: optimizer.momentum } : {}),
    ...(adam ? { praxis: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } : {}),
  });
  net.initialize();
  dense.forEach(({ name, units }, l) => {
    const kernel = weights[`${name}/kernel`].data;
    for (let o = 0; o < units; o++) {
      const row = net.weights[l + 1][o];
      for (let i = 0; i < row.length; i++) row[i] = kernel[i * units + o];
      net.biases[l + 1][o] = weights[`${name}/bias`].data[o];
    }
  });
  const width = inputShape[0];
  const classes = net.sizes.at(-1);
  const oneHot = Array.from({ length: classes }, (_, c) =>
    Float32Array.from({ length: classes }, (_, i) => +(i === c)),
  );

  return {
    step(x, y) {
      let sum = 0;
      for (let i = 0; i < batch; i++) {
        const output = loss === "softmaxCrossEntropy" ? oneHot[y[i]] : [y[i]];
        sum += net.trainPattern({ input: x.subarray(i * width, (i + 1) * width), output }, true);
      }
      return sum / batch;
    },
    predict(x) {
      const outputs = new Float32Array(batch * classes);
      for (let i = 0; i < batch; i++) outputs.set(net.runInput(x.subarray(i * width, (i + 1) * width)), i * classes);
      return outputs;
    },
    versions: { "brain.js": version },
  };
});
