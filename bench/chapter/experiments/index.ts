// All experiments, in the chapter's order.

import type { Experiment } from "../experiment";
import { adversarialTraining } from "./adversarial";
import { attentionAgainstState } from "./attention";
import { augmentationOfFew, dataAugmentation, mixupOfExamples } from "./augmentation";
import { weightAveraging } from "./averaging";
import { minibatchGradient } from "./batchSize";
import { capacity } from "./capacity";
import { normConstraint } from "./constraints";
import { convolution } from "./convolution";
import { dropoutOfHiddenUnits } from "./dropout";
import { earlyStoppingOfAFit, objectiveAndPerformance } from "./earlyStopping";
import { baggingOfNets, dropoutAgainstBagging } from "./ensembles";
import { batchNormalization, initialization, largerRates, symmetry } from "./initialization";
import {
  clippingOnTheCliff,
  hessian,
  illConditioning,
  localMinima,
  saddlePoints,
  vanishingGradients,
} from "./landscapes";
import { multitask } from "./multitask";
import { inputNoise, weightNoise } from "./noise";
import { adaGrad, adamOptimizer, learningRateDecay, momentum, rmsProp } from "./optimizers";
import { l1Penalty, l2Penalty } from "./penalties";
import { pruning } from "./pruning";
import { longTermDependencies } from "./recurrent";
import { retraining } from "./retraining";
import { sparseRepresentation } from "./sparse";
import { parameterSharing, parameterTying } from "./tying";

export const EXPERIMENTS: readonly Experiment[] = [
  // regularization
  capacity,
  pruning,
  l2Penalty,
  l1Penalty,
  normConstraint,
  dataAugmentation,
  augmentationOfFew,
  mixupOfExamples,
  inputNoise,
  weightNoise,
  multitask,
  earlyStoppingOfAFit,
  retraining,
  parameterTying,
  parameterSharing,
  convolution,
  sparseRepresentation,
  baggingOfNets,
  dropoutOfHiddenUnits,
  dropoutAgainstBagging,
  adversarialTraining,
  // optimization
  objectiveAndPerformance,
  minibatchGradient,
  learningRateDecay,
  momentum,
  adaGrad,
  rmsProp,
  adamOptimizer,
  symmetry,
  initialization,
  batchNormalization,
  largerRates,
  weightAveraging,
  // the difficulties
  illConditioning,
  localMinima,
  saddlePoints,
  clippingOnTheCliff,
  hessian,
  vanishingGradients,
  longTermDependencies,
  attentionAgainstState,
];
