import {
  batchNorm,
  dense,
  glorotNormal,
  heNormal,
  type Layer,
  lecunNormal,
  orthogonal,
  randomNormal,
  relu,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  tanh,
  zeros,
} from "downhill";
import { type Experiment, SEEDS } from "../experiment";
import { bars, curves, type Point } from "../figures";
import { compare } from "../training";

const DEPTH = 20;
const WIDTH = 64;

const rms = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

const INITIALIZERS = {
  "normal, σ = 0.01": randomNormal({ stddev: 0.01 }),
  "normal, σ = 1": randomNormal({ stddev: 1 }),
  "Xavier (glorotNormal)": glorotNormal(),
  "He (heNormal)": heNormal(),
  "LeCun (lecunNormal)": lecunNormal(),
  orthogonal: orthogonal(),
};

const DEPTHS = [1, 5, 10, 15, 20];
/** What underflows counts as this. */
const LEAST = 1e-30;

const tanhLayers = (depth: number, features: number, kernelInitializer: ReturnType<typeof glorotNormal>): Layer[] =>
  Array.from({ length: depth }, (_, i) => [
    dense(WIDTH, { kernelInitializer, ...(i === 0 && { inputShape: [features] }) }),
    tanh(),
  ]).flat();

export const initialization: Experiment = {
  method: "initialization",
  claim:
    "Xavier initialization keeps gradients from vanishing in a net of 20 tanh layers, small Gaussian weights do not",
  criterion:
    "20 tanh layers of 64 units; the root mean square of the first kernel's gradient on 256 rows. " +
    "Difference: its log₁₀, Xavier − normal weights with σ = 0.01 (below 1e-30 counts as that), − 3: three powers of ten.",
  seeds: SEEDS,
  run(seeds, data) {
    const points: Point[] = [];
    const sizes: Record<string, number[]> = {};
    for (const seed of seeds) {
      const { train } = data.split(seed, 256, 100);
      for (const [arm, kernelInitializer] of Object.entries(INITIALIZERS)) {
        setSeed(seed);
        const model = sequential([...tanhLayers(DEPTH, data.features, kernelInitializer), dense(data.classes)]);
        model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
        const { parameters } = model.gradients(train.x, train.y);
        const gradient = (layer: number) => Math.max(LEAST, rms(parameters[`dense_${layer}/kernel`]!.data));
        sizes[arm] = [...(sizes[arm] ?? []), Math.log10(gradient(1))];
        if (seed === seeds[0])
          for (const depth of DEPTHS) {
            const part = sequential(tanhLayers(depth, data.features, kernelInitializer));
            const keys = Object.keys(part.getWeights());
            const weights = model.getWeights();
            part.setWeights(Object.fromEntries(keys.map((key) => [key, weights[key]!])));
            points.push({ x: depth, y: Math.max(LEAST, rms(part.predict(train.x).data)), arm, part: "activations" });
            points.push({ x: depth, y: gradient(depth), arm, part: "kernels' gradients" });
            part.dispose();
          }
        model.dispose();
      }
    }
    const small = sizes["normal, σ = 0.01"]!;
    return {
      differences: sizes["Xavier (glorotNormal)"]!.map((size, i) => size - small[i]! - 3),
      of: "powers of ten − 3",
      figures: [
        curves("Activations and kernels' gradients by depth, first seed", points, {
          x: "layer",
          y: "root mean square",
          logY: true,
        }),
        bars("Gradient of the first kernel", sizes, "log₁₀ of its root mean square"),
      ],
    };
  },
};

export const symmetry: Experiment = {
  method: "symmetry",
  claim: "A net whose kernels begin at zero cannot learn what one with random kernels does",
  criterion:
    "MLP of 64 tanh units, 500 training rows, SGD with momentum 0.9, 30 epochs of batches of 32, rate by validation loss of 0.01, 0.03, 0.1; all kernels zeros() against glorotNormal(). " +
    "Difference: test accuracy, random − zeros.",
  seeds: SEEDS,
  async run(seeds, data) {
    const net = (kernelInitializer: ReturnType<typeof zeros>) => (learningRate: number) => {
      const model = sequential([
        dense(64, { inputShape: [data.features], kernelInitializer, activation: "tanh" }),
        dense(data.classes, { kernelInitializer }),
      ]);
      const optimizer = sgd({ learningRate, momentum: 0.9 });
      model.compile({ optimizer, loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
      return model;
    };
    const { figures, differences } = await compare(seeds, {
      arms: { zeros: net(zeros()), glorotNormal: net(glorotNormal()) },
      split: (seed) => data.split(seed, 500, 300),
      options: { epochs: 30, batchSize: 32 },
      rates: [0.01, 0.03, 0.1],
    });
    return { differences, of: "test accuracy", figures: [bars("Test accuracy", figures, "test accuracy")] };
  },
};

export const batchNormalization: Experiment = {
  method: "batch-normalization",
  claim: "Batch normalization trains a deep net from badly scaled weights that hardly learns without it",
  criterion:
    "12 hidden layers of 64 ReLU units, kernels normal with σ = 0.05, batch norm before each ReLU against none; 1,000 training and 300 validation rows, " +
    "SGD with momentum 0.9, 20 epochs of batches of 32, rate by validation loss of 0.003, 0.01, 0.03, 0.1. Difference: test accuracy, with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const drift: Point[] = [];
    const net = (normalized: () => Layer[]) => (learningRate: number) => {
      const layers: Layer[] = [];
      const kernelInitializer = randomNormal({ stddev: 0.05 });
      for (let i = 0; i < 12; i++)
        layers.push(
          dense(WIDTH, { kernelInitializer, ...(i === 0 && { inputShape: [data.features] }) }),
          ...normalized(),
          relu(),
        );
      const model = sequential([...layers, dense(data.classes)]);
      const optimizer = sgd({ learningRate, momentum: 0.9 });
      model.compile({ optimizer, loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
      return model;
    };
    const {
      figures: accuracies,
      differences,
      chosen,
    } = await compare(seeds, {
      arms: { without: net(() => []), "with batch norm": net(() => [batchNorm()]) },
      split: (seed) => data.split(seed, 1000, 300),
      options: { epochs: 20, batchSize: 32 },
      rates: [0.003, 0.01, 0.03, 0.1],
    });
    // internal covariate shift: what comes into the fourth layer's nonlinearity, step by step
    for (const arm of Object.keys(accuracies)) {
      const { train } = data.split(seeds[0]!, 1000, 300);
      setSeed(seeds[0]!);
      const kernelInitializer = glorotNormal();
      const hidden = (first: boolean): Layer[] => [
        dense(WIDTH, { kernelInitializer, ...(first && { inputShape: [data.features] }) }),
        ...(arm === "without" ? [] : [batchNorm()]),
      ];
      const model = sequential([
        ...hidden(true),
        relu(),
        ...hidden(false),
        relu(),
        ...hidden(false),
        relu(),
        dense(data.classes),
      ]);
      model.compile({ optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }), loss: softmaxCrossEntropy() });
      const probe = sequential([...hidden(true), relu(), ...hidden(false), relu(), ...hidden(false)]);
      for (let step = 0; step < 200; step++) {
        if (step % 5 === 0) {
          const weights = model.getWeights();
          probe.setWeights(Object.fromEntries(Object.keys(probe.getWeights()).map((key) => [key, weights[key]!])));
          const z = probe.predict(train.x, { training: true, batchSize: 1000 }).data;
          const first = z.filter((_, i) => i % WIDTH === 0);
          const average = first.reduce((s, v) => s + v, 0) / first.length;
          const deviation = Math.sqrt(first.reduce((s, v) => s + (v - average) ** 2, 0) / first.length);
          drift.push({ x: step, y: average, arm: `${arm}: mean` }, { x: step, y: deviation, arm: `${arm}: deviation` });
        }
        const at = (step * 32) % 960;
        const batch = {
          data: train.x.data.subarray(at * data.features, (at + 32) * data.features),
          shape: [32, data.features],
        };
        model.trainOnBatch(batch, train.y.data.slice(at, at + 32));
      }
      model.dispose();
      probe.dispose();
    }
    return {
      differences,
      of: "test accuracy",
      figures: [
        bars("Test accuracy", accuracies, "test accuracy"),
        curves("Internal covariate shift: input of one unit's nonlinearity in the third layer, SGD at 0.1", drift, {
          x: "step",
          y: "over 1,000 examples",
        }),
      ],
      notes: Object.entries(chosen).map(([arm, rates]) => `${arm}: rates chosen ${rates.join(", ")}`),
    };
  },
};

const TRIED = [0.01, 0.03, 0.1, 0.3, 1, 3];

/** The chapter's second claim of batch normalization. */
export const largerRates: Experiment = {
  method: "batch-norm-rates",
  claim: "With batch normalization a net trains at larger learning rates than without",
  criterion:
    "4 hidden layers of 64 ReLU units from heNormal, 1,000 rows, SGD, 10 epochs of batches of 32, rates 0.01, 0.03, … 3; trained is a training accuracy above 0.9. " +
    "Difference: log₁₀ of the largest rate that trains, with − without (none counts as 0.003).",
  seeds: SEEDS,
  async run(seeds, data) {
    const largest: Record<string, number[]> = { without: [], "with batch norm": [] };
    const points: Point[] = [];
    for (const seed of seeds) {
      const { train } = data.split(seed, 1000, 100);
      for (const arm of Object.keys(largest)) {
        let most = 0.003;
        for (const learningRate of TRIED) {
          setSeed(seed);
          const layers: Layer[] = [];
          for (let i = 0; i < 4; i++)
            layers.push(
              dense(WIDTH, { kernelInitializer: heNormal(), ...(i === 0 && { inputShape: [data.features] }) }),
              ...(arm === "without" ? [] : [batchNorm()]),
              relu(),
            );
          const model = sequential([...layers, dense(data.classes)]);
          model.compile({ optimizer: sgd({ learningRate }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
          let reached = 0;
          try {
            await model.fit(train, { epochs: 10, batchSize: 32 });
            reached = (await model.evaluate(train))["accuracy"]!;
          } catch (error) {
            if ((error as { code?: string }).code !== "numeric") throw error; // it diverged
          }
          if (reached > 0.9) most = Math.max(most, learningRate);
          if (seed === seeds[0]) points.push({ x: learningRate, y: reached, arm });
          model.dispose();
        }
        largest[arm]!.push(Math.log10(most));
      }
    }
    return {
      differences: largest["with batch norm"]!.map((rate, i) => rate - largest["without"]![i]!),
      of: "log₁₀ of the largest rate",
      figures: [
        curves("Training accuracy after 10 epochs against the rate, first seed", points, {
          x: "learning rate",
          y: "training accuracy",
          logX: true,
        }),
        bars("Largest rate that trains", largest, "log₁₀ of the rate"),
      ],
    };
  },
};
