// Whatever the public API makes has the same bits on 1, 2 and 3 threads: a model trained with each name that index exports.

import { describe, expect, test } from "vitest";
import * as d from "../../ts/index";
import { any, bitsOf, floats, labels, weightBits } from "../support/contract";
import "../support/builds"; // relaxed SIMD on Node 20
import "../support/everyTeam";
import { teamsOf } from "../support/teams";

const [ROWS, HEIGHT, WIDTH, CLASSES] = [96, 12, 10, 3];
const FEATURES = HEIGHT * WIDTH;
const flat = { data: floats(ROWS * FEATURES), shape: [ROWS, FEATURES] };
const images = { data: flat.data.map(Math.abs), shape: [ROWS, HEIGHT, WIDTH] };
const sequences = { data: flat.data, shape: [ROWS, HEIGHT, WIDTH] };
const y = labels(ROWS, CLASSES);
/** Numbers as targets: in [0, 1], and ±1. */
const shares = {
  data: Float32Array.from({ length: ROWS * CLASSES }, (_, i) => ((i * 7) % 5) / 4),
  shape: [ROWS, CLASSES],
};
const signs = { data: shares.data.map((v) => (v > 0.5 ? 1 : -1)), shape: shares.shape };

interface Setting {
  x?: d.NDArray;
  y?: Int32Array | d.NDArray;
  /** Options of the first dense layer. */
  first?: object;
  /** Between the two dense layers. */
  middle?: d.Layer[];
  /** All layers but the last, in the place of all of these. */
  layers?: d.Layer[];
  last?: d.Layer;
  compile?: object;
  fit?: object;
  /** Behind the compile; what it returns is compared, too. */
  then?: (model: d.Model) => unknown;
}
/** Made anew for each number of threads: a layer belongs to one model. */
type Case = () => Setting;

const first =
  (options: object): Case =>
  () => ({ first: options });
const middle =
  (...layers: (() => d.Layer)[]): Case =>
  () => ({ middle: layers.map((make) => make()) });
const compiled =
  (options: object): Case =>
  () => ({ compile: options });
const fitted =
  (options: object): Case =>
  () => ({ fit: options });
const optimizer = (made: unknown): Case => compiled({ optimizer: made });
const rate = (learningRate: unknown): Case => optimizer(d.sgd({ learningRate: any(learningRate), momentum: 0.9 }));
const started = (kernelInitializer: unknown): Case => first({ kernelInitializer });
const loss =
  (made: unknown, target: Setting["y"] = shares, activation?: string): Case =>
  () => ({ y: target!, compile: { loss: made }, last: d.dense(CLASSES, any(activation ? { activation } : {})) });
const metric =
  (made: unknown, setting: Setting = {}): Case =>
  () => ({ ...setting, compile: { ...setting.compile, metrics: [made] } });
const augmented =
  (made: unknown): Case =>
  () => ({
    x: images,
    layers: [d.flatten({ inputShape: [HEIGHT, WIDTH] }), d.dense(130), d.relu()],
    fit: { augment: [made] },
    then: () => bitsOf(d.augmentBatch(images, any([made]), { seed: 3 })),
  });
const merged =
  (make: () => (inputs: d.Symbolic[]) => unknown): Case =>
  () => ({
    then: (other) => {
      const x = d.input([FEATURES]);
      const h: d.Symbolic = any(make())([d.dense(130)(x), d.dense(130, { activation: "tanh" })(x)]);
      const model = d.functional({ inputs: x, outputs: d.dense(CLASSES)(h) }, { runtime: runtimeOf(other) });
      model.compile({ optimizer: d.adam(), loss: d.softmaxCrossEntropy() });
      for (let step = 0; step < 2; step++) model.trainOnBatch(flat, y);
      return weightBits(any(model));
    },
  });
const recurrent =
  (...layers: (() => d.Layer)[]): Case =>
  () => ({ x: sequences, layers: layers.map((make) => make()) });
const convolved =
  (make: (first: object) => d.Layer, ...layers: (() => d.Layer)[]): Case =>
  () => ({
    x: { ...images, shape: [...images.shape, 1] },
    layers: [make({ inputShape: [HEIGHT, WIDTH, 1] }), ...layers.map((make) => make()), d.flatten()],
  });
const filters = (first: object) => d.conv2d(24, 3, { padding: "same", activation: "relu", ...first });
const called = (callback: unknown): Case => fitted({ callbacks: [callback], epochs: 3, validationSplit: 0.25 });
const attacked =
  (made: unknown): Case =>
  () => ({
    compile: { adversarial: { attack: made, weight: 0.5 } },
    then: (model) => bitsOf(any(d.attack(any(model), flat, y, any(made)))),
  });
const inSequence = { inputShape: [HEIGHT, WIDTH] };

const decay = { initial: 0.05, decayRate: 0.5, decaySteps: 2 };
const swiglu = d.defineLayer({
  type: "bitsSwiglu",
  parameters: ([n]) => ({ gate: { shape: [n!, 40] }, up: { shape: [n!, 40] } }),
  call: (x, p, ops) => ops.multiply(any(ops).silu(ops.matmul(x, any(p).gate)), ops.matmul(x, any(p).up)),
});
const squares = d.defineLoss({ type: "bitsSquares", call: (t, p, ops) => ops.pow(ops.subtract(t, p), 2) });
const size = d.defineMetric({ type: "bitsSize", call: (_t, p, ops) => ops.abs(p) });

const CASES: Record<string, Case> = {
  // regularization
  l1: first({ kernelRegularizer: d.l1(1e-3), biasRegularizer: d.l1(1e-3, { proximal: true }) }),
  l2: first({ kernelRegularizer: d.l2(1e-2), activityRegularizer: d.l2(1e-3) }),
  l1l2: first({ kernelRegularizer: d.l1l2({ l1: 1e-3, l2: 1e-2 }), activityRegularizer: d.l1(1e-3) }),
  maxNorm: first({ kernelConstraint: d.maxNorm({ maxValue: 0.5 }) }),
  nonNeg: first({ kernelConstraint: d.nonNeg() }),
  unitNorm: first({ kernelConstraint: d.unitNorm({ axis: 1 }) }),
  minMaxNorm: first({ kernelConstraint: d.minMaxNorm({ minValue: 0.9, rate: 0.5 }) }),
  randomTranslate: augmented(d.randomTranslate()),
  randomRotate: augmented(d.randomRotate({ fillMode: "wrap" })),
  randomZoom: augmented(d.randomZoom()),
  randomShear: augmented(d.randomShear()),
  randomFlip: augmented(d.randomFlip()),
  randomCrop: augmented(d.randomCrop()),
  randomErasing: augmented(d.randomErasing()),
  randomBrightness: augmented(d.randomBrightness()),
  randomContrast: augmented(d.randomContrast()),
  randomNoise: augmented(d.randomNoise()),
  mixup: augmented(d.mixup()),
  cutmix: augmented(d.cutmix()),
  weightNoise: compiled({ weightNoise: 0.05 }),
  gaussianNoise: middle(() => d.gaussianNoise(0.3)),
  gaussianDropout: middle(() => d.gaussianDropout(0.3)),
  dropout: middle(() => d.dropout(0.4)),
  alphaDropout: middle(d.selu, () => d.alphaDropout(0.2)),
  spatialDropout2d: () => ({
    layers: [d.reshape([6, 5, 4], { inputShape: [FEATURES] }), d.spatialDropout2d(0.5), d.flatten(), d.dense(60)],
  }),
  tied: () => ({
    layers: [d.dense(FEATURES, { inputShape: [FEATURES] }), d.relu(), d.dense(FEATURES)],
    compile: { penalties: [d.tied("dense_1", "dense_2", 10)] },
  }),
  fgsm: attacked(d.fgsm({ epsilon: 0.1, clip: [-1, 1] })),
  pgd: attacked(d.pgd({ epsilon: 0.5, steps: 3, norm: "l2" })),
  prune: () => ({ then: (model) => d.prune(any(model), { sparsity: 0.8 }) }),
  earlyStopping: called(d.earlyStopping({ monitor: "valLoss", patience: 1, restoreBestWeights: true })),
  jointly: () => ({
    then: (other) => {
      const make = () =>
        d.sequential([d.dense(130, { inputShape: [FEATURES] }), d.dense(CLASSES)], { runtime: runtimeOf(other) });
      const joint = d.jointly({ a: make(), b: make() });
      const loss = { a: d.softmaxCrossEntropy(), b: d.softmaxCrossEntropy() };
      const penalties = [d.tied("a_dense_1", "b_dense_1", 10)];
      joint.compile(any({ optimizer: d.adam(), loss, lossWeights: { a: 1, b: 0.5 }, penalties }));
      for (let step = 0; step < 2; step++)
        joint.trainOnBatch(any({ a: flat, b: flat }), any({ a: y, b: y.map((v) => v && v - 2) }));
      return weightBits(any(joint));
    },
  }),
  classWeight: fitted({ classWeight: { 0: 2, 2: 0.5 } }),
  "labels that are missing": () => ({ y: y.map((label, i) => (i % 4 ? label : -1)) }),
  "batchSize full": fitted({ batchSize: "full" }),
  "batchSize 1": fitted({ batchSize: 1, stepsPerEpoch: 4 }),
  accumulate: fitted({ accumulate: 2 }),
  "Monte-Carlo samples": () => ({
    middle: [d.dropout(0.5)],
    then: (model) => bitsOf(any(model).predict(flat, { training: true, samples: 3 })),
  }),

  // optimization
  sgd: optimizer(d.sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 })),
  adagrad: optimizer(d.adagrad()),
  rmsprop: optimizer(d.rmsprop({ centered: true, momentum: 0.9 })),
  adadelta: optimizer(d.adadelta()),
  adam: optimizer(d.adam({ amsgrad: true })),
  adamw: optimizer(d.adamw({ decayKernelsOnly: true })),
  nadam: optimizer(d.nadam()),
  radam: optimizer(d.radam()),
  lion: optimizer(d.lion({ weightDecay: 0.1 })),
  clipNorm: compiled({ clipNorm: 0.05 }),
  clipValue: compiled({ clipValue: 1e-3 }),
  ema: compiled({ ema: 0.9 }),
  linearDecay: rate(d.linearDecay({ initial: 0.1, final: 0.01, steps: 3 })),
  exponentialDecay: rate(d.exponentialDecay(decay)),
  inverseTimeDecay: rate(d.inverseTimeDecay(decay)),
  stepDecay: rate(d.stepDecay({ initial: 0.1, factor: 0.5, every: 2 })),
  polynomialDecay: rate(d.polynomialDecay({ initial: 0.1, final: 0.01, power: 2, steps: 3 })),
  cosineDecay: rate(d.cosineDecay({ initial: 0.1, steps: 5 })),
  warmup: rate(d.warmup({ steps: 3, then: 0.1 })),
  oneCycle: rate(d.oneCycle({ max: 0.1, steps: 6 })),
  zeros: started(d.zeros()),
  ones: started(d.ones()),
  constant: started(d.constant(0.01)),
  randomNormal: started(d.randomNormal()),
  randomUniform: started(d.randomUniform()),
  truncatedNormal: started(d.truncatedNormal()),
  glorotNormal: started(d.glorotNormal()),
  glorotUniform: started(d.glorotUniform()),
  heNormal: started(d.heNormal()),
  heUniform: started(d.heUniform()),
  lecunNormal: started(d.lecunNormal()),
  lecunUniform: started(d.lecunUniform()),
  orthogonal: started(d.orthogonal()),
  varianceScaling: started(d.varianceScaling()),
  reduceLROnPlateau: called(d.reduceLROnPlateau({ patience: 0, minDelta: 10 })),
  learningRateScheduler: called(
    d.learningRateScheduler({ schedule: d.stepDecay({ initial: 0.1, factor: 0.5, every: 1 }) }),
  ),
  terminateOnNaN: called(d.terminateOnNaN()),
  swa: called(d.swa({ startEpoch: 1 })),
  gradientMonitor: called(d.gradientMonitor()),
  hessianSpectrum: () => ({ then: (m) => d.hessianSpectrum(m, { x: flat, y }, { iterations: 5 }) }),
  conditionNumber: () => ({ then: (m) => d.conditionNumber(m, { x: flat, y }, { iterations: 5 }) }),
  isSaddle: () => ({ then: (m) => d.isSaddle(m, { x: flat, y }, { iterations: 5 }) }),

  // layers
  dense: () => ({}),
  conv1d: recurrent(
    () => d.conv1d(20, 3, { padding: "same", ...inSequence }),
    () => d.flatten(),
  ),
  conv2d: convolved(
    (first) => d.conv2d(24, 3, { padding: "same", activation: "relu", ...first }),
    () => d.conv2d(16, 3, { strides: 2, groups: 2 }),
    () => d.conv2d(30, 1),
  ),
  depthwiseConv2d: convolved(
    (first) => d.depthwiseConv2d(3, { depthMultiplier: 20, ...first }),
    () => d.depthwiseConv2d(3, { strides: 2 }),
  ),
  separableConv2d: convolved((first) => d.separableConv2d(20, 3, { depthMultiplier: 4, ...first })),
  conv2dTranspose: convolved((first) => d.conv2dTranspose(20, 3, { strides: 2, ...first })),
  averagePool2d: convolved(filters, () => d.averagePool2d(3, { strides: 2, padding: "same" })),
  globalAveragePool2d: convolved(filters, d.globalAveragePool2d),
  globalMaxPool2d: convolved(filters, d.globalMaxPool2d),
  maxPool2d: convolved(
    filters,
    () => d.maxPool2d(2),
    () => d.maxPool2d([2, 3], { strides: 1 }),
  ),
  upSampling2d: convolved(
    filters,
    () => d.upSampling2d([2, 1]),
    () => d.maxPool2d(2),
    () => d.upSampling2d(2, { interpolation: "bilinear" }),
  ),
  zeroPadding2d: convolved(filters, () =>
    d.zeroPadding2d([
      [0, 1],
      [3, 2],
    ]),
  ),
  batchNorm: middle(d.batchNorm, d.relu),
  layerNorm: middle(d.layerNorm),
  groupNorm: middle(() => d.groupNorm(10)),
  activation: middle(() => d.activation("tanh")),
  relu: middle(d.relu),
  leakyRelu: middle(d.leakyRelu),
  prelu: middle(d.prelu),
  elu: middle(d.elu),
  selu: middle(d.selu),
  gelu: middle(d.gelu, () => d.gelu({ approximate: true })),
  silu: middle(d.silu),
  sigmoid: middle(d.sigmoid),
  tanh: middle(d.tanh),
  softplus: middle(d.softplus),
  softmax: middle(d.softmax),
  flatten: () => ({ x: images, layers: [d.flatten({ inputShape: [HEIGHT, WIDTH] }), d.dense(130)] }),
  permute: () => ({ x: images, layers: [d.permute([2, 1], { inputShape: [HEIGHT, WIDTH] }), d.flatten()] }),
  reshape: () => ({ layers: [d.reshape([HEIGHT, -1], { inputShape: [FEATURES] }), d.batchNorm(), d.flatten()] }),
  rescaling: () => ({ layers: [d.rescaling({ scale: 0.5, offset: 0.1, inputShape: [FEATURES] }), d.dense(130)] }),
  simpleRnn: recurrent(() => d.simpleRnn(20, inSequence)),
  lstm: recurrent(() => d.lstm(20, inSequence)),
  gru: recurrent(() => d.gru(20, inSequence)),
  bidirectional: recurrent(() => d.bidirectional(d.gru(12), inSequence)),
  embedding: () => ({
    x: { data: flat.data.map((v) => Math.floor((v + 1) * 9)), shape: flat.shape },
    layers: [d.embedding(20, 70, { inputShape: [FEATURES] }), d.layerNorm(), d.flatten()],
  }),
  positionEmbedding: () => ({ x: sequences, layers: [d.positionEmbedding(inSequence), d.tanh(), d.flatten()] }),
  multiHeadAttention: () => ({
    x: sequences,
    layers: [d.multiHeadAttention(3, 5, { causal: true, dropout: 0.2, ...inSequence }), d.flatten()],
  }),
  "a class for each step": () => ({
    x: sequences,
    layers: [d.dense(20, inSequence)],
    y: { data: Float32Array.from({ length: ROWS * HEIGHT }, (_, i) => (i % 4) - 1), shape: [ROWS, HEIGHT] },
    compile: { metrics: ["accuracy"] },
  }),
  add: merged(d.add),
  subtract: merged(d.subtract),
  multiply: merged(d.multiply),
  average: merged(d.average),
  maximum: merged(d.maximum),
  concatenate: merged(d.concatenate),
  "a shared layer": () => ({
    layers: ((shared) => [shared, d.relu(), shared])(d.dense(FEATURES, { inputShape: [FEATURES] })),
  }),
  defineLayer: middle(swiglu),
  defineLoss: loss(squares()),
  defineMetric: metric(size()),

  // losses and metrics
  softmaxCrossEntropy: loss(d.softmaxCrossEntropy({ labelSmoothing: 0.1 }), y),
  binaryCrossEntropy: loss(d.binaryCrossEntropy()),
  meanSquaredError: loss(d.meanSquaredError()),
  meanAbsoluteError: loss(d.meanAbsoluteError()),
  huber: loss(d.huber({ delta: 0.5 })),
  hinge: loss(d.hinge(), signs),
  kullbackLeibler: loss(d.kullbackLeibler(), shares, "softmax"),
  poisson: loss(d.poisson({ fromLog: true })),
  cosineSimilarity: loss(d.cosineSimilarity(), signs),
  accuracy: metric(d.accuracy()),
  topKAccuracy: metric(d.topKAccuracy({ k: 2 })),
  precision: metric(d.precision()),
  recall: metric(d.recall()),
  f1: metric(d.f1({ average: "micro" })),
  auc: metric(d.auc()),
  rSquared: metric(d.rSquared(), { y: shares, compile: { loss: d.meanSquaredError() } }),
};

/** What trains nothing, or has a test of its bits where its other tests are. */
const ELSEWHERE: Record<string, string> = {
  bagging: "test/ensembles/bagging.test.ts",
  inWorker: "test/worker/inWorker.test.ts",
  transfer: "test/worker/inWorker.test.ts",
  philox4x32: "test/random/philox.test.ts",
  attack: "fgsm and pgd here",
  augmentBatch: "each augmentation here",
  averagedWeights: "ema here",
  gradientReport: "gradientMonitor here",
  ...Object.fromEntries(
    ["input", "sequential", "functional", "init", "setSeed", "explain", "profileText", "historyFromJSON"].map(
      (name) => [name, "no numbers"],
    ),
  ),
  ...Object.fromEntries(["csv", "idx", "npy", "npz", "digits", "dataset"].map((name) => [name, "data"])),
  ...Object.fromEntries(["csvRows", "idxRows", "npyRows", "npzRows"].map((name) => [name, "data"])),
  ...Object.fromEntries(["saveCsv", "saveIdx", "saveNpy", "saveNpz"].map((name) => [name, "only write"])),
  ...Object.fromEntries(
    ["loadModel", "saveModel", "exportOnnx", "importOnnx", "weightsHash", "DownhillError", "Symbolic"].map((name) => [
      name,
      "no numbers",
    ]),
  ),
  ...Object.fromEntries(["loadWeights", "saveWeights"].map((name) => [name, "no numbers but the file's"])),
  importTfjs: "test/formats/tfjs.test.ts",
  ...Object.fromEntries(
    ["csvLogger", "modelCheckpoint", "progressBar", "tensorBoard"].map((name) => [name, "only write"]),
  ),
};

const runtimeOf = (model: d.Model): d.Runtime => any(model).state.runtime;

async function trained(make: Case, runtime: d.Runtime): Promise<unknown> {
  const { x = flat, y: targets = y, first, middle = [], layers, last = d.dense(CLASSES), ...rest } = make();
  d.setSeed(5);
  const body = layers ?? [d.dense(130, { inputShape: [FEATURES], ...first }), ...middle];
  const model = d.sequential([...body, last], { runtime });
  model.compile(any({ optimizer: d.adam({ learningRate: 0.01 }), loss: d.softmaxCrossEntropy(), ...rest.compile }));
  const found: unknown[] = [rest.then?.(any(model))];
  const { epochs } = await model.fit(any({ x, y: targets }), any({ epochs: 2, batchSize: 48, ...rest.fit }));
  found.push(epochs, weightBits(model), bitsOf(model.predict(x)), await model.evaluate(any({ x, y: targets })));
  if (any(rest.compile)?.ema) found.push(Object.values(d.averagedWeights(any(model))).map(bitsOf));
  if (any(rest.fit)?.callbacks?.[0].type === "gradientMonitor") found.push(d.gradientReport(any(model)));
  model.dispose();
  return found;
}

describe.each([false, true])("the same bits on 1, 2 and 3 threads, fastMath %s", (fastMath) => {
  const teams = teamsOf(fastMath);

  test.each(Object.entries(CASES))("%s", async (_, make) => {
    const one = await trained(make, teams[0]!);
    for (const team of teams.slice(1)) expect(await trained(make, team)).toEqual(one);
  });

  test("of work that is shared: the model's step runs on the team", () => {
    expect(teams.map((team) => [team.threads, team.fastMath])).toEqual([1, 2, 3].map((n) => [n, fastMath]));
    const model = d.sequential([d.dense(130, { inputShape: [FEATURES] }), d.dense(CLASSES)], { runtime: teams[1]! });
    model.compile({ optimizer: d.adam(), loss: d.softmaxCrossEntropy() });
    expect(d.explain(any(model), { batchSize: 48 })).toMatch(/gemm .*‖(.|\n)*optimizerStep .*‖/);
  });
});

test("each name that index exports is here", () => {
  const known = new Set([...Object.keys(CASES), ...Object.keys(ELSEWHERE)]);
  expect(Object.keys(d).filter((name) => !known.has(name))).toEqual([]);
});
