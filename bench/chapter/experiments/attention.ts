import {
  adam,
  add,
  dense,
  embedding,
  functional,
  input,
  lstm,
  multiHeadAttention,
  positionEmbedding,
  setSeed,
  softmaxCrossEntropy,
} from "downhill";
import { philox4x32 } from "downhill/random";
import { type Experiment, SEEDS } from "../experiment";
import { curves, type Point } from "../figures";

const SYMBOLS = 8;
const LENGTHS = [4, 8, 16];

/** `length` random symbols, then a place among them; the class at the last step is the symbol that stood there. */
function recallProblem(length: number, rows: number, seed: number) {
  const steps = length + 1;
  const x = new Uint8Array(rows * steps);
  const y = new Int32Array(rows * steps).fill(-1);
  for (let r = 0; r < rows; r++) {
    for (let t = 0; t < steps; t++) {
      const [word] = philox4x32([r, 5, length, t], [seed, 0xc4a97e2]);
      x[r * steps + t] = t < length ? word! % SYMBOLS : SYMBOLS + (word! % length);
    }
    const last = (r + 1) * steps - 1;
    y[last] = x[r * steps + x[last]! - SYMBOLS]!;
  }
  return { x: { data: x, shape: [rows, steps] }, y: { data: y, shape: [rows, steps] } };
}

/** What looks back: a symbol's vector knows its place, and the last step asks for one; or an LSTM carries all along. */
function modelOf(arm: string, length: number, learningRate: number) {
  const ids = input([length + 1]);
  let h = embedding(SYMBOLS + length, 32)(ids);
  if (arm === "attention") {
    h = positionEmbedding()(h);
    h = add()([h, multiHeadAttention(2, 16)(h)]);
  } else h = lstm(32, { returnSequences: true })(h);
  const model = functional({ inputs: ids, outputs: dense(SYMBOLS)(dense(32, { activation: "relu" })(h)) });
  const options = { loss: softmaxCrossEntropy(), metrics: ["accuracy"] as const, clipNorm: 1 };
  model.compile({ ...options, optimizer: adam({ learningRate }) });
  return model;
}

export const attentionAgainstState: Experiment = {
  method: "attention",
  claim:
    "Attention finds what stood at a place named afterwards, which an LSTM of more parameters does not carry along",
  criterion:
    "16 random symbols of 8 kinds, then a place: the class is the symbol that stood there; 2,000 sequences for training and 500 for the test. Embedding 32, then attention of two heads with positions " +
    "and a residual, or lstm(32); dense 32, dense 8. Adam, clipNorm 1, 12 epochs of batches of 50, the best of the rates 3e-3, 1e-2 by training loss. Lengths 4 and 8 for the figure, first seed. Difference: test accuracy at length 16, attention − lstm.",
  seeds: SEEDS,
  async run(seeds) {
    const accuracies: Record<string, number[]> = { lstm: [], attention: [] };
    const parameters: Record<string, number> = {};
    const points: Point[] = [];
    for (const seed of seeds)
      for (const length of LENGTHS) {
        if (length < 16 && seed !== seeds[0]) continue;
        const train = recallProblem(length, 2000, 2 * seed);
        const test = recallProblem(length, 500, 2 * seed + 1);
        for (const arm of Object.keys(accuracies)) {
          let best = { loss: Infinity, accuracy: 0 };
          for (const learningRate of [3e-3, 1e-2]) {
            setSeed(seed);
            const model = modelOf(arm, length, learningRate);
            parameters[arm] = model.countParams();
            const { epochs } = await model.fit(train, { epochs: 12, batchSize: 50 });
            const { loss } = epochs.at(-1)!;
            if (loss < best.loss) best = { loss, accuracy: (await model.evaluate(test))["accuracy"]! };
            model.dispose();
          }
          if (length === 16) accuracies[arm]!.push(best.accuracy);
          if (seed === seeds[0]) points.push({ x: length, y: best.accuracy, arm });
        }
      }
    return {
      differences: accuracies["attention"]!.map((a, i) => a - accuracies["lstm"]![i]!),
      of: "test accuracy",
      notes: [
        Object.entries(parameters)
          .map(([arm, n]) => `${arm}: ${n} parameters`)
          .join(", "),
      ],
      figures: [
        curves("Recall against the length of the sequence, first seed (chance: 1/8)", points, {
          x: "symbols",
          y: "test accuracy",
        }),
      ],
    };
  },
};
