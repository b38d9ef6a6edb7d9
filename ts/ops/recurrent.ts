// Recurrent nets, unrolled over the steps of a sequence: backpropagation through time (Werbos 1990).
//
//   forward    all gates' sums x·W + b: one product; then a step at a time h′·R and the cell
//   backward   from the last step to the first the cell's gradient and dh = dz·Rᵀ; then, over all steps, one product each
//              for dx = dz·Wᵀ, dW = xᵀ·dz and dR = h′ᵀ·dz
//
// h′ is the state before. Arrays are time-major, so that a step's slab lies in one piece. Products over all steps are cut
// where they would run for longer than `fit` goes without yielding; the chains of sums go on, so no bit depends on that.

import { Epilogue, ExtensionOp, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Node, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import type { Operand, Part, TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { columnSums } from "./bias";
import { gemmWorkspaceBytes } from "./gemmWorkspace";
import { pieces, slabs } from "./pieces";
import { multiplyAdds, streaming, transcendental } from "./work";

/**
 * What `simpleRnn` has for tanh.
 * @inline
 */
export type StateActivation = "tanh" | "relu" | "sigmoid" | "linear";

export interface RecurrentAttributes {
  cell: "simpleRnn" | "lstm" | "gru";
  /** The simple net's; default tanh. */
  activation?: StateActivation | undefined;
  /** Output 0 is the state after every step, not the last one's alone. */
  sequences?: boolean;
  /** From the last step to the first. */
  reverse?: boolean;
}

/** Gates a unit. */
export const GATES: Readonly<Record<RecurrentAttributes["cell"], number>> = { simpleRnn: 1, lstm: 4, gru: 3 };

interface Product {
  m: number;
  n: number;
  k: number;
  transA?: boolean;
  transB?: boolean;
  accumulate?: boolean;
}

const threadBytes = ({ m, n, k, transA, transB }: Product) => gemmWorkspaceBytes(m, n, k, transA, transB);

/** c = op(a) · op(b) + bias, or c += op(a) · op(b). */
function multiply(
  tape: TapeWriter,
  c: Operand,
  [a, b, bias = null]: (Operand | undefined)[],
  workspace: Part,
  p: Product,
): void {
  const { m, n, k, transA, transB, accumulate } = p;
  const lines = [transA ? m : k, transB ? k : n, n];
  tape.push(
    Op.gemm,
    [c, workspace],
    [a!, b!, bias, null],
    [m, n, k, ...lines, +!!transA, +!!transB, 1, 0, 0, 0, +!!accumulate, Epilogue.none, threadBytes(p)],
    [],
    multiplyAdds(m * n * k),
  );
}

/** A product over all steps, in pieces: their sizes, from the length of each. */
interface Pieced {
  steps: number;
  product(length: number): Product;
}

function piecesOf({ steps, product }: Pieced) {
  const { m, n, k } = product(1);
  return pieces(steps, m * n * k).map(({ from, length }) => ({ from, length, product: product(length) }));
}

const piecesBytes = (of: Pieced): number => Math.max(0, ...piecesOf(of).map(({ product }) => threadBytes(product)));

const shapeOf = (x: Tensor) => x.shape as readonly [number, number, number];

// dx = dz·Wᵀ

const inputProduct = ([dz, kernel]: (Tensor | null)[]): Pieced => {
  const [steps, rows] = shapeOf(dz!);
  const [n, k] = kernel!.shape as [number, number];
  return { steps, product: (length) => ({ m: length * rows, n, k, transB: true }) };
};

/** Inputs dz (T, n, k), kernel (in, k). */
const inputGradient: OpOf<Record<never, never>> = /* @__PURE__ */ defineOp<Record<never, never>>({
  name: "recurrentInputGradient",
  shape: ([dz, kernel]) => [[...dz!.slice(0, 2), kernel![0]!]],
  gradient: null,
  workspace: ({ inputs }, threads) => threads * piecesBytes(inputProduct(inputs)),
  lower(tape, { inputs, outputs: [dx] }) {
    const [dz, kernel] = inputs as [Tensor, Tensor];
    for (const { from, length, product } of piecesOf(inputProduct(inputs)))
      multiply(tape, slabs(dx!, from, length), [slabs(dz, from, length), kernel], tape.workspace(), product);
  },
});

// dW = xᵀ·dz, dR = h′ᵀ·dz

interface KernelGradientAttributes {
  /** Steps that count, and where they begin in either input. */
  steps: number;
  from: readonly [a: number, dz: number];
}

const kernelProduct = ({ inputs: [a, dz], attributes: { steps } }: Node<KernelGradientAttributes>): Pieced => {
  const [, rows, n] = shapeOf(dz!);
  return { steps, product: (length) => ({ m: a!.shape.at(-1)!, n, k: length * rows, transA: true }) };
};

/** Inputs a (…, n, m), dz (…, n, k); output (m, k): Σ over the steps aᵀ·dz. */
const kernelGradient: OpOf<KernelGradientAttributes> = /* @__PURE__ */ defineOp<KernelGradientAttributes>({
  name: "recurrentKernelGradient",
  shape: ([a, dz]) => [[a!.at(-1)!, dz!.at(-1)!]],
  gradient: null,
  workspace: (node, threads) => threads * piecesBytes(kernelProduct(node)),
  lower(tape, node) {
    const [a, dz] = node.inputs as [Tensor, Tensor];
    const { steps, from: begin } = node.attributes;
    const dkernel = node.outputs[0]!;
    if (!steps) tape.push(Op.fill, [dkernel], [], [dkernel.size], [0], streaming(dkernel.size));
    for (const { from, length, product } of piecesOf(kernelProduct(node))) {
      const operands = [slabs(a, begin[0] + from, length), slabs(dz, begin[1] + from, length)];
      multiply(tape, dkernel, operands, tape.workspace(), { ...product, accumulate: from > 0 });
    }
  },
});

// the steps

/** Which of the sequence's steps is the s-th that is done. */
const stepAt = (s: number, steps: number, { reverse }: RecurrentAttributes): number => (reverse ? steps - 1 - s : s);

/** The state after the s-th step: every step's is in y, or the last one's, and the others' in `states`. */
function stateAfter(y: Tensor, states: Tensor | null | undefined, attributes: RecurrentAttributes) {
  return (s: number, steps: number): Operand => {
    if (attributes.sequences) return slabs(y, stepAt(s, steps, attributes));
    return s === steps - 1 ? y : slabs(states!, stepAt(s, steps - 1, attributes));
  };
}

/** Opcodes, the reals of the one forward, and the work, of an activation whose derivative is had from its output. */
function activationOf(name: StateActivation = "tanh") {
  const moving = (n: number) => streaming(3 * n);
  return {
    tanh: { forward: Op.tanh, backward: Op.tanhBackward, alpha: 0, work: transcendental },
    relu: { forward: Op.relu, backward: Op.reluBackward, alpha: 0, work: moving },
    sigmoid: { forward: Op.sigmoid, backward: Op.sigmoidBackward, alpha: 0, work: transcendental },
    linear: { forward: Op.affine, backward: Op.affine, alpha: 1, work: moving },
  }[name];
}

/** The state after a step from the slabs of its gates and what else is saved, and from the step before (null: the first one). */
type Step = (
  h: Operand,
  gates: Operand,
  saved: Operand,
  before: { h: Operand; saved: Operand },
  product: Operand,
  bias: Operand,
) => void;

function stepOf(tape: TapeWriter, { cell, activation }: RecurrentAttributes, rows: number, units: number): Step {
  const n = rows * units;
  if (cell === "lstm")
    return (h, gates, c, before) =>
      tape.push(
        extended(ExtensionOp.lstmCell),
        [h, c, gates],
        [before.saved],
        [rows, units],
        [],
        transcendental(5 * n),
      );
  if (cell === "gru")
    return (h, gates, candidate, before, product, bias) =>
      tape.push(
        extended(ExtensionOp.gruCell),
        [h, candidate, gates],
        [product, bias, before.h],
        [rows, units],
        [],
        transcendental(4 * n),
      );
  const { forward, alpha, work } = activationOf(activation);
  return (h, z) => tape.push(forward, [h], [z], [n], [alpha, 0], work(n));
}

/** Bytes of the GRU's h′·R of a step. */
const productBytes = ({ cell }: RecurrentAttributes, rows: number, width: number) =>
  cell === "gru" ? rows * width * 4 : 0;

const projection = ([x, kernel]: (Tensor | null)[]): Pieced => {
  const [steps, rows, k] = shapeOf(x!);
  return { steps, product: (length) => ({ m: length * rows, n: kernel!.shape[1]!, k }) };
};

/**
 * Inputs x (T, n, in), kernel (in, g·u), bias (g·u) or null, recurrentKernel (u, g·u), and of the GRU recurrentBias
 * (3·u) or null. Outputs: the last state (n, u), or with `sequences` every step's (T, n, u); the gates (T, n, g·u); what else
 * the gradient needs: of the LSTM c and tanh c, (T, n, 2·u), of the GRU n's part of h′·R + bias, (T, n, u); without `sequences`, the states but the last.
 */
export const recurrent: OpOf<RecurrentAttributes> = /* @__PURE__ */ defineOp<RecurrentAttributes>({
  name: "recurrent",
  shape([x, kernel, bias, recurrentKernel, recurrentBias], { cell, sequences }, who) {
    const units = recurrentKernel!.at(0)!;
    const width = GATES[cell] * units;
    const check = (what: string, expected: Shape, got: Shape) => {
      if (got.join() !== expected.join()) throw shapeError(who, what, expected, got);
    };
    if (x!.length !== 3) throw shapeError(who, "input", "[T, n, in]", x!);
    const [steps, rows, inputs] = x as [number, number, number];
    check("kernel", [inputs, width], kernel!);
    check("recurrentKernel", [units, width], recurrentKernel!);
    if (bias!.length) check("bias", [width], bias!);
    if (recurrentBias?.length) check("recurrentBias", [width], recurrentBias);
    const all = [steps, rows, units];
    const shapes = [sequences ? all : [rows, units], [steps, rows, width]];
    if (cell !== "simpleRnn") shapes.push([steps, rows, cell === "lstm" ? 2 * units : units]);
    if (!sequences && steps > 1) shapes.push([steps - 1, rows, units]);
    return shapes;
  },
  gradient(dy, { inputs, outputs, attributes }) {
    const [x, kernel, bias, recurrentKernel, recurrentBias] = inputs;
    const { cell, sequences, reverse } = attributes;
    const [y, gates] = outputs as [Tensor, Tensor];
    const saved = cell === "simpleRnn" ? null : outputs[2]!;
    const states = sequences ? y : (outputs[saved ? 3 : 2] ?? null);
    const given = [dy, y, cell === "simpleRnn" ? null : gates, saved, sequences ? null : states, recurrentKernel!];
    const steps = x!.shape[0]!;
    const [dz, dproduct = dz] = recurrentBackward(given, { ...attributes, steps }).node!.outputs;
    // a state stands before the step that follows it: behind it, or in reverse before it
    const from = [reverse && sequences ? 1 : 0, reverse ? 0 : 1] as const;
    return [
      inputGradient([dz!, kernel!]),
      kernelGradient([x!, dz!], { steps, from: [0, 0] }),
      bias ? columnSums([dz!]) : null,
      kernelGradient([states ?? y, dproduct!], { steps: steps - 1, from }),
      recurrentBias ? columnSums([dproduct!]) : null,
    ];
  },
  workspace({ inputs, attributes }, threads) {
    const [x, , , recurrentKernel] = inputs;
    const [m, width] = [shapeOf(x!)[1], recurrentKernel!.shape[1]!];
    const each = Math.max(piecesBytes(projection(inputs)), gemmWorkspaceBytes(m, width, recurrentKernel!.shape[0]!));
    return productBytes(attributes, m, width) + threads * each;
  },
  lower(tape, { inputs, outputs, attributes }) {
    const [x, kernel, bias, recurrentKernel, recurrentBias = null] = inputs;
    const { cell } = attributes;
    const [y, gates, ...others] = outputs as [Tensor, Tensor, ...Tensor[]];
    const saved = cell === "simpleRnn" ? undefined : others.shift();
    const [steps, rows] = shapeOf(x!);
    const [units, width] = recurrentKernel!.shape as [number, number];
    const step = (s: number) => stepAt(s, steps, attributes);
    const scratch = productBytes(attributes, rows, width);
    const product = scratch ? tape.workspace(0, scratch) : null;
    const workspace = tape.workspace(scratch);
    for (const { from, length, product } of piecesOf(projection(inputs)))
      multiply(tape, slabs(gates, from, length), [slabs(x!, from, length), kernel, bias], workspace, product);
    const state = stateAfter(y, others[0], attributes);
    const run = stepOf(tape, attributes, rows, units);
    let before: { h: Operand; saved: Operand } = { h: null, saved: null };
    for (let s = 0; s < steps; s++) {
      const z = slabs(gates, step(s));
      const sizes = { m: rows, n: width, k: units, accumulate: !product };
      if (before.h) multiply(tape, product ?? z, [before.h, recurrentKernel], workspace, sizes);
      const now = { h: state(s, steps), saved: saved ? slabs(saved, step(s)) : null };
      run(now.h, z, now.saved, before, before.h && product, recurrentBias);
      before = now;
    }
  },
});

/**
 * Inputs dy, y, gates, saved, states (as the op's outputs, or null) and recurrentKernel; outputs the gradient of the gates'
 * sums, dz (T, n, g·u), and of the GRU that of h′·R + bias.
 */
const recurrentBackward: OpOf<RecurrentAttributes & { steps: number }> = /* @__PURE__ */ defineOp<
  RecurrentAttributes & { steps: number }
>({
  name: "recurrentBackward",
  shape([, y, , , , recurrentKernel], { steps, cell }) {
    const all = [steps, y!.at(-2)!, recurrentKernel![1]!];
    return cell === "gru" ? [all, all] : [all];
  },
  gradient: null,
  inPlace: [2],
  workspace({ inputs: [, y, , , , recurrentKernel], attributes: { cell } }, threads) {
    const m = y!.shape.at(-2)!;
    const [units, width] = recurrentKernel!.shape as [number, number];
    const carried = m * units * 4 * (cell === "lstm" ? 2 : 1);
    return carried + threads * gemmWorkspaceBytes(m, units, width, false, true);
  },
  lower(tape, { inputs, outputs, attributes }) {
    const { cell, activation, sequences, steps } = attributes;
    const [dy, y, gates, saved, states, recurrentKernel] = inputs;
    const [dz, dproduct = dz] = outputs as [Tensor, Tensor?];
    const [units, width] = recurrentKernel!.shape as [number, number];
    const rows = y!.shape.at(-2)!;
    const n = rows * units;
    const bytes = n * 4;
    const step = (s: number) => stepAt(s, steps, attributes);
    const carry = tape.workspace(0, bytes);
    const dc = cell === "lstm" ? tape.workspace(bytes, bytes) : null;
    const workspace = tape.workspace(dc ? 2 * bytes : bytes);
    const state = stateAfter(y!, states, attributes);
    for (let s = steps - 1; s >= 0; s--) {
      const last = s === steps - 1;
      const into = slabs(dz, step(s));
      const above = sequences ? slabs(dy!, step(s)) : last ? dy! : null;
      const behind = last ? null : carry;
      const sizes = { m: rows, n: units, k: width, transB: true, accumulate: cell === "gru" };
      if (behind) multiply(tape, carry, [slabs(dproduct!, step(s + 1)), recurrentKernel], workspace, sizes);
      const at = (x: Tensor | null | undefined, s: number) => (x && s >= 0 ? slabs(x, step(s)) : null);
      if (cell === "lstm")
        tape.push(
          extended(ExtensionOp.lstmCellBackward),
          [into, dc],
          [above, behind, at(gates, s), at(saved, s), at(saved, s - 1)],
          [rows, units, +last],
          [],
          streaming(16 * n),
        );
      else if (cell === "gru")
        tape.push(
          extended(ExtensionOp.gruCellBackward),
          [into, at(dproduct, s), s ? carry : null],
          [above, behind, at(gates, s), at(saved, s), s ? state(s - 1, steps) : null],
          [rows, units],
          [],
          streaming(20 * n),
        );
      else {
        if (above && behind) tape.push(Op.add, [carry], [carry, above], [n], [], streaming(3 * n));
        const { backward, alpha, work } = activationOf(activation);
        const h = backward === Op.affine ? [] : [state(s, steps)];
        tape.push(backward, [into], [behind ?? above, ...h], [n], h.length ? [alpha] : [alpha, 0], work(n));
      }
    }
  },
});
