// The kernels that every core has, in the order of Op (isa.ts), and of elementwise instructions the blocks
// (kernels/loops.ts). The build checks the lists' lengths against the enum.

import { accuracy } from "./kernels/accuracy";
import {
  eluBackwardBlock,
  eluBlock,
  geluBackwardBlock,
  geluBlock,
  geluTanhBackwardBlock,
  geluTanhBlock,
  seluBackwardBlock,
  seluBlock,
  sigmoidBlock,
  siluBackwardBlock,
  siluBlock,
  softplusBackwardBlock,
  softplusBlock,
  tanhBlock,
} from "./kernels/activations";
import { activityPenalty, activityPenaltyBackward, activityPenaltyReduce } from "./kernels/activityPenalty";
import {
  batchNormBackward,
  batchNormBackwardCombine,
  batchNormBackwardSums,
  batchNormCombine,
  batchNormForward,
  batchNormMoments,
  batchNormMoving,
} from "./kernels/batchNorm";
import { biasAdd, columnSums, reduceRows } from "./kernels/bias";
import { dropout } from "./kernels/dropout";
import { accumulate, copy } from "./kernels/elementwise";
import { fill } from "./kernels/fill";
import { gather } from "./kernels/gather";
import { gemm } from "./kernels/gemm";
import {
  meanLoss,
  meanLossBackward,
  meanSquaredError,
  meanSquaredErrorBackward,
  softmaxCrossEntropy,
  softmaxCrossEntropyBackward,
} from "./kernels/losses";
import { adamStep, sgdStep } from "./kernels/optimizer";
import { clipFactor, gradientNorm, movingAverage, objective, penaltyGradient, penaltySums } from "./kernels/penalty";
import { randomNormal, randomUniform, shuffle } from "./kernels/random";
import { softmax, softmaxBackward } from "./kernels/softmax";
import {
  addBlock,
  affineBlock,
  leakyReluBackwardBlock,
  leakyReluBlock,
  multiplyBlock,
  reluBackwardBlock,
  reluBlock,
  sigmoidBackwardBlock,
  subtractBlock,
  tanhBackwardBlock,
} from "./kernels/wide.micro";

type Kernel = (args: usize, ith: u32, nth: u32) => void;

/** Stands where the interpreter does the work itself. */
function none(args: usize, ith: u32, nth: u32): void {}

const KERNELS: StaticArray<Kernel> = [
  none, // guard
  gather, // gather
  shuffle, // shuffle
  fill, // fill
  copy, // copy
  accumulate, // accumulate
  randomUniform, // randomUniform
  randomNormal, // randomNormal
  gemm, // gemm
  columnSums, // columnSums
  reduceRows, // reduceRows
  biasAdd, // biasAdd
  changetype<Kernel>(addBlock), // add
  changetype<Kernel>(subtractBlock), // subtract
  changetype<Kernel>(multiplyBlock), // multiply
  changetype<Kernel>(affineBlock), // affine
  changetype<Kernel>(reluBlock), // relu
  changetype<Kernel>(reluBackwardBlock), // reluBackward
  changetype<Kernel>(leakyReluBlock), // leakyRelu
  changetype<Kernel>(leakyReluBackwardBlock), // leakyReluBackward
  changetype<Kernel>(eluBlock), // elu
  changetype<Kernel>(eluBackwardBlock), // eluBackward
  changetype<Kernel>(seluBlock), // selu
  changetype<Kernel>(seluBackwardBlock), // seluBackward
  changetype<Kernel>(geluBlock), // gelu
  changetype<Kernel>(geluBackwardBlock), // geluBackward
  changetype<Kernel>(geluTanhBlock), // geluTanh
  changetype<Kernel>(geluTanhBackwardBlock), // geluTanhBackward
  changetype<Kernel>(siluBlock), // silu
  changetype<Kernel>(siluBackwardBlock), // siluBackward
  changetype<Kernel>(sigmoidBlock), // sigmoid
  changetype<Kernel>(sigmoidBackwardBlock), // sigmoidBackward
  changetype<Kernel>(tanhBlock), // tanh
  changetype<Kernel>(tanhBackwardBlock), // tanhBackward
  changetype<Kernel>(softplusBlock), // softplus
  changetype<Kernel>(softplusBackwardBlock), // softplusBackward
  softmax, // softmax
  softmaxBackward, // softmaxBackward
  dropout, // dropout
  batchNormMoments, // batchNormMoments
  batchNormCombine, // batchNormCombine
  batchNormMoving, // batchNormMoving
  batchNormForward, // batchNormForward
  batchNormBackwardSums, // batchNormBackwardSums
  batchNormBackwardCombine, // batchNormBackwardCombine
  batchNormBackward, // batchNormBackward
  movingAverage, // movingAverage
  softmaxCrossEntropy, // softmaxCrossEntropy
  softmaxCrossEntropyBackward, // softmaxCrossEntropyBackward
  meanSquaredError, // meanSquaredError
  meanSquaredErrorBackward, // meanSquaredErrorBackward
  meanLoss, // meanLoss
  meanLossBackward, // meanLossBackward
  accuracy, // accuracy
  activityPenalty, // activityPenalty
  activityPenaltyReduce, // activityPenaltyReduce
  activityPenaltyBackward, // activityPenaltyBackward
  penaltySums, // penaltySums
  penaltyGradient, // penaltyGradient
  objective, // objective
  gradientNorm, // gradientNorm
  clipFactor, // clipFactor
  sgdStep, // sgdStep
  adamStep, // adamStep
];

// asc numbers functions from 1 on, in the order in which their values are first taken: here, then in extension.ts, since no
// kernel takes one. So opcode op's is op + 1, and neither the lists nor the objects that asc makes of function values are
// ever read: the transform asconfig.transform.js takes them out of the core.

/** The bytes from one of these objects to the next. */
const OBJECT: usize = 32;

/** The number of kernels, as the objects from the first to the list behind the last tell it. */
export const kernelCount: i32 = <i32>((changetype<usize>(KERNELS) - changetype<usize>(none)) / OBJECT);
