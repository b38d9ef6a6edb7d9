// Models from symbolic inputs and outputs.

import { argumentError } from "../errors";
import { Symbolic } from "../layers/layer";
import type { NDArray } from "../ndarray";
import { check, isObject, name, readOptions } from "../options";
import { defaultRuntime, nextStream } from "../runtime/runtime";
import { Model, type ModelOptions, modelOptions } from "./model";
import { ModelState } from "./state";
import { type Form, type NamedPorts, type Ports, type Structure, structureOf } from "./structure";

/** What the state block has room for: a source each input, two each output, a denominator each output. */
const MAX_INPUTS = 16;
const MAX_OUTPUTS = 8;

/** The output type that goes with how outputs were given. */
export type PredictionOf<Outputs> = Outputs extends Symbolic
  ? NDArray
  : Outputs extends readonly unknown[]
    ? NDArray[]
    : { [K in keyof Outputs]: NDArray };

/**
 * A model from symbolic inputs to symbolic outputs, each one, a list or a named record.
 *
 * @example const x = input([784]); functional({ inputs: x, outputs: dense(10)(dense(64)(x)) })
 */
export function functional<const O extends Ports>(
  graph: { inputs: Ports; outputs: O },
  options?: ModelOptions,
): Model<PredictionOf<O>> {
  const { name = "functional", runtime = defaultRuntime() } = readOptions("functional", options, modelOptions);
  if (!isObject(graph)) throw argumentError("functional", "{ inputs, outputs }", graph);
  for (const key of Object.keys(graph))
    if (key !== "inputs" && key !== "outputs") throw argumentError("functional", "{ inputs, outputs }", graph);
  const structure = functionalStructure(graph);
  const position = nextStream();
  return new Model(() => new ModelState(name, structure, runtime, position)) as never;
}

/** The structure between given inputs and outputs, checked. */
export function functionalStructure(given: { inputs: Ports; outputs: Ports }): Structure {
  const inputs = readPorts("inputs", given.inputs);
  const outputs = readPorts("outputs", given.outputs);
  for (const [what, { length }, most] of [
    ["inputs", inputs.values, MAX_INPUTS],
    ["outputs", outputs.values, MAX_OUTPUTS],
  ] as const)
    if (length > most) throw argumentError("functional", `at most ${most} ${what}`, length);
  if (inputs.values.some(({ inputName }) => inputName === undefined))
    throw argumentError("functional", "inputs to come from input()", "a layer's output");
  if (new Set(inputs.values).size < inputs.values.length)
    throw argumentError("functional", "inputs to differ", "one of them twice");
  return structureOf(inputs, outputs);
}

function readPorts(what: string, given: Ports): NamedPorts {
  const form: Form = given instanceof Symbolic ? "one" : Array.isArray(given) ? "list" : "record";
  if (!isObject(given))
    throw argumentError(
      "functional",
      `${what} to be what input() or a layer returned, a list or a record of them`,
      given,
    );
  const keys = form === "record" ? Object.keys(given) : [];
  const values: Symbolic[] = form === "one" ? [given] : Object.values(given);
  if (!values.length) throw argumentError("functional", `at least one of ${what}`, given);
  values.forEach((value, i) => {
    const key = keys[i];
    if (key !== undefined) check("functional", `a name in ${what}`, name(), key);
    if (!(value instanceof Symbolic))
      throw argumentError("functional", `${what}${key ? `.${key}` : ""} to be what input() or a layer returned`, value);
  });
  return { form, keys, values };
}
