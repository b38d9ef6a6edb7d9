import { adam, dense, dropout, type Layer, relu, sequential, softmaxCrossEntropy } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";
import { tuned } from "../training";

export const dropoutOfHiddenUnits: Experiment = {
  method: "dropout",
  claim: "Dropout raises the test accuracy of a large net on few examples, some of them mislabelled",
  criterion:
    "MLP of 512-512 ReLU units, dropout 0.5 after each against none; 300 training rows, 30 % of them mislabelled, and 300 clean validation rows, Adam, 50 epochs of batches of 32, " +
    "rate by validation loss of 3e-4, 1e-3, 3e-3. Difference: test accuracy, with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { none: [], "dropout(0.5)": [] };
    for (const seed of seeds) {
      const clean = data.split(seed, 300, 300);
      const split = { ...clean, train: mislabelled(clean.train, 0.3, data.classes, seed) };
      for (const arm of Object.keys(accuracies)) {
        const { test } = await tuned(
          (learningRate) => {
            const dropped = (): Layer[] => (arm === "none" ? [] : [dropout(0.5)]);
            const model = sequential([
              dense(512, { inputShape: [data.features] }),
              relu(),
              ...dropped(),
              dense(512),
              relu(),
              ...dropped(),
              dense(data.classes),
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
      differences: accuracies["dropout(0.5)"]!.map((a, i) => a - accuracies["none"]![i]!),
      of: "test accuracy",
      figures: [bars("Test accuracy", accuracies, "test accuracy")],
    };
  },
};
