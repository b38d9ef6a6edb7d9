// What an ONNX graph becomes: calls of layers on symbolic tensors, and the parameters that they are to have. Nothing is built
// yet; what is not covered is collected.
//
// An ONNX graph has its images as [n, c, h, w], our layers have them as [n, h, w, c]. So a value is a symbolic tensor and the
// order in which it has the axes that ONNX names: `axes: [0, 2, 3, 1]`. Transpose only renames axes, and a permute layer
// stands where an order is needed that is not there: before the first convolution, and at an output.

import { DownhillError, show } from "../../../errors";
import type { Layer, Symbolic } from "../../../layers/layer";
import { upSampling2d } from "../../../layers/resizing";
import { permute, reshape } from "../../../layers/shape";
import { type Constant, productOf } from "./constants";
import type { Node, OnnxGraph } from "./graph";

/** A value of the graph that depends on its inputs. */
export interface Value {
  at: Symbolic;
  /** As ONNX has it; the batch's size, wherever it stands, is NaN. */
  shape: readonly number[];
  /** ONNX's axes in the order in which `at` has them, the batch first; any of size 1 may be left out. */
  axes: readonly number[];
  /** Of [n, c·h·w] whose numbers stand as [h, w, c]: these sizes, and the order in which they stand. */
  flattened?: { sizes: readonly number[]; order: readonly number[] } | undefined;
  /** So many rows of each example are counted with the batch: ONNX's [n·rows, …], of which `at` has [n, rows, …]. */
  rows?: number | undefined;
  /** Whole numbers. */
  whole: boolean;
  /** The same in other orders. */
  arranged?: Map<string, Symbolic>;
}

/** Why a node is not covered. */
export class NotCovered extends Error {}

/** A node whose inputs come from one that is not covered. */
class Unknown extends Error {}

/** A layer's parameters, by name. */
export type Parameters = Record<string, () => ArrayLike<number>>;

export const isWide = (size: number | undefined): boolean => size !== 1;

/** 0, 1, … */
export const inOrder = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);

/** The channels, ONNX's axis 1, last. */
export const channelsLast = (rank: number): number[] => [0, ...inOrder(rank).slice(2), 1];

export class Lowering {
  readonly values = new Map<string, Value | undefined>();
  readonly constants: Map<string, Constant>;
  readonly opset: number;
  readonly parameters = new Map<Layer, Parameters>();
  /** What is not covered: operators, nodes, and why. */
  readonly problems: { op: string; node: string; why: string }[] = [];
  /** Nodes that are part of what another one became. */
  readonly done = new Set<Node>();
  /** The batch's size in the file, where it has one. */
  batch: number | undefined;
  readonly #readers = new Map<string, Node[]>();
  readonly #outputs: ReadonlySet<string>;
  readonly #names = new Set<string>();
  /** Layers with a kernel by what they are and the tensors that they have: a module that is called twice is one layer. */
  readonly #shared = new Map<string, Layer>();

  constructor(graph: OnnxGraph) {
    this.constants = graph.constants;
    this.opset = graph.opset;
    this.#outputs = new Set(graph.outputs);
    for (const node of graph.nodes)
      for (const name of new Set(node.inputs)) {
        const list = this.#readers.get(name);
        if (list) list.push(node);
        else this.#readers.set(name, [node]);
      }
  }

  /** The node that alone reads what `name` names, if it is one of `op`. */
  onlyReader(name: string, op: string): Node | undefined {
    const readers = this.#readers.get(name) ?? [];
    return readers.length === 1 && !this.#outputs.has(name) && readers[0]!.op === op ? readers[0] : undefined;
  }

  /** An addition that the node under way takes in, as its bias. */
  #absorbed: Node | undefined;

  /** Lowers a node; what it throws for is kept. */
  lower(node: Node, operator: () => Value | readonly Value[] | undefined): void {
    if (this.done.has(node)) return;
    this.#absorbed = undefined;
    for (const name of node.outputs) this.values.set(name, undefined);
    try {
      const lowered = operator();
      if (!lowered) return; // it is constant
      const values = [lowered].flat() as Value[];
      const { outputs } = this.#absorbed ?? node;
      values.forEach((value, i) => {
        if (outputs[i]) this.values.set(outputs[i], value);
      });
      if (this.#absorbed) this.done.add(this.#absorbed);
      for (const name of node.outputs.slice(values.length))
        if (this.isRead(name)) throw new NotCovered(`its output ${show(name)} is read`);
    } catch (error) {
      if (error instanceof Unknown) return;
      if (!(error instanceof NotCovered) && !(error instanceof DownhillError)) throw error;
      for (const name of node.outputs) this.values.set(name, undefined);
      this.problems.push({ op: node.op, node: node.name, why: error.message });
    }
  }

  /** Input `i` of a node, which depends on the graph's inputs. `rows`: whether rows may be counted with the batch. */
  value(node: Node, i: number, rows = false): Value {
    const name = node.inputs[i];
    if (!name) throw new NotCovered(`no input ${i + 1}`);
    if (this.constants.has(name)) throw new NotCovered(`input ${i + 1}, ${show(name)}, is constant`);
    const value = this.values.get(name);
    if (!value) throw new Unknown();
    if (value.rows && !rows)
      throw new NotCovered(
        `input ${i + 1}, ${show(name)}, has ${value.rows} rows of each example in the batch's place`,
      );
    return value;
  }

  /** Input `i`, which is known; undefined where it is left out. */
  constant(node: Node, i: number): Constant | undefined {
    const name = node.inputs[i];
    if (!name) return undefined;
    const constant = this.constants.get(name);
    if (!constant) {
      if (!this.values.get(name)) throw new Unknown();
      throw new NotCovered(`input ${i + 1}, ${show(name)}, is not constant`);
    }
    return constant;
  }

  needConstant(node: Node, i: number): Constant {
    const constant = this.constant(node, i);
    if (!constant) throw new NotCovered(`no input ${i + 1}`);
    return constant;
  }

  /** The whole numbers of input `i`, a short list; undefined where it is left out. The batch's size is NaN. */
  integers(node: Node, i: number): number[] | undefined {
    const constant = this.constant(node, i);
    if (!constant) return undefined;
    if (constant.size > 64 || !constant.whole) throw new NotCovered(`input ${i + 1} is no list of whole numbers`);
    return Array.from(constant.read());
  }

  /**
   * The bias of a node: input `i`, one number a channel, or where it has none what is added to its output alone, which has
   * that rank and its channels along that axis.
   */
  biasOf(node: Node, i: number, channels: number, rank: number, axis: number, given = this.constant(node, i)) {
    let bias = given;
    let name = node.inputs[i] ?? "";
    if (bias && (bias.shape.length !== 1 || bias.size !== channels))
      throw new NotCovered(`its bias has shape [${bias.shape.join(", ")}], not [${channels}]`);
    const add = bias ? undefined : this.onlyReader(node.outputs[0]!, "Add");
    const other = add?.inputs.find((input) => input !== node.outputs[0]);
    const added = other === undefined ? undefined : this.constants.get(other);
    if (added && added.shape.length <= rank) {
      const sizes = new Array<number>(rank - added.shape.length).fill(1).concat(added.shape);
      if (sizes.every((size, a) => size === (a === axis ? channels : 1))) {
        this.#absorbed = add;
        bias = added;
        name = other!;
      }
    }
    const parameters: Parameters = bias ? { bias: () => bias.read() } : {};
    return { bias: parameters, useBias: !!bias, biasName: name };
  }

  /**
   * A name for the layer that has that tensor: `fc1` of `fc1.weight`, where no other has it.
   */
  nameOf(tensor: string): { name?: string } {
    const name = /^([^/]+)[./](?:weight|kernel|gamma|alpha|embeddings|weight_[a-z]+_l\d+)$/.exec(tensor)?.[1];
    if (!name || name.length > 200 || this.#names.has(name)) return {};
    this.#names.add(name);
    return { name };
  }

  /** Keeps a name from layers. */
  reserve(name: string): void {
    this.#names.add(name);
  }

  readonly #once = new Map<Layer, Symbolic>();

  /** What a layer gave, where it is called once for several nodes. */
  once(layer: Layer, call: () => Symbolic): Symbolic {
    const known = this.#once.get(layer) ?? call();
    this.#once.set(layer, known);
    return known;
  }

  /** Whether a node or the graph's outputs read what `name` names. */
  isRead(name: string | undefined): boolean {
    return !!name && (this.#readers.has(name) || this.#outputs.has(name));
  }

  /** The nodes that read what `name` names. */
  readersOf(name: string): readonly Node[] {
    return this.#readers.get(name) ?? [];
  }

  /** Gives a layer its parameters. */
  give(layer: Layer, parameters: Parameters): Layer {
    this.parameters.set(layer, parameters);
    return layer;
  }

  /** The layer that `make` makes, or the one that it made before of the same tensors in the same way. */
  share(key: readonly unknown[], make: () => Layer): Layer {
    const text = JSON.stringify(key);
    const layer = this.#shared.get(text) ?? make();
    this.#shared.set(text, layer);
    return layer;
  }

  /** The value with its axes in that order; axes of size 1 may be added and left out. */
  arrange(value: Value, axes: readonly number[]): Symbolic {
    if (value.flattened) return this.arrange(this.settle(value), axes);
    const key = axes.join();
    const known = value.arranged?.get(key);
    if (known) return known;
    if (axes[0] !== value.axes[0]) throw new NotCovered(`the batch is axis ${value.axes[0]}`);
    const { shape, rows } = value;
    const wide = (order: readonly number[]) => order.filter((axis) => isWide(shape[axis])).join();
    let { at, axes: from } = value;
    if (wide(axes) !== wide(from)) {
      const to = [...axes.filter((axis) => from.includes(axis)), ...from.filter((axis) => !axes.includes(axis))];
      const dims = to.slice(1).map((axis) => from.indexOf(axis));
      at = permute(rows ? [1, ...dims.map((k) => k + 1)] : dims)(at);
      from = to;
    }
    if (from.join() !== key) at = reshape([...(rows ? [rows] : []), ...axes.slice(1).map((axis) => shape[axis]!)])(at);
    value.arranged ??= new Map();
    value.arranged.set(key, at);
    return at;
  }

  /** A flattened value with its numbers in ONNX's order. */
  settle(value: Value): Value {
    const { flattened } = value;
    if (!flattened) return value;
    const { sizes, order } = flattened;
    const known = value.arranged?.get("");
    const image = () => reshape(order.map((k) => sizes[k]!))(value.at);
    const at = known ?? reshape([productOf(sizes)])(permute(sizes.map((_, k) => order.indexOf(k) + 1))(image()));
    value.arranged ??= new Map();
    value.arranged.set("", at);
    return { ...value, at, flattened: undefined, arranged: new Map() };
  }

  /** A value made of another one element by element. */
  like(value: Value, at: Symbolic, more: Partial<Value> = {}): Value {
    return { ...value, at, arranged: new Map(), ...more };
  }

  /** A value under another shape, whose axes stand in `at` in that order. */
  newValue(at: Symbolic, shape: readonly number[], axes: readonly number[], more: Partial<Value> = {}): Value {
    return { at, shape, axes, whole: false, ...more };
  }

  /** The value repeated along axes in which it has size 1, to that shape. */
  expand(value: Value, shape: readonly number[]): Value {
    const settled = this.settle(value);
    const along = inOrder(shape.length).filter((axis) => settled.shape[axis] === 1 && isWide(shape[axis]));
    if (!along.length) return settled;
    const batch = settled.axes[0]!;
    const others = inOrder(shape.length).filter((axis) => axis !== batch && !along.includes(axis));
    const sizes = others.map((axis) => settled.shape[axis]!);
    const rows = this.arrange(settled, [batch, ...others]);
    const times = productOf(along.map((axis) => shape[axis]!));
    const repeated = upSampling2d([1, times])(reshape([1, 1, productOf(sizes)])(rows));
    const at = reshape([...along.map((axis) => shape[axis]!), ...sizes])(repeated);
    return this.newValue(at, shape, [batch, ...along, ...others], { whole: value.whole });
  }
}
