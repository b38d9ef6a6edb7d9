// A model's structure: which layers are called in which order, what they are named, and where each parameter lies in
// the block.

import { constraintDefinition } from "../constraints/constraints";
import { argumentError, type DownhillError, wrong } from "../errors";
import { type Shape, sizeOf } from "../graph/graph";
import {
  type Call,
  inferShape,
  type Layer,
  type LayerDefinition,
  layerDefinition,
  type ParameterSpec,
  parametersOf,
  type Symbolic,
} from "../layers/layer";
import { isRecord } from "../options";
import type { Built } from "../registry";
import { roundUp } from "../runtime/memory";

/** Parameters begin on cache lines. */
const ALIGN_FLOATS = 16;

/**
 * How inputs or outputs are given: one, a list, or by name.
 * @inline
 */
export type Form = "one" | "list" | "record";

/** An input or output of a model. */
export interface Port {
  name: string;
  value: Symbolic;
}

/** A layer of a model. */
export class ModelLayer {
  /**
   * Whether training changes its parameters; counts from the next step. `false` freezes the layer, as for transfer learning and
   * fine-tuning (docs/fine-tuning.md): no update moves its parameters, and a batch normalization keeps its moving statistics.
   */
  trainable: boolean;
  /** @internal */ readonly calls: Call[] = [];
  /** @internal */ readonly entries: Entry[] = [];
  /** @internal */ readonly definition: LayerDefinition;

  /** @internal */
  constructor(
    /** Unique in the model. */
    readonly name: string,
    /** @internal */ readonly layer: Layer,
  ) {
    this.trainable = layer.config["trainable"] !== false;
    this.definition = layerDefinition(layer);
  }

  /** The factory's name. */
  get type(): string {
    return this.layer.config.type;
  }

  /** What the factory was given, defaults filled in. */
  get config(): Built {
    return this.layer.config;
  }
}

/** A parameter or statistic and its place in its block. */
export interface Entry {
  /** `layer/parameter`, as in getWeights. */
  key: string;
  shape: Shape;
  size: number;
  /** In floats, from the start of the block. */
  offset: number;
  spec: ParameterSpec;
  layer: ModelLayer;
}

export interface Structure {
  inputs: Port[];
  outputs: Port[];
  inputForm: Form;
  outputForm: Form;
  layers: ModelLayer[];
  /** In the order in which they are computed. */
  calls: { call: Call; layer: ModelLayer }[];
  /** Layer by layer; which of them are parameters, and which are statistics. */
  entries: Entry[];
  parameters: Entry[];
  statistics: Entry[];
  parameterFloats: number;
  statisticFloats: number;
}

/** How inputs or outputs were given, their values, and of a record its keys. */
export interface NamedPorts {
  form: Form;
  keys: string[];
  values: Symbolic[];
}

/** Symbolic inputs or outputs: one, a list, or by name. */
export type Ports = Symbolic | readonly Symbolic[] | Readonly<Record<string, Symbolic>>;

/**
 * One value for each port: `given` itself where it is `one`, else a list in their order or a record by their names.
 * `form`: which of the two it must be.
 */
export function splitPorts(who: string, ports: readonly Port[], given: unknown, one: boolean, form?: Form): unknown[] {
  if (one) return [given];
  const names = ports.map(({ name }) => name);
  if (form !== "record" && Array.isArray(given) && given.length === names.length) return [...given];
  if (form !== "list" && isRecordOf(names, given)) return names.map((name) => given[name]);
  throw argumentError(who, `a ${form ?? "list or record"} of one for each of ${names.join(", ")}`, given);
}

/** Whether it is a record without other keys than `names`. */
export const isRecordOf = (names: string[], given: unknown): given is Record<string, unknown> =>
  isRecord(given) && !ArrayBuffer.isView(given) && Object.keys(given).every((key) => names.includes(key));

/** Throws where one of `keys` is none of the entries'. */
export function checkKeys(who: string, expected: string, keys: readonly string[], entries: readonly Entry[]): void {
  const known = entries.map(({ key }) => key);
  for (const key of keys) if (!known.includes(key)) throw argumentError(who, `${expected} (${known.join(", ")})`, key);
}

/** Finds the layers between inputs and outputs, names them, and lays their parameters out. */
export function structureOf(inputs: NamedPorts, outputs: NamedPorts): Structure {
  const inCalls = collectCalls(outputs.values, inputs.values);
  const layers = nameLayers(inCalls, inputs.form === "record" ? [] : inputs.values.map((value) => value.inputName));
  const byLayer = new Map(layers.map((l) => [l.layer, l]));
  const calls = inCalls.map((call) => ({ call, layer: byLayer.get(call.layer)! }));
  for (const { call, layer } of calls) layer.calls.push(call);
  const structure: Structure = {
    inputs: namePorts("input", inputs, (value) => value.inputName, new Set(layers.map((l) => l.name))),
    outputs: namePorts("output", outputs, (value) => value.call && byLayer.get(value.call.layer)!.name),
    inputForm: inputs.form,
    outputForm: outputs.form,
    layers,
    calls,
    entries: [],
    parameters: [],
    statistics: [],
    parameterFloats: 0,
    statisticFloats: 0,
  };
  for (const layer of layers) layOut(structure, layer);
  return structure;
}

/** The calls that the outputs need, in the order in which they were made: inputs of a call come before it. */
function collectCalls(outputs: Symbolic[], sources: Symbolic[]): Call[] {
  const calls = new Set<Call>();
  const open = [...outputs]; // grows as it is walked
  for (const value of open) {
    if (sources.includes(value)) continue;
    if (!value.call)
      throw argumentError(
        "functional",
        "outputs that depend on the listed inputs only",
        `another input of shape [${value.shape}]`,
      );
    if (calls.has(value.call)) continue;
    calls.add(value.call);
    open.push(...value.call.inputs);
  }
  return [...calls].sort((a, b) => a.sequence - b.sequence);
}

/** `given`: names of inputs, which no layer may have. */
function nameLayers(calls: Call[], given: (string | undefined)[]): ModelLayer[] {
  const layers = [...new Set(calls.map((call) => call.layer))];
  const taken = new Set<string>();
  for (const own of [...given, ...layers.map(({ config }) => config["name"] as string | undefined)]) {
    if (!own) continue;
    if (taken.has(own)) throw nameTwice(own);
    taken.add(own);
  }
  const counts = new Map<string, number>();
  return layers.map((layer) => {
    const { name, type } = layer.config as { name?: string; type: string };
    if (name !== undefined) return new ModelLayer(name, layer);
    const number = freeNumber(type, (counts.get(type) ?? 0) + 1, taken);
    counts.set(type, number);
    return new ModelLayer(`${type}_${number}`, layer);
  });
}

/** The first number from `from` on that makes a name of `kind` which is not taken; takes it. */
function freeNumber(kind: string, from: number, taken: Set<string>): number {
  let number = from;
  while (taken.has(`${kind}_${number}`)) number++;
  taken.add(`${kind}_${number}`);
  return number;
}

/** The error of a name that two layers or inputs of a model have. */
export const nameTwice = (name: string): DownhillError => wrong("argument", name, "unique names", "it twice");

function namePorts(
  kind: string,
  { keys, values }: NamedPorts,
  natural: (value: Symbolic) => string | undefined,
  taken = new Set<string>(),
): Port[] {
  return values.map((value, i) => {
    const key = keys[i];
    let name = key || natural(value);
    if (!name || (!key && taken.has(name))) name = `${kind}_${freeNumber(kind, i + 1, taken)}`;
    taken.add(name);
    return { name, value };
  });
}

function layOut(structure: Structure, layer: ModelLayer): void {
  const { config, name, calls } = layer;
  const specs = parametersOf(config, calls[0]!.inputs, name);
  for (const { inputs } of calls.slice(1)) inferShape(config, inputs, name, specs);
  for (const [parameter, spec] of Object.entries(specs)) {
    const { shape, constraint } = spec;
    const key = `${name}/${parameter}`;
    if (constraint) constraintDefinition(constraint).fits?.(constraint, shape, key);
    const size = sizeOf(shape);
    const block = spec.statistic ? "statisticFloats" : "parameterFloats";
    const entry = { key, shape, size, offset: structure[block], spec, layer };
    structure[block] += roundUp(size, ALIGN_FLOATS);
    layer.entries.push(entry);
    structure.entries.push(entry);
    (spec.statistic ? structure.statistics : structure.parameters).push(entry);
  }
}
