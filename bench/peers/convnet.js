// ConvNetJS (plain JavaScript, float64). It has neither Adam nor batch norm nor recurrence; where the workload says Adam it
// trains with momentum, which costs it less: another computation, and marked so by its losses.

import { createRequire } from "node:module";
import { compete } from "./protocol.js";

const MADE = ["dense", "conv2d", "maxPool2d", "relu", "tanh", "dropout", "flatten"];

compete(({ workload, weights }) => {
  const require = createRequire(import.meta.url);
  const convnetjs = require("convnetjs");
  const { version } = require("convnetjs/package.json");
  const { layers, batch, inputShape, loss, optimizer } = workload;
  for (const { type } of layers) if (!MADE.includes(type)) throw new Error(`it has no ${type}`);

  const [sy, sx, depth] = inputShape.length === 3 ? inputShape : [1, 1, inputShape[0]];
  const last = layers.at(-1);
  const definitions = [{ type: "input", out_sx: sx, out_sy: sy, out_depth: depth }];
  for (const layer of layers) if (layer !== last && layer.type !== "flatten") definitions.push(definitionOf(layer));
  definitions.push(
    loss === "softmaxCrossEntropy"
      ? { type: "softmax", num_classes: last.units }
      : { type: "regression", num_neurons: last.units },
  );
  const net = new convnetjs.Net();
  net.makeLayers(definitions);
  const made = net.layers.filter(({ filters }) => filters);
  layers
    .filter(({ parameters }) => parameters.kernel)
    .forEach(({ name }, i) => {
      setFilters(made[i], weights[`${name}/kernel`].data, weights[`${name}/bias`].data);
    });
  const trainer = new convnetjs.Trainer(net, {
    method: "sgd",
    learning_rate: optimizer.learningRate * (loss === "meanSquaredError" ? 2 : 1), // its gradient is p − y, its loss 2(p − y)²
    momentum: optimizer.momentum ?? 0.9,
    batch_size: batch,
  });
  const vol = new convnetjs.Vol(sx, sy, depth, 0);
  const width = sx * sy * depth;
  const load = (x, i) => {
    for (let j = 0; j < width; j++) vol.w[j] = x[i * width + j]; // (y, x, channel), as ours
  };

  return {
    step(x, y) {
      let sum = 0;
      for (let i = 0; i < batch; i++) {
        load(x, i);
        const target = loss === "softmaxCrossEntropy" ? y[i] : [y[i]];
        sum += trainer.train(vol, target).cost_loss * (loss === "meanSquaredError" ? 0.5 : 1);
      }
      return sum / batch;
    },
    predict(x) {
      const outputs = new Float32Array(batch * last.units);
      for (let i = 0; i < batch; i++) {
        load(x, i);
        net.forward(vol);
        outputs.set(net.layers.at(-2).out_act.w, i * last.units); // logits: what its softmax reads
      }
      return outputs;
    },
    versions: { convnetjs: version },
  };
});

function definitionOf(layer) {
  switch (layer.type) {
    case "dense":
      return { type: "fc", num_neurons: layer.units };
    case "conv2d":
      return { type: "conv", sx: layer.kernelSize, filters: layer.filters, stride: layer.strides, pad: 0 };
    case "maxPool2d":
      return { type: "pool", sx: layer.poolSize, stride: layer.poolSize };
    case "dropout":
      return { type: "dropout", drop_prob: layer.rate };
    default:
      return { type: layer.type };
  }
}

/** kernel (…, in, out): a filter has all of one output's. */
function setFilters({ filters, biases }, kernel, bias) {
  const outputs = filters.length;
  for (let o = 0; o < outputs; o++) {
    const { w } = filters[o];
    for (let i = 0; i < w.length; i++) w[i] = kernel[i * outputs + o];
    biases.w[o] = bias[o];
  }
}
