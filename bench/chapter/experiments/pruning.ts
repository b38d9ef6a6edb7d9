import { adam, dense, prune, relu, sequential, setSeed, softmaxCrossEntropy } from "downhill";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";

export const pruning: Experiment = {
  method: "pruning",
  claim: "A net pruned by 80 % and fine-tuned is within 1 % of the whole one",
  criterion:
    "MLP of 128-128 ReLU units on 1,000 rows, Adam 1e-3, batches of 32. Whole: 40 epochs. Pruned: 25 epochs, prune(model, { sparsity: 0.8 }), 15 epochs. " +
    "Difference: test accuracy, pruned − whole + 0.01.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { whole: [], "pruned, at once": [], "pruned, fine-tuned": [] };
    for (const seed of seeds) {
      const { train, test } = data.split(seed, 1000, 100);
      const make = () => {
        setSeed(seed);
        const model = sequential([
          dense(128, { inputShape: [data.features] }),
          relu(),
          dense(128),
          relu(),
          dense(data.classes),
        ]);
        model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
        return model;
      };
      const note = async (arm: string, model: ReturnType<typeof make>) => {
        accuracies[arm]!.push((await model.evaluate(test))["accuracy"]!);
      };
      const whole = make();
      await whole.fit(train, { epochs: 40, batchSize: 32 });
      await note("whole", whole);
      const model = make();
      await model.fit(train, { epochs: 25, batchSize: 32 });
      prune(model, { sparsity: 0.8 });
      await note("pruned, at once", model);
      await model.fit(train, { initialEpoch: 25, epochs: 40, batchSize: 32 });
      await note("pruned, fine-tuned", model);
      whole.dispose();
      model.dispose();
    }
    return {
      differences: accuracies["pruned, fine-tuned"]!.map((a, i) => a - accuracies["whole"]![i]! + 0.01),
      of: "test accuracy + 0.01",
      figures: [bars("Test accuracy", accuracies, "test accuracy")],
    };
  },
};
