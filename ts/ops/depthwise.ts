// Convolution with as many groups as channels (assembly/kernels/depthwise.ts). Of a kernel with several filters a channel, x
// is repeated channel by channel first: kernel [kh, kw, 1, c·m] is then a depthwise one of c·m channels.

import { ExtensionOp, Op, ReduceKind } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { Operand, Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { pushConvolution, rowChunks, type Sizes, type Way } from "./geometry";
import { slots } from "./strides";
import { multiplyAdds, streaming } from "./work";

/** Loads bound it. */
function work(s: Sizes) {
  const count = s.pixels * s.kernelH * s.kernelW * s.outC;
  return multiplyAdds(3 * count, count);
}

/** The sizes with as many channels in as out. */
const alike = (s: Sizes): Sizes => ({ ...s, inC: s.outC, groups: s.outC });

/** Bytes of x, repeated. */
const repeatedBytes = (s: Sizes) => (s.groupOut > 1 ? 4 * s.batch * s.inH * s.inW * s.outC : 0);

const listBytes = (s: Sizes) => 8 * s.kernelH * s.kernelW;

/** x, each channel groupOut times. */
function repeat(tape: TapeWriter, s: Sizes, x: Tensor): Operand {
  if (s.groupOut === 1) return x;
  const y = tape.workspace(0, repeatedBytes(s));
  const walks = [slots([x.size, s.groupOut]), slots([s.groupOut, 1]), slots([1, 0])];
  tape.push(
    extended(ExtensionOp.stridedCopy),
    [y],
    [x],
    [0, 0, 2, ...walks.flat()],
    [],
    streaming(10 * x.size * s.groupOut),
  );
  return y;
}

function kernelGradient(s: Sizes) {
  const size = s.kernelH * s.kernelW * s.outC;
  const chunks = rowChunks(s, size);
  return { ...chunks, size, partials: 4 * chunks.chunks * size };
}

function toInput(tape: TapeWriter, s: Sizes, dx: Tensor, dy: Tensor, kernel: Tensor, threads: number): void {
  const bytes = repeatedBytes(s);
  const repeated: Tensor | Part = bytes ? tape.workspace(0, bytes) : dx;
  pushConvolution(
    tape,
    extended(ExtensionOp.depthwise),
    [repeated, tape.workspace(bytes, threads * listBytes(s))],
    [dy, kernel],
    alike(s),
    { backward: true, perThread: listBytes(s) },
    work(s),
  );
  if (!bytes) return;
  const sizes = [ReduceKind.sum, dx.size, s.groupOut, 1, s.groupOut];
  tape.push(extended(ExtensionOp.reduce), [dx], [repeated], sizes, [], streaming(4 * dx.size * s.groupOut));
}

function toKernel(tape: TapeWriter, s: Sizes, dkernel: Tensor, dy: Tensor, x: Tensor): void {
  const { size, chunks, chunkPixels, partials } = kernelGradient(s);
  const into = tape.workspace(repeatedBytes(s), partials);
  pushConvolution(
    tape,
    extended(ExtensionOp.depthwiseKernelGradient),
    [into, null],
    [repeat(tape, s, x), dy],
    alike(s),
    { chunks, chunkPixels },
    work(s),
  );
  tape.push(Op.reduceRows, [dkernel], [into], [chunks, size], [], streaming(chunks * size));
}

export const depthwise: Way = {
  norm: "kernel",
  forwardBytes: (s, threads) => repeatedBytes(s) + threads * listBytes(s),
  forward(tape, s, y, [x, kernel, bias], relu) {
    pushConvolution(
      tape,
      extended(ExtensionOp.depthwise),
      [y, tape.workspace(repeatedBytes(s))],
      [repeat(tape, s, x), kernel, bias],
      alike(s),
      { relu, perThread: listBytes(s) },
      work(s),
    );
  },
  backwardBytes: (s, threads, { dx, dkernel }) =>
    repeatedBytes(s) + Math.max(dx ? threads * listBytes(s) : 0, dkernel ? kernelGradient(s).partials : 0),
  backward(tape, s, { dx, dkernel, dy, x, kernel }) {
    if (dx) toInput(tape, s, dx, dy, kernel, tape.threads);
    if (dkernel) toKernel(tape, s, dkernel, dy, x!);
  },
};
