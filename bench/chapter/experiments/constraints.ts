import { adam, dense, maxNorm, relu, sequential, softmaxCrossEntropy } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";
import { tuned } from "../training";

export const normConstraint: Experiment = {
  method: "constraints",
  claim: "A bound on each unit's weight norm raises the test accuracy of a net that overfits mislabelled examples",
  criterion:
    "MLP of 256-256 ReLU units, kernels with maxNorm({ maxValue: 0.5 }) against none; 300 training rows, 30 % of them mislabelled, and 300 clean validation rows, Adam, 50 epochs of " +
    "batches of 32, rate by validation loss of 3e-4, 1e-3, 3e-3. Difference: test accuracy, with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { none: [], "maxNorm 0.5": [] };
    for (const seed of seeds) {
      const clean = data.split(seed, 300, 300);
      const split = { ...clean, train: mislabelled(clean.train, 0.3, data.classes, seed) };
      for (const arm of Object.keys(accuracies)) {
        const constrained = arm === "none" ? {} : { kernelConstraint: maxNorm({ maxValue: 0.5 }) };
        const { test } = await tuned(
          (learningRate) => {
            const model = sequential([
              dense(256, { inputShape: [data.features], ...constrained }),
              relu(),
              dense(256, constrained),
              relu(),
              dense(data.classes, constrained),
            ]);
            model.compile({ optimizer: adam({ learningRate }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
            return model;
          },
          split,
          seed,
          { epochs: 50, batchSize: 32 },
        );
        accuracies[arm]!.push(test["accuracy"]!);
      }
    }
    return {
      differences: accuracies["maxNorm 0.5"]!.map((a, i) => a - accuracies["none"]![i]!),
      of: "test accuracy",
      figures: [bars("Test accuracy", accuracies, "test accuracy")],
    };
  },
};
