// A workload as a model of downhill's, compiled, with its starting weights. `downhill`: the library, built or of sources;
// `algorithm`: of its convolutions.

export function modelOf(downhill, workload, weights, runtime, algorithm = "auto") {
  const tensors = new Map([["input", downhill.input(workload.inputShape)]]);
  let output;
  for (const layer of workload.layers) {
    if (!downhill[layer.type]) throw new Error(`downhill has no ${layer.type}`);
    const inputs = layer.inputs.map((name) => tensors.get(name));
    output = layerOf(downhill, layer, algorithm)(inputs.length > 1 ? inputs : inputs[0]);
    tensors.set(layer.name, output);
  }
  const model = downhill.functional({ inputs: tensors.get("input"), outputs: output }, { runtime });
  const { type, ...options } = workload.optimizer;
  model.compile({ optimizer: downhill[type](options), loss: downhill[workload.loss]() });
  model.setWeights({ ...model.getWeights(), ...weights }); // the moving statistics stay as they are
  return model;
}

function layerOf(downhill, layer, algorithm) {
  const { type, name } = layer;
  const make = downhill[type];
  switch (type) {
    case "dense":
      return make(layer.units, { name, ...(layer.l2 ? { kernelRegularizer: downhill.l2(layer.l2) } : {}) });
    case "conv2d": {
      const { filters, kernelSize, strides, padding, useBias } = layer;
      return make(filters, kernelSize, { name, strides, padding, useBias, algorithm });
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
