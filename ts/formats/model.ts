// Model files for users. This module alone names every type, so that whatever a file holds can be built.

import { fgsm, pgd } from "../adversarial/attacks";
import { randomCrop, randomFlip, randomRotate, randomShear, randomTranslate, randomZoom } from "../augment/geometric";
import { cutmix, mixup } from "../augment/mix";
import { randomBrightness, randomContrast, randomErasing, randomNoise } from "../augment/pixels";
import { csvLogger } from "../callbacks/csvLogger";
import { earlyStopping } from "../callbacks/earlyStopping";
import { learningRateScheduler } from "../callbacks/learningRateScheduler";
import { modelCheckpoint } from "../callbacks/modelCheckpoint";
import { reduceLROnPlateau } from "../callbacks/reduceLROnPlateau";
import { swa } from "../callbacks/swa";
import { tensorBoard } from "../callbacks/tensorBoard";
import { terminateOnNaN } from "../callbacks/terminateOnNaN";
import { maxNorm, minMaxNorm, nonNeg, unitNorm } from "../constraints/constraints";
import { checkTarget, type LoadSource, readSource, type SaveTarget, saveBytes } from "../data/files";
import { gradientMonitor } from "../diagnostics/gradientMonitor";
import { argumentError, DownhillError } from "../errors";
import {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  ones,
  orthogonal,
  randomNormal,
  randomUniform,
  truncatedNormal,
  varianceScaling,
  zeros,
} from "../initializers/initializers";
import {
  activation,
  elu,
  gelu,
  leakyRelu,
  relu,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from "../layers/activation";
import { multiHeadAttention } from "../layers/attention";
import { batchNorm } from "../layers/batchNorm";
import { conv1d, conv2d, conv2dTranspose, depthwiseConv2d, separableConv2d } from "../layers/convolution";
import { dense } from "../layers/dense";
import { dropout } from "../layers/dropout";
import { embedding, positionEmbedding } from "../layers/embedding";
import { groupNorm, layerNorm } from "../layers/groupNorm";
import { clip, logSoftmax, paddedPool2d, slice } from "../layers/imported";
import { importedRecurrent } from "../layers/importedRecurrent";
import { add, average, concatenate, maximum, multiply, subtract } from "../layers/merge";
import { alphaDropout, gaussianDropout, gaussianNoise, spatialDropout2d } from "../layers/noise";
import { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "../layers/pooling";
import { prelu } from "../layers/prelu";
import { bidirectional, gru, lstm, simpleRnn } from "../layers/recurrent";
import { upSampling2d, zeroPadding2d } from "../layers/resizing";
import { flatten, permute, rescaling, reshape } from "../layers/shape";
import {
  binaryCrossEntropy,
  cosineSimilarity,
  hinge,
  huber,
  kullbackLeibler,
  meanSquaredError,
  poisson,
  softmaxCrossEntropy,
} from "../losses/losses";
import { auc, f1, precision, recall, topKAccuracy } from "../metrics/classification";
import { accuracy } from "../metrics/metrics";
import { absoluteErrorMetric, meanAbsoluteError, rSquared } from "../metrics/regression";
import { adadelta, adagrad, adam, adamw, lion, nadam, radam, rmsprop, sgd } from "../optimizers/optimizers";
import { type Field, optional, or, readOptions } from "../options";
import { enroll, isFactory } from "../registry";
import { l1, l1l2, l2 } from "../regularizers/regularizers";
import { defaultRuntime, Runtime } from "../runtime/runtime";
import {
  cosineDecay,
  exponentialDecay,
  inverseTimeDecay,
  linearDecay,
  oneCycle,
  polynomialDecay,
  stepDecay,
  warmup,
} from "../schedules/schedules";
import { Model } from "../training/model";
import { decodeModel, encodeModel } from "../training/modelFile";
import { tied } from "../training/tied";

/**
 * Makes every type known. By name, not as `Object.values` of a module: in dist/, where modules are one file, a module's
 * object is made when that file is loaded, and whoever bundles it gets all that is in it.
 */
export function enrollAll(): void {
  const types: unknown[][] = [
    [constant, zeros, ones, randomNormal, randomUniform, truncatedNormal, varianceScaling, orthogonal],
    [glorotNormal, glorotUniform, heNormal, heUniform, lecunNormal, lecunUniform],
    [activation, elu, gelu, leakyRelu, prelu, relu, selu, sigmoid, silu, softmax, softplus, tanh],
    [alphaDropout, dropout, gaussianDropout, gaussianNoise, spatialDropout2d],
    [add, average, concatenate, maximum, multiply, subtract],
    [flatten, permute, rescaling, reshape],
    [batchNorm, dense, groupNorm, layerNorm],
    [conv1d, conv2d, conv2dTranspose, depthwiseConv2d, separableConv2d],
    [averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d, upSampling2d, zeroPadding2d],
    [binaryCrossEntropy, hinge, huber, meanAbsoluteError, meanSquaredError, poisson],
    [cosineSimilarity, kullbackLeibler, softmaxCrossEntropy],
    [absoluteErrorMetric, accuracy, auc, f1, precision, rSquared, recall, topKAccuracy],
    [bidirectional, gru, lstm, simpleRnn],
    [embedding, multiHeadAttention, positionEmbedding],
    [clip, importedRecurrent, logSoftmax, paddedPool2d, slice], // of models of other tools
    [adadelta, adagrad, adam, adamw, lion, nadam, radam, rmsprop, sgd],
    [l1, l1l2, l2, tied],
    [maxNorm, minMaxNorm, nonNeg, unitNorm],
    [cosineDecay, exponentialDecay, inverseTimeDecay, linearDecay, oneCycle, polynomialDecay, stepDecay, warmup],
    [csvLogger, earlyStopping, gradientMonitor, learningRateScheduler, modelCheckpoint, reduceLROnPlateau, swa],
    [tensorBoard, terminateOnNaN],
    [fgsm, pgd],
    [randomCrop, randomFlip, randomRotate, randomShear, randomTranslate, randomZoom],
    [cutmix, mixup, randomBrightness, randomContrast, randomErasing, randomNoise],
  ];
  for (const type of types.flat()) enroll(type);
}

/**
 * The model as one .safetensors file: weights, and in the metadata the architecture, what it was compiled with, the
 * optimizer's and the callbacks' state and the position, so that training goes on from it to the bit. Works while a `fit`
 * is pending, and sees the last finished step.
 *
 * @param target a path, written atomically; or a function, or an object with `save`, which is given the bytes
 * @returns a promise of the bytes
 * @example await saveModel(model, "digits.safetensors")
 * @throws DownhillError `data` where the path cannot be written, `argument`, `state`
 */
export async function saveModel(model: Model, target?: SaveTarget): Promise<Uint8Array> {
  if (!(model instanceof Model)) throw argumentError("saveModel", "a model", model);
  checkTarget("saveModel", target);
  return saveBytes("saveModel", encodeModel(model), target);
}

/** Options of `loadModel`. */
export interface LoadOptions {
  /** Types of your own (layers, losses, metrics) that the file names. */
  custom?: readonly unknown[];
  /** Default: the runtime in force. */
  runtime?: Runtime;
}

/**
 * The model in a file: weights, compiled as it was saved, in its own position (seed, stream, epoch, step).
 *
 * @param source a path (in a page an address), a `URL`, bytes, a `File` or `Blob`, or an object with `load()`
 * @example const model = await loadModel("digits.safetensors");
 * await model.fit(data, { initialEpoch: model.epoch, epochs: 20 })
 * @throws DownhillError `data` where the source cannot be read, `format` (or `shape`, `argument`, `memory`) where it is damaged
 */
export async function loadModel(source: LoadSource, options?: LoadOptions): Promise<Model> {
  const { custom, runtime } = readOptions("loadModel", options, {
    custom: or<readonly unknown[]>({ expected: "a list", accepts: Array.isArray }, []),
    runtime: optional({ expected: "what init() resolved to", accepts: (v) => v instanceof Runtime } as Field<Runtime>),
  });
  for (const factory of custom)
    if (!isFactory(factory))
      throw argumentError(
        "loadModel: custom",
        "what defineLayer, defineLoss or defineMetric returned, not called",
        factory,
      );
  const bytes = await readSource("loadModel", source);
  enrollAll();
  for (const factory of custom) enroll(factory);
  try {
    return decodeModel(bytes, runtime ?? defaultRuntime());
  } catch (cause) {
    if (!(cause instanceof DownhillError)) throw cause;
    const where = typeof source === "string" || source instanceof URL ? `${source}: ` : "";
    const how = cause.message.startsWith("unknown ") ? "; what is your own goes into loadModel's option custom" : "";
    throw new DownhillError(cause.code, where + cause.message + how, { cause });
  }
}
