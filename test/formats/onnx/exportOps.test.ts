// Whoever adds an op is told: it is exported, or it is one that predictions have no use for.

import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { translations } from "../../../ts/formats/onnx/export/exportOps";
import type { OpDefinition } from "../../../ts/graph/graph";

const TRANSLATIONS = translations();

/** Of training alone: gradients, losses, metrics, random numbers, steps. `gather` is an input. */
const TRAINING = `
attackStart attackStep constantLike
augmentMatrices resample erase adjust mixDraw mixRows shuffle
dropout gaussian spatialDropout
batchNorm movingAverage runningMean
columnSums bilinearBackward conv2dBackward maxPool2dBackward
softmaxCrossEntropy binaryCrossEntropy meanSquaredError meanAbsoluteError huber hinge poisson kullbackLeibler cosineSimilarity
oneHot meanLoss meanLossBackward objective
accuracy topKAccuracy confusion squareSums scoreHistogram
activityPenalty activityPenaltyBackward penaltyGradient tieBackward tieStep
initialize guard optimizerStep accumulate copy fill mask normConstraint nonNegative
gather`.split(/\s+/);

test("every op of ts/ops is in the table, or in the list of those that predictions do without", async () => {
  const files = readdirSync(new URL("../../../ts/ops", import.meta.url)).map((file) => file.replace(/\.ts$/, ""));
  const modules = await Promise.all(files.map((file) => import(`../../../ts/ops/${file}.ts`)));
  const ops = modules.flatMap((module) =>
    Object.values(module as object).filter((value): value is OpDefinition => typeof value?.lower === "function"),
  );
  const names = new Set(ops.map(({ name }) => name));
  expect(names.size).toBeGreaterThan(60);
  expect([...names].filter((name) => !Object.hasOwn(TRANSLATIONS, name) && !TRAINING.includes(name))).toEqual([]);
  expect(Object.keys(TRANSLATIONS).filter((name) => !names.has(name))).toEqual([]);
  expect(TRAINING.filter((name) => name && (!names.has(name) || Object.hasOwn(TRANSLATIONS, name)))).toEqual([]);
});
