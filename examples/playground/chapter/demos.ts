// Small runs on the digits, in the worker, of what is no setting of the Train tab: several outputs, several nets. As the experiments
// of bench/chapter have them, at one learning rate and one seed.

import {
  activation,
  adam,
  dense,
  dropout,
  functional,
  input,
  type NDArray,
  type Symbolic,
  setSeed,
  softmaxCrossEntropy,
  tied,
} from "downhill";
import { philox4x32 } from "downhill/random";
import { dataOf, type Rows } from "../train/datasets";
import { defaults } from "../train/settings";
import { ARMS, type DemoName, type DemoReply, type DemoRequest } from "./protocol";

const SEED = 0;
const PIXELS = 64;

/** `examples` of the digits in a random order, and the test images. */
async function digitsOf(examples: number, labelNoise: number): Promise<{ train: Rows; test: Rows }> {
  const settings = { ...defaults("digits"), examples, labelNoise, validation: 0, seed: SEED };
  const { training, test } = await dataOf(settings);
  return { train: training, test: test! };
}

const imagesOf = ({ x }: Rows): NDArray => ({ data: x, shape: [x.length / PIXELS, PIXELS] });

function select({ x, labels }: Rows, numbers: readonly number[]): Rows {
  const picked = new Float32Array(numbers.length * PIXELS);
  numbers.forEach((row, i) => {
    picked.set(x.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS);
  });
  return { x: picked, labels: Int32Array.from(numbers, (row) => labels[row]!) };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Units with ReLU on x. */
const hidden = (units: number, x: Symbolic, name?: string): Symbolic =>
  activation("relu")(dense(units, { ...(name && { name }) })(x));

/** A digit that few rows are labelled with, beside its place in four groups, with which all are. */
async function multitask(arm: string): Promise<number> {
  const { train, test } = await digitsOf(1000, 0);
  const groups = (labels: Int32Array) => labels.map((digit) => [0, 0, 0, 1, 1, 2, 2, 3, 3, 3][digit]!);
  setSeed(SEED);
  const x = input([PIXELS]);
  const trunk = hidden(128, x);
  const model = functional({ inputs: x, outputs: { digit: dense(10)(trunk), group: dense(4)(trunk) } });
  try {
    model.compile({
      optimizer: adam({ learningRate: 1e-3 }),
      loss: { digit: softmaxCrossEntropy(), group: softmaxCrossEntropy() },
      lossWeights: { digit: 1, group: arm === "together" ? 1 : 0 },
      metrics: { digit: ["accuracy"] },
    });
    const few = train.labels.map((label, i) => (i < 60 ? label : -1));
    await model.fit({ x: imagesOf(train), y: { digit: few, group: groups(train.labels) } }, { epochs: 40 });
    const y = { digit: test.labels, group: groups(test.labels) };
    return (await model.evaluate({ x: imagesOf(test), y }))["digitAccuracy"]!;
  } finally {
    model.dispose();
  }
}

/** Two nets, one on 60 images, one on 60 others of half the contrast: the mean of their accuracies. */
async function parameterTying(arm: string): Promise<number> {
  const { train, test } = await digitsOf(120, 0);
  const pale = (rows: Rows): Rows => ({ ...rows, x: rows.x.map((v) => 0.25 + v / 2) });
  const examples = (a: Rows, b: Rows) => ({
    x: { a: imagesOf(a), b: imagesOf(b) },
    y: { a: a.labels, b: b.labels },
  });
  setSeed(SEED);
  const inputs = { a: input([PIXELS]), b: input([PIXELS]) };
  const net = (name: "a" | "b") => dense(10, { name: `${name}2` })(hidden(128, inputs[name], `${name}1`));
  const model = functional({ inputs, outputs: { a: net("a"), b: net("b") } });
  try {
    model.compile({
      optimizer: adam({ learningRate: 3e-3 }),
      loss: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() },
      metrics: { a: ["accuracy"], b: ["accuracy"] },
      penalties: arm === "tied" ? [tied("a1", "b1", 0.1), tied("a2", "b2", 0.1)] : [],
    });
    const [first, second] = [select(train, range(0, 60)), select(train, range(60, 120))];
    await model.fit(examples(first, pale(second)), { epochs: 60, batchSize: 20 });
    const logs = await model.evaluate(examples(test, pale(test)));
    return (logs["aAccuracy"]! + logs["bAccuracy"]!) / 2;
  } finally {
    model.dispose();
  }
}

const MEMBERS = 10;

/** One net, one with dropout, and the vote of ten on bootstrap samples: 300 rows, a fifth of them mislabelled. */
async function bagging(arm: string): Promise<number> {
  const { train, test } = await digitsOf(300, 0.2);
  const n = train.labels.length;
  /** Of a net trained on these rows, the probabilities of the test images' classes. */
  const trained = async (rows: Rows): Promise<Float32Array> => {
    const x = input([PIXELS]);
    const h = hidden(256, x);
    const logits = dense(10)(arm === "dropout" ? dropout(0.5)(h) : h);
    const model = functional({ inputs: x, outputs: activation("softmax")(logits) });
    const learner = functional({ inputs: x, outputs: logits });
    try {
      learner.compile({ optimizer: adam({ learningRate: 1e-3 }), loss: softmaxCrossEntropy() });
      await learner.fit({ x: imagesOf(rows), y: rows.labels }, { epochs: 50 });
      model.setWeights(learner.getWeights());
      return model.predict(imagesOf(test)).data;
    } finally {
      model.dispose();
      learner.dispose();
    }
  };
  setSeed(SEED);
  const votes = new Float32Array(test.labels.length * 10);
  for (let member = 0; member < (arm === "bagging" ? MEMBERS : 1); member++) {
    const drawn = (i: number) => Math.floor((philox4x32([i, 0, 0, 0], [SEED, member])[0]! / 2 ** 32) * n);
    const rows = arm === "bagging" ? select(train, range(0, n).map(drawn)) : train;
    for (const [i, p] of (await trained(rows)).entries()) votes[i]! += p;
  }
  const right = test.labels.filter((label, row) => {
    const own = votes.subarray(row * 10, row * 10 + 10);
    return own.indexOf(own.reduce((a, b) => Math.max(a, b))) === label;
  });
  return right.length / test.labels.length;
}

const DEMOS: Record<DemoName, (arm: string) => Promise<number>> = { multitask, parameterTying, bagging };

/** The test accuracy of each arm. */
export async function* run(demo: DemoName): AsyncGenerator<{ arm: string; accuracy: number; milliseconds: number }> {
  for (const arm of ARMS[demo]) {
    const began = performance.now();
    const accuracy = await DEMOS[demo](arm);
    yield { arm, accuracy, milliseconds: performance.now() - began };
  }
}

/** What the worker does with a message of the tab. */
export async function answer({ tab, id, demo }: DemoRequest, reply: (message: DemoReply) => void): Promise<void> {
  try {
    for await (const found of run(demo)) reply({ tab, id, type: "arm", ...found });
  } catch (error) {
    reply({ tab, id, type: "error", message: (error as Error).message });
  }
}
