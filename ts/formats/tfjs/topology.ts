// A model of Keras or TF.js as its JSON has it: layers, and which is called on what.
//
//   Sequential           { name, layers: [{ class_name, config }, …] }, or the list alone
//   Functional, Model    { name, layers: [{ name, class_name, config, inbound_nodes }, …], input_layers, output_layers }
//
// Each node is a call: a list of [layer, node, tensor, kwargs], or of Keras 3 { args, kwargs } with tensors that have a
// `keras_history` [layer, node, tensor]. Layers may be models.

import { DownhillError, show } from "../../errors";
import type { Shape } from "../../graph/graph";
import { isRecord } from "../../options";
import { type Plan, translate } from "./layers";
import { own, Reader, short } from "./reader";

/** What one call of a layer gave. */
export interface Ref {
  layer: string;
  node: number;
  tensor: number;
}

/** A layer of the file, or the models that it belongs to with it. */
export interface Origin {
  /** As the file calls it, and the models that it is in, from the outside. */
  name: string;
  path: readonly string[];
  who: string;
}

export interface Member {
  kind: "input" | "layer" | "model";
  calls: Ref[][];
  origin: Origin;
  /** Of an input. */
  shape?: Shape | undefined;
  plan?: Plan | undefined;
  topology?: Topology | undefined;
}

export interface Topology {
  name: string;
  members: Map<string, Member>;
  inputs: Ref[];
  outputs: Ref[];
}

/** What reading a model needs to know and finds out. */
export interface Reading {
  problems: string[];
  keras3: boolean;
  /** Makes a name of a layer or input ours, and unique. */
  nameFor(name: string): string;
}

const MODELS = ["Sequential", "Functional", "Model"];
/** Layers of all models together: the state of random numbers counts so many calls. */
const MAX_LAYERS = 10_000;

const damaged = (who: string, expected: string, got: unknown) =>
  new DownhillError("format", short(`importTfjs: ${who}: expected ${expected}, got ${show(got)}`));

/** @throws DownhillError `format` where it is no model; what is not covered is a problem */
export function readTopology(
  className: unknown,
  config: unknown,
  reading: Reading,
  path: readonly string[] = [],
): Topology {
  const who = path.join(" / ") || "model";
  if (typeof className !== "string" || !MODELS.includes(className))
    throw damaged(who, `a class_name of ${MODELS.join(", ")}`, className);
  const sequential = className === "Sequential";
  const given: unknown = Array.isArray(config) ? config : own(config, "layers");
  if (!Array.isArray(given) || !given.length) throw damaged(who, "layers, a list", given);
  if (given.length > MAX_LAYERS) throw damaged(who, `at most ${MAX_LAYERS} layers`, given.length);
  const name: unknown = own(config, "name");
  const topology: Topology = {
    name: typeof name === "string" ? name : "",
    members: new Map(),
    inputs: [],
    outputs: [],
  };
  if (sequential && own(given[0], "class_name") !== "InputLayer") {
    const shape = shapeOf(own(given[0], "config")) ?? shapeIn(own(config, "build_input_shape"));
    const inner = shape ?? innerShape(own(given[0], "class_name"), own(given[0], "config"));
    if (!inner) throw damaged(who, "a first layer with the shape of its inputs", shapeField(own(given[0], "config")));
    const input = "\0input";
    topology.members.set(input, { kind: "input", calls: [[]], origin: { name: "input", path, who }, shape: inner });
  }
  for (const item of given as unknown[]) {
    const { key, member } = readMember(who, item, sequential, reading, path);
    if (topology.members.has(key)) throw damaged(who, "layers of different names", key);
    topology.members.set(key, member);
  }
  if (sequential) chain(topology);
  else {
    topology.inputs = readEnds(who, "input_layers", own(config, "input_layers"));
    topology.outputs = readEnds(who, "output_layers", own(config, "output_layers"));
    for (const { layer } of topology.inputs)
      if (topology.members.get(layer)?.kind !== "input") throw damaged(who, "input_layers that are InputLayers", layer);
  }
  countFromFirst(topology);
  return topology;
}

/**
 * A model that is a layer has a node of its own in Keras 2 and TF.js, from when it was made, which is left out of the file but
 * counted: its first call is node 1.
 */
function countFromFirst({ members, outputs }: Topology): void {
  const refs = [...outputs, ...[...members.values()].flatMap(({ calls }) => calls.flat())];
  const counted = new Set(refs.filter(({ node }) => node === 0).map(({ layer }) => layer));
  for (const ref of refs) if (members.get(ref.layer)?.kind === "model" && !counted.has(ref.layer)) ref.node--;
}

/** One call each, of the layer before. */
function chain({ members, inputs, outputs }: Topology): void {
  let last: string | undefined;
  for (const [name, member] of members) {
    member.calls = [last === undefined ? [] : [{ layer: last, node: 0, tensor: 0 }]];
    if (last === undefined) inputs.push({ layer: name, node: 0, tensor: 0 });
    last = name;
  }
  outputs.push({ layer: last!, node: 0, tensor: 0 });
}

function readMember(
  who: string,
  item: unknown,
  sequential: boolean,
  reading: Reading,
  path: readonly string[],
): { key: string; member: Member } {
  const className: unknown = own(item, "class_name");
  const config: unknown = own(item, "config");
  if (typeof className !== "string") throw damaged(who, "a layer's class_name", className);
  const isModel = MODELS.includes(className);
  if (!isRecord(config) && !(isModel && Array.isArray(config)))
    throw damaged(who, `the config of ${className}`, config);
  const key: unknown = own(item, "name") ?? own(config, "name");
  if (typeof key !== "string" || key === "") throw damaged(who, `the name of a ${className}`, key);
  const calls = sequential ? [] : readCalls(`${who}: ${key}`, own(item, "inbound_nodes"), reading.problems);
  const origin: Origin = { name: key, path, who: short(`${[...path, key].join(" / ")} (${className})`) };
  if (className === "InputLayer") {
    const shape = shapeOf(config);
    if (!shape) throw damaged(origin.who, "sizes for all axes but the batch", shapeField(config));
    return { key, member: { kind: "input", calls: [[]], origin, shape } };
  }
  if (isModel) {
    const topology = readTopology(className, config, reading, [...path, key]);
    return { key, member: { kind: "model", calls, origin, topology } };
  }
  const reader = new Reader(
    className,
    config as Record<string, unknown>,
    reading.nameFor(key),
    reading.problems,
    reading.keras3,
  );
  return { key, member: { kind: "layer", calls, origin, plan: translate(reader) } };
}

/** A layer's input shape, as either of them writes it: [batch, …]. */
const shapeField = (config: unknown): unknown => own(config, "batch_input_shape") ?? own(config, "batch_shape");
const shapeOf = (config: unknown): Shape | undefined => shapeIn(shapeField(config));
const shapeIn = (shape: unknown): Shape | undefined =>
  Array.isArray(shape) && shape.length > 1 && shape.slice(1).every((d) => Number.isSafeInteger(d) && d > 0)
    ? (shape.slice(1) as number[])
    : undefined;

/** Of a model that is the first layer of another. */
function innerShape(className: unknown, config: unknown): Shape | undefined {
  let [kind, inner] = [className, config];
  while (MODELS.includes(kind as string)) {
    const layers: unknown = Array.isArray(inner) ? inner : own(inner, "layers");
    const first: unknown = Array.isArray(layers) ? layers[0] : undefined;
    const shape = shapeOf(own(first, "config"));
    if (shape) return shape;
    [kind, inner] = [own(first, "class_name"), own(first, "config")];
  }
  return undefined;
}

const isIndex = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;

function refFrom(given: unknown): Ref | undefined {
  if (!Array.isArray(given)) return undefined;
  const [layer, node, tensor] = given as unknown[];
  return typeof layer === "string" && isIndex(node) && isIndex(tensor) ? { layer, node, tensor } : undefined;
}

/** One or a list of [layer, node, tensor]. */
function readEnds(who: string, what: string, given: unknown): Ref[] {
  const list = Array.isArray(given) && typeof given[0] === "string" ? [given] : given;
  const refs = Array.isArray(list) ? list.map(refFrom) : [];
  if (!refs.length || !refs.every((ref) => ref)) throw damaged(who, `${what}, a list of [layer, node, tensor]`, given);
  return refs as Ref[];
}

function readCalls(who: string, nodes: unknown, problems: string[]): Ref[][] {
  if (!Array.isArray(nodes)) throw damaged(who, "inbound_nodes, a list", nodes);
  const said = (kwargs: unknown) => {
    for (const [key, value] of Object.entries(isRecord(kwargs) ? kwargs : {}))
      if (value !== null && value !== false) problems.push(short(`${who}: called with ${key}`));
  };
  return nodes.map((node: unknown) => {
    const refs = Array.isArray(node)
      ? (typeof node[0] === "string" ? [node] : node).map((ref: unknown) => {
          if (Array.isArray(ref)) said(ref[3]);
          return refFrom(ref);
        })
      : tensorsOf(node, said);
    if (!refs.length || !refs.every((ref) => ref))
      throw damaged(who, "nodes that are lists of [layer, node, tensor]", node);
    return refs as Ref[];
  });
}

/** Keras 3's form of a call: the tensors among its arguments. */
function tensorsOf(node: unknown, said: (kwargs: unknown) => void): (Ref | undefined)[] {
  const args: unknown = own(node, "args");
  said(own(node, "kwargs"));
  return [args].flat(2).map((arg) => refFrom(own(own(arg, "config"), "keras_history")));
}
