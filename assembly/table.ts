// The kernels, in the order of Op (isa.ts). The build checks the table's length against the enum.

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
import { biasAdd, columnSums, reduceRows } from "./kernels/bias";
import { accumulate, add, affine, copy, multiply, subtract } from "./kernels/elementwise";
import { fill } from "./kernels/fill";
import { softmax, softmaxBackward } from "./kernels/softmax";
import { abs, cos, erf, exp, log, sign, sin, sqrt } from "./kernels/unary";

type Kernel = (args: usize, ith: u32, nth: u32) => void;

/** Stands where the interpreter does the work itself. */
function none(args: usize, ith: u32, nth: u32): void {}

const KERNELS: StaticArray<Kernel> = [
  none, // guard
  none, // gather
  none, // shuffle
  fill, // fill
  copy, // copy
  accumulate, // accumulate
  none, // randomUniform
  none, // randomNormal
  none, // truncatedNormal
  none, // orthogonal
  none, // gemm
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
  none, // dropout
  none, // batchNormMoments
  none, // batchNormCombine
  none, // batchNormMoving
  none, // batchNormForward
  none, // batchNormBackwardSums
  none, // batchNormBackwardCombine
  none, // batchNormBackward
  none, // movingAverage
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
