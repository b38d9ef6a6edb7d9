import { adam, dense, gru, lstm, meanSquaredError, sequential, setSeed, simpleRnn } from "downhill";
import { philox4x32 } from "downhill/random";
import { type Experiment, SEEDS } from "../experiment";
import { curves, type Point } from "../figures";

const UNITS = 32;
const LENGTHS = [10, 25, 50];
const ROWS = 2000;

/** The adding problem: T numbers, two of them marked, one in each half; the target is the sum of those. */
export function addingProblem(length: number, rows: number, seed: number) {
  const x = new Float32Array(rows * length * 2);
  const y = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const [a, b] = philox4x32([r, 3, length, 0], [seed, 0xc4a97e2]);
    const half = length >> 1;
    const marked = [a! % half, half + (b! % (length - half))];
    for (let t = 0; t < length; t++) {
      const [word] = philox4x32([r, 4, length, t], [seed, 0xc4a97e2]);
      x[(r * length + t) * 2] = word! / 2 ** 32;
    }
    for (const t of marked) {
      x[(r * length + t) * 2 + 1] = 1;
      y[r]! += x[(r * length + t) * 2]!;
    }
  }
  return { x: { data: x, shape: [rows, length, 2] }, y: { data: y, shape: [rows, 1] } };
}

export const longTermDependencies: Experiment = {
  method: "recurrent",
  claim: "Over 50 steps an LSTM learns what a plain recurrent net does not: the adding problem",
  criterion:
    "The adding problem, 2,000 rows for training and 500 for the test; 32 units, the last step into dense(1); Adam, clipNorm 1, 40 epochs of batches of 50, the best of the rates 3e-3, 1e-2 by training loss. " +
    "Lengths 10, 25, 50 (the shorter ones for the figure, first seed). Difference: test mean squared error at length 50, simpleRnn − lstm (always saying the mean: 0.167).",
  seeds: SEEDS,
  async run(seeds) {
    const layers = { simpleRnn, gru, lstm };
    const errors: Record<string, number[]> = { simpleRnn: [], lstm: [] };
    const points: Point[] = [];
    for (const seed of seeds)
      for (const length of LENGTHS) {
        if (length < 50 && seed !== seeds[0]) continue;
        const train = addingProblem(length, ROWS, 2 * seed);
        const test = addingProblem(length, 500, 2 * seed + 1);
        for (const [arm, layer] of Object.entries(layers)) {
          if (arm === "gru" && seed !== seeds[0]) continue;
          let best = { loss: Infinity, error: 0 };
          for (const learningRate of [3e-3, 1e-2]) {
            setSeed(seed);
            const model = sequential([layer(UNITS, { inputShape: [length, 2] }), dense(1)]);
            model.compile({ optimizer: adam({ learningRate }), loss: meanSquaredError(), clipNorm: 1 });
            const { epochs } = await model.fit(train, { epochs: 40, batchSize: 50 });
            const { loss } = epochs.at(-1)!;
            if (loss < best.loss) best = { loss, error: (await model.evaluate(test)).loss };
            model.dispose();
          }
          if (length === 50) errors[arm]?.push(best.error);
          if (seed === seeds[0]) points.push({ x: length, y: best.error, arm });
        }
      }
    return {
      differences: errors["simpleRnn"]!.map((e, i) => e - errors["lstm"]![i]!),
      of: "test mean squared error",
      figures: [
        curves("The adding problem against its length, first seed", points, {
          x: "steps",
          y: "test mean squared error",
          logY: true,
        }),
      ],
    };
  },
};
