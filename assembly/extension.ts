// The kernels of the extension: what a model needs that has more than the usual layers. In Node, and in the builds that a
// page loads when it is asked to, one core has them all; the strict core that a page embeds has not, and where a program
// needs one of these the runtime puts them into its function table from a module of their own (ts/runtime/extension.ts).
// In the order of Op, behind those of kernels.ts.

import { prelu, preluBackward } from "./kernels/activations";
import { attackStart, attackStep } from "./kernels/adversarial";
import { attentionWeights, attentionWeightsBackward } from "./kernels/attention";
import { adjust, augmentMatrices, erase, mixDraw, mixRows, resample } from "./kernels/augment";
import { mask, runningMean } from "./kernels/blocks";
import { broadcast } from "./kernels/broadcast";
import { nonNegative, normConstraint } from "./kernels/constraints";
import { convForward, convInputGradient, convKernelGradient, packPanels } from "./kernels/convolution";
import { depthwise, depthwiseKernelGradient } from "./kernels/depthwise";
import { directForward, directKernelGradient } from "./kernels/direct";
import { foldNorm } from "./kernels/foldNorm";
import { adadeltaStep, lionStep, nadamStep, radamStep } from "./kernels/furtherSteps";
import { groupNorm, groupNormBackward, groupNormSums } from "./kernels/groupNorm";
import { oneHot, take, takeBackward } from "./kernels/indexing";
import { stridedCopy } from "./kernels/layout";
import {
  binaryCrossEntropy,
  binaryCrossEntropyBackward,
  hinge,
  hingeBackward,
  huber,
  huberBackward,
  meanAbsoluteError,
  meanAbsoluteErrorBackward,
  poisson,
  poissonBackward,
} from "./kernels/losses";
import { confusion, scoreHistogram, squareSums, topKAccuracy } from "./kernels/metrics";
import { gaussian, scaleChannels } from "./kernels/noise";
import { adagradStep, rmspropStep } from "./kernels/optimizer";
import { orthogonal } from "./kernels/orthogonal";
import { averagePool2d, maxPool2d, maxPool2dBackward, spread2d } from "./kernels/pooling";
import { truncatedNormal } from "./kernels/random";
import { gruCell, gruCellBackward, lstmCell, lstmCellBackward } from "./kernels/recurrent";
import { reduce } from "./kernels/reduce";
import { bilinear, bilinearBackward } from "./kernels/resize";
import {
  cosineSimilarity,
  cosineSimilarityBackward,
  kullbackLeibler,
  kullbackLeiblerBackward,
} from "./kernels/rowLosses";
import { tieBackward, tieStep } from "./kernels/tied";
import { cosBlock, erfBlock, expBlock, logBlock, powBlock, signBlock, sinBlock } from "./kernels/unary";
import {
  absBlock,
  clipBlock,
  divideBlock,
  dropBlock,
  equalBlock,
  greaterBlock,
  greaterEqualBlock,
  keepBlock,
  maximumBlock,
  minimumBlock,
  sqrtBlock,
} from "./kernels/wide.micro";
import { winogradBackward, winogradForward, winogradKernel, winogradKernelBackward } from "./kernels/winograd";

type Kernel = (args: usize, ith: u32, nth: u32) => void;

const KERNELS: StaticArray<Kernel> = [
  changetype<Kernel>(divideBlock), // divide
  changetype<Kernel>(powBlock), // pow
  changetype<Kernel>(maximumBlock), // maximum
  changetype<Kernel>(minimumBlock), // minimum
  changetype<Kernel>(greaterBlock), // greater
  changetype<Kernel>(greaterEqualBlock), // greaterEqual
  changetype<Kernel>(equalBlock), // equal
  changetype<Kernel>(keepBlock), // keep
  changetype<Kernel>(dropBlock), // drop
  changetype<Kernel>(expBlock), // exp
  changetype<Kernel>(logBlock), // log
  changetype<Kernel>(erfBlock), // erf
  changetype<Kernel>(sqrtBlock), // sqrt
  changetype<Kernel>(absBlock), // abs
  changetype<Kernel>(signBlock), // sign
  changetype<Kernel>(sinBlock), // sin
  changetype<Kernel>(cosBlock), // cos
  changetype<Kernel>(clipBlock), // clip
  prelu, // prelu
  preluBackward, // preluBackward
  truncatedNormal, // truncatedNormal
  orthogonal, // orthogonal
  binaryCrossEntropy, // binaryCrossEntropy
  binaryCrossEntropyBackward, // binaryCrossEntropyBackward
  adagradStep, // adagradStep
  rmspropStep, // rmspropStep
  meanAbsoluteError, // meanAbsoluteError
  meanAbsoluteErrorBackward, // meanAbsoluteErrorBackward
  huber, // huber
  huberBackward, // huberBackward
  hinge, // hinge
  hingeBackward, // hingeBackward
  poisson, // poisson
  poissonBackward, // poissonBackward
  kullbackLeibler, // kullbackLeibler
  kullbackLeiblerBackward, // kullbackLeiblerBackward
  cosineSimilarity, // cosineSimilarity
  cosineSimilarityBackward, // cosineSimilarityBackward
  topKAccuracy, // topKAccuracy
  confusion, // confusion
  squareSums, // squareSums
  scoreHistogram, // scoreHistogram
  adadeltaStep, // adadeltaStep
  nadamStep, // nadamStep
  radamStep, // radamStep
  lionStep, // lionStep
  normConstraint, // normConstraint
  nonNegative, // nonNegative
  mask, // mask
  runningMean, // runningMean
  attackStart, // attackStart
  attackStep, // attackStep
  tieBackward, // tieBackward
  tieStep, // tieStep
  broadcast, // broadcast
  stridedCopy, // stridedCopy
  reduce, // reduce
  take, // take
  takeBackward, // takeBackward
  oneHot, // oneHot
  gaussian, // gaussian
  scaleChannels, // scaleChannels
  groupNorm, // groupNorm
  groupNormBackward, // groupNormBackward
  groupNormSums, // groupNormSums
  augmentMatrices, // augmentMatrices
  resample, // resample
  erase, // erase
  adjust, // adjust
  mixDraw, // mixDraw
  mixRows, // mixRows
  lstmCell, // lstmCell
  lstmCellBackward, // lstmCellBackward
  gruCell, // gruCell
  gruCellBackward, // gruCellBackward
  attentionWeights, // attentionWeights
  attentionWeightsBackward, // attentionWeightsBackward
  winogradKernel, // winogradKernel
  winogradForward, // winogradForward
  winogradBackward, // winogradBackward
  winogradKernelBackward, // winogradKernelBackward
  maxPool2d, // maxPool2d
  maxPool2dBackward, // maxPool2dBackward
  averagePool2d, // averagePool2d
  spread2d, // spread2d
  packPanels, // packPanels
  convForward, // convForward
  convInputGradient, // convInputGradient
  convKernelGradient, // convKernelGradient
  depthwise, // depthwise
  depthwiseKernelGradient, // depthwiseKernelGradient
  directForward, // directForward
  directKernelGradient, // directKernelGradient
  bilinear, // bilinear
  bilinearBackward, // bilinearBackward
  foldNorm, // foldNorm
];

const OBJECT: usize = 32;

/** The number of kernels here; see kernels.ts. */
export const extensionCount: i32 = <i32>((changetype<usize>(KERNELS) - changetype<usize>(divideBlock)) / OBJECT);

/** Where its data end. */
export const heapBase: usize = __heap_base;
