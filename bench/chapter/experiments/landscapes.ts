import {
  adam,
  conditionNumber,
  dense,
  glorotUniform,
  gradientMonitor,
  gradientReport,
  heNormal,
  hessianSpectrum,
  type NDArray,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "downhill";
import {
  cliff,
  type DescendOptions,
  descend,
  himmelblau,
  type Landscape,
  quadratic,
  rastrigin,
  saddle,
} from "downhill/landscapes";
import { philox4x32 } from "downhill/random";
import { rows } from "../data";
import { type Experiment, mean, SEEDS } from "../experiment";
import { bars, curves, type Plot, type Point, paths } from "../figures";

/** A random point in [low, high]². */
function start(seed: number, low: number, high: number, index = 0): [number, number] {
  const [a, b] = philox4x32([index, 5, 0, 0], [seed, 0xc4a97e2]);
  return [low + ((high - low) * a!) / 2 ** 32, low + ((high - low) * b!) / 2 ** 32];
}

const last = ({ data }: NDArray) => data.at(-1)!;

/** Paths of several runs over the landscape's height. */
function pathsOver(
  caption: string,
  landscape: Landscape,
  arms: Readonly<Record<string, Omit<DescendOptions, "start">>>,
  from: [number, number],
): Plot {
  const drawn = Object.entries(arms).flatMap(([arm, options]) => {
    const { data } = descend(landscape, { ...options, start: from }).path;
    return Array.from({ length: data.length / 2 }, (_, i) => ({ x: data[2 * i]!, y: data[2 * i + 1]!, arm }));
  });
  const { bounds, value } = landscape;
  const [x, y] = bounds;
  return paths(caption, drawn, { x, y }, (points) => value(points).data);
}

const RATES = [0.002, 0.005, 0.01, 0.015, 0.02];

/** The least loss in the end over the rates. */
const best = (landscape: Landscape, from: [number, number], steps: number, momentum: number) =>
  Math.min(
    ...RATES.map((learningRate) => {
      const { losses, diverged } = descend(landscape, {
        optimizer: sgd({ learningRate, momentum }),
        start: from,
        steps,
      });
      return diverged ? Infinity : last(losses);
    }),
  );

export const illConditioning: Experiment = {
  method: "landscapes",
  claim: "On an ill-conditioned valley momentum gets further than gradient descent in as many steps",
  criterion:
    "quadratic({ condition: 100 }), 100 steps from a random start, the best of five rates from 0.002 to 0.02 for either arm. Difference: log₁₀ of the final loss, plain − momentum 0.9.",
  seeds: SEEDS,
  run(seeds) {
    const valley = quadratic({ condition: 100 });
    const losses: Record<string, number[]> = { plain: [], "momentum 0.9": [] };
    for (const seed of seeds) {
      const from = start(seed, -3, 3);
      losses["plain"]!.push(Math.log10(best(valley, from, 100, 0)));
      losses["momentum 0.9"]!.push(Math.log10(best(valley, from, 100, 0.9)));
    }
    const arms = {
      plain: { optimizer: sgd({ learningRate: 0.018 }), steps: 100 },
      "momentum 0.9": { optimizer: sgd({ learningRate: 0.005, momentum: 0.9 }), steps: 100 },
      Adam: { optimizer: adam({ learningRate: 0.1 }), steps: 100 },
    };
    return {
      differences: losses["plain"]!.map((l, i) => l - losses["momentum 0.9"]![i]!),
      of: "log₁₀ of the loss",
      figures: [
        bars("Loss after 100 steps", losses, "log₁₀ of the loss"),
        pathsOver("Down the valley", valley, arms, [-2.5, 1]),
        pathsOver(
          "Himmelblau's function: which minimum depends on the way",
          himmelblau(),
          {
            plain: { optimizer: sgd({ learningRate: 0.01 }), steps: 200 },
            "momentum 0.9": { optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }), steps: 200 },
            Adam: { optimizer: adam({ learningRate: 0.1 }), steps: 200 },
          },
          [-0.5, -1],
        ),
      ],
    };
  },
};

const STARTS = 40;

export const localMinima: Experiment = {
  method: "local-minima",
  claim: "Where there are many minima, gradient descent ends in the best of them from less than half of the starts",
  criterion:
    "rastrigin(), 40 random starts in [−3, 3]² each, 300 steps at 0.002. Difference: 0.5 − the share that ends with a loss below 0.1 (the next minima: 1).",
  seeds: SEEDS,
  run(seeds) {
    const landscape = rastrigin();
    const shares = seeds.map((seed) => {
      const ends = Array.from({ length: STARTS }, (_, i) =>
        last(
          descend(landscape, { optimizer: sgd({ learningRate: 0.002 }), start: start(seed, -3, 3, i), steps: 300 })
            .losses,
        ),
      );
      return ends.filter((loss) => loss < 0.1).length / STARTS;
    });
    return {
      differences: shares.map((share) => 0.5 - share),
      of: "0.5 − share of starts",
      figures: [
        bars("Share of starts that end in the best minimum", { "gradient descent": shares }, "share"),
        pathsOver(
          "Two optimizers from one start",
          landscape,
          {
            plain: { optimizer: sgd({ learningRate: 0.002 }), steps: 300 },
            "momentum 0.95": { optimizer: sgd({ learningRate: 0.002, momentum: 0.95 }), steps: 300 },
          },
          [2.4, 1.7],
        ),
      ],
    };
  },
};

export const saddlePoints: Experiment = {
  method: "saddle-points",
  claim: "From a saddle's stable axis gradient descent does not get away; with the noise of minibatches it does",
  criterion:
    "saddle(), from (x, 0), x random in [0.5, 2], 60 steps at 0.1; noise of standard deviation 0.01 on the gradient against none. Difference: log₁₀(1 − the final loss), with noise − without, − 1 (the saddle's loss: 0; it falls for ever on either side).",
  seeds: SEEDS,
  run(seeds) {
    const landscape = saddle();
    const losses: Record<string, number[]> = { "without noise": [], "with noise": [] };
    const optimizer = sgd({ learningRate: 0.1 });
    for (const seed of seeds) {
      setSeed(seed);
      const [x] = start(seed, 0.5, 2);
      for (const arm of Object.keys(losses)) {
        const noise = arm === "with noise" ? 0.01 : 0;
        const { losses: found } = descend(landscape, { optimizer, start: [x, 0], steps: 60, noise });
        losses[arm]!.push(Math.log10(1 - Math.min(0, last(found))));
      }
    }
    return {
      differences: losses["with noise"]!.map((l, i) => l - losses["without noise"]![i]! - 1),
      of: "log₁₀(1 − loss) − 1",
      figures: [
        bars("How far down after 60 steps", losses, "log₁₀(1 − loss)"),
        pathsOver(
          "Along the stable axis",
          landscape,
          {
            "without noise": { optimizer, steps: 40 },
            "with noise": { optimizer, steps: 40, noise: 0.01 },
          },
          [1.5, 0],
        ),
      ],
    };
  },
};

export const clippingOnTheCliff: Experiment = {
  method: "clipping",
  claim: "Where there is a cliff, a clipped gradient ends lower than an unclipped one",
  criterion:
    "cliff(), 100 steps of SGD with momentum 0.9 at 0.1, from a random start in [0.1, 0.3] × [−1, 1], on the wall; clipNorm 0.5 against none. Difference: the final loss, unclipped − clipped (1e3 where it diverged).",
  seeds: SEEDS,
  run(seeds) {
    const landscape = cliff();
    const losses: Record<string, number[]> = { unclipped: [], "clipNorm 0.5": [] };
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
    const from = (seed: number): [number, number] => {
      const [a, b] = start(seed, 0, 1);
      return [0.1 + 0.2 * a, 2 * b - 1];
    };
    for (const seed of seeds)
      for (const arm of Object.keys(losses)) {
        const clipped = arm === "unclipped" ? {} : { clipNorm: 0.5 };
        const { losses: found, diverged } = descend(landscape, {
          optimizer,
          start: from(seed),
          steps: 100,
          ...clipped,
        });
        losses[arm]!.push(diverged ? 1e3 : Math.min(1e3, last(found)));
      }
    return {
      differences: losses["unclipped"]!.map((l, i) => l - losses["clipNorm 0.5"]![i]!),
      of: "loss",
      figures: [
        bars("Loss after 100 steps", losses, "loss"),
        pathsOver(
          "From the wall, first seed",
          landscape,
          {
            unclipped: { optimizer, steps: 100 },
            "clipNorm 0.5": { optimizer, steps: 100, clipNorm: 0.5 },
          },
          from(seeds[0]!),
        ),
      ],
    };
  },
};

export const hessian: Experiment = {
  method: "hessian",
  claim: "The objective of a net on real data is ill-conditioned: its condition number is above 1,000",
  criterion:
    "MLP of 16 tanh units, 300 rows, after 10 epochs of Adam at 1e-3 with batches of 32. Difference: log₁₀ of conditionNumber(model, data) − 3. " +
    "The spectrum's ends by epoch are in the figure.",
  seeds: SEEDS,
  async run(seeds, data) {
    const differences: number[] = [];
    const points: Point[] = [];
    const negative: number[] = [];
    for (const seed of seeds) {
      const { train } = data.split(seed, 300, 100);
      setSeed(seed);
      const model = sequential([dense(16, { inputShape: [data.features], activation: "tanh" }), dense(data.classes)]);
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
      const look = (epoch: number) => {
        const { min, max } = hessianSpectrum(model, train);
        points.push({ x: epoch, y: max, arm: "largest eigenvalue" }, { x: epoch, y: min, arm: "smallest eigenvalue" });
        return min;
      };
      if (seed === seeds[0]) look(0);
      for (let epoch = 0; epoch < 10; epoch++) {
        await model.fit(train, { initialEpoch: epoch, epochs: epoch + 1, batchSize: 32 });
        if (seed === seeds[0]) look(epoch + 1);
      }
      negative.push(hessianSpectrum(model, train).min);
      differences.push(Math.log10(conditionNumber(model, train)) - 3);
      model.dispose();
    }
    return {
      differences,
      of: "log₁₀ of the condition number − 3",
      figures: [curves("Ends of the spectrum, first seed", points, { x: "epoch", y: "eigenvalue" })],
      notes: [
        `smallest eigenvalue after 10 epochs: mean ${mean(negative).toExponential(2)}, below 0 in ${negative.filter((v) => v < 0).length} of ${negative.length} nets`,
      ],
    };
  },
};

export const vanishingGradients: Experiment = {
  method: "gradient-monitor",
  claim: "Gradients vanish towards the input of a deep sigmoid net by powers of ten more than of a ReLU net",
  criterion:
    "8 hidden layers of 32 units, sigmoid with glorotUniform against ReLU with heNormal; 320 rows, SGD at 0.01, one epoch of batches of 32 under gradientMonitor. " +
    "Difference: mean log₁₀ of (last hidden layer's gradient norm / first's), sigmoid − ReLU, − 1.",
  seeds: SEEDS,
  async run(seeds, data) {
    const ratios: Record<string, number[]> = { sigmoid: [], relu: [] };
    const points: Point[] = [];
    for (const seed of seeds) {
      const train = rows(data.split(seed, 320, 100).train, [...Array(320).keys()]);
      for (const activation of ["sigmoid", "relu"] as const) {
        setSeed(seed);
        const kernelInitializer = activation === "relu" ? heNormal() : glorotUniform();
        const hidden = Array.from({ length: 8 }, (_, i) =>
          dense(32, { activation, kernelInitializer, ...(i === 0 && { inputShape: [data.features] }) }),
        );
        const model = sequential([...hidden, dense(data.classes)]);
        model.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: softmaxCrossEntropy() });
        await model.fit(train, { epochs: 1, batchSize: 32, callbacks: [gradientMonitor()] });
        const { layers } = gradientReport(model);
        const size = (i: number) =>
          mean(layers[`dense_${i}`]!.gradientNorm.map((norm) => Math.log10(Math.max(1e-30, norm))));
        ratios[activation]!.push(size(8) - size(1));
        if (seed === seeds[0]) for (let i = 1; i <= 8; i++) points.push({ x: i, y: 10 ** size(i), arm: activation });
        model.dispose();
      }
    }
    return {
      differences: ratios["sigmoid"]!.map((r, i) => r - ratios["relu"]![i]! - 1),
      of: "powers of ten − 1",
      figures: [
        curves("Gradient norm by layer, first seed", points, { x: "layer", y: "gradient norm", logY: true }),
        bars("Last hidden layer's gradient over the first's", ratios, "log₁₀ of the ratio"),
      ],
    };
  },
};
