// 3×3 convolutions of stride 1 by Winograd's F(2×2, 3×3) and F(4×4, 3×3): see assembly/kernels/winograd.ts.

import { ExtensionOp, WINOGRAD_LINE, WINOGRAD_PLANE, WINOGRAD4_PLANE } from "../../assembly/isa";
import type { Operand, Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import type { Sizes, Way } from "./geometry";
import { indexSlab, pieces, slabs } from "./pieces";
import { multiplyAdds, streaming } from "./work";

const up8 = (n: number) => Math.ceil(n / 8) * 8;

/** Channels of the wider side, in whole strips. */
const wider = ({ inC, outC }: Sizes) => up8(Math.max(inC, outC));

/** Pixels of y that a tile makes, along an axis. */
type Side = 2 | 4;

/** Numbers of a tile of x. */
const places = (side: Side) => (side + 2) * (side + 2);

/** Tiles of an image, [along its height, along its width]; of a pooled one, those that its windows lie in. */
function tilesOf({ outH, outW }: Sizes, side: Side, pooled = false): [number, number] {
  const of = (size: number) => (pooled ? Math.ceil((size >> 1) / (side >> 1)) : Math.ceil(size / side));
  return [of(outH), of(outW)];
}

/** Whether it can compute a convolution of these sizes. */
export function canWinograd(s: Sizes): boolean {
  const three = s.kernelH === 3 && s.kernelW === 3 && s.groups === 1;
  const ones = [...s.strides, ...s.dilation].every((d) => d === 1) && s.pads.every((p) => p <= 2);
  return three && ones && s.inC % 4 === 0 && s.outC % 4 === 0 && wider(s) <= MOST;
}

/** The most channels for which a block has enough tiles. */
const MOST = 256;

/**
 * Whether F(2×2, 3×3) is faster than products of patches: not of images of a few tiles, nor where much of these lies beyond y. The
 * batch has no say: an example's numbers do not depend on how many there are.
 */
export function suitsWinograd(s: Sizes): boolean {
  const [tilesH, tilesW] = tilesOf(s, 2);
  return canWinograd(s) && tilesH * tilesW >= 9 && 16 * tilesH * tilesW < 0.75 * 9 * s.outH * s.outW;
}

/** Whether F(4×4, 3×3) is faster than F(2×2, 3×3): not where its tiles lie far beyond y. */
export function suitsWinograd4(s: Sizes): boolean {
  const products = ([tilesH, tilesW]: [number, number], side: Side) => places(side) * tilesH * tilesW;
  return suitsWinograd(s) && products(tilesOf(s, 4), 4) < 0.8 * products(tilesOf(s, 2), 2);
}

/** Bytes of the planes (depth, columns, rounded up to 8) of a kernel. */
const planesBytes = (side: Side, depth: number, columns: number) =>
  places(side) * (4 * depth * up8(columns) + WINOGRAD_LINE);

const planeFloats = (side: Side) => (side === 4 ? WINOGRAD4_PLANE : WINOGRAD_PLANE);

const threadBytes = (side: Side, s: Sizes) =>
  4 * (2 * wider(s) + places(side) * s.inC) + 2 * places(side) * (4 * planeFloats(side) + WINOGRAD_LINE);

/** The operands Tiling. Blocks fill half of the planes, so that V and M stay in L2, but are not of fewer tiles than 48 if they can. */
function tilingOf(side: Side, s: Sizes, batch: number, pooled: boolean): number[] {
  const most = Math.floor(planeFloats(side) / wider(s));
  const block = Math.min(most, Math.max(48, most >> 1));
  const { inH, inW, inC, outH, outW, outC, pads } = s;
  const rest = [...tilesOf(s, side, pooled), side, +pooled, block, threadBytes(side, s)];
  return [batch, inH, inW, inC, outH, outW, outC, pads[0], pads[2], ...rest];
}

/** Multiply-adds an image. */
function each(side: Side, s: Sizes, pooled: boolean): number {
  const [tilesH, tilesW] = tilesOf(s, side, pooled);
  return places(side) * tilesH * tilesW * s.inC * s.outC;
}

/** What they would be without Winograd's algorithm. */
const directly = ({ batch, pixels, patch, outC }: Sizes) => (pixels / batch) * patch * outC;

/**
 * Chunks of images, each with a dU of its own: 12, which 2, 3 and 4 threads share evenly, or a multiple, so that none takes too
 * long; in 16 MB, but 4 at least. Short ones are 6 where 12 would have more than 4 MB, for these have to be added up.
 */
function chunksOf(side: Side, s: Sizes): number {
  const size = places(side) * s.inC * s.outC;
  const needed = pieces(s.batch, 2 * each(side, s, false)).length;
  const most = Math.max(4, Math.floor(2 ** 22 / size));
  return Math.min(s.batch, most, needed <= 6 && 12 * size > 2 ** 20 ? 6 : 12 * Math.ceil(needed / 12));
}

/** u of a kernel times `scale`, if there is one; transposed for the gradient to the input. */
function transform(
  tape: TapeWriter,
  side: Side,
  u: Part,
  [kernel, scale = null]: [Operand, Operand?],
  { inC, outC }: Sizes,
  transposed: boolean,
) {
  const work = 3 * streaming(u.bytes / 4);
  tape.push(extended(ExtensionOp.winogradKernel), [u], [kernel, scale], [inC, outC, side, +transposed], [], work);
}

/** The way by tiles of so many pixels of y. */
const winogradOf = (side: Side): Way => ({
  pools: true,
  norm: "scale",
  forwardBytes: (s, threads) => planesBytes(side, s.inC, s.outC) + threads * threadBytes(side, s),
  forward(tape, s, y, [x, kernel, bias, scale], relu, pool) {
    const bytes = planesBytes(side, s.inC, s.outC);
    const u = tape.workspace(0, bytes);
    const index = pool?.index;
    transform(tape, side, u, [kernel, scale], s, false);
    for (const { from, length } of pieces(s.batch, each(side, s, !!pool)))
      tape.push(
        extended(ExtensionOp.winogradForward),
        [
          slabs(y, from, length),
          index ? indexSlab(index, from, length, y.size / s.batch) : null,
          tape.workspace(bytes),
        ],
        [slabs(x, from, length), u, bias],
        [+!!relu, ...tilingOf(side, s, length, !!pool)],
        [],
        multiplyAdds(length * each(side, s, !!pool), length * directly(s)),
      );
  },
  backwardBytes: (s, threads, { dx, dkernel }) =>
    (dx ? planesBytes(side, s.outC, s.inC) : 0) +
    (dkernel ? chunksOf(side, s) * planesBytes(side, s.inC, s.outC) : 0) +
    threads * threadBytes(side, s),
  backward(tape, s, { dx, dkernel, dy, x, kernel, index }) {
    const chunks = chunksOf(side, s);
    const uBytes = dx ? planesBytes(side, s.outC, s.inC) : 0;
    const partialBytes = dkernel ? chunks * planesBytes(side, s.inC, s.outC) : 0;
    const u = dx && tape.workspace(0, uBytes);
    const partials = dkernel && tape.workspace(uBytes, partialBytes);
    if (u) transform(tape, side, u, [kernel], s, true);
    const images = (s.batch * (+!!dx + +!!dkernel)) / chunks; // of a chunk, once for each gradient
    const chunk = each(side, s, !!index) * images;
    for (const { from, length } of pieces(chunks, chunk))
      tape.push(
        extended(ExtensionOp.winogradBackward),
        [dx, partials, tape.workspace(uBytes + partialBytes)],
        [dy, index ?? null, dkernel && x, u],
        [from, length, chunks, ...tilingOf(side, s, s.batch, !!index)],
        [],
        multiplyAdds(length * chunk, length * directly(s) * images),
      );
    if (partials)
      tape.push(
        extended(ExtensionOp.winogradKernelBackward),
        [dkernel, partials],
        [],
        [s.inC, s.outC, side, chunks],
        [],
        streaming(partialBytes / 4),
      );
  },
});

/** F(2×2, 3×3), about as exact as products of patches. */
export const winograd: Way = /* @__PURE__ */ winogradOf(2);

/** F(4×4, 3×3): fewer products, and errors two to five times as large. */
export const winograd4: Way = /* @__PURE__ */ winogradOf(4);
