import {
  adam,
  dense,
  gaussianNoise,
  l2,
  meanSquaredError,
  relu,
  sequential,
  setSeed,
  softmaxCrossEntropy,
} from "downhill";
import { philox4x32 } from "downhill/random";
import { mislabelled } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { bars, curves, type Point } from "../figures";

const SIGMA = 0.3;

const distance = (a: Float32Array, b: Float32Array) => Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0));

export const inputNoise: Experiment = {
  method: "noise",
  claim: "Small noise on the inputs of a linear model acts like the L2 penalty σ²·‖W‖²",
  criterion:
    "Linear model, mean squared error against one-hot targets, 1,000 rows, Adam 1e-2 decaying tenfold twice over 300 epochs of batches of 100; noise of σ = 0.3 on inputs, or l2(2σ²/10), or neither. " +
    "The noisy model's kernel W against the others'. Difference: (‖W − plain‖ − ‖W − penalised‖) / ‖plain‖.",
  seeds: SEEDS,
  async run(seeds, data) {
    const differences: number[] = [];
    const distances: Record<string, number[]> = { "to the plain model": [], "to the penalised model": [] };
    for (const seed of seeds) {
      const { train } = data.split(seed, 1000, 100);
      const y = new Float32Array(1000 * data.classes);
      train.y.data.forEach((label, i) => {
        y[i * data.classes + label] = 1;
      });
      const kernelOf = async (arm: "plain" | "noise" | "penalty") => {
        setSeed(seed);
        const kernelRegularizer = arm === "penalty" ? l2((2 * SIGMA ** 2) / data.classes) : undefined;
        const layer = dense(data.classes, { kernelRegularizer });
        const model =
          arm === "noise"
            ? sequential([gaussianNoise(SIGMA, { inputShape: [data.features] }), layer])
            : sequential([dense(data.classes, { inputShape: [data.features], kernelRegularizer })]);
        model.compile({ optimizer: adam({ learningRate: 1e-2 }), loss: meanSquaredError() });
        const examples = { x: train.x, y: { data: y, shape: [1000, data.classes] } };
        for (const [i, rate] of [1e-2, 1e-3, 1e-4].entries()) {
          model.learningRate = rate;
          await model.fit(examples, { initialEpoch: 100 * i, epochs: 100 * (i + 1), batchSize: 100 });
        }
        const kernel = model.getWeights()["dense_1/kernel"]!.data;
        model.dispose();
        return kernel;
      };
      const plain = await kernelOf("plain");
      const noisy = await kernelOf("noise");
      const penalised = await kernelOf("penalty");
      const norm = distance(plain, new Float32Array(plain.length));
      distances["to the plain model"]!.push(distance(noisy, plain) / norm);
      distances["to the penalised model"]!.push(distance(noisy, penalised) / norm);
      differences.push((distance(noisy, plain) - distance(noisy, penalised)) / norm);
    }
    return {
      differences,
      of: "relative distance of the kernels",
      figures: [bars("How far the kernel trained with noise is", distances, "‖difference‖ / ‖plain‖")],
    };
  },
};

/** Standard normal numbers of a stream of their own. */
function normals(n: number, seed: number): Float32Array {
  return Float32Array.from({ length: n }, (_, i) => {
    const [a, b] = philox4x32([i, 2, 0, 0], [seed, 0xc4a97e2]);
    return Math.sqrt(-2 * Math.log((a! + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * b!) / 2 ** 32);
  });
}

const WEIGHT_SIGMA = 0.05;

export const weightNoise: Experiment = {
  method: "weight-noise",
  claim: "Noise on the weights leads to weights whose perturbation costs less",
  criterion:
    "MLP of 128 ReLU units on 500 rows, Adam 1e-3, 60 epochs of batches of 32; compile({ weightNoise: 0.05 }) against none. How much the test loss rises, mean of 10 draws, when N(0, σ²) is added to all trained weights, σ = 0.05. " +
    "Difference: that rise, without − with.",
  seeds: SEEDS,
  async run(seeds, data) {
    const rises: Record<string, number[]> = { none: [], "weightNoise 0.05": [] };
    const points: Point[] = [];
    for (const seed of seeds) {
      const { train, test } = data.split(seed, 500, 100);
      for (const arm of Object.keys(rises)) {
        setSeed(seed);
        const model = sequential([dense(128, { inputShape: [data.features] }), relu(), dense(data.classes)]);
        model.compile({
          optimizer: adam(),
          loss: softmaxCrossEntropy(),
          ...(arm !== "none" && { weightNoise: WEIGHT_SIGMA }),
        });
        await model.fit(mislabelled(train, 0, data.classes, seed), { epochs: 60, batchSize: 32 });
        const weights = model.getWeights();
        const { loss } = await model.evaluate(test);
        const riseAt = async (sigma: number) => {
          let sum = 0;
          for (let draw = 0; draw < 10; draw++) {
            const moved = Object.entries(weights).map(([key, { data, shape }], k) => {
              const noise = normals(data.length, seed * 1000 + draw * 10 + k);
              return [key, { data: data.map((w, i) => w + sigma * noise[i]!), shape }] as const;
            });
            model.setWeights(Object.fromEntries(moved));
            sum += (await model.evaluate(test)).loss - loss;
          }
          return sum / 10;
        };
        rises[arm]!.push(await riseAt(WEIGHT_SIGMA));
        if (seed === seeds[0])
          for (const sigma of [0, 0.025, 0.05, 0.075, 0.1]) points.push({ x: sigma, y: await riseAt(sigma), arm });
        model.dispose();
      }
    }
    return {
      differences: rises["none"]!.map((rise, i) => rise - rises["weightNoise 0.05"]![i]!),
      of: "rise of the test cross-entropy",
      figures: [
        bars("Rise of the test loss at σ = 0.05", rises, "cross-entropy"),
        curves("Rise of the test loss against σ, first seed", points, { x: "σ", y: "rise" }),
      ],
    };
  },
};
