import { adam, dense, l1, meanSquaredError, sequential, setSeed } from "downhill";
import { type Experiment, mean, SEEDS } from "../experiment";
import { bars, histogram } from "../figures";

export const sparseRepresentation: Experiment = {
  method: "sparse-representation",
  claim: "An L1 penalty on an autoencoder's hidden units leaves fewer of them active on an example",
  criterion:
    "Autoencoder of 128 ReLU units with activityRegularizer l1(1e-3) against none; 1,000 training rows, Adam 1e-3, 40 epochs of batches of 32. " +
    "Difference: share of units that are exactly 0 on the test set, with − without.",
  seeds: SEEDS,
  async run(seeds, data) {
    const shares: Record<string, number[]> = { none: [], "l1(1e-3) on h": [] };
    const errors: Record<string, number[]> = { none: [], "l1(1e-3) on h": [] };
    const activations: Record<string, number[]> = {};
    for (const seed of seeds) {
      const { train, test } = data.split(seed, 1000, 100);
      for (const arm of Object.keys(shares)) {
        setSeed(seed);
        const penalty = arm === "none" ? {} : { activityRegularizer: l1(1e-3) };
        const model = sequential([
          dense(128, { inputShape: [data.features], activation: "relu", ...penalty }),
          dense(data.features),
        ]);
        model.compile({ optimizer: adam(), loss: meanSquaredError() });
        await model.fit({ x: train.x, y: train.x }, { epochs: 40, batchSize: 32 });
        errors[arm]!.push((await model.evaluate({ x: test.x, y: test.x })).dataLoss);
        // the encoder alone, with the same weights
        const encoder = sequential([dense(128, { inputShape: [data.features], activation: "relu" })]);
        const weights = model.getWeights();
        encoder.setWeights({ "dense_1/kernel": weights["dense_1/kernel"]!, "dense_1/bias": weights["dense_1/bias"]! });
        const h = encoder.predict(test.x).data;
        shares[arm]!.push(h.filter((v) => v === 0).length / h.length);
        if (seed === seeds[0]) activations[arm] = [...h.subarray(0, 128 * 100)];
        model.dispose();
        encoder.dispose();
      }
    }
    const [without, withPenalty] = Object.values(shares) as [number[], number[]];
    return {
      differences: withPenalty.map((share, i) => share - without[i]!),
      of: "share of inactive units",
      figures: [
        bars("Share of hidden units that are 0 on a test example", shares, "share"),
        histogram("Activations on 100 test examples, first seed", activations, "h"),
      ],
      notes: Object.entries(errors).map(([arm, e]) => `${arm}: reconstruction error ${mean(e).toFixed(5)}`),
    };
  },
};
