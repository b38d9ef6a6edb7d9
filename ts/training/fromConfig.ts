// Models from data: what `model.config` and a file's compile configuration describe, checked as factories and calls
// would have.

import { DownhillError } from "../errors";
import { input, type Layer, layerOf, type Symbolic } from "../layers/layer";
import {
  boolean,
  type Field,
  finite,
  inner,
  isRecord,
  listOf,
  name,
  natural,
  nonNegative,
  oneOf,
  optional,
  positive,
  readOptions,
  type Schema,
  shape,
} from "../options";
import { type Built, reconfigure } from "../registry";
import { rateOrSchedule } from "../schedules/schedules";
import { functionalStructure } from "./functional";
import { weightsFromText, weightsToText } from "./packed";
import type { CompileConfig } from "./state";
import type { Form, Ports, Structure } from "./structure";
import type { Weights } from "./weights";

type Plain = Record<string, unknown>;

export const object = (): Field<Plain> => ({
  expected: "an object",
  accepts: isRecord,
});
const form = () => oneOf("one", "list", "record");

const damaged = (expected: string) => new DownhillError("format", `model: expected ${expected}`);

/** The structure that a ModelConfig describes. Takes memory only in proportion to the config. */
export function structureFromConfig(given: unknown): { name: string; structure: Structure } {
  const config = readOptions("model", given, {
    name: name(),
    inputs: listOf(object()),
    inputForm: form(),
    outputForm: form(),
    layers: listOf(object()),
    calls: listOf(object()),
    outputs: listOf(object()),
  });
  const inputs = config.inputs.map((item) =>
    readOptions("model: an input", item, { name: portName(), shape: shape() }),
  );
  const layers = config.layers.map((item) => readOptions("model: a layer", item, { name: name(), config: object() }));
  const calls = config.calls.map((item) =>
    readOptions("model: a call", item, { layer: natural(), inputs: listOf(natural()) }),
  );
  const outputs = config.outputs.map((item) =>
    readOptions("model: an output", item, { name: portName(), value: natural() }),
  );

  // names of a record's inputs are its keys
  const values: Symbolic[] = inputs.map(({ name, shape }) =>
    input(shape, config.inputForm === "record" ? undefined : { name }),
  );
  const made: Layer[] = layers.map(({ config }) => {
    const checked = reconfigure("layer", config as unknown as Built);
    return layerOf(checked);
  });
  const valueAt = (i: number): Symbolic => {
    const value = values[i];
    if (!value) throw damaged(`values in 0 … ${values.length - 1}, got ${i}`);
    return value;
  };
  for (const call of calls) {
    const layer = made[call.layer];
    if (!layer) throw damaged(`layers in 0 … ${made.length - 1}, got ${call.layer}`);
    values.push(layer(call.inputs.map(valueAt)));
  }
  const structure = functionalStructure({
    inputs: ports(config.inputForm, inputs, values.slice(0, inputs.length)),
    outputs: ports(
      config.outputForm,
      outputs,
      outputs.map(({ value }) => valueAt(value)),
    ),
  });
  const named = (list: readonly { name: string }[]) => JSON.stringify(list.map(({ name }) => name));
  if (
    structure.calls.length !== calls.length ||
    named(structure.layers) !== named(layers) ||
    named(structure.inputs) !== named(inputs) ||
    named(structure.outputs) !== named(outputs)
  )
    throw damaged("the names that its layers, inputs and outputs get, and all of its calls to be needed");
  return { name: config.name, structure };
}

const portName = (): Field<string> => ({
  expected: "a non-empty string",
  accepts: (v) => typeof v === "string" && v !== "",
});

function ports(form: Form, named: readonly { name: string }[], values: readonly Symbolic[]): Ports {
  if (form === "list") return values;
  if (form === "record") return Object.fromEntries(named.map(({ name }, i) => [name, values[i]!]));
  if (values.length !== 1) throw damaged(`one value, got ${values.length}`);
  return values[0]!;
}

/** What `compile` was given for a model of that structure. */
export function compileConfigFrom({ outputs }: Structure, given: unknown): CompileConfig {
  const read = readOptions("compile", given, {
    optimizer: object(),
    loss: listOf(object()),
    lossWeights: listOf(nonNegative()),
    metrics: listOf(object()),
    clipNorm: optional(positive()),
    clipValue: optional(positive()),
    ema: optional(inner()),
    weightNoise: optional(nonNegative()),
    adversarial: optional(object()),
    penalties: optional(listOf(object())),
  });
  if (read.loss.length !== outputs.length || read.lossWeights.length !== outputs.length)
    throw damaged(`${outputs.length} losses and weights, one an output`);
  return {
    optimizer: reconfigure("optimizer", read.optimizer as unknown as Built),
    loss: read.loss.map((loss) => reconfigure("loss", loss as unknown as Built)),
    lossWeights: read.lossWeights,
    metrics: read.metrics.map((item) => {
      const { output, metric } = readOptions("compile: a metric", item, { output: natural(), metric: object() });
      if (output >= outputs.length) throw damaged(`metrics of outputs in 0 … ${outputs.length - 1}, got ${output}`);
      return { output, metric: reconfigure("metric", metric as unknown as Built) };
    }),
    clipNorm: read.clipNorm,
    clipValue: read.clipValue,
    ema: read.ema,
    weightNoise: read.weightNoise,
    adversarial: read.adversarial && {
      ...read.adversarial,
      attack: reconfigure("term", read.adversarial["attack"] as Built),
    },
    penalties: read.penalties?.map((penalty) => reconfigure("term", penalty as unknown as Built)),
  };
}

/** A learning rate or schedule. */
export function learningRateFrom(given: unknown): number | Built {
  const { learningRate } = readOptions("learningRate", { learningRate: given }, { learningRate: rateOrSchedule() });
  return typeof learningRate === "number" ? learningRate : reconfigure("schedule", learningRate);
}

/** What callbacks of these types know. */
const STATES: Readonly<Record<string, () => Schema>> = {
  earlyStopping: () => ({
    best: optional(finite()),
    wait: natural(),
    stopped: boolean(),
    weights: optional(object()),
  }),
  modelCheckpoint: () => ({ best: optional(finite()) }),
  reduceLROnPlateau: () => ({ best: optional(finite()), wait: natural(), cooldown: natural() }),
  swa: () => ({ count: natural(), weights: optional(object()) }),
};

/** The same with weights as text. */
export function callbackStateToText(structure: Structure, type: string, state: unknown): unknown {
  const { weights, ...rest } = state as { weights?: Weights };
  return weights && Object.hasOwn(STATES, type) ? { ...rest, weights: weightsToText(structure, weights) } : state;
}

/** What a callback of that type knew. */
export function callbackStateFrom(structure: Structure, type: string, given: Plain): Plain {
  if (!Object.hasOwn(STATES, type)) return given;
  const who = `${type}: its state`;
  const { weights, ...rest } = readOptions(who, given, STATES[type]!()) as { weights?: Plain };
  return { ...rest, ...(weights && { weights: weightsFromText(who, structure, weights) }) };
}
