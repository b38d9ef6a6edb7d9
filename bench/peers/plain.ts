// Plain JavaScript as a good engineer writes it: bench/js. Built into build/peers/plain.js.

import { createMlp } from "../js/mlp";
import { createNetwork } from "../js/network";
import type { Resolved } from "../workloads";
// @ts-expect-error: JavaScript, as the other competitors are
import { compete } from "./protocol.js";

interface Job {
  workload: Resolved;
  weights: Record<string, { data: Float32Array }>;
}

compete(({ workload, weights }: Job) => {
  const { layers, batch, loss, optimizer, inputShape } = workload;
  const versions = {};
  if (layers.every(({ type }) => ["dense", "relu", "tanh"].includes(type))) {
    const dense = layers.filter((layer) => layer.type === "dense");
    const mlp = createMlp({
      sizes: [inputShape[0]!, ...dense.map(({ units }) => units)],
      batch,
      activation: layers.some(({ type }) => type === "tanh") ? "tanh" : "relu",
      loss,
      optimizer: optimizer.type === "adam" ? "adam" : "momentum",
      learningRate: optimizer.learningRate,
    });
    mlp.layers.forEach(({ kernel, bias }, l) => {
      kernel.set(weights[`${dense[l]!.name}/kernel`]!.data);
      bias.set(weights[`${dense[l]!.name}/bias`]!.data);
    });
    return { step: mlp.step, predict: (x: Float32Array) => mlp.forward(x).slice(), versions };
  }
  const network = createNetwork(workload);
  for (const [key, { data }] of Object.entries(weights)) network.parameters[key]!.set(data);
  return { step: network.step, versions };
});
