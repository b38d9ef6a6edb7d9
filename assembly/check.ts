// The debug build's second look at each instruction before it runs: ts/graph/verify.ts has held the tape against its plan
// when it was made; this holds the words against what they must be now. It sees where blocks begin, not how long they are.
// The other builds hold nothing of it.

import {
  Accumulate,
  Accuracy,
  ActivityPenalty,
  ActivityPenaltyBackward,
  ActivityPenaltyReduce,
  Adjust,
  AttackStart,
  AttackStep,
  AttentionWeights,
  AttentionWeightsBackward,
  AveragePool2d,
  Base,
  BatchNormBackward,
  BatchNormBackwardCombine,
  BatchNormBackwardSums,
  BatchNormCombine,
  BatchNormForward,
  BatchNormMoments,
  BatchNormMoving,
  BiasAdd,
  Bilinear,
  Binary,
  Broadcast,
  ClipFactor,
  ColumnSums,
  Confusion,
  Convolution,
  Copy,
  Dropout,
  ElementLoss,
  ElementLossBackward,
  Erase,
  ExtensionOp,
  Fault,
  Fill,
  FoldNorm,
  Gather,
  Gaussian,
  Gemm,
  GradientNorm,
  GroupNorm,
  GroupNormBackward,
  GroupNormSums,
  GruCell,
  GruCellBackward,
  Header,
  LstmCell,
  LstmCellBackward,
  Mask,
  Matrices,
  MaxPool2d,
  MaxPool2dBackward,
  MeanLoss,
  MeanLossBackward,
  MixDraw,
  MixRows,
  Mode,
  MovingAverage,
  NonNegative,
  NormConstraint,
  Objective,
  OneHot,
  Op,
  OptimizerStep,
  Orthogonal,
  PackPanels,
  PenaltyGradient,
  PenaltySums,
  Prelu,
  PreluBackward,
  Random,
  Reduce,
  ReduceRows,
  Resample,
  RunningMean,
  ScaleChannels,
  ScoreHistogram,
  Shuffle,
  Softmax,
  SoftmaxBackward,
  SoftmaxCrossEntropy,
  SoftmaxCrossEntropyBackward,
  Spread2d,
  SquareSums,
  State,
  StridedCopy,
  Take,
  TieBackward,
  TieStep,
  TopKAccuracy,
  Unary,
  UnaryBackward,
  WinogradBackward,
  WinogradForward,
  WinogradKernel,
  WinogradKernelBackward,
} from "./isa";
import { elementInputs } from "./kernels/loops";

/** The host throws, naming the instruction at `at`. */
export declare function refused(at: usize, fault: Fault): void;

/** For each opcode how many of its first operands are addresses, and its last operand. */
function slots(op: i32): u32 {
  switch (op) {
    case Op.guard:
      return pack(0, -1);
    case Op.gather:
      return pack(Gather.slot, Gather.offset);
    case Op.shuffle:
      return pack(Shuffle.n, Shuffle.op);
    case Op.fill:
      return pack(Fill.n, Fill.value);
    case Op.copy:
      return pack(Copy.n, Copy.n);
    case Op.accumulate:
      return pack(Accumulate.n, Accumulate.n);
    case Op.randomUniform:
    case Op.randomNormal:
    case ExtensionOp.truncatedNormal:
      return pack(Random.n, Random.b);
    case ExtensionOp.orthogonal:
      return pack(Orthogonal.rows, Orthogonal.gain);
    case Op.gemm:
      return pack(Gemm.m, Gemm.workspaceBytes);
    case Op.columnSums:
      return pack(ColumnSums.m, ColumnSums.chunkRows);
    case Op.reduceRows:
      return pack(ReduceRows.chunks, ReduceRows.n);
    case Op.biasAdd:
      return pack(BiasAdd.m, BiasAdd.n);
    case Op.add:
    case Op.subtract:
    case Op.multiply:
      return pack(Binary.n, Binary.n);
    case ExtensionOp.prelu:
      return pack(Prelu.rows, Prelu.channels);
    case ExtensionOp.preluBackward:
      return pack(PreluBackward.rows, PreluBackward.chunkRows);
    case Op.softmax:
      return pack(Softmax.rows, Softmax.n);
    case Op.softmaxBackward:
      return pack(SoftmaxBackward.rows, SoftmaxBackward.n);
    case Op.dropout:
      return pack(Dropout.n, Dropout.rate);
    case Op.batchNormMoments:
      return pack(BatchNormMoments.rows, BatchNormMoments.chunkRows);
    case Op.batchNormCombine:
      return pack(BatchNormCombine.rows, BatchNormCombine.epsilon);
    case Op.batchNormMoving:
      return pack(BatchNormMoving.channels, BatchNormMoving.epsilon);
    case Op.batchNormForward:
      return pack(BatchNormForward.rows, BatchNormForward.relu);
    case Op.batchNormBackwardSums:
      return pack(BatchNormBackwardSums.rows, BatchNormBackwardSums.relu);
    case Op.batchNormBackwardCombine:
      return pack(BatchNormBackwardCombine.rows, BatchNormBackwardCombine.frozen);
    case Op.batchNormBackward:
      return pack(BatchNormBackward.rows, BatchNormBackward.relu);
    case Op.movingAverage:
      return pack(MovingAverage.n, MovingAverage.momentum);
    case Op.softmaxCrossEntropy:
      return pack(SoftmaxCrossEntropy.rows, SoftmaxCrossEntropy.smoothing);
    case Op.softmaxCrossEntropyBackward:
      return pack(SoftmaxCrossEntropyBackward.rows, SoftmaxCrossEntropyBackward.smoothing);
    case ExtensionOp.binaryCrossEntropy:
    case ExtensionOp.meanAbsoluteError:
    case ExtensionOp.huber:
    case ExtensionOp.hinge:
    case ExtensionOp.poisson:
    case ExtensionOp.kullbackLeibler:
    case ExtensionOp.cosineSimilarity:
    case Op.meanSquaredError:
      return pack(ElementLoss.rows, ElementLoss.option);
    case ExtensionOp.binaryCrossEntropyBackward:
    case ExtensionOp.meanAbsoluteErrorBackward:
    case ExtensionOp.huberBackward:
    case ExtensionOp.hingeBackward:
    case ExtensionOp.poissonBackward:
    case ExtensionOp.kullbackLeiblerBackward:
    case ExtensionOp.cosineSimilarityBackward:
    case Op.meanSquaredErrorBackward:
      return pack(ElementLossBackward.rows, ElementLossBackward.option);
    case Op.meanLoss:
      return pack(MeanLoss.rows, MeanLoss.output);
    case Op.meanLossBackward:
      return pack(MeanLossBackward.rows, MeanLossBackward.output);
    case Op.accuracy:
      return pack(Accuracy.rows, Accuracy.kind);
    case ExtensionOp.topKAccuracy:
      return pack(TopKAccuracy.rows, TopKAccuracy.k);
    case ExtensionOp.confusion:
      return pack(Confusion.rows, Confusion.kind);
    case ExtensionOp.squareSums:
      return pack(SquareSums.rows, SquareSums.n);
    case ExtensionOp.scoreHistogram:
      return pack(ScoreHistogram.rows, ScoreHistogram.bins);
    case Op.activityPenalty:
      return pack(ActivityPenalty.n, ActivityPenalty.l2);
    case Op.activityPenaltyReduce:
      return pack(ActivityPenaltyReduce.chunks, ActivityPenaltyReduce.rows);
    case Op.activityPenaltyBackward:
      return pack(ActivityPenaltyBackward.n, ActivityPenaltyBackward.l2);
    case Op.penaltySums:
      return pack(PenaltySums.segmentCount, PenaltySums.floats);
    case Op.penaltyGradient:
      return pack(PenaltyGradient.segmentCount, PenaltyGradient.floats);
    case Op.objective:
      return pack(Objective.lossCount, Objective.chunks);
    case Op.gradientNorm:
      return pack(GradientNorm.segmentCount, GradientNorm.clipValue);
    case Op.clipFactor:
      return pack(ClipFactor.chunks, ClipFactor.clipNorm);
    case ExtensionOp.attackStart:
      return pack(AttackStart.rows, AttackStart.high);
    case ExtensionOp.attackStep:
      return pack(AttackStep.rows, AttackStep.high);
    case ExtensionOp.tieBackward:
      return pack(TieBackward.n, TieBackward.share);
    case ExtensionOp.tieStep:
      return pack(TieStep.n, TieStep.coefficient);
    case Op.sgdStep:
    case ExtensionOp.adagradStep:
    case ExtensionOp.rmspropStep:
    case ExtensionOp.adadeltaStep:
    case ExtensionOp.nadamStep:
    case ExtensionOp.radamStep:
    case ExtensionOp.lionStep:
    case Op.adamStep:
      return pack(OptimizerStep.segmentCount, OptimizerStep.c);
    case ExtensionOp.lstmCell:
      return pack(LstmCell.rows, LstmCell.units);
    case ExtensionOp.lstmCellBackward:
      return pack(LstmCellBackward.rows, LstmCellBackward.last);
    case ExtensionOp.gruCell:
      return pack(GruCell.rows, GruCell.units);
    case ExtensionOp.gruCellBackward:
      return pack(GruCellBackward.rows, GruCellBackward.units);
    case ExtensionOp.attentionWeights:
      return pack(AttentionWeights.rows, AttentionWeights.scale);
    case ExtensionOp.attentionWeightsBackward:
      return pack(AttentionWeightsBackward.rows, AttentionWeightsBackward.scale);
    case ExtensionOp.winogradKernel:
      return pack(WinogradKernel.inC, WinogradKernel.transposed);
    case ExtensionOp.winogradForward:
      return pack(WinogradForward.relu, WinogradForward.last);
    case ExtensionOp.winogradBackward:
      return pack(WinogradBackward.firstChunk, WinogradBackward.last);
    case ExtensionOp.winogradKernelBackward:
      return pack(WinogradKernelBackward.inC, WinogradKernelBackward.chunks);
    case ExtensionOp.foldNorm:
      return pack(FoldNorm.rows, FoldNorm.epsilon);
    case ExtensionOp.bilinear:
    case ExtensionOp.bilinearBackward:
      return pack(Bilinear.images, Bilinear.scaleW);
    case ExtensionOp.maxPool2d:
      return pack(MaxPool2d.window, MaxPool2d.relu);
    case ExtensionOp.maxPool2dBackward:
      return pack(MaxPool2dBackward.window, MaxPool2dBackward.last);
    case ExtensionOp.averagePool2d:
      return pack(AveragePool2d.window, AveragePool2d.mean);
    case ExtensionOp.spread2d:
      return pack(Spread2d.window, Spread2d.mean);
    case ExtensionOp.normConstraint:
      return pack(NormConstraint.row, NormConstraint.rate);
    case ExtensionOp.nonNegative:
      return pack(NonNegative.row, NonNegative.n);
    case ExtensionOp.mask:
      return pack(Mask.n, Mask.n);
    case ExtensionOp.runningMean:
      return pack(RunningMean.n, RunningMean.n);
    case ExtensionOp.broadcast:
      return pack(Broadcast.op, Broadcast.last);
    case ExtensionOp.stridedCopy:
      return pack(StridedCopy.offsetY, StridedCopy.last);
    case ExtensionOp.reduce:
      return pack(Reduce.kind, Reduce.chunk);
    case ExtensionOp.take:
    case ExtensionOp.takeBackward:
      return pack(Take.outer, Take.inner);
    case ExtensionOp.oneHot:
      return pack(OneHot.rows, OneHot.classes);
    case ExtensionOp.gaussian:
      return pack(Gaussian.n, Gaussian.deviation);
    case ExtensionOp.scaleChannels:
      return pack(ScaleChannels.rows, ScaleChannels.channels);
    case ExtensionOp.groupNorm:
      return pack(GroupNorm.samples, GroupNorm.epsilon);
    case ExtensionOp.groupNormBackward:
      return pack(GroupNormBackward.samples, GroupNormBackward.groups);
    case ExtensionOp.groupNormSums:
      return pack(GroupNormSums.rows, GroupNormSums.chunkRows);
    case ExtensionOp.augmentMatrices:
      return pack(Matrices.rows, Matrices.upperX);
    case ExtensionOp.resample:
      return pack(Resample.rows, Resample.fillValue);
    case ExtensionOp.erase:
      return pack(Erase.rows, Erase.fillValue);
    case ExtensionOp.adjust:
      return pack(Adjust.rows, Adjust.most);
    case ExtensionOp.mixDraw:
      return pack(MixDraw.rows, MixDraw.alpha);
    case ExtensionOp.mixRows:
      return pack(MixRows.rows, MixRows.channels);
    case ExtensionOp.packPanels:
      return pack(PackPanels.outer, PackPanels.columnStride);
    case ExtensionOp.convForward:
    case ExtensionOp.convInputGradient:
    case ExtensionOp.convKernelGradient:
    case ExtensionOp.depthwise:
    case ExtensionOp.depthwiseKernelGradient:
    case ExtensionOp.directForward:
    case ExtensionOp.directKernelGradient:
      return pack(Convolution.batch, Convolution.workspaceBytes);
  }
  // what is left are functions of an element, or the derivatives of such, or functions of two elements
  if (op >= Op.count && elementInputs(op) == 2) return pack(Binary.n, Binary.n);
  return elementInputs(op) == 2 ? pack(UnaryBackward.n, UnaryBackward.alpha) : pack(Unary.n, Unary.beta);
}

function pack(pointers: i32, last: i32): u32 {
  return (pointers << 8) | (last + 1);
}

/** Stops the run where the instruction at `at`, of those from `from` up to `to`, is not what it must be. */
export function check(at: usize, from: usize, to: usize): void {
  const fault = faultOf(at, from, to);
  if (fault == Fault.none) return;
  refused(at, fault);
  unreachable();
}

function faultOf(at: usize, from: usize, to: usize): Fault {
  const end = (<usize>memory.size()) << 16;
  if (at & 3 || at < __heap_base || to > end || to - at < (<usize>Header.args) << 2) return Fault.header;
  const op = load<i32>(at);
  if (op < 0 || op >= ExtensionOp.count) return Fault.opcode;
  const known = slots(op);
  const words = Header.args + (known & 0xff);
  if (load<u32>(at, Header.words << 2) != words || to - at < (<usize>words) << 2) return Fault.length;
  if (load<u32>(at, Header.mode << 2) > <u32>Mode.team) return Fault.mode;
  const state = <usize>load<u32>(at, Header.state << 2);
  if (state & 3 || state < __heap_base || state > end - (State.words << 2) || load<u32>(state)) return Fault.state;
  for (let slot: u32 = 0; slot < known >> 8; slot++) {
    const fault = addressFault(load<u32>(at + ((Header.args + slot) << 2)), state, end);
    if (fault != Fault.none) return fault;
    const address = addressOf(load<u32>(at + ((Header.args + slot) << 2)), state);
    if (address >= from && address < to) return Fault.address;
  }
  return Fault.none;
}

function addressOf(operand: u32, state: usize): u64 {
  return <u64>load<u32>(state + ((<usize>operand & 3) << 2)) + (operand & ~3);
}

/** What is wrong with an address: outside memory, in the state block, or in a block that begins behind its own. */
function addressFault(operand: u32, state: usize, end: usize): Fault {
  if (operand == 0) return Fault.none; // absent
  const base = operand & 3;
  const block = load<u32>(state + ((<usize>base) << 2));
  if (base != Base.absolute && block == 0) return Fault.base;
  const address = addressOf(operand, state);
  if (address < __heap_base || address > <u64>end - 4) return Fault.address;
  if (address >= state && address < state + (State.words << 2)) return Fault.address;
  if (base == Base.absolute) return Fault.none;
  for (let other = <usize>Base.parameters; other <= <usize>Base.arena; other++) {
    const start = load<u32>(state + (other << 2));
    if (start > block && address >= start) return Fault.block;
  }
  return Fault.none;
}
