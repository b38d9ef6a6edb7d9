// layerNorm and groupNorm as layers; their numbers are held against PyTorch's in test/oracle/layers.test.ts.

import { afterAll, expect, test } from "vitest";
import {
  adam,
  alphaDropout,
  dense,
  flatten,
  gaussianDropout,
  gaussianNoise,
  groupNorm,
  init,
  input,
  l2,
  layerNorm,
  loadModel,
  type Model,
  meanSquaredError,
  type NDArray,
  saveModel,
  sequential,
  setSeed,
  spatialDropout2d,
  weightsHash,
} from "../../ts/index";
import { bitsOf, floats, thrown } from "../support/contract";
import "../support/everyTeam";

const x: NDArray = { data: floats(53 * 6 * 7 * 24), shape: [53, 6, 7, 24] };
const y: NDArray = { data: floats(53 * 5, 2), shape: [53, 5] };

/** With all that normalizes or disturbs an example by itself. */
function everything(): Model<NDArray> {
  setSeed(3);
  const model = sequential([
    gaussianNoise(0.1, { inputShape: [6, 7, 24] }),
    dense(48, { activation: "selu" }),
    groupNorm(6, { gammaRegularizer: l2(0.01) }),
    spatialDropout2d(0.2),
    flatten(),
    alphaDropout(0.1),
    dense(128),
    layerNorm({ betaRegularizer: l2(0.01) }),
    gaussianDropout(0.3),
    dense(5),
  ]);
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  return model;
}

afterAll(() => init());

test("steps have the same bits on 1, 2 and 3 threads, and after a file", async () => {
  const hashes: string[] = [];
  for (const threads of [1, 2, 3]) {
    const runtime = await init({ threads });
    const model = everything();
    for (let i = 0; i < 3; i++) model.trainOnBatch(x, y);
    const loaded = (await loadModel(await saveModel(model as Model), { runtime })) as Model<NDArray>;
    for (const m of [model, loaded]) m.trainOnBatch(x, y);
    hashes.push(await weightsHash(model as Model), await weightsHash(loaded as Model));
    runtime.dispose();
  }
  expect(new Set(hashes).size).toBe(1);
});

test("each example is normalized by itself, in training and otherwise", () => {
  setSeed(1);
  using model = sequential([groupNorm(4, { inputShape: [6, 7, 24] }), layerNorm()]);
  const want = bitsOf(model.predict(x));
  expect(bitsOf(model.predict(x, { training: true }))).toEqual(want);
  expect(bitsOf(model.predict(x, { batchSize: 1 }))).toEqual(want);
});

test("gamma 1 and beta 0 at first, one a channel: each set has mean 0 and variance σ²/(σ² + ε)", () => {
  using model = sequential([groupNorm(4, { inputShape: [6, 7, 24] })]);
  expect(Object.entries(model.getWeights()).map(([key, { shape }]) => [key, shape])).toEqual([
    ["groupNorm_1/gamma", [24]],
    ["groupNorm_1/beta", [24]],
  ]);
  const { data } = model.predict(x);
  for (let group = 0; group < 4; group++) {
    let [sum, squares] = [0, 0];
    for (let p = 0; p < 42; p++)
      for (let c = 0; c < 6; c++) {
        const v = data[p * 24 + group * 6 + c]!;
        sum += v / 252;
        squares += (v * v) / 252;
      }
    expect(sum).toBeCloseTo(0, 5);
    expect(squares).toBeCloseTo(1, 3);
  }
});

test("a set without variance becomes beta, also far from 0", () => {
  using model = sequential([layerNorm({ inputShape: [5] })]);
  for (const value of [0, 1, 12345.678, -1e30])
    expect(model.predict([new Array(5).fill(value)]).data).toEqual(new Float32Array(5));
});

test("channels that groups do not divide, and no axis", () => {
  const wrong = () => groupNorm(3, { name: "g" })(input([2, 4]));
  thrown("shape", wrong, "g: expected input of shape [n, …, c], c a multiple of 3, got [n, 2, 4]");
  thrown("shape", () => layerNorm()(input([])), /^layerNorm: expected input of shape \[n, …, c\]/);
});

test("gammaRegularizer and betaRegularizer are in the penalty; others are not", () => {
  const penalty = (options: object) => {
    using model = sequential([layerNorm({ inputShape: [4], ...options })]);
    model.compile({ optimizer: adam(), loss: meanSquaredError() });
    return model.testOnBatch([[1, 2, 3, 4]], [[0, 0, 0, 0]])["penalty"];
  };
  expect(penalty({})).toBe(0);
  expect(penalty({ gammaRegularizer: l2(0.5) })).toBeCloseTo(1, 6);
  expect(penalty({ betaRegularizer: l2(0.5) })).toBe(0);
});
