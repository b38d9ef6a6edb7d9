// All experiments, in the chapter's order.

import type { Experiment } from "../experiment";
import { minibatchGradient } from "./batchSize";
import { capacity } from "./capacity";
import { dropoutOfHiddenUnits } from "./dropout";
import { earlyStoppingOfAFit, objectiveAndPerformance } from "./earlyStopping";
import { batchNormalization, initialization, symmetry } from "./initialization";
import { multitask } from "./multitask";
import { adaGrad, adamOptimizer, learningRateDecay, momentum, rmsProp } from "./optimizers";
import { l1Penalty, l2Penalty } from "./penalties";
import { sparseRepresentation } from "./sparse";

export const EXPERIMENTS: readonly Experiment[] = [
  // regularization
  capacity,
  l2Penalty,
  l1Penalty,
  multitask,
  earlyStoppingOfAFit,
  sparseRepresentation,
  dropoutOfHiddenUnits,
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
];
