import { dense, relu, sequential, setSeed, sgd, softmaxCrossEntropy, swa } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";

export const weightAveraging: Experiment = {
  method: "weight-averaging",
  claim: "The mean of the weights along the way has a lower held-out loss than the last weights",
  criterion:
    "MLP of 128 ReLU units on 500 rows, 20 % of them mislabelled, SGD with momentum 0.9 at a constant 0.03, 30 epochs of batches of 16; compile({ ema: 0.99 }) against none, and swa from epoch 15 on. " +
    "Difference: test cross-entropy, last weights − exponential mean.",
  seeds: SEEDS,
  async run(seeds, data) {
    const losses: Record<string, number[]> = { last: [], ema: [], swa: [] };
    for (const seed of seeds) {
      const { train: clean, test } = data.split(seed, 500, 100);
      const train = mislabelled(clean, 0.2, data.classes, seed);
      for (const arm of Object.keys(losses)) {
        setSeed(seed);
        const model = sequential([dense(128, { inputShape: [data.features] }), relu(), dense(data.classes)]);
        model.compile({
          optimizer: sgd({ learningRate: 0.03, momentum: 0.9 }),
          loss: softmaxCrossEntropy(),
          ...(arm === "ema" && { ema: 0.99 }),
        });
        const callbacks = arm === "swa" ? [swa({ startEpoch: 15 })] : [];
        await model.fit(train, { epochs: 30, batchSize: 16, callbacks });
        losses[arm]!.push((await model.evaluate(test)).loss);
        model.dispose();
      }
    }
    return {
      differences: losses["last"]!.map((loss, i) => loss - losses["ema"]![i]!),
      of: "test cross-entropy",
      figures: [bars("Cross-entropy of the test set", losses, "test cross-entropy")],
    };
  },
};
