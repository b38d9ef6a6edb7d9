// The kernels, in the order of Op (isa.ts). The build checks the table's length against the enum.

import { dropout } from "./kernels/dropout";
import { accuracy } from "./kernels/accuracy";
import { activityPenalty, activityPenaltyBackward, activityPenaltyReduce } from "./kernels/activityPenalty";
import { orthogonal } from "./kernels/orthogonal";
import { fill } from "./kernels/fill";
import { gather } from "./kernels/gather";
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
import { randomNormal, randomUniform, shuffle, truncatedNormal } from "./kernels/random";

type Kernel = (args: usize, ith: u32, nth: u32) => void;

/** Stands where the interpreter does the work itself. */
function none(args: usize, ith: u32, nth: u32): void {}

const KERNELS: StaticArray<Kernel> = [
  none, // guard
  gather, // gather
  shuffle, // shuffle
  fill, // fill
  none, // copy
  none, // accumulate
  randomUniform, // randomUniform
  randomNormal, // randomNormal
  truncatedNormal, // truncatedNormal
  orthogonal, // orthogonal
  none, // gemm
  none, // columnSums
  none, // reduceRows
  none, // biasAdd
  none, // add
  none, // subtract
  none, // multiply
  none, // affine
  none, // exp
  none, // log
  none, // sqrt
  none, // abs
  none, // sign
  none, // sin
  none, // cos
  none, // erf
  none, // relu
  none, // reluBackward
  none, // leakyRelu
  none, // leakyReluBackward
  none, // elu
  none, // eluBackward
  none, // selu
  none, // seluBackward
  none, // gelu
  none, // geluBackward
  none, // geluTanh
  none, // geluTanhBackward
  none, // silu
  none, // siluBackward
  none, // sigmoid
  none, // sigmoidBackward
  none, // tanh
  none, // tanhBackward
  none, // softplus
  none, // softplusBackward
  none, // prelu
  none, // preluBackward
  none, // softmax
  none, // softmaxBackward
  dropout, // dropout
  none, // batchNormMoments
  none, // batchNormCombine
  none, // batchNormMoving
  none, // batchNormForward
  none, // batchNormBackwardSums
  none, // batchNormBackwardCombine
  none, // batchNormBackward
  none, // movingAverage
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
  none, // penaltySums
  none, // penaltyGradient
  none, // objective
  none, // gradientNorm
  none, // clipFactor
  none, // sgdStep
  none, // adagradStep
  none, // rmspropStep
  none, // adamStep
];

/** The number of kernels. */
export const kernelCount: i32 = KERNELS.length;

/** The function-table index of opcode `op`'s kernel. */
export function kernelOf(op: u32): u32 {
  return load<u32>(load<usize>(changetype<usize>(KERNELS) + ((<usize>op) << 2)));
}
