import { adam, attack, dense, fgsm, pgd, relu, sequential, setSeed, softmaxCrossEntropy } from "downhill";
import { type Experiment, mean, SEEDS } from "../experiment";
import { bars, curves, images, type Point } from "../figures";

const EPSILON = 0.1;

export const adversarialTraining: Experiment = {
  method: "adversarial-training",
  claim: "A net trained on adversarial examples too is right more often under attack",
  criterion:
    "MLP of 256 ReLU units on 1,000 rows, Adam 1e-3, 40 epochs of batches of 32; compile({ adversarial: { attack: fgsm({ epsilon: 0.1 }), weight: 0.5 } }) against none. " +
    "Difference: accuracy on the test set under pgd({ epsilon: 0.1, stepSize: 0.025, steps: 10 }), with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const under: Record<string, number[]> = { plain: [], "adversarially trained": [] };
    const clean: Record<string, number[]> = { plain: [], "adversarially trained": [] };
    const points: Point[] = [];
    const pictures: Record<string, ArrayLike<number>[]> = {};
    for (const seed of seeds) {
      const { train, test } = data.split(seed, 1000, 100);
      for (const arm of Object.keys(under)) {
        setSeed(seed);
        const model = sequential([dense(256, { inputShape: [data.features] }), relu(), dense(data.classes)]);
        model.compile({
          optimizer: adam(),
          loss: softmaxCrossEntropy(),
          metrics: ["accuracy"],
          ...(arm !== "plain" && { adversarial: { attack: fgsm({ epsilon: EPSILON, clip: [0, 1] }), weight: 0.5 } }),
        });
        await model.fit(train, { epochs: 40, batchSize: 32 });
        const attacked = (epsilon: number) =>
          attack(model, test.x, test.y, pgd({ epsilon, stepSize: epsilon / 4, steps: 10, clip: [0, 1] }));
        const x = attacked(EPSILON);
        under[arm]!.push((await model.evaluate({ x, y: test.y }))["accuracy"]!);
        clean[arm]!.push((await model.evaluate(test))["accuracy"]!);
        if (seed === seeds[0]) {
          for (const epsilon of [0.02, 0.05, 0.1, 0.15, 0.2]) {
            const logs = await model.evaluate({ x: attacked(epsilon), y: test.y });
            points.push({ x: epsilon, y: logs["accuracy"]!, arm });
          }
          const first = (values: Float32Array) =>
            Array.from({ length: 10 }, (_, i) => values.subarray(i * data.features, (i + 1) * data.features));
          pictures["original"] = first(test.x.data);
          pictures[`against ${arm}`] = first(x.data);
        }
        model.dispose();
      }
    }
    return {
      differences: under["adversarially trained"]!.map((a, i) => a - under["plain"]![i]!),
      of: "accuracy under attack",
      figures: [
        bars("Accuracy under PGD, ε = 0.1", under, "accuracy"),
        curves("Accuracy against ε, first seed", points, { x: "ε", y: "accuracy" }),
        images("Test digits, attacked at ε = 0.1", pictures, data.side),
      ],
      notes: Object.entries(clean).map(([arm, a]) => `${arm}: accuracy without an attack ${mean(a).toFixed(4)}`),
    };
  },
};
