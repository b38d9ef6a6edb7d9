// Convolution as products of matrices whose patches are packed on the way (assembly/kernels/convolution.ts): right for
// every geometry.

import { ExtensionOp, GEMM_KC, GEMM_MC, Op } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { Operand, Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { pixelChunks, pushConvolution, type Sizes, type Way } from "./geometry";
import { pieces, slabs } from "./pieces";
import { multiplyAdds, streaming } from "./work";

/** Bytes of the tile that each thread has for what reaches past the last column. */
const TILE = 192;

const up = (n: number, to: number) => Math.ceil(n / to) * to;

/** Matrices that are packed: so many, of k rows, in panels of 8 columns. */
const packedBytes = (count: number, k: number, n: number) => 4 * count * k * up(n, 8);

const forwardThread = ({ patch }: Sizes) => TILE + 4 * GEMM_MC * Math.min(patch, GEMM_KC);
const forwardPacked = ({ groups, patch, groupOut }: Sizes) => packedBytes(groups, patch, groupOut);
const inputPacked = ({ kernelH, kernelW, groups, groupIn, groupOut }: Sizes) =>
  packedBytes(kernelH * kernelW * groups, groupOut, groupIn);

function kernelGradient(s: Sizes) {
  const size = s.patch * s.outC;
  const { chunks, chunkPixels } = pixelChunks(s.pixels, size);
  const depth = Math.min(GEMM_KC, chunkPixels);
  const rows = up(Math.min(GEMM_MC, s.kernelW * s.groupIn), 4);
  const perThread = 4 * (8 * GEMM_MC + depth * (up(s.groupOut, 8) + rows));
  return { size, chunks, chunkPixels, perThread, partials: chunks > 1 ? 4 * chunks * size : 0 };
}

/** Packs `outer`·`inner` matrices (k, n). */
function pack(tape: TapeWriter, packed: Part, b: Operand, sizes: readonly number[]): void {
  tape.push(extended(ExtensionOp.packPanels), [packed], [b], sizes, [], streaming(packed.bytes / 2));
}

/** The kernel, packed for forward at the workspace's start. */
export function packForward(tape: TapeWriter, s: Sizes, kernel: Operand): Part {
  const packed = tape.workspace(0, forwardPacked(s));
  pack(tape, packed, kernel, [1, s.groups, 0, s.groupOut, s.patch, s.groupOut, s.outC, 1]);
  return packed;
}

/** dx, or what a transposed convolution gives. */
function toInput(tape: TapeWriter, s: Sizes, dx: Tensor, dy: Tensor, kernel: Tensor): void {
  const bytes = inputPacked(s);
  const packed = tape.workspace(0, bytes);
  const { kernelH, kernelW, groups, groupIn, groupOut, outC } = s;
  pack(tape, packed, kernel, [kernelH * kernelW, groups, groupIn * outC, groupOut, groupOut, groupIn, 1, outC]);
  const each = (s.pixels / s.batch) * s.patch * outC;
  for (const { from, length } of pieces(s.batch, each))
    pushConvolution(
      tape,
      extended(ExtensionOp.convInputGradient),
      [slabs(dx, from, length), tape.workspace(bytes, tape.threads * TILE)],
      [slabs(dy, from, length), packed],
      s,
      { batch: length, perThread: TILE },
      multiplyAdds(length * each),
    );
}

function toKernel(tape: TapeWriter, s: Sizes, dkernel: Tensor, dy: Tensor, x: Tensor): void {
  const { size, chunks, chunkPixels, perThread, partials } = kernelGradient(s);
  const bytes = 4 * size;
  for (const { from, length } of pieces(chunks, chunkPixels * size))
    pushConvolution(
      tape,
      extended(ExtensionOp.convKernelGradient),
      [partials ? tape.workspace(from * bytes, length * bytes) : dkernel, tape.workspace(partials)],
      [x, dy],
      s,
      { firstChunk: from, chunks: length, chunkPixels, perThread },
      multiplyAdds(length * chunkPixels * size),
    );
  if (partials)
    tape.push(Op.reduceRows, [dkernel], [tape.workspace(0, partials)], [chunks, size], [], streaming(chunks * size));
}

export const implicit: Way = {
  norm: "scale",
  forwardBytes: (s, threads) => forwardPacked(s) + threads * forwardThread(s),
  forward(tape, s, y, [x, kernel, bias, scale], relu) {
    const packed = packForward(tape, s, kernel);
    const each = (s.pixels / s.batch) * s.patch * s.outC;
    for (const { from, length } of pieces(s.batch, each))
      pushConvolution(
        tape,
        extended(ExtensionOp.convForward),
        [slabs(y, from, length), tape.workspace(packed.bytes)],
        [slabs(x, from, length), packed, bias, null, scale],
        s,
        { batch: length, relu, perThread: forwardThread(s) },
        multiplyAdds(length * each),
      );
  },
  backwardBytes(s, threads, { dx, dkernel }) {
    const { perThread, partials } = kernelGradient(s);
    return Math.max(dx ? inputPacked(s) + threads * TILE : 0, dkernel ? partials + threads * perThread : 0);
  },
  backward(tape, s, { dx, dkernel, dy, x, kernel }) {
    if (dx) toInput(tape, s, dx, dy, kernel);
    if (dkernel) toKernel(tape, s, dkernel, dy, x!);
  },
};
