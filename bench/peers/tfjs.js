// TensorFlow.js: --device cpu (plain JavaScript) or wasm (SIMD, one thread). Written on the core API with fused dense layers
// and optimizer.minimize, which is faster than its layers' trainOnBatch (fewer operations, no promises).

import { compete } from "./protocol.js";

compete(async ({ workload, weights, options }) => {
  const { default: tf } = await import("@tensorflow/tfjs");
  const versions = { "tensorflow.js": tf.version.tfjs };
  if (options.device === "wasm") {
    await import("@tensorflow/tfjs-backend-wasm");
    if (!(await tf.setBackend("wasm"))) throw new Error("the wasm backend does not start");
  } else await tf.setBackend("cpu");
  await tf.ready();
  tf.enableProdMode();

  const { batch, inputShape, inference } = workload;
  const variables = Object.fromEntries(
    Object.entries(weights).map(([key, { data, shape }]) => [key, tf.variable(tf.tensor(data, shape))]),
  );
  const forward = forwardOf(tf, workload, variables);
  const { type, learningRate, momentum } = workload.optimizer;
  const optimizer =
    type === "adam" ? tf.train.adam(learningRate, 0.9, 0.999, 1e-8) : tf.train.momentum(learningRate, momentum);
  const shape = [batch, ...inputShape];
  const penalised = workload.layers.filter(({ l2 }) => l2);

  return {
    step(x, y) {
      let dataLoss;
      const total = tf.tidy(() => {
        const labels =
          workload.loss === "softmaxCrossEntropy" ? tf.oneHot(tf.tensor1d(y, "int32"), 10) : tf.tensor(y, [batch, 1]);
        const images = tf.tensor(x, shape);
        return optimizer.minimize(() => {
          const output = forward(images);
          const loss =
            workload.loss === "softmaxCrossEntropy"
              ? tf.losses.softmaxCrossEntropy(labels, output)
              : tf.losses.meanSquaredError(labels, output);
          dataLoss = tf.keep(loss);
          // c · ½‖w‖²
          return penalised.reduce(
            (sum, { name, l2 }) =>
              sum.add(
                variables[`${name}/kernel`]
                  .square()
                  .sum()
                  .mul(l2 / 2),
              ),
            loss,
          );
        }, true);
      });
      const value = dataLoss.dataSync()[0];
      total.dispose();
      dataLoss.dispose();
      return value;
    },
    predict(x) {
      const output = tf.tidy(() => forward(tf.tensor(x, shape), inference));
      const data = output.dataSync().slice();
      output.dispose();
      return data;
    },
    versions,
  };
});

/** The function from images to outputs. */
function forwardOf(tf, { layers }, variables) {
  const readers = (name) => layers.filter(({ inputs }) => inputs.includes(name));
  return (images) => {
    const values = { input: images };
    const fused = new Set(); // ReLUs that the dense layer before them has done
    for (const layer of layers) {
      const x = values[layer.inputs[0]];
      const next = readers(layer.name);
      const relu = layer.type === "dense" && next.length === 1 && next[0].type === "relu";
      if (relu) fused.add(next[0].name);
      values[layer.name] = fused.has(layer.name) ? x : apply(tf, layer, x, values, variables, relu);
    }
    return values[layers.at(-1).name];
  };
}

function apply(tf, layer, x, values, variables, relu) {
  const own = (parameter) => variables[`${layer.name}/${parameter}`];
  switch (layer.type) {
    case "dense":
      return tf.fused.matMul({ a: x, b: own("kernel"), bias: own("bias"), activation: relu ? "relu" : "linear" });
    case "conv2d": {
      const y = tf.conv2d(x, own("kernel"), layer.strides, layer.padding);
      return layer.useBias ? y.add(own("bias")) : y;
    }
    case "maxPool2d":
      return tf.maxPool(x, layer.poolSize, layer.poolSize, "valid");
    case "batchNorm": {
      const axes = x.shape.slice(0, -1).map((_, axis) => axis);
      const { mean, variance } = tf.moments(x, axes); // of the batch: what training normalises by
      return tf.batchNorm(x, mean, variance, own("beta"), own("gamma"), 1e-5);
    }
    case "relu":
      return x.relu();
    case "tanh":
      return x.tanh();
    case "dropout":
      return layer.rate > 0 ? tf.dropout(x, layer.rate) : x;
    case "flatten":
      return x.flatten().reshape([x.shape[0], -1]);
    case "globalAveragePool2d":
      return x.mean([1, 2]);
    case "add":
      return x.add(values[layer.inputs[1]]);
    case "lstm":
      return lstm(tf, x, layer.units, own("kernel"), own("recurrentKernel"), own("bias"));
    default:
      throw new Error(`no ${layer.type}`);
  }
}

/** h of the last step. The products with x are one for all steps. */
function lstm(tf, x, units, kernel, recurrentKernel, bias) {
  const [batch, steps, width] = x.shape;
  const inputs = tf.fused
    .matMul({ a: x.reshape([batch * steps, width]), b: kernel, bias })
    .reshape([batch, steps, 4 * units])
    .unstack(1);
  let h = tf.zeros([batch, units]);
  let c = tf.zeros([batch, units]);
  for (const input of inputs) {
    const [i, f, g, o] = input.add(h.matMul(recurrentKernel)).split(4, 1);
    c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    h = o.sigmoid().mul(c.tanh());
  }
  return h;
}
