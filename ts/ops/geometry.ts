// What every way of computing a convolution needs to know of it: its geometry, its sizes, its instruction's slots.

import type { Op } from "../../assembly/isa";
import { shapeError, wrong } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import type { Operand, Products, TapeWriter } from "../graph/tape";

/** Of height and width. */
export type Pair = readonly [height: number, width: number];

/** How a kernel moves over an image. `same` and `valid` are layers' words for `pads`. */
export interface Geometry {
  readonly strides: Pair;
  readonly dilation: Pair;
  /** Groups of channels that are convolved each by itself. */
  readonly groups: number;
  readonly pads: readonly [top: number, bottom: number, left: number, right: number];
  /** Default `"auto"`. */
  readonly algorithm?: Algorithm;
}

/**
 * `"auto"`: the fastest that is about as exact as sums of products, which `"direct"` is; with `fastMath`, the fastest.
 * `winograd…`: where the sizes allow it.
 */
export type Algorithm = "auto" | "direct" | "winograd2" | "winograd4";

/** The sizes of a convolution x → y, whichever of its gradients is computed. */
export interface Sizes extends Geometry {
  batch: number;
  inH: number;
  inW: number;
  inC: number;
  outH: number;
  outW: number;
  outC: number;
  kernelH: number;
  kernelW: number;
  /** Channels a group. */
  groupIn: number;
  groupOut: number;
  /** Elements of a patch: of one group. */
  patch: number;
  /** Of y. */
  pixels: number;
  /** Of the runtime. */
  fastMath: boolean;
}

export function sizesOf(x: Shape, y: Shape, kernel: Shape, geometry: Geometry, fastMath = false): Sizes {
  const { groups } = geometry;
  const [batch, inH, inW, inC] = x as [number, number, number, number];
  const [, outH, outW, outC] = y as [number, number, number, number];
  const [kernelH, kernelW, groupIn] = kernel as [number, number, number];
  return {
    ...{ ...geometry, batch, inH, inW, inC, outH, outW, outC, kernelH, kernelW, groupIn, fastMath },
    ...{ groupOut: outC / groups, patch: kernelH * kernelW * groupIn, pixels: batch * outH * outW },
  };
}

/** How far a window of `size` taps reaches. */
const reach = (size: number, dilation: number) => (size - 1) * dilation + 1;

/** Throws `shape` where groups do not divide the channels in and out. */
export function checkGroups(who: string, channels: number, filters: number, groups: number): void {
  if (channels % groups) throw wrong("shape", who, `channels divisible by groups (${groups})`, channels);
  if (filters % groups) throw wrong("shape", who, `filters divisible by groups (${groups})`, filters);
}

/** The shape of y; throws `shape` in the name of `who`. */
export function convolvedShape(x: Shape, kernel: Shape, geometry: Geometry, who: string): Shape {
  const { strides, dilation, groups, pads } = geometry;
  if (x.length !== 4) throw shapeError(who, "input", "[n, h, w, c]", x);
  const [n, h, w, c] = x as [number, number, number, number];
  const [kh, kw, groupIn, o] = kernel as [number, number, number, number];
  checkGroups(who, c, o, groups);
  if (kernel.length !== 4 || groupIn !== c / groups)
    throw shapeError(who, "kernel", `[kh, kw, ${c / groups}, o]`, kernel);
  const padded = [h + pads[0] + pads[1], w + pads[2] + pads[3]] as const;
  const window = [reach(kh, dilation[0]), reach(kw, dilation[1])] as const;
  if (window[0] > padded[0] || window[1] > padded[1])
    throw wrong("shape", who, `a window no larger than the input, [${padded.join(", ")}]`, `[${window.join(", ")}]`);
  return [n, ...window.map((size, i) => Math.floor((padded[i]! - size) / strides[i]!) + 1), o];
}

/** What the slots of an instruction say beside the sizes (assembly/isa.ts, Convolution). */
export interface Slots {
  batch?: number;
  relu?: boolean | undefined;
  pooled?: boolean;
  backward?: boolean;
  firstChunk?: number;
  chunks?: number;
  chunkPixels?: number;
  perThread?: number;
}

/** Appends an instruction with slots of Convolution. */
export function pushConvolution(
  tape: TapeWriter,
  opcode: Op,
  [result, workspace, index = null]: [Operand, Operand, Operand?],
  [x, kernel, bias = null, picked = null, scale = null]: [Operand, Operand, Operand?, Operand?, Operand?],
  sizes: Sizes,
  slots: Slots,
  work: number | Products,
): void {
  const { inH, inW, inC, outH, outW, outC, kernelH, kernelW, strides, dilation, groups, pads } = sizes;
  const { batch = sizes.batch, relu, pooled, backward } = slots;
  const { firstChunk = 0, chunks = 0, chunkPixels = 0, perThread = 0 } = slots;
  tape.push(
    opcode,
    [result, workspace, index],
    [x, kernel, bias, picked, scale],
    [
      ...[batch, inH, inW, inC, outH, outW, outC, kernelH, kernelW, ...strides, ...dilation, pads[0], pads[2], groups],
      ...[+!!relu, +!!pooled, +!!backward, firstChunk, chunks, chunkPixels, perThread],
    ],
    [],
    work,
  );
}

/** What a backward pass is asked for, and what it has. */
export interface Backward {
  /** Null: not asked for. */
  dx: Tensor | null;
  dkernel: Tensor | null;
  dy: Tensor;
  /** Null where dkernel is not asked for. */
  x: Tensor | null;
  kernel: Tensor;
  /** Of a 2×2 max pooling behind it: dy is of what that made. */
  index?: Tensor | null | undefined;
}

/** A way of computing a convolution. */
export interface Way {
  /** Whether it can do the 2×2 max pooling behind a convolution with it, before bias and ReLU. */
  pools?: boolean;
  /** How it takes in a batch normalization at inference: it multiplies by `scale` itself, or is given a kernel with that in it. */
  norm?: "scale" | "kernel";
  /** Bytes of workspace. */
  forwardBytes(sizes: Sizes, threads: number): number;
  forward(
    tape: TapeWriter,
    sizes: Sizes,
    y: Tensor,
    inputs: [x: Tensor, kernel: Operand, bias: Operand, scale?: Operand],
    relu?: boolean,
    /** Where it pools: what the index is written to, if somebody reads it. */
    pool?: { index: Tensor | null } | undefined,
  ): void;
  backwardBytes(sizes: Sizes, threads: number, asked: { dx: boolean; dkernel: boolean }): number;
  backward(tape: TapeWriter, sizes: Sizes, tensors: Backward): void;
}

/** How the sum over all pixels, of `size` floats, is cut into chunks; shapes alone decide. */
export function pixelChunks(pixels: number, size: number): { chunks: number; chunkPixels: number } {
  const most = Math.max(1, Math.min(8, Math.floor(pixels / 64), Math.floor(2 ** 21 / size)));
  const chunkPixels = Math.ceil(pixels / most);
  return { chunks: Math.ceil(pixels / chunkPixels), chunkPixels };
}

/** Whether a pooling's windows are 2×2, side by side: a convolution may take it in. */
export const halves = ({
  poolSize,
  strides,
  pads,
}: Record<"poolSize" | "strides" | "pads", readonly number[]>): boolean =>
  [...poolSize, ...strides].every((s) => s === 2) && !pads.some((p) => p);

/** The same in whole rows, or pairs of rows. */
export function rowChunks({ batch, outH, outW, pixels }: Sizes, size: number, pairs = false) {
  const rows = Math.max(1, batch * (pairs ? outH >> 1 : outH));
  const chunkRows = Math.ceil((pixelChunks(pixels, size).chunkPixels * rows) / pixels);
  return { chunks: Math.ceil(rows / chunkRows), chunkPixels: chunkRows * outW };
}
