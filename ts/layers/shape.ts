// Layers that only change how values are laid out or scaled.

import { shapeError } from "../errors";
import type { Shape } from "../graph/graph";
import { affine, reshape as reshapeOp } from "../ops/elementwise";
import { transpose } from "../ops/layout";
import { count, type Field, finite, or } from "../options";
import { checkRank, type Layer, type LayerOptions, layerFactory } from "./layer";

/** [n, a, b, …] → [n, a·b·…]. */
export const flatten: (options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "flatten",
  call: ([x]) => reshapeOp([x!], { to: [x!.shape[0]!, x!.size / x!.shape[0]!] }),
});

/**
 * y = scale·x + offset, elementwise. As the first layer it is part of reading the minibatch: bytes stay bytes in memory.
 *
 * @example rescaling({ scale: 1 / 255 })
 */
export const rescaling: (options?: LayerOptions & { scale?: number; offset?: number }) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "rescaling",
    options: () => ({ scale: or(finite(), 1), offset: or(finite(), 0) }),
    call: ([x], { config: { scale, offset } }) => affine([x!], { scale, offset }),
  });

const targetShape = (): Field<Shape> => ({
  expected: "a list of positive integers, one of which may be -1",
  accepts: (v) => {
    const fixed = Array.isArray(v) ? v.filter((d) => d !== -1) : [];
    return Array.isArray(v) && fixed.every(count().accepts) && v.length - fixed.length < 2;
  },
});

/**
 * The numbers of each example under another shape, in the same order: [n, …] → [n, ...shape].
 *
 * @param shape of an example; one size may be −1: what the others leave
 * @example reshape([8, 8, 1]) // [n, 64] → [n, 8, 8, 1]
 * @throws DownhillError `shape` where an example has another number of numbers
 */
export const reshape: (shape: readonly number[], options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "reshape",
  positional: ["shape"],
  options: () => ({ shape: targetShape() }),
  call([x], { config: { shape } }, who) {
    const [n, ...given] = x!.shape as [number, ...number[]];
    const size = x!.size / n;
    const fixed = shape.reduce((product, d) => (d === -1 ? product : product * d), 1);
    const to = shape.map((d) => (d === -1 ? size / fixed : d));
    if (to.some((d) => d % 1) || to.reduce((product, d) => product * d, 1) !== size)
      throw shapeError(who, "input", `[n, …] that makes [n, ${shape.join(", ")}]`, ["n", ...given]);
    return reshapeOp([x!], { to: [n, ...to] });
  },
});

const permutation = (): Field<readonly number[]> => ({
  expected: "a list of the axes 1, 2, … in another order",
  accepts: (v) => Array.isArray(v) && v.length > 0 && v.every((_, i) => v.includes(i + 1)),
});

/**
 * The axes of each example in another order: axis k of the output is axis dims[k − 1] of the input. Axes count from 1, as
 * Keras counts them: the batch, 0, stays where it is.
 *
 * @param dims each of 1 … the input's axes once
 * @example permute([2, 1]) // [n, 10, 64] → [n, 64, 10]
 * @throws DownhillError `shape` where the input has another number of axes
 */
export const permute: (dims: readonly number[], options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "permute",
  positional: ["dims"],
  options: () => ({ dims: permutation() }),
  call([x], { config: { dims } }, who) {
    const { shape } = x!;
    checkRank(who, shape.slice(1), `[n, …] with ${dims.length} axes`, shape.length === dims.length + 1);
    return transpose([x!], { axes: [0, ...dims] });
  },
});
