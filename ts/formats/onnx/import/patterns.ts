// What exporters write as several nodes for one layer of ours: those nodes become one again.
//
//   GELU             x·½·(1 + erf(x/√2)), or with tanh(√(2/π)·(x + 0.044715·x³)); factors in any order
//   layer norm       d = x − mean(x); d/√(mean(d²) + ε)·γ + β
//   group norm       reshape to [n, groups, …], instance norm of γ 1 and β 0, reshape back, ·γ + β (as PyTorch writes it)

import { type AttributeProto, AttributeType } from "../messages";
import { type Constant, scalarOf } from "./constants";
import { constantIn } from "./folding";
import { Node, type OnnxGraph } from "./graph";

/** A graph and who makes what in it. */
interface Search {
  graph: OnnxGraph;
  makers: ReadonlyMap<string, Node>;
  opset: number;
}

const near = (a: number | undefined, b: number, tolerance = 1e-3) =>
  a !== undefined && Math.abs(a - b) <= tolerance * Math.abs(b);

/** The node of `op` that makes `name`. */
const maker = ({ makers }: Search, name: string | undefined, ...ops: string[]): Node | undefined => {
  const node = name ? makers.get(name) : undefined;
  return node && ops.includes(node.op) ? node : undefined;
};

const scalar = ({ graph }: Search, name: string | undefined) => scalarOf(graph.constants.get(name ?? ""));

/** The factors of what `name` names: its products' operands, numbers among them multiplied together. */
function factorsOf(search: Search, name: string): { names: string[]; number: number } {
  const names: string[] = [];
  let number = 1;
  const open = [name];
  for (const each of open) {
    const constant = scalar(search, each);
    const product = open.length < 8 ? maker(search, each, "Mul", "Div") : undefined;
    const divisor = product?.op === "Div" ? scalar(search, product.inputs[1]) : undefined;
    if (constant !== undefined) number *= constant;
    else if (product?.op === "Mul") open.push(...product.inputs);
    else if (divisor !== undefined) {
      number /= divisor;
      open.push(product!.inputs[0]!);
    } else names.push(each);
  }
  return { names, number };
}

/** What is added to a number in the node that makes `name`: 1 + f(x). */
function plus(search: Search, name: string, value: number): string | undefined {
  const sum = maker(search, name, "Add");
  const at = sum?.inputs.findIndex((input) => near(scalar(search, input), value)) ?? -1;
  return at < 0 ? undefined : sum!.inputs[1 - at];
}

const text = (name: string, value: string): [string, AttributeProto] => [
  name,
  { ...emptyAttribute, name, type: AttributeType.string, s: new TextEncoder().encode(value) },
];
const float = (name: string, f: number): [string, AttributeProto] => [
  name,
  { ...emptyAttribute, name, type: AttributeType.float, f },
];
const int = (name: string, i: number): [string, AttributeProto] => [
  name,
  { ...emptyAttribute, name, type: AttributeType.int, i },
];
const emptyAttribute: Pick<AttributeProto, "floats" | "ints" | "strings" | "graphs"> = {
  floats: [],
  ints: [],
  strings: [],
  graphs: [],
};

type Pattern = (search: Search, node: Node) => Node | undefined;

const gelu: Pattern = (search, node) => {
  if (node.op !== "Mul" && node.op !== "Div") return undefined;
  const { names, number } = factorsOf(search, node.outputs[0]!);
  if (names.length !== 2 || !near(number, 0.5)) return undefined;
  for (const [x, gate] of [names, [...names].reverse()] as [string, string][]) {
    const inner = plus(search, gate, 1);
    const erf = maker(search, inner, "Erf");
    const tanh = maker(search, inner, "Tanh");
    const of = factorsOf(search, (erf ?? tanh)?.inputs[0] ?? "");
    if (erf && of.names.join("\n") === x && near(of.number, Math.sqrt(0.5)))
      return new Node("Gelu", [x], node.outputs, node.name);
    if (tanh && near(of.number, Math.sqrt(2 / Math.PI)) && isCubic(search, of.names, x))
      return new Node("Gelu", [x], node.outputs, node.name, new Map([text("approximate", "tanh")]));
  }
  return undefined;
};

/** Whether the names are those of x + 0.044715·x³. */
function isCubic(search: Search, names: string[], x: string): boolean {
  const sum = maker(search, names[0], "Add");
  if (names.length !== 1 || !sum?.inputs.includes(x)) return false;
  const cube = factorsOf(search, sum.inputs.find((input) => input !== x) ?? "");
  const [power] = cube.names;
  const three = maker(search, power, "Pow");
  const isCube =
    cube.names.join("\n") === `${x}\n${x}\n${x}` ||
    (cube.names.length === 1 && three?.inputs[0] === x && scalar(search, three.inputs[1]) === 3);
  return isCube && near(cube.number, 0.044715);
}

/** The axes of a mean that keeps them. */
function meanAxes({ graph, opset }: Search, mean: Node): number[] | undefined {
  if (mean.int("keepdims", 1) !== 1) return undefined;
  const list = graph.constants.get(mean.inputs[1] ?? "");
  return opset < 18 ? mean.ints("axes") : list && Array.from(list.read()).slice(0, 8);
}

/** d/√(mean(d²) + ε): x, ε, and the first of the axes, which are the last ones. */
function normalized(search: Search, name: string): { x: string; epsilon: number; axes: number[] } | undefined {
  const quotient = maker(search, name, "Div");
  const root = maker(search, quotient?.inputs[1], "Sqrt");
  const sum = maker(search, root?.inputs[0], "Add");
  const at = sum?.inputs.findIndex((input) => scalar(search, input) !== undefined) ?? -1;
  if (at < 0) return undefined;
  const variance = maker(search, sum!.inputs[1 - at], "ReduceMean");
  const square = maker(search, variance?.inputs[0], "Pow", "Mul");
  const d = quotient!.inputs[0];
  const isSquare =
    square?.inputs[0] === d &&
    (square?.op === "Mul" ? square.inputs[1] === d : scalar(search, square?.inputs[1]) === 2);
  const difference = maker(search, d, "Sub");
  const mean = maker(search, difference?.inputs[1], "ReduceMean");
  const x = difference?.inputs[0];
  if (!isSquare || !mean || mean.inputs[0] !== x) return undefined;
  const axes = meanAxes(search, mean);
  if (!axes || axes.join() !== meanAxes(search, variance!)?.join()) return undefined;
  return { x: x!, epsilon: scalar(search, sum!.inputs[at])!, axes };
}

/** What `name` is with ·γ and + β of constants taken off. */
function scaledShifted({ graph, makers }: Search, node: Node): { of: string; gamma: string; beta: string } | undefined {
  if (node.op !== "Add") return undefined;
  const at = node.inputs.findIndex((input) => graph.constants.has(input));
  const product = at < 0 ? undefined : makers.get(node.inputs[1 - at]!);
  if (product?.op !== "Mul") return undefined;
  const by = product.inputs.findIndex((input) => graph.constants.has(input));
  return by < 0 ? undefined : { of: product.inputs[1 - by]!, gamma: product.inputs[by]!, beta: node.inputs[at]! };
}

const layerNorm: Pattern = (search, node) => {
  const parts = scaledShifted(search, node);
  const found = parts && normalized(search, parts.of);
  if (!found || !(found.epsilon > 0)) return undefined;
  const axes = [...found.axes].sort((a, b) => a - b);
  // the last axis, or the last ones as they are counted from the end
  const first = axes[0]!;
  if (first >= 0 || axes.some((axis, i) => axis !== first + i) || axes.at(-1) !== -1) return undefined;
  const attributes = new Map([float("epsilon", found.epsilon), int("axis", first)]);
  return new Node("LayerNormalization", [found.x, parts.gamma, parts.beta], node.outputs, node.name, attributes);
};

const isAll = (constant: Constant | undefined, value: number): boolean => {
  if (!constant || constant.size > 65536) return false;
  const numbers = constant.read();
  for (let i = 0; i < numbers.length; i++) if (numbers[i] !== value) return false;
  return true;
};

/** A constant [c] of one [c, 1, 1]. */
function flat({ graph }: Search, name: string): string {
  const constant = graph.constants.get(name)!;
  if (constant.shape.length === 1) return name;
  // no name of the file's own: those have no line break in them here
  const key = `${name}\nflat`;
  graph.constants.set(key, { ...constant, shape: [constant.size] });
  return key;
}

const groupNorm: Pattern = (search, node) => {
  const { graph } = search;
  const parts = scaledShifted(search, node);
  const back = maker(search, parts?.of, "Reshape");
  const norm = maker(search, back?.inputs[0], "InstanceNormalization");
  const split = maker(search, norm?.inputs[0], "Reshape");
  const to = graph.constants.get(split?.inputs[1] ?? "");
  if (!parts || !norm || !split || to?.size !== 3) return undefined;
  const [first, groups, rest] = Array.from(to.read()) as [number, number, number];
  const { gamma, beta } = parts;
  const [scale, offset] = [graph.constants.get(gamma)!, graph.constants.get(beta)!];
  const column = ({ shape, size }: Constant) => shape[0] === size && shape.length > 1;
  if (
    first !== 0 ||
    rest !== -1 ||
    !isAll(graph.constants.get(norm.inputs[1] ?? ""), 1) ||
    !isAll(graph.constants.get(norm.inputs[2] ?? ""), 0)
  )
    return undefined;
  if (!column(scale) || !column(offset) || scale.size !== offset.size || !(groups > 0)) return undefined;
  const attributes = new Map([float("epsilon", norm.float("epsilon", 1e-5)), int("num_groups", groups)]);
  return new Node(
    "GroupNormalization",
    [split.inputs[0]!, flat(search, gamma), flat(search, beta)],
    node.outputs,
    node.name,
    attributes,
  );
};

/**
 * The graph with its constant nodes among the constants and patterns as single nodes, and without what no output needs.
 */
export function simplify(graph: OnnxGraph): OnnxGraph {
  const { constants, opset, outputs } = graph;
  for (const node of graph.nodes) {
    const constant =
      node.op === "Constant"
        ? constantIn(node)
        : node.op === "Identity"
          ? constants.get(node.inputs[0] ?? "")
          : undefined;
    if (constant && node.outputs[0]) constants.set(node.outputs[0], constant);
  }
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const search: Search = { graph, makers, opset };
  const nodes = graph.nodes.map(
    (node) =>
      (node.outputs[0] ? (gelu(search, node) ?? groupNorm(search, node) ?? layerNorm(search, node)) : undefined) ??
      node,
  );
  const needed = new Set(outputs);
  for (const node of [...nodes].reverse())
    if (node.outputs.some((name) => needed.has(name))) for (const name of node.inputs) needed.add(name);
  return {
    ...graph,
    nodes: nodes.filter(
      (node) =>
        node.outputs.some((name) => name && needed.has(name)) && !(node.outputs[0] && constants.has(node.outputs[0])),
    ),
  };
}
