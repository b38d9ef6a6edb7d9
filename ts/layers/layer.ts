// What a layer is: a description that can be called on symbolic tensors. Parameters belong to the model that is made
// of the calls; a layer that is called twice in a model shares them.

import { argumentError, shapeError } from "../errors";
import { Graph, type Shape, Tensor } from "../graph/graph";
import type { NumberArray } from "../ndarray";
import { boolean, name, optional, type Read, type Schema, shape } from "../options";
import { type Built, built, configure, type Definition, definitionOf, factory } from "../registry";

/** A parameter (or a statistic) that a layer needs. */
export interface ParameterSpec {
  shape: Shape;
  initializer: Built;
  /** What its initializer takes it for, where not for its own shape: of a kernel of more axes the [in, out]. */
  matrix?: Shape;
  regularizer?: Built | undefined;
  constraint?: Built | undefined;
  /** A moving statistic: no gradient, no optimizer. */
  statistic?: boolean;
}

/** What a layer's `call` has to work with. */
export interface CallContext<C> {
  config: C;
  parameters: Record<string, Tensor>;
  /** Whether batch statistics and random masks are in force. */
  training: boolean;
  /** The number of this call's random op. */
  op: number;
  /** The result's shape alone is asked for. */
  shapeOnly?: boolean;
  /** Registers what to build in the update span. `momentum`: the old statistics' weight, in the place of the layer's own. */
  onUpdate(build: (momentum?: number) => void): void;
}

/** A layer type. Shapes of `parameters` and of symbolic tensors are without the batch. */
// biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
export interface LayerDefinition<C = any> extends Definition {
  /** Its `training` is off while it is not trainable (batch normalization, as in Keras). */
  frozenIsInference?: boolean;
  /** It takes a list of inputs; how many, `call` checks. */
  several?: boolean;
  parameters?(inputs: Shape[], config: C, who: string): Record<string, ParameterSpec>;
  /** Throws `data` where an input of the model that it reads, rows of so many numbers, has one that it does not take. */
  checkInput?(who: string, data: NumberArray, rowSize: number, layer: { name: string; config: C }): void;
  /** Builds the layer's ops; the first axis is the batch. */
  call(inputs: Tensor[], context: CallContext<C>, who: string): Tensor;
}

/** A value of a model under construction: its shape, without the batch, and the call it comes from. */
export class Symbolic {
  /** @internal */
  constructor(
    /** Its sizes, without the batch. */
    readonly shape: Shape,
    /** @internal */ readonly call: Call | undefined,
    /** @internal */ readonly inputName: string | undefined,
  ) {}
}

/** One call of a layer. */
export interface Call {
  layer: Layer;
  inputs: Symbolic[];
  output: Symbolic;
  /** Calls count up, so that models know in which order layers were first called. */
  sequence: number;
}

/** What a layer factory returns: a function from symbolic tensors to a symbolic tensor. */
export interface Layer {
  (input: Symbolic | readonly Symbolic[]): Symbolic;
  /** What the factory was given, defaults filled in: `{ type, ...options }`. */
  readonly config: Built;
}

let sequence = 0;

/** Options that every layer takes. */
export interface LayerOptions {
  /** Unique in its model; default: the factory's name and a number. */
  name?: string;
  /** Whether training changes its parameters; `false` freezes them. Default true. */
  trainable?: boolean;
  /** A penalty on the layer's output, averaged over the batch. */
  activityRegularizer?: Built;
  /** The shape of one example; for the first layer of `sequential`. */
  inputShape?: readonly number[];
}

const common = () => ({
  name: optional(name()),
  trainable: optional(boolean()),
  activityRegularizer: optional(built("regularizer", "l2(0.01)")),
  inputShape: optional(shape()),
});

/** A factory of layers of one type; its arguments are the definition's positional options, then an options object. */
export function layerFactory<S extends Schema, Args extends unknown[]>(
  definition: Omit<LayerDefinition<Read<S>>, "options"> & { options?: () => S },
): (...args: Args) => Layer {
  const complete = { ...definition, options: () => ({ ...common(), ...definition.options?.() }) } as LayerDefinition;
  return factory("layer", complete, layerOf);
}

/** The layer behind a checked config. */
export function layerOf(config: Built): Layer {
  const layer = ((input: Symbolic | readonly Symbolic[]): Symbolic => {
    const inputs = [input].flat() as Symbolic[];
    const who = (config["name"] as string) ?? config.type;
    for (const x of inputs)
      if (!(x instanceof Symbolic)) throw argumentError(who, "to be called on what input() or a layer returned", x);
    if (inputs.length !== 1 && !definitionOf<LayerDefinition>("layer", config).several)
      throw argumentError(who, "one input", inputs.length);
    const inner: Call = { layer, inputs, sequence: sequence++, output: undefined as never };
    inner.output = new Symbolic(inferShape(config, inputs, who), inner, undefined);
    return inner.output;
  }) as Layer;
  return Object.assign(layer, { config });
}

/** The definition behind a layer. */
export function layerDefinition(layer: Layer): LayerDefinition {
  return definitionOf<LayerDefinition>("layer", layer.config);
}

/** Whether `value` is what a layer factory returned. */
export function isLayer(value: unknown): value is Layer {
  return typeof value === "function" && typeof (value as Layer).config?.type === "string";
}

/** The parameters that a layer has whose first inputs are these. */
export function parametersOf(config: Built, inputs: Symbolic[], who: string): Record<string, ParameterSpec> {
  const shapes = inputs.map((x) => x.shape);
  return definitionOf<LayerDefinition>("layer", config).parameters?.(shapes, config, who) ?? {};
}

/** The output's shape, found by building the layer's ops once for a batch of one. `specs`: the parameters that it has. */
export function inferShape(
  config: Built,
  inputs: Symbolic[],
  who: string,
  specs = parametersOf(config, inputs, who),
): Shape {
  const graph = new Graph();
  graph.layer = who;
  const tensors = inputs.map((x) => new Tensor(graph, [1, ...x.shape], "input"));
  const parameters = Object.fromEntries(
    Object.entries(specs).map(([key, spec]) => [key, new Tensor(graph, spec.shape, key)]),
  );
  const context = { config, parameters, training: true, op: 0, shapeOnly: true, onUpdate() {} };
  return definitionOf<LayerDefinition>("layer", config).call(tensors, context, who).shape.slice(1);
}

/**
 * The input of a functional model.
 *
 * @param shape the shape of one example, without the batch
 * @throws DownhillError `argument`
 */
export function input(shape: readonly number[], options?: { name?: string }): Symbolic {
  const read = configure(inputDefinition, [shape, options]) as { shape?: Shape; name?: string };
  return new Symbolic(read.shape!, undefined, read.name ?? "");
}

const inputDefinition: Definition = {
  type: "input",
  positional: ["shape"],
  options: () => ({ shape: shape(), name: optional(name()) }),
};

/** Throws `shape` where an input has not `rank` axes beside the batch (or at least that many). */
export function checkRank(who: string, x: Shape, expected: string, holds: boolean): void {
  if (!holds) throw shapeError(who, "input", expected, ["n", ...x]);
}
