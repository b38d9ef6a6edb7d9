// ONNX files in: a graph of ONNX's operators becomes a model of our layers, with their parameters.

import { argumentError, DownhillError, show } from "../../../errors";
import { activation } from "../../../layers/activation";
import { input, type Symbolic } from "../../../layers/layer";
import {
  type Field,
  isRecord,
  name as nameField,
  oneOf,
  optional,
  or,
  readOptions,
  shape as shapeField,
} from "../../../options";
import { Runtime } from "../../../runtime/runtime";
import { functional } from "../../../training/functional";
import type { Model } from "../../../training/model";
import { readModel } from "../messages";
import { damaged } from "./constants";
import { elementwise } from "./elementwise";
import { Folding } from "./folding";
import { type Node, type OnnxGraph, readGraph } from "./graph";
import {
  batchNormalization,
  dropoutOperator,
  gemm,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  matmul,
} from "./layers";
import { inOrder, Lowering, NotCovered, type Value } from "./lowering";
import { simplify } from "./patterns";
import { recurrent } from "./recurrent";
import {
  cast,
  concat,
  expandTo,
  flatten,
  gatherOperator,
  identity,
  reduce,
  reshapeTo,
  sliceOperator,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from "./shapes";
import {
  averagePool,
  conv,
  convTranspose,
  globalAveragePool,
  globalMaxPool,
  maxPool,
  pad,
  resize,
  upsample,
} from "./windows";

/** Options of `importOnnx`. */
export interface ImportOnnxOptions {
  /** The model's name. Default: the graph's, or `"onnx"`. */
  name?: string;
  /** Default: the runtime in force. */
  runtime?: Runtime;
  /**
   * `"file"` (default): inputs and outputs have the file's own shapes, of images mostly [n, c, h, w]. `"nhwc"`: inputs and outputs of four
   * axes, which the file has as [n, c, h, w], are [n, h, w, c] as elsewhere here.
   */
  layout?: "file" | "nhwc";
  /** Shapes of examples, without the batch and as the file orders its axes, of inputs that the file leaves open: by their names. */
  inputShapes?: Readonly<Record<string, readonly number[]>>;
}

type Operator = (lowering: Lowering, node: Node) => Value | readonly Value[];

const operators = (): Record<string, Operator> => ({
  ...elementwise(),
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Cast: cast,
  Concat: concat,
  Conv: conv,
  ConvTranspose: convTranspose,
  Dropout: dropoutOperator,
  Expand: expandTo,
  Flatten: flatten,
  Gather: gatherOperator,
  Gemm: gemm,
  GRU: recurrent,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  GroupNormalization: groupNormalization,
  Identity: identity,
  InstanceNormalization: instanceNormalization,
  LSTM: recurrent,
  LayerNormalization: layerNormalization,
  MatMul: matmul,
  MaxPool: maxPool,
  Pad: pad,
  RNN: recurrent,
  ReduceMax: reduce("max"),
  ReduceMean: reduce("mean"),
  ReduceSum: reduce("sum"),
  Reshape: reshapeTo,
  Resize: resize,
  Slice: sliceOperator,
  Split: split,
  Squeeze: squeeze,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Upsample: upsample,
});

/** Nodes that outputs need, at most: random numbers of a model's calls are told apart up to 2^16. */
const MAX_NODES = 2 ** 13;
/** Problems that an error lists, and nodes of each. */
const MOST_PROBLEMS = 200;
const MOST_NODES = 20;
/** Inputs and outputs that a model has room for. */
const MAX_INPUTS = 16;
const MAX_OUTPUTS = 8;

/**
 * The model in an ONNX file: it predicts what ONNX runtimes compute, and can be compiled and trained on, for feed-forward graphs
 * of operators that our layers cover (docs/onnx.md lists them), opsets 7 to 26. Convolutions become `conv2d`, Gemm and MatMul
 * `dense`, and so on; what PyTorch called `fc1.weight` is `fc1/kernel`. The batch is the first axis of each input.
 *
 * @param bytes the file's content
 * @example
 * const model = importOnnx(await readFile("mobilenet.onnx"));
 * const { data } = model.predict({ data: pixels, shape: [1, 3, 224, 224] });
 * @throws DownhillError `format` where the file is damaged, or has what is not covered: all of it is named, before anything is
 * built; `argument`, `memory`
 */
export function importOnnx(bytes: Uint8Array | ArrayBuffer, options?: ImportOnnxOptions): Model {
  const read = readOptions("importOnnx", options, {
    name: optional(nameField()),
    runtime: optional({ expected: "what init() resolved to", accepts: (v) => v instanceof Runtime } as Field<Runtime>),
    layout: or(oneOf("file", "nhwc"), "file"),
    inputShapes: or<Readonly<Record<string, readonly number[]>>>(
      {
        expected: "a record of shapes by inputs' names",
        accepts: (v) => isRecord(v) && Object.values(v).every(shapeField().accepts),
      },
      () => ({}),
    ),
  });
  if (!(bytes instanceof Uint8Array || bytes instanceof ArrayBuffer))
    throw argumentError("importOnnx", "bytes of an ONNX file", bytes);
  const file = readModel(new Uint8Array(bytes)); // a copy, which nobody else changes
  const graph = simplify(readGraph(file));
  const lowering = new Lowering(graph);
  const images = read.layout === "nhwc";
  const inputs = inputsOf(graph, read.inputShapes).map(({ name, whole, shape }, i): Port => {
    const axes = images && shape.length === 3 ? [0, 2, 3, 1] : inOrder(shape.length + 1);
    const own = portName(name, `input_${i + 1}`);
    lowering.reserve(own);
    const sizes = axes.slice(1).map((axis) => shape[axis - 1]!);
    const at = input(sizes, { name: own });
    lowering.values.set(name, { at, shape: [Number.NaN, ...shape], axes, whole });
    return { name: own, at };
  });
  lowerAll(lowering, graph);
  const outputs = outputsOf(lowering, graph, images);
  if (lowering.problems.length) findAttention(lowering, graph);
  refuse(lowering);
  const modelOptions = {
    name: read.name ?? portName(file.graph?.name, "onnx"),
    ...(read.runtime && { runtime: read.runtime }),
  };
  const model = functional({ inputs: formOf(inputs), outputs: formOf(outputs) }, modelOptions);
  putParameters(model, lowering.parameters);
  return model;
}

/** An input or output of the model. */
interface Port {
  name: string;
  at: Symbolic;
}

/** One as it is, several by name. */
const formOf = (ports: readonly Port[]) =>
  ports.length === 1
    ? ports[0]!.at
    : Object.fromEntries(ports.map(({ name, at }, i) => [isTaken(ports, i) ? `${name}_${i + 1}` : name, at]));

const isTaken = (ports: readonly Port[], i: number) => ports.findIndex(({ name }) => name === ports[i]!.name) < i;

/** A name as a model may have it. */
function portName(name: string | undefined, fallback: string): string {
  const own = (name ?? "").replaceAll("/", ".").slice(0, 200);
  return own || fallback;
}

/** The graph's inputs with the sizes of an example. */
function inputsOf(graph: OnnxGraph, given: Readonly<Record<string, readonly number[]>>) {
  const { inputs, outputs } = graph;
  if (!inputs.length || inputs.length > MAX_INPUTS) throw damaged(`1 to ${MAX_INPUTS} inputs`, `${inputs.length}`);
  if (outputs.length > MAX_OUTPUTS) throw damaged(`at most ${MAX_OUTPUTS} outputs`, `${outputs.length}`);
  for (const name of Object.keys(given))
    if (!inputs.some((each) => each.name === name))
      throw argumentError(
        "importOnnx: inputShapes",
        `names of inputs (${inputs.map((each) => each.name).join(", ")})`,
        name,
      );
  const open: string[] = [];
  const fixed = inputs.map(({ name, whole, shape }) => {
    const own = Object.hasOwn(given, name) ? given[name]! : undefined;
    const [, ...sizes] = shape ?? [0, ...(own ?? ["?"])];
    if (shape?.length === 0) throw damaged(`input ${show(name)} to have a batch's axis`, "no axes");
    const fits = own?.length === sizes.length && sizes.every((size, i) => typeof size === "string" || size === own[i]);
    if (own && !fits)
      throw argumentError(`importOnnx: inputShapes: ${name}`, `sizes that fit ${sizesText(sizes)}`, own);
    const found = own ?? sizes;
    if (found.some((size) => typeof size === "string" || size < 1))
      open.push(`${show(name)} of shape ${sizesText([shape?.[0] ?? "?", ...sizes])}`);
    return { name, whole, shape: found as number[] };
  });
  if (open.length)
    throw damaged(
      "sizes that are fixed, beside the batch",
      `input${open.length > 1 ? "s" : ""} ${open.join(", ")}; give the sizes of an example in the option inputShapes`,
    );
  return fixed;
}

const sizesText = (sizes: readonly (number | string)[]) => `[${sizes.join(", ")}]`;

function lowerAll(lowering: Lowering, graph: OnnxGraph): void {
  if (graph.nodes.length > MAX_NODES) throw damaged(`a graph of at most ${MAX_NODES} nodes`, `${graph.nodes.length}`);
  const [first] = graph.inputs;
  const size = first!.shape?.[0];
  const known = operators();
  const folding = new Folding(lowering);
  if (typeof size === "number" && size > 0) lowering.batch = size;
  for (const node of graph.nodes)
    lowering.lower(node, () =>
      folding.fold(node) ? undefined : Object.hasOwn(known, node.op) ? known[node.op]!(lowering, node) : noOperator(),
    );
}

function noOperator(): never {
  throw new NotCovered("");
}

function outputsOf(lowering: Lowering, graph: OnnxGraph, images: boolean): Port[] {
  return graph.outputs.flatMap((name, i): Port[] => {
    const own = portName(name, `output_${i + 1}`);
    const value = lowering.values.get(name);
    try {
      if (lowering.constants.has(name)) throw new NotCovered("it is constant");
      if (!value && lowering.problems.length) return []; // it comes from what is not covered
      if (!value) throw new NotCovered("it depends on no input");
      if (value.rows) throw new NotCovered(`it has ${value.rows} rows of each example`);
      const { length } = value.shape;
      const at = lowering.arrange(value, images && length === 4 ? [0, 2, 3, 1] : inOrder(length));
      return [{ name: own, at: at.call ? at : activation("linear")(at) }];
    } catch (error) {
      if (!(error instanceof NotCovered)) throw error;
      lowering.problems.push({ op: "output", node: name, why: error.message });
      return [];
    }
  });
}

/** Adds products of two computed values to the problems: what is before them may not be covered, and then nobody came to them. */
function findAttention({ problems, constants }: Lowering, { inputs, nodes }: OnnxGraph): void {
  const computed = new Set(inputs.map(({ name }) => name));
  const told = new Set(problems.map(({ node }) => node));
  for (const { op, name, inputs, outputs } of nodes) {
    if (op === "Shape" || op === "Size" || !inputs.some((input) => computed.has(input))) continue;
    for (const output of outputs) if (output && !constants.has(output)) computed.add(output);
    if (op === "MatMul" && inputs.every((input) => computed.has(input)) && !told.has(name))
      problems.push({ op, node: name, why: "of two computed values, as in attention" });
  }
}

/** Throws where there is what is not covered: all of it, by operators and reasons. */
function refuse({ problems }: Lowering): void {
  if (!problems.length) return;
  const kinds = new Map<string, string[]>();
  for (const { op, node, why } of problems) {
    const key = `${op.slice(0, 100)}\n${why.slice(0, 1000)}`;
    const list = kinds.get(key) ?? [];
    list.push(show(node));
    kinds.set(key, list);
  }
  const listed = (items: readonly string[], most: number, separator: string) =>
    items.slice(0, most).join(separator) + (items.length > most ? ` and ${items.length - most} more` : "");
  const texts = [...kinds].map(([key, nodes]) => {
    const [op, why] = key.split("\n");
    return `${op} ${listed(nodes, MOST_NODES, ", ")}${why ? ` (${why})` : ""}`;
  });
  throw new DownhillError("format", `importOnnx: what layers do not cover: ${listed(texts, MOST_PROBLEMS, "; ")}`);
}

/** Puts the file's numbers into the model's memory. */
function putParameters(model: Model, parameters: Lowering["parameters"]): void {
  try {
    const { state } = model;
    const { structure, runtime } = state;
    for (const { key, layer, size, offset, spec } of structure.entries) {
      const read = parameters.get(layer.layer)?.[key.slice(layer.name.length + 1)];
      const numbers = read?.();
      if (numbers?.length !== size) throw damaged(`${size} numbers for ${show(key)}`, `${numbers?.length}`);
      const floats = Float32Array.from(numbers);
      if (!floats.every(Number.isFinite)) throw damaged(`finite numbers for ${show(key)}`, "others");
      runtime.heap.f32.set(floats, (spec.statistic ? state.statistics : state.parameters) / 4 + offset);
    }
    state.beginMean();
  } catch (error) {
    model.dispose();
    throw error;
  }
}
