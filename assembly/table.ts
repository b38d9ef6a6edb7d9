// The kernels, in the order of Op (isa.ts). The build checks the table's length against the enum.

import {
  batchNormBackward,
  batchNormBackwardCombine,
  batchNormBackwardSums,
  batchNormCombine,
  batchNormForward,
  batchNormMoments,
  batchNormMoving,
} from "./kernels/batchNorm";
import { fill } from "./kernels/fill";
import { adagradStep, adamStep, rmspropStep, sgdStep } from "./kernels/optimizer";
import { clipFactor, gradientNorm, movingAverage, objective, penaltyGradient, penaltySums } from "./kernels/penalty";

type Kernel = (args: usize, ith: u32, nth: u32) => void;

/** Stands where the interpreter does the work itself. */
function none(args: usize, ith: u32, nth: u32): void {}

const KERNELS: StaticArray<Kernel> = [
  none, // guard
  none, // gather
  none, // shuffle
  fill, // fill
  none, // copy
  none, // accumulate
  none, // randomUniform
  none, // randomNormal
  none, // truncatedNormal
  none, // orthogonal
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
  none, // dropout
  batchNormMoments, // batchNormMoments
  batchNormCombine, // batchNormCombine
  batchNormMoving, // batchNormMoving
  batchNormForward, // batchNormForward
  batchNormBackwardSums, // batchNormBackwardSums
  batchNormBackwardCombine, // batchNormBackwardCombine
  batchNormBackward, // batchNormBackward
  movingAverage, // movingAverage
  none, // softmaxCrossEntropy
  none, // softmaxCrossEntropyBackward
  none, // binaryCrossEntropy
  none, // binaryCrossEntropyBackward
  none, // meanSquaredError
  none, // meanSquaredErrorBackward
  none, // meanLoss
  none, // meanLossBackward
  none, // accuracy
  none, // activityPenalty
  none, // activityPenaltyReduce
  none, // activityPenaltyBackward
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
