// Attention over several heads (Vaswani et al. 2017). Sequences are (n, t, H·d), a head's d features side by side; weights
// are (n, H, t, s), a row for each query. A head is read where it lies, by strides: nothing is transposed or copied.
//
//   scores     w[h] = a[h]·b[h]ᵀ              (n, t, H·d), (n, s, H·d) → (n, H, t, s)
//   combine    y[h] = w[h]·x[h]  or  w[h]ᵀ·x[h]   (n, H, t, s), (n, s, H·d) → (n, t, H·d)
//
// The gradients of each are made of the two.

import { Epilogue, ExtensionOp, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Node, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import type { Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { gemmWorkspaceBytes } from "./gemmWorkspace";
import { multiplyAdds, streaming, transcendental } from "./work";

/** One operand of a head's product: where head h begins, how far its rows lie apart, and its examples. */
interface Lines {
  tensor: Tensor;
  head: number;
  line: number;
  example: number;
}

/** Heads side by side: (n, t, H·d). */
const side = (tensor: Tensor, heads: number): Lines => {
  const [, t, width] = tensor.shape as [number, number, number];
  return { tensor, head: width / heads, line: width, example: t * width };
};

/** Heads one behind the other: (n, H, t, s). */
const stacked = (tensor: Tensor): Lines => {
  const [, heads, t, s] = tensor.shape as [number, number, number, number];
  return { tensor, head: t * s, line: s, example: heads * t * s };
};

/** The part of an operand that head `h` has. */
function partOf({ tensor, head }: Lines, h: number): Part {
  const from = h * head * 4;
  const place = { ...tensor.place!, offset: tensor.place!.offset + from };
  return { name: tensor.name, place, bytes: tensor.bytes - from, tensor };
}

interface Product {
  m: number;
  n: number;
  k: number;
  transA: boolean;
  transB: boolean;
}

const threadBytes = ({ m, n, k, transA, transB }: Product) => gemmWorkspaceBytes(m, n, k, transA, transB);

/** c = op(a)·op(b) of every head and example. */
function multiply(tape: TapeWriter, heads: number, p: Product, c: Lines, a: Lines, b: Lines): void {
  const { m, n, k, transA, transB } = p;
  const examples = c.tensor.shape[0]!;
  for (let h = 0; h < heads; h++)
    tape.push(
      Op.gemm,
      [partOf(c, h), tape.workspace()],
      [partOf(a, h), partOf(b, h), null, null],
      [
        ...[m, n, k, a.line, b.line, c.line, +transA, +transB],
        ...[examples, a.example, b.example, c.example, 0, Epilogue.none, threadBytes(p)],
      ],
      [],
      multiplyAdds(examples * m * n * k),
    );
}

interface HeadAttributes {
  heads: number;
}

function scoresProduct({ inputs: [a, b], attributes: { heads } }: Node<HeadAttributes>): Product {
  return { m: a!.shape[1]!, n: b!.shape[1]!, k: a!.shape[2]! / heads, transA: false, transB: true };
}

/** a[h]·b[h]ᵀ of every head. Inputs (n, t, H·d), (n, s, H·d); output (n, H, t, s). */
export const scores: OpOf<HeadAttributes> = /* @__PURE__ */ defineOp<HeadAttributes>({
  name: "scores",
  shape([a, b], { heads }, who) {
    const [n, t, width] = a as [number, number, number];
    if (b!.length !== 3 || b![0] !== n || b![2] !== width)
      throw shapeError(who, "keys", ["n", "s", width], ["n", ...b!.slice(1)]);
    return [[n, heads, t, b![1]!]];
  },
  gradient: (dw, { inputs: [a, b], attributes: { heads } }) => [
    combine([dw, b!], { heads, transposed: false }),
    combine([dw, a!], { heads, transposed: true }),
  ],
  workspace: (node, threads) => threads * threadBytes(scoresProduct(node)),
  lower(tape, node) {
    const { heads } = node.attributes;
    const [a, b] = node.inputs as [Tensor, Tensor];
    multiply(tape, heads, scoresProduct(node), stacked(node.outputs[0]!), side(a, heads), side(b, heads));
  },
});

interface CombineAttributes extends HeadAttributes {
  transposed: boolean;
}

function combineProduct({ inputs: [w, x], attributes: { heads, transposed } }: Node<CombineAttributes>): Product {
  const [, , t, s] = w!.shape as [number, number, number, number];
  return { m: transposed ? s : t, n: x!.shape[2]! / heads, k: transposed ? t : s, transA: transposed, transB: false };
}

/** w[h]·x[h], or w[h]ᵀ·x[h], of every head. Inputs (n, H, t, s), (n, s or t, H·d); output (n, t or s, H·d). */
export const combine: OpOf<CombineAttributes> = /* @__PURE__ */ defineOp<CombineAttributes>({
  name: "combine",
  shape([w, x], { transposed }, who) {
    const [n, , t, s] = w as [number, number, number, number];
    const [rows, steps] = transposed ? [s, t] : [t, s];
    if (x!.length !== 3 || x![0] !== n || x![1] !== steps)
      throw shapeError(who, "values", ["n", steps, "H·d"], ["n", ...x!.slice(1)]);
    return [[n, rows, x![2]!]];
  },
  gradient: (dy, { inputs: [w, x], attributes: { heads, transposed } }) => [
    scores(transposed ? [x!, dy] : [dy, x!], { heads }),
    combine([w!, dy], { heads, transposed: !transposed }),
  ],
  workspace: (node, threads) => threads * threadBytes(combineProduct(node)),
  lower(tape, node) {
    const { heads } = node.attributes;
    const [w, x] = node.inputs as [Tensor, Tensor];
    multiply(tape, heads, combineProduct(node), side(node.outputs[0]!, heads), stacked(w), side(x, heads));
  },
});

interface WeightsAttributes {
  scale: number;
  /** Row i of a head sees columns up to i. */
  causal: boolean;
}

/** rows, columns, and the rows of a head where they are causal. */
const sizes = ({ shape, size }: Tensor, { causal }: WeightsAttributes) => {
  const [steps, n] = shape.slice(-2) as [number, number];
  return [size / n, n, causal ? steps : 0];
};

const attentionWeightsBackward: OpOf<WeightsAttributes> = /* @__PURE__ */ defineOp<WeightsAttributes>({
  name: "attentionWeightsBackward",
  shape: ([dy]) => [dy!],
  gradient: null,
  inPlace: [0],
  lower(tape, { inputs, outputs: [dx], attributes }) {
    const opcode = extended(ExtensionOp.attentionWeightsBackward);
    tape.push(opcode, [dx!], inputs, sizes(dx!, attributes), [attributes.scale], streaming(4 * dx!.size));
  },
});

/** softmax(scale·x) along the last axis; x (…, t, s). */
export const attentionWeights: OpOf<WeightsAttributes> = /* @__PURE__ */ defineOp<WeightsAttributes>({
  name: "attentionWeights",
  shape: ([x]: Shape[]) => [x!],
  gradient: (dy, { outputs, attributes }) => [attentionWeightsBackward([dy, outputs[0]!], attributes)],
  inPlace: [0],
  lower(tape, { inputs, outputs: [y], attributes }) {
    const opcode = extended(ExtensionOp.attentionWeights);
    tape.push(opcode, [y!], inputs, sizes(y!, attributes), [attributes.scale], transcendental(y!.size));
  },
});
