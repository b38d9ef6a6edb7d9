// 3×3 convolutions of stride 1 by Winograd's F(2×2, 3×3): see assembly/kernels/winograd.ts.

import { ExtensionOp, WINOGRAD_LINE, WINOGRAD_PLANE } from "../../assembly/isa";
import type { Tensor } from "../graph/graph";
import type { Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import type { Sizes, Way } from "./geometry";
import { pieces, slabs } from "./pieces";
import { multiplyAdds, streaming } from "./work";

const up8 = (n: number) => Math.ceil(n / 8) * 8;

/** Channels of the wider side, in whole strips. */
const wider = ({ inC, outC }: Sizes) => up8(Math.max(inC, outC));

/** Tiles along an axis of y. */
const tiles = (size: number, pooled: boolean) => (pooled ? size >> 1 : (size + 1) >> 1);

const tilesOf = ({ outH, outW }: Sizes, pooled = false) => [tiles(outH, pooled), tiles(outW, pooled)] as const;

/** Whether it is right for these sizes, and faster than products of patches. */
export function suitsWinograd(s: Sizes): boolean {
  const three = s.kernelH === 3 && s.kernelW === 3 && s.groups === 1;
  if (!three || ![...s.strides, ...s.dilation].every((d) => d === 1) || s.pads.some((p) => p > 2)) return false;
  if (s.inC % 4 || s.outC % 4 || Math.min(s.inC, s.outC) < LEAST || wider(s) > MOST) return false;
  const [tilesH, tilesW] = tilesOf(s);
  return tilesH * tilesW * s.batch >= TILES && 16 * tilesH * tilesW < 0.75 * 9 * s.outH * s.outW;
}

/** The fewest and the most channels, and the fewest tiles, with which it wins. */
const LEAST = 4;
const MOST = 256;
const TILES = 16;

/** Bytes of what is 16 planes (depth, columns, rounded up to 8). */
const planesBytes = (depth: number, columns: number) => 16 * (4 * depth * up8(columns) + WINOGRAD_LINE);

const threadBytes = (s: Sizes) => 4 * (2 * wider(s) + 16 * s.inC) + 32 * (4 * WINOGRAD_PLANE + WINOGRAD_LINE);

/** Chunks of images, each with a dU of its own: 12, which 2, 3 and 4 threads share evenly, in 16 MB; but 4 at least. */
const chunksOf = ({ batch, inC, outC }: Sizes) =>
  Math.min(batch, 12, Math.max(4, Math.floor(2 ** 22 / (16 * inC * outC))));

/** The operands Tiling. Blocks fill half of the planes, so that V and M stay in L2, but are not of fewer tiles than 48 if they can. */
function tilingOf(s: Sizes, batch: number, pooled: boolean): number[] {
  const most = Math.floor(WINOGRAD_PLANE / wider(s));
  const block = Math.min(most, Math.max(48, most >> 1));
  const { inH, inW, inC, outH, outW, outC, pads } = s;
  const rest = [...tilesOf(s, pooled), +pooled, block, threadBytes(s)];
  return [batch, inH, inW, inC, outH, outW, outC, pads[0], pads[2], ...rest];
}

/** Multiply-adds an image. */
function each(s: Sizes, pooled: boolean): number {
  const [tilesH, tilesW] = tilesOf(s, pooled);
  return 16 * tilesH * tilesW * s.inC * s.outC;
}

function transform(tape: TapeWriter, u: Part, kernel: Tensor, { inC, outC }: Sizes, transposed: boolean): void {
  const work = 3 * streaming(u.bytes / 4);
  tape.push(extended(ExtensionOp.winogradKernel), [u], [kernel], [inC, outC, +transposed], [], work);
}

/** An image's share of the bytes of an index. */
function indexSlab(index: Tensor, from: number, count: number, imageBytes: number): Part {
  const { name, place } = index;
  const offset = place!.offset + from * imageBytes;
  return { name, place: { ...place!, offset }, bytes: count * imageBytes, tensor: index };
}

export const winograd: Way = {
  pools: true,
  forwardBytes: (s, threads) => planesBytes(s.inC, s.outC) + threads * threadBytes(s),
  forward(tape, s, y, [x, kernel, bias], relu, pool) {
    const bytes = planesBytes(s.inC, s.outC);
    const u = tape.workspace(0, bytes);
    transform(tape, u, kernel, s, false);
    const [tilesH, tilesW] = tilesOf(s, !!pool);
    const index = pool?.index;
    for (const { from, length } of pieces(s.batch, each(s, !!pool)))
      tape.push(
        extended(ExtensionOp.winogradForward),
        [
          slabs(y, from, length),
          index ? indexSlab(index, from, length, tilesH * tilesW * s.outC) : null,
          tape.workspace(bytes),
        ],
        [slabs(x, from, length), u, bias],
        [+!!relu, ...tilingOf(s, length, !!pool)],
        [],
        multiplyAdds(length * each(s, !!pool)),
      );
  },
  backwardBytes: (s, threads, { dx, dkernel }) =>
    (dx ? planesBytes(s.outC, s.inC) : 0) +
    (dkernel ? chunksOf(s) * planesBytes(s.inC, s.outC) : 0) +
    threads * threadBytes(s),
  backward(tape, s, { dx, dkernel, dy, x, kernel, index }) {
    const chunks = chunksOf(s);
    const uBytes = dx ? planesBytes(s.outC, s.inC) : 0;
    const partialBytes = dkernel ? chunks * planesBytes(s.inC, s.outC) : 0;
    const u = dx && tape.workspace(0, uBytes);
    const partials = dkernel && tape.workspace(uBytes, partialBytes);
    if (u) transform(tape, u, kernel, s, true);
    const chunk = (each(s, !!index) * s.batch * (+!!dx + +!!dkernel)) / chunks;
    for (const { from, length } of pieces(chunks, chunk))
      tape.push(
        extended(ExtensionOp.winogradBackward),
        [dx, partials, tape.workspace(uBytes + partialBytes)],
        [dy, index ?? null, dkernel && x, u],
        [from, length, chunks, ...tilingOf(s, s.batch, !!index)],
        [],
        multiplyAdds(length * chunk),
      );
    if (partials)
      tape.push(
        extended(ExtensionOp.winogradKernelBackward),
        [dkernel],
        [partials],
        [s.inC, s.outC, chunks],
        [],
        streaming(partialBytes / 4),
      );
  },
};
