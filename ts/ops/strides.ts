// Walks over arrays: sizes and strides of as few axes as will do.

import { ExtensionOp, MAX_RANK } from "../../assembly/isa";
import { shapeError, wrong } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

/** Row-major strides of an array, in elements. */
export const stridesOf = (shape: Shape): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, d) => product * d, 1));

/** The same for an array that is repeated to `to`: 0 along what it has one of, or nothing. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const missing = to.length - shape.length;
  const strides = stridesOf(shape);
  return to.map((_, axis) => (axis < missing || shape[axis - missing] === 1 ? 0 : strides[axis - missing]!));
}

/** The shape that a and b are repeated to: aligned at the last axis, sizes equal or 1, as NumPy has it. */
export function broadcastShape(who: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const padded = (shape: Shape) => [...Array<number>(rank - shape.length).fill(1), ...shape];
  const [x, y] = [padded(a), padded(b)];
  return checkAxes(
    who,
    x.map((d, axis) => {
      const e = y[axis]!;
      if (d !== e && d !== 1 && e !== 1) throw shapeError(who, "a second operand that broadcasts with one", a, b);
      return d === 1 ? e : d;
    }),
  );
}

/** Throws where there are more axes than a walk has. */
export function checkAxes(who: string, shape: Shape): Shape {
  if (shape.length > MAX_RANK) throw wrong("shape", who, `at most ${MAX_RANK} axes`, `[${shape.join(", ")}]`);
  return shape;
}

/** Without axes of size 1, and with adjacent axes joined where every walk goes on from one into the next. At least one is left. */
export function joinAxes(dims: Shape, ...walks: number[][]): { dims: number[]; walks: number[][] } {
  const joined = { dims: [] as number[], walks: walks.map(() => [] as number[]) };
  dims.forEach((d, axis) => {
    if (d === 1) return;
    const last = joined.dims.length - 1;
    if (last >= 0 && walks.every((walk, i) => joined.walks[i]![last] === walk[axis]! * d)) {
      joined.dims[last]! *= d;
      for (const [i, walk] of walks.entries()) joined.walks[i]![last] = walk[axis]!;
    } else {
      joined.dims.push(d);
      for (const [i, walk] of walks.entries()) joined.walks[i]!.push(walk[axis]!);
    }
  });
  return joined.dims.length ? joined : { dims: [1], walks: walks.map(() => [1]) };
}

/** As many numbers as an instruction's slots take. */
export const slots = (list: readonly number[]): number[] => [...list, ...Array<number>(MAX_RANK - list.length).fill(0)];

/** y[offsetY + i·stridesY] = x[offsetX + i·stridesX] for i within `dims`. */
export function pushCopy(
  tape: TapeWriter,
  y: Tensor,
  x: Tensor,
  dims: Shape,
  stridesY: number[],
  stridesX: number[],
  offsetY = 0,
  offsetX = 0,
): void {
  const { dims: sizes, walks } = joinAxes(dims, stridesY, stridesX);
  const [intoY, outOfX] = walks as [number[], number[]];
  const moved = sizes.reduce((product, d) => product * d, 1);
  // what does not lie side by side is moved one by one
  const work = streaming(2 * moved) * (outOfX.at(-1)! > 1 || intoY.at(-1)! > 1 ? 5 : 1);
  tape.push(
    extended(ExtensionOp.stridedCopy),
    [y],
    [x],
    [offsetY, offsetX, sizes.length, ...slots(sizes), ...slots(intoY), ...slots(outOfX)],
    [],
    work,
  );
}
