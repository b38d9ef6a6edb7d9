import { adam, dense, dropout, type Layer, relu, sequential, softmaxCrossEntropy } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";
import { compare } from "../training";

export const dropoutOfHiddenUnits: Experiment = {
  method: "dropout",
  claim: "Dropout raises the test accuracy of a large net on few examples, some of them mislabelled",
  criterion:
    "MLP of 512-512 ReLU units, dropout 0.5 after each against none; 300 training rows, 30 % of them mislabelled, and 300 clean validation rows, Adam, 50 epochs of batches of 32, " +
    "rate by validation loss of 3e-4, 1e-3, 3e-3. Difference: test accuracy, with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const net = (dropped: () => Layer[]) => (learningRate: number) => {
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
    };
    const { figures, differences } = await compare(seeds, {
      arms: { none: net(() => []), "dropout(0.5)": net(() => [dropout(0.5)]) },
      split(seed) {
        const clean = data.split(seed, 300, 300);
        return { ...clean, train: mislabelled(clean.train, 0.3, data.classes, seed) };
      },
      options: { epochs: 50, batchSize: 32 },
    });
    return { differences, of: "test accuracy", figures: [bars("Test accuracy", figures, "test accuracy")] };
  },
};
