import {
  adam,
  binaryCrossEntropy,
  concatenate,
  dense,
  functional,
  input,
  jointly,
  relu,
  sequential,
  setSeed,
  softmaxCrossEntropy,
  tied,
} from "downhill";
import { type Examples, permutation, rows } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";

/** The same images with half their contrast. */
const pale = ({ x, y }: Examples): Examples => ({ x: { data: x.data.map((v) => 0.25 + v / 2), shape: x.shape }, y });

export const parameterTying: Experiment = {
  method: "parameter-tying",
  claim: "Two models of one task, on different inputs, do better with their parameters tied than apart",
  criterion:
    "Two MLPs of 128 ReLU units, one on 60 images, one on 60 others with half their contrast, trained jointly; tied(…, 0.1) between their layers against none; Adam, 60 epochs of batches of 20, " +
    "rate by the validation loss on 300 rows of 3e-4, 1e-3, 3e-3. Difference: mean test accuracy of the two, tied − apart.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { apart: [], tied: [] };
    for (const seed of seeds) {
      const { train, validation, test } = data.split(seed, 120, 300);
      const numbers = [...Array(120).keys()];
      const first = rows(train, numbers.slice(0, 60));
      const second = pale(rows(train, numbers.slice(60)));
      const both = (a: Examples, b: Examples) => ({ x: { a: a.x, b: b.x }, y: { a: a.y, b: b.y } });
      for (const arm of Object.keys(accuracies)) {
        let best = { loss: Infinity, accuracy: 0 };
        for (const learningRate of [3e-4, 1e-3, 3e-3]) {
          setSeed(seed);
          const make = () => sequential([dense(128, { inputShape: [data.features] }), relu(), dense(data.classes)]);
          const a = make();
          const b = make();
          const model = jointly({ a, b });
          model.compile({
            optimizer: adam({ learningRate }),
            loss: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() },
            metrics: { a: ["accuracy"], b: ["accuracy"] },
            penalties:
              arm === "apart"
                ? []
                : ["dense_1", "dense_2"].map((name) => tied(a.getLayer(name), b.getLayer(name), 0.1)),
          });
          await model.fit(both(first, second), { epochs: 60, batchSize: 20 });
          const held = await model.evaluate(both(validation, pale(validation)));
          if (held.dataLoss < best.loss) {
            const logs = await model.evaluate(both(test, pale(test)));
            best = { loss: held.dataLoss, accuracy: (logs["aAccuracy"]! + logs["bAccuracy"]!) / 2 };
          }
          model.dispose();
        }
        accuracies[arm]!.push(best.accuracy);
      }
    }
    return {
      differences: accuracies["tied"]!.map((a, i) => a - accuracies["apart"]![i]!),
      of: "test accuracy",
      figures: [bars("Mean test accuracy of the two", accuracies, "test accuracy")],
    };
  },
};

/** Pairs of images, half of them of one class. */
function pairs(examples: Examples, count: number, seed: number) {
  const n = examples.y.data.length;
  const order = permutation(n, seed);
  const byClass = new Map<number, number[]>();
  for (const row of order) byClass.set(examples.y.data[row]!, [...(byClass.get(examples.y.data[row]!) ?? []), row]);
  const first: number[] = [];
  const second: number[] = [];
  const same = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const a = order[i % n]!;
    const alike = byClass.get(examples.y.data[a]!)!;
    let b = alike[(i * 7 + 1) % alike.length]!;
    if (i % 2) for (let j = i * 13 + 5; examples.y.data[b] === examples.y.data[a]; j++) b = order[j % n]!;
    first.push(a);
    second.push(b);
    same[i] = +(examples.y.data[a] === examples.y.data[b]);
  }
  return { x: [rows(examples, first).x, rows(examples, second).x], y: { data: same, shape: [count, 1] } };
}

export const parameterSharing: Experiment = {
  method: "parameter-sharing",
  claim: "One layer called on both images of a pair compares them better than two layers of their own",
  criterion:
    "Are two images of one digit? 128 ReLU units on either image, 64 on both, one output; the first layer called twice against two layers. 1,500 pairs of 500 training images, 600 validation pairs of 300 images, " +
    "Adam, 40 epochs of batches of 32, rate by validation loss of 3e-4, 1e-3, 3e-3. Difference: accuracy on 2,000 pairs of test images, shared − own.",
  seeds: SEEDS,
  async run(seeds, data) {
    const accuracies: Record<string, number[]> = { "own layers": [], shared: [] };
    for (const seed of seeds) {
      const split = data.split(seed, 500, 300);
      const train = pairs(split.train, 1500, seed);
      const validation = pairs(split.validation, 600, seed);
      const test = pairs(split.test, 2000, seed);
      for (const arm of Object.keys(accuracies)) {
        let best = { loss: Infinity, accuracy: 0 };
        for (const learningRate of [3e-4, 1e-3, 3e-3]) {
          setSeed(seed);
          const first = input([data.features]);
          const second = input([data.features]);
          const layer = dense(128, { activation: "relu" });
          const other = arm === "shared" ? layer : dense(128, { activation: "relu" });
          const h = dense(64, { activation: "relu" })(concatenate()([layer(first), other(second)]));
          const model = functional({ inputs: [first, second], outputs: dense(1)(h) });
          model.compile({ optimizer: adam({ learningRate }), loss: binaryCrossEntropy(), metrics: ["accuracy"] });
          await model.fit(train, { epochs: 40, batchSize: 32 });
          const { loss } = await model.evaluate(validation);
          if (loss < best.loss) best = { loss, accuracy: (await model.evaluate(test))["accuracy"]! };
          model.dispose();
        }
        accuracies[arm]!.push(best.accuracy);
      }
    }
    return {
      differences: accuracies["shared"]!.map((a, i) => a - accuracies["own layers"]![i]!),
      of: "accuracy on pairs of test images",
      figures: [bars("Accuracy on pairs of test images", accuracies, "accuracy")],
    };
  },
};
