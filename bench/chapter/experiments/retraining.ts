import { adam, dense, earlyStopping, relu, sequential, setSeed, softmaxCrossEntropy } from "downhill";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";

export const retraining: Experiment = {
  method: "retraining",
  claim: "Training anew on training and validation rows together, for as many steps, beats the stopped model",
  criterion:
    'MLP of 256 ReLU units, 300 training and 150 validation rows, Adam 1e-3, batches of 32, at most 200 epochs; earlyStopping of valLoss, patience 10, restoreBestWeights, against the same with retrain: "sameSteps" (and "continue", shown). ' +
    "Difference: test accuracy, retrained − stopped.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { stopped: [], sameSteps: [], continue: [] };
    for (const seed of seeds) {
      const { train, validation, test } = data.split(seed, 300, 150);
      for (const arm of Object.keys(accuracies)) {
        setSeed(seed);
        const model = sequential([dense(256, { inputShape: [data.features] }), relu(), dense(data.classes)]);
        model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
        const stopping = earlyStopping({
          monitor: "valLoss",
          patience: 10,
          restoreBestWeights: true,
          ...(arm !== "stopped" && { retrain: arm as "sameSteps" | "continue" }),
        });
        await model.fit(train, { epochs: 200, batchSize: 32, validationData: validation, callbacks: [stopping] });
        accuracies[arm]!.push((await model.evaluate(test))["accuracy"]!);
        model.dispose();
      }
    }
    return {
      differences: accuracies["sameSteps"]!.map((a, i) => a - accuracies["stopped"]![i]!),
      of: "test accuracy",
      figures: [bars("Test accuracy", accuracies, "test accuracy")],
    };
  },
};
