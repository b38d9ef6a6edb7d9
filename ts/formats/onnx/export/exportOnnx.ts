// A model as an ONNX file: the ops of its predictions, each in ONNX's words. Layers are not looked at, so those of a user's own are
// exported too. Who translates the ops, exportGraph.ts, is loaded when somebody exports.
//
// Our graphs are built for a number of examples. Two, for 2 and for 3, tell which sizes count them.

import { SourceType } from "../../../../assembly/isa";
import { version } from "../../../../package.json";
import { checkTarget, type SaveTarget, saveBytes } from "../../../data/files";
import { argumentError, type DownhillError, show, wrong } from "../../../errors";
import { prune } from "../../../graph/gradient";
import type { Node, Shape, Tensor } from "../../../graph/graph";
import {
  boolean,
  either,
  type Field,
  field,
  isRecord,
  listOf,
  oneOf,
  optional,
  or,
  readOptions,
  text,
} from "../../../options";
import { averagedWeights } from "../../../training/averagedWeights";
import { buildGraph } from "../../../training/construction";
import { Model } from "../../../training/model";
import { BARE } from "../../../training/program";
import type { ModelState } from "../../../training/state";
import type { Port } from "../../../training/structure";
import type { Weights } from "../../../training/weights";
import { writeModel } from "../messages";
import type { Source } from "./exporter";

/** What the numbers of an input come as. */
export type OnnxInputType = "float32" | "uint8" | "int32" | "int64";

/** Options of `exportOnnx`. */
export interface ExportOnnxOptions {
  /** Where the file goes, as in `saveModel`. */
  target?: SaveTarget;
  /** A softmax behind outputs that are logits, along the last axis: all of them, or those of these names. Default false. */
  softmax?: boolean | readonly string[];
  /** The version of ONNX's operators, 18 … 26. Default 20. */
  opset?: number;
  /** The graph's name. Default the model's. */
  name?: string;
  /**
   * What is fed: of all inputs, or by their names; they count as the numbers that they are. `"uint8"` takes the bytes of images
   * as they are, where the model begins with `rescaling`; `"int64"` is what many have numbers of words in. Default `"float32"`.
   */
  inputType?: OnnxInputType | Readonly<Record<string, OnnxInputType>>;
}

/** The format's version that came with a version of the operators. */
const IR_VERSIONS: Readonly<Record<number, number>> = {
  18: 8,
  19: 9,
  20: 9,
  21: 10,
  22: 10,
  23: 11,
  24: 12,
  25: 13,
  26: 13,
};

/** Protobuf's own limit is 2 GiB. */
const MOST_BYTES = 2 ** 31 - 2 ** 24;

const inputType = () => oneOf("float32", "uint8", "int32", "int64");

const schema = () => ({
  target: optional(field<SaveTarget>("anything", () => true)),
  softmax: or(either(boolean(), listOf(text()) as Field<readonly string[]>), false as boolean | readonly string[]),
  opset: or(
    field<number>("a whole number in 18 … 26", (v) => Object.keys(IR_VERSIONS).some((known) => +known === v)),
    20,
  ),
  name: optional(field<string>("a non-empty string", (v) => typeof v === "string" && v !== "")),
  inputType: or(
    field<OnnxInputType | Readonly<Record<string, OnnxInputType>>>(
      `${inputType().expected}, or a record of such by the inputs' names`,
      (v) => inputType().accepts(v) || (isRecord(v) && Object.values(v).every(inputType().accepts)),
    ),
    "float32",
  ),
});

/**
 * The model as an ONNX file: its graph as `predict` computes it, with moving statistics, without masks and noise, at the weights of
 * `averagedWeights`. Inputs and outputs have the model's names and shapes (images [batch, h, w, c]); their first axis, `batch`, is of any size.
 * Works while a `fit` is pending, and sees the last finished step; equal models give equal bytes. `model.metadata` goes into the file's.
 *
 * Layers of your own are exported by the ops that they are written in. Outputs are those of `predict` but for rounding: about 1e-6 of
 * the largest, where ONNX Runtime computes them.
 *
 * @returns a promise of the bytes: opset 20, IR version 9
 * @example await exportOnnx(model, { target: "digits.onnx", softmax: true })
 * @throws DownhillError `argument` for a bad option, and where a layer of your own needs the number of examples, or a part of them;
 * `data` where the path cannot be written, `state`, `memory` beyond 2 GiB
 */
export async function exportOnnx(model: Model, options?: ExportOnnxOptions): Promise<Uint8Array> {
  if (!(model instanceof Model)) throw argumentError("exportOnnx", "a model", model);
  const { target, opset, ...read } = readOptions("exportOnnx", options, schema());
  checkTarget("exportOnnx", target);
  const { state, metadata } = model;
  state.check();
  const ports = state.structure;
  const softmax = namesOf("softmax", ports.outputs, read.softmax);
  const types = typesOf(ports.inputs, read.inputType);
  const { source, results } = sourceOf(state, averagedWeights(model), opset);
  results.forEach((t, i) => {
    const { name } = ports.outputs[i]!;
    if (softmax.has(name)) checkLogits(name, t);
  });
  const notes = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const name = read.name ?? state.name;
  const { exportGraph } = await import("./exportGraph"); // the weights are copies
  const content = writeModel({
    irVersion: IR_VERSIONS[opset],
    producerName: "downhill",
    producerVersion: version,
    graph: exportGraph(
      name,
      source,
      ports.inputs.map(({ name, value }, i) => ({ name, shape: value.shape, type: types[i]! })),
      ports.outputs.map(({ name }, i) => ({ name, value: results[i]!, softmax: softmax.has(name) })),
    ),
    opsetImport: [{ domain: "", version: opset }],
    metadataProps: notes.map(([key, value]) => ({ key, value })),
  });
  return saveBytes("exportOnnx", content, target);
}

/** The ports that are meant; throws `argument` where one is unknown. */
function namesOf(option: string, ports: readonly Port[], given: boolean | readonly string[]): Set<string> {
  const known = ports.map(({ name }) => name);
  if (typeof given === "boolean") return new Set(given ? known : []);
  for (const name of given)
    if (!known.includes(name))
      throw argumentError(`exportOnnx: ${option}`, `names of ${known.map(show).join(", ")}`, name);
  return new Set(given);
}

function typesOf(
  inputs: readonly Port[],
  given: OnnxInputType | Readonly<Record<string, OnnxInputType>>,
): OnnxInputType[] {
  if (typeof given === "string") return inputs.map(() => given);
  namesOf("inputType", inputs, Object.keys(given));
  return inputs.map(({ name }) => (Object.hasOwn(given, name) ? given[name]! : "float32"));
}

/** Throws `argument` where a softmax of an output makes no sense. */
function checkLogits(name: string, { shape, node }: Tensor): void {
  const who = `exportOnnx: softmax of ${name}`;
  if (shape.at(-1) === 1) throw wrong("argument", who, "at least two logits", "one");
  if (node?.op.name === "softmax") throw wrong("argument", who, "logits", "what softmax() made");
}

/** What predictions are computed by, and what of the shapes is a number of examples. */
function sourceOf(state: ModelState, weights: Weights, opset: number): { source: Source; results: Tensor[] } {
  const bytes = Object.values(weights).reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > MOST_BYTES) throw wrong("memory", "exportOnnx", "weights of less than 2 GiB", `${bytes} bytes`);
  const inputs = state.structure.inputs.map(() => SourceType.raw32);
  const build = (rows: number): Built => {
    const { graph, results } = buildGraph(state, state.lane("prediction"), { ...BARE, kind: "predict", rows, inputs });
    prune(graph);
    return { graph, results: results as Tensor[] };
  };
  const [two, three] = [build(2), build(3)];
  const shapes = new Map<Tensor, Shape>();
  const [first, second] = [two, three].map(described) as [string[], string[]];
  three.graph.nodes.forEach((other, i) => {
    const node = two.graph.nodes[i];
    if (!node || first[i] !== second[i]) throw dependsOnBatch(other);
    // of other outputs, which backward passes read, sizes may be anything
    const [y] = node.outputs as [Tensor];
    shapes.set(y, dimsOf(node, y.shape, other.outputs[0]!.shape));
  });
  if (first.join() !== second.join()) throw dependsOnBatch(two.graph.nodes.at(-1)!);
  const source: Source = {
    nodes: two.graph.nodes,
    kept: two.graph.kept,
    dims: (t) => shapes.get(t) ?? t.shape,
    constant(t) {
      if (t.node) return undefined;
      const { data, shape } = weights[t.name]!;
      return { name: t.name, data, dims: shape };
    },
    opset,
    refused,
  };
  return { source, results: two.results };
}

interface Built {
  graph: { nodes: Node[]; kept: Set<Tensor> };
  results: Tensor[];
}

/** What of each node, and of the results, may not change with the number of examples. */
function described({ graph, results }: Built): string[] {
  const numbers = new Map(graph.nodes.map((node, i) => [node, i]));
  const idOf = (t: Tensor | null) => t && (t.node ? [numbers.get(t.node), t.node.outputs.indexOf(t)] : t.name);
  const nodes = graph.nodes.map(({ op, layer, inputs, attributes }) => {
    const { to, size, shape, ...rest } = attributes;
    return JSON.stringify([op.name, layer, inputs.map(idOf), rest]);
  });
  return [...nodes, JSON.stringify(results.map(idOf))];
}

/** Sizes for two examples and for three. */
const dimsOf = (node: Node, two: Shape, three: Shape): Shape =>
  two.map((d, axis) => {
    const each = three[axis]! - d;
    if (d !== 2 * each && each) throw dependsOnBatch(node);
    return each ? -each : d;
  });

/** The error of what ONNX has not. */
const refused = (layer: string, expected: string, got: string): DownhillError =>
  wrong("argument", `exportOnnx: ${layer}`, expected, got);

const dependsOnBatch = ({ layer, op }: Node): DownhillError =>
  refused(layer, "ops that are the same for any number of examples", show(op.name));
