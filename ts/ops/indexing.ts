// Rows by number.

import { ExtensionOp } from "../../assembly/isa";
import { defineOp, type Op as OpOf, type Shape, sizeOf, type Tensor } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

/** x as (outer, n, inner) round an axis, and how many indices there are. */
const sizes = (shape: Shape, axis: number, indices: Tensor) => [
  sizeOf(shape.slice(0, axis)),
  shape[axis]!,
  indices.size,
  sizeOf(shape.slice(axis + 1)),
];

/** y[…, j, …] = x[…, indices[j], …] along an axis; indices are cut to whole numbers in 0 … n − 1. */
export const take: OpOf<{ axis: number }> = /* @__PURE__ */ defineOp<{ axis: number }>({
  name: "take",
  shape: ([x, indices], { axis }) => [[...x!.slice(0, axis), ...indices!, ...x!.slice(axis + 1)]],
  gradient: (dy, { inputs: [x, indices], attributes: { axis } }) => [
    takeBackward([dy, indices!], { axis, to: x!.shape }),
    null,
  ],
  lower(tape, { inputs, outputs: [y], attributes: { axis } }) {
    const [x, indices] = inputs;
    tape.push(extended(ExtensionOp.take), [y!], inputs, sizes(x!.shape, axis, indices!), [], streaming(2 * y!.size));
  },
});

const takeBackward: OpOf<{ axis: number; to: Shape }> = /* @__PURE__ */ defineOp<{ axis: number; to: Shape }>({
  name: "takeBackward",
  shape: (_, { to }) => [to],
  gradient: null,
  lower(tape, { inputs, outputs: [dx], attributes: { axis, to } }) {
    const [dy, indices] = inputs;
    const work = streaming(dx!.size + 3 * dy!.size) + indices!.size;
    tape.push(extended(ExtensionOp.takeBackward), [dx!], inputs, sizes(to, axis, indices!), [], work);
  },
});

/** Class numbers (i32) as unit vectors, and 1 for each that there is; −1: class 0, and 0. Input (n, …); outputs (n, …, classes), (n, …). */
export const oneHot: OpOf<{ classes: number }> = /* @__PURE__ */ defineOp<{ classes: number }>({
  name: "oneHot",
  shape: ([labels], { classes }) => [[...labels!, classes], labels!],
  gradient: null,
  lower(tape, { inputs, outputs, attributes: { classes } }) {
    const rows = inputs[0]!.size;
    tape.push(extended(ExtensionOp.oneHot), outputs, inputs, [rows, classes], [], streaming(rows * classes));
  },
});
