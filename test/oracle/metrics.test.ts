// Metrics of given predictions, against scikit-learn's (metrics.py): over all examples together, in batches of any size, and
// of one batch.

import { expect, test } from "vitest";
import {
  auc,
  dense,
  f1,
  meanAbsoluteError,
  precision,
  recall,
  rSquared,
  sequential,
  sgd,
  topKAccuracy,
} from "../../ts/index";
import { array, arrays, build, fixture, type Nested } from "../support/oracle";

type Figures = [precision: number, recall: number, f1: number];

interface Case {
  loss: string;
  options: object;
  prediction: Nested[];
  y: Nested;
  weight: number[] | null;
  expected: {
    binary?: Figures;
    macro?: Figures;
    micro?: Figures;
    auc?: number;
    top2?: number;
    rSquared?: number;
    meanAbsoluteError?: number;
  };
}

const { cases } = fixture<{ cases: Case[] }>("metrics");

/** The expected figures by the names that the logs have. */
function expectedOf({ expected: { binary, macro = binary, micro, ...rest } }: Case): Record<string, number> {
  const { top2, ...named } = rest;
  const names = ["precision", "recall", "f1"];
  const entries = [
    ...names.map((name, i) => [name, macro?.[i]]),
    ...names.map((name, i) => [`${name}_1`, micro?.[i]]),
    ["topKAccuracy", top2],
    ...Object.entries(named),
  ];
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function modelOf({ loss, options, prediction, expected }: Case) {
  const { shape } = array(prediction);
  const n = shape[1]!;
  const model = sequential([dense(n, { inputShape: [n] })]);
  const average = "micro" as const;
  const metrics =
    expected.rSquared === undefined
      ? [
          ...[precision(), recall(), f1(), auc()],
          ...(expected.micro ? [precision({ average }), recall({ average }), f1({ average })] : []),
          ...(expected.top2 === undefined ? [] : [topKAccuracy({ k: 2 })]),
        ]
      : [rSquared(), meanAbsoluteError()];
  model.compile({ optimizer: sgd(), loss: build([loss, options]), metrics });
  const kernel = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => +(i === j)));
  model.setWeights(arrays({ "dense_1/kernel": kernel, "dense_1/bias": kernel[0]!.map(() => 0) }));
  return model;
}

cases.forEach((c, i) => {
  const { loss, prediction, y, weight } = c;
  const [x, labels] = [array(prediction), array(y)];
  test(`${i}: ${loss}, predictions [${x.shape}], targets [${labels.shape}]${weight ? ", weighted" : ""}`, async () => {
    using model = modelOf(c);
    const expected = expectedOf(c);
    const check = (what: string, logs: Record<string, number>) => {
      // the area is counted in bins: two different scores in one bin are a pair of some 700, or weigh as much as ten
      for (const [name, value] of Object.entries(expected))
        expect(
          Math.abs(logs[name]! - value),
          `${what}: ${name}: ${logs[name]}, scikit-learn has ${value}`,
        ).toBeLessThan(name === "auc" ? 2e-5 : 2e-6);
    };
    const sampleWeight = weight ?? undefined;
    check("one batch", model.testOnBatch(x, labels, { ...(weight && { sampleWeight: weight }) }));
    for (const batchSize of [61, 17, 1])
      check(`batches of ${batchSize}`, await model.evaluate({ x, y: labels, sampleWeight }, { batchSize }));
    const { epochs } = await model.fit({ x, y: labels, sampleWeight }, { epochs: 1, batchSize: 61 });
    check("an epoch of one batch", epochs[0]!);
  });
});
