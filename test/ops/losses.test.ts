import { AccuracyKind, LabelKind, State } from "../../assembly/isa";
import * as ops from "../../ts/ops/losses";
import { checkCoverage, checkOp, type Expected, type Reals } from "../support/checkOp";

const SIZES = [
  [1, 2],
  [3, 5],
  [7, 10],
  [65, 17],
  [1025, 3],
  [5, 1025],
] as const;
const { exp, log, log1p, max, abs } = Math;

/** Σⱼ tⱼ·(log Σ exp(x) − xⱼ) of each row, t smoothed; 0 where a row has no label. */
function crossEntropy(x: Reals, rows: (number[] | undefined)[], weights: Reals | undefined, smoothing: number) {
  const n = x.length / rows.length;
  const loss = rows.map((t, r) => {
    if (!t) return 0;
    const row = x.subarray(r * n, (r + 1) * n);
    const logSum = log(row.reduce((sum, v) => sum + exp(v), 0));
    return (
      t.reduce((sum, tj, j) => sum + ((1 - smoothing) * tj + smoothing / n) * (logSum - row[j]!), 0) *
      (weights?.[r] ?? 1)
    );
  });
  const free: Expected = new Array<undefined>(rows.length).fill(undefined); // what the backward pass keeps of a row
  return [loss, rows.map((t) => (t ? 1 : 0)), free];
}

const weightOf = (i: number) => 0.5 + (i % 4) / 2;

for (const smoothing of [0, 0.125])
  for (const weighted of [false, true]) {
    const title = `smoothing ${smoothing}${weighted ? ", weighted" : ""}`;
    const common = {
      values: { weights: weightOf },
      constants: ["labels", "weights"],
      tolerance: 4e-6,
      shapes: ({ logits }: { logits: readonly number[] }) => [[logits[0]!], [logits[0]!], [logits[0]!]],
    } as const;

    checkOp(ops.softmaxCrossEntropy, {
      ...common,
      title: `class numbers, ${title}`,
      attributes: { kind: LabelKind.index, smoothing },
      integers: ["labels"],
      cases: SIZES.map(([m, n]) => ({
        logits: [m, n],
        labels: { shape: [m], values: Array.from({ length: m }, (_, i) => (i % 5 === 4 ? -1 : (i * 7) % n)) },
        weights: weighted ? [m] : null,
      })),
      reference({ logits, labels, weights }, { logits: [m, n] }) {
        const rows = Array.from(labels, (c) =>
          c < 0 ? undefined : Array.from({ length: n! }, (_, j) => (j === c ? 1 : 0)),
        );
        return crossEntropy(logits, rows.slice(0, m), weights, smoothing);
      },
      wrong: [
        [{ logits: [2, 3, 4], labels: [2], weights: null }, /expected labels of shape \[2, 3\], got \[2\]/],
        [{ logits: [2], labels: [2], weights: null }, /expected labels of shape \[\], got \[2\]/],
        [{ logits: [2, 3, 4], labels: [2, 3], weights: [2] }, /expected weights of shape \[2, 3\], got \[2\]/],
      ],
    });

    if (!weighted)
      checkOp(ops.softmaxCrossEntropy, {
        title: `class numbers of sequences, ${title}`,
        attributes: { kind: LabelKind.index, smoothing },
        integers: ["labels"],
        constants: ["labels", "weights"],
        tolerance: 4e-6,
        shapes: ({ labels: [n, t] }) => [[n! * t!], [n! * t!], [n! * t!]],
        cases: [{ logits: [2, 3, 5], labels: { shape: [2, 3], values: [4, 0, -1, 3, 1, 1] }, weights: null }],
        reference({ logits, labels }, { logits: [, , n] }) {
          const rows = Array.from(labels, (c) =>
            c < 0 ? undefined : Array.from({ length: n! }, (_, j) => (j === c ? 1 : 0)),
          );
          return crossEntropy(logits, rows, undefined, smoothing);
        },
      });

    checkOp(ops.softmaxCrossEntropy, {
      ...common,
      title: `rows of probabilities, ${title}`,
      attributes: { kind: LabelKind.rows, smoothing },
      cases: SIZES.map(([m, n]) => ({
        logits: [m, n],
        labels: {
          shape: [m, n],
          values: Array.from({ length: m * n }, (_, i) => (i === 2 * n + 1 ? Number.NaN : (i % 3) / n)),
        },
        weights: weighted ? [m] : null,
      })),
      reference({ logits, labels, weights }, { logits: [m, n] }) {
        const rows = Array.from({ length: m! }, (_, r) => [...labels.subarray(r * n!, (r + 1) * n!)]);
        return crossEntropy(
          logits,
          rows.map((t) => (t.some(Number.isNaN) ? undefined : t)),
          weights,
          smoothing,
        );
      },
      wrong: [[{ logits: [2, 3], labels: [2, 4], weights: null }, /expected labels of shape \[2, 3\], got \[2, 4\]/]],
    });
  }

/** Σ of a row's labelled elements, and how many they are. */
function elementLoss(x: Reals, t: Reals, weights: Reals | undefined, m: number, f: (x: number, t: number) => number) {
  const n = x.length / m;
  const [loss, count] = [new Float64Array(m), new Float64Array(m)];
  t.forEach((target, i) => {
    const r = Math.floor(i / n);
    if (Number.isNaN(target)) return;
    loss[r]! += f(x[i]!, target) * (weights?.[r] ?? 1);
    count[r]!++;
  });
  return [loss, count];
}

const logit = (x: number, t: number) => max(x, 0) - x * t + log1p(exp(-abs(x)));
const probability = (p: number, t: number) => -t * log(p) - (1 - t) * log1p(-p);

for (const [op, option, f, prediction] of [
  [ops.binaryCrossEntropy, 1, logit, undefined],
  [ops.binaryCrossEntropy, 0, probability, (i: number) => 0.06 + ((i * 13) % 17) / 20],
  [ops.meanSquaredError, 0, (x: number, t: number) => (x - t) ** 2, undefined],
] as const)
  for (const weighted of [false, true])
    checkOp(op, {
      title: `option ${option}${weighted ? ", weighted" : ""}`,
      attributes: { option },
      cases: [...SIZES, [5, 3, 7] as const].map((x) => ({
        prediction: x,
        target: x,
        weights: weighted ? [x[0]] : null,
      })),
      values: {
        target: (i) => (i % 11 === 7 ? Number.NaN : (i % 5) / 4),
        weights: weightOf,
        ...(prediction && { prediction }),
      },
      constants: ["target", "weights"],
      tolerance: 4e-6,
      shapes: ({ prediction: [m] }) => [[m!], [m!]],
      reference: ({ prediction, target, weights }, s) => elementLoss(prediction, target, weights, s.prediction[0]!, f),
      wrong: [
        [{ prediction: [2, 3], target: [2, 4], weights: null }, /expected targets of shape \[n, 3\], got \[n, 4\]/],
      ],
    });

const huber = (delta: number) => (x: number, t: number) =>
  abs(x - t) < delta ? (x - t) ** 2 / 2 : delta * (abs(x - t) - delta / 2);
const sign = (i: number) => (i % 11 === 7 ? Number.NaN : i % 3 ? 1 : -1);
const counts = (i: number) => (i % 11 === 7 ? Number.NaN : i % 4);
const rate = (i: number) => 0.06 + ((i * 13) % 17) / 5;

for (const [op, option, f, prediction, target] of [
  [ops.meanAbsoluteError, 0, (x: number, t: number) => abs(x - t), undefined, undefined],
  [ops.huber, 1, huber(1), undefined, undefined],
  [ops.huber, 0.3125, huber(0.3125), undefined, undefined],
  [ops.hinge, 0, (x: number, t: number) => max(0, 1 - t * x), undefined, sign],
  [ops.poisson, 0, (x: number, t: number) => x - t * log(x + 1e-8), rate, counts],
  [ops.poisson, 1, (x: number, t: number) => exp(x) - t * x, undefined, counts],
] as const)
  for (const weighted of [false, true])
    checkOp(op, {
      title: `option ${option}${weighted ? ", weighted" : ""}`,
      attributes: { option },
      cases: [...SIZES, [5, 3, 7] as const].map((x) => ({
        prediction: x,
        target: x,
        weights: weighted ? [x[0]] : null,
      })),
      values: {
        // 1/64 off where predictions of `numbers` could meet a kink
        target: target ?? ((i) => (i % 11 === 7 ? Number.NaN : (i % 5) / 4 - 1 / 64)),
        weights: weightOf,
        ...(prediction && { prediction }),
      },
      constants: ["target", "weights"],
      tolerance: 4e-6,
      gradientTolerance: 2e-5,
      shapes: ({ prediction: [m] }) => [[m!], [m!]],
      reference: ({ prediction, target, weights }, s) => elementLoss(prediction, target, weights, s.prediction[0]!, f),
      wrong: [
        [{ prediction: [2, 3], target: [2, 4], weights: null }, /expected targets of shape \[n, 3\], got \[n, 4\]/],
      ],
    });

const kullbackLeibler = (x: Reals, t: Reals) =>
  t.reduce((sum, tj, j) => sum + (tj > 0 ? tj * (log(tj) - max(log(x[j]!), -100)) : 0), 0);
const dot = (a: Reals, b: Reals) => a.reduce((sum, v, j) => sum + v * b[j]!, 0);
const cosine = (x: Reals, t: Reals) => 1 - dot(x, t) / (Math.sqrt(dot(x, x)) * Math.sqrt(dot(t, t)));

for (const [op, f, values] of [
  [ops.kullbackLeibler, kullbackLeibler, { prediction: rate, target: (i: number) => (i % 4) / 8 }],
  [ops.cosineSimilarity, cosine, {}],
] as const)
  for (const weighted of [false, true])
    checkOp(op, {
      title: weighted ? "weighted" : "without weights",
      attributes: { option: 0 },
      cases: SIZES.map(([m, n]) => ({
        prediction: [m, n],
        target: {
          shape: [m, n],
          // one NaN masks its row
          values: Array.from({ length: m * n }, (_, i) =>
            i === 2 * n + 1 ? Number.NaN : "target" in values ? values.target(i) : ((i * 5) % 9) / 4 - 1,
          ),
        },
        weights: weighted ? [m] : null,
      })),
      values: { weights: weightOf, ...values },
      constants: ["target", "weights"],
      tolerance: 4e-6,
      gradientTolerance: 2e-5,
      shapes: ({ prediction: [m] }) => [[m!], [m!]],
      reference({ prediction, target, weights }, { prediction: [m, n] }) {
        const row = (x: Reals, r: number) => x.subarray(r * n!, (r + 1) * n!);
        const labelled = Array.from({ length: m! }, (_, r) => !row(target, r).some(Number.isNaN));
        const loss = labelled.map((l, r) => (l ? f(row(prediction, r), row(target, r)) * (weights?.[r] ?? 1) : 0));
        return [loss, labelled.map(Number)];
      },
      wrong: [
        [{ prediction: [2, 3], target: [2, 4], weights: null }, /expected targets of shape \[n, 3\], got \[n, 4\]/],
      ],
    });

const sum = (x: Reals) => x.reduce((a, b) => a + b, 0);
const ROWS = [1, 3, 17, 1025];

for (const denominator of [0, 12]) {
  const output = denominator ? 2 : 1;
  const prepare = ({ state }: { state: { f32: Float32Array } }) => {
    state.f32[State.denominators + 2] = denominator;
  };
  checkOp(ops.meanLoss, {
    title: denominator ? "over a count that is given" : "over the batch's count",
    attributes: { output },
    cases: ROWS.map((m) => ({ rowLoss: [m], rowCount: [m], result: [1, 4] })),
    values: { rowCount: (i) => 1 + (i % 3) },
    writes: ["result"],
    prepare,
    reference({ rowLoss, rowCount, result }) {
      const count = denominator || sum(rowCount);
      return [count ? sum(rowLoss) / count : 0, sum(rowLoss), sum(rowCount), result[3]!];
    },
  });
  checkOp(ops.meanLossBackward, {
    title: denominator ? "over a count that is given" : "over the batch's count",
    attributes: { output },
    cases: ROWS.map((m) => ({ result: { shape: [1, 4], values: [3, 5, 6, 0.75] }, rowLoss: [m] })),
    shapes: ({ rowLoss }) => [rowLoss],
    prepare,
    reference: ({ rowLoss }) => rowLoss.map(() => 0.75 / (denominator || 6)),
  });
}

checkOp(ops.meanLoss, {
  title: "of nothing labelled is 0",
  attributes: { output: -1 },
  cases: [{ rowLoss: { shape: [3], values: [0, 0, 0] }, rowCount: { shape: [3], values: [0, 0, 0] }, result: [1, 4] }],
  writes: ["result"],
  reference: ({ result }) => [0, 0, 0, result[3]!],
});

const argmax = (x: Reals) => x.indexOf(x.reduce((a, b) => max(a, b)));

for (const weighted of [false, true]) {
  checkOp(ops.accuracy, {
    title: `class numbers${weighted ? ", weighted" : ""}`,
    attributes: { kind: AccuracyKind.index },
    integers: ["labels"],
    cases: SIZES.map(([m, n]) => ({
      prediction: [m, n],
      labels: { shape: [m], values: Array.from({ length: m }, (_, i) => (i % 5 === 4 ? -1 : i % 2)) },
      weights: weighted ? [m] : null,
    })),
    values: { weights: weightOf },
    shapes: ({ prediction: [m] }) => [[m!], [m!]],
    reference({ prediction, labels, weights }, { prediction: [m, n] }) {
      const weight = Array.from({ length: m! }, (_, r) => (labels[r]! < 0 ? 0 : (weights?.[r] ?? 1)));
      return [weight.map((w, r) => (argmax(prediction.subarray(r * n!, (r + 1) * n!)) === labels[r] ? w : 0)), weight];
    },
  });
  if (!weighted)
    checkOp(ops.accuracy, {
      title: "class numbers of sequences",
      attributes: { kind: AccuracyKind.index },
      integers: ["labels"],
      cases: [
        {
          prediction: [3, 5, 4],
          labels: { shape: [3, 5], values: Array.from({ length: 15 }, (_, i) => (i % 5) - 1) },
          weights: null,
        },
      ],
      shapes: () => [[15], [15]],
      reference: ({ prediction, labels }) => [
        labels.map((c, r) => +(argmax(prediction.subarray(r * 4, (r + 1) * 4)) === c)),
        labels.map((c) => +(c >= 0)),
      ],
    });
  checkOp(ops.accuracy, {
    title: `elements cut at 0${weighted ? ", weighted" : ""}`,
    attributes: { kind: AccuracyKind.binaryLogits },
    cases: SIZES.map((x) => ({ prediction: x, labels: x, weights: weighted ? [x[0]] : null })),
    values: { labels: (i) => (i % 7 === 3 ? Number.NaN : i % 2), weights: weightOf },
    shapes: ({ prediction: [m] }) => [[m!], [m!]],
    reference({ prediction, labels, weights }, { prediction: [m] }) {
      const [right, all] = elementLoss(prediction, labels, weights, m!, (x, t) => (x > 0 === t > 0.5 ? 1 : 0));
      return [right!, all!.map((count, r) => count * (weights?.[r] ?? 1))];
    },
  });
}

checkCoverage(ops);
