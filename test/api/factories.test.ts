// "Every factory returns its config"; "Options are checked when the factory is called": what a user types wrong.

import { describe, expect, it } from "vitest";
import * as downhill from "../../ts/index";
import {
  accuracy,
  activation,
  adagrad,
  adam,
  adamw,
  batchNorm,
  binaryCrossEntropy,
  constant,
  cosineDecay,
  dense,
  dropout,
  elu,
  exponentialDecay,
  fgsm,
  flatten,
  gelu,
  glorotUniform,
  init,
  input,
  inverseTimeDecay,
  l1,
  l1l2,
  l2,
  leakyRelu,
  linearDecay,
  meanSquaredError,
  oneCycle,
  orthogonal,
  pgd,
  polynomialDecay,
  prelu,
  prune,
  randomNormal,
  randomUniform,
  relu,
  rescaling,
  rmsprop,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
  tied,
  truncatedNormal,
  varianceScaling,
  warmup,
  zeros,
} from "../../ts/index";
import { type Definition, isFactory } from "../../ts/registry";
import { any, classifier, floats, labels, rejected, thrown } from "../support/contract";

const schedule = { initial: 0.1, final: 0.01, steps: 10 };
const decay = { initial: 0.1, decayRate: 0.5, decaySteps: 10 };
const layers = {
  dense: () => dense(3),
  conv1d: () => downhill.conv1d(3, 2),
  conv2d: () => downhill.conv2d(3, [2, 3]),
  conv2dTranspose: () => downhill.conv2dTranspose(3, 2),
  depthwiseConv2d: () => downhill.depthwiseConv2d(2),
  separableConv2d: () => downhill.separableConv2d(3, 2),
  averagePool2d: () => downhill.averagePool2d([2, 3]),
  globalAveragePool2d: () => downhill.globalAveragePool2d(),
  globalMaxPool2d: () => downhill.globalMaxPool2d(),
  maxPool2d: () => downhill.maxPool2d(3, { strides: 2, padding: "same" }),
  upSampling2d: () => downhill.upSampling2d(2),
  zeroPadding2d: () =>
    downhill.zeroPadding2d([
      [1, 0],
      [2, 3],
    ]),
  activation: () => activation("relu"),
  batchNorm: () => batchNorm(),
  dropout: () => dropout(0.5),
  alphaDropout: () => downhill.alphaDropout(0.5),
  gaussianDropout: () => downhill.gaussianDropout(0.5),
  gaussianNoise: () => downhill.gaussianNoise(0.5),
  spatialDropout2d: () => downhill.spatialDropout2d(0.5),
  groupNorm: () => downhill.groupNorm(2),
  add: () => downhill.add(),
  average: () => downhill.average(),
  concatenate: () => downhill.concatenate(),
  maximum: () => downhill.maximum(),
  multiply: () => downhill.multiply(),
  subtract: () => downhill.subtract(),
  permute: () => downhill.permute([2, 1]),
  reshape: () => downhill.reshape([4, -1]),
  layerNorm: () => downhill.layerNorm(),
  flatten: () => flatten(),
  rescaling: () => rescaling(),
  relu: () => relu(),
  leakyRelu: () => leakyRelu(),
  elu: () => elu(),
  gelu: () => gelu(),
  prelu: () => prelu(),
  selu: () => downhill.selu(),
  silu: () => downhill.silu(),
  sigmoid: () => downhill.sigmoid(),
  tanh: () => downhill.tanh(),
  softplus: () => downhill.softplus(),
  softmax: () => downhill.softmax(),
};
const configs = {
  sgd: () => sgd(),
  adagrad: () => adagrad(),
  rmsprop: () => rmsprop(),
  adam: () => adam(),
  adamw: () => adamw(),
  adadelta: () => downhill.adadelta(),
  nadam: () => downhill.nadam(),
  radam: () => downhill.radam(),
  lion: () => downhill.lion(),
  softmaxCrossEntropy: () => softmaxCrossEntropy(),
  binaryCrossEntropy: () => binaryCrossEntropy(),
  meanSquaredError: () => meanSquaredError(),
  meanAbsoluteError: () => downhill.meanAbsoluteError(),
  huber: () => downhill.huber(),
  hinge: () => downhill.hinge(),
  poisson: () => downhill.poisson(),
  kullbackLeibler: () => downhill.kullbackLeibler(),
  cosineSimilarity: () => downhill.cosineSimilarity(),
  accuracy: () => accuracy(),
  topKAccuracy: () => downhill.topKAccuracy(),
  precision: () => downhill.precision(),
  recall: () => downhill.recall(),
  f1: () => downhill.f1(),
  auc: () => downhill.auc(),
  rSquared: () => downhill.rSquared(),
  l1: () => l1(1),
  l2: () => l2(1),
  l1l2: () => l1l2(),
  fgsm: () => fgsm({ epsilon: 0.1, clip: [0, 1] }),
  pgd: () => pgd({ epsilon: 0.1, norm: "l2" }),
  tied: () => tied("dense_1", "dense_2", 0.5),
  zeros: () => zeros(),
  ones: () => downhill.ones(),
  constant: () => constant(2),
  randomNormal: () => randomNormal(),
  randomUniform: () => randomUniform(),
  truncatedNormal: () => truncatedNormal(),
  glorotUniform: () => glorotUniform(),
  glorotNormal: () => downhill.glorotNormal(),
  heNormal: () => downhill.heNormal(),
  heUniform: () => downhill.heUniform(),
  lecunNormal: () => downhill.lecunNormal(),
  lecunUniform: () => downhill.lecunUniform(),
  orthogonal: () => orthogonal(),
  varianceScaling: () => varianceScaling(),
  linearDecay: () => linearDecay(schedule),
  exponentialDecay: () => exponentialDecay(decay),
  inverseTimeDecay: () => inverseTimeDecay(decay),
  stepDecay: () => stepDecay({ initial: 0.1, factor: 0.5, every: 3 }),
  polynomialDecay: () => polynomialDecay({ ...schedule, power: 2 }),
  cosineDecay: () => cosineDecay({ initial: 0.1, steps: 10 }),
  warmup: () => warmup({ steps: 3, then: 0.1 }),
  oneCycle: () => oneCycle({ max: 0.1, steps: 10 }),
};

describe("every factory returns its config", () => {
  it.each(Object.entries(configs))("%s: plain, structured-cloneable, its type is its name", (type, make) => {
    const config = make();
    expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
    expect(config.type).toBe(type);
    expect(structuredClone(config)).toEqual(config);
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });

  it.each(Object.entries(layers))("%s: a function whose .config is that object", (type, make) => {
    const layer = make();
    expect(typeof layer).toBe("function");
    expect(layer.config.type).toBe(type);
    expect(structuredClone(layer.config)).toEqual(layer.config);
  });

  it("model.config is made of these", () => {
    const model = sequential([
      dense(3, { inputShape: [2], kernelRegularizer: l2(0.1), name: "a" }),
      batchNorm(),
      dropout(0.5),
    ]);
    const { config } = model;
    expect(structuredClone(config)).toEqual(config);
    expect(config.layers[0]).toMatchObject({
      name: "a",
      config: { type: "dense", units: 3, kernelRegularizer: { type: "l2", c: 0.1 } },
    });
    expect(model.layers[0]!.config).toMatchObject({ type: "dense", units: 3 });
  });

  it("a clone of a config is as good as the config", () => {
    const model = sequential([dense(1, { inputShape: [2], kernelRegularizer: structuredClone(l2(0.1)) })]);
    model.compile({ optimizer: structuredClone(sgd()), loss: structuredClone(meanSquaredError()) });
    expect(model.trainOnBatch([[1, 2]], [[1]]).penalty).toBeGreaterThan(0);
  });

  it("options given later changed do not change what was made of them", () => {
    const inputShape = [2];
    const decayFilter = ["dense_1/kernel"];
    const layer = dense(3, { inputShape });
    const optimizer = adamw({ decayFilter });
    inputShape[0] = 5;
    decayFilter[0] = "x";
    expect(layer.config["inputShape"]).toEqual([2]);
    expect(optimizer["decayFilter"]).toEqual(["dense_1/kernel"]);
  });
});

describe("unknown names are errors", () => {
  it("dense: suggests the nearest one", () => {
    thrown(
      "argument",
      () => dense(3, any({ kernelRegulariser: l2(0.1) })),
      'dense: unknown option "kernelRegulariser"; did you mean kernelRegularizer?',
    );
  });
  const named = ["constructor", "toString", "hasOwnProperty", "__proto__", "valueOf"];
  it.each(named)("inherited ones too: %s", (key) => {
    const options = JSON.parse(`{ ${JSON.stringify(key)}: 1 }`);
    for (const make of [
      () => dense(3, options),
      () => adam(options),
      () => relu(options),
      () => l1(1, options),
      () => setModel(options),
    ])
      thrown("argument", make, /unknown option/);
    thrown("argument", () => activation(any(key)));
    thrown("argument", () => dense(2, { activation: any(key) }));
    thrown("argument", () => setModel({}).compile({ optimizer: any({ type: key }), loss: meanSquaredError() }));
  });
  const setModel = (options: object) => sequential([dense(1, { inputShape: [1] })], any(options));
  it("options inherited from a prototype are no options of the object", () => {
    expect(adam(Object.create({ learningRate: 5 }))["learningRate"]).toBe(0.001);
  });
  it("undefined counts as absent; the object may be frozen", () => {
    expect(dense(3, any({ activation: undefined, useBias: undefined, name: undefined })).config).toEqual(
      dense(3).config,
    );
    expect(adam(Object.freeze({ learningRate: 0.1 }))["learningRate"]).toBe(0.1);
    expect(sgd(undefined)["learningRate"]).toBe(0.01);
    thrown("argument", () => any(dense)(undefined));
    thrown("argument", () => l2(any(undefined)));
  });
  it.each([null, 5, "x", [], () => 1])("options are an object, not %s", (options) => {
    for (const make of [() => dense(3, any(options)), () => adam(any(options)), () => relu(any(options))])
      thrown("argument", make);
  });
  it("arguments beyond the last are errors", () => {
    thrown("argument", () => any(dense)(3, {}, 4));
    thrown("argument", () => any(zeros)(1, 2));
  });
});

const bad = {
  "a count": ["3", 3n, 2.5, 0, -1, Number.NaN, Infinity, null, true, [3], 2 ** 53],
  "a number": ["0.5", 1n, Number.NaN, Infinity, null, true, [0.5], {}],
  "a boolean": [0, 1, "true", null, {}],
};

describe("counts are positive integers", () => {
  it.each([
    ["dense units", (v: unknown) => dense(any(v))],
    ["groups", (v: unknown) => downhill.groupNorm(any(v))],
    ["inputShape", (v: unknown) => dense(3, { inputShape: any([v]) })],
    ["input", (v: unknown) => input(any([v]))],
    ["steps", (v: unknown) => linearDecay({ ...schedule, steps: any(v) })],
    ["decaySteps", (v: unknown) => exponentialDecay({ ...decay, decaySteps: any(v) })],
    ["every", (v: unknown) => stepDecay({ initial: 1, factor: 0.5, every: any(v) })],
  ] as [string, (v: unknown) => unknown][])("%s", (_, make) => {
    for (const value of bad["a count"]) thrown("argument", () => make(value));
  });
  it("a seed is an integer ≥ 0", async () => {
    for (const value of ["3", 3n, 2.5, -1, Number.NaN, null, undefined]) thrown("argument", () => setSeed(any(value)));
    for (const value of ["3", 3n, 2.5, -1, Number.NaN, null]) await rejected("argument", init({ seed: any(value) }));
  });
  it.each(["threads", "maxMemory"])("init: %s", async (key) => {
    for (const value of bad["a count"]) await rejected("argument", init(any({ [key]: value })));
  });
  it("init: fastMath, workerUrl, unknown ones", async () => {
    await rejected("argument", init({ fastMath: any(1) }));
    await rejected("argument", init({ workerUrl: any(1) }));
    await rejected("argument", init(any({ thread: 2 })), /did you mean threads/);
    await rejected("argument", init(any(2)));
  });
});

type Case = [string, (v: unknown) => unknown, good: unknown[], alsoBad: unknown[]];
const model = () => sequential([dense(1, { inputShape: [1] })]);
const compile = (options: object) => model().compile(any({ optimizer: sgd(), loss: meanSquaredError(), ...options }));
const ranges: Case[] = [
  ["dropout's rate: [0, 1)", (v) => dropout(any(v)), [0, 0.999], [1, -0.1]],
  ["alphaDropout's rate: [0, 1)", (v) => downhill.alphaDropout(any(v)), [0, 0.999], [1, -0.1]],
  ["gaussianDropout's rate: [0, 1)", (v) => downhill.gaussianDropout(any(v)), [0, 0.999], [1, -0.1]],
  ["spatialDropout2d's rate: [0, 1)", (v) => downhill.spatialDropout2d(any(v)), [0, 0.999], [1, -0.1]],
  ["gaussianNoise's stddev ≥ 0", (v) => downhill.gaussianNoise(any(v)), [0, 10], [-1]],
  ["layerNorm.epsilon > 0", (v) => downhill.layerNorm({ epsilon: any(v) }), [1e-9], [0, -1]],
  ["groupNorm.epsilon > 0", (v) => downhill.groupNorm(2, { epsilon: any(v) }), [1e-9], [0, -1]],
  ["l2 ≥ 0", (v) => l2(any(v)), [0, 10], [-1]],
  ["l1 ≥ 0", (v) => l1(any(v)), [0, 10], [-1]],
  ["l1l2.l1 ≥ 0", (v) => l1l2({ l1: any(v) }), [0], [-1]],
  ["l1l2.l2 ≥ 0", (v) => l1l2({ l2: any(v) }), [0], [-1]],
  ["batchNorm.epsilon > 0", (v) => batchNorm({ epsilon: any(v) }), [1e-9], [0, -1]],
  ["batchNorm.momentum in [0, 1]", (v) => batchNorm({ momentum: any(v) }), [0, 1], [-0.1, 1.1]],
  ["adam.learningRate ≥ 0", (v) => adam({ learningRate: any(v) }), [0, 5], [-1]],
  ["adam.beta1 in [0, 1)", (v) => adam({ beta1: any(v) }), [0, 0.99], [1, -0.1]],
  ["adam.beta2 in [0, 1)", (v) => adam({ beta2: any(v) }), [0, 0.99], [1, -0.1]],
  ["adam.epsilon > 0", (v) => adam({ epsilon: any(v) }), [1e-12], [0, -1]],
  ["adam.weightDecay ≥ 0", (v) => adam({ weightDecay: any(v) }), [0, 1], [-1]],
  ["adamw.weightDecay ≥ 0", (v) => adamw({ weightDecay: any(v) }), [0, 1], [-1]],
  ["rmsprop.rho in [0, 1]", (v) => rmsprop({ rho: any(v) }), [0, 1], [1.1, -0.1]],
  ["rmsprop.momentum in [0, 1)", (v) => rmsprop({ momentum: any(v) }), [0, 0.9], [1, -0.1]],
  ["rmsprop.epsilon > 0", (v) => rmsprop({ epsilon: any(v) }), [1], [0]],
  ["sgd.momentum in [0, 1)", (v) => sgd({ momentum: any(v) }), [0, 0.9], [1, -0.1]],
  ["adagrad.initialAccumulatorValue ≥ 0", (v) => adagrad({ initialAccumulatorValue: any(v) }), [0, 1], [-1]],
  ["adagrad.epsilon > 0", (v) => adagrad({ epsilon: any(v) }), [1], [0]],
  ["labelSmoothing in [0, 1)", (v) => softmaxCrossEntropy({ labelSmoothing: any(v) }), [0, 0.9], [1, -0.1]],
  ["randomNormal.stddev ≥ 0", (v) => randomNormal({ stddev: any(v) }), [0], [-1]],
  ["truncatedNormal.stddev ≥ 0", (v) => truncatedNormal({ stddev: any(v) }), [0], [-1]],
  ["constant", (v) => constant(any(v)), [0, -1], []],
  ["clipNorm > 0", (v) => compile({ clipNorm: v }), [1], [0, -1]],
  ["clipValue > 0", (v) => compile({ clipValue: v }), [1], [0, -1]],
  ["weightNoise ≥ 0", (v) => compile({ weightNoise: v }), [0, 0.1], [-1]],
  ["fgsm.epsilon > 0", (v) => fgsm({ epsilon: any(v) }), [0.1, 8], [0, -1, undefined]],
  ["pgd.epsilon > 0", (v) => pgd({ epsilon: any(v) }), [0.1, 8], [0, -1, undefined]],
  ["pgd.stepSize > 0", (v) => pgd({ epsilon: 1, stepSize: any(v) }), [0.1, 8], [0, -1]],
  ["pgd.steps", (v) => pgd({ epsilon: 1, steps: any(v) }), [1, 40], [0, -1, 1.5]],
  [
    "adversarial.weight in [0, 1]",
    (v) => compile({ adversarial: { attack: fgsm({ epsilon: 1 }), weight: v } }),
    [0, 0.5, 1],
    [-0.1, 1.1],
  ],
  ["tied's c ≥ 0", (v) => tied("a", "b", any(v)), [0, 1e6], [-1]],
  ["lossWeights ≥ 0", (v) => compile({ lossWeights: v }), [0, 2, [3]], [-1]],
  ["schedule initial ≥ 0", (v) => linearDecay({ ...schedule, initial: any(v) }), [0], [-1]],
  [
    "warmup.then",
    (v) => warmup({ steps: 3, then: any(v) }),
    [0, cosineDecay({ initial: 1, steps: 2 })],
    [-1, adam(), cosineDecay],
  ],
  ["sgd.dampening in [0, 1]", (v) => sgd({ dampening: any(v) }), [0, 1], [-0.1, 1.1]],
  ["adagrad.learningRate ≥ 0", (v) => adagrad({ learningRate: any(v) }), [0, 5], [-1]],
  ["adadelta.rho in [0, 1]", (v) => downhill.adadelta({ rho: any(v) }), [0, 1], [1.1, -0.1]],
  ["adadelta.epsilon > 0", (v) => downhill.adadelta({ epsilon: any(v) }), [1], [0, -1]],
  ["nadam.beta1 in [0, 1)", (v) => downhill.nadam({ beta1: any(v) }), [0, 0.99], [1, -0.1]],
  ["nadam.beta2 in [0, 1)", (v) => downhill.nadam({ beta2: any(v) }), [0, 0.99], [1, -0.1]],
  ["nadam.epsilon > 0", (v) => downhill.nadam({ epsilon: any(v) }), [1], [0, -1]],
  ["nadam.momentumDecay ≥ 0", (v) => downhill.nadam({ momentumDecay: any(v) }), [0, 1], [-1]],
  ["radam.beta1 in [0, 1)", (v) => downhill.radam({ beta1: any(v) }), [0, 0.99], [1, -0.1]],
  ["radam.beta2 in [0, 1)", (v) => downhill.radam({ beta2: any(v) }), [0, 0.99], [1, -0.1]],
  ["radam.epsilon > 0", (v) => downhill.radam({ epsilon: any(v) }), [1], [0, -1]],
  ["lion.beta1 in [0, 1)", (v) => downhill.lion({ beta1: any(v) }), [0, 0.99], [1, -0.1]],
  ["lion.beta2 in [0, 1)", (v) => downhill.lion({ beta2: any(v) }), [0, 0.99], [1, -0.1]],
  ["lion.weightDecay ≥ 0", (v) => downhill.lion({ weightDecay: any(v) }), [0, 1], [-1]],
  ["huber.delta > 0", (v) => downhill.huber({ delta: any(v) }), [0.1], [0, -1]],
  ["topKAccuracy.k", (v) => downhill.topKAccuracy({ k: any(v) }), [1, 5], [0, -1, 1.5]],
  ["leakyRelu.negativeSlope ≥ 0", (v) => leakyRelu({ negativeSlope: any(v) }), [0, 1], [-1]],
  ["elu.alpha ≥ 0", (v) => elu({ alpha: any(v) }), [0, 1], [-1]],
  ["rescaling.scale", (v) => rescaling({ scale: any(v) }), [0, -1], []],
  ["randomNormal.mean", (v) => randomNormal({ mean: any(v) }), [0, -1], []],
  ["randomUniform.minval", (v) => randomUniform({ minval: any(v) }), [0, -1], [2]],
  ["orthogonal.gain", (v) => orthogonal({ gain: any(v) }), [0, -1], []],
  ["varianceScaling.scale > 0", (v) => varianceScaling({ scale: any(v) }), [0.1], [0, -1]],
  ["varianceScaling.mode", (v) => varianceScaling({ mode: any(v) }), ["fanIn", "fanOut", "fanAvg"], ["fan_in", 1]],
  ["maxNorm.maxValue > 0", (v) => downhill.maxNorm({ maxValue: any(v) }), [0.1], [0, -1]],
  ["minMaxNorm.rate in [0, 1]", (v) => downhill.minMaxNorm({ rate: any(v) }), [0, 1], [-0.1, 1.1]],
  ["minMaxNorm.minValue ≤ maxValue", (v) => downhill.minMaxNorm({ minValue: any(v) }), [0, 1], [-0.1, 1.1]],
  ["ema in (0, 1)", (v) => compile({ ema: v }), [0.001, 0.999], [0, 1, -1]],
  ["sparsity in [0, 1)", (v) => prune(model() as never, { sparsity: any(v) }), [0, 0.9], [1, -0.1, undefined]],
  ["exponentialDecay.decayRate ≥ 0", (v) => exponentialDecay({ ...decay, decayRate: any(v) }), [0, 2], [-1, undefined]],
  ["inverseTimeDecay.decayRate ≥ 0", (v) => inverseTimeDecay({ ...decay, decayRate: any(v) }), [0, 2], [-1, undefined]],
  ["stepDecay.factor ≥ 0", (v) => stepDecay({ initial: 1, factor: any(v), every: 2 }), [0, 2], [-1, undefined]],
  ["polynomialDecay.power > 0", (v) => polynomialDecay({ ...schedule, power: any(v) }), [0.5, 2], [0, -1, undefined]],
  ["polynomialDecay.final ≥ 0", (v) => polynomialDecay({ ...schedule, power: 1, final: any(v) }), [0], [-1, undefined]],
  ["cosineDecay.final ≥ 0", (v) => cosineDecay({ initial: 1, steps: 5, final: any(v) }), [0, 2], [-1]],
  ["oneCycle.max ≥ 0", (v) => oneCycle({ steps: 5, max: any(v) }), [0, 2], [-1, undefined]],
  ["oneCycle.steps", (v) => oneCycle({ max: 1, steps: any(v) }), [1, 9], [0, 1.5, undefined]],
  ["earlyStopping.patience", (v) => downhill.earlyStopping({ patience: any(v) }), [0, 3], [-1, 0.5]],
  ["earlyStopping.minDelta ≥ 0", (v) => downhill.earlyStopping({ minDelta: any(v) }), [0, 0.1], [-1]],
  ["earlyStopping.baseline", (v) => downhill.earlyStopping({ baseline: any(v) }), [0, -1], []],
  [
    "earlyStopping.retrain",
    (v) => downhill.earlyStopping({ retrain: any(v) }),
    ["sameSteps", "continue"],
    ["same", true, 1],
  ],
  ["reduceLROnPlateau.factor in (0, 1)", (v) => downhill.reduceLROnPlateau({ factor: any(v) }), [0.5], [0, 1, -1]],
  ["swa.startEpoch", (v) => downhill.swa({ startEpoch: any(v) }), [0, 3], [-1, 0.5, undefined]],
  ["swa.learningRate ≥ 0", (v) => downhill.swa({ startEpoch: 0, learningRate: any(v) }), [0, 1], [-1]],
  ["gradientMonitor.exploding > 0", (v) => downhill.gradientMonitor({ exploding: any(v) }), [1], [0, -1]],
];

/** All that index exports of factories: their configs' options, as they are declared. */
const factories = Object.entries(downhill).flatMap(([name, made]) => {
  if (!isFactory(made)) return [];
  const { positional = [], options } = (made as unknown as { definition: Definition }).definition;
  return Object.entries(options?.() ?? {}).map(([key, { accepts }]) => ({ name, made, key, positional, accepts }));
});

describe("no factory takes an option that is nonsense", () => {
  const nonsense = [Number.NaN, Infinity, null, 1n, Symbol("x"), () => 1, new Date(0), { constructor: 1 }, [[]]];
  it.each(factories)("$name: $key", ({ name, made, key, positional, accepts }) => {
    for (const value of nonsense) {
      if (name === "learningRateScheduler" && typeof value === "function") continue;
      const before = positional.slice(0, positional.indexOf(key));
      const args = positional.includes(key)
        ? [...before.map(() => 1), value]
        : [...positional.map(() => 1), { [key]: value }];
      // an option in front, or the one beside it, that is not 1 is refused before: that is as good
      expect(accepts(value), String(value?.toString?.())).toBe(false);
      thrown("argument", () => any(made)(...args), /must be|expected/);
    }
  });
  it("are all that there are", () => expect(new Set(factories.map(({ name }) => name)).size).toBeGreaterThan(60));
});

describe("ranges", () => {
  it.each(ranges)("%s", (_, make, good, alsoBad) => {
    for (const value of good) make(value);
    for (const value of [...bad["a number"].filter((v) => !(Array.isArray(v) && good.some(Array.isArray))), ...alsoBad])
      thrown("argument", () => make(value));
  });
  it.each([
    ["useBias", (v: unknown) => dense(3, { useBias: any(v) })],
    ["trainable", (v: unknown) => dense(3, { trainable: any(v) })],
    ["amsgrad", (v: unknown) => adam({ amsgrad: any(v) })],
    ["fromLogits", (v: unknown) => binaryCrossEntropy({ fromLogits: any(v) })],
    ["proximal", (v: unknown) => l1(1, { proximal: any(v) })],
    ["approximate", (v: unknown) => gelu({ approximate: any(v) })],
    ["decayKernelsOnly", (v: unknown) => adam({ decayKernelsOnly: any(v) })],
    ["staircase", (v: unknown) => exponentialDecay({ ...decay, staircase: any(v) })],
  ] as [string, (v: unknown) => unknown][])("%s is true or false", (_, make) => {
    for (const value of bad["a boolean"]) thrown("argument", () => make(value));
  });
  it("nesterov needs momentum > 0 and dampening 0", () => {
    sgd({ momentum: 0.9, nesterov: true });
    thrown("argument", () => sgd({ nesterov: true }), /got 0 and 0$/);
    thrown("argument", () => sgd({ momentum: 0.9, dampening: 0.1, nesterov: true }));
  });
  it("randomUniform: minval ≤ maxval", () => void thrown("argument", () => randomUniform({ minval: 1, maxval: 0 })));
  it("schedules have no silent defaults for what they need", () => {
    for (const make of [
      linearDecay,
      exponentialDecay,
      inverseTimeDecay,
      stepDecay,
      polynomialDecay,
      cosineDecay,
      warmup,
      oneCycle,
    ]) {
      thrown("argument", () => any(make)());
      thrown("argument", () => any(make)({}));
    }
    thrown("argument", () => any(linearDecay)({ initial: 1, steps: 4 }));
    thrown("argument", () => any(warmup)({ steps: 4 }));
    thrown("argument", () => any(cosineDecay)({ initial: 1 }));
  });
  it("decayFilter names parameters of the model", () => {
    thrown("argument", () => adam({ decayFilter: any("dense_1/kernel") }));
    thrown("argument", () => compile({ optimizer: adam({ decayFilter: ["dense_9/kernel"] }) }), /dense_1\/kernel/);
  });
});

describe("where a built object is expected, an uncalled factory or one of another family is refused", () => {
  it("compile: optimizer", () => {
    thrown(
      "argument",
      () => compile({ optimizer: "adam" }),
      'compile: optimizer must be an optimizer such as adam(), got the string "adam"',
    );
    for (const optimizer of [adam, null, 3, {}, meanSquaredError(), relu(), [adam()], undefined, { type: "nothing" }])
      thrown("argument", () => compile({ optimizer }), /compile: optimizer/);
  });
  it("compile: loss", () => {
    for (const loss of [
      meanSquaredError,
      "mse",
      null,
      {},
      adam(),
      relu(),
      undefined,
      [adam()],
      [meanSquaredError(), meanSquaredError()],
      { constructor: meanSquaredError() },
    ])
      thrown("argument", () => compile({ loss }), /compile: .*loss/);
  });
  it("compile: metrics; of strings only accuracy", () => {
    for (const metrics of [
      "accuracy",
      ["mse"],
      [accuracy],
      [adam()],
      [null],
      { constructor: ["accuracy"] },
      [["accuracy"], ["accuracy"]],
      3,
    ])
      thrown("argument", () => compile({ metrics }), /compile: .*metrics/);
    compile({ metrics: ["accuracy", accuracy()] });
  });
  it("a metric that is given twice has two names in the logs", async () => {
    const model = classifier();
    model.compile({
      optimizer: adam(),
      loss: softmaxCrossEntropy(),
      metrics: ["accuracy", accuracy(), "accuracy"],
    });
    const data = { x: floats(32), y: labels(8, 3) };
    const { epochs } = await model.fit(data, { validationData: data });
    const names = ["accuracy", "accuracy_1", "accuracy_2"];
    expect(Object.keys(epochs[0]!)).toEqual(expect.arrayContaining([...names, "valAccuracy_2"]));
    for (const name of names) expect(epochs[0]![name]).toBe(epochs[0]!["accuracy"]);
    expect(Object.keys(model.trainOnBatch(data.x, data.y))).toEqual(expect.arrayContaining(names));
  });
  it("layers' options", () => {
    for (const value of [l2, "l2", adam(), zeros(), 0.1, null]) {
      thrown(
        "argument",
        () => dense(3, { kernelRegularizer: any(value) }),
        /dense: kernelRegularizer must be a regularizer/,
      );
      thrown("argument", () => relu({ activityRegularizer: any(value) }), /relu: activityRegularizer/);
    }
    for (const value of [zeros, "zeros", adam(), l2(1), null])
      thrown("argument", () => dense(3, { kernelInitializer: any(value) }));
    for (const value of [relu, relu(), "Relu", "dense", "prelu", null])
      thrown("argument", () => dense(3, { activation: any(value) }));
    for (const value of [linearDecay, adam(), "cosine"]) thrown("argument", () => adam({ learningRate: any(value) }));
  });
  it("sequential's layers", () => {
    for (const value of [relu, adam(), "relu", null, undefined, () => 1, relu().config])
      thrown("argument", () => sequential([dense(3, { inputShape: [2] }), any(value)]));
    thrown("argument", () => sequential(any(dense(3, { inputShape: [2] }))));
    thrown("argument", () => sequential(any("x")));
  });
  it("callbacks", async () => {
    const m = model();
    m.compile({ optimizer: sgd(), loss: meanSquaredError() });
    for (const callbacks of [[adam()], [() => 1], [{}], ["x"], [undefined], {}, [{ onEpochEnds() {} }]])
      await rejected("argument", m.fit({ x: [[1]], y: [[1]] }, any({ callbacks })));
  });
});

describe("errors", () => {
  it("are DownhillErrors with a code; values are printed as written", () => {
    const error = thrown("argument", () => dropout(-1), /got -1$/);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("DownhillError");
    thrown("argument", () => dropout(Number.NaN), /got NaN$/);
    thrown("argument", () => dropout(any("half")), /"half"$/);
    thrown("argument", () => dense(any([8, 4])), /\[8, 4\]$/);
    thrown("argument", () => dense(any(3n)), /3n/);
  });
});
