// An ONNX graph in the making: its nodes and initializers, and which of its values is which tensor of ours.
//
// Our images are [n, h, w, c], ONNX's convolutions and pools want [n, c, h, w]. So a tensor may be there in either order of its
// axes, channels last or first. What is done element by element stays in the order in which its input was made; a Transpose comes
// where somebody needs the other one, once. A net of convolutions has one at its entrance, and one before it is made flat.

import type { Node, Shape, Tensor } from "../../../graph/graph";
import type { AttributeType, DataType, Draft, NodeProto, TensorProto } from "../messages";

/** Numbers that are known: a parameter, a statistic or what only has another shape. */
export interface Constant {
  name: string;
  /** What tells it from others of that name. */
  key?: string | undefined;
  data: Float32Array;
  dims: Shape;
}

/** A float attribute, or several; numbers alone are integers. */
export interface Reals {
  reals: number | readonly number[];
}

export type OnnxAttribute = number | readonly number[] | string | readonly string[] | Reals;

/** Where a tensor is: the names of the values that are it. */
interface Known {
  last?: string;
  first?: string;
  /** It was made with channels first. */
  madeFirst: boolean;
}

/** A graph of ours whose shapes say which sizes count the examples. */
export interface Source {
  nodes: readonly Node[];
  /** What is read after a run. */
  kept: ReadonlySet<Tensor>;
  /** The shape of a tensor; −k stands for k times the number of examples. */
  dims(t: Tensor): Shape;
  /** The numbers of a leaf. */
  constant(t: Tensor): Constant | undefined;
  opset: number;
  /** The error of what ONNX has not. */
  refused(layer: string, expected: string, got: string): Error;
}

// Of messages.ts types alone are imported (see exportGraph.ts): they hold these to what stands there.

type Kinds = typeof AttributeType;
type Types = typeof DataType;
const FLOAT: Types["float"] = 1;
const INT32: Types["int32"] = 6;
const INT64: Types["int64"] = 7;
const KINDS = { float: 1, int: 2, string: 3, floats: 6, ints: 7, strings: 8 } as const satisfies {
  [K in "float" | "int" | "string" | "floats" | "ints" | "strings"]: Kinds[K];
};

/** The product of sizes. */
export const product = (dims: Shape): number => dims.reduce((all, d) => all * d, 1);

const isAlike = (a: Shape, b: Shape) => `${a}` === `${b}`;

/** Axes in the other order: channels first, and back. */
const toFirst = (rank: number): number[] => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
const toLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];

const isSame = (axes: readonly number[]) => axes.every((axis, i) => axis === i);

/** Whether moving the channels leaves the numbers in their order. */
const staysInOrder = (dims: Shape) => dims.at(-1) === 1 || dims.slice(1, -1).every((d) => d === 1);

const text = (value: string) => new TextEncoder().encode(value);

function attributeOf(name: string, value: OnnxAttribute): NodeProto["attribute"][number] {
  const none = { name, floats: [], ints: [], strings: [], graphs: [] };
  if (typeof value === "number") return { ...none, i: value, type: KINDS.int };
  if (typeof value === "string") return { ...none, s: text(value), type: KINDS.string };
  if ("reals" in value) {
    const { reals } = value;
    if (typeof reals === "number") return { ...none, f: reals, type: KINDS.float };
    return { ...none, floats: [...reals], type: KINDS.floats };
  }
  if (value.every((v) => typeof v === "string")) return { ...none, strings: value.map(text), type: KINDS.strings };
  return { ...none, ints: [...(value as readonly number[])], type: KINDS.ints };
}

/** Numbers with their axes in another order: data/permute, which a lazy chunk may not share with a page's entry. */
function permuted(data: Float32Array, dims: Shape, axes: readonly number[]): Float32Array {
  const strides = dims.map((_, axis) => product(dims.slice(axis + 1)));
  const y = new Float32Array(data.length);
  const [sizes, steps] = [axes.map((axis) => dims[axis]!), axes.map((axis) => strides[axis]!)];
  const at = sizes.map(() => 0);
  for (let i = 0, from = 0; i < y.length; i++) {
    y[i] = data[from]!;
    for (let axis = at.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++at[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      at[axis] = 0;
    }
  }
  return y;
}

export class Exporter {
  readonly nodes: Pick<NodeProto, "input" | "output" | "name" | "opType" | "attribute">[] = [];
  readonly initializers = new Map<string, Draft<TensorProto>>();
  readonly opset: number;
  /** The layer that nodes are named after. */
  layer = "";
  readonly #known = new Map<Tensor, Known>();
  readonly #constants = new Map<Tensor, Constant>();
  /** What views are views of, and those that were made, by what they are. */
  readonly #bases = new Map<Tensor, Tensor>();
  readonly #reshaped = new Map<string, string>();
  readonly #inputs = new Map<Tensor, { name: string; isWhole: boolean }>();
  readonly #taken = new Set<string>();
  /** Initializers by what is in them. */
  readonly #made = new Map<string, string>();
  readonly #readers = new Map<Tensor, Node[]>();
  /** Nodes whose work an earlier one has done. */
  readonly #absorbed = new Set<Node>();
  #examples = "";

  /** `anyInput`: where the number of examples is to be had. */
  constructor(
    readonly source: Source,
    readonly anyInput: string,
  ) {
    this.opset = source.opset;
    for (const node of source.nodes)
      for (const t of node.inputs) if (t) this.#readers.set(t, [...(this.#readers.get(t) ?? []), node]);
  }

  // names

  /** `name`, or with a number behind it where it is taken. */
  unique(name: string): string {
    let free = name;
    for (let i = 2; this.#taken.has(free); i++) free = `${name}_${i}`;
    this.#taken.add(free);
    return free;
  }

  // nodes and initializers

  /** Appends a node of so many outputs and returns the name of its last one. An input "" is left out. */
  add(opType: string, input: string[], attributes: Record<string, OnnxAttribute> = {}, outputs = 1): string {
    const name = this.unique(`${this.layer}/${opType}`);
    const output = Array.from({ length: outputs }, (_, i) => (i === outputs - 1 ? name : ""));
    const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value));
    this.nodes.push({ input, output, name, opType, attribute });
    return name;
  }

  /** Appends an initializer; what is the same twice is one. `what`: its contents in short. */
  #initializer(name: string, what: string, make: () => Draft<TensorProto>): string {
    const known = this.#made.get(what);
    if (known) return known;
    const free = this.unique(name);
    this.initializers.set(free, make());
    this.#made.set(what, free);
    return free;
  }

  /** Numbers as an initializer. `form`: what was made of the numbers of that key. */
  weights({ name, key = name, data, dims }: Constant, form = ""): string {
    return this.#initializer(name, JSON.stringify([key, dims, form]), () => floats(data, dims));
  }

  /** A few numbers as an initializer. */
  reals(values: readonly number[], dims: Shape = [values.length]): string {
    const data = Float32Array.from(values);
    const what = `reals [${dims}] ${new Uint32Array(data.buffer)}`;
    return this.#initializer(`${this.layer}/constant`, what, () => floats(data, dims));
  }

  /** A number as an initializer. */
  real(value: number): string {
    return this.reals([value], []);
  }

  /** Whole numbers as an initializer, int64. */
  integers(values: readonly number[]): string {
    return this.#initializer(`${this.layer}/integers`, `integers ${values}`, () => {
      const bytes = new DataView(new ArrayBuffer(8 * values.length));
      values.forEach((v, i) => {
        bytes.setBigInt64(8 * i, BigInt(v), true);
      });
      return { dims: [values.length], dataType: INT64, rawData: new Uint8Array(bytes.buffer) };
    });
  }

  // tensors

  /** The shape of a tensor; −k stands for k times the number of examples. */
  dims(t: Tensor): Shape {
    return this.source.dims(t);
  }

  /** A shape as what a node reads it from: a list, or where it has a size that counts examples, computed. */
  shape(dims: Shape): string {
    if (dims.every((d) => d > 0)) return this.integers(dims);
    this.#examples ||= this.add("Shape", [this.anyInput], { start: 0, end: 1 });
    const parts = dims.map((d) => {
      if (d > 0) return this.integers([d]);
      return d === -1 ? this.#examples : this.add("Mul", [this.#examples, this.integers([-d])]);
    });
    return parts.length === 1 ? parts[0]! : this.add("Concat", parts, { axis: 0 });
  }

  /** Says which value is `t`; `first`: with its channels first. */
  set(t: Tensor, name: string, first = false): void {
    this.#known.set(t, { [first ? "first" : "last"]: name, madeFirst: first });
  }

  /** x as float32s, or as int64s cut towards 0. */
  cast(x: string, whole = false): string {
    return this.add("Cast", [x], { to: whole ? INT64 : FLOAT });
  }

  /** Says that `t` is an input of the graph, whose numbers come as that type. */
  setInput(t: Tensor, name: string, type: number): void {
    this.set(t, type === FLOAT ? name : this.cast(name));
    this.#inputs.set(t, { name, isWhole: type === INT32 || type === INT64 });
  }

  /** `t` as whole numbers in 0 … n − 1. Those of inputs are such, or `predict` would not take them; others are cut. */
  whole(t: Tensor, n: number): string {
    const input = this.#inputs.get(t);
    if (input?.isWhole) return input.name;
    const x = input?.name ?? this.add("Clip", [this.last(t), this.real(0), this.real(n - 1)]);
    return this.cast(x, true);
  }

  /** Says that `t` is numbers that are known. */
  setNumbers(t: Tensor, data: Float32Array): void {
    const name = `${this.layer}/constant`;
    this.#constants.set(t, { name, key: `${name} ${new Uint32Array(data.buffer)}`, data, dims: t.shape });
  }

  /** Says that `t` is `x`, under the same shape. */
  alias(t: Tensor, x: Tensor): void {
    const constant = this.constant(x);
    if (constant) this.#constants.set(t, constant);
    else this.#known.set(t, this.#of(x));
  }

  /** Says that `t` is `x` under another shape. */
  view(t: Tensor, x: Tensor): void {
    if (this.constant(t)) return;
    const base = this.#baseOf(x);
    if (isAlike(this.dims(base), this.dims(t))) this.alias(t, base);
    else this.set(t, this.reshaped(base, this.dims(t)));
    this.#bases.set(t, base);
  }

  #baseOf(t: Tensor): Tensor {
    return this.#bases.get(t) ?? t;
  }

  #of(t: Tensor): Known {
    const known = this.#known.get(t);
    if (known) return known;
    const constant = this.constant(t);
    if (!constant) throw new Error(`${t.name} is not known`);
    const made: Known = { last: this.weights(constant), madeFirst: false };
    this.#known.set(t, made);
    return made;
  }

  /** The numbers of `t` where they are known. */
  constant(t: Tensor): Constant | undefined {
    const known = this.#constants.get(t) ?? this.source.constant(t);
    if (known || t.node?.op.name !== "reshape") return known;
    const seen = this.constant(t.node.inputs[0]!);
    return seen && { ...seen, dims: t.shape };
  }

  /** Whether `t` was made with its channels first. */
  isFirst(t: Tensor): boolean {
    return this.#known.get(t)?.madeFirst ?? false;
  }

  /** The value that is `t`, as we have it. */
  last(t: Tensor): string {
    const known = this.#of(t);
    known.last ??= this.add("Transpose", [known.first!], { perm: toLast(t.shape.length) });
    return known.last;
  }

  /** The value that is `t` with its channels first. */
  first(t: Tensor): string {
    const axes = toFirst(t.shape.length);
    const known = this.#of(t);
    known.first ??= this.constant(t) ? this.transposed(t, axes) : this.add("Transpose", [known.last!], { perm: axes });
    return known.first;
  }

  /** `t` with its axes in another order: axis k is axis axes[k] of t. */
  transposed(t: Tensor, axes: readonly number[]): string {
    const constant = this.constant(t);
    if (constant) return this.#turned(constant, axes);
    const from = toFirst(t.shape.length);
    const first = this.isFirst(t);
    const perm = first ? axes.map((axis) => from.indexOf(axis)) : axes;
    const x = first ? this.first(t) : this.last(t);
    return isSame(perm) ? x : this.add("Transpose", [x], { perm });
  }

  /** `t` under a shape of which one size may be −k. */
  reshaped(t: Tensor, dims: Shape): string {
    const constant = this.constant(t);
    if (constant) return this.weights({ ...constant, dims });
    const base = this.#baseOf(t);
    const own = this.dims(base);
    if (isAlike(own, dims)) return this.last(base);
    const x = this.isFirst(base) && staysInOrder(own) ? this.first(base) : this.last(base);
    const key = `${x} [${dims}]`;
    const flat = dims.length === 2 && dims[0] === -1 && own[0] === -1;
    const known = this.#reshaped.get(key) ?? (flat ? this.add("Flatten", [x], { axis: 1 }) : this.reshape(x, dims));
    this.#reshaped.set(key, known);
    return known;
  }

  /** A value under another shape; one size may be −k. */
  reshape(x: string, dims: Shape): string {
    if (dims.filter((d) => d < 0).length > 1)
      throw this.source.refused(this.layer, "one axis that counts the examples", `[${dims.join(", ")}]`);
    return this.add("Reshape", [x, this.integers(dims.map((d) => Math.max(d, -1)))]);
  }

  /** Of x (…, c) of `rank` axes with its channels first what is (c) for each of them. */
  channels(t: Tensor, rank: number): string {
    return this.reshaped(t, [t.size, ...Array.from({ length: rank - 2 }, () => 1)]);
  }

  /** Numbers of each axis, for the order in which `first` says that they are. */
  order<T>(list: readonly T[], first: boolean): T[] {
    return first ? toFirst(list.length).map((axis) => list[axis]!) : [...list];
  }

  /** Where an axis is in that order. */
  axis(axis: number, rank: number, first: boolean): number {
    return first ? toFirst(rank).indexOf(axis) : axis;
  }

  /** Does the same to all inputs in one order of axes, that of those that were made with channels first if there are any. */
  alike(inputs: readonly Tensor[], y: Tensor, make: (names: string[], first: boolean) => string): void {
    const rank = y.shape.length;
    const first =
      inputs.some((x) => this.isFirst(x)) && inputs.every((x) => x.shape.length === rank || this.constant(x));
    const names = inputs.map((x) => (!first || x.size === 1 ? this.last(x) : this.#firstOf(x, rank)));
    this.set(y, make(names, first), first);
  }

  /** `t` with its channels first among `rank` axes; of numbers that are known there may be fewer. */
  #firstOf(t: Tensor, rank: number): string {
    const missing = rank - t.shape.length;
    if (!missing) return this.first(t);
    const { dims, ...constant } = this.constant(t)!;
    return this.#turned({ ...constant, dims: [...Array.from({ length: missing }, () => 1), ...dims] }, toFirst(rank));
  }

  /** Numbers with their axes in another order: data/permute, which a lazy chunk may not share with a page's entry. */
  #turned({ data, dims, ...constant }: Constant, axes: readonly number[]): string {
    const turned = { ...constant, data: permuted(data, dims, axes), dims: axes.map((axis) => dims[axis]!) };
    return this.weights(turned, `${dims} by ${axes}`);
  }

  // what readers do

  /** The only node that reads `t`, which nobody reads after the run. */
  #onlyReader(t: Tensor): Node | undefined {
    const readers = this.#readers.get(t) ?? [];
    return readers.length === 1 && !this.source.kept.has(t) ? readers[0] : undefined;
  }

  /**
   * The bias that is added to `y`, if nobody else reads y: who makes y then adds it. Max pooling may stand between, with which that
   * commutes to the bit. A list of one, or of none.
   */
  takeBias(y: Tensor): string[] {
    let reader = this.#onlyReader(y);
    while (reader?.op.name === "maxPool2d") reader = this.#onlyReader(reader.outputs[0]!);
    const bias = reader?.op.name === "biasAdd" ? this.constant(reader.inputs[1]!) : undefined;
    if (!bias) return [];
    this.#absorbed.add(reader!);
    return [this.weights(bias)];
  }

  /** Whether an earlier node has done this one's work. */
  isAbsorbed(node: Node): boolean {
    return this.#absorbed.has(node);
  }

  // the end

  /** Makes values outputs of the graph, by these names. */
  name(values: readonly string[], outputs: readonly string[]): void {
    const names = new Map<string, string>();
    const copies = values.map((value, i) => {
      const made = this.nodes.some(({ output }) => output.includes(value));
      if (made && !names.has(value)) names.set(value, outputs[i]!);
      return names.get(value) === outputs[i] ? undefined : { value, name: outputs[i]! };
    });
    for (const { input, output } of this.nodes)
      for (const list of [input, output]) list.splice(0, list.length, ...list.map((name) => names.get(name) ?? name));
    // an input, or what is another output already
    for (const copy of copies)
      if (copy) {
        this.add("Identity", [names.get(copy.value) ?? copy.value]);
        this.nodes.at(-1)!.output = [copy.name];
      }
  }

  /** Drops what none of these values needs. */
  prune(results: readonly string[]): void {
    const needed = new Set(results);
    const kept = this.nodes.splice(0).reverse();
    for (const node of kept) {
      if (!node.output.some((name) => name && needed.has(name))) continue;
      this.nodes.push(node);
      for (const name of node.input) needed.add(name);
    }
    this.nodes.reverse();
    for (const name of this.initializers.keys()) if (!needed.has(name)) this.initializers.delete(name);
  }
}

/** A tensor of float32s, little-endian. */
function floats(data: Float32Array, dims: Shape): Draft<TensorProto> {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dims, dataType: FLOAT, rawData };
}
