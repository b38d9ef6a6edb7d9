// The model of a run, from its settings.

import {
  activation,
  adadelta,
  adagrad,
  adam,
  adamw,
  batchNorm,
  conv2d,
  cosineDecay,
  dense,
  dropout,
  exponentialDecay,
  fgsm,
  flatten,
  functional,
  gaussianNoise,
  glorotUniform,
  heNormal,
  input,
  inverseTimeDecay,
  type Layer,
  l1,
  l1l2,
  l2,
  lecunNormal,
  linearDecay,
  lion,
  type Model,
  maxNorm,
  maxPool2d,
  type NDArray,
  nadam,
  oneCycle,
  orthogonal,
  radam,
  randomNormal,
  randomRotate,
  randomTranslate,
  randomZoom,
  rmsprop,
  type Symbolic,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
  tied,
  warmup,
  zeros,
} from "downhill";
import type { Settings } from "./settings";

type Config = ReturnType<typeof zeros>;

/** What `functional` has room for. */
const MAX_OUTPUTS = 8;

export interface RunModel {
  model: Model<NDArray>;
  /** Names of the layers that have a kernel, from the input on. */
  layers: string[];
  /** Models of the same layers whose outputs are the hidden ones, in the order of `layers`; their weights are their own. */
  probes: Model<NDArray[]>[];
}

/** `examples`: that are trained on. Throws what downhill throws; nothing is left then. */
export function buildModel(settings: Settings, shape: readonly number[], classes: number, examples: number): RunModel {
  setSeed(settings.seed);
  const inputs = input(shape);
  const { hidden, names, ties, outputs } = connect(settings, inputs, classes);
  const model = functional({ inputs, outputs });
  const probes: RunModel["probes"] = [];
  try {
    const { adversarial, clipNorm, clipValue, ema, labelSmoothing, weightNoise } = settings;
    model.compile({
      optimizer: optimizerOf(settings, updatesPerEpoch(settings, examples) * settings.epochs),
      loss: softmaxCrossEntropy({ labelSmoothing }),
      metrics: ["accuracy"],
      weightNoise,
      penalties: ties,
      ...(clipNorm > 0 && { clipNorm }),
      ...(clipValue > 0 && { clipValue }),
      ...(ema > 0 && { ema }),
      ...(adversarial > 0 && { adversarial: { attack: attackOf(settings) } }),
    });
    for (let i = 0; i < hidden.length; i += MAX_OUTPUTS)
      probes.push(functional({ inputs, outputs: hidden.slice(i, i + MAX_OUTPUTS) }));
    return { model, layers: names, probes };
  } catch (error) {
    for (const each of [model, ...probes]) each.dispose();
    throw error;
  }
}

export function updatesPerEpoch({ batchSize }: Settings, examples: number): number {
  return batchSize === "full" ? 1 : Math.ceil(examples / batchSize);
}

/** Lays the layers one behind another. A name stands for each kernel once. */
function connect(settings: Settings, inputs: Symbolic, classes: number) {
  const { layers, batchNorm: normalized, inputNoise, hiddenNoise, sparse, shared } = settings;
  const names: string[] = [];
  const hidden: Symbolic[] = [];
  const ties: Config[] = [];
  /** The last dense layer that has as many inputs as units. */
  let square: { layer: Layer; name: string; units: number } | undefined;
  let x = inputs;
  const put = (layer: Layer) => {
    x = layer(x);
  };
  const flat = () => {
    if (x.shape.length > 1) put(flatten());
  };
  /** A dense layer, perhaps the one before once more; tells whether it is new. */
  const putDense = (units: number, name: string): boolean => {
    flat();
    const twin = x.shape[0] === units && square?.units === units ? square : undefined;
    if (twin && shared) {
      put(twin.layer);
      return false;
    }
    if (twin && settings.tied > 0) ties.push(tied(twin.name, name, settings.tied));
    const layer = dense(units, { name, ...kernelOptions(settings) });
    square = x !== inputs && x.shape[0] === units ? { layer, name, units } : undefined;
    put(layer);
    return true;
  };
  if (inputNoise > 0) put(gaussianNoise(inputNoise));
  for (const [i, each] of layers.entries()) {
    const name = `hidden_${i + 1}`;
    let isNew = true;
    if (each.type === "pool") {
      put(maxPool2d(2));
      continue;
    }
    if (each.type === "dense") isNew = putDense(each.units, name);
    else put(conv2d(each.filters, 3, { name, padding: "same", ...kernelOptions(settings, [0, 1, 2]) }));
    if (normalized) put(batchNorm());
    put(activation(settings.activation, sparse > 0 ? { activityRegularizer: l1(sparse) } : {}));
    if (isNew) {
      names.push(name);
      hidden.push(x);
    }
    if (hiddenNoise > 0) put(gaussianNoise(hiddenNoise));
    if (settings.dropout > 0) put(dropout(settings.dropout));
  }
  flat();
  put(dense(classes, { name: "output", ...kernelOptions(settings) }));
  return { hidden, names: [...names, "output"], ties, outputs: x };
}

/** `axis`: over which a unit's weights lie. */
function kernelOptions(settings: Settings, axis = [0]) {
  const { initializer, maxNorm: maxValue } = settings;
  const kernelInitializer = {
    glorotUniform: () => glorotUniform(),
    heNormal: () => heNormal(),
    lecunNormal: () => lecunNormal(),
    orthogonal: () => orthogonal(),
    tiny: () => randomNormal({ stddev: 0.01 }),
    large: () => randomNormal({ stddev: 1 }),
    zeros: () => zeros(),
  }[initializer]();
  const kernelRegularizer = penaltyOf(settings);
  return {
    kernelInitializer,
    ...(kernelRegularizer && { kernelRegularizer }),
    ...(maxValue > 0 && { kernelConstraint: maxNorm({ maxValue, axis }) }),
  };
}

function penaltyOf(settings: Settings): Config | undefined {
  if (settings.l1 > 0 && settings.l2 > 0) return l1l2({ l1: settings.l1, l2: settings.l2 });
  if (settings.l1 > 0) return l1(settings.l1, { proximal: settings.proximal });
  return settings.l2 > 0 ? l2(settings.l2) : undefined;
}

/** `updates`: of the whole run. */
function optimizerOf(settings: Settings, updates: number): Config {
  const { momentum } = settings;
  const learningRate = rateOf(settings, updates);
  return {
    sgd: () => sgd({ learningRate }),
    momentum: () => sgd({ learningRate, momentum }),
    nesterov: () => sgd({ learningRate, momentum, nesterov: true }),
    adagrad: () => adagrad({ learningRate }),
    rmsprop: () => rmsprop({ learningRate }),
    adadelta: () => adadelta({ learningRate }),
    adam: () => adam({ learningRate }),
    adamw: () => adamw({ learningRate }),
    nadam: () => nadam({ learningRate }),
    radam: () => radam({ learningRate }),
    lion: () => lion({ learningRate }),
  }[settings.optimizer]();
}

/** Schedules end with the run, at a hundredth of the rate or nearer to 0, but for `inverseTime` (a tenth). */
function rateOf({ schedule, learningRate: initial }: Settings, updates: number): number | Config {
  const part = (share: number) => Math.max(1, Math.round(updates * share));
  return {
    constant: () => initial,
    linear: () => linearDecay({ initial, final: initial / 100, steps: updates }),
    exponential: () => exponentialDecay({ initial, decayRate: 0.01, decaySteps: updates }),
    inverseTime: () => inverseTimeDecay({ initial, decayRate: 9, decaySteps: updates }),
    step: () => stepDecay({ initial, factor: 0.2, every: part(0.25) }),
    cosine: () => cosineDecay({ initial, steps: updates }),
    warmup: () => warmup({ steps: part(0.1), then: cosineDecay({ initial, steps: part(0.9) }) }),
    oneCycle: () => oneCycle({ max: initial, steps: updates }),
  }[schedule]();
}

/** Pixels lie in [0, 1]; points wherever. */
export function attackOf({ adversarial: epsilon, data, stretch }: Settings): Config {
  return fgsm({ epsilon, ...(data === "digits" && stretch === 1 && { clip: [0, 1] as const }) });
}

export function augmentationOf({ augment, data }: Settings): Config[] {
  if (data !== "digits") return [];
  const shift = () => randomTranslate({ heightFactor: 0.1, widthFactor: 0.1 });
  const rotate = () => randomRotate({ factor: 0.03 });
  const zoom = () => randomZoom({ heightFactor: 0.1 });
  return {
    none: () => [],
    shift: () => [shift()],
    rotate: () => [rotate()],
    zoom: () => [zoom()],
    all: () => [rotate(), zoom(), shift()],
  }[augment]();
}
