import { adam, dense, earlyStopping, relu, sequential, setSeed, softmaxCrossEntropy } from "downhill";
import { type Experiment, SEEDS } from "../experiment";
import { bars, curves, type Point } from "../figures";

const RATE = 1e-3;

export const earlyStoppingOfAFit: Experiment = {
  method: "early-stopping",
  claim: "Early stopping with the best weights restored has a lower held-out loss than training to the end",
  criterion:
    "MLP of 256-256 ReLU units on 300 training rows, Adam 1e-3, batches of 32, at most 200 epochs. Stopped: earlyStopping of valLoss, patience 10, " +
    "restoreBestWeights, 300 validation rows. The other arm trains all 200 epochs. Difference: test cross-entropy, to the end − stopped.",
  seeds: SEEDS,
  async run(seeds, data) {
    const losses: Record<string, number[]> = { "to the end": [], stopped: [] };
    const points: Point[] = [];
    const notes: string[] = [];
    for (const seed of seeds) {
      const { train, validation, test } = data.split(seed, 300, 300);
      for (const arm of ["to the end", "stopped"]) {
        setSeed(seed);
        const model = sequential([
          dense(256, { inputShape: [data.features] }),
          relu(),
          dense(256),
          relu(),
          dense(data.classes),
        ]);
        model.compile({ optimizer: adam({ learningRate: RATE }), loss: softmaxCrossEntropy() });
        const callbacks =
          arm === "stopped" ? [earlyStopping({ monitor: "valLoss", patience: 10, restoreBestWeights: true })] : [];
        const { epochs } = await model.fit(train, {
          epochs: 200,
          batchSize: 32,
          validationData: validation,
          callbacks,
        });
        losses[arm]!.push((await model.evaluate(test)).loss);
        if (arm === "stopped") notes.push(`seed ${seed}: stopped after ${epochs.length} epochs`);
        else if (seed === seeds[0])
          epochs.forEach((logs, epoch) => {
            points.push({ x: epoch + 1, y: logs.loss, arm: "training" });
            points.push({ x: epoch + 1, y: logs["valLoss"]!, arm: "validation" });
          });
        model.dispose();
      }
    }
    return {
      differences: losses["to the end"]!.map((loss, i) => loss - losses["stopped"]![i]!),
      of: "test cross-entropy",
      figures: [
        bars("Cross-entropy of the test set", losses, "test cross-entropy"),
        curves("A run to the end, first seed", points, { x: "epoch", y: "loss", logY: true }),
      ],
      notes,
    };
  },
};

export const objectiveAndPerformance: Experiment = {
  method: "objective",
  claim: "In more than a tenth of the epochs the objective J falls while the held-out loss rises",
  criterion:
    "MLP of 256-256 ReLU units on 300 training rows, Adam 1e-3, batches of 32, 100 epochs, 300 validation rows. " +
    "Difference: share of epochs in which loss fell and valLoss rose − 0.1.",
  seeds: SEEDS,
  async run(seeds, data) {
    const differences: number[] = [];
    const points: Point[] = [];
    for (const seed of seeds) {
      const { train, validation } = data.split(seed, 300, 300);
      setSeed(seed);
      const model = sequential([
        dense(256, { inputShape: [data.features] }),
        relu(),
        dense(256),
        relu(),
        dense(data.classes),
      ]);
      model.compile({ optimizer: adam({ learningRate: RATE }), loss: softmaxCrossEntropy() });
      const { epochs } = await model.fit(train, { epochs: 100, batchSize: 32, validationData: validation });
      const apart = epochs.filter(
        (logs, i) => i > 0 && logs.loss < epochs[i - 1]!.loss && logs["valLoss"]! > epochs[i - 1]!["valLoss"]!,
      ).length;
      differences.push(apart / (epochs.length - 1) - 0.1);
      if (seed === seeds[0])
        epochs.forEach((logs, epoch) => {
          points.push({ x: epoch + 1, y: logs.loss, arm: "empirical risk (training)" });
          points.push({ x: epoch + 1, y: logs["valLoss"]!, arm: "held-out risk (validation)" });
        });
      model.dispose();
    }
    return {
      differences,
      of: "share of epochs − 0.1",
      figures: [curves("The gap between the two risks, first seed", points, { x: "epoch", y: "loss", logY: true })],
    };
  },
};
