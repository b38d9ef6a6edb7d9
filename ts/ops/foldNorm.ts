// Batch normalization at inference as part of the convolution before it (assembly/kernels/foldNorm.ts).

import { ExtensionOp } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { Operand, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import type { Sizes, Way } from "./geometry";
import { streaming } from "./work";

/** Whether a way can take it in, and that is less work than a pass over y: of one image, so that the batch has no say. */
export const takesNorm = ({ norm }: Way, { patch, outH, outW }: Sizes): boolean =>
  norm === "scale" || (norm === "kernel" && patch <= outH * outW);

/** Bytes of its constants: scale, shift, and where the way has none of its own for the scale, the kernel with that in it. */
export const normBytes = ({ norm }: Way, { patch, outC }: Sizes): number =>
  4 * outC * (norm === "kernel" ? 2 + patch : 2);

/** Makes them in the workspace, from byte `at` on. Inputs kernel, bias or null, gamma, beta, mean, variance. */
export function foldNorm(
  tape: TapeWriter,
  at: number,
  { norm }: Way,
  { patch, outC }: Sizes,
  inputs: readonly (Tensor | null)[],
  epsilon: number,
): { kernel: Operand; shift: Operand; scale: Operand } {
  const row = 4 * outC;
  const scale = tape.workspace(at, row);
  const shift = tape.workspace(at + row, row);
  const folded = norm === "kernel" ? tape.workspace(at + 2 * row, patch * row) : null;
  const work = streaming((folded ? 2 * patch : 7) * outC);
  tape.push(extended(ExtensionOp.foldNorm), [scale, shift, folded], inputs, [patch, outC], [epsilon], work);
  return { kernel: folded ?? inputs[0]!, shift, scale: folded ? null : scale };
}
