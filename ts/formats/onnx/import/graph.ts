// The graph of an ONNX file: its nodes in an order in which each follows what it reads, checked.

import { show } from "../../../errors";
import { type AttributeProto, AttributeType, type GraphProto, type ModelProto, type ValueInfo } from "../messages";
import { type Constant, damaged, isNumeric, isWhole, readTensor } from "./constants";

/** A node. */
export class Node {
  constructor(
    readonly op: string,
    /** An input that is left out is "". */
    readonly inputs: readonly string[],
    readonly outputs: readonly string[],
    readonly name: string,
    readonly attributes: ReadonlyMap<string, AttributeProto> = new Map(),
  ) {}

  has(name: string): boolean {
    return this.attributes.has(name);
  }

  #of(name: string, type: keyof typeof AttributeType): AttributeProto | undefined {
    const attribute = this.attributes.get(name);
    if (attribute && attribute.type !== undefined && attribute.type !== AttributeType[type])
      throw damaged(`${this.op} ${show(this.name)}: ${name} of type ${type}`, `type ${attribute.type}`);
    return attribute;
  }

  int(name: string, fallback: number): number {
    const attribute = this.#of(name, "int");
    return attribute ? this.#whole(name, attribute.i ?? 0) : fallback;
  }

  ints(name: string): number[] | undefined {
    return this.#of(name, "ints")?.ints.map((i) => this.#whole(name, i));
  }

  float(name: string, fallback: number): number {
    const attribute = this.#of(name, "float");
    return attribute ? (attribute.f ?? 0) : fallback;
  }

  floats(name: string): number[] | undefined {
    return this.#of(name, "floats")?.floats;
  }

  text(name: string, fallback: string): string {
    const attribute = this.#of(name, "string");
    return attribute ? new TextDecoder().decode(attribute.s ?? new Uint8Array()) : fallback;
  }

  texts(name: string): string[] | undefined {
    return this.#of(name, "strings")?.strings.map((bytes) => new TextDecoder().decode(bytes));
  }

  tensor(name: string): Constant | undefined {
    const attribute = this.#of(name, "tensor");
    return attribute?.t && readTensor(attribute.t, `${this.op} ${show(this.name)}: ${name}`);
  }

  #whole(name: string, i: number): number {
    if (!Number.isSafeInteger(i)) throw damaged(`${this.op} ${show(this.name)}: ${name} within ±2^53`, `${i}`);
    return i;
  }
}

/** An input of the graph: its sizes, those that are not fixed by their names or "?"; undefined where the file does not say. */
export interface GraphInput {
  name: string;
  whole: boolean;
  shape: (number | string)[] | undefined;
}

export interface OnnxGraph {
  inputs: GraphInput[];
  outputs: string[];
  nodes: Node[];
  constants: Map<string, Constant>;
  opset: number;
}

const FIRST_OPSET = 7;
/** Of later ones nobody can know what they change. */
const LAST_OPSET = 26;
const MAX_RANK = 8;

/** @throws DownhillError `format` */
export function readGraph(model: ModelProto): OnnxGraph {
  const { graph, functions, opsetImport } = model;
  if (!graph) throw damaged("a model with a graph", "one without");
  if (functions.length)
    throw damaged("a graph of ONNX's own operators", `${functions.length} functions of the file's own`);
  if (graph.sparseInitializer.length)
    throw damaged("dense initializers", `${graph.sparseInitializer.length} sparse ones`);
  const own = opsetImport.filter(({ domain }) => isOwn(domain));
  const opset = own[0]?.version;
  if (own.length !== 1 || opset === undefined || !(opset >= FIRST_OPSET && opset <= LAST_OPSET && opset % 1 === 0))
    throw damaged(
      `one opset of ONNX's own, ${FIRST_OPSET} to ${LAST_OPSET}`,
      own.length === 1 ? `${opset}` : `${own.length}`,
    );

  const known = new Set<string>();
  const define = (name: string | undefined, what: string): string => {
    if (!name) throw damaged(`${what} to have a name`, "none");
    if (known.has(name)) throw damaged(`unique names`, `${show(name)} twice`);
    known.add(name);
    return name;
  };
  const constants = new Map<string, Constant>();
  for (const tensor of graph.initializer)
    constants.set(define(tensor.name, "each initializer"), readTensor(tensor, `initializer ${show(tensor.name)}`));
  // an initializer may stand among the inputs too: it has that value unless another is given
  const inputs = graph.input
    .filter(({ name }) => !constants.has(name ?? ""))
    .map((info): GraphInput => ({ ...readInput(info), name: define(info.name, "each input") }));
  const nodes = sort(readNodes(graph, define), new Set([...constants.keys(), ...inputs.map(({ name }) => name)]));
  const outputs = graph.output.map(({ name = "" }) => name);
  if (!outputs.length) throw damaged("at least one output", "none");
  for (const name of outputs) if (!known.has(name)) throw damaged("outputs that the graph has", show(name));
  if (new Set(outputs).size < outputs.length) throw damaged("outputs that differ", show(outputs));
  return { inputs, outputs, nodes, constants, opset };
}

const isOwn = (domain: string | undefined) => !domain || domain === "ai.onnx";

function readInput({ name, type }: ValueInfo): Omit<GraphInput, "name"> {
  const tensor = type?.tensorType;
  if (!tensor || !isNumeric(tensor.elemType))
    throw damaged(`input ${show(name)} to be a tensor of numbers`, tensor ? `type ${tensor.elemType}` : "another type");
  const shape = tensor.shape?.dim.map(({ dimValue, dimParam }) => dimValue ?? (dimParam || "?"));
  if (
    shape &&
    (shape.length > MAX_RANK ||
      shape.some((size) => typeof size === "number" && !(size >= 0 && Number.isSafeInteger(size))))
  )
    throw damaged(`input ${show(name)} to have at most ${MAX_RANK} sizes ≥ 0`, show(shape));
  return { whole: isWhole(tensor.elemType), shape };
}

function readNodes(graph: GraphProto, define: (name: string | undefined, what: string) => string): Node[] {
  return graph.node.map(({ opType = "", domain, name, input, output, attribute }) => {
    const op = isOwn(domain) ? opType : `${domain}.${opType}`;
    const label = name || output.find(Boolean) || "";
    const who = `${op} ${show(label)}`;
    if (!op) throw damaged("each node to have an operator", "none");
    for (const value of output) if (value) define(value, `${who}: each output`);
    const attributes = new Map<string, AttributeProto>();
    for (const each of attribute) {
      if (!each.name || attributes.has(each.name))
        throw damaged(`${who}: attributes with names of their own`, show(each.name));
      attributes.set(each.name, each);
    }
    return new Node(op, input, output, label, attributes);
  });
}

/** Whether each node follows those whose outputs it reads. */
function isSorted(nodes: Node[], known: ReadonlySet<string>): boolean {
  const seen = new Set(known).add("");
  return nodes.every(({ inputs, outputs }) => {
    const follows = inputs.every((name) => seen.has(name));
    for (const name of outputs) seen.add(name);
    return follows;
  });
}

/** The nodes so that each follows those whose outputs it reads (Kahn 1962); as they are where they do. */
function sort(nodes: Node[], known: ReadonlySet<string>): Node[] {
  if (isSorted(nodes, known)) return nodes;
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const waiting = new Map<Node, number>();
  const readers = new Map<Node, Node[]>();
  for (const node of nodes) {
    let count = 0;
    for (const name of node.inputs) {
      if (!name || known.has(name)) continue;
      const maker = makers.get(name);
      if (!maker) throw damaged(`${node.op} ${show(node.name)}: inputs that the graph has`, show(name));
      count++;
      const list = readers.get(maker);
      if (list) list.push(node);
      else readers.set(maker, [node]);
    }
    waiting.set(node, count);
  }
  const sorted = nodes.filter((node) => !waiting.get(node)); // grows as it is walked
  for (const node of sorted)
    for (const reader of readers.get(node) ?? []) {
      const left = waiting.get(reader)! - 1;
      waiting.set(reader, left);
      if (!left) sorted.push(reader);
    }
  const [caught] = nodes.filter((node) => waiting.get(node));
  if (caught) throw damaged("a graph without cycles", `one through ${caught.op} ${show(caught.name)}`);
  return sorted;
}
