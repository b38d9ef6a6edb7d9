// Sums over axes, and their opposite: an array repeated along axes.

import { ExtensionOp, ReduceKind } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Node, type Op as OpOf, type Shape, sameShape, sizeOf, type Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { reshape } from "./elementwise";
import { broadcastShape, broadcastStrides, pushCopy, stridesOf } from "./strides";
import { streaming } from "./work";

/** Axes from … to − 1, side by side. */
export interface AxesAttributes {
  from: number;
  to: number;
}

/** x as (outer, n, inner), the middle being what is reduced, in chunks of the middle. */
function sizes({ shape }: Tensor, { from, to }: AxesAttributes) {
  const inner = sizeOf(shape.slice(to));
  const n = sizeOf(shape.slice(from, to));
  // a chunk is summed in 16 lanes, or row by row: of so few that rounding stays small
  const chunk = Math.min(n, inner === 1 ? 16384 : Math.max(1, Math.min(1024, Math.floor(16384 / inner))));
  return { outer: sizeOf(shape.slice(0, from)), n, inner, chunk, chunks: Math.ceil(n / chunk) };
}

/** What a reduction over `from` … `to` leaves. */
const left = (shape: Shape, { from, to }: AxesAttributes): Shape => [...shape.slice(0, from), ...shape.slice(to)];

/** x's shape with 1 in the place of each reduced axis. */
export const keptShape = (shape: Shape, { from, to }: AxesAttributes): Shape =>
  shape.map((d, axis) => (axis >= from && axis < to ? 1 : d));

/** The rules of a reduction but its gradient. */
export const reduction = (kind: () => ReduceKind) => ({
  shape: ([x]: Shape[], axes: AxesAttributes) => [left(x!, axes)],
  workspace({ inputs: [x], attributes }: Node<AxesAttributes>) {
    const { outer, chunks, inner } = sizes(x!, attributes);
    return chunks > 1 ? outer * chunks * inner * 4 : 0;
  },
  lower(tape: TapeWriter, { inputs: [x], outputs: [y], attributes }: Node<AxesAttributes>) {
    const { outer, n, inner, chunk, chunks } = sizes(x!, attributes);
    const op = extended(ExtensionOp.reduce);
    if (chunks === 1) return tape.push(op, [y!], [x!], [kind(), outer, n, inner, n], [], streaming(x!.size));
    const partials = tape.workspace();
    tape.push(op, [partials], [x!], [kind(), outer, n, inner, chunk], [], streaming(x!.size));
    tape.push(op, [y!], [partials], [kind(), outer, chunks, inner, chunks], [], streaming(outer * chunks * inner));
  },
});

/** Σ over adjacent axes, which go. */
export const sum: OpOf<AxesAttributes> = /* @__PURE__ */ (() =>
  defineOp<AxesAttributes>({
    ...reduction(() => ReduceKind.sum),
    name: "sum",
    gradient: (dy, { inputs: [x], attributes }) => [repeat(dy, keptShape(x!.shape, attributes), x!.shape)],
  }))(); // in a function, see losses.ts

/** x, repeated to a shape as NumPy broadcasts it. */
export const broadcastTo: OpOf<{ to: Shape }> = /* @__PURE__ */ defineOp<{ to: Shape }>({
  name: "broadcastTo",
  shape([x], { to }, who) {
    if (!sameShape(broadcastShape(who, x!, to), to)) throw shapeError(who, "what broadcasts to one", to, x!);
    return [to];
  },
  gradient: (dy, { inputs: [x] }) => [sumTo(dy, x!.shape)],
  lower(tape, { inputs: [x], outputs: [y] }) {
    pushCopy(tape, y!, x!, y!.shape, stridesOf(y!.shape), broadcastStrides(x!.shape, y!.shape));
  },
});

/** x, seen under `as`, repeated to `to`. */
const repeat = (x: Tensor, as: Shape, to: Shape): Tensor => broadcastTo([reshape([x], { to: as })], { to });

/** x summed over the axes along which `to` has one, or none: what an operand that was repeated gets of a gradient. */
export function sumTo(x: Tensor, to: Shape): Tensor {
  if (sameShape(x.shape, to)) return x;
  const missing = x.shape.length - to.length;
  let y = x;
  // runs of such axes, the last one first, so that the others keep their numbers
  for (let axis = x.shape.length; axis > 0; axis--) {
    const summed = (a: number) => a >= 0 && (a < missing || to[a - missing] === 1);
    if (!summed(axis - 1)) continue;
    const end = axis;
    while (summed(axis - 2)) axis--;
    y = sum([y], { from: axis - 1, to: end });
  }
  return sameShape(y.shape, to) ? y : reshape([y], { to });
}
