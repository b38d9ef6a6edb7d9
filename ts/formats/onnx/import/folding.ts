// What of a graph can be computed before it runs: shapes, and what is made of them and of constants.

import { type Constant, constantOf, derived, isWhole, productOf, transposed } from "./constants";
import type { Node } from "./graph";
import { inOrder, type Lowering, NotCovered, type Value } from "./lowering";

/** Numbers that all that is computed has together, at most. */
const MAX_NUMBERS = 2 ** 22;

/** An axis of so many, or `undefined`. */
const axisOf = (axis: number, rank: number) =>
  axis >= -rank && axis < rank ? (axis < 0 ? axis + rank : axis) : undefined;

/** What computes a graph's constants. */
export class Folding {
  #left = MAX_NUMBERS;
  readonly #folders = folders();

  constructor(readonly lowering: Lowering) {}

  /** What would be constant if what it comes from were covered. */
  readonly #lost = new Set<string>();

  /** Makes a constant of what the node gives, where it can, or knows that it would be one: false where not. */
  fold(node: Node): boolean {
    const { constants, values } = this.lowering;
    const { op, outputs } = node;
    const inputs = node.inputs.map((name) => (name ? constants.get(name) : undefined));
    const ofShape = Object.hasOwn(shapes, op);
    const folder = Object.hasOwn(this.#folders, op) ? this.#folders[op] : undefined;
    const unknown = node.inputs.filter((name, i) => name && !inputs[i]);
    const value = values.get(node.inputs[0] ?? "");
    if (ofShape && value?.rows)
      throw new NotCovered(`its input has ${value.rows} rows of each example in the batch's place`);
    const of = value ?? inputs[0];
    if (
      ofShape
        ? !of && values.has(node.inputs[0] ?? "")
        : folder && unknown.length && unknown.every((name) => this.#lost.has(name))
    ) {
      for (const name of outputs) this.#lost.add(name);
      return true;
    }
    if (ofShape ? !of : unknown.length) return false;
    const result = ofShape ? shapes[op]!(node, of!) : folder?.(this, node, inputs);
    if (!result || !outputs[0]) return false;
    constants.set(outputs[0], result);
    return true;
  }

  /** Room for so many numbers more. */
  room(count: number): void {
    this.#left -= count;
    if (!(this.#left >= 0)) throw new NotCovered(`constants computed of more than ${MAX_NUMBERS} numbers`);
  }

  /** A constant of numbers found one by one. */
  make(shape: readonly number[], whole: boolean, at: (i: number) => number): Constant {
    const size = productOf(shape);
    this.room(size);
    return constantOf(
      shape,
      Float64Array.from({ length: size }, (_, i) => at(i)),
      whole,
    );
  }
}

/** Of any value, for its shape alone. */
const shapes: Record<string, (node: Node, of: Value | Constant) => Constant | undefined> = {
  Shape(node, { shape }) {
    const part = shape.slice(node.int("start", 0), node.int("end", shape.length));
    return constantOf([part.length], part, true);
  },
  Size: (_, { shape }) => constantOf([], [productOf(shape)], true),
};

type Folder = (folding: Folding, node: Node, inputs: (Constant | undefined)[]) => Constant | undefined;

const folders = (): Record<string, Folder> => ({
  Constant: (_, node) => constantIn(node),
  Identity: (_, __, [x]) => x,
  Cast(_, node, [x]) {
    const whole = isWhole(node.int("to", 0));
    return (
      x &&
      derived(x, x.shape, (numbers) => (whole && !x.whole ? Float64Array.from(numbers, Math.trunc) : numbers), whole)
    );
  },
  Reshape: (_, node, [x, to]) => x && reshaped(x, to, node),
  Flatten(_, node, [x]) {
    const axis = x && axisOf(node.int("axis", 1), x.shape.length + 1);
    return x && axis !== undefined
      ? view(x, [productOf(x.shape.slice(0, axis)), productOf(x.shape.slice(axis))])
      : undefined;
  },
  Squeeze(folding, node, [x, list]) {
    if (!x) return undefined;
    const given = axesOf(folding, node, list)?.map((axis) => axisOf(axis, x.shape.length));
    return view(
      x,
      x.shape.filter((size, axis) => (given ? !given.includes(axis) : size !== 1)),
    );
  },
  Unsqueeze(folding, node, [x, list]) {
    const given = axesOf(folding, node, list);
    if (!x || !given || x.shape.length + given.length > 8) return undefined;
    const rank = x.shape.length + given.length;
    const axes = given.map((axis) => axisOf(axis, rank));
    const rest = [...x.shape];
    return view(
      x,
      inOrder(rank).map((axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1))),
    );
  },
  Transpose(_, node, [x]) {
    if (!x) return undefined;
    const axes = node.ints("perm") ?? inOrder(x.shape.length).reverse();
    if (axes.length !== x.shape.length || inOrder(axes.length).some((axis) => !axes.includes(axis))) return undefined;
    return derived(
      x,
      axes.map((axis) => x.shape[axis]!),
      (numbers) => transposed(numbers, x.shape, axes),
    );
  },
  Gather(folding, node, [x, indices]) {
    if (!x || !indices) return undefined;
    const axis = axisOf(node.int("axis", 0), x.shape.length);
    if (axis === undefined) return undefined;
    const size = x.shape[axis]!;
    const inner = productOf(x.shape.slice(axis + 1));
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    folding.room(productOf(shape));
    const at = indices.read();
    for (let i = 0; i < at.length; i++) if (!(at[i]! >= -size && at[i]! < size)) return undefined;
    const numbers = x.read();
    const along = indices.size * inner;
    return folding.make(shape, x.whole, (i) => {
      const k = at[Math.floor((i % along) / inner)]!;
      return numbers[(Math.floor(i / along) * size + (k < 0 ? k + size : k)) * inner + (i % inner)]!;
    });
  },
  Slice(folding, node, [x, ...lists]) {
    if (x?.zeros) return x;
    if (!x || x.shape.length > 8) return undefined;
    const [starts, ends, axes = inOrder(starts?.length ?? 0), steps] =
      folding.lowering.opset < 10
        ? [node.ints("starts"), node.ints("ends"), node.ints("axes")]
        : lists.map((list) => (list && list.size < 9 ? Array.from(list.read()) : undefined));
    if (!starts || ends?.length !== starts.length || axes.length !== starts.length) return undefined;
    if (steps && steps.length !== starts.length) return undefined;
    const cuts = x.shape.map((size) => ({ from: 0, step: 1, size }));
    for (const [i, given] of axes.entries()) {
      const axis = axisOf(given, x.shape.length);
      const step = steps?.[i] ?? 1;
      if (axis === undefined || !step) return undefined;
      const length = x.shape[axis]!;
      // backwards from the last number at most, to before the first
      const back = step < 0 ? 1 : 0;
      const within = (at: number, least: number) => Math.min(Math.max(at < 0 ? at + length : at, least), length - back);
      const [from, to] = [within(starts[i]!, 0), within(ends[i]!, -back)];
      cuts[axis] = { from, step, size: Math.max(0, Math.ceil((to - from) / step)) };
    }
    const strides = x.shape.map((_, axis) => productOf(x.shape.slice(axis + 1)));
    const numbers = x.read();
    return folding.make(
      cuts.map(({ size }) => size),
      x.whole,
      (i) => {
        let [at, rest] = [0, i];
        for (let axis = cuts.length - 1; axis >= 0; axis--) {
          const { from, step, size } = cuts[axis]!;
          at += (from + (rest % size) * step) * strides[axis]!;
          rest = Math.floor(rest / size);
        }
        return numbers[at]!;
      },
    );
  },
  Concat(folding, node, inputs) {
    const [x] = inputs;
    if (!x || inputs.some((each) => each?.shape.length !== 1) || node.int("axis", 0) > 0) return undefined;
    folding.room(inputs.reduce((sum, each) => sum + each!.size, 0));
    const numbers = inputs.flatMap((each) => Array.from(each!.read()));
    return constantOf([numbers.length], numbers, x.whole);
  },
  ConstantOfShape(folding, node, [shape]) {
    if (!shape || shape.size > 8) return undefined;
    const sizes = Array.from(shape.read());
    const value = node.tensor("value");
    if (sizes.some(Number.isNaN)) return value?.read()[0] ? undefined : zerosOf(sizes);
    if (sizes.some((size) => !(size >= 0))) return undefined;
    const number = value?.read()[0] ?? 0;
    return folding.make(sizes, value?.whole ?? false, () => number);
  },
  Expand(folding, _, [x, shape]) {
    if (!x || !shape || shape.size > 8 || x.shape.length > 8) return undefined;
    const given = Array.from(shape.read());
    const rank = Math.max(given.length, x.shape.length);
    const padded = (sizes: readonly number[]) => new Array<number>(rank - sizes.length).fill(1).concat(sizes);
    const [own, wanted] = [padded(x.shape), padded(given)];
    // what the file has as the batch's size is any
    const isBatch = (size: number, other: number) => Number.isNaN(other) && size === folding.lowering.batch;
    const sizes = own.map((size, axis) => (size === 1 || isBatch(size, wanted[axis]!) ? wanted[axis]! : size));
    if (sizes.some((size, axis) => !Object.is(size, wanted[axis]) && wanted[axis] !== 1)) return undefined;
    const numbers = x.read();
    if (sizes.some(Number.isNaN)) return isZero(numbers) ? zerosOf(sizes) : undefined;
    if (sizes.some((size) => !(size >= 0))) return undefined;
    return folding.make(sizes, x.whole, (i) => {
      let [at, rest, stride] = [0, i, 1];
      for (let axis = rank - 1; axis >= 0; axis--) {
        if (own[axis] !== 1) at += (rest % sizes[axis]!) * stride;
        rest = Math.floor(rest / sizes[axis]!);
        stride *= own[axis]!;
      }
      return numbers[at]!;
    });
  },
  Range(folding, _, [from, to, step]) {
    const [a, b, s] = [from?.read()[0], to?.read()[0], step?.read()[0]] as [number, number, number];
    const count = Math.max(0, Math.ceil((b - a) / s));
    return from && Number.isFinite(count) ? folding.make([count], from.whole, (i) => a + i * s) : undefined;
  },
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b, whole) => (whole ? Math.trunc(a / b) : a / b)),
  Pow: binary((a, b) => (b === 2 ? a * a : b === 0.5 ? Math.sqrt(a) : Number.NaN)),
  Neg: unary((a) => -a),
  Sqrt: unary(Math.sqrt),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Reciprocal: unary((a) => 1 / a),
});

export function isZero(numbers: ArrayLike<number>): boolean {
  for (let i = 0; i < numbers.length; i++) if (numbers[i] !== 0) return false;
  return true;
}

/** Zeros of which there are as many as the batch wants. */
function zerosOf(shape: readonly number[]): Constant {
  const read = () => {
    throw new NotCovered("a constant as large as the batch");
  };
  return { shape, size: Number.NaN, whole: false, zeros: true, depth: 0, read };
}

/** What a node Constant holds. */
export function constantIn(node: Node): Constant | undefined {
  if (node.has("value")) return node.tensor("value");
  if (node.has("value_float")) return constantOf([], [node.float("value_float", 0)], false);
  if (node.has("value_int")) return constantOf([], [node.int("value_int", 0)], true);
  const floats = node.floats("value_floats");
  if (floats) return constantOf([floats.length], floats, false);
  const ints = node.ints("value_ints");
  return ints && constantOf([ints.length], ints, true);
}

const view = (x: Constant, shape: readonly number[]): Constant | undefined =>
  productOf(shape) === x.size ? { ...x, shape } : undefined;

function reshaped(x: Constant, to: Constant | undefined, node: Node): Constant | undefined {
  if (!to || to.size > 8) return undefined;
  const keep = !node.int("allowzero", 0);
  const sizes = Array.from(to.read(), (d, axis) => (d === 0 && keep ? (x.shape[axis] ?? 0) : d));
  const fixed = productOf(sizes.filter((d) => d !== -1));
  const shape = sizes.map((d) => (d === -1 ? x.size / fixed : d));
  return shape.every((d) => Number.isSafeInteger(d) && d >= 0) ? view(x, shape) : undefined;
}

function axesOf({ lowering }: Folding, node: Node, list: Constant | undefined): number[] | undefined {
  if (lowering.opset < 13) return node.ints("axes");
  return list && list.size < 9 ? Array.from(list.read()) : undefined;
}

function unary(f: (a: number) => number): Folder {
  return (folding, _, [x]) => {
    if (!x) return undefined;
    folding.room(x.size);
    const numbers = x.read();
    return folding.make(x.shape, x.whole, (i) => f(numbers[i]!));
  };
}

/** Of two constants, of which the smaller one is repeated along leading axes, or is one number. NaN, the batch's size, stays as times or by 1 only. */
function binary(f: (a: number, b: number, whole: boolean) => number): Folder {
  return (folding, node, [a, b]) => {
    if (!a || !b) return undefined;
    const large = a.size >= b.size && a.shape.length >= b.shape.length ? a : b;
    const small = large === a ? b : a;
    if (small.size !== 1 && large.shape.slice(large.shape.length - small.shape.length).join() !== small.shape.join())
      return undefined;
    if (small.shape.length > large.shape.length) return undefined;
    folding.room(large.size);
    const [x, y] = [a.read(), b.read()];
    const whole = a.whole && b.whole;
    const result = (i: number): number => {
      const [p, q] = [x[i % x.length]!, y[i % y.length]!];
      if (whole && Number.isNaN(p) && q === 1 && (node.op === "Mul" || node.op === "Div")) return Number.NaN;
      if (whole && Number.isNaN(q) && p === 1 && node.op === "Mul") return Number.NaN;
      if (whole && (Number.isNaN(p) || Number.isNaN(q))) throw new NotCovered("it computes with the batch's size");
      return f(p, q, whole);
    };
    return folding.make(large.shape, whole, result);
  };
}
