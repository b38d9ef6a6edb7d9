// jax-js, on its WebAssembly backend: the whole step (forward, gradient, update) is one jitted function, as its own examples
// have it. Its convolutions are NCHW with OIHW kernels: images are turned inside of the step, kernels when they are read.

import { compete } from "./protocol.js";

compete(async ({ workload, weights }) => {
  const jax = await import("@jax-js/jax");
  const { readFileSync } = await import("node:fs");
  const entry = new URL(import.meta.resolve("@jax-js/jax"));
  const { version } = JSON.parse(readFileSync(new URL("../package.json", entry), "utf8"));
  if (!(await jax.init("wasm")).includes("wasm")) throw new Error("the wasm backend does not start");
  jax.defaultDevice("wasm");
  const { numpy: np, nn } = jax;

  const layers = new Map(workload.layers.map((layer) => [layer.name, layer]));
  const start = Object.entries(weights).map(([key, { data, shape }]) => {
    const array = np.array(data).reshape(shape);
    return [
      key,
      layers.get(key.split("/")[0]).type === "conv2d" && shape.length === 4 ? np.transpose(array, [3, 2, 0, 1]) : array,
    ];
  });
  let parameters = Object.fromEntries(start);
  const { batch, inputShape, loss } = workload;
  const shape = [batch, ...inputShape];
  const penalised = workload.layers.filter(({ l2 }) => l2);
  const dropout = workload.layers.some(({ type, rate }) => type === "dropout" && rate > 0);

  /** [objective, data loss] */
  function objective(p, x, y, key) {
    const output = forward(jax, workload, p, x, key);
    const dataLoss =
      loss === "softmaxCrossEntropy"
        ? np.mean(np.sum(nn.logSoftmax(output).mul(nn.oneHot(y, 10)), -1)).neg()
        : np.mean(np.square(output.sub(y)));
    const total = penalised.reduce(
      (sum, { name, l2 }) => sum.add(np.sum(np.square(p[`${name}/kernel`].ref)).mul(l2 / 2)),
      dataLoss.ref,
    );
    jax.tree.dispose(p);
    return [total, dataLoss];
  }

  const update = optimizerOf(jax, workload.optimizer);
  let slots = update.init(parameters);
  const step = jax.jit((p, s, x, y, key, scales) => {
    const [[total, dataLoss], gradients] = jax.valueAndGrad(objective, { hasAux: true })(jax.tree.ref(p), x, y, key);
    total.dispose();
    return [dataLoss, ...update.apply(p, gradients, s, scales)];
  });
  const infer = jax.jit((p, x) => {
    const output = forward(jax, workload, p, x);
    jax.tree.dispose(p);
    return output;
  });

  let steps = 0;
  return {
    step(x, y) {
      steps++;
      const images = np.array(x).reshape(shape);
      const labels =
        loss === "softmaxCrossEntropy" ? np.array(y, { dtype: np.int32 }) : np.array(y).reshape([batch, 1]);
      const key = dropout ? jax.random.key(np.array(steps, { dtype: np.uint32 })) : np.zeros([1]);
      const [dataLoss, p, s] = step(parameters, slots, images, labels, key, update.scales(steps));
      parameters = p;
      slots = s;
      return dataLoss.item();
    },
    predict(x) {
      return infer(jax.tree.ref(parameters), np.array(x).reshape(shape)).dataSync();
    },
    versions: { "jax-js": version },
  };
});

/** Reads `p` (does not own it) and owns x and key. */
function forward(jax, { layers, inputShape }, p, x, key) {
  const { numpy: np, nn, lax, random } = jax;
  const uses = {};
  for (const { inputs } of layers) for (const name of inputs) uses[name] = (uses[name] ?? 0) + 1;
  const values = { input: inputShape.length === 3 ? np.transpose(x, [0, 3, 1, 2]) : x };
  /** A value: the last who asks owns it. */
  const take = (name) => (--uses[name] > 0 ? values[name].ref : values[name]);
  for (const layer of layers) {
    const own = (parameter) => p[`${layer.name}/${parameter}`].ref;
    const h = take(layer.inputs[0]);
    const image = layer.input.length === 3;
    values[layer.name] = (() => {
      switch (layer.type) {
        case "dense":
          return np.dot(h, own("kernel")).add(own("bias"));
        case "conv2d": {
          const y = lax.conv(h, own("kernel"), [layer.strides, layer.strides], layer.padding.toUpperCase());
          return layer.useBias ? y.add(own("bias").reshape([layer.filters, 1, 1])) : y;
        }
        case "maxPool2d": {
          const [n, c] = h.shape;
          const [oh, ow] = layer.output;
          const k = layer.poolSize;
          const whole = h.slice([], [], [0, oh * k], [0, ow * k]); // windows side by side: a reshape and a maximum
          return np.max(np.max(whole.reshape([n, c, oh, k, ow, k]), 5), 3);
        }
        case "batchNorm": {
          const axes = image ? [0, 2, 3] : [0];
          const wide = image ? [1, layer.input[2], 1, 1] : [1, layer.input[0]];
          const mean = np.mean(h.ref, axes, { keepdims: true });
          const centred = h.sub(mean);
          const variance = np.mean(np.square(centred.ref), axes, { keepdims: true });
          const scale = own("gamma")
            .reshape(wide)
            .div(np.sqrt(variance.add(1e-5)));
          return centred.mul(scale).add(own("beta").reshape(wide));
        }
        case "relu":
          return nn.relu(h);
        case "tanh":
          return np.tanh(h);
        case "dropout": {
          if (layer.rate === 0) return h;
          const [mine, rest] = np.split(random.split(key), 2);
          key = rest.reshape([2]);
          const kept = random.bernoulli(mine.reshape([2]), 1 - layer.rate, h.shape);
          return h.mul(kept.astype(np.float32)).mul(1 / (1 - layer.rate));
        }
        case "flatten": // rows of the kernel behind it count (h, w, c)
          return image ? np.transpose(h, [0, 2, 3, 1]).reshape([h.shape[0], -1]) : h;
        case "globalAveragePool2d":
          return np.mean(h, [2, 3]);
        case "add":
          return h.add(take(layer.inputs[1]));
        case "lstm":
          return lstm(jax, h, layer.units, own("kernel"), own("recurrentKernel"), own("bias"));
        default:
          h.dispose();
          throw new Error(`no ${layer.type}`);
      }
    })();
  }
  key?.dispose();
  return values[layers.at(-1).name];
}

/** h of the last step. jax-js has no scan: steps are unrolled. The products with x are one for all steps. */
function lstm({ numpy: np, nn }, x, units, kernel, recurrentKernel, bias) {
  const [batch, steps, width] = x.shape;
  const inputs = np
    .dot(x.reshape([batch * steps, width]), kernel)
    .add(bias)
    .reshape([batch, steps, 4 * units]);
  let h = np.zeros([batch, units]);
  let c = np.zeros([batch, units]);
  for (let t = 0; t < steps; t++) {
    const z = inputs.ref.slice([], t).add(np.dot(h, recurrentKernel.ref));
    const [i, f, g, o] = np.split(z, 4, 1);
    c = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)));
    h = nn.sigmoid(o).mul(np.tanh(c.ref));
  }
  c.dispose();
  inputs.dispose();
  recurrentKernel.dispose();
  return h;
}

/** `apply` owns all that it is given. Adam's corrections come as two scalars, so that the step is compiled once. */
function optimizerOf({ numpy: np, tree }, { type, learningRate, momentum }) {
  const zerosLike = (p) => Object.fromEntries(Object.entries(p).map(([key, { shape }]) => [key, np.zeros(shape)]));
  if (type === "sgd")
    return {
      init: (p) => ({ u: zerosLike(p) }),
      scales: () => ({}),
      apply(p, g, { u }) {
        const next = tree.map((ui, gi) => ui.mul(momentum).add(gi), u, g);
        return [tree.map((w, ui) => w.sub(ui.mul(learningRate)), p, tree.ref(next)), { u: next }];
      },
    };
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  return {
    init: (p) => ({ m: zerosLike(p), v: zerosLike(p) }),
    scales: (step) => ({
      rate: np.array(learningRate / (1 - beta1 ** step)),
      root: np.array(1 / Math.sqrt(1 - beta2 ** step)),
    }),
    apply(p, g, { m, v }, { rate, root }) {
      const nextM = tree.map((mi, gi) => mi.mul(beta1).add(gi.mul(1 - beta1)), m, tree.ref(g));
      const nextV = tree.map((vi, gi) => vi.mul(beta2).add(np.square(gi).mul(1 - beta2)), v, g);
      const moved = (w, mi, vi) => w.sub(mi.mul(rate.ref).div(np.sqrt(vi).mul(root.ref).add(epsilon)));
      const next = tree.map(moved, p, tree.ref(nextM), tree.ref(nextV));
      rate.dispose();
      root.dispose();
      return [next, { m: nextM, v: nextV }];
    },
  };
}
