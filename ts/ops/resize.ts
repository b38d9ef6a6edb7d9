// Images enlarged by linear interpolation between the centres of pixels.

import { ExtensionOp, type Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import type { Pair } from "./geometry";
import { piecesOf, slabs } from "./pieces";
import { streaming } from "./work";

/** How many pixels stand in the place of one. */
export interface Enlarging {
  readonly scale: Pair;
}

function push(tape: TapeWriter, opcode: Op, to: Tensor, from: Tensor, small: Shape, scale: Pair): void {
  const [n, ...image] = small as [number, ...number[]];
  const ns = streaming(20 * Math.max(to.size, from.size)) / n; // an image
  for (const { from: first, length } of piecesOf(n, ns))
    tape.push(
      opcode,
      [slabs(to, first, length)],
      [slabs(from, first, length)],
      [length, ...image, ...scale],
      [],
      length * ns,
    );
}

/** y[n, i, j, c] between the four pixels of x whose centres are the nearest. */
export const bilinear: OpOf<Enlarging> = /* @__PURE__ */ defineOp<Enlarging>({
  name: "bilinear",
  shape([x], { scale }, who) {
    if (x!.length !== 4) throw shapeError(who, "input", "[n, h, w, c]", x!);
    return [[x![0]!, x![1]! * scale[0], x![2]! * scale[1], x![3]!]];
  },
  gradient: (dy, { attributes }) => [bilinearBackward([dy], attributes)],
  lower(tape, { inputs: [x], outputs: [y], attributes: { scale } }) {
    push(tape, extended(ExtensionOp.bilinear), y!, x!, x!.shape, scale);
  },
});

/** The adjoint of bilinear. */
export const bilinearBackward: OpOf<Enlarging> = /* @__PURE__ */ defineOp<Enlarging>({
  name: "bilinearBackward",
  shape: ([dy], { scale }) => [[dy![0]!, dy![1]! / scale[0], dy![2]! / scale[1], dy![3]!]],
  gradient: (dx, { attributes }) => [bilinear([dx], attributes)],
  lower(tape, { inputs: [dy], outputs: [dx], attributes: { scale } }) {
    push(tape, extended(ExtensionOp.bilinearBackward), dx!, dy!, dx!.shape, scale);
  },
});
