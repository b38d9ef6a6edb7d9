// ONNX's operators that are layers with parameters: products with matrices, normalizations, embeddings, recurrent nets.

import { batchNorm } from "../../../layers/batchNorm";
import { dense } from "../../../layers/dense";
import { dropout } from "../../../layers/dropout";
import { embedding } from "../../../layers/embedding";
import { groupNorm, layerNorm } from "../../../layers/groupNorm";
import { reshape } from "../../../layers/shape";
import { type Constant, productOf, scalarOf, transposed } from "./constants";
import { lastAxis } from "./elementwise";
import type { Node } from "./graph";
import { inOrder, isWide, type Lowering, NotCovered, type Parameters, type Value } from "./lowering";

const text = (shape: readonly number[]) => `[${shape.join(", ")}]`;

/** A kernel [in, out] whose rows stand as the numbers of a flattened image do. */
function rowsAs(kernel: () => ArrayLike<number>, x: Value, out: number): () => ArrayLike<number> {
  if (!x.flattened) return kernel;
  const { sizes, order } = x.flattened;
  return () => transposed(kernel(), [...sizes, out], [...order, sizes.length]);
}

const times = (factor: number, read: () => ArrayLike<number>) =>
  factor === 1 ? read : () => Float64Array.from(read(), (value) => value * factor);

/** The dense layer over the last axis of x. */
function denseOver(
  lowering: Lowering,
  node: Node,
  x: Value,
  units: number,
  kernel: () => ArrayLike<number>,
  { bias, useBias, biasName }: { bias: Parameters; useBias: boolean; biasName: string },
): Value {
  const rank = x.shape.length;
  const { at, axes } = x.flattened ? x : lastAxis(lowering, x, rank - 1);
  const make = () =>
    lowering.give(dense(units, { useBias, ...lowering.nameOf(node.inputs[1]!) }), {
      kernel: rowsAs(kernel, x, units),
      ...bias,
    });
  const attributes = [...node.attributes.values()].map(({ name, i, f }) => [name, i, f]);
  const layer = lowering.share([node.op, units, attributes, node.inputs[1], biasName, x.flattened], make);
  return lowering.newValue(layer(at), [...x.shape.slice(0, -1), units], axes, { rows: x.rows });
}

export function gemm(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const weights = lowering.needConstant(node, 1);
  if (node.int("transA", 0)) throw new NotCovered("transA is 1");
  if (x.shape.length !== 2 || weights.shape.length !== 2)
    throw new NotCovered(`shapes of ${x.shape.length} and ${weights.shape.length} axes`);
  const other = node.int("transB", 0);
  const [inputs, units] = other ? [weights.shape[1]!, weights.shape[0]!] : (weights.shape as [number, number]);
  if (inputs !== x.shape[1] || !weights.size)
    throw new NotCovered(`weights of shape ${text(weights.shape)} for ${x.shape[1]} numbers`);
  const kernel = other ? () => transposed(weights.read(), weights.shape, [1, 0]) : () => weights.read();
  const given = lowering.constant(node, 2);
  const beta = node.float("beta", 1);
  let bias = lowering.biasOf(node, given ? 2 : -1, units, 2, 1, given && rowOf(given, units));
  if (given && beta !== 1) bias = { ...bias, bias: { bias: times(beta, bias.bias["bias"]!) } };
  return denseOver(lowering, node, x, units, times(node.float("alpha", 1), kernel), bias);
}

/** A row that is added to all: its numbers, or one for all of them. */
function rowOf(constant: Constant, size: number): Constant {
  const { shape } = constant;
  if (constant.size !== 1 && (constant.size !== size || shape.at(-1) !== size || shape.length > 2))
    throw new NotCovered(`its bias has shape ${text(shape)}, not [${size}]`);
  const read = () => (constant.size === size ? constant.read() : new Float64Array(size).fill(scalarOf(constant)!));
  return { ...constant, shape: [size], size, read };
}

export function matmul(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const weights = lowering.needConstant(node, 1);
  const rank = x.shape.length;
  if (weights.shape.length !== 2 || rank < 2)
    throw new NotCovered(`shapes of ${rank} and ${weights.shape.length} axes`);
  const [inputs, units] = weights.shape as [number, number];
  if (inputs !== x.shape.at(-1) || !weights.size)
    throw new NotCovered(`weights of shape ${text(weights.shape)} for ${x.shape.at(-1)} numbers`);
  return denseOver(lowering, node, x, units, () => weights.read(), lowering.biasOf(node, -1, units, rank, rank - 1));
}

/** Inputs `from` … of a node, one number a channel each. */
function perChannel(
  lowering: Lowering,
  node: Node,
  from: number,
  count: number,
  channels: number,
): (() => ArrayLike<number>)[] {
  return inOrder(count).map((i) => {
    const constant = lowering.needConstant(node, from + i);
    if (constant.size !== channels || constant.shape.length !== 1)
      throw new NotCovered(`input ${from + i + 1} has shape ${text(constant.shape)}, not [${channels}]`);
    return () => constant.read();
  });
}

const epsilonOf = (node: Node): { epsilon: number } => {
  const epsilon = node.float("epsilon", 1e-5);
  if (!(epsilon > 0)) throw new NotCovered(`epsilon is ${epsilon}`);
  return { epsilon };
};

export function batchNormalization(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const rank = x.shape.length;
  if (node.int("training_mode", 0)) throw new NotCovered("training_mode is 1");
  if (node.int("spatial", 1) !== 1) throw new NotCovered("spatial is 0");
  if (rank < 2) throw new NotCovered(`its input has ${rank} axes`);
  const momentum = node.float("momentum", 0.9);
  if (!(momentum >= 0 && momentum <= 1)) throw new NotCovered(`momentum is ${momentum}`);
  const [gamma, beta, movingMean, movingVariance] = perChannel(lowering, node, 1, 4, x.shape[1]!).map((read) =>
    rowsAs(read, x, 1),
  );
  const { at, axes } = x.flattened ? x : lastAxis(lowering, x, 1);
  const layer = batchNorm({ ...epsilonOf(node), momentum, ...lowering.nameOf(node.inputs[1]!) });
  lowering.give(layer, { gamma: gamma!, beta: beta!, movingMean: movingMean!, movingVariance: movingVariance! });
  return lowering.like(x, layer(at), { axes });
}

/** γ and β of a normalization; where β is left out, 0. */
function gammaBeta(lowering: Lowering, node: Node, channels: number): Parameters {
  const [gamma] = perChannel(lowering, node, 1, 1, channels);
  const zeros = () => new Float32Array(channels);
  return { gamma: gamma!, beta: node.inputs[2] ? perChannel(lowering, node, 2, 1, channels)[0]! : zeros };
}

export function layerNormalization(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const rank = x.shape.length;
  const given = node.int("axis", -1);
  const axis = given < 0 ? given + rank : given;
  if (!(axis >= 1 && axis < rank)) throw new NotCovered(`axis is ${given}`);
  const batch = x.axes[0]!;
  const over = inOrder(rank).slice(axis);
  if (over.includes(batch)) throw new NotCovered("its axis is the batch");
  const sizes = over.map((a) => x.shape[a]!);
  const channels = productOf(sizes);
  const scale = lowering.needConstant(node, 1);
  const offset = lowering.constant(node, 2);
  for (const constant of [scale, offset])
    if (constant && constant.shape.filter(isWide).join() !== sizes.filter(isWide).join())
      throw new NotCovered(`scale or bias of shape ${text(constant.shape)}, not ${text(sizes)}`);
  const layer = layerNorm({ ...epsilonOf(node), ...lowering.nameOf(node.inputs[1]!) });
  lowering.give(layer, { gamma: () => scale.read(), beta: () => offset?.read() ?? new Float32Array(channels) });
  if (over.length === 1) {
    const { at, axes } = lastAxis(lowering, x, axis);
    return lowering.newValue(layer(at), x.shape, axes, { rows: x.rows });
  }
  if (x.rows) throw new NotCovered("rows are counted with its batch");
  const others = inOrder(rank).filter((a) => a !== batch && a < axis);
  const axes = [batch, ...others, ...over];
  const rows = reshape([...others.map((a) => x.shape[a]!), channels])(lowering.arrange(x, axes));
  const y = reshape(axes.slice(1).map((a) => x.shape[a]!))(layer(rows));
  return lowering.newValue(y, x.shape, axes);
}

/** GroupNormalization, and InstanceNormalization: as many groups as channels. */
const grouped =
  (groupsOf: (node: Node, channels: number) => number) =>
  (lowering: Lowering, node: Node): Value => {
    const x = lowering.value(node, 0);
    const rank = x.shape.length;
    if (rank < 2) throw new NotCovered(`its input has ${rank} axes`);
    const channels = x.shape[1]!;
    const groups = groupsOf(node, channels);
    if (groups < 1 || channels % groups) throw new NotCovered(`${channels} channels in ${groups} groups`);
    const parameters = perGroup(lowering, node, channels, groups);
    const { at, axes } = lastAxis(lowering, x, 1);
    const layer = groupNorm(groups, { ...epsilonOf(node), ...lowering.nameOf(node.inputs[1]!) });
    return lowering.newValue(lowering.give(layer, parameters)(at), x.shape, axes);
  };

/** γ and β, one a channel; in opset 18 one a group. */
function perGroup(lowering: Lowering, node: Node, channels: number, groups: number): Parameters {
  if (node.op !== "GroupNormalization" || lowering.opset > 20 || lowering.needConstant(node, 1).size === channels)
    return gammaBeta(lowering, node, channels);
  const spread = (read: () => ArrayLike<number>) => () => {
    const numbers = read();
    return Float32Array.from({ length: channels }, (_, c) => numbers[Math.floor((c * groups) / channels)]!);
  };
  const { gamma, beta } = gammaBeta(lowering, node, groups);
  return { gamma: spread(gamma!), beta: spread(beta!) };
}

export const instanceNormalization = /* @__PURE__ */ grouped((_, channels) => channels);
export const groupNormalization = /* @__PURE__ */ grouped((node) => node.int("num_groups", 0));

export function dropoutOperator(lowering: Lowering, node: Node): Value {
  const x = lowering.value(node, 0, true);
  const rate = lowering.opset < 12 ? node.float("ratio", 0.5) : (scalarOf(lowering.constant(node, 1)) ?? 0.5);
  if (!(rate >= 0 && rate < 1)) throw new NotCovered(`its ratio is ${rate}`);
  if (scalarOf(lowering.constant(node, 2))) throw new NotCovered("training_mode is true");
  return lowering.like(x, dropout(rate)(x.at));
}

/** Rows of a constant table by number. */
export function gather(lowering: Lowering, node: Node): Value {
  const table = lowering.needConstant(node, 0);
  const x = lowering.settle(lowering.value(node, 1));
  if (node.int("axis", 0) !== 0 || table.shape.length !== 2 || !table.size)
    throw new NotCovered(`a table of shape ${text(table.shape)}`);
  const [rows, columns] = table.shape as [number, number];
  const at = lowering.arrange(x, [x.axes[0]!, ...inOrder(x.shape.length).filter((axis) => axis !== x.axes[0])]);
  const layer = lowering.share([node.op, node.inputs[0]], () =>
    lowering.give(embedding(rows, columns, lowering.nameOf(node.inputs[0]!)), { embeddings: () => table.read() }),
  );
  const axes = [x.axes[0]!, ...inOrder(x.shape.length).filter((axis) => axis !== x.axes[0]), x.shape.length];
  return lowering.newValue(layer(at), [...x.shape, columns], axes);
}
