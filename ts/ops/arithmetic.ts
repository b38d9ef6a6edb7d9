// Functions of numbers, element by element; two operands broadcast as in NumPy, and the gradient of what was repeated is
// a sum. Masks are 1 and 0.

import { BROADCAST_PIECE, ExtensionOp, Op } from "../../assembly/isa";
import { defineOp, type Node, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { affine } from "./elementwise";
import { sumTo } from "./reductions";
import { broadcastShape, broadcastStrides, joinAxes, slots } from "./strides";
import { streaming, transcendental } from "./work";

type None = Record<never, never>;

/** value everywhere. */
export const constant: OpOf<{ value: number; shape: Shape }> = /* @__PURE__ */ defineOp<{
  value: number;
  shape: Shape;
}>({
  name: "constant",
  shape: (_, { shape }) => [shape],
  gradient: null,
  lower(tape, { outputs: [y], attributes: { value } }) {
    tape.push(Op.fill, [y!], [], [y!.size], [value], streaming(y!.size));
  },
});

/** How the operands of a node are walked over. */
const walk = ({ inputs: [a, b], outputs: [y] }: Node<None>) =>
  joinAxes(y!.shape, broadcastStrides(a!.shape, y!.shape), broadcastStrides(b!.shape, y!.shape));

/** Whether nothing is repeated. */
const isFlat = ({ inputs, outputs: [y] }: Node<None>) => inputs.every((x) => x!.size === y!.size);

/** y = a ∘ b. `gradient`: of a and b as they are repeated. */
const binary = (
  name: string,
  opcode: () => Op,
  gradient: ((dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => (Tensor | null)[]) | null,
  work = (n: number) => streaming(3 * n),
): OpOf<None> =>
  defineOp<None>({
    name,
    shape: ([a, b], _, who) => [broadcastShape(who, a!, b!)],
    gradient:
      gradient &&
      ((dy, { inputs, outputs: [y] }) =>
        gradient(dy, inputs[0]!, inputs[1]!, y!).map((g, i) => g && sumTo(g, inputs[i]!.shape))),
    inPlace: [0, 1],
    workspace: (node, threads) => (isFlat(node) ? 0 : threads * BROADCAST_PIECE * 4),
    lower(tape: TapeWriter, node) {
      const { inputs, outputs } = node;
      const n = outputs[0]!.size;
      if (isFlat(node)) return tape.push(opcode(), outputs, inputs, [n], [], work(n));
      const { dims, walks } = walk(node);
      tape.push(
        extended(ExtensionOp.broadcast),
        [outputs[0]!, tape.workspace()],
        inputs,
        [opcode(), dims.length, ...slots(dims), ...walks.flatMap(slots)],
        [],
        work(n) + (20 * n) / dims.at(-1)!,
      );
    },
  });

/** a + b */
export const add: OpOf<None> = /* @__PURE__ */ binary(
  "add",
  () => Op.add,
  (dy) => [dy, dy],
);

/** a − b */
export const subtract: OpOf<None> = /* @__PURE__ */ binary(
  "subtract",
  () => Op.subtract,
  (dy) => [dy, negate(dy)],
);

/** a·b */
export const multiply: OpOf<None> = /* @__PURE__ */ binary(
  "multiply",
  () => Op.multiply,
  (dy, a, b) => [multiply([dy, b]), multiply([dy, a])],
);

/** a/b */
export const divide: OpOf<None> = /* @__PURE__ */ binary(
  "divide",
  () => extended(ExtensionOp.divide),
  (dy, _, b, y) => [divide([dy, b]), negate(divide([multiply([dy, y]), b]))],
);

/** a^b; NaN where a < 0 and b is not whole. The gradient of b is 0 where a is 0. */
export const pow: OpOf<None> = /* @__PURE__ */ binary(
  "pow",
  () => extended(ExtensionOp.pow),
  (dy, a, b, y) => [
    keep([multiply([dy, multiply([b, pow([a, affine([b], { scale: 1, offset: -1 })])])]), b]),
    keep([multiply([dy, multiply([y, log([a])])]), a]),
  ],
  (n) => 6 * n,
);

/** The larger one; where both are equal each gets half of the gradient, as in PyTorch. */
export const maximum: OpOf<None> = /* @__PURE__ */ binary(
  "maximum",
  () => extended(ExtensionOp.maximum),
  (dy, a, b) => shared(dy, a, b),
);

/** The smaller one; where both are equal each gets half of the gradient. */
export const minimum: OpOf<None> = /* @__PURE__ */ binary(
  "minimum",
  () => extended(ExtensionOp.minimum),
  (dy, a, b) => shared(dy, b, a),
);

/** dy for the larger of two, half of it for each of two equals; `a` first where it is the larger that counts. */
function shared(dy: Tensor, larger: Tensor, smaller: Tensor): Tensor[] {
  const half = affine([equal([larger, smaller])], { scale: 0.5, offset: 0 });
  const share = add([greater([larger, smaller]), half]);
  return [multiply([dy, share]), multiply([dy, affine([share], { scale: -1, offset: 1 })])];
}

/** [a > b] */
export const greater: OpOf<None> = /* @__PURE__ */ binary("greater", () => extended(ExtensionOp.greater), null);

/** [a ≥ b] */
export const greaterEqual: OpOf<None> = /* @__PURE__ */ binary(
  "greaterEqual",
  () => extended(ExtensionOp.greaterEqual),
  null,
);

/** [a = b] */
export const equal: OpOf<None> = /* @__PURE__ */ binary("equal", () => extended(ExtensionOp.equal), null);

/** a where b is not 0, else 0 (whatever a is). */
export const keep: OpOf<None> = /* @__PURE__ */ binary(
  "keep",
  () => extended(ExtensionOp.keep),
  (dy, _, b) => [keep([dy, b]), null],
);

/** a where b is 0, else 0. */
export const drop: OpOf<None> = /* @__PURE__ */ binary(
  "drop",
  () => extended(ExtensionOp.drop),
  (dy, _, b) => [drop([dy, b]), null],
);

/** −x */
export const negate = (x: Tensor): Tensor => affine([x], { scale: -1, offset: 0 });

/** y = f(x). */
const unary = <A = None>(
  name: string,
  opcode: () => Op,
  gradient: ((dy: Tensor, x: Tensor, y: Tensor) => Tensor) | null,
  work = transcendental,
  reals = (_: A): number[] => [0, 0],
): OpOf<A> =>
  defineOp<A>({
    name,
    shape: ([x]) => [x!],
    gradient: gradient && ((dy, { inputs: [x], outputs: [y] }) => [gradient(dy, x!, y!)]),
    inPlace: [0],
    lower(tape: TapeWriter, { inputs, outputs, attributes }) {
      const n = outputs[0]!.size;
      tape.push(opcode(), outputs, inputs, [n], reals(attributes), work(n));
    },
  });

const moving = (n: number) => streaming(2 * n);

/** eˣ */
export const exp: OpOf<None> = /* @__PURE__ */ unary(
  "exp",
  () => extended(ExtensionOp.exp),
  (dy, _, y) => multiply([dy, y]),
);

/** log x */
export const log: OpOf<None> = /* @__PURE__ */ unary(
  "log",
  () => extended(ExtensionOp.log),
  (dy, x) => divide([dy, x]),
);

/** √x */
export const sqrt: OpOf<None> = /* @__PURE__ */ unary(
  "sqrt",
  () => extended(ExtensionOp.sqrt),
  (dy, _, y) => divide([affine([dy], { scale: 0.5, offset: 0 }), y]),
);

/** |x|; gradient 0 at 0. */
export const abs: OpOf<None> = /* @__PURE__ */ unary(
  "abs",
  () => extended(ExtensionOp.abs),
  (dy, x) => multiply([dy, sign([x])]),
  moving,
);

/** −1, 0 or 1. */
export const sign: OpOf<None> = /* @__PURE__ */ unary("sign", () => extended(ExtensionOp.sign), null, moving);

/** sin x */
export const sin: OpOf<None> = /* @__PURE__ */ unary(
  "sin",
  () => extended(ExtensionOp.sin),
  (dy, x) => multiply([dy, cos([x])]),
);

/** cos x */
export const cos: OpOf<None> = /* @__PURE__ */ unary(
  "cos",
  () => extended(ExtensionOp.cos),
  (dy, x) => negate(multiply([dy, sin([x])])),
);

/** min(max(x, low), high); the gradient passes where x lies within, its ends included. */
export const clip: OpOf<{ low: number; high: number }> = /* @__PURE__ */ unary<{ low: number; high: number }>(
  "clip",
  () => extended(ExtensionOp.clip),
  (dy, x, y) => keep([dy, equal([x, y])]),
  moving,
  ({ low, high }) => [low, high],
);
