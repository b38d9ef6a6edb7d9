// ONNX's operators that act element by element: functions, and arithmetic of two or more operands.

import { elu, gelu, leakyRelu, relu, selu, sigmoid, silu, softmax, softplus, tanh } from "../../../layers/activation";
import { batchNorm } from "../../../layers/batchNorm";
import { positionEmbedding } from "../../../layers/embedding";
import { clip, logSoftmax } from "../../../layers/imported";
import type { Layer, Symbolic } from "../../../layers/layer";
import { add, average, maximum, multiply, subtract } from "../../../layers/merge";
import { prelu } from "../../../layers/prelu";
import { rescaling, reshape } from "../../../layers/shape";
import { type Constant, scalarOf } from "./constants";
import type { Node } from "./graph";
import { inOrder, isWide, type Lowering, NotCovered, type Value } from "./lowering";

type Operator = (lowering: Lowering, node: Node) => Value;

const unary =
  (make: (node: Node) => Layer): Operator =>
  (lowering, node) => {
    const x = lowering.value(node, 0, true);
    return lowering.like(x, make(node)(x.at));
  };

/** scale·x + offset; where that is x, x itself. */
export const affine = (x: Symbolic, scale: number, offset: number): Symbolic =>
  scale === 1 && offset === 0 ? x : rescaling({ scale, offset })(x);

/** min(max(x, low), high) */
function clipped(x: Symbolic, low: number, high: number): Symbolic {
  if (high === Infinity) return low === -Infinity ? x : low === 0 ? relu()(x) : clip({ low })(x);
  return clip(low === -Infinity ? { high } : { low, high })(x);
}

const clipOperator: Operator = (lowering, node) => {
  const x = lowering.value(node, 0, true);
  const bound = (i: number, name: string, open: number) => {
    const given = lowering.opset < 11 ? node.float(name, open) : (scalarOf(lowering.constant(node, i)) ?? open);
    return Math.abs(given) > 3e38 ? open : given;
  };
  const [low, high] = [bound(1, "min", -Infinity), bound(2, "max", Infinity)];
  if (!(low <= high)) throw new NotCovered(`its bounds are ${low} and ${high}`);
  return lowering.like(x, clipped(x.at, low, high));
};

/** max(0, min(1, alpha·x + beta)) */
const hardSigmoid = (x: Symbolic, alpha: number, beta: number) => clipped(affine(x, alpha, beta), 0, 1);

const near = (a: number, b: number) => Math.abs(a - b) <= 1e-5 * Math.abs(b);

/** A slope or the like, of which our layer takes what is ≥ 0. */
function positive(node: Node, name: string, fallback: number): number {
  const value = node.float(name, fallback);
  if (!(value >= 0)) throw new NotCovered(`${name} is ${value}`);
  return value;
}

const seluOperator = /* @__PURE__ */ unary((node) => {
  const [alpha, gamma] = [node.float("alpha", 1.67326319), node.float("gamma", 1.05070102)];
  if (!near(alpha, 1.67326319) || !near(gamma, 1.05070102)) throw new NotCovered(`alpha is ${alpha}, gamma ${gamma}`);
  return selu();
});

const geluOperator = /* @__PURE__ */ unary((node) => {
  const approximate = node.text("approximate", "none");
  if (approximate !== "none" && approximate !== "tanh") throw new NotCovered(`approximate is ${approximate}`);
  return gelu({ approximate: approximate === "tanh" });
});

const preluOperator: Operator = (lowering, node) => {
  const x = lowering.value(node, 0, true);
  const slope = lowering.needConstant(node, 1);
  const along = axesOf(slope, x);
  if (along.length > 1) throw new NotCovered(`its slope has shape [${slope.shape.join(", ")}]`);
  const axis = along[0] ?? (x.shape.length === 1 ? 0 : 1);
  const channels = x.shape[axis]!;
  const { at, axes } = lastAxis(lowering, x, axis);
  const alpha = () => {
    const numbers = slope.read();
    return numbers.length === 1 ? new Float32Array(channels).fill(numbers[0]!) : numbers;
  };
  const layer = lowering.give(prelu(lowering.nameOf(node.inputs[1]!)), { alpha });
  return lowering.newValue(layer(at), x.shape, axes, { rows: x.rows });
};

/** Softmax, or its log, over one axis; before opset 13 over that one and all behind it. */
const overAxis =
  (layer: () => Layer): Operator =>
  (lowering, node) => {
    const x = lowering.value(node, 0, true);
    const rank = x.shape.length;
    const given = node.int("axis", lowering.opset < 13 ? 1 : -1);
    const axis = given < 0 ? given + rank : given;
    if (!(axis >= 0 && axis < rank)) throw new NotCovered(`axis is ${given}`);
    const over = lowering.opset < 13 ? inOrder(rank).slice(axis) : [axis];
    const wide = over.filter((a) => isWide(x.shape[a]));
    if (over.includes(x.axes[0]!)) throw new NotCovered("its axis is the batch");
    if (wide.length < 2) {
      const { at, axes } = lastAxis(lowering, x, wide[0] ?? axis);
      return lowering.newValue(layer()(at), x.shape, axes, { rows: x.rows });
    }
    if (x.rows) throw new NotCovered("rows are counted with its batch");
    const others = inOrder(rank).filter((a) => a !== x.axes[0] && !over.includes(a));
    const axes = [x.axes[0]!, ...others, ...over];
    const rows = reshape([...others.map((a) => x.shape[a]!), -1])(lowering.arrange(x, axes));
    const y = reshape(axes.slice(1).map((a) => x.shape[a]!))(layer()(rows));
    return lowering.newValue(y, x.shape, axes);
  };

/** The value with that axis as the last. */
export function lastAxis(lowering: Lowering, x: Value, axis: number): { at: Symbolic; axes: number[] } {
  const settled = lowering.settle(x);
  if (axis === settled.axes[0]) throw new NotCovered("its axis is the batch");
  const there = settled.axes.at(-1) === axis;
  const [batch, ...others] = inOrder(settled.shape.length)
    .filter((a) => a !== axis)
    .sort((a) => (a === settled.axes[0] ? -1 : 0));
  const axes = there ? [...settled.axes] : [batch!, ...others, axis];
  return { at: lowering.arrange(settled, axes), axes };
}

/** Along which axes of x a constant varies, as ONNX broadcasts it. */
function axesOf(constant: Constant, x: Value): number[] {
  const { shape } = constant;
  const before = x.shape.length - shape.length;
  if (before < 0) throw new NotCovered(`a constant of shape [${shape.join(", ")}] makes its axes more`);
  const along = inOrder(shape.length).filter((axis) => isWide(shape[axis]));
  const axes = along.map((axis) => axis + before);
  axes.forEach((axis, i) => {
    if (x.shape[axis] !== shape[along[i]!])
      throw new NotCovered(`a constant of shape [${shape.join(", ")}] and an input of shape ${shapeText(x)}`);
  });
  return axes;
}

export const shapeText = (x: Value): string =>
  `[${x.shape.map((size) => (Number.isNaN(size) ? "n" : size)).join(", ")}]`;

/** The constant that all its numbers are. */
function uniform(constant: Constant): number | undefined {
  if (constant.size > 4096) return undefined;
  const numbers = constant.read();
  for (let i = 1; i < numbers.length; i++) if (numbers[i] !== numbers[0]) return undefined;
  return numbers[0];
}

/**
 * scale·x + offset, each a number, or one a channel: then a batch normalization that is fixed, of mean 0 and variance 1. What
 * is added for each place is learned, as a position's embedding.
 */
function scaled(lowering: Lowering, x: Value, by: { scale?: Constant; offset?: Constant; sign?: number }): Value {
  const { sign = 1 } = by;
  const constant = (by.scale ?? by.offset)!;
  const axes = axesOf(constant, x);
  const one = axes.length === 0 || axes.length > 1 ? uniform(constant) : undefined;
  if (one !== undefined)
    return lowering.like(x, by.scale ? affine(x.at, one, 0) : affine(x.at, sign, one), { flattened: x.flattened });
  const { shape } = x;
  if (axes.length === 1) {
    const { at, axes: order } = lastAxis(lowering, x, axes[0]!);
    const fill = (value: number) => () => new Float32Array(constant.size).fill(value);
    const layer = batchNorm({ epsilon: 1e-30, trainable: false });
    lowering.give(layer, {
      gamma: by.scale ? () => constant.read() : fill(sign),
      beta: by.offset ? () => constant.read() : fill(0),
      movingMean: fill(0),
      movingVariance: fill(1),
    });
    return lowering.newValue(layer(at), shape, order, { rows: x.rows });
  }
  const batch = x.axes[0]!;
  const all = inOrder(shape.length).filter((axis) => axis !== batch);
  if (by.offset && !x.rows && all.every((axis) => axes.includes(axis) || !isWide(shape[axis]))) {
    const sizes = all.map((axis) => shape[axis]!);
    const at = affine(lowering.arrange(x, [batch, ...all]), sign, 0);
    const flat = sizes.length === 2 ? at : reshape([sizes[0]!, -1])(at);
    const y = lowering.give(positionEmbedding(), { embeddings: () => constant.read() })(flat);
    return lowering.newValue(sizes.length === 2 ? y : reshape(sizes)(y), shape, [batch, ...all]);
  }
  throw new NotCovered(`a constant of shape [${constant.shape.join(", ")}]`);
}

const invert = (constant: Constant): Constant => ({
  ...constant,
  read: () => Float64Array.from(constant.read(), (value) => 1 / value),
});
const negated = (constant: Constant): Constant => ({
  ...constant,
  read: () => Float64Array.from(constant.read(), (value) => -value),
});

/** Values as they are broadcast together: of one shape, their axes in one order. */
function together(lowering: Lowering, given: readonly Value[]): { at: Symbolic[]; like: Value } {
  const [first, ...others] = given as [Value, ...Value[]];
  const alike = (x: Value) =>
    `${x.shape}` === `${first.shape}` &&
    `${x.axes}` === `${first.axes}` &&
    x.rows === first.rows &&
    JSON.stringify(x.flattened) === JSON.stringify(first.flattened);
  if (others.every(alike)) return { at: given.map(({ at }) => at), like: first };
  if (given.some(({ rows }) => rows)) throw new NotCovered(`inputs of shapes ${given.map(shapeText).join(" and ")}`);
  const rank = Math.max(...given.map(({ shape }) => shape.length));
  const values = given.map((x): Value => {
    const settled = lowering.settle(x);
    const before = rank - settled.shape.length;
    if (!before) return settled;
    const shape = new Array<number>(before).fill(1).concat(settled.shape);
    return { ...settled, shape, axes: settled.axes.map((axis) => axis + before), arranged: new Map() };
  });
  const shape = inOrder(rank).map((axis) => {
    const sizes = values.map((x) => x.shape[axis]!);
    const size = sizes.find(isWide) ?? 1;
    if (sizes.some((s) => isWide(s) && !Object.is(s, size)))
      throw new NotCovered(`inputs of shapes ${values.map(shapeText).join(" and ")}`);
    return size;
  });
  const batch = values[0]!.axes[0]!;
  if (values.some((x) => x.axes[0] !== batch)) throw new NotCovered("the batch is not the same axis of its inputs");
  const expanded = values.map((x) => lowering.expand(x, shape));
  // the order of one that has all axes, and its channels last if one has them so
  const full = expanded.filter((x) => x.axes.length === rank);
  const like = full.find(({ axes }) => axes.at(-1) !== rank - 1) ?? full[0];
  const axes = like?.axes ?? [batch, ...inOrder(rank).filter((axis) => axis !== batch)];
  return {
    at: expanded.map((x) => lowering.arrange(x, axes)),
    like: lowering.newValue(undefined as never, shape, axes),
  };
}

/** Values put together by a layer that takes a list of them. */
function merged(lowering: Lowering, values: readonly Value[], layer: () => Layer): Value {
  if (values.length === 1) return values[0]!;
  const { at, like } = together(lowering, values);
  return lowering.like(like, layer()(at));
}

const isConstant = (lowering: Lowering, node: Node, i: number) => lowering.constants.has(node.inputs[i] ?? "");

const addOperator: Operator = (lowering, node) => {
  const fixed = [0, 1].find((i) => isConstant(lowering, node, i));
  if (fixed !== undefined)
    return scaled(lowering, lowering.value(node, 1 - fixed, true), { offset: lowering.needConstant(node, fixed) });
  return merged(lowering, [lowering.value(node, 0, true), lowering.value(node, 1, true)], add);
};

const subtractOperator: Operator = (lowering, node) => {
  if (isConstant(lowering, node, 1))
    return scaled(lowering, lowering.value(node, 0, true), { offset: negated(lowering.needConstant(node, 1)) });
  if (isConstant(lowering, node, 0))
    return scaled(lowering, lowering.value(node, 1, true), { offset: lowering.needConstant(node, 0), sign: -1 });
  return merged(lowering, [lowering.value(node, 0, true), lowering.value(node, 1, true)], subtract);
};

const multiplyOperator: Operator = (lowering, node) => {
  const fixed = [0, 1].find((i) => isConstant(lowering, node, i));
  if (fixed !== undefined)
    return scaled(lowering, lowering.value(node, 1 - fixed, true), { scale: lowering.needConstant(node, fixed) });
  const [a, b] = [lowering.value(node, 0, true), lowering.value(node, 1, true)];
  // x·σ(x)
  for (const [x, s] of [
    [a, b],
    [b, a],
  ] as const)
    if (s.at.call?.layer.config.type === "sigmoid" && s.at.call.inputs[0] === x.at && `${s.axes}` === `${x.axes}`)
      return lowering.like(x, silu()(x.at));
  return merged(lowering, [a, b], multiply);
};

const divideOperator: Operator = (lowering, node) => {
  if (!isConstant(lowering, node, 1)) throw new NotCovered("its divisor is not constant");
  const x = lowering.value(node, 0, true);
  const divisor = lowering.needConstant(node, 1);
  if (x.whole) throw new NotCovered("it divides whole numbers");
  return scaled(lowering, x, { scale: invert(divisor) });
};

/** The largest of values and a number, or the least. */
const extreme =
  (sign: 1 | -1): Operator =>
  (lowering, node) => {
    const values: Value[] = [];
    const bounds: Constant[] = [];
    let bound: number | undefined;
    node.inputs.forEach((_, i) => {
      if (!isConstant(lowering, node, i)) values.push(lowering.value(node, i, true));
      else {
        const constant = lowering.needConstant(node, i);
        const number = uniform(constant);
        if (number === undefined) throw new NotCovered(`a constant of shape [${constant.shape.join(", ")}]`);
        bounds.push(constant);
        bound = bound === undefined ? number : sign * Math.max(sign * bound, sign * number);
      }
    });
    const signed = values.map((x) => (sign === 1 || values.length === 1 ? x : lowering.like(x, affine(x.at, -1, 0))));
    const most = merged(lowering, signed, maximum);
    for (const constant of bounds) axesOf(constant, most);
    const y = sign === 1 || values.length === 1 ? most : lowering.like(most, affine(most.at, -1, 0));
    if (bound === undefined) return y;
    const [low, high] = sign === 1 ? [bound, Infinity] : [-Infinity, bound];
    return lowering.like(y, clipped(y.at, low, high));
  };

/** Of several values, one of which may be constant. */
const variadic =
  (layer: () => Layer): Operator =>
  (lowering, node) =>
    merged(
      lowering,
      node.inputs.map((_, i) => lowering.value(node, i, true)),
      layer,
    );

const power: Operator = (lowering, node) => {
  const x = lowering.value(node, 0, true);
  const given = lowering.needConstant(node, 1);
  axesOf(given, x);
  const exponent = scalarOf(given);
  if (exponent === 1) return x;
  if (exponent !== 2 && exponent !== 3) throw new NotCovered(`its exponent is ${exponent ?? "no number"}`);
  return lowering.like(x, multiply()(new Array<Symbolic>(exponent).fill(x.at)));
};

export const elementwise = (): Record<string, Operator> => ({
  Relu: unary(() => relu()),
  LeakyRelu: unary((node) => leakyRelu({ negativeSlope: positive(node, "alpha", 0.01) })),
  Elu: unary((node) => elu({ alpha: positive(node, "alpha", 1) })),
  Selu: seluOperator,
  Gelu: geluOperator,
  PRelu: preluOperator,
  Sigmoid: unary(() => sigmoid()),
  Tanh: unary(() => tanh()),
  Softplus: unary(() => softplus()),
  Softmax: overAxis(() => softmax()),
  LogSoftmax: overAxis(() => logSoftmax()),
  Clip: clipOperator,
  HardSigmoid(lowering, node) {
    const x = lowering.value(node, 0, true);
    const y = hardSigmoid(x.at, node.float("alpha", 0.2), node.float("beta", 0.5));
    return lowering.like(x, y);
  },
  HardSwish(lowering, node) {
    const x = lowering.value(node, 0, true);
    return lowering.like(x, multiply()([x.at, hardSigmoid(x.at, 1 / 6, 0.5)]));
  },
  Mish(lowering, node) {
    const x = lowering.value(node, 0, true);
    return lowering.like(x, multiply()([x.at, tanh()(softplus()(x.at))]));
  },
  Swish(lowering, node) {
    const x = lowering.value(node, 0, true);
    const alpha = node.float("alpha", 1);
    return lowering.like(x, alpha === 1 ? silu()(x.at) : multiply()([x.at, sigmoid()(affine(x.at, alpha, 0))]));
  },
  Neg: (lowering, node) => {
    const x = lowering.value(node, 0, true);
    return lowering.like(x, affine(x.at, -1, 0));
  },
  Abs: (lowering, node) => {
    const x = lowering.value(node, 0, true);
    return lowering.like(x, maximum()([x.at, affine(x.at, -1, 0)]));
  },
  Add: addOperator,
  Sub: subtractOperator,
  Mul: multiplyOperator,
  Div: divideOperator,
  Pow: power,
  Sum: variadic(add),
  Mean: variadic(average),
  Max: extreme(1),
  Min: extreme(-1),
});
