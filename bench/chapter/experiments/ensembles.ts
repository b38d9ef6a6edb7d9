import { adam, bagging, dense, dropout, type Layer, relu, sequential, setSeed, softmaxCrossEntropy } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, mean, SEEDS } from "../experiment";
import { bars } from "../figures";

const EPOCHS = 50;
const MEMBERS = 10;

const SETTING =
  "MLP of 256 ReLU units on 300 training rows, 20 % of them mislabelled, Adam 1e-3, 50 epochs of batches of 32. Bagging: 10 such nets, soft vote, on bootstrap samples. ";

/** Test accuracies of one net, of one with dropout, and of 10 bagged; and how long each took. */
async function compare(seeds: readonly number[], data: Parameters<Experiment["run"]>[1]) {
  const accuracies: Record<string, number[]> = { single: [], dropout: [], bagging: [] };
  const seconds: Record<string, number[]> = { single: [], dropout: [], bagging: [] };
  const outOfBag: number[] = [];
  for (const seed of seeds) {
    const { train: clean, test } = data.split(seed, 300, 300);
    const train = mislabelled(clean, 0.2, data.classes, seed);
    const make = (...more: Layer[]) => {
      const model = sequential([dense(256, { inputShape: [data.features] }), relu(), ...more, dense(data.classes)]);
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
      return model;
    };
    for (const arm of Object.keys(accuracies)) {
      setSeed(seed);
      const began = performance.now();
      const options = { epochs: EPOCHS, batchSize: 32 };
      if (arm === "bagging") {
        const ensemble = bagging(() => make(), { estimators: MEMBERS, vote: "soft", parallel: 1 });
        await ensemble.fit(train, options);
        seconds[arm]!.push((performance.now() - began) / 1000);
        accuracies[arm]!.push((await ensemble.evaluate(test))["accuracy"]!);
        outOfBag.push((await ensemble.oobScore()) as number);
        ensemble.dispose();
      } else {
        const model = arm === "dropout" ? make(dropout(0.5)) : make();
        await model.fit(train, options);
        seconds[arm]!.push((performance.now() - began) / 1000);
        accuracies[arm]!.push((await model.evaluate(test))["accuracy"]!);
        model.dispose();
      }
    }
  }
  const times = (arm: string, of: string) => (mean(seconds[arm]!) / mean(seconds[of]!)).toFixed(1);
  const table = [
    ["", "test accuracy", "nets trained", "time of training", "nets asked for a prediction"],
    ...Object.keys(accuracies).map((arm) => {
      const nets = arm === "bagging" ? `${MEMBERS}` : "1";
      return [arm, mean(accuracies[arm]!).toFixed(4), nets, `${times(arm, "single")} ×`, nets];
    }),
  ];
  const notes = [`out-of-bag score ${mean(outOfBag).toFixed(4)} (on labels of which 20 % are wrong)`];
  return { accuracies, notes, table, figures: [bars("Test accuracy", accuracies, "test accuracy")] };
}

export const baggingOfNets: Experiment = {
  method: "bagging",
  claim: "Ten nets on bootstrap samples, voting, beat one net",
  criterion: `${SETTING}Difference: test accuracy, bagging − a single net on all rows.`,
  seeds: SEEDS,
  async run(seeds, data) {
    const { accuracies, notes, figures } = await compare(seeds, data);
    return {
      differences: accuracies["bagging"]!.map((a, i) => a - accuracies["single"]![i]!),
      of: "test accuracy",
      figures,
      notes,
    };
  },
};

export const dropoutAgainstBagging: Experiment = {
  method: "dropout-vs-bagging",
  claim: "Dropout comes within 1 % of bagging at a tenth of its training",
  criterion: `${SETTING}Dropout: one net with dropout 0.5, as many epochs. Difference: test accuracy, dropout − bagging + 0.01.`,
  seeds: SEEDS,
  async run(seeds, data) {
    const { accuracies, notes, table, figures } = await compare(seeds, data);
    return {
      differences: accuracies["dropout"]!.map((a, i) => a - accuracies["bagging"]![i]! + 0.01),
      of: "test accuracy + 0.01",
      figures,
      notes,
      table,
    };
  },
};
