// TF.js Layers models, and Keras models that TF.js's converter wrote, as models of downhill's.

import { argumentError, DownhillError, show } from "../../errors";
import type { Shape } from "../../graph/graph";
import { input, type Layer, type Symbolic } from "../../layers/layer";
import { isRecord, readOptions } from "../../options";
import { defaultRuntime } from "../../runtime/runtime";
import { functionalStructure } from "../../training/functional";
import { Model, type ModelOptions, modelOptions } from "../../training/model";
import { ModelState } from "../../training/state";
import type { Structure } from "../../training/structure";
import { putWeights } from "../../training/weights";
import { measureJson } from "../json";
import { fits, linksOf, type Part, spread } from "../weights/links";
import { cut, partNames, plainKerasName } from "../weights/match";
import { own, short } from "./reader";
import { floatsOf, readShards, type Shards, type StoredWeight } from "./shards";
import { type Member, type Origin, type Reading, type Ref, readTopology, type Topology } from "./topology";

/** How deep model.json may nest, and how many values it may have. */
const MAX_DEPTH = 64;
const MAX_MARKS = 2_000_000;
/** Layers, calls of them and what these are given, in the model and in models in it, counted at each call of these. */
const MAX_STEPS = 50_000;
/** Problems that an error lists. */
const MAX_PROBLEMS = 200;

/**
 * The model in a TF.js Layers file, written by TF.js or converted from Keras: it predicts as there, to within rounding, and may be
 * compiled and trained on. Weights that were quantized are read as the numbers they stand for. Regularizers, constraints,
 * initializers and `trainable` are taken over; what it was compiled with is not: `compile` it anew. Layers keep their names.
 *
 * Covered, of Sequential and Functional models and models in them: InputLayer Dense Activation ReLU LeakyReLU PReLU ELU Softmax
 * Conv1D Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose Max- and AveragePooling1D and 2D, Global… BatchNormalization
 * LayerNormalization Dropout SpatialDropout1D and 2D GaussianNoise GaussianDropout AlphaDropout Flatten Reshape Permute Rescaling
 * Embedding SimpleRNN LSTM GRU Bidirectional (`concat`) UpSampling2D ZeroPadding2D Add Subtract Multiply Average
 * Maximum Concatenate. Data are channels last.
 *
 * @param modelJson the content of model.json: an object, text or bytes
 * @param shards the weights' files: the bytes of one or of all behind each other, a list in the manifest's order, or a record by path
 * @returns the model, at once
 * @example const model = importTfjs(await readFile("model.json"), [await readFile("group1-shard1of1.bin")])
 * @throws DownhillError `format` where the file is damaged or something in it is not covered, which is named, layer by layer, before
 * anything is built; `argument`, `memory`
 */
export function importTfjs(
  modelJson: string | Uint8Array | ArrayBuffer | object,
  shards: Shards,
  options?: ModelOptions,
): Model {
  const { name, runtime = defaultRuntime() } = readOptions("importTfjs", options, modelOptions);
  const file = jsonFrom(modelJson);
  const { topology, keras3 } = modelIn(file);
  const reading: Reading = { problems: [], keras3, nameFor: uniqueNames() };
  const read = readTopology(own(topology, "class_name"), own(topology, "config"), reading);
  settle(reading.problems, "what downhill has");
  const weights = readShards(own(file, "weightsManifest"), shards);

  const { structure, origins, absent } = build(read, reading);
  const values = valuesOf(structure, origins, absent, weights, reading.problems);
  settle(reading.problems, "the weights of its layers");
  const state = new ModelState(name ?? (plainName(read.name) || "tfjs"), structure, runtime);
  putWeights(state, values);
  const model = new Model(() => state);
  void model.state; // from here on the model owns it
  return model;
}

/** Throws where there are problems. */
function settle(problems: readonly string[], expected: string): void {
  if (!problems.length) return;
  const listed = problems.slice(0, MAX_PROBLEMS).map((problem) => `\n  ${problem}`);
  const more = problems.length > MAX_PROBLEMS ? `\n  and ${problems.length - MAX_PROBLEMS} more` : "";
  throw new DownhillError("format", `importTfjs: expected ${expected}, got${listed.join("")}${more}`);
}

const damaged = (expected: string, got: unknown, cause?: unknown) =>
  new DownhillError("format", short(`importTfjs: expected ${expected}, got ${show(got)}`), { cause });

/** model.json as plain data, which nests and is as large as is bounded. */
function jsonFrom(given: unknown): unknown {
  let bytes: Uint8Array;
  if (typeof given === "string") bytes = new TextEncoder().encode(given);
  else if (given instanceof Uint8Array) bytes = given;
  else if (given instanceof ArrayBuffer) bytes = new Uint8Array(given);
  else if (isRecord(given) && !ArrayBuffer.isView(given) && !(given instanceof Promise))
    bytes = new TextEncoder().encode(textOf(given));
  else throw argumentError("importTfjs: modelJson", "the content of model.json as an object, text or bytes", given);
  const { depth, marks, colons } = measureJson(bytes);
  if (depth > MAX_DEPTH) throw damaged(`a model.json nested at most ${MAX_DEPTH} deep`, depth);
  if (marks + colons > MAX_MARKS) throw damaged(`a model.json of at most ${MAX_MARKS} values`, marks + colons);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged("the content of model.json, in JSON", (cause as Error).message, cause);
  }
}

/** An object as text: what has no end, or is no JSON, is found on the way. */
function textOf(given: object): string {
  try {
    return JSON.stringify(given) ?? "";
  } catch (cause) {
    throw damaged("a model.json in JSON", (cause as Error).message, cause);
  }
}

function modelIn(file: unknown): { topology: unknown; keras3: boolean } {
  const format: unknown = own(file, "format");
  if (format !== undefined && format !== "layers-model")
    throw damaged('a model.json of format "layers-model" (a graph-model has no layers any more)', format);
  const topology: unknown = own(file, "modelTopology");
  if (!isRecord(topology)) throw damaged("a model.json with a modelTopology", topology);
  const version: unknown = own(topology, "keras_version");
  const keras3 = typeof version === "string" && /^[3-9]/.test(version);
  return { topology: own(topology, "model_config") ?? topology, keras3 };
}

const plainName = (name: string): string => name.replaceAll("/", "_").slice(0, 200);

/** Gives each a name of its own without "/". */
function uniqueNames(): (name: string) => string {
  const taken = new Set<string>();
  return (given) => {
    const base = plainName(given);
    let name = base;
    for (let i = 1; taken.has(name); i++) name = `${base}_${taken.size + i}`;
    taken.add(name);
    return name;
  };
}

interface Built {
  structure: Structure;
  /** The file's layer behind each of ours. */
  origins: Map<Layer, Origin>;
  absent: Map<Layer, readonly string[]>;
}

/** A call that waits for others. */
interface Pending {
  member: Member;
  refs: Ref[];
  open: Set<string>;
  key: string;
}

/** Calls the layers as the file says. */
function build(topology: Topology, reading: Reading): Built {
  const origins: Built["origins"] = new Map();
  const absent: Built["absent"] = new Map();
  const made = new Map<Member, Layer[]>();
  const { problems } = reading;
  let steps = 0;

  const call = (member: Member, inputs: Symbolic[]): Symbolic[] => {
    if (member.topology) return run(member.topology, inputs);
    const { origin, plan } = member;
    let layers = made.get(member);
    if (!layers) {
      const before = problems.length;
      layers = plan!.make(inputs.map(({ shape }) => shape));
      if (problems.length > before) settle(problems, "what downhill has");
      made.set(member, layers);
      for (const layer of layers) {
        origins.set(layer, origin);
        absent.set(layer, plan!.absent);
      }
    }
    let value: Symbolic | Symbolic[] = inputs.length === 1 ? inputs[0]! : inputs;
    try {
      for (const layer of layers) value = layer(value);
    } catch (error) {
      if (error instanceof DownhillError) problems.push(short(`${origin.who}: ${error.message}`));
      else throw error;
      settle(problems, "what downhill has");
    }
    return [value].flat();
  };

  const run = ({ members, inputs, outputs, name }: Topology, given: Symbolic[]): Symbolic[] => {
    if (given.length !== inputs.length) throw damaged(`${inputs.length} inputs of ${show(name)}`, given.length);
    const values = new Map<string, Symbolic[]>();
    const at = ({ layer, node }: Ref) => `${node}/${layer}`;
    const find = (ref: Ref): Symbolic => {
      const value = values.get(at(ref))?.[ref.tensor];
      if (!value) throw damaged(`output ${ref.tensor} of call ${ref.node} of ${show(ref.layer)}`, "none");
      return value;
    };
    // calls, each when all that it is made on is there
    const waiting = new Map<string, Pending[]>();
    for (const [key, member] of members) {
      steps += 1 + member.calls.length + member.calls.flat().length;
      if (steps > MAX_STEPS) throw damaged(`at most ${MAX_STEPS} layers and calls`, steps);
      member.calls.forEach((refs, node) => {
        const open = new Set(refs.map(at));
        for (const dependency of open) {
          if (!waiting.has(dependency)) waiting.set(dependency, []);
          waiting.get(dependency)!.push({ member, refs, open, key: at({ layer: key, node, tensor: 0 }) });
        }
      });
    }
    const ready: string[] = [];
    const done = (key: string, value: Symbolic[]) => {
      values.set(key, value);
      ready.push(key);
    };
    for (const [i, ref] of inputs.entries()) done(at(ref), [given[i]!]);
    for (const key of ready)
      for (const pending of waiting.get(key) ?? []) {
        pending.open.delete(key);
        if (!pending.open.size) done(pending.key, call(pending.member, pending.refs.map(find)));
      }
    return outputs.map(find);
  };

  const inputs = topology.inputs.map(({ layer }) => {
    const { shape, origin } = topology.members.get(layer)!;
    return input(shape!, { name: reading.nameFor(origin.name) });
  });
  const outputs = run(topology, inputs);
  const one = <T>(list: T[]): T | T[] => (list.length === 1 ? list[0]! : list);
  return { structure: functionalStructure({ inputs: one(inputs), outputs: one(outputs) }), origins, absent };
}

/** The numbers of the structure's weights; what does not fit is a problem. */
function valuesOf(
  structure: Structure,
  origins: Built["origins"],
  absent: Built["absent"],
  weights: readonly StoredWeight[],
  problems: string[],
): Record<string, { data: Float32Array }> {
  const wanted = structure.layers
    .filter(({ entries }) => entries.length)
    .map((layer) => ({ layer, links: linksOf(layer, "keras") }));
  const { find, used } = finder(weights, partNames(wanted));
  const values: Record<string, { data: Float32Array }> = {};
  for (const { layer, links } of wanted) {
    const origin = origins.get(layer.layer)!;
    for (const link of links) {
      if (absent.get(layer.layer)!.includes(link.ours[0]!)) continue; // the layer begins with 1 and 0 itself
      const found = link.theirs.map((part) => {
        const weight = find(origin, part, problems);
        return weight && isRight(origin, weight, part, problems) ? weight : undefined;
      });
      if (found.some((weight) => !weight)) continue;
      const floats = found.map((weight) => floatsOf(weight!));
      floats.forEach((data, i) => {
        if (!data.every(Number.isFinite)) problems.push(short(`${origin.who}: ${show(found[i]!.name)} is not finite`));
      });
      const read = link.read(floats.map((data, i) => spread(link.theirs[i]!, data)));
      link.ours.forEach((key, i) => {
        values[`${layer.name}/${key}`] = { data: read[i]! };
      });
    }
  }
  for (const weight of weights)
    if (!used.has(weight) && !weight.apart && !/seed_generator/.test(weight.name))
      problems.push(short(`${show(weight.name)}: a weight of no layer`));
  return values;
}

function isRight({ who }: Origin, { name, dtype, shape }: StoredWeight, part: Part, problems: string[]): boolean {
  const { length } = problems;
  if (dtype !== "float32") problems.push(short(`${who}: ${show(name)} of dtype ${dtype}, not float32`));
  if (!fits(part, shape))
    problems.push(
      short(`${who}: ${show(name)} of shape [${shape.join(", ")}], not [${(part.shape as Shape).join(", ")}]`),
    );
  return problems.length === length;
}

/** Names of more tokens are nobody's. */
const MAX_TOKENS = 32;

/** Finds a layer's weights by name: `layer/part`, behind names of models or not. */
function finder(weights: readonly StoredWeight[], parts: ReadonlySet<string>) {
  const known = new Map<string, { module: string; weight: StoredWeight }[]>();
  for (const weight of weights) {
    if (weight.apart || weight.name.length > 1000) continue;
    const { module, part } = cut(plainKerasName(weight.name), parts);
    const tokens = module.split("/").slice(-MAX_TOKENS);
    for (let i = 0; i < tokens.length; i++) {
      const key = `${tokens.slice(i).join("/")}\n${part}`;
      if (!known.has(key)) known.set(key, []);
      known.get(key)!.push({ module, weight });
    }
  }
  const used = new Set<StoredWeight>();
  const find = ({ name, path, who }: Origin, { names }: Part, problems: string[]): StoredWeight | undefined => {
    const all = names.flatMap((part) => known.get(`${name}\n${part}`) ?? []);
    // the one whose name is all of the way to the layer, or the layer's alone, or ends like that
    const found = [[...path, name].join("/"), name].map((whole) => all.filter(({ module }) => module === whole));
    const [first, another] = [...found, all].find(({ length }) => length) ?? [];
    if (first && !another && !used.has(first.weight)) {
      used.add(first.weight);
      return first.weight;
    }
    problems.push(short(`${who}: ${first ? "more than one weight, or layer with it," : "no weight"} ${names[0]}`));
    return undefined;
  };
  return { find, used };
}
