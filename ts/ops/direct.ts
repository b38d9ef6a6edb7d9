// Convolution straight from the image (assembly/kernels/direct.ts): of few channels, as in a model's first layer, with the pooling
// behind it; and forward, of any others whose kernel's panel L1 has room for.

import { DIRECT_BLOCK, ExtensionOp, Op } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { pushConvolution, rowChunks, type Sizes, type Way } from "./geometry";
import { implicit, packForward } from "./implicit";
import { indexSlab, pieces, slabs } from "./pieces";
import { multiplyAdds, streaming } from "./work";

/** Whether it knows how. */
const canDirect = ({ groups, outC }: Sizes) => groups === 1 && outC % 8 === 0;

/** Whether images have so few channels that only it is fast. */
export const fewChannels = (s: Sizes): boolean => canDirect(s) && s.inC <= 4 && s.patch <= 512;

/** Whether it is faster than copies of patches, if not in their gradient to the input: where L1 has room for a panel of the kernel. */
export const suitsDirect = (s: Sizes): boolean => canDirect(s) && s.patch <= 768;

/** Of each thread: the tables, two rows of y that are pooled or that what was pooled stands for, the band. */
function blockBytes(s: Sizes): number {
  const { outW, inC, kernelH, kernelW, strides, dilation, outH, outC } = s;
  const rows = Math.max(2, Math.floor(DIRECT_BLOCK / outW));
  const reach = (kernelH - 1) * dilation[0] + 1;
  const bandRows = rows * Math.min(strides[0], reach) + reach * (Math.ceil(rows / outH) + 1);
  const band = 4 * bandRows * inC * ((outW - 1) * strides[1] + (kernelW - 1) * dilation[1] + 1);
  return 4 * rows * outW + 8 * outW * outC + band;
}

/** The same, and the patch. */
const forwardThread = (s: Sizes) => 4 * s.patch + blockBytes(s);

/** The same, the patch in nines, and its sums. */
const kernelThread = (s: Sizes) => 36 * Math.ceil(s.patch / 9) * (1 + s.outC) + blockBytes(s);

/** Whether what follows one another of a patch fills implicit's tiles. */
const longRuns = ({ kernelW, inC, dilation }: Sizes) => (dilation[1] === 1 ? kernelW * inC : inC) >= 8;

const packedBytes = ({ patch, outC }: Sizes) => 4 * patch * outC;

/** `pooled`: dy is of a pooling. */
const kernelGradient = (s: Sizes, pooled = false) => {
  const size = s.patch * s.outC;
  const chunks = rowChunks(s, size, pooled);
  return { ...chunks, size, partials: 4 * chunks.chunks * size };
};

const inputBytes = (s: Sizes, threads: number) => implicit.backwardBytes(s, threads, { dx: true, dkernel: false });

/** dy of all of y from that of the pooled one, behind what the gradient to the input needs. */
function unpool(tape: TapeWriter, s: Sizes, dy: Tensor, index: Tensor): Tensor {
  const shape = [s.batch, s.outH, s.outW, s.outC];
  const whole = dy.graph.leaf(shape, "dy", tape.workspace(inputBytes(s, tape.threads), 4 * s.pixels * s.outC).place);
  const sizes = [...shape, s.outH >> 1, s.outW >> 1, 2, 2, 2, 2, 0, 0];
  tape.push(extended(ExtensionOp.maxPool2dBackward), [whole], [dy, index], sizes, [], streaming(2 * whole.size));
  return whole;
}

export const direct: Way = {
  pools: true,
  norm: "kernel",
  forwardBytes: (s, threads) => packedBytes(s) + threads * forwardThread(s),
  forward(tape, s, y, [x, kernel, bias, scale], relu, pool) {
    const packed = packForward(tape, s, kernel);
    const each = (s.pixels / s.batch) * s.patch * s.outC;
    const index = pool?.index;
    const indexBytes = (s.outH >> 1) * (s.outW >> 1) * s.outC;
    for (const { from, length } of pieces(s.batch, each))
      pushConvolution(
        tape,
        extended(ExtensionOp.directForward),
        [
          slabs(y, from, length),
          tape.workspace(packed.bytes),
          index ? indexSlab(index, from, length, indexBytes) : null,
        ],
        [slabs(x, from, length), packed, bias, null, scale],
        s,
        { batch: length, relu, pooled: !!pool, perThread: forwardThread(s) },
        multiplyAdds(length * each),
      );
  },
  backwardBytes(s, threads, { dx, dkernel }) {
    // whether dy is of a pooling is not known here
    const partials = Math.max(...[false, true].map((pooled) => kernelGradient(s, pooled).partials));
    const whole = dx ? inputBytes(s, threads) + 4 * s.pixels * s.outC : 0;
    const byRuns = longRuns(s) ? implicit.backwardBytes(s, threads, { dx: false, dkernel }) : 0;
    return Math.max(whole, byRuns, dkernel ? partials + threads * kernelThread(s) : 0);
  },
  backward(tape, s, { dx, dkernel, dy, x, kernel, index }) {
    if (dx) implicit.backward(tape, s, { dx, dkernel: null, dy: index ? unpool(tape, s, dy, index) : dy, x, kernel });
    if (!dkernel) return;
    if (!index && longRuns(s)) return implicit.backward(tape, s, { dx: null, dkernel, dy, x, kernel });
    const { chunks, chunkPixels, size, partials } = kernelGradient(s, !!index);
    for (const { from, length } of pieces(chunks, chunkPixels * size))
      pushConvolution(
        tape,
        extended(ExtensionOp.directKernelGradient),
        [tape.workspace(from * 4 * size, length * 4 * size), tape.workspace(partials)],
        [x!, dy, null, index ?? null],
        s,
        { firstChunk: from, chunks: length, chunkPixels, perThread: kernelThread(s) },
        multiplyAdds(length * chunkPixels * size),
      );
    tape.push(Op.reduceRows, [dkernel], [tape.workspace(0, partials)], [chunks, size], [], streaming(chunks * size));
  },
};

/** The same where images have more channels, whose gradient to the kernel has no pooling in it. */
export const directWide: Way = /* @__PURE__ */ (() => ({ ...direct, pools: false, norm: "scale" }))();
