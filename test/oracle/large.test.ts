// A net whose sizes cross the kernels' blocks, chunks and tails, against PyTorch (large.py).

import { expect, test } from "vitest";
import {
  adam,
  batchNorm,
  dense,
  l1,
  l1l2,
  l2,
  type NDArray,
  prelu,
  relu,
  sequential,
  softmaxCrossEntropy,
} from "../../ts/index";
import { expectClose, fixture } from "../support/oracle";

const { losses, penalties, after } = fixture<{
  losses: number[];
  penalties: number[];
  after: Record<string, { norm: number; samples: number[] }>;
}>("large");

const ROWS = 1031;
const [A, B, C, D] = [67, 131, 65, 10];

/** (i²·7 + i·seed) mod 1009 in ±scale. */
function numbers(shape: number[], seed: number, scale = 1, offset = 0): NDArray {
  const n = shape.reduce((a, b) => a * b, 1);
  const value = (i: number) => offset + Math.fround(scale * ((((i * i * 7 + i * seed) % 1009) * 2) / 1009 - 1));
  return { data: Float32Array.from({ length: n }, (_, i) => value(i)), shape };
}

const initial = {
  "dense_1/kernel": numbers([A, B], 1, 0.25),
  "batchNorm_1/gamma": numbers([B], 2, 0.25, 1),
  "batchNorm_1/beta": numbers([B], 3, 0.25),
  "dense_2/kernel": numbers([B, C], 4, 0.125),
  "dense_2/bias": numbers([C], 5, 0.25),
  "prelu_1/alpha": numbers([C], 6, 0.25),
  "dense_3/kernel": numbers([C, D], 7, 0.25),
  "dense_3/bias": numbers([D], 8, 0.25),
};
const x = numbers([ROWS, A], 9);
const y = Int32Array.from({ length: ROWS }, (_, i) => (Math.floor((i * i) / 3) % 11) - 1);
const sampleWeight = numbers([ROWS], 10, 1, 1);

function net() {
  const model = sequential([
    dense(B, { inputShape: [A], useBias: false, kernelRegularizer: l2(1e-3) }),
    batchNorm(),
    relu(),
    dense(C, { kernelRegularizer: l1(1e-4), activityRegularizer: l1l2({ l1: 1e-3, l2: 2e-3 }) }),
    prelu(),
    dense(D),
  ]);
  model.compile({
    optimizer: adam({ learningRate: 0.002, epsilon: 1e-4 }),
    loss: softmaxCrossEntropy(),
    clipNorm: 0.5,
  });
  model.setWeights({ ...model.getWeights(), ...initial });
  return model;
}

function expectAfter(weights: Record<string, NDArray>) {
  expect(Object.keys(weights).sort()).toEqual(Object.keys(after).sort());
  for (const [key, { norm, samples }] of Object.entries(after)) {
    const { data } = weights[key]!;
    expectClose(`norm of ${key}`, [Math.hypot(...data)], [norm], { relative: 1e-5 });
    const every = data.filter((_, i) => i % 101 === 0);
    expectClose(key, every, samples, { absolute: 1e-5, relative: 1e-4 });
  }
}

test("ten steps by trainOnBatch", () => {
  using model = net();
  for (const [step, loss] of losses.entries()) {
    const logs = model.trainOnBatch(x, y, { sampleWeight });
    expect(Math.abs(logs.loss - loss), `loss of step ${step}`).toBeLessThan(1e-5);
    expect(Math.abs(logs.penalty - penalties[step]!), `penalty of step ${step}`).toBeLessThan(1e-6);
  }
  expectAfter(model.getWeights());
});

test("ten epochs of one batch by fit", async () => {
  using model = net();
  const { epochs } = await model.fit(
    { x, y, sampleWeight },
    { epochs: losses.length, batchSize: ROWS, shuffle: false },
  );
  for (const [epoch, { loss }] of epochs.entries()) expect(Math.abs(loss - losses[epoch]!)).toBeLessThan(1e-5);
  expectAfter(model.getWeights());
});
