import { dense, type History, l1, l2, relu, sequential, setSeed, sgd, softmaxCrossEntropy } from "downhill";
import { mislabelled } from "../data";
import { type Experiment, mean, SEEDS } from "../experiment";
import { bars, curves, histogram, type Point } from "../figures";
import { compare } from "../training";

export const l2Penalty: Experiment = {
  method: "l2",
  claim: "An L2 penalty lowers the held-out loss of a model that overfits",
  criterion:
    "MLP of 256 ReLU units, kernels with l2(0.01) against none; 300 training rows, 20 % of them mislabelled, and 300 clean validation rows, SGD with momentum 0.9, 150 epochs of batches of 32, " +
    "rate by validation data loss of 0.01, 0.03, 0.1. Difference: test cross-entropy (dataLoss), without − with.",
  seeds: SEEDS,
  async run(seeds, data) {
    const net = (kernelRegularizer?: ReturnType<typeof l2>) => (learningRate: number) => {
      const model = sequential([
        dense(256, { inputShape: [data.features], kernelRegularizer }),
        relu(),
        dense(data.classes, { kernelRegularizer }),
      ]);
      model.compile({ optimizer: sgd({ learningRate, momentum: 0.9 }), loss: softmaxCrossEntropy() });
      return model;
    };
    const { figures, differences, histories } = await compare(seeds, {
      arms: { none: net(), "l2(0.01)": net(l2(0.01)) },
      split(seed) {
        const clean = data.split(seed, 300, 300);
        return { ...clean, train: mislabelled(clean.train, 0.2, data.classes, seed) };
      },
      options: { epochs: 150, batchSize: 32 },
      rates: [0.01, 0.03, 0.1],
      choose: ({ dataLoss }) => -dataLoss,
      figure: ({ dataLoss }) => dataLoss,
    });
    const points = Object.entries(histories).flatMap(([arm, history]) => curveOf(history, arm));
    return {
      differences: differences.map((d) => -d),
      of: "test cross-entropy",
      figures: [
        bars("Cross-entropy of the test set", figures, "test cross-entropy"),
        curves("Data loss by epoch, first seed", points, { x: "epoch", y: "data loss", logY: true }),
      ],
    };
  },
};

const curveOf = ({ epochs }: Pick<History, "epochs">, arm: string): Point[] =>
  epochs.flatMap((logs, epoch) => [
    { x: epoch + 1, y: logs.dataLoss, arm: `${arm}, training` },
    { x: epoch + 1, y: logs["valDataLoss"]!, arm: `${arm}, validation` },
  ]);

const STRENGTHS = [1e-4, 3e-4, 1e-3, 3e-3];
const CHOSEN = 3e-3;

/** The share of exact zeros. */
const zeros = (w: ArrayLike<number>) => Array.from(w).filter((v) => v === 0).length / w.length;

export const l1Penalty: Experiment = {
  method: "l1",
  claim: "A proximal L1 penalty sets more than half of a layer's weights to exactly 0",
  criterion:
    "MLP of 64 ReLU units, first kernel with l1(c, { proximal: true }), c = 3e-3; 1,000 training rows, SGD at 0.1, 60 epochs of batches of 32. " +
    "Difference: share of exact zeros − 0.5. The subgradient's share, and both against c, are in the figures.",
  seeds: SEEDS,
  async run(seeds, data) {
    const differences: number[] = [];
    const shares: Point[] = [];
    const accuracies: Record<string, number[]> = {};
    const weights: Record<string, number[]> = {};
    for (const c of STRENGTHS)
      for (const proximal of [true, false]) {
        const arm = proximal ? "proximal" : "subgradient";
        const found: number[] = [];
        for (const seed of c === CHOSEN ? seeds : seeds.slice(0, 1)) {
          setSeed(seed);
          const { train, test } = data.split(seed, 1000, 100);
          const model = sequential([
            dense(64, { inputShape: [data.features], kernelRegularizer: l1(c, { proximal }) }),
            relu(),
            dense(data.classes),
          ]);
          model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
          await model.fit(train, { epochs: 60, batchSize: 32 });
          const { data: kernel } = model.getWeights()["dense_1/kernel"]!;
          found.push(zeros(kernel));
          if (c === CHOSEN) {
            if (proximal) differences.push(zeros(kernel) - 0.5);
            const logs = await model.evaluate(test);
            accuracies[arm] = [...(accuracies[arm] ?? []), logs["accuracy"]!];
            if (seed === seeds[0]) weights[arm] = [...kernel];
          }
          model.dispose();
        }
        shares.push({ x: c, y: mean(found), arm });
      }
    return {
      differences,
      of: "share of zeros − 0.5",
      figures: [
        histogram(`First kernel's weights at c = ${CHOSEN}, first seed`, weights, "weight"),
        curves("Share of exact zeros against c", shares, { x: "c", y: "share of zeros", logX: true }),
      ],
      notes: Object.entries(accuracies).map(([arm, a]) => `${arm}, c = ${CHOSEN}: test accuracy ${mean(a).toFixed(4)}`),
    };
  },
};
