import { adam, dense, dropout, l2, relu, sequential, softmaxCrossEntropy } from "downhill";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";
import { RATES, tuned } from "../training";

const NARROW = [4, 8, 16, 32];

/** The chapter's opening claim. */
export const capacity: Experiment = {
  method: "capacity",
  claim: "A wide model, well regularized, beats a narrow one of the right size",
  criterion:
    "Wide: 512 ReLU units, dropout 0.5, L2 1e-3. Narrow: one hidden layer of 4, 8, 16 or 32 units, the size by validation loss. " +
    "300 training and 300 validation rows, Adam, 60 epochs of batches of 32, rate by validation loss of 3e-4, 1e-3, 3e-3. " +
    "Difference: test accuracy, wide − narrow.",
  seeds: SEEDS,
  async run(seeds, data) {
    const wide: number[] = [];
    const narrow: number[] = [];
    const options = { epochs: 60, batchSize: 32 };
    const compile = { loss: softmaxCrossEntropy(), metrics: ["accuracy"] as const };
    for (const seed of seeds) {
      const split = data.split(seed, 300, 300);
      const large = await tuned(
        (learningRate) => {
          const model = sequential([
            dense(512, { inputShape: [data.features], kernelRegularizer: l2(1e-3) }),
            relu(),
            dropout(0.5),
            dense(data.classes, { kernelRegularizer: l2(1e-3) }),
          ]);
          model.compile({ ...compile, optimizer: adam({ learningRate }) });
          return model;
        },
        split,
        seed,
        options,
      );
      wide.push(large.test["accuracy"]!);
      let best = { loss: Infinity, accuracy: 0 };
      for (const units of NARROW) {
        const small = await tuned(
          (learningRate) => {
            const model = sequential([dense(units, { inputShape: [data.features] }), relu(), dense(data.classes)]);
            model.compile({ ...compile, optimizer: adam({ learningRate }) });
            return model;
          },
          split,
          seed,
          options,
          RATES,
        );
        const { loss } = await small.model.evaluate(split.validation);
        if (loss < best.loss) best = { loss, accuracy: small.test["accuracy"]! };
      }
      narrow.push(best.accuracy);
    }
    return {
      differences: wide.map((a, i) => a - narrow[i]!),
      of: "test accuracy",
      figures: [bars("Test accuracy", { "wide, regularized": wide, "narrow, best size": narrow }, "test accuracy")],
    };
  },
};
