import {
  adam,
  conv2d,
  dense,
  flatten,
  type Model,
  type NDArray,
  relu,
  reshape,
  sequential,
  softmaxCrossEntropy,
} from "downhill";
import { philox4x32 } from "downhill/random";
import type { Examples } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars } from "../figures";
import { compare } from "../training";

/** Each image at a random place of an empty one of `wide` × `wide` pixels. */
function placed({ x, y }: Examples, side: number, wide: number, seed: number): Examples {
  const n = y.data.length;
  const data = new Float32Array(n * wide * wide);
  for (let r = 0; r < n; r++) {
    const [down, right] = philox4x32([r, 6, 0, 0], [seed, 0xc4a97e2]).map((word) => word % (wide - side + 1));
    for (let i = 0; i < side; i++) {
      const row = (r * side + i) * side;
      data.set(x.data.subarray(row, row + side), (r * wide + down! + i) * wide + right!);
    }
  }
  return { x: { data, shape: [n, wide * wide] }, y };
}

/** Three convolutions and the classes. */
const convolutional = (wide: number, classes: number) =>
  sequential([
    reshape([wide, wide, 1], { inputShape: [wide * wide] }),
    conv2d(16, 3),
    relu(),
    conv2d(32, 3, { strides: 2 }),
    relu(),
    conv2d(32, 3, { strides: 2 }),
    relu(),
    flatten(),
    dense(classes),
  ]);

/** One hidden layer, with at least `count` parameters. */
function fullyConnected(features: number, classes: number, count: number) {
  const units = Math.ceil((count - classes) / (features + 1 + classes));
  return sequential([dense(units, { inputShape: [features] }), relu(), dense(classes)]);
}

export const convolution: Experiment = {
  method: "convolution",
  claim:
    "Where what is to be recognized may stand anywhere, convolutions do better than a dense layer of as many parameters",
  criterion:
    "Each image at a random place of an empty one 1.75 times as wide (digits: 8 × 8 in 14 × 14), for training and test. conv 3×3×16, 3×3×32 stride 2, 3×3×32 stride 2, each with ReLU, dense 10, against one hidden ReLU layer with at least as many parameters; " +
    "1,000 training images, Adam, 30 epochs of batches of 32, rate by the validation loss on 300 rows of 1e-3, 3e-3. Difference: test accuracy, convolutions − dense.",
  seeds: SEEDS,
  async run(seeds, { side, classes, split }) {
    const wide = Math.round(1.75 * side);
    const counted = convolutional(wide, classes);
    const parameters = counted.countParams();
    counted.dispose();
    const compiled = (make: () => Model<NDArray>) => (learningRate: number) => {
      const model = make();
      model.compile({ optimizer: adam({ learningRate }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
      return model;
    };
    const { figures, differences } = await compare(seeds, {
      arms: {
        dense: compiled(() => fullyConnected(wide * wide, classes, parameters)),
        convolutions: compiled(() => convolutional(wide, classes)),
      },
      split(seed) {
        const { train, validation, test } = split(seed, 1000, 300);
        return {
          train: placed(train, side, wide, 3 * seed),
          validation: placed(validation, side, wide, 3 * seed + 1),
          test: placed(test, side, wide, 3 * seed + 2),
        };
      },
      options: { epochs: 30, batchSize: 32 },
      rates: [1e-3, 3e-3],
    });
    return {
      differences,
      of: "test accuracy",
      notes: [`${parameters} parameters of the convolutional net, as many or a few more of the other`],
      figures: [bars("Test accuracy, digits at random places", figures, "test accuracy")],
    };
  },
};
