import { adam, dense, maxNorm, relu, sequential, softmaxCrossEntropy } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";
import { compare } from "../training";

export const normConstraint: Experiment = {
  method: "constraints",
  claim: "A bound on each unit's weight norm raises the test accuracy of a net that overfits mislabelled examples",
  criterion:
    "MLP of 256-256 ReLU units, kernels with maxNorm({ maxValue: 0.5 }) against none; 300 training rows, 30 % of them mislabelled, and 300 clean validation rows, Adam, 50 epochs of " +
    "batches of 32, rate by validation loss of 3e-4, 1e-3, 3e-3. Difference: test accuracy, with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const net = (constrained: { kernelConstraint?: ReturnType<typeof maxNorm> }) => (learningRate: number) => {
      const model = sequential([
        dense(256, { inputShape: [data.features], ...constrained }),
        relu(),
        dense(256, constrained),
        relu(),
        dense(data.classes, constrained),
      ]);
      model.compile({ optimizer: adam({ learningRate }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
      return model;
    };
    const { figures, differences } = await compare(seeds, {
      arms: { none: net({}), "maxNorm 0.5": net({ kernelConstraint: maxNorm({ maxValue: 0.5 }) }) },
      split(seed) {
        const clean = data.split(seed, 300, 300);
        return { ...clean, train: mislabelled(clean.train, 0.3, data.classes, seed) };
      },
      options: { epochs: 50, batchSize: 32 },
    });
    return { differences, of: "test accuracy", figures: [bars("Test accuracy", figures, "test accuracy")] };
  },
};
