import {
  adagrad,
  adam,
  dense,
  linearDecay,
  relu,
  rmsprop,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
} from "downhill";
import { type Data, type Examples, mislabelled } from "../data";
import { type Experiment, type Outcome, SEEDS } from "../experiment";
import { bars, curves, type Point } from "../figures";

type Optimizer = Parameters<ReturnType<typeof sequential>["compile"]>[0]["optimizer"];

interface Arm {
  optimizer(learningRate: number): Optimizer;
  rates: readonly number[];
}

interface Setting {
  epochs: number;
  batchSize: number;
  units: number;
  prepare(examples: Examples, seed: number): Examples;
}

/** The training loss after all epochs, of the best rate for it: what is compared is optimization, so no row is held out. */
async function race(
  seeds: readonly number[],
  data: Data,
  arms: Readonly<Record<string, Arm>>,
  { epochs, batchSize, units, prepare }: Setting,
): Promise<Outcome> {
  const losses: Record<string, number[]> = {};
  const points: Point[] = [];
  const notes: string[] = [];
  for (const seed of seeds) {
    const train = prepare(data.split(seed, 1000, 100).train, seed);
    for (const [arm, { optimizer, rates }] of Object.entries(arms)) {
      let best = { loss: Infinity, rate: 0, history: [] as number[] };
      for (const rate of rates) {
        setSeed(seed);
        const model = sequential([dense(units, { inputShape: [data.features] }), relu(), dense(data.classes)]);
        model.compile({ optimizer: optimizer(rate), loss: softmaxCrossEntropy() });
        try {
          const { epochs: logs } = await model.fit(train, { epochs, batchSize });
          const { loss } = await model.evaluate(train);
          if (loss < best.loss) best = { loss, rate, history: logs.map((l) => l.loss) };
        } catch (error) {
          if ((error as { code?: string }).code !== "numeric") throw error; // this rate diverges
        }
        model.dispose();
      }
      losses[arm] = [...(losses[arm] ?? []), best.loss];
      if (seed === seeds[0]) {
        notes.push(`${arm}: best rate ${best.rate} (first seed)`);
        best.history.forEach((y, i) => {
          points.push({ x: i + 1, y, arm });
        });
      }
    }
  }
  const [other, method] = Object.values(losses) as [number[], number[]];
  return {
    differences: other.map((loss, i) => log10(loss) - log10(method[i]!)),
    of: "log₁₀ of the training loss",
    figures: [
      bars("Training loss in the end", losses, "loss"),
      curves("Training loss by epoch, first seed", points, { x: "epoch", y: "loss", logY: true }),
    ],
    notes,
  };
}

const log10 = (x: number) => Math.log10(x);
const GRID = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3];
const plain = { optimizer: (learningRate: number) => sgd({ learningRate }), rates: GRID };

/** Columns under scales from 0.1 to 10, the same for every seed: the loss is ill-conditioned. */
function stretched({ x, y }: Examples): Examples {
  const features = x.shape[1]!;
  const stretch = Float32Array.from({ length: features }, (_, j) => 10 ** ((((j * 37) % features) / features) * 2 - 1));
  return { x: { data: x.data.map((v, i) => v * stretch[i % features]!), shape: x.shape }, y };
}

const SETTING =
  "MLP of 64 ReLU units, 1,000 training rows, batches of 32; the best of the rates 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3 by training loss for either arm. ";
const STRETCHED_INPUTS: Setting = { epochs: 20, batchSize: 32, units: 64, prepare: stretched };
const STRETCHED = "Inputs under scales from 0.1 to 10, 20 epochs. ";

export const momentum: Experiment = {
  method: "momentum",
  claim: "Momentum ends at a lower training loss than plain SGD in as many updates",
  criterion: `${SETTING}${STRETCHED}Difference: log₁₀ of the final training loss, SGD − SGD with momentum 0.9.`,
  seeds: SEEDS,
  run: (seeds, data) =>
    race(
      seeds,
      data,
      {
        sgd: plain,
        "sgd, momentum 0.9": { ...plain, optimizer: (learningRate) => sgd({ learningRate, momentum: 0.9 }) },
      },
      STRETCHED_INPUTS,
    ),
};

const adaptive = (method: string, name: string, optimizer: Arm["optimizer"]): Experiment => ({
  method,
  claim: `${name} ends at a lower training loss than plain SGD where inputs differ in scale`,
  criterion: `${SETTING}${STRETCHED}Difference: log₁₀ of the final training loss, SGD − ${name}.`,
  seeds: SEEDS,
  run: (seeds, data) => race(seeds, data, { sgd: plain, [method]: { optimizer, rates: GRID } }, STRETCHED_INPUTS),
});

export const adaGrad = adaptive("adagrad", "AdaGrad", (learningRate) => adagrad({ learningRate }));
export const rmsProp = adaptive("rmsprop", "RMSProp", (learningRate) => rmsprop({ learningRate }));
export const adamOptimizer = adaptive("adam", "Adam", (learningRate) => adam({ learningRate }));

const UPDATES = 125 * 20; // 1000 / 8 an epoch, 20 epochs

export const learningRateDecay: Experiment = {
  method: "learning-rate",
  claim: "A rate that decays linearly ends at a lower training loss than a constant one where gradients are noisy",
  criterion:
    "MLP of 16 ReLU units, 1,000 training rows, 30 % of them mislabelled, batches of 8, 20 epochs of SGD; the best of the rates 1e-2, 3e-2, 0.1, 0.3 by training loss for either arm; " +
    "decaying: linearDecay from the rate to a hundredth of it over all updates. Difference: log₁₀ of the final training loss, constant − decaying.",
  seeds: SEEDS,
  run: (seeds, data) =>
    race(
      seeds,
      data,
      {
        constant: { ...plain, rates: GRID.slice(2) },
        "linear decay": {
          rates: GRID.slice(2),
          optimizer: (rate) => sgd({ learningRate: linearDecay({ initial: rate, final: rate / 100, steps: UPDATES }) }),
        },
      },
      {
        epochs: 20,
        batchSize: 8,
        units: 16,
        prepare: (examples, seed) => mislabelled(examples, 0.3, data.classes, seed),
      },
    ),
};
