// The kernels of the extension: what a model needs that has more than the usual layers. In Node, and in the builds that a
// page loads when it is asked to, one core has them all; the strict core that a page embeds has not, and where a program
// needs one of these the runtime puts them into its function table from a module of their own (ts/runtime/extension.ts).
// In the order of Op, behind those of kernels.ts.

import { prelu, preluBackward } from "./kernels/activations";
import { mask, runningMean } from "./kernels/blocks";
import { nonNegative, normConstraint } from "./kernels/constraints";
import { adadeltaStep, lionStep, nadamStep, radamStep } from "./kernels/furtherSteps";
import { binaryCrossEntropy, binaryCrossEntropyBackward } from "./kernels/losses";
import { adagradStep, rmspropStep } from "./kernels/optimizer";
import { orthogonal } from "./kernels/orthogonal";
import { truncatedNormal } from "./kernels/random";
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
  adadeltaStep, // adadeltaStep
  nadamStep, // nadamStep
  radamStep, // radamStep
  lionStep, // lionStep
  normConstraint, // normConstraint
  nonNegative, // nonNegative
  mask, // mask
  runningMean, // runningMean
];

const OBJECT: usize = 32;

/** The number of kernels here; see kernels.ts. */
export const extensionCount: i32 = <i32>((changetype<usize>(KERNELS) - changetype<usize>(expBlock)) / OBJECT);

/** Where its data end. */
export const heapBase: usize = __heap_base;
