// The kernels of the extension: what a model needs that has more than the usual layers. In Node, and in the builds that a
// page loads when it is asked to, one core has them all; the strict core that a page embeds has not, and where a program
// needs one of these the runtime puts them into its function table from a module of their own (ts/runtime/extension.ts).
// In the order of Op, behind those of kernels.ts.

import { prelu, preluBackward } from "./kernels/activations";
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
import { adagradStep, rmspropStep } from "./kernels/optimizer";
import { orthogonal } from "./kernels/orthogonal";
import { truncatedNormal } from "./kernels/random";
import {
  cosineSimilarity,
  cosineSimilarityBackward,
  kullbackLeibler,
  kullbackLeiblerBackward,
} from "./kernels/rowLosses";
import { erfBlock, expBlock, logBlock } from "./kernels/unary";

type Kernel = (args: usize, ith: u32, nth: u32) => void;

const KERNELS: StaticArray<Kernel> = [
  changetype<Kernel>(expBlock), // exp
  changetype<Kernel>(logBlock), // log
  changetype<Kernel>(erfBlock), // erf
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
];

const OBJECT: usize = 32;

/** The number of kernels here; see kernels.ts. */
export const extensionCount: i32 = <i32>((changetype<usize>(KERNELS) - changetype<usize>(expBlock)) / OBJECT);

/** Where its data end. */
export const heapBase: usize = __heap_base;
