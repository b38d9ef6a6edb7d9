// Layers, losses and metrics of a user's own, written in primitive ops. What is returned is a factory like the built-in
// ones: its results are plain data, and files and workers find their behaviour by type.

import { LabelKind } from "../../assembly/isa";
import { argumentError, show, wrong } from "../errors";
import { Graph, type Shape, sameShape, Tensor } from "../graph/graph";
import { glorotUniform, zeros } from "../initializers/initializers";
import { type CallContext, type Layer, type LayerOptions, layerFactory, type ParameterSpec } from "../layers/layer";
import type { LossDefinition, LossInputs } from "../losses/losses";
import type { MetricDefinition, MetricInputs } from "../metrics/metrics";
import { equal, keep } from "../ops/arithmetic";
import { oneHot } from "../ops/indexing";
import { broadcastTo } from "../ops/reductions";
import {
  boolean,
  check,
  type Family,
  type Field,
  finite,
  isRecord,
  name as nameField,
  oneOf,
  optional,
  or,
  readOptions,
  type Schema,
  shape as shapeField,
  text,
} from "../options";
import { type Built, built, factory } from "../registry";
import { isBuiltin } from "./builtins";
import { type Ops, primitives, type Value } from "./primitives";

/** Options of a type of one's own: their names and defaults, plain data. */
export type OptionDefaults = Readonly<Record<string, unknown>>;

/** What defaults say of the options: a number takes numbers, `null` anything plain. */
export type OptionsOf<O extends OptionDefaults> = { readonly [K in keyof O]: OptionOf<O[K]> };
/** What an option takes whose default is a T. */
export type OptionOf<T> = T extends number
  ? number
  : T extends boolean
    ? boolean
    : T extends string
      ? string
      : T extends null
        ? unknown
        : T extends readonly (infer E)[]
          ? readonly OptionOf<E>[]
          : Readonly<Record<string, unknown>>;

/** A parameter of a layer of one's own. */
export interface CustomParameter {
  /** Its sizes. */
  shape: readonly number[];
  /** Default `glorotUniform()` of two and more axes, else `zeros()`. */
  initializer?: Built | undefined;
  /** A penalty on it, such as `l2(1e-4)`. Default none. */
  regularizer?: Built | undefined;
  /** What it is brought back to after each step, such as `maxNorm()`. Default none. */
  constraint?: Built | undefined;
  /** Default true; what is not has no gradient and stays as it is. */
  trainable?: boolean | undefined;
}

/** What `call` is told beside its arguments. */
export interface CustomContext<O> {
  /** What the factory was given, defaults filled in. */
  options: O;
}

/**
 * A shape of an example: of its first axis at least code under `noUncheckedIndexedAccess` knows that it is there.
 * @inline
 */
type ExampleShape = [number, ...number[]];

/** What `defineLayer` takes. */
export interface LayerSpec<O extends OptionDefaults, P extends string> {
  /** Unique; no built-in layer's. */
  type: string;
  /** The type's own options, with their defaults; plain data. Default none. */
  options?: O;
  /** From the shape of one example, and the options, the parameters by name: what they are, or their shapes alone. */
  parameters?(inputShape: ExampleShape, options: OptionsOf<O>): Record<P, CustomParameter | readonly number[]>;
  /** From x [n, …] and the parameters the output [n, …]. */
  call(
    x: Value,
    parameters: Record<P, Value>,
    ops: Ops,
    context: CustomContext<OptionsOf<O>> & { training: boolean },
  ): Value;
}

/** What `defineLoss` takes. */
export interface LossSpec<O extends OptionDefaults> {
  /** Unique; no built-in loss's. */
  type: string;
  /** The type's own options, with their defaults; plain data. Default none. */
  options?: O;
  /** What predictions are: where `accuracy` cuts them. Default `"values"`: at 0.5, or where there are several, the largest. */
  prediction?: "logits" | "probabilities" | "values";
  /** The loss of each element, of each example, or one for all of them. */
  call(yTrue: Value, yPred: Value, ops: Ops, context: CustomContext<OptionsOf<O>>): Value;
}

/** What `defineMetric` takes. */
export interface MetricSpec<O extends OptionDefaults> {
  /** Unique; no built-in metric's. It names the metric in logs. */
  type: string;
  /** The type's own options, with their defaults; plain data. Default none. */
  options?: O;
  /** The value of each element, of each example, or one for all of them. */
  call(yTrue: Value, yPred: Value, ops: Ops, context: CustomContext<OptionsOf<O>>): Value;
}

const RESERVED = ["type", "name", "trainable", "activityRegularizer", "inputShape"];

const isPlain = (value: unknown, depth = 0): boolean =>
  value === null ||
  typeof value === "boolean" ||
  typeof value === "string" ||
  Number.isFinite(value) ||
  (depth < 8 &&
    (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) &&
    Object.values(value as object).every((item) => isPlain(item, depth + 1)));

/** The option that takes what is of the kind of its default. */
function fieldLike(value: unknown): Field<unknown> {
  const plain = (expected: string, accepts: (v: unknown) => boolean): Field<unknown> => ({
    expected,
    accepts: (v) => isPlain(v) && accepts(v),
  });
  const field =
    typeof value === "number"
      ? finite()
      : typeof value === "boolean"
        ? boolean()
        : typeof value === "string"
          ? text()
          : Array.isArray(value)
            ? plain("a list of plain values", Array.isArray)
            : value === null
              ? plain("a plain value: numbers, strings, booleans, lists and objects of such", () => true)
              : plain("an object of plain values", isRecord);
  return or(field, () => structuredClone(value));
}

/** Checks what all three take and returns the options' schema. */
function readSpec(
  who: string,
  family: "layer" | "loss" | "metric",
  given: unknown,
  others: Schema,
): { type: string; schema: () => Schema; optionsOf(config: Built): Record<string, unknown> } {
  const fn = { expected: "a function", accepts: (v: unknown) => typeof v === "function" };
  const { type, options = {} } = readOptions(who, given, {
    type: nameField(),
    options: optional({ expected: "an object of defaults", accepts: isRecord } as Field<Record<string, unknown>>),
    call: fn,
    ...others,
  });
  if (isBuiltin(family, type)) throw argumentError(who, "a type that the library does not have", type);
  const defaults = { ...options };
  for (const [key, value] of Object.entries(defaults)) {
    if (RESERVED.includes(key)) throw argumentError(who, `options other than ${RESERVED.join(", ")}`, key);
    if (!isPlain(value))
      throw argumentError(who, `a plain default for ${key} (numbers, strings, booleans, null, lists, objects)`, value);
  }
  const keys = Object.keys(defaults);
  return {
    type,
    schema: () => Object.fromEntries(keys.map((key) => [key, fieldLike(defaults[key])])),
    optionsOf: (config) => structuredClone(Object.fromEntries(keys.map((key) => [key, config[key]]))),
  };
}

/** What made a config: where two definitions have one type (a width that a closure knows, say), each config keeps its own. */
const makers = /* @__PURE__ */ new WeakMap<object, object>();

/** What made `config`, of those that have the rules of `last`: the last definition of its type, where it came as data. */
const makerOf = <D extends object>(config: object, last: D): D => (makers.get(config) as D | undefined) ?? last;

/** The factory, whose results remember what made them. */
function remembered<F extends (...args: never[]) => Built | Layer>(make: F, maker: object): F {
  const remembering = (...args: Parameters<F>) => {
    const result = make(...args);
    makers.set(typeof result === "function" ? result.config : result, maker);
    return result;
  };
  return Object.assign(remembering, make) as unknown as F;
}

/** What `call` returned, if it is a tensor of this graph. */
function resultOf(who: string, graph: Graph, value: unknown): Tensor {
  if (value instanceof Tensor && value.graph === graph) return value;
  const got = value instanceof Tensor ? "one of another call" : show(value);
  throw wrong("argument", who, "call to return a tensor made by its ops", got);
}

/**
 * A layer of your own: a factory like the built-in ones, which takes the options that `options` names and those of every layer
 * (`name`, `trainable`, `activityRegularizer`, `inputShape`).
 *
 * `parameters(inputShape, options)` gives the parameters, `call(x, parameters, ops, { options, training })` the output in the
 * ops that it is given; both run when a model is built, not in each step, and shapes in `call` are concrete. Examples should not
 * mix: `predict` may fill up a batch with copies of its last one. Gradients are the library's. `loadModel(source, { custom: [swiglu] })` brings it back.
 *
 * @example const swiglu = defineLayer({
 *   type: "swiglu",
 *   options: { units: 64 },
 *   parameters: ([width], { units }) => ({ gate: { shape: [width, units] }, value: { shape: [width, units] } }),
 *   call: (x, { gate, value }, ops) => ops.multiply(ops.silu(ops.matmul(x, gate)), ops.matmul(x, value)),
 * });
 * const model = sequential([swiglu({ units: 32, inputShape: [64] }), dense(10)]);
 * @throws DownhillError `argument` for a bad definition, or a type of the library's own
 */
export function defineLayer<const O extends OptionDefaults = Record<never, never>, P extends string = never>(
  spec: LayerSpec<O, P>,
): (options?: LayerOptions & Partial<OptionsOf<O>>) => Layer {
  const fn = { expected: "a function", accepts: (v: unknown) => typeof v === "function" };
  const { type, schema, optionsOf } = readSpec("defineLayer", "layer", spec, { parameters: optional(fn) });
  const maker = {
    parameters([x]: Shape[], config: object, who: string) {
      const given = spec.parameters?.([...x!] as never, optionsOf(config as never) as OptionsOf<O>) ?? {};
      if (!isRecord(given)) throw argumentError(who, "parameters() to return an object", given);
      return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, readParameter(who, key, value)]));
    },
    call([x]: Tensor[], { config, parameters, training }: CallContext<object>, who: string) {
      const context = { options: optionsOf(config as never) as OptionsOf<O>, training };
      const y = resultOf(who, x!.graph, spec.call(x!, parameters as Record<P, Value>, primitives, context));
      const n = x!.shape[0];
      if (y.shape[0] !== n)
        throw wrong("shape", who, `call to return one row for each of ${n} examples`, `[${y.shape.join(", ")}]`);
      return y;
    },
  };
  const factory = layerFactory<Schema, [options?: LayerOptions & Partial<OptionsOf<O>>]>({
    type,
    options: schema,
    parameters: (inputs, config, who) => makerOf(config, maker).parameters(inputs, config, who),
    call: (inputs, context, who) => makerOf(context.config, maker).call(inputs, context, who),
  });
  return remembered(factory, maker);
}

function readParameter(layer: string, key: string, given: unknown): ParameterSpec {
  const who = `${layer}: parameter ${key}`;
  check(layer, "a parameter's name", nameField(), key);
  const read = readOptions(who, Array.isArray(given) ? { shape: given } : given, {
    shape: shapeField(),
    initializer: optional(built("initializer", "glorotUniform()")),
    regularizer: optional(built("regularizer", "l2(0.01)")),
    constraint: optional(built("constraint", "maxNorm()")),
    trainable: or(boolean(), true),
  });
  const { shape, trainable, initializer = shape.length > 1 ? glorotUniform() : zeros(), ...rest } = read;
  return { ...rest, shape, initializer, statistic: !trainable };
}

/** What a loss or a metric of one's own sees, and which labels there are. */
interface Labels {
  yTrue: Tensor;
  /** 1 where there is a label: an element's, of yTrue's shape, or a class number's, [n] or [n, t]. */
  present: Tensor;
}

/** Missing labels are shown as 0, or as class 0. */
function labelsOf({ prediction, target, kind }: LossInputs): Labels {
  if (kind === LabelKind.index) {
    const [yTrue, present] = oneHot([target], { classes: prediction.shape.at(-1)! }).node!.outputs;
    return { yTrue: yTrue!, present: present! };
  }
  const present = equal([target, target]); // NaN is not
  return { yTrue: keep([target, present]), present };
}

/** x over all axes but the first. */
const rowwise = (op: Ops["sum"], x: Value): Tensor =>
  (x.shape.length > 1 ? op(x, [...x.shape.keys()].slice(1)) : x) as Tensor;

/**
 * Of what `call` returned the numbers of the rows, and how many labels each has: the sum over what is labelled where it has
 * the labels' shape and they are not labelled by row, else the mean of each row, which is labelled as a whole or not at all.
 * Both times the weights, if any: of rows, or of the steps that are labelled.
 */
function rowsOf(
  who: string,
  result: Tensor,
  { yTrue, present }: Labels,
  weights: Tensor | null = null,
  byRow = false,
): Tensor[] {
  const n = yTrue.shape[0]!;
  const { sum, mean, min } = primitives;
  if (!byRow && sameShape(result.shape, present.shape)) {
    const bySteps = weights && sameShape(weights.shape, present.shape);
    return [keep([result, present]), present].map((x) =>
      bySteps ? rowwise(sum, weighted(x, weights)) : weighted(rowwise(sum, x), weights),
    );
  }
  const { shape } = result;
  if (shape.length && shape[0] !== n)
    throw wrong("shape", who, `call to return a number, [${n}] or [${n}, …]`, `[${shape.join(", ")}]`);
  const value = shape.length ? rowwise(mean, result) : broadcastTo([result], { to: [n] });
  const all = rowwise(min, present);
  return [keep([value, all]), all].map((x) => weighted(x, weights && rowwise(mean, weights)));
}

/** Whether a loss gives a number for each element, tried on a graph that nothing comes of. */
function isElementwise(shape: Shape, call: (yTrue: Value, yPred: Value) => Value): boolean {
  const graph = new Graph();
  const leaf = (name: string) => new Tensor(graph, [2, ...shape], name);
  try {
    return sameShape(call(leaf("yTrue"), leaf("yPred")).shape, [2, ...shape]);
  } catch {
    return true; // whoever calls it in earnest will see why
  }
}

/** Runs `build` in the name of a loss or metric. */
function named<T>(graph: Graph, name: string, build: () => T): T {
  const before = graph.layer;
  graph.layer = name;
  try {
    return build();
  } finally {
    graph.layer = before;
  }
}

const weighted = (x: Tensor, weights: Tensor | null): Tensor =>
  weights ? (primitives.multiply(x, weights) as Tensor) : x;

const enrolled = <O extends OptionDefaults, D extends LossDefinition | MetricDefinition>(
  family: Family,
  definition: D,
): ((options?: Partial<OptionsOf<O>>) => Built) => factory<[Partial<OptionsOf<O>>?], D>(family, definition);

/**
 * A loss of your own: a factory like the built-in ones.
 *
 * `call(yTrue, yPred, ops, { options })` gives the loss of each element [n, …], of each example [n], or one for all: what has
 * yTrue's shape is averaged over all elements, anything else over each example first and then over the examples. yTrue has yPred's
 * shape; class numbers come as one-hot rows. Sample weights, and labels that are missing (NaN, −1 as a class), are the
 * library's: a missing label is shown as 0 (class 0), and what `call` has for it does not count.
 *
 * @example const focal = defineLoss({
 *   type: "focal",
 *   options: { gamma: 2 },
 *   call(yTrue, yPred, ops, { options: { gamma } }) {
 *     const logP = ops.sum(ops.multiply(yTrue, ops.logSoftmax(yPred)), -1);
 *     return ops.negate(ops.multiply(ops.pow(ops.subtract(1, ops.exp(logP)), gamma), logP));
 *   },
 * });
 * @throws DownhillError `argument`
 */
export function defineLoss<const O extends OptionDefaults = Record<never, never>>(
  spec: LossSpec<O>,
): (options?: Partial<OptionsOf<O>>) => Built {
  const kinds = oneOf("logits", "probabilities", "values");
  const { type, schema, optionsOf } = readSpec("defineLoss", "loss", spec, { prediction: optional(kinds) });
  const context = (config: Built) => ({ options: optionsOf(config) as OptionsOf<O> });
  const known = new Map<string, boolean>();
  const maker = {
    byRow(shape: Shape, config: Built) {
      const key = JSON.stringify([shape, config]);
      if (!known.has(key))
        known.set(key, !isElementwise(shape, (t, p) => spec.call(t, p, primitives, context(config))));
      return known.get(key)!;
    },
    prediction: () => spec.prediction ?? "values",
    call: (inputs: LossInputs, config: Built) =>
      named(inputs.prediction.graph, type, () => {
        const labels = labelsOf(inputs);
        const { prediction, weights } = inputs;
        const result = spec.call(labels.yTrue, prediction, primitives, context(config));
        const [loss, count] = rowsOf(type, resultOf(type, prediction.graph, result), labels);
        return [weighted(loss!, weights), count!];
      }),
  };
  const factory = enrolled<O, LossDefinition>("loss", {
    type,
    options: schema,
    targets: "either",
    byRow: (shape, config) => makerOf(config, maker).byRow(shape, config),
    prediction: (config) => makerOf(config, maker).prediction(),
    call: (inputs, config) => makerOf(config, maker).call(inputs, config),
  });
  return remembered(factory, maker);
}

/**
 * A metric of your own: a factory like the built-in ones; its type is its name in the logs.
 *
 * `call(yTrue, yPred, ops, { options })` gives a value for each element, each example, or one for all, as a loss does; the
 * metric is their mean, Σwᵢ·mᵢ/Σwᵢ, over what is labelled.
 *
 * @example const confidence = defineMetric({
 *   type: "confidence",
 *   call: (yTrue, yPred, ops) => ops.max(ops.softmax(yPred), -1),
 * });
 * @throws DownhillError `argument`
 */
export function defineMetric<const O extends OptionDefaults = Record<never, never>>(
  spec: MetricSpec<O>,
): (options?: Partial<OptionsOf<O>>) => Built {
  const { type, schema, optionsOf } = readSpec("defineMetric", "metric", spec, {});
  const maker = {
    call: (inputs: MetricInputs, config: Built) =>
      named(inputs.prediction.graph, type, () => {
        const labels = labelsOf(inputs);
        const { prediction, weights, kind, loss } = inputs;
        const context = { options: optionsOf(config) as OptionsOf<O> };
        const result = resultOf(type, prediction.graph, spec.call(labels.yTrue, prediction, primitives, context));
        const { targets } = loss.definition;
        const byRow = kind !== LabelKind.index && targets !== "element" && targets !== "either";
        return rowsOf(type, result, labels, weights, byRow);
      }),
  };
  const factory = enrolled<O, MetricDefinition>("metric", {
    type,
    options: schema,
    call: (inputs, config) => makerOf(config, maker).call(inputs, config),
  });
  return remembered(factory, maker);
}
