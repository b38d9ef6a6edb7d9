// Convolution with as many groups as channels (assembly/kernels/depthwise.ts). Of a kernel with several filters a channel, x
// is repeated channel by channel first: kernel [kh, kw, 1, c·m] is then a depthwise one of c·m channels.

import { ExtensionOp, Op, ReduceKind } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { pushConvolution, rowChunks, type Sizes, type Way } from "./geometry";
import { pieces, slabs } from "./pieces";
import { slots } from "./strides";
import { multiplyAdds, streaming } from "./work";

/** Of so many products. Loads bound it. */
const work = (count: number) => multiplyAdds(3 * count, count);

/** Products of so many pixels of y. */
const productsOf = (s: Sizes, pixels: number) => pixels * s.kernelH * s.kernelW * s.outC;

/** Products of an image. */
const each = (s: Sizes) => productsOf(s, s.outH * s.outW);

/** Images, in pieces. */
const cut = (s: Sizes) => pieces(s.batch, 3 * each(s));

/** The sizes with as many channels in as out. */
const alike = (s: Sizes): Sizes => ({ ...s, inC: s.outC, groups: s.outC });

/** Bytes of x, repeated. */
const repeatedBytes = (s: Sizes) => (s.groupOut > 1 ? 4 * s.batch * s.inH * s.inW * s.outC : 0);

const listBytes = (s: Sizes) => 8 * s.kernelH * s.kernelW;

/** So many images of x where each channel is there groupOut times: x itself, or what the workspace begins with. */
function images(tape: TapeWriter, s: Sizes, x: Tensor, from: number, length: number): Part {
  const bytes = repeatedBytes(s) / s.batch;
  return bytes ? tape.workspace(from * bytes, length * bytes) : slabs(x, from, length);
}

/** Makes these, where they are not x itself. */
function repeat(tape: TapeWriter, s: Sizes, x: Tensor): void {
  if (s.groupOut === 1) return;
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
}

function kernelGradient(s: Sizes) {
  const size = s.kernelH * s.kernelW * s.outC;
  const chunks = rowChunks(s, size);
  return { ...chunks, size, partials: 4 * chunks.chunks * size };
}

function toInput(tape: TapeWriter, s: Sizes, dx: Tensor, dy: Tensor, kernel: Tensor, threads: number): void {
  const bytes = repeatedBytes(s);
  for (const { from, length } of cut(s))
    pushConvolution(
      tape,
      extended(ExtensionOp.depthwise),
      [images(tape, s, dx, from, length), tape.workspace(bytes, threads * listBytes(s))],
      [slabs(dy, from, length), kernel],
      alike(s),
      { batch: length, backward: true, perThread: listBytes(s) },
      work(length * each(s)),
    );
  if (!bytes) return;
  const sizes = [ReduceKind.sum, dx.size, s.groupOut, 1, s.groupOut];
  const repeated = tape.workspace(0, bytes);
  tape.push(extended(ExtensionOp.reduce), [dx], [repeated], sizes, [], streaming(4 * dx.size * s.groupOut));
}

function toKernel(tape: TapeWriter, s: Sizes, dkernel: Tensor, dy: Tensor, x: Tensor): void {
  const { size, chunks, chunkPixels } = kernelGradient(s);
  const into = (from: number, length: number) => tape.workspace(repeatedBytes(s) + 4 * size * from, 4 * size * length);
  repeat(tape, s, x);
  for (const { from, length } of pieces(chunks, 3 * productsOf(s, chunkPixels)))
    pushConvolution(
      tape,
      extended(ExtensionOp.depthwiseKernelGradient),
      [into(from, length), null],
      [images(tape, s, x, 0, s.batch), dy],
      alike(s),
      { firstChunk: from, chunks: length, chunkPixels },
      work(productsOf(s, length * chunkPixels)),
    );
  tape.push(Op.reduceRows, [dkernel], [into(0, chunks)], [chunks, size], [], streaming(chunks * size));
}

export const depthwise: Way = {
  norm: "kernel",
  forwardBytes: (s, threads) => repeatedBytes(s) + threads * listBytes(s),
  forward(tape, s, y, [x, kernel, bias], relu) {
    repeat(tape, s, x);
    for (const { from, length } of cut(s))
      pushConvolution(
        tape,
        extended(ExtensionOp.depthwise),
        [slabs(y, from, length), tape.workspace(repeatedBytes(s))],
        [images(tape, s, x, from, length), kernel, bias],
        alike(s),
        { batch: length, relu, perThread: listBytes(s) },
        work(length * each(s)),
      );
  },
  backwardBytes: (s, threads, { dx, dkernel }) =>
    repeatedBytes(s) + Math.max(dx ? threads * listBytes(s) : 0, dkernel ? kernelGradient(s).partials : 0),
  backward(tape, s, { dx, dkernel, dy, x, kernel }) {
    if (dx) toInput(tape, s, dx, dy, kernel, tape.threads);
    if (dkernel) toKernel(tape, s, dkernel, dy, x!);
  },
};
