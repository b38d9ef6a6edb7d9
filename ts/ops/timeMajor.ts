// Between batch-major arrays (n, T, c), which layers exchange, and time-major ones (T, n, c), in which a step's slab lies in
// one piece; and the joint of two directions.

import { ExtensionOp } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import type { Operand, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

type None = Record<never, never>;

/** Rows of `width` floats: strides of the outer and the inner axis, in floats, in y and in x. */
interface Strides {
  outer: number;
  inner: number;
  width: number;
  y: readonly [outer: number, inner: number];
  x: readonly [outer: number, inner: number];
}

const copyRows = (tape: TapeWriter, to: Operand, from: Operand, { outer, inner, width, y, x }: Strides) =>
  tape.push(
    extended(ExtensionOp.copyRows),
    [to],
    [from],
    [outer, inner, width, ...y, ...x],
    [],
    streaming(2 * outer * inner * width) + outer * inner,
  );

/** (a, b, c) → (b, a, c). */
export const swapMajor: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "swapMajor",
  shape([x], _, who) {
    if (x!.length !== 3) throw shapeError(who, "input", "[n, T, in]", x!);
    const [a, b, c] = x as [number, number, number];
    return [[b, a, c]];
  },
  gradient: (dy) => [swapMajor([dy])],
  lower(tape, { inputs: [x], outputs: [y] }) {
    const [outer, inner, width] = y!.shape as [number, number, number];
    copyRows(tape, y!, x!, { outer, inner, width, y: [inner * width, width], x: [width, outer * width] });
  },
});

/** x with its first two axes swapped: where it was made so, what it was made of. */
export function swapped(x: Tensor): Tensor {
  return x.node?.op.name === swapMajor.name ? x.node.inputs[0]! : swapMajor([x]);
}

/** The two halves, time-major or of one step alone, and how their rows lie in the whole, which is batch-major. */
function halves(half: Shape) {
  const [n, width] = half.slice(-2) as [number, number];
  const steps = half.length === 3 ? half[0]! : 1;
  const whole: Shape = half.length === 3 ? [n, steps, 2 * width] : [n, 2 * width];
  const inWhole = [2 * width, 2 * width * steps] as const;
  const inHalf = [n * width, width] as const;
  return { whole, sizes: { outer: steps, inner: n, width }, inWhole, inHalf };
}

/** The columns of `whole` that belong to half `index`, and what lies between them. */
const columns = (whole: Tensor, index: number, width: number) => ({
  name: whole.name,
  place: { ...whole.place!, offset: whole.place!.offset + index * width * 4 },
  bytes: whole.bytes - width * 4,
  tensor: whole,
});

/** Input (n, T, 2·u) or (n, 2·u); outputs the halves, (T, n, u) each or (n, u). */
const part: OpOf<{ half: Shape }> = /* @__PURE__ */ defineOp<{ half: Shape }>({
  name: "part",
  shape: (_, { half }) => [half, half],
  gradient: null,
  lower(tape, { inputs: [whole], outputs, attributes: { half } }) {
    const { sizes, inWhole, inHalf } = halves(half);
    outputs.forEach((y, i) => {
      copyRows(tape, y, columns(whole!, i, sizes.width), { ...sizes, y: inHalf, x: inWhole });
    });
  },
});

/** Inputs forward and backward, (T, n, u) each or (n, u); y (n, T, 2·u) or (n, 2·u): one beside the other. */
export const joinDirections: OpOf<None> = /* @__PURE__ */ defineOp<None>({
  name: "joinDirections",
  shape([forward, backward], _, who) {
    if (forward!.join() !== backward!.join()) throw shapeError(who, "backward", forward!, backward!);
    return [halves(forward!).whole];
  },
  gradient: (dy, { inputs: [forward] }) => part([dy], { half: forward!.shape }).node!.outputs,
  lower(tape, { inputs, outputs: [y] }) {
    const { sizes, inWhole, inHalf } = halves(inputs[0]!.shape);
    inputs.forEach((x, i) => {
      copyRows(tape, columns(y!, i, sizes.width), x, { ...sizes, y: inWhole, x: inHalf });
    });
  },
});
