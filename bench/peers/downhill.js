// downhill itself, the built package: strict, or with --fastMath.

import { compete } from "./protocol.js";

compete(async ({ workload, weights, threads, options }) => {
  const downhill = await import("../../dist/downhill.js");
  const { fastMath } = options;
  const runtime = await downhill.init({ threads, fastMath });
  if (runtime.fastMath !== fastMath) throw new Error("this Node has no relaxed SIMD");
  if (runtime.threads !== threads) throw new Error(`there are only ${runtime.threads} threads`);

  const tensors = new Map([["input", downhill.input(workload.inputShape)]]);
  let output;
  for (const layer of workload.layers) {
    if (!downhill[layer.type]) throw new Error(`downhill has no ${layer.type} yet`);
    const inputs = layer.inputs.map((name) => tensors.get(name));
    output = layerOf(downhill, layer)(inputs.length > 1 ? inputs : inputs[0]);
    tensors.set(layer.name, output);
  }
  const model = downhill.functional({ inputs: tensors.get("input"), outputs: output }, { runtime });
  model.compile({ optimizer: optimizerOf(downhill, workload.optimizer), loss: downhill[workload.loss]() });
  model.setWeights({ ...model.getWeights(), ...weights }); // the moving statistics stay as they are

  return {
    step: (x, y) => model.trainOnBatch(x, y).dataLoss,
    predict: (x) => model.predict(x).data,
    versions: {},
  };
});

function layerOf(downhill, layer) {
  const { type, name } = layer;
  const make = downhill[type];
  switch (type) {
    case "dense":
      return make(layer.units, { name, ...(layer.l2 ? { kernelRegularizer: downhill.l2(layer.l2) } : {}) });
    case "conv2d": {
      const { filters, kernelSize, strides, padding, useBias } = layer;
      return make(filters, kernelSize, { name, strides, padding, useBias });
    }
    case "maxPool2d":
      return make(layer.poolSize, { name });
    case "lstm":
      return make(layer.units, { name });
    case "dropout":
      return make(layer.rate, { name });
    default:
      return make({ name });
  }
}

const optimizerOf = (downhill, { type, ...options }) => downhill[type](options);
