import { AccuracyKind, Score } from "../../assembly/isa";
import * as ops from "../../ts/ops/metrics";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";

const SIZES = [
  [1, 2],
  [3, 5],
  [65, 17],
  [1025, 3],
] as const;
const weightOf = (i: number) => 0.5 + (i % 4) / 2;
const rowOf = (x: Reals, r: number, n: number) => x.subarray(r * n, (r + 1) * n);
const argmax = (x: Reals) => x.indexOf(x.reduce((a, b) => Math.max(a, b)));

/** Class numbers, or rows of which some have a NaN. */
const labelsOf = (kind: AccuracyKind, m: number, n: number) =>
  kind === AccuracyKind.index
    ? { shape: [m], values: Array.from({ length: m }, (_, i) => (i % 5 === 4 ? -1 : (i * 7) % n)) }
    : {
        shape: [m, n],
        values: Array.from({ length: m * n }, (_, i) => (i % 23 === 7 ? Number.NaN : ((i * 5) % 7) / 7)),
      };

/** The class of a row; −1: none. */
function classOf(labels: Reals, r: number, n: number, kind: AccuracyKind): number {
  if (kind === AccuracyKind.index) return labels[r]!;
  const row = rowOf(labels, r, n);
  return row.some(Number.isNaN) ? -1 : argmax(row);
}

for (const kind of [AccuracyKind.index, AccuracyKind.rows])
  for (const [k, weighted] of [
    [1, false],
    [2, true],
    [40, false],
  ] as const)
    checkOp(ops.topKAccuracy, {
      title: `${kind === AccuracyKind.index ? "class numbers" : "rows"}, k = ${k}${weighted ? ", weighted" : ""}`,
      attributes: { kind, k },
      ...(kind === AccuracyKind.index && { integers: ["labels"] }),
      cases: SIZES.map(([m, n]) => ({
        prediction: [m, n],
        labels: labelsOf(kind, m, n),
        weights: weighted ? [m] : null,
      })),
      // equal numbers are among them
      values: { prediction: (i) => (i * 13) % 5, weights: weightOf },
      shapes: ({ prediction: [m] }) => [[m!], [m!]],
      reference({ prediction, labels, weights }, { prediction: [m, n] }) {
        const rows = Array.from({ length: m! }, (_, r) => r);
        const weight = rows.map((r) => (classOf(labels, r, n!, kind) < 0 ? 0 : (weights?.[r] ?? 1)));
        const right = rows.map((r) => {
          const x = rowOf(prediction, r, n!);
          const order = [...x.keys()].sort((a, b) => x[b]! - x[a]! || a - b);
          return order.slice(0, k).includes(classOf(labels, r, n!, kind)) ? weight[r]! : 0;
        });
        return [right, weight];
      },
    });

for (const kind of [AccuracyKind.index, AccuracyKind.rows, AccuracyKind.binaryLogits, AccuracyKind.binaryProbabilities])
  for (const weighted of [false, true])
    checkOp(ops.confusion, {
      title: `kind ${kind}${weighted ? ", weighted" : ""}`,
      attributes: { kind },
      ...(kind === AccuracyKind.index && { integers: ["labels"] }),
      cases: SIZES.map(([m, n]) => ({
        prediction: [m, n],
        labels: labelsOf(kind, m, n),
        weights: weighted ? [m] : null,
        sums: [n, 3],
      })),
      values: { weights: weightOf },
      writes: ["sums"],
      reference({ prediction, labels, weights }, { prediction: [m, n] }) {
        const sums = new Float64Array(3 * n!);
        for (let r = 0; r < m!; r++) {
          const x = rowOf(prediction, r, n!);
          const label = kind > AccuracyKind.rows ? 0 : classOf(labels, r, n!, kind);
          for (let j = 0; j < n!; j++) {
            const t = kind > AccuracyKind.rows ? rowOf(labels, r, n!)[j]! : +(j === label);
            if (Number.isNaN(t) || label < 0) continue;
            const cut = kind === AccuracyKind.binaryLogits ? 0 : 0.5;
            const predicted = kind > AccuracyKind.rows ? x[j]! > cut : argmax(x) === j;
            [predicted && t > 0.5, predicted, t > 0.5].forEach((counts, i) => {
              if (counts) sums[3 * j + i]! += weights?.[r] ?? 1;
            });
          }
        }
        return sums;
      },
    });

for (const weighted of [false, true])
  checkOp(ops.squareSums, {
    title: weighted ? "weighted" : "without weights",
    cases: SIZES.map(([m, n]) => ({
      prediction: [m, n],
      target: [m, n],
      weights: weighted ? [m] : null,
      sums: [n, 8],
    })),
    values: { weights: weightOf, target: (i) => (i % 11 === 7 ? Number.NaN : 1e3 + (i % 5) / 4) },
    writes: ["sums"],
    tolerance: 1e-12,
    reference({ prediction, target, weights }, { prediction: [m, n] }) {
      const sums = new Float64Array(4 * n!);
      for (let r = 0; r < m!; r++)
        for (let j = 0; j < n!; j++) {
          const [w, t] = [weights?.[r] ?? 1, target[r * n! + j]!];
          if (Number.isNaN(t)) continue;
          [w, w * t, w * t * t, w * (t - prediction[r * n! + j]!) ** 2].forEach((v, i) => {
            sums[4 * j + i]! += v;
          });
        }
      // in two floats each
      return [...sums].flatMap((v) => [Math.fround(v), Math.fround(v - Math.fround(v))]);
    },
  });

const softmaxLogit = (x: Reals, j: number) =>
  x[j]! - Math.log(x.reduce((sum, v, i) => sum + (i === j ? 0 : Math.exp(v)), 0));

for (const [kind, score] of [
  [AccuracyKind.index, Score.softmax],
  [AccuracyKind.rows, Score.softmax],
  [AccuracyKind.rows, Score.probability],
  [AccuracyKind.binaryLogits, Score.value],
  [AccuracyKind.binaryProbabilities, Score.probability],
] as const)
  for (const weighted of [false, true])
    checkOp(ops.scoreHistogram, {
      title: `kind ${kind}, score ${score}${weighted ? ", weighted" : ""}`,
      attributes: { kind, score, bins: 16 },
      ...(kind === AccuracyKind.index && { integers: ["labels"] }),
      cases: SIZES.map(([m, n]) => ({
        prediction: [m, n],
        labels: labelsOf(kind, m, n),
        weights: weighted ? [m] : null,
        sums: [n, 96],
      })),
      values: {
        weights: weightOf,
        // no score on a bin's border
        prediction: (i) => (score === Score.probability ? ((i * 29) % 97) / 96 : ((i * 29) % 97) / 9.7 - 5.03),
      },
      writes: ["sums"],
      reference({ prediction, labels, weights }, { prediction: [m, n] }) {
        const sums = new Float64Array(96 * n!);
        for (let r = 0; r < m!; r++) {
          const x = rowOf(prediction, r, n!);
          const label = kind > AccuracyKind.rows ? 0 : classOf(labels, r, n!, kind);
          for (let j = 0; j < n!; j++) {
            const t = kind > AccuracyKind.rows ? rowOf(labels, r, n!)[j]! : +(j === label);
            if (Number.isNaN(t) || label < 0) continue;
            const logit = Math.log(x[j]!) - Math.log(1 - x[j]!);
            const s = score === Score.value ? x[j]! : score === Score.softmax ? softmaxLogit(x, j) : logit;
            const z = Number.isFinite(s) ? s / (1 + Math.abs(s)) : Math.sign(s);
            const at = ((z + 1) / 2) * 16;
            const bin = Math.min(15, Math.floor(at));
            const [w, u] = [weights?.[r] ?? 1, at - bin - 0.5];
            [w, w * u, w * u * u].forEach((v, k) => {
              sums[3 * (32 * j + 16 * +(t > 0.5) + bin) + k]! += v;
            });
          }
        }
        return sums;
      },
    });

checkCoverage(ops);
