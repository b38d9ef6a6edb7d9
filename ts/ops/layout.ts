// Where elements lie: transposing, slicing, joining; and what the gradient does not see.

import { Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf, type Shape, sameShape } from "../graph/graph";
import { checkAxes, pushCopy, stridesOf } from "./strides";
import { streaming } from "./work";

type None = Record<never, never>;

/** y[i_axes[0], i_axes[1], …] = x[i₀, i₁, …]: axis k of y is axis axes[k] of x. */
export const transpose: OpOf<{ axes: readonly number[] }> = /* @__PURE__ */ defineOp<{ axes: readonly number[] }>({
  name: "transpose",
  shape: ([x], { axes }, who) => [checkAxes(who, axes).map((axis) => x![axis]!)],
  gradient: (dy, { attributes: { axes } }) => [transpose([dy], { axes: axes.map((_, axis) => axes.indexOf(axis)) })],
  lower(tape, { inputs: [x], outputs: [y], attributes: { axes } }) {
    const strides = stridesOf(x!.shape);
    pushCopy(
      tape,
      y!,
      x!,
      y!.shape,
      stridesOf(y!.shape),
      axes.map((axis) => strides[axis]!),
    );
  },
});

const offset = (begin: readonly number[], strides: number[]) =>
  begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);

export interface SliceAttributes {
  begin: readonly number[];
  size: Shape;
}

/** x from `begin` on, `size` along each axis. */
export const slice: OpOf<SliceAttributes> = /* @__PURE__ */ defineOp<SliceAttributes>({
  name: "slice",
  shape: (_, { size }, who) => [checkAxes(who, size)],
  gradient: (dy, { inputs: [x], attributes: { begin } }) => [pad([dy], { begin, to: x!.shape })],
  lower(tape, { inputs: [x], outputs: [y], attributes: { begin, size } }) {
    const strides = stridesOf(x!.shape);
    pushCopy(tape, y!, x!, size, stridesOf(size), strides, 0, offset(begin, strides));
  },
});

/** x at `begin` in zeros of shape `to`. */
export const pad: OpOf<{ begin: readonly number[]; to: Shape }> = /* @__PURE__ */ defineOp<{
  begin: readonly number[];
  to: Shape;
}>({
  name: "pad",
  shape: (_, { to }) => [to],
  gradient: (dy, { inputs: [x], attributes: { begin } }) => [slice([dy], { begin, size: x!.shape })],
  lower(tape, { inputs: [x], outputs: [y], attributes: { begin, to } }) {
    const strides = stridesOf(to);
    tape.push(Op.fill, [y!], [], [y!.size], [0], streaming(y!.size));
    pushCopy(tape, y!, x!, x!.shape, strides, stridesOf(x!.shape), offset(begin, strides));
  },
});

/** The inputs one behind the other along an axis. */
export const concat: OpOf<{ axis: number }> = /* @__PURE__ */ defineOp<{ axis: number }>({
  name: "concat",
  shape([x, ...others], { axis }, who) {
    const first = checkAxes(who, x!);
    let along = first[axis]!;
    for (const shape of others) {
      const like = first.map((d, a) => (a === axis ? shape[a] : d)) as Shape;
      if (!sameShape(shape, like)) throw shapeError(who, "what is joined", like, shape);
      along += shape[axis]!;
    }
    return [first.map((d, a) => (a === axis ? along : d))];
  },
  gradient(dy, { inputs, attributes: { axis } }) {
    let at = 0;
    return inputs.map((x) => {
      const begin = x!.shape.map((_, a) => (a === axis ? at : 0));
      at += x!.shape[axis]!;
      return slice([dy], { begin, size: x!.shape });
    });
  },
  lower(tape, { inputs, outputs: [y], attributes: { axis } }) {
    const strides = stridesOf(y!.shape);
    let at = 0;
    for (const x of inputs) {
      pushCopy(tape, y!, x!, x!.shape, strides, stridesOf(x!.shape), at * strides[axis]!);
      at += x!.shape[axis]!;
    }
  },
});

/** x, to which no gradient passes. */
export const stopGradient: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "stopGradient",
  view: true,
  shape: ([x]) => [x!],
  gradient: null,
  lower() {},
});
