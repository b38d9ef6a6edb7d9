// ONNX's recurrent nets: X [T, n, in] → Y [T, directions, n, u] and Y_h [directions, n, u].

import { slice } from "../../../layers/imported";
import type { Layer, Symbolic } from "../../../layers/layer";
import { concatenate } from "../../../layers/merge";
import { bidirectional, gru, lstm, simpleRnn } from "../../../layers/recurrent";
import { reshape } from "../../../layers/shape";
import type { Constant } from "./constants";
import { isZero } from "./folding";
import type { Node } from "./graph";
import { type Lowering, NotCovered, type Parameters, type Value } from "./lowering";

/** Where our gates stand in ONNX's order: i o f c for i f g o, z r h for r z n. */
const ORDER: Readonly<Record<string, readonly number[]>> = { LSTM: [0, 2, 3, 1], GRU: [1, 0, 2], RNN: [0] };
const ACTIVATIONS: Readonly<Record<string, readonly string[]>> = {
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  GRU: ["Sigmoid", "Tanh"],
  RNN: ["Tanh"],
};
const NAMES = { Tanh: "tanh", Relu: "relu", Sigmoid: "sigmoid", Affine: "linear" } as const;

/** What a node is, checked. */
interface Cell {
  units: number;
  directions: number;
  activation: keyof typeof NAMES;
  useBias: boolean;
  parameters: Parameters[];
}

/** Rows of gates in our order, transposed: [G·u, in] → [in, G·u]. `d`: of which direction. */
const matrix = (constant: Constant, d: number, order: readonly number[], units: number) => () => {
  const columns = constant.shape[2]!;
  const width = order.length * units;
  const numbers = constant.read();
  return Float32Array.from({ length: columns * width }, (_, k) => {
    const [gate, unit] = [Math.floor((k % width) / units), k % units];
    return numbers[(d * width + order[gate]! * units + unit) * columns + Math.floor(k / width)]!;
  });
};

function cellOf(lowering: Lowering, node: Node, inputs: number): Cell {
  const { op } = node;
  const order = ORDER[op]!;
  const units = node.int("hidden_size", 0);
  const directions = node.text("direction", "forward") === "bidirectional" ? 2 : 1;
  const width = order.length * units;
  for (const name of ["clip", "input_forget", "layout"])
    if (node.has(name) && node.int(name, 0)) throw new NotCovered(name);
  if (op === "GRU" && node.int("linear_before_reset", 0) !== 1) throw new NotCovered("linear_before_reset is 0");
  const given = node.texts("activations");
  const activations = given ?? Array.from({ length: directions }, () => ACTIVATIONS[op]!).flat();
  const [activation] = activations;
  const expected =
    op === "RNN"
      ? activations.map(() => activation)
      : Array.from({ length: directions }, () => ACTIVATIONS[op]!).flat();
  const linear =
    activation !== "Affine" ||
    (node.floats("activation_alpha")?.every((a) => a === 1) && node.floats("activation_beta")?.every((b) => b === 0));
  if (activations.join() !== expected.join() || !linear || (op === "RNN" && !Object.hasOwn(NAMES, activation ?? "")))
    throw new NotCovered(`activations are ${activations.join(", ")}`);
  const [w, r, b] = [lowering.needConstant(node, 1), lowering.needConstant(node, 2), lowering.constant(node, 3)];
  const shapes = [
    [w, [directions, width, inputs]],
    [r, [directions, width, units]],
    [b, [directions, 2 * width]],
  ] as const;
  for (const [constant, shape] of shapes)
    if (units < 1 || (constant && constant.shape.join() !== shape.join()))
      throw new NotCovered(`weights of shape [${constant?.shape.join(", ")}], not [${shape.join(", ")}]`);
  if (node.inputs[4]) throw new NotCovered("sequence_lens");
  if (node.inputs[7]) throw new NotCovered("peepholes");
  for (const i of [5, 6])
    if (!isZeroState(lowering.constant(node, i))) throw new NotCovered("a first state that is not 0");
  const parameters = Array.from({ length: directions }, (_, d): Parameters => {
    /** Half `h` of the biases, of W or of R. */
    const half = (h: number) => {
      const numbers = b!.read();
      return Float32Array.from(
        { length: width },
        (_, k) => numbers[d * 2 * width + h * width + order[Math.floor(k / units)]! * units + (k % units)]!,
      );
    };
    const sum = () => {
      const second = half(1);
      return half(0).map((v, k) => v + second[k]!);
    };
    const both: Parameters = op === "GRU" ? { bias: () => half(0), recurrentBias: () => half(1) } : { bias: sum };
    const bias = b ? both : {};
    return { kernel: matrix(w, d, order, units), recurrentKernel: matrix(r, d, order, units), ...bias };
  });
  return { units, directions, activation: activation as keyof typeof NAMES, useBias: !!b, parameters };
}

const isZeroState = (state: Constant | undefined) => !state || state.zeros || isZero(state.read());

/** One direction's layer. */
function layerOf(
  op: string,
  { units, useBias, activation }: Cell,
  returnSequences: boolean,
  name: { name?: string },
): Layer {
  const options = { useBias, returnSequences, ...name };
  if (op === "LSTM") return lstm(units, options);
  return op === "GRU" ? gru(units, options) : simpleRnn(units, { ...options, activation: NAMES[activation] });
}

/** Both directions of one layer, of two sets of parameters. */
function bothWays(
  lowering: Lowering,
  op: string,
  cell: Cell,
  parameters: Parameters[],
  sequences: boolean,
  name: { name?: string },
): Layer {
  const layer = bidirectional(layerOf(op, cell, sequences, {}), name);
  const named = ["forward", "backward"].flatMap((way, d) =>
    Object.entries(parameters[d]!).map(([key, read]) => [`${way}/${key}`, read] as const),
  );
  return lowering.give(layer, Object.fromEntries(named));
}

const directionOf = (node: Node) => node.text("direction", "forward");

export function recurrent(lowering: Lowering, node: Node): readonly Value[] {
  const x = lowering.value(node, 0);
  if (x.shape.length !== 3 || x.axes[0] !== 1) throw new NotCovered("its input is no [T, n, in]");
  const at = lowering.arrange(x, [1, 0, 2]);
  const [steps, inputs] = at.shape as [number, number];
  if (lowering.isRead(node.outputs[2])) throw new NotCovered("its last cell's state is read");
  const cell = cellOf(lowering, node, inputs);
  // of the state after all steps alone no other state is kept
  const sequences = lowering.isRead(node.outputs[0]);
  const name = lowering.nameOf(node.inputs[1]!);
  const { units, directions } = cell;
  if (directions === 2) {
    const y = bothWays(lowering, node.op, cell, cell.parameters, sequences, name)(at);
    return valuesOf(lowering, y, sequences, 2, steps, units);
  }
  const other = lowering.readersOf(node.inputs[0]!).find((each) => isOpposite(lowering, node, each, sequences));
  if (!other) {
    if (directionOf(node) !== "forward") throw new NotCovered("direction is reverse");
    const layer = lowering.give(layerOf(node.op, cell, sequences, name), cell.parameters[0]!);
    return valuesOf(lowering, layer(at), sequences, 1, steps, units);
  }
  const pair = cellOf(lowering, other, inputs);
  if (pair.units !== units || pair.activation !== cell.activation || pair.useBias !== cell.useBias)
    throw new NotCovered("its other direction is of another kind");
  const [ahead, back] = directionOf(node) === "forward" ? [cell, pair] : [pair, cell];
  const layer = lowering.share([node.op, node.inputs[0], node.inputs[1], other.inputs[1]].sort(), () =>
    bothWays(lowering, node.op, cell, [ahead.parameters[0]!, back.parameters[0]!], sequences, {}),
  );
  const both = lowering.once(layer, () => layer(at));
  const begin = directionOf(node) === "forward" ? 0 : units;
  const half = slice(sequences ? [0, begin] : [begin], sequences ? [steps, units] : [units])(both);
  return valuesOf(lowering, half, sequences, 1, steps, units, directionOf(node) === "reverse");
}

/** Whether a node reads the same from the other end, alone with the other one. */
function isOpposite(lowering: Lowering, node: Node, other: Node, sequences: boolean): boolean {
  const ways = [directionOf(node), directionOf(other)].sort().join();
  const alike = other.op === node.op && ways === "forward,reverse" && lowering.isRead(other.outputs[0]) === sequences;
  const all = lowering.readersOf(node.inputs[0]!).filter(({ op }) => op === node.op);
  return alike && all.length === 2;
}

/** Y and Y_h of what a layer gave: all states [n, T, d·u], or the last ones [n, d·u]. */
function valuesOf(
  lowering: Lowering,
  y: Symbolic,
  sequences: boolean,
  directions: number,
  steps: number,
  units: number,
  reverse = false,
): Value[] {
  const last = (h: Symbolic) =>
    directions === 1
      ? lowering.newValue(h, [1, Number.NaN, units], [1, 2])
      : lowering.newValue(reshape([2, units])(h), [2, Number.NaN, units], [1, 0, 2]);
  if (!sequences) return [undefined as never, last(y)];
  const all =
    directions === 1
      ? lowering.newValue(y, [steps, 1, Number.NaN, units], [2, 0, 3])
      : lowering.newValue(reshape([steps, 2, units])(y), [steps, 2, Number.NaN, units], [2, 0, 1, 3]);
  const at = (step: number, from: number) => reshape([units])(slice([step, from], [1, units])(y));
  const ends = directions === 1 ? at(reverse ? 0 : steps - 1, 0) : concatenate()([at(steps - 1, 0), at(0, units)]);
  return [all, last(ends)];
}
