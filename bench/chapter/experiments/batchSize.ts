import { dense, relu, sequential, setSeed, sgd, softmaxCrossEntropy } from "downhill";
import { permutation, rows } from "../data";
import { type Experiment, SEEDS } from "../experiment";
import { curves, type Point } from "../figures";

const SIZES = [4, 8, 16, 32, 64, 128];
const DRAWS = 40;

export const minibatchGradient: Experiment = {
  method: "batch-size",
  claim: "The standard error of a minibatch's gradient falls as 1/√n",
  criterion:
    "MLP of 32 ReLU units at its initial weights; 40 random minibatches each of n = 4, 8, …, 128 of 1,000 rows (drawn with replacement); the root mean square " +
    "distance of their gradients from that of all rows. Difference: 0.05 − |slope of log error against log n + 0.5|.",
  seeds: SEEDS,
  run(seeds, data) {
    const differences: number[] = [];
    const points: Point[] = [];
    const notes: string[] = [];
    for (const seed of seeds) {
      const { train } = data.split(seed, 1000, 100);
      setSeed(seed);
      const model = sequential([dense(32, { inputShape: [data.features] }), relu(), dense(data.classes)]);
      model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
      const gradientOf = ({ x, y }: typeof train) =>
        Object.values(model.gradients(x, y).parameters).flatMap((g) => [...g.data]);
      const whole = gradientOf(train);
      /** The root mean square distance of gradients of n rows, drawn of `copies` copies of the rows. */
      const errorOf = (n: number, copies: number) => {
        let sum = 0;
        for (let draw = 0; draw < DRAWS; draw++) {
          const order = permutation(1000 * copies, 1 + seed + 1000 * draw + 100_000 * n);
          const batch = Array.from({ length: n }, (_, i) => order[(i * 7919) % order.length]! % 1000);
          sum += gradientOf(rows(train, batch)).reduce((s, g, i) => s + (g - whole[i]!) ** 2, 0);
        }
        return Math.sqrt(sum / DRAWS);
      };
      const errors = SIZES.map((n) => errorOf(n, 50)); // of 50 copies: as good as with replacement
      const slope = slopeOf(SIZES.map(log2), errors.map(log2));
      differences.push(0.05 - Math.abs(slope + 0.5));
      errors.forEach((y, i) => {
        points.push({ x: SIZES[i]!, y, arm: `seed ${seed}` });
      });
      notes.push(`seed ${seed}: slope ${slope.toFixed(3)}`);
      if (seed === seeds[0]) {
        const twice = rows(
          train,
          [...Array(2000).keys()].map((i) => i % 1000),
        );
        const same = Math.max(...gradientOf(twice).map((g, i) => Math.abs(g - whole[i]!)));
        notes.push(
          `every example twice: batch gradient descent costs twice as much for a gradient that differs by ${same.toExponential(1)}; a minibatch of 32 costs what it did, error ${errorOf(32, 100).toFixed(3)} against ${errors[3]!.toFixed(3)}`,
        );
      }
      model.dispose();
    }
    return {
      differences,
      of: "0.05 − |slope + 0.5|",
      figures: [curves("Error of the gradient against n", points, { x: "n", y: "error", logX: true, logY: true })],
      notes,
    };
  },
};

const log2 = (x: number) => Math.log2(x);

/** Of the least-squares line. */
export function slopeOf(x: readonly number[], y: readonly number[]): number {
  const mx = x.reduce((s, v) => s + v, 0) / x.length;
  const my = y.reduce((s, v) => s + v, 0) / y.length;
  const xy = x.reduce((s, v, i) => s + (v - mx) * (y[i]! - my), 0);
  return xy / x.reduce((s, v) => s + (v - mx) ** 2, 0);
}
