// The kernels, in the order of Op (isa.ts). The build checks the table's length against the enum.

import { accuracy } from "./kernels/accuracy";
import {
  elu,
  eluBackward,
  gelu,
  geluBackward,
  geluTanh,
  geluTanhBackward,
  leakyRelu,
  leakyReluBackward,
  prelu,
  preluBackward,
  relu,
  reluBackward,
  selu,
  seluBackward,
  sigmoid,
  sigmoidBackward,
  silu,
  siluBackward,
  softplus,
  softplusBackward,
  tanh,
  tanhBackward,
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
import { accumulate, add, affine, copy, multiply, subtract } from "./kernels/elementwise";
import { fill } from "./kernels/fill";
import { gather } from "./kernels/gather";
import { gemm } from "./kernels/gemm";
import {
  binaryCrossEntropy,
  binaryCrossEntropyBackward,
  meanLoss,
  meanLossBackward,
  meanSquaredError,
  meanSquaredErrorBackward,
  softmaxCrossEntropy,
  softmaxCrossEntropyBackward,
} from "./kernels/losses";
import { adagradStep, adamStep, rmspropStep, sgdStep } from "./kernels/optimizer";
import { orthogonal } from "./kernels/orthogonal";
import { clipFactor, gradientNorm, movingAverage, objective, penaltyGradient, penaltySums } from "./kernels/penalty";
import { randomNormal, randomUniform, shuffle, truncatedNormal } from "./kernels/random";
import { softmax, softmaxBackward } from "./kernels/softmax";
import { abs, cos, erf, exp, log, sign, sin, sqrt } from "./kernels/unary";

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
  truncatedNormal, // truncatedNormal
  orthogonal, // orthogonal
  gemm, // gemm
  columnSums, // columnSums
  reduceRows, // reduceRows
  biasAdd, // biasAdd
  add, // add
  subtract, // subtract
  multiply, // multiply
  affine, // affine
  exp, // exp
  log, // log
  sqrt, // sqrt
  abs, // abs
  sign, // sign
  sin, // sin
  cos, // cos
  erf, // erf
  relu, // relu
  reluBackward, // reluBackward
  leakyRelu, // leakyRelu
  leakyReluBackward, // leakyReluBackward
  elu, // elu
  eluBackward, // eluBackward
  selu, // selu
  seluBackward, // seluBackward
  gelu, // gelu
  geluBackward, // geluBackward
  geluTanh, // geluTanh
  geluTanhBackward, // geluTanhBackward
  silu, // silu
  siluBackward, // siluBackward
  sigmoid, // sigmoid
  sigmoidBackward, // sigmoidBackward
  tanh, // tanh
  tanhBackward, // tanhBackward
  softplus, // softplus
  softplusBackward, // softplusBackward
  prelu, // prelu
  preluBackward, // preluBackward
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
  binaryCrossEntropy, // binaryCrossEntropy
  binaryCrossEntropyBackward, // binaryCrossEntropyBackward
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
  adagradStep, // adagradStep
  rmspropStep, // rmspropStep
  adamStep, // adamStep
];

/** The number of kernels. */
export const kernelCount: i32 = KERNELS.length;

/** The function-table index of opcode `op`'s kernel. */
export function kernelOf(op: u32): u32 {
  return load<u32>(load<usize>(changetype<usize>(KERNELS) + ((<usize>op) << 2)));
}
