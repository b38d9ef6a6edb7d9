// Convolution of images of few channels (assembly/kernels/direct.ts): a model's first layer.

import { ExtensionOp, Op } from "../../assembly/isa";
import { extended } from "../runtime/extension";
import { pushConvolution, rowChunks, type Sizes, type Way } from "./geometry";
import { implicit, packForward } from "./implicit";
import { pieces, slabs } from "./pieces";
import { multiplyAdds, streaming } from "./work";

/** Whether it knows how. */
export const fewChannels = ({ groups, inC, outC, patch }: Sizes): boolean =>
  groups === 1 && inC <= 4 && outC % 8 === 0 && patch <= 512;

/** Of each thread: where a patch's elements lie, and the rows that a row of y needs. */
const perThread = ({ patch, kernelH, kernelW, outW, inC, strides, dilation }: Sizes) =>
  4 * (patch + kernelH * ((outW - 1) * strides[1] + (kernelW - 1) * dilation[1] + 1) * inC);

const packedBytes = ({ patch, outC }: Sizes) => 4 * patch * outC;

const kernelGradient = (s: Sizes) => {
  const size = s.patch * s.outC;
  const chunks = rowChunks(s, size);
  return { ...chunks, size, partials: 4 * chunks.chunks * size };
};

export const direct: Way = {
  forwardBytes: (s, threads) => packedBytes(s) + threads * perThread(s),
  forward(tape, s, y, [x, kernel, bias], relu) {
    const packed = packForward(tape, s, kernel);
    const each = (s.pixels / s.batch) * s.patch * s.outC;
    for (const { from, length } of pieces(s.batch, each))
      pushConvolution(
        tape,
        extended(ExtensionOp.directForward),
        [slabs(y, from, length), tape.workspace(packed.bytes)],
        [slabs(x, from, length), packed, bias],
        s,
        { batch: length, relu, perThread: perThread(s) },
        multiplyAdds(length * each),
      );
  },
  backwardBytes(s, threads, { dx, dkernel }) {
    const bytes = dkernel ? kernelGradient(s).partials + threads * perThread(s) : 0;
    return Math.max(bytes, dx ? implicit.backwardBytes(s, threads, { dx, dkernel: false }) : 0);
  },
  backward(tape, s, { dx, dkernel, dy, x, kernel }) {
    if (dx) implicit.backward(tape, s, { dx, dkernel: null, dy, x, kernel });
    if (!dkernel) return;
    const { chunks, chunkPixels, size, partials } = kernelGradient(s);
    for (const { from, length } of pieces(chunks, chunkPixels * size))
      pushConvolution(
        tape,
        extended(ExtensionOp.directKernelGradient),
        [tape.workspace(from * 4 * size, length * 4 * size), tape.workspace(partials)],
        [x!, dy],
        s,
        { firstChunk: from, chunks: length, chunkPixels, perThread: perThread(s) },
        multiplyAdds(length * chunkPixels * size),
      );
    tape.push(Op.reduceRows, [dkernel], [tape.workspace(0, partials)], [chunks, size], [], streaming(chunks * size));
  },
};
