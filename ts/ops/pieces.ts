// Work that would run for longer than `fit` goes without yielding, in pieces.

import type { Tensor } from "../graph/graph";
import type { Part } from "../graph/tape";
import { multiplyAdds } from "./work";

/** An instruction runs for about this long, in nanoseconds. */
const LONGEST = 4e6;

/** `count` slabs of x along its first axis, from slab `from` on. */
export function slabs(x: Tensor, from: number, count = 1): Part {
  const bytes = x.bytes / x.shape[0]!;
  const place = { ...x.place!, offset: x.place!.offset + from * bytes };
  return { name: x.name, place, bytes: count * bytes, tensor: x };
}

/** So many images' part of a pooling's index, from image `from` on. */
export function indexSlab(index: Tensor, from: number, count: number, imageBytes: number): Part {
  const { name, place } = index;
  const offset = place!.offset + from * imageBytes;
  return { name, place: { ...place!, offset }, bytes: count * imageBytes, tensor: index };
}

interface Piece {
  from: number;
  length: number;
}

/** `steps` steps, of which one is `count` multiply-adds, in pieces that do not run for too long. */
export const pieces = (steps: number, count: number): Piece[] => piecesOf(steps, multiplyAdds(count).ns);

/** The same of steps of `ns` nanoseconds. */
export function piecesOf(steps: number, ns: number): Piece[] {
  const most = Math.max(1, Math.floor(LONGEST / ns));
  const parts = Math.ceil(steps / most);
  const border = (i: number) => Math.floor((i * steps) / parts);
  return Array.from({ length: parts }, (_, i) => ({ from: border(i), length: border(i + 1) - border(i) }));
}
