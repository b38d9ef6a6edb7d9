import { adam, dense, functional, input, setSeed, softmaxCrossEntropy } from "downhill";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";

const LABELLED = 60;

export const multitask: Experiment = {
  method: "multitask",
  claim: "A task with few labels is learned better beside a related one on a shared trunk",
  criterion:
    "Trunk of 128 ReLU units. Task a: the digit, labelled on 60 of 1,000 rows. Task b: the digit's place in four groups (0–2, 3–4, 5–6, 7–9), labelled on all. " +
    "Both arms train on all rows, 40 epochs of batches of 32, Adam, rate by a's loss on 300 validation rows of 3e-4, 1e-3, 3e-3; the lone arm gives b the weight 0. Difference: test accuracy of a, together − alone.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { alone: [], together: [] };
    const group = (y: Int32Array) => Int32Array.from(y, (d) => [0, 0, 0, 1, 1, 2, 2, 3, 3, 3][d]!);
    for (const seed of seeds) {
      const { train, validation, test } = data.split(seed, 1000, 300);
      const few = train.y.data.map((label, i) => (i < LABELLED ? label : -1));
      for (const [arm, weight] of [
        ["alone", 0],
        ["together", 1],
      ] as const) {
        let best = { loss: Infinity, accuracy: 0 };
        for (const learningRate of [3e-4, 1e-3, 3e-3]) {
          setSeed(seed);
          const x = input([data.features]);
          const h = dense(128, { activation: "relu" })(x);
          const model = functional({ inputs: x, outputs: { a: dense(data.classes)(h), b: dense(4)(h) } });
          model.compile({
            optimizer: adam({ learningRate }),
            loss: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() },
            lossWeights: { a: 1, b: weight },
            metrics: { a: ["accuracy"] },
          });
          await model.fit({ x: train.x, y: { a: few, b: group(train.y.data) } }, { epochs: 40, batchSize: 32 });
          const held = await model.evaluate({ x: validation.x, y: { a: validation.y, b: group(validation.y.data) } });
          if (held["aLoss"]! < best.loss) {
            const logs = await model.evaluate({ x: test.x, y: { a: test.y, b: group(test.y.data) } });
            best = { loss: held["aLoss"]!, accuracy: logs["aAccuracy"]! };
          }
          model.dispose();
        }
        accuracies[arm]!.push(best.accuracy);
      }
    }
    return {
      differences: accuracies["together"]!.map((a, i) => a - accuracies["alone"]![i]!),
      of: "test accuracy of the task with few labels",
      figures: [bars("Test accuracy of the task with few labels", accuracies, "test accuracy")],
    };
  },
};
